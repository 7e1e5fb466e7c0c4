#!/usr/bin/env python3
"""Eight accounts near their limits: mail comes, clients append, copy, move,
expunge and rename, deliveries and workers are killed.  No account ever has
more than it may, and in the end each is told what its files have."""
import os
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill, read_mdir  # noqa: E402
from wire import (Imap, Smtp, accounts, address,  # noqa: E402
                  administrator, processes, workers)

SECONDS = 60
LIMIT = 200                     # KiB
MOVED = 3 * 9                   # by a MOVE that was killed: in both places
BASE = pathlib.Path(os.environ["CG_BASE"])
NAMES = [f"user{i}" for i in range(8)]
FROM = re.compile(rb"From (\S*)\(([^)]*)\) .*\n")
end = time.monotonic() + SECONDS
over = []


def text(size):
    return (b"From: ann@example.com\r\nSubject: x\r\n\r\n" +
            b"0123456789abcdef0123456789abcdef\r\n" * (size // 34))


def until_end(work):
    """Again and again: what is killed loses its clients."""
    def forever():
        while time.monotonic() < end:
            try:
                work()
            except (OSError, EOFError, AssertionError):
                time.sleep(0.1)
    return threading.Thread(target=forever)


def sender():
    with Smtp() as s:
        for _ in range(20):
            s.begin(address(random.choice(NAMES)), sender="")
            s.text(text(random.randint(100, 9000)) + b".\r\n")


def storage(m):
    found = re.search(rb"STORAGE (\d+) (\d+)", b" ".join(
        m.ask('GETQUOTA ""')))
    return int(found[1]), int(found[2])


def step(m, name):
    box = random.choice(("INBOX", "other"))
    what = random.randrange(6)
    if what == 0:
        data = text(random.randint(100, 9000))
        m.end(m.begin(f"APPEND {box} {{{len(data)}+}}\r\n".encode() + data))
    elif what == 1:
        m.end(m.begin("RENAME other more"))
        m.end(m.begin("DELETE more"))
        m.end(m.begin("CREATE other"))
    elif what == 2:
        used, most = storage(m)
        if used > most + MOVED:
            over.append(f"{name}: {used} of {most} KiB")
    else:
        m.end(m.begin(f"SELECT {box}"))
        for c in (["COPY 1:3 other"], ["MOVE 1:3 INBOX"],
                  ["STORE 1:4 +FLAGS.SILENT (\\Deleted)",
                   "EXPUNGE"])[what - 3]:
            m.end(m.begin(c))


def client(name):
    def work():
        with Imap() as m:
            m.login(name)
            for _ in range(30):
                step(m, name)
    return work


def killer():
    time.sleep(1.5)
    victims = workers() if random.random() < 0.6 else \
        processes("stored-delivery")
    if victims:
        kill(random.choice(victims))


def live(path):
    """Bytes of messages that are not expunged."""
    if path.is_dir():
        return sum(len(text) for _, text in read_mdir(path))
    data, at, found = path.read_bytes(), 0, 0
    while at < len(data):
        m = FROM.match(data, at)
        stop = m.end() + int(m[2].rsplit(b"-", 1)[1])
        while data[stop:stop + 1] == b"\n":
            stop += 1
        found += stop - at if b"X" not in m[2][:8] else 0
        at = stop
    return found


def check(name):
    with Imap() as m:
        m.login(name)
        used, most = storage(m)
    files = sum(live(f) for f in
                (BASE / "Accounts" / f"{name}.macnt").rglob("*.m[bd][oi][xr]"))
    print(f"{name}: {used} of {most} KiB")
    if used != (files + 1023) // 1024:
        over.append(f"{name}: told {used} KiB, has {files} bytes")
    if files > (LIMIT + MOVED) * 1024:
        over.append(f"{name} has {files} bytes")


accounts(*NAMES)
cli = administrator()
for n in NAMES:
    cli.ask(f"UpdateAccountSettings {n} {{MaxAccountSize={LIMIT}K;"
            f"QuotaNotice=0;QuotaSuspend={random.choice((0, 90, 100))};}}")
cli.close()
threads = [until_end(w) for w in
           [sender] * 4 + [client(n) for n in NAMES] + [killer]]
for t in threads:
    t.start()
for t in threads:
    t.join()
time.sleep(3)                   # what was killed last is there again
for n in NAMES:
    check(n)
for line in over:
    print("FAILED:", line)
sys.exit(1 if over else 0)
