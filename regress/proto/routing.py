#!/usr/bin/env python3
"""Routing end to end: the table, domains, aliases and unknown names by
command, what RCPT says of it, and that a killed routerd comes back with all
of it.  The manual's examples are in unit/route_table.c."""
import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli, wait_for  # noqa: E402
from wire import Smtp, log, messages  # noqa: E402

DOMAIN = os.environ["CG_DOMAIN"]
cli = Cli(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
          os.environ["CG_ADMIN_PASSWORD"])
cli.ask("INLINE")


def route(address, expect, mode=""):
    got = cli.send(f'Route "{address}" {mode}')
    assert got == expect, f"{address}: {got!r}, not {expect!r}"


def local(account, rest='""'):
    return f"201 (LOCAL,{account},{rest})"


def smtp(host, address):
    return f'201 (SMTP,"{host}","{address}")'


UNKNOWN = "501 unknown user account"
NULL = '201 (SYSTEM,NULL,"")'


def names():
    cli.ask("CreateAccount John")
    cli.ask("CreateAccount ann.b {RealName=Ann;}")
    cli.ask("CreateDomain Client.Example")
    cli.ask("CreateAccount bill@client.example TextMailbox")
    route("john", local("john"))
    route("JOHN@" + DOMAIN.upper(), local("john"))
    route("ann.b", local('"ann.b"'))
    route("bill", UNKNOWN)
    route("bill@client.example", local('"bill@client.example"'))
    route("john%client.example", UNKNOWN)
    route("john+detail@" + DOMAIN, local("john"))
    route("Box#john@" + DOMAIN, local("john", '"Box#"'))
    for settings, detail, box in [
            ('AccountDetail="Direct Mailbox"', local("john", '"detail#"'),
             local("john", '"Box#"')),
            ("AccountDetail=Disabled", UNKNOWN, local("john", '"Box#"')),
            ("AccountDetail=Enabled;DirectMailbox=NO", local("john"),
             UNKNOWN)]:
        cli.ask(f"UpdateModule LOCAL {{{settings};}}")
        route("john+detail", detail)
        route("Box#john", box)
    cli.ask("UpdateModule LOCAL {DirectMailbox=default;}")
    route("postmaster@client.example", local("postmaster"))
    route("abuse@client.example", local("postmaster"))
    route("root", local("postmaster"))
    route("x@localhost", UNKNOWN)
    route("john@localhost", local("john"))
    route("john@[127.0.0.1]", local("john"))
    route("a@far.example", smtp("far.example", "a@far.example"))
    route("MAILER-DAEMON", NULL)
    route("john@nodot", "501 unknown host name")
    assert cli.ask("ListDomains") == f'201 ("{DOMAIN}","client.example")'
    assert "bill=mbox" in cli.ask("ListAccounts client.example")


def table():
    text = r'<sales> = john\e*.lab.example = client.example ; note\e' \
        r'bad.example = error\eNoRelay:<away> = x@far.example\e' \
        r'all.example = john.local\e'
    cli.ask(f'SetRouterTable "{text}"')
    assert r"*.lab.example = client.example ; note\e" in \
        cli.ask("GetRouterTable")
    route("sales", local("john"))
    route("bill@x.lab.example", local('"bill@client.example"'))
    route("q@bad.example", "501 blacklisted address")
    route("away", smtp("far.example", "x@far.example"))
    route("Some.One@all.example", local("john", '"Some.One"'))
    answer = cli.send(r'SetRouterTable "a = b\enonsense\e"')
    assert answer == "501 Table: line 2: no =", answer
    route("sales", local("john"))


