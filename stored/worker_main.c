/*
 * A worker: all that is done in one account while somebody uses it.  It reads
 * users' mail, so it has nothing but that account: its directory is its root.
 * Until the broker's first message it touches no file there, as delivery may
 * still hold the account.
 */
#include <sys/stat.h>

#include <bsd/sys/queue.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "dict.h"
#include "imapd/session/session.h"
#include "log.h"
#include "outside.h"
#include "pop3d/session/session.h"
#include "quota.h"
#include "rfc5322.h"
#include "worker.h"

enum {
	REST_SECONDS = 5,	/* without a session, before asking to end */
	ADMIN_REST = 1,		/* the same if it was for a command alone */
	LOGIN_SECONDS = 3600,	/* what LastLogin may be behind in the file */
	LOOK_SECONDS = 1,	/* between looks for silent clients */
	PENDING = 256
};

struct client {
	TAILQ_ENTRY(client)	 next;
	uint32_t		 id;
	const struct service	*service;
	void			*session;
};

/* What a client may have logged in for. */
struct service {
	const char	*name;
	/* Takes the fd; NULL if the session could not begin. */
	void		*(*begin)(struct client *,
			    const struct msg_work_session *, int fd);
	void		(*stop)(void *, const char *text);
	/* Hands it back if it has been silent; or NULL. */
	bool		(*idle)(uint32_t id, void *);
};

struct work {
	char			*mailbox, *texts;
	struct delivery		 d;
};

static struct event_base	*base;
static struct ipc		*broker;
static struct acct		*account;
static struct event		*rest, *soon, *look;
static TAILQ_HEAD(, client)	clients = TAILQ_HEAD_INITIALIZER(clients);
static struct work		*work;
static size_t			nwork;
static struct box		*inbox;		/* kept open between sessions */
static time_t			last_login;	/* 0: none here */
static int64_t			filed_login = -1; /* -1: not looked at */
static bool			only_admin;	/* nobody else came */

static void leave(int) __attribute__((noreturn));

static void
leave(int status)
{
	account->news = NULL;
	acct_free(account);
	log_as(LOG_LOW, "ACCOUNT", "closed");
	_exit(status);
}

/* --- the last login --- */

/* What is in the file may be older: each login is not worth a sync. */
void
login_noted(struct acct *a)
{
	struct val *root = info_root(&a->info);
	char when[32];

	if (last_login == 0 || root == NULL)
		return;
	if (filed_login == -1) {
		filed_login = date_queue_parse(str_make(dict_str(root,
		    "#LastLogin", "")));
		filed_login = filed_login == -1 ? 0 : filed_login;
	}
	date_queue(when, sizeof(when), last_login);
	(void)dict_setf(root, "#LastLogin", "%s", when);
}

static void
login_save(void)
{
	login_noted(account);
	if (last_login > filed_login + LOGIN_SECONDS && filed_login != -1)
		(void)info_save(&account->info);
}

/* --- rest --- */

static void	rest_later(void);

static void
rest_answered(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	if (m != NULL && m->code == 0) {
		login_save();
		leave(0);
	}
	rest_later();
}

static void
rest_now(int fd, short what, void *arg)
{
	struct msg_work_rest m = { 0 };
	struct box *b;

	if (!TAILQ_EMPTY(&clients) || nwork > 0)
		return;
	for (b = account->boxes; b != NULL; b = b->next)
		box_tidy(b);
	(void)quota_notice(account);
	ipc_call(broker, IPC_WORK_REST, 0, &m, -1, IPC_TIMEOUT, rest_answered,
	    NULL);
}

static void
rest_later(void)
{
	struct timeval tv = { only_admin ? ADMIN_REST : REST_SECONDS, 0 };

	if (TAILQ_EMPTY(&clients) && nwork == 0)
		event_add(rest, &tv);
	else
		event_del(rest);
}

static void
look_later(void)
{
	static const struct timeval tv = { LOOK_SECONDS, 0 };

	if (!TAILQ_EMPTY(&clients))
		event_add(look, &tv);
}

/* POP's are told at login: pop3d/session. */
static void
quota_look(void)
{
	const struct client *c;
	const char *alert;

	if (quota_notice(account))
		imap_sessions_notify(account);
	TAILQ_FOREACH(c, &clients, next)
		if (c->service->idle != NULL)
			break;
	if (c != NULL && (alert = quota_alert(account)) != NULL)
		imap_sessions_alert(account, alert);
}

/* What others brought to an INBOX elsewhere: nobody else tells of that. */
static void
outside_look(void)
{
	struct box *b = box_find_open(account, "INBOX");

	if (b != NULL && acct_outside_news(account) && box_refresh(b) == 0)
		imap_sessions_notify(account);
}

