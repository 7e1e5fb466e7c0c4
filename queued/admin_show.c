/*
 * The queue as administrators see it: logical queues, messages, and what
 * becomes of each recipient.  A message's header is read by a thread.  The
 * loop's alone, but for that.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "file.h"

enum {
	FEW = 20,		/* recipients in a list */
	MANY = 300,		/* of one message */
	HEADER = 16 * 1024	/* bytes of it that are shown */
};

static const char *
module_of(const struct lqueue *lq)
{
	return lq == NULL ? "" : lq->kind == QUEUE_LOCAL ? "LOCAL" : "SMTP";
}

static bool
is_held(const struct lqueue *lq)
{
	return lq->hold && !lq->woken && !lq->byhand;
}

/* One more, while there is room: it is the array's, or freed. */
static bool
page_add(struct val *page, size_t *size, struct val *v)
{
	struct buf b;

	buf_init(&b, 0);
	val_write(&b, v, false);
	*size += b.len + 1;
	buf_free(&b);
	if (*size > ADMIN_MAXDATA - 1000 || val_count(page) >= ADMIN_LISTED) {
		val_free(v);
		return false;
	}
	return val_append(page, v) == 0;
}

/* --- logical queues --- */

static struct val *
describe_queue(const struct lqueue *lq)
{
	struct val *d = val_dict();

	if (d == NULL)
		return NULL;
	dict_set(d, "Module", val_string(module_of(lq)));
	dict_set(d, "Name", val_string(lq->show));
	dict_setf(d, "Key", "%c%s", lq->kind, lq->name);
	dict_setf(d, "Waiting", "%zu", lq->waiting + lq->nlater);
	dict_setf(d, "Active", "%u", lq->flight);
	if (lq->flight > 0)
		dict_setf(d, "ActiveFor", "%lld",
		    (long long)(time(NULL) - lq->since));
	if (lq->kind == QUEUE_SMTP)
		dict_setf(d, "Channels", "%u", lq->chans);
	if (is_held(lq))
		dict_set(d, "Held", val_string("YES"));
	if (lq->delayed) {
		dict_setf(d, "DelayedFor", "%lld",
		    (long long)(lq->until - time(NULL)));
		dict_set(d, "Reason", val_string(lq->why == NULL ? "" :
		    lq->why));
	}
	return d;
}

/* ListQueues [after that one's Key]: a page, in order. */
unsigned int
admin_list_queues(struct request *r, struct val **data, const char **text)
{
	const char *after = admin_text(r, 0);
	/* Not written to. */
	struct lqueue key = { .name = (char *)(uintptr_t)
	    (*after == '\0' ? "" : after + 1), .kind = *after };
	struct lqueue *lq;
	size_t size = 0;

	*data = val_array();
	for (lq = RB_NFIND(lqtree, &lqueues, &key); lq != NULL;
	    lq = RB_NEXT(lqtree, &lqueues, lq))
		if (lqueue_cmp(lq, &key) != 0 &&
		    !page_add(*data, &size, describe_queue(lq)))
			break;
	return 200;
}

/* --- messages --- */

static void
describe_wait(struct val *d, const struct rcpt *r)
{
	static const char *const states[] = {
		[R_NEW] = "to be routed",
		[R_ROUTING] = "being routed",
		[R_PAUSE] = "to be routed again",
		[R_LATER] = "delayed",
		[R_WAIT] = "waiting",
		[R_FLIGHT] = "under way",
		[R_EXPAND] = "being expanded",
		[R_REPORT] = "to be reported",
		[R_FINAL] = "done",
		[R_DONE] = "done"
	};
	const struct lqueue *lq = r->lq;
	bool late = r->state == R_LATER;
	int64_t due = late ? r->due : 0;
	const char *why = late ? r->text : NULL;

	dict_set(d, "State", val_string(states[r->state]));
	if (lq != NULL && lq->delayed && r->state <= R_WAIT) {
		why = lq->why;
		due = is_held(lq) ? 0 : lq->until;
	}
	if (why != NULL)
		dict_set(d, "Reason", val_string(why));
	if (due != 0)
		dict_setf(d, "NextTry", "%lld", (long long)due);
}

