#!/usr/bin/env python3
# suite: own
"""A pwdd that was taken over asks authd to let root in by cgctl's door, but
shows a socket that never came through it: its own channel to cgserver, the
listening socket, the channel to logd.  All of them have root at the far end;
none may open anything.  The client's own socket still does."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PATIENCE, Suite  # noqa: E402

# pwdd dups the client's socket to show it: here it dups another instead.
WICKED = r"""
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static int
option(int fd, int what)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, what, &v, &len) == 0 ? v : -1;
}

static int
listening(void)
{
	int fd;

	for (fd = 3; fd < 256; fd++)
		if (option(fd, SO_DOMAIN) == AF_UNIX &&
		    option(fd, SO_ACCEPTCONN) == 1)
			return fd;
	return -1;
}

static int
another(int fd)
{
	static int n;
	struct sockaddr_un sun = { 0 };
	socklen_t len = sizeof(sun);

	if (strcmp(program_invocation_short_name, "pwdd") != 0 ||
	    option(fd, SO_TYPE) != SOCK_STREAM ||
	    option(fd, SO_ACCEPTCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sun, &len) == -1 ||
	    sun.sun_family != AF_UNIX || sun.sun_path[0] == '\0')
		return fd;
	switch (n++) {
	case 0:
		return 3;
	case 1:
		return listening();
	case 2:
		return 4;
	}
	return fd;
}

int
fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	if (cmd == F_DUPFD_CLOEXEC)
		fd = another(fd);
	return syscall(SYS_fcntl, fd, cmd, arg);
}

int fcntl64(int, int, ...) __attribute__((alias("fcntl")));
"""


def greeting(base):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(base + "/cgctl.sock")
        f = s.makefile("rwb")
        first = f.readline().decode()
        f.write(b"ListDomains\r\n")
        f.flush()
        return first, f.readline().decode()


def main():
    with tempfile.TemporaryDirectory(prefix="cg-wicked-") as d:
        os.chmod(d, 0o755)
        so = os.path.join(d, "wicked.so")
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared",
                        "-fPIC", "-x", "c", "-", "-o", so],
                       check=True, text=True, input=WICKED)
        env = {"LD_PRELOAD": so,
               "ASAN_OPTIONS": "verify_asan_link_order=0:" +
               os.environ.get("ASAN_OPTIONS", "detect_leaks=0")}
        with Suite(env=env) as s:
            for what in ("the control channel", "the listening socket",
                         "the channel to logd"):
                first, answer = greeting(s.base)
                assert first.startswith("200 ") and \
                    "logged in" not in first, f"{what}: {first}"
                assert answer.startswith("501"), f"{what}: {answer}"
            first, answer = greeting(s.base)
            assert "logged in as" in first, first
            assert answer.startswith("200"), answer


main()
