#!/usr/bin/env python3
# suite: own
"""The walls, tried from inside.  Each process of a running suite is made to
run the system calls of somebody who has taken it over: opening files that are
not its own, starting programs, signalling, limiting and reading neighbours,
reaching others' sockets, taking rights back.  A worker also tries a sibling's
account.  At the end come calls that may end the caller: the suite must live.

As root, the suite's processes have their own users and roots; a second turn
runs all of it as one ordinary user, where Landlock and seccomp stand alone."""
import errno
import fcntl
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (OBJ, PASSWORD, PATIENCE, TOP, Suite,  # noqa: E402
                    parent, sanitized, wait_for)
from probe import AT_FDCWD, HIDDEN, Probe, Room  # noqa: E402
from poplib import POP3  # noqa: E402
from smtplib import SMTP  # noqa: E402

ROOT = os.geteuid() == 0
NOBODY = 65534
FDS = 64                        # descriptors that are looked at
REFUSED = frozenset({errno.EPERM})
FRONTS = ("smtpd", "pop3d", "imapd", "pwdd")
SENDER = "smtpd-send"           # it alone may speak to other hosts
# ... but not by what it has, nor to a socket of the suite
NO_PEER = REFUSED | {errno.EPROTOTYPE, errno.ENOENT, errno.ENOTSOCK,
                     errno.EACCES, errno.EADDRINUSE, errno.EINVAL}

# Who may open what below the base; "ann" is the worker of that account.
# Where somebody may, it must work, or this test would prove nothing.
PLACES = {
    "Settings/planted.1": {"routerd"},
    "Queue/planted.2": {"queued"},
    "BadFiles/planted.3": {"queued"},
    "Submitted/planted.4": {"queued"},
    "SystemLogs/planted.5": {"logd"},
    "Accounts/Settings/planted.6": {"authd", "routerd"},
    "Accounts/ann.macnt/account.settings": {"authd"},
    "Accounts/ann.macnt/planted": {"stored-delivery", "ann"},
    "Accounts/ben.macnt/planted.7": {"stored-delivery", "ben"},
}
# The broker opens no file, but could read what is its user's.
MAY_READ = {"Accounts/ann.macnt/planted": {"stored"},
            "Accounts/ben.macnt/planted.7": {"stored"}}
# With one user for all, only Landlock tells them apart: by directories.
ONE_USER_READ = {"Accounts/": {"stored", "routerd", "authd",
                               "stored-delivery"},
                 "Accounts/ann.macnt/": {"ann"}}
ONE_USER_WRITE = {"Accounts/": {"authd", "stored-delivery"},
                  "Accounts/ann.macnt/": {"ann"}}

# What the template needs to put up a worker's walls.
TEMPLATE = {"chroot", "chdir", "fork", "clone", "setresuid", "capset",
            "prctl", "seccomp", "setrlimit", "setsid",
            "landlock_create_ruleset", "pidfd_open"}
failures = 0


def check(good, text):
    global failures
    if not good:
        failures += 1
        print("FAILED:", text, flush=True)


