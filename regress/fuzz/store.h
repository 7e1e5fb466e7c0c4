/* An account's directory for fuzz targets: in memory where there is some. */
#ifndef FUZZ_STORE_H
#define FUZZ_STORE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "file.h"
#include "log.h"

static char	fuzz_dir[64];
static int	fuzz_top = -1;

static void
fuzz_leave(void)
{
	static const char *const names[] = { "INBOX.mbox", "INBOX.mbox.idx",
		"INBOX.mbox.torn", "INBOX.mbox.new", "INBOX.mbox.idx.new",
		"INBOX.mbox.dat", "INBOX.mbox.dat.new",
		"account.info", "account.info.bad" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(fuzz_top, names[i], 0);
	rmdir(fuzz_dir);
}

static int
fuzz_account(void)
{
	if (fuzz_top != -1)
		return fuzz_top;
	snprintf(fuzz_dir, sizeof(fuzz_dir), "/dev/shm/cg-fuzz.XXXXXX");
	if (mkdtemp(fuzz_dir) == NULL) {
		snprintf(fuzz_dir, sizeof(fuzz_dir), "/tmp/cg-fuzz.XXXXXX");
		if (mkdtemp(fuzz_dir) == NULL)
			abort();
	}
	log_init("fuzz", open("/dev/null", O_WRONLY), 0);
	log_set_level(-1);
	fuzz_top = open(fuzz_dir, O_RDONLY | O_DIRECTORY);
	atexit(fuzz_leave);
	return fuzz_top;
}

static inline void
fuzz_put(const char *name, const void *p, size_t len)
{
	int fd = openat(fuzz_account(), name, O_WRONLY | O_CREAT | O_TRUNC,
	    0600);

	if (fd == -1 || file_write(fd, p, len) == -1)
		abort();
	close(fd);
}

/* Everything a worker does with a mailbox. */
static inline void
fuzz_use(void)
{
	struct acct *a = acct_new(dup(fuzz_account()), NULL, true);
	struct delivery d = { .id = 7, .sender = "s@x", .header = "",
		.size = 6, .time = 1 };
	struct box *b = box_open(a, "");
	uint32_t i, last = 0, uids[64];
	char bytes[300];
	size_t n = 0;

	if (b == NULL || box_refresh(b) == -1) {
		acct_free(a);
		return;
	}
	for (i = 0; i < box_count(b); i++) {
		struct rec *r = box_rec(b, i);

		if (r->uid <= last || r->offset + r->fromlen + r->size >
		    b->size)
			abort();
		last = r->uid;
		(void)box_read(b, r, 0, bytes, sizeof(bytes));
		if (i % 3 == 0)
			(void)box_flags(b, r, MSG_SEEN, 0);
		if (i % 2 == 0 && n < 64)
			uids[n++] = r->uid;
	}
	d.fd = file_memfd("m", "a\n\nb\n\n", 6);
	box_deliver(b, &d, 1);
	close(d.fd);
	i = box_count(b);
	if (box_expunge(b, uids, n) == 0 && d.code == 0 &&
	    box_refresh(b) == 0 && box_count(b) != i - n + 1 && i >= n &&
	    box_count(b) < i - n)
		abort();
	b->rewrite = true;
	box_tidy(b);
	acct_free(a);
}
#endif
