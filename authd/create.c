/*
 * An account comes to be (DECISIONS, Ownership): routerd reserves the name,
 * authd-priv opens its INBOX if that lies elsewhere, its directory is made as
 * name.new with its settings, stored adds INBOX and info, the rename is the
 * commit, routerd publishes.  Runs in authd.
 */
#include <sys/stat.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "log.h"

enum { TRIES = 20 };		/* to remove what failed */

struct create {
	char		*name;		/* john@x.com */
	char		*type;
	struct val	*settings;
	char		*path;		/* where it shall live */
	char		*tmp;		/* path with .new, if a directory */
	create_cb	*cb;
	void		*arg;
	int		 tries;
	int		 inbox;		/* -1, or what lies elsewhere */
	bool		 lazy;		/* its caller leads it, and syncs */
	bool		 begun;		/* there may be files */
};

/* A step of a lazy one is done: it waits for the next. */
static bool
pause_here(struct create *c)
{
	if (!c->lazy)
		return false;
	c->cb(0, "", c->arg);
	return true;
}

static void
finish(struct create *c, int code, const char *text)
{
	c->cb(code, text, c->arg);
	free(c->name);
	free(c->type);
	free(c->path);
	free(c->tmp);
	val_free(c->settings);
	if (c->inbox != -1)
		close(c->inbox);
	free(c);
}

/* Nobody waits for this: a dead routerd has forgotten the name anyway. */
static void
unreserved(const struct ipc_pkt *pkt, void *arg)
{
}

/* --- the files --- */

static int
give_to_mail(int fd, mode_t mode)
{
	gid_t gid = mail_group();

	if (gid != (gid_t)-1 && fchown(fd, -1, gid) == -1)
		return -1;
	return fchmod(fd, mode);
}

/* Something half made in the same life of authd stands in the way. */
static void
set_aside(int dirfd, const char *path, const char *last)
{
	static unsigned serial;
	struct buf other;

	buf_init(&other, 0);
	buf_printf(&other, "%.*s.%u.new", (int)(strlen(last) - 4), last,
	    ++serial);
	if (!other.failed &&
	    renameat(dirfd, last, dirfd, other.p) == 0) {
		struct buf whole;

		buf_init(&whole, 0);
		buf_add(&whole, path, last - path);
		buf_puts(&whole, other.p);
		if (!whole.failed)
			remove_tree(whole.p);
		buf_free(&whole);
	}
	buf_free(&other);
}

/* At once: the next may be made by that name before the files are gone. */
static void
discard(const char *path)
{
	const char *last;
	int fd;

	if ((fd = path_parent(path, &last)) == -1)
		return;
	set_aside(fd, path, last);
	close(fd);
}

static int
make_dir(const char *path)
{
	const char *last;
	int fd, dir = -1;

	if ((fd = path_parent(path, &last)) == -1)
		return -1;
	if (mkdirat(fd, last, 0700) == -1 && errno == EEXIST) {
		set_aside(fd, path, last);
		if (mkdirat(fd, last, 0700) == -1)
			goto out;
	}
	dir = file_open_beneath(fd, last, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1 || give_to_mail(dir, 01770) == -1) {
		if (dir != -1)
			close(dir);
		dir = -1;
	}
out:
	close(fd);
	return dir;
}

static int
make_unsynced(struct create *c)
{
	int dir, fd = -1, ret = -1;
	struct buf text;

	if ((dir = make_dir(c->tmp)) == -1)
		return -1;
	buf_init(&text, 0);
	if (val_write(&text, c->settings, true) && buf_putc(&text, '\n'))
		fd = file_open_beneath(dir, "account.settings",
		    O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd != -1) {
		ret = file_write(fd, text.p, text.len);
		close(fd);
	}
	close(dir);
	if (text.p != NULL)
		explicit_bzero(text.p, text.len);
	buf_free(&text);
	return ret;
}

/*
 * A single-mailbox account has no directory to rename: its mailbox, which
 * stored makes last of all, is what makes it one.
 */
static int
make_files(struct create *c)
{
	int dir, ret;

	if (c->lazy && !account_is_single(c->path))
		return make_unsynced(c);

	if (account_is_single(c->path))
		return account_save(c->path, c->settings);
	if ((dir = make_dir(c->tmp)) == -1)
		return -1;
	ret = account_save(c->tmp, c->settings);
	close(dir);
	return ret;
}