def reasons():
    """A table is taken whole or not at all, with the line and why not."""
    before = cli.ask("GetRouterTable")
    for line, why in [("nonsense", "no ="), ("<a*b*> = c", "asterisk"),
                      ("<a@*.com> = c", "asterisk"), ("<a = c", "no >"),
                      ("Rely:a.com = c", "prefix"), ("<a> =", "nothing"),
                      ("<a> = b@", "not an address")]:
        answer = cli.send(f'SetRouterTable "; first\\ea.com = b.com\\e{line}"')
        assert answer.startswith("501 Table: line 3: ") and why in answer, answer
    assert cli.ask("GetRouterTable") == before
    for module, name, text in [
            ("Router", "Table", "nonsense"),
            ("Router", "AllDomainAliases", "<a*b*> = c"),
            ("Protection", "ClientIPs", "10.0.0.0/99"),
            ("Protection", "BlackListIPs", "a.b.c.d")]:
        answer = cli.send(f'UpdateModule {module} {{{name}="{text}";}}')
        assert answer.startswith(f"501 {name}: line 1"), answer
    assert cli.send('SetClientIPs "10.0.0.1\\ex"') == \
        "501 ClientIPs: line 2 is not an address or a range"
    assert cli.ask("GetRouterTable") == before


def modes():
    cli.ask(r'SetRouterTable "Mail:<sales> = john\eAccess:N:<sales> = ann.b'
            r'\eSignal:<sales> = null\e<loop> = pool\e<pool> = loop\e'
            r'<prog> = \"queue[Q] prog -x\"@pipe\e<trap> = spamtrap\e"')
    route("sales", local("john"))
    route("sales", local("john"), "mail")
    route("sales", local('"ann.b"'), "access")
    route("sales", NULL, "signal")
    route("prog", '201 (PIPE,Q,"prog -x")')
    route("loop", "501 the address is routed in a loop")
    wait_for("the loop in the log",
             lambda: "'<loop>' is routed in a loop" in log())


def steps():
    """What the Router did, at the level that the manual names."""
    cli.ask("UpdateRouterSettings {LogLevel=5;}")
    route("sales@" + DOMAIN, local("john"))
    wait_for("the step in the log", lambda: f"'<sales@{DOMAIN}>': table, "
             "line 1: now '<john>'" in log())
    cli.ask("UpdateRouterSettings {LogLevel=3;}")


def trap():
    """One recipient that is a spam trap, and nobody gets the message."""
    text = "Subject: %s\r\n\r\ntext\r\n.\r\n"
    with Smtp() as s:
        s.ask("MAIL FROM:<someone@far.example>", 250)
        s.ask(f"RCPT TO:<john@{DOMAIN}>", 250)
        s.ask(f"RCPT TO:<trap@{DOMAIN}>", 550)
        s.ask(f"RCPT TO:<ann.b@{DOMAIN}>", 250)
        s.ask("DATA", 354)
        s.send(text % "bad")
        s.want(550)
        s.ask("MAIL FROM:<someone@far.example>", 250)
        s.ask(f"RCPT TO:<prog@{DOMAIN}>", 550)
        s.ask(f"RCPT TO:<trap@{DOMAIN}>", 550)
        s.ask("DATA", 554)
        s.ask("RSET", 250)
        s.begin(f"john@{DOMAIN}")
        s.text(text % "good")
    assert b"good" in messages("john", 1)[0]


def by_hand():
    """A file that somebody edited: what makes sense of it is used."""
    path = pathlib.Path(os.environ["CG_BASE"], "Settings/Router.settings")
    old = path.read_text()
    path.write_text(r'{Table="<hand> = john\enonsense\e<hand2> = john\e";}')
    os.kill(pid("routerd-0"), signal.SIGKILL)
    wait_for("routerd to come back",
             lambda: cli.send("Route hand") == local("john"))
    route("hand2", local("john"))
    cli.ask('UpdateModule Router {AddDomain="";}')      # it stays as it is
    wait_for("the line in the log", lambda:
             "ROUTER Routing Table, line 2: no =; ignored" in log())
    status = wait_for("the suite to be ready", lambda: trouble())
    assert "line 2: no =" in status, status
    path.write_text(old)


def trouble():
    out = subprocess.run(["cgctl", "status"], text=True, capture_output=True)
    return next((line for line in out.stdout.splitlines()
                 if "Routing Table" in line), None)


