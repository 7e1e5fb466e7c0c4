/*
 * The IP addresses of this host, and which domain each is dedicated to
 * (manual 18).  Runs in routerd: read before the walls go up.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "router.h"
#include "settings.h"

static char	**own;
static size_t	  nown;

static void
add(const char *ip)
{
	if ((own = reallocarray(own, nown + 1, sizeof(*own))) == NULL)
		fatal("own addresses");
	own[nown++] = xstrdup(ip);
}

void
own_read(void)
{
	struct ifaddrs *list, *i;
	char ip[INET6_ADDRSTRLEN];
	const void *p;

	if (getifaddrs(&list) == -1) {
		log_warn("getifaddrs");
		return;
	}
	for (i = list; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			p = &((struct sockaddr_in *)i->ifa_addr)->sin_addr;
		else if (i->ifa_addr->sa_family == AF_INET6)
			p = &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
		else
			continue;
		if (inet_ntop(i->ifa_addr->sa_family, p, ip, sizeof(ip)) !=
		    NULL)
			add(ip);
	}
	freeifaddrs(list);
}

/* "[10.0.0.1]" or "10.0.0.1", one or an array of them. */
static void
dedicate(struct domain *d, const struct val *v)
{
	const char *text;
	char ip[64];
	size_t i;

	if (v == NULL)
		return;
	if (val_type(v) == VAL_ARRAY) {
		for (i = 0; i < val_count(v); i++)
			dedicate(d, val_at(v, i));
		return;
	}
	if ((text = val_text(v)) == NULL || *text == '\0')
		return;
	if (!route_literal_ip(text, ip, sizeof(ip)) &&
	    !str_copy(str_make(text), ip, sizeof(ip)))
		return;
	if (map_get(env.addresses, ip, strlen(ip)) != names.main) {
		log_msg(LOG_PROBLEM, "%s: %s is not an address of this host, "
		    "or another domain's", d->name, ip);
		return;
	}
	map_put(env.addresses, ip, strlen(ip), d);
}

void
own_apply(void)
{
	struct domain *d;
	size_t i;

	map_free(env.addresses, NULL);
	env.addresses = map_new();
	for (i = 0; i < nown; i++)
		map_put(env.addresses, own[i], strlen(own[i]), names.main);
	for (d = names.first->next; d != NULL; d = d->next)
		dedicate(d, dict_get(d->settings, "IPAddresses"));
}
