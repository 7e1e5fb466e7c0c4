/*
 * FETCH's items to an array.  Knows no mailbox; runs in the account's worker
 * and in the fuzzer.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "imap.h"

static const char no_memory[] = "out of memory";

/* Makes room for one more; false when there are max of them already. */
static bool
more_room(void *arrayp, uint32_t n, uint32_t *cap, size_t size, uint32_t max)
{
	void **array = arrayp, *p;
	uint32_t want = *cap == 0 ? 8 : *cap * 2;

	if (n < *cap)
		return true;
	if (n >= max || (p = reallocarray(*array, want, size)) == NULL)
		return false;
	*array = p;
	*cap = want;
	return true;
}

static struct fetch_item *
add_item(struct fetch_cmd *f, enum fetch_kind kind)
{
	struct fetch_item *it;

	if (!more_room(&f->items, f->nitems, &f->itemcap, sizeof(*f->items),
		FETCH_MAXITEMS))
		return NULL;
	it = &f->items[f->nitems++];
	memset(it, 0, sizeof(*it));
	it->kind = kind;
	switch (kind) {
	case FETCH_UID:
		f->uid = true;
		break;
	case FETCH_FLAGS:
		f->flags = true;
		break;
	case FETCH_MODSEQ:
		f->modseq = true;
		break;
	case FETCH_ENVELOPE:
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		f->summary = true;
		break;
	case FETCH_SECTION:
		f->sections = true;
		break;
	default:
		break;
	}
	return it;
}

/* --- BODY[...] --- */

static bool
add_number(struct fetch_cmd *f, struct fetch_item *it, uint32_t n)
{
	if (it->npath == FETCH_MAXPATH ||
	    !more_room(&f->numbers, f->nnumbers, &f->numbercap,
		sizeof(*f->numbers), FETCH_MAXITEMS * FETCH_MAXPATH))
		return false;
	f->numbers[f->nnumbers++] = n;
	it->npath++;
	return true;
}

/* 1.2.3; what follows a dot that no number follows is left, dot and all. */
static const char *
parse_path(struct cur *c, struct fetch_cmd *f, struct fetch_item *it)
{
	struct cur next;
	uint64_t n;

	it->path = f->nnumbers;
	for (;;) {
		if (cur_peek(c) < '0' || cur_peek(c) > '9')
			return NULL;
		if (!cur_u64(c, &n, UINT32_MAX) || n == 0)
			return "wrong part number";
		if (!add_number(f, it, (uint32_t)n))
			return "too many part numbers";
		next = *c;
		if (!cur_lit(&next, ".") || cur_peek(&next) < '0' ||
		    cur_peek(&next) > '9')
			return NULL;
		*c = next;
	}
}

/* (name name ...), kept once as it is and once as it is answered. */
static const char *
parse_names(struct cur *c, struct fetch_cmd *f, struct fetch_item *it)
{
	struct str *s;

	it->name = f->nnames;
	if (!cur_lit(c, "("))
		return "missing list of fields";
	do {
		if (it->nnames == FETCH_MAXNAMES ||
		    !more_room(&f->names, f->nnames, &f->namecap,
			sizeof(*f->names), FETCH_MAXITEMS * FETCH_MAXNAMES))
			return "too many fields";
		s = &f->names[f->nnames];
		s->p = f->text.p + f->text.len;
		s->len = f->text.len;
		if (!imap_astring(c, &f->text))
			return "wrong field name";
		s->len = f->text.len - s->len;
		f->nnames++;
		it->nnames++;
	} while (cur_lit(c, " "));
	return cur_lit(c, ")") ? NULL : "wrong list of fields";
}

static const struct {
	const char	*word;
	enum fetch_text	 text;
} texts[] = {
	/* The longer ones first. */
	{ "HEADER.FIELDS.NOT ", TEXT_FIELDS_NOT },
	{ "HEADER.FIELDS ", TEXT_FIELDS },
	{ "HEADER", TEXT_HEADER },
	{ "TEXT", TEXT_BODY },
	{ "MIME", TEXT_MIME },
};

