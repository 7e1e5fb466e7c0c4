/*
 * The broker's jobs: each message for each recipient, from DELIVER until
 * queued has acknowledged its RESULT.  A restart of queued hears of all of
 * them; a restart of delivery, or a worker's end, gets them sent again: the
 * mailbox's slots tell what is there already.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stored.h"

enum { BUCKETS = 8192 };

static LIST_HEAD(, job)	table[BUCKETS];
static unsigned		count;

static unsigned
bucket(uint64_t id, uint32_t rcpt)
{
	return (id * 31 + rcpt) % BUCKETS;
}

static struct job *
find(uint64_t id, uint32_t rcpt)
{
	struct job *j;

	LIST_FOREACH(j, &table[bucket(id, rcpt)], hash)
		if (j->m.id == id && j->m.rcpt == rcpt)
			return j;
	return NULL;
}

unsigned
jobs_count(void)
{
	return count;
}

/* Copies strings behind one another into one piece of memory. */
static const char *
keep(char **p, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = *p;

	memcpy(at, s, n);
	*p += n;
	return at;
}

static struct job *
job_new(const struct msg_deliver *m)
{
	struct job *j = xcalloc(1, sizeof(*j));
	char *p;

	j->m = *m;
	p = j->text = xcalloc(1, strlen(m->account) + strlen(m->path) +
	    strlen(m->mailbox) + strlen(m->sender) + strlen(m->header) + 5);
	j->m.account = keep(&p, m->account);
	j->m.path = keep(&p, m->path);
	j->m.mailbox = keep(&p, m->mailbox);
	j->m.sender = keep(&p, m->sender);
	j->m.header = keep(&p, m->header);
	j->fd = -1;
	LIST_INSERT_HEAD(&table[bucket(m->id, m->rcpt)], j, hash);
	count++;
	return j;
}

static void
job_free(struct job *j)
{
	LIST_REMOVE(j, hash);
	count--;
	if (j->fd != -1)
		close(j->fd);
	free(j->text);
	free(j);
}

static void
tell(struct job *j, struct ipc *queued)
{
	ipc_send(queued, IPC_RESULT, 0, &j->result, -1);
}

void
job_deliver(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_deliver *m = pkt->m;
	struct account *a;
	struct job *j;

	if (pkt->fd == -1 || m->path[0] == '\0') {
		log_warnx("job %llu without its file",
		    (unsigned long long)m->id);
		return;
	}
	if ((j = find(m->id, m->rcpt)) != NULL) {
		if (j->state == JOB_RESULT)
			tell(j, ipc);
		return;
	}
	a = account_get(m->path);
	j = job_new(m);
	j->account = a;
	j->fd = ipc_take_fd(pkt);
	TAILQ_INSERT_TAIL(&a->waiting, j, next);
	account_run(a);
}

void
jobs_send(struct account *a, struct ipc *to)
{
	bool idle = TAILQ_EMPTY(&a->sent);
	struct job *j;
	int fd;

	while (a->unacked < JOB_WINDOW &&
	    (j = TAILQ_FIRST(&a->waiting)) != NULL) {
		if (a->flow_seconds != 0 && !flow_admit(a))
			break;
		/* Ours stays: whoever gets it may die. */
		if ((fd = fcntl(j->fd, F_DUPFD_CLOEXEC, 3)) == -1) {
			log_warn("job %llu", (unsigned long long)j->m.id);
			break;
		}
		/* If it cannot be sent, its end will be seen soon. */
		(void)ipc_send(to, IPC_DELIVER, 0, &j->m, fd);
		TAILQ_REMOVE(&a->waiting, j, next);
		TAILQ_INSERT_TAIL(&a->sent, j, next);
		j->state = JOB_SENT;
		a->unacked++;
	}
	if (idle && to == a->ipc)
		worker_watch(a);
}

void
jobs_take_back(struct account *a)
{
	struct job *j;

	while ((j = TAILQ_LAST(&a->sent, jobs)) != NULL) {
		TAILQ_REMOVE(&a->sent, j, next);
		TAILQ_INSERT_HEAD(&a->waiting, j, next);
		j->state = JOB_WAITING;
		a->unacked--;
	}
}

/* From now on only the result is kept. */
static void
conclude(struct job *j, const struct msg_result *m)
{
	char *p = xcalloc(1, strlen(m->esc) + strlen(m->text) + 2);

	free(j->text);
	j->text = p;
	j->result = *m;
	j->result.esc = keep(&p, m->esc);
	j->result.text = keep(&p, m->text);
	close(j->fd);
	j->fd = -1;
	j->state = JOB_RESULT;
	tell(j, proc_peer(PROC_QUEUED));
}

void
job_result(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_result *m = pkt->m;
	struct job *j = find(m->id, m->rcpt);
	struct account *a;

	if (j == NULL || j->state != JOB_SENT)
		return;
	/* A worker speaks for its own account only. */
	a = arg;
	if (proc_who(ipc, NULL) != PROC_DELIVERY && a != j->account) {
		log_warnx("%s answers for %s", ipc_peer(ipc),
		    j->account->path);
		return;
	}
	a = j->account;
	TAILQ_REMOVE(&a->sent, j, next);
	if (a->ipc != NULL && !a->held)
		worker_watch(a);
	if (m->code == 0)
		idle_news(a, j->m.mailbox);
	limits_result(a, m);
	/* Another file has its INBOX's name: that one is opened. */
	if (a->outside != 0 && strcmp(m->esc, "4.1.6") == 0)
		account_drop(a, "INBOX has been replaced");
	conclude(j, m);
	account_run(a);
}

void
job_acked(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_result_ack *m = pkt->m;
	struct job *j = find(m->id, m->rcpt);
	struct account *a;

	if (j == NULL || j->state != JOB_RESULT)
		return;
	a = j->account;
	a->unacked--;
	job_free(j);
	account_run(a);
}

/*
 * Nothing that waits can be done now: queued tries again later, or (4.1.6)
 * routes it anew.
 */
void
jobs_fail(struct account *a, bool gone, const char *text)
{
	struct msg_result m = { .code = 2, .esc = gone ? "4.1.6" : "4.3.0",
		.text = text };
	struct job *j;

	while ((j = TAILQ_FIRST(&a->waiting)) != NULL) {
		TAILQ_REMOVE(&a->waiting, j, next);
		m.id = j->m.id;
		m.rcpt = j->m.rcpt;
		a->unacked++;
		conclude(j, &m);
	}
}

void
jobs_list(struct ipc *queued)
{
	struct msg_jobs_end end = { 0 };
	struct msg_job_held h = { 0 };
	struct job *j;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		LIST_FOREACH(j, &table[i], hash) {
			if (j->state == JOB_RESULT) {
				tell(j, queued);
				continue;
			}
			h.id = j->m.id;
			h.rcpt = j->m.rcpt;
			ipc_send(queued, IPC_JOB_HELD, 0, &h, -1);
		}
	ipc_send(queued, IPC_JOBS_END, 0, &end, -1);
}
