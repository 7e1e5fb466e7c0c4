/*
 * Passwords that are slow to check by intent: threads do it, so that other
 * logins go on.  Runs in authd.  A thread knows its request only: no
 * account, no channel.
 */
#include <sys/eventfd.h>
#include <sys/queue.h>

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "log.h"

enum { THREADS = 2, WAITING_MAX = 512, STACK = 256 * 1024 };

struct request {
	STAILQ_ENTRY(request)	 entry;
	void			(*work)(void *);
	void			(*done)(void *);
	void			*arg;
};

struct verify {
	struct str		 stored, clear;		/* its own */
	bool			 ok;
	slow_cb			*cb;
	void			*arg;
};
STAILQ_HEAD(requests, request);

static struct {
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	struct requests	 todo, done;
	int		 fd;		/* eventfd: something is done */
	size_t		 waiting;	/* the loop's alone */
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.todo = STAILQ_HEAD_INITIALIZER(pool.todo),
	.done = STAILQ_HEAD_INITIALIZER(pool.done)
};

static void *
thread_main(void *arg)
{
	const uint64_t one = 1;
	struct request *r;

	for (;;) {
		pthread_mutex_lock(&pool.lock);
		while ((r = STAILQ_FIRST(&pool.todo)) == NULL)
			pthread_cond_wait(&pool.wake, &pool.lock);
		STAILQ_REMOVE_HEAD(&pool.todo, entry);
		pthread_mutex_unlock(&pool.lock);
		r->work(r->arg);
		pthread_mutex_lock(&pool.lock);
		STAILQ_INSERT_TAIL(&pool.done, r, entry);
		pthread_mutex_unlock(&pool.lock);
		if (write(pool.fd, &one, sizeof(one)) == -1)
			panic("eventfd: %s", strerror(errno));
	}
	return arg;
}

static void
collect(int fd, short what, void *arg)
{
	struct requests done = STAILQ_HEAD_INITIALIZER(done);
	struct request *r;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		log_warn("eventfd");
	pthread_mutex_lock(&pool.lock);
	STAILQ_CONCAT(&done, &pool.done);
	pthread_mutex_unlock(&pool.lock);
	while ((r = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, entry);
		pool.waiting--;
		r->done(r->arg);
		free(r);
	}
}

void
slow_start(void)
{
	struct event *ev;
	pthread_attr_t attr;
	pthread_t t;
	int i;

	if ((pool.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1)
		fatal("eventfd");
	ev = event_new(proc_base(), pool.fd, EV_READ | EV_PERSIST, collect,
	    NULL);
	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for the threads");
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t, &attr, thread_main, NULL) != 0)
			fatalx("no thread");
	pthread_attr_destroy(&attr);
}

bool
slow_run(void (*work)(void *), void (*done)(void *), void *arg)
{
	struct request *r;

	if (pool.waiting >= WAITING_MAX ||
	    (r = calloc(1, sizeof(*r))) == NULL)
		return false;
	r->work = work;
	r->done = done;
	r->arg = arg;
	pool.waiting++;
	pthread_mutex_lock(&pool.lock);
	STAILQ_INSERT_TAIL(&pool.todo, r, entry);
	pthread_mutex_unlock(&pool.lock);
	pthread_cond_signal(&pool.wake);
	return true;
}

/* --- a password --- */

static void
wipe(struct str s)
{
	if (s.p == NULL)
		return;
	explicit_bzero((char *)(uintptr_t)s.p, s.len);
	free((char *)(uintptr_t)s.p);
}

static void
verify_free(struct verify *v)
{
	wipe(v->stored);
	wipe(v->clear);
	free(v);
}

static struct str
copy(struct str s)
{
	char *p = malloc(s.len + 1);

	if (p != NULL)
		memcpy(p, s.p, s.len);
	return (struct str) { p, s.len };
}

static void
verify(void *arg)
{
	struct verify *v = arg;

	v->ok = password_verify(v->stored, v->clear, &proof_key);
}

static void
verified(void *arg)
{
	struct verify *v = arg;

	v->cb(v->ok, v->stored, v->clear, v->arg);
	verify_free(v);
}

bool
slow_verify(struct str stored, struct str clear, slow_cb *cb, void *arg)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return false;
	v->stored = copy(stored);
	v->clear = copy(clear);
	v->cb = cb;
	v->arg = arg;
	if (v->stored.p != NULL && v->clear.p != NULL &&
	    slow_run(verify, verified, v))
		return true;
	verify_free(v);
	return false;
}
