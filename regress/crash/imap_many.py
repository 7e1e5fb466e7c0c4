#!/usr/bin/env python3
# suite: own
"""Many IMAP clients at once, several an account, do all there is to do with
shared mailboxes, with TLS and without, fall silent, are put aside and come
back, while workers, brokers and fronts are killed.  Each response is checked
against what that client was told before, and against what the test knows of
the mailboxes: no wrong number, UID, flag, size or body; what was answered OK
is there.

CG_SECONDS (20), CG_CLIENTS (12), CG_ACCOUNTS (3), CG_SEED; CG_KILLS=0: none.
"""
import os
import pathlib
import random
import re
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PASSWORD, Suite, kill, sanitized  # noqa: E402
from wire import Imap  # noqa: E402

SECONDS = float(os.environ.get("CG_SECONDS", "20"))
CLIENTS = int(os.environ.get("CG_CLIENTS", "12"))
ACCOUNTS = int(os.environ.get("CG_ACCOUNTS", "3"))
SEED = int(os.environ.get("CG_SEED", "1"))
KILLS = os.environ.get("CG_KILLS", "1") == "1"
PATIENCE = 240 if sanitized() else 120
BOXES = ["INBOX", "Shared/One"]
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Later", "word"]
LOST = (EOFError, OSError)
LONG = 4                # seconds, after which a silent session is put aside


class Wrong(Exception):
    """The server said what cannot be."""


def need(good, *what):
    if not good:
        raise Wrong(*what)


class Box:
    """What is known of a mailbox, from answers alone."""

    def __init__(self):
        self.lock = threading.Lock()
        self.validity = None
        self.text = {}          # uid: the message's number
        self.sure = set()       # uids that must be there
        self.doomed = set()     # somebody tried to remove these
        self.gone = set()       # and was told OK

    def is_valid(self, n):
        with self.lock:
            need(self.validity in (None, n), "UIDVALIDITY", self.validity, n)
            self.validity = n

    def seen(self, uid, number):
        with self.lock:
            old = self.text.setdefault(uid, number)
        need(old == number, f"UID {uid} is message {old} and {number}")

    def added(self, uid, number):
        self.seen(uid, number)
        with self.lock:
            self.sure.add(uid)

    def doom(self, uid):
        with self.lock:
            self.doomed.add(uid)

    def removed(self, uid):
        with self.lock:
            self.gone.add(uid)


class World:
    def __init__(self, names):
        self.boxes = {(n, b): Box() for n in names for b in BOXES}
        self.lock = threading.Lock()
        self.serial = 0

    def message(self, rng):
        with self.lock:
            self.serial += 1
            number = self.serial
        return number, text(number)


def text(number):
    """Message n is the same whoever makes it."""
    rng = random.Random(number)
    body = "".join(f"line {i} of {number}\r\n"
                   for i in range(rng.choice((1, 3, 40, 400))))
    extra = "" if number % 3 else "x\r\nFrom me\r\n>From you\r\n.\r\n\r\n"
    return (f"From: a@far.example\r\nSubject: number {number} end\r\n"
            f"X-Number: {number}\r\n\r\n{extra}{body}").encode()


