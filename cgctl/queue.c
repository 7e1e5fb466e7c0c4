/*
 * The queue, for a person at a terminal: what waits, for whom and why, and
 * the few things that can be done about it.
 */
#include <sys/ioctl.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgctl.h"
#include "cli.h"

enum { NARROWEST = 60, FURTHER_IN = 10 };

/* 812, 4.1K, 12M; two calls' results may be in use at once */
static const char *
size_text(int64_t n)
{
	static char text[2][24];
	static int turn;
	static const char units[] = " KMGT";
	double d = (double)n;
	char *p = text[turn = !turn];
	int u = 0;

	for (; d >= 1000 && units[u + 1] != '\0'; u++)
		d /= 1024;
	if (u == 0)
		snprintf(p, sizeof(text[0]), "%" PRId64, n);
	else
		snprintf(p, sizeof(text[0]), d < 10 ? "%.1f%c" : "%.0f%c", d,
		    units[u]);
	return p;
}

/* 45s, 12m, 3h, 2d */
static const char *
span_text(int64_t s)
{
	static char text[2][24];
	static int turn;
	char *p = text[turn = !turn];

	if (s < 0)
		s = 0;
	if (s < 100)
		snprintf(p, sizeof(text[0]), "%" PRId64 "s", s);
	else if (s < 100 * 60)
		snprintf(p, sizeof(text[0]), "%" PRId64 "m", s / 60);
	else if (s < 48 * 3600)
		snprintf(p, sizeof(text[0]), "%" PRId64 "h", s / 3600);
	else
		snprintf(p, sizeof(text[0]), "%" PRId64 "d", s / 86400);
	return p;
}

static bool whole;		/* no line is broken */

/* So wide is the terminal; 0: it is none, no line is broken. */
static size_t
width(void)
{
	struct winsize ws;

	if (whole || !isatty(STDOUT_FILENO) ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == -1 || ws.ws_col == 0)
		return 0;
	return ws.ws_col < NARROWEST ? NARROWEST : ws.ws_col;
}

/* So many bytes are the most that w columns hold, to a blank if there is one. */
static size_t
fits(const char *p, size_t len, size_t w)
{
	size_t i, blank = 0, chars = 0;

	for (i = 0; i < len; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80 && ++chars > w)
			return blank > 0 ? blank : i;
		if (p[i] == ' ' && chars > w / 2)
			blank = i;
	}
	return len;
}

/*
 * A line; mail may hold what drives a terminal.  What is too long goes on
 * below, further in, so that the columns can be read and no reason is lost.
 */
static void
put_line(struct buf *b)
{
	const char *p = b->p, *end = b->p + b->len;
	size_t i, n, w = width();
	int in = 0;

	for (i = 0; i < b->len; i++)
		if (iscntrl((unsigned char)b->p[i]) && b->p[i] != '\t')
			b->p[i] = '?';
	do {
		n = w > 0 ? fits(p, end - p, w - in) : (size_t)(end - p);
		printf("%*s%.*s\n", in, "", (int)n, p);
		for (p += n; p < end && *p == ' '; p++)
			;
		in = FURTHER_IN;
	} while (p < end);
	buf_reset(b);
}

/* A command that must succeed; NULL if no data came with it. */
static struct val *
ask(int argc, const char *const *words)
{
	struct val *v;
	const char *text;
	char **argv = calloc(argc, sizeof(*argv));
	struct buf line;
	int i, code;

	buf_init(&line, 0);
	for (i = 0; i < argc; i++)
		argv[i] = xstrdup(words[i]);
	cli_line(&line, argc, argv);
	for (i = 0; i < argc; i++)
		free(argv[i]);
	free(argv);
	if (line.failed || strpbrk(line.p, "\r\n") != NULL)
		fail("that cannot be said in one line");
	if ((code = talk(line.p, &v, &text)) < 200 || code > 299)
		fail("queue%s%s: %s", argc > 1 && words[1] != NULL ? " " : "",
		    argc > 1 && words[1] != NULL ? words[1] : "", text);
	buf_free(&line);
	return v;
}

static int
tell(int argc, const char *const *words)
{
	val_free(ask(argc, words));
	return 0;
}

/* --- what waits --- */

/* "delayed, next try in 12m: connection refused" */
static void
put_state(struct buf *b, const struct val *d, const char *state)
{
	int64_t due = dict_int(d, "NextTry", 0);
	const char *why = dict_str(d, "Reason", "");

	buf_puts(b, state);
	if (due != 0)
		buf_printf(b, ", next try in %s", span_text(due - time(NULL)));
	if (*why != '\0')
		buf_printf(b, ": %s", why);
}

