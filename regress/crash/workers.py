#!/usr/bin/env python3
# suite: own
"""SIGKILL at random moments while accounts are being read, so that workers
hold them and append to them: every message answered 250 is in its mailbox
whole, and none is there twice.  CG_ROUNDS says how many rounds (100)."""
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "regress/tools"), str(pathlib.Path(__file__).parent)]
from cgtest import Suite, descendants  # noqa: E402
from mailer import storm, verify  # noqa: E402

NAMES = ["k1", "k2", "k3"]
ROUNDS = int(os.environ.get("CG_ROUNDS", "100"))
SEED = int(os.environ.get("CG_SEED", "3"))
VICTIMS = ["worker", "template", "stored", "stored-delivery", "queued"]


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
        m, sessions = storm(s, NAMES, ROUNDS, SEED, lambda i: victims(
            s, VICTIMS[i % len(VICTIMS)]))
        seen = verify(s, m)
        print(f"{ROUNDS} rounds: {len(m.answered)} answered, {len(seen)} "
              f"delivered, {sessions} sessions")
        assert len(m.answered) >= ROUNDS and sessions > ROUNDS // 4


main()