class World:
    """A suite with two accounts, both in use, and a file in each place."""

    def __init__(self, suite, probe):
        self.s, self.p = suite, probe
        self.clients = {}
        for name in ("ann", "ben"):
            self.deliver(name)
            self.log_in(name)
        for file in PLACES:
            if "/planted" in file:
                self.plant(pathlib.Path(suite.base, file))

    def deliver(self, name):
        n = len(self.s.mail(name))
        with SMTP("127.0.0.1", self.s.smtp, timeout=60) as c:
            c.sendmail("", [self.s.address(name)],
                       f"Subject: for {name}\r\n\r\nThis is {name}'s.\r\n")
        wait_for(f"{name}'s mail", lambda: len(self.s.mail(name)) > n)

    def log_in(self, name):
        c = POP3("127.0.0.1", self.s.pop, timeout=60)
        c.user(name)
        c.pass_(PASSWORD)
        assert c.stat()[0] > 0
        self.clients[name] = c

    def plant(self, f):
        f.write_text("as each other file here\n")
        f.chmod(0o660 if f.parent.name == "Settings" else 0o600)
        if ROOT:
            st = f.parent.stat()
            who = st.st_gid if f.parent.parent.name == "Accounts" else \
                st.st_uid
            os.chown(f, who, who)

    def processes(self):
        """{name: pid}; stored-worker is the template, a worker is called
        like its account."""
        found, workers = {}, []
        for pid, name in self.s.children().items():
            if name == "stored-worker" and parent(pid) != self.s.server():
                workers.append(pid)
            else:
                found[name] = pid
        for pid in workers:
            name = self.whose(pid)
            if name:
                found[name] = pid
        return found

    def whose(self, pid):
        """A worker can open the mailbox of its own account."""
        boxes = {n: self.s.box(n) for n in ("ann", "ben")}
        l = self.p.calls()
        for path in ("/INBOX.mbox", *map(str, boxes.values())):
            fd = l("openat", AT_FDCWD, path, os.O_RDONLY)
            l("fstat", fd, Room(256))
            l("close", fd)
        if self.p.run(pid, l):
            return None
        for i in range(0, len(l.result), 3):
            if l.result[i].ret < 0:
                continue
            inode = struct.unpack_from("<QQ", l.room[i + 1])[1]
            for n, box in boxes.items():
                if box.stat().st_ino == inode:
                    return n
        return None

    def run(self, name, pid, add, wanted=lambda call: True):
        l = self.p.calls()
        l.wanted = wanted
        add(l)
        end = self.p.run(pid, l)
        check(end is None, f"{name} died of {end}")
        return l

    def must_fail(self, name, pid, add, errors=REFUSED, but=()):
        l = self.run(name, pid, add, lambda call: call not in but)
        for r in l.result:
            if r.text.split("(")[0] not in ("close", "memfd_create"):
                check(r.ret == -1 and r.err in errors, f"{name}: {r}")


# --- lists of calls, each of which must be refused ---

def programs(l):
    l("execve", "/bin/true", 0, 0)
    l("execveat", AT_FDCWD, "/bin/true", 0, 0, 0)
    fd = l("memfd_create", "x", 0)
    l("execveat", fd, "", 0, 0, 0x1000)                     # AT_EMPTY_PATH
    l("close", fd)


def forks(l):
    l("fork")
    l("clone", int(signal.SIGCHLD), 0, 0, 0, 0)
    l("clone", 0x10000000 | int(signal.SIGCHLD), 0, 0, 0, 0)    # NEWUSER


def signals(l, pid):
    for sig in (0, signal.SIGTERM, signal.SIGKILL):
        l("kill", pid, sig)
        l("tgkill", pid, pid, sig)
        l("tkill", pid, sig)
    l("kill", -pid, 0)
    l("kill", -1, 0)
    l("rt_sigqueueinfo", pid, signal.SIGTERM, bytes(128))
    l("rt_tgsigqueueinfo", pid, pid, signal.SIGTERM, bytes(128))
    l("pidfd_open", pid, 0)
    for fd in range(3, 6):      # by a descriptor that becomes ready
        l("fcntl", fd, fcntl.F_SETOWN, pid)
        l("fcntl", fd, 15, struct.pack("<ii", 1, pid))      # F_SETOWN_EX
        l("fcntl", fd, 10, signal.SIGKILL)                  # F_SETSIG
        l("ioctl", fd, 0x8901, struct.pack("<i", pid))      # FIOSETOWN
        l("ioctl", fd, 0x8902, struct.pack("<i", pid))      # SIOCSPGRP


def limits(l, pid):
    for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU,
                 resource.RLIMIT_FSIZE):
        l("prlimit64", pid, what, struct.pack("<QQ", 0, 0), 0)
        l("prlimit64", pid, what, 0, Room(16))
    l("setpriority", os.PRIO_PROCESS, pid, 19)
    l("sched_setaffinity", pid, 8, struct.pack("<Q", 1))
    l("sched_setscheduler", pid, os.SCHED_IDLE, struct.pack("<i", 0))
    l("ioprio_set", 1, pid, 3 << 13)
    l("setpgid", pid, 0)
    l("setrlimit", resource.RLIMIT_CORE, struct.pack("<QQ", 1 << 20, 1 << 20))


