#!/usr/bin/env python3
"""Read, then send (manual 07): where a user has just read his mail, his mail
may be relayed from, while he is there and for some time after; nobody else's,
nor for ever.  Loopback is nobody's client here."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (Imap, Pop, Smtp, accounts, address,  # noqa: E402
                  administrator, run, wait_for)

FAR = "victim@far.example"
cli = None


def relayed(me, sender="a@far.example"):
    with Smtp(source=me) as s:
        s.ask(f"MAIL FROM:<{sender}>", 250)
        s.send(f"RCPT TO:<{FAR}>\r\n")
        return s.reply()


def clients():
    return cli.ask("GetTempClientIPs")


def off():
    """As it is by default."""
    with Pop(source="127.0.0.2") as p:
        p.login("ann")
        assert relayed("127.0.0.2", address("ann"))[0] == 550
    assert "127.0.0.2" not in clients()


def told_to_come_again():
    """Who may be one of ours, and is none yet; strangers are refused."""
    cli.ask("UpdateModule Protection {TempClientTime=3;}")
    me = "127.0.0.3"

    def again():
        code, texts = relayed(me, address("ann"))
        return code == 450 and "authenticate first" in texts[0]
    wait_for("the setting", lambda: all(again() for _ in range(6)))
    assert relayed(me)[0] == 550
    assert relayed(me, address("nobody"))[0] == 550


def pop():
    me = "127.0.0.4"
    assert relayed(me)[0] == 550
    with Pop(source=me) as p:
        p.login("ann")
        wait_for("the list", lambda: me in clients())
        assert relayed(me)[0] == 250    # for as long as he is there
        assert relayed("127.0.0.5")[0] == 550
        with Smtp(source=me) as s:
            s.begin(FAR, sender=address("ann"))
            s.text("Subject: s\r\n\r\ntext\r\n.\r\n")
    assert relayed(me)[0] == 250        # and for a while
    wait_for("the time to be over", lambda: relayed(me)[0] == 550)
    assert me not in clients()


def stays():
    """A long session, far longer than that time, and silent."""
    me = "127.0.0.6"
    with Imap(source=me) as i:
        i.login("ann")
        wait_for("the list", lambda: me in clients())
        end = time.monotonic() + 35
        wait_for("a long time", lambda: time.monotonic() > end)
        assert relayed(me)[0] == 250
        i.ask("LOGOUT")
    wait_for("the time to be over", lambda: relayed(me)[0] == 550, 20)


def not_for_all():
    """A failed login makes no client, nor does one that may not relay."""
    me = "127.0.0.7"
    cli.ask('UpdateAccountSettings noone {AccessModes=(POP,IMAP,Mail,Mobile);}')
    with Pop(source=me) as p:
        p.ask("USER ann")
        p.fails("PASS wrong")
    assert relayed(me)[0] == 550
    with Pop(source=me) as p:
        p.login("noone")
        assert relayed(me)[0] == 550
    assert me not in clients()


accounts("ann", "noone")
cli = administrator()
cli.ask("INLINE")
run([off, told_to_come_again, pop, stays, not_for_all])
