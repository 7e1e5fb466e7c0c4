#!/usr/bin/env python3
"""Accounts, aliases and domains change their names or go while their users are
logged in and mail for them comes: everyone is told, nothing is lost."""
import imaplib
import os
import pathlib
import poplib
import smtplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, read_mbox, wait_for  # noqa: E402

E = os.environ
DOMAIN = E["CG_DOMAIN"]
BASE = pathlib.Path(E["CG_BASE"])


def login(name=E["CG_ADMIN_NAME"], password=E["CG_ADMIN_PASSWORD"]):
    c = Cli(E["CG_PWD"], name, password)
    c.ask("INLINE")
    return c


def imap(name, idle=False):
    m = imaplib.IMAP4("127.0.0.1", int(E["CG_IMAP"]), timeout=60)
    m.login(name, "pw")
    m.select("INBOX")
    if idle:
        m.send(b"x1 IDLE\r\n")
        assert m.readline().startswith(b"+")
    return m


def pop(name):
    p = poplib.POP3("127.0.0.1", int(E["CG_POP"]), timeout=60)
    p.user(name)
    p.pass_("pw")
    return p


def bye(m, text):
    """The IMAP session ends with a BYE that says why."""
    lines = []
    while line := m.readline():
        lines.append(line)
    assert any(x.startswith(b"* BYE") and text.encode() in x
               for x in lines), lines
    m.shutdown()


def ended(p):
    """POP has no word for it but the next command's answer."""
    try:
        p.noop()
        p.noop()
    except (poplib.error_proto, OSError):
        p.close()
        return
    raise AssertionError("a POP session outlived its account")


class Mailer(threading.Thread):
    """Sends numbered messages until told to stop, or refused for good; says
    which were taken."""

    last = 0

    def __init__(self, *to):
        super().__init__(daemon=True)
        self.to, self.taken, self.refused = to, set(), set()
        self.end = threading.Event()
        self.start()

    def run(self):
        with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as s:
            while not self.end.is_set() and len(self.refused) < 5:
                n = Mailer.last = Mailer.last + 1
                try:
                    s.sendmail("", [self.to[n % len(self.to)]],
                               f"Subject: number {n}\r\n\r\n{n}\r\n")
                    self.taken.add(n)
                except smtplib.SMTPRecipientsRefused as e:
                    code = list(e.recipients.values())[0][0]
                    assert code in (450, 550), e
                    self.refused.add(n)
                    s.rset()

    def stop(self):
        self.end.set()
        self.join(60)


def numbers(path):
    """Of the messages there, each once."""
    found = []
    for _, text in read_mbox(path):
        for line in text.split(b"\n"):
            if line.startswith(b"Subject: number "):
                found.append(int(line.split()[-1]))
    assert len(found) == len(set(found)), "a message is there twice"
    return set(found)


def accounts(cli):
    cli.ask("CreateAccount ann {Password=pw;}")
    cli.ask("SetAccountAliases ann (anna,annie)")
    selected, waiting, mailbox = imap("ann"), imap("ann", True), pop("ann")
    own = login("ann", "pw")
    # Mail comes to all its names while it is renamed to and fro.
    m = Mailer(f"anna@{DOMAIN}", f"annie@{DOMAIN}")
    wait_for("mail", lambda: len(m.taken) > 20)
    cli.ask("RenameAccount ann INTO beth")
    bye(selected, "renamed")
    bye(waiting, "renamed")
    ended(mailbox)
    assert own.send("GetAccountSettings *")[:1] == "5"
    own.close()
    for a, b in (("beth", "cleo"), ("cleo", "dora"), ("dora", "ann"),
                 ("ann", "beth")):
        done = len(m.taken)
        wait_for("more mail", lambda: len(m.taken) > done + 10)
        cli.ask(f"RenameAccount {a} INTO {b}")
    assert sorted(cli.ask("GetAccountAliases beth")[5:-1].split(",")) == \
        ["anna", "annie"]
    done = len(m.taken)
    wait_for("more mail", lambda: len(m.taken) > done + 10)
    m.stop()
    box = BASE / "Accounts/beth.macnt/INBOX.mbox"
    wait_for("all of it", lambda: numbers(box) == m.taken)
    assert not m.refused, m.refused
    imap("anna").logout()
    try:
        imap("ann")
        raise AssertionError("the old name still opens it")
    except imaplib.IMAP4.error:
        pass


