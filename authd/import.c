/*
 * ImportAccounts: a list of accounts (manual 20) becomes accounts, all of them
 * or none.  Runs in authd.  Everything is checked and every name reserved
 * before the first is made; then they are made by hundreds, synced together by
 * a thread, so that neither the disk nor other logins wait for one another.
 */
#include <sys/stat.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "import.h"
#include "log.h"

enum {
	A_TURN = 50,		/* rows checked in a turn of the loop */
	WINDOW = 64,		/* asked at once; a channel bears 128 */
	BATCH = 256,		/* made between two syncs */
	DISKS_MAX = 8,		/* domains may lie elsewhere, by a link */
	ERR_LEN = 400
};

struct import;

struct item {
	struct import	*im;
	unsigned	 line;
	char		*name;		/* john@x.com */
	const char	*type;
	struct val	*settings;	/* until it is reserved */
	struct create	*c;
	char		*path;		/* once it is an account */
};

struct import {
	struct admin		*a;
	char			*domain;
	const char		*type;		/* of rows that name none */
	bool			 external;	/* INBOXes lie elsewhere */
	struct import_list	 list;
	struct item		*items;
	struct val		*aliases;	/* account to its array */
	struct val		*seen;		/* names of the file */
	struct event		*turn;
	size_t			 checked;
	/* What is done to each of items from..to, then next(). */
	void			(*step)(struct item *);
	void			(*next)(struct import *);
	size_t			 at, to, flying;
	size_t			 from;		/* of the batch */
	bool			 failed, synced;
	/* A directory of each file system that the batch is on. */
	struct { int fd; dev_t dev; } disks[DISKS_MAX];
	size_t			 ndisks;
	char			 err[ERR_LEN];
};

static void	undo(struct import *);

/* The first error is the one that is told. */
static void
fail_line(struct import *im, unsigned line, const char *text)
{
	struct buf b;

	if (im->failed)
		return;
	im->failed = true;
	buf_init(&b, sizeof(im->err));
	if (line != 0)
		buf_printf(&b, "line %u: ", line);
	buf_puts(&b, text);
	str_copy((struct str){ b.p, b.len }, im->err, sizeof(im->err));
	buf_free(&b);
}

static void
import_end(struct import *im)
{
	struct admin *a = im->a;
	size_t i;

	if (im->failed)
		admin_fail(a, 501, im->err);
	else {
		log_msg(LOG_PROBLEM, "%zu accounts of %s imported by %s",
		    im->list.nrows, im->domain, a->account);
		admin_done(a, NULL);
	}
	for (i = 0; i < im->list.nrows; i++) {
		free(im->items[i].name);
		free(im->items[i].path);
		val_free(im->items[i].settings);
	}
	free(im->items);
	import_free(&im->list);
	val_free(im->aliases);
	val_free(im->seen);
	event_free(im->turn);
	free(im->domain);
	free(im);
}

/* --- many at once --- */

static void
pump(struct import *im)
{
	while (im->flying < WINDOW && im->at < im->to &&
	    (!im->failed || im->next == import_end)) {
		im->flying++;
		im->step(&im->items[im->at++]);
	}
	if (im->flying == 0)
		im->next(im);
}

static void
each(struct import *im, size_t from, size_t to, void (*step)(struct item *),
    void (*next)(struct import *))
{
	im->at = from;
	im->to = to;
	im->step = step;
	im->next = next;
	pump(im);
}

static void
landed(struct import *im)
{
	im->flying--;
	pump(im);
}

/* What create.c says after each step. */
static void
stepped(int code, const char *text, void *arg)
{
	struct item *it = arg;

	if (code != 0) {
		it->c = NULL;
		fail_line(it->im, it->line, *text != '\0' ? text :
		    "the account cannot be made");
	}
	landed(it->im);
}

/* --- the end, if all went well --- */

static void
aliased(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct import *im = arg;

	if (m == NULL || m->code != 0) {
		fail_line(im, 0, m != NULL && *m->text != '\0' ? m->text :
		    "the aliases cannot be set");
		undo(im);
		return;
	}
	import_end(im);
}

static void
set_aliases(struct import *im)
{
	struct msg_name_aliases m = { .name = "", .aliases = "",
		.many = im->domain };
	struct buf b;
	int fd = -1;

	buf_init(&b, 0);
	if (val_count(im->aliases) == 0)
		import_end(im);
	else if (!val_write(&b, im->aliases, false) ||
	    (fd = file_memfd("aliases", b.p, b.len)) == -1) {
		fail_line(im, 0, "out of memory");
		undo(im);
	} else
		ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_ALIASES, 0, &m, fd,
		    10 * IPC_TIMEOUT, aliased, im);
	buf_free(&b);
}

