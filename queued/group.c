/*
 * What is routed to the module LIST, a group or all accounts: the message is
 * copied and sent to the members (manual 21).  A thread reads who wrote it to
 * whom, routerd says who gets it, a thread writes the copies (group_copy.c);
 * they are durable before the group's own letter is set, and leave afterwards.
 * The copies' envelopes say of what they are copies, so that a crash in
 * between repeats nothing.  The loop's alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "group.h"
#include "log.h"

enum {
	MAXDEPTH = 16,			/* groups one behind another */
	UNDERWAY = 8
};

TAILQ_HEAD(expandlist, expand);
static struct expandlist waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned int underway;

static void	run(void);

static void
expand_free(struct expand *x)
{
	size_t i;

	for (i = 0; i < x->ncopies; i++)
		qfile_free(&x->copies[i].q);
	if (x->fd != -1)
		close(x->fd);
	val_free(x->header);
	free(x->copies);
	free(x->replyto);
	free(x->passed);
	free(x->name);
	free(x);
}

/* --- in the loop --- */

/* Later again, from the routing on. */
static void
give_up(struct expand *x)
{
	struct msg *m = x->msg;
	struct rcpt *r = x->rcpt;

	underway--;
	if (x->lost && r->state == R_EXPAND) {
		rcpt_state(r, R_NEW);
		msg_lost(m);
	} else if (r->state == R_EXPAND)
		route_again(r);
	expand_free(x);
	msg_unpin(m);
	run();
}

static void
take_in(struct copy *c)
{
	struct msg *d;

	if ((d = msg_new(c->id, NULL)) == NULL ||
	    msg_fill(d, &c->q, c->size) == -1) {
		msg_log(LOG_CRASH, c->id, "waits for the next start: "
		    "out of memory");
		if (d != NULL)
			msg_drop(d);
		return;
	}
	msg_log_in(d);
	msg_enqueue(d);
}

static void
copies_done(struct sreq *req)
{
	struct expand *x = (struct expand *)req;
	struct msg *m = x->msg;
	char text[96];
	size_t i;

	if (x->err != 0) {
		msg_log(LOG_CRASH, m->id, "cannot be sent to %s now: %s",
		    x->name, strerror(x->err));
		if (x->used > 0 && !x->marked)
			sync_retry(req);	/* the letter alone */
		else
			give_up(x);
		return;
	}
	underway--;
	for (i = 0; i < x->used; i++) {
		log_tag(LOG_MAJOR, "LIST", "[%" PRIu64 "] %s: sent on in [%"
		    PRIu64 "]", m->id, x->name, x->copies[i].id);
		take_in(&x->copies[i]);
	}
	x->rcpt->relayed = !x->final && x->count > 0;
	snprintf(text, sizeof(text), "sent to %u members of the group",
	    x->count);
	rcpt_finish(x->rcpt, 'D', "2.0.0", text);
	expand_free(x);
	msg_unpin(m);
	run();
}

/* Numbers for as many copies as there can be. */
static bool
number(struct expand *x)
{
	size_t i;

	x->ncopies = x->count / GROUP_MAXRCPTS + 1 +
	    (size_t)x->count * (QFILE_MAXVALUE + 128) / GROUP_MAXBYTES;
	if (x->count == 0)
		x->ncopies = 0;
	if ((x->copies = calloc(x->ncopies + 1, sizeof(*x->copies))) == NULL)
		return false;
	for (i = 0; i < x->ncopies; i++)
		if ((x->copies[i].id = tmp_id()) == 0)
			return false;
	return true;
}

static void
refused(struct expand *x, const struct msg_expanded *m)
{
	struct msg *msg = x->msg;

	underway--;
	rcpt_finish(x->rcpt, 'F', *m->esc == '5' ? m->esc : "5.2.4", m->text);
	expand_free(x);
	msg_unpin(msg);
	run();
}

static void
expanded(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_expanded *m = pkt != NULL ? pkt->m : NULL;
	struct expand *x = arg;

	if (m == NULL || m->code == 2) {
		give_up(x);
		return;
	}
	if (m->code != 0) {
		refused(x, m);
		return;
	}
	x->count = m->count;
	x->final = m->final;
	x->all = m->all;
	if (pkt->fd != -1)
		x->fd = fcntl(pkt->fd, F_DUPFD_CLOEXEC, 3);
	if ((x->replyto = strdup(m->replyto)) == NULL ||
	    (x->count > 0 && x->fd == -1) || !number(x)) {
		give_up(x);
		return;
	}
	x->req.work = group_copies_work;
	x->req.done = copies_done;
	sync_submit(&x->req);
}

static void
header_done(struct sreq *req)
{
	struct expand *x = (struct expand *)req;
	const struct qfile *q = &x->msg->q;
	struct msg_expand m = { .name = x->name, .sender = q->sender,
		.account = q->account != NULL ? q->account : "",
		.peer = q->peer, .trusted = x->msg->trusted };
	struct buf text;
	int fd = -1;

	if (x->err != 0) {
		give_up(x);
		return;
	}
	buf_init(&text, 0);
	if (val_write(&text, x->header, false))
		fd = file_memfd("header", text.p, text.len);
	buf_free(&text);
	val_free(x->header);
	x->header = NULL;
	if (fd == -1) {
		give_up(x);
		return;
	}
	ipc_call(proc_peer(PROC_ROUTERD), IPC_EXPAND, 0, &m, fd,
	    60 * 1000, expanded, x);
}

