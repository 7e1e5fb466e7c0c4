#!/usr/bin/env python3
# suite: own
"""Single-mailbox accounts (john.mbox): made, delivered to, read, compacted,
renamed, removed; killed at any moment; and their workers' walls."""
import os
import pathlib
import poplib
import random
import re
import smtplib
import stat
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PASSWORD, kill, wait_for  # noqa: E402
from onebox import (ROUNDS, OneBox, counted, has, make, pop,  # noqa: E402
                    send, survive, uids)
from probe import AT_FDCWD, HIDDEN, Probe, Room  # noqa: E402

ROOT = os.geteuid() == 0
DOMAIN = "client.example"


class Single(OneBox):
    def files(self, account):
        box = self.box(account)
        return sorted(p.name[len(box.stem):] for p in box.parent.iterdir()
                      if p.name.startswith(box.stem + "."))

    def closed(self):
        """Nobody has any of them: files are in their places again."""
        wait_for("the workers to end", lambda: not self.workers())
        # os.walk() bears a directory that goes meanwhile.
        wait_for("the files to come back", lambda: not any(
            d.endswith(".work") for _, dirs, _ in os.walk(self.base)
            for d in dirs))


def whole_life(s, name):
    make(s, name)
    box = s.box(name)
    assert s.files(name) == [".info", ".mbox", ".mbox.idx", ".settings"]
    assert stat.S_IMODE(box.stat().st_mode) == 0o600
    if ROOT:
        owner = {f: box.with_name(box.stem + f).stat().st_uid
                 for f in s.files(name)}
        assert owner[".settings"] != owner[".mbox"] == owner[".info"] == \
            owner[".mbox.idx"], owner
    for i in range(3):
        send(s, name, f"n{i}")
        has(s, name, i + 1)
    p = pop(s, name)
    assert p.stat()[0] == 3
    assert [b"Subject: n1" in p.retr(i)[1] for i in (1, 2, 3)] == \
        [False, True, False]
    before = uids(p)
    send(s, name, "n3")                 # the worker has it
    has(s, name, 4)
    p.dele(1)
    p.quit()
    has(s, name, 3)
    s.closed()
    assert s.files(name) == [".info", ".mbox", ".mbox.idx", ".settings"]
    p = pop(s, name)
    again = uids(p)
    assert again[:2] == before[1:], (before, again)
    p.quit()


def other_mailboxes(s):
    """There are none: a clear error, and a report."""
    p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
    p.user("Other#text")
    try:
        p.pass_(PASSWORD)
        raise AssertionError("a mailbox that cannot be")
    except poplib.error_proto as e:
        assert b"-ERR" in e.args[0], e
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail(s.address("post"), [f'"Other#text"@{s.domain}'],
                   "Subject: misdirected\r\n\r\nx\r\n")
    found = wait_for("a report", lambda: [
        t for _, t in s.mail("post") if b"misdirected" in t])
    assert b"no such mailbox" in found[0], found[0]


def compacted(s):
    s.closed()
    before = s.box("text").stat().st_ino
    for i in range(3):
        send(s, "text", f"big{i}", ("x" * 78 + "\r\n") * 13000)
    has(s, "text", 6)
    p = pop(s, "text")
    was = uids(p)
    p.dele(4)
    p.dele(5)
    p.quit()
    s.closed()
    now = s.box("text").stat()
    assert now.st_ino != before and now.st_nlink == 1, now
    assert now.st_size < 1200000, now.st_size
    p = pop(s, "text")
    assert uids(p) == was[:3] + was[5:]
    p.quit()
    send(s, "text", "after")
    has(s, "text", 5)


def renamed(s):
    p = pop(s, "text")
    was = uids(p)
    cli = s.cli()
    for old, new in (("text", "other"), ("other", f"other@{DOMAIN}"),
                     (f"other@{DOMAIN}", "text")):
        send(s, old, "on its way")
        cli.ask(f"RenameAccount {old} into {new}")
        assert s.files(old) == [], s.files(old)
        q = pop(s, new)
        assert uids(q)[:len(was)] == was
        q.quit()
    try:
        p.noop()
        p.noop()
        raise AssertionError("a session outlived the renaming")
    except (poplib.error_proto, OSError):
        p.close()
    assert cli.send("RenameAccount text into post").startswith("501")
    make(s, "gone")
    send(s, "gone", "x")
    q = pop(s, "gone")
    cli.ask("DeleteAccount gone")
    assert s.files("gone") == [], s.files("gone")
    make(s, "gone")
    q.close()
    q = pop(s, "gone")
    assert q.stat()[0] in (0, 1)        # one may still have been on its way
    q.quit()
    cli.ask("DeleteAccount gone")
    cli.ask(f"DeleteAccount bill@{DOMAIN}")
    cli.ask(f"DeleteDomain {DOMAIN}")
    assert not s.box(f"bill@{DOMAIN}").parent.exists()
    cli.close()


def not_made_by_mail(s):
    """Without its mailbox there is no account: mail waits."""
    make(s, "lost")
    s.closed()
    box = s.box("lost")
    kept = box.rename(box.with_name("kept"))
    send(s, "lost", "early")
    time.sleep(1)           # nothing must happen: no event tells of it
    assert not box.exists()
    kept.rename(box)
    has(s, "lost", 1)


# --- walls ---