/* --- a batch --- */

static void	batch(struct import *);

static void
batch_done(struct import *im)
{
	if (im->failed)
		undo(im);
	else if ((im->from += BATCH) >= im->list.nrows)
		set_aliases(im);
	else
		batch(im);
}

static void
publish_one(struct item *it)
{
	struct create *c = it->c;

	/* From now on it is an account like others. */
	it->c = NULL;
	create_publish(c);
}

static size_t
batch_end(const struct import *im)
{
	size_t end = im->from + BATCH;

	return end < im->list.nrows ? end : im->list.nrows;
}

static void
close_disks(struct import *im)
{
	while (im->ndisks > 0)
		close(im->disks[--im->ndisks].fd);
}

static void
named_synced(void *arg)
{
	struct import *im = arg;

	close_disks(im);
	if (!im->synced)
		fail_line(im, 0, "the disk cannot be written");
	/* Published or not they are there: undone, if so, by their paths. */
	each(im, im->from, batch_end(im), publish_one, batch_done);
}

/* In a thread. */
static void
sync_disks(void *arg)
{
	struct import *im = arg;
	size_t i;

	im->synced = true;
	for (i = 0; i < im->ndisks && im->synced; i++)
		im->synced = syncfs(im->disks[i].fd) == 0;
}

static bool
note_disk(struct import *im, const char *path)
{
	const char *file;
	struct stat st;
	size_t i;
	int fd;

	if ((fd = path_parent(path, &file)) == -1)
		return false;
	if (fstat(fd, &st) == -1) {
		close(fd);
		return false;
	}
	for (i = 0; i < im->ndisks; i++)
		if (im->disks[i].dev == st.st_dev) {
			close(fd);
			return true;
		}
	if (i == DISKS_MAX) {
		close(fd);
		return false;
	}
	im->disks[i].fd = fd;
	im->disks[i].dev = st.st_dev;
	im->ndisks++;
	return true;
}

static void
rename_batch(void *arg)
{
	struct import *im = arg;
	struct item *it;
	size_t i;

	if (!im->synced)
		fail_line(im, 0, "the disk cannot be written");
	for (i = im->from; i < batch_end(im) && !im->failed; i++) {
		it = &im->items[i];
		if (create_rename(it->c) == -1) {
			fail_line(im, it->line, "the account cannot be made");
			break;
		}
		it->path = xstrdup(create_path(it->c));
	}
	if (im->failed) {
		close_disks(im);
		undo(im);
	} else if (!slow_run(sync_disks, named_synced, im)) {
		im->synced = false;
		named_synced(im);
	}
}

static void
made(struct import *im)
{
	size_t i;

	for (i = im->from; i < batch_end(im) && !im->failed; i++)
		if (!note_disk(im, create_path(im->items[i].c)))
			fail_line(im, 0, "the accounts' disk cannot be found");
	if (!im->failed && !slow_run(sync_disks, rename_batch, im))
		fail_line(im, 0, "server is temporarily unable to do this");
	if (im->failed) {
		close_disks(im);
		undo(im);
	}
}

static void
make_one(struct item *it)
{
	create_make(it->c);
}

static void
batch(struct import *im)
{
	each(im, im->from, batch_end(im), make_one, made);
}

/* --- all of it undone --- */

static void
let_go(const struct ipc_pkt *pkt, void *arg)
{
	struct item *it = arg;
	struct msg_account_release m = { .path = it->path, .newpath = "" };

	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_RELEASE, 0, &m, -1,
	    IPC_TIMEOUT, admin_ignored, NULL);
	journal_end(1);
	landed(it->im);
}

static void
forgotten(const struct ipc_pkt *pkt, void *arg)
{
	struct item *it = arg;
	struct msg_name_remove m = { .name = it->name };

	if (account_is_single(it->path))
		single_forget(it->path);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_REMOVE, 0, &m, -1,
	    IPC_TIMEOUT, let_go, it);
}

static void
quieted(const struct ipc_pkt *pkt, void *arg)
{
	struct item *it = arg;

	journal_begin(it->name, it->path);
	if (account_is_single(it->path))
		single_move(it->path, "", forgotten, it);
	else {
		if (create_retire(it->path) == -1)
			log_warn("%s: cannot be removed", it->path);
		forgotten(NULL, it);
	}
}

static void
undo_one(struct item *it)
{
	struct msg_account_quiet m = { .path = it->path,
		.text = "the account is being removed" };

	if (it->path != NULL) {
		if (it->c != NULL) {
			create_drop(it->c);
			it->c = NULL;
		}
		ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_QUIET, 0, &m, -1,
		    IPC_TIMEOUT, quieted, it);
		return;
	}
	if (it->c != NULL)
		create_cancel(it->c);
	it->c = NULL;
	it->im->flying--;
}

