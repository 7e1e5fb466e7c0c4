/*
 * The Routing Table: from lines of text to something that is searched by
 * hash.  Runs in routerd; knows neither files nor domains.
 *
 * The first record that fits wins.  Exact domains and exact aliases are looked
 * up; of those with an asterisk, aliases stand in a list of their domain, and
 * domain records in one list of all.  The lowest line of what was found is it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "names.h"
#include "table.h"

struct table {
	struct map	*exact;		/* "local@domain" or "@domain" */
	struct map	*starred;	/* domain to aliases with asterisks */
	struct record	*domains;	/* domain records with asterisks */
	struct record  **domains_end;
	uint32_t	 lines;
};

static void
record_free(void *arg)
{
	struct record *r = arg, *next;

	for (; r != NULL; r = next) {
		next = r->next;
		free(r->local);
		free(r->domain);
		free(r->right);
		free(r);
	}
}

static struct table *
table_new(void)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->exact = map_new();
	t->starred = map_new();
	t->domains_end = &t->domains;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	map_free(t->exact, record_free);
	map_free(t->starred, record_free);
	record_free(t->domains);
	free(t);
}

static size_t
make_key(char *key, size_t size, struct str local, struct str domain)
{
	if (local.len + 1 + domain.len > size)
		return 0;
	memcpy(key, local.p, local.len);
	key[local.len] = '@';
	memcpy(key + local.len + 1, domain.p, domain.len);
	return local.len + 1 + domain.len;
}

static void
insert(struct table *t, struct record *r)
{
	struct record *last;
	char key[2048];
	size_t len;

	if (r->star == NULL) {
		len = make_key(key, sizeof(key), str_make(r->local),
		    str_make(r->domain));
		if (len == 0 || map_get(t->exact, key, len) != NULL)
			record_free(r);		/* never reached */
		else
			map_put(t->exact, key, len, r);
		return;
	}
	if (!r->alias) {
		*t->domains_end = r;
		t->domains_end = &r->next;
		return;
	}
	last = map_get(t->starred, r->domain, strlen(r->domain));
	if (last == NULL) {
		map_put(t->starred, r->domain, strlen(r->domain), r);
		return;
	}
	while (last->next != NULL)
		last = last->next;
	last->next = r;
}

static struct str
trim(struct str s)
{
	while (s.len > 0 && strchr(" \t\r", *s.p) != NULL)
		s.p++, s.len--;
	while (s.len > 0 && strchr(" \t\r", s.p[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static char *
lower_dup(struct str s)
{
	char *p = xcalloc(1, s.len + 1);

	name_lower(s, p, s.len + 1);
	return p;
}

/* "Relay:", "N:", ...: taken off the left side. */
static enum record_relay
take_prefix(struct str *left)
{
	static const struct {
		const char		*word;
		enum record_relay	 relay;
	} words[] = {
		{ "relay:", REC_RELAY }, { "r:", REC_RELAY },
		{ "norelay:", REC_NORELAY }, { "n:", REC_NORELAY },
		{ "relayall:", REC_RELAYALL }
	};
	struct cur c = { left->p, left->p + left->len };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!cur_caselit(&c, words[i].word))
			continue;
		*left = trim((struct str){ c.p, cur_left(&c) });
		return words[i].relay;
	}
	return REC_RELAY;
}

/* Where the @ is that parts local from domain; the length if there is none. */
static size_t
find_at(struct str s)
{
	size_t i = s.len;
	bool quoted = false;
	size_t at = s.len;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '@' && !quoted)
			at = i;
	}
	return at;
}

static int
count_stars(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += *s == '*';
	return n;
}

static struct str
unquote(struct str s)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"' &&
	    memchr(s.p, '\\', s.len) == NULL)
		return (struct str){ s.p + 1, s.len - 2 };
	return s;
}

