/*
 * Delivery's threads.  Each takes an account that has work, appends what
 * waits for one of its mailboxes with one sync, and takes the next: accounts
 * are served in turn and in parallel, never one by two threads.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "delivery.h"
#include "dict.h"
#include "log.h"
#include "proc.h"
#include "quota.h"
#include "single.h"

enum { LOOK = 1 };		/* ms until the loop looks, unasked */

static pthread_mutex_t	lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t	work = PTHREAD_COND_INITIALIZER;
static struct daccounts	ready = TAILQ_HEAD_INITIALIZER(ready);
static struct daccounts	over = TAILQ_HEAD_INITIALIZER(over);
static struct djobs	finished = TAILQ_HEAD_INITIALIZER(finished);
static unsigned		busy, idle;
static bool		told;		/* the loop is going to look */
static int		efd;
static struct event	*look_ev;	/* the loop's, as the next */
static size_t		jobs;		/* not yet taken */
static void		(*done_cb)(void);

/* With the lock held. */
static void
make_ready(struct daccount *a)
{
	if (a->queued)
		return;
	a->queued = true;
	TAILQ_INSERT_TAIL(&ready, a, ready);
	if (idle > 0)
		pthread_cond_signal(&work);
}

/* In no list now: is there more to do?  With the lock held. */
static void
rest(struct daccount *a)
{
	a->queued = false;
	if (!TAILQ_EMPTY(&a->jobs) || a->forget || a->init)
		make_ready(a);
}

void
pool_answered(struct daccount *a)
{
	pthread_mutex_lock(&lock);
	rest(a);
	pthread_mutex_unlock(&lock);
}

void
pool_open(struct daccount *a)
{
	pthread_mutex_lock(&lock);
	make_ready(a);
	pthread_mutex_unlock(&lock);
}

static void
look_soon(void)
{
	static const struct timeval tv = { 0, LOOK * 1000 };

	if (!evtimer_pending(look_ev, NULL))
		evtimer_add(look_ev, &tv);
}

void
pool_add(struct daccount *a, struct djob *j)
{
	jobs++;
	look_soon();
	pthread_mutex_lock(&lock);
	TAILQ_INSERT_TAIL(&a->jobs, j, next);
	make_ready(a);
	pthread_mutex_unlock(&lock);
}

void
pool_limit(struct daccount *a, const char *limits)
{
	pthread_mutex_lock(&lock);
	free(a->limits);
	a->limits = xstrdup(limits);
	pthread_mutex_unlock(&lock);
}

void
pool_init(struct daccount *a, struct ipc_ref ref, const char *format,
    struct val *template, int greeting, bool lazy)
{
	pthread_mutex_lock(&lock);
	a->init = true;
	a->format = box_format_type(format);
	a->template = template;
	a->greeting = greeting;
	a->lazy = lazy;
	a->init_ref = ref;
	make_ready(a);
	pthread_mutex_unlock(&lock);
}

void
pool_forget(struct daccount *a, struct ipc_ref ref)
{
	pthread_mutex_lock(&lock);
	a->forget = true;
	a->forget_ref = ref;
	make_ready(a);
	pthread_mutex_unlock(&lock);
}

void
pool_take(struct djobs *done, struct daccounts *accounts)
{
	struct djob *j;

	pthread_mutex_lock(&lock);
	told = false;
	TAILQ_FOREACH(j, &finished, next)
		jobs--;
	TAILQ_CONCAT(done, &finished, next);
	TAILQ_CONCAT(accounts, &over, ready);
	pthread_mutex_unlock(&lock);
}

bool
pool_idle(void)
{
	bool yes;

	pthread_mutex_lock(&lock);
	yes = busy == 0 && TAILQ_EMPTY(&ready) && TAILQ_EMPTY(&finished) &&
	    TAILQ_EMPTY(&over);
	pthread_mutex_unlock(&lock);
	return yes;
}

/* What a worker has worked on counts, before anything else is looked at. */
static int
take_back(struct daccount *a)
{
	if (!a->lent)
		return 0;
	if (single_return(a->acct->dirfd, a->acct->single) == -1)
		return -1;
	a->lent = false;
	return 0;
}

static void
append(struct daccount *a, struct djob **j, size_t n)
{
	struct delivery d[DELIVER_BATCH];
	const char *esc, *text;
	struct box *b = NULL;
	size_t i;
	int code;

	for (i = 0; i < n; i++)
		d[i] = j[i]->d;
	if (take_back(a) == 0)
		b = box_open(a->acct, j[0]->mailbox);
	else
		errno = EIO;
	if (b == NULL) {
		log_warn("%s: mailbox %s", a->path, j[0]->mailbox);
		code = box_why(&esc, &text);
		for (i = 0; i < n; i++) {
			d[i].code = code;
			d[i].esc = esc;
			d[i].text = text;
		}
	} else {
		box_deliver(b, d, n);
		/* INBOX stays open until the account is forgotten. */
		if (strcmp(b->name, "INBOX") == 0)
			b->refs = 0;
		else
			box_close(b);
	}
	for (i = 0; i < n; i++) {
		j[i]->d = d[i];
		close(j[i]->d.fd);
	}
}

