#!/usr/bin/env python3
# suite: own
"""Each open, write, sync, rename, unlink and truncate of queued and stored
fails in turn, with each errno it may have: the client gets a 4xx or a 250
that holds, nothing is lost, nothing is there twice or half, and the daemon
lives."""
import errno
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "regress/tools"), str(pathlib.Path(__file__).parent)]
from cgtest import Suite, wait_for  # noqa: E402
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


def main():
    shim = Shim()
    fired = {}
    with Suite(accounts=["ann", "ben"], env=shim.env) as s:
        mailer = Mailer(s.smtp_port, {a: s.address(a) for a in s.accounts})
        before = {p for p, n in s.children().items() if n != "stored-worker"}
        for who in WHO:
            for op, err in CASES:
                for nth in NTH:
                    shim.arm(who, op, nth, err)
                    mailer.send_some(3)
                    if shim.fired(op):
                        fired[who, op] = fired.get((who, op), 0) + 1
                    shim.disarm()
        after = set(s.children())
        if not before <= after:
            raise AssertionError("a daemon died of a failed call")
        mailer.send_some(1)
        wait_for("the queue to be empty", lambda: not s.queue())
        verify(s, mailer)
        print(f"{len(mailer.answered)} answered of {len(mailer.tried)}, "
              f"{mailer.temporary} told to wait; calls failed: "
              + ", ".join(f"{w} {o} {n}" for (w, o), n in fired.items()))
        for must in [("queued", "open"), ("queued", "sync"),
                     ("queued", "rename"), ("stored-delivery", "write"),
                     ("stored-delivery", "sync")]:
            if must not in fired:
                raise AssertionError(f"the test never made {must} fail")


main()
