/*
 * What routerd asks of authd: what an account may, which accounts want mail
 * to all, and that a domain is called otherwise now.  Runs in authd; nothing
 * here is written.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alerts.h"
#include "authd.h"
#include "file.h"
#include "log.h"

void
domain_rights(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_rights_check *m = pkt->m;
	const char *at = strrchr(m->account, '@');
	struct msg_ticket_info r = { .code = 1, .account = m->account,
		.rights = "{}" };
	struct val *rights = NULL;
	struct buf b;

	buf_init(&b, 4096);
	if (at != NULL)
		rights = rights_dict(m->account, at + 1, false);
	if (rights != NULL && val_write(&b, rights, false)) {
		r.code = 0;
		r.rights = b.p;
	}
	ipc_answer(ipc_ref(ipc, pkt), IPC_TICKET_INFO, &r, -1);
	val_free(rights);
	buf_free(&b);
}

/* Past the cache: all accounts of a domain would push out who is logged in. */
static bool
takes_all(const char *path, const char *domain)
{
	struct val *settings = account_read(path);
	bool yes = settings != NULL &&
	    effective_bool(settings, domain, "MailToAll");

	val_free(settings);
	return yes;
}

void
domain_all_check(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_all_check *m = pkt->m;
	struct msg_all_checked r = { .takes = "" };
	struct cur c = cur_str(m->paths);
	struct str line;
	struct buf b;
	char *path;

	buf_init(&b, 8192);
	while (cur_line(&c, &line)) {
		path = str_dup(line);
		buf_putc(&b, path != NULL && takes_all(path, m->domain) ?
		    'Y' : 'N');
		free(path);
	}
	if (!b.failed && b.p != NULL)
		r.takes = b.p;
	ipc_answer(ipc_ref(ipc, pkt), IPC_ALL_CHECKED, &r, -1);
	buf_free(&b);
}

enum { SUB_DEPTH = 8 };

/* Accounts' directories, which are ours; routerd does the rest. */
static void
remove_accounts(const char *path, int depth)
{
	struct dirent *e;
	char *sub;
	DIR *dir;

	dir = file_list(file_open_beneath(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY, 0));
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		sub = xasprintf("%s/%s", path, e->d_name);
		if (path_ends(sub, ".macnt") || path_ends(sub, ".mdir") ||
		    path_ends(sub, ".new"))
			remove_tree(sub);
		else if (path_ends(sub, ".sub") && depth < SUB_DEPTH)
			remove_accounts(sub, depth + 1);
		free(sub);
	}
	closedir(dir);
}

/* Its accounts' sessions have ended; commands of theirs end with this. */
void
domain_moved(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_domain_moved *m = pkt->m;
	struct msg_done r = { .text = "" };

	account_forget_below(m->path);
	ticket_drop_domain(m->name);
	rights_forget();
	alerts_forget();
	if (*m->remove != '\0')
		remove_accounts(m->remove, 0);
	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &r, -1);
}
