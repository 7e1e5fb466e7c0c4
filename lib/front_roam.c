/*
 * Read, then send (manual 07): the address of a user who has logged in from
 * elsewhere counts as a client's while he is here and for some time after.
 * authd says whose; routerd keeps the list and is told, by way of authd, who
 * is still here, now and then, and who has left.  Runs in pop3d and imapd.
 */
#include <string.h>

#include "front_int.h"
#include "log.h"

enum { TICK = 20, ROOM = 60000 };	/* seconds; bytes of ROAMING */
enum { GONE = 0, STILL = 2 };		/* ROAMING's how */

static LIST_HEAD(, client)	 roaming = LIST_HEAD_INITIALIZER(roaming);
static struct event		*timer;

static void
tell(const char *peers, int how)
{
	struct msg_roaming m = { .peers = peers, .how = how };

	ipc_send(proc_peer(PROC_AUTHD), IPC_ROAMING, 0, &m, -1);
}

static void
on_tick(int fd, short what, void *arg)
{
	struct client *c;
	struct buf b;

	if (LIST_EMPTY(&roaming)) {
		event_del(timer);
		return;
	}
	buf_init(&b, 0);
	LIST_FOREACH(c, &roaming, roaming) {
		buf_printf(&b, "%s\n", c->s.peer);
		if (b.len > ROOM - sizeof(c->s.peer)) {
			tell(b.p, STILL);
			buf_reset(&b);
		}
	}
	if (b.len > 0 && !b.failed)
		tell(b.p, STILL);
	buf_free(&b);
}

void
roam_begin(struct client *c)
{
	static const struct timeval tv = { .tv_sec = TICK };

	if (c->roams)
		return;
	if (timer == NULL && (timer = event_new(proc_base(), -1, EV_PERSIST,
	    on_tick, NULL)) == NULL)
		return;
	if (LIST_EMPTY(&roaming))
		event_add(timer, &tv);
	c->roams = true;
	LIST_INSERT_HEAD(&roaming, c, roaming);
}

void
roam_end(struct client *c)
{
	if (!c->roams)
		return;
	c->roams = false;
	LIST_REMOVE(c, roaming);
	tell(c->s.peer, GONE);
}
