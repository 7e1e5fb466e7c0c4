/*
 * A POP session's life and its commands, in the account's worker.  Nothing is
 * deleted before QUIT, and +OK is not said to it before that is on disk.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "quota.h"
#include "session_int.h"

enum { MAXLINE = 510 };

static void
error(struct pop_session *p, const char *text)
{
	conn_printf(p->conn, "-ERR %s\r\n", text);
	log_tag(LOG_LOW, p->tag, "out: -ERR %s", text);
}

static void
session_free(struct pop_session *p)
{
	if (p->box != NULL)
		box_close(p->box);
	if (p->stall != NULL)
		event_free(p->stall);
	free(p->tag);
	free(p->account);
	free(p->uids);
	free(p->deleted);
	free(p);
}

static void
leave(struct pop_session *p)
{
	void (*end)(void *) = p->end;
	void *arg = p->arg;

	log_tag(LOG_LOW, p->tag, "%s: %u retrieved, %u deleted", p->account,
	    p->nretrieved, p->quitting ? p->ndeleted : 0);
	session_free(p);
	end(arg);
}

void
pop_session_over(struct pop_session *p)
{
	conn_free(p->conn);
	leave(p);
}

/* What is buffered is still sent. */
static void
finish(struct pop_session *p)
{
	conn_finish(p->conn);
	leave(p);
}

void
pop_session_stop(struct pop_session *p, const char *text)
{
	/* In the middle of a message there is no place for an answer. */
	if (p->s.kind == STREAM_NONE)
		error(p, text);
	finish(p);
}

/* --- commands --- */

/* Every last line gets its end. */
static uint64_t
octets(const struct rec *r)
{
	return r->wire + (r->flags & REC_OPENEND ? 2 : 0);
}

uint64_t
pop_octets(struct pop_session *p, uint32_t n)
{
	const struct rec *r = box_find(p->box, p->uids[n]);

	return r != NULL ? octets(r) : 0;
}

/* The message that an argument names, from 0; answers if there is none. */
static bool
message(struct pop_session *p, uint64_t arg, uint32_t *n)
{
	if (arg == 0 || arg > p->count) {
		error(p, "no such message");
		return false;
	}
	*n = arg - 1;
	if (!p->deleted[*n])
		return true;
	error(p, "message is deleted");
	return false;
}

/* The same, and it must still be there. */
static struct rec *
living(struct pop_session *p, uint64_t arg, uint32_t *n)
{
	struct rec *r;

	if (!message(p, arg, n))
		return NULL;
	if (!box_current(p->box) && box_refresh(p->box) == -1) {
		error(p, "[SYS/TEMP] mailbox cannot be read now");
		return NULL;
	}
	if ((r = box_find(p->box, p->uids[*n])) == NULL)
		error(p, "message has been deleted by another session");
	return r;
}

static void
total(struct pop_session *p, uint32_t *count, uint64_t *octets)
{
	uint32_t i;

	*count = p->count - p->ndeleted;
	*octets = 0;
	for (i = 0; i < p->count; i++)
		if (!p->deleted[i])
			*octets += pop_octets(p, i);
}

static void
do_stat(struct pop_session *p, const struct pop_cmd *cmd)
{
	uint32_t count;
	uint64_t octets;

	total(p, &count, &octets);
	conn_printf(p->conn, "+OK %u %llu\r\n", count,
	    (unsigned long long)octets);
}

static void
do_list(struct pop_session *p, const struct pop_cmd *cmd)
{
	uint32_t n, count;
	uint64_t octets;

	if (cmd->nargs == 0) {
		total(p, &count, &octets);
		conn_printf(p->conn, "+OK %u message(s), %llu octets\r\n",
		    count, (unsigned long long)octets);
		pop_stream_list(p, STREAM_LIST);
	} else if (message(p, cmd->arg[0], &n))
		conn_printf(p->conn, "+OK %u %llu\r\n", n + 1,
		    (unsigned long long)pop_octets(p, n));
}

static void
do_uidl(struct pop_session *p, const struct pop_cmd *cmd)
{
	uint32_t n;

	if (cmd->nargs == 0) {
		conn_write(p->conn, "+OK\r\n", 5);
		pop_stream_list(p, STREAM_UIDL);
	} else if (message(p, cmd->arg[0], &n))
		conn_printf(p->conn, "+OK %u %u\r\n", n + 1, p->uids[n]);
}

