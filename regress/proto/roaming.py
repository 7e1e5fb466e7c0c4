#!/usr/bin/env python3
"""Read, then send (manual 07): where a user has just read his mail, his mail
may be relayed from, while he is there and for some time after; nobody else's,
nor for ever.  And what clients of the list alone are spared: Force AUTH, and
some words of EHLO.  Loopback is nobody's client here."""
import base64
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (PASSWORD, Imap, Pop, Smtp, accounts,  # noqa: E402
                  address, administrator, run, wait_for)

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


def fixed_only():
    """Force AUTH means the clients of the list, and no others."""
    me = "127.0.0.8"
    with Pop(source=me) as p:
        p.login("ann")
        wait_for("the list", lambda: me in clients())
        cli.ask("UpdateModule SMTP {ForceAUTH=NonClients;}")

        def forced():
            with Smtp(source=me) as s:
                s.send(f"MAIL FROM:<{address('ann')}>\r\n")
                return s.reply()[0] == 530
        wait_for("the setting", lambda: all(forced() for _ in range(6)))
        cli.ask(fr'SetClientIPs "{me}\e"')
        wait_for("the list", lambda: not any(forced() for _ in range(6)))
        cli.ask('SetClientIPs ""')
        cli.ask("UpdateModule SMTP {ForceAUTH=Nobody;}")


def offered(me):
    with Smtp(source=me, hello=None) as s:
        return {x.split(" ")[0] for x in s.ask("EHLO client.example", 250)}


def advertised():
    """What EHLO says, to whom; what is not said may still be used."""
    me, other = "127.0.0.9", "127.0.0.10"
    cli.ask(fr'SetClientIPs "{me}\e"')

    def both(word):
        return [all(word in offered(ip) for _ in range(6)) or
                any(word in offered(ip) for _ in range(6)) and None
                for ip in (me, other)]
    for name, word in (("AdvertiseAUTH", "AUTH"),
                       ("Advertise8BITMIME", "8BITMIME")):
        for whom, seen in (("Nobody", [False, False]),
                           ("NonClients", [False, True]),
                           ("Everybody", [True, True])):
            cli.ask(f"UpdateModule SMTP {{{name}={whom};}}")
            wait_for(f"{name} to {whom}", lambda: both(word) == seen, 20)
    cli.ask("UpdateModule SMTP {AdvertiseAUTH=Nobody;"
            "Advertise8BITMIME=Nobody;}")
    wait_for("nobody", lambda: both("AUTH") == [False, False], 20)
    with Smtp(source=other) as s:
        s.ask("AUTH PLAIN " + base64.b64encode(
            f"\0ann\0{PASSWORD}".encode()).decode(), 235)
        s.ask("MAIL FROM:<a@far.example> BODY=8BITMIME", 250)
    cli.ask('SetClientIPs ""')


accounts("ann", "noone")
cli = administrator()
cli.ask("INLINE")
run([off, told_to_come_again, pop, stays, not_for_all, fixed_only,
     advertised])