static bool
set_left(struct record *r, struct str left)
{
	size_t at;

	r->relay = take_prefix(&left);
	r->alias = left.len >= 2 && left.p[0] == '<' &&
	    left.p[left.len - 1] == '>';
	if (r->alias) {
		left = trim((struct str){ left.p + 1, left.len - 2 });
		at = find_at(left);
		r->local = lower_dup(unquote((struct str){ left.p, at }));
		if (at < left.len)
			at++;
		r->domain = lower_dup((struct str){ left.p + at,
						    left.len - at });
	} else {
		r->local = xstrdup("");
		r->domain = lower_dup(left);
	}
	if (count_stars(r->local) + count_stars(r->domain) > 1 ||
	    (r->alias && strchr(r->domain, '*') != NULL))
		return false;
	if (strpbrk(r->domain, " \t<>\"@") != NULL ||
	    strlen(r->domain) > DOMAIN_MAXLEN || strlen(r->local) > 1000)
		return false;
	r->star = strchr(r->alias ? r->local : r->domain, '*');
	return r->alias ? *r->local != '\0' : *r->domain != '\0';
}

/* Left of the ; that begins a comment. */
static struct str
cut_comment(struct str line)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line.len; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		else if (line.p[i] == ';' && !quoted)
			line.len = i;
	}
	return trim(line);
}

static int
add_line(struct table *t, struct str line)
{
	struct record *r;
	struct str right;
	const char *eq;

	t->lines++;
	line = cut_comment(line);
	if (line.len == 0)
		return 0;
	if ((eq = memchr(line.p, '=', line.len)) == NULL)
		return -1;
	r = xcalloc(1, sizeof(*r));
	r->line = t->lines;
	right = trim((struct str){ eq + 1, line.p + line.len - eq - 1 });
	r->right = xcalloc(1, right.len + 1);
	memcpy(r->right, right.p, right.len);
	if (!set_left(r, trim((struct str){ line.p, eq - line.p })) ||
	    right.len > 1000 || (r->alias && right.len == 0)) {
		record_free(r);
		return -1;
	}
	insert(t, r);
	return 0;
}

static bool
next_line(struct cur *c, struct str *line)
{
	if (cur_left(c) == 0)
		return false;
	*line = cur_until(c, "\r\n");
	if (cur_peek(c) == '\r')
		cur_get(c);
	if (cur_peek(c) == '\n')
		cur_get(c);
	return true;
}

struct table *
table_parse(const char *text, int *line)
{
	struct table *t = table_new();
	struct cur c = cur_str(text);
	struct str s;

	while (next_line(&c, &s)) {
		if (add_line(t, s) == 0)
			continue;
		*line = t->lines;
		table_free(t);
		return NULL;
	}
	return t;
}

struct table *
table_parse_lax(const char *text)
{
	struct table *t = table_new();
	struct cur c = cur_str(text);
	struct str s;

	while (next_line(&c, &s))
		if (add_line(t, s) == -1)
			log_msg(LOG_PROBLEM, "Routing Table, line %u: not "
			    "understood, ignored", t->lines);
	return t;
}

/* Does text fit "head*tail"?  What stands for the asterisk. */
static bool
fits(const char *pattern, const char *star, struct str text, size_t *at,
    size_t *len)
{
	size_t head = star - pattern, tail = strlen(star + 1);

	if (text.len < head + tail || memcmp(text.p, pattern, head) != 0 ||
	    memcmp(text.p + text.len - tail, star + 1, tail) != 0)
		return false;
	*at = head;
	*len = text.len - head - tail;
	return true;
}

static const struct record *
first_fit(const struct record *r, const struct record *best, struct str text,
    size_t *at, size_t *len)
{
	for (; r != NULL && (best == NULL || r->line < best->line);
	    r = r->next)
		if (fits(r->alias ? r->local : r->domain, r->star, text, at,
		    len))
			return r;
	return best;
}

const struct record *
table_find(const struct table *t, struct str local, struct str domain,
    size_t *star, size_t *starlen)
{
	const struct record *best, *r;
	char key[2048];
	size_t len;

	*star = *starlen = 0;
	len = make_key(key, sizeof(key), local, domain);
	if (len == 0)
		return NULL;
	best = map_get(t->exact, key, len);
	r = map_get(t->starred, domain.p, domain.len);
	best = first_fit(r, best, local, star, starlen);
	if (domain.len == 0)
		return best;
	len = make_key(key, sizeof(key), (struct str){ "", 0 }, domain);
	r = map_get(t->exact, key, len);
	if (r != NULL && (best == NULL || r->line < best->line))
		best = r;
	return first_fit(t->domains, best, domain, star, starlen);
}
