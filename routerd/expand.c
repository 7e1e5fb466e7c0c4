/*
 * Who gets what is sent to a group, or to all accounts (manual 18, 21): queued
 * asks, and gets a list of addresses.  Runs in routerd; for mail to all authd
 * is asked what the sender may, and which accounts want such mail, some at a
 * time, so that nobody waits long for either of us.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "file.h"
#include "iplist.h"
#include "log.h"
#include "object.h"
#include "rfc5322.h"

enum {
	MAXDEPTH = 8,		/* of forwarders that lead to another */
	KEYLEN = ADDR_MAX + DOMAIN_MAXLEN + 2,
	BATCH = 500,		/* accounts that authd is asked for at once */
	BATCH_BYTES = 58000
};

struct expansion {
	struct ipc_ref	 ref;
	struct map	*out;		/* keys that are not to be there */
	struct map	*seen;		/* keys that are there; groups, too */
	struct buf	 list;		/* the addresses, a line each */
	uint32_t	 count;
	size_t		 members;	/* before any was taken out */
	/* mail to all */
	struct caller	 who;
	bool		 trusted, client;
	struct val	*domains;	/* their names, still to do */
	struct buf	 paths, addrs;	/* of one of them, a line each */
	size_t		 path_at, addr_at;
	size_t		 asked;
};

static void
expansion_free(struct expansion *x)
{
	map_free(x->out, NULL);
	map_free(x->seen, NULL);
	buf_free(&x->list);
	buf_free(&x->paths);
	buf_free(&x->addrs);
	free(x->who.account);
	free(x->who.domain);
	val_free(x->who.rights);
	val_free(x->domains);
	free(x);
}

static void
refuse(struct expansion *x, unsigned code, const char *esc, const char *text)
{
	struct msg_expanded m = { .code = code, .esc = esc, .text = text,
		.replyto = "" };

	ipc_answer(x->ref, IPC_EXPANDED, &m, -1);
	expansion_free(x);
}

static void
finish(struct expansion *x, struct msg_expanded *m)
{
	int fd = -1;

	m->esc = m->text = "";
	if (m->replyto == NULL)
		m->replyto = "";
	m->count = x->count;
	if (x->list.failed || (x->count > 0 && (fd = file_memfd("expanded",
	    x->list.p, x->list.len)) == -1)) {
		refuse(x, 2, "4.3.0", "out of memory");
		return;
	}
	ipc_answer(x->ref, IPC_EXPANDED, m, fd);
	expansion_free(x);
}

/* --- one key for all that is one recipient --- */

static bool key_of(const char *, const struct domain *, char *, int depth);

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
local_key(const struct domain *d, const char *local, char *key, int depth)
{
	const struct account *a = local_account(d, local);

	if (a == NULL) {
		a = names_find(d, local, strlen(local));
		if (a != NULL && names_kind(a) == NAME_FORWARDER &&
		    depth < MAXDEPTH)
			return key_of(names_more(a), names.main, key,
			    depth + 1);
	}
	snprintf(key, KEYLEN, "%s@%s", a != NULL ? a->name : local, d->name);
	return true;
}

/* A name alone is one of that domain. */
static bool
key_of(const char *text, const struct domain *d, char *key, int depth)
{
	char lower[ADDR_MAX + 1], *at;
	const struct domain *other;

	if (!name_lower(str_make(text), lower, sizeof(lower)) || *lower == 0)
		return false;
	if ((at = strrchr(lower, '@')) == NULL)
		return local_key(d, lower, key, depth);
	if ((other = names_domain(&names, at + 1)) == NULL) {
		str_copy(str_make(lower), key, KEYLEN);
		return true;
	}
	*at = '\0';
	return local_key(other, lower, key, depth);
}

static void
take_out(struct expansion *x, const char *address)
{
	char key[KEYLEN];

	if (address != NULL && key_of(address, names.main, key, 0))
		map_put(x->out, key, strlen(key), x);
}

static void
take_out_all(struct expansion *x, const struct val *list)
{
	size_t i;

	if (list == NULL || val_type(list) != VAL_ARRAY)
		return;
	for (i = 0; i < val_count(list); i++)
		take_out(x, val_text(val_at(list, i)));
}

static void
add(struct expansion *x, const char *text, const struct domain *d)
{
	char key[KEYLEN];

	if (!key_of(text, d, key, 0))
		return;
	x->members++;
	if (map_get(x->seen, key, strlen(key)) != NULL)
		return;
	map_put(x->seen, key, strlen(key), x);
	if (map_get(x->out, key, strlen(key)) != NULL ||
	    strlen(text) + strlen(d->name) + 1 > ADDR_MAX)
		return;
	buf_puts(&x->list, text);
	if (strchr(text, '@') == NULL)
		buf_printf(&x->list, "@%s", d->name);
	buf_putc(&x->list, '\n');
	x->count++;
}

/* --- groups --- */

