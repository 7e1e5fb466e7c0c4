/*
 * One message for many accounts is stored once: each .mdir mailbox gets a name
 * of the same file (manual 23).  Runs in delivery alone, which remembers the
 * message it wrote last, and the one that a thread of it is writing: others
 * who have the same wait for that one.  Who is waited for waits for nobody.
 *
 * That file lies in a directory whose owner's worker
 * may put anything in its place, so what was linked must be the file that was
 * written: no other has its inode and its birth.  Nobody can write to it.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdir.h"

static pthread_mutex_t	lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t	written = PTHREAD_COND_INITIALIZER;
static bool		busy;		/* somebody writes this one */
static uint64_t		busy_id;

static struct {
	uint64_t	 id, size;
	int64_t		 time;		/* ids begin again one day */
	char		*sender, *header;
	char		 name[MDIR_NAME];
	int		 dir;		/* a duplicate */
	struct statx	 st;
	bool		 there;
} last;

static void
forget(void)
{
	if (!last.there)
		return;
	last.there = false;
	close(last.dir);
	free(last.sender);
	free(last.header);
}

static bool
is_file(int dir, const char *name, struct statx *st)
{
	return statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS |
	    STATX_BTIME, st) == 0 && S_ISREG(st->stx_mode) &&
	    (st->stx_mode & 0777) == 0400 && st->stx_mask & STATX_BTIME;
}

static bool
same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_size == b->stx_size &&
	    a->stx_dev_major == b->stx_dev_major &&
	    a->stx_dev_minor == b->stx_dev_minor &&
	    a->stx_btime.tv_sec == b->stx_btime.tv_sec &&
	    a->stx_btime.tv_nsec == b->stx_btime.tv_nsec &&
	    a->stx_uid == b->stx_uid;
}

static bool
link_last(struct box *b, const char *temp, uint64_t *size)
{
	struct statx st;

	(void)unlinkat(b->fd, temp, 0);
	if (linkat(last.dir, last.name, b->fd, temp, 0) == -1)
		return false;
	*size = last.st.stx_size;
	if (is_file(b->fd, temp, &st) && same_file(&st, &last.st))
		return true;
	(void)unlinkat(b->fd, temp, 0);
	return false;
}

bool
mdir_share_link(struct box *b, const struct delivery *d, uint64_t *size,
    bool *writing)
{
	char temp[MDIR_NAME];
	bool ok;

	/* 0: no message of the queue's, but a greeting. */
	if (b->acct->worker || d->id == 0)
		return false;
	mdir_new_temp(temp, d->uid);
	pthread_mutex_lock(&lock);
	while (busy && busy_id == d->id && !*writing)
		pthread_cond_wait(&written, &lock);
	ok = last.there && last.id == d->id && last.size == d->size &&
	    last.time == d->time &&
	    strcmp(last.sender, d->sender) == 0 &&
	    strcmp(last.header, d->header) == 0 && link_last(b, temp, size);
	if (!ok && !busy) {
		busy = *writing = true;
		busy_id = d->id;
	}
	pthread_mutex_unlock(&lock);
	return ok;
}

void
mdir_share_end(bool *writing)
{
	if (!*writing)
		return;
	pthread_mutex_lock(&lock);
	busy = *writing = false;
	pthread_cond_broadcast(&written);
	pthread_mutex_unlock(&lock);
}

void
mdir_share_keep(struct box *b, const struct delivery *d,
    const struct mdir_name *n)
{
	if (b->acct->worker || d->id == 0)
		return;
	pthread_mutex_lock(&lock);
	if (!last.there || last.id != d->id || last.time != d->time) {
		forget();
		last.id = d->id;
		last.size = d->size;
		last.time = d->time;
		mdir_name_format(last.name, n);
		if (is_file(b->fd, last.name, &last.st) &&
		    (last.dir = fcntl(b->fd, F_DUPFD_CLOEXEC, 0)) != -1) {
			last.sender = strdup(d->sender);
			last.header = strdup(d->header);
			last.there = true;
			if (last.sender == NULL || last.header == NULL)
				forget();
		}
	}
	pthread_mutex_unlock(&lock);
}
