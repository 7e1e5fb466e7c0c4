#!/usr/bin/env python3
# suite: own
"""Nothing to steal: each process as the kernel sees it from outside.  Its
user, root directory, capabilities, filters and limits; what it has open; and
between which processes there are channels at all.  What the processes tried
themselves stands in the log."""
import os
import pathlib
import poplib
import re
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402

ROOT = os.geteuid() == 0
EMPTY, BASE = "an empty root", "the base directory as root"

# name: user, root directory, may make processes
EXPECTED = {
    "logd": ("_cglog", BASE, False),
    "authd": ("_cgauth", BASE, True),
    "routerd": ("_cgroute", BASE, False),
    "queued": ("_cgqueue", BASE, True),          # threads
    "smtpd": ("_cgsmtp", EMPTY, False),
    "pop3d": ("_cgpop", EMPTY, False),
    "smtpd-send": ("_cgsmtp", EMPTY, False),
    "imapd": ("_cgimap", EMPTY, False),
    "pwdd": ("_cgadm", EMPTY, False),
    "stored": ("_cgmail", BASE, False),
    "stored-delivery": ("_cgmail", BASE, True),  # threads
    "stored-worker": ("_cgmail", EMPTY, True),   # the template
}
PROVED = {
    True: "uid caps root nnp dump seccomp open exec kill socket chmod "
          "ptrace",
    False: "uid nnp dump seccomp exec kill socket chmod ptrace",
}
PAIRS = {frozenset(p.split("-", 1)) for p in """
    authd-smtpd authd-pop3d authd-imapd authd-pwdd authd-routerd authd-queued
    authd-stored
    routerd-smtpd routerd-smtpd-send routerd-pwdd routerd-queued routerd-stored
    queued-smtpd queued-pwdd queued-stored queued-smtpd-send smtpd-smtpd-send
    stored-pop3d stored-imapd stored-pwdd""".split()} | {
    frozenset(("stored", "stored-delivery")),
    frozenset(("stored", "stored-worker"))}
CAP_SYS_CHROOT = 1 << 18


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def limit(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith(name):
            return line[len(name):].split()[:2]
    raise AssertionError(name)


def users(s):
    """{_cgname: uid} of the configuration with-suite made."""
    text = pathlib.Path(s.env["CG_CONF"]).read_text()
    return {m[1]: int(m[2])
            for m in re.finditer(r"^user (\w+) (\d+)", text, re.M)}


def check_rights(s, pid, name, worker):
    user, _, makes = EXPECTED[name]
    st = status(pid)
    assert st["NoNewPrivs"] == "1", "new privileges are possible"
    assert st["Seccomp"] == "2", "no seccomp filter"
    uid = users(s)[user] if ROOT else os.geteuid()
    assert set(st["Uid"].split()) == {str(uid)}, st["Uid"]
    if not ROOT:
        return
    assert "0" not in st["Gid"].split() + st["Groups"].split(), st["Groups"]
    template = name == "stored-worker" and not worker
    caps = CAP_SYS_CHROOT if template else 0
    assert int(st["CapPrm"], 16) == int(st["CapEff"], 16) == caps, st["CapEff"]
    assert int(st["CapAmb"], 16) == int(st["CapInh"], 16) == 0
    assert int(st["CapBnd"], 16) & ~CAP_SYS_CHROOT == 0, st["CapBnd"]
    assert limit(pid, "Max core file size") == ["0", "0"]
    if worker or not makes:
        assert limit(pid, "Max processes") == ["0", "0"]


def check_root(s, pid, name, worker):
    if not ROOT:
        return
    root = os.readlink(f"/proc/{pid}/root")
    want = EXPECTED[name][1]
    if worker:
        assert root.startswith(f"{s.base}/Accounts/"), root
    elif want == BASE:
        assert root == s.base, root
    else:
        assert root.endswith(" (deleted)"), root
        assert not os.listdir(f"/proc/{pid}/root/")


def check_files(s, pid, name, worker):
    """What is open is the process's own; nothing of the machine's.  And the
    suite's lock: the next start waits for each of us, workers too."""
    lock = f"{s.base}/.lock"
    assert lock == os.readlink(f"/proc/{pid}/fd/5"), "no lock"
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if fd in "012" or what.startswith(("socket:", "anon_inode:",
                                           "pipe:")) or what == "/dev/null":
            continue
        if what.startswith("/memfd:") or what == lock:
            continue
        fine = what == s.base or what.startswith(s.base + "/")
        assert fine, f"fd {fd} is {what}"
        assert EXPECTED[name][1] == BASE or worker, f"fd {fd} is {what}"


def unix_peers():
    """{inode: peer's inode} of all Unix sockets, from the kernel."""
    pairs = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as nl:
        request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xffffffff,
                              0, 4, 0xffffffff, 0xffffffff)
        nl.sendto(struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0) +
                  request, (0, 0))
        while True:
            data = nl.recv(1 << 20)
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):
                    return pairs
                inode = struct.unpack_from("=I", data, 16 + 4)[0]
                at = 16 + 16
                while at + 4 <= size:
                    alen, atype = struct.unpack_from("=HH", data, at)
                    if atype == 2:
                        pairs[inode] = struct.unpack_from("=I", data,
                                                          at + 4)[0]
                    at += max(4, alen + 3 & ~3)
                data = data[size + 3 & ~3:]


