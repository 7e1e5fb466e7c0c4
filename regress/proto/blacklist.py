#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/blacklist.conf
"""Mail from a blacklisted address is refused at RCPT but for the white hole
of the Router table; who authenticates may send (manual 29)."""
import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (PASSWORD, Smtp, accounts, address,  # noqa: E402
                  administrator, messages, run)

TEXT = "Subject: s\r\n\r\ntext\r\n.\r\n"


def refused():
    with Smtp() as s:
        s.ask("MAIL FROM:<user@host.example>", 250)
        told = s.ask(f"RCPT TO:<{address('ann')}>", 591)[0]
        assert address("blacklist-admin") in told, told
        s.ask("RCPT TO:<ann>", 591)
        s.ask('RCPT TO:<"a b"@x.example>', 591, 550, 501)
        s.ask("RCPT TO:<abuse@somehost.example>", 591)
        s.ask("DATA", 554)


# The Router table, and what RCPT to somebody, abuse and blacklist-admin gets.
SESSIONS = [
    ("", (591, 591, 591), False),
    ("<abuse*@blacklisted> = postmaster\\e", (591, 250, 591), False),
    ("<blacklist-admin*@blacklisted> = postmaster\\e", (591, 591, 250), True),
]


def manual():
    """The three sessions of manual 29."""
    cli = administrator()
    for table, codes, tells in SESSIONS:
        cli.ask(f'SetRouterTable "{table}"')
        with Smtp() as s:
            s.ask("MAIL FROM: user@host", 250)
            for name, code in zip(("somebody", "abuse", "blacklist-admin"),
                                  codes):
                told = s.ask(f"RCPT TO: {name}@somehost", code)[0]
                if code == 591:
                    assert (address("blacklist-admin") in told) == tells, told
                    assert "[127.0.0.1]" in told, told
            s.ask("DATA", 354 if 250 in codes else 554)
    cli.close()


def lists():
    """What makes no sense as a list in the DNS is refused by command."""
    cli = administrator()
    for bad in ('("not a domain!")', '("bl.example 127.0.0.9-127.0.0.2")',
                '("bl.example x")',
                "(%s)" % ",".join(["a.example"] * 33)):
        told = cli.send(f"SetProtection {{RBLServers={bad};}}")
        assert told[0] == "5" and "RBLServers" in told, told
    cli.ask('SetProtection {RBLServers=("a.example","b.example 127.0.0.3");'
            'UseRBL=NO;}')
    cli.close()


def white_hole():
    with Smtp() as s:
        s.begin("blacklist-admin@somehost.example")
        s.text(TEXT)
    messages("postmaster", 1)


def authenticated():
    with Smtp() as s:
        s.ask("AUTH PLAIN " + base64.b64encode(
            f"\0ann\0{PASSWORD}".encode()).decode(), 235)
        s.begin(address("ann"))
        s.text(TEXT)
    messages("ann", 1)


accounts("ann")
run([refused, manual, lists, white_hole, authenticated])
