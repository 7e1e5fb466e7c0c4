/*
 * Administration commands on an account's data: in its worker, where nothing
 * but this account can be reached, whatever is asked.  The account that a
 * command names is this one; who may was decided by authd, at the broker's
 * request.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "acl.h"
#include "box.h"
#include "file.h"
#include "log.h"
#include "worker.h"
#include "worker_admin.h"

enum { ARGS_MAX = 1024 * 1024, DATA_MAX = 60000 };

static const struct wadmin_reason reasons[] = {
	{ ENOENT, "there is no such mailbox" },
	{ EEXIST, "a mailbox with this name already exists" },
	{ EINVAL, "illegal mailbox name" },
	{ ENOTEMPTY, "there are other mailboxes in it" },
	{ EPERM, "that cannot be done with this mailbox or account" },
	{ ENOTSUP, "this mailbox format is not supported" },
	{ ENOSPC, "the disk is full" },
	{ EDQUOT, "the account's limit is reached" }
};

const char *
wadmin_text(const struct wadmin *w, size_t n)
{
	const char *s = n < val_count(w->args) ?
	    val_text(val_at(w->args, n)) : NULL;

	return s != NULL ? s : "";
}

const struct val *
wadmin_val(const struct wadmin *w, size_t n, enum val_type type)
{
	const struct val *v = n < val_count(w->args) ? val_at(w->args, n) :
						       NULL;

	return v != NULL && val_type(v) == type ? v : NULL;
}

void
wadmin_no(struct wadmin *w, const char *text)
{
	w->code = 501;
	w->text = text;
}

void
wadmin_because(struct wadmin *w, const struct wadmin_reason *reason, size_t n)
{
	for (; n > 0; n--, reason++)
		if (reason->err == errno) {
			wadmin_no(w, reason->text);
			return;
		}
	log_warn("%s", w->account);
	wadmin_no(w, "that cannot be done now, try again");
}

void
wadmin_errno(struct wadmin *w)
{
	wadmin_because(w, reasons, sizeof(reasons) / sizeof(reasons[0]));
}

unsigned
wadmin_rights(const struct wadmin *w, const char *box)
{
	if (w->actas[0] == '\0' || w->all)
		return ACL_ALL;
	return acl_rights(w->acct, box, w->account, w->actas);
}

bool
wadmin_may(struct wadmin *w, const char *box, unsigned rights)
{
	if ((wadmin_rights(w, box) & rights) == rights)
		return true;
	wadmin_no(w, "the mailbox's access rights do not allow this");
	return false;
}

struct val *
wadmin_info(struct wadmin *w)
{
	struct val *root = info_root(&w->acct->info);

	if (root == NULL)
		wadmin_errno(w);
	return root;
}

void
wadmin_save(struct wadmin *w)
{
	if (info_save(&w->acct->info) == -1)
		wadmin_errno(w);
}

static wadmin_fn *
find(const char *verb)
{
	static const struct wadmin_verb *const tables[] = { wadmin_box,
		wadmin_info_verbs, wadmin_web };
	const struct wadmin_verb *v;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (v = tables[i]; v->name != NULL; v++)
			if (strcasecmp(v->name, verb) == 0)
				return v->fn;
	return NULL;
}

static struct val *
read_args(struct ipc_pkt *pkt, const struct msg_work_admin *m)
{
	const char *err = NULL;
	struct val *v = NULL;
	int fd = ipc_take_fd(pkt);
	size_t len;
	char *p;

	if (fd == -1)
		return val_parse_all(m->args, strlen(m->args), &err);
	if ((p = file_read_fd(fd, ARGS_MAX, &len)) != NULL)
		v = val_parse_all(p, len, &err);
	free(p);
	close(fd);
	return v;
}

static void
tell(struct ipc_ref ref, const struct wadmin *w)
{
	struct msg_admined m = { .code = w->code, .text = w->text };
	struct buf b;
	int fd = -1;

	buf_init(&b, 0);
	if (w->code == 200 && w->data != NULL) {
		if (!val_write(&b, w->data, false) || (b.len > DATA_MAX &&
		    (fd = file_memfd("answer", b.p, b.len)) == -1)) {
			m.code = 501;
			m.text = "out of memory";
		} else if (fd == -1)
			m.data = b.p;
	}
	ipc_answer(ref, IPC_ADMINED, &m, fd);
	buf_free(&b);
}

void
admin_command(struct ipc *ipc, struct ipc_pkt *pkt, struct acct *acct)
{
	const struct msg_work_admin *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct wadmin w = { .acct = acct, .account = m->account,
		.actas = m->actas, .all = m->all, .code = 200, .text = "OK" };
	struct val *args = read_args(pkt, m), *limits;
	wadmin_fn *fn = find(m->verb);
	const char *err = NULL;

	limits = val_parse_all(m->limits, strlen(m->limits), &err);
	w.args = args;
	w.limits = limits;
	if (fn == NULL || args == NULL || val_type(args) != VAL_ARRAY)
		wadmin_no(&w, "unknown command or bad arguments");
	else
		fn(&w);
	tell(ref, &w);
	val_free(w.data);
	val_free(args);
	val_free(limits);
}