static struct val *
describe_rcpts(const struct msg *m, size_t most, bool done)
{
	struct val *a = val_array(), *d;
	const struct rcpt *r;
	size_t i;

	for (i = 0; i < m->q.nrcpts && val_count(a) < most; i++) {
		r = &m->rcpts[i];
		if (r->state == R_DONE && !done)
			continue;
		d = val_dict();
		dict_set(d, "Address", val_string(r->q->addr));
		dict_set(d, "Module", val_string(module_of(r->lq)));
		dict_set(d, "Queue", val_string(r->lq == NULL ? "" :
		    r->lq->show));
		if (r->q->attempts > 0)
			dict_setf(d, "Attempts", "%u", r->q->attempts);
		describe_wait(d, r);
		val_append(a, d);
	}
	return a;
}

static struct val *
describe_msg(const struct msg *m)
{
	struct val *d = val_dict();

	dict_setf(d, "ID", "%" PRIu64, m->id);
	dict_set(d, "From", val_string(m->q.sender));
	dict_setf(d, "Size", "%" PRIu64, m->size);
	dict_setf(d, "Time", "%lld", (long long)m->q.time);
	dict_setf(d, "Left", "%zu", m->left);
	return d;
}

/* ListQueueMessages [after id]: a page, in order. */
unsigned int
admin_list_messages(struct request *r, struct val **data, const char **text)
{
	struct msg key = { .id = strtoull(admin_text(r, 0), NULL, 10) + 1 };
	size_t size = 0;
	struct msg *m;
	struct val *d;

	*data = val_array();
	for (m = RB_NFIND(msgtree, &msgs, &key); m != NULL;
	    m = RB_NEXT(msgtree, &msgs, m)) {
		if (!m->loaded || m->removing)
			continue;
		d = describe_msg(m);
		dict_set(d, "Recipients", describe_rcpts(m, FEW, false));
		if (!page_add(*data, &size, d))
			break;
	}
	return 200;
}

/* --- one message, whole --- */

struct peek {
	struct sreq	 req;
	struct request	*request;
	struct msg	*msg;
	char		*text;
	ssize_t		 n;
};

/* In a thread. */
static void
peek_work(struct sreq *req)
{
	struct peek *p = (struct peek *)req;
	int fd = disk_open(p->msg->dir, p->msg->id, "msg");

	p->n = -1;
	if (fd == -1)
		return;
	p->n = file_pread(fd, p->text, HEADER, p->msg->q.body);
	close(fd);
}

static void
peek_done(struct sreq *req)
{
	struct peek *p = (struct peek *)req;
	struct msg *m = p->msg;
	struct val *d = describe_msg(m);
	const char *end;

	if (p->n > 0) {
		end = memmem(p->text, p->n, "\n\n", 2);
		dict_set(d, "Header", val_bytes(p->text, end == NULL ?
		    (size_t)p->n : (size_t)(end + 1 - p->text)));
	}
	dict_setf(d, "File", "Queue/%s%" PRIu64 ".msg",
	    m->dir == NULL ? "" : m->dir, m->id);
	dict_set(d, "Source", val_string(m->q.tag));
	if (*m->q.peer != '\0')
		dict_set(d, "Peer", val_string(m->q.peer));
	if (m->q.account != NULL)
		dict_set(d, "Account", val_string(m->q.account));
	if (m->q.envid != NULL)
		dict_set(d, "EnvelopeID", val_string(m->q.envid));
	dict_set(d, "Recipients", describe_rcpts(m, MANY, true));
	admin_reply(p->request, 200, "OK", d);
	val_free(d);
	msg_unpin(m);
	free(p->text);
	free(p);
}

unsigned int
admin_message(struct request *r, struct val **data, const char **text)
{
	struct msg *m = admin_msg(r, text);
	struct peek *p;

	if (m == NULL)
		return 512;
	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->text = malloc(HEADER)) == NULL) {
		free(p);
		*text = "out of memory";
		return 501;
	}
	p->req.work = peek_work;
	p->req.done = peek_done;
	p->request = r;
	p->msg = m;
	msg_pin(m);
	sync_submit(&p->req);
	return 0;
}
