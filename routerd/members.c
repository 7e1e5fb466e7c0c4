/*
 * Who is in a group: members and, where the group wants that, members of the
 * groups among them; each once, whatever name it has there.  Knows names and
 * dictionaries only; runs in routerd.
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "members.h"
#include "rfc5322.h"

enum {
	MAXDEPTH = 8,		/* of forwarders that lead to another */
	MAXGROUPS = 100,	/* one in another; what is deeper gets a copy */
	KEYLEN = ADDR_MAX + DOMAIN_MAXLEN + 2
};

void
members_init(struct members *m, const struct names *n)
{
	*m = (struct members){ .names = n, .out = map_new(),
		.seen = map_new() };
	buf_init(&m->list, 0);
}

void
members_free(struct members *m)
{
	map_free(m->out, NULL);
	map_free(m->seen, NULL);
	buf_free(&m->list);
}

/* --- one key for all that is one recipient --- */

static bool	key_of(const struct members *, const char *,
		    const struct domain *, char *key, int depth);

/* john+list, box#john: they are john's. */
static const struct account *
local_account(const struct domain *d, const char *local)
{
	const char *hash = strchr(local, '#'), *name = local;
	const struct account *a;

	if ((a = names_account(d, local, strlen(local))) != NULL)
		return a;
	if (hash != NULL)
		name = hash + 1;
	return names_account(d, name, strcspn(name, "+"));
}

static bool
local_key(const struct members *m, const struct domain *d, const char *local,
    char *key, int depth)
{
	const struct account *a = local_account(d, local);

	if (a == NULL) {
		a = names_find(d, local, strlen(local));
		if (a != NULL && names_kind(a) == NAME_FORWARDER &&
		    depth < MAXDEPTH)
			return key_of(m, names_more(a), names_near(d, a) ? d :
			    m->names->main, key, depth + 1);
	}
	snprintf(key, KEYLEN, "%s@%s", a != NULL ? a->name : local, d->name);
	return true;
}

/* A name alone is one of that domain. */
static bool
key_of(const struct members *m, const char *text, const struct domain *d,
    char *key, int depth)
{
	char lower[ADDR_MAX + 1], *at;
	const struct domain *other;

	if (!name_lower(str_make(text), lower, sizeof(lower)) || *lower == 0)
		return false;
	if ((at = strrchr(lower, '@')) == NULL)
		return local_key(m, d, lower, key, depth);
	if ((other = names_domain(m->names, at + 1)) == NULL) {
		str_copy(str_make(lower), key, KEYLEN);
		return true;
	}
	*at = '\0';
	return local_key(m, other, lower, key, depth);
}

void
members_leave_out_one(struct members *m, const char *address)
{
	char key[KEYLEN];

	if (address != NULL && key_of(m, address, m->names->main, key, 0))
		map_put(m->out, key, strlen(key), m);
}

void
members_leave_out(struct members *m, const struct val *list)
{
	size_t i;

	if (list == NULL || val_type(list) != VAL_ARRAY)
		return;
	for (i = 0; i < val_count(list); i++)
		members_leave_out_one(m, val_text(val_at(list, i)));
}

void
members_add(struct members *m, const struct domain *d, const char *text)
{
	char key[KEYLEN];

	if (text[strcspn(text, " \r\n")] != '\0' ||
	    !key_of(m, text, d, key, 0))
		return;
	m->all++;
	if (map_get(m->seen, key, strlen(key)) != NULL)
		return;
	map_put(m->seen, key, strlen(key), m);
	if (map_get(m->out, key, strlen(key)) != NULL ||
	    strlen(text) + strlen(d->name) + 1 > ADDR_MAX)
		return;
	buf_puts(&m->list, text);
	if (strchr(text, '@') == NULL)
		buf_printf(&m->list, "@%s", d->name);
	buf_putc(&m->list, '\n');
	m->count++;
}

/* --- groups --- */

/* The group of this domain that a member's text means, or NULL. */
static const struct val *
subgroup(const struct members *m, const char *text, const struct domain *d,
    char *name, size_t size)
{
	const struct account *a;
	char *at;

	if (!name_lower(str_make(text), name, size))
		return NULL;
	if ((at = strrchr(name, '@')) != NULL) {
		if (names_domain(m->names, at + 1) != d)
			return NULL;
		*at = '\0';
	}
	a = names_find(d, name, strlen(name));
	return a != NULL && names_kind(a) == NAME_GROUP ?
	    map_get(d->groups, name, strlen(name)) : NULL;
}

/* Each group is opened once: none can lead back to itself. */
void
members_add_group(struct members *m, const struct domain *d, const char *name,
    const struct val *group)
{
	const struct val *list = dict_get(group, "Members"), *sub;
	bool expand = dict_bool(group, "Expand", false);
	char member[KEYLEN], key[KEYLEN + DOMAIN_MAXLEN + 2];
	const char *text;
	size_t i;

	snprintf(key, sizeof(key), "%s@%s", name, d->name);
	if (map_get(m->seen, key, strlen(key)) != NULL)
		return;
	map_put(m->seen, key, strlen(key), m);
	m->depth++;
	for (i = 0; list != NULL && val_type(list) == VAL_ARRAY &&
	    i < val_count(list); i++) {
		if ((text = val_text(val_at(list, i))) == NULL)
			continue;
		sub = !expand || m->depth == MAXGROUPS ? NULL :
		    subgroup(m, text, d, member, sizeof(member));
		if (sub == NULL) {
			members_add(m, d, text);
			continue;
		}
		m->all++;
		snprintf(key, sizeof(key), "%s@%s", member, d->name);
		/* To and Cc may name a group that is a member. */
		if (map_get(m->out, key, strlen(key)) == NULL)
			members_add_group(m, d, member, sub);
	}
	m->depth--;
}

/* A phrase that every header takes: quoted, or an encoded word. */
static void
put_phrase(struct buf *b, const char *name)
{
	const char *p;
	bool plain = true;

	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > 0x7e)
			plain = false;
	if (*name == '\0' || strlen(name) > 40)
		return;
	if (!plain) {
		buf_puts(b, "=?UTF-8?B?");
		base64_encode(b, name, strlen(name));
		buf_puts(b, "?= ");
		return;
	}
	buf_putc(b, '"');
	for (p = name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *p);
	}
	buf_puts(b, "\" ");
}

void
members_reply_to(struct buf *b, const char *realname, const char *name,
    const char *domain)
{
	put_phrase(b, realname);
	buf_printf(b, "<%s@%s>", name, domain);
}
