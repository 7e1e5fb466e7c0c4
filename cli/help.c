/*
 * Help, from the same table that the parser works by: for the wire's HELP and
 * for cgctl.  Runs in pwdd and cgctl.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "int.h"

enum { WIDTH = 79, COLUMN = 15, NEAR_MAX = 5, NAME_MAX_LEN = 64 };

const struct cli_family cli_families[] = {
	{ "accounts", "accounts, their settings, passwords and rights",
	    cli_account },
	{ "objects", "groups, forwarders and alerts", cli_object },
	{ "domains", "domains, and the defaults of what is in them",
	    cli_domain },
	{ "mailboxes", "mailboxes of an account, and who may use them",
	    cli_mailbox },
	{ "web", "web sites, skins and web mail sessions", cli_web },
	{ "lists", "mailing lists", cli_list },
	{ "server", "the server: modules, routing, queue, state, session",
	    cli_server },
	{ NULL, NULL, NULL }
};

/* What an argument of that name is; others speak for themselves. */
static const struct {
	const char	*name, *what;
} meanings[] = {
	{ "accountName", "name, name@domain, or * for oneself" },
	{ "authAccountName", "as that user: within the rights he has" },
	{ "domainName", "one's own domain if it is left out" },
	{ "mailboxName", "as Archive/2026; INBOX in any case" },
	{ "filter", "wildcards: * for anything, % within a level" },
	{ "class", "Sent, Trash, ..., or any other word" },
	{ "encodedData", "the file's content in base64" },
	{ "newTable", "lines end in \\e" },
	{ "reason", "NONDN: the sender is told nothing" },
	{ "newAddresses", "lines end in \\e" }
};

/* --- usage --- */

static void
put_item(struct buf *b, const struct cli_item *it)
{
	size_t n = it->text.len;
	const char *slash = memchr(it->text.p, '/', n);

	/* Of TO/PASSWORD the first is enough. */
	if (it->kind == P_KEYWORD && slash != NULL)
		n = slash - it->text.p;
	buf_add(b, it->text.p, n);
}

void
cli_usage(struct buf *b, const struct cli_cmd *c)
{
	struct cur pat = cur_str(c->args);
	bool open = false;
	struct cli_item it;

	buf_puts(b, c->name);
	while ((it = cli_item(&pat)).kind != P_END) {
		if (it.kind == P_CLOSE) {
			buf_putc(b, ']');
			continue;
		}
		if (!open)
			buf_putc(b, ' ');
		open = it.kind == P_OPEN;
		if (open)
			buf_putc(b, '[');
		else
			put_item(b, &it);
	}
}

/* --- lines --- */

static int
add(struct val *lines, struct buf *b)
{
	int rv = val_append(lines, val_bytes(b->len > 0 ? b->p : "", b->len));

	buf_reset(b);
	return rv;
}

/* Folded at blanks, what follows indented so. */
static int
add_folded(struct val *lines, struct buf *b, size_t indent)
{
	size_t from = 0, to, width = WIDTH, i;
	struct buf line;
	int rv = 0;

	buf_init(&line, 0);
	while (rv == 0 && from < b->len) {
		to = from + width;
		if (to >= b->len)
			to = b->len;
		else
			while (to > from && b->p[to] != ' ')
				to--;
		if (to == from)
			to = b->len;
		if (from > 0)
			for (i = 0; i < indent; i++)
				buf_putc(&line, ' ');
		buf_add(&line, b->p + from, to - from);
		rv = add(lines, &line);
		from = to + (to < b->len);
		width = WIDTH - indent;
	}
	buf_free(&line);
	buf_reset(b);
	return rv;
}

static void
put_choices(struct buf *b, struct str words, const char *last)
{
	struct cur c = { words.p, words.p + words.len };
	struct str w;

	while (cur_left(&c) > 0) {
		w = cur_until(&c, "|");
		cur_get(&c);
		buf_printf(b, "%.*s", (int)w.len, w.p);
		if (cur_left(&c) > 0)
			buf_puts(b, memchr(c.p, '|', cur_left(&c)) != NULL ?
			    ", " : last);
	}
}

static bool
put_meaning(struct buf *b, const struct cli_item *it)
{
	size_t i;

	switch (it->kind) {
	case P_CHOICE:
		put_choices(b, it->words, " or ");
		return true;
	case P_WHICH:
		put_choices(b, it->text, " or ");
		return true;
	case P_DICT:
		buf_puts(b, "a dictionary: {Name = value; ...}");
		return true;
	case P_ARRAY:
		buf_puts(b, "an array: (value, ...)");
		return true;
	case P_FLAG:
	case P_YESNO:
		buf_puts(b, "this word, or nothing");
		return true;
	case P_STRING:
		for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
			if (str_eq(it->text, meanings[i].name)) {
				buf_puts(b, meanings[i].what);
				return true;
			}
		return false;
	default:
		return false;
	}
}