static const char *
parse_text(struct cur *c, struct fetch_cmd *f, struct fetch_item *it)
{
	size_t i;

	if (cur_peek(c) == ']')
		return NULL;
	if (it->npath > 0 && !cur_lit(c, "."))
		return "wrong section";
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (cur_caselit(c, texts[i].word))
			break;
	if (i == sizeof(texts) / sizeof(texts[0]))
		return "unknown section";
	it->text = texts[i].text;
	if (it->text == TEXT_MIME && it->npath == 0)
		return "MIME needs a part number";
	if (it->text == TEXT_FIELDS || it->text == TEXT_FIELDS_NOT)
		return parse_names(c, f, it);
	return NULL;
}

/* How the answer names it: as asked for, with quotes where they are due. */
static void
write_label(struct fetch_cmd *f, struct fetch_item *it)
{
	static const char *const words[] = { [TEXT_ALL] = "",
		[TEXT_HEADER] = "HEADER", [TEXT_FIELDS] = "HEADER.FIELDS",
		[TEXT_FIELDS_NOT] = "HEADER.FIELDS.NOT", [TEXT_BODY] = "TEXT",
		[TEXT_MIME] = "MIME" };
	size_t start = f->text.len;
	uint32_t i;

	buf_puts(&f->text, "BODY[");
	for (i = 0; i < it->npath; i++)
		buf_printf(&f->text, i == 0 ? "%u" : ".%u",
		    f->numbers[it->path + i]);
	if (it->npath > 0 && it->text != TEXT_ALL)
		buf_putc(&f->text, '.');
	buf_puts(&f->text, words[it->text]);
	for (i = 0; i < it->nnames; i++) {
		buf_puts(&f->text, i == 0 ? " (" : " ");
		imap_put_astring(&f->text, f->names[it->name + i]);
	}
	buf_puts(&f->text, it->nnames > 0 ? ")]" : "]");
	if (it->partial)
		buf_printf(&f->text, "<%u>", it->off);
	it->label.p = f->text.p + start;
	it->label.len = f->text.len - start;
}

static const char *
parse_partial(struct cur *c, struct fetch_item *it)
{
	uint64_t off, len;

	if (!cur_lit(c, "<"))
		return NULL;
	if (!cur_u64(c, &off, UINT32_MAX) || !cur_lit(c, ".") ||
	    !cur_u64(c, &len, UINT32_MAX) || len == 0 || !cur_lit(c, ">"))
		return "wrong partial";
	it->partial = true;
	it->off = (uint32_t)off;
	it->len = (uint32_t)len;
	return NULL;
}

static const char *
parse_section(struct cur *c, struct fetch_cmd *f, bool peek)
{
	struct fetch_item *it = add_item(f, FETCH_SECTION);
	const char *why;

	if (it == NULL)
		return "too many items";
	it->peek = peek;
	if ((why = parse_path(c, f, it)) != NULL ||
	    (why = parse_text(c, f, it)) != NULL)
		return why;
	if (!cur_lit(c, "]"))
		return "wrong section";
	if ((why = parse_partial(c, it)) != NULL)
		return why;
	if (!peek)
		f->seen = true;
	if (it->text == TEXT_ALL || it->text == TEXT_BODY)
		f->bodies = true;
	write_label(f, it);
	return NULL;
}

/* --- items --- */

static const struct {
	const char	*word;
	enum fetch_kind	 kind;
	enum fetch_text	 text;	/* of the three that are sections */
} words[] = {
	{ "UID", FETCH_UID, 0 },
	{ "FLAGS", FETCH_FLAGS, 0 },
	{ "INTERNALDATE", FETCH_DATE, 0 },
	{ "RFC822.SIZE", FETCH_SIZE, 0 },
	{ "MODSEQ", FETCH_MODSEQ, 0 },
	{ "ENVELOPE", FETCH_ENVELOPE, 0 },
	{ "BODY", FETCH_BODY, 0 },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, 0 },
	{ "RFC822", FETCH_SECTION, TEXT_ALL },
	{ "RFC822.HEADER", FETCH_SECTION, TEXT_HEADER },
	{ "RFC822.TEXT", FETCH_SECTION, TEXT_BODY },
};

