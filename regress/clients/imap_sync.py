#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/sync.conf
"""mbsync and offlineimap keep trees of Maildirs and an account the same:
ten thousand messages in and out byte for byte, changes on all sides."""
import collections
import imaplib
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import sanitized  # noqa: E402
from programs import common_name, need  # noqa: E402
from wire import administrator, run  # noqa: E402

HOST = "127.0.0.1"
IMAP, IMAPS = os.environ["CG_IMAP"], os.environ["CG_IMAPS"]
CA = os.environ["CG_CA"]
SECRET = "correcthorse"
MANY = 1000 if sanitized() else 10000
# What a synchronizer adds of its own to find its messages again.
OWN = re.compile(rb"(?m)^(X-TUID|X-OfflineIMAP|x-offlineimap): .*\n")
# What a .mbox changes in a text, as every .mbox does.
QUOTED = re.compile(rb"\n\n>From ")


def client(*args, seconds=600, status=0, **env):
    start = time.monotonic()
    p = subprocess.run([str(a) for a in args], text=True, timeout=seconds,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       errors="replace", env=dict(os.environ, **env))
    assert p.returncode == status, f"{args}: {p.returncode}\n{p.stdout}"
    return time.monotonic() - start


def account(name):
    cli = administrator()
    cli.ask(f'CreateAccount "{name}" {{Password="{SECRET}";}}')
    cli.close()


def secure_host():
    """The name in the certificate, if it leads to us."""
    name = common_name(CA)
    try:
        if socket.gethostbyname(name) == HOST:
            return name
    except OSError:
        pass
    print(f"SKIPPED: TLS, as {name} does not lead here", flush=True)
    return None


# --- messages ---

def message(rng, i):
    """One of many shapes; lines end in LF, as in a Maildir."""
    head = [b"From: Ann <ann@far.example>", b"Subject: number %d" % i,
            b"Message-ID: <m%d@far.example>" % i,
            b"Date: Sat, 21 Nov 2026 10:00:00 +0000"]
    kind = i % 10
    if kind == 1:
        head.append(b"X-Folded: " + b"\n\t".join([b"word" * 5] * 20))
    body = b"".join(b"line %d of %d\n" % (n, i)
                    for n in range(rng.randrange(1, 60)))
    if kind == 2:
        body = b"From me\n>From you\n>>From her\n\nFrom far@x Sat Nov\n" + body
    elif kind == 3:
        head.append(b"Content-Transfer-Encoding: 8bit")
        body = bytes(b for b in rng.randbytes(3000) if b not in (0, 13, 10)) \
            + b"\n" + body
    elif kind == 4:
        body = b""
    elif kind == 5:
        body = b"\n\n\n" + body + b"\n\n\n"
    elif kind == 6:
        body = b".\n..\n" + b"x" * 900 + b"\n"
    elif kind == 7:
        head += [b"MIME-Version: 1.0",
                 b'Content-Type: multipart/mixed; boundary="b%d"' % i]
        body = b"--b%d\n\none\n--b%d\nContent-Type: message/rfc822\n\n" \
            b"Subject: inner\n\ntwo\n--b%d--\n" % (i, i, i)
    elif kind == 8 and i % 1000 == 8:
        body = body * 2000              # a megabyte or so
    return b"\n".join(head) + b"\n\n" + body


