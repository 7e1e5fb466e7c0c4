/*
 * Who gets what is sent to a group, or to all accounts (manual 18, 21): queued
 * asks, and gets a list of addresses.  Runs in routerd; for mail to all authd
 * is asked what the sender may, and which accounts want such mail, some at a
 * time, so that nobody waits long for either of us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "iplist.h"
#include "log.h"
#include "members.h"
#include "object.h"

enum {
	BATCH = 500,		/* accounts that authd is asked for at once */
	BATCH_BYTES = 58000
};

struct expansion {
	struct ipc_ref	 ref;
	struct members	 members;
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
	members_free(&x->members);
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
	m->count = x->members.count;
	if (x->members.list.failed || (m->count > 0 && (fd = file_memfd(
	    "expanded", x->members.list.p, x->members.list.len)) == -1)) {
		refuse(x, 2, "4.3.0", "out of memory");
		return;
	}
	ipc_answer(x->ref, IPC_EXPANDED, m, fd);
	expansion_free(x);
}

static void
expand_group(struct expansion *x, const struct domain *d, const char *name,
    const struct val *group)
{
	struct msg_expanded m = { 0 };
	struct buf replyto;

	members_add_group(&x->members, d, name, group);
	if (x->members.all == 0) {
		refuse(x, 1, "5.2.4", "the group has no members");
		return;
	}
	buf_init(&replyto, 1000);
	if (dict_bool(group, "SetReplyTo", false)) {
		members_reply_to(&replyto, dict_str(group, "RealName", ""),
		    name, d->name);
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
			members_add(&x->members, names.main, text);
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
			members_add(&x->members, d, a->name);
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
		members_leave_out(&x->members, dict_get(v, "Author"));
	if (dict_bool(group, "RemoveToAndCc", false))
		members_leave_out(&x->members, dict_get(v, "To"));
	val_free(v);
}

static struct expansion *
expansion_new(struct ipc_ref ref, const struct msg_expand *m)
{
	struct expansion *x = xcalloc(1, sizeof(*x));
	const char *at = strrchr(m->account, '@');

	x->ref = ref;
	members_init(&x->members, &names);
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
		members_leave_out_one(&x->members, m->sender);
		expand_group(x, d, name, group);
	} else
		/* It has another name now: route it again. */
		refuse(x, 2, "4.2.1", "no such group any more");
}
