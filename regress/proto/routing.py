#!/usr/bin/env python3
"""Routing end to end: the table, domains, aliases and unknown names by
command, what RCPT says of it, and that a killed routerd comes back with all
of it.  The manual's examples are in unit/router.c."""
import os
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli, wait_for  # noqa: E402

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
    assert answer.startswith("501 line 2"), answer
    route("sales", local("john"))


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


for test in (names, table, unknown, rcpt, killed, domain_goes):
    test()
