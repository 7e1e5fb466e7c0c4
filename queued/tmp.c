/*
 * Numbers of messages, and the files that wait to be written.  Numbers
 * ascend and are never given twice, over restarts too: Queue/.nextid holds a
 * bound that is durable before a number below it is used.  Files are made
 * ahead, by threads, so that a front at DATA does not wait for the disk; and
 * files whose message is gone are used again, which spares the file system
 * much work.  Must never give anyone a file that somebody else has open.
 */
#include <sys/statvfs.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "queued.h"

enum {
	READY = 64,		/* files made ahead */
	READY_MAX = 192,	/* with those that are used again */
	BATCH = 8,		/* made by one thread in one go */
	HANDED = 8192,		/* with writers, at most */
	BLOCK = 200000		/* numbers a bound reserves */
};
#define BOUND_FILE	".nextid"

struct tmp {
	TAILQ_ENTRY(tmp) entry;
	RB_ENTRY(tmp)	 tree;
	uint64_t	 id;
	int		 fd;
	struct ipc	*ipc;		/* who has it */
};
TAILQ_HEAD(tmplist, tmp);
RB_HEAD(tmptree, tmp);

struct want {
	STAILQ_ENTRY(want) entry;
	struct ipc_ref	 ref;
	struct ipc	*ipc;
};

/* A thread's: BATCH files. */
struct make {
	struct sreq	 req;
	uint64_t	 id[BATCH];
	int		 fd[BATCH];
	int		 err;
};

struct bound {
	struct sreq	 req;
	uint64_t	 value;
	int		 err;
};

struct unlinking {
	struct sreq	 req;
	uint64_t	 id;
};

static struct {
	uint64_t	 next, bound;
	bool		 bounding;
	size_t		 making;	/* files under way */
	size_t		 reusing;
	size_t		 ready, handed;
	struct tmplist	 files;
	struct tmptree	 out;
	STAILQ_HEAD(, want) wants;
	size_t		 waiting;
	bool		 space;
	struct event	*tick;
} t = {
	.next = 1,
	.files = TAILQ_HEAD_INITIALIZER(t.files),
	.out = RB_INITIALIZER(&t.out),
	.wants = STAILQ_HEAD_INITIALIZER(t.wants),
	.space = true
};

static void	fill(void);
static void	serve_wants(const char *);

