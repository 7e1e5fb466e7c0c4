/*
 * LIST and LSUB: plain, extended (RFC 5258), with STATUS (RFC 5819) and
 * SPECIAL-USE (RFC 6154).  Runs in the account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "int.h"
#include "name.h"
#include "status.h"
#include "utf7.h"

enum {
	MAXPATTERNS = 64,
	MAXPATTERN = NAME_PATTERN	/* bytes */
};

enum {
	SEL_SUBSCRIBED = 1 << 0,
	SEL_REMOTE = 1 << 1,
	SEL_RECURSIVE = 1 << 2,
	SEL_SPECIAL = 1 << 3,
	RET_SUBSCRIBED = 1 << 4,
	RET_CHILDREN = 1 << 5,
	RET_SPECIAL = 1 << 6,
	RET_STATUS = 1 << 7
};

struct list {
	const char	*word;		/* LIST, LSUB */
	unsigned	 options;
	unsigned	 status;	/* items of RETURN (STATUS (...)) */
	unsigned	 items;		/* told as attributes */
	bool		 empty;		/* LIST "" "": the separator alone */
	bool		 lsub;
	struct buf	 patterns;	/* each with its NUL, in UTF-8 */
	size_t		 npatterns;
	struct folders	 f;
	size_t		 at;
};

struct word {
	const char	*name;
	unsigned	 bit;
};

static const struct word selectors[] = {
	{ "SUBSCRIBED", SEL_SUBSCRIBED },
	{ "REMOTE", SEL_REMOTE },
	{ "RECURSIVEMATCH", SEL_RECURSIVE },
	{ "SPECIAL-USE", SEL_SPECIAL },
	{ "CHILDREN", RET_CHILDREN },	/* manual 37 */
	{ NULL, 0 }
};

static const struct word returns[] = {
	{ "SUBSCRIBED", RET_SUBSCRIBED },
	{ "CHILDREN", RET_CHILDREN },
	{ "SPECIAL-USE", RET_SPECIAL },
	{ "STATUS", RET_STATUS },
	{ NULL, 0 }
};

static void
list_free(void *arg)
{
	struct list *l = arg;

	folders_free(&l->f);
	buf_free(&l->patterns);
	free(l);
}

/* --- which names --- */

/* INBOX is INBOX in any case, and so is what is below it. */
static bool
matches(const struct list *l, const char *name)
{
	const char *p = l->patterns.p;
	size_t i;

	for (i = 0; i < l->npatterns; i++, p += strlen(p) + 1)
		if (name_matches(p, name))
			return true;
	return false;
}

static bool
selected(const struct list *l, const struct folder *f)
{
	if (l->options & SEL_SUBSCRIBED && !(f->flags & FOLDER_SUBSCRIBED))
		return false;
	if (l->options & SEL_SPECIAL && f->class[0] == '\0')
		return false;
	return true;
}

static bool
below(const struct folder *f, const char *parent, size_t len)
{
	return strncmp(f->name, parent, len) == 0 && f->name[len] == '/';
}

/* Has it, further down, some that are selected but not listed themselves? */
static bool
selected_below(const struct list *l, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < l->f.n; i++)
		if (below(&l->f.v[i], name, len) && selected(l, &l->f.v[i]) &&
		    !matches(l, l->f.v[i].name))
			return true;
	return false;
}

/* --- lines --- */

static void
put_attributes(struct buf *b, const struct list *l, const struct folder *f)
{
	const char *sep = "";

	if (f->flags & FOLDER_GONE) {
		buf_puts(b, "\\NonExistent");
		sep = " ";
	} else if (f->flags & FOLDER_NOSELECT) {
		buf_puts(b, "\\Noselect");
		sep = " ";
	}
	if (l->options & (SEL_SUBSCRIBED | RET_SUBSCRIBED) &&
	    f->flags & FOLDER_SUBSCRIBED) {
		buf_printf(b, "%s\\Subscribed", sep);
		sep = " ";
	}
	if (!(f->flags & FOLDER_GONE)) {
		buf_printf(b, "%s%s", sep, f->flags & FOLDER_CHILDREN ?
		    "\\HasChildren" : "\\HasNoChildren");
		sep = " ";
	}
	if (f->class[0] != '\0')
		buf_printf(b, "%s\\%s", sep, f->class);
}

