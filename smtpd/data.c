/*
 * DATA: envelope and text go into the queue file as they come, a small
 * message by one write; then the file is closed, COMMIT said to queued, and
 * its answer told to the client.  Runs in smtpd.  Must never say 250 before
 * queued did.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "file.h"
#include "log.h"
#include "qfile.h"
#include "smtpd.h"

enum {
	FLUSH = 64 * 1024,		/* bytes of text that are held */
	OVERRUN = 8 * 1024 * 1024,	/* above the limit: no more is read */
	PIECES = 8
};

static const char too_large[] = "552 5.3.4 too large a message";

static void
compose(struct smtp *s)
{
	const struct front_session *f = s->front;
	struct received r = {
		.helo = s->helo, .peer = f->peer, .host = front_hostname(),
		.rcpt = s->nrcpts == 1 ? s->first_rcpt : NULL,
		.esmtp = s->esmtp, .utf8 = s->mail.utf8, .tls = f->tls,
		.auth = s->account != NULL,
		.verified = s->helo_state == HELO_VERIFIED,
		.id = s->file->id, .now = time(NULL)
	};
	struct buf *out = &s->out;
	char letters[8];

	buf_init(out, 0);
	qfile_from(out, r.now, s->sender, s->mail.ret, s->mail.envid);
	snprintf(letters, sizeof(letters), "%s%s", s->mail.eightbit ? "8" : "",
	    s->mail.utf8 ? "U" : "");
	if (s->named_client)
		strcat(letters, "C");
	if (s->mail.tls)
		strcat(letters, "R");
	s->options = out->len;
	qfile_options(out, letters);
	qfile_source(out, s->account, "SMTP", f->peer);
	qfile_local(out, f->local);
	buf_add(out, s->rcpts.p, s->rcpts.len);
	qfile_end(out);
	s->envelope = out->len;
	header_received(out, &r);
	body_start(&s->body, out);
	s->body.sender = s->sender;
	s->body.host = front_hostname();
	s->body.now = r.now;
	s->body.trusted = s->account != NULL || s->client;
	if (f->submission) {
		s->body.account = s->account;
		s->body.own_sender = s->own_sender;
	}
	ban_begin(s);
	s->written = s->no_tls_at = 0;
}

bool
data_begin(struct smtp *s)
{
	compose(s);
	return !s->out.failed;
}

static void
begin(struct smtp *s)
{
	if (!data_begin(s)) {
		smtp_reset(s);
		smtp_reply(s, "451 4.3.0 the envelope cannot be written");
		return;
	}
	smtp_reply(s, "354 go on, end with CRLF.CRLF");
	s->state = ST_DATA;
	conn_data(s->front->conn);
}

void
cmd_data(struct smtp *s, struct cur *c)
{
	if (s->nrcpts == 0)
		smtp_error(s, "554 5.5.1 no valid recipients");
	else if (s->mail.binary)
		smtp_error(s, "503 5.5.1 BINARYMIME comes by BDAT");
	else if (files_get(s))
		begin(s);
	else
		smtp_wait(s);
}

void
data_file(struct smtp *s, const char *why)
{
	if (s->chunk.any) {
		bdat_file(s, why);
		return;
	}
	if (why == NULL)
		begin(s);
	else {
		smtp_reset(s);
		smtp_reply(s, "452 4.3.1 %s", why);
	}
	smtp_go_on(s);
}

/* --- the text --- */

static void
refuse(struct smtp *s, const char *answer)
{
	if (s->refuse == NULL)
		s->refuse = answer;
	s->body.discard = true;
	buf_free(&s->out);
	buf_init(&s->out, 0);
}

void
data_interrupted(struct smtp *s)
{
	files_close(s->file);
	s->file = NULL;
	refuse(s, "451 4.3.0 the queue has been interrupted");
}

/* One more letter of options, while the envelope is still in memory. */
static size_t
put_option(struct smtp *s, char letter)
{
	struct buf *out = &s->out;
	char text[] = { 'O', ' ', letter, '\n', '\0' }, *put = text;
	size_t n = sizeof(text) - 1;

	if (strncmp(out->p + s->options, "O ", 2) == 0) {
		s->options += 2;
		put = &text[2];
		n = 1;
	}
	if (!buf_add(out, put, n))
		return 0;
	memmove(out->p + s->options + n, out->p + s->options,
	    out->len - n - s->options);
	memcpy(out->p + s->options, put, n);
	s->no_tls_at = s->options + (n == 1 ? 0 : 2);
	s->envelope += n;
	s->scanned += n;
	body_moved(&s->body, n);
	return n;
}

/*
 * "TLS-Required: No" was in the header: the envelope says so.  If it goes to
 * the file before a very long header's end, it has room for that: a letter that
 * means nothing.  Whoever said REQUIRETLS means that (RFC 8689, 3).
 */
static size_t
note_no_tls(struct smtp *s)
{
	const struct body *b = &s->body;

	if (s->mail.tls || (!b->header && !b->no_tls))
		return 0;
	if (s->written == 0)
		return put_option(s, b->header ? '_' : 'N');
	if (!b->header && s->no_tls_at != 0 &&
	    file_pwrite(s->file->fd, "N", 1, s->no_tls_at) == 0)
		s->no_tls_at = 0;
	return 0;
}

