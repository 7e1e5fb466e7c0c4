#!/usr/bin/env python3
# suite: own
"""A setting that was set is in force everywhere when its change is answered;
but nobody waits for long for a process that hangs.  "default" is no value."""
import pathlib
import select
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill  # noqa: E402

LONG = 8                        # seconds; the design has three


def stopped(s, name, n):
    """Answered while it does not run, or only then?  Two set the same."""
    pid = next(p for p, who in s.children().items() if who == name)
    both = [s.cli(), s.cli()]
    kill(pid, signal.SIGSTOP)
    for cli in both:
        cli.f.write(f"UpdateModule SMTP {{ChannelsPerHost={n};}}\r\n".encode())
        cli.f.flush()
        early = select.select([c.s for c in both], [], [], 0.5)[0]
        assert not early, f"answered before {name} had it"
    return pid, both


# Each command that replaces settings, a setting that takes any word, and how
# it is seen.
SETS = [("SetModule SMTP", "ForwardTo", "GetModule SMTP"),
        ("SetModule Router", "Table", "GetModule Router"),
        ("SetRouterSettings", "AddDomain", "GetRouterSettings"),
        ("SetProtection", "ClientIPs", "GetProtection"),
        ("SetBanned", "HeaderLines", "GetBanned"),
        ("SetQueueSettings", "Custom", "GetQueueSettings"),
        ("SetDomainDefaults", "AdminDomainName", "GetDomainDefaults"),
        ("SetAllAccountsDefaults", "AccessModes", "GetAllAccountsDefaults"),
        ("SetServerAccountDefaults", "AccessModes",
         "GetServerAccountDefaults"),
        ("SetModule Template", "Custom", "GetModule Template")]


def no_value(s):
    """What is set to its default has nothing stored."""
    cli = s.cli()
    cli.ask("INLINE")
    for command, name, get in SETS:
        before = cli.ask(get)
        want = cli.ask(f"{command} {{}}") and cli.ask(get)
        for word in "default", "Default", "#NULL#":
            cli.ask(f"{command} {{{name}={word};}}")
            got = cli.ask(get)
            assert got == want, f"{command} {name}={word}: {got}"
        cli.ask(f"{command} {before[4:]}")
    cli.ask("UpdateModule Router {Table=#NULL#;}")
    cli.ask("CreateDomain new.example {AdminDomainName=default;"
            "MailRerouteAddress=#NULL#;}")
    assert cli.ask("GetDomainSettings new.example") == "201 {}"
    cli.ask("DeleteDomain new.example")
    got = cli.ask("GetRouterTable")
    assert "<blacklist-admin*@blacklisted> = postmaster" in got, got
    cli.close()


# What an older server, or somebody by hand, wrote; it can be no value.
STORED = """{Custom=1;MailToUnknown=Eaten;IPAddresses=("192.0.2.77");
IPMode="All Available";MailRerouteAddress="a b";AccountDefaults={
PasswordEncryption=SHA;ServiceClasses={few={MaxMailboxes=x;};};};}"""


def old_values(s):
    """They are in nobody's way who changes something else."""
    cli = s.cli()
    cli.ask("INLINE")
    cli.ask("CreateDomain old.example")
    cli.close()
    dir = pathlib.Path(s.base, "Domains/old.example/Settings")
    (dir / "Domain.settings").write_text(STORED)
    (dir / "Template.settings").write_text("{MaxMailboxes=x;}")
    (pathlib.Path(s.base) / "Settings/Banned.settings").write_text(
        '{HeaderLines=("*");}')
    kill(next(p for p, who in s.children().items() if who == "routerd"))
    cli = s.cli_again()
    for line in ("UpdateDomainSettings old.example {AccountsLimit=5;}",
                 "UpdateAccountDefaults old.example {MaxMailboxes=3;}",
                 "UpdateAccountDefaults old.example {ServiceClasses={few={"
                 "MaxMailboxes=x;MaxSubscriptions=3;};};}",
                 "UpdateAccountTemplate old.example {MaxAccountSize=1M;}",
                 "UpdateModule Banned {Custom=1;}"):
        cli.ask(line)
    for line in ("UpdateDomainSettings old.example {MailToUnknown=Drunk;}",
                 'UpdateDomainSettings old.example {IPAddresses='
                 '("192.0.2.78");}',
                 "UpdateAccountDefaults old.example {PasswordEncryption=SH;}",
                 "UpdateAccountDefaults old.example {ServiceClasses={few={"
                 "MaxMailboxes=y;};};}",
                 "UpdateAccountTemplate old.example {MaxMailboxes=y;}",
                 'UpdateModule Banned {HeaderLines=("**");}'):
        answer = cli.send(line)
        assert answer[:1] == "5", f"{line}: {answer}"
    cli.ask("DeleteDomain old.example")
    cli.ask("SetBanned {}")
    cli.close()


with Suite() as s:
    no_value(s)
    old_values(s)
    for n, name in enumerate(("queued", "smtpd-send", "pop3d", "authd"), 3):
        pid, both = stopped(s, name, n)
        kill(pid, signal.SIGCONT)
        for cli in both:
            assert cli.line()[:1] == "2"
            cli.close()
    pid, both = stopped(s, "imapd", 9)
    begin = time.monotonic()
    for cli in both:
        assert cli.line()[:1] == "2"
    assert time.monotonic() - begin < LONG
    kill(pid, signal.SIGCONT)
    for cli in both:
        cli.close()