static const char *
parse_item(struct cur *c, struct fetch_cmd *f)
{
	struct str word = cur_until(c, " ()[<\r\n");
	struct fetch_item *it;
	size_t i;

	if (cur_lit(c, "[")) {
		if (str_caseeq(word, "BODY"))
			return parse_section(c, f, false);
		if (str_caseeq(word, "BODY.PEEK"))
			return parse_section(c, f, true);
		return "unknown item";
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_caseeq(word, words[i].word))
			break;
	if (i == sizeof(words) / sizeof(words[0]))
		return "unknown item";
	if (words[i].kind == FETCH_UID && f->uid)
		return NULL;
	if ((it = add_item(f, words[i].kind)) == NULL)
		return "too many items";
	if (it->kind != FETCH_SECTION)
		return NULL;
	it->text = words[i].text;
	it->peek = it->text == TEXT_HEADER;
	it->label = str_make(words[i].word);
	if (!it->peek)
		f->seen = f->bodies = true;
	return NULL;
}

static const struct {
	const char	*word;
	int		 n;
} macros[] = { { "FAST", 3 }, { "ALL", 4 }, { "FULL", 5 } };

/* ALL, FAST, FULL: each a beginning of the same list. */
static bool
parse_macro(struct cur *c, struct fetch_cmd *f)
{
	static const enum fetch_kind list[] = { FETCH_FLAGS, FETCH_DATE,
		FETCH_SIZE, FETCH_ENVELOPE, FETCH_BODY };
	struct cur next = *c;
	struct str word = cur_until(&next, " \r\n");
	size_t i;
	int k;

	for (i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (!str_caseeq(word, macros[i].word))
			continue;
		for (k = 0; k < macros[i].n; k++)
			if (add_item(f, list[k]) == NULL)
				return false;
		*c = next;
		return true;
	}
	return false;
}

static const char *
parse_items(struct cur *c, struct fetch_cmd *f)
{
	const char *why;

	if (parse_macro(c, f))
		return NULL;
	if (!cur_lit(c, "("))
		return parse_item(c, f);
	do
		if ((why = parse_item(c, f)) != NULL)
			return why;
	while (cur_lit(c, " "));
	return cur_lit(c, ")") ? NULL : "wrong list of items";
}

/* (CHANGEDSINCE n), the only modifier there is. */
static const char *
parse_modifiers(struct cur *c, struct fetch_cmd *f)
{
	if (!cur_lit(c, " "))
		return NULL;
	if (!cur_caselit(c, "(CHANGEDSINCE ") ||
	    !cur_u64(c, &f->modified, INT64_MAX) || !cur_lit(c, ")"))
		return "wrong modifier";
	f->since = true;
	if (!f->modseq && add_item(f, FETCH_MODSEQ) == NULL)
		return "too many items";
	return NULL;
}

const char *
fetch_parse(struct cur *c, bool uid, struct fetch_cmd *f)
{
	size_t room = cur_left(c) * 4 + 64;
	const char *why;

	memset(f, 0, sizeof(*f));
	/* Labels and names together fit, so that none of them ever moves. */
	buf_init(&f->text, room);
	if (!buf_reserve(&f->text, room))
		return no_memory;
	if (uid && add_item(f, FETCH_UID) == NULL)
		return no_memory;
	if ((why = parse_items(c, f)) != NULL ||
	    (why = parse_modifiers(c, f)) != NULL)
		return why;
	if (f->text.failed)
		return no_memory;
	return cur_left(c) == 0 ? NULL : "unexpected text after the items";
}

void
fetch_free(struct fetch_cmd *f)
{
	free(f->items);
	free(f->numbers);
	free(f->names);
	buf_free(&f->text);
	memset(f, 0, sizeof(*f));
}
