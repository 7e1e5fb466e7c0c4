#!/usr/bin/env python3
# suite: own
"""Loss of power while settings are changed: every change of a file is
recorded; after each answer of 200 the disk that has only what was synced must
have what was answered, whole, and of other files what they had.  Accounts and
domains that are made, renamed and removed are so on that disk, too, with their
aliases, rights and memberships."""
import os
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "regress/tools"))
from cgtest import Suite  # noqa: E402
from marks import WHAT, prepare  # noqa: E402
from shim import Disk, Shim  # noqa: E402

ROUNDS = 5


class There:
    """Not a mark: a command after which one path is there and another not,
    and files have words that they had not, or have them no more."""

    def __init__(self, command, there=None, gone=None, words=None, no=None):
        self.text, self.there, self.gone = command, there, gone
        self.words, self.no = words or {}, no or {}

    def command(self, n):
        return self.text.replace("%d", str(n))

    def check(self, disk, n):
        if self.there:
            assert find(disk, self.there.replace("%d", str(n))), \
                f"{self.command(n)}: not on the disk"
        if self.gone:
            assert find(disk, self.gone.replace("%d", str(n))) is None, \
                f"{self.command(n)}: still on the disk"
        for words, wanted in (self.words, True), (self.no, False):
            for file, word in words.items():
                node = find(disk, file.replace("%d", str(n)))
                text = node.data.decode() if node else ""
                word = word.replace("%d", str(n))
                assert bool(re.search(rf"\b{word}\b", text)) == wanted, \
                    f"{self.command(n)}: {word} in {file}: {text}"


ALIASES = "Accounts/Settings/Aliases.data"
GROUP = "Accounts/Settings/Groups/k%d.settings"
ACCESS = "Accounts/Settings/Access.settings"
MAKING = [
    There("CreateAccount n%d", "Accounts/n%d.macnt/account.settings"),
    There("SetAccountAliases n%d (i%d)", words={ALIASES: "i%d = n%d"}),
    There("CreateGroup k%d {Members=(n%d);}", words={GROUP: "n%d"}),
    There("SetAccountRights n%d (BasicSettings)", words={ACCESS: "n%d"}),
    There("RenameAccount n%d INTO m%d", "Accounts/m%d.macnt/account.settings",
          "Accounts/n%d.macnt",
          {ALIASES: "i%d = m%d", GROUP: "m%d", ACCESS: "m%d"},
          {ACCESS: "n%d"}),
    There("DeleteAccount m%d", None, "Accounts/m%d.macnt",
          no={ALIASES: "i%d", GROUP: "m%d", ACCESS: "m%d"}),
    There("CreateAccount s%d TextMailbox", "Accounts/s%d.settings"),
    There("CreateDomain d%d.example",
          "Domains/d%d.example/Settings/Domain.settings"),
    There("CreateAccount a@d%d.example",
          "Domains/d%d.example/a.macnt/account.settings"),
    There("RenameDomain d%d.example INTO e%d.example",
          "Domains/e%d.example/a.macnt/account.settings",
          "Domains/d%d.example"),
    There("DeleteDomain e%d.example FORCE", None, "Domains/e%d.example"),
]


def find(disk, path):
    node = disk.root
    for name in path.split("/"):
        node = node.names.get(name) if node.is_dir else None
        if node is None:
            return None
    return node


def record(shim):
    """(the disk before, where the record begins, [(position, what, n)])"""
    answers = []
    with Suite(accounts=["ann"], env=shim.env) as s:
        cli = s.cli()
        cli.ask("INLINE")
        prepare(cli)
        os.sync()
        disk, start = Disk(s.base), shim.position()
        shim.record()
        for n in range(1, ROUNDS + 1):
            for what in [w for _, rows in WHAT for w in rows] + MAKING:
                cli.ask(what.command(n))
                answers.append((shim.position(), what, n))
        shim.record(False)
        cli.close()
    return disk, start, answers


def check_marks(disk, marks):
    """Each file has what was answered last, or what was asked after it."""
    for what, n in marks.items():
        node = find(disk, what.file)
        text = node.data.decode() if node else ""
        assert text.startswith("{") and text.endswith("}\n"), \
            f"{what.file} is in pieces: {text!r}"
        assert what.mark(text) == n, \
            f"{what.file}: {what.mark(text)}, answered was {n}"


def main():
    shim = Shim(256 << 20)
    disk, at, answers = record(shim)
    marks = {}
    for end, what, n in answers:
        for event, body in shim.events(at, end):
            disk.play(event, body)
        at = end
        if isinstance(what, There):
            what.check(disk, n)
        else:
            marks[what] = n
        check_marks(disk, marks)
    print(f"{len(answers)} answers: all on the disk")


main()
