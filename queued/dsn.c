/*
 * The dequeuer's reports: which recipients get one, and how a report becomes
 * a message of its own.  A thread writes it, makes it durable, and only then
 * sets the letters of those it reports (or removes the file, if they were
 * the last).  The report's envelope names them, so that a crash in between
 * does not make a second one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsn.h"
#include "file.h"
#include "log.h"

enum {
	CHUNK = 64 * 1024,
	MAXHEADER = 256 * 1024,		/* bytes of it that are returned */
	AGAIN = 3,			/* seconds until it is tried again */
	MOST = 120	/* recipients of one report: its d line has an end */
};

struct letter {
	struct rcpt	*rcpt;
	size_t		 at;
	char		 letter;
};

struct report {
	struct sreq	 req;
	struct msg	*msg;		/* whose recipients it is about */
	struct msg	*dsn;		/* found at start, or NULL */
	uint64_t	 id;		/* the report's own */
	struct dsn_text	 text;
	/* of the message, for the thread */
	uint64_t	 of;
	const char	*dir;
	uint64_t	 offset, length;
	struct letter	*letters;
	size_t		 nletters;
	bool		 remove;
	/* how it went */
	bool		 durable;
	bool		 lost;		/* the message's file is not there */
	struct qfile	 q;
	uint64_t	 size;
	int		 err;
};

static const char *
copy_to(void)
{
	const char *copy = queue_text("CopyReports");

	return copy == NULL || strlen(copy) > QFILE_MAXVALUE ? "" : copy;
}

/* It was asked for, or (manual 57) a field asks for it. */
static bool
success_wanted(const struct rcpt *r)
{
	unsigned int notify = r->q->notify;

	if (r->relayed || *dsn_to(r->msg) == '\0')
		return false;
	if (notify & QN_SUCCESS)
		return !r->passed;
	return r->boxed && r->msg->q.receipt && !(notify & QN_NEVER);
}

bool
dsn_wanted(const struct rcpt *r)
{
	const char *sender = r->msg->q.sender;
	unsigned int notify = r->q->notify;

	if (r->letter == 'D')
		return success_wanted(r);
	if (*dsn_to(r->msg) != '\0')
		return (notify & QN_FAILURE) != 0;
	if ((notify & QN_FAILURE) && *copy_to() != '\0' &&
	    strcmp(r->msg->q.tag, "DSN") != 0)
		return true;		/* but no report about a report */
	log_tag(LOG_MAJOR, "DEQUEUER", "[%" PRIu64 "] no report: the "
	    "return-path is <%s>", r->msg->id, sender);
	return false;
}

/* --- in a thread --- */

static int
puts_out(struct disk_out *o, const char *s)
{
	return disk_put(o, s, strlen(s));
}

/* What comes back of the message. */
struct returned {
	uint64_t	 length;
	bool		 header8;	/* more than ASCII in its header */
	bool		 high;		/* or anywhere */
};

static int
measure(int fd, struct report *p, char *buf, struct returned *r)
{
	uint64_t at = 0, end = p->length, i;
	bool header = true;
	ssize_t got;
	char last = '\n';

	if (p->text.what == DSN_HEADERS && end > MAXHEADER)
		end = MAXHEADER;
	memset(r, 0, sizeof(*r));
	r->length = end;
	while (at < end) {
		got = file_pread(fd, buf, end - at < CHUNK ? end - at : CHUNK,
		    p->offset + at);
		if (got <= 0)
			return -1;
		for (i = 0; i < (uint64_t)got; i++) {
			if (header && buf[i] == '\n' && last == '\n') {
				header = false;
				if (p->text.what == DSN_HEADERS) {
					r->length = at + i;
					return 0;
				}
			}
			last = buf[i];
			if ((unsigned char)last >= 0x80) {
				r->high = true;
				r->header8 |= header;
			}
		}
		at += got;
	}
	return 0;
}

