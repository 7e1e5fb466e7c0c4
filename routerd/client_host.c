/*
 * Relay to Clients (manual 07): a domain whose mail host is at client addresses
 * may be sent to by anybody.  Where the host is known by its name only, the DNS
 * is asked, by way of smtpd's sending role: for the best of the MX records, or
 * where there are none for the name itself.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>

#include "iplist.h"
#include "lookup.h"
#include "router.h"

struct ask {
	struct looks	 looks;
	backup_cb	*cb;
	void		*arg;
	int		 left;		/* answers to come */
	bool		 any, others, trouble;
	char		 name[DOMAIN_MAXLEN + 1];
};

static void
finish(struct ask *a, enum backup is)
{
	a->cb(is, a->arg);
	free(a);
}

/* All must be: a stranger may name a client's beside his own. */
static void
told_addresses(enum look_status status, const char *records, void *arg)
{
	struct ask *a = arg;
	struct cur c = cur_str(records);
	struct str line;
	char ip[64];

	if (status == LOOK_TROUBLE)
		a->trouble = true;
	while (status == LOOK_FOUND && cur_line(&c, &line)) {
		a->any = true;
		if (!str_copy(line, ip, sizeof(ip)) || env.clients == NULL ||
		    !iplist_has(env.clients, ip))
			a->others = true;
	}
	if (--a->left > 0)
		return;
	finish(a, a->others ? BACKUP_NO : a->trouble ? BACKUP_LATER :
	    a->any ? BACKUP_YES : BACKUP_NO);
}

/* The last answer may come at once, and end it. */
static void
ask_addresses(struct ask *a)
{
	a->left = 2;
	look_up(&a->looks, a->name, DNS_A, true, told_addresses, a);
	look_up(&a->looks, a->name, DNS_AAAA, true, told_addresses, a);
}

/* False: there is no host at all (null MX). */
static bool
best_host(const char *records, char *out, size_t size)
{
	struct cur c = cur_str(records), l;
	uint64_t pref, best = UINT64_MAX;
	struct str line;

	*out = '\0';
	while (cur_line(&c, &line)) {
		l = cur_make(line.p, line.len);
		if (!cur_u64(&l, &pref, UINT16_MAX) || !cur_lit(&l, " ") ||
		    pref >= best)
			continue;
		best = pref;
		if (!str_copy((struct str){ l.p, cur_left(&l) }, out, size))
			*out = '\0';
	}
	return *out != '\0' && strcmp(out, ".") != 0;
}

static void
told_mx(enum look_status status, const char *records, void *arg)
{
	struct ask *a = arg;

	if (status == LOOK_TROUBLE)
		finish(a, BACKUP_LATER);
	else if (status == LOOK_FOUND &&
	    !best_host(records, a->name, sizeof(a->name)))
		finish(a, BACKUP_NO);
	else
		ask_addresses(a);
}

void
client_host_ask(const char *name, bool mx, backup_cb *cb, void *arg)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	a->cb = cb;
	a->arg = arg;
	if (!str_copy(str_make(name), a->name, sizeof(a->name)))
		finish(a, BACKUP_NO);
	else if (mx)
		look_up(&a->looks, a->name, DNS_MX, true, told_mx, a);
	else
		ask_addresses(a);
}
