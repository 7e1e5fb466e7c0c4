/*
 * sendmail -bs: SMTP on standard input and output, for programs that pipe
 * into it.  Each message goes into Submitted/ like any other; the one who
 * calls is known by his uid, so nothing is asked and nothing is relayed that
 * he could not submit anyway.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "cgmail.h"
#include "qfile.h"
#include "subfile.h"

enum { MAXRCPTS = 1000 };

struct smtp {
	struct draft	 d;
	char		*from, *envid, *ret, *notify;
	size_t		 notified;	/* recipients with a NOTIFY */
	bool		 mixed;		/* and they differ */
	bool		 mail;		/* MAIL was accepted */
	bool		 quit;
};

static void
reply(const char *text)
{
	printf("%s\r\n", text);
	fflush(stdout);
}

static void
reset(struct smtp *s)
{
	draft_drop(&s->d);
	free(s->from);
	free(s->envid);
	free(s->ret);
	free(s->notify);
	s->from = s->envid = s->ret = s->notify = NULL;
	s->notified = 0;
	s->mixed = s->mail = false;
}

/* The next NAME=value behind a path; false at the end. */
static bool
param(struct cur *c, struct str *name, struct str *value)
{
	cur_ws(c);
	*name = cur_until(c, "= \t");
	*value = (struct str) { "", 0 };
	if (cur_lit(c, "="))
		*value = cur_until(c, " \t");
	return name->len > 0;
}

static void
keep(char **where, struct str value)
{
	free(*where);
	*where = str_dup(value);
}

/* FROM:<path> or TO:<path>, and nothing stuck to it. */
static bool
get_path(struct cur *c, const char *word, struct buf *path)
{
	cur_ws(c);
	if (!cur_caselit(c, word))
		return false;
	cur_ws(c);
	return addr_path(c, path, true) == 0 &&
	    (cur_left(c) == 0 || cur_peek(c) == ' ');
}

/* ENVID's xtext, as a field has it. */
static void
keep_envid(struct smtp *s, struct str value)
{
	struct buf b;

	buf_init(&b, 200);
	if (xtext_decode(&b, value) && b.len > 0) {
		free(s->envid);
		s->envid = buf_steal(&b);
	}
	buf_free(&b);
}

/* One NOTIFY holds for all: where they differ, none does. */
static void
keep_notify(struct smtp *s, struct str value)
{
	if (subfile_notify(value) == 0)
		return;
	if (s->notify != NULL && !str_caseeq(value, s->notify))
		s->mixed = true;
	keep(&s->notify, value);
	s->notified++;
}

static void
cmd_mail(struct smtp *s, struct cur *c)
{
	struct str name, value;
	struct buf path;

	buf_init(&path, ADDR_MAX);
	if (s->mail || !get_path(c, "FROM:", &path)) {
		reply(s->mail ? "503 5.5.1 MAIL was given already" :
		    "501 5.1.7 No return-path I could read");
		buf_free(&path);
		return;
	}
	while (param(c, &name, &value))
		if (str_caseeq(name, "ENVID"))
			keep_envid(s, value);
		else if (str_caseeq(name, "RET"))
			keep(&s->ret, value);
	s->from = strdup(path.p == NULL ? "" : path.p);
	s->mail = true;
	buf_free(&path);
	reply("250 2.1.0 Sender noted");
}

static void
cmd_rcpt(struct smtp *s, struct cur *c)
{
	struct str name, value;
	struct buf path;

	if (!s->mail) {
		reply("503 5.5.1 MAIL first");
		return;
	}
	if (s->d.nrcpts >= MAXRCPTS) {
		reply("452 4.5.3 Too many recipients");
		return;
	}
	buf_init(&path, ADDR_MAX);
	if (!get_path(c, "TO:", &path) || path.len == 0 ||
	    !draft_rcpt(&s->d, path.p)) {
		reply("501 5.1.3 No recipient I could read");
		buf_free(&path);
		return;
	}
	buf_free(&path);
	while (param(c, &name, &value))
		if (str_caseeq(name, "NOTIFY"))
			keep_notify(s, value);
	reply("250 2.1.5 Recipient noted");
}