static int
tmp_cmp(const struct tmp *a, const struct tmp *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
RB_PROTOTYPE(tmptree, tmp, tree, tmp_cmp)
RB_GENERATE(tmptree, tmp, tree, tmp_cmp)

/* --- numbers --- */

void
tmp_seen(uint64_t id)
{
	if (id >= t.next)
		t.next = id + 1;
}

static void
bound_work(struct sreq *r)
{
	struct bound *b = (struct bound *)r;
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", b->value);
	b->err = file_replace(disk.queue, BOUND_FILE, 0600, text,
	    strlen(text)) == -1 ? errno : 0;
}

static void
bound_done(struct sreq *r)
{
	struct bound *b = (struct bound *)r;

	if (b->err != 0) {
		errno = b->err;
		log_warn("Queue/%s", BOUND_FILE);
		sync_retry(r);
		if (t.next >= t.bound)
			serve_wants("cannot write in the queue");
		return;
	}
	t.bound = b->value;
	t.bounding = false;
	free(b);
	fill();
}

static void
bound_more(void)
{
	struct bound *b;

	if (t.bounding || t.next + BLOCK / 2 < t.bound ||
	    (b = calloc(1, sizeof(*b))) == NULL)
		return;
	t.bounding = true;
	b->req.work = bound_work;
	b->req.done = bound_done;
	b->value = (t.bound > t.next ? t.bound : t.next) + BLOCK;
	sync_submit(&b->req);
}

uint64_t
tmp_id(void)
{
	uint64_t id = t.next < t.bound ? t.next++ : 0;

	bound_more();
	return id;
}

/* A queue that has no bound yet begins at the clock. */
void
tmp_init(void)
{
	char *text;
	size_t len;
	struct cur c;
	uint64_t n = 0;

	if ((text = file_read(disk.queue, BOUND_FILE, 32, &len)) != NULL) {
		c = cur_make(text, len);
		if (!cur_u64(&c, &n, INT64_MAX))
			n = 0;
		free(text);
	} else if (errno != ENOENT)
		fatal("Queue/%s", BOUND_FILE);	/* a number twice is mail lost */
	if (n == 0)
		n = time(NULL);
	tmp_seen(n - 1);
}

/* --- files --- */

static void
make_work(struct sreq *r)
{
	struct make *m = (struct make *)r;
	char name[NAME_LEN];
	int i;

	for (i = 0; i < BATCH && m->id[i] != 0; i++) {
		disk_name(name, NULL, m->id[i], "tmp");
		m->fd[i] = disk_create(name);
		if (m->fd[i] == -1) {
			m->err = errno;
			break;
		}
	}
}

static void
answer(struct ipc_ref ref, uint8_t code, struct tmp *f, const char *text)
{
	struct msg_queue_file m = { .code = code, .text = text };

	if (f != NULL)
		m.id = f->id;
	ipc_answer(ref, IPC_QUEUE_FILE, &m, f == NULL ? -1 : f->fd);
}

static struct tmp *
take_ready(struct ipc *ipc)
{
	struct tmp *f = TAILQ_FIRST(&t.files);

	TAILQ_REMOVE(&t.files, f, entry);
	t.ready--;
	f->ipc = ipc;
	RB_INSERT(tmptree, &t.out, f);
	t.handed++;
	return f;
}

static void
hand_out(struct ipc *ipc, struct ipc_ref ref)
{
	struct tmp *f = take_ready(ipc);

	answer(ref, 0, f, "");
	f->fd = -1;
}

int
tmp_more(struct ipc *ipc, uint64_t *id)
{
	struct tmp *f;
	int fd;

	if (!t.space || t.handed + t.waiting >= HANDED || t.waiting > 0 ||
	    t.ready == 0 || queue_stopping())
		return -1;
	f = take_ready(ipc);
	fd = f->fd;
	f->fd = -1;
	*id = f->id;
	fill();
	return fd;
}

static void
serve_wants(const char *trouble)
{
	struct want *w;

	while ((w = STAILQ_FIRST(&t.wants)) != NULL) {
		if (t.ready == 0 && trouble == NULL)
			return;
		STAILQ_REMOVE_HEAD(&t.wants, entry);
		t.waiting--;
		if (t.ready > 0)
			hand_out(w->ipc, w->ref);
		else
			answer(w->ref, 2, NULL, trouble);
		free(w);
	}
}

static void
add_ready(uint64_t id, int fd)
{
	struct tmp *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		close(fd);
		tmp_discard(id);
		return;
	}
	f->id = id;
	f->fd = fd;
	TAILQ_INSERT_TAIL(&t.files, f, entry);
	t.ready++;
}

static void
make_done(struct sreq *r)
{
	struct make *m = (struct make *)r;
	const char *trouble = NULL;
	int i;

	t.making -= BATCH;
	for (i = 0; i < BATCH && m->fd[i] != -1; i++)
		add_ready(m->id[i], m->fd[i]);
	if (m->err != 0) {
		errno = m->err;
		log_warn("cannot make a file in Queue");
		trouble = "cannot make a file in the queue";
	}
	free(m);
	serve_wants(trouble);
	if (trouble == NULL)
		fill();
}

static bool
make_batch(void)
{
	struct make *m;
	int i;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return false;
	m->req.work = make_work;
	m->req.done = make_done;
	m->req.patient = t.waiting == 0;
	for (i = 0; i < BATCH; i++) {
		m->fd[i] = -1;
		m->id[i] = tmp_id();
	}
	if (m->id[0] == 0) {		/* no number: the bound is not there */
		free(m);
		return false;
	}
	t.making += BATCH;
	sync_submit(&m->req);
	return true;
}

static void
fill(void)
{
	if (queue_stopping())
		return;
	while (t.ready + t.making + BATCH <= READY + t.waiting) {
		if (make_batch())
			continue;
		if (t.making == 0 && !t.bounding)
			serve_wants("out of memory");
		return;
	}
}

