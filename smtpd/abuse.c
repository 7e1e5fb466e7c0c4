/*
 * How much an address may want of us: connections, messages, recipients and
 * errors within a time, counted over all smtpd (lib/front_limit.c).  Whoever
 * goes over the last is blacklisted for a while: routerd keeps that list, tells
 * all smtpd, and hears of it again from them if it had to start anew.  Clients, and the host itself, are free of all this, and
 * who has logged in has limits of his own (MailOutFlow).  Runs in smtpd; where
 * nothing is set it costs nothing.
 */
#include <string.h>

#include "iptable.h"
#include "log.h"
#include "settings.h"
#include "smtpd.h"

enum { BLACK_MAX = 20000 };

static struct flow {
	uint32_t	 max, seconds;	/* seconds 0: no limit */
} flows[FRONT_RATES];
static uint32_t		 block_time;
static struct iptable	*black;

static void
set_flow(const struct val *all, const char *name, enum front_rate what)
{
	struct flow *f = &flows[what];

	if (!settings_flow(all, "SMTP", name, &f->max, &f->seconds))
		f->max = f->seconds = 0;
}

void
abuse_settings(const struct val *all)
{
	if (black == NULL)
		black = iptable_new(BLACK_MAX);
	set_flow(all, "ConnectFlow", FRONT_CONNECTS);
	set_flow(all, "MessageFlow", FRONT_MESSAGES);
	set_flow(all, "RecipientFlow", FRONT_RECIPIENTS);
	set_flow(all, "ErrorFlow", FRONT_ERRORS);
	block_time = settings_int(all, "SMTP", "BlockTime");
}

/* This one goes over; *n: by how many. */
static bool
over(struct smtp *s, enum front_rate what, uint32_t *n)
{
	const struct flow *f = &flows[what];

	if (f->seconds == 0 || s->client || s->account != NULL ||
	    strcmp(s->front->peer, s->front->local) == 0)
		return false;
	*n = front_rate(s->front, what, f->seconds);
	if (*n <= f->max)
		return false;
	*n -= f->max;
	return true;
}

/* Once for each time that it goes over: a flood shall not flood the log. */
static bool
is_over(struct smtp *s, enum front_rate what, const char *name)
{
	uint32_t n;

	if (!over(s, what, &n))
		return false;
	if (n == 1)
		front_log(s->front, LOG_MAJOR, "more than %u %s within %u "
		    "seconds", flows[what].max, name, flows[what].seconds);
	return true;
}

bool
abuse_connect(struct smtp *s)
{
	if (!is_over(s, FRONT_CONNECTS, "connections"))
		return true;
	smtp_bye(s, "4.7.0 too many connections from your address, try again "
	    "later");
	return false;
}

static bool
abuse_is_black(const struct smtp *s)
{
	return black != NULL && !s->client &&
	    iptable_left(black, s->front->peer) > 0;
}

const char *
abuse_mail(struct smtp *s)
{
	if (!s->black)
		s->black = abuse_is_black(s);
	return is_over(s, FRONT_MESSAGES, "messages") ?
	    "450 4.7.1 too many messages from your address, try again later" :
	    NULL;
}

const char *
abuse_rcpt(struct smtp *s)
{
	return is_over(s, FRONT_RECIPIENTS, "recipients") ?
	    "450 4.7.1 too many recipients from your address, try again later"
	    : NULL;
}

bool
abuse_error(struct smtp *s)
{
	struct msg_temp_black m = { .peer = s->front->peer,
		.seconds = block_time, .why = "too many errors" };
	uint32_t n;

	if (!over(s, FRONT_ERRORS, &n) || n > 1)
		return false;
	front_log(s->front, LOG_MAJOR, "more than %u errors within %u seconds:"
	    " blacklisted for a while", flows[FRONT_ERRORS].max,
	    flows[FRONT_ERRORS].seconds);
	ipc_send(proc_peer(PROC_ROUTERD), IPC_TEMP_BLACK, s->front->id, &m,
	    -1);
	return true;
}

void
abuse_told(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_temp_black *m = pkt->m;

	(void)iptable_set(black, m->peer, m->seconds, m->why);
}

static void
tell(const char *ip, uint32_t left, const char *why, void *routerd)
{
	struct msg_temp_black m = { .peer = ip, .seconds = left, .why = why };

	ipc_send(routerd, IPC_TEMP_BLACK, 0, &m, -1);
}

void
abuse_routerd_up(struct ipc *routerd)
{
	if (black != NULL)
		iptable_each(black, tell, routerd);
}