static void
write_out(struct smtp *s, size_t n)
{
	n += note_no_tls(s);
	if (n == 0)
		return;
	if (file_write(s->file->fd, s->out.p, n) == -1) {
		log_warn("Queue/%" PRIu64 ".tmp", s->file->id);
		refuse(s, "452 4.3.1 cannot be stored now");
		return;
	}
	s->written += n;
	body_taken(&s->body, n);
	s->scanned -= n;
}

void
data_flush(struct smtp *s)
{
	if (s->refuse == NULL && s->out.len >= FLUSH)
		write_out(s, body_ready(&s->body));
}

/* What is wrong so far makes the answer at the end; the text goes nowhere. */
void
data_check(struct smtp *s)
{
	const struct body *b = &s->body;

	if (s->refuse != NULL)
		return;
	if (b->bare)
		refuse(s, "550 5.6.0 a bare CR or LF: lines end in CR LF");
	else if (b->longline)
		refuse(s, "550 5.6.0 too long a line in the header");
	else if (smtp_conf.max_size > 0 && b->size > smtp_conf.max_size)
		refuse(s, too_large);
	else if (b->hops > smtp_conf.max_hops)
		refuse(s, "554 5.4.6 too many hops: a loop");
	else if (s->out.failed)
		refuse(s, "452 4.3.1 out of memory");
	else if (s->ban != NULL && ban_met(s))
		refuse(s, "554 5.7.1 the message has a banned line");
}

/* --- the end --- */

static void
finished(struct smtp *s)
{
	smtp_reset(s);
	conn_lines(s->front->conn, SMTP_MAXLINE);
}

static void
tell(struct smtp *s, const struct msg_committed *m)
{
	uint64_t id = s->commit_id;

	s->commit = NULL;
	finished(s);
	if (m != NULL && m->code == 0) {
		s->errors = 0;
		smtp_reply(s, "250 2.0.0 %" PRIu64
		    " message accepted for delivery", id);
	} else {
		front_log(s->front, LOG_PROBLEM, "[%" PRIu64 "] not taken: %s",
		    id, m == NULL ? "no answer" : m->text);
		if (m == NULL)
			smtp_reply(s, "451 4.3.0 the queue does not answer");
		else
			smtp_reply(s, "%s %s %s", m->code == 1 ? "554" : "452",
			    *m->esc != '\0' ? m->esc : m->code == 1 ?
			    "5.3.0" : "4.3.1", m->text);
	}
	smtp_go_on(s);
}

/* The client may be gone meanwhile; a file that comes along is welcome. */
static void
committed(const struct ipc_pkt *pkt, void *arg)
{
	struct smtp_commit *c = arg;
	struct smtp *s = c->session;

	if (c->more)
		files_more(pkt);
	free(c);
	if (s != NULL)
		tell(s, pkt == NULL ? NULL : pkt->m);
}

void
data_forget(struct smtp *s)
{
	if (s->commit != NULL)
		s->commit->session = NULL;
	s->commit = NULL;
}

static void
commit(struct smtp *s)
{
	struct msg_commit m = { .id = s->file->id };
	struct smtp_commit *c = xcalloc(1, sizeof(*c));

	c->session = s;
	s->commit = c;
	m.more = c->more = files_wants_more();
	s->commit_id = s->file->id;
	front_log(s->front, LOG_MAJOR, "[%" PRIu64 "] received, %" PRIu64
	    " bytes", m.id, s->written - s->envelope);
	files_close(s->file);
	s->file = NULL;
	m.ticket = (struct ipc_str) { s->ticket, s->ticketlen };
	smtp_wait(s);
	ipc_call(proc_peer(PROC_QUEUED), IPC_COMMIT, s->front->id, &m, -1,
	    IPC_TIMEOUT, committed, c);
}

void
data_ended(struct smtp *s)
{
	const char *refused;

	data_check(s);
	if (s->refuse == NULL)
		write_out(s, s->out.len);
	if (s->refuse == NULL) {
		commit(s);
		return;
	}
	refused = s->refuse;
	front_log(s->front, LOG_PROBLEM, "message refused: %s", refused);
	finished(s);
	if (*refused == '5')
		smtp_error(s, "%s", refused);
	else
		smtp_reply(s, "%s", refused);
}

static void
take(struct smtp *s, struct evbuffer *in)
{
	struct evbuffer_iovec v[PIECES];
	size_t used = 0;
	int i, n;

	n = evbuffer_peek(in, -1, NULL, v, PIECES);
	for (i = 0; i < n && i < PIECES && s->body.state != BODY_END; i++)
		used += body_feed(&s->body, v[i].iov_base, v[i].iov_len);
	evbuffer_drain(in, used);
}

void
data_input(struct smtp *s)
{
	struct evbuffer *in = conn_input(s->front->conn);

	if (s->chunk.any) {
		bdat_input(s);
		return;
	}
	while (evbuffer_get_length(in) > 0 && s->body.state != BODY_END) {
		take(s, in);
		data_check(s);
		data_flush(s);
	}
	if (s->body.state == BODY_END)
		data_ended(s);
	else if (s->refuse == too_large &&
	    s->body.size > smtp_conf.max_size + OVERRUN) {
		smtp_reply(s, "%s", too_large);
		front_close(s->front);
	}
}
