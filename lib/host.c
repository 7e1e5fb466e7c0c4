/*
 * The host's addresses, from the kernel: in cgserver, and in routerd before
 * its walls go up.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "host.h"
#include "log.h"

bool
host_addresses(struct buf *b)
{
	struct ifaddrs *list, *i;
	char ip[INET6_ADDRSTRLEN];
	const void *p;

	if (getifaddrs(&list) == -1) {
		log_warn("getifaddrs");
		return false;
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
			buf_printf(b, "%s\n", ip);
	}
	freeifaddrs(list);
	return !b->failed;
}
