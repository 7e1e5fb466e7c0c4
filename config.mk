# Where things go, and how they are built.  Override on the command line:
#	make CC=clang PREFIX=/usr install DESTDIR=/tmp/root

VERSION		= 0.1

PREFIX		= /usr/local
SBINDIR		= $(PREFIX)/sbin
BINDIR		= $(PREFIX)/bin
LIBEXECDIR	= $(PREFIX)/libexec/cgate
MANDIR		= $(PREFIX)/share/man
SYSCONFDIR	= /etc/cgate
UNITDIR		= /lib/systemd/system
BASEDIR		= /var/CommuniGate

CC		= cc
# Objects and programs; a second build (make O=obj-asan SAN=...) lives beside
# the first.
O		= obj
# address,undefined for the sanitizer build
SAN		=
WERROR		= -Werror

WARN		= -Wall -Wextra -Wshadow -Wstrict-prototypes \
		  -Wmissing-prototypes -Wformat=2 -Wvla -Wpointer-arith \
		  -Wno-unused-parameter $(WERROR)
HARDEN		= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE \
		  -fstack-clash-protection -fcf-protection
OPT		= -O2 -g
DEFS		= -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
		  -DCG_VERSION='"$(VERSION)"' \
		  -DCG_LIBEXECDIR='"$(LIBEXECDIR)"' \
		  -DCG_SYSCONFDIR='"$(SYSCONFDIR)"' -DCG_BASEDIR='"$(BASEDIR)"'
LDHARDEN	= -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
