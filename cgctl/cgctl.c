/*
 * cgctl: the administrator's command.  Runs as whoever calls it; owns nothing.
 * This file has main(), the table of its own words, and what passes all other
 * commands to the server.  Exit status: 0 done, 1 an error, 2 bad usage.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cgctl.h"
#include "cli.h"
#include "file.h"
#include "log.h"

enum { WIDTH = 79 };

struct conf	 conf;
const char	*conf_file;

static const struct word {
	const char	*name;
	int		(*fn)(int, char **);
	const char	*args;
	const char	*help;
} words[] = {
	{ "start", do_start, "", "start the server, and wait until it serves" },
	{ "stop", do_stop, "", "stop it, and wait until it is gone" },
	{ "restart", do_restart, "", "both" },
	{ "status", do_status, "",
	    "processes, numbers; exits 0: all is well" },
	{ "log", do_log, "[-f] [-l level] [filter]",
	    "show today's log, follow it with -f" },
	{ "trace", do_trace, "daemon [daemon]",
	    "the packets of a daemon, or between two" },
	{ "queue", do_queue, "[command]",
	    "what waits; more: `cgctl queue help'" },
	{ "help", do_help, "[command]",
	    "the server's commands, or what one takes" }
};

#define NWORDS	(sizeof(words) / sizeof(words[0]))

static const struct word *current;	/* what was called */

void
usage(void)
{
	size_t i;

	if (current != NULL) {
		fprintf(stderr, "usage: cgctl %s%s%s\n", current->name,
		    *current->args != '\0' ? " " : "", current->args);
		exit(EXIT_USAGE);
	}
	fprintf(stderr, "usage: cgctl [-f file] command [arguments]\n\n");
	for (i = 0; i < NWORDS; i++)
		fprintf(stderr, "  %-8s %-25s %s\n", words[i].name,
		    words[i].args, words[i].help);
	fprintf(stderr, "\nor any command of the administration language, as\n"
	    "  cgctl CreateAccount john\n"
	    "  cgctl SetAccountPassword john TO -\n"
	    "  cgctl ListDomains\n"
	    "`cgctl help' lists them, cgctl(8) explains.\n");
	exit(EXIT_USAGE);
}

bool
usage_word(const char *name)
{
	size_t i;

	for (i = 0; i < NWORDS; i++)
		if (strcmp(name, words[i].name) == 0) {
			printf("cgctl %s%s%s\n    %s\n", words[i].name,
			    *words[i].args != '\0' ? " " : "",
			    words[i].args, words[i].help);
			return true;
		}
	return false;
}

