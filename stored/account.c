/*
 * The broker's accounts: who holds each, and what can be done next.  Every
 * event ends in account_run().  It must never let two hold one account.
 */
#include <sys/resource.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "stored.h"

enum { BUCKETS = 4096 };

static LIST_HEAD(, account)	table[BUCKETS];
static TAILQ_HEAD(, account)	held = TAILQ_HEAD_INITIALIZER(held);
static struct account		**byid;
static uint32_t			nids, hint;
static unsigned			count, nheld, nworkers;
static unsigned			maxheld = DELIVERY_MAX;
static bool			stopping;

static unsigned
bucket(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h % BUCKETS;
}

int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static uint32_t
new_id(struct account *a)
{
	struct account **more;
	uint32_t i, n;

	for (i = 0; i < nids; i++, hint++)
		if (byid[hint % nids] == NULL)
			break;
	if (i == nids) {
		n = nids == 0 ? 256 : nids * 2;
		if ((more = reallocarray(byid, n, sizeof(*more))) == NULL)
			panic("out of memory");
		memset(more + nids, 0, (n - nids) * sizeof(*more));
		byid = more;
		hint = nids;
		nids = n;
	}
	i = hint++ % nids;
	byid[i] = a;
	return i;
}

void
accounts_start(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	maxheld = rl.rlim_cur > SPARE_FDS + DELIVERY_FDS ?
	    (rl.rlim_cur - SPARE_FDS) / DELIVERY_FDS : 1;
	if (maxheld > DELIVERY_MAX)
		maxheld = DELIVERY_MAX;
}

struct account *
account_by_id(uint32_t id)
{
	return id < nids ? byid[id] : NULL;
}

uint32_t
accounts_ids(void)
{
	return nids;
}

struct account *
account_find(const char *path)
{
	struct account *a;

	LIST_FOREACH(a, &table[bucket(path)], hash)
		if (strcmp(a->path, path) == 0)
			return a;
	return NULL;
}

struct account *
account_get(const char *path)
{
	struct account *a = account_find(path);

	if (a != NULL)
		return a;
	a = xcalloc(1, sizeof(*a));
	a->path = xstrdup(path);
	a->id = new_id(a);
	a->pidfd = a->inbox = -1;
	TAILQ_INIT(&a->waiting);
	TAILQ_INIT(&a->sent);
	TAILQ_INIT(&a->sessions);
	TAILQ_INIT(&a->requests);
	LIST_INIT(&a->idles);
	LIST_INSERT_HEAD(&table[bucket(path)], a, hash);
	count++;
	if (domain_quiet_why(path) != NULL) {
		a->quiet = true;
		a->why = xstrdup(domain_quiet_why(path));
	}
	return a;
}

static void
account_free(struct account *a)
{
	ipc_cancel(a);
	LIST_REMOVE(a, hash);
	byid[a->id] = NULL;
	count--;
	limits_forget(a);
	inbox_forget(a);
	free(a->path);
	free(a->why);
	free(a);
}

bool
account_is_single(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && strcmp(path + len - 5, ".mbox") == 0 &&
	    strchr(path, '/') != NULL;
}

const char *
account_file(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (account_is_single(path))
		return strrchr(path, '/') + 1;
	/* "john.mdir", or "john.mdir.new" while it is made. */
	return dot != NULL && (strcmp(dot, ".mdir") == 0 ||
	    (dot - path > 5 && strcmp(dot - 5, ".mdir.new") == 0)) ?
	    "INBOX.mdir" : "";
}

int
account_opendir(const char *path, const char **file)
{
	char *dir;
	int fd;

	*file = account_file(path);
	if (!account_is_single(path))
		return file_open_beneath(proc_basefd(), path,
		    O_RDONLY | O_DIRECTORY, 0);
	if ((dir = strndup(path, *file - 1 - path)) == NULL)
		return -1;
	fd = file_open_beneath(proc_basefd(), dir, O_RDONLY | O_DIRECTORY, 0);
	free(dir);
	return fd;
}

/* --- delivery's hold --- */

static void
unhold(struct account *a)
{
	if (!a->held)
		return;
	a->held = a->forgetting = false;
	TAILQ_REMOVE(&held, a, lru);
	nheld--;
}

static void	forget(struct account *);

static void
forgotten(const struct ipc_pkt *pkt, void *arg)
{
	struct account *a = arg;

	a->forgetting = false;
	/* Slow is not gone: ask again.  A new delivery holds nothing. */
	if (pkt == NULL && a->held && proc_peer(PROC_DELIVERY) != NULL) {
		forget(a);
		return;
	}
	if (pkt != NULL)
		unhold(a);
	account_run(a);
}

