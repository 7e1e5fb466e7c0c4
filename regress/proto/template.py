#!/usr/bin/env python3
"""What a new account begins with: mailboxes, subscription, aliases, greeting,
page, settings; a domain's template over the server's."""
import email
import imaplib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli  # noqa: E402

E = os.environ
BASE = pathlib.Path(E["CG_BASE"])


def login():
    c = Cli(E["CG_PWD"], E["CG_ADMIN_NAME"], E["CG_ADMIN_PASSWORD"])
    c.ask("INLINE")
    return c


def data(cli, command):
    answer = cli.ask(command)
    return answer[4:] if answer.startswith("201 ") else ""


def imap(name):
    m = imaplib.IMAP4("127.0.0.1", int(E["CG_IMAP"]), timeout=60)
    m.login(name, "pw")
    return m


def names(lines):
    return {x.decode().rsplit(" ", 1)[1].strip('"') for x in lines if x}


def defaults(cli):
    """Clients find where to put what was sent, and see it."""
    cli.ask("CreateAccount ann {Password=pw;}")
    m = imap("ann")
    box = {"INBOX", "Drafts", "Junk", "Sent", "Trash"}
    assert names(m.list()[1]) == box
    assert names(m.lsub()[1]) == box
    typ, lines = m.list('""', '* RETURN (SPECIAL-USE)')
    for use in ("Drafts", "Junk", "Sent", "Trash"):
        assert any(f"\\{use}" in x.decode() and use in x.decode().rsplit(
            " ", 1)[1] for x in lines), (use, lines)
    # Each is a mailbox like others, and empty.
    for b in sorted(box):
        assert m.select(b) == ("OK", [b"0"]), b
    typ, got = m.status("Sent", "(UIDNEXT UIDVALIDITY)")
    assert b"UIDNEXT 1 " in got[0], got
    m.append("Sent", r"(\Seen)", None, b"Subject: x\r\n\r\nx\r\n")
    assert m.select("Sent") == ("OK", [b"1"])
    m.delete("Junk")
    m.logout()
    assert "Junk" not in names(imap("ann").list()[1])
    # The first of all, too.
    assert (BASE / "Accounts/postmaster.macnt/Sent.mbox").exists()


TEMPLATE = (
    'InitialMailboxes=(Sent,"Sent Items","lists/info","a#b",INBOX,"\\"q\\"");'
    'InitialSubscription=("lists/info","~ann/public");'
    'InitialMailboxAliases={public="~ann/public";};'
    'InitialMessage="From: <postmaster>\\eSubject: Welcome\\e\\eHello\\e'
    'From here on\\e";'
    'InitialWebPage="<html>hi</html>";'
    'MaxAccountSize=7M;RealName=default;city=Bonn;Password=initial;')


def domain(cli):
    cli.ask("CreateDomain c.example")
    cli.ask(f"SetAccountTemplate c.example {{{TEMPLATE}}}")
    # Once it is answered, it counts.
    for n in range(50):
        cli.ask(f"UpdateAccountTemplate c.example {{number={n};}}")
        cli.ask(f"CreateAccount try{n}@c.example")
        text = data(cli, f"GetAccountSettings try{n}@c.example")
        assert f"number={n};" in text and "city=Bonn;" in text, (n, text)
    cli.ask("UpdateAccountTemplate c.example {number=default;}")
    cli.ask("CreateAccount bob@c.example {Password=pw;city=Ulm;}")
    assert data(cli, "GetAccountSettings bob@c.example") == \
        "{MaxAccountSize=7M;city=Ulm;}"
    Cli(E["CG_PWD"], f"try{n}@c.example", "initial").close()
    d = BASE / "Domains/c.example/bob.macnt"
    assert (d / "account.web/default.html").read_text() == "<html>hi</html>"
    m = imap("bob@c.example")
    got = names(m.list()[1])
    assert {"INBOX", "Sent", "Items", "lists/info"} <= got and \
        "Drafts" not in got, got
    assert names(m.lsub()[1]) == {"lists/info", "~ann/public"}
    assert m.select("INBOX") == ("OK", [b"1"])
    text = email.message_from_bytes(m.fetch("1", "(RFC822)")[1][0][1])
    assert text["Subject"] == "Welcome" and text["Date"], text
    assert text.get_payload() == "Hello\r\nFrom here on\r\n"
    m.logout()
    assert 'public="~ann/public"' in (d / "account.info").read_text().replace(
        " = ", "=")
    # One mailbox has no others, but it has the greeting.
    cli.ask("CreateAccount one@c.example TextMailbox {Password=pw;}")
    m = imap("one@c.example")
    assert m.select("INBOX") == ("OK", [b"1"])
    assert names(m.list()[1]) == {"INBOX"}
    m.logout()


def server(cli):
    """The server's, where the domain says nothing."""
    cli.ask("CreateDomain d.example")
    cli.ask('UpdateModule Template {InitialMailboxes=(Archive);'
            'InitialMessage="[iso-8859-1]Subject: Gr\u00fc\u00dfe\\e\\ex\\e";'
            'organization=Acme;}')
    cli.ask("CreateAccount try@d.example {Password=pw;}")
    assert "Acme" in data(cli, "GetAccountSettings try@d.example")
    d = BASE / "Domains/d.example/try.macnt"
    assert sorted(p.name for p in d.glob("*.mbox")) == \
        ["Archive.mbox", "INBOX.mbox"]
    text = (d / "INBOX.mbox").read_bytes()
    assert b"Subject: Gr\xfc\xdfe\n" in text and b"[iso" not in text, text
    cli.ask("CreateAccount eve@c.example {Password=pw;}")
    text = data(cli, "GetAccountSettings eve@c.example")
    assert "organization=Acme" in text and "city=Bonn" in text, text
    assert b"Welcome" in (BASE / "Domains/c.example/eve.macnt/INBOX.mbox"
                          ).read_bytes()
    cli.ask("UpdateModule Template {InitialMailboxes=default;"
            "InitialMessage=default;organization=default;}")


def main():
    cli = login()
    defaults(cli)
    domain(cli)
    server(cli)
    cli.close()


main()
