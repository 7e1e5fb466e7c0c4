/*
 * mailq: what waits in the queue, asked of the server over the socket in its
 * base directory.  Only root and the suite's owner get an answer there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cgmail.h"
#include "dict.h"
#include "file.h"

struct talk {
	int	 fd;
	FILE	*in;
	char	*line;
	size_t	 size;
};

static void
connect_server(struct talk *t)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int dir;

	/* By descriptor: a path may be too long for sun_path. */
	dir = open(base_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		quit(EX_UNAVAILABLE, "%s: %s", base_dir(), strerror(errno));
	snprintf(sun.sun_path, sizeof(sun.sun_path),
	    "/proc/self/fd/%d/cgctl.sock", dir);
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd == -1 || connect(t->fd, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1)
		quit(EX_TEMPFAIL, "nobody answers in %s: %s; does cgate run? "
		    "(cgctl status)", base_dir(), strerror(errno));
	close(dir);
	if ((t->in = fdopen(t->fd, "r")) == NULL)
		quit(EX_OSERR, "out of memory");
}

/* The code; the text stands behind it in the line. */
static int
hear(struct talk *t)
{
	ssize_t n = getline(&t->line, &t->size, t->in);

	if (n < 4)
		quit(EX_TEMPFAIL, "the server has closed the connection");
	while (n > 0 && (t->line[n - 1] == '\n' || t->line[n - 1] == '\r'))
		t->line[--n] = '\0';
	return atoi(t->line);
}

static int
say(struct talk *t, const char *line)
{
	if (file_write(t->fd, line, strlen(line)) == -1 ||
	    file_write(t->fd, "\r\n", 2) == -1)
		quit(EX_TEMPFAIL, "the server has closed the connection");
	return hear(t);
}

static void
print_message(const struct val *m)
{
	const struct val *rcpts = dict_get(m, "Recipients"), *r;
	time_t when = dict_int(m, "Time", 0);
	char date[32];
	const char *why;
	size_t i;

	strftime(date, sizeof(date), "%a %b %e %H:%M:%S", localtime(&when));
	printf("%-14s %8s %s  <%s>\n", dict_str(m, "ID", "?"),
	    dict_str(m, "Size", "?"), date, dict_str(m, "From", ""));
	for (i = 0; i < val_count(rcpts); i++) {
		r = val_at(rcpts, i);
		if (*(why = dict_str(r, "Reason", "")) != '\0')
			printf("%44s(%s)\n", "", why);
		printf("%44s%s\n", "", dict_str(r, "Address", "?"));
	}
}

/* One page; the number to go on after, or NULL at the end. */
static char *
print_page(struct talk *t, const char *after, size_t *total)
{
	char *cmd = xasprintf("ListQueueMessages %s", after), *last = NULL;
	const char *err, *text;
	struct val *v;
	size_t i;

	if (say(t, cmd) != 201)
		quit(EX_NOPERM, "%s", t->line);
	free(cmd);
	text = t->line + 3;
	while (*text == ' ')
		text++;
	if ((v = val_parse_all(text, strlen(text), &err)) == NULL)
		quit(EX_PROTOCOL, "the answer cannot be read: %s", err);
	for (i = 0; i < val_count(v); i++) {
		print_message(val_at(v, i));
		free(last);
		last = xstrdup(dict_str(val_at(v, i), "ID", "0"));
	}
	*total += val_count(v);
	val_free(v);
	return last;
}

int
mailq_main(void)
{
	struct talk t = { .fd = -1 };
	char *after = xstrdup("0"), *next;
	size_t total = 0;

	connect_server(&t);
	if (hear(&t) != 200 || strstr(t.line, "logged in as") == NULL)
		quit(EX_NOPERM, "only root and the server's owner may look "
		    "into the queue");
	if (say(&t, "INLINE") != 200)
		quit(EX_PROTOCOL, "%s", t.line);
	while ((next = print_page(&t, after, &total)) != NULL) {
		free(after);
		after = next;
	}
	free(after);
	if (total == 0)
		printf("Mail queue is empty\n");
	else
		printf("-- %zu message%s\n", total, total == 1 ? "" : "s");
	fclose(t.in);
	return EX_OK;
}