class Maildir:
    """A tree of Maildirs, written and read by hand."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.serial = 0

    def make(self, box):
        for sub in ("new", "cur", "tmp"):
            (self.root / box / sub).mkdir(parents=True, exist_ok=True)

    def add(self, box, text, flags=""):
        self.make(box)
        self.serial += 1
        f = self.root / box / "cur" / \
            f"1700000000.{os.getpid()}_{self.serial}.here:2,{flags}"
        f.write_bytes(text)

    def files(self, box):
        for sub in ("new", "cur"):
            folder = self.root / box / sub
            if folder.is_dir():
                yield from sorted(folder.iterdir())

    def find(self, box, number):
        want = b"\nSubject: number %d\n" % number
        for f in self.files(box):
            if want in b"\n" + f.read_bytes():
                return f
        raise AssertionError(f"no message {number} in {self.root / box}")

    def flag(self, box, number, flags):
        f = self.find(box, number)
        name = re.sub(":2,.*", "", f.name)
        f.rename(f.parent.parent / "cur" / f"{name}:2,{flags}")

    def remove(self, box, number):
        self.find(box, number).unlink()

    def content(self, box):
        """How often each (text, flags) is there."""
        found = collections.Counter()
        for f in self.files(box):
            flags = f.name.partition(":2,")[2]
            text = OWN.sub(b"", f.read_bytes())
            found[QUOTED.sub(b"\n\nFrom ", text), flags] += 1
        return found

    def boxes(self):
        return sorted(str(d.parent.relative_to(self.root))
                      for d in self.root.rglob("cur"))


def same(a, b, box="INBOX"):
    left, right = a.content(box), b.content(box)
    if left != right:
        only = list((left - right).items())[:3], \
            list((right - left).items())[:3]
        raise AssertionError(f"{box} differs: {only}")


# --- mbsync ---

class Mbsync:
    def __init__(self, d, label, name, secure=None):
        self.tree = Maildir(pathlib.Path(d, label))
        self.tree.root.mkdir()
        tls = f"SSLType IMAPS\nCertificateFile {CA}\nPort {IMAPS}\n" \
            f"Host {secure}\n" if secure else \
            f"SSLType None\nPort {IMAP}\nHost {HOST}\n"
        state = pathlib.Path(d, label + "-state")
        state.mkdir()
        self.rc = pathlib.Path(d, label + ".rc")
        self.rc.write_text(
            f"IMAPStore far\n{tls}"
            f"User {name}\nPass {SECRET}\n\n"
            f"MaildirStore near\nPath {self.tree.root}/\n"
            f"Inbox {self.tree.root}/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n"
            f"Remove Both\nExpunge Both\nSyncState {state}/\n")

    def __call__(self):
        return client("mbsync", "-q", "-c", self.rc, "all",
                      HOME=str(self.rc.parent))


def mbsync_many():
    """All that is in one tree reaches another by way of the account."""
    if not need("mbsync"):
        return
    account("many")
    rng = random.Random(3)
    with tempfile.TemporaryDirectory() as d:
        a, b = Mbsync(d, "a", "many"), Mbsync(d, "b", "many")
        for i in range(MANY):
            a.tree.add("INBOX", message(rng, i),
                       ("", "S", "FS", "RS", "DS")[i % 5])
        up = a()
        down = b()
        print(f"{MANY} messages up in {up:.1f} s, down in {down:.1f} s")
        same(a.tree, b.tree)
        print(f"with nothing to do {b():.1f} s")
        for f in list(b.tree.files("INBOX"))[::2]:
            f.unlink()
        print(f"half deleted in {b():.1f} s, "
              f"heard of by the other in {a():.1f} s")
        same(a.tree, b.tree)
        assert sum(a.tree.content("INBOX").values()) == MANY // 2


def mbsync_conflicts():
    """Two clients and a third change the same things between their looks."""
    if not need("mbsync"):
        return
    account("conflict")
    rng = random.Random(4)
    with tempfile.TemporaryDirectory() as d:
        a, b = Mbsync(d, "a", "conflict"), Mbsync(
            d, "b", "conflict", secure_host())
        for i in range(50):
            a.tree.add("INBOX", message(rng, i))
        for i in range(50, 60):
            a.tree.add("Work/Gr&APYA3w-e", message(rng, i), "S")
        a(), b()
        assert b.tree.boxes() == a.tree.boxes(), (a.tree.boxes(),
                                                  b.tree.boxes())
        for box in a.tree.boxes():
            same(a.tree, b.tree, box)
        a.tree.flag("INBOX", 1, "F")            # both flags stay
        b.tree.flag("INBOX", 1, "S")
        a.tree.remove("INBOX", 2)               # gone here, flagged there
        b.tree.flag("INBOX", 2, "RS")
        a.tree.remove("INBOX", 3)               # gone at both
        b.tree.remove("INBOX", 3)
        a.tree.add("INBOX", message(rng, 100))  # new at both
        b.tree.add("INBOX", message(rng, 101))
        b.tree.add("New", message(rng, 102))
        c = imaplib.IMAP4(HOST, int(IMAP), timeout=60)
        c.login("conflict", SECRET)
        c.select("INBOX")
        c.append("INBOX", "(\\Answered)", None,
                 message(rng, 103).replace(b"\n", b"\r\n"))
        c.store("10", "+FLAGS", "(\\Flagged)")
        c.store("11", "+FLAGS", "(\\Deleted)")
        c.expunge()
        for _ in range(2):
            a(), b()
        for box in sorted({*a.tree.boxes(), *b.tree.boxes()}):
            same(a.tree, b.tree, box)
        flags = a.tree.find("INBOX", 1).name.partition(":2,")[2]
        assert set(flags) == {"F", "S"}, flags
        for i in (100, 101, 103):
            b.tree.find("INBOX", i)
        assert a.tree.find("New", 102)
        n = int(c.select("INBOX")[1][0])
        assert n == sum(a.tree.content("INBOX").values()), n
        c.logout()


# --- offlineimap ---

class Offlineimap:
    def __init__(self, d, label, name):
        self.tree = Maildir(pathlib.Path(d, label))
        self.tree.root.mkdir()
        self.rc = pathlib.Path(d, label + ".rc")
        self.rc.write_text(
            f"[general]\naccounts = x\nmetadata = {d}/{label}-meta\n"
            "ui = basic\nmaxsyncaccounts = 1\n"
            "[Account x]\nlocalrepository = near\nremoterepository = far\n"
            f"[Repository near]\ntype = Maildir\nsep = /\n"
            f"localfolders = {self.tree.root}\n"
            "[Repository far]\ntype = IMAP\n"
            f"remotehost = {HOST}\nremoteport = {IMAP}\nssl = no\n"
            "starttls = no\n"
            f"remoteuser = {name}\nremotepass = {SECRET}\n"
            "auth_mechanisms = LOGIN\nmaxconnections = 2\n")

    def __call__(self):
        return client("offlineimap", "-o", "-c", self.rc,
                      HOME=str(self.rc.parent))


def offlineimap():
    if not need("offlineimap"):
        return
    account("offline")
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as d:
        a, b = Offlineimap(d, "a", "offline"), Offlineimap(d, "b", "offline")
        for i in range(200):
            a.tree.add("INBOX", message(rng, i), ("", "S", "FS")[i % 3])
        a.tree.make("Work")
        for i in range(200, 220):
            a.tree.add("Work/Deep", message(rng, i))
        a(), b()
        for box in ("INBOX", "Work/Deep"):
            same(a.tree, b.tree, box)
        a.tree.flag("INBOX", 0, "F")
        b.tree.flag("INBOX", 1, "RS")
        a.tree.remove("INBOX", 2)
        b.tree.add("INBOX", message(rng, 300))
        for _ in range(2):
            a(), b()
        same(a.tree, b.tree)
        a.tree.find("INBOX", 300)


run([mbsync_conflicts, mbsync_many, offlineimap])
