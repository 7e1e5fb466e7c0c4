/*
 * From which address of this host a domain's mail goes out (manual 18,
 * Relaying via a Dedicated IP Address): queued makes a queue of its own of it.
 * Runs in routerd.
 */
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "object.h"

/* Whose mail is it: the account's that sent it, else the return-path's. */
static const struct domain *
domain_of(const struct msg_route *m)
{
	char lower[DOMAIN_MAXLEN + 1];
	struct str local, domain;

	addr_split(str_make(*m->account != '\0' ? m->account : m->sender),
	    &local, &domain);
	if (*m->account != '\0' && domain.len == 0)
		return names.main;
	return domain.len > 0 && name_domain(domain, lower, sizeof(lower)) ?
	    names_domain(&names, lower) : NULL;
}

void
source_find(const struct msg_route *m, char ip[64])
{
	const struct domain *d = domain_of(m);
	const struct val *v = d == NULL ? NULL :
	    domain_setting(d, "RelayAddress");
	const char *mode = v == NULL ? NULL : val_text(v);

	*ip = '\0';
	if (mode == NULL)
		return;
	if (strcasecmp(mode, "first") == 0)
		(void)own_first(d, ip, 64);
	else if (strcasecmp(mode, "same") == 0 &&
	    map_get(env.addresses, m->local, strlen(m->local)) == d)
		(void)str_copy(str_make(m->local), ip, 64);
}