static void
list_message(const struct val *m)
{
	const struct val *rcpts = dict_get(m, "Recipients"), *r;
	int64_t left = dict_int(m, "Left", 0);
	static bool headed;
	struct buf b;
	size_t i;

	if (!headed)
		printf("%-10s %6s  %4s  %s\n", "id", "size", "age", "from");
	headed = true;
	buf_init(&b, 0);
	buf_printf(&b, "%-10s %6s  %4s  <%s>", dict_str(m, "ID", "?"),
	    size_text(dict_int(m, "Size", 0)),
	    span_text(time(NULL) - dict_int(m, "Time", 0)),
	    dict_str(m, "From", ""));
	put_line(&b);
	for (i = 0; rcpts != NULL && i < val_count(rcpts); i++) {
		r = val_at(rcpts, i);
		buf_printf(&b, "    to %s  ", dict_str(r, "Address", "?"));
		put_state(&b, r, dict_str(r, "State", "?"));
		put_line(&b);
	}
	if (rcpts != NULL && left > (int64_t)val_count(rcpts)) {
		buf_printf(&b, "    and %" PRId64 " more",
		    left - (int64_t)val_count(rcpts));
		put_line(&b);
	}
	buf_free(&b);
}

/* Page by page; the key of the last one asks for the next. */
static size_t
pages(const char *command, const char *key, void (*print)(const struct val *))
{
	const char *words[2] = { command, NULL };
	char *after = NULL;
	struct val *v;
	size_t i, n, total = 0;

	do {
		words[1] = after;
		v = ask(after == NULL ? 1 : 2, words);
		n = v == NULL ? 0 : val_count(v);
		for (i = 0; i < n; i++)
			print(val_at(v, i));
		if (n > 0) {
			free(after);
			after = xstrdup(dict_str(val_at(v, n - 1), key, "0"));
		}
		total += n;
		val_free(v);
	} while (n > 0);
	free(after);
	return total;
}

static int
list(int argc, char **argv)
{
	size_t n = pages("ListQueueMessages", "ID", list_message);

	if (n == 0)
		printf("the queue is empty\n");
	else
		printf("%zu message%s\n", n, n == 1 ? "" : "s");
	return 0;
}

static void
list_host(const struct val *q)
{
	int64_t wait = dict_int(q, "DelayedFor", -1);
	const char *why = dict_str(q, "Reason", "");
	struct buf b;

	buf_init(&b, 0);
	buf_printf(&b, "%-5s %-32s %7" PRId64 " %7" PRId64 "  ",
	    dict_str(q, "Module", ""), dict_str(q, "Name", ""),
	    dict_int(q, "Waiting", 0), dict_int(q, "Active", 0));
	if (dict_bool(q, "Held", false))
		buf_puts(&b, why);
	else if (dict_get(q, "DelayedFor") != NULL)
		buf_printf(&b, "next try in %s: %s", span_text(wait), why);
	else if (dict_int(q, "Active", 0) > 0)
		buf_printf(&b, "under way for %s",
		    span_text(dict_int(q, "ActiveFor", 0)));
	else
		buf_puts(&b, dict_int(q, "Channels", 0) > 0 ? "connected" :
		    "waits for its turn");
	put_line(&b);
	buf_free(&b);
}

static int
hosts(int argc, char **argv)
{
	size_t n;

	printf("%-5s %-32s %7s %7s  %s\n", "", "queue", "waiting", "active",
	    "state");
	n = pages("ListQueues", "Key", list_host);
	printf("%zu queue%s\n", n, n == 1 ? "" : "s");
	return 0;
}

/* --- one message --- */

static void
show_text(struct buf *b, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	buf_printf(b, "%-10s %s", name, value);
	put_line(b);
}

static void
show_rcpts(struct buf *b, const struct val *rcpts)
{
	const struct val *r;
	int64_t tried;
	size_t i;

	for (i = 0; rcpts != NULL && i < val_count(rcpts); i++) {
		r = val_at(rcpts, i);
		buf_printf(b, "%-10s %s", i == 0 ? "to" : "",
		    dict_str(r, "Address", "?"));
		if (*dict_str(r, "Queue", "") != '\0')
			buf_printf(b, "  by %s(%s)", dict_str(r, "Module", ""),
			    dict_str(r, "Queue", ""));
		put_line(b);
		buf_printf(b, "%-12s ", "");
		put_state(b, r, dict_str(r, "State", "?"));
		if ((tried = dict_int(r, "Attempts", 0)) > 0)
			buf_printf(b, " (tried %" PRId64 " time%s)", tried,
			    tried == 1 ? "" : "s");
		put_line(b);
	}
}

static void
show_header(struct buf *b, const struct val *v)
{
	struct cur c;
	struct str s;

	if (v == NULL)
		return;
	putchar('\n');
	c = cur_make(val_text(v), val_len(v));
	while (cur_line(&c, &s)) {
		buf_add(b, s.p, s.len);
		put_line(b);
	}
}

