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

/* Renamed while it waits for the disk, it would be in two places. */
enum { MOVE_TIMEOUT = 10 * IPC_TIMEOUT };

struct move {
	struct ipc_ref	 ref;
	struct account	*account;
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
	struct account *a = account_find(m->path);
	struct init *in;
	int fd;

	if ((fd = account_opendir(m->path, &d.file)) == -1) {
		log_warn("%s", m->path);
		answer_done(ref, 2, "the account's directory is not there");
		if (a != NULL)
			account_run(a);
		return;
	}
	in = xcalloc(1, sizeof(*in));
	in->ref = ref;
	in->path = xstrdup(m->path);
	ipc_send(proc_peer(PROC_DELIVERY), IPC_DELIVERY_DIR, 0, &d, fd);
	if (a != NULL)
		(void)inbox_tell(a, proc_peer(PROC_DELIVERY));
	ipc_call(proc_peer(PROC_DELIVERY), IPC_ACCOUNT_INIT, 0, m,
	    ipc_take_fd(pkt), IPC_TIMEOUT, init_made, in);
	/* Its next name is another account to us. */
	if (a != NULL) {
		inbox_forget(a);
		account_run(a);
	}
}

void
admin_quiet(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_quiet *m = pkt->m;

	account_quiet(account_get(m->path), m->text, ipc_ref(ipc, pkt));
}

static void
moved(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct move *mv = arg;

	mv->account->moving = false;
	answer_done(mv->ref, m != NULL ? m->code : 2,
	    m != NULL ? m->text : "no answer from delivery");
	account_run(mv->account);
	free(mv);
}

/*
 * The account is quiet, or nobody knows of it.  Delivery opens it, as it
 * takes back what may be lent still, and lets go of it in that way.
 */
void
admin_move(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_move *m = pkt->m;
	struct msg_delivery_dir d = { .path = m->path };
	struct msg_delivery_forget f = { .path = m->path, .newfile = "",
		.how = m->newpath[0] != '\0' ? FORGET_MOVE : FORGET_REMOVE };
	struct account *a = account_find(m->path);
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct move *mv;
	int dir, newdir = -1;

	if (!account_is_single(m->path) || (a != NULL && (!a->quiet ||
	    a->moving || a->held || a->worker != WORKER_NONE))) {
		answer_done(ref, 2, "the account is in use");
		return;
	}
	dir = account_opendir(m->path, &d.file);
	if (f.how == FORGET_MOVE)
		newdir = account_opendir(m->newpath, &f.newfile);
	if (dir == -1 || (f.how == FORGET_MOVE && newdir == -1)) {
		log_warn("%s", m->path);
		if (dir != -1)
			close(dir);
		answer_done(ref, 2, "the directory is not there");
		return;
	}
	mv = xcalloc(1, sizeof(*mv));
	mv->ref = ref;
	mv->account = account_get(m->path);
	mv->account->moving = true;
	ipc_send(proc_peer(PROC_DELIVERY), IPC_DELIVERY_DIR, 0, &d, dir);
	ipc_call(proc_peer(PROC_DELIVERY), IPC_DELIVERY_FORGET, 0, &f, newdir,
	    MOVE_TIMEOUT, moved, mv);
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
