/*
 * COMMIT: a front has written a file and closed it; from DONE on the message
 * is ours for ever.  The loop checks whose file and whose session it is; a
 * thread makes sure that no writer is left, checks the envelope, fills in the
 * z line, gives the file its name, syncs it, and answers the front itself.
 * Whatever fails there is a temporary error, and the file is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "queued.h"

enum {
	TICKET_LEN = 16,
	TICKETS = 256,		/* remembered */
	TICKET_LIFE = 20,	/* seconds */
	MOMENTS = 50,		/* ms until the last writer must have closed */
	MAXRCPTS = 50000
};

struct commit {
	struct sreq	 req;
	struct ipc_late	 late;
	uint64_t	 id;
	uint64_t	 more;		/* a file that goes with the answer, or 0 */
	int		 more_fd;
	char		 ticket[TICKET_LEN];
	char		*account;	/* whose session it is, or NULL */
	struct outflow	 limit;		/* what it may send */
	/* the thread's answer */
	const char	*esc;		/* why it may not, or NULL */
	bool		 alert;		/* its administrator is to be told */
	struct qfile	 q;
	uint64_t	 size;
	int		 err;
	const char	*why;
};

/* Sessions send many messages: authd is asked once in a while only. */
static struct ticket {
	char	 ticket[TICKET_LEN];
	char	*account;
	struct outflow limit;
	time_t	 until;
} tickets[TICKETS];

static struct ticket *
ticket_slot(const char *ticket)
{
	return &tickets[(unsigned char)ticket[0] % TICKETS];
}

static time_t
now_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* --- in a thread --- */

static int
open_tmp(uint64_t id, int flags)
{
	char name[NAME_LEN];

	disk_name(name, NULL, id, "tmp");
	return openat(disk.queue, name, flags | O_NOFOLLOW | O_NONBLOCK |
	    O_NOATIME | O_CLOEXEC);
}