void
fail(const char *fmt, ...)
{
	va_list ap;

	fputs("cgctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/*
 * As a settings file has it, but what fits on a line and is within something
 * else stands on one: a list of mailboxes is a line for each.
 */
static void
put_nested(struct buf *b, const struct val *v, int depth, size_t used)
{
	bool dict = val_type(v) == VAL_DICT, whole;
	size_t i, from;
	struct buf line;

	buf_init(&line, 0);
	val_write(&line, v, false);
	whole = (!dict && val_type(v) != VAL_ARRAY) || val_count(v) == 0 ||
	    (depth > 0 && used + line.len < WIDTH);
	if (whole)
		buf_add(b, line.p, line.len);
	buf_free(&line);
	if (whole)
		return;
	buf_puts(b, dict ? "{\n" : "(\n");
	for (i = 0; i < val_count(v); i++) {
		from = b->len;
		buf_printf(b, "%*s", 2 * (depth + 1), "");
		if (dict) {
			val_write_string(b, val_key(v, i),
			    strlen(val_key(v, i)));
			buf_puts(b, " = ");
		}
		put_nested(b, val_at(v, i), depth + 1, b->len - from);
		buf_puts(b, dict ? ";\n" : i + 1 < val_count(v) ? ",\n" :
								  "\n");
	}
	buf_printf(b, "%*s%s", 2 * depth, "", dict ? "}" : ")");
}

/* A string as it is, all else in the dictionary format. */
static void
print_data(const struct val *v)
{
	const char *text = val_text(v);
	struct buf b;

	if (text != NULL) {
		fwrite(text, 1, val_len(v), stdout);
		if (val_len(v) == 0 || text[val_len(v) - 1] != '\n')
			putchar('\n');
		return;
	}
	buf_init(&b, 0);
	put_nested(&b, v, 0, 0);
	printf("%s\n", b.failed ? "" : b.p);
	buf_free(&b);
}

/*
 * "-" stands for what comes on standard input, without its last line end; for
 * a password that is typed, unseen.
 */
static char *
read_input(const char *command)
{
	struct buf b;
	char block[4096], *line;
	size_t n;

	if (strcasestr(command, "Pass") != NULL && isatty(STDIN_FILENO) &&
	    (line = talk_ask("Password: ", true)) != NULL)
		return line;
	buf_init(&b, CLI_MAXLOCAL);
	while ((n = fread(block, 1, sizeof(block), stdin)) > 0)
		buf_add(&b, block, n);
	if (b.failed)
		fail("what comes on standard input is too long");
	while (b.len > 0 && (b.p[b.len - 1] == '\n' ||
	    b.p[b.len - 1] == '\r'))
		b.p[--b.len] = '\0';
	buf_puts(&b, "");
	return b.p != NULL ? b.p : xstrdup("");
}

/* Words to a line that the server can read, checked by the same parser. */
static void
make_line(struct buf *line, int argc, char **argv)
{
	const struct cli_cmd *cmd;
	struct val *args;
	struct buf err;
	bool used = false;
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-") == 0 && !used) {
			argv[i] = read_input(argv[0]);
			used = true;
		}
	cli_line(line, argc, argv);
	/* Within an argument's data a line end is as good as a blank. */
	for (size_t n = 0; n < line->len; n++)
		if (line->p[n] == '\n' || line->p[n] == '\r')
			line->p[n] = ' ';
	if (line->failed || line->len > CLI_MAXLOCAL)
		fail("the command is too long");
	buf_init(&err, 0);
	if (cli_parse(cur_make(line->p, line->len), &cmd, &args, &err) == 0) {
		note_unknown(cmd, args);
		val_free(args);
		buf_free(&err);
		return;
	}
	fprintf(stderr, "cgctl: %s: %s\n", argv[0], err.p);
	if (cmd != NULL && cmd->owner != PROC_MAX) {
		buf_reset(&err);
		cli_usage(&err, cmd);
		fprintf(stderr, "usage: cgctl %s\n", err.p);
	} else if (cmd == NULL)
		suggest(argv[0]);
	exit(EXIT_USAGE);
}

/* They may hold a password, and everybody can list processes. */
static char **
hide_words(int argc, char **argv)
{
	char **copy = xcalloc(argc + 1, sizeof(*copy));
	int i;

	for (i = 0; i < argc; i++) {
		copy[i] = xstrdup(argv[i]);
		if (i > 0)
			memset(argv[i], 'x', strlen(argv[i]));
	}
	return copy;
}

/* "CreateAccount john", of commands whose first argument is a name. */
static void
tell_refused(int argc, char **argv, const char *why)
{
	const struct cli_cmd *cmd = cli_find(str_make(argv[0]));
	struct cur c = cur_str(cmd != NULL ? cmd->args : "");
	struct str s;

	cur_lit(&c, "[");
	s = cur_until(&c, " ]=");
	if (argc > 1 && strlen(argv[1]) < WIDTH && ((s.len > 4 &&
	    memcmp(s.p + s.len - 4, "Name", 4) == 0) ||
	    str_eq(s, "address") || str_eq(s, "messageID")))
		fprintf(stderr, "cgctl: %s %s: %s\n", argv[0], argv[1], why);
	else
		fprintf(stderr, "cgctl: %s: %s\n", argv[0], why);
	if (cmd != NULL && *cmd->needs != '\0' &&
	    strstr(why, "no right") != NULL)
		fprintf(stderr, "needs: %s\n", cmd->needs);
}

static int
do_command(int argc, char **argv)
{
	struct val *data = NULL;
	struct buf line;
	const char *text;
	int code;

	buf_init(&line, 0);
	make_line(&line, argc, argv);
	if (talk_open(true) == -1)
		return EXIT_FAILURE;
	code = talk(line.p, &data, &text);
	explicit_bzero(line.p, line.len);
	buf_free(&line);
	if (code < 200 || code > 299)
		tell_refused(argc, argv, text);
	else if (data != NULL)
		print_data(data);
	val_free(data);
	talk_close();
	if (fflush(stdout) != 0)
		fail("standard output cannot be written");
	return code >= 200 && code <= 299 ? 0 : EXIT_FAILURE;
}

static void
load_conf(void)
{
	const char *file = conf_file != NULL ? conf_file : getenv("CG_CONF");
	char *err;

	if (file != NULL && *file == '\0')
		file = NULL;
	if (conf_load(&conf, file != NULL ? file :
	    CG_SYSCONFDIR "/cgserver.conf", file != NULL, &err) == -1)
		fail("%s", err);
}

int
main(int argc, char **argv)
{
	size_t i;
	int ch;

	log_init("CGCTL", -1, 1);
	while ((ch = getopt(argc, argv, "+f:")) != -1) {
		if (ch != 'f')
			usage();
		conf_file = optarg;
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		usage();
	for (i = 0; i < NWORDS; i++)
		if (strcmp(argv[0], words[i].name) == 0)
			break;
	if (i < NWORDS)
		current = &words[i];
	else
		argv = hide_words(argc, argv);
	if (strcmp(argv[0], "help") != 0)
		load_conf();
	return i < NWORDS ? words[i].fn(argc - 1, argv + 1) :
			    do_command(argc, argv);
}
