#!/usr/bin/env python3
"""The administration language end to end: accounts, domains, settings,
passwords and rights; what may not be done; long arguments and answers."""
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli, wait_for  # noqa: E402

DOMAIN = os.environ["CG_DOMAIN"]
BASE = pathlib.Path(os.environ["CG_BASE"])
admin = Cli(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
            os.environ["CG_ADMIN_PASSWORD"])
admin.ask("INLINE")


def check(line, expect, cli=admin):
    got = cli.send(line)
    assert got == expect, f"{line}: {got!r}, not {expect!r}"


def refused(line, cli=admin):
    got = cli.send(line)
    assert got[:4] in ("500 ", "501 "), f"{line}: {got!r}"


def login(name, password):
    cli = Cli(os.environ["CG_PWD"], name, password)
    cli.ask("INLINE")
    return cli


def accounts():
    admin.ask('CreateAccount "user1"')
    refused('CreateAccount "user1"')
    refused("CreateAccount USER1")
    admin.ask('RenameAccount "user1" into "user2"')
    refused('GetAccountSettings "user1"')
    check("ListAccounts", "201 {postmaster=macnt;user2=macnt;}")
    check("GetAccountLocation user2", '201 "user2.macnt"')
    admin.ask("crdmn client1.com {MailToUnknown=Discarded;}")
    admin.ask('CreateAccount "user1@client1.com" TextMailbox')
    check("GetAccountLocation user1@client1.com", '201 "user1.mbox"')
    assert (BASE / "Domains/client1.com/user1.mbox").is_file()
    assert (BASE / "Accounts/user2.macnt/INBOX.mbox").is_file()
    admin.ask("DeleteAccount user1@client1.com")
    assert not (BASE / "Domains/client1.com/user1.mbox").exists()
    check("ListAccounts client1.com", "201 {}")
    refused("DeleteAccount user1@client1.com")
    for bad in ("a/b", "..", ".x", "a b", "x" * 300, "", "a@nowhere.org",
                "a@b@c", "a\\255b", "a\\000b"):
        refused(f'CreateAccount "{bad}"')
        refused(f'CreateGroup "{bad}"')
        admin.ask("Echo x")             # errors in a row end a session
    for bad in ("a/b", "..", "-a.com", "x" * 300, "", "a b.com", "a..b"):
        refused(f'CreateDomain "{bad}"')


def settings():
    admin.ask("UpdateAccountSettings user2 {RealName=\"U. Two\";"
              "MaxAccountSize=5M;}")
    got = admin.ask("GetAccountSettings user2")
    assert 'RealName="U. Two"' in got and "MaxAccountSize=5M" in got, got
    assert "Password" not in got, got
    admin.ask("UpdateAccountSettings user2 {MaxAccountSize=default;}")
    got = admin.ask("GetAccountSettings user2")
    assert "MaxAccountSize" not in got and "RealName" in got, got
    refused("UpdateAccountSettings user2 {QuotaAlert=500;}")
    for name, text in (("HTTPU", "not available yet"), ("ldap", "available"),
                       ("Smtq", "unknown module")):
        for line in (f"GetModule {name}", f"SetModule {name} {{LogLevel=3;}}"):
            assert text in admin.send(line), line
    # A vendor's own, those that mean nothing here, too.
    admin.ask("UpdateModule Main {AccountCacheSize=100;CrashRecovery=YES;"
              "ExternalFilters=();LicenseAccepted=#T07-11-2011_16:53:05;"
              "MBOXSizeToIndex=100M;TLSTimeToLive=1m;HideAccountUnknown=YES;"
              "ExternalAUTH={Enabled=NO;LogLevel=3;};}")
    got = admin.ask("GetModule Main")
    for text in ("MBOXSizeToIndex=100M;", "ExternalFilters=();",
                 "LicenseAccepted=#T07-11-2011_16:53:05;"):
        assert text in got, got
    admin.ask("UpdateAccountDefaults {QuotaAlert=70;}")
    wait_for("the default", lambda: "QuotaAlert=70" in admin.ask(
        "GetAccountEffectiveSettings user2"))
    admin.ask("SetAccountDefaults {}")
    check("GetAccountDefaults", "201 {}")
    admin.ask("UpdateModule SMTP {MaxHops=25;}")
    assert "MaxHops=25" in admin.ask("GetModule SMTP")
    refused("UpdateModule SMTP {MaxHops=x;}")
    refused("GetModule Frobnicator")
    refused("UpdateModule Main {DomainName=other.example;}")
    assert "Pinned=(DomainName)" in admin.ask("GetModule Main")
    admin.ask(r'SetClientIPs "192.0.2.1\e198.51.100.0/24 ; net\e"')
    assert "192.0.2.1" in admin.ask("GetClientIPs")
    refused(r'SetClientIPs "192.0.2.1\enot an address\e"')
    admin.ask('SetClientIPs ""')
    check("MainDomainName", f'201 "{DOMAIN}"')