def memory_of(l, pid):
    io = struct.pack("<QQ", 0, 8)
    l("ptrace", 16, pid, 0, 0)                              # ATTACH
    l("ptrace", 0x4206, pid, 0, 0)                          # SEIZE
    l("ptrace", 0, 0, 0, 0)                                 # TRACEME
    l("process_vm_readv", pid, io, 1, io, 1, 0)
    l("process_vm_writev", pid, io, 1, io, 1, 0)
    l("pidfd_getfd", 3, 3, 0)


def kernel(l):
    """What is refused to the root helper, too."""
    l("personality", 0x0400000)                             # READ_IMPLIES_EXEC
    l("unshare", 0x10000000)
    l("setns", 3, 0)
    l("mount", "none", "/", "tmpfs", 0, 0)
    l("umount2", "/nowhere", 2)
    l("pivot_root", ".", ".")
    l("open_by_handle_at", AT_FDCWD, Room(128), 0)
    l("io_uring_setup", 1, Room(120))
    l("bpf", 0, Room(64), 64)
    l("perf_event_open", Room(128), 0, -1, -1, 0)
    l("userfaultfd", 0)
    for kind in (0o10600, 0o20600, 0o60600, 0o140600):
        l("mknod", "evil", kind, 0x103)
        l("mknodat", AT_FDCWD, "evil", kind, 0x103)


def rights(l):
    l("setuid", 0)
    l("setgid", 0)
    l("setreuid", 0, 0)
    l("setresuid", 0, 0, 0)
    l("setresgid", 0, 0, 0)
    l("setfsuid", 0)
    l("setgroups", 0, 0)
    l("capset", struct.pack("<Ii", 0x20080522, 0),
      struct.pack("<6I", *[0xffffffff] * 6))
    l("prctl", 4, 1, 0, 0, 0)                               # DUMPABLE
    l("prctl", 0x59616d61, -1, 0, 0, 0)                     # PTRACER
    l("prctl", 8, 1, 0, 0, 0)                               # KEEPCAPS
    l("seccomp", 0, 0, 0)
    l("chroot", ".")
    l("name_to_handle_at", AT_FDCWD, "/", Room(128), Room(4), 0)
    l("keyctl", 0, 0)
    l("add_key", "user", "x", "x", 1, -4)
    l("landlock_create_ruleset", 0, 0, 1)
    l("mmap", 0, 4096, 4, 0x22, -1, 0)                      # PROT_EXEC
    l("mmap", 0, 4096, 7, 0x22, -1, 0)
    l("memfd_secret", 0)
    l("inotify_init")
    l("fanotify_init", 0, 0)
    l("setsid")
    l("kcmp", 1, 1, 0, 0, 0)
    l("flock", 5, fcntl.LOCK_UN)        # the suite's lock, held by all


def by_path(l, paths):
    """What Landlock does not stop everywhere."""
    for p in paths:
        l("chmod", p, 0o777)
        l("fchmodat", AT_FDCWD, p, 0o777)
        l("chown", p, 0, 0)
        l("lchown", p, 0, 0)
        l("fchownat", AT_FDCWD, p, 0, 0, 0)
        l("truncate", p, 0)
        l("utimensat", AT_FDCWD, p, 0, 0)
        l("utime", p, 0)
        l("setxattr", p, "user.x", "x", 1, 0)
        l("removexattr", p, "user.x")
        l("chdir", p)
    l("symlink", "/etc", "evil")
    l("symlinkat", "/etc", AT_FDCWD, "evil")


def new_sockets(l, name):
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6,
                   socket.AF_NETLINK, socket.AF_PACKET, socket.AF_ALG,
                   socket.AF_VSOCK):
        if name == SENDER and family in (socket.AF_INET, socket.AF_INET6):
            continue
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
            l("socket", family, kind, 0)


