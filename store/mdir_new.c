/*
 * The file of a message that comes into a .mdir mailbox: in delivery and in
 * workers.  Nobody sees it before it has its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "mdir.h"

void
mdir_new_temp(char *out, uint32_t uid)
{
	snprintf(out, MDIR_NAME, "%u.new", uid);
}

/* Read only from then on: it may get names in other mailboxes. */
int
mdir_new_open(struct mdir_new *n, struct box *b, uint32_t uid)
{
	char temp[MDIR_NAME];

	memset(n, 0, sizeof(*n));
	n->b = b;
	n->last = '\n';
	mdir_new_temp(temp, uid);
	if (unlinkat(b->fd, temp, 0) == -1 && errno != ENOENT) {
		n->fd = -1;
		return -1;
	}
	n->fd = openat(b->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0400);
	return n->fd != -1 ? 0 : -1;
}

/* Octets as sent: every line end is CRLF. */
static void
count(struct mdir_new *n, const char *p, size_t len)
{
	const char *lf, *at, *end = p + len;

	n->wire += len;
	for (at = p; (lf = memchr(at, '\n', end - at)) != NULL; at = lf + 1)
		if ((lf > p ? lf[-1] : n->last) != '\r')
			n->wire++;
	n->last = end[-1];
}

int
mdir_new_write(struct mdir_new *n, const void *p, size_t len)
{
	if (len == 0)
		return 0;
	if (file_write(n->fd, p, len) == -1)
		return -1;
	n->size += len;
	/* Delivery keeps no records. */
	if (n->b->acct->worker)
		count(n, p, len);
	return 0;
}

int
mdir_new_close(struct mdir_new *n, bool sync)
{
	int ret = 0, err;

	if (n->fd == -1)
		return 0;
	if (sync)
		ret = fsync(n->fd);
	err = errno;
	close(n->fd);
	n->fd = -1;
	errno = err;
	return ret;
}

int
mdir_new_name(struct box *b, const struct mdir_name *n)
{
	char temp[MDIR_NAME], name[MDIR_NAME];

	mdir_new_temp(temp, n->uid);
	mdir_name_format(name, n);
	return renameat2(b->fd, temp, b->fd, name, RENAME_NOREPLACE);
}

void
mdir_new_undo(struct box *b, const struct mdir_name *n)
{
	char path[MDIR_NAME];

	mdir_new_temp(path, n->uid);
	(void)unlinkat(b->fd, path, 0);
	mdir_name_format(path, n);
	if (unlinkat(b->fd, path, 0) == -1 && errno != ENOENT)
		b->bad = true;
}
