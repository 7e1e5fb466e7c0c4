/*
 * How blacklists in the DNS and tables of hosts' names are written (manual
 * 07).  Pure; runs in smtpd and routerd.  What they mean for a client is
 * smtpd's origin.c's business.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "dns.h"
#include "iplist.h"
#include "rbl.h"

#define BLANKS	" \t\r"

/* iplist wants a line each. */
static struct iplist *
results(struct cur *c)
{
	struct iplist *list;
	struct buf b;
	struct str s;

	buf_init(&b, 4096);
	for (;;) {
		cur_span(c, BLANKS ",");
		s = cur_until(c, BLANKS ",");
		if (s.len == 0)
			break;
		buf_add(&b, s.p, s.len);
		buf_putc(&b, '\n');
	}
	if (b.len == 0)
		buf_puts(&b, RBL_RESULTS);
	list = b.failed ? NULL : iplist_parse(b.p, NULL);
	buf_free(&b);
	return list;
}

bool
rbl_parse(struct rbl *r, struct str text)
{
	struct cur c = cur_make(text.p, text.len);
	struct str zone;

	r->zone = NULL;
	r->results = NULL;
	cur_span(&c, BLANKS);
	zone = cur_until(&c, BLANKS ",");
	while (zone.len > 0 && zone.p[zone.len - 1] == '.')
		zone.len--;
	/* An address in front of it must fit into a name. */
	if (zone.len > DNS_MAXNAME - 64 || !addr_valid_domain(zone) ||
	    memchr(text.p, '\0', text.len) != NULL)
		return false;
	r->zone = str_dup(zone);
	r->results = results(&c);
	if (r->zone != NULL && r->results != NULL)
		return true;
	rbl_free(r);
	return false;
}

void
rbl_free(struct rbl *r)
{
	free(r->zone);
	iplist_free(r->results);
	r->zone = NULL;
	r->results = NULL;
}

bool
rbl_hit(const struct rbl *r, const char *records)
{
	struct cur c = cur_str(records);
	struct str s;
	char ip[64];

	while (cur_line(&c, &s))
		if (str_copy(s, ip, sizeof(ip)) && iplist_has(r->results, ip))
			return true;
	return false;
}

/* --- tables --- */

static void
row(struct str s, void (*fn)(struct str, void *), void *arg)
{
	struct cur c = cur_make(s.p, s.len);

	cur_span(&c, BLANKS);
	s = cur_until(&c, ";");
	while (s.len > 0 && strchr(BLANKS, s.p[s.len - 1]) != NULL)
		s.len--;
	if (s.len > 0)
		fn(s, arg);
}

void
rows_each(const struct val *v, void (*fn)(struct str, void *), void *arg)
{
	const char *text = v != NULL ? val_text(v) : NULL;
	struct cur c;
	struct str s;
	size_t i;

	if (text != NULL) {
		c = cur_str(text);
		while (cur_line(&c, &s))
			row(s, fn, arg);
		return;
	}
	if (v == NULL || val_type(v) != VAL_ARRAY)
		return;
	for (i = 0; i < val_count(v); i++)
		if ((text = val_text(val_at(v, i))) != NULL)
			row(str_make(text), fn, arg);
}

struct row_match {
	const char	*name;
	bool		 found;
};

static void
match_row(struct str s, void *arg)
{
	char pattern[DNS_MAXNAME + 1];
	struct row_match *m = arg;

	if (!m->found && str_copy(s, pattern, sizeof(pattern)))
		m->found = fnmatch(pattern, m->name,
		    FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

bool
rows_match(const struct val *v, const char *name)
{
	struct row_match m = { .name = name };

	rows_each(v, match_row, &m);
	return m.found;
}