def peers(l, w):
    for fd in range(3, 8):
        for a in (unix(w.s.base + "/cgctl.sock"), unix("/cgctl.sock"),
                  inet(w.s.smtp), inet(int(w.s.env["CG_PWD"]))):
            l("connect", fd, a, len(a))
            l("bind", fd, a, len(a))


def unix(path):
    return struct.pack("<H", socket.AF_UNIX) + os.fsencode(path) + b"\0"


def inet(port):
    return struct.pack("<H", socket.AF_INET) + struct.pack(">H", port) + \
        socket.inet_aton("127.0.0.1") + bytes(8)


# --- files ---

def opens(l, dirfd, path):
    """For reading, by two calls, then for writing; closed again."""
    for flags in (os.O_RDONLY, os.O_RDWR):
        how = struct.pack("<QQQ", flags, 0, 0)
        l("close", l("openat", dirfd, path, flags))
        l("close", l("openat2", dirfd, path, how, len(how)))


def directories(w, name, pid):
    """Descriptors of directories that it holds."""
    at = 24 if os.uname().machine == "x86_64" else 16   # st_mode

    def look(l):
        for fd in range(FDS):
            l("fstat", fd, Room(256))
    l = w.run(name, pid, look)
    return [fd for fd, r in enumerate(l.result) if r.ret == 0 and
            struct.unpack_from("<I", l.room[fd], at)[0] >> 12 == 4]


def outside(w, name, pid):
    """What is not the suite's, or cgserver's alone, by any way."""
    top = str(pathlib.Path(w.s.env["CG_CONF"]).parent)
    absolute = ["/etc/passwd", "/etc/shadow", "/proc/self/status",
                "/proc/1/environ", "/proc/self/mem", "/dev/null", "/dev/mem",
                "/bin/true", top + "/key.pem", top + "/password.key",
                top + "/cgserver.conf", w.s.base + "/ProcessID",
                "/.lock", w.s.base + "/.lock", w.s.base + "/cgctl.sock"]
    relative = ["../" * 12 + "etc/passwd", "../" * 12 + top[1:] + "/key.pem",
                "../key.pem", "../../key.pem", "../../../key.pem",
                "../.lock", "../../.lock"]

    def add(l):
        for path in absolute:
            opens(l, AT_FDCWD, path)
        for fd in [AT_FDCWD] + directories(w, name, pid):
            for path in relative:
                opens(l, fd, path)
    w.must_fail(name, pid, add, HIDDEN)


def places(w, name, pid):
    """Of the base's own places, exactly those that it owns."""
    dirs = directories(w, name, pid)
    for file, owners in PLACES.items():
        ways = [(AT_FDCWD, f"{w.s.base}/{file}"), (AT_FDCWD, "/" + file)]
        if f"/{name}.macnt/" in file:
            ways.append((AT_FDCWD, "/" + os.path.basename(file)))
        for fd in dirs:
            last = file.split("/", 1)[1]
            ways += [(fd, p) for p in (file, "../" + file, "../../" + file,
                                       last, "../" + last)]
        l = w.run(name, pid, lambda l: [opens(l, *way) for way in ways])
        ok = [r.ret != -1 for r in l.result if r.text.startswith("open")]
        reads = any(ok[0::4] + ok[1::4])
        writes = any(ok[2::4] + ok[3::4])
        check(reads or name not in owners, f"{name} cannot read {file}")
        check(writes or name not in owners, f"{name} cannot write {file}")
        check(not reads or name in owners | extra(
            file, MAY_READ, ONE_USER_READ), f"{name} can read {file}")
        check(not writes or name in owners | extra(
            file, {}, ONE_USER_WRITE), f"{name} can write {file}")


def extra(file, always, one_user):
    found = set(always.get(file, ()))
    for prefix, names in one_user.items():
        if not ROOT and file.startswith(prefix):
            found |= names
    return found


# --- a worker and its sibling ---

def settings_of_account(w, name, pid):
    """A worker's own account.settings are authd's."""
    def add(l):
        opens(l, AT_FDCWD, "/account.settings")
        l("unlink", "/account.settings")
        l("rename", "/account.settings", "/x")
        l("rename", "/INBOX.mbox", "/account.settings")
        l("link", "/account.settings", "/x")
    if ROOT:
        w.must_fail(name, pid, add, {errno.EPERM, errno.EACCES})