static void
put_line(struct imap_session *s, const struct list *l, const struct folder *f,
    bool child)
{
	buf_printf(&s->out, "* %s (", l->word);
	put_attributes(&s->out, l, f);
	if (!(f->flags & (FOLDER_NOSELECT | FOLDER_GONE)))
		imap_put_list_items(s, f->name, l->items);
	buf_puts(&s->out, ") \"/\" ");
	imap_put_mailbox(&s->out, f->name);
	if (child)
		buf_puts(&s->out, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	buf_puts(&s->out, "\r\n");
	if (l->options & RET_STATUS &&
	    !(f->flags & (FOLDER_NOSELECT | FOLDER_GONE)))
		imap_put_status(s, f->name, l->status);
}

/* LSUB: a parent stands for what a % does not reach (RFC 3501 6.3.9). */
static void
put_lsub(struct imap_session *s, const struct list *l, const struct folder *f)
{
	bool parent = !selected(l, f);

	if (parent && !selected_below(l, f->name))
		return;
	buf_printf(&s->out, "* LSUB (%s) \"/\" ", parent ||
	    f->flags & FOLDER_NOSELECT ? "\\Noselect" : "");
	imap_put_mailbox(&s->out, f->name);
	buf_puts(&s->out, "\r\n");
}

static void
one(struct imap_session *s, const struct list *l, const struct folder *f)
{
	bool child = false;

	if (!matches(l, f->name))
		return;
	if (l->lsub) {
		put_lsub(s, l, f);
		return;
	}
	if (l->options & SEL_RECURSIVE)
		child = selected_below(l, f->name);
	if (selected(l, f) || child)
		put_line(s, l, f, child);
}

/* One at a time: patterns, and counts of large mailboxes, may take long. */
static enum imap_more
list_more(struct imap_session *s, void *arg)
{
	struct list *l = arg;

	if (l->at < l->f.n) {
		one(s, l, &l->f.v[l->at++]);
		return MORE_AGAIN;
	}
	imap_ok(s, "done");
	return MORE_DONE;
}

/* --- the command --- */

static const char *
parse_word(struct cur *c, const struct word *words, struct list *l)
{
	const struct word *table = words;
	struct str w;
	const char *why;

	if (!imap_atom(c, &w))
		return "an option is missing";
	for (; words->name != NULL; words++)
		if (str_caseeq(w, words->name))
			break;
	if (words->name == NULL && table == selectors) {
		unsigned item = imap_list_item(w);

		l->items |= item;
		return item != 0 ? NULL : "unknown option";
	}
	if (words->name == NULL)
		return "unknown option";
	l->options |= words->bit;
	if (words->bit != RET_STATUS)
		return NULL;
	if (!cur_lit(c, " "))
		return "no items for STATUS";
	why = imap_status_items(c, &l->status);
	return why;
}

/* "(WORD WORD)", the opening one is behind us. */
static const char *
parse_words(struct cur *c, const struct word *words, struct list *l)
{
	const char *why;

	if (cur_lit(c, ")"))
		return NULL;
	do {
		if ((why = parse_word(c, words, l)) != NULL)
			return why;
	} while (cur_lit(c, " "));
	return cur_lit(c, ")") ? NULL : "no closing parenthesis";
}

static const char *
parse_pattern(struct cur *c, const char *reference, struct list *l)
{
	struct buf wire;
	const char *why = NULL;
	size_t at = l->patterns.len;

	buf_init(&wire, MAXPATTERN);
	buf_puts(&wire, reference);
	if (!imap_list_mailbox(c, &wire) || wire.failed)
		why = "wrong pattern";
	else if (l->npatterns == MAXPATTERNS)
		why = "too many patterns";
	else if (!utf7_decode(&l->patterns, (struct str){ wire.p, wire.len }))
		why = "wrong UTF-7 in the pattern";
	else if (!buf_putc(&l->patterns, '\0'))
		why = "out of memory";
	buf_free(&wire);
	if (why != NULL)
		return why;
	l->npatterns++;
	l->empty = l->patterns.len - at == 1;
	if (strncasecmp(l->patterns.p + at, "INBOX", 5) == 0 &&
	    strchr("/%*", l->patterns.p[at + 5]) != NULL)
		memcpy(l->patterns.p + at, "INBOX", 5);
	return NULL;
}

static const char *
parse_patterns(struct cur *c, const char *reference, struct list *l)
{
	const char *why;

	if (!cur_lit(c, "("))
		return parse_pattern(c, reference, l);
	do {
		if ((why = parse_pattern(c, reference, l)) != NULL)
			return why;
	} while (cur_lit(c, " "));
	l->empty = false;
	return cur_lit(c, ")") ? NULL : "no closing parenthesis";
}

static const char *
parse(struct cur *c, struct list *l)
{
	struct buf reference;
	const char *why = NULL;

	if (!l->lsub && cur_lit(c, "(")) {
		if ((why = parse_words(c, selectors, l)) != NULL)
			return why;
		if (!cur_lit(c, " "))
			return "no reference";
	}
	buf_init(&reference, MAXPATTERN);
	if (!imap_astring(c, &reference) || !cur_lit(c, " "))
		why = "wrong reference";
	else
		why = parse_patterns(c, reference.p != NULL ? reference.p : "",
		    l);
	buf_free(&reference);
	if (why == NULL && !l->lsub && cur_caselit(c, " RETURN ("))
		why = parse_words(c, returns, l);
	if (why == NULL && cur_left(c) > 0)
		why = "unexpected text";
	if (why == NULL && l->options & SEL_RECURSIVE &&
	    !(l->options & (SEL_SUBSCRIBED | SEL_SPECIAL)))
		why = "RECURSIVEMATCH of what?";
	return why;
}

static void
list(struct imap_session *s, struct cur *c, bool lsub)
{
	struct list *l;
	const char *why;

	if ((l = calloc(1, sizeof(*l))) == NULL) {
		imap_no(s, "[UNAVAILABLE] out of memory");
		return;
	}
	l->lsub = lsub;
	l->word = lsub ? "LSUB" : "LIST";
	l->options = lsub ? SEL_SUBSCRIBED : 0;
	buf_init(&l->patterns, 0);
	if ((why = parse(c, l)) != NULL)
		imap_bad(s, "%s", why);
	else if (l->empty) {
		imap_say(s, "%s (\\Noselect) \"/\" \"\"", l->word);
		imap_ok(s, "done");
	} else if (folder_list(s->acct, &l->f,
	    (l->options & SEL_SUBSCRIBED) != 0) == -1)
		imap_no_errno(s, errno);
	else {
		imap_job(s, list_more, list_free, l);
		return;
	}
	list_free(l);
}

void
cmd_list(struct imap_session *s, struct cur *c)
{
	list(s, c, false);
}

void
cmd_lsub(struct imap_session *s, struct cur *c)
{
	list(s, c, true);
}
