#!/usr/bin/env python3
# suite: own
"""SIGKILL at random moments while accounts are being read, so that workers
hold them and append to them: every message answered 250 is in its mailbox
whole, and none is there twice.  CG_ROUNDS says how many rounds (100)."""
import os
import pathlib
import poplib
import random
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "regress/tools"), str(pathlib.Path(__file__).parent)]
from cgtest import PASSWORD, Suite, descendants, kill, wait_for  # noqa: E402
from mailer import Mailer, verify  # noqa: E402

NAMES = ["k1", "k2", "k3"]
ROUNDS = int(os.environ.get("CG_ROUNDS", "100"))
SEED = int(os.environ.get("CG_SEED", "3"))
VICTIMS = ["worker", "template", "stored", "stored-delivery", "queued"]


class Readers:
    """Sessions that come and go, and read."""

    def __init__(self, suite):
        self.suite = suite
        self.over = False
        self.sessions = 0
        self.rng = random.Random(SEED)
        self.threads = [threading.Thread(target=self.read) for _ in range(2)]
        for t in self.threads:
            t.start()

    def read(self):
        while not self.over:
            try:
                p = poplib.POP3("127.0.0.1", self.suite.pop, timeout=60)
                p.user(self.rng.choice(NAMES))
                p.pass_(PASSWORD)
                for i in range(1, min(p.stat()[0], 5) + 1):
                    p.retr(i)
                p.quit()
                self.sessions += 1
            except (poplib.error_proto, OSError, EOFError):
                time.sleep(0.05)        # it was killed: not too fast

    def stop(self):
        self.over = True
        for t in self.threads:
            t.join()


def victims(suite, name):
    children = suite.children()
    if name not in ("worker", "template"):
        return [p for p, n in children.items() if n == name[:15]][:1]
    family = [p for p, n in children.items() if n == "stored-worker"]
    workers = [w for p in family for w in descendants(p)]
    if name == "worker":
        return workers[:2]
    return [p for p in family if p not in workers][:1]


def main():
    with Suite(accounts=NAMES) as s:
        rng = random.Random(SEED)
        m = Mailer(s.smtp_port, {n: s.address(n) for n in NAMES})
        readers = Readers(s)
        for i in range(ROUNDS):
            senders = m.start(3, 4)
            time.sleep(rng.random() * 0.08)     # the moment is the test
            for pid in victims(s, VICTIMS[i % len(VICTIMS)]):
                kill(pid)
            for t in senders:
                t.join()
        readers.stop()

        def up():
            before = len(m.answered)
            m.send_some(1)
            return len(m.answered) > before
        wait_for("the suite to take mail again", up)
        wait_for("the queue to be empty", lambda: not s.queue())
        seen = verify(s, m)
        print(f"{ROUNDS} rounds: {len(m.answered)} answered, {len(seen)} "
              f"delivered, {readers.sessions} sessions")
        assert len(m.answered) >= ROUNDS and readers.sessions > ROUNDS // 4


main()