uint64_t
tmp_reuse(void)
{
	uint64_t id;

	if (queue_stopping() ||
	    t.ready + t.making + t.reusing >= READY_MAX + t.waiting ||
	    (id = tmp_id()) == 0)
		return 0;
	t.reusing++;
	return id;
}

void
tmp_reused(uint64_t id, int fd)
{
	t.reusing--;
	if (fd == -1)
		return;
	add_ready(id, fd);
	serve_wants(NULL);
}

/* --- what the fronts say --- */

void
tmp_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct want *w;

	if (!t.space) {
		answer(ref, 2, NULL, "not enough free space");
		return;
	}
	if (t.handed + t.waiting >= HANDED || queue_stopping()) {
		answer(ref, 2, NULL, "too many messages under way");
		return;
	}
	if (t.ready > 0 && t.waiting == 0)
		hand_out(ipc, ref);
	else if ((w = calloc(1, sizeof(*w))) != NULL) {
		w->ref = ref;
		w->ipc = ipc;
		STAILQ_INSERT_TAIL(&t.wants, w, entry);
		t.waiting++;
	} else
		answer(ref, 2, NULL, "out of memory");
	fill();
}

static struct tmp *
find_out(struct ipc *ipc, uint64_t id)
{
	struct tmp key = { .id = id }, *f;

	f = RB_FIND(tmptree, &t.out, &key);
	return f == NULL || f->ipc != ipc ? NULL : f;
}

static void
forget(struct tmp *f)
{
	RB_REMOVE(tmptree, &t.out, f);
	t.handed--;
	free(f);
}

bool
tmp_take(struct ipc *ipc, uint64_t id)
{
	struct tmp *f = find_out(ipc, id);

	if (f == NULL)
		return false;
	forget(f);
	return true;
}

static void
unlink_work(struct sreq *r)
{
	struct unlinking *u = (struct unlinking *)r;

	if (disk_unlink(NULL, u->id, "tmp") == -1)
		log_warn("Queue/%" PRIu64 ".tmp", u->id);
}

static void
unlink_done(struct sreq *r)
{
	free(r);
}

void
tmp_discard(uint64_t id)
{
	struct unlinking *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return;		/* the next start removes it */
	u->req.work = unlink_work;
	u->req.done = unlink_done;
	u->req.patient = true;
	u->id = id;
	sync_submit(&u->req);
}

void
tmp_abort(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_abort *m = pkt->m;

	if (tmp_take(ipc, m->id))
		tmp_discard(m->id);
}

/* What this front had will never be committed. */
void
tmp_peer_down(struct ipc *ipc)
{
	struct tmp *f, *next;
	struct want *w, *wnext;

	for (f = RB_MIN(tmptree, &t.out); f != NULL; f = next) {
		next = RB_NEXT(tmptree, &t.out, f);
		if (f->ipc != ipc)
			continue;
		tmp_discard(f->id);
		forget(f);
	}
	for (w = STAILQ_FIRST(&t.wants); w != NULL; w = wnext) {
		wnext = STAILQ_NEXT(w, entry);
		if (w->ipc != ipc)
			continue;
		STAILQ_REMOVE(&t.wants, w, want, entry);
		t.waiting--;
		free(w);
	}
}

/* --- space --- */

static void
tick(int fd, short what, void *arg)
{
	struct timeval tv = { .tv_sec = 1 };
	int64_t floor = queue_int("MinFreeSpace");
	struct statvfs fs;
	bool was = t.space;

	if (fstatvfs(disk.queue, &fs) == 0)
		t.space = (uint64_t)fs.f_bavail * fs.f_frsize >=
		    (uint64_t)floor;
	if (was && !t.space)
		log_warnx("the queue's disk is nearly full: no mail is taken");
	else if (!was && t.space)
		log_msg(LOG_CRASH, "the queue's disk has space again");
	fill();
	evtimer_add(t.tick, &tv);
}

bool
tmp_space(void)
{
	return t.space;
}

void
tmp_start(void)
{
	if ((t.tick = evtimer_new(proc_base(), tick, NULL)) == NULL)
		fatalx("no timer");
	t.bound = t.next;
	bound_more();
	tick(-1, 0, NULL);
}
