/*
 * Which process may write under which tags: a process that was taken over
 * must not put words into another's mouth.  Programs that ban addresses by
 * AUTH's lines read the log.  Runs in logd; only looks things up.
 */
#include <string.h>

#include "buf.h"
#include "logd.h"

enum { MAXTAGS = 6 };

static const struct {
	const char	*source;	/* as cgserver names it */
	const char	*tags[MAXTAGS];	/* NULL at the end */
} table[] = {
	{ "cgserver",		{ "SERVER" } },
	{ "logd",		{ "LOG" } },
	{ "authd",		{ "AUTH", "EXTAUTH", "ACCOUNT" } },
	{ "authd-priv",		{ "PRIV" } },
	{ "routerd",		{ "ROUTER" } },
	{ "queued",		{ "QUEUE", "DEQUEUER", "PIPE", "LIST",
				    "SYSTEM", "TCP" } },
	{ "smtpd",		{ "SMTPI" } },
	{ "smtpd-send",		{ "SMTP", "SMTPW" } },
	{ "pop3d",		{ "POP" } },
	{ "imapd",		{ "IMAP" } },
	{ "pwdd",		{ "PWD" } },
	{ "stored",		{ "STORED" } },
	{ "stored-delivery",	{ "LOCAL" } },
	/* Workers go on with the sessions of fronts. */
	{ "stored-worker",	{ "ACCOUNT", "MAILBOX", "POP", "IMAP" } }
};

/* The tag itself, or one of its sessions or objects: POP-000012, QUEUE([7]). */
static bool
is_of(struct str tag, const char *own)
{
	size_t n = strlen(own);

	return tag.len >= n && memcmp(tag.p, own, n) == 0 &&
	    (tag.len == n || tag.p[n] == '-' || tag.p[n] == '(');
}

bool
tag_is_its(const char *source, struct str tag)
{
	size_t i, k;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].source, source) != 0)
			continue;
		for (k = 0; k < MAXTAGS && table[i].tags[k] != NULL; k++)
			if (is_of(tag, table[i].tags[k]))
				return true;
		/* Everybody's packets, when an administrator asks. */
		return str_eq(tag, "TRACE");
	}
	return false;
}

bool
tag_of_record(struct str record, struct str *tag)
{
	struct cur c = cur_make(record.p, record.len);
	struct str level = cur_span(&c, "12345");

	if (level.len != 1 || !cur_skip(&c, 1) || record.p[1] != ' ')
		return false;
	*tag = cur_until(&c, " ");
	return tag->len > 0 && cur_left(&c) > 0;
}
