/*
 * Addresses that are something for a while (manual 07): blacklisted, because
 * smtpd or authd has seen too many errors of them, or an administrator says
 * so; a client's, because a user has just read his mail from there.  Runs in
 * routerd, in whose memory they are kept.  If it has to start anew, smtpd still
 * knows the former; the latter are forgotten, which costs a user another login.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "iplist.h"
#include "iptable.h"
#include "log.h"
#include "router.h"
#include "settings.h"

enum {
	BLACK_MAX = 20000,
	SMTPDS = 28,		/* as many as may share a module */
	SAME = 2,		/* seconds that make no difference */
	STILL = 30		/* seconds; who is there says so oftener */
};
enum { GONE, LOGIN, HERE };	/* ROAMING's how */

static struct iptable	*black, *clients;
static struct iplist	*white;
static uint32_t		 roaming;	/* seconds; 0: nobody is remembered */

static bool
is_roaming(const char *ip)
{
	return iptable_left(clients, ip) > 0;
}

void
temp_apply(void)
{
	int line;

	if (black == NULL) {
		black = iptable_new(BLACK_MAX);
		clients = iptable_new(0);
	}
	roaming = settings_int(merged, "Protection", "TempClientTime");
	iptable_limit(clients, roaming == 0 ? 0 :
	    settings_int(merged, "Protection", "TempClients"));
	env.is_roaming = roaming == 0 ? NULL : is_roaming;
	iplist_free(white);
	white = iplist_parse(settings_text(merged, "Protection",
	    "WhiteHoleIPs"), &line);
}

/* --- blacklisted ones --- */

static void
tell(struct ipc *smtpd, const char *ip, uint32_t seconds, const char *why)
{
	struct msg_temp_black m = { .peer = ip, .seconds = seconds,
		.why = why };

	ipc_send(smtpd, IPC_TEMP_BLACK, 0, &m, -1);
}

static void
tell_new(const char *ip, uint32_t left, const char *why, void *arg)
{
	tell(arg, ip, left, why);
}

void
temp_smtpd_up(struct ipc *smtpd)
{
	if (black != NULL)	/* not so early */
		iptable_each(black, tell_new, smtpd);
}

/* -1: that is no address. */
static int
set(const char *ip, uint32_t seconds, const char *why)
{
	struct ipc *smtpd;
	int i;

	if (iptable_set(black, ip, seconds, why) == -1)
		return -1;
	for (i = 0; i < SMTPDS; i++)
		if ((smtpd = proc_peer_n(PROC_SMTPD, i)) != NULL)
			tell(smtpd, ip, seconds, why);
	return 0;
}

static int
blacken(const char *ip, uint32_t seconds, const char *why)
{
	if (set(ip, seconds, why) == -1)
		return -1;
	if (seconds > 0)
		log_msg(LOG_MAJOR, "[%s] is blacklisted for %u seconds: %s",
		    ip, seconds, why);
	else
		log_msg(LOG_MAJOR, "[%s] is no longer blacklisted for a while",
		    ip);
	return 0;
}

/*
 * A front's word is good for nobody who stands on one of the other lists.  It
 * may tell what it heard from us, or from our predecessor.
 */
void
on_temp_black(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_temp_black *m = pkt->m;

	if (m->seconds <= iptable_left(black, m->peer) + SAME ||
	    (env.clients != NULL && iplist_has(env.clients, m->peer)) ||
	    (white != NULL && iplist_has(white, m->peer)))
		return;
	(void)blacken(m->peer, m->seconds, m->why);
}

/* --- clients --- */

static void
roamed(struct str ip, uint8_t how)
{
	uint32_t seconds = how != GONE && roaming < STILL ? STILL : roaming;
	char text[64];

	if (!str_copy(ip, text, sizeof(text)) ||
	    (env.clients != NULL && iplist_has(env.clients, text)) ||
	    (how != LOGIN && !is_roaming(text)))
		return;
	if (how == LOGIN && !is_roaming(text))
		log_msg(LOG_MAJOR, "[%s] is a client's for a while", text);
	if (how == GONE && roaming < STILL)	/* not as long as that */
		(void)iptable_set(clients, text, 0, "");
	(void)iptable_set(clients, text, seconds, "");
}

void
on_roaming(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_roaming *m = pkt->m;
	struct cur c = cur_str(m->peers);

	while (roaming > 0 && cur_left(&c) > 0) {
		roamed(cur_until(&c, "\n"), m->how);
		cur_lit(&c, "\n");
	}
}

void
temp_status(struct val *d)
{
	dict_setf(d, "TempBlacklisted", "%zu", iptable_count(black));
	dict_setf(d, "TempClients", "%zu", iptable_count(clients));
}

/* --- commands --- */

static bool
need(struct command *c)
{
	if (may(&c->who, "Settings"))
		return true;
	answer(c, 501, "you have no right to do that");
	return false;
}

/* As such lists are written: the rest is a comment. */
static void
put_line(const char *ip, uint32_t left, const char *why, void *arg)
{
	buf_printf(arg, "%s ; for %u seconds%s%s\n", ip, left,
	    *why != '\0' ? ": " : "", why);
}

static void
answer_table(struct command *c, struct iptable *t)
{
	struct buf b;

	if (!need(c))
		return;
	buf_init(&b, 0);
	iptable_each(t, put_line, &b);
	if (b.failed)
		answer(c, 501, "out of memory");
	else
		answer_val(c, val_bytes(b.p != NULL ? b.p : "", b.len));
	buf_free(&b);
}

static void
do_get_black(struct command *c)
{
	answer_table(c, black);
}

static void
do_get_clients(struct command *c)
{
	answer_table(c, clients);
}

/* A time as settings have it; none: as long as an abuser. */
static bool
take_time(struct command *c, uint32_t *seconds)
{
	const char *text = arg_text(c, 1);
	struct val *v;
	int64_t n = 0;

	*seconds = settings_int(merged, "SMTP", "BlockTime");
	if (strcasecmp(arg_text(c, 2), "delete") == 0)
		*seconds = 0;
	else if (*text != '\0') {
		v = val_string(text);
		if (!val_int(v, &n) || n < 0 || n > INT32_MAX)
			n = -1;
		val_free(v);
		*seconds = n;
	}
	return n >= 0;
}

static void
do_black(struct command *c)
{
	uint32_t seconds;

	if (!need(c))
		return;
	if (!take_time(c, &seconds))
		answer(c, 501, "that is not a time");
	else if (set(arg_text(c, 0), 0, "") == -1 ||	/* or not sooner */
	    blacken(arg_text(c, 0), seconds, "by an administrator") == -1)
		answer(c, 501, "that is not an address");
	else
		answer_err(c, NULL);
}

const struct verb verbs_temp[] = {
	{ "GetTempBlacklistedIPs", do_get_black },
	{ "GetTempClientIPs", do_get_clients },
	{ "TempBlacklistIP", do_black },
	{ NULL, NULL }
};
