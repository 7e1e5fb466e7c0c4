/*
 * The fields that IMAP asks for, turned into its words as a header is read:
 * what is sent for a part is then only put together.  Of Content fields that
 * are there more than once the first counts, of the envelope's the last, but
 * addresses are all taken.  Runs in workers.
 */
#include <string.h>
#include <strings.h>

#include "mime_int.h"

struct want {
	struct str	 name;
	bool		 message;	/* the envelope's */
	uint8_t		 index;		/* enum head, enum env */
	/* Appends to kept what is sent; nothing: NIL. */
	bool		(*make)(struct mime *, uint32_t part, struct str body);
};

static bool
unstructured(struct mime *m, uint32_t part, struct str body)
{
	struct buf *b = &m->tmp[0];

	buf_reset(b);
	return buf_reserve(b, 0) && word_unfold(b, body) &&
	    mime_string(&m->kept, (struct str){ b->p, b->len });
}

/* As unstructured, but an empty one is none. */
static bool
some_text(struct mime *m, uint32_t part, struct str body)
{
	struct buf *b = &m->tmp[0];

	buf_reset(b);
	return buf_reserve(b, 0) && word_unfold(b, body) && (b->len == 0 ||
	    mime_string(&m->kept, (struct str){ b->p, b->len }));
}

static bool
addresses(struct mime *m, uint32_t part, struct str body)
{
	return mime_addresses(&m->kept, body, m->tmp);
}

static const struct {
	const char	*name;
	enum mime_enc	 enc;
} encodings[] = {
	{ "7bit", MIME_7BIT }, { "8bit", MIME_8BIT },
	{ "binary", MIME_BINARY }, { "quoted-printable", MIME_QP },
	{ "base64", MIME_BASE64 }
};

static bool
encoding(struct mime *m, uint32_t part, struct str body)
{
	struct cur c = cur_make(body.p, body.len);
	struct str s;
	size_t i;

	word_skip(&c);
	s = word_token(&c);
	if (s.len == 0)
		return true;
	m->part[part].enc = MIME_UNKNOWN;
	for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
		if (str_caseeq(s, encodings[i].name))
			m->part[part].enc = encodings[i].enc;
	return mime_string(&m->kept, s);
}

/* value(; params), as Content-Disposition has it. */
static bool
disposition(struct mime *m, uint32_t part, struct str body)
{
	struct cur c = cur_make(body.p, body.len);
	size_t from;
	struct str s;

	word_skip(&c);
	s = word_token(&c);
	if (s.len == 0)
		return true;
	buf_putc(&m->kept, '(');
	mime_string(&m->kept, s);
	buf_putc(&m->kept, ' ');
	from = m->kept.len;
	mime_params(&m->kept, &c, &m->tmp[0], NULL, NULL);
	if (m->kept.len == from)
		buf_puts(&m->kept, "NIL");
	return buf_putc(&m->kept, ')') && !m->tmp[0].failed;
}

static bool
language(struct mime *m, uint32_t part, struct str body)
{
	struct cur c = cur_make(body.p, body.len);
	const char *before = "(";
	struct str s;

	do {
		word_skip(&c);
		s = word_token(&c);
		if (s.len > 0) {
			buf_puts(&m->kept, before);
			mime_string(&m->kept, s);
			before = " ";
		}
		cur_until(&c, ",");
	} while (cur_get(&c) != -1);
	return before[0] == '(' || buf_putc(&m->kept, ')');
}

static struct piece
since(const struct mime *m, size_t from)
{
	return (struct piece){ (uint32_t)from,
	    (uint32_t)(m->kept.len - from) };
}

static enum mime_kind
kind(struct str type, struct str sub)
{
	if (str_caseeq(type, "text"))
		return MIME_TEXT;
	if (str_caseeq(type, "multipart"))
		return MIME_MULTIPART;
	return str_caseeq(type, "message") && str_caseeq(sub, "rfc822") ?
	    MIME_MESSAGE : MIME_LEAF;
}