/* Lines up to a lone dot; false at the end of the input. */
static bool
read_data(struct smtp *s)
{
	char *line = NULL, *p;
	size_t size = 0;
	ssize_t n;
	bool ended = false;

	while (!ended && (n = getline(&line, &size, stdin)) != -1) {
		p = line;
		if (n > 0 && p[n - 1] == '\n')
			n--;
		if (n > 0 && p[n - 1] == '\r')
			n--;
		if (n > 0 && *p == '.') {
			p++;
			ended = --n == 0;
		}
		if (!ended)
			draft_line(&s->d, p, n);
	}
	free(line);
	return ended;
}

static void
cmd_data(struct smtp *s, struct cur *c)
{
	int status;

	if (s->d.nrcpts == 0) {
		reply("503 5.5.1 RCPT first");
		return;
	}
	reply("354 Go ahead; a dot alone on a line ends it");
	draft_start(&s->d);
	s->d.from = s->from;
	s->d.envid = s->envid;
	s->d.ret = s->ret != NULL && subfile_ret(str_make(s->ret)) != 0 ?
	    s->ret : NULL;
	if (!s->mixed && s->notified == s->d.nrcpts)
		s->d.notify = s->notify;
	if (!read_data(s)) {
		s->quit = true;
		reset(s);
		return;
	}
	if ((status = draft_finish(&s->d)) == EX_OK)
		reply("250 2.0.0 Taken");
	else
		printf("%s %s\r\n", status == EX_DATAERR ? "554 5.6.0" :
		    "451 4.3.0", s->d.error);
	fflush(stdout);
	reset(s);
}

static void
cmd_hello(struct smtp *s, struct cur *c)
{
	reset(s);
	reply("250 At your service");
}

static void
cmd_ehlo(struct smtp *s, struct cur *c)
{
	reset(s);
	printf("250-At your service\r\n250-8BITMIME\r\n250-PIPELINING\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n");
	reply("250 DSN");
}

static void
cmd_rset(struct smtp *s, struct cur *c)
{
	reset(s);
	reply("250 2.0.0 Forgotten");
}

static void
cmd_noop(struct smtp *s, struct cur *c)
{
	reply("250 2.0.0 Nothing done");
}

static void
cmd_vrfy(struct smtp *s, struct cur *c)
{
	reply("252 2.5.2 Send some mail, and see");
}

static void
cmd_help(struct smtp *s, struct cur *c)
{
	reply("214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY QUIT");
}

static void
cmd_quit(struct smtp *s, struct cur *c)
{
	reply("221 2.0.0 Goodbye");
	s->quit = true;
}

static const struct {
	const char	*verb;
	void		(*run)(struct smtp *, struct cur *);
} commands[] = {
	{ "HELO", cmd_hello },
	{ "EHLO", cmd_ehlo },
	{ "MAIL", cmd_mail },
	{ "RCPT", cmd_rcpt },
	{ "DATA", cmd_data },
	{ "RSET", cmd_rset },
	{ "NOOP", cmd_noop },
	{ "VRFY", cmd_vrfy },
	{ "HELP", cmd_help },
	{ "QUIT", cmd_quit }
};

static void
command(struct smtp *s, const char *line, size_t len)
{
	struct cur c = cur_make(line, len);
	struct str verb = cur_until(&c, " \t");
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (str_caseeq(verb, commands[i].verb)) {
			commands[i].run(s, &c);
			return;
		}
	reply("500 5.5.1 I do not know that");
}

int
smtp_main(void)
{
	struct smtp s = { .d.dir = -1 };
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	reply("220 ESMTP, for programs of this host");
	while (!s.quit && (n = getline(&line, &size, stdin)) != -1) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			n--;
		command(&s, line, n);
	}
	reset(&s);
	free(line);
	return EX_OK;
}
