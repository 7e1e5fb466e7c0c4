#!/usr/bin/env python3
# suite: own
"""Settings are changed all the time while their owners are killed: each file
is the old one or the new one, whole; what was answered with 200 is there, and
in force; nothing else is left behind."""
import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402
from marks import WHAT, prepare  # noqa: E402

ROUNDS = 3


class Changer(threading.Thread):
    """Sets a mark, one higher each time; knows what was asked and answered."""

    def __init__(self, s, what):
        super().__init__(daemon=True)
        self.s, self.what = s, what
        self.path = pathlib.Path(s.base, what.file)
        self.asked = self.done = what.begun = getattr(what, "begun", 0)
        self.end = threading.Event()
        self.start()

    def run(self):
        cli = None
        while not self.end.is_set():
            try:
                cli = cli or self.s.try_cli()
                if cli is None:
                    continue
                self.asked += 1
                if cli.send(self.what.command(self.asked))[:1] == "2":
                    self.done = self.asked
                else:           # tickets go with authd
                    cli = None
            except (AssertionError, OSError):
                cli = None

    def check(self):
        """The file has what was answered, or what was asked last."""
        done, text = self.done, self.path.read_text()
        assert text.startswith("{") and text.endswith("}\n"), text
        n = self.what.mark(text)
        assert done <= n <= self.asked, \
            f"{self.path}: {n} of {done} to {self.asked}"
        return n


def die(s, owner, rows):
    """All of its files are being written when it is killed."""
    changers = [Changer(s, w) for w in rows]
    wait_for("changes", lambda: all(c.done > c.what.begun + 5
                                    for c in changers))
    threading.Event().wait(random.random() / 50)
    pid = next(p for p, n in s.children().items() if n == owner)
    kill(pid)
    wait_for(f"{owner}'s end", lambda: pid not in s.children())
    done = [c.done for c in changers]
    for c in changers:
        c.check()
    wait_for("more", lambda: all(c.done > d + 3
                                 for c, d in zip(changers, done)))
    for c in changers:
        c.end.set()
    for c in changers:
        c.join()
        n = c.check()
        c.what.begun = c.asked
        cli = s.cli_again()
        assert c.what.mark(cli.ask(c.what.get)) == n
        cli.close()
        left = [p.name for p in c.path.parent.iterdir()
                if p.name.endswith(".new")]
        assert not left, left


def main():
    with Suite(accounts=["ann"]) as s:
        cli = s.cli()
        prepare(cli)
        cli.close()
        # (the supervisor waits longer each time)
        for owner, rows in WHAT:
            for i in range(ROUNDS):
                die(s, owner, rows)


main()
