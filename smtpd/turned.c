/*
 * We asked a backup server for our mail by ATRN, and it has become the client
 * on that connection (RFC 2645): the sending role has made it, queued has
 * brought it here, and it is a session like any other from the greeting on.
 * Runs in smtpd; that server has no more rights than its address gives it.
 */
#include "front.h"
#include "log.h"
#include "smtpd.h"

void
turned_serve(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_serve *m = pkt->m;
	int fd = ipc_take_fd(pkt);

	if (fd == -1)
		return;
	log_msg(LOG_LOW, "[%s] has become the client of a connection of ours",
	    m->peer);
	front_adopt(fd, m->peer, m->local, m->tls != 0);
}
