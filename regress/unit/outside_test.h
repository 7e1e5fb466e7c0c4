/*
 * An INBOX that lies elsewhere, as the tests of it have it: a file in the
 * account's directory, by another name, which other programs write.
 */
#include "outside.h"
#include "store_test.h"

#define SPOOL "spool"

static enum outside_how how = OUTSIDE_FILE;

static inline struct acct *
external(bool worker)
{
	struct acct *a = account(worker);
	int fd = openat(top, SPOOL, O_RDWR | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	acct_outside(a, fd, how);
	return a;
}

/* What another program does: all of it, in place. */
static inline void
rewrite(const char *text)
{
	put(SPOOL, text, strlen(text));
}

static inline void
add(const char *text)
{
	int fd = openat(top, SPOOL, O_WRONLY | O_APPEND);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write(fd, text, strlen(text)), 0);
	close(fd);
}

static inline char *
spool(void)
{
	size_t n;

	return whole(SPOOL, &n);
}

static inline void
assert_subjects(struct box *b, const char *want)
{
	char got[256] = "", *p;
	uint32_t i, k;

	assert_int_equal(box_refresh(b), 0);
	for (i = 0; i < box_count(b); i++) {
		p = text_of(b, i);
		assert_non_null(strstr(p, "Subject: "));
		k = strlen(got);
		snprintf(got + k, sizeof(got) - k, "%c",
		    strstr(p, "Subject: ")[9]);
		free(p);
	}
	assert_string_equal(got, want);
}

static inline void
deliver_some(int n)
{
	fill_account(external(false), n);
}
