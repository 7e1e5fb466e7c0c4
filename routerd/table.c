/*
 * The Routing Table: records, and how the first that fits is found.  Runs in
 * routerd; knows neither files nor domains.
 *
 * The first record that fits wins.  A domain is looked up once and leads to
 * the records that name it; its exact aliases are looked up by name.  Records
 * with an asterisk are looked up by what is fixed in them, the longer side of
 * the asterisk, once for each length that occurs.  The lowest line of all that
 * was found is it.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "names.h"
#include "table.h"

/* Records of one key, in the order of their lines. */
struct bucket {
	struct record	 *first;
	struct record	**end;
};

/* Records by one fixed end; the lengths that occur, ascending. */
struct ends {
	struct map	*map;
	uint16_t	*len;
	size_t		 n;
};

struct wild {
	struct ends	 heads, tails;
};

/* What is said of one domain. */
struct place {
	struct bucket	 domain;	/* "x.com = ..." */
	struct map	*exact;		/* aliases, by their local parts */
	struct wild	 wild;		/* aliases with asterisks */
};

struct table {
	struct map	*places;
	struct wild	 domains;
	uint32_t	 lines;
	struct table_bad bad;
};

static void
bucket_clear(struct bucket *b)
{
	struct record *r, *next;

	for (r = b->first; r != NULL; r = next) {
		next = r->next;
		record_free(r);
	}
}

static void
bucket_free(void *arg)
{
	bucket_clear(arg);
	free(arg);
}

static void
bucket_add(struct bucket *b, struct record *r)
{
	if (b->first == NULL)
		b->end = &b->first;
	*b->end = r;
	b->end = &r->next;
}

static void
map_add(struct map **m, const char *key, size_t len, struct record *r)
{
	struct bucket *b;

	if (*m == NULL)
		*m = map_new();
	if ((b = map_get(*m, key, len)) == NULL) {
		b = xcalloc(1, sizeof(*b));
		map_put(*m, key, len, b);
	}
	bucket_add(b, r);
}

static void
ends_add(struct ends *e, const char *key, size_t len, struct record *r)
{
	size_t i = 0;

	map_add(&e->map, key, len, r);
	while (i < e->n && e->len[i] < len)
		i++;
	if (i < e->n && e->len[i] == len)
		return;
	e->len = reallocarray(e->len, e->n + 1, sizeof(*e->len));
	if (e->len == NULL)
		fatal("table");
	memmove(e->len + i + 1, e->len + i, (e->n - i) * sizeof(*e->len));
	e->len[i] = len;
	e->n++;
}

static void
wild_add(struct wild *w, struct record *r)
{
	if (r->tail >= r->head)
		ends_add(&w->tails, r->star + 1, r->tail, r);
	else
		ends_add(&w->heads, r->star - r->head, r->head, r);
}

static void
wild_clear(struct wild *w)
{
	map_free(w->heads.map, bucket_free);
	map_free(w->tails.map, bucket_free);
	free(w->heads.len);
	free(w->tails.len);
}

static void
place_free(void *arg)
{
	struct place *p = arg;

	bucket_clear(&p->domain);
	map_free(p->exact, bucket_free);
	wild_clear(&p->wild);
	free(p);
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	map_free(t->places, place_free);
	wild_clear(&t->domains);
	free(t);
}

static struct place *
place_of(struct table *t, const char *domain)
{
	struct place *p = map_get(t->places, domain, strlen(domain));

	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		map_put(t->places, domain, strlen(domain), p);
	}
	return p;
}

static void
insert(struct table *t, struct record *r)
{
	if (!r->alias && r->star != NULL)
		wild_add(&t->domains, r);
	else if (!r->alias)
		bucket_add(&place_of(t, r->domain)->domain, r);
	else if (r->star != NULL)
		wild_add(&place_of(t, r->domain)->wild, r);
	else
		map_add(&place_of(t, r->domain)->exact, r->local,
		    strlen(r->local), r);
}

static struct table *
parse(const char *text, const char *name)
{
	struct table *t = xcalloc(1, sizeof(*t));
	struct cur c = cur_str(text);
	struct record *r;
	const char *why;
	struct str line;

	t->places = map_new();
	while (cur_anyline(&c, &line)) {
		t->lines++;
		if ((r = record_parse(line, &why)) != NULL) {
			r->line = t->lines;
			insert(t, r);
		}
		if (why == NULL)
			continue;
		if (t->bad.line == 0)
			t->bad = (struct table_bad){ t->lines, why };
		if (name == NULL)
			break;
		log_msg(LOG_PROBLEM, "%s, line %u: %s; ignored", name,
		    t->lines, why);
	}
	return t;
}

struct table *
table_parse(const char *text, struct table_bad *bad)
{
	struct table *t = parse(text, NULL);

	*bad = t->bad;
	if (bad->line == 0)
		return t;
	table_free(t);
	return NULL;
}

struct table *
table_parse_lax(const char *text, const char *name)
{
	return parse(text, name);
}

const struct table_bad *
table_bad(const struct table *t)
{
	return &t->bad;
}

/* --- to find --- */

struct found {
	enum route_mode		 mode;
	const struct record	*best;
	size_t			 star, starlen;
};

/* The first of a list for this mode, if it comes before the best so far. */
static void
try_exact(struct found *f, const struct bucket *b)
{
	const struct record *r;

	if (b == NULL)
		return;
	for (r = b->first; r != NULL; r = r->next) {
		if (f->best != NULL && r->line > f->best->line)
			return;
		if ((r->modes & f->mode) == 0)
			continue;
		f->best = r;
		f->star = f->starlen = 0;
		return;
	}
}

/* One end of the text fits all of them by now; does the other? */
static void
try_list(struct found *f, const struct bucket *b, struct str text)
{
	const struct record *r;

	if (b == NULL)
		return;
	for (r = b->first; r != NULL; r = r->next) {
		if (f->best != NULL && r->line > f->best->line)
			return;
		if ((r->modes & f->mode) == 0 ||
		    text.len < r->head + r->tail ||
		    memcmp(text.p, r->star - r->head, r->head) != 0 ||
		    memcmp(text.p + text.len - r->tail, r->star + 1,
			r->tail) != 0)
			continue;
		f->best = r;
		f->star = r->head;
		f->starlen = text.len - r->head - r->tail;
		return;
	}
}

static void
try_wild(struct found *f, const struct wild *w, struct str text)
{
	size_t i, n;

	for (i = 0; i < w->heads.n && w->heads.len[i] <= text.len; i++)
		try_list(f, map_get(w->heads.map, text.p, w->heads.len[i]),
		    text);
	for (i = 0; i < w->tails.n && w->tails.len[i] <= text.len; i++) {
		n = w->tails.len[i];
		try_list(f, map_get(w->tails.map, text.p + text.len - n, n),
		    text);
	}
}

const struct record *
table_find(const struct table *t, enum route_mode mode, struct str local,
    struct str domain, size_t *star, size_t *starlen)
{
	struct found f = { .mode = mode };
	const struct place *p = map_get(t->places, domain.p, domain.len);

	if (p != NULL) {
		if (p->exact != NULL)
			try_exact(&f, map_get(p->exact, local.p, local.len));
		try_wild(&f, &p->wild, local);
		try_exact(&f, &p->domain);
	}
	if (domain.len > 0)
		try_wild(&f, &t->domains, domain);
	*star = f.star;
	*starlen = f.starlen;
	return f.best;
}