static const char *
type_of(const struct report *p, const struct returned *r)
{
	static const char *const types[2][2] = {
		[DSN_HEADERS] = { "text/rfc822-headers",
		    "message/global-headers" },
		[DSN_MESSAGE] = { "message/rfc822", "message/global" }
	};

	return types[p->text.what][p->text.utf8 && r->header8];
}

static int
put_message(struct disk_out *o, int fd, struct report *p, char *buf)
{
	static const char mark[] = "Content-Transfer-Encoding: 8bit\n";
	struct returned r;
	uint64_t at;
	ssize_t got;

	if (measure(fd, p, buf, &r) == -1 ||
	    disk_put(o, p->text.head.p + p->text.body,
	    p->text.head.len - p->text.body) == -1 ||
	    ((r.high || p->text.eightbit) && puts_out(o, mark) == -1) ||
	    disk_put(o, p->text.parts.p, p->text.parts.len) == -1 ||
	    puts_out(o, type_of(p, &r)) == -1 || puts_out(o, "\n") == -1 ||
	    (r.high && puts_out(o, mark) == -1) || puts_out(o, "\n") == -1)
		return -1;
	for (at = 0; at < r.length; at += got) {
		got = file_pread(fd, buf, r.length - at < CHUNK ?
		    r.length - at : CHUNK, p->offset + at);
		if (got <= 0 || disk_put(o, buf, got) == -1)
			return -1;
	}
	if (puts_out(o, "\n--") == -1 || puts_out(o, p->text.boundary) == -1)
		return -1;
	return puts_out(o, "--\n");
}

static int
write_report(struct report *p, int fd, int from)
{
	struct disk_out o = { .fd = fd, .at = p->text.body };
	char *buf = malloc(CHUNK), z[QFILE_ZLEN + 1];
	const char *why;
	int rc;

	if (buf == NULL)
		return -1;
	rc = put_message(&o, from, p, buf);
	free(buf);
	if (rc == -1 || qfile_parse(&p->q, p->text.head.p, p->text.body,
	    &why) != 0)
		return -1;
	qfile_z(z, o.len, o.crc);
	memcpy(p->text.head.p + p->q.zat, z, QFILE_ZLEN);
	p->size = o.len;
	if (file_pwrite(fd, p->text.head.p, p->text.body, 0) == -1 ||
	    special_utf8(&p->q, fd, p->size) == -1)
		return -1;
	return disk_publish(fd, p->id);
}

static int
make_report(struct report *p)
{
	char name[NAME_LEN];
	int fd, from, rc = -1;

	if ((from = disk_open(p->dir, p->of, "msg")) == -1) {
		p->lost = errno == ENOENT;
		return -1;
	}
	disk_name(name, NULL, p->id, "tmp");
	fd = openat(disk.queue, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd != -1) {
		if ((rc = write_report(p, fd, from)) == -1) {
			p->err = errno;
			disk_unlink(NULL, p->id, "tmp");
			errno = p->err;
		}
		close(fd);
	}
	p->err = errno;
	close(from);
	errno = p->err;
	return rc;
}

static int
set_letters(struct report *p)
{
	size_t i;

	if (p->remove)
		return disk_unlink(p->dir, p->of, "msg");
	for (i = 0; i < p->nletters; i++)
		if (disk_letter(p->dir, p->of, p->letters[i].at,
		    p->letters[i].letter) == -1)
			return -1;
	return 0;
}

static void
report_work(struct sreq *r)
{
	struct report *p = (struct report *)r;

	errno = p->err = 0;
	if (!p->durable)
		p->durable = make_report(p) == 0;
	/* errno may be anything where all went well. */
	if (p->durable && set_letters(p) == 0) {
		p->err = 0;
		return;
	}
	p->err = errno == 0 ? EIO : errno;
}

/* --- in the loop --- */

static void
report_free(struct report *p)
{
	dsn_text_free(&p->text);
	qfile_free(&p->q);
	free(p->letters);
	free(p);
}

