/*
 * Command lines to arguments, by the patterns of the table (cli.h).  Runs in
 * pwdd on what a client sent: everything goes through bounded cursors, and
 * nothing is carried out here.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "int.h"

enum { TRIED_MAX = 8 };

static const char nul[] = "may not have a NUL in it";

struct match {
	struct cur	 line;
	const char	*far;		/* where the best try got stuck */
	struct str	 tried[TRIED_MAX];	/* what could have stood there */
	size_t		 ntried;
	struct buf	*err;
};

static bool
is_end(int c)
{
	return c == -1 || c == ' ' || c == '[' || c == ']';
}

struct cli_item
cli_item(struct cur *pat)
{
	static const struct {
		const char	*mark;
		enum cli_kind	 kind;
	} marks[] = {
		{ "{}", P_DICT }, { "()", P_ARRAY }, { "*", P_ANY },
		{ "...", P_REST }, { "?", P_FLAG }, { "!", P_YESNO }
	};
	struct cli_item it = { .kind = P_END };
	size_t i;
	int c;

	cur_ws(pat);
	if ((c = cur_peek(pat)) == -1)
		return it;
	if (c == '[' || c == ']') {
		cur_get(pat);
		it.kind = c == '[' ? P_OPEN : P_CLOSE;
		return it;
	}
	it.text = cur_until(pat, " []{}()*.?!=");
	it.kind = c >= 'a' && c <= 'z' ? P_STRING : P_KEYWORD;
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!cur_lit(pat, marks[i].mark))
			continue;
		it.kind = marks[i].kind;
		return it;
	}
	if (cur_lit(pat, "=")) {
		it.words = cur_until(pat, " []");
		it.kind = P_CHOICE;
	} else if (it.kind == P_KEYWORD &&
	    memchr(it.text.p, '|', it.text.len) != NULL)
		it.kind = P_WHICH;
	while (!is_end(cur_peek(pat)))
		cur_get(pat);
	return it;
}

/* Which of "A|B" (or "A/B") is this, any case?  In the pattern's spelling. */
static bool
one_of(struct str words, const char *word, size_t len, struct str *which)
{
	struct cur c = { words.p, words.p + words.len };
	struct str w;

	while (cur_left(&c) > 0) {
		w = cur_until(&c, "|/");
		cur_get(&c);
		if (w.len != len || strncasecmp(w.p, word, len) != 0)
			continue;
		*which = w;
		return true;
	}
	return false;
}

static struct val *
blank(const struct cli_item *it)
{
	switch (it->kind) {
	case P_DICT:
		return val_dict();
	case P_ARRAY:
		return val_array();
	case P_YESNO:
		return val_string("NO");
	case P_END:
	case P_OPEN:
	case P_CLOSE:
	case P_KEYWORD:
		return NULL;
	default:
		return val_string("");
	}
}

/* TO/PASSWORD, MAILBOX|MAILBOXES: either will do. */
static void
put_name(struct buf *b, struct str name)
{
	struct cur c = { name.p, name.p + name.len };
	struct str w;

	while (cur_left(&c) > 0) {
		w = cur_until(&c, "|/");
		buf_printf(b, "%.*s%s", (int)w.len, w.p,
		    cur_get(&c) != -1 ? " or " : "");
	}
}

/* Several things could stand there: what is wrong with each helps nobody. */
static void
put_tried(struct match *m)
{
	size_t i;

	buf_reset(m->err);
	for (i = 0; i < m->ntried; i++) {
		buf_puts(m->err, i == 0 ? "" :
		    i + 1 < m->ntried ? ", " : " or ");
		put_name(m->err, m->tried[i]);
	}
	buf_puts(m->err, " is expected");
}

static int
stuck(struct match *m, struct cur at, struct str what, const char *why)
{
	if (m->far != NULL && at.p < m->far)
		return -1;
	if (m->far != at.p)
		m->ntried = 0;
	m->far = at.p;
	if (m->ntried < TRIED_MAX)
		m->tried[m->ntried++] = what;
	buf_reset(m->err);
	put_name(m->err, what);
	buf_printf(m->err, " %s", why);
	if (m->ntried > 1)
		put_tried(m);
	return -1;
}

static int
put(struct val *args, struct val *v)
{
	return v == NULL ? -1 : val_append(args, v);
}