static void
undo(struct import *im)
{
	each(im, 0, im->list.nrows, undo_one, import_end);
}

/* --- names --- */

static void
reserved(struct import *im)
{
	if (im->failed)
		undo(im);
	else
		batch(im);
}

static void
reserve_one(struct item *it)
{
	struct val *settings = it->settings;

	it->settings = NULL;
	it->c = create_reserve(it->name, it->type, settings, stepped, it);
}

/* --- the list is looked at --- */

static const char *
take_aliases(struct import *im, struct import_row *r)
{
	const char *alias;
	size_t i;

	for (i = 0; r->aliases != NULL && i < val_count(r->aliases); i++) {
		alias = val_text(val_at(r->aliases, i));
		if (!name_valid(str_make(alias)))
			return "illegal alias name";
		if (dict_get(im->seen, alias) != NULL)
			return "this alias is there twice";
		dict_set(im->seen, alias, val_string(""));
	}
	if (r->aliases == NULL || val_count(r->aliases) == 0)
		return NULL;
	if (!admin_may(im->a, im->domain, "CanCreateAliases"))
		return "you have no right to make aliases";
	dict_set(im->aliases, r->name, r->aliases);
	r->aliases = NULL;
	return NULL;
}

static const char *
check_row(struct import *im, struct import_row *r, struct item *it)
{
	const char *err;
	char *local = lower(r->name);

	it->im = im;
	it->line = r->line;
	free(r->name);
	r->name = local != NULL ? local : xstrdup("");
	if (!name_valid(str_make(r->name)))
		return "illegal account name";
	if (dict_get(im->seen, r->name) != NULL)
		return "this name is there twice";
	dict_set(im->seen, r->name, val_string(""));
	it->name = xasprintf("%s@%s", r->name, im->domain);
	it->type = account_type(*r->type != '\0' ? r->type : im->type);
	if (it->type == NULL)
		return "accounts of this type cannot be made";
	if (admin_name_outranks(im->a, it->name, im->domain))
		return "this name has rights that you have not";
	if ((err = account_may_create(im->a, im->domain, it->type)) != NULL ||
	    (err = take_aliases(im, r)) != NULL)
		return err;
	it->settings = initial_settings(im->a, im->domain,
	    val_count(r->settings) > 0 ? r->settings : NULL, &err);
	return it->settings == NULL ? err : initial_external(im->a,
	    im->domain, it->type, im->external, it->settings);
}

/* New passwords take their time: other logins have theirs between. */
static void
check_some(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct import *im = arg;
	const char *err;
	int n;

	for (n = 0; n < A_TURN && im->checked < im->list.nrows; n++) {
		err = check_row(im, &im->list.rows[im->checked],
		    &im->items[im->checked]);
		im->checked++;
		if (err != NULL) {
			fail_line(im, im->list.rows[im->checked - 1].line,
			    err);
			import_end(im);
			return;
		}
	}
	if (im->checked < im->list.nrows)
		evtimer_add(im->turn, &at_once);
	else
		each(im, 0, im->list.nrows, reserve_one, reserved);
}

void
admin_import(struct admin *a)
{
	struct import *im = xcalloc(1, sizeof(*im));
	const char *domain = admin_arg(a, 0);
	struct val *text = admin_value(a, 3, VAL_STRING);
	char *low;

	im->a = a;
	low = lower(strcmp(domain, "*") == 0 ? a->domain : domain);
	im->domain = low != NULL ? strdup(domain_real(low)) : NULL;
	free(low);
	im->type = *admin_arg(a, 1) != '\0' ? admin_arg(a, 1) : "MultiMailbox";
	im->external = *admin_arg(a, 2) != '\0';
	im->aliases = val_dict();
	im->seen = val_dict();
	im->turn = evtimer_new(proc_base(), check_some, im);
	if (im->domain == NULL || im->aliases == NULL || im->seen == NULL ||
	    im->turn == NULL)
		fatalx("out of memory");
	if (strlen(im->domain) > 255 ||
	    !admin_may(a, im->domain, "CanCreateAccounts"))
		fail_line(im, 0, "you have no right to do this");
	else if (!import_parse(&im->list, text != NULL ?
	    (struct str){ val_text(text), val_len(text) } : str_make("")))
		fail_line(im, im->list.line, im->list.err);
	im->items = xcalloc(im->list.nrows + 1, sizeof(*im->items));
	if (im->failed)
		import_end(im);
	else
		check_some(-1, 0, im);
}