/* The report is a message like any other now. */
static void
take_in(struct report *p)
{
	struct msg *d;

	if ((d = p->dsn) == NULL) {
		if ((d = msg_new(p->id, NULL)) == NULL ||
		    msg_fill(d, &p->q, p->size) == -1) {
			msg_log(LOG_CRASH, p->id, "waits for the next start: "
			    "out of memory");
			return;
		}
		msg_log_in(d);
	}
	d->held = false;
	msg_enqueue(d);
}

static void
settle(struct report *p)
{
	struct msg *m = p->msg;
	size_t i;

	for (i = 0; i < p->nletters; i++) {
		struct rcpt *r = p->letters[i].rcpt;

		r->reporting = false;
		rcpt_state(r, R_DONE);
		msg_ack(r);
	}
	m->dsn = false;
	if (p->remove)
		msg_gone(m);
	else
		msg_check(m);
	msg_unpin(m);
}

/* Nothing is written yet: for now, or for good. */
static void
give_up(struct report *p)
{
	struct msg *m = p->msg;
	size_t i;

	for (i = 0; i < p->nletters; i++)
		p->letters[i].rcpt->reporting = false;
	m->dsn = m->removing = false;
	if (p->lost)
		msg_lost(m);
	else
		msg_report_later(m, AGAIN);
	msg_unpin(m);
	report_free(p);
}

static void
report_done(struct sreq *req)
{
	struct report *p = (struct report *)req;
	struct msg *m = p->msg;

	if (p->err != 0) {
		msg_log(LOG_CRASH, m->id, "cannot be reported: %s",
		    strerror(p->err));
		if (p->durable)
			sync_retry(req);	/* the letters alone */
		else
			give_up(p);
		return;
	}
	if (p->dsn == NULL)
		log_tag(LOG_MAJOR, "DEQUEUER", "[%" PRIu64 "] reported in [%"
		    PRIu64 "]", m->id, p->id);
	take_in(p);
	settle(p);
	report_free(p);
}

static struct report *
report_new(struct msg *m)
{
	struct report *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	if ((p->letters = calloc(m->q.nrcpts, sizeof(*p->letters))) == NULL) {
		free(p);
		return NULL;
	}
	p->req.work = report_work;
	p->req.done = report_done;
	p->msg = m;
	p->of = m->id;
	p->dir = m->dir;
	p->offset = m->q.body;
	p->length = m->size;
	return p;
}

static void
report_add(struct report *p, struct rcpt *r)
{
	struct letter *l = &p->letters[p->nletters++];

	l->rcpt = r;
	l->at = r->q->at;
	l->letter = r->letter;
	r->reporting = true;
}

static void
report_start(struct report *p)
{
	p->msg->dsn = true;
	msg_pin(p->msg);
	sync_submit(&p->req);
}

void
dsn_make(struct msg *m)
{
	uint64_t id;
	struct report *p;
	size_t i;

	if (m->dsn || m->removing || m->reports == 0)
		return;
	if (m->found && load_waits()) {
		msg_report_later(m, AGAIN);
		return;
	}
	if ((id = tmp_id()) == 0 || (p = report_new(m)) == NULL) {
		msg_report_later(m, AGAIN);
		return;
	}
	for (i = 0; i < m->q.nrcpts && p->nletters < MOST; i++)
		if (m->rcpts[i].state == R_REPORT)
			report_add(p, &m->rcpts[i]);
	p->id = id;
	if (!dsn_compose(&p->text, m, id, copy_to())) {
		report_free(p);
		msg_report_later(m, AGAIN);
		return;
	}
	p->remove = m->removing = m->left == 0 &&
	    m->reports == p->nletters;
	report_start(p);
}

