#!/usr/bin/env python3
# suite: own
"""Settings are changed all the time while their owners are killed: each file
is the old one or the new one, whole; what was answered with 200 is there, and
in force; nothing else is left behind."""
import pathlib
import random
import re
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402

ROUNDS = 4
FILL = "0123456789abcdef" * 200


def session(s):
    try:
        cli = s.cli()
        return cli if cli.send("INLINE")[:1] == "2" and \
            cli.send("ListDomains")[:1] == "2" else None
    except (AssertionError, OSError):
        return None


class Changer(threading.Thread):
    """Sets a mark, one higher each time; knows what was asked and answered."""

    def __init__(self, s, command):
        super().__init__(daemon=True)
        self.s, self.command = s, command
        self.asked = self.done = 0
        self.end = threading.Event()
        self.start()

    def run(self):
        cli = None
        while not self.end.is_set():
            try:
                cli = cli or session(self.s)
                if cli is None:
                    continue
                self.asked += 1
                if cli.send(self.command % self.asked)[:1] == "2":
                    self.done = self.asked
                else:           # tickets go with authd
                    cli = None
            except (AssertionError, OSError):
                cli = None


def mark(text):
    found = re.search(rf'TestMark *= *"(\d+) {FILL}', text)
    return int(found[1]) if found else 0


def check(c, path):
    """The file has what was answered, or what was asked last."""
    done, text = c.done, path.read_text()
    assert text.rstrip().startswith("{") and text.rstrip().endswith("}"), text
    n = mark(text)
    assert done <= n <= c.asked, f"{path}: {n} of {done} to {c.asked}"
    return n


WHAT = {
    "routerd": (
        ("UpdateModule SMTP", "Settings/SMTP.settings", "GetModule SMTP"),
        ("UpdateDomainSettings d.example",
         "Domains/d.example/Settings/Domain.settings",
         "GetDomainSettings d.example"),
        ("UpdateAccountTemplate d.example",
         "Domains/d.example/Settings/Template.settings",
         "GetAccountTemplate d.example")),
    "authd": (
        ("UpdateAccountSettings ann", "Accounts/ann.macnt/account.settings",
         "GetAccountSettings ann"),)
}


def die(s, owner, rows):
    """All of its files are being written when it is killed."""
    found = [(Changer(s, f'{change} {{TestMark="%d {FILL}";}}'),
              pathlib.Path(s.base, file), get) for change, file, get in rows]
    changers = [c for c, _, _ in found]
    wait_for("changes", lambda: all(c.done > 5 for c in changers))
    threading.Event().wait(random.random() / 50)
    pid = next(p for p, n in s.children().items() if n == owner)
    kill(pid)
    wait_for(f"{owner}'s end", lambda: pid not in s.children())
    done = [c.done for c in changers]
    for c, path, _ in found:
        check(c, path)
    wait_for("more", lambda: all(c.done > d + 3
                                 for c, d in zip(changers, done)))
    for c in changers:
        c.end.set()
    for c, path, get in found:
        c.join()
        n = check(c, path)
        cli = wait_for("a session", lambda: session(s))
        assert mark(cli.ask(get)) == n
        cli.close()
        left = [p.name for p in path.parent.iterdir()
                if p.name.endswith(".new")]
        assert not left, left


def main():
    with Suite(accounts=["ann"]) as s:
        cli = s.cli()
        cli.ask("CreateDomain d.example")
        cli.close()
        # (the supervisor waits longer each time)
        for owner, rows in WHAT.items():
            for i in range(ROUNDS):
                die(s, owner, rows)


main()