def passwords():
    admin.ask("SetAccountPassword user2 To first")
    login("user2", "first").close()
    admin.ask('setaccountpassword user2 PASSWORD "sec ond\\"x"')
    login("user2", 'sec ond"x').close()
    admin.ask("VerifyAccountPassword user2 PASSWORD \"sec ond\\\"x\"")
    refused("VerifyAccountPassword user2 PASSWORD first")
    admin.ask("SetAccountPassword user2 To second")
    text = (BASE / "Accounts/user2.macnt/account.settings").read_text()
    assert "second" not in text, "the password is stored in the clear"


    # As later clients say it: which of the passwords; only SIP's is another.
    admin.ask("SetAccountPassword user2 PASSWORD third METHOD PWD")
    admin.ask("VerifyAccountPassword user2 PASSWORD third")
    refused("SetAccountPassword user2 PASSWORD fourth METHOD sip")
    admin.ask("SetAccountPassword user2 PASSWORD second METHOD x CHECK")


def unset():
    """default and #NULL# take a setting away, wherever it stands."""
    admin.ask("CreateDomain unset.example {AccountsLimit=7;}")
    admin.ask("CreateAccount u@unset.example {MaxMailboxes=7;RealName=U;}")
    for object, n in (("Account", "MaxMailboxes"), ("Domain", "AccountsLimit")):
        name = "u@" * (object == "Account") + "unset.example"
        for nothing in ("default", "Default", "#NULL#"):
            admin.ask(f"Update{object}Settings {name} {{{n}=5;}}")
            assert f"{n}=5" in admin.ask(f"Get{object}EffectiveSettings "
                                         f"{name}")
            admin.ask(f"Update{object}Settings {name} {{{n}={nothing};}}")
            assert n not in admin.ask(f"Get{object}Settings {name}")
        admin.ask(f"Set{object}Settings {name} {{{n}=#NULL#;}}")
        assert f'{n}="-1"' in admin.ask(
            f"Get{object}EffectiveSettings {name}")
    admin.ask("UpdateModule POP {MaxErrors=#NULL#;}")
    assert "MaxErrors=20" in admin.ask("GetModule POP")
    # What is wrong is said by its name.
    for line in ("UpdateAccountSettings u@unset.example {MaxMailboxes=x;}",
                 "UpdateAccountDefaults unset.example {MaxMailboxes=x;}",
                 "UpdateServerAccountDefaults {MaxMailboxes=x;}"):
        check(line, "501 MaxMailboxes: a number is wanted")
    admin.ask("SetDomainSettings {}")
    check("GetDomainAliases", "201 ()")
    admin.ask("DeleteDomain unset.example force")


def unknown_accounts():
    """500, with any command that is about an account."""
    for line in ("GetAccountSettings nobody", "GetAccountLocation nobody",
                 "GetAccountLocation nobody@nowhere.example",
                 "GetAccountAliases nobody", "SetAccountAliases nobody ()",
                 "GetAccountRights nobody", "DeleteAccount nobody",
                 "RenameAccount nobody into x", "ListMailboxes nobody",
                 "GetAccountStat nobody", "GetAccountAlerts nobody",
                 "SetAccountPassword nobody TO x", "GetWebFilesInfo nobody",
                 "KillAccountSessions nobody"):
        check(line, "500 unknown user account")


def errors_in_a_row():
    """Too many end a session, but a script may go on for days."""
    for _ in range(50):
        refused("Frobnicate")
        admin.ask("Echo x")
    for _ in range(50):
        check("GetServerRules x y", "501 this command is not available yet")


