/*
 * Domains and the accounts in them, in memory.  Runs in routerd; must never
 * touch a file: scan.c fills it at start, authd's messages keep it true.
 */
#include <stdlib.h>
#include <string.h>

#include "idn.h"
#include "log.h"
#include "names.h"

static const struct {
	const char		*ext;
	enum account_type	 type;
	bool			 dir;
} exts[] = {
	{ ".macnt", ACCOUNT_MULTI, true },
	{ ".mbox", ACCOUNT_MBOX, false },
	{ ".mdir", ACCOUNT_MDIR, true },
	{ ".mslc", ACCOUNT_MSLC, false }
};

enum { NEXTS = sizeof(exts) / sizeof(exts[0]), MINTABLE = 16 };

bool
name_domain(struct str s, char *out, size_t size)
{
	struct buf b;
	bool ok;

	if (utf8_is_ascii(s))
		return name_lower(s, out, size);
	buf_init(&b, DOMAIN_MAXLEN + 1);
	ok = idn_ascii(&b, s) && str_copy((struct str){ b.p, b.len }, out,
	    size);
	buf_free(&b);
	if (!ok)
		out[0] = '\0';
	return ok;
}

/* As map.c's, but the entry is the account itself: it is smaller. */
static struct account **
account_slot(const struct account_table *t, const char *name, size_t len,
    uint32_t hash)
{
	size_t i = hash & (t->size - 1);
	struct account *a;

	for (;; i = (i + 1) & (t->size - 1)) {
		a = t->slot[i];
		if (a == NULL || (a->hash == hash &&
		    strncmp(a->name, name, len) == 0 && a->name[len] == '\0'))
			return &t->slot[i];
	}
}

static void
account_grow(struct account_table *t)
{
	struct account **old = t->slot;
	size_t size = t->size, i;

	t->size = size > 0 ? size * 2 : MINTABLE;
	t->slot = xcalloc(t->size, sizeof(*t->slot));
	for (i = 0; i < size; i++)
		if (old[i] != NULL)
			*account_slot(t, old[i]->name, strlen(old[i]->name),
			    old[i]->hash) = old[i];
	free(old);
}

struct account *
names_find(const struct domain *d, const char *name, size_t len)
{
	if (d->accounts.size == 0)
		return NULL;
	return *account_slot(&d->accounts, name, len, name_hash(name, len));
}

enum account_type
names_kind(const struct account *a)
{
	return a->type & ~NAME_MORE;
}

bool
names_is_account(const struct account *a)
{
	return names_kind(a) < NAME_ALIAS;
}

bool
names_near(const struct domain *d, const struct account *forwarder)
{
	char lower[256];
	const struct account *a;

	if (!name_lower(str_make(names_more(forwarder)), lower, sizeof(lower)))
		return false;
	a = names_find(d, lower, strlen(lower));
	return a != NULL && a != forwarder && !a->reserved;
}

const char *
names_more(const struct account *a)
{
	return a->type & NAME_MORE ? a->name + strlen(a->name) + 1 : a->name;
}

struct account *
names_account(const struct domain *d, const char *name, size_t len)
{
	struct account *a = names_find(d, name, len);

	if (a != NULL && names_kind(a) == NAME_ALIAS)
		a = names_find(d, names_more(a), strlen(names_more(a)));
	return a != NULL && names_is_account(a) && !a->reserved ? a : NULL;
}

static int
intern_dir(struct domain *d, const char *subdir)
{
	size_t i;

	for (i = 0; i < d->ndirs; i++)
		if (strcmp(d->dirs[i], subdir) == 0)
			return i;
	if (d->ndirs == UINT16_MAX)
		return -1;
	d->dirs = reallocarray(d->dirs, d->ndirs + 1, sizeof(*d->dirs));
	if (d->dirs == NULL)
		fatal("names");
	d->dirs[d->ndirs] = xstrdup(subdir);
	return d->ndirs++;
}

