/*
 * Handing sessions back (ARCHITECTURE 5.4): when a client has been silent for
 * long enough its descriptor and a small state go to the broker, and nothing
 * of it stays here.  And telling the broker of news in this account, while
 * some of those wait for it.  Runs in a worker.
 */
#include "box.h"
#include "imapd/session/session.h"
#include "log.h"
#include "worker.h"

enum { IDLE_SECONDS = 3 };	/* in IDLE; who only is silent has IdleTime */

static struct ipc	*broker;
static bool		 watched;	/* idle ones wait for news */

bool
idle_hand(uint32_t id, struct imap_session *s)
{
	int silent = imap_session_rests(s), all, fd;
	char state[IMAP_STATE_MAX];
	struct msg_work_idle m = { .id = id };
	size_t len = sizeof(state);

	all = live()->idle;
	if (silent < (all < IDLE_SECONDS ? all : IDLE_SECONDS) ||
	    !imap_session_save(s, state, &len))
		return false;
	m.watch = imap_state_mailbox(state, len);
	m.state = (struct ipc_str) { state, len };
	if ((m.watch[0] == '\0' && silent < all) ||
	    (fd = imap_session_release(s)) == -1)
		return false;
	if (m.watch[0] != '\0')
		watched = true;
	ipc_send(broker, IPC_WORK_IDLE, 0, &m, fd);
	return true;
}

/* --- news --- */

static void
tell(struct box *b)
{
	struct msg_work_changed m = { .mailbox = b->name };

	if (watched)
		ipc_send(broker, IPC_WORK_CHANGED, 0, &m, -1);
}

void
idle_start(struct ipc *io, struct acct *a)
{
	broker = io;
	a->news = tell;
}

void
idle_watched(void)
{
	watched = true;
}

void
idle_news(struct acct *a)
{
	struct box *b;

	for (b = a->boxes; b != NULL; b = b->next)
		if (b->told != b->revision) {
			b->told = b->revision;
			tell(b);
		}
}
