/*
 * What is routed to the module LIST, a group or all accounts: the message is
 * copied and sent to the members (manual 21).  A thread reads who wrote it to
 * whom, routerd says who gets it, a thread writes the copies; they are
 * durable before the group's own letter is set, and leave afterwards.  The
 * copies' envelopes say of what they are copies, so that a crash in between
 * repeats nothing.  Must never change a field of the message.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "file.h"
#include "log.h"
#include "queued.h"
#include "rfc5322.h"

enum {
	MAXRCPTS = 25000,		/* of one copy */
	MAXBYTES = 8 * 1024 * 1024,	/* of its envelope */
	MAXLIST = 256 * 1024 * 1024,	/* what routerd may say */
	MAXDEPTH = 16,			/* groups one behind another */
	MAXADDRS = 4000,		/* of the header that are looked at */
	CHUNK = 64 * 1024,
	UNDERWAY = 8
};

struct copy {
	uint64_t	 id;
	struct qfile	 q;
	uint64_t	 size;
	bool		 durable;
};

struct expand {
	struct sreq	 req;
	TAILQ_ENTRY(expand) entry;
	struct msg	*msg;
	struct rcpt	*rcpt;
	char		*name;		/* group[@domain] */
	struct val	*header;	/* who wrote it, to whom */
	/* of the message, for the threads */
	uint64_t	 of;
	const char	*dir;
	uint64_t	 offset, length;
	/* routerd's answer */
	int		 fd;
	uint32_t	 count;
	char		*replyto;
	bool		 final, all;
	/* the copies */
	struct copy	*copies;
	size_t		 ncopies, used;
	char		*passed;	/* groups it went through, this one too */
	bool		 marked;	/* the group's letter is set */
	bool		 lost;
	int		 err;
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

/* --- in a thread: the header --- */

static void
add_address(struct str addr, struct str name, void *arg)
{
	struct val *list = arg;

	if (addr.len > 0 && addr.len <= ADDR_MAX &&
	    val_count(list) < MAXADDRS)
		val_append(list, val_bytes(addr.p, addr.len));
}

static void
read_fields(struct expand *x, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	struct val *author = val_array(), *to = val_array();
	struct field f;
	struct buf b;

	buf_init(&b, 0);
	while (field_next(&c, &f)) {
		struct val *list = str_caseeq(f.name, "From") ? author :
		    str_caseeq(f.name, "To") || str_caseeq(f.name, "Cc") ?
		    to : NULL;

		if (list == NULL)
			continue;
		buf_reset(&b);
		if (field_unfold(&b, f.body))
			addr_list((struct str){ b.p, b.len }, add_address,
			    list);
	}
	buf_free(&b);
	x->header = val_dict();
	dict_set(x->header, "Author", author);
	dict_set(x->header, "To", to);
}

static void
header_work(struct sreq *r)
{
	struct expand *x = (struct expand *)r;
	uint64_t len = x->length < RFC5322_MAXHEADER ? x->length :
						       RFC5322_MAXHEADER;
	ssize_t n = -1;
	char *text;
	int fd;

	x->err = 0;
	if ((fd = disk_open(x->dir, x->of, "msg")) == -1) {
		x->err = errno;
		x->lost = errno == ENOENT;
		return;
	}
	if ((text = malloc(len + 1)) != NULL)
		n = file_pread(fd, text, len, x->offset);
	if (n == -1)
		x->err = errno == 0 ? ENOMEM : errno;
	else
		read_fields(x, (struct str){ text,
		    header_end((struct str){ text, n }) });
	free(text);
	close(fd);
}

/* --- in a thread: the copies --- */

/* Its own Reply-To would lead away from the group. */
static int
put_header(struct disk_out *o, const struct expand *x, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	const char *from = header.p;
	struct field f;

	if (disk_put(o, "Reply-To: ", 10) == -1 ||
	    disk_put(o, x->replyto, strlen(x->replyto)) == -1 ||
	    disk_put(o, "\n", 1) == -1)
		return -1;
	while (field_next(&c, &f)) {
		if (!str_caseeq(f.name, "Reply-To"))
			continue;
		if (disk_put(o, from, f.whole.p - from) == -1)
			return -1;
		from = f.whole.p + f.whole.len;
	}
	return disk_put(o, from, header.p + header.len - from);
}

static int
copy_message(struct disk_out *o, const struct expand *x, int from)
{
	uint64_t at = 0;
	size_t room = *x->replyto != '\0' ? RFC5322_MAXHEADER : CHUNK;
	char *buf = malloc(room);
	ssize_t n = -1;

	if (buf == NULL)
		return -1;
	if (*x->replyto != '\0' && (n = file_pread(from, buf,
	    x->length < room ? x->length : room, x->offset)) != -1) {
		at = header_end((struct str){ buf, n });
		n = put_header(o, x, (struct str){ buf, at });
	} else if (*x->replyto == '\0')
		n = 0;
	while (n != -1 && at < x->length) {
		n = file_pread(from, buf, x->length - at < CHUNK ?
		    x->length - at : CHUNK, x->offset + at);
		if (n == 0) {
			errno = EIO;
			n = -1;
		}
		if (n == -1 || disk_put(o, buf, n) == -1) {
			n = -1;
			break;
		}
		at += n;
	}
	free(buf);
	return n == -1 ? -1 : 0;
}

/* As many of the list's lines as one copy takes. */
static bool
put_rcpts(struct buf *b, const struct expand *x, struct cur *list,
    int64_t now)
{
	const struct qfile_rcpt *q = x->rcpt->q;
	unsigned int notify = x->final ? QN_NEVER : q->notify;
	char addr[QFILE_MAXVALUE + 1];
	struct str line;
	size_t n;

	for (n = 0; n < MAXRCPTS && b->len < MAXBYTES &&
	    cur_line(list, &line);) {
		if (!str_copy(line, addr, sizeof(addr)))
			continue;
		if (!qfile_rcpt(b, now, addr, notify,
		    x->final ? NULL : q->orcpt))
			return false;
		n++;
	}
	return n > 0;
}

static bool
envelope(struct buf *b, const struct expand *x, struct cur *list)
{
	const struct qfile *q = &x->msg->q;
	char options[4] = "T", which[32];
	int64_t now = time(NULL);
	struct cur ahead;
	struct buf rcpts;
	bool ok;

	if (strchr(q->options, '8') != NULL)
		strcat(options, "8");
	if (x->all)
		strcat(options, "A");
	buf_init(&rcpts, 0);
	ok = put_rcpts(&rcpts, x, list, now);
	ahead = *list;
	snprintf(which, sizeof(which), "%zu%c",
	    (size_t)(x->rcpt - x->msg->rcpts),
	    cur_left(&ahead) == 0 ? 'G' : 'P');
	ok = ok && qfile_from(b, now, q->sender, q->ret, q->envid) &&
	    qfile_about(b, x->of, which) && qfile_passed(b, x->passed) &&
	    qfile_options(b, options) &&
	    qfile_source(b, q->account, "LIST", q->peer) &&
	    qfile_local(b, q->local) && buf_add(b, rcpts.p, rcpts.len) &&
	    qfile_end(b) && !b->failed;
	buf_free(&rcpts);
	return ok;
}

static int
write_copy(struct expand *x, struct copy *c, struct buf *env, int from, int fd)
{
	struct disk_out o = { .fd = fd, .at = env->len };
	char z[QFILE_ZLEN + 1];
	const char *why;

	qfile_free(&c->q);
	if (qfile_parse(&c->q, env->p, env->len, &why) != 0 ||
	    copy_message(&o, x, from) == -1)
		return -1;
	qfile_z(z, o.len, o.crc);
	memcpy(env->p + c->q.zat, z, QFILE_ZLEN);
	c->size = o.len;
	if (file_pwrite(fd, env->p, env->len, 0) == -1)
		return -1;
	return disk_publish(fd, c->id);
}

static int
make_copy(struct expand *x, struct copy *c, struct cur *list, int from)
{
	char name[NAME_LEN];
	struct buf env;
	int fd, rc = -1;

	buf_init(&env, QFILE_MAXENVELOPE);
	disk_name(name, NULL, c->id, "tmp");
	if (!envelope(&env, x, list)) {
		buf_free(&env);
		errno = EMSGSIZE;
		return -1;
	}
	fd = openat(disk.queue, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd != -1 && (rc = write_copy(x, c, &env, from, fd)) == -1) {
		int saved = errno;

		disk_unlink(NULL, c->id, "tmp");
		errno = saved;
	}
	if (fd != -1)
		close(fd);
	buf_free(&env);
	c->durable = rc == 0;
	return rc;
}

static void
undo(struct expand *x)
{
	size_t i;

	for (i = 0; i < x->used; i++)
		if (x->copies[i].durable &&
		    disk_unlink(NULL, x->copies[i].id, "msg") == 0)
			x->copies[i].durable = false;
	x->used = 0;
}

/* The last one's envelope says that it is the last. */
static int
make_copies(struct expand *x)
{
	struct cur list;
	size_t len;
	char *text;
	int from, rc = 0;

	if (x->count == 0)
		return 0;
	if ((text = file_read_fd(x->fd, MAXLIST, &len)) == NULL)
		return -1;
	if ((from = disk_open(x->dir, x->of, "msg")) == -1) {
		x->lost = errno == ENOENT;
		free(text);
		return -1;
	}
	list = cur_make(text, len);
	while (rc == 0 && cur_left(&list) > 0) {
		errno = E2BIG;
		rc = x->used == x->ncopies ? -1 : make_copy(x,
		    &x->copies[x->used], &list, from);
		if (rc == 0)
			x->used++;
	}
	if (rc == -1) {
		int saved = errno;

		undo(x);
		errno = saved;
	}
	close(from);
	free(text);
	return rc;
}

static void
copies_work(struct sreq *r)
{
	struct expand *x = (struct expand *)r;

	x->err = 0;
	if (x->used == 0 && make_copies(x) == -1) {
		x->err = errno;
		return;
	}
	if (disk_letter(x->dir, x->of, x->rcpt->q->at, 'D') == -1)
		x->err = errno;
	else
		x->marked = true;
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

	x->ncopies = x->count / MAXRCPTS + 1 +
	    (size_t)x->count * (QFILE_MAXVALUE + 128) / MAXBYTES;
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
	x->req.work = copies_work;
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
	if (depth >= MAXDEPTH ||
	    strlen(passed) + strlen(name) + 1 > QFILE_MAXVALUE) {
		rcpt_finish(r, 'F', "5.4.6", "too many groups one behind "
		    "another");
		return 0;
	}
	if ((x = calloc(1, sizeof(*x))) == NULL)
		return -1;
	x->fd = -1;
	x->req.work = header_work;
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
