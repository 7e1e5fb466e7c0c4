/*
 * The disk's own limit: so many threads that each make a file of SIZE bytes,
 * rename it and fsync it: what a durable queue must do at least, a message.
 *
 *	disk DIRECTORY THREADS COUNT SIZE
 *
 * The files stay.  Prints one line: count, seconds, a second.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_long	 next;
static long		 count;
static size_t		 size;
static char		*bytes;

static void *
work(void *arg)
{
	char tmp[64], name[64];
	long n;
	int fd;

	(void)arg;
	while ((n = atomic_fetch_add(&next, 1)) < count) {
		snprintf(tmp, sizeof tmp, "%ld.tmp", n);
		snprintf(name, sizeof name, "%ld.msg", n);
		fd = open(tmp, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (fd == -1 || write(fd, bytes, size) != (ssize_t)size ||
		    rename(tmp, name) == -1 || fsync(fd) == -1)
			err(1, "%s", name);
		close(fd);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	struct timespec a, b;
	pthread_t t[256];
	double s;
	int i, n;

	if (argc != 5)
		errx(2, "usage: disk directory threads count size");
	n = atoi(argv[2]);
	count = atol(argv[3]);
	size = atol(argv[4]);
	if (n < 1 || n > 256 || chdir(argv[1]) == -1 ||
	    (bytes = malloc(size)) == NULL)
		err(1, "%s", argv[1]);
	memset(bytes, 'x', size);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, work, NULL) != 0)
			errx(1, "pthread_create");
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9;
	printf("%ld %.3f %.0f\n", count, s, count / s);
	return 0;
}
