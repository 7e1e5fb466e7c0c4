/*
 * ETRN (RFC 1985), ATRN (RFC 2645) and TURN: a client asks for the mail that
 * waits for its domain, by connections of ours, or on this one, which changes
 * its direction then: it is pumped to the sending role.  Runs in smtpd, which
 * routes the name and shows whose session this is; whether he may have that
 * mail is queued's to judge.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "log.h"
#include "smtpd.h"

enum { MAXNAME = 255 };

struct smtp_wake {
	char	 name[MAXNAME + 1];	/* a domain's */
	bool	 turn;
	int	 pair;			/* to the sending role, or -1 */
};

/* What WOKEN's codes mean to a client; the domain follows. */
enum { WAKE_GOOD, WAKE_NO_MAIL, WAKE_LATER, WAKE_REFUSED, WAKE_CODES };
static const char *const etrn_words[WAKE_CODES] = {
	[WAKE_GOOD] = "250 2.0.0 queuing started for",
	[WAKE_NO_MAIL] = "251 2.0.0 no messages wait for",
	[WAKE_LATER] = "458 4.3.0 cannot queue messages now for",
	[WAKE_REFUSED] = "459 5.7.1 you may not wake up"
};
static const char *const turn_words[WAKE_CODES] = {
	[WAKE_GOOD] = ("250 2.0.0 reversing the connection, send "
	    "your greeting,"),
	[WAKE_NO_MAIL] = "453 4.0.0 no mail waits for",
	[WAKE_LATER] = "451 4.3.0 not possible now for",
	[WAKE_REFUSED] = "450 4.7.1 you may not have the mail of"
};

void
etrn_forget(struct smtp *s)
{
	if (s->wake == NULL)
		return;
	if (s->wake->pair != -1)
		close(s->wake->pair);
	free(s->wake);
	s->wake = NULL;
}

/* Somebody who tries one name after the other makes errors. */
static void
wake_answer(struct smtp *s, unsigned int code)
{
	const struct smtp_wake *w = s->wake;
	const char *words = w->turn ? turn_words[code] : etrn_words[code];
	bool alive = true;

	front_log(s->front, LOG_PROBLEM, "%s %s: %.3s",
	    w->turn ? "ATRN" : "ETRN", w->name, words);
	if (code == WAKE_REFUSED)
		alive = smtp_error(s, "%s %s", words, w->name);
	else
		smtp_reply(s, "%s %s", words, w->name);
	if (!alive)
		return;
	etrn_forget(s);
	smtp_go_on(s);
}

/* What the client says from here on is the sending role's to hear. */
static void
turn_over(struct smtp *s)
{
	int fd = s->wake->pair;

	smtp_reply(s, "%s %s", turn_words[WAKE_GOOD], s->wake->name);
	front_log(s->front, LOG_MAJOR, "ATRN %s: the connection is reversed",
	    s->wake->name);
	s->wake->pair = -1;
	front_turn(s->front, fd);
}

static void
woken(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_woken *m = pkt == NULL ? NULL : pkt->m;
	struct smtp *s = arg;

	if (m == NULL || m->code >= WAKE_CODES)
		wake_answer(s, WAKE_LATER);
	else if (m->code == WAKE_GOOD && s->wake->turn)
		turn_over(s);
	else
		wake_answer(s, m->code);
}

static void
ask_queue(struct smtp *s, const char *host)
{
	struct smtp_wake *w = s->wake;
	struct msg_wake m = {
		.host = host,
		.atrn = w->turn ? 2 : 0,
		.peer = s->front->peer,
		.name = w->name,
		.ticket = { s->ticket, s->ticketlen },
		.tls = s->front->tls
	};
	int sv[2] = { -1, -1 };

	if (w->turn && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sv) == -1) {
		wake_answer(s, WAKE_LATER);
		return;
	}
	w->pair = sv[0];
	ipc_call(proc_peer(PROC_QUEUED), IPC_WAKE, s->front->id, &m, sv[1],
	    IPC_TIMEOUT, woken, s);
}

/* Where mail for that domain goes: that is its queue (manual 29). */
static void
name_routed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_routed *r = pkt == NULL ? NULL : pkt->m;
	struct smtp *s = arg;

	if (r == NULL || r->code == 2)
		wake_answer(s, WAKE_LATER);
	else if (r->code != 0 || strcmp(r->module, "SMTP") != 0)
		wake_answer(s, WAKE_REFUSED);
	else
		ask_queue(s, r->host);
}

static void
wake_start(struct smtp *s, struct str name, bool turn)
{
	char address[MAXNAME + sizeof("wakeup@")] = "wakeup@";
	/* Where it leads is not a matter of who asks. */
	struct msg_route m = { .address = address };

	if (!addr_valid_domain(name) || name.len > MAXNAME) {
		smtp_error(s, "501 5.5.4 say a domain's name");
		return;
	}
	if ((s->wake = calloc(1, sizeof(*s->wake))) == NULL) {
		smtp_reply(s, "451 4.3.0 out of memory");
		return;
	}
	s->wake->turn = turn;
	s->wake->pair = -1;
	str_copy(name, s->wake->name, sizeof(s->wake->name));
	str_copy(name, address + strlen(address), MAXNAME + 1);
	smtp_wait(s);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, s->front->id, &m, -1,
	    IPC_TIMEOUT, name_routed, s);
}

/* "@" asks for subdomains, "#" names a queue: neither means anything here. */
static struct str
wake_name(struct cur *c)
{
	struct str none = { "", 0 }, name;

	if (!cur_lit(c, "@"))
		cur_lit(c, "#");
	name = cur_until(c, " \t");
	cur_ws(c);
	return cur_left(c) > 0 ? none : name;
}

void
cmd_etrn(struct smtp *s, struct cur *c)
{
	if (s->account == NULL && !smtp_conf.wake_all && !s->client)
		smtp_error(s, "459 5.7.1 you may not wake up queues here");
	else
		wake_start(s, wake_name(c), false);
}

/* His own is what he is called by in the Main Domain. */
static struct str
own_name(const struct smtp *s)
{
	struct str local, domain;

	addr_split(str_make(s->account), &local, &domain);
	return local;
}

void
cmd_atrn(struct smtp *s, struct cur *c)
{
	if (s->account == NULL)
		smtp_error(s, "530 5.7.0 authenticate first");
	else
		wake_start(s, cur_left(c) > 0 ? wake_name(c) : own_name(s), true);
}

void
cmd_turn(struct smtp *s, struct cur *c)
{
	if (s->account == NULL)
		smtp_error(s, "502 5.7.0 not without authentication");
	else
		wake_start(s, own_name(s), true);
}