def state_of(w, account):
    found = []
    for f in sorted(w.s.box(account).parent.iterdir()):
        st = f.lstat()
        found.append((f.name, st.st_mode, st.st_uid, st.st_nlink,
                      f.read_bytes() if stat.S_ISREG(st.st_mode) else b""))
    return found


def sibling(w, name, pid, other, otherpid):
    """Another account's files, and its worker, from a worker."""
    box = str(w.s.box(other))
    before = state_of(w, name), state_of(w, other)
    ways = [(AT_FDCWD, p) for p in (
        box, f"/Accounts/{other}.macnt/INBOX.mbox",
        f"/proc/{otherpid}/root/INBOX.mbox",
        f"/proc/{otherpid}/cwd/INBOX.mbox",
        f"/proc/self/root/../{other}.macnt/INBOX.mbox",
        *(f"/proc/{otherpid}/fd/{n}" for n in range(3, 12)))]
    ways += [(fd, p) for fd in [AT_FDCWD] + directories(w, name, pid)
             for p in (f"../{other}.macnt/INBOX.mbox",
                       f"../../Accounts/{other}.macnt/INBOX.mbox",
                       f"..//{other}.macnt/./INBOX.mbox")]
    # its own mailbox by the name that it really has here
    own = "/INBOX.mbox" if ROOT else str(w.s.box(name))
    stolen = os.path.dirname(own).rstrip("/") + "/stolen"

    def by_name(l):
        for fd, p in ways:
            opens(l, fd, p)
            l("openat", fd, p + "x", os.O_CREAT | os.O_WRONLY, 0o600)
            l("linkat", fd, p, AT_FDCWD, stolen, 0)
            l("linkat", fd, p, AT_FDCWD, stolen, 0x400)     # SYMLINK_FOLLOW
            l("linkat", AT_FDCWD, own, fd, p + "x", 0)
            l("renameat", fd, p, AT_FDCWD, stolen)
            l("renameat", AT_FDCWD, own, fd, p)
            l("unlinkat", fd, p, 0)
            l("mkdirat", fd, p + "x", 0o700)

    def by_attribute(l):
        for fd, p in ways:
            l("fchmodat", fd, p, 0o666)
            l("fchownat", fd, p, 0, 0, 0)
            l("utimensat", fd, p, 0, 0)
            l("symlinkat", p, AT_FDCWD, stolen)
        by_path(l, [p for _, p in ways])
    w.must_fail(name, pid, by_name, HIDDEN)
    w.must_fail(name, pid, by_attribute)
    after = state_of(w, name), state_of(w, other)
    check(after == before, f"{name} and {other} are not as they were")
    # it does have hands of its own
    l = w.run(name, pid, lambda l: (
        l("link", own, stolen), l("unlink", stolen)))
    check([r.ret for r in l.result] == [0, 0], f"{name} cannot link at all")


def worker_limits(w, name, pid):
    kinds = {"NPROC": resource.RLIMIT_NPROC, "CORE": resource.RLIMIT_CORE,
             "NOFILE": resource.RLIMIT_NOFILE, "FSIZE": resource.RLIMIT_FSIZE,
             "AS": resource.RLIMIT_AS}
    l = w.run(name, pid, lambda l: [
        l("prlimit64", 0, r, 0, Room(16)) for r in kinds.values()])
    for i, k in enumerate(kinds):
        cur, most = struct.unpack("<QQ", l.room[i])
        check(cur == most, f"{name} can raise its limit {k}")
        if k in ("NPROC", "CORE"):
            check(cur == 0, f"{name}: {k} is {cur}")
        elif k != "AS" or not sanitized():
            check(0 < cur < 1 << 62, f"{name}: {k} is {cur}")


# --- all of it, for one process ---

