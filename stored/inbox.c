/*
 * INBOXes that lie elsewhere (manual 35), as the broker has to do with them: an
 * account whose limits tell of one gets its file, opened by authd's helper,
 * before anybody works in it.  Whoever holds the account is given that
 * descriptor and asks for no other: now and then, before there is work, the
 * broker has it opened again, and if another file has its name by then, the
 * account is let go of.  The broker never reads it.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dict.h"
#include "log.h"
#include "stored.h"

enum { FRESH_MS = 60000 };	/* so long a name is believed */

static unsigned
kind(const char *limits)
{
	const char *err, *how;
	unsigned k = 0;
	struct val *d;

	if (strstr(limits, "External") == NULL ||
	    (d = val_parse_all(limits, strlen(limits), &err)) == NULL)
		return 0;
	how = dict_str(d, "External", "");
	if (strcasecmp(how, "RangeLevel") == 0)
		k = 2;
	else if (*how != '\0')
		k = 1;
	val_free(d);
	return k;
}

static void
drop(struct account *a)
{
	if (a->inbox != -1)
		close(a->inbox);
	a->inbox = -1;
}

void
inbox_limits(struct account *a, const char *limits)
{
	unsigned k = kind(limits);

	if (k == a->outside)
		return;
	a->outside = k;
	drop(a);
	account_drop(a, "the settings of this account have changed");
}

static void
fail(struct account *a, const char *text)
{
	log_warnx("%s: %s", a->path, text);
	a->warm = 0;
	jobs_fail(a, false, text);
	sessions_refuse(a, text);
	requests_refuse(a, text);
}

static bool
is_held(const struct account *a)
{
	return a->held || a->worker != WORKER_NONE;
}

/* Of this descriptor, as somebody has it. */
static bool
remember(struct account *a, int fd)
{
	struct stat st;
	bool same;

	if (fstat(fd, &st) == -1)
		return false;
	same = a->inbox_dev == st.st_dev && a->inbox_ino == st.st_ino;
	a->inbox_dev = st.st_dev;
	a->inbox_ino = st.st_ino;
	a->inbox_seen = now_ms();
	return same;
}

static void
opened(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct account *a = arg;

	a->inbox_asked = false;
	drop(a);
	if (m == NULL || m->code != 0 || pkt->fd == -1)
		fail(a, m != NULL && *m->text != '\0' ? m->text :
		    "the external INBOX cannot be opened now");
	else if ((a->inbox = dup(pkt->fd)) == -1)
		fail(a, "the external INBOX cannot be opened now");
	else if (is_held(a) && remember(a, a->inbox))
		drop(a);		/* it is still that one */
	else if (is_held(a))
		account_drop(a, "INBOX has been replaced");
	account_run(a);
}

bool
inbox_ready(struct account *a)
{
	struct msg_inbox_ask m = { .account = a->name, .path = a->path };

	if (a->outside == 0 || a->inbox != -1 ||
	    (is_held(a) && now_ms() < a->inbox_seen + FRESH_MS))
		return true;
	if (a->inbox_asked)
		return false;
	a->inbox_asked = true;
	ipc_call(proc_peer(PROC_AUTHD), IPC_INBOX_ASK, 0, &m, -1, IPC_TIMEOUT,
	    opened, a);
	return false;
}

bool
inbox_tell(struct account *a, struct ipc *holder)
{
	struct msg_inbox m = { .path = a->path, .lock = a->outside };
	int fd = a->inbox;

	if (a->outside == 0)
		return true;
	if (fd == -1)
		return false;
	(void)remember(a, fd);
	a->inbox = -1;
	return ipc_send(holder, IPC_INBOX, 0, &m, fd) == 0;
}

void
inbox_given(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_inbox *m = pkt->m;
	struct account *a;

	if (pkt->fd == -1 || m->lock == 0)
		return;
	a = account_get(m->path);
	drop(a);
	a->outside = m->lock;
	a->inbox = ipc_take_fd(pkt);
}

void
inbox_forget(struct account *a)
{
	drop(a);
	a->outside = 0;
}