class Client(threading.Thread):
    def __init__(self, ports, world, name, index):
        super().__init__()
        self.tls = index % 4 == 1
        self.port, self.world, self.account = ports[self.tls], world, name
        self.rng = random.Random(SEED * 1000 + index)
        self.c = None
        self.box = BOXES[0]
        self.error = None
        self.ops = self.losses = 0
        self.over = False
        self.work = threading.Event()
        self.rests = threading.Event()

    # --- the view: what this client was told ---

    def known(self):
        return self.world.boxes[self.account, self.box]

    def exists(self, n):
        need(n >= len(self.uids), f"EXISTS {n} after {len(self.uids)}")
        more = n - len(self.uids)
        self.uids += [None] * more
        self.flags += [None] * more

    def expunge(self, n, quiet):
        need(not quiet, "EXPUNGE while numbers are in use")
        need(1 <= n <= len(self.uids), f"EXPUNGE {n} of {len(self.uids)}")
        uid = self.uids.pop(n - 1)
        self.flags.pop(n - 1)
        if uid is not None:
            need(uid in self.known().doomed, f"UID {uid} is expunged")

    def fetched(self, n, data):
        need(1 <= n <= len(self.uids), f"FETCH {n} of {len(self.uids)}")
        head = re.sub(rb"BODY\[\] \{\d+\}\r\n.*", b"", data, flags=re.S)
        m = re.search(rb"\bUID (\d+)", data[-40:]) or \
            re.search(rb"\bUID (\d+)", head)
        if m:
            self.learn_uid(n, int(m[1]))
        m = re.search(rb"\bFLAGS \((.*?)\)", head) or \
            re.search(rb"\bFLAGS \(([^()]*)\)\)?$", data)
        if m:
            self.flags[n - 1] = set(m[1].decode().split()) - {"\\Recent"}
        m = re.search(rb"BODY\[\] \{(\d+)\}\r\n", data)
        if m:
            body = data[m.end():m.end() + int(m[1])]
            size = re.search(rb"RFC822\.SIZE (\d+)", head)
            need(not size or int(size[1]) == len(body), "size", head)
            number = re.search(rb"X-Number: (\d+)", body)
            need(number, f"no message of ours: {body[:300]}")
            need(body == text(int(number[1])), f"body of {int(number[1])}")
            if self.uids[n - 1]:
                self.known().seen(self.uids[n - 1], int(number[1]))

    def learn_uid(self, n, uid):
        need(self.uids[n - 1] in (None, uid),
             f"number {n} was UID {self.uids[n - 1]}, is {uid}")
        self.uids[n - 1] = uid
        before = [u for u in self.uids[:n - 1] if u]
        after = [u for u in self.uids[n:] if u]
        need((not before or before[-1] < uid) and
             (not after or uid < after[0]), f"UID {uid} out of order")

    def take(self, untagged, quiet=False):
        for r in untagged:
            m = re.match(rb"(\d+) (EXISTS|EXPUNGE|FETCH|RECENT)", r)
            if r.startswith(b"BYE"):
                raise EOFError
            if not m:
                continue
            n = int(m[1])
            if m[2] == b"EXISTS":
                self.exists(n)
            elif m[2] == b"EXPUNGE":
                self.expunge(n, quiet)
            elif m[2] == b"FETCH":
                self.fetched(n, r)

    # --- talking ---

    def ask(self, command, quiet=False):
        """(untagged, text after OK), or NO: None."""
        untagged, end = self.c.end(self.c.begin(command))
        self.take(untagged, quiet)
        need(not end.startswith(b"BAD"), command[:80], end)
        return (untagged, end) if end.startswith(b"OK") else None

    def connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if self.c:
                    self.c.close()
                self.c = None
                self.c = Imap(self.port, self.tls, patience=PATIENCE)
                if self.c.end(self.c.begin(
                        f'LOGIN {self.account} "{PASSWORD}"'))[1][:2] == \
                        b"OK" and self.select(self.box):
                    return
            except (*LOST, AssertionError) as e:
                need(time.monotonic() < end, f"no login any more: {e}")
            need(time.monotonic() < end, "no login any more")
            time.sleep(0.05)

    def select(self, box):
        self.box, self.uids, self.flags = box, [], []
        got = self.ask(f'SELECT "{box}"')
        if got is None:
            return False
        m = re.search(rb"UIDVALIDITY (\d+)", b"\n".join(got[0]))
        self.known().is_valid(int(m[1]))
        return True

    def pick(self):
        """A sequence number, with its UID found out."""
        if not self.uids:
            return None
        n = self.rng.randint(1, len(self.uids))
        if self.uids[n - 1] is None:
            self.ask(f"FETCH {n} (UID)", True)
        return n if self.uids[n - 1] else None

    # --- what a client does ---

    def op_append(self):
        box = self.rng.choice(BOXES)
        number, data = self.world.message(self.rng)
        flags = " ".join(self.rng.sample(FLAGS, 2))
        got = self.ask(f'APPEND "{box}" ({flags}) {{{len(data)}+}}\r\n'.encode()
                       + data)
        need(got, "APPEND refused")
        m = re.search(rb"\[APPENDUID (\d+) (\d+)\]", got[1])
        if m:
            self.world.boxes[self.account, box].added(int(m[2]), number)

    def op_fetch(self):
        if self.uids:
            a = self.rng.randint(1, len(self.uids))
            b = min(len(self.uids), a + self.rng.randint(0, 5))
            self.ask(f"FETCH {a}:{b} (UID FLAGS RFC822.SIZE BODY.PEEK[])",
                     True)

    def op_fetch_all(self):
        if self.uids:
            self.ask("FETCH 1:* (UID FLAGS)", True)

    def op_uid_fetch(self):
        n = self.pick()
        if n:
            self.ask(f"UID FETCH {self.uids[n - 1]} (FLAGS BODY[])")

    def op_store(self):
        n = self.pick()
        if not n:
            return
        flag, how = self.rng.choice(FLAGS), self.rng.choice("+-")
        uid = self.uids[n - 1]
        got = self.ask(f"STORE {n} {how}FLAGS ({flag})", True)
        told = [r for r in got[0] if r.startswith(b"%d FETCH" % n)] \
            if got else []
        if told:
            now = re.search(rb"FLAGS \((.*?)\)", told[-1])[1].decode()
            need((flag in now.split()) == (how == "+"),
                 f"{how}{flag} of UID {uid}", got)

    def op_remove(self):
        n = self.pick()
        if not n:
            return
        uid = self.uids[n - 1]
        box = self.known()
        box.doom(uid)
        if self.ask(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)") and \
                self.ask(f"UID EXPUNGE {uid}"):
            box.removed(uid)
            need(uid not in self.uids, f"UID {uid} is still there")

    def op_copy(self):
        n = self.pick()
        if not n:
            return
        src, uid = self.known(), self.uids[n - 1]
        move = self.rng.random() < 0.3
        to = self.rng.choice([b for b in BOXES if b != self.box])
        if move:
            src.doom(uid)
        got = self.ask(f'UID {"MOVE" if move else "COPY"} {uid} "{to}"')
        if got is None:
            return
        said = b"\n".join(got[0]) + b"\n" + got[1]
        m = re.search(rb"COPYUID (\d+) (\d+) (\d+)\]", said)
        if not m:
            return              # it was expunged meanwhile
        need(int(m[2]) == uid, said)
        if uid in src.text:
            self.world.boxes[self.account, to].added(int(m[3]),
                                                     src.text[uid])
        if move:
            src.removed(uid)
            need(uid not in self.uids, f"UID {uid} was moved")

    def op_search(self):
        n = self.pick()
        if not n:
            return
        uid = self.uids[n - 1]
        if uid in self.known().text:
            number = self.known().text[uid]
            got = self.ask(f'UID SEARCH SUBJECT "number {number} end"')
            found = b" ".join(r for r in got[0] if r.startswith(b"SEARCH"))
            need(str(uid).encode() in found.split() or
                 uid in self.known().doomed, f"UID {uid} is not found", got)

    def op_idle(self):
        tag = self.c.begin("IDLE")
        untagged = []
        while not (r := self.c.response()).startswith(b"+"):
            if r.startswith(tag.encode()):
                raise Wrong("IDLE", r)
            untagged.append(r[2:])
        time.sleep(self.rng.choice((0, 0, 0.1, 0.2, 0.2, LONG)))
        self.c.send("DONE\r\n")
        more, end = self.c.end(tag)
        need(end.startswith(b"OK"), end)
        self.take(untagged + more)

    def op_noop(self):
        if self.rng.random() < 0.05:
            time.sleep(LONG)
        self.ask("NOOP")

    def op_status(self):
        box = self.rng.choice(BOXES)
        got = self.ask(f'STATUS "{box}" (MESSAGES UIDNEXT UIDVALIDITY)')
        need(got, "STATUS refused")

    def op_select(self):
        need(self.select(self.rng.choice(BOXES)), "SELECT refused")

    def op_again(self):
        self.ask("LOGOUT") if self.rng.random() < 0.5 else None
        self.connect()

    OPS = [("append", 6), ("fetch", 6), ("fetch_all", 1), ("uid_fetch", 4),
           ("store", 6), ("remove", 3), ("copy", 3), ("search", 2),
           ("idle", 2), ("noop", 3), ("status", 1), ("select", 1),
           ("again", 0.5)]

    def one(self):
        names, weights = zip(*self.OPS)
        name = self.rng.choices(names, weights)[0]
        try:
            if self.c is None:
                self.connect()
            getattr(self, "op_" + name)()
            self.ops += 1
        except TimeoutError:
            raise Wrong(f"no answer for {PATIENCE} s: {name}") from None
        except LOST:
            self.losses += 1
            self.c.close() if self.c else None
            self.c = None

    def run(self):
        try:
            while not self.over:
                if self.work.is_set():
                    self.rests.clear()
                    self.one()
                else:
                    self.rests.set()
                    self.work.wait(0.05)
        except Exception:
            self.error = traceback.format_exc()
        self.rests.set()

    # --- at rest ---

    def agrees(self, uids, flags):
        """After a NOOP nothing may be unknown to this client."""
        if self.c is None:
            self.connect()
        self.ask("NOOP")
        if None in self.uids:
            self.ask("FETCH 1:* (UID)", True)
        need(self.uids == uids, f"{self.account} {self.box}: {self.uids} "
             f"is not {uids}")
        for uid, mine in zip(self.uids, self.flags):
            need(mine is None or mine == flags[uid],
                 f"flags of UID {uid}: {mine} and {flags[uid]}")


