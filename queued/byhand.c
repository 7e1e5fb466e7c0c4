/*
 * What administrators did by hand and the next life must know: queues and
 * messages that are delayed, mail that was moved to another host.  It stands
 * in Queue/ByHand.data, which a thread writes anew after each change:
 *
 *	{ Messages = { 1234 = (recipient, until, host, ...); };
 *	  Queues = ((S, host, source, lax, until), (L, path, account, , until)); }
 *
 * Messages that are gone are not in the next one.  The loop's alone.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "file.h"
#include "log.h"
#include "queued.h"

enum { OF_RCPT = 3, OF_QUEUE = 5 };

static const char file[] = "ByHand.data";

struct waiter {
	STAILQ_ENTRY(waiter) entry;
	byhand_cb	*cb;
	void		*arg;
};
STAILQ_HEAD(waiters, waiter);

/* A thread's. */
struct write {
	struct sreq	 req;
	struct buf	 text;
	struct waiters	 waiters;
	int		 err;
};

static struct val *found;		/* until all messages are loaded */
static struct waiters waiters = STAILQ_HEAD_INITIALIZER(waiters);
static struct event *soon;
static bool changed, writing;

/* --- to the file --- */

static void
put_string(struct buf *b, const char *s)
{
	val_write_string(b, s, strlen(s));
}

static bool
is_noted(const struct rcpt *r)
{
	return r->state < R_REPORT && (r->byhand != 0 || r->via != NULL);
}

static void
put_msg(struct buf *b, const struct msg *m)
{
	const struct rcpt *r;
	size_t i, n = 0;

	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (!is_noted(r))
			continue;
		if (n++ == 0)
			buf_printf(b, "%" PRIu64 "=(", m->id);
		buf_printf(b, "%s%zu,%" PRId64 ",", n > 1 ? "," : "", i,
		    r->byhand);
		put_string(b, r->via != NULL ? r->via : "");
	}
	if (n > 0)
		buf_puts(b, ");");
}

static const struct val *
found_of(const struct msg *m)
{
	char id[24];

	snprintf(id, sizeof(id), "%" PRIu64, m->id);
	return dict_get(dict_get(found, "Messages"), id);
}

/* Not loaded yet: as it was found. */
static void
put_found(struct buf *b, const struct msg *m)
{
	const struct val *v = found_of(m);

	if (v == NULL)
		return;
	buf_printf(b, "%" PRIu64 "=", m->id);
	val_write(b, v, false);
	buf_puts(b, ";");
}

static void
put_queue(struct buf *b, const struct lqueue *lq, bool first)
{
	bool remote = lq->kind == QUEUE_SMTP;

	buf_printf(b, "%s(%c,", first ? "" : ",", lq->kind);
	put_string(b, remote ? lq->host : lq->name);
	buf_putc(b, ',');
	put_string(b, remote ? lq->source : lq->show);
	buf_printf(b, ",%s,%" PRId64 ")", lq->lax ? "YES" : "NO", lq->until);
}

static void
put_all(struct buf *b)
{
	struct lqueue *lq;
	struct msg *m;
	bool first = true;

	buf_puts(b, "{Messages={");
	RB_FOREACH(m, msgtree, &msgs)
		if (m->loaded)
			put_msg(b, m);
		else
			put_found(b, m);
	buf_puts(b, "};Queues=(");
	RB_FOREACH(lq, lqtree, &lqueues)
		if (lq->byhand) {
			put_queue(b, lq, first);
			first = false;
		}
	buf_puts(b, ");}\n");
}

static void	later(void);

static void
write_work(struct sreq *r)
{
	struct write *w = (struct write *)r;

	if (w->text.failed)
		w->err = ENOMEM;
	else if (file_replace_alone(disk.queue, file, 0600, w->text.p,
	    w->text.len) == -1)
		w->err = errno;
}

static void
write_done(struct sreq *r)
{
	struct write *w = (struct write *)r;
	struct waiter *one;

	if (w->err != 0)
		log_warnx("Queue/%s: %s", file, strerror(w->err));
	while ((one = STAILQ_FIRST(&w->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->waiters, entry);
		one->cb(one->arg, w->err);
		free(one);
	}
	buf_free(&w->text);
	free(w);
	writing = false;
	if (changed)
		later();
}

static void
write_out(int fd, short what, void *arg)
{
	struct write *w = xcalloc(1, sizeof(*w));

	w->req.work = write_work;
	w->req.done = write_done;
	STAILQ_INIT(&w->waiters);
	STAILQ_CONCAT(&w->waiters, &waiters);
	buf_init(&w->text, DICT_MAXSIZE);
	put_all(&w->text);
	changed = false;
	writing = true;
	sync_submit(&w->req);
}

static void
later(void)
{
	const struct timeval tv = { 0 };

	if (soon == NULL)
		soon = evtimer_new(proc_base(), write_out, NULL);
	if (soon != NULL)
		evtimer_add(soon, &tv);
}

void
byhand_changed(void)
{
	if (!changed && !writing)
		later();
	changed = true;
}

bool
byhand_wait(byhand_cb *cb, void *arg)
{
	struct waiter *w;

	if (!changed)
		return false;
	w = xcalloc(1, sizeof(*w));
	w->cb = cb;
	w->arg = arg;
	STAILQ_INSERT_TAIL(&waiters, w, entry);
	return true;
}

/* --- from the file --- */

static const char *
text_at(const struct val *v, size_t n)
{
	const char *text = n < val_count(v) ? val_text(val_at(v, n)) : NULL;

	return text != NULL ? text : "";
}

static int64_t
int_at(const struct val *v, size_t n)
{
	int64_t i;

	return n < val_count(v) && val_int(val_at(v, n), &i) ? i : 0;
}

static void
queue_found(const struct val *v)
{
	int64_t left = int_at(v, 4) - time(NULL);
	const char *name = text_at(v, 1);
	struct lqueue *lq;

	if (val_type(v) != VAL_ARRAY || val_count(v) != OF_QUEUE || left <= 0 ||
	    *name == '\0')
		return;
	if (*text_at(v, 0) == QUEUE_SMTP)
		lq = lqueue_remote(name, text_at(v, 2),
		    strcmp(text_at(v, 3), "YES") == 0);
	else
		lq = lqueue_get(QUEUE_LOCAL, name, text_at(v, 2));
	if (lq != NULL)
		lqueue_pause(lq, left);
}

void
byhand_load(void)
{
	const struct val *queues;
	const char *err = "";
	size_t i;

	found = val_read_file(disk.queue, file, &err);
	if (found == NULL && errno != ENOENT)
		log_warnx("Queue/%s: %s", file, err);
	queues = dict_get(found, "Queues");
	for (i = 0; queues != NULL && i < val_count(queues); i++)
		queue_found(val_at(queues, i));
}

void
byhand_found(struct msg *m)
{
	const struct val *v = found != NULL ? found_of(m) : NULL;
	struct rcpt *r;
	size_t i;

	if (v == NULL || val_type(v) != VAL_ARRAY)
		return;
	for (i = 0; i + OF_RCPT <= val_count(v); i += OF_RCPT) {
		if ((uint64_t)int_at(v, i) >= m->q.nrcpts)
			continue;
		r = &m->rcpts[int_at(v, i)];
		if (int_at(v, i + 1) > time(NULL))
			r->byhand = int_at(v, i + 1);
		if (r->via == NULL && *text_at(v, i + 2) != '\0')
			r->via = strdup(text_at(v, i + 2));
	}
}

void
byhand_loaded(void)
{
	val_free(found);
	found = NULL;
}
