/*
 * Any bytes over a true index: the first four say where, the rest is written
 * there.  However it is damaged, the messages are the file's.
 */
#include "store.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char mbox[] =
    "From <a@b>(------r-00000000-0000000001-000000000008) "
    "Sat Nov 21 02:40:26 2026\nA: b\n\nc\n\n"
    "From <a@b>(R-------00000000-0000000002-000000000008) "
    "Sat Nov 21 02:40:26 2026\nD: e\n\nf\n\n"
    "From <a@b>(-------X00000000-0000000003-000000000008) "
    "Sat Nov 21 02:40:26 2026\nD: e\n\nf\n\n"
    "From <a@b>(R-------00000000-0000000009-000000000008) "
    "Sat Nov 21 02:40:26 2026\nD: e\n\nf\n\n";

static char	*whole;
static size_t	 wholelen;

/* A clean index of this very file; its inode stays. */
static void
make(void)
{
	struct acct *a;
	struct box *b;

	fuzz_put("INBOX.mbox", mbox, sizeof(mbox) - 1);
	a = acct_new(dup(fuzz_account()), NULL, true);
	b = box_open(a, "");
	if (b == NULL || box_refresh(b) == -1 || box_count(b) != 3)
		abort();
	acct_free(a);
	whole = file_read(fuzz_account(), "INBOX.mbox.idx", 1 << 20,
	    &wholelen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct acct *a;
	struct box *b;
	uint32_t at;
	int fd;

	if (whole == NULL)
		make();
	if (len < 4)
		return 0;
	fuzz_put("INBOX.mbox", mbox, sizeof(mbox) - 1);
	fuzz_put("INBOX.mbox.idx", whole, wholelen);
	memcpy(&at, data, 4);
	fd = openat(fuzz_account(), "INBOX.mbox.idx", O_RDWR);
	if (at & 1U << 31)
		(void)!ftruncate(fd, at % wholelen);
	else
		(void)file_pwrite(fd, data + 4, len - 4, at % wholelen);
	close(fd);
	a = acct_new(dup(fuzz_account()), NULL, true);
	b = box_open(a, "");
	/* A slot may be made to say that the last message is not whole. */
	if (b != NULL && b->size == sizeof(mbox) - 1 && box_refresh(b) == 0 &&
	    (box_count(b) != 3 || box_rec(b, 2)->uid != 9))
		abort();
	acct_free(a);
	fuzz_use();
	return 0;
}
