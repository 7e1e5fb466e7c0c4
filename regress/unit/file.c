/* Durable files, sealed descriptors, safe opening, CRC-32C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

static char	dir[] = "/tmp/file.XXXXXX";
static int	dfd;

static int
setup(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	dfd = open(dir, O_RDONLY | O_DIRECTORY);
	return dfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "a", "b", "link", "hard", "fifo",
		"sub/x", NULL };
	int i;

	for (i = 0; names[i] != NULL; i++)
		unlinkat(dfd, names[i], 0);
	unlinkat(dfd, "sub", AT_REMOVEDIR);
	close(dfd);
	/* A leftover of file_replace would make this fail. */
	return rmdir(dir);
}

static void
replace(void **state)
{
	struct stat st;
	size_t len;
	char *p;

	umask(022);
	assert_int_equal(file_replace(dfd, "a", 0600, "one", 3), 0);
	assert_int_equal(file_replace(dfd, "a", 0640, "second", 6), 0);
	assert_int_equal(fstatat(dfd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	p = file_read(dfd, "a", 6, &len);
	assert_non_null(p);
	assert_int_equal(len, 6);
	assert_string_equal(p, "second");
	free(p);
	errno = 0;
	assert_null(file_read(dfd, "a", 5, &len));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(file_replace(dfd, "none/a", 0600, "x", 1), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdirat(dfd, "sub", 0700), 0);
	assert_int_equal(file_replace(dfd, "sub/x", 0600, "", 0), 0);
	p = file_read(dfd, "sub/x", 100, &len);
	assert_int_equal(len, 0);
	free(p);
	assert_null(file_read(dfd, "sub", 100, &len));
	assert_int_equal(file_replace(dfd, "sub", 0600, "x", 1), -1);
	p = file_read(AT_FDCWD, "/proc/self/stat", 65536, &len);
	assert_non_null(p);
	assert_true(len > 10);
	free(p);
}

static void
memfd(void **state)
{
	int fd = file_memfd("test", "hello", 5);
	size_t len;
	char *p;

	assert_true(fd != -1);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	p = file_read_fd(fd, 100, &len);
	assert_string_equal(p, "hello");
	free(p);
	close(fd);
}

static void
beneath(void **state)
{
	int fd;

	fd = file_open_beneath(dfd, "b", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd != -1);
	assert_int_equal(file_write(fd, "12345", 5), 0);
	close(fd);
	assert_int_equal(file_open_beneath(dfd, "../b", O_RDONLY, 0), -1);
	assert_int_equal(file_open_beneath(dfd, "/etc/passwd", O_RDONLY, 0),
	    -1);
	assert_int_equal(symlinkat("b", dfd, "link"), 0);
	assert_int_equal(file_open_beneath(dfd, "link", O_RDONLY, 0), -1);
	assert_int_equal(mkfifoat(dfd, "fifo", 0600), 0);
	assert_int_equal(file_open_beneath(dfd, "fifo", O_RDONLY, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(linkat(dfd, "b", dfd, "hard", 0), 0);
	assert_int_equal(file_open_beneath(dfd, "b", O_RDWR | O_TRUNC, 0), -1);
	assert_int_equal(errno, EPERM);
	unlinkat(dfd, "hard", 0);
	fd = file_open_beneath(dfd, "b", O_RDONLY, 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 5);
	close(fd);
	fd = file_open_beneath(dfd, "b", O_RDWR | O_TRUNC, 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	assert_int_equal(file_open_beneath(dfd, "sub", O_RDONLY, 0), -1);
	fd = file_open_beneath(dfd, "sub", O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd != -1);
	close(fd);
}

static void
crc(void **state)
{
	unsigned char b[64];
	uint32_t c, whole;
	size_t i;

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, 32);
	assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, 32);
	assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
	for (i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
	whole = crc32c(0, b, sizeof(b));
	for (i = 0; i <= sizeof(b); i++) {
		c = crc32c(0, b, i);
		assert_int_equal(crc32c(c, b + i, sizeof(b) - i), whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replace),
		cmocka_unit_test(memfd),
		cmocka_unit_test(beneath),
		cmocka_unit_test(crc),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
