/*
 * What authd was about to tell routerd.  An account that is made, renamed or
 * removed is so on disk first and published after; if authd dies in between,
 * routerd would not know.  So names and paths are noted before, and at the
 * next start routerd is told how each of them lies on disk.  The notes are
 * not synced: if the whole machine goes down routerd reads the disk anyway.
 * Runs in authd; the file is Accounts/Settings/authd.pending.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "log.h"

enum { JOURNAL_MAX = 4 * 1024 * 1024 };

static int journal = -1;
static unsigned open_notes;

static void
open_journal(void)
{
	int dir;

	dir = file_open_beneath(proc_basefd(), "Accounts/Settings",
	    O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return;
	journal = file_open_beneath(dir, "authd.pending",
	    O_RDWR | O_CREAT | O_APPEND, 0600);
	close(dir);
}

void
journal_begin(const char *name, const char *path)
{
	struct buf line;

	open_notes++;
	buf_init(&line, 0);
	buf_printf(&line, "%s %s\n", path, name);
	if (line.failed || file_write(journal, line.p, line.len) == -1)
		log_warn("Accounts/Settings/authd.pending");
	buf_free(&line);
}

void
journal_end(unsigned notes)
{
	open_notes -= notes;
	if (open_notes == 0 && ftruncate(journal, 0) == -1)
		log_warn("Accounts/Settings/authd.pending");
}

/* --- recovery --- */

static unsigned waiting;
static bool failed;
static char *notes;
static void (*then)(void);
static void (*recovered)(bool ok);

static void
one_done(void)
{
	if (--waiting == 0)
		then();
}

/* Asks for each note in turn; next comes when all were answered. */
static void
each_note(void (*ask)(const char *path, const char *name), void (*next)(void))
{
	struct cur c = cur_make(notes, strlen(notes));
	struct str line;
	char *copy, *name;

	then = next;
	waiting = 1;
	while (cur_line(&c, &line)) {
		if ((copy = str_dup(line)) == NULL)
			continue;
		/* A path has no blank: names that might are refused. */
		if ((name = strchr(copy, ' ')) != NULL &&
		    strlen(name + 1) <= 512) {
			*name++ = '\0';
			ask(copy, name);
		}
		free(copy);
	}
	one_done();
}

static void
told(const struct ipc_pkt *pkt, void *arg)
{
	/* NULL: it went, and routerd will read the disk; ask once more. */
	if (pkt == NULL)
		failed = true;
	one_done();
}

/* What stored had beside a mailbox: it may stay, too. */
static void
ignored(const struct ipc_pkt *pkt, void *arg)
{
	one_done();
}

bool
path_is_there(const char *path)
{
	const char *last;
	bool yes;
	int fd;

	/* Whoever cannot look shall not remove what he did not see. */
	if ((fd = path_parent(path, &last)) == -1)
		return errno != ENOENT;
	yes = faccessat(fd, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT;
	close(fd);
	return yes;
}

static void
release(const char *path, bool there)
{
	struct msg_account_release m = { .path = path,
		.newpath = there ? path : "" };

	waiting++;
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_RELEASE, 0, &m, -1,
	    IPC_TIMEOUT, ignored, NULL);
}

static void
tell(const char *path, const char *name)
{
	struct msg_name_publish p = { .name = name, .from = "", .path = path };
	struct msg_name_remove r = { .name = name };
	bool there = path_is_there(path);

	if (failed) {
		if (account_is_single(path))
			release(path, there);
		return;
	}
	if (account_is_single(path) && !there) {
		single_forget(path);
		waiting++;
		single_move(path, "", ignored, NULL);
	}
	if (account_is_single(path))
		release(path, there);
	log_msg(LOG_PROBLEM, "%s: %s, as found after a break", name,
	    there ? "is there" : "is gone");
	waiting++;
	ipc_call(proc_peer(PROC_ROUTERD), there ? IPC_NAME_PUBLISH :
	    IPC_NAME_REMOVE, 0, there ? (void *)&p : (void *)&r, -1,
	    IPC_TIMEOUT, told, NULL);
}

/* stored may still be at what we asked for in an earlier life. */
static void
quiet(const char *path, const char *name)
{
	struct msg_account_quiet m = { .path = path,
		.text = "the account is being changed" };

	if (!account_is_single(path))
		return;
	waiting++;
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_QUIET, 0, &m, -1,
	    IPC_TIMEOUT, told, NULL);
}

static void
all_told(void)
{
	if (!failed && ftruncate(journal, 0) == -1)
		log_warn("Accounts/Settings/authd.pending");
	free(notes);
	notes = NULL;
	recovered(!failed);
}

static void
all_quiet(void)
{
	each_note(tell, all_told);
}

void
journal_recover(void (*done)(bool ok))
{
	if (journal == -1)
		open_journal();
	recovered = done;
	failed = false;
	if ((notes = file_read_fd(journal, JOURNAL_MAX, NULL)) == NULL) {
		log_warn("Accounts/Settings/authd.pending");
		notes = xasprintf("%s", "");
	}
	each_note(quiet, all_quiet);
}