def truth(ports, world, name, box):
    """A fresh client's look, checked against what is known; (uids, flags)."""
    c = Client(ports, world, name, 1000)
    c.box = box
    c.connect()
    if c.uids:
        c.ask("FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[])", True)
    uids, known = list(c.uids), c.known()
    need(None not in uids, "a message without UID")
    missing = known.sure - known.doomed - set(uids)
    need(not missing, f"{name} {box}: {sorted(missing)} are lost")
    back = known.gone & set(uids)
    need(not back, f"{name} {box}: {sorted(back)} are back")
    numbers = [known.text[u] for u in uids]
    c.c.close()
    return uids, dict(zip(uids, c.flags)), numbers


def killer(suite, rng, stop):
    while not stop.wait(rng.uniform(0.3, 1.5)):
        victim = rng.choice(["worker", "worker", "worker", "stored", "imapd"])
        pids = suite.workers() if victim == "worker" else [
            p for p, n in suite.children().items() if n == victim]
        if pids:
            kill(rng.choice(pids))


def pause(clients):
    for c in clients:
        c.work.clear()
    for c in clients:
        if not c.rests.wait(PATIENCE):
            raise AssertionError("a client hangs")
    for c in clients:
        if c.error:
            raise AssertionError(c.error)


def check(ports, world, names, clients):
    for name in names:
        for box in BOXES:
            uids, flags, _ = truth(ports, world, name, box)
            for c in clients:
                if (c.account, c.box) == (name, box):
                    for _ in range(20):
                        try:
                            c.agrees(uids, flags)
                            break
                        except LOST:
                            c.c = None