static void
do_retr(struct pop_session *p, const struct pop_cmd *cmd)
{
	struct rec *r;
	uint32_t n;

	if ((r = living(p, cmd->arg[0], &n)) == NULL)
		return;
	conn_printf(p->conn, "+OK %llu octets\r\n",
	    (unsigned long long)octets(r));
	/* A disk that takes no flag is no reason to keep the mail back. */
	if (box_flags(p->box, r, MSG_SEEN, 0) == -1)
		log_warn("%s: flag", p->tag);
	p->nretrieved++;
	pop_stream_message(p, p->uids[n], -1);
}

static void
do_top(struct pop_session *p, const struct pop_cmd *cmd)
{
	uint32_t n;

	if (living(p, cmd->arg[0], &n) == NULL)
		return;
	conn_write(p->conn, "+OK\r\n", 5);
	pop_stream_message(p, p->uids[n], cmd->arg[1]);
}

static void
do_dele(struct pop_session *p, const struct pop_cmd *cmd)
{
	uint32_t n;

	if (!message(p, cmd->arg[0], &n))
		return;
	p->deleted[n] = 1;
	p->ndeleted++;
	conn_printf(p->conn, "+OK message %u deleted\r\n", n + 1);
}

static void
do_rset(struct pop_session *p, const struct pop_cmd *cmd)
{
	memset(p->deleted, 0, p->count);
	p->ndeleted = 0;
	conn_printf(p->conn, "+OK %u message(s)\r\n", p->count);
}

static void
do_noop(struct pop_session *p, const struct pop_cmd *cmd)
{
	conn_write(p->conn, "+OK\r\n", 5);
}

static void
do_capa(struct pop_session *p, const struct pop_cmd *cmd)
{
	static const char text[] = "+OK capability list follows\r\n"
	    "TOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nRESP-CODES\r\n"
	    "AUTH-RESP-CODE\r\nEXPIRE NEVER\r\nIMPLEMENTATION cgate\r\n.\r\n";

	conn_write(p->conn, text, sizeof(text) - 1);
}

static int
expunge(struct pop_session *p)
{
	uint32_t *uids, i;
	size_t n = 0;
	int ret;

	if (p->ndeleted == 0)
		return 0;
	if ((uids = calloc(p->ndeleted, sizeof(*uids))) == NULL)
		return -1;
	for (i = 0; i < p->count; i++)
		if (p->deleted[i])
			uids[n++] = p->uids[i];
	ret = box_expunge(p->box, uids, n);
	if (ret == -1)
		log_warn("%s: deleting %zu messages", p->tag, n);
	free(uids);
	return ret;
}

static void
do_quit(struct pop_session *p, const struct pop_cmd *cmd)
{
	p->quitting = expunge(p) == 0;
	if (p->quitting)
		conn_write(p->conn, "+OK bye-bye\r\n", 13);
	else
		error(p, "[SYS/TEMP] deleted messages were not removed");
	finish(p);
}

static void (*const commands[])(struct pop_session *,
    const struct pop_cmd *) = {
	[POP_STAT] = do_stat, [POP_LIST] = do_list, [POP_UIDL] = do_uidl,
	[POP_RETR] = do_retr, [POP_TOP] = do_top, [POP_DELE] = do_dele,
	[POP_RSET] = do_rset, [POP_NOOP] = do_noop, [POP_QUIT] = do_quit,
	[POP_CAPA] = do_capa,
};

static void
bad(struct pop_session *p, const char *text)
{
	error(p, text);
	if (++p->errors < p->maxerrors)
		return;
	error(p, "too many errors");
	finish(p);
}

static void
command(struct pop_session *p, const char *line, size_t len)
{
	struct pop_cmd cmd;

	log_tag(LOG_LOW, p->tag, "inp: %s", line);
	pop_parse(line, len, &cmd);
	if (cmd.verb == POP_UNKNOWN)
		bad(p, "unknown command");
	else if (cmd.bad)
		bad(p, "wrong arguments");
	else {
		/* Sizes are those of the mailbox's records. */
		if (!box_current(p->box))
			(void)box_refresh(p->box);
		commands[cmd.verb](p, &cmd);
	}
}

