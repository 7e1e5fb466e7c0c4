#!/usr/bin/env python3
"""Mailboxes as files under a running suite: of other origins, written by
others, damaged, torn, without their indexes; compacting; UIDs that last."""
import os
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill  # noqa: E402
from wire import (Pop, Smtp, accounts, address, box,  # noqa: E402
                  processes, read_mbox, run, wait_for, workers)

OLD = b"From x@far.example Sat Nov 21 02:40:26 2026\n"


def path(name, file="INBOX.mbox"):
    return pathlib.Path(box(name)).with_name(file)


def send(name, *texts):
    with Smtp() as s:
        for t in texts:
            s.begin(address(name))
            s.text(t + ".\r\n")


def fill(name, n, size=0):
    there = path(name).read_bytes().count(b"\nSubject: f")
    send(name, *(f"Subject: f{i}\r\n\r\n{i}\r\n" +
                 ("x" * 78 + "\r\n") * (size // 80) for i in range(n)))
    wait_for(f"{n} messages for {name}", lambda:
             path(name).read_bytes().count(b"\nSubject: f") == there + n)


def opened(name):
    p = Pop()
    p.login(name)
    return p


def again(name):
    """A session that came when its worker was just dying is lost with it."""
    while True:
        try:
            return opened(name)
        except (EOFError, ConnectionError):
            pass


def uidl(p):
    p.ask("UIDL")
    return [x.split()[1] for x in p.many()]


def text(p, n):
    p.ask(f"RETR {n}")
    return "\n".join(p.many()) + "\n"


def closed():
    """Until no worker holds an account: files may be changed then."""
    wait_for("the workers to end", lambda: not workers())


def write(file, data):
    """In place, or as a new file with the old one's owner."""
    st = path(file.parent.stem).stat()
    file.write_bytes(data)
    if os.geteuid() == 0:
        os.chown(file, st.st_uid, st.st_gid)


def foreign():
    """A mailbox copied from another system."""
    write(path("old"), OLD + b"Subject: a\n\nfirst\n\n"
          b"From b@c Sat Nov 21 02:40 MET 2026\r\n"
          b"Subject: b\r\n\r\nsecond\r\n\r\n" +
          OLD + b"Subject: c\n\nFrom here on\n\nFrom there, no end")
    with opened("old") as p:
        uids = uidl(p)
        assert len(uids) == 3
        assert text(p, 1) == "Subject: a\n\nfirst\n"
        assert text(p, 2) == "Subject: b\n\nsecond\n"
        assert text(p, 3) == \
            "Subject: c\n\nFrom here on\n\nFrom there, no end\n"
    send("old", "Subject: d\r\n\r\nfourth\r\n")
    wait_for("the fourth", lambda: b"Subject: d" in
             path("old").read_bytes())
    closed()
    # What was read is marked; so its lines have become ours.
    found = read_mbox(path("old"))
    assert [f[0] for f, _ in found] == ["R", "R", "R", "-"], found
    path("old", "INBOX.mbox.idx").unlink()
    with opened("old") as p:
        assert uidl(p)[:3] == uids
        assert text(p, 3) == \
            "Subject: c\n\nFrom here on\n\nFrom there, no end\n"
        p.ask("DELE 2")
        p.ask("QUIT")
    with opened("old") as p:
        assert uidl(p)[:2] == [uids[0], uids[2]]


def others_append():
    """A local mailer writes to it while a session is open."""
    fill("ann", 3)
    with opened("ann") as p:
        before = uidl(p)
        with open(path("ann"), "ab") as f:
            f.write(OLD + b"Subject: by hand\n\nx\n\n")
        send("ann", "Subject: after\r\n\r\ny\r\n")
        wait_for("it", lambda: b"Subject: after" in
                 path("ann").read_bytes())
        assert uidl(p) == before
        with opened("ann") as q:
            now = uidl(q)
            assert now[:3] == before and len(now) == 5
            assert "by hand" in text(q, 4) and "after" in text(q, 5)
            assert [int(x) for x in now] == sorted(int(x) for x in now)


def index_lost():
    fill("ann", 5)
    with opened("ann") as p:
        text(p, 1)
        p.ask("DELE 2")
        p.ask("QUIT")
    with opened("ann") as p:
        uids = uidl(p)
    rng = random.Random(5)
    index = path("ann", "INBOX.mbox.idx")
    for way in range(5):
        closed()
        data = bytearray(index.read_bytes())
        if way == 0:
            index.unlink()
        elif way == 1:
            os.truncate(index, 100)
        elif way == 2:
            os.truncate(index, len(data) // 2)
        else:
            for _ in range(1 + way):
                i = rng.randrange(200) if way % 2 else \
                    16384 + rng.randrange(600)
                data[i] ^= 1 + rng.randrange(255)
            index.write_bytes(data)
        send("ann", f"Subject: way {way}\r\n\r\nx\r\n")
        wait_for("it", lambda: b"Subject: way %d" % way in
                 path("ann").read_bytes())
        with opened("ann") as p:
            now = uidl(p)
            assert now[:len(uids)] == uids, (way, uids, now)
            assert len(now) == len(uids) + 1, (way, uids, now)
            uids = now
    assert read_mbox(box("ann"))[0][0][0] == "R"


def torn():
    """An append that a kill cut: the tail is put aside, mail goes on."""
    fill("tom", 3)
    closed()
    # Delivery lets go of it, and marks it, when it is told to end.
    kill(processes("stored-delivery")[0])
    whole = path("tom").read_bytes()
    cut = len(whole) - 30
    os.truncate(path("tom"), cut)
    send("tom", "Subject: next\r\n\r\nx\r\n")
    wait_for("the next", lambda: b"Subject: next" in
             path("tom").read_bytes())
    found = [t for _, t in read_mbox(box("tom"))]
    assert len(found) == 3 and b"Subject: next" in found[2]
    aside = path("tom", "INBOX.mbox.torn").read_bytes()
    assert aside == whole[cut + 30 - len(aside) - 30:cut]
    with opened("tom") as p:
        assert len(uidl(p)) == 3


def compacted():
    """Many large ones deleted from the middle: the file becomes small when
    the worker rests, and what is left is what it was."""
    fill("max", 30, 80000)
    big = path("max").stat().st_size
    with opened("max") as p:
        uids = uidl(p)
        last = text(p, 30)
        for i in range(2, 30):
            p.ask(f"DELE {i}")
        p.ask("QUIT")
    with opened("max") as p:
        assert uidl(p) == [uids[0], uids[29]]
        assert text(p, 2) == last
    closed()
    assert path("max").stat().st_size < big // 10
    assert not path("max", "INBOX.mbox.new").exists()
    with opened("max") as p:
        assert uidl(p) == [uids[0], uids[29]]
        assert text(p, 2) == last
        p.ask("DELE 1")
        p.ask("DELE 2")
        p.ask("QUIT")
    assert path("max").stat().st_size == 0
    fill("max", 1)
    with opened("max") as p:
        assert int(uidl(p)[0]) > int(uids[29])


def killed_worker():
    """SIGKILL while flags and deletions are under way: each message is there
    or gone, whole, with the UID that it had."""
    rng = random.Random(3)
    fill("kim", 40)
    with opened("kim") as p:
        known = {u: text(p, i + 1) for i, u in enumerate(uidl(p))}
    for _ in range(15):
        with opened("kim") as p:
            uids = uidl(p)
            p.send("".join(f"RETR {i + 1}\r\n" for i in range(len(uids))) +
                   f"DELE {rng.randrange(len(uids)) + 1}\r\nQUIT\r\n")
            for _ in range(rng.randrange(400)):
                p.line()
            for w in workers():
                kill(w)
        with again("kim") as p:
            now = uidl(p)
            assert set(now) <= set(uids) and len(now) >= len(uids) - 1
            for i in rng.sample(range(len(now)), 5):
                assert text(p, i + 1) == known[now[i]]


def info_lost():
    """account.info rubbish: said in the log, UIDs go on."""
    with opened("ann") as p:
        uids = uidl(p)
    closed()
    path("ann", "account.info").write_bytes(b"{ rubbish")
    path("ann", "INBOX.mbox.idx").unlink()
    kill(processes("stored-delivery")[0])
    fill("ann", 1)
    with opened("ann") as p:
        now = uidl(p)
        assert now[:-1] == uids and int(now[-1]) > int(uids[-1])
    assert path("ann", "account.info.bad").exists()
    assert re.search(rb"UIDNext = \d+;",
                     path("ann", "account.info").read_bytes())


accounts("ann", "old", "tom", "max", "kim")
run([foreign, others_append, index_lost, torn, compacted, killed_worker,
     info_lost])
