#!/usr/bin/env python3
# suite: own
"""INBOXes that lie elsewhere (manual 18, 35): files in a directory that the
mailers of the system read and write, too.  Who may have accounts with such an
INBOX, what is refused in its place, and that mail comes and goes there by
all ways at once, under either kind of lock, with nothing lost."""
import contextlib
import fcntl
import imaplib
import mailbox
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from poplib import POP3
from smtplib import SMTP

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Cli, Suite, kill, wait_for  # noqa: E402

ROOT = os.geteuid() == 0
# Files are users' of the system: these are everywhere (Debian's base-passwd).
USERS = ["games", "news", "irc", "list", "backup", "uucp", "man", "lp",
         "proxy", "www-data", "daemon"]
LOCKS = {"FileLevel": fcntl.flock, "RangeLevel": fcntl.lockf}


def make_spool():
    """As /var/mail is: everybody's group may make files."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="cg-spool-"))
    if ROOT:
        os.chown(d, 0, pwd.getpwnam("mail").pw_gid)
    d.chmod(0o2775)
    return d


class World:
    def __init__(self, suite, spool, other):
        self.s, self.spool, self.other = suite, spool, other
        self.cli = suite.cli()

    def refused(self, line, *words, cli=None):
        answer = (cli or self.cli).send(line)
        assert answer[:3] in ("500", "501"), f"{line}: {answer}"
        for w in words:
            assert w in answer, f"{line}: no '{w}' in: {answer}"

    def create(self, name, more=""):
        self.cli.ask(f'CreateAccount {name} external '
                     f'{{Password="{PASSWORD}";{more}}}')
        return self.spool / name.split("@")[0]

    def send(self, name, subject, text="text"):
        with SMTP("127.0.0.1", self.s.smtp_port(), timeout=60) as c:
            c.sendmail("", [name if "@" in name else self.s.address(name)],
                       f"Subject: {subject}\r\n\r\n{text}\r\n")

    def imap(self, name, select=True):
        c = imaplib.IMAP4("127.0.0.1", self.port("IMAP"))
        c.login(name, PASSWORD)
        if select:
            ok(c.select())
        return c

    def pop(self, name):
        c = POP3("127.0.0.1", self.port("POP"), timeout=60)
        c.user(name)
        c.pass_(PASSWORD)
        return c

    def port(self, module):
        return {"IMAP": self.s.imap, "POP": self.s.pop}[module]


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def subjects(path):
    """What Python's reader of mailboxes sees, which knows nothing of us."""
    box = mailbox.mbox(path, create=False)
    try:
        return [m["Subject"] for m in box]
    finally:
        box.close()


def has(path, *wanted):
    wait_for(f"{wanted} in {path}", lambda: subjects(path) == list(wanted))


@contextlib.contextmanager
def locked(path, how="FileLevel"):
    """As a mailer of the system does it."""
    with open(path, "r+b") as f:
        LOCKS[how](f, fcntl.LOCK_EX)
        yield f
        f.flush()
        os.fsync(f.fileno())


def foreign(path, subject, how="FileLevel"):
    """Mail that another program delivers, the plain old way."""
    with locked(path, how) as f:
        f.seek(0, 2)
        f.write(b"From someone@far.example Sat Nov 21 10:20:30 2026\n"
                b"From: someone@far.example\nSubject: " + subject.encode() +
                b"\n\nfrom outside\n\n")


# --- who may, and what is refused ---

def settings(w):
    """The domain's settings, and who may change them."""
    cli, d = w.cli, w.s.domain
    w.refused("CreateAccount games external", "ExternalLocation")
    for bad in ("relative/*", f"{w.spool}/", f"{w.spool}/x", f"{w.spool}/*/x",
                f"{w.spool}/**", f"{w.spool}/../*", f"{w.spool}/.*"):
        w.refused(f'UpdateDomainSettings {d} {{ExternalLocation="{bad}";}}',
                  "ExternalLocation")
    w.refused(f"UpdateDomainSettings {d} {{ExternalLockType=None;}}",
              "ExternalLockType")
    cli.ask(f'UpdateDomainSettings {d} {{ExternalLocation="{w.other}/*";}}')
    w.refused("CreateAccount games external", "external-inboxes")
    cli.ask(f'UpdateDomainSettings {d} {{ExternalLocation="{w.spool}/*";}}')
    for kind in "TextMailbox", "MailDirMailbox":
        w.refused(f"CreateAccount games {kind} external", "MultiMailbox")
    assert not list(w.other.iterdir()), "a file outside of the list"
    assert not list(w.spool.iterdir()), "a file for no account"


