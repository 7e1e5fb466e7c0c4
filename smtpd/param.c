/*
 * Parameters of MAIL and RCPT, by a table each.  Pure; runs in smtpd.  Must
 * never let through what could not stand in an envelope's line.
 */
#include <string.h>

#include "idn.h"
#include "param.h"
#include "qfile.h"

static const char bad_syntax[] = "501 5.5.4 bad parameter";
static const char twice[] = "501 5.5.4 parameter given twice";
static const char unknown[] = "555 5.5.4 unknown parameter";

struct param {
	const char	*name;
	bool		 (*set)(void *, struct str value);
};

static bool
mail_size(void *arg, struct str v)
{
	struct mail_params *m = arg;
	struct cur c = cur_make(v.p, v.len);

	return cur_u64(&c, &m->size, INT64_MAX) && cur_left(&c) == 0;
}

static bool
mail_body(void *arg, struct str v)
{
	struct mail_params *m = arg;

	m->binary = str_caseeq(v, "BINARYMIME");
	m->eightbit = m->binary || str_caseeq(v, "8BITMIME");
	return m->eightbit || str_caseeq(v, "7BIT");
}

static bool
mail_utf8(void *arg, struct str v)
{
	struct mail_params *m = arg;

	m->utf8 = true;
	return v.len == 0;
}

static bool
mail_tls(void *arg, struct str v)
{
	struct mail_params *m = arg;

	m->tls = true;
	return v.len == 0;
}

static bool
mail_ret(void *arg, struct str v)
{
	struct mail_params *m = arg;

	if (str_caseeq(v, "HDRS"))
		m->ret = 'H';
	else if (str_caseeq(v, "FULL"))
		m->ret = 'F';
	else
		return false;
	return true;
}

static bool
is_xtext(struct str v)
{
	struct buf b;
	bool ok;

	buf_init(&b, v.len + 1);
	ok = v.len > 0 && xtext_decode(&b, v);
	buf_free(&b);
	return ok;
}

static bool
mail_envid(void *arg, struct str v)
{
	struct mail_params *m = arg;

	return is_xtext(v) && str_copy(v, m->envid, sizeof(m->envid));
}

/* Who submitted it elsewhere: heard, and not believed. */
static bool
mail_auth(void *arg, struct str v)
{
	return str_eq(v, "<>") || is_xtext(v);
}

static const struct param mail_table[] = {
	{ "SIZE",	mail_size },
	{ "BODY",	mail_body },
	{ "RET",	mail_ret },
	{ "ENVID",	mail_envid },
	{ "AUTH",	mail_auth },
	{ "SMTPUTF8",	mail_utf8 },
	{ "REQUIRETLS",	mail_tls },
	{ NULL,		NULL }
};

static bool
rcpt_notify(void *arg, struct str v)
{
	static const struct {
		const char	*word;
		unsigned int	 bit;
	} words[] = {
		{ "NEVER", QN_NEVER }, { "SUCCESS", QN_SUCCESS },
		{ "FAILURE", QN_FAILURE }, { "DELAY", QN_DELAY }
	};
	struct rcpt_params *r = arg;
	struct cur c = cur_make(v.p, v.len);
	struct str word;
	unsigned int bit;
	size_t i;

	do {
		word = cur_until(&c, ",");
		for (i = 0, bit = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (str_caseeq(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0 || (r->notify & QN_NEVER) ||
		    (bit == QN_NEVER && r->notify != 0))
			return false;
		r->notify |= bit;
	} while (cur_get(&c) == ',');
	r->notify |= QN_SAID;
	return true;
}

/* type;xtext, or utf-8;address as it is (RFC 6533, 3) */
static bool
rcpt_orcpt(void *arg, struct str v)
{
	struct rcpt_params *r = arg;
	struct cur c = cur_make(v.p, v.len);
	struct str type = cur_until(&c, ";"), text;
	size_t i;

	if (type.len == 0 || cur_get(&c) != ';')
		return false;
	text = (struct str){ c.p, cur_left(&c) };
	r->utf8 = !utf8_is_ascii(text);
	if (r->utf8 ? !str_caseeq(type, "utf-8") || !utf8_valid(text) :
	    !is_xtext(text))
		return false;
	for (i = 0; i < v.len; i++)
		if ((unsigned char)v.p[i] <= ' ' || v.p[i] == 0x7f ||
		    (i < type.len && (unsigned char)v.p[i] >= 0x80))
			return false;
	return str_copy(v, r->orcpt, sizeof(r->orcpt));
}

static const struct param rcpt_table[] = {
	{ "NOTIFY",	rcpt_notify },
	{ "ORCPT",	rcpt_orcpt },
	{ NULL,		NULL }
};

static const char *
params(struct cur *c, const struct param *table, void *arg)
{
	const struct param *p;
	struct str name, value;
	unsigned int seen = 0, bit;

	for (;;) {
		cur_ws(c);
		if (cur_left(c) == 0)
			return NULL;
		name = cur_until(c, "= \t");
		value = (struct str) { c->p, 0 };
		if (cur_peek(c) == '=') {
			cur_get(c);
			value = cur_until(c, " \t");
		}
		for (p = table; p->name != NULL; p++)
			if (str_caseeq(name, p->name))
				break;
		if (p->name == NULL)
			return unknown;
		bit = 1U << (p - table);
		if (seen & bit)
			return twice;
		seen |= bit;
		if (!p->set(arg, value))
			return bad_syntax;
	}
}

const char *
param_mail(struct cur *c, struct mail_params *m)
{
	memset(m, 0, sizeof(*m));
	m->ret = '_';
	return params(c, mail_table, m);
}

const char *
param_rcpt(struct cur *c, struct rcpt_params *r)
{
	memset(r, 0, sizeof(*r));
	return params(c, rcpt_table, r);
}
