#!/usr/bin/env python3
# suite: own
"""Who logs how much: sessions by their module's level wherever they are served,
results of deliveries by the Dequeuer's, accounts and mailboxes by their
domain's; and all of it with --LogAll."""
import imaplib
import os
import pathlib
import poplib
import signal
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402


def imap(s, name):
    """A session, from its login to its end."""
    with imaplib.IMAP4("127.0.0.1", s.imap, 60) as i:
        i.login(name, PASSWORD)
        i.select()


def pop(s, name):
    p = poplib.POP3("127.0.0.1", s.pop, 60)
    p.user(name)
    p.pass_(PASSWORD)
    p.quit()


def lines(s, text):
    return [x for x in s.log().splitlines() if text in x]


def logged(s, text):
    return wait_for(f"in the log: {text}", lambda: lines(s, text))


def rest(s):
    """Workers have what was in force when they began."""
    wait_for("workers' end", lambda: list(s.children().values()).count(
        "stored-worker") <= 1)


def modules(s, cli):
    cli.ask("UpdateModule POP {LogLevel=1;}")
    cli.ask("UpdateModule IMAP {LogLevel=5;}")
    rest(s)
    imap(s, "ann")
    logged(s, "ann@test.example: session ends")
    assert any(" inp: " in x and "SELECT" in x for x in lines(s, " IMAP-"))
    pop(s, "ann")
    cli.ask("UpdateModule POP {LogLevel=5;}")
    cli.ask("UpdateModule IMAP {LogLevel=1;}")
    rest(s)
    imap(s, "bob")
    pop(s, "bob")
    logged(s, "bob@test.example: 0 message(s)")
    got = [x for x in lines(s, " POP-") if "ann" in x]
    assert not got, got
    assert not [x for x in lines(s, " IMAP-") if "bob" in x]
    # A session that is open already goes by the new one, too.
    with imaplib.IMAP4("127.0.0.1", s.imap, 60) as i:
        i.login("bob", PASSWORD)
        cli.ask("UpdateModule IMAP {LogLevel=5;}")
        wait_for("its commands", lambda: i.noop() and any(
            " inp: " in x for x in lines(s, " IMAP-000003")))
        cli.ask("UpdateModule POP {MaxErrors=2;}")
        p = poplib.POP3("127.0.0.1", s.pop, 60)
        p.user("bob")
        p.pass_(PASSWORD)
        p.sock.sendall(b"NONSENSE\r\n" * 5)
        assert sum(1 for _ in p.file) <= 3, "MaxErrors is the old one"
        p.close()
    cli.ask("UpdateModule POP {MaxErrors=default;}")
    for m in "POP", "IMAP":
        cli.ask(f"UpdateModule {m} {{LogLevel=default;}}")


def dequeuer(s, cli):
    def send(name):
        with smtplib.SMTP("127.0.0.1", s.smtp) as c:
            c.sendmail("", [s.address(name)], "Subject: x\n\nx\n")
        wait_for("it", lambda: not s.queue() and s.mail(name))

    cli.ask("UpdateModule Queue {DequeuerLogLevel=1;LogLevel=2;}")
    send("ann")
    logged(s, "enqueued")
    cli.ask("UpdateModule Queue {DequeuerLogLevel=2;LogLevel=1;}")
    send("bob")
    logged(s, "LOCAL(bob)")
    assert not lines(s, "LOCAL(ann)")
    assert len(lines(s, "enqueued")) == 1
    cli.ask("UpdateModule Queue {DequeuerLogLevel=default;LogLevel=default;}")


def domains(s, cli):
    """A domain's own level, the one of all domains, the table's."""
    cli.ask("UpdateDomainDefaults {AccountsLogLevel=4;}")
    for name, more in ("loud", "MailboxesLogLevel=4;"), \
            ("quiet", "AccountsLogLevel=1;MailboxesLogLevel=1;"):
        cli.ask(f"CreateDomain {name}.example {{{more}}}")
        cli.ask(f'CreateAccount a@{name}.example {{Password="x";}}')
        cli.ask(f'SetAccountPassword a@{name}.example TO "{PASSWORD}"')
        with imaplib.IMAP4("127.0.0.1", s.imap, 60) as i:
            i.login(f"a@{name}.example", PASSWORD)
            i.create("box")
            i.rename("box", "bag")
            i.delete("bag")
            for _ in range(2):
                i.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        rest(s)
        # What somebody else did to its file is told.
        path = pathlib.Path(s.base, "Domains", f"{name}.example",
                            "a.macnt/INBOX.mbox")
        os.truncate(path, path.stat().st_size // 2)
        imap(s, f"a@{name}.example")
        rest(s)
        cli.ask(f"RenameAccount a@{name}.example INTO b@{name}.example")
        cli.ask(f"DeleteAccount b@{name}.example")
    tag = " ACCOUNT(a@loud.example) "
    for text in ("created (Domains/loud.example/a.macnt)",
                 "password changed by postmaster@test.example",
                 "opened", "closed", "mailbox box created",
                 "mailbox box renamed into bag", "mailbox bag removed",
                 "renamed into b@loud.example by postmaster@test.example"):
        logged(s, tag + text)
    logged(s, " ACCOUNT(b@loud.example) removed by")
    tag = " MAILBOX(a@loud.example) INBOX"
    logged(s, tag + ".mbox: index made anew")
    assert not lines(s, "@quiet.example) "), lines(s, "@quiet.example) ")
    assert "LOG refused" not in s.log()
    cli.ask("UpdateDomainDefaults {AccountsLogLevel=default;}")


def supervisor(s, cli):
    text = "read key and certificate again"

    def again():
        os.kill(s.server(), signal.SIGHUP)
        cli.ask("Status")       # it answers in order

    seen = len(lines(s, text))
    cli.ask("UpdateModule Main {LogLevel=1;}")
    again()
    cli.ask("UpdateModule Main {LogLevel=default;}")
    again()
    logged(s, text)
    wait_for("one of them", lambda: len(lines(s, text)) > seen)
    assert len(lines(s, text)) == seen + 1


def main():
    with Suite(accounts=["ann", "bob"]) as s:
        cli = s.cli()
        cli.ask("INLINE")
        for test in (modules, dequeuer, domains, supervisor):
            test(s, cli)
        cli.close()


main()
