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
static void (*recovered)(bool ok);

static void
told(const struct ipc_pkt *pkt, void *arg)
{
	/* NULL: routerd went, and will read the disk; ask once more. */
	if (pkt == NULL)
		failed = true;
	if (--waiting > 0)
		return;
	if (!failed && ftruncate(journal, 0) == -1)
		log_warn("Accounts/Settings/authd.pending");
	recovered(!failed);
}

static bool
is_there(const char *path)
{
	const char *last;
	bool yes;
	int fd;

	if ((fd = path_parent(path, &last)) == -1)
		return false;
	yes = faccessat(fd, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	close(fd);
	return yes;
}

static void
tell(const char *path, const char *name)
{
	struct msg_name_publish p = { .name = name, .from = "", .path = path };
	struct msg_name_remove r = { .name = name };
	bool there = is_there(path);

	log_msg(LOG_PROBLEM, "%s: %s, as found after a break", name,
	    there ? "is there" : "is gone");
	waiting++;
	ipc_call(proc_peer(PROC_ROUTERD), there ? IPC_NAME_PUBLISH :
	    IPC_NAME_REMOVE, 0, there ? (void *)&p : (void *)&r, -1,
	    IPC_TIMEOUT, told, NULL);
}

void
journal_recover(void (*done)(bool ok))
{
	struct cur c;
	struct str line;
	char *text, *copy, *name;
	size_t len;

	if (journal == -1)
		open_journal();
	recovered = done;
	failed = false;
	waiting = 1;
	if ((text = file_read_fd(journal, JOURNAL_MAX, &len)) == NULL) {
		log_warn("Accounts/Settings/authd.pending");
		len = 0;
	}
	c = cur_make(text, len);
	while (cur_line(&c, &line)) {
		if ((copy = str_dup(line)) == NULL)
			continue;
		/* A path has no blank: names that might are refused. */
		if ((name = strchr(copy, ' ')) != NULL &&
		    strlen(name + 1) <= 512) {
			*name++ = '\0';
			tell(copy, name);
		}
		free(copy);
	}
	free(text);
	told(&(struct ipc_pkt){ .type = IPC_NONE }, NULL);
}