static void
look_now(int fd, short what, void *arg)
{
	struct client *c, *next;

	(void)live();
	outside_look();
	TAILQ_FOREACH_SAFE(c, &clients, next, next) {
		/* Without a worker nobody would look there. */
		if (account->outside != NULL || c->service->idle == NULL ||
		    !c->service->idle(c->id, c->session))
			continue;
		TAILQ_REMOVE(&clients, c, next);
		free(c);
	}
	quota_look();
	look_later();
	rest_later();
}

/* --- sessions --- */

static void
client_over(struct client *c)
{
	struct msg_work_session_end m = { .id = c->id };

	ipc_send(broker, IPC_WORK_SESSION_END, 0, &m, -1);
	free(c);
	rest_later();
}

static void
session_over(void *arg)
{
	struct client *c = arg;

	TAILQ_REMOVE(&clients, c, next);
	client_over(c);
}

static void *
begin_pop(struct client *c, const struct msg_work_session *m, int fd)
{
	struct pop_start st = {
		.base = base, .acct = account, .fd = fd,
		.rest = m->mailbox, .tag = m->tag, .account = m->account,
		.field = live()->field,
		.input = m->input.p, .inputlen = m->input.len,
		.timeout = live()->pop_timeout,
		.maxerrors = live()->pop_errors,
		.end = session_over, .arg = c
	};

	return pop_session_new(&st);
}

static void
stop_pop(void *session, const char *text)
{
	pop_session_stop(session, text);
}

static void *
begin_imap(struct client *c, const struct msg_work_session *m, int fd)
{
	struct imap_start st = {
		.base = base, .acct = account, .fd = fd,
		.mailbox = m->mailbox, .tag = m->tag, .account = m->account,
		.hello = m->hello,
		.input = m->input.p, .inputlen = m->input.len,
		.state = m->state.p, .statelen = m->state.len,
		.timeout = live()->imap_timeout,
		.maxerrors = live()->imap_errors,
		.end = session_over, .arg = c
	};

	return imap_session_new(&st);
}

static void
stop_imap(void *session, const char *text)
{
	imap_session_stop(session, text);
}

static bool
idle_imap(uint32_t id, void *session)
{
	return idle_hand(id, session);
}

static const struct service services[] = {
	{ "POP", begin_pop, stop_pop, NULL },
	{ "IMAP", begin_imap, stop_imap, idle_imap }
};

static const struct service *
find_service(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strcmp(name, services[i].name) == 0)
			return &services[i];
	return NULL;
}

static void
got_session(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_session *m = pkt->m;
	struct client *c = xcalloc(1, sizeof(*c));

	c->id = m->id;
	c->service = find_service(m->service);
	if (pkt->fd == -1 || c->service == NULL) {
		log_warnx("no session code for %s", m->service);
		client_over(c);
		return;
	}
	only_admin = false;
	if (m->state.len == 0)
		last_login = time(NULL);
	if (m->watched)
		idle_watched();
	if (inbox == NULL)
		inbox = box_open(account, "");
	TAILQ_INSERT_TAIL(&clients, c, next);
	c->session = c->service->begin(c, m, ipc_take_fd(pkt));
	if (c->session == NULL) {
		session_over(c);
		return;
	}
	rest_later();
	if (!event_pending(look, EV_TIMEOUT, NULL))
		look_later();
}

/* --- deliveries --- */

static char *
copy(char **p, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = *p;

	memcpy(at, s, n);
	*p += n;
	return at;
}

static void
got_deliver(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval now;
	const struct msg_deliver *m = pkt->m;
	struct work *w;
	char *p;

	/* The broker keeps its window: see JOB_WINDOW in stored.h. */
	if (pkt->fd == -1 || nwork == PENDING) {
		log_warnx("job %llu dropped", (unsigned long long)m->id);
		leave(1);
	}
	only_admin = false;
	w = &work[nwork++];
	memset(w, 0, sizeof(*w));
	p = w->texts = xcalloc(1, strlen(m->mailbox) + strlen(m->sender) +
	    strlen(m->header) + 3);
	w->mailbox = copy(&p, m->mailbox);
	w->d.sender = copy(&p, m->sender);
	w->d.header = copy(&p, m->header);
	w->d.id = m->id;
	w->d.rcpt = m->rcpt;
	w->d.offset = m->offset;
	w->d.size = m->size;
	w->d.time = m->time;
	w->d.fd = ipc_take_fd(pkt);
	event_add(soon, &now);
}

static void
tell(const struct work *w, int code, const char *esc, const char *text)
{
	struct msg_result m = { .id = w->d.id, .rcpt = w->d.rcpt,
		.code = code, .esc = esc, .text = text };

	ipc_send(broker, IPC_RESULT, 0, &m, -1);
	close(w->d.fd);
	free(w->texts);
}

