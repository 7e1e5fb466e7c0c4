// imapflow through one session: HOST PORT no|starttls|tls NAME PASSWORD
'use strict';
const assert = require('assert');
const { ImapFlow } = require('imapflow');
const [host, port, secure, user, pass] = process.argv.slice(2);

async function session(c) {
	await c.connect();
	const lock = await c.getMailboxLock('INBOX');
	try {
		assert.strictEqual(c.mailbox.exists, 3);
		const one = await c.fetchOne('2', {
			envelope: true, flags: true, size: true, source: true,
			bodyStructure: true, internalDate: true
		});
		assert.strictEqual(one.envelope.subject, 'number 1');
		assert.strictEqual(one.source.length, one.size);
		assert.strictEqual(one.bodyStructure.type, 'text/plain');
		const uids = await c.search({ subject: 'number 2' },
		    { uid: true });
		assert.strictEqual(uids.length, 1);
		await c.messageFlagsAdd('1', ['\\Flagged', 'fromnode']);
		const flags = (await c.fetchOne('1', { flags: true })).flags;
		assert(flags.has('\\Flagged') && flags.has('fromnode'));
		await c.messageFlagsRemove('1', ['\\Flagged', 'fromnode']);
		await c.mailboxCreate('Größe');
		const copied = await c.messageCopy('1:*', 'Größe');
		assert(copied);
		const moved = await c.append('INBOX',
		    'Subject: moved\r\n\r\nhello\r\n', ['\\Seen']);
		assert(moved);
		await c.messageMove({ subject: 'moved' }, 'Größe');
		const dl = await c.download('1', 'TEXT');
		let text = '';
		for await (const chunk of dl.content)
			text += chunk;
		assert(text.startsWith('text 0'));
	} finally {
		lock.release();
	}
	const st = await c.status('Größe', { messages: true, unseen: true });
	assert.strictEqual(st.messages, 4);
	assert((await c.list()).some((b) => b.path === 'Größe'));
	await c.mailboxDelete('Größe');
	await c.logout();
}

session(new ImapFlow({
	host, port: Number(port), secure: secure === 'tls',
	doSTARTTLS: secure === 'starttls', auth: { user, pass },
	tls: { rejectUnauthorized: false }, logger: false
})).then(() => console.log('fine'), (e) => {
	console.log(e);
	process.exit(1);
});