def walls(s, probe):
    send(s, "ann", "for ann")
    send(s, "ben", "for ben")
    for name in ("ann", "ben"):
        has(s, name, 1)
    a = pop(s, "ann")
    mine, = wait_for("one worker", lambda: one(s.workers()))
    b = pop(s, "ben")
    assert (a.stat()[0], b.stat()[0]) == (1, 1)
    theirs = [w for w in s.workers() if w != mine][0]
    base = s.box("ben").parent
    before = look(base)
    l = probe.calls()
    for fd in range(64):
        l("fstat", fd, Room(256))
    assert probe.run(mine, l) is None
    at = 24 if os.uname().machine == "x86_64" else 16
    dirs = [fd for fd, r in enumerate(l.result) if r.ret == 0 and
            int.from_bytes(l.room[fd][at:at + 4], "little") >> 12 == 4]
    own = "/ann.mbox" if ROOT else str(base / "ann.work/ann.mbox")
    ways = [(AT_FDCWD, p) for f in (
        "ben.mbox", "ben.info", "ben.mbox.idx", "ben.work/ben.mbox",
        "ben.work/ben.info", "ben.settings", "ann.settings") for p in (
        str(base / f), "/" + f, "/Accounts/" + f, "/../" + f,
        f"/proc/{theirs}/root/{f}", f"/proc/{theirs}/cwd/{f}")]
    ways += [(fd, up + f) for fd in [AT_FDCWD, *dirs]
             for up in ("", "../", "../../Accounts/")
             for f in ("ben.mbox", "ben.work/ben.mbox", "ben.settings",
                       "ann.settings")]
    for i in range(0, len(ways), 40):
        l = probe.calls()
        for fd, p in ways[i:i + 40]:
            l("openat", fd, p, os.O_RDONLY)
            l("openat", fd, p, os.O_RDWR)
            l("openat2", fd, p, bytes(24), 24)
            l("linkat", fd, p, AT_FDCWD, own + "2", 0)
            l("renameat", fd, p, AT_FDCWD, own + "2")
            l("unlinkat", fd, p, 0)
            l("truncate", p, 0)
            l("fchmodat", fd, p, 0o666)
        assert probe.run(mine, l) is None
        for r in l.result:
            assert r.ret == -1 and r.err in HIDDEN, str(r)
    l = probe.calls()
    l("openat", AT_FDCWD, own, os.O_RDWR)
    # What it leaves behind goes with its directory.
    l("link", own, own + ".more")
    l("mkdir", own + ".d", 0o700)
    l("link", own, own + ".d/x")
    assert probe.run(mine, l) is None
    for r in l.result:
        assert r.ret >= 0, str(r)
    assert look(base) == before
    a.quit()
    b.quit()
    s.closed()
    assert s.box("ann").stat().st_nlink == 1
    send(s, "ann", "more")
    has(s, "ann", 2)


def look(base):
    """Names, and what there is to be known of others' files."""
    return [(p.name,) if p.name.startswith("ann.") else
            (p.name, p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_nlink,
             p.read_bytes() if p.is_file() else b"")
            for p in sorted(base.iterdir())]


def one(found):
    return found if len(found) == 1 else None


# --- kills ---

def killed(s):
    names = ["k1", "k2", "k3"]
    make(s, *names)
    survive(s, names, s.closed)


def churn_killed(s):
    """Whole at its old name or at its new one, or not there at all."""
    rng = random.Random(11)
    for i in range(ROUNDS // 3):
        name, new = f"c{i}", f"d{i}"
        if i % 3 != 2:
            make_surely(s, name)
            send(s, name, "kept")
            has(s, name, 1)
            uid = s.mail(name)[0][0].split("-")[1]
        t = threading.Timer(rng.random() * 0.06, lambda: [
            kill(p) for p in s.victims(rng.choice(["authd", "stored",
                                                    "stored-delivery"]))])
        t.start()
        answer = tried(s, [
            f"DeleteAccount {name}", f"RenameAccount {name} into {new}",
            f'CreateAccount {name} TextMailbox {{Password="{PASSWORD}";}}'
        ][i % 3])
        t.join()
        there = wait_for("a list", lambda: listed(s))
        found = [n for n in (name, new) if n in there]
        if answer[:1] == "2":
            assert found == [[], [new], [name]][i % 3], (answer, found)
        assert len(found) == 1 or i % 3 != 1, found
        for n in (name, new):
            if n in found:
                wait_for("a session", lambda: counted(s, n) == (i % 3 != 2))
                assert i % 3 == 2 or s.mail(n)[0][0].split("-")[1] == uid
            else:
                left = set(s.files(n)) - {".info", ".info.new",
                                          ".mbox.idx"}
                assert not left, (n, left)
        if found:
            assert ".settings" in s.files(found[0]), found
        elif i % 3 == 2:
            make_surely(s, name)
            wait_for("a session", lambda: counted(s, name) == 0)


def listed(s):
    try:
        cli = s.cli()
        cli.ask("INLINE")
        text = cli.ask("ListAccounts")
        cli.close()
    except (AssertionError, OSError):
        return None
    return set(re.findall(r"\b[cd]\d+\b", text)) | {"."}


def tried(s, command):
    try:
        cli = s.cli()
        answer = cli.send(command)
        cli.close()
        return answer
    except (AssertionError, OSError):
        return ""


def make_surely(s, name):
    wait_for("an account", lambda: tried(
        s, f'CreateAccount {name} TextMailbox {{Password="{PASSWORD}";}}')
        .startswith(("2", "501 Account with")))


def main():
    probe = Probe()
    with Single("TextMailbox", ".mbox", env=probe.env) as s:
        cli = s.cli()
        cli.ask(f"CreateDomain {DOMAIN}")
        cli.close()
        make(s, "post", "ann", "ben")
        for step, args in [
                (whole_life, ("text",)), (whole_life, (f"bill@{DOMAIN}",)),
                (other_mailboxes, ()), (compacted, ()), (renamed, ()),
                (not_made_by_mail, ()), (walls, (probe,)), (killed, ()),
                (churn_killed, ())]:
            print(step.__name__, flush=True)
            step(s, *args)


main()
