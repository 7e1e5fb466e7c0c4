#!/usr/bin/env python3
"""A unified domain-wide account (manual 19, 30, 36): one account keeps what
comes for a whole domain and tells whom it was for; who logs in by one of these
names sees his own messages alone.  And logins to a mailbox by a record."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (PASSWORD, Pop, Smtp, accounts, administrator,  # noqa: E402
                  messages, run, wait_for)

TEXT = "Subject: %s\r\nX-Other: xyz\r\n\r\nX-Real-To: nobody\r\n.\r\n"


def uidl(name):
    with Pop() as p:
        p.login(name, PASSWORD)
        p.ask("UIDL")
        lines = p.many()
        p.ask("QUIT")
    return [line.split()[1] for line in lines]


def unified():
    """The manual's four sessions."""
    for name in ("abcdef", "xyz"):
        with Smtp() as s:
            s.begin(name + "@client1.example")
            s.text(TEXT % name)
        found = messages("cl1", 1 if name == "abcdef" else 2)
    found = sorted(found)
    assert b"X-Real-To: abcdef\n" in b"".join(found)
    assert b"X-Real-To: xyz\n" in b"".join(found)
    every = uidl("Cl1")
    assert len(every) == 2, every
    mine = uidl("abcdef@client1.example")
    other = uidl("XYZ%client1.example")
    assert [mine, other] == [every[:1], every[1:]], (mine, other, every)
    assert uidl("blahblah@client1.example") == []
    with Pop() as p:
        p.login("xyz@client1.example")
        p.ask("RETR 1")
        assert any("xyz" in line for line in p.many())
        p.fails("RETR 2")
        p.ask("DELE 1")
        p.ask("QUIT")
    assert uidl("cl1") == every[:1]


def box():
    """<sales> = sales#public: mail goes there, and so do logins."""
    with Smtp() as s:
        s.begin("sales")
        s.text(TEXT % "sale")
    wait_for("a message in the mailbox sales",
             lambda: len(uidl("sales")) == 1)
    assert uidl("public") == []
    with Pop() as p:
        p.ask("USER nothere#public")
        assert "no such mailbox" in p.fails("PASS " + PASSWORD)


def names():
    """Manual 34 and 60: a name that moved, a name that is always there."""
    with Smtp() as s:
        s.begin("John")
        s.text(TEXT % "moved")
    wait_for("a message for j.smith",
             lambda: len(uidl("j.smith@moved.example")) == 1)
    assert len(uidl("john")) == 1
    cli = administrator()
    cli.ask("INLINE")
    cli.ask(r'SetRouterTable "<John> = j.smith@moved.example\e'
            r'Access:<postmaster> = john\e"')
    cli.close()
    with Pop() as p:
        p.ask("USER postmaster")        # led to john: not his password
        p.fails("PASS " + os.environ["CG_ADMIN_PASSWORD"])
    with Pop() as p:
        p.login("abcd@postmaster.local", os.environ["CG_ADMIN_PASSWORD"])
        assert p.ask("STAT") == "0 0"


def field():
    """The field is a setting."""
    cli = administrator()
    cli.ask("UpdateModule LOCAL {EnvelopeRecipientsField=X-For;}")
    cli.close()
    with Smtp() as s:
        s.begin("third@client2.example")
        s.text(TEXT % "third")
    assert b"X-For: third\n" in messages("cl2", 1)[0]
    assert len(uidl("third@client2.example")) == 1
    assert uidl("other@client2.example") == []


def prepare():
    accounts("cl1", "cl2", "public")
    cli = administrator()
    cli.ask("INLINE")
    cli.ask(r'SetRouterTable "client1.example = Cl1.local\e'
            r'client2.example = Cl2.local\e'
            r'<sales> = sales#public\e'
            r'<John> = j.smith@moved.example\e"')
    cli.ask("CreateDomain moved.example")
    cli.ask(f'CreateAccount j.smith@moved.example {{Password="{PASSWORD}";}}')
    cli.ask("CreateMailbox public MAILBOX sales")
    cli.close()


prepare()
run([unified, box, field, names])
