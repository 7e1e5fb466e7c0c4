/*
 * Which file of Submitted/ or ForeignQueue/ a message was made of: its
 * envelope says so, so that a crash before that file is removed does not take
 * it in twice.  Runs in queued's threads.  Must never remove another file that
 * has the name by now.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"

void
source_name(struct buf *b, const char *mark, const char *name,
    const struct stat *st)
{
	buf_printf(b, "%s%ju.%jd.%09ld %s", mark, (uintmax_t)st->st_ino,
	    (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, name);
}

void
source_remove(int dir, const char *where, const char *mark,
    const char *source)
{
	const char *name = strchr(source, ' ') + 1;
	struct stat st;
	struct buf b;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	buf_init(&b, 0);
	source_name(&b, mark, name, &st);
	if (!b.failed && strcmp(b.p, source) == 0 &&
	    unlinkat(dir, name, 0) == -1)
		log_warn("%s/%s", where, name);
	buf_free(&b);
}