/* Who said what he wants to hear of hears of nothing else. */
static bool
warning_wanted(const struct rcpt *r)
{
	return !r->warned && *dsn_to(r->msg) != '\0' &&
	    (r->q->notify == QN_DEFAULT || (r->q->notify & QN_DELAY) != 0);
}

/* It waits as that one does, and is as old: one report tells of both. */
static bool
waits_too(const struct rcpt *o, const struct rcpt *r)
{
	return o->lq != NULL && r->lq != NULL && warning_wanted(o) &&
	    o->lq->kind == r->lq->kind && (o->state == R_LATER ||
	    (o->state == R_WAIT && (o->lq == r->lq || o->lq->delayed)));
}

static const char *
why_waits(const struct rcpt *o, const struct rcpt *r, const char *text)
{
	if (o->state == R_LATER && o->text != NULL)
		return o->text;
	return o->lq != r->lq && o->lq->why != NULL ? o->lq->why : text;
}

static bool
warn_compose(struct report *p, const struct rcpt *r, const char *esc,
    const char *text, int64_t until)
{
	struct msg *m = r->msg;
	struct rcpt *o, *before;
	bool ok;
	size_t i, bytes = m->q.nrcpts * sizeof(*before);

	if ((p->id = tmp_id()) == 0 || (before = malloc(bytes)) == NULL)
		return false;
	memcpy(before, m->rcpts, bytes);
	for (i = 0; i < m->q.nrcpts; i++) {
		o = &m->rcpts[i];
		if (o != r && !waits_too(o, r))
			continue;
		o->reporting = true;
		o->letter = 'W';
		o->until = until;
		o->esc = strdup(esc);
		o->text = strdup(o == r ? text :
		    why_waits(&before[i], r, text));
	}
	ok = dsn_compose(&p->text, m, p->id, "");
	for (i = 0; i < m->q.nrcpts; i++) {
		o = &m->rcpts[i];
		if (!o->reporting)
			continue;
		free(o->esc);
		free(o->text);
		*o = before[i];
		o->warned = ok;
	}
	free(before);
	return ok;
}

void
dsn_warn(struct rcpt *r, const char *esc, const char *text, int64_t until)
{
	struct msg *m = r->msg;
	struct report *p;

	if (!warning_wanted(r) || m->dsn || m->removing ||
	    (p = report_new(m)) == NULL)
		return;
	if (warn_compose(p, r, esc, text, until))
		report_start(p);
	else
		report_free(p);
}

/* It was reported in an earlier life; so it waits for nothing any more. */
static bool
is_open(struct rcpt *r)
{
	if (r->state == R_FLIGHT)
		return r->lq == NULL;	/* else its result is to come */
	if (r->state >= R_EXPAND && (r->state != R_REPORT || r->reporting))
		return false;
	route_forget(r);
	if (r->lq != NULL)
		lqueue_remove(r);
	return true;
}

static void
found_rcpts(struct report *p, struct msg *m, const char *list)
{
	struct cur c = cur_str(list);
	struct rcpt *r;
	uint64_t n;
	int letter;

	while (cur_u64(&c, &n, UINT32_MAX) && n < m->q.nrcpts) {
		r = &m->rcpts[n];
		letter = cur_get(&c);
		if ((letter == 'F' || letter == 'D') && is_open(r)) {
			r->letter = letter;
			rcpt_state(r, R_FINAL);
			report_add(p, r);
		}
		if (!cur_lit(&c, ","))
			break;
	}
}

void
dsn_found(struct msg *d)
{
	struct msg *m = msg_find(d->q.about);
	struct report *p;

	if (m == NULL || !m->loaded || m->removing || m->dsn ||
	    (p = report_new(m)) == NULL)
		return;
	found_rcpts(p, m, d->q.about_rcpts);
	if (p->nletters == 0) {
		report_free(p);
		return;
	}
	p->dsn = d;
	p->id = d->id;
	p->durable = true;
	d->held = true;
	p->remove = m->removing = m->left == 0 && m->reports == 0;
	report_start(p);
}