static void
run(void)
{
	struct expand *x;

	while (underway < UNDERWAY && (x = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, x, entry);
		underway++;
		sync_submit(&x->req);
	}
}

/* Is this name among those that the message went through? */
static bool
has_passed(const char *passed, const char *name, size_t *depth)
{
	struct cur c = cur_str(passed);
	struct str word;

	for (*depth = 0; cur_left(&c) > 0; (*depth)++) {
		word = cur_until(&c, " ");
		cur_skip(&c, 1);
		if (str_caseeq(word, name))
			return true;
	}
	return false;
}

int
group_expand(struct rcpt *r, const char *name)
{
	const char *passed = r->msg->q.passed;
	struct expand *x;
	size_t depth;

	if (has_passed(passed, name, &depth)) {
		r->relayed = true;
		rcpt_finish(r, 'D', "2.0.0", "the group has it already");
		return 0;
	}
	if (strlen(r->msg->q.sender) > QFILE_MAXVALUE) {	/* as EXPAND */
		rcpt_finish(r, 'F', "5.1.7", "the return-path is too long");
		return 0;
	}
	if (depth >= MAXDEPTH ||
	    strlen(passed) + strlen(name) + 1 > QFILE_MAXVALUE) {
		rcpt_finish(r, 'F', "5.4.6", "too many groups one behind "
		    "another");
		return 0;
	}
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return -1;
	x->fd = -1;
	x->req.work = group_header_work;
	x->req.done = header_done;
	x->msg = r->msg;
	x->rcpt = r;
	x->of = r->msg->id;
	x->dir = r->msg->dir;
	x->offset = r->msg->q.body;
	x->length = r->msg->size;
	x->name = strdup(name);
	x->passed = xasprintf("%s%s%s", passed, *passed != '\0' ? " " : "",
	    name);
	if (x->name == NULL) {
		expand_free(x);
		return -1;
	}
	rcpt_state(r, R_EXPAND);
	msg_pin(r->msg);
	TAILQ_INSERT_TAIL(&waiting, x, entry);
	run();
	return 0;
}

/* --- at the start: copies that are there --- */

struct mark {
	struct sreq	 req;
	struct msg	*copy, *msg;
	struct rcpt	*rcpt;
	uint64_t	 of;
	const char	*dir;
	size_t		 at;
	int		 err;
};

/* The recipient of which this is a copy, and what it says of itself. */
static struct rcpt *
original(const struct msg *d, char *letter)
{
	struct cur c = cur_str(d->q.about_rcpts);
	struct msg *m = msg_find(d->q.about);
	uint64_t n;

	if (m == NULL || !m->loaded || !cur_u64(&c, &n, UINT32_MAX) ||
	    n >= m->q.nrcpts)
		return NULL;
	*letter = cur_get(&c);
	return &m->rcpts[n];
}

static void
mark_work(struct sreq *r)
{
	struct mark *k = (struct mark *)r;

	k->err = disk_letter(k->dir, k->of, k->at, 'D') == -1 ? errno : 0;
}

static void
mark_done(struct sreq *req)
{
	struct mark *k = (struct mark *)req;

	if (k->err != 0 && k->err != ENOENT) {
		sync_retry(req);
		return;
	}
	k->copy->held = false;
	msg_enqueue(k->copy);
	k->rcpt->state = R_DONE;
	msg_check(k->msg);
	msg_unpin(k->copy);
	msg_unpin(k->msg);
	free(k);
}

void
group_found(struct msg *d)
{
	struct mark *k;
	struct rcpt *r;
	char letter;

	if ((r = original(d, &letter)) == NULL || letter != 'G' ||
	    r->state != R_NEW || (k = calloc(1, sizeof(*k))) == NULL)
		return;
	k->req.work = mark_work;
	k->req.done = mark_done;
	k->copy = d;
	k->rcpt = r;
	k->msg = r->msg;
	k->of = r->msg->id;
	k->dir = r->msg->dir;
	k->at = r->q->at;
	d->held = true;
	r->letter = 'D';
	rcpt_state(r, R_FINAL);
	msg_pin(d);
	msg_pin(r->msg);
	sync_submit(&k->req);
}

/* The others were not there yet when we died: all will be made anew. */
void
group_orphan(struct msg *d)
{
	struct rcpt *r;
	char letter;
	size_t i;

	if ((r = original(d, &letter)) == NULL || letter != 'P' ||
	    r->state != R_NEW)
		return;
	msg_log(LOG_MAJOR, d->id, "a part of what is sent to a group, "
	    "dropped: it is made anew");
	for (i = 0; i < d->q.nrcpts; i++) {
		d->rcpts[i].letter = 'D';
		if (d->rcpts[i].state == R_NEW)
			rcpt_state(&d->rcpts[i], R_FINAL);
	}
}
