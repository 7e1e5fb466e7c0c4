#!/usr/bin/env python3
# suite: own
"""SIGKILL at random moments of whoever has a hand in sending, while hundreds
of messages go to Postfix' smtp-sink: each that was answered 250 gets there,
whole; twice only what was in flight at a kill.  CG_ROUNDS: how many (24)."""
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402
from mailer import Mailer, check  # noqa: E402
from smtpsink import SmtpSink  # noqa: E402

ROUNDS = int(os.environ.get("CG_ROUNDS", "24"))
VICTIMS = ["smtpd-send", "queued", "smtpd", "smtpd-send", "queued", "routerd"]
CHANNELS = 10                   # to a host
CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; }
settings SMTP { AddChannelAfter = 1s; }
"""


def one(s, name, rng):
    """One of that name, at a moment that is the test."""
    found = wait_for(name, lambda: [
        p for p, n in s.children().items() if n == name[:15]])
    time.sleep(rng.random() * 0.3)
    kill(rng.choice(found))


def main():
    rng = random.Random(int(os.environ.get("CG_SEED", "11")))
    with tempfile.TemporaryDirectory(prefix="cg-sink-") as top:
        os.chmod(top, 0o755)
        with Suite(conf=CONF) as s, SmtpSink(top) as k:
            cli = s.cli()
            cli.ask('SetRouterTable "Relay:out.example = out.example@'
                    f'127.0.0.1.{k.port}.smtp\\e"')
            cli.close()
            m = Mailer(s.smtp_port, {"x": "x@out.example"})
            over = threading.Event()

            def send():
                while not over.is_set():
                    m.send_some(5)
                    time.sleep(0.02)
            senders = [threading.Thread(target=send) for _ in range(3)]
            for t in senders:
                t.start()
            for i in range(ROUNDS):
                one(s, VICTIMS[i % len(VICTIMS)], rng)
            over.set()
            for t in senders:
                t.join()
            wait_for("the queue to be empty", lambda: not s.queue(), 300)
            got = [check(text) for _, text in k.mails()]
        lost = set(m.answered) - set(got)
        assert not lost, f"answered 250 and lost: {sorted(lost)}"
        assert set(got) <= set(m.tried), "nobody sent that"
        twice = len(got) - len(set(got))
        print(f"{ROUNDS} kills: {len(m.answered)} answered, {len(got)} at "
              f"the other host, {twice} of them again")
        assert twice <= ROUNDS * CHANNELS, twice
        assert len(m.answered) >= 2 * ROUNDS, \
            "hardly anything was answered"


main()
