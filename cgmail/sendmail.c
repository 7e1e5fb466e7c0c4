/*
 * sendmail, as programs call it.  Options that only its namesake understands
 * are taken and ignored; those that would promise something are refused.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "cgmail.h"
#include "subfile.h"

/* How an option's value follows it. */
enum value {
	NONE,
	NEEDED,			/* in the same word, or the next one */
	ATTACHED		/* in the same word, if at all */
};

struct opts {
	struct draft	 d;
	bool		 dots;		/* -i: a lone dot is text */
	char		 mode;		/* of -b */
};

struct option {
	char		 letter;
	enum value	 value;
	void		(*set)(struct opts *, const char *);
};

static void
set_mode(struct opts *o, const char *v)
{
	if (strlen(v) != 1 || strchr("mspi", *v) == NULL)
		quit(EX_USAGE, "-b%s is not offered", v);
	o->mode = *v;
}

static void
set_base(struct opts *o, const char *v)
{
	base_arg = v;
}

static void
set_from(struct opts *o, const char *v)
{
	size_t n = strlen(v);

	if (n >= 2 && v[0] == '<' && v[n - 1] == '>')
		o->d.from = xasprintf("%.*s", (int)n - 2, v + 1);
	else
		o->d.from = v;
}

static void
set_name(struct opts *o, const char *v)
{
	o->d.name = v;
}

static void
set_dots(struct opts *o, const char *v)
{
	o->dots = true;
}

static void
set_t(struct opts *o, const char *v)
{
	o->d.from_header = true;
}

static void
set_old(struct opts *o, const char *v)
{
	if (strcmp(v, "i") == 0)
		o->dots = true;
}

static void
set_envid(struct opts *o, const char *v)
{
	o->d.envid = v;
}

static void
set_notify(struct opts *o, const char *v)
{
	if (subfile_notify(str_make(v)) == 0)
		quit(EX_USAGE, "-N takes never, or some of "
		    "success,failure,delay");
	o->d.notify = v;
}

static void
set_ret(struct opts *o, const char *v)
{
	if (subfile_ret(str_make(v)) == 0)
		quit(EX_USAGE, "-R takes full or hdrs");
	o->d.ret = v;
}

static const struct option options[] = {
	{ 'A', ATTACHED, NULL },
	{ 'B', NEEDED, NULL },
	{ 'C', NEEDED, NULL },
	{ 'F', NEEDED, set_name },
	{ 'G', NONE, NULL },
	{ 'L', NEEDED, NULL },
	{ 'N', NEEDED, set_notify },
	{ 'O', NEEDED, NULL },
	{ 'R', NEEDED, set_ret },
	{ 'U', NONE, NULL },
	{ 'V', NEEDED, set_envid },
	{ 'X', NEEDED, NULL },
	{ 'b', NEEDED, set_mode },
	{ 'd', NEEDED, set_base },
	{ 'e', ATTACHED, NULL },
	{ 'f', NEEDED, set_from },
	{ 'h', NEEDED, NULL },
	{ 'i', NONE, set_dots },
	{ 'm', NONE, NULL },
	{ 'n', NONE, NULL },
	{ 'o', ATTACHED, set_old },
	{ 'p', NEEDED, NULL },
	{ 'q', ATTACHED, NULL },
	{ 'r', NEEDED, set_from },
	{ 's', NONE, NULL },
	{ 't', NONE, set_t },
	{ 'v', NONE, NULL }
};

static const struct option *
find(char letter)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* One word of options; returns how many words were used. */
static int
take(struct opts *o, char **argv, int left)
{
	const struct option *opt;
	const char *p, *v;
	int used = 1;

	for (p = argv[0] + 1; *p != '\0'; p++) {
		if ((opt = find(*p)) == NULL)
			quit(EX_USAGE, "-%c is not known", *p);
		v = p + 1;
		if (opt->value == NEEDED && *v == '\0') {
			if (left < 2)
				quit(EX_USAGE, "-%c needs a value", *p);
			v = argv[1];
			used = 2;
		}
		if (opt->set != NULL)
			opt->set(o, v);
		if (opt->value != NONE)
			break;
	}
	return used;
}

static void
read_message(struct opts *o)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) != -1) {
		if (n > 0 && line[n - 1] == '\n')
			n--;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		if (!o->dots && n == 1 && *line == '.')
			break;
		draft_line(&o->d, line, n);
	}
	if (ferror(stdin))
		quit(EX_IOERR, "the message cannot be read");
	free(line);
}

static int
send_message(struct opts *o, char **argv)
{
	int status;

	draft_start(&o->d);
	for (; *argv != NULL; argv++)
		if (!draft_rcpts(&o->d, *argv))
			quit(EX_DATAERR, "%s is no address", *argv);
	if (o->d.nrcpts == 0 && !o->d.from_header)
		quit(EX_USAGE, "no recipients are given");
	read_message(o);
	if ((status = draft_finish(&o->d)) != EX_OK)
		fprintf(stderr, "sendmail: the message was not sent: %s\n",
		    o->d.error);
	draft_drop(&o->d);
	return status;
}

int
sendmail_main(int argc, char **argv, char mode)
{
	struct opts o = { .mode = mode };
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		i += take(&o, argv + i, argc - i);
	}
	switch (o.mode) {
	case 's':
		return smtp_main();
	case 'p':
		return mailq_main();
	case 'i':
		return EX_OK;		/* aliases need no compiling here */
	}
	return send_message(&o, argv + i);
}
