#!/usr/bin/env python3
"""Indexes and caches damaged between sessions, in every way that comes to
mind: the same UIDs, flags, sizes and structures are told afterwards; of a
mailbox that was cut, all whole messages."""
import os
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill  # noqa: E402
from wire import (MDIR, SINGLE, Imap, accounts, box, run,  # noqa: E402
                  wait_for, workers)

COUNT = 40
ASKED = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)"
ENDS = (".idx", ".dat")


def closed(gently):
    """Nobody holds the account: its files may be changed."""
    if not gently:
        for p in workers():
            kill(p)
    wait_for("the workers to end", lambda: not workers())


def message(word, n):
    return (f"From: {word} <{word}@example.com>\r\nSubject: {word} {n:04}\r\n"
            f"Date: Sat, 21 Nov 2026 02:40:26 +0000\r\n"
            "MIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=b{n:04}\r\n\r\n"
            f"--b{n:04}\r\n\r\n{word}\r\n--b{n:04}\r\n"
            "Content-Type: application/octet-stream; "
            f"name={word}{n:04}\r\n\r\n{word * (n % 7)}\r\n"
            f"--b{n:04}--\r\n").encode()


def fill(name):
    with Imap() as m:
        m.login(name)
        for n in range(COUNT):
            text = message(name, n)
            tag = m.begin(f'APPEND INBOX "21-Nov-2026 02:40:{n:02} +0000" '
                          f"{{{len(text)}}}")
            m.go_on()
            m.send(text + b"\r\n")
            m.want(tag, "OK")
        m.ask("SELECT INBOX")
        m.ask("STORE 1:10 +FLAGS (\\Seen)")
        m.ask("STORE 5:15 +FLAGS (\\Flagged $Forwarded work)")
        m.ask("STORE 3,20,21,39 +FLAGS (\\Deleted)")
        m.ask("EXPUNGE")


def again(name):
    """A session that came when its worker was just dying is lost with it."""
    while True:
        try:
            m = Imap()
            m.login(name)
            return m
        except (EOFError, ConnectionError):
            pass


def picture(name):
    """All that is told of the mailbox, but what may change."""
    with again(name) as m:
        untagged = m.ask("SELECT INBOX")
        validity = [r for r in untagged if b"UIDVALIDITY" in r]
        told = {}
        for r in m.ask(f"FETCH 1:* {ASKED}"):
            if b" FETCH (" in r:
                r = re.sub(rb" ?\\Recent ?", b"", r)
                r = re.sub(rb"FLAGS \(([^)]*)\)", lambda h: b"FLAGS " +
                           b" ".join(sorted(h[1].split())), r)
                told[int(re.search(rb"UID (\d+)", r)[1])] = r
        texts = {int(re.search(rb"UID (\d+)", r)[1]): r
                 for r in m.ask("UID FETCH 1:* BODY.PEEK[]")
                 if b"BODY[]" in r}
    return validity, told, texts


def files(name):
    return {e: pathlib.Path(file(name) + e).read_bytes() for e in ENDS}


def file(name):
    """What stands beside it begins so."""
    return box(name) + "/INBOX.mdir" * SINGLE


def put(name, end, data):
    """In place: the owner and the inode stay."""
    with open(file(name) + end, "r+b") as f:
        f.truncate(0)
        f.write(data)


def overwritten(rng, data, other):
    at = rng.randrange(len(data))
    n = min(rng.choice((1, 8, 64, 500, 5000)), len(data) - at)
    return data[:at] + rng.randbytes(n) + data[at + n:]


def zeroed(rng, data, other):
    at = rng.randrange(len(data))
    n = min(rng.choice((8, 64, 500, 5000)), len(data) - at)
    return data[:at] + bytes(n) + data[at + n:]


def flipped(rng, data, other):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + \
        data[at + 1:]


def cut(rng, data, other):
    return data[:rng.randrange(len(data))]


def swapped(rng, data, other):
    return other


def mixed(rng, data, other):
    at = rng.randrange(min(len(data), len(other)))
    n = rng.choice((64, 640, 6400))
    return (data[:at] + other[at:at + n] + data[at + n:])[:len(data)]


def longer(rng, data, other):
    return data + other


KINDS = (overwritten, zeroed, flipped, cut, swapped, mixed, longer)


def damaged():
    rng = random.Random(4711)
    accounts("dam", "twin")
    fill("dam")
    fill("twin")
    want = picture("dam")
    assert len(want[1]) == len(want[2]) == COUNT - 4, len(want[1])
    picture("twin")
    closed(True)
    clean, other = files("dam"), files("twin")
    for round in range(63):
        kind = KINDS[round % len(KINDS)]
        which = ENDS[round // len(KINDS) % 3:][:1] or ENDS
        for e in ENDS:
            put("dam", e, clean[e])
        for e in which:
            put("dam", e, kind(rng, clean[e], other[e]))
        got = picture("dam")
        for a, b, what in zip(want, got, ("UIDVALIDITY", "answers",
                                          "texts")):
            assert a == b, (f"{kind.__name__} {which}: {what}", a, b)
        closed(round % 21 == 20)
        if round % 21 == 20:
            clean = files("dam")
    for e in ENDS:
        os.unlink(file("dam") + e)
    assert picture("dam") == want


def whole_ones_stay():
    """Cut in the middle of a message, with index and cache of before."""
    rng = random.Random(42)
    accounts("cut")
    fill("cut")
    want = picture("cut")
    closed(True)
    clean = files("cut")
    mbox = pathlib.Path(box("cut")).read_bytes()
    starts = [m.start() for m in re.finditer(rb"(?m)^From <", mbox)]
    for _ in range(12):
        at = rng.randrange(len(mbox))
        for e in ENDS:
            put("cut", e, clean[e])
        put("cut", "", mbox[:at])
        ends = starts[1:] + [len(mbox)]
        uids = [int(h[1]) for s, e in zip(starts, ends) if e <= at + 1
                if (h := re.match(rb"From <[^>]*>\([^)]{7}-[^-]{8}-(\d+)-",
                                  mbox[s:e]))]
        got = picture("cut")
        assert got[0] == want[0], got[0]
        assert sorted(got[2]) == uids, (at, sorted(got[2]), uids)
        for u in uids:
            assert re.sub(rb"^\d+ ", b"", got[1][u]) == \
                re.sub(rb"^\d+ ", b"", want[1][u]), got[1][u]
        closed(False)


run((damaged,) if MDIR else (damaged, whole_ones_stay))