static void
count(struct names *n, struct domain *d, const struct account *a, int by)
{
	if (names_is_account(a)) {
		d->naccounts += by;
		n->naccounts += by;
	} else if (names_kind(a) == NAME_ALIAS)
		d->naliases += by;
}

struct account *
names_add(struct names *n, struct domain *d, const char *name,
    const char *subdir, const char *file, enum account_type type)
{
	size_t len = strlen(name), flen = strcmp(name, file) == 0 ? 0 :
							strlen(file) + 1;
	struct account_table *t = &d->accounts;
	struct account *a, **slot;
	int dir = intern_dir(d, subdir);

	if (dir == -1 || names_find(d, name, len) != NULL)
		return NULL;
	if (t->size == 0 || (t->used + 1) * 3 > t->size * 2)
		account_grow(t);
	if ((a = malloc(sizeof(*a) + len + 1 + flen)) == NULL)
		return NULL;
	a->hash = name_hash(name, len);
	a->dir = dir;
	a->type = type | (flen > 0 ? NAME_MORE : 0);
	a->reserved = false;
	memcpy(a->name, name, len + 1);
	if (flen > 0)
		memcpy(a->name + len + 1, file, flen);
	slot = account_slot(t, name, len, a->hash);
	*slot = a;
	t->used++;
	count(n, d, a, 1);
	return a;
}

void
names_clear(struct names *n, struct domain *d)
{
	size_t i;

	for (i = 0; i < d->accounts.size; i++)
		free(d->accounts.slot[i]);
	free(d->accounts.slot);
	d->accounts = (struct account_table){ NULL, 0, 0 };
	n->naccounts -= d->naccounts;
	d->naccounts = d->naliases = 0;
}

bool
names_del(struct names *n, struct domain *d, const char *name)
{
	struct account_table *t = &d->accounts;
	size_t hole, i, home;
	struct account **slot;

	if (t->size == 0)
		return false;
	slot = account_slot(t, name, strlen(name),
	    name_hash(name, strlen(name)));
	if (*slot == NULL)
		return false;
	count(n, d, *slot, -1);
	free(*slot);
	*slot = NULL;
	t->used--;
	for (i = hole = slot - t->slot;;) {
		i = (i + 1) & (t->size - 1);
		if (t->slot[i] == NULL)
			return true;
		home = t->slot[i]->hash & (t->size - 1);
		if (((i - home) & (t->size - 1)) < ((i - hole) & (t->size - 1)))
			continue;
		t->slot[hole] = t->slot[i];
		t->slot[i] = NULL;
		hole = i;
	}
}

struct account *
names_next(const struct domain *d, size_t *i)
{
	while (*i < d->accounts.size) {
		struct account *a = d->accounts.slot[(*i)++];

		if (a != NULL)
			return a;
	}
	return NULL;
}

const char *
account_ext(enum account_type type)
{
	size_t i;

	for (i = 0; i < NEXTS; i++)
		if (exts[i].type == (type & ~NAME_MORE))
			return exts[i].ext;
	return "";
}

enum account_type
name_type(const char *file, bool is_dir, size_t *len)
{
	size_t flen = strlen(file), elen, i;

	for (i = 0; i < NEXTS; i++) {
		elen = strlen(exts[i].ext);
		if (flen <= elen || exts[i].dir != is_dir ||
		    strcmp(file + flen - elen, exts[i].ext) != 0)
			continue;
		*len = flen - elen;
		return exts[i].type;
	}
	return ACCOUNT_NONE;
}

static bool
append(char *out, size_t size, size_t *at, const char *s)
{
	size_t len = strlen(s);

	if (*at + len >= size)
		return false;
	memcpy(out + *at, s, len + 1);
	*at += len;
	return true;
}

bool
names_path(const struct domain *d, const struct account *a, char *out,
    size_t size)
{
	const char *file = names_more(a);
	size_t at = 0;

	return append(out, size, &at, d->dir) && append(out, size, &at, "/") &&
	    append(out, size, &at, d->dirs[a->dir]) &&
	    append(out, size, &at, file) &&
	    append(out, size, &at, account_ext(a->type));
}