def in_its_place(w):
    """What is not the plain file of its user is neither opened nor changed."""
    outside = w.other / "secret"
    outside.write_text("a secret\n")
    me = (lambda p: os.chown(p, pwd.getpwnam("games").pw_uid, -1)) if ROOT \
        else (lambda p: None)
    me(outside)
    place = w.spool / "games"
    kinds = {
        "symbolic link": lambda: place.symlink_to(outside),
        "several names": lambda: os.link(outside, place),
        "directory": lambda: place.mkdir(),
        "no plain file": lambda: os.mkfifo(place),
    }
    if ROOT:
        kinds["root owns"] = lambda: place.write_text("root's\n")
        kinds["another user"] = lambda: (
            place.write_text("x\n"),
            os.chown(place, pwd.getpwnam("news").pw_uid, -1))
    for what, plant in kinds.items():
        plant()
        before = os.lstat(place)
        w.refused("CreateAccount games external", what, str(place))
        after = os.lstat(place)
        assert (before.st_ino, before.st_mode, before.st_uid,
                before.st_mtime_ns) == (after.st_ino, after.st_mode,
                                        after.st_uid, after.st_mtime_ns), what
        place.rmdir() if place.is_dir() else place.unlink()
    w.refused("GetAccountSettings games")
    if ROOT:
        w.refused("CreateAccount root external", "root's")
        w.refused("CreateAccount nosuchuserhere external", "no user")
    assert outside.read_text() == "a secret\n"
    assert not list(w.spool.iterdir()), list(w.spool.iterdir())
    outside.unlink()


def administrators(w):
    """A domain's administrator makes no account that reads any user's mail."""
    d, cli = w.s.domain, w.cli
    cli.ask("CreateDomain sub.example")
    cli.ask(f'UpdateDomainSettings sub.example '
            f'{{ExternalLocation="{w.spool}/*";}}')
    cli.ask(f'CreateAccount boss@sub.example {{Password="{PASSWORD}";'
            'ExternalINBOX=NO;}')
    cli.ask("SetAccountRights boss@sub.example (BasicSettings,"
            "CanCreateAccounts,CanCreateSpecialAccounts,DefaultMailboxType)")
    boss = Cli(w.s.env["CG_PWD"], "boss@sub.example", PASSWORD)
    w.refused("CreateAccount list external", "right", cli=boss)
    boss.ask("CreateAccount list {ExternalINBOX=YES;}")
    cli.ask("INLINE")
    assert "ExternalINBOX" not in cli.ask(
        "GetAccountSettings list@sub.example")
    boss.ask("DeleteAccount list")
    boss.send('UpdateDomainSettings sub.example '
              f'{{ExternalLocation="{w.other}/*";ExternalLockType=RangeLevel;'
              '}')
    said = cli.ask("GetDomainSettings sub.example")
    assert str(w.other) not in said and "RangeLevel" not in said, said
    boss.send("UpdateAccountDefaults sub.example {ExternalINBOX=YES;}")
    boss.send("UpdateAccountTemplate sub.example {ExternalINBOX=YES;}")
    boss.ask("CreateAccount list")
    assert "ExternalINBOX" not in cli.ask(
        "GetAccountSettings list@sub.example")
    # Where it is a default of his masters', he makes none at all.
    cli.ask("UpdateAccountDefaults sub.example {ExternalINBOX=YES;}")
    w.refused("CreateAccount irc", "right", cli=boss)
    w.refused('ImportAccounts * DATA "Name\\eirc"', "right", cli=boss)
    cli.ask("UpdateAccountDefaults sub.example {ExternalINBOX=default;}")
    w.refused('ImportAccounts * external DATA "Name\\eirc"', "right",
              cli=boss)
    cli.ask("DeleteAccount list@sub.example")
    assert not list(w.spool.iterdir()), list(w.spool.iterdir())
    return boss


def run(w):
    settings(w)
    in_its_place(w)
    boss = administrators(w)
    boss.close()
    w.cli.close()


def main():
    spool, other = make_spool(), pathlib.Path(
        tempfile.mkdtemp(prefix="cg-outside-"))
    conf = f"external-inboxes {spool}\n"
    try:
        with Suite(conf=conf) as s:
            run(World(s, spool, other))
    finally:
        shutil.rmtree(spool)
        shutil.rmtree(other)


main()
