/*
 * Does a socket come from the owner of the suite, by way of cgctl.sock?  Runs
 * in authd.  It must never take pwdd's word for that: only the kernel's.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <string.h>

#include "authd.h"

static bool
option_is(int fd, int option, int wanted)
{
	int v;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 &&
	    len == sizeof(v) && v == wanted;
}

/*
 * Was it accepted at cgctl.sock?  Whoever asks holds other sockets with root
 * at their far end, his own channel to cgserver for one; but what is accepted
 * has the name that cgserver bound, and no front can bind.
 */
static bool
is_from_cgctl(int fd)
{
	const char *name = dict_str(proc_conf()->conf, "ControlSocket", "");
	struct sockaddr_un sun;
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	socklen_t len = sizeof(sun);

	if (!option_is(fd, SO_DOMAIN, AF_UNIX) ||
	    !option_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !option_is(fd, SO_ACCEPTCONN, 0))
		return false;
	memset(&sun, 0, sizeof(sun));
	if (getsockname(fd, (struct sockaddr *)&sun, &len) == -1 ||
	    len > sizeof(sun) || *name == '\0')
		return false;
	return len == head + strlen(name) + 1 &&
	    memcmp(sun.sun_path, name, len - head) == 0;
}

/* root, and whoever runs the suite: by what the kernel says of the socket. */
bool
is_from_owner(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (fd == -1 || !is_from_cgctl(fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	return cred.uid == 0 ||
	    cred.uid == (uid_t)dict_int(proc_conf()->conf, "OwnerUid", 0);
}