static int
show(int argc, char **argv)
{
	const char *const words[] = { "GetQueueMessage", argv[0] };
	struct val *m = ask(2, words);
	time_t when = dict_int(m, "Time", 0);
	char date[32];
	struct buf b;

	whole = true;
	buf_init(&b, 0);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", localtime(&when));
	buf_printf(&b, "%-10s %s, %" PRId64 " bytes, since %s (%s)", "message",
	    dict_str(m, "ID", "?"), dict_int(m, "Size", 0), date,
	    span_text(time(NULL) - when));
	put_line(&b);
	buf_printf(&b, "%-10s <%s>", "from", dict_str(m, "From", ""));
	put_line(&b);
	buf_printf(&b, "%-10s %s", "came by", dict_str(m, "Source", ""));
	if (dict_get(m, "Peer") != NULL)
		buf_printf(&b, " [%s]", dict_str(m, "Peer", ""));
	if (dict_get(m, "Account") != NULL)
		buf_printf(&b, " of %s", dict_str(m, "Account", ""));
	put_line(&b);
	show_text(&b, "called", dict_str(m, "EnvelopeID", ""));
	show_text(&b, "file", dict_str(m, "File", ""));
	show_rcpts(&b, dict_get(m, "Recipients"));
	show_header(&b, dict_get(m, "Header"));
	buf_free(&b);
	val_free(m);
	return 0;
}

/* --- what can be done --- */

static bool
is_id(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static int
release(int argc, char **argv)
{
	const char *words[2] = { "ReleaseQueue", NULL };

	if (argc == 0 || strcmp(argv[0], "all") == 0)
		return tell(1, words);
	words[1] = argv[0];
	if (is_id(argv[0]))
		words[0] = "ReleaseQueueMessage";
	return tell(2, words);
}

static int
delay(int argc, char **argv)
{
	const char *const words[] = { is_id(argv[0]) ? "DelayQueueMessage" :
	    "DelayQueue", argv[0], argv[1] };

	return tell(3, words);
}

static int
reject(int argc, char **argv)
{
	const char *const words[] = { is_id(argv[0]) ? "RejectQueueMessage" :
	    "RejectQueue", argv[0], argc > 1 ? argv[1] : "" };

	return tell(argc > 1 ? 3 : 2, words);
}

static int
move(int argc, char **argv)
{
	const char *const words[] = { "MoveQueue", argv[0], "TO", argv[1] };

	return tell(4, words);
}

static int
wakeup(int argc, char **argv)
{
	const char *const words[] = { "SendWakeup" };

	return tell(1, words);
}

static const struct {
	const char	*name;
	int		(*fn)(int, char **);
	int		 least, most;
	const char	*args, *help;
} verbs[] = {
	{ "list", list, 0, 0, "", "messages that wait, and for what" },
	{ "hosts", hosts, 0, 0, "", "the hosts and accounts they wait for" },
	{ "show", show, 1, 1, "id", "one message, and its header" },
	{ "release", release, 0, 1, "[host | id]",
	    "try it, or all, at once" },
	{ "delay", delay, 2, 2, "host | id time", "not before 30m, 2h, 1d" },
	{ "reject", reject, 1, 2, "host | id [reason]",
	    "return it to the senders (NONDN: drop it)" },
	{ "move", move, 2, 2, "host newhost",
	    "send what waits for a host to another one" },
	{ "wakeup", wakeup, 0, 0, "", "ask the backup server for our mail" }
};

#define NVERBS	(sizeof(verbs) / sizeof(verbs[0]))

void
queue_help(FILE *f)
{
	size_t i;

	fprintf(f, "cgctl queue [command]\n\n");
	for (i = 0; i < NVERBS; i++)
		fprintf(f, "  %-8s %-20s %s\n", verbs[i].name, verbs[i].args,
		    verbs[i].help);
}

/* As it is called, or (NVERBS) what there is. */
static void
queue_usage(size_t i)
{
	fprintf(stderr, "usage: ");
	if (i < NVERBS)
		fprintf(stderr, "cgctl queue %s %s\n", verbs[i].name,
		    verbs[i].args);
	else
		queue_help(stderr);
	exit(EXIT_USAGE);
}

int
do_queue(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "list";
	size_t i;
	int rc;

	if (strcmp(name, "help") == 0) {
		queue_help(stdout);
		return 0;
	}
	for (i = 0; i < NVERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			break;
	if (argc > 0) {
		argc--;
		argv++;
	}
	if (i == NVERBS || argc < verbs[i].least || argc > verbs[i].most)
		queue_usage(i);
	if (talk_open(true) == -1)
		return EXIT_FAILURE;
	rc = verbs[i].fn(argc, argv);
	talk_close();
	if (fflush(stdout) != 0)
		fail("standard output cannot be written");
	return rc;
}
