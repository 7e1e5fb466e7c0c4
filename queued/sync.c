/*
 * queued's threads: each takes a request, does what may wait for the disk,
 * and hands the request back to the loop.  Many threads, because the file
 * system commits parallel fsyncs together: the more wait at once, the fewer
 * commits it makes.  A thread must never touch a message, a queue or a
 * channel: it knows its request and the directories in `disk`.
 *
 * A patient request, which nobody waits for any more, does not wake the loop:
 * it looks by itself before long, and finds several.
 */
#include <sys/eventfd.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"

enum {
	STACK = 256 * 1024,
	LOOK = 1,		/* ms until the loop looks for patient ones */
	RETRY = 5		/* seconds */
};

STAILQ_HEAD(sreqs, sreq);

static struct {
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	struct sreqs	 todo;
	struct sreqs	 done;
	unsigned int	 idle;
	bool		 told;		/* the loop is going to look */
	/* the loop's alone */
	int		 fd;		/* eventfd: something is done */
	size_t		 busy;
	size_t		 patient;	/* of them, those that do not tell */
	struct event	*ev;
	struct event	*look_ev;
	struct sreqs	 retry;
	struct event	*retry_ev;
	void		(*drained)(void);
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.todo = STAILQ_HEAD_INITIALIZER(pool.todo),
	.done = STAILQ_HEAD_INITIALIZER(pool.done),
	.retry = STAILQ_HEAD_INITIALIZER(pool.retry)
};

/* It is the loop's then, but for its answer. */
static void
hand_back(struct sreq *r)
{
	uint64_t one = 1;
	bool tell;

	atomic_store(&r->answering, r->answer != NULL);
	pthread_mutex_lock(&pool.lock);
	STAILQ_INSERT_TAIL(&pool.done, r, entry);
	tell = !r->patient && !pool.told;
	pool.told |= tell;
	pthread_mutex_unlock(&pool.lock);
	if (tell && write(pool.fd, &one, sizeof(one)) == -1)
		panic("eventfd: %s", strerror(errno));
}

static void *
thread_main(void *arg)
{
	void (*answer)(struct sreq *);
	struct sreq *r;

	for (;;) {
		pthread_mutex_lock(&pool.lock);
		while ((r = STAILQ_FIRST(&pool.todo)) == NULL) {
			pool.idle++;
			pthread_cond_wait(&pool.wake, &pool.lock);
			pool.idle--;
		}
		STAILQ_REMOVE_HEAD(&pool.todo, entry);
		pthread_mutex_unlock(&pool.lock);
		r->work(r);
		answer = r->answer;
		hand_back(r);
		if (answer == NULL)
			continue;
		answer(r);
		atomic_store(&r->answering, false);
	}
	return arg;
}

static void
look_soon(void)
{
	static const struct timeval tv = { 0, LOOK * 1000 };

	if (!evtimer_pending(pool.look_ev, NULL))
		evtimer_add(pool.look_ev, &tv);
}

/* Not yet, nor what came after it. */
static void
put_back(struct sreqs *done)
{
	pthread_mutex_lock(&pool.lock);
	STAILQ_CONCAT(done, &pool.done);
	STAILQ_CONCAT(&pool.done, done);
	pthread_mutex_unlock(&pool.lock);
	look_soon();
}

/* The loop: all that is done by now, in that order. */
static void
collect(void)
{
	struct sreqs done = STAILQ_HEAD_INITIALIZER(done);
	struct sreq *r;

	pthread_mutex_lock(&pool.lock);
	pool.told = false;
	STAILQ_CONCAT(&done, &pool.done);
	pthread_mutex_unlock(&pool.lock);
	while ((r = STAILQ_FIRST(&done)) != NULL) {
		if (atomic_load(&r->answering)) {
			put_back(&done);
			return;
		}
		STAILQ_REMOVE_HEAD(&done, entry);
		pool.busy--;
		if (r->patient)
			pool.patient--;
		r->done(r);
	}
	if (pool.busy == 0 && pool.drained != NULL)
		pool.drained();
}

static void
told(int fd, short what, void *arg)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		log_warn("eventfd");
	collect();
}

static void
look(int fd, short what, void *arg)
{
	collect();
	if (pool.patient > 0)
		look_soon();
}

static void
retry_all(int fd, short what, void *arg)
{
	struct sreqs again = STAILQ_HEAD_INITIALIZER(again);
	struct sreq *r;

	STAILQ_CONCAT(&again, &pool.retry);
	while ((r = STAILQ_FIRST(&again)) != NULL) {
		STAILQ_REMOVE_HEAD(&again, entry);
		sync_submit(r);
	}
}

void
sync_start(void)
{
	pthread_attr_t attr;
	pthread_t t;
	int i, n = 0;

	if ((pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1)
		fatal("eventfd");
	pool.ev = event_new(proc_base(), pool.fd, EV_READ | EV_PERSIST,
	    told, NULL);
	pool.look_ev = evtimer_new(proc_base(), look, NULL);
	pool.retry_ev = evtimer_new(proc_base(), retry_all, NULL);
	if (pool.ev == NULL || pool.look_ev == NULL || pool.retry_ev == NULL ||
	    event_add(pool.ev, NULL) == -1)
		fatalx("no event for the threads");
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < queue_int("Processors"); i++)
		if (pthread_create(&t, &attr, thread_main, NULL) == 0)
			n++;
	pthread_attr_destroy(&attr);
	if (n == 0)
		fatalx("no threads");
}

void
sync_submit(struct sreq *r)
{
	bool wake;

	pool.busy++;
	if (r->patient) {
		pool.patient++;
		look_soon();
	}
	pthread_mutex_lock(&pool.lock);
	STAILQ_INSERT_TAIL(&pool.todo, r, entry);
	wake = pool.idle > 0;
	pthread_mutex_unlock(&pool.lock);
	if (wake)
		pthread_cond_signal(&pool.wake);
}

void
sync_drain(void (*cb)(void))
{
	pool.drained = cb;
	if (pool.busy == 0)
		cb();
}

void
sync_retry(struct sreq *r)
{
	struct timeval tv = { .tv_sec = RETRY };

	STAILQ_INSERT_TAIL(&pool.retry, r, entry);
	if (!evtimer_pending(pool.retry_ev, NULL))
		evtimer_add(pool.retry_ev, &tv);
}
