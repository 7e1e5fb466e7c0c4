/*
 * What administrators ask of the queue, and the log record that they write.
 * Who they are and what they may is authd's to say, for each request.  The
 * loop's alone.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "log.h"
#include "queued.h"

enum {
	TICKET_LEN = 16,
	LISTED = 300,		/* messages in one answer */
	MAXDATA = 60000,
	MAXRECORD = 1000
};

struct request {
	struct ipc_ref	 ref;
	const struct verb *verb;
	struct val	*args;
};

typedef unsigned int admin_fn(const struct val *args, struct val **data,
    const char **text);

static void
reply(struct ipc_ref ref, unsigned int code, const char *text,
    const struct val *data)
{
	struct msg_admined a = { .code = code, .text = text, .data = "" };
	struct buf b;

	buf_init(&b, MAXDATA);
	if (data != NULL) {
		if (val_write(&b, data, false) && !b.failed)
			a.data = b.p;
		else {
			a.code = 501;
			a.text = "the answer is too long";
		}
	}
	ipc_answer(ref, IPC_ADMINED, &a, -1);
	buf_free(&b);
}

/* --- the verbs --- */

static const char *
arg_text(const struct val *args, size_t n)
{
	const struct val *v = n < val_count(args) ? val_at(args, n) : NULL;
	const char *t = v == NULL ? NULL : val_text(v);

	return t == NULL ? "" : t;
}

static struct val *
describe_queue(const struct lqueue *lq)
{
	struct val *d = val_dict();

	if (d == NULL)
		return NULL;
	dict_set(d, "Module", val_string(lq->kind == QUEUE_LOCAL ? "LOCAL" :
	    "SMTP"));
	dict_set(d, "Name", val_string(lq->show));
	dict_setf(d, "Waiting", "%zu", lq->waiting);
	dict_setf(d, "Active", "%u", lq->flight);
	if (lq->delayed) {
		dict_setf(d, "DelayedFor", "%lld",
		    (long long)(lq->until - time(NULL)));
		dict_set(d, "Reason", val_string(lq->why == NULL ? "" :
		    lq->why));
	}
	return d;
}

/* ListQueues: one dictionary a logical queue. */
static unsigned int
list_queues(const struct val *args, struct val **data, const char **text)
{
	struct lqueue *lq;
	int n = 0;

	*data = val_array();
	RB_FOREACH(lq, lqtree, &lqueues)
		if (n++ < LISTED)
			val_append(*data, describe_queue(lq));
	return 200;
}

static struct val *
describe_rcpts(const struct msg *m)
{
	struct val *a = val_array(), *d;
	const struct rcpt *r;
	size_t i;

	for (i = 0; i < m->q.nrcpts && val_count(a) < 20; i++) {
		r = &m->rcpts[i];
		if (r->state == R_DONE)
			continue;
		d = val_dict();
		dict_set(d, "Address", val_string(r->q->addr));
		dict_set(d, "Module", val_string(r->lq == NULL ? "" :
		    r->lq->kind == QUEUE_LOCAL ? "LOCAL" : "SMTP"));
		dict_set(d, "Queue", val_string(r->lq == NULL ? "" :
		    r->lq->show));
		if (r->lq != NULL && r->lq->delayed && r->lq->why != NULL)
			dict_set(d, "Reason", val_string(r->lq->why));
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
	dict_set(d, "Recipients", describe_rcpts(m));
	return d;
}

/* ListQueueMessages [after id]: a page, in order. */
static unsigned int
list_messages(const struct val *args, struct val **data, const char **text)
{
	struct msg key = { .id = strtoull(arg_text(args, 0), NULL, 10) + 1 };
	struct msg *m;
	struct buf b;

	*data = val_array();
	buf_init(&b, 0);
	for (m = RB_NFIND(msgtree, &msgs, &key); m != NULL &&
	    val_count(*data) < LISTED; m = RB_NEXT(msgtree, &msgs, m)) {
		struct val *d;

		if (!m->loaded || m->removing)
			continue;
		d = describe_msg(m);
		val_write(&b, d, false);
		if (b.len > MAXDATA - 1000) {
			val_free(d);
			break;
		}
		val_append(*data, d);
	}
	buf_free(&b);
	return 200;
}

static unsigned int
queue_status(const struct val *args, struct val **data, const char **text)
{
	*data = val_dict();
	queue_status_dict(*data);
	return 200;
}

static unsigned int
reject(const struct val *args, struct val **data, const char **text)
{
	struct msg *m = msg_find(strtoull(arg_text(args, 0), NULL, 10));
	const char *why = arg_text(args, 1);
	size_t i;

	if (m == NULL || !m->loaded || m->removing) {
		*text = "there is no such message";
		return 512;
	}
	/* What stored has in hand is not ours to take back. */
	msg_pin(m);
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].state < R_FLIGHT)
			rcpt_finish(&m->rcpts[i], 'F', "5.7.0", *why == '\0' ?
			    "rejected by the administrator" : why);
	msg_unpin(m);
	return 200;
}