/* Durably, or not at all as far as anybody can see. */
static int
rename_synced(int dir, const char *from, const char *to)
{
	int saved;

	if (renameat(dir, from, dir, to) == -1)
		return -1;
	if (fsync(dir) == 0)
		return 0;
	saved = errno;
	renameat(dir, to, dir, from);
	errno = saved;
	return -1;
}

/* The commit: after it the account is there, whoever dies. */
static int
commit(const char *tmp, const char *path)
{
	const char *from, *to = strrchr(path, '/') + 1;
	int fd, dir, ret = -1;

	if (account_is_single(path))
		return sync_parent(path);
	if ((fd = path_parent(tmp, &from)) == -1)
		return -1;
	dir = file_open_beneath(fd, from, O_RDONLY | O_DIRECTORY, 0);
	if (dir != -1 && fsync(dir) == 0)
		ret = rename_synced(fd, from, to);
	if (dir != -1)
		close(dir);
	close(fd);
	return ret;
}

int
create_retire(const char *path)
{
	static unsigned serial;
	const char *last;
	struct buf gone;
	int fd, ret = -1;

	if ((fd = path_parent(path, &last)) == -1)
		return -1;
	buf_init(&gone, 0);
	buf_add(&gone, path, last - path);
	buf_printf(&gone, "%s.gone%u.new", last, ++serial);
	if (!gone.failed)
		ret = rename_synced(fd, last, gone.p + (last - path));
	close(fd);
	account_forget(path);
	if (ret == 0)
		remove_tree(gone.p);
	buf_free(&gone);
	return ret;
}

/* --- the steps --- */

static void
give_back(struct create *c, int code, const char *text)
{
	struct msg_name_remove m = { .name = c->name };

	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_REMOVE, 0, &m, -1,
	    IPC_TIMEOUT, unreserved, NULL);
	finish(c, code, text);
}

static void	undone(const struct ipc_pkt *, void *);

static void
undo_again(evutil_socket_t fd, short what, void *arg)
{
	struct create *c = arg;

	single_move(c->path, "", undone, c);
}

/* Left there, it would be an account of which nobody knows. */
static void
undone(const struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval second = { 1, 0 };
	struct create *c = arg;

	if (path_is_there(c->path) && c->tries++ < TRIES &&
	    event_base_once(proc_base(), -1, EV_TIMEOUT, undo_again, c,
		&second) == 0)
		return;
	if (!path_is_there(c->path))
		single_forget(c->path);
	journal_end(1);
	give_back(c, 2, "the account's files cannot be made");
}

static void
undo(struct create *c, int code, const char *text)
{
	if (account_is_single(c->path)) {
		single_move(c->path, "", undone, c);
		return;
	}
	account_forget(c->tmp);
	discard(c->tmp);
	give_back(c, code, text);
}

static void
published(const struct ipc_pkt *pkt, void *arg)
{
	struct create *c = arg;

	if (pkt == NULL)
		journal_again(c->name, "", c->path, false, 1);
	else
		journal_end(1);
	account_log(LOG_PROBLEM, c->name, "created (%s)", c->path);
	finish(c, 0, "");
}

static void
publish(struct create *c)
{
	struct msg_name_publish p = { .name = c->name, .path = c->path };

	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_PUBLISH, 0, &p, -1,
	    IPC_TIMEOUT, published, c);
}

static void
initialised(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct create *c = arg;

	if (m == NULL || pkt->type != IPC_DONE || m->code != 0) {
		undo(c, m != NULL ? m->code : 2, m != NULL ? m->text :
		    "server is temporarily unable to do this");
		return;
	}
	account_forget(c->tmp);
	if (pause_here(c))
		return;
	if (!account_is_single(c->path))
		journal_begin(c->name, c->path);
	if (commit(c->tmp, c->path) == -1) {
		log_warn("%s: cannot be made", c->path);
		if (!account_is_single(c->path))
			journal_end(1);
		undo(c, 2, "the account's files cannot be made");
		return;
	}
	publish(c);
}

/* Has to be there before it is filled. */
static void
give_inbox(struct create *c, const char *domain)
{
	struct msg_inbox m = { .path = c->tmp,
		.lock = strcmp(inbox_lock(domain), "RangeLevel") == 0 ? 2 : 1 };

	if (c->inbox != -1)
		ipc_send(proc_peer(PROC_STORED), IPC_INBOX, 0, &m, c->inbox);
	c->inbox = -1;
}

