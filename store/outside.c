/*
 * The lock and the eye on an INBOX that lies elsewhere: see outside.h.  Runs in
 * delivery's threads and in an account's worker.  Never opens a path: it has
 * one descriptor, and its copies.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

enum { WAIT_MS = 2000, STEP_MS = 20 };	/* for others' locks */

/* Who looks for the end of a message in more would be gone for too long. */
static const uint64_t size_max = 64ULL * 1024 * 1024 * 1024;

struct stamp {
	uint64_t	size;
	struct timespec	mtime, ctime;
};

struct outside {
	int			 fd;
	enum outside_how	 how;
	unsigned		 depth;		/* of locks taken */
	bool			 lost;
	struct stamp		 seen;		/* as we left it */
	/* What mbox_live() found up to there; 0: nothing. */
	uint64_t		 counted, gone, messages;
};

void
acct_outside(struct acct *a, int fd, enum outside_how how)
{
	outside_free(a);
	a->outside = xcalloc(1, sizeof(*a->outside));
	a->outside->fd = fd;
	a->outside->how = how;
}

void
outside_free(struct acct *a)
{
	if (a->outside != NULL)
		close(a->outside->fd);
	free(a->outside);
	a->outside = NULL;
}

bool
acct_outside_lost(const struct acct *a)
{
	return a->outside != NULL && a->outside->lost;
}

/* --- the lock --- */

static int
set_lock(const struct outside *o, bool on)
{
	struct flock fl = { .l_type = on ? F_WRLCK : F_UNLCK,
		.l_whence = SEEK_SET };

	if (o->how == OUTSIDE_FILE)
		return flock(o->fd, on ? LOCK_EX | LOCK_NB : LOCK_UN);
	/* Of the open file: to close a copy of it does not end the lock. */
	return fcntl(o->fd, F_OFD_SETLK, &fl);
}

int
outside_lock(struct box *b)
{
	static const struct timespec step = { 0, STEP_MS * 1000000L };
	struct outside *o = b->outside;
	int waited, most;

	if (o == NULL || o->depth++ > 0)
		return 0;
	/* Delivery has others' mail to deliver meanwhile. */
	most = b->acct->worker ? WAIT_MS : 0;
	for (waited = 0;; waited += STEP_MS) {
		if (set_lock(o, true) == 0)
			return 0;
		if ((errno != EAGAIN && errno != EACCES && errno != EINTR) ||
		    waited >= most)
			break;
		nanosleep(&step, NULL);
	}
	o->depth--;
	if (errno == EACCES || errno == EINTR)
		errno = EAGAIN;
	return -1;
}

/* --- what others did --- */

static int
look(const struct outside *o, struct stamp *s, bool *lost)
{
	struct stat st;

	if (fstat(o->fd, &st) == -1)
		return -1;
	s->size = st.st_size;
	s->mtime = st.st_mtim;
	s->ctime = st.st_ctim;
	*lost = st.st_nlink == 0;
	return 0;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same(const struct stamp *a, const struct stamp *b)
{
	return a->size == b->size && same_time(&a->mtime, &b->mtime) &&
	    same_time(&a->ctime, &b->ctime);
}

bool
acct_outside_news(const struct acct *a)
{
	const struct outside *o = a->outside;
	struct stamp now;
	bool lost;

	if (o == NULL || o->depth > 0 || look(o, &now, &lost) == -1 ||
	    (!lost && same(&now, &o->seen)))
		return false;
	/* Who is still at it would keep us waiting. */
	return set_lock(o, true) == 0 && set_lock(o, false) == 0;
}

void
outside_unlock(struct box *b, bool wrote)
{
	struct outside *o = b->outside;
	int saved = errno;
	bool lost;

	if (o == NULL)
		return;
	/* Not as long as we made it: somebody else wrote without the lock. */
	if (wrote && (look(o, &o->seen, &lost) == -1 ||
	    o->seen.size != b->size))
		memset(&o->seen, 0, sizeof(o->seen));
	if (--o->depth > 0)
		return;
	if (set_lock(o, false) == -1)
		log_warn("%s: unlocking", b->file);
	errno = saved;
}

int
outside_open(struct box *b)
{
	struct outside *o = b->outside;

	if (look(o, &o->seen, &o->lost) == -1)
		return -1;
	if (o->lost || o->seen.size > size_max) {
		errno = o->lost ? ESTALE : EFBIG;
		return -1;
	}
	o->counted = 0;
	return fcntl(o->fd, F_DUPFD_CLOEXEC, 3);
}

bool
outside_changed(struct box *b)
{
	struct outside *o = b->outside;
	struct stamp now;

	if (look(o, &now, &o->lost) == -1 || o->lost || now.size > size_max)
		return true;
	if (same(&now, &o->seen))
		return false;
	o->seen = now;
	o->counted = 0;
	b->size = now.size;
	b->checked = false;
	b->idx.head->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
	b->revision++;
	return false;
}

/* Does a message still begin there, as its record says? */
static bool
stands(const struct box *b, const struct rec *r)
{
	char line[FROM_MAX];
	struct from_line f;
	const char *lf;
	ssize_t n;

	if ((n = file_pread(b->fd, line, sizeof(line), r->offset)) <= 0 ||
	    (lf = memchr(line, '\n', n)) == NULL ||
	    lf - line + 1 != r->fromlen)
		return false;
	n = lf - line;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	return from_parse(line, n, &f) && f.date == r->date &&
	    (!(r->flags & REC_OWNUID) || f.uid == r->uid);
}

bool
outside_same(struct box *b, const struct rec *r)
{
	struct outside *o = b->outside;
	struct stamp now;
	bool lost;

	if (o == NULL || o->depth > 0)
		return true;
	if (look(o, &now, &lost) == 0 && (same(&now, &o->seen) ||
	    (now.size > o->seen.size && stands(b, r))))
		return true;
	/* No record is used until they were looked at again. */
	b->checked = false;
	errno = ESTALE;
	return false;
}

/* --- how much of it is mail --- */

uint64_t
outside_counted(const struct box *b, uint64_t *gone, uint64_t *messages)
{
	const struct outside *o = b->outside;

	if (o == NULL || o->counted == 0 || o->counted > b->size)
		return 0;
	*gone = o->gone;
	*messages = o->messages;
	return o->counted;
}

void
outside_count(const struct box *b, uint64_t gone, uint64_t messages)
{
	struct outside *o = b->outside;

	/* A worker has an index, and takes messages out. */
	if (o == NULL || b->acct->worker)
		return;
	o->counted = b->size;
	o->gone = gone;
	o->messages = messages;
}
