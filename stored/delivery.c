/*
 * stored-delivery: appends messages to the mailboxes of accounts that no
 * worker holds.  The broker hands it each account's directory and jobs; it
 * answers each job once it is on disk.  It never parses mail, and it reaches
 * nothing but from those directories.  Threads: delivery_pool.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delivery.h"
#include "dict.h"
#include "log.h"
#include "outside.h"
#include "proc.h"
#include "settings.h"
#include "single.h"
#include "stat.h"

enum { BUCKETS = 4096 };

static LIST_HEAD(, daccount)	table[BUCKETS];
static struct ipc		*broker;
static unsigned			naccounts;
static uint64_t			ndelivered, nlater, nfailed;
static bool			stopping;

static unsigned
bucket(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h % BUCKETS;
}

static struct daccount *
find(const char *path)
{
	struct daccount *a;

	LIST_FOREACH(a, &table[bucket(path)], hash)
		if (strcmp(a->path, path) == 0)
			return a;
	return NULL;
}

static void
got_dir(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_delivery_dir *m = pkt->m;
	struct daccount *a;

	if (pkt->fd == -1 || find(m->path) != NULL)
		return;
	a = xcalloc(1, sizeof(*a));
	a->path = xstrdup(m->path);
	a->acct = acct_new(ipc_take_fd(pkt), m->file[0] != '\0' ? m->file :
	    NULL, false);
	a->lent = m->file[0] != '\0' && single_shares(m->file);
	a->newdir = a->forget_fd = a->greeting = -1;
	TAILQ_INIT(&a->jobs);
	LIST_INSERT_HEAD(&table[bucket(m->path)], a, hash);
	naccounts++;
	if (a->lent)
		pool_open(a);
}

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
result(uint64_t id, uint32_t rcpt, int code, const char *esc,
    const char *text)
{
	struct msg_result m = { .id = id, .rcpt = rcpt, .code = code,
		.esc = esc, .text = text };

	ipc_send(broker, IPC_RESULT, 0, &m, -1);
}

static void
got_deliver(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_deliver *m = pkt->m;
	struct daccount *a = find(m->path);
	struct djob *j;
	char *p;

	/* While we end, the broker keeps it and sends it to our successor. */
	if (stopping)
		return;
	if (a == NULL || pkt->fd == -1) {
		log_warnx("job %llu: no directory for %s",
		    (unsigned long long)m->id, m->path);
		result(m->id, m->rcpt, 2, "4.3.0", "the account is not open");
		return;
	}
	j = xcalloc(1, sizeof(*j));
	j->account = a;
	p = j->texts = xcalloc(1, strlen(m->mailbox) + strlen(m->sender) +
	    strlen(m->header) + 3);
	j->mailbox = copy(&p, m->mailbox);
	j->d.sender = copy(&p, m->sender);
	j->d.header = copy(&p, m->header);
	j->d.id = m->id;
	j->d.rcpt = m->rcpt;
	j->d.offset = m->offset;
	j->d.size = m->size;
	j->d.time = m->time;
	j->d.fd = ipc_take_fd(pkt);
	pool_add(a, j);
}

static void
got_limits(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_limits *m = pkt->m;
	struct daccount *a = find(m->path);

	if (a != NULL)
		pool_limit(a, m->limits);
}

/* It comes before the first work, so no thread has the account yet. */
static void
got_inbox(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_inbox *m = pkt->m;
	struct daccount *a = find(m->path);

	if (a != NULL && pkt->fd != -1)
		acct_outside(a->acct, ipc_take_fd(pkt), m->lock);
}

static void
answer(struct ipc_ref ref, int code, const char *text)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, -1);
}

static void
got_init(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_init *m = pkt->m;
	struct daccount *a = find(m->path);
	const char *err;

	if (a != NULL)
		pool_init(a, ipc_ref(ipc, pkt), m->format, m->template[0] != '\0' ?
		    val_parse_all(m->template, strlen(m->template), &err) :
		    NULL, ipc_take_fd(pkt), m->lazy);
	else
		answer(ipc_ref(ipc, pkt), 2, "the account is not open");
}