/* The argument is a flag, a keyword or a choice: a word out of a few. */
static int
match_word(struct match *m, const struct cli_item *it, struct cur at,
    struct buf *word, struct val *args)
{
	struct str which = { NULL, 0 };
	bool choice = it->kind == P_CHOICE;
	char lower[64];
	size_t i;

	if (!one_of(choice ? it->words : it->text, word->p, word->len, &which))
		return stuck(m, at, it->text,
		    choice ? "is none of the words it can be" : "is missing");
	switch (it->kind) {
	case P_KEYWORD:
		return 0;
	case P_YESNO:
		return put(args, val_string("YES"));
	case P_FLAG:
		if (!str_copy(which, lower, sizeof(lower)))
			return -1;
		for (i = 0; lower[i] != '\0'; i++)
			lower[i] |= 0x20;
		return put(args, val_string(lower));
	default:
		return put(args, val_bytes(which.p, which.len));
	}
}

/* What ends at a NUL for some would be a name that nobody has given. */
static bool
has_nul(const struct val *v)
{
	const char *text = val_text(v);
	size_t i;

	if (text != NULL)
		return val_type(v) == VAL_STRING && strlen(text) != val_len(v);
	for (i = 0; i < val_count(v); i++)
		if (has_nul(val_at(v, i)))
			return true;
	return false;
}

static int
match_object(struct match *m, const struct cli_item *it, struct val *args)
{
	struct cur at = m->line;
	const char *err = NULL;
	struct val *v;
	int c = cur_peek(&m->line);

	if (c == -1)
		return stuck(m, at, it->text, "is missing");
	if (it->kind == P_DICT && c != '{')
		return stuck(m, at, it->text, "must be a dictionary");
	if (it->kind == P_ARRAY && c != '(')
		return stuck(m, at, it->text, "must be an array");
	if ((v = val_parse(&m->line, &err)) == NULL) {
		(void)stuck(m, m->line, it->text, "cannot be read");
		if (m->far == m->line.p && m->ntried == 1)
			buf_printf(m->err, ": %s", err);
		return -1;
	}
	if (it->kind != P_ANY && has_nul(v)) {
		val_free(v);
		return stuck(m, m->line, it->text, nul);
	}
	return put(args, v);
}

/*
 * Beside dictionaries = means nothing, and clients send base64 and passwords
 * as they are.
 */
static bool
take_word(struct cur *line, struct buf *word)
{
	bool quoted = cur_peek(line) == '"';

	if (!val_word(line, word))
		return false;
	while (!quoted && cur_peek(line) == '=') {
		buf_putc(word, cur_get(line));
		if (cur_peek(line) > ' ' && cur_peek(line) != '"')
			(void)val_word(line, word);
	}
	return true;
}

static int
match_item(struct match *m, const struct cli_item *it, struct val *args)
{
	struct cur at;
	struct buf word;
	struct str rest;
	int c, rv;

	cur_ws(&m->line);
	at = m->line;
	if (it->kind == P_DICT || it->kind == P_ARRAY || it->kind == P_ANY)
		return match_object(m, it, args);
	if (it->kind == P_REST) {
		rest = cur_until(&m->line, "\r\n");
		if (rest.len == 0)
			return stuck(m, at, it->text, "is missing");
		return put(args, val_bytes(rest.p, rest.len));
	}
	if ((c = cur_peek(&m->line)) == -1)
		return stuck(m, at, it->text, "is missing");
	buf_init(&word, CLI_MAXLOCAL);
	if (!take_word(&m->line, &word))
		rv = stuck(m, at, it->text,
		    c == '"' ? "is not a well-formed string" : "is missing");
	else if (word.len > 0 && memchr(word.p, '\0', word.len) != NULL)
		rv = stuck(m, m->line, it->text, nul);
	else if (it->kind == P_STRING)
		rv = put(args, val_bytes(word.len > 0 ? word.p : "",
		    word.len));
	else
		rv = match_word(m, it, at, &word, args);
	if (word.p != NULL)
		explicit_bzero(word.p, word.len);
	buf_free(&word);
	return rv;
}

/* Goes over a group that is not there, leaving a blank for each argument. */
static int
skip_group(struct cur *pat, struct val *args)
{
	struct cli_item it;
	int depth = 1;

	while (depth > 0) {
		it = cli_item(pat);
		if (it.kind == P_END)
			return 0;
		if (it.kind == P_OPEN)
			depth++;
		else if (it.kind == P_CLOSE)
			depth--;
		else if (it.kind != P_KEYWORD && put(args, blank(&it)) == -1)
			return -1;
	}
	return 0;
}