static unsigned int
release(const struct val *args, struct val **data, const char **text)
{
	struct lqueue *lq, *next;
	const char *name = arg_text(args, 0);
	bool all = strcmp(name, "*") == 0 || *name == '\0', any = all;

	RB_FOREACH_SAFE(lq, lqtree, &lqueues, next)
		if (all || strcasecmp(lq->show, name) == 0) {
			any = true;
			lqueue_release(lq);
		}
	if (any)
		return 200;
	*text = "there is no such queue";
	return 512;
}

/* Control characters would make two records of one. */
static unsigned int
write_log(const struct val *args, struct val **data, const char **text)
{
	const char *level = arg_text(args, 0), *record = arg_text(args, 1);
	struct buf b;

	if (*level < '1' || *level > '5' || level[1] != '\0') {
		*text = "a level is 1 to 5";
		return 501;
	}
	buf_init(&b, MAXRECORD);
	for (; *record != '\0' && b.len < MAXRECORD; record++)
		buf_putc(&b, (unsigned char)*record < ' ' ? ' ' : *record);
	log_always(*level - '0', "SYSTEM", "%s", b.len > 0 ? b.p : "");
	buf_free(&b);
	return 200;
}

static const struct verb {
	const char	*name;
	const char	*right;
	admin_fn	*run;
} verbs[] = {
	{ "ListQueues", "Monitors", list_queues },
	{ "ListQueueMessages", "Monitors", list_messages },
	{ "GetQueueStatus", "Monitors", queue_status },
	{ "RejectQueueMessage", "Settings", reject },
	{ "ReleaseQueue", "Settings", release },
	{ "ReleaseSMTPQueue", "Monitors", release },
	{ "WriteLog", "Monitors", write_log }
};

/* --- who may --- */

static void
run(struct request *r)
{
	const char *text = "OK";
	struct val *data = NULL;
	unsigned int code;

	code = r->verb->run(r->args, &data, &text);
	reply(r->ref, code, text, data);
	val_free(data);
}

static bool
may(const char *rights, const char *right)
{
	const char *err;
	struct val *v = val_parse_all(rights, strlen(rights), &err);
	bool ok = false;
	size_t i;

	if (v != NULL && val_type(v) == VAL_DICT)
		ok = dict_bool(v, "Master", false) ||
		    dict_bool(v, right, false);
	else if (v != NULL && val_type(v) == VAL_ARRAY)
		for (i = 0; i < val_count(v); i++) {
			const char *t = val_text(val_at(v, i));

			if (t != NULL && (strcasecmp(t, "Master") == 0 ||
			    strcasecmp(t, right) == 0))
				ok = true;
		}
	val_free(v);
	return ok;
}

static void
checked(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt == NULL ? NULL : pkt->m;
	struct request *r = arg;

	if (m == NULL)
		reply(r->ref, 501, "the accounts are not there now", NULL);
	else if (m->code != 0 || !may(m->rights, r->verb->right))
		reply(r->ref, 501, "not permitted", NULL);
	else
		run(r);
	val_free(r->args);
	free(r);
}

void
admin_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin *m = pkt->m;
	struct msg_ticket_check t = { .ticket = m->ticket };
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct request *r;
	const char *err;
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcasecmp(verbs[i].name, m->verb) == 0)
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0])) {
		reply(ref, 500, "unknown command", NULL);
		return;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL ||
	    (r->args = val_parse_all(m->args, strlen(m->args), &err)) == NULL) {
		free(r);
		reply(ref, 501, "bad arguments", NULL);
		return;
	}
	r->ref = ref;
	r->verb = &verbs[i];
	ipc_call(proc_peer(PROC_AUTHD), IPC_TICKET_CHECK, 0, &t, -1,
	    IPC_TIMEOUT, checked, r);
}
