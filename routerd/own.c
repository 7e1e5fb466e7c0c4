/*
 * The IP addresses of this host, and which domain each is dedicated to
 * (manual 18).  Runs in routerd: read before the walls go up, and by cgserver
 * when an administrator says that they have changed.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host.h"
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

/* A line each. */
static void
replace(struct str text)
{
	struct cur c = { text.p, text.p + text.len };
	struct str line;
	char ip[INET6_ADDRSTRLEN];

	while (nown > 0)
		free(own[--nown]);
	while (cur_line(&c, &line))
		if (str_copy(line, ip, sizeof(ip)))
			add(ip);
}

void
own_read(void)
{
	struct buf b;

	buf_init(&b, 0);
	if (host_addresses(&b))
		replace((struct str){ b.p, b.len });
	buf_free(&b);
}

static void
refreshed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_host_is *m = pkt != NULL ? pkt->m : NULL;
	struct command *c = arg;

	if (m == NULL || *m->addresses == '\0')
		answer(c, 501, "the host's addresses cannot be read now");
	else {
		replace(str_make(m->addresses));
		own_apply();
		answer(c, 200, "OK");
	}
	free(c);
}

void
own_refresh(const struct command *c)
{
	struct msg_ctl_host m = { 0 };
	struct command *copy = xcalloc(1, sizeof(*copy));

	copy->ref = c->ref;
	ipc_call(proc_control(), IPC_CTL_HOST, 0, &m, -1, IPC_TIMEOUT,
	    refreshed, copy);
}

/* The loopback network is this host's, whatever its interfaces say. */
static bool
is_loopback(const char *ip)
{
	struct in_addr in;

	return (strncmp(ip, "127.", 4) == 0 &&
	    inet_pton(AF_INET, ip, &in) == 1) || strcmp(ip, "::1") == 0;
}

static bool
is_own(const char *ip)
{
	size_t i;

	if (is_loopback(ip))
		return true;
	for (i = 0; i < nown; i++)
		if (strcmp(own[i], ip) == 0)
			return true;
	return false;
}

static bool
address_of(const struct val *v, char *ip, size_t size)
{
	const char *text = val_text(v);

	return text != NULL && *text != '\0' &&
	    (route_literal_ip(text, ip, size) ||
	    str_copy(str_make(text), ip, size));
}

/* One address or an array of them: the n-th, or NULL. */
static const struct val *
nth(const struct val *v, size_t n)
{
	if (v != NULL && val_type(v) == VAL_ARRAY)
		return n < val_count(v) ? val_at(v, n) : NULL;
	return n == 0 ? v : NULL;
}

static const char all[] = "All Available";

/* The Main Domain has what nobody else has, unless it is told what. */
const char *
own_mode(const struct domain *d)
{
	return domain_text(d, "IPMode", d->main ? all :
	    settings_text(merged, "Domain", "IPMode"));
}

static bool
main_has_all(void)
{
	return strcasecmp(own_mode(names.main), all) == 0;
}

static const char *
check_address(const struct domain *d, const char *ip)
{
	static char text[128];
	const struct domain *other = map_get(env.addresses, ip, strlen(ip));

	if (is_own(ip) && (other == NULL || other == d ||
	    (other->main && main_has_all())))
		return NULL;
	snprintf(text, sizeof(text), is_own(ip) ?
	    "%s is assigned to another domain" :
	    "%s is not an address of this server", ip);
	return text;
}

static bool
is_as_before(const struct val *settings, const struct val *had,
    const char *name)
{
	return config_same(dict_get(settings, name), dict_get(had, name));
}

const char *
own_check_defaults(const struct val *settings, const struct val *had)
{
	return !is_as_before(settings, had, "IPMode") &&
	    strcasecmp(dict_str(settings, "IPMode", ""), all) == 0 ?
	    "IPMode: only the Main Domain can have all addresses" : NULL;
}

const char *
own_check(const struct domain *d, const struct val *settings)
{
	const struct val *list = dict_get(settings, "IPAddresses"), *v;
	const struct val *had = d != NULL ? d->settings : NULL;
	const char *wrong = NULL;
	char ip[64];
	size_t i;

	if (d == NULL || !d->main)
		wrong = own_check_defaults(settings, had);
	if (is_as_before(settings, had, "IPAddresses"))
		return wrong;
	for (i = 0; wrong == NULL && (v = nth(list, i)) != NULL; i++)
		if (address_of(v, ip, sizeof(ip)))
			wrong = check_address(d, ip);
	return wrong;
}

static void
give(struct domain *d, const char *ip)
{
	const struct domain *other = map_get(env.addresses, ip, strlen(ip));

	if (is_own(ip) && (other == NULL || other == d))
		map_put(env.addresses, ip, strlen(ip), d);
	else
		log_msg(LOG_PROBLEM, "%s: %s is not an address of this host, "
		    "or another domain's", d->name, ip);
}

static void
dedicate(struct domain *d)
{
	const struct val *list = dict_get(d->settings, "IPAddresses"), *v;
	struct cur c = cur_str(d->dns != NULL ? d->dns : "");
	char ip[64];
	size_t i;

	for (; d->dns != NULL && cur_left(&c) > 0; cur_skip(&c, 1))
		if (str_copy(cur_until(&c, " "), ip, sizeof(ip)))
			give(d, ip);
	for (i = 0; d->dns == NULL && (v = nth(list, i)) != NULL; i++)
		if (address_of(v, ip, sizeof(ip)))
			give(d, ip);
}

bool
own_first(const struct domain *d, char *ip, size_t size)
{
	const struct val *list = dict_get(d->settings, "IPAddresses");

	if (d->main && main_has_all())
		return nown > 0 && str_copy(str_make(own[0]), ip, size);
	if (d->dns != NULL) {
		struct cur c = cur_str(d->dns);

		return str_copy(cur_until(&c, " "), ip, size) && *ip != '\0';
	}
	return nth(list, 0) != NULL && address_of(nth(list, 0), ip, size);
}

void
own_apply(void)
{
	struct domain *d;
	size_t i;

	map_free(env.addresses, NULL);
	map_free(env.unassigned, NULL);
	env.addresses = map_new();
	env.unassigned = map_new();
	if (!main_has_all())
		dedicate(names.main);
	for (d = names.first->next; d != NULL; d = d->next)
		dedicate(d);
	for (i = 0; i < nown; i++)
		if (map_get(env.addresses, own[i], strlen(own[i])) == NULL)
			map_put(main_has_all() || is_loopback(own[i]) ?
			    env.addresses : env.unassigned, own[i],
			    strlen(own[i]), names.main);
}
