/*
 * Any bytes over a true cache, or over the index that points into it: the
 * first four say where, the rest is written there.  However they are damaged,
 * what is told of a message is true.
 */
#include "store.h"

#include "cache.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char mbox[] =
    "From <a@b>(------r-00000000-0000000001-000000000029) "
    "Sat Nov 21 02:40:26 2026\nSubject: one\nFrom: a@b\n\nbody\n\n"
    "From <a@b>(R-------00000000-0000000002-000000000029) "
    "Sat Nov 21 02:40:26 2026\nSubject: two\nFrom: a@b\n\nbody\n\n"
    "From <a@b>(R-------00000000-0000000009-000000000031) "
    "Sat Nov 21 02:40:26 2026\nSubject: three\nFrom: a@b\n\nbody\n\n";

enum { MESSAGES = 3, TEXTS = 4 };

static const char *const names[] = { "INBOX.mbox.idx", "INBOX.mbox.dat" };
static char	*whole[2];
static size_t	 wholelen[2];
static char	*truth[MESSAGES][TEXTS];

static void
texts_of(struct box *b, uint32_t i, struct str *t)
{
	struct summary s;

	if (box_summary(b, box_rec(b, i), &s) == -1)
		abort();
	t[0] = s.envelope;
	t[1] = s.body;
	t[2] = s.bodystructure;
	t[3] = s.parts;
}

static size_t	truthlen[MESSAGES][TEXTS];

static void
make(void)
{
	struct str t[TEXTS];
	struct acct *a;
	struct box *b;
	int i, k;

	fuzz_put("INBOX.mbox", mbox, sizeof(mbox) - 1);
	a = acct_new(dup(fuzz_account()), NULL, true);
	b = box_open(a, "");
	if (b == NULL || box_refresh(b) == -1 || box_count(b) != MESSAGES)
		abort();
	for (i = 0; i < MESSAGES; i++) {
		texts_of(b, i, t);
		for (k = 0; k < TEXTS; k++) {
			truth[i][k] = malloc(t[k].len + 1);
			memcpy(truth[i][k], t[k].p, t[k].len);
			truthlen[i][k] = t[k].len;
		}
	}
	acct_free(a);
	for (k = 0; k < 2; k++)
		whole[k] = file_read(fuzz_account(), names[k], 1 << 20,
		    &wholelen[k]);
}

static void
check(struct box *b)
{
	struct str t[TEXTS];
	uint32_t i, k;

	if (box_count(b) != MESSAGES)
		abort();
	for (i = 0; i < MESSAGES; i++) {
		texts_of(b, i, t);
		for (k = 0; k < TEXTS; k++)
			if (t[k].len != truthlen[i][k] ||
			    memcmp(t[k].p, truth[i][k], t[k].len) != 0)
				abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct acct *a;
	struct box *b;
	uint32_t at, k;
	int fd;

	if (whole[0] == NULL)
		make();
	if (len < 4)
		return 0;
	memcpy(&at, data, 4);
	fuzz_put("INBOX.mbox", mbox, sizeof(mbox) - 1);
	for (k = 0; k < 2; k++)
		fuzz_put(names[k], whole[k], wholelen[k]);
	k = at & 1U << 30 ? 0 : 1;
	fd = openat(fuzz_account(), names[k], O_RDWR);
	if (at & 1U << 31)
		(void)!ftruncate(fd, at % wholelen[k]);
	else
		(void)file_pwrite(fd, data + 4, len - 4, at % wholelen[k]);
	close(fd);
	a = acct_new(dup(fuzz_account()), NULL, true);
	b = box_open(a, "");
	/* A slot may be made to say that the last message is not whole. */
	if (b != NULL && b->size == sizeof(mbox) - 1 && box_refresh(b) == 0) {
		check(b);
		cache_flush(b);
		check(b);
		box_tidy(b);
		check(b);
	}
	acct_free(a);
	return 0;
}