/* The group of this domain that a member's text means, or NULL. */
static const struct val *
subgroup(const char *text, const struct domain *d, char *name, size_t size)
{
	const struct account *a;
	char *at;

	if (!name_lower(str_make(text), name, size))
		return NULL;
	if ((at = strrchr(name, '@')) != NULL) {
		if (names_domain(&names, at + 1) != d)
			return NULL;
		*at = '\0';
	}
	a = names_find(d, name, strlen(name));
	return a != NULL && names_kind(a) == NAME_GROUP ?
	    group_get(d, name) : NULL;
}

/* Each group is opened once: none can lead back to itself. */
static void
add_group(struct expansion *x, const struct domain *d, const char *name,
    const struct val *group)
{
	const struct val *list = dict_get(group, "Members"), *sub;
	bool expand = dict_bool(group, "Expand", false);
	char member[KEYLEN], key[KEYLEN];
	const char *text;
	size_t i;

	snprintf(key, sizeof(key), "%s@%s", name, d->name);
	if (map_get(x->seen, key, strlen(key)) != NULL)
		return;
	map_put(x->seen, key, strlen(key), x);
	for (i = 0; list != NULL && val_type(list) == VAL_ARRAY &&
	    i < val_count(list); i++) {
		if ((text = val_text(val_at(list, i))) == NULL)
			continue;
		sub = expand ? subgroup(text, d, member, sizeof(member)) :
			       NULL;
		if (sub == NULL) {
			add(x, text, d);
			continue;
		}
		x->members++;
		snprintf(key, sizeof(key), "%s@%s", member, d->name);
		/* To and Cc may name a group that is a member. */
		if (map_get(x->out, key, strlen(key)) == NULL)
			add_group(x, d, member, sub);
	}
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

static void
expand_group(struct expansion *x, const struct domain *d, const char *name,
    const struct val *group)
{
	struct msg_expanded m = { 0 };
	struct buf replyto;

	add_group(x, d, name, group);
	if (x->members == 0) {
		refuse(x, 1, "5.2.4", "the group has no members");
		return;
	}
	buf_init(&replyto, 1000);
	if (dict_bool(group, "SetReplyTo", false)) {
		put_phrase(&replyto, dict_str(group, "RealName", ""));
		buf_printf(&replyto, "<%s@%s>", name, d->name);
		m.replyto = replyto.failed ? NULL : replyto.p;
	}
	m.final = dict_bool(group, "FinalDelivery", false);
	finish(x, &m);
	buf_free(&replyto);
}

/* --- mail to all --- */

static bool
in_domain(const struct expansion *x, const struct domain *d)
{
	return *x->who.account != '\0' && strcmp(x->who.domain, d->name) == 0;
}

static bool
is_allowed(const struct expansion *x, const struct domain *d)
{
	bool known = *x->who.account != '\0';

	switch (d->toall) {
	case TOALL_ANYBODY:
		return true;
	case TOALL_CLIENTS:
		return known || x->trusted || x->client;
	case TOALL_USERS:
		return known;
	case TOALL_DOMAIN:
		return known && (in_domain(x, d) || may_domain(&x->who, d));
	case TOALL_ADMIN:
		return known && may_domain(&x->who, d);
	case TOALL_NOBODY:
		break;
	}
	return false;
}

static void	all_next(struct expansion *);

/* A line of that buffer; false at its end. */
static bool
next_line(const struct buf *b, size_t *at, struct str *line)
{
	struct cur c = cur_make(b->p + *at, b->len - *at);

	if (b->len == *at || !cur_line(&c, line))
		return false;
	*at = b->len - cur_left(&c);
	return true;
}

static void
all_checked(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_all_checked *m = pkt != NULL ? pkt->m : NULL;
	struct expansion *x = arg;
	struct str addr;
	size_t i;

	if (m == NULL || strlen(m->takes) != x->asked) {
		refuse(x, 2, "4.3.0", "temporary failure, try again");
		return;
	}
	for (i = 0; i < x->asked && next_line(&x->addrs, &x->addr_at, &addr);
	    i++) {
		char *text = str_dup(addr);

		if (m->takes[i] == 'Y' && text != NULL)
			add(x, text, names.main);
		free(text);
	}
	all_next(x);
}

static void
ask(struct expansion *x, const char *domain)
{
	struct msg_all_check m = { .domain = domain };
	struct str line;
	struct buf b;

	buf_init(&b, 0);
	x->asked = 0;
	while (x->asked < BATCH && b.len < BATCH_BYTES &&
	    next_line(&x->paths, &x->path_at, &line)) {
		buf_add(&b, line.p, line.len);
		buf_putc(&b, '\n');
		x->asked++;
	}
	m.paths = b.p;
	ipc_call(proc_peer(PROC_AUTHD), IPC_ALL_CHECK, 0, &m, -1, IPC_TIMEOUT,
	    all_checked, x);
	buf_free(&b);
}

/* The accounts as they are now: while authd looks, others may come and go. */
static void
gather(struct expansion *x, const struct domain *d)
{
	const struct account *a;
	char path[1025];
	size_t i = 0;

	buf_reset(&x->paths);
	buf_reset(&x->addrs);
	x->path_at = x->addr_at = 0;
	while ((a = names_next(d, &i)) != NULL) {
		if (names_kind(a) == NAME_FORWARDER &&
		    domain_bool(d, "AllWithForwarders"))
			add(x, a->name, d);
		if (!names_is_account(a) || a->reserved ||
		    !names_path(d, a, path, sizeof(path)))
			continue;
		buf_printf(&x->paths, "%s\n", path);
		buf_printf(&x->addrs, "%s@%s\n", a->name, d->name);
	}
}

static void
all_next(struct expansion *x)
{
	struct msg_expanded m = { .all = 1 };
	struct domain *d;
	size_t n;

	while ((n = val_count(x->domains)) > 0) {
		d = names_domain(&names, val_key(x->domains, n - 1));
		if (x->path_at < x->paths.len) {
			ask(x, d != NULL ? d->name : "");
			return;
		}
		if (d != NULL && dict_bool(x->domains, d->name, false)) {
			dict_set(x->domains, d->name, val_string("NO"));
			gather(x, d);
		} else
			dict_set(x->domains, val_key(x->domains, n - 1),
			    NULL);
	}
	finish(x, &m);
}

static void
all_begin(struct expansion *x)
{
	struct domain *d;
	size_t i;

	for (i = val_count(x->domains); i > 0; i--) {
		d = names_domain(&names, val_key(x->domains, i - 1));
		if (d == NULL || !is_allowed(x, d))
			dict_set(x->domains, val_key(x->domains, i - 1),
			    NULL);
	}
	if (val_count(x->domains) == 0)
		refuse(x, 1, "5.7.1", "you may not send mail to all");
	else
		all_next(x);
}

static void
all_rights(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt != NULL ? pkt->m : NULL;
	struct expansion *x = arg;
	const char *err;

	if (m == NULL) {
		refuse(x, 2, "4.3.0", "temporary failure, try again");
		return;
	}
	if (m->code == 0)
		x->who.rights = val_parse_all(m->rights, strlen(m->rights),
		    &err);
	all_begin(x);
}

static void
expand_all(struct expansion *x, struct domain *d, bool every)
{
	struct msg_rights_check m = { .account = x->who.account };

	x->domains = val_dict();
	if (every)
		for (d = names.first; d != NULL; d = d->next)
			dict_set(x->domains, d->name, val_string("YES"));
	else
		dict_set(x->domains, d->name, val_string("YES"));
	if (*x->who.account == '\0')
		all_begin(x);
	else
		ipc_call(proc_peer(PROC_AUTHD), IPC_RIGHTS_CHECK, 0, &m, -1,
		    IPC_TIMEOUT, all_rights, x);
}

/* --- the request --- */

/* Takes the descriptor. */
static void
read_header(struct expansion *x, int fd, const struct val *group)
{
	const char *err = NULL;
	struct val *v;

	if (fd == -1)
		return;
	v = val_read_fd(fd, &err);
	close(fd);
	if (dict_bool(group, "RemoveAuthor", false))
		take_out_all(x, dict_get(v, "Author"));
	if (dict_bool(group, "RemoveToAndCc", false))
		take_out_all(x, dict_get(v, "To"));
	val_free(v);
}

static struct expansion *
expansion_new(struct ipc_ref ref, const struct msg_expand *m)
{
	struct expansion *x = xcalloc(1, sizeof(*x));
	const char *at = strrchr(m->account, '@');

	x->ref = ref;
	x->out = map_new();
	x->seen = map_new();
	buf_init(&x->list, 0);
	buf_init(&x->paths, 0);
	buf_init(&x->addrs, 0);
	x->who.account = xstrdup(m->account);
	x->who.domain = xstrdup(at != NULL ? at + 1 : names.main->name);
	x->trusted = m->trusted;
	x->client = *m->peer != '\0' && env.clients != NULL &&
	    iplist_has(env.clients, m->peer);
	return x;
}

void
on_expand(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_expand *m = pkt->m;
	struct expansion *x = expansion_new(ipc_ref(ipc, pkt), m);
	int fd = ipc_take_fd(pkt);
	const struct val *group;
	char name[513], *at;
	struct domain *d;
	bool every;

	name_lower(str_make(m->name), name, sizeof(name));
	if ((at = strrchr(name, '@')) != NULL)
		*at = '\0';
	d = at != NULL ? names_domain(&names, at + 1) : names.main;
	group = d != NULL ? group_get(d, name) : NULL;
	every = d == names.main && strcmp(name, "alldomains") == 0;
	read_header(x, fd, group);
	if (d != NULL && d->toall != TOALL_NOBODY &&
	    (every || strcmp(name, "all") == 0))
		expand_all(x, d, every);
	else if (group != NULL) {
		take_out(x, m->sender);
		expand_group(x, d, name, group);
	} else
		/* It has another name now: route it again. */
		refuse(x, 2, "4.2.1", "no such group any more");
}