/* type/subtype; params.  Without a type there might be no field at all. */
static bool
content_type(struct mime *m, uint32_t part, struct str body)
{
	struct mime_head *h = &m->heads[part];
	struct mime_part *p = &m->part[part];
	struct cur c = cur_make(body.p, body.len);
	struct buf *k = &m->kept, *charset = &m->tmp[1];
	struct str type, sub = { "", 0 };
	size_t from = k->len;

	word_skip(&c);
	type = word_token(&c);
	word_skip(&c);
	if (cur_lit(&c, "/")) {
		word_skip(&c);
		sub = word_token(&c);
	}
	if (type.len == 0 || sub.len == 0) {
		h->seen &= ~(1U << HEAD_TYPE);
		return true;
	}
	p->kind = kind(type, sub);
	h->digest = p->kind == MIME_MULTIPART && str_caseeq(sub, "digest");
	mime_string(k, type);
	h->head[HEAD_TYPE] = since(m, from);
	from = k->len;
	mime_string(k, sub);
	h->head[HEAD_SUBTYPE] = since(m, from);
	from = k->len;
	buf_reset(charset);
	mime_params(k, &c, &m->tmp[0],
	    p->kind == MIME_MULTIPART ? &m->boundary : NULL, charset);
	h->head[HEAD_PARAMS] = since(m, from);
	if (m->boundary.len > MIME_MAXBOUNDARY)
		m->boundary.len = MIME_MAXBOUNDARY;
	while (m->boundary.len > 0 &&
	    m->boundary.p[m->boundary.len - 1] == ' ')
		m->boundary.len--;
	p->charset = (uint32_t)k->len;
	p->charsetlen = (uint32_t)charset->len;
	return buf_add(k, charset->p, charset->len) && !m->tmp[0].failed &&
	    !charset->failed && !m->boundary.failed;
}

#define NAME(s) { s, sizeof(s) - 1 }

static const struct want wants[] = {
	{ NAME("Content-Type"), false, HEAD_TYPE, content_type },
	{ NAME("Content-Transfer-Encoding"), false, HEAD_ENCODING, encoding },
	{ NAME("Content-Disposition"), false, HEAD_DISPOSITION, disposition },
	{ NAME("Content-ID"), false, HEAD_ID, some_text },
	{ NAME("Content-Description"), false, HEAD_DESCRIPTION, some_text },
	{ NAME("Content-MD5"), false, HEAD_MD5, some_text },
	{ NAME("Content-Language"), false, HEAD_LANGUAGE, language },
	{ NAME("Content-Location"), false, HEAD_LOCATION, some_text },
	{ NAME("Date"), true, ENV_DATE, unstructured },
	{ NAME("Subject"), true, ENV_SUBJECT, unstructured },
	{ NAME("From"), true, ENV_FROM, addresses },
	{ NAME("Sender"), true, ENV_SENDER, addresses },
	{ NAME("Reply-To"), true, ENV_REPLYTO, addresses },
	{ NAME("To"), true, ENV_TO, addresses },
	{ NAME("Cc"), true, ENV_CC, addresses },
	{ NAME("Bcc"), true, ENV_BCC, addresses },
	{ NAME("In-Reply-To"), true, ENV_INREPLYTO, unstructured },
	{ NAME("Message-ID"), true, ENV_MESSAGEID, unstructured }
};

/* Obsolete syntax: blanks before the colon. */
static struct str
trim(struct str name)
{
	while (name.len > 0 && (name.p[name.len - 1] == ' ' ||
	    name.p[name.len - 1] == '\t'))
		name.len--;
	return name;
}

static const struct want *
find(struct str name, bool message)
{
	size_t i;

	name = trim(name);
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		if (name.len == wants[i].name.len &&
		    (message || !wants[i].message) &&
		    strncasecmp(name.p, wants[i].name.p, name.len) == 0)
			return &wants[i];
	return NULL;
}

bool
mime_wanted(struct str name, bool message)
{
	return find(name, message) != NULL;
}

/* A second list of addresses: both as one. */
static bool
join(struct mime *m, struct piece *p, size_t from)
{
	struct buf *k = &m->kept, *b = &m->tmp[0];
	struct piece old = *p;

	if (old.len == 0 || k->len == from)
		return true;
	buf_reset(b);
	buf_add(b, k->p + from + 1, k->len - from - 1);
	k->len = from;
	if (!buf_reserve(k, old.len + b->len))
		return false;
	buf_add(k, k->p + old.off, old.len - 1);
	return !b->failed && buf_add(k, b->p, b->len);
}

bool
mime_field(struct mime *m, uint32_t part, struct str line)
{
	struct cur c = cur_make(line.p, line.len);
	const struct want *w = find(cur_until(&c, ":"), true);
	struct mime_head *h = &m->heads[part];
	struct piece *piece;
	size_t from = m->kept.len;
	uint32_t bit;

	if (w == NULL)
		return true;
	piece = w->message ? &h->env[w->index] : &h->head[w->index];
	bit = w->message ? 0 : 1U << w->index;
	if (h->seen & bit || m->kept.len > MIME_MAXKEPT)
		return true;
	h->seen |= bit;
	cur_get(&c);
	if (!w->make(m, part, (struct str){ c.p, cur_left(&c) }) ||
	    (w->make == addresses && !join(m, piece, from)))
		return false;
	/* A type has pieces of its own. */
	if (w->make != content_type && (m->kept.len > from || !w->message))
		*piece = since(m, from);
	return !m->kept.failed;
}
