/*
 * What the sending role would know in its next life: MTA-STS policies, so that
 * a restart is no way to get rid of one, and the counts of TLS-RPT.  It has no
 * files: routerd, which owns Settings/, keeps a dictionary for it, and gives it
 * back.  Told of a new policy at once, of counts within a minute and at the end.
 */
#include <event2/event.h>
#include <unistd.h>

#include "dict.h"
#include "file.h"
#include "log.h"
#include "proc.h"
#include "send.h"
#include "sts.h"
#include "tlsrpt.h"

enum { EVERY = 60, SOON = 1 };	/* seconds */

static struct event *timer;
static bool loaded, changed;

void
keep_save(void)
{
	struct ipc *to = proc_peer(PROC_ROUTERD);
	struct msg_sender_state m = { 0 };
	struct val *d, *policies, *counts;
	struct buf b;
	int fd;

	if (!changed || !loaded || to == NULL)
		return;
	d = val_dict();
	dict_set(d, "Policies", policies = val_dict());
	dict_set(d, "Counts", counts = val_dict());
	sts_save(policies);
	tlsrpt_save(counts);
	buf_init(&b, DICT_MAXSIZE);
	if (val_write(&b, d, true) &&
	    (fd = file_memfd("sender", b.p, b.len)) != -1) {
		ipc_send(to, IPC_SENDER_STATE, 0, &m, fd);
		changed = false;
	} else
		log_warn("policies and counts cannot be kept");
	buf_free(&b);
	val_free(d);
}

static void
due(int fd, short what, void *arg)
{
	keep_save();
}

void
keep_changed(bool hurry)
{
	const struct timeval tv = { .tv_sec = hurry ? SOON : EVERY };

	changed = true;
	if (timer == NULL)
		timer = evtimer_new(proc_base(), due, NULL);
	if (timer != NULL && (hurry || !evtimer_pending(timer, NULL)))
		evtimer_add(timer, &tv);
}

/* An administrator may have been in that file. */
static const struct val *
part(const struct val *d, const char *name)
{
	const struct val *v = dict_get(d, name);

	return v != NULL && val_type(v) == VAL_DICT ? v : NULL;
}

/* Without a descriptor: there is nothing. */
void
keep_load(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	int fd = ipc_take_fd(pkt);
	struct val *d = NULL;
	const char *err;

	if (fd != -1 && !loaded && (d = val_read_fd(fd, &err)) == NULL)
		log_warnx("what was kept cannot be read: %s", err);
	if (fd != -1)
		close(fd);
	if (!loaded) {
		sts_load(part(d, "Policies"));
		tlsrpt_load(part(d, "Counts"));
	}
	val_free(d);
	loaded = true;
	if (changed)
		keep_changed(true);
}