def base_now(w):
    return [(str(p), (st := p.lstat()).st_mode, st.st_uid, st.st_nlink)
            for d in (w.s.base, w.s.base + "/Accounts", w.s.box("ann").parent)
            for p in sorted(pathlib.Path(d).iterdir())]


def walls_of(w, name, pid, neighbours):
    before = base_now(w)
    w.must_fail(name, pid, kernel)
    if name == "authd-priv":    # root's hands: what it needs is allowed
        for n in neighbours:
            w.must_fail(name, pid, lambda l: memory_of(l, n))
        return
    but = TEMPLATE if name == "stored-worker" else ()
    w.must_fail(name, pid, programs)
    w.must_fail(name, pid, forks, but=but)
    for n in neighbours:
        for group in (signals, limits, memory_of):
            w.must_fail(name, pid, lambda l: group(l, n), but=but)
    w.must_fail(name, pid, rights, but=but)
    w.must_fail(name, pid, lambda l: by_path(
        l, (".", "/", "planted", "Accounts", w.s.base, str(w.s.box("ann")),
            "INBOX.mbox", "/INBOX.mbox")), but=but)
    w.must_fail(name, pid, lambda l: new_sockets(l, name))
    w.must_fail(name, pid, lambda l: peers(l, w),
                NO_PEER if name == SENDER else REFUSED)
    # Without root the template has no wall but that it hears nobody's mail.
    if ROOT or name != "stored-worker":
        outside(w, name, pid)
        places(w, name, pid)
    if name in FRONTS:
        check(directories(w, name, pid) == [], f"{name} holds a directory")
    check(base_now(w) == before, f"{name} changed the base")


# --- at the end: what may end the caller, or spoil a listener ---

def with_option(w, name, pid, option, value):
    """Descriptors of sockets for which that option says so."""
    l = w.run(name, pid, lambda l: [
        l("getsockopt", fd, socket.SOL_SOCKET, option, Room(4),
          struct.pack("<I", 4)) for fd in range(FDS)])
    return [fd for fd, r in enumerate(l.result) if r.ret == 0 and
            struct.unpack("<i", l.room[fd])[0] == value]


