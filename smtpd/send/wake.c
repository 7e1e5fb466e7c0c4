/*
 * Our mail waits at a backup server (manual 29): ETRN has it sent to us, or
 * ATRN makes that server the client of this very connection, whose other end
 * a front then serves: it is pumped to one, by way of queued.  Runs in smtpd's
 * sending role; when that is done is queued's to say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "log.h"
#include "proc.h"
#include "send.h"

struct wake {
	uint32_t	 num;		/* queued's for it */
	bool		 atrn;
	char		*domain;
};

static void
tell(uint32_t num, const struct outcome *o)
{
	struct msg_wake_sent m = {
		.num = num, .code = o->verdict, .text = o->text
	};

	ipc_send(proc_peer(PROC_QUEUED), IPC_WAKE_SENT, 0, &m, -1);
}

static void
wake_free(struct wake *w)
{
	if (w == NULL)
		return;
	free(w->domain);
	free(w);
}

static void
finish(struct chan *c, const struct outcome *o)
{
	chan_log(c, o->verdict == GOOD ? LOG_MAJOR : LOG_PROBLEM, "%s %s: %s",
	    c->wake->atrn ? "ATRN" : "ETRN", c->wake->domain,
	    *o->text != '\0' ? o->text : "no answer");
	tell(c->wake->num, o);
	wake_free(c->wake);
	c->wake = NULL;
}

/* However it ended, nobody has heard us. */
void
wake_end(struct chan *c, const struct outcome *o)
{
	struct outcome none = *o;

	if (none.verdict == GOOD)
		outcome_set(&none, LATER, "4.3.0", "given up");
	finish(c, &none);
}

void
wake_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_wake *m = pkt->m;
	struct wake *w = calloc(1, sizeof(*w));
	struct outcome o;
	struct chan *c;

	if (w == NULL || (w->domain = strdup(m->domain)) == NULL ||
	    (c = chan_new(m->host, true)) == NULL) {
		wake_free(w);
		outcome_set(&o, LATER, "4.3.0", "out of memory");
		tell(m->num, &o);
		return;
	}
	w->num = m->num;
	w->atrn = m->atrn != 0;
	c->wake = w;
	c->orphan = true;		/* it is no queue's */
	c->login = *send_conf.wake_name != '\0';
	chan_start(c);
}

/* Without a domain ATRN is for all mail of whom we logged in as. */
void
wake_ready(struct chan *c)
{
	if (c->closing)
		client_stop(c);
	else if (c->wake->atrn)
		client_wake(c, "ATRN");
	else
		client_wake(c, "ETRN %s", c->wake->domain);
}

static void
pumped(void *arg)
{
}

/* "[192.0.2.1]:25" */
static void
own_ip(const struct chan *c, char *ip, size_t size)
{
	struct cur cur = cur_str(c->local);

	cur_lit(&cur, "[");
	if (!str_copy(cur_until(&cur, "]"), ip, size))
		*ip = '\0';
}

/* From here on it sends and we receive. */
static void
turn(struct chan *c, struct outcome *o)
{
	char local[64];
	struct msg_serve m = {
		.peer = c->addr->ip,
		.local = local,
		.tls = conn_is_tls(c->conn)
	};
	int fd = conn_pump(c->conn, pumped, NULL);

	if (fd == -1) {
		outcome_set(o, LATER, "4.3.0", "no descriptor");
		return;
	}
	c->conn = NULL;		/* it ends with its pump */
	own_ip(c, local, sizeof(local));
	ipc_send(proc_peer(PROC_QUEUED), IPC_SERVE, 0, &m, fd);
}

void
wake_reply(struct chan *c, const struct reply *r)
{
	struct outcome o;

	reply_outcome(&o, r, "");
	if (c->wake->atrn && o.verdict == GOOD) {
		turn(c, &o);
		finish(c, &o);
		chan_end(c, &o);
		return;
	}
	if (c->wake->atrn && r->code == 453)	/* there is no mail */
		o.verdict = GOOD;
	finish(c, &o);
	client_stop(c);
}