/* The first message of a new account, as it is. */
static int
greet(struct daccount *a)
{
	struct delivery d = { .fd = a->greeting, .sender = "", .header = "",
		.time = time(NULL) };
	struct stat st;
	struct box *b;

	if (fstat(d.fd, &st) == -1 ||
	    (b = box_open(a->acct, "INBOX")) == NULL)
		return -1;
	d.size = st.st_size;
	box_deliver(b, &d, 1);
	box_close(b);
	errno = EIO;
	return d.code == 0 ? 0 : -1;
}

static void
create(struct daccount *a)
{
	a->init_code = 0;
	a->init_text[0] = '\0';
	a->acct->info.lazy = a->lazy;
	if (a->format != NULL)
		a->acct->format = a->format;
	if (take_back(a) == -1 || acct_init(a->acct, a->template) == -1 ||
	    (a->greeting != -1 && greet(a) == -1)) {
		log_warn("%s: first files", a->path);
		a->init_code = 2;
		snprintf(a->init_text, sizeof(a->init_text),
		    "the account's files cannot be made: %s", strerror(errno));
	}
	a->acct->info.lazy = false;
	val_free(a->template);
	a->template = NULL;
	if (a->greeting != -1)
		close(a->greeting);
	a->greeting = -1;
}

/* The end of a single one, which nobody has open any more. */
static int
part(struct daccount *a, int dir, const char *file)
{
	switch (a->how) {
	case FORGET_LEND:
		a->forget_fd = single_lend(dir, file);
		return a->forget_fd != -1 ? 0 : -1;
	case FORGET_MOVE:
		return single_move(dir, file, a->newdir, a->newfile);
	case FORGET_REMOVE:
		return single_remove(dir, file);
	default:
		return 0;
	}
}

static void
let_go(struct daccount *a)
{
	bool back = take_back(a) == 0;
	char *file;
	int dir;

	a->forget_code = 0;
	if (a->how == FORGET_PLAIN || a->acct->single == NULL) {
		acct_free(a->acct);
		a->acct = NULL;
		return;
	}
	file = xstrdup(a->acct->single);
	dir = fcntl(a->acct->dirfd, F_DUPFD_CLOEXEC, 3);
	acct_free(a->acct);
	a->acct = NULL;
	if (!back || dir == -1 || part(a, dir, file) == -1) {
		log_warn("%s", a->path);
		a->forget_code = 2;
	}
	if (dir != -1)
		close(dir);
	free(file);
}

/* The jobs of the first one's mailbox, taken off; with the lock held. */
static size_t
take_jobs(struct daccount *a, struct djob **out)
{
	struct djob *first = TAILQ_FIRST(&a->jobs), *j, *next;
	size_t n = 0;

	TAILQ_FOREACH_SAFE(j, &a->jobs, next, next) {
		if (strcmp(j->mailbox, first->mailbox) != 0)
			continue;
		TAILQ_REMOVE(&a->jobs, j, next);
		out[n++] = j;
		if (n == DELIVER_BATCH)
			break;
	}
	return n;
}

/* With the lock held on entry and return. */
static void
serve(struct daccount *a)
{
	struct djob *mine[DELIVER_BATCH];
	bool init = a->init, forget;
	char *limits = a->limits;
	size_t n, i;

	a->limits = NULL;
	n = take_jobs(a, mine);
	forget = a->forget && TAILQ_EMPTY(&a->jobs);
	pthread_mutex_unlock(&lock);
	if (limits != NULL)
		quota_limit(a->acct, limits);
	free(limits);
	if (init)
		create(a);
	if (n > 0)
		append(a, mine, n);
	if (forget)
		let_go(a);
	else if (n == 0 && take_back(a) == -1)
		log_warn("%s", a->path);
	pthread_mutex_lock(&lock);
	for (i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&finished, mine[i], next);
	/* The loop answers these, and frees what was forgotten. */
	if (init || forget)
		TAILQ_INSERT_TAIL(&over, a, ready);
	else
		rest(a);
}

/*
 * While there is more to do the loop need not be woken for each: it looks
 * now and then, and finds several.
 */
static void
tell_loop(void)
{
	uint64_t one = 1;

	if (told || (TAILQ_EMPTY(&over) &&
	    (busy > 0 || !TAILQ_EMPTY(&ready))))
		return;
	told = true;
	(void)!write(efd, &one, sizeof(one));
}

static void *
thread(void *arg)
{
	struct daccount *a;

	pthread_mutex_lock(&lock);
	for (;;) {
		while ((a = TAILQ_FIRST(&ready)) == NULL) {
			idle++;
			pthread_cond_wait(&work, &lock);
			idle--;
		}
		TAILQ_REMOVE(&ready, a, ready);
		busy++;
		serve(a);
		busy--;
		tell_loop();
	}
	return NULL;
}

static void
wake(int fd, short what, void *arg)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
	done_cb();
}

static void
look(int fd, short what, void *arg)
{
	done_cb();
	if (jobs > 0)
		look_soon();
}

void
pool_start(unsigned threads, void (*done)(void))
{
	struct event *ev;
	pthread_attr_t at;
	sigset_t all, old;
	pthread_t t;

	done_cb = done;
	efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (efd == -1)
		fatal("eventfd");
	ev = event_new(proc_base(), efd, EV_READ | EV_PERSIST, wake, NULL);
	look_ev = evtimer_new(proc_base(), look, NULL);
	if (ev == NULL || look_ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event");
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, 256 * 1024);
	for (; threads > 0; threads--)
		if ((errno = pthread_create(&t, &at, thread, NULL)) != 0)
			fatal("thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
