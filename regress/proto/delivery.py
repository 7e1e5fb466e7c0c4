#!/usr/bin/env python3
# suite: own
"""Local delivery from queued to the mailbox: many at once, large ones, into
an account that is being read, into other mailboxes than INBOX, while the
account is renamed.  What kills do is in regress/crash/kill.py."""
import os
import pathlib
import poplib
import re
import signal
import smtplib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (MDIR, PASSWORD, PATIENCE, SINGLE,  # noqa: E402
                    Suite, kill, wait_for)

HUNG = 10

CONF = """settings Queue { RetryEvery = 1s; }
"""


class Sender:
    """Messages with serial numbers; remembers which were answered 250."""

    def __init__(self, suite):
        self.suite = suite
        self.lock = threading.Lock()
        self.serial = 0
        self.sent = {}

    def number(self):
        with self.lock:
            self.serial += 1
            return self.serial

    def send(self, account, count=1, size=100,
             sender="sender@far.example"):
        with smtplib.SMTP("127.0.0.1", self.suite.smtp_port(),
                          timeout=60) as s:
            for _ in range(count):
                n = self.number()
                body = f"Subject: n{n}n\r\n\r\n" + "x" * 60 + "\r\n"
                body += "0123456789\r\n" * (size // 12)
                s.sendmail(sender, [self.suite.address(account)], body)
                with self.lock:
                    self.sent.setdefault(account, []).append(n)

    def check(self, account, seconds=PATIENCE):
        want = sorted(self.sent.get(account, []))

        def all_there():
            try:
                return len(self.suite.mail(account)) >= len(want)
            except AssertionError:
                return False
        wait_for(f"{len(want)} messages for {account}", all_there, seconds)
        found = sorted(int(re.search(rb"Subject: n(\d+)n", text)[1])
                       for _, text in self.suite.mail(account))
        assert found == want, (account, set(want) ^ set(found))


def pop(s, account):
    p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
    p.user(account)
    p.pass_(PASSWORD)
    return p


def uids_ascend(s, account):
    uids = [int(f.split("-")[-2]) for f, _ in s.mail(account)]
    assert uids == sorted(set(uids)), uids


def together(s, m):
    threads = [threading.Thread(target=m.send, args=(f"a{i % 5}", 40))
               for i in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(5):
        m.check(f"a{i}")
        uids_ascend(s, f"a{i}")


def large(s, m):
    m.send("a0", 2, 3 << 20)
    m.send("a0", 2, 900 << 10)
    m.send("a0", 1)
    m.check("a0")
    text = [t for _, t in s.mail("a0")][-2]
    assert text.endswith(b"0123456789\n" * 1000)


def several_recipients(s, m):
    names = [f"a{i}" for i in range(5)]
    n = m.number()
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail("sender@far.example", [s.address(x) for x in names],
                   f"Subject: n{n}n\r\n\r\nto all\r\n")
    for x in names:
        m.sent[x].append(n)
        m.check(x)


def return_path(s, m):
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        for sender in ("", "o'hara+x@far.example"):
            n = m.number()
            c.sendmail(sender, [s.address("a1")],
                       f"Subject: n{n}n\r\n\r\n\r\nFrom a\r\n")
            m.sent["a1"].append(n)
    m.check("a1")
    first, second = [t for _, t in s.mail("a1")][-2:]
    assert first.startswith(b"Return-Path: <>\n")
    assert second.startswith(b"Return-Path: <o'hara+x@far.example>\n")
    if MDIR:
        assert second.endswith(b"\n\n\nFrom a\n"), second[-50:]
        return
    assert second.endswith(b"\n\n\n>From a\n"), second[-50:]
    data = s.box("a1").read_bytes()
    assert re.search(rb"^From <>\(------r-00000000-\d{10}-\d{12}\) "
                     rb"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n", data,
                     re.M)


def to_an_open_one(s, m):
    p = pop(s, "a2")
    before = len(p.list()[1])
    t = [threading.Thread(target=m.send, args=("a2", 30)) for _ in range(3)]
    for x in t:
        x.start()
    for x in t:
        x.join()
    m.check("a2")
    assert len(p.list()[1]) == before
    p.quit()
    p = pop(s, "a2")
    assert len(p.list()[1]) == before + 90
    p.quit()
    uids_ascend(s, "a2")


def hung(s, m):
    """Accounts whose workers hang keep nobody else from getting mail."""
    names = [f"h{i}" for i in range(HUNG)]
    sessions = [pop(s, x) for x in names]
    workers = s.workers()
    assert len(workers) >= HUNG, workers
    for p in workers:
        kill(p, signal.SIGSTOP)
    try:
        with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
            for _ in range(80):
                n = m.number()
                c.sendmail("sender@far.example", [s.address(x) for x in names],
                           f"Subject: n{n}n\r\n\r\nto those\r\n")
                for x in names:
                    m.sent.setdefault(x, []).append(n)
        m.send("a4", 20)
        m.check("a4", 20)
    finally:
        for p in workers:
            kill(p, signal.SIGCONT)
    for x, p in zip(names, sessions):
        m.check(x)
        p.quit()


def direct(s, m):
    """box#name: an existing mailbox takes it, another is refused."""
    box = s.box("a3").with_name("lists.mbox")
    box.touch()
    st = s.box("a3").stat()
    os.chown(box, st.st_uid, st.st_gid)
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail("ann@far.example", [f'"lists#a3"@{s.domain}'],
                   "Subject: direct\r\n\r\nx\r\n")
    wait_for("the mailbox lists", lambda: box.stat().st_size > 0)
    assert b"Subject: direct" in box.read_bytes()
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail(s.address("a4"), [f'"nothere#a3"@{s.domain}'],
                   "Subject: misdirected\r\n\r\nx\r\n")
    found = wait_for("a report of failure", lambda: [
        t for _, t in s.mail("a4") if b"misdirected" in t])
    assert b"no such mailbox" in found[0], found[0]
    assert b"5.1.1" in found[0]


def send_until_refused(s, m):
    try:
        m.send("old", 200, sender=s.address("a0"))
    except (smtplib.SMTPException, OSError):
        pass


def numbers(texts):
    return [int(re.search(rb"Subject: n(\d+)n", t)[1]) for t in texts]


def renamed(s, m):
    """While mail arrives: each message is in the account, once, or its sender
    hears that the old name is gone."""
    t = threading.Thread(target=send_until_refused, args=(s, m))
    t.start()
    wait_for("the first mail", lambda: m.sent.get("old"))
    cli = s.cli()
    cli.ask("RenameAccount old into new")
    t.join()
    wait_for("the queue to be empty", lambda: not s.queue())
    reports = numbers(x for _, x in s.mail("a0")
                      if b"multipart/report" in x)
    cli.ask("RenameAccount new into old")
    cli.close()
    found = numbers(x for _, x in s.mail("old"))
    assert len(found) == len(set(found))
    missing = set(m.sent["old"]) - set(found) - set(reports)
    assert not missing, missing
    p = pop(s, "old")
    assert len(p.list()[1]) == len(found)
    p.quit()


with Suite([*(f"a{i}" for i in range(5)), "old",
            *(f"h{i}" for i in range(HUNG))], CONF) as suite:
    mail = Sender(suite)
    for test in (together, large, several_recipients, return_path,
                 to_an_open_one, hung, direct, renamed):
        if SINGLE and test is direct:   # there is nowhere to direct it to
            continue
        test(suite, mail)
        print(test.__name__)
