#!/usr/bin/env python3
# suite: own
"""SIGKILL at random moments, each daemon in turn and the whole suite at
once, while clients send: every message answered 250 is in its mailbox whole,
and none is there twice or in part.  CG_ROUNDS says how many rounds (200)."""
import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402
from mailer import Mailer, verify  # noqa: E402

ROUNDS = int(os.environ.get("CG_ROUNDS", "200"))
VICTIMS = ["queued", "stored-delivery", "smtpd", "routerd", "stored",
           "authd", "stored-worker", "logd", "pwdd", "pop3d", "imapd",
           "smtpd-send", "suite"]


class Rounds:
    def __init__(self, suite):
        self.suite = suite
        self.rng = random.Random(int(os.environ.get("CG_SEED", "7")))
        self.again = None       # a cgserver that this test started
        self.mailer = Mailer(suite.smtp_port,
                             {a: suite.address(a) for a in suite.accounts})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.again:
            self.again.terminate()
            self.again.wait()

    def victims(self, name):
        s = self.suite
        if name == "suite":
            return [s.server(), *s.children()]
        return s.victims(name)

    def round(self, name):
        senders = self.mailer.start(4, 4)
        time.sleep(self.rng.random() * 0.08)    # the moment is the test
        for pid in self.victims(name):
            kill(pid)
        if name == "suite":
            self.start_again()
        for t in senders:
            t.join()

    def start_again(self):
        s = self.suite
        if self.again:
            self.again.wait()
        ports = pathlib.Path(s.base, "Ports")
        ports.unlink(missing_ok=True)
        self.again = subprocess.Popen(
            [s.env["CG_SERVER"], "-f", s.env["CG_CONF"]],
            stdout=subprocess.DEVNULL)
        wait_for("the suite to start again",
                 lambda: ports.exists() or self.again.poll() is not None)
        if self.again.poll() is not None:
            raise AssertionError("the suite does not start again")

    def up(self):
        before = len(self.mailer.answered)
        self.mailer.send_some(1)
        return len(self.mailer.answered) > before


def main():
    with Suite(accounts=["ann", "ben", "cid"]) as s, Rounds(s) as r:
        for i in range(ROUNDS):
            r.round(VICTIMS[i % len(VICTIMS)])
        wait_for("the suite to take mail again", r.up)
        wait_for("the queue to be empty", lambda: not s.queue())
        seen = verify(s, r.mailer)
        m = r.mailer
        print(f"{ROUNDS} rounds: {len(m.tried)} tried, {len(m.answered)} "
              f"answered, {len(seen)} delivered, {m.temporary} told to wait")
        if len(m.answered) < ROUNDS:
            raise AssertionError("hardly anything was answered")


main()