def large():
    """Ten thousand records are taken at once, and looked up as fast."""
    lines = "".join(f"<a{i}> = john\\e*.d{i}.example = client.example\\e"
                    for i in range(5000))
    start = time.monotonic()
    cli.ask(f'SetRouterTable "{lines}"')
    route("a4999", local("john"))
    route("bill@x.d4999.example", local('"bill@client.example"'))
    for _ in range(100):
        route("x@far.example", smtp("far.example", "x@far.example"))
    took = time.monotonic() - start
    assert took < 60, f"{took} s"
    cli.ask(r'SetRouterTable "<sales> = john\e*.lab.example = client.example'
            r'\eall.example = john.local\e"')
    assert trouble() is None


def unknown():
    for mode, address, expect in [
            ("Discarded", "", NULL),
            ('"Rerouted to"', "*-x@far.example",
             smtp("far.example", "nobody-x@far.example")),
            ('"Accepted and Bounced"', "",
             local('"nobody@client.example"'))]:
        extra = f'MailRerouteAddress="{address}";' if address else ""
        cli.ask("UpdateDomainSettings client.example "
                f"{{MailToUnknown={mode};{extra}}}")
        route("nobody@client.example", expect)
        route("nobody@client.example", UNKNOWN, "access")
    cli.ask("UpdateDomainSettings client.example {MailToUnknown=default;}")
    route("nobody@client.example", UNKNOWN)
    cli.ask("SetDomainAliases client.example (mail.client.example)")
    route("bill@mail.client.example", local('"bill@client.example"'))
    taken = cli.send(f"SetDomainAliases client.example ({DOMAIN})")
    assert taken.startswith("501 "), taken


def rcpt():
    """What a stranger hears; loopback is nobody's client."""
    with smtplib.SMTP("127.0.0.1", int(os.environ["CG_SMTP"])) as s:
        s.ehlo("client.example")
        s.mail("someone@far.example")
        for address, code in [
                ("sales@" + DOMAIN, 250), ("bill@mail.client.example", 250),
                ("nobody@" + DOMAIN, 550), ("q@bad.example", 550),
                ("a@far.example", 550), ("away@" + DOMAIN, 550),
                (f"a%far.example@{DOMAIN}", 550)]:
            got = s.rcpt(address)
            assert got[0] == code, f"{address}: {got}"


def pid(name):
    out = subprocess.run(["cgctl", "Status"], check=True, text=True,
                         capture_output=True).stdout
    part = out[out.index(f'"{name}" ='):]
    return int(part[part.index("Pid = ") + 6:].split(";")[0])


def killed():
    old = pid("routerd-0")
    host = socket.gethostname().lower()     # a domain's name like any other
    cli.ask(f"CreateDomain {host}")
    cli.ask(f"CreateAccount hal@{host}")
    os.kill(old, signal.SIGKILL)
    wait_for("routerd to come back",
             lambda: cli.send("Route sales") == local("john"))
    route("bill@mail.client.example", local('"bill@client.example"'))
    route("Some.One@all.example", local("john", '"Some.One"'))
    assert pid("routerd-0") != old
    route(f"hal@{host}", local(f'"hal@{host}"'))
    cli.ask(f"DeleteDomain {host} force")


def domain_goes():
    answer = cli.send("DeleteDomain client.example")
    assert answer == "501 the domain is not empty", answer
    cli.ask("DeleteDomain client.example force")
    route("bill@client.example",
          smtp("client.example", "bill@client.example"))
    route("bill@mail.client.example",
          smtp("mail.client.example", "bill@mail.client.example"))
    assert not pathlib.Path(os.environ["CG_BASE"],
                            "Domains/client.example").exists()
    answer = cli.send(f"DeleteDomain {DOMAIN} force")
    assert answer.startswith("501 "), answer


for test in (names, table, reasons, unknown, rcpt, modes, steps, trap, by_hand,
             large, killed, domain_goes):
    test()
