/*
 * The server's log, read where it lies: SystemLogs/, a file a day or more.
 * Following it, the next file is taken up when it appears.
 */
#include <sys/inotify.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgctl.h"

enum { TAIL_BYTES = 4096 };

static int		 level = 5;
static const char	*filter;

/* The newest by name: names begin with the date. */
static char *
newest(const char *dirname)
{
	DIR *dir = opendir(dirname);
	struct dirent *e;
	char *best = NULL;
	size_t len;

	if (dir == NULL)
		fail("%s: %s", dirname, strerror(errno));
	while ((e = readdir(dir)) != NULL) {
		len = strlen(e->d_name);
		if (len < 5 || strcmp(e->d_name + len - 4, ".log") != 0)
			continue;
		if (best != NULL && strcmp(e->d_name, best) <= 0)
			continue;
		free(best);
		best = xstrdup(e->d_name);
	}
	closedir(dir);
	return best;
}

/* "00:00:00.019 2 SMTPI...": the level is the digit behind the time. */
static bool
passes(const char *line)
{
	const char *p = strchr(line, ' ');

	if (p != NULL && p[1] >= '1' && p[1] <= '5' && p[2] == ' ' &&
	    p[1] - '0' > level)
		return false;
	return filter == NULL || strcasestr(line, filter) != NULL;
}

static void
show_rest(FILE *f, bool (*wanted)(const char *))
{
	static char *line;
	static size_t size;
	ssize_t n;

	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] != '\n') {
			/* Its rest is still on the way: read it again then. */
			fseek(f, -n, SEEK_CUR);
			break;
		}
		if (wanted(line))
			fputs(line, stdout);
	}
	clearerr(f);
	fflush(stdout);
}

static FILE *
open_log(const char *dirname, const char *name)
{
	char *path = xasprintf("%s/%s", dirname, name);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		fail("%s: %s", path, strerror(errno));
	free(path);
	return f;
}

static char *
log_dir(void)
{
	return xasprintf("%s/SystemLogs", conf.base);
}

static FILE *
open_newest(const char *dirname, char **name)
{
	if ((*name = newest(dirname)) == NULL)
		fail("%s: there is no log yet", dirname);
	return open_log(dirname, *name);
}

/* The next file, when there is one; what came into the old one is shown. */
static FILE *
next_file(FILE *f, const char *dirname, char **name,
    bool (*wanted)(const char *))
{
	char *next = newest(dirname);

	if (next == NULL || strcmp(next, *name) == 0) {
		free(next);
		return f;
	}
	show_rest(f, wanted);
	fclose(f);
	free(*name);
	*name = next;
	return open_log(dirname, next);
}

/* SIGINT and SIGTERM, if turn() looks for them, come here alone. */
static void
wait_for_more(int watch, const char *dirname, bool timed)
{
	static const struct timespec second = { 1, 0 };
	struct pollfd p = { .fd = watch, .events = POLLIN };
	char event[4096];
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, SIGINT);
	sigdelset(&mask, SIGTERM);
	if (ppoll(&p, 1, timed ? &second : NULL, &mask) == 1 &&
	    read(watch, event, sizeof(event)) == -1 && errno != EINTR)
		fail("%s: %s", dirname, strerror(errno));
}

void
log_follow(long from, bool (*wanted)(const char *), bool (*turn)(void))
{
	char *dirname = log_dir(), *name;
	FILE *f = open_newest(dirname, &name), *old = NULL;
	int watch = inotify_init1(IN_CLOEXEC), ch;

	if (fseek(f, -from, SEEK_END) == 0 && from > 0)
		while ((ch = getc(f)) != EOF && ch != '\n')
			;		/* the rest of some line */
	if (watch == -1 || inotify_add_watch(watch, dirname,
	    IN_MODIFY | IN_CREATE | IN_MOVED_TO) == -1)
		fail("%s: %s", dirname, strerror(errno));
	while (turn == NULL || turn()) {
		if (old == f)
			wait_for_more(watch, dirname, turn != NULL);
		show_rest(f, wanted);
		if (ferror(stdout))
			break;
		old = f;
		f = next_file(f, dirname, &name, wanted);
	}
	show_rest(f, wanted);
	fclose(f);
	close(watch);
	free(name);
	free(dirname);
}

int
do_log(int argc, char **argv)
{
	char *dirname, *name;
	bool go_on = false;
	FILE *f;
	int ch;

	argc++;			/* getopt wants a name before the options */
	argv--;
	optind = 1;
	while ((ch = getopt(argc, argv, "+fl:")) != -1) {
		if (ch == 'f')
			go_on = true;
		else if (ch == 'l' && *optarg >= '1' && *optarg <= '5' &&
		    optarg[1] == '\0')
			level = *optarg - '0';
		else {
			if (ch == 'l')
				fprintf(stderr, "cgctl log: a level is a "
				    "number from 1 to 5\n");
			usage();
		}
	}
	if (argc - optind > 1)
		usage();
	filter = argv[optind];
	if (go_on) {
		log_follow(TAIL_BYTES, passes, NULL);
		return 0;
	}
	dirname = log_dir();
	f = open_newest(dirname, &name);
	show_rest(f, passes);
	fclose(f);
	free(name);
	free(dirname);
	return 0;
}