def other_domain(cli):
    cli.ask("CreateDomain c.example")
    session = imap("beth", True)
    cli.ask("RenameAccount beth INTO beth@c.example")
    bye(session, "renamed")
    assert imap("beth@c.example").search(None, "ALL")[0] != b""
    # Rights are a domain's: they do not move with it.
    cli.ask("CreateAccount op {Password=pw;}")
    cli.ask("SetAccountRights op (Monitors)")
    cli.ask("RenameAccount op INTO op@c.example")
    assert cli.ask("GetAccountRights op@c.example")[4:] == "()"
    cli.ask("RenameAccount op@c.example INTO op")
    assert cli.ask("GetAccountRights op")[4:] == "()"


def domain(cli):
    """Its new name, with everyone logged in."""
    session, mailbox = imap("beth@c.example", True), pop("beth@c.example")
    before = numbers(BASE / "Domains/c.example/beth.macnt/INBOX.mbox")
    m = Mailer("beth@c.example")
    wait_for("mail", lambda: len(m.taken) > 10)
    cli.ask("RenameDomain c.example INTO d.example")
    bye(session, "rename")
    ended(mailbox)
    wait_for("refusals", lambda: m.refused)
    m.stop()
    box = BASE / "Domains/d.example/beth.macnt/INBOX.mbox"
    queue = BASE / "Queue"
    wait_for("the queue to be empty",
             lambda: not list(queue.rglob("*.msg")))
    # What was queued for the old name went there, or back to its sender.
    assert numbers(box) >= before
    imap("beth@d.example").logout()


def removal(cli):
    cli.ask("CreateAccount tom {Password=pw;}")
    session, waiting, mailbox = imap("tom"), imap("tom", True), pop("tom")
    m = Mailer(f"tom@{DOMAIN}")
    wait_for("mail", lambda: len(m.taken) > 20)
    cli.ask("DeleteAccount tom")
    bye(session, "removed")
    bye(waiting, "removed")
    ended(mailbox)
    wait_for("refusals", lambda: m.refused)
    m.stop()
    wait_for("the queue to be empty",
             lambda: not list((BASE / "Queue").rglob("*.msg")))
    # The same name again is another account.
    cli.ask("CreateAccount tom {Password=pw;}")
    assert imap("tom").search(None, "ALL")[1] == [b""]
    assert cli.ask("GetAccountAliases tom")[4:] == "()"


def single(cli):
    """One mailbox, the same."""
    cli.ask("CreateAccount uma TextMailbox {Password=pw;}")
    cli.ask("SetAccountAliases uma (umi)")
    m = Mailer(f"umi@{DOMAIN}")
    for a, b in (("uma", "una"), ("una", "ute"), ("ute", "uma")):
        session = imap(a, True)
        done = len(m.taken)
        wait_for("more mail", lambda: len(m.taken) > done + 5)
        cli.ask(f"RenameAccount {a} INTO {b}")
        bye(session, "renamed")
    m.stop()
    wait_for("all of it", lambda: numbers(BASE / "Accounts/uma.mbox") ==
             m.taken)


def submission(cli):
    """Who is called otherwise now, or is gone, sends nothing by the session
    that he has, and hears why."""
    cli.ask("CreateAccount vic {Password=pw;}")
    name = "vic"
    for command in "RenameAccount vic INTO viv", "DeleteAccount viv":
        with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as c:
            c.login(name, "pw")
            cli.ask(command)
            name = "viv"
            try:
                c.sendmail(f"vic@{DOMAIN}", ["x@far.example"],
                           "Subject: x\r\n\r\nx\r\n")
                raise AssertionError("his session sends on")
            except smtplib.SMTPDataError as e:
                assert e.smtp_code == 452 and b"log in again" in e.smtp_error


def main():
    cli = login()
    for test in (accounts, other_domain, domain, removal, single, submission):
        begun = time.monotonic()
        test(cli)
        print(f"{test.__name__}: {time.monotonic() - begun:.1f} s",
              flush=True)
    cli.close()


main()