/* stored's part of its files. */
static void
fill(struct create *c)
{
	const char *domain = strrchr(c->name, '@') + 1;
	struct msg_account_init m = { .path = c->tmp,
		.format = account_format(c->settings, domain) };
	struct buf template;

	buf_init(&template, 0);
	m.template = template_fill(&template, domain) ? template.p : "";
	m.lazy = c->lazy && !account_is_single(c->path);
	give_inbox(c, domain);
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_INIT, 0, &m,
	    template_greeting(domain), IPC_TIMEOUT, initialised, c);
	buf_free(&template);
}

static void	make(struct create *);

static void
reserved(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_reserved *m = pkt != NULL ? pkt->m : NULL;
	struct create *c = arg;

	if (m == NULL || pkt->type != IPC_NAME_RESERVED || m->code != 0) {
		finish(c, m != NULL ? m->code : 2, m != NULL ? m->text :
		    "server is temporarily unable to do this");
		return;
	}
	c->path = strdup(m->path);
	if (c->path != NULL && strchr(c->path, '/') != NULL)
		c->tmp = xasprintf("%s%s", c->path,
		    account_is_single(c->path) ? "" : ".new");
	if (c->tmp == NULL) {
		give_back(c, 2, "out of memory");
		return;
	}
	if (!pause_here(c))
		make(c);
}

static void
make_account(struct create *c)
{
	c->begun = true;
	/* stored's mailbox is the commit of a single one. */
	if (account_is_single(c->path)) {
		if (path_is_there(c->path)) {
			give_back(c, 1, "Account with this name already "
			    "exists");
			return;
		}
		journal_begin(c->name, c->path);
	}
	if (make_files(c) == -1) {
		log_warn("%s: cannot be made", c->tmp);
		undo(c, 2, "the account's files cannot be made");
		return;
	}
	fill(c);
}

static void
inbox_opened(int code, const char *text, int fd, void *arg)
{
	struct create *c = arg;

	c->inbox = fd;
	if (code == 0)
		make_account(c);
	else
		give_back(c, code, text);
}

/* A file that lies elsewhere is first: most often it is what is missing. */
static void
make(struct create *c)
{
	if (inbox_is_external(c->settings))
		inbox_open(c->name, inbox_opened, c);
	else
		make_account(c);
}

static struct create *
reserve(const char *name, const char *type, struct val *settings, bool lazy,
    create_cb *cb, void *arg)
{
	struct msg_name_reserve m = { .name = name, .type = type };
	struct create *c = xcalloc(1, sizeof(*c));

	c->cb = cb;
	c->arg = arg;
	c->lazy = lazy;
	c->inbox = -1;
	c->settings = settings;
	c->name = xstrdup(name);
	c->type = xstrdup(type);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_RESERVE, 0, &m, -1,
	    IPC_TIMEOUT, reserved, c);
	return c;
}

void
create_account(const char *name, const char *type, struct val *settings,
    create_cb *cb, void *arg)
{
	if (settings == NULL)
		cb(2, "out of memory", arg);
	else
		reserve(name, type, settings, false, cb, arg);
}

/* --- many at once: import.c leads --- */

struct create *
create_reserve(const char *name, const char *type, struct val *settings,
    create_cb *cb, void *arg)
{
	return reserve(name, type, settings, true, cb, arg);
}

void
create_make(struct create *c)
{
	make(c);
}

const char *
create_path(const struct create *c)
{
	return c->path;
}

int
create_rename(struct create *c)
{
	const char *from, *to = strrchr(c->path, '/') + 1;
	int fd, ret;

	if (account_is_single(c->path))
		return 0;
	if ((fd = path_parent(c->tmp, &from)) == -1)
		return -1;
	journal_begin(c->name, c->path);
	if ((ret = renameat(fd, from, fd, to)) == -1)
		journal_end(1);
	close(fd);
	return ret;
}

void
create_publish(struct create *c)
{
	publish(c);
}

static void
ignored(int code, const char *text, void *arg)
{
}

void
create_drop(struct create *c)
{
	journal_end(1);
	c->cb = ignored;
	finish(c, 1, "");
}

void
create_cancel(struct create *c)
{
	c->cb = ignored;
	if (c->begun)
		undo(c, 1, "");
	else
		give_back(c, 1, "");
}
