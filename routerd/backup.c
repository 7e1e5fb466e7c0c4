/*
 * Relay to Hosts We Backup (manual 29): is this server among a domain's MX
 * records, behind a better one?  Runs in routerd, which asks the DNS by way of
 * smtpd's sending role and answers who asked later.
 */
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "router.h"

struct wait {
	struct looks	 looks;
	backup_cb	*cb;
	void		*arg;
};

/* Being the best of them means that the domain is said to be ours. */
static bool
is_backup(const char *records, const char *name)
{
	struct cur c = cur_str(records), l;
	uint64_t pref, best = UINT64_MAX, own = UINT64_MAX;
	struct str line;

	while (cur_line(&c, &line)) {
		l = cur_make(line.p, line.len);
		if (!cur_u64(&l, &pref, UINT16_MAX) || !cur_lit(&l, " "))
			continue;
		if (pref < best)
			best = pref;
		if (str_caseeq((struct str){ l.p, cur_left(&l) }, name) &&
		    pref < own)
			own = pref;
	}
	return own != UINT64_MAX && best < own;
}

static void
told(enum look_status status, const char *records, void *arg)
{
	struct wait *w = arg;
	backup_cb *cb = w->cb;

	arg = w->arg;
	free(w);
	if (status == LOOK_TROUBLE)
		cb(BACKUP_LATER, arg);
	else
		cb(status == LOOK_FOUND && is_backup(records,
		    names.main->name) ? BACKUP_YES : BACKUP_NO, arg);
}

void
backup_ask(const char *domain, backup_cb *cb, void *arg)
{
	struct wait *w = xcalloc(1, sizeof(*w));

	w->cb = cb;
	w->arg = arg;
	look_up(&w->looks, domain, DNS_MX, false, told, w);
}
