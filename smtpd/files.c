/*
 * Fresh queue files, asked of queued as soon as a transaction begins, so that
 * DATA finds one.  Files that a transaction did not need stay for the next.
 * Runs in smtpd.  Must never use a file that another queued had handed out.
 */
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "smtpd.h"

enum { AHEAD = 32 };	/* asked for before they are needed, at most */

static struct {
	SLIST_HEAD(, queue_file)	 ready;
	TAILQ_HEAD(, smtp)		 waiting;
	unsigned int			 nready, nwaiting, asked, expected;
} files = {
	.ready = SLIST_HEAD_INITIALIZER(files.ready),
	.waiting = TAILQ_HEAD_INITIALIZER(files.waiting)
};

static void	ask(void);

static struct smtp *
next_waiting(void)
{
	struct smtp *s = TAILQ_FIRST(&files.waiting);

	if (s != NULL)
		files_leave(s);
	return s;
}

void
files_leave(struct smtp *s)
{
	TAILQ_REMOVE(&files.waiting, s, waiting);
	files.nwaiting--;
	s->wants_file = false;
}

static void
keep(struct queue_file *f)
{
	struct smtp *s;

	if ((s = next_waiting()) != NULL) {
		s->file = f;
		data_file(s, NULL);
		return;
	}
	SLIST_INSERT_HEAD(&files.ready, f, next);
	files.nready++;
}

static bool
take(const struct ipc_pkt *pkt, uint64_t id)
{
	int fd = ipc_take_fd((struct ipc_pkt *)pkt);
	struct queue_file *f;

	if (fd == -1)
		return false;
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		close(fd);
		return false;
	}
	f->id = id;
	f->fd = fd;
	keep(f);
	return true;
}

static void
got(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_queue_file *m = pkt == NULL ? NULL : pkt->m;
	struct smtp *s;

	files.asked--;
	if (m != NULL && m->code == 0 && take(pkt, m->id)) {
		ask();
		return;
	}
	if ((s = next_waiting()) != NULL)
		data_file(s, m == NULL || *m->text == '\0' ?
		    "the queue does not answer" : m->text);
}

static void
ask(void)
{
	static const struct msg_queue_tmp m;
	unsigned int want = files.expected < AHEAD ? files.expected : AHEAD;

	if (want < files.nwaiting)
		want = files.nwaiting;
	while (files.nready + files.asked < want) {
		files.asked++;
		ipc_call(proc_peer(PROC_QUEUED), IPC_QUEUE_TMP, 0, &m, -1,
		    IPC_TIMEOUT, got, &files);
	}
}

bool
files_wants_more(void)
{
	if (files.nready + files.asked >= files.expected ||
	    files.nready + files.asked >= AHEAD)
		return false;
	files.asked++;
	return true;
}

void
files_more(const struct ipc_pkt *pkt)
{
	const struct msg_committed *m = pkt == NULL ? NULL : pkt->m;
	struct msg_abort lost;

	files.asked--;
	if (m == NULL || m->more == 0 || take(pkt, m->more))
		return;
	lost.id = m->more;
	ipc_send(proc_peer(PROC_QUEUED), IPC_ABORT, 0, &lost, -1);
}

void
files_expect(void)
{
	files.expected++;
	ask();
}

/* What is left over stays: the next transaction is not far. */
void
files_unexpect(void)
{
	files.expected--;
}

bool
files_get(struct smtp *s)
{
	if ((s->file = SLIST_FIRST(&files.ready)) != NULL) {
		SLIST_REMOVE_HEAD(&files.ready, next);
		files.nready--;
		return true;
	}
	TAILQ_INSERT_TAIL(&files.waiting, s, waiting);
	files.nwaiting++;
	s->wants_file = true;
	ask();
	return false;
}

void
files_close(struct queue_file *f)
{
	close(f->fd);
	free(f);
}

void
files_abort(struct queue_file *f)
{
	struct msg_abort m = { .id = f->id };

	files_close(f);
	ipc_send(proc_peer(PROC_QUEUED), IPC_ABORT, 0, &m, -1);
}

void
files_queued_down(void)
{
	struct queue_file *f;

	while ((f = SLIST_FIRST(&files.ready)) != NULL) {
		SLIST_REMOVE_HEAD(&files.ready, next);
		files_close(f);
	}
	files.nready = 0;
}