def main():
    names = [f"m{i}" for i in range(ACCOUNTS)]
    conf = "processes imapd 2\nsettings IMAP { IdleTime = 1s; }\n"
    with Suite(accounts=names, conf=conf) as s:
        ports = int(s.env["CG_IMAP"]), int(s.env["CG_IMAPS"])
        os.environ["CG_CA"] = s.env["CG_CA"]
        world = World(names)
        for n in names:
            with Imap(ports[0]) as c:
                c.login(n)
                c.ask('CREATE "Shared/One"')
        clients = [Client(ports, world, names[i % ACCOUNTS], i)
                   for i in range(CLIENTS)]
        for c in clients:
            c.start()
        try:
            start = time.monotonic()
            while time.monotonic() - start < SECONDS:
                stop = threading.Event()
                k = threading.Thread(target=killer, args=(
                    s, random.Random(SEED), stop))
                if KILLS:
                    k.start()
                for c in clients:
                    c.work.set()
                end = time.monotonic() + min(SECONDS, 5)
                while time.monotonic() < end and \
                        not any(c.error for c in clients):
                    time.sleep(0.05)
                stop.set()
                if KILLS:
                    k.join()
                pause(clients)
                check(ports, world, names, clients)
        finally:
            for c in clients:
                c.over = True
                c.work.set()
            for c in clients:
                c.join()
        print(f"{sum(c.ops for c in clients)} operations, "
              f"{sum(c.losses for c in clients)} connections lost, "
              f"{world.serial} messages")


main()
