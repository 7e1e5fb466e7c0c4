#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/limits.conf
"""What an address may want within a time: connections, messages, recipients,
errors; counted over all processes, and not for clients or who has logged in.
Who makes too many errors is blacklisted for a while, which administrators see,
and can end."""
import base64
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill  # noqa: E402
from wire import (PASSWORD, Pop, Smtp, Wire, accounts,  # noqa: E402
                  address, administrator, log, processes, run, wait_for)

TEXT = "Subject: s\r\n\r\ntext\r\n.\r\n"
cli = None
last = 1


def stranger():
    """An address that nothing is known of."""
    global last
    last += 1
    return f"127.0.0.{last}"


def limited(name, flow, attempt):
    """With that flow set; processes hear of it a little later."""
    def works():
        try:
            attempt(stranger())
            return True
        except AssertionError as e:
            print(f"{name}: {e}")
            return False
    cli.ask(f"UpdateModule SMTP {{{name}={flow};}}")
    wait_for(name, works, 20)
    cli.ask(f'UpdateModule SMTP {{{name}=("-1",60);}}')


def served(me, times):
    for _ in range(times):
        with Smtp(source=me) as s:
            s.ask("MAIL FROM:<a@far.example>", 250)
            s.ask(f"RCPT TO:<{address('ann')}>", 250)
    return True


def unlimited(me):
    """Now and from now on, for all processes know."""
    def works():
        try:
            return served(me, 20)
        except AssertionError:
            return False
    wait_for("no limit", works, 20)


def log_in(s):
    s.ask("AUTH PLAIN " + base64.b64encode(
        f"\0ann\0{PASSWORD}".encode()).decode(), 235)


def connect(me):
    for _ in range(5):          # one after another, by whichever process
        with Smtp(source=me) as s:
            s.ask("QUIT", 221)
    with Wire("CG_SMTP", source=me) as s:
        assert s.line().startswith("421 4.7.0 "), "a sixth connection"
        assert s.ended()
    with Smtp(source=stranger()) as s:
        s.ask("QUIT", 221)
    for _ in range(8):          # the host itself
        with Smtp() as s:
            s.ask("QUIT", 221)
    cli.ask(fr'SetClientIPs "{me}\e"')
    unlimited(me)
    cli.ask('SetClientIPs ""')


def connections():
    limited("ConnectFlow", "(5,60)", connect)
    unlimited(stranger())
    wait_for("a line in the log", lambda: re.search(
        r"\(\[127.0.0.\d+\]\) more than 5 connections within 60", log()))


def send(me):
    for _ in range(3):
        with Smtp(source=me) as s:
            s.begin(address("ann"))
            s.text(TEXT)
    with Smtp(source=me) as s:
        assert "4.7.1" in s.ask("MAIL FROM:<a@far.example>", 450)[0]
        s.ask("NOOP", 250)
        log_in(s)               # whoever says who he is has other limits
        s.begin(address("ann"))
        s.text(TEXT)


def messages():
    limited("MessageFlow", "(3,60)", send)
    unlimited(stranger())


def name(me):
    with Smtp(source=me) as s:
        s.ask("MAIL FROM:<a@far.example>", 250)
        for _ in range(3):
            s.ask(f"RCPT TO:<{address('ann')}>", 250)
    with Smtp(source=me) as s:
        s.ask("MAIL FROM:<a@far.example>", 250)
        s.ask(f"RCPT TO:<{address('ann')}>", 250)
        assert "4.7.1" in s.ask(f"RCPT TO:<{address('ann')}>", 450)[0]
        s.ask("DATA", 354)      # those before are served
        s.text(TEXT)


def name_again(me):
    with Smtp(source=me) as s:
        s.ask("MAIL FROM:<a@far.example>", 250)
        s.ask(f"RCPT TO:<{address('ann')}>", 250)
        s.ask(f"RCPT TO:<{address('ann')}>", 450)

        def taken():
            s.send(f"RCPT TO:<{address('ann')}>\r\n")
            return s.reply()[0] == 250
        wait_for("the time to be over", taken)


def recipients():
    limited("RecipientFlow", "(4,60)", name)
    limited("RecipientFlow", "(1,2)", name_again)
    unlimited(stranger())


def listed(command="GetTempBlacklistedIPs"):
    return cli.ask(command)


