#!/usr/bin/env python3
# suite: own
"""SIGKILL at random moments while accounts are being read, so that workers
hold them and append to them: every message answered 250 is in its mailbox
whole, and none is there twice.  CG_ROUNDS says how many rounds (100)."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Suite  # noqa: E402
from mailer import storm, verify  # noqa: E402

NAMES = ["k1", "k2", "k3"]
ROUNDS = int(os.environ.get("CG_ROUNDS", "100"))
SEED = int(os.environ.get("CG_SEED", "3"))
VICTIMS = ["worker", "stored-worker", "stored", "stored-delivery", "queued"]


def main():
    with Suite(accounts=NAMES) as s:
        m, sessions = storm(s, NAMES, ROUNDS, SEED, lambda i: s.victims(
            VICTIMS[i % len(VICTIMS)]))
        seen = verify(s, m)
        print(f"{ROUNDS} rounds: {len(m.answered)} answered, {len(seen)} "
              f"delivered, {sessions} sessions")
        assert len(m.answered) >= ROUNDS and sessions > ROUNDS // 4


main()
