/*
 * What authd does before anybody logs in: sweeps up accounts that were never
 * finished or not wholly removed, tells routerd what an earlier authd could
 * not any more (journal.c), and on the very first start makes postmaster,
 * with a random password in clear and the Master right.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "authd.h"
#include "file.h"
#include "log.h"

enum { PASSWORD_LEN = 16, SUB_DEPTH = 8 };

static enum { WAITING, ASKED, MADE } state;
static struct event *again;

/* Ours, and never finished: routerd's own new files are not touched. */
static void
sweep_entry(DIR *d, const char *dir, const char *name)
{
	struct stat st;
	struct buf path;

	if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    st.st_uid != geteuid())
		return;
	buf_init(&path, 0);
	if (buf_printf(&path, "%s/%s", dir, name))
		remove_tree(path.p);
	buf_free(&path);
}

static void
sweep(const char *dir, int depth)
{
	struct dirent *de;
	struct buf sub;
	DIR *d;

	d = file_list(file_open_beneath(proc_basefd(), dir,
	    O_RDONLY | O_DIRECTORY, 0));
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (path_ends(de->d_name, ".new")) {
			sweep_entry(d, dir, de->d_name);
			continue;
		}
		if (!path_ends(de->d_name, ".sub") || depth >= SUB_DEPTH)
			continue;
		buf_init(&sub, 0);
		if (buf_printf(&sub, "%s/%s", dir, de->d_name))
			sweep(sub.p, depth + 1);
		buf_free(&sub);
	}
	closedir(d);
}

static void
sweep_domains(void)
{
	struct dirent *de;
	struct buf path;
	DIR *d;

	d = file_list(file_open_beneath(proc_basefd(), "Domains",
	    O_RDONLY | O_DIRECTORY, 0));
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		buf_init(&path, 0);
		if (buf_printf(&path, "Domains/%s", de->d_name))
			sweep(path.p, 0);
		buf_free(&path);
	}
	closedir(d);
}

static void
wait_more(void)
{
	static const struct timeval second = { 1, 0 };

	state = WAITING;
	evtimer_add(again, &second);
}

static void
made(int code, const char *text, void *arg)
{
	if (code == 2) {
		log_warnx("postmaster cannot be made yet: %s", text);
		wait_more();
		return;
	}
	/* Refused means: the name exists, as it does at every later start. */
	state = MADE;
	proc_ready();
}

static struct val *
postmaster_settings(void)
{
	struct val *v = val_dict();
	struct buf pass;

	buf_init(&pass, 0);
	if (v != NULL && password_random(&pass, PASSWORD_LEN))
		dict_set(v, "Password", val_string(pass.p));
	if (pass.p != NULL)
		explicit_bzero(pass.p, pass.cap);
	buf_free(&pass);
	return v;
}

static void
make_postmaster(bool ok)
{
	char *name;

	if (!ok) {
		wait_more();
		return;
	}
	name = xasprintf("postmaster@%s", main_domain());
	create_account(name, "MultiMailbox", postmaster_settings(), made,
	    NULL);
	free(name);
}

void
first_peer(void)
{
	if (state != WAITING || proc_peer(PROC_ROUTERD) == NULL ||
	    proc_peer(PROC_STORED) == NULL)
		return;
	state = ASKED;
	journal_recover(make_postmaster);
}

static void
try_again(evutil_socket_t fd, short what, void *arg)
{
	first_peer();
}

void
first_start(void)
{
	again = evtimer_new(proc_base(), try_again, NULL);
	sweep("Accounts", 0);
	sweep_domains();
	if (rights_first() == -1)
		log_warn("Access.settings of the main domain");
	first_peer();
}