def misbehave(me):
    """Seven errors, over several sessions."""
    for _ in range(3):
        with Smtp(source=me) as s:
            s.ask("NONSENSE", 500)
            s.ask("VRFY", 501)
    with Smtp(source=me) as s:
        s.ask("NONSENSE", 500)
        assert "4.7.0" in s.want(421)[0]
        assert s.ended()


def blacklisted(me):
    with Smtp(source=me) as s:
        s.ask("MAIL FROM:<a@far.example>", 250)
        s.send(f"RCPT TO:<{address('ann')}>\r\n")
        return s.reply()[0] == 591


def abusers():
    me, other = stranger(), stranger()
    misbehave(me)
    wait_for("the list", lambda: me in listed())
    assert "too many errors" in listed()
    for _ in range(6):          # all processes know
        assert wait_for("591", lambda: blacklisted(me))
    with Smtp(source=me) as s:  # but for the white hole, and who logs in
        s.begin("blacklist-admin@far.example")
        s.text(TEXT)
        log_in(s)
        s.begin(address("ann"))
        s.text(TEXT)
    assert not blacklisted(other)
    cli.ask(f"TempBlacklistIP {me} DELETE")
    assert me not in listed()
    wait_for("mail to be taken", lambda: not blacklisted(me))
    assert re.search(r"ROUTER \[" + re.escape(me) +
                     r"\] is blacklisted for 120 seconds: too many errors",
                     log())


def own_address():
    """One of this host's that is no loopback, or None."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True)
    return next((a for a in found.stdout.split() if "." in a), None)


def guessers():
    """Who tries names and passwords by POP may not send mail either."""
    me = own_address()
    if me is None:
        print("no other address than loopback here")
        return
    for i in range(7):
        with Pop("CG_POPS", tls=True, source=me) as p:
            p.ask(f"USER name{i}")
            p.fails("PASS wrong")
    wait_for("the list", lambda: f"{me} ; " in listed())
    assert "too many failed logins" in listed()
    assert wait_for("591", lambda: blacklisted(me))
    with Pop("CG_POPS", tls=True, source=me) as p:      # others can log in
        p.login("ann")
    cli.ask(f"TempBlacklistIP {me} DELETE")


def by_hand():
    me = stranger()
    cli.ask(f"TempBlacklistIP {me} TIMEOUT 3")
    assert me in listed()
    wait_for("591", lambda: blacklisted(me))
    wait_for("its end", lambda: me not in listed())
    wait_for("mail to be taken", lambda: not blacklisted(me))
    cli.ask("TempBlacklistIP 2001:db8::7")
    assert "2001:db8::" in listed()
    cli.ask("TempBlacklistIP 2001:db8::9 DELETE")
    assert "2001:db8::" not in listed()
    for bad in ("nonsense", "1.2.3.4.5", f"{me} TIMEOUT soon"):
        assert cli.send(f"TempBlacklistIP {bad}")[:3] == "501", bad


def exempt():
    """Clients, white holes, and the host itself."""
    me, white = stranger(), stranger()
    cli.ask(fr'SetClientIPs "{me}\e"')
    cli.ask(fr'SetWhiteHoleIPs "{white}\e"')
    for who in (me, white, "127.0.0.1"):
        for _ in range(2):
            with Smtp(source=who) as s:
                for _ in range(5):
                    s.send("NONSENSE\r\n")
                    if s.reply()[0] == 421:
                        break
        served(who, 5)
    for who in (me, white, "127.0.0.1"):
        assert who not in listed(), who
    cli.ask('SetClientIPs ""')
    cli.ask('SetWhiteHoleIPs ""')


def outlives():
    """The list outlives whoever keeps it, and who goes by it."""
    me = stranger()
    cli.ask(f"TempBlacklistIP {me} TIMEOUT 10m")
    wait_for("591", lambda: blacklisted(me))
    for name in ("routerd", "smtpd", "smtpd", "routerd"):
        kill(processes(name)[0])

        def listed_again():
            try:
                return me in listed() and blacklisted(me)
            except (OSError, AssertionError):
                return False
        wait_for(f"the list without {name}", lambda: all(
            listed_again() for _ in range(4)))
    cli.ask(f"TempBlacklistIP {me} DELETE")
    wait_for("mail to be taken", lambda: not blacklisted(me))
    assert me not in listed()


accounts("ann")
cli = administrator()
cli.ask("INLINE")
run([connections, messages, recipients, abusers, guessers, by_hand, exempt,
     outlives])
