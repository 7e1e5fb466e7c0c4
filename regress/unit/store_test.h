/*
 * What the tests of mailboxes share: an account's directory on a real disk,
 * messages to deliver, and looking at what became of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "file.h"
#include "log.h"

static char	dir[64];
static int	top = -1;
static const struct box_format *format = &format_mbox;

static inline int
drop(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline int
setup(void **state)
{
	log_set_level(0);
	strcpy(dir, "/tmp/cg-store.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	top = open(dir, O_RDONLY | O_DIRECTORY);
	return top == -1;
}

static inline int
teardown(void **state)
{
	close(top);
	return nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct acct *
account(bool worker)
{
	struct acct *a = acct_new(dup(top), NULL, worker);

	a->format = format;
	return a;
}

static inline int
content(const char *text, size_t len)
{
	return file_memfd("message", text, len);
}

static inline struct delivery
job(uint64_t id, const char *text)
{
	struct delivery d = { .id = id, .sender = "s@x", .header = "",
		.size = strlen(text), .time = 1795228826 };

	d.fd = content(text, strlen(text));
	return d;
}

static inline void
deliver(struct box *b, uint64_t id, const char *text)
{
	struct delivery d = job(id, text);

	box_deliver(b, &d, 1);
	close(d.fd);
	if (d.code != 0)
		fail_msg("delivery: %s", d.text);
}

static inline char *
whole(const char *name, size_t *len)
{
	char *p = file_read(top, name, 1 << 28, len);

	if (p == NULL)
		fail_msg("%s: %s", name, strerror(errno));
	return p;
}

static inline void
put(const char *name, const void *p, size_t len)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write(fd, p, len), 0);
	close(fd);
}

static inline struct box *
inbox(struct acct *a)
{
	struct box *b = box_open(a, "");

	if (b == NULL)
		fail_msg("INBOX: %s", strerror(errno));
	if (a->worker)
		assert_int_equal(box_refresh(b), 0);
	return b;
}

static inline char *
text_of(struct box *b, uint32_t i)
{
	struct rec *r = box_rec(b, i);
	char *p = calloc(1, r->size + 1);

	assert_int_equal(box_read(b, r, 0, p, r->size), r->size);
	return p;
}

static inline void
assert_text(struct box *b, uint32_t i, const char *text)
{
	char *p = text_of(b, i);

	assert_string_equal(p, text);
	free(p);
}

/* Copies of all files, for doing the same thing to them again and again. */
struct copy {
	char	*mbox, *idx, *info;
	size_t	 nmbox, nidx, ninfo;
};

static inline struct copy
save(void)
{
	struct copy c;

	c.mbox = whole("INBOX.mbox", &c.nmbox);
	c.idx = whole("INBOX.mbox.idx", &c.nidx);
	c.info = whole("account.info", &c.ninfo);
	return c;
}

static inline void
free_copy(struct copy *c)
{
	free(c->mbox);
	free(c->idx);
	free(c->info);
}

/* In place: the inode stays. */
static inline void
restore(const struct copy *c)
{
	put("INBOX.mbox", c->mbox, c->nmbox);
	put("INBOX.mbox.idx", c->idx, c->nidx);
	put("account.info", c->info, c->ninfo);
	unlinkat(top, "INBOX.mbox.torn", 0);
}

/* A process that just ends: nothing is marked. */
static inline void
crash(struct acct *a)
{
	struct box *b;

	for (b = a->boxes; b != NULL; b = b->next)
		b->bad = true;
	acct_free(a);
}

/* Somebody else's separator. */
#define OLD "From ann Sat Nov 21 02:40:26 2026\n"

/* Messages 1 to n, each with its number as subject and text; a is freed. */
static inline void
fill_account(struct acct *a, int n)
{
	struct box *b = inbox(a);
	char text[64];
	int i;

	for (i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "Subject: %d\n\n%d\n", i, i);
		deliver(b, i, text);
	}
	acct_free(a);
}

static inline void
fill(int n)
{
	fill_account(account(false), n);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