def sockets(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            m = re.match(r"socket:\[(\d+)\]",
                         os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
        if m:
            found.add(int(m[1]))
    return found


def seqpackets():
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]
    return {int(f[6]) for f in (line.split() for line in lines)
            if f[4] == "0005"}


def check_channels(s):
    """Each packet channel runs between two that may speak."""
    owner = {}
    names = {s.server(): "cgserver", **s.children()}
    for pid, name in names.items():
        for inode in sockets(pid):
            owner.setdefault(inode, set()).add((pid, name))
    peers, packets = unix_peers(), seqpackets()
    assert packets, "no channel was seen"
    seen = set()
    for inode in packets & set(owner):
        for pid, name in owner[inode]:
            for other_pid, other in owner.get(peers.get(inode), ()):
                if pid == other_pid or "cgserver" in (name, other):
                    continue
                pair = frozenset((name, other))
                if pair == {"stored-worker"}:
                    continue    # a worker's own, seen in its template
                if "logd" in pair:
                    continue    # records: logd never answers
                assert pair in PAIRS, f"{name} can speak to {other}"
                seen.add(pair)
    assert seen == PAIRS, f"missing: {PAIRS - seen}"


def check_all(s, workers):
    for pid, name in s.children().items():
        try:
            check_rights(s, pid, name, pid in workers)
            check_root(s, pid, name, pid in workers)
            if ROOT:            # others may not look into them
                check_files(s, pid, name, pid in workers)
        except AssertionError as e:
            raise AssertionError(f"{name} ({pid}): {e}") from e


def check_proofs(s):
    said = re.findall(r"sandbox proved: (.*)", s.log())
    assert len(said) >= len(s.children()) - 1, said
    for line in said:
        missing = set(PROVED[ROOT].split()) - set(line.split())
        assert not missing, f"not proved: {missing}"
    assert sum("landlock" in line for line in said) >= len(said) - 1


with Suite(accounts=["ann", "bob"]) as suite:
    before = set(suite.children())
    check_all(suite, set())
    check_proofs(suite)
    if ROOT:
        check_channels(suite)
    sessions = []
    for who in ("ann", "bob"):
        p = poplib.POP3("127.0.0.1", suite.pop, timeout=60)
        p.user(who)
        p.pass_(PASSWORD)
        sessions.append(p)
    new = wait_for("two workers", lambda: len(
        set(suite.children()) - before) == 2 and
        set(suite.children()) - before)
    assert {suite.children()[p] for p in new} == {"stored-worker"}
    check_all(suite, new)
    if ROOT:
        roots = {os.readlink(f"/proc/{p}/root") for p in new}
        assert roots == {f"{suite.base}/Accounts/{a}.macnt"
                         for a in ("ann", "bob")}, roots
    for p in sessions:
        p.quit()
