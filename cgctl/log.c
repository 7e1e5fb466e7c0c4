/*
 * The server's log, read where it lies: SystemLogs/, a file a day or more.
 * Following it, the next file is taken up when it appears.
 */
#include <sys/inotify.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
static void
show(const char *line)
{
	const char *p = strchr(line, ' ');

	if (p != NULL && p[1] >= '1' && p[1] <= '5' && p[2] == ' ' &&
	    p[1] - '0' > level)
		return;
	if (filter == NULL || strcasestr(line, filter) != NULL)
		fputs(line, stdout);
}

static void
show_rest(FILE *f)
{
	static char *line;
	static size_t size;

	while (getline(&line, &size, f) > 0)
		show(line);
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

static void
follow(const char *dirname, char *name, FILE *f)
{
	char event[4096], *next;
	int watch = inotify_init1(IN_CLOEXEC);

	if (watch == -1 || inotify_add_watch(watch, dirname,
	    IN_MODIFY | IN_CREATE | IN_MOVED_TO) == -1)
		fail("%s: %s", dirname, strerror(errno));
	for (;;) {
		show_rest(f);
		if (ferror(stdout))
			return;
		next = newest(dirname);
		if (next != NULL && strcmp(next, name) != 0) {
			fclose(f);
			f = open_log(dirname, next);
			free(name);
			name = next;
			continue;
		}
		free(next);
		if (read(watch, event, sizeof(event)) == -1 && errno != EINTR)
			fail("%s: %s", dirname, strerror(errno));
	}
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
		else
			usage();
	}
	if (argc - optind > 1)
		usage();
	filter = argv[optind];
	dirname = xasprintf("%s/SystemLogs", conf.base);
	if ((name = newest(dirname)) == NULL)
		fail("%s: there is no log yet", dirname);
	f = open_log(dirname, name);
	if (go_on && fseek(f, -TAIL_BYTES, SEEK_END) == 0)
		while ((ch = getc(f)) != EOF && ch != '\n')
			;		/* the rest of some line */
	if (go_on)
		follow(dirname, name, f);
	show_rest(f);
	fclose(f);
	free(name);
	free(dirname);
	return 0;
}