def rights():
    user = login("user2", "second")
    for line in ("CreateAccount x", "ListDomains", "GetRouterTable",
                 "CreateDomain y.com", "Shutdown", "Status", "Trace smtpd",
                 "DeleteAccount postmaster", "GetAccountSettings postmaster",
                 "SetAccountRights user2 (Master)", "Route a@b.com",
                 "UpdateModule SMTP {MaxHops=9;}", "ListQueueMessages",
                 "SetAccountPassword postmaster To x", "ListAccounts",
                 "UpdateDomainSettings {MailToUnknown=Discarded;}",
                 "GetAccountSettings *x"):
        refused(line, user)
    assert "RealName" in user.ask("GetAccountSettings *")
    admin.ask("SetAccountRights user2 (Settings,Monitors)")
    assert "Settings" in admin.ask("GetAccountRights user2")
    user.ask("GetRouterTable")
    user.ask("Status")
    refused("CreateDomain y.com", user)
    admin.ask("SetAccountRights user2 ()")
    refused("GetRouterTable", user)
    # Who has all takes away his own least of all.
    for less in ("()", "(Settings,Users)"):
        check(f"SetAccountRights * {less}",
              "501 you cannot take the right Master from yourself")
    admin.ask("SetAccountRights * (Master,Monitors)")
    admin.ask("SetAccountRights * (Master)")
    user.close()


def domain_administrator():
    admin.ask("CreateAccount boss@client1.com {Password=bosspass;}")
    admin.ask("SetAccountRights boss@client1.com "
              "(CanCreateAccounts,BasicSettings,MailToUnknown)")
    boss = login("boss@client1.com", "bosspass")
    boss.ask("CreateAccount worker")
    check("ListAccounts", "201 {boss=macnt;worker=macnt;}", boss)
    boss.ask("UpdateDomainSettings {MailToUnknown=Rejected;"
             "AccountsLimit=5000;}")
    got = boss.ask("GetDomainSettings")
    assert "MailToUnknown=Rejected" in got and "5000" not in got, got
    for line in (f"ListAccounts {DOMAIN}", f"CreateAccount x@{DOMAIN}",
                 "ListDomains", "DeleteDomain client1.com force",
                 f"GetDomainSettings {DOMAIN}", "SetDomainSettings "
                 "client1.com {}", "GetDomainSettings nowhere.org"):
        refused(line, boss)
    boss.close()
    admin.ask("UpdateDomainSettings client1.com {AccountsLimit=2;}")
    refused("CreateAccount third@client1.com")
    admin.ask("DeleteDomain client1.com force")
    check("ListDomains", f'201 ("{DOMAIN}")')


def long_ones():
    """More than a packet holds, both ways."""
    table = r"\e".join(f"<alias{i}> = user2" for i in range(9000))
    admin.ask(f'SetRouterTable "{table}"')
    got = admin.ask("GetRouterTable")
    assert got.count("= user2") == 9000, len(got)
    check("Route alias8999", '201 (LOCAL,user2,"")')
    admin.ask('SetRouterTable ""')


def not_yet():
    """Each command of the manual is known, if only by name."""
    text = "".join(p.read_text() for p in
                   (pathlib.Path(__file__).parents[2] / "cli").glob("*.c")
                   if p.name != "help.c")
    names = re.findall(r'^\t\{ "(\w+)",', text, re.M)
    assert len(names) > 150, len(names)
    for name in names:
        got = admin.send(f"Help {name}")
        assert got.startswith(f"201 (") and name in got, got
    assert "not available yet" in admin.send("ListLists")
    assert "Dynamic Cluster" in admin.send("GetClusterRules")
    refused("Frobnicate")
    refused("CreateAccount")
    refused("CreateAccount a {b")
    refused("CreateAccount a {} {}")
    refused("{}")


# Errors are counted, and too many end the session: a fresh one a test.
for test in (accounts, settings, passwords, unset, unknown_accounts,
             errors_in_a_row, rights, domain_administrator, long_ones,
             not_yet):
    admin.close()
    admin = login(os.environ["CG_ADMIN_NAME"],
                  os.environ["CG_ADMIN_PASSWORD"])
    check.__defaults__ = (admin,)
    refused.__defaults__ = (admin,)
    test()