/* As many as go to the first one's mailbox, in one append. */
static void
deliver(int fd, short what, void *arg)
{
	static const struct timeval now;
	struct delivery d[DELIVER_BATCH];
	struct work done[DELIVER_BATCH];
	const char *esc = "", *text = "", *first;
	size_t i, n = 0, left = 0;
	struct box *b;
	int code = 0;

	if (nwork == 0)
		return;
	first = work[0].mailbox;
	for (i = 0; i < nwork; i++) {
		if (n < DELIVER_BATCH &&
		    strcmp(work[i].mailbox, first) == 0) {
			done[n] = work[i];
			d[n++] = work[i].d;
		} else
			work[left++] = work[i];
	}
	nwork = left;
	if ((b = box_open(account, done[0].mailbox)) == NULL)
		code = box_why(&esc, &text);
	else {
		box_deliver(b, d, n);
		box_close(b);
		imap_sessions_notify(account);
	}
	for (i = 0; i < n; i++)
		if (b == NULL)
			tell(&done[i], code, esc, text);
		else
			tell(&done[i], d[i].code, d[i].esc, d[i].text);
	if (nwork > 0)
		event_add(soon, &now);
	else
		rest_later();
}

/* --- limits --- */

static void
got_limits(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_limits *m = pkt->m;

	quota_limit(account, m->limits);
}

/* Before the first work: nobody has INBOX open yet. */
static void
got_inbox(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_inbox *m = pkt->m;

	if (pkt->fd != -1)
		acct_outside(account, ipc_take_fd(pkt), m->lock);
}

/* After each turn of the loop: mail may wait until something is removed. */
static void
room_news(void)
{
	struct msg_account_room m = { .path = "" };

	if (quota_freed(account))
		ipc_send(broker, IPC_ACCOUNT_ROOM, 0, &m, -1);
}

/* --- alerts --- */

static void
got_alert(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_alert *m = pkt->m;

	imap_sessions_alert(account, m->text);
}

/* --- administration --- */

static void
got_admin(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	if (last_login == 0 && TAILQ_EMPTY(&clients))
		only_admin = true;
	admin_command(ipc, pkt, account);
	imap_sessions_notify(account);
	rest_later();
}

/* --- the end --- */

static void
stop(const char *text)
{
	static const struct timeval moment = { 0, 50000 };
	struct client *c;

	while ((c = TAILQ_FIRST(&clients)) != NULL)
		c->service->stop(c->session, text);
	while (nwork > 0)
		deliver(-1, 0, NULL);
	login_save();
	/* What was said last must reach the clients. */
	event_base_loopexit(base, &moment);
}

static void
got_stop(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_stop *m = pkt->m;

	stop(m->text);
}

/* The next worker gets the file that has its name now. */
static void
inbox_news(void)
{
	static bool told;

	if (told || !acct_outside_lost(account))
		return;
	told = true;
	stop("INBOX has been replaced, please connect again");
}

static void
broker_down(struct ipc *ipc, void *arg)
{
	leave(0);
}

static const struct ipc_disp from_broker[] = {
	{ IPC_LIMITS, got_limits },
	{ IPC_INBOX, got_inbox },
	{ IPC_WORK_SESSION, got_session },
	{ IPC_DELIVER, got_deliver },
	{ IPC_WORK_ADMIN, got_admin },
	{ IPC_WORK_STOP, got_stop },
	{ IPC_WORK_ALERT, got_alert },
	{ IPC_NONE, NULL }
};

void
worker_main(int dirfd, const char *single, const char *path, int io)
{
	if (sandbox_lock_worker(dirfd, proc_conf()->weak) == -1) {
		log_warn("%s: worker's walls", path);
		_exit(1);
	}
	umask(077);
	(void)live();
	account = acct_new(dirfd, single, true);
	work = calloc(PENDING, sizeof(*work));
	if (work == NULL || (base = event_base_new()) == NULL)
		_exit(1);
	rest = evtimer_new(base, rest_now, NULL);
	soon = evtimer_new(base, deliver, NULL);
	look = evtimer_new(base, look_now, NULL);
	if (rest == NULL || soon == NULL || look == NULL)
		_exit(1);
	broker = ipc_new(base, io, "stored", from_broker, broker_down, NULL);
	idle_start(broker, account);
	log_as(LOG_LOW, "ACCOUNT", "opened");
	rest_later();
	while (event_base_loop(base, EVLOOP_ONCE) == 0 &&
	    !event_base_got_exit(base)) {
		idle_news(account);
		room_news();
		inbox_news();
	}
	leave(0);
}