static void
forget(struct account *a)
{
	struct msg_delivery_forget m = { .path = a->path };

	if (!a->held || a->forgetting || proc_peer(PROC_DELIVERY) == NULL)
		return;
	a->forgetting = true;
	ipc_call(proc_peer(PROC_DELIVERY), IPC_DELIVERY_FORGET, 0, &m, -1,
	    IPC_TIMEOUT, forgotten, a);
}

/* The one that had nothing to do for longest makes room. */
static void
make_room(void)
{
	struct account *a;

	TAILQ_FOREACH(a, &held, lru)
		if (!a->forgetting && TAILQ_EMPTY(&a->sent) &&
		    TAILQ_EMPTY(&a->waiting)) {
			forget(a);
			return;
		}
}

/* Delivery gets the directory before the first job. */
static bool
hold(struct account *a)
{
	struct msg_delivery_dir m = { .path = a->path };
	int fd;

	if (a->held) {
		TAILQ_REMOVE(&held, a, lru);
		TAILQ_INSERT_TAIL(&held, a, lru);
		return true;
	}
	if ((fd = account_opendir(a->path, &m.file)) == -1) {
		if (errno != ENOENT)
			log_warn("%s", a->path);
		jobs_fail(a, errno == ENOENT,
		    "the account cannot be opened now");
		return false;
	}
	if (ipc_send(proc_peer(PROC_DELIVERY), IPC_DELIVERY_DIR, 0, &m, fd) ==
	    -1)
		return false;
	a->held = true;
	limits_tell(a, proc_peer(PROC_DELIVERY));
	(void)inbox_tell(a, proc_peer(PROC_DELIVERY));
	TAILQ_INSERT_TAIL(&held, a, lru);
	if (++nheld > maxheld)
		make_room();
	return true;
}

/* A new delivery is there, so the old process is gone: it held them all. */
void
accounts_delivery_new(void)
{
	struct account *a, *next;
	unsigned i;

	while ((a = TAILQ_FIRST(&held)) != NULL) {
		ipc_cancel(a);		/* what the old one was asked */
		a->limits_asked = a->inbox_asked = false;	/* and others */
		unhold(a);
		jobs_take_back(a);
	}
	for (i = 0; i < BUCKETS; i++)
		for (a = LIST_FIRST(&table[i]); a != NULL; a = next) {
			next = LIST_NEXT(a, hash);
			account_run(a);
		}
}

static bool
wants_worker(const struct account *a)
{
	return sessions_waiting(a) || requests_waiting(a) ||
	    a->warm > now_ms();
}

/* --- single-mailbox accounts: a worker gets a directory from delivery --- */

static void
borrowed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	int dir = pkt != NULL ? pkt->fd : -1;
	struct account *a = arg;

	a->forgetting = false;
	if (m != NULL)
		unhold(a);
	if (m == NULL || m->code != 0 || dir == -1)
		worker_none(a);
	else if (!a->quiet && !stopping && wants_worker(a)) {
		dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
		if (dir != -1)
			worker_start(a, dir);
		else
			worker_none(a);
	}
	if (m == NULL)
		forget(a);
	account_run(a);
}

/* Delivery opens it, if it does not have it, and gives it away. */
static void
borrow(struct account *a)
{
	struct msg_delivery_forget m = { .path = a->path,
		.how = FORGET_LEND, .newfile = "" };

	if (a->forgetting)
		return;
	if (proc_peer(PROC_DELIVERY) == NULL || !hold(a)) {
		worker_none(a);
		return;
	}
	a->forgetting = a->lent = true;
	ipc_call(proc_peer(PROC_DELIVERY), IPC_DELIVERY_FORGET, 0, &m, -1,
	    IPC_TIMEOUT, borrowed, a);
}

/* The worker is gone: delivery takes back what it opens. */
static void
take_back(struct account *a)
{
	if (a->lent && a->worker == WORKER_NONE && !a->held &&
	    !a->forgetting && proc_peer(PROC_DELIVERY) != NULL && hold(a))
		a->lent = false;
}

/* --- what next --- */

static void
start_worker(struct account *a)
{
	const char *file;
	int dir;

	if (account_is_single(a->path)) {
		borrow(a);
		return;
	}
	if ((dir = account_opendir(a->path, &file)) == -1) {
		log_warn("%s", a->path);
		worker_none(a);
		return;
	}
	worker_start(a, dir);
}

static void
run_quiet(struct account *a)
{
	sessions_refuse(a, a->why);
	requests_refuse(a, a->why);
	idle_end(a, a->why);
	take_back(a);
	if (a->worker == WORKER_UP)
		worker_stop(a, a->why);
	forget(a);
	if (a->held || a->worker != WORKER_NONE)
		return;
	domain_still();
	if (!a->quiet_wait)
		return;
	a->quiet_wait = false;
	answer_done(a->quiet_ref, 0, "");
}