static int
arguments(struct val *lines, const struct cli_cmd *c, struct buf *b)
{
	struct cur pat = cur_str(c->args);
	struct cli_item it;
	struct buf what;
	int rv = 0;

	buf_init(&what, 0);
	while (rv == 0 && (it = cli_item(&pat)).kind != P_END) {
		buf_reset(&what);
		if (!put_meaning(&what, &it))
			continue;
		if (it.kind == P_WHICH)
			buf_printf(b, "    %s", what.p);
		else
			buf_printf(b, "    %-*.*s  %s", COLUMN,
			    (int)it.text.len, it.text.p, what.p);
		rv = add_folded(lines, b, COLUMN + 6);
	}
	buf_free(&what);
	return rv;
}

static int
help_one(struct val *lines, const struct cli_cmd *c, struct buf *b)
{
	int rv;

	cli_usage(b, c);
	rv = add_folded(lines, b, 4);
	if (rv == 0 && c->abbr != NULL) {
		buf_printf(b, "short: %s", c->abbr);
		rv = add(lines, b);
	}
	if (rv == 0) {
		buf_printf(b, "    %s", c->help);
		rv = add_folded(lines, b, 4);
	}
	if (rv == 0)
		rv = arguments(lines, c, b);
	if (rv == 0 && *c->needs != '\0') {
		buf_printf(b, "needs: %s", c->needs);
		rv = add_folded(lines, b, 7);
	}
	if (rv == 0 && c->owner == PROC_MAX) {
		buf_puts(b, "not available yet");
		rv = add(lines, b);
	}
	return rv;
}

/* A name and what it does, a line each. */
static int
help_family(struct val *lines, const struct cli_cmd *c, struct buf *b)
{
	int rv = 0;

	for (; c->name != NULL && rv == 0; c++) {
		if (c->owner == PROC_MAX)
			continue;
		buf_printf(b, "  %-27s %s", c->name, c->help);
		rv = add_folded(lines, b, 30);
	}
	return rv;
}

static int
help_all(struct val *lines, struct buf *b)
{
	const struct cli_cmd *c = NULL;
	int rv = 0;

	while (rv == 0 && (c = cli_next(c)) != NULL) {
		if (c->owner == PROC_MAX)
			continue;
		cli_usage(b, c);
		rv = add(lines, b);
	}
	return rv;
}

/* In any case; one account will do, too. */
static bool
is_family(const struct cli_family *f, const char *name)
{
	size_t n = strlen(name);

	return n > 0 && strncasecmp(f->name, name, n) == 0 &&
	    (f->name[n] == '\0' || strcmp(f->name + n, "s") == 0 ||
	    strcmp(f->name + n, "es") == 0);
}

struct val *
cli_help(const char *name)
{
	const struct cli_family *f;
	const struct cli_cmd *c;
	struct val *lines;
	struct buf b;

	if (name == NULL)
		name = "";
	/* List is a command, and one of the lists. */
	c = cli_find(str_make(name));
	for (f = cli_families; f->name != NULL; f++)
		if (is_family(f, name))
			break;
	if (*name != '\0' && f->name == NULL && c == NULL)
		return NULL;
	if ((lines = val_array()) == NULL)
		return NULL;
	buf_init(&b, 0);
	if (c != NULL)
		help_one(lines, c, &b);
	else if (f->name != NULL)
		help_family(lines, f->cmds, &b);
	else
		help_all(lines, &b);
	buf_free(&b);
	return lines;
}

/* --- names like this --- */

static int
low(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool
contains(const char *name, const char *part)
{
	size_t i, n = strlen(part);

	for (; *name != '\0'; name++) {
		for (i = 0; i < n && low(name[i]) == low(part[i]); i++)
			;
		if (i == n)
			return true;
	}
	return false;
}

static int
least(int a, int b, int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

int
cli_distance(const char *a, const char *b)
{
	int row[NAME_MAX_LEN + 1], up, left, next;
	size_t i, j, n = strlen(b);

	if (n > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i] != '\0'; i++) {
		up = row[0];
		left = row[0] = i + 1;
		for (j = 1; j <= n; j++) {
			next = least(row[j] + 1, left + 1,
			    up + (low(a[i]) != low(b[j - 1])));
			up = row[j];
			left = row[j] = next;
		}
	}
	return row[n];
}

struct near {
	const char	*name;
	int		 far;
};

/* Among the best so far, behind those that are as near. */
static void
insert(struct near *best, size_t *n, const char *name, int far)
{
	size_t i;

	if (*n == NEAR_MAX && best[NEAR_MAX - 1].far <= far)
		return;
	if (*n < NEAR_MAX)
		(*n)++;
	for (i = *n - 1; i > 0 && best[i - 1].far > far; i--)
		best[i] = best[i - 1];
	best[i] = (struct near){ name, far };
}

bool
cli_near(struct buf *b, const char *name)
{
	struct near best[NEAR_MAX];
	const struct cli_cmd *c = NULL;
	size_t n = 0, i, len = strlen(name);
	int far, limit = len / 3 + 1;

	if (len > NAME_MAX_LEN)
		return false;
	while ((c = cli_next(c)) != NULL)
		if ((far = cli_distance(name, c->name)) <= limit)
			insert(best, &n, c->name, far);
	if (n == 0 && len >= 4)
		while ((c = cli_next(c)) != NULL)
			if (contains(c->name, name))
				insert(best, &n, c->name, 0);
	for (i = 0; i < n; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", best[i].name);
	return n > 0;
}