static void
got_forget(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_delivery_forget *m = pkt->m;
	struct daccount *a = find(m->path);

	if (a == NULL) {
		answer(ipc_ref(ipc, pkt), m->how == FORGET_PLAIN ? 0 : 2, "");
		return;
	}
	/* Asked twice, once is done. */
	if (a->newfile == NULL) {
		a->how = m->how;
		a->newdir = ipc_take_fd(pkt);
		a->newfile = xstrdup(m->newfile);
	}
	pool_forget(a, ipc_ref(ipc, pkt));
}

/* --- what the threads have done --- */

static void
job_done(struct djob *j)
{
	if (j->d.code == 0)
		ndelivered++;
	else if (j->d.code == 1)
		nfailed++;
	else
		nlater++;
	result(j->d.id, j->d.rcpt, j->d.code, j->d.esc, j->d.text);
	free(j->texts);
	free(j);
}

static void
account_done(struct daccount *a)
{
	struct msg_done m;

	if (a->init) {
		a->init = false;
		answer(a->init_ref, a->init_code, a->init_text);
	}
	if (a->acct != NULL) {
		pool_answered(a);
		return;
	}
	m.code = a->forget_code;
	m.text = a->forget_code == 0 ? "" : "the account's files cannot be "
	    "reached now";
	ipc_answer(a->forget_ref, IPC_DONE, &m, a->forget_fd);
	LIST_REMOVE(a, hash);
	naccounts--;
	if (a->newdir != -1)
		close(a->newdir);
	free(a->limits);
	free(a->newfile);
	free(a->path);
	free(a);
}

static void	leave_when_idle(void);

static void
look(void)
{
	struct djobs jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct daccounts accounts = TAILQ_HEAD_INITIALIZER(accounts);
	struct daccount *a;
	struct djob *j;

	pool_take(&jobs, &accounts);
	while ((j = TAILQ_FIRST(&jobs)) != NULL) {
		TAILQ_REMOVE(&jobs, j, next);
		job_done(j);
	}
	while ((a = TAILQ_FIRST(&accounts)) != NULL) {
		TAILQ_REMOVE(&accounts, a, ready);
		account_done(a);
	}
	leave_when_idle();
}

/* --- beginning and end --- */

static void
leave_when_idle(void)
{
	struct daccount *a;
	unsigned i;

	if (!stopping || !pool_idle())
		return;
	for (i = 0; i < BUCKETS; i++)
		LIST_FOREACH(a, &table[i], hash)
			acct_free(a->acct);
	proc_exit(0);
}

static void
stop(void)
{
	stopping = true;
	leave_when_idle();
}

/* Without its broker nobody may know what it holds: the end. */
static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	broker = NULL;
	stop();
}

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	broker = ipc;
}

static void
start(void)
{
	pool_start(settings_int(proc_settings(), "LOCAL", "Processors"), look);
}

static void
settings(const struct val *all)
{
	log_set_level(settings_int(all, "LOCAL", "LogLevel"));
	stat_switch(settings_bool(all, "Main", "AccountStatistics"));
}

static void
status(struct val *d)
{
	dict_setf(d, "Accounts", "%u", naccounts);
	dict_setf(d, "Delivered", "%llu", (unsigned long long)ndelivered);
	dict_setf(d, "Failed", "%llu", (unsigned long long)nfailed);
	dict_setf(d, "Delayed", "%llu", (unsigned long long)nlater);
}

static const struct ipc_disp from_broker[] = {
	{ IPC_DELIVERY_DIR, got_dir },
	{ IPC_LIMITS, got_limits },
	{ IPC_INBOX, got_inbox },
	{ IPC_DELIVER, got_deliver },
	{ IPC_ACCOUNT_INIT, got_init },
	{ IPC_DELIVERY_FORGET, got_forget },
	{ IPC_NONE, NULL }
};

static const char *const writable[] = { "Accounts", "Domains", NULL };

static const struct proc_def def = {
	.name = "stored-delivery",
	.tag = "LOCAL",
	.id = PROC_DELIVERY,
	.sandbox = {
		.allow = SB_FILES_READ | SB_FILES_WRITE | SB_THREADS |
		    SB_FLOCK,
		.write = writable,
		.nofile = 65536,
	},
	.peers = { [PROC_STORED] = from_broker },
	.start = start,
	.settings = settings,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.status = status,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return proc_run(argc, argv, &def);
}