def other_peers(w, name, pid):
    """Two ways to a peer without a call named connect: a datagram socket can
    send to any address; and TCP's fast open connects by a mere send, if a
    socket is fresh, as a listening one is again after a shutdown."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as target:
        target.bind("\0cg-walls-%d" % os.getpid())
        target.setblocking(False)
        a = struct.pack("<H", socket.AF_UNIX) + target.getsockname()
        w.run(name, pid, lambda l: [
            l("sendto", fd, b"hello", 5, 0x4040, a, len(a))
            for fd in with_option(w, name, pid, socket.SO_TYPE,
                                  socket.SOCK_DGRAM)])
        try:
            target.recv(100)
            check(False, f"{name} sent to an unlisted peer")
        except BlockingIOError:
            pass
    if name not in FRONTS:
        return
    listening = with_option(w, name, pid, socket.SO_ACCEPTCONN, 1)
    check(listening, f"{name} listens nowhere?")
    # a socket that lingers would make whoever closes it last wait
    linger = struct.pack("ii", 1, 8)
    r = w.run(name, pid, lambda l: l("setsockopt", listening[0],
                                     socket.SOL_SOCKET, socket.SO_LINGER,
                                     linger, 8)).result[0]
    check(r.ret == -1 and r.err == errno.EPERM, f"{name}: linger: {r}")
    with socket.create_server(("127.0.0.1", 0)) as target:
        a = inet(target.getsockname()[1])

        def add(l):
            for fd in listening:
                l("shutdown", fd, socket.SHUT_RD)
                l("sendto", fd, b"hello", 5, 0x20004040, a, 16)
        l = w.run(name, pid, add)
        for r in l.result[1::2]:
            check(r.ret == -1 and r.err == errno.EPERM, f"{name}: {r}")
        target.settimeout(0.2)
        try:
            target.accept()[0].close()
            check(False, f"{name} reached an unlisted peer")
        except TimeoutError:
            pass


DEADLY = {
    "32-bit open": lambda l: l("open", number=5, compat=True),
    "x32 openat": lambda l: l("openat", AT_FDCWD, "/etc/passwd", 0,
                              number=0x40000000 | 257),
    "vhangup": lambda l: l("vhangup"),
}


def walled(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"Seccomp_filters:\s+(\d+)", status)[1]) > 0


def deadly(w, name, kinds):
    """Other entries to the kernel, and a call that nobody needs: the process
    is refused or ends, and comes again."""
    for kind in kinds:
        if name in ("ann", "ben"):
            w.log_in(name)
        pid = wait_for(name, lambda: w.processes().get(name))
        # one that has just come back reads its configuration before its walls
        wait_for(f"the walls of {name}", lambda: walled(pid))
        l = w.p.calls()
        DEADLY[kind](l)
        if w.p.run(pid, l) is None:
            for r in l.result:
                check(r.ret == -1 and r.err in (errno.EPERM, errno.ENOSYS),
                      f"{name}: {kind} gave {r}")
        elif name not in ("ann", "ben"):
            wait_for(f"{name} to come back", lambda:
                     w.processes().get(name) not in (None, pid))


def whole(w):
    return len(w.s.children()) > 0 and {
        "logd", "authd", "routerd", "queued", "stored", "stored-delivery",
        "stored-worker", SENDER, *FRONTS} <= set(w.s.children().values())


def all_of_it():
    probe = Probe()
    conf = "os-passwords yes\n" if ROOT else ""
    with Suite(accounts=["ann", "ben"], conf=conf, env=probe.env) as s:
        w = World(s, probe)
        found = w.processes()
        assert {"ann", "ben", "logd", "authd", "routerd", "queued", "stored",
                "stored-delivery", "stored-worker", SENDER, *FRONTS} <= \
            set(found), \
            found
        assert "authd-priv" in found or not ROOT
        for name, pid in sorted(found.items()):
            print("walls of", name, flush=True)
            near = found["stored-delivery" if name != "stored-delivery" else
                         "stored"]
            walls_of(w, name, pid, [near, s.server()])
        for name, other in (("ann", "ben"), ("ben", "ann")):
            sibling(w, name, found[name], other, found[other])
            settings_of_account(w, name, found[name])
            worker_limits(w, name, found[name])
        check(w.processes() == found, "not all are there any more")
        for c in w.clients.values():
            c.noop()
        for name in sorted(found):
            if name != "authd-priv":
                deadly(w, name, DEADLY if name in ("ann", "smtpd") else
                       ["32-bit open"])
        wait_for("all to come back", lambda: whole(w))
        wait_for("the mail", lambda: mail_works(w))
        w.log_in("ann")
        for name, pid in sorted(w.processes().items()):
            if name != "authd-priv":
                other_peers(w, name, pid)


def mail_works(w):
    try:
        w.deliver("ann")
        return True
    except OSError:
        return False


def as_nobody():
    """The same by one ordinary user, from a copy that it can read."""
    with tempfile.TemporaryDirectory(prefix="cg-walls-") as d:
        os.chmod(d, 0o755)
        d = pathlib.Path(d)
        (d / "obj").mkdir()
        for f in OBJ.iterdir():
            if f.is_file() and os.access(f, os.X_OK):
                shutil.copy(f, d / "obj" / f.name)
        for part in ("tools", "proto"):
            shutil.copytree(TOP / "regress" / part, d / "regress" / part,
                            ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["chmod", "-R", "a+rX", d], check=True)
        env = dict(os.environ, CG_OBJ=str(d / "obj"), HOME="/nonexistent",
                   PYTHONDONTWRITEBYTECODE="1",
                   PATH="/usr/bin:/bin:" + os.environ["PATH"])
        r = subprocess.run(
            ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
             "--clear-groups", "/usr/bin/env", "python3",
             d / "regress/proto/walls.py"], env=env, cwd="/",
            timeout=PATIENCE * 3)
        check(r.returncode == 0, "as one ordinary user: see above")


all_of_it()
if ROOT:
    print("the same as one ordinary user", flush=True)
    as_nobody()
sys.exit(failures != 0)
