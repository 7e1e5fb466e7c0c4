#!/usr/bin/env python3
# suite: own
"""Each open, write, sync, rename, unlink and truncate of queued and stored
fails in turn, with each errno it may have: the client gets a 4xx or a 250
that holds, nothing is lost, nothing is there twice or half, and the daemon
lives."""
import errno
import pathlib
import poplib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from mailer import Mailer, verify  # noqa: E402
from shim import Shim  # noqa: E402

CASES = [(op, err) for op, errs in {
    "open": [errno.EMFILE, errno.EIO],
    "write": [errno.ENOSPC, errno.EIO],
    "sync": [errno.EIO, errno.ENOSPC],
    "rename": [errno.EIO, errno.ENOSPC],
    "unlink": [errno.EIO],
    "truncate": [errno.EIO],
}.items() for err in errs]
WHO = ["queued", "stored", "stored-delivery", "stored-worker"]
NTH = [1, 2, 3, 5]
MUST = [("queued", "open"), ("queued", "write"), ("queued", "sync"),
        ("queued", "rename"), ("queued", "truncate"),
        ("stored-delivery", "open"), ("stored-delivery", "write"),
        ("stored-delivery", "sync"), ("stored-worker", "write"),
        ("stored-worker", "sync"), ("stored-worker", "open")]


def pop_session(s, account):
    """Reads the first message, deletes it, quits; was that answered?"""
    try:
        p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
        p.user(account)
        p.pass_(PASSWORD)
        p.retr(1)
        p.dele(1)
        p.quit()
        return True
    except (poplib.error_proto, OSError):
        return False


class Faults:
    def __init__(self, suite, shim):
        self.s, self.shim = suite, shim
        self.fired = {}
        self.mailer = Mailer(suite.smtp_port,
                             {a: suite.address(a) for a in ("ann", "ben")})
        self.read = Mailer(suite.smtp_port, {"cid": suite.address("cid")})
        self.deleted = self.perhaps = 0

    def fresh_account(self):
        """Delivery keeps mailboxes open: it must open a new one's."""
        name = f"new{len(self.mailer.addresses)}"
        cli = self.s.cli()
        cli.ask(f'CreateAccount "{name}"')
        cli.close()
        self.mailer.addresses = {name: self.s.address(name),
                                 **self.mailer.addresses}

    def work(self, who, op):
        """What makes that process call the call, until it has failed."""
        if who == "stored-worker":
            if pop_session(self.s, "cid"):
                self.deleted += 1
            else:
                self.perhaps += 1
            return
        self.mailer.send_some(len(self.mailer.addresses) + 1)
        end = time.monotonic() + 5
        while time.monotonic() < end and not self.shim.fired(op) and \
                self.s.queue():
            time.sleep(0.01)    # no event tells of a delivery

    def case(self, who, op, err, nth):
        if (who, op) == ("stored-delivery", "open"):
            self.fresh_account()
        self.shim.arm(who, op, nth, err)
        self.work(who, op)
        if self.shim.fired(op):
            self.fired[who, op] = self.fired.get((who, op), 0) + 1
        self.shim.disarm()


def main():
    shim = Shim()
    with Suite(accounts=["ann", "ben", "cid"], env=shim.env) as s:
        f = Faults(s, shim)
        f.read.send_some(60)
        wait_for("the queue to be empty", lambda: not s.queue())
        before = {p for p, n in s.children().items() if n != "stored-worker"}
        for who in WHO:
            for op, err in CASES:
                for nth in NTH:
                    f.case(who, op, err, nth)
        if not before <= set(s.children()):
            raise AssertionError("a daemon died of a failed call")
        f.mailer.send_some(1)
        wait_for("the queue to be empty", lambda: not s.queue())
        verify(s, f.mailer)
        left = len(verify(s, f.read, answered={}))
        sent = len(f.read.answered)
        if not sent - f.deleted - f.perhaps <= left <= sent - f.deleted:
            raise AssertionError(f"{sent} sent, {f.deleted} deleted and "
                                 f"answered, {left} left")
        m = f.mailer
        print(f"{len(m.answered)} answered of {len(m.tried)}, {m.temporary} "
              f"told to wait; {f.deleted} deleted; calls failed: " +
              ", ".join(f"{w} {o} {n}" for (w, o), n in f.fired.items()))
        for must in MUST:
            if must not in f.fired:
                raise AssertionError(f"the test never made {must} fail")


main()
