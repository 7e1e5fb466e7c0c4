/*
 * Encoded words, wherever they stand and however they are broken.  Words of one
 * charset side by side are decoded as one text, since many senders cut them in
 * the middle of a character.  Runs in workers.
 */
#include <string.h>

#include "charset.h"
#include "mime_decode.h"
#include "mime_int.h"
#include "rfc2047.h"

struct word {
	struct str	 charset, text;
	bool		 base64;
};

struct run {
	struct buf	*out;
	struct charset	*charset;	/* open text, or NULL */
	struct str	 name;
	struct buf	 tmp;
};

/* =?charset*lang?B?text?= at the cursor, which is moved over it if it is. */
static bool
word(struct cur *at, struct word *w)
{
	struct cur c = *at, cs;
	struct str s;

	if (!cur_lit(&c, "=?"))
		return false;
	s = cur_until(&c, "? \t");
	cs = cur_make(s.p, s.len);
	w->charset = cur_until(&cs, "*");
	if (s.len == 0 || !cur_lit(&c, "?"))
		return false;
	if (cur_caselit(&c, "b?"))
		w->base64 = true;
	else if (cur_caselit(&c, "q?"))
		w->base64 = false;
	else
		return false;
	for (w->text.p = c.p; cur_left(&c) > 1; c.p++)
		if (c.p[0] == '?' && c.p[1] == '=') {
			w->text.len = c.p - w->text.p;
			at->p = c.p + 2;
			return true;
		}
	return false;
}

static void
end_text(struct run *r)
{
	if (r->charset != NULL)
		charset_utf8(r->charset, "", 0, true, r->out);
	r->charset = NULL;
}

/* Appends the word's bytes to the text that is open for its charset. */
static void
decode(struct run *r, const struct word *w)
{
	struct decoder d;
	size_t n, i;
	char *p;

	if (r->charset == NULL || r->name.len != w->charset.len ||
	    strncasecmp(r->name.p, w->charset.p, r->name.len) != 0) {
		end_text(r);
		r->charset = charset_get(w->charset);
		r->name = w->charset;
	}
	/* The text, with blanks for Q's underscores, and behind it its bytes. */
	buf_reset(&r->tmp);
	if (!buf_reserve(&r->tmp, 2 * w->text.len + 2 * DECODER_ROOM))
		return;
	buf_add(&r->tmp, w->text.p, w->text.len);
	for (i = 0; i < w->text.len && !w->base64; i++)
		if (r->tmp.p[i] == '_')
			r->tmp.p[i] = ' ';
	p = r->tmp.p + w->text.len;
	decoder_init(&d, w->base64 ? MIME_BASE64 : MIME_QP);
	n = decoder_run(&d, r->tmp.p, w->text.len, p);
	n += decoder_end(&d, p + n);
	charset_utf8(r->charset, p, n, false, r->out);
}

bool
rfc2047_utf8(struct buf *out, struct str body)
{
	struct run r = { .out = out };
	struct buf line;
	struct word w;
	struct cur c;
	struct str s;
	const char *blanks;

	/* Most fields have no word at all. */
	if (memmem(body.p, body.len, "=?", 2) == NULL)
		return word_unfold(out, body);
	buf_init(&line, 0);
	buf_init(&r.tmp, 0);
	word_unfold(&line, body);
	for (c = cur_make(line.p, line.len); cur_left(&c) > 0;) {
		blanks = c.p;
		if (r.charset != NULL)
			cur_ws(&c);
		if (word(&c, &w)) {
			decode(&r, &w);
			continue;
		}
		end_text(&r);
		c.p = blanks;
		s = cur_until(&c, "=");
		if (s.len == 0) {
			s.len = 1;
			c.p++;
		}
		buf_add(out, s.p, s.len);
	}
	end_text(&r);
	buf_free(&line);
	buf_free(&r.tmp);
	return !out->failed;
}