/* Is there mail, and is it known how much the account may keep? */
static bool
has_mail(struct account *a)
{
	const struct job *j = TAILQ_FIRST(&a->waiting);

	return j != NULL && limits_known(a, j->m.account);
}

/* Who logs in must not find an account that has no limits yet. */
static bool
has_client(struct account *a)
{
	const struct session *s = TAILQ_LAST(&a->sessions, sessions);

	return sessions_waiting(a) && limits_some(a, s->m.account);
}

/* What a worker must have from its beginning: limits tell where INBOX is. */
static bool
may_start(struct account *a)
{
	const struct session *s = TAILQ_LAST(&a->sessions, sessions);

	if (sessions_waiting(a) ? !limits_some(a, s->m.account) :
	    requests_waiting(a) && !limits_some(a, requests_name(a)))
		return false;
	/* What delivery has is of no use to a worker: it needs its own. */
	if (a->outside != 0 && a->held) {
		forget(a);
		return false;
	}
	return inbox_ready(a);
}

static void
run(struct account *a)
{
	if (a->moving)
		return;
	if (a->quiet) {
		run_quiet(a);
		return;
	}
	if (a->worker == WORKER_NONE && !stopping && wants_worker(a) &&
	    may_start(a))
		start_worker(a);	/* may fail, then nobody wants it */
	take_back(a);
	if (a->worker != WORKER_NONE && a->held)
		forget(a);
	if (a->worker == WORKER_UP && !a->held) {
		if (has_client(a) && inbox_ready(a))
			sessions_give(a);
		requests_give(a);
		if (has_mail(a) && inbox_ready(a))
			jobs_send(a, a->ipc);
	} else if (a->worker == WORKER_NONE && !a->forgetting &&
	    proc_peer(PROC_DELIVERY) != NULL && !stopping && has_mail(a) &&
	    inbox_ready(a)) {
		if (hold(a))
			jobs_send(a, proc_peer(PROC_DELIVERY));
	}
}

void
account_run(struct account *a)
{
	if (a->running)
		return;
	a->running = true;
	run(a);
	a->running = false;
	if (stopping && nworkers == 0)
		proc_exit(0);
	if (a->held || a->forgetting || a->quiet || a->lent || a->moving ||
	    a->unacked != 0 || a->worker != WORKER_NONE ||
	    a->warm > now_ms() ||
	    !TAILQ_EMPTY(&a->waiting) || !TAILQ_EMPTY(&a->sent) ||
	    !TAILQ_EMPTY(&a->sessions) || !TAILQ_EMPTY(&a->requests) ||
	    !LIST_EMPTY(&a->idles) ||
	    a->revivals != 0 || a->limits_asked || a->inbox_asked || a->full)
		return;
	account_free(a);
}

void
account_quiet(struct account *a, const char *why, struct ipc_ref ref)
{
	a->quiet = a->quiet_wait = true;
	free(a->why);
	a->why = xstrdup(why);
	a->quiet_ref = ref;
	a->warm = 0;
	account_run(a);
}

void
account_hush(struct account *a, const char *why)
{
	a->quiet = true;
	free(a->why);
	a->why = xstrdup(why);
	a->warm = 0;
	account_run(a);
}

void
account_drop(struct account *a, const char *why)
{
	forget(a);
	if (a->worker == WORKER_UP || (a->worker == WORKER_SPAWNING &&
	    a->ipc != NULL))
		worker_stop(a, why);
}

void
account_release(struct account *a, bool gone)
{
	a->quiet = domain_quiet_why(a->path) != NULL;
	a->quiet_wait = false;
	if (gone) {
		limits_forget(a);
		jobs_fail(a, true, "the account is no longer there");
	}
	account_run(a);
}

void
accounts_authd_gone(void)
{
	uint32_t i;

	for (i = 0; i < nids; i++)
		if (byid[i] != NULL && byid[i]->quiet)
			account_release(byid[i], false);
		else if (byid[i] != NULL && byid[i]->inbox != -1)
			account_run(byid[i]);	/* nobody may want it now */
}

/* --- the end --- */

void
accounts_stop(void)
{
	struct account *a;
	uint32_t i;

	stopping = true;
	for (i = 0; i < nids; i++)
		if ((a = byid[i]) != NULL) {
			sessions_refuse(a, "the server is shutting down");
			requests_refuse(a, "the server is shutting down");
			idle_end(a, "the server is shutting down");
			if (a->worker == WORKER_UP)
				worker_stop(a, "the server is shutting down");
		}
	if (nworkers == 0)
		proc_exit(0);
}

void
accounts_worker_count(int n)
{
	nworkers += n;
}

unsigned
accounts_count(void)
{
	return count;
}

unsigned
accounts_workers(void)
{
	return nworkers;
}
