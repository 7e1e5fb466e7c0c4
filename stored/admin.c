/*
 * What authd asks of the broker about whole accounts: a new one's first
 * files, an end to all work while it is renamed or removed.  The hands are
 * delivery's; the broker only waits.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stored.h"

struct init {
	struct ipc_ref	 ref;
	char		*path;
	int		 code;
	char		*text;
};

void
answer_done(struct ipc_ref ref, int code, const char *text)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, -1);
}

static void
init_over(const struct ipc_pkt *pkt, void *arg)
{
	struct init *in = arg;

	answer_done(in->ref, in->code, in->text);
	free(in->path);
	free(in->text);
	free(in);
}

/* It is still at its first name: delivery must let go of it. */
static void
init_made(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct init *in = arg;
	struct msg_delivery_forget f = { .path = in->path };

	in->code = m != NULL ? m->code : 2;
	in->text = xstrdup(m != NULL ? m->text : "no answer from delivery");
	ipc_call(proc_peer(PROC_DELIVERY), IPC_DELIVERY_FORGET, 0, &f, -1,
	    IPC_TIMEOUT, init_over, in);
}

void
admin_init(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_init *m = pkt->m;
	struct msg_delivery_dir d = { .path = m->path };
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct init *in;
	int fd;

	if (m->format[0] != '\0' && strcmp(m->format, "mbox") != 0) {
		answer_done(ref, 1, "mailbox format is not supported");
		return;
	}
	if ((fd = account_opendir(m->path, &d.file)) == -1) {
		log_warn("%s", m->path);
		answer_done(ref, 2, "the account's directory is not there");
		return;
	}
	in = xcalloc(1, sizeof(*in));
	in->ref = ref;
	in->path = xstrdup(m->path);
	ipc_send(proc_peer(PROC_DELIVERY), IPC_DELIVERY_DIR, 0, &d, fd);
	ipc_call(proc_peer(PROC_DELIVERY), IPC_ACCOUNT_INIT, 0, m, -1,
	    IPC_TIMEOUT, init_made, in);
}

void
admin_quiet(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_quiet *m = pkt->m;

	account_quiet(account_get(m->path), m->text, ipc_ref(ipc, pkt));
}

void
admin_release(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_release *m = pkt->m;
	struct account *a = account_find(m->path);

	if (a != NULL)
		account_release(a, strcmp(m->path, m->newpath) != 0);
	answer_done(ipc_ref(ipc, pkt), 0, "");
}
