/*
 * What authd was about to tell routerd.  An account that is made, renamed or
 * removed is so on disk first and published after; if authd dies in between,
 * routerd would not know.  So names and paths are noted before, and at the
 * next start routerd is told how each of them lies on disk.  If routerd does
 * not answer, it hears of it when it is there again: it may have read the
 * disk before.  Runs in authd; the file is Accounts/Settings/authd.pending:
 *
 *	Accounts/john.macnt john@x.com			made
 *	Accounts/jim.macnt jim@x.com john@x.com		renamed, from
 *	-Accounts/john.macnt john@x.com			removed
 *
 * Only the last is synced: if the whole machine goes down routerd reads the
 * disk anyway, but it does not see there whose aliases and memberships are
 * to go.
 */
#include <bsd/sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

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

static int
note(const char *mark, const char *path, const char *name, const char *from)
{
	struct buf line;
	int ret = -1;

	open_notes++;
	buf_init(&line, 0);
	buf_printf(&line, "%s%s %s%s%s\n", mark, path, name,
	    *from != '\0' ? " " : "", from);
	if (!line.failed)
		ret = file_write(journal, line.p, line.len);
	if (ret == -1)
		log_warn("Accounts/Settings/authd.pending");
	buf_free(&line);
	return ret;
}

void
journal_begin(const char *name, const char *path)
{
	(void)note("", path, name, "");
}

void
journal_rename(const char *name, const char *path, const char *from,
    const char *frompath)
{
	(void)note("", frompath, from, "");
	(void)note("", path, name, from);
}

void
journal_remove(const char *name, const char *path)
{
	if (note("-", path, name, "") == 0 && fdatasync(journal) == -1)
		log_warn("Accounts/Settings/authd.pending");
}

void
journal_end(unsigned notes)
{
	open_notes -= notes;
	if (open_notes == 0 && ftruncate(journal, 0) == -1)
		log_warn("Accounts/Settings/authd.pending");
}

/* --- what routerd did not answer to --- */

/* A channel bears 128 requests; an import leaves thousands. */
enum { AGAIN_SECONDS = 5, AGAIN_WINDOW = 32 };

struct again {
	TAILQ_ENTRY(again) entry;
	char		*name, *from, *path;
	bool		 gone, asked;
	unsigned	 notes;
};

static TAILQ_HEAD(, again) unheard = TAILQ_HEAD_INITIALIZER(unheard);
static struct event *timer;
static unsigned asked;

static void
again_done(struct again *g)
{
	journal_end(g->notes);
	TAILQ_REMOVE(&unheard, g, entry);
	free(g->name);
	free(g->from);
	free(g->path);
	free(g);
}

static void
heard(const struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval pause = { AGAIN_SECONDS, 0 };
	struct again *g = arg;

	g->asked = false;
	asked--;
	if (pkt != NULL) {
		again_done(g);
		journal_routerd_up();
	} else if (timer != NULL)
		evtimer_add(timer, &pause);
}

/* What has become of it since is its own news. */
static bool
is_stale(const struct again *g)
{
	return path_is_there(g->path) == g->gone;
}

static void
tell_again(struct again *g)
{
	struct msg_name_publish p = { .name = g->name, .from = g->from,
		.path = g->path };
	struct msg_name_remove r = { .name = g->name, .gone = 1 };

	if (is_stale(g)) {
		again_done(g);
		return;
	}
	g->asked = true;
	asked++;
	ipc_call(proc_peer(PROC_ROUTERD), g->gone ? IPC_NAME_REMOVE :
	    IPC_NAME_PUBLISH, 0, g->gone ? (void *)&r : (void *)&p, -1,
	    IPC_TIMEOUT, heard, g);
}

void
journal_routerd_up(void)
{
	struct again *g, *next;

	TAILQ_FOREACH_SAFE(g, &unheard, entry, next) {
		if (asked >= AGAIN_WINDOW || proc_peer(PROC_ROUTERD) == NULL)
			break;
		if (!g->asked)
			tell_again(g);
	}
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	journal_routerd_up();
}

void
journal_again(const char *name, const char *from, const char *path, bool gone,
    unsigned notes)
{
	static const struct timeval pause = { AGAIN_SECONDS, 0 };
	struct again *g = xcalloc(1, sizeof(*g));

	log_msg(LOG_PROBLEM, "%s: routerd hears of it when it is there again",
	    name);
	g->name = xstrdup(name);
	g->from = xstrdup(from);
	g->path = xstrdup(path);
	g->gone = gone;
	g->notes = notes;
	TAILQ_INSERT_TAIL(&unheard, g, entry);
	if (timer == NULL)
		timer = evtimer_new(proc_base(), tick, NULL);
	/* It may be there already, or have been slow only. */
	if (timer != NULL)
		evtimer_add(timer, &pause);
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

/* A line of the file. */
struct noted {
	const char	*path, *name, *from;
	bool		 gone;
};

/* Asks for each note in turn; next comes when all were answered. */
static void
each_note(void (*ask)(const struct noted *), void (*next)(void))
{
	struct cur c = cur_make(notes, strlen(notes));
	struct noted n;
	struct str line;
	char *copy, *p;

	then = next;
	waiting = 1;
	while (cur_line(&c, &line)) {
		if ((copy = p = str_dup(line)) == NULL)
			continue;
		/* No part of it has a blank: names that might are refused. */
		n.gone = *p == '-';
		n.path = p + n.gone;
		strsep(&p, " ");
		n.name = strsep(&p, " ");
		n.from = p != NULL ? p : "";
		if (n.name != NULL && strlen(n.name) <= 512 &&
		    strlen(n.from) <= 512)
			ask(&n);
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
tell(const struct noted *n)
{
	const char *path = n->path, *name = n->name;
	struct msg_name_publish p = { .name = name, .from = n->from,
		.path = path };
	struct msg_name_remove r = { .name = name, .gone = n->gone };
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
quiet(const struct noted *n)
{
	struct msg_account_quiet m = { .path = n->path,
		.text = "the account is being changed" };

	if (!account_is_single(n->path))
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