static bool
leased(int fd, int kind)
{
	if (fcntl(fd, F_SETLEASE, kind) == -1)
		return false;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

/*
 * The file, once nobody else has it open for writing.  A write lease is
 * granted to the only one who has it open at all; where a reader (a backup)
 * keeps us from one, a read lease, through a descriptor of its own, says that
 * there is no writer.  -1 and errno; EAGAIN: there is one.
 */
static int
open_unwritten(uint64_t id)
{
	int fd, rfd;

	if ((fd = open_tmp(id, O_RDWR)) == -1 || leased(fd, F_WRLCK))
		return fd;
	close(fd);
	if ((rfd = open_tmp(id, O_RDONLY)) == -1)
		return -1;
	fd = leased(rfd, F_RDLCK) ? open_tmp(id, O_RDWR) : -1;
	close(rfd);
	return fd;
}

/*
 * A thread that handed the file out may have been put off the processor
 * before it closed its own descriptor: that takes a moment at most.
 */
static int
open_closed(uint64_t id)
{
	static const struct timespec moment = { 0, 1000000 };
	int fd, i;

	for (i = 0; (fd = open_unwritten(id)) == -1 && errno == EAGAIN &&
	    i < MOMENTS; i++)
		nanosleep(&moment, NULL);
	return fd;
}

/* A front may say little of itself: the rest is found out. */
static const char *
check_envelope(const struct commit *c)
{
	const struct qfile *q = &c->q;
	size_t i;

	if (!q->z || q->filled)
		return "no z line to fill in";
	if (strpbrk(q->options, "TA") != NULL || q->about != 0 ||
	    q->source != NULL || *q->passed != '\0')
		return "an envelope that only the queue may write";
	if (q->account == NULL ? c->account != NULL :
	    c->account == NULL || strcasecmp(q->account, c->account) != 0)
		return "an account that is not the session's";
	if (q->nrcpts > MAXRCPTS)
		return "too many recipients";
	for (i = 0; i < q->nrcpts; i++)
		if (q->rcpts[i].status != 'W' || q->rcpts[i].attempts != 0)
			return "a recipient that was tried";
	return NULL;
}

static int
fill_in(struct commit *c, int fd, uint32_t crc)
{
	char z[QFILE_ZLEN + 1];

	qfile_z(z, c->size, crc);
	c->why = "cannot be written";
	if (file_pwrite(fd, z, QFILE_ZLEN, c->q.zat) == -1)
		return -1;
	c->why = "cannot be made durable";
	if (disk_publish(fd, c->id) == -1)
		return -1;
	c->why = NULL;
	return 0;
}

static struct msg_committed
verdict(const struct commit *c)
{
	struct msg_committed m = { .text = "", .more = c->more };

	if (c->why == NULL)
		return m;
	m.code = c->esc != NULL && *c->esc == '5' ? 1 : 2;
	m.esc = c->esc;
	m.text = c->esc != NULL ? c->why : "cannot be stored now";
	return m;
}

static void
take_in(struct commit *c)
{
	uint32_t crc;
	int fd;

	c->why = "cannot be opened, or has a writer still";
	if ((fd = open_closed(c->id)) == -1) {
		c->err = errno;
		return;
	}
	errno = 0;
	if (disk_message(fd, &c->q, &c->size, &crc, &c->why) == 0 &&
	    (c->why = check_envelope(c)) == NULL &&
	    (c->why = outflow_check(c->account, &c->limit, c->q.nrcpts,
	    c->size, &c->esc, &c->alert)) == NULL)
		fill_in(c, fd, crc);
	c->err = errno;
	close(fd);
}

static void
commit_work(struct sreq *r)
{
	struct commit *c = (struct commit *)r;

	take_in(c);
	if (c->why != NULL)
		disk_unlink(NULL, c->id, "tmp");
}

static void
commit_answer(struct sreq *r)
{
	struct commit *c = (struct commit *)r;
	struct msg_committed m = verdict(c);

	ipc_late_answer(&c->late, IPC_COMMITTED, &m, &c->more_fd);
}

/* --- in the loop --- */

static void
commit_free(struct commit *c)
{
	qfile_free(&c->q);
	free(c->account);
	free(c);
}

static void
refuse(struct ipc_ref ref, const char *text)
{
	struct msg_committed m = { .code = 2, .text = text };

	ipc_answer(ref, IPC_COMMITTED, &m, -1);
}

static void
commit_done(struct sreq *r)
{
	struct commit *c = (struct commit *)r;
	struct msg_committed a = verdict(c);
	struct msg *m;

	ipc_late_end(&c->late, IPC_COMMITTED, &a, c->more_fd);
	if (c->alert)
		outflow_alert(c->account, &c->limit);
	if (c->why != NULL) {
		msg_log(c->esc != NULL ? LOG_PROBLEM : LOG_CRASH, c->id, "refused: %s%s%s", c->why,
		    c->err == 0 ? "" : ": ",
		    c->err == 0 ? "" : strerror(c->err));
		commit_free(c);
		return;
	}
	if ((m = msg_new(c->id, NULL)) == NULL ||
	    msg_fill(m, &c->q, c->size) == -1) {
		/* Safe on disk: the next start finds it. */
		msg_log(LOG_CRASH, c->id, "waits for the next start: out of "
		    "memory");
		if (m != NULL)
			msg_drop(m);
	} else {
		msg_log_in(m);
		msg_enqueue(m);
	}
	commit_free(c);
}

static void
commit_start(struct commit *c)
{
	c->req.work = commit_work;
	c->req.answer = commit_answer;
	c->req.done = commit_done;
	c->req.patient = true;
	sync_submit(&c->req);
}

static void
commit_refuse(struct commit *c, const char *text)
{
	struct msg_committed m = { .code = 2, .text = text, .more = c->more };

	ipc_late_end(&c->late, IPC_COMMITTED, &m, c->more_fd);
	tmp_discard(c->id);
	commit_free(c);
}

static void
ticket_checked(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt == NULL ? NULL : pkt->m;
	struct commit *c = arg;
	struct ticket *t = ticket_slot(c->ticket);

	if (m == NULL || m->code != 0) {
		commit_refuse(c, m != NULL && m->code == 1 ?
		    "your session has ended: log in again" :
		    "the session cannot be checked now");
		return;
	}
	if ((c->account = strdup(m->account)) == NULL) {
		commit_refuse(c, "out of memory");
		return;
	}
	free(t->account);
	memcpy(t->ticket, c->ticket, TICKET_LEN);
	t->account = strdup(m->account);
	c->limit = t->limit = (struct outflow) { .rcpts = m->outflow,
		.seconds = m->outtime, .size = m->outsize };
	t->until = now_mono() + TICKET_LIFE;
	commit_start(c);
}

static void
check_ticket(struct commit *c)
{
	struct msg_ticket_check m = { .ticket = { c->ticket, TICKET_LEN } };
	struct ticket *t = ticket_slot(c->ticket);

	if (t->account != NULL && t->until > now_mono() &&
	    memcmp(t->ticket, c->ticket, TICKET_LEN) == 0 &&
	    (c->account = strdup(t->account)) != NULL) {
		c->limit = t->limit;
		commit_start(c);
		return;
	}
	ipc_call(proc_peer(PROC_AUTHD), IPC_TICKET_CHECK, 0, &m, -1,
	    IPC_TIMEOUT, ticket_checked, c);
}

void
commit_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_commit *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct commit *c;

	if (!tmp_take(ipc, m->id)) {
		refuse(ref, "no such file");
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		refuse(ref, "out of memory");
		tmp_discard(m->id);
		return;
	}
	ipc_late_begin(&c->late, ref);
	c->id = m->id;
	c->more_fd = m->more ? tmp_more(ipc, &c->more) : -1;
	if (m->ticket.len == 0) {
		commit_start(c);
	} else if (m->ticket.len == TICKET_LEN) {
		memcpy(c->ticket, m->ticket.p, TICKET_LEN);
		check_ticket(c);
	} else
		commit_refuse(c, "bad ticket");
}