static void
event(struct conn *c, enum conn_event ev, char *line, size_t len, void *arg)
{
	struct pop_session *p = arg;

	switch (ev) {
	case CONN_LINE:
		command(p, line, len);
		break;
	case CONN_LONG:
		bad(p, "line too long");
		break;
	case CONN_DRAINED:
		if (p->s.kind != STREAM_NONE)
			pop_stream_more(p);
		break;
	case CONN_TIMEOUT:
		error(p, "time-out");
		finish(p);
		break;
	case CONN_EOF:
	case CONN_ERROR:
		pop_session_over(p);
		break;
	default:
		break;
	}
}

static void
stalled(int fd, short what, void *arg)
{
	struct pop_session *p = arg;

	log_tag(LOG_LOW, p->tag, "client does not read");
	pop_session_over(p);
}

/* --- the beginning --- */

/* All messages, or those for one user of a unified account. */
static int
snapshot(struct pop_session *p, const char *field, const char *user)
{
	uint32_t i, n = box_count(p->box);
	const struct rec *r;

	p->uids = calloc((size_t)n + 1, sizeof(*p->uids));
	p->deleted = calloc((size_t)n + 1, 1);
	if (p->uids == NULL || p->deleted == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		r = box_rec(p->box, i);
		if (*user == '\0' || pop_is_for(p->box, r, field, user))
			p->uids[p->count++] = r->uid;
	}
	return 0;
}

/* The Router's rest: "box#" is a mailbox, any other text a user. */
static int
open_box(struct pop_session *p, const struct pop_start *st)
{
	size_t n = strlen(st->rest);
	bool direct = n > 0 && st->rest[n - 1] == '#';
	char mailbox[1025] = "";

	if (direct)
		snprintf(mailbox, sizeof(mailbox), "%.*s", (int)n - 1,
		    st->rest);
	if (mailbox[0] == '~' || mailbox[0] == '#') {
		error(p, "[SYS/PERM] foreign mailboxes cannot be opened yet");
		return -1;
	}
	p->box = box_open(p->acct, mailbox);
	if (p->box != NULL && box_refresh(p->box) == 0 &&
	    snapshot(p, st->field, direct ? "" : st->rest) == 0)
		return 0;
	if (p->box == NULL && (errno == ENOENT || errno == EINVAL))
		error(p, "[SYS/PERM] no such mailbox");
	else {
		log_warn("%s: mailbox %s", p->tag, mailbox);
		error(p, "[SYS/TEMP] mailbox cannot be opened now");
	}
	return -1;
}

struct pop_session *
pop_session_new(const struct pop_start *st)
{
	struct pop_session *p = xcalloc(1, sizeof(*p));
	const char *alert;

	p->acct = st->acct;
	p->tag = xstrdup(st->tag);
	p->account = xstrdup(st->account);
	p->timeout = st->timeout;
	p->maxerrors = st->maxerrors;
	p->end = st->end;
	p->arg = st->arg;
	p->stall = event_new(st->base, -1, 0, stalled, p);
	p->conn = conn_new(st->base, st->fd, event, p);
	if (p->stall == NULL || p->conn == NULL) {
		if (p->conn == NULL)
			close(st->fd);
		conn_free(p->conn);
		session_free(p);
		return NULL;
	}
	conn_timeout(p->conn, p->timeout);
	/* Read as an error by the client's user, who tries again (manual 12). */
	if ((alert = quota_alert(p->acct)) != NULL) {
		error(p, alert);
		conn_finish(p->conn);
		session_free(p);
		return NULL;
	}
	if (open_box(p, st) == -1) {
		conn_finish(p->conn);
		session_free(p);
		return NULL;
	}
	conn_printf(p->conn, "+OK %u message(s)\r\n", p->count);
	log_tag(LOG_LOW, p->tag, "%s: %u message(s)", p->account, p->count);
	if (st->inputlen > 0)
		evbuffer_add(conn_input(p->conn), st->input, st->inputlen);
	conn_lines(p->conn, MAXLINE);
	return p;
}