static int	match_seq(struct match *, struct cur *, struct val *);

static int
match_group(struct match *m, struct cur *pat, struct val *args)
{
	struct cur line = m->line, inner = *pat;
	struct val *got;
	size_t i;
	int rv = 0;

	if ((got = val_array()) == NULL)
		return -1;
	if (match_seq(m, &inner, got) == -1) {
		val_free(got);
		m->line = line;
		return skip_group(pat, args);
	}
	*pat = inner;
	for (i = 0; i < val_count(got) && rv == 0; i++)
		rv = put(args, val_copy(val_at(got, i)));
	val_free(got);
	return rv;
}

/* Up to the end of the pattern or of the group it is in. */
static int
match_seq(struct match *m, struct cur *pat, struct val *args)
{
	struct cli_item it;
	int rv;

	for (;;) {
		it = cli_item(pat);
		if (it.kind == P_END || it.kind == P_CLOSE)
			return 0;
		if (it.kind == P_OPEN)
			rv = match_group(m, pat, args);
		else
			rv = match_item(m, &it, args);
		if (rv == -1)
			return -1;
	}
}

const struct cli_cmd *
cli_next(const struct cli_cmd *c)
{
	const struct cli_family *f;

	if (c == NULL)
		return cli_families[0].cmds;
	if ((++c)->name != NULL)
		return c;
	for (f = cli_families; f[1].name != NULL; f++) {
		const struct cli_cmd *last = f->cmds;

		while (last->name != NULL)
			last++;
		if (last == c)
			return f[1].cmds;
	}
	return NULL;
}

const struct cli_cmd *
cli_find(struct str name)
{
	const struct cli_cmd *c = NULL;

	while ((c = cli_next(c)) != NULL)
		if (str_caseeq(name, c->name) ||
		    (c->abbr != NULL && str_caseeq(name, c->abbr)))
			return c;
	return NULL;
}

static int
parse_args(struct match *m, const struct cli_cmd *cmd, struct val *args)
{
	struct cur pat = cur_str(cmd->args);

	if (match_seq(m, &pat, args) == -1) {
		if (m->err->len == 0)
			buf_puts(m->err, "out of memory");
		return -1;
	}
	while (cur_peek(&m->line) == ' ' || cur_peek(&m->line) == '\t' ||
	    cur_peek(&m->line) == '\r' || cur_peek(&m->line) == '\n')
		cur_get(&m->line);
	if (cur_left(&m->line) == 0)
		return 0;
	if (m->far == NULL || m->far < m->line.p) {
		buf_reset(m->err);
		buf_puts(m->err, "there is something after the command's end");
	}
	return -1;
}

const char *
cli_arg(const struct cli_cmd *cmd, const struct val *args, const char *name)
{
	struct cur pat = cur_str(cmd->args);
	const char *text = NULL;
	struct cli_item it;
	size_t n = 0;

	for (it = cli_item(&pat); it.kind != P_END; it = cli_item(&pat)) {
		if (it.kind == P_OPEN || it.kind == P_CLOSE ||
		    it.kind == P_KEYWORD)
			continue;
		if (str_eq(it.text, name) && n < val_count(args))
			text = val_text(val_at(args, n));
		n++;
	}
	return text != NULL ? text : "";
}

int
cli_parse(struct cur line, const struct cli_cmd **cmd, struct val **args,
    struct buf *err)
{
	struct match m = { .line = line, .err = err };
	const char *later;
	struct buf word;
	int rv = -1;

	*cmd = NULL;
	*args = NULL;
	buf_reset(err);
	buf_init(&word, 128);
	cur_ws(&m.line);
	if (!val_word(&m.line, &word) || word.len == 0) {
		buf_puts(err, "a command is expected");
		goto done;
	}
	*cmd = cli_find((struct str){ word.p, word.len });
	later = cli_unavailable((struct str){ word.p, word.len });
	if (*cmd == NULL) {
		buf_puts(err, later != NULL ? later : "unknown command");
		goto done;
	}
	if ((*args = val_array()) == NULL) {
		buf_puts(err, "out of memory");
		goto done;
	}
	if ((rv = parse_args(&m, *cmd, *args)) == -1) {
		val_free(*args);
		*args = NULL;
		/* Later servers' arguments may be others. */
		if (later != NULL) {
			buf_reset(err);
			buf_puts(err, later);
		}
	}
done:
	buf_free(&word);
	return rv;
}
