/*
 * Files of accounts that are gone: removed a few at a time between other
 * work, so that a hundred thousand messages hold up nobody's login.  Runs in
 * authd.  The tree has lost its name before it comes here; what a crash
 * leaves is found by first.c at the next start.
 */
#include <sys/queue.h>

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

enum { BATCH = 64, DEPTH_MAX = 40, PAUSE_USEC = 2000 };

enum removed { ALL, SOME, FAILED };

struct job {
	TAILQ_ENTRY(job) entry;
	char		*path;
};

static TAILQ_HEAD(, job) jobs = TAILQ_HEAD_INITIALIZER(jobs);
static struct event *timer;

static enum removed remove_entry(int dirfd, const char *name, int *budget,
    int depth);

static enum removed
empty_dir(int fd, int *budget, int depth)
{
	enum removed r = ALL;
	struct dirent *de;
	DIR *d;

	if ((d = file_list(fd)) == NULL)
		return FAILED;
	while (r == ALL && (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		r = *budget > 0 ?
		    remove_entry(dirfd(d), de->d_name, budget, depth) : SOME;
	}
	closedir(d);
	return r;
}

static enum removed
remove_entry(int parent, const char *name, int *budget, int depth)
{
	enum removed r;
	int fd;

	(*budget)--;
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return ALL;
	if ((errno != EISDIR && errno != EPERM) || depth >= DEPTH_MAX)
		return FAILED;
	fd = file_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return FAILED;
	if ((r = empty_dir(fd, budget, depth + 1)) != ALL)
		return r;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? ALL : FAILED;
}

static enum removed
remove_some(const char *path)
{
	int fd, budget = BATCH;
	const char *last;
	enum removed r;

	if ((fd = path_parent(path, &last)) == -1)
		return FAILED;
	r = remove_entry(fd, last, &budget, 0);
	close(fd);
	return r;
}

static void
schedule(void)
{
	static const struct timeval pause = { 0, PAUSE_USEC };

	if (timer != NULL && !TAILQ_EMPTY(&jobs))
		evtimer_add(timer, &pause);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = TAILQ_FIRST(&jobs);
	enum removed r;

	if (j == NULL)
		return;
	if ((r = remove_some(j->path)) == FAILED)
		log_warn("%s: cannot be removed", j->path);
	if (r != SOME) {
		TAILQ_REMOVE(&jobs, j, entry);
		free(j->path);
		free(j);
	}
	schedule();
}

void
remove_tree(const char *path)
{
	struct job *j;

	if (timer == NULL)
		timer = evtimer_new(proc_base(), tick, NULL);
	if ((j = calloc(1, sizeof(*j))) == NULL ||
	    (j->path = strdup(path)) == NULL) {
		free(j);
		log_warnx("%s: is removed at the next start", path);
		return;
	}
	TAILQ_INSERT_TAIL(&jobs, j, entry);
	schedule();
}