static struct domain *
domain_new(const char *name, bool is_main)
{
	struct domain *d = xcalloc(1, sizeof(*d));

	d->name = xstrdup(name);
	d->main = is_main;
	d->limit = -1;
	d->groups = map_new();
	d->dir = is_main ? xstrdup("Accounts") :
			   xasprintf("Domains/%s", name);
	return d;
}

static void
free_settings(void *v)
{
	val_free(v);
}

static void
domain_free(struct domain *d)
{
	size_t i;

	for (i = 0; i < d->accounts.size; i++)
		free(d->accounts.slot[i]);
	free(d->accounts.slot);
	for (i = 0; i < d->ndirs; i++)
		free(d->dirs[i]);
	free(d->dirs);
	map_free(d->groups, free_settings);
	val_free(d->settings);
	val_free(d->template);
	free(d->dns);
	free(d->reroute[0]);
	free(d->reroute[1]);
	free(d->dir);
	free(d->name);
	free(d);
}

void
names_init(struct names *n, const char *main_name)
{
	*n = (struct names){ .domains = map_new(), .aliases = map_new() };
	n->main = n->first = domain_new(main_name, true);
	n->ndomains = 1;
	map_put(n->domains, n->main->name, strlen(main_name), n->main);
}

struct domain *
names_domain(const struct names *n, const char *name)
{
	char ascii[DOMAIN_MAXLEN + 1];
	struct str s = str_make(name);

	if (!utf8_is_ascii(s)) {
		if (!name_domain(s, ascii, sizeof(ascii)))
			return NULL;
		s = str_make(ascii);
	}
	return map_get(n->domains, s.p, s.len);
}

/* In its place, by its name. */
static void
domain_link(struct names *n, struct domain *d)
{
	struct domain **p;

	for (p = &n->first->next; *p != NULL; p = &(*p)->next)
		if (strcmp((*p)->name, d->name) > 0)
			break;
	d->next = *p;
	*p = d;
	map_put(n->domains, d->name, strlen(d->name), d);
}

static void
domain_unlink(struct names *n, struct domain *d)
{
	struct domain **p;

	for (p = &n->first; *p != d; p = &(*p)->next)
		;
	*p = d->next;
	map_del(n->domains, d->name, strlen(d->name));
}

struct domain *
names_add_domain(struct names *n, const char *name)
{
	struct domain *d;

	if (names_domain(n, name) != NULL)
		return NULL;
	d = domain_new(name, false);
	domain_link(n, d);
	n->ndomains++;
	return d;
}

void
names_rename_domain(struct names *n, struct domain *d, const char *name,
    const char *dir)
{
	domain_unlink(n, d);
	free(d->name);
	free(d->dir);
	d->name = xstrdup(name);
	d->dir = xstrdup(dir);
	domain_link(n, d);
}

void
names_del_domain(struct names *n, struct domain *d)
{
	domain_unlink(n, d);
	n->naccounts -= d->naccounts;
	n->ndomains--;
	domain_free(d);
}

void
names_rename_main(struct names *n, const char *name)
{
	struct domain *d = n->main;

	if (strcmp(d->name, name) == 0 || names_domain(n, name) != NULL)
		return;
	map_del(n->domains, d->name, strlen(d->name));
	free(d->name);
	d->name = xstrdup(name);
	map_put(n->domains, name, strlen(name), d);
}

void
names_clear_aliases(struct names *n)
{
	const char *alias;
	size_t i = 0;

	while (map_next(n->aliases, &i, &alias) != NULL)
		map_del(n->domains, alias, strlen(alias));
	map_free(n->aliases, NULL);
	n->aliases = map_new();
}

int
names_add_alias(struct names *n, const char *alias, struct domain *d)
{
	if (names_domain(n, alias) != NULL)
		return -1;
	map_put(n->domains, alias, strlen(alias), d);
	map_put(n->aliases, alias, strlen(alias), d);
	return 0;
}
