#!/usr/bin/env python3
# suite: own
"""Domains: their settings in three levels, aliases, limits, folders, assigned
addresses, administrators from elsewhere; renamed and removed while their users
are logged in and mail for them is queued, and while the Router is killed."""
import imaplib
import os
import pathlib
import poplib
import re
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (PASSWORD, Cli, Suite, kill, read_mbox,  # noqa: E402
                    wait_for)

UNKNOWN = "501 unknown user account"


def local(account, rest='""'):
    return f"201 (LOCAL,{account},{rest})"


def refused(cli, *lines):
    for line in lines:
        answer = cli.send(line)
        assert answer[:1] == "5", f"{line}: {answer}"


def make(cli, name, *accounts, settings=""):
    cli.ask(f"CreateDomain {name} {{{settings}}}")
    for a in accounts:
        cli.ask(f'CreateAccount {a}@{name} {{Password="{PASSWORD}";}}')


def files(s, domain, account):
    base = pathlib.Path(s.base, "Domains", domain)
    return [str(p.relative_to(base)) for p in base.rglob(account + ".*")
            if p.name.count(".") == 1 and p.suffix != ".sub"]


def cleaned(s):
    """Nothing is left of domains that are gone."""
    wait_for("an empty Domains/", lambda: not list(
        pathlib.Path(s.base, "Domains").iterdir()))


# Of the vendor's own defaults, what is not named in tests of its own.
REFERENCE = """AGradeLimit="-1" AccountsLogLevel=3 AutoCreateChats=NO AutoSignup=NO
CentralDirectory="Keep In Sync" CertificateType=Test ClientCertCA=""
ClientCertReq=NO ExternalLockType=FileLevel ExternalOnProvision=NO
ExternalOnUnknown=NO FastStorageType=0 FolderIndex=NO Foldering=flat
ListsLimit="-1" MailRerouteAddress=spamtrap AccessRerouteAddress=error
MailToAllAction="Authenticated Domain Users" MailToUnknown=Rejected
MailboxesLogLevel=3 RecipientStatus=NO RenameInPlace=NO
SignalRerouteAddress=pbx SignalToUnknown=Rejected WebSitePrefix="~"
XIMSSMode=TCP AllWithForwarders=NO DomainAccessModes=All"""


def account_defaults(cli):
    """What its accounts have by default is no setting of the domain."""
    cli.ask("SetAccountDefaults one.example {MaxMailboxes=7;Password=hid;}")
    cli.ask("SetDomainSettings one.example {AccountsLimit=1;}")
    assert cli.ask("GetAccountDefaults one.example") == \
        "201 {MaxMailboxes=7;Password=hid;}"
    for verb in "GetDomainSettings", "GetDomainEffectiveSettings":
        assert "hid" not in cli.ask(f"{verb} one.example")
    cli.ask("SetDomainSettings one.example {AccountsLimit=1;"
            "AccountDefaults={MaxMailboxes=8;};}")
    assert cli.ask("GetAccountDefaults one.example") == "201 {MaxMailboxes=8;}"
    refused(cli, "SetDomainSettings one.example {AccountDefaults=x;}",
            "UpdateDomainSettings one.example {AccountDefaults="
            "{MaxMailboxes=x;};}",
            "UpdateAccountDefaults one.example {ServiceClasses=few;}",
            "UpdateAccountDefaults one.example {ServiceClasses={few={"
            "MaxMailboxes=x;};};}",
            "UpdateAccountDefaults one.example {PasswordEncryption=good;}",
            "UpdateAccountTemplate one.example {MaxMailboxes=x;}",
            "UpdateAccountTemplate one.example {InitialMailboxes={a=b;};}",
            "UpdateAccountTemplate one.example {InitialMessage=(a);}",
            "UpdateModule Template {MaxMailboxes=x;}")
    cli.ask("UpdateAllAccountsDefaults {MaxMailboxes=9;}")
    before = cli.ask("GetDomainDefaults")
    cli.ask("SetDomainDefaults {AccountsLimit=2;}")
    cli.ask("SetAccountDefaults one.example {}")
    assert "MaxMailboxes=9;" in cli.ask("GetAccountEffectiveSettings "
                                        "a@one.example")
    cli.ask(f"SetDomainDefaults {before[4:]}")
    cli.ask("UpdateAllAccountsDefaults {MaxMailboxes=default;}")


def settings(s, cli):
    """Own, else of all domains, else the table's."""
    def effective(key, name="one.example"):
        text = cli.ask(f"GetDomainEffectiveSettings {name}")
        return text.split(f"{key}=")[1].split(";")[0]

    make(cli, "one.example")
    assert cli.ask("GetDomainSettings one.example") == "201 {}"
    assert effective("AccountsLimit") == '"-1"'
    for text in re.findall(r'\w+=(?:"[^"]*"|\w+)', REFERENCE):
        key, value = text.split("=", 1)
        assert effective(key) == value, (key, effective(key))
    cli.ask("UpdateDomainDefaults {AccountsLimit=2;Custom=yes;}")
    assert effective("AccountsLimit") == "2" and effective("Custom") == "yes"
    cli.ask("UpdateDomainSettings one.example {AccountsLimit=1;}")
    assert effective("AccountsLimit") == "1"
    assert cli.ask("GetDomainSettings one.example") == "201 {AccountsLimit=1;}"
    cli.ask("CreateAccount a@one.example")
    refused(cli, "CreateAccount b@one.example")
    # Other names are no accounts, and go with the domain.
    cli.ask("SetAccountAliases a@one.example (b)")
    cli.ask("CreateForwarder f@one.example TO a@one.example")
    cli.ask("CreateGroup g@one.example {Members=(a);}")
    # One that is called otherwise is no more; one from elsewhere is.
    cli.ask("RenameAccount a@one.example INTO a2@one.example")
    cli.ask("RenameAccount a2@one.example INTO a@one.example")
    refused(cli, "RenameAccount user INTO user@one.example")
    account_defaults(cli)
    cli.ask("UpdateDomainSettings one.example {AccountsLimit=default;}")
    cli.ask("CreateAccount b2@one.example")
    refused(cli, "CreateAccount c@one.example",
            "UpdateDomainSettings one.example {AccountsLimit=many;}",
            "UpdateDomainSettings one.example {MailToUnknown=Eaten;}",
            "UpdateDomainSettings nowhere.example {AccountsLimit=1;}",
            "SetAccountAliases b2@one.example (b)",
            "SetAccountAliases b2@one.example (f)",
            "SetAccountAliases b2@one.example (all)",
            "SetAccountAliases b2@one.example (new,b)",
            "CreateDomain one.example", "CreateDomain bad..example",
            "CreateDomain two.example {IPAddresses=(\"192.0.2.77\");}")
    assert cli.ask("GetAccountAliases b2@one.example") == "201 ()"
    cli.ask("UpdateDomainDefaults {AccountsLimit=default;Custom=default;}")
    cli.ask("DeleteDomain one.example FORCE")
    assert not pathlib.Path(s.base, "Domains/one.example").exists()
    cleaned(s)


def aliases(s, cli):
    make(cli, "one.example", "ann")
    make(cli, "two.example")
    cli.ask("SetDomainAliases one.example (www.one.example,mail.one.example)")
    assert cli.ask("GetDomainAliases one.example") == \
        '201 ("mail.one.example","www.one.example")'
    for a in "ann@mail.one.example", "ann@WWW.one.example":
        assert cli.ask(f"Route {a}") == local('"ann@one.example"')
    refused(cli, "SetDomainAliases two.example (mail.one.example)",
            "SetDomainAliases two.example (one.example)",
            "CreateDomain mail.one.example",
            "RenameDomain two.example INTO www.one.example")
    assert cli.ask("Route ann@mail.one.example") == local('"ann@one.example"')
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login("ann@mail.one.example", PASSWORD)
    cli.ask("DeleteDomain two.example")
    cli.ask("DeleteDomain one.example FORCE")
    assert cli.send("Route ann@mail.one.example").startswith("201 (SMTP")
    # A new one has nothing of the old one's.
    make(cli, "one.example")
    assert cli.ask("GetDomainAliases one.example") == "201 ()"
    assert cli.ask("ListAccounts one.example") == "201 {}"
    cli.ask("DeleteDomain one.example")


def unknown(s, cli):
    make(cli, "one.example", "ann")

    def mail(settings, address, expect):
        cli.ask(f"UpdateDomainSettings one.example {{{settings}}}")
        got = cli.send(f"Route {address}@one.example")
        assert got == expect, f"{settings}: {got}"

    mail("", "nobody", UNKNOWN)
    mail("MailToUnknown=Discarded;", "nobody", '201 (SYSTEM,NULL,"")')
    mail('MailToUnknown="Rerouted to";MailRerouteAddress="bad-*@far.example";',
         "jjones", '201 (SMTP,"far.example","bad-jjones@far.example")')
    mail('MailRerouteAddress="ann@one.example";', "x",
         local('"ann@one.example"'))
    refused(cli, 'UpdateDomainSettings one.example {MailRerouteAddress="a b";}',
            'UpdateDomainDefaults {AccessRerouteAddress="a@b@@";}')
    # It leads back here: a clear error, no loop.
    mail('MailRerouteAddress="*x@one.example";', "x",
         "501 the address is routed in a loop")
    mail('MailToUnknown="Accepted and Bounced";', "x",
         local('"x@one.example"'))
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail(f"user@{s.domain}", ["x@one.example"], "Subject: x\n\nx\n")
    wait_for("the bounce", lambda: any(b"x@one.example" in m
                                       for _, m in s.mail("user")))
    cli.ask('UpdateDomainSettings one.example {AccessToUnknown="Rerouted to";'
            'AccessRerouteAddress="ann@one.example";}')
    assert cli.ask("Route who@one.example access") == local(
        '"ann@one.example"')
    # The postmaster of every domain: RFC 2142.
    assert cli.ask("Route abuse@one.example") == local("postmaster")
    assert cli.ask("Route postmaster@one.example") == local("postmaster")
    # One that has its own (manual 18) gets its mail, and logins.
    cli.ask("CreateAccount postmaster@one.example")
    for mode in "", "access":
        assert cli.ask(f"Route Postmaster@one.example {mode}") == local(
            '"postmaster@one.example"')
    cli.ask("DeleteDomain one.example FORCE")


def folders(s, cli):
    make(cli, "one.example", "flat")
    # Methods change; accounts stay where they are.
    for method, name, where in [
            ("2 Letters 1 Level", "jsmith", "js.sub/jsmith.macnt"),
            ("2 Letters 1 Level", "q", "q.sub/q.macnt"),
            ("2 Letters 2 Levels", "jones", "j.sub/o.sub/jones.macnt"),
            ("2 Letters 2 Levels", "z", "z.sub/z.macnt"),
            ("flat", "plain", "plain.macnt")]:
        cli.ask(f'UpdateDomainSettings one.example {{Foldering="{method}";}}')
        cli.ask(f'CreateAccount {name}@one.example {{Password="{PASSWORD}";}}')
        assert files(s, "one.example", name) == [where], (method, name)
        assert cli.ask(f"GetAccountLocation {name}@one.example") == \
            f'201 "{where}"'
    for method, depth in ("Hashed 1 Level", 1), ("Hashed 2 Levels", 2):
        cli.ask(f'UpdateDomainSettings one.example {{Foldering="{method}";}}')
        name = f"hash{depth}"
        cli.ask(f"CreateAccount {name}@one.example TextMailbox")
        found = files(s, "one.example", name)
        assert any(f.endswith(f"{name}.mbox") and f.count(".sub/") == depth
                   for f in found), found
    # In Accounts, too; a rename goes by the method, or stays in its place.
    cli.ask('UpdateDomainSettings {Foldering="2 Letters 1 Level";}')
    cli.ask(f'CreateAccount folder {{Password="{PASSWORD}";}}')
    assert pathlib.Path(s.base, "Accounts/fo.sub/folder.macnt").is_dir()
    cli.ask("RenameAccount folder INTO elder")
    assert pathlib.Path(s.base, "Accounts/el.sub/elder.macnt").is_dir()
    cli.ask("UpdateDomainSettings {RenameInPlace=YES;}")
    cli.ask("RenameAccount elder INTO younger")
    assert pathlib.Path(s.base, "Accounts/el.sub/younger.macnt").is_dir()
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login("younger", PASSWORD)
        i.append("INBOX", None, None, b"Subject: here\r\n\r\nx\r\n")
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail("a@far.example", [f"jsmith@one.example",
                                     f"younger@{s.domain}"], "Subject: x\n\n")
    wait_for("mail in a folder", lambda: len(read_mbox(
        f"{s.base}/Domains/one.example/js.sub/jsmith.macnt/INBOX.mbox")) == 1
        and len(read_mbox(
            f"{s.base}/Accounts/el.sub/younger.macnt/INBOX.mbox")) == 2)
    before = cli.ask("ListAccounts one.example")
    restart_router(s, cli)
    assert cli.ask("ListAccounts one.example") == before
    assert cli.ask("Route younger") == local("younger")
    # One of them cannot be read: nobody's mail comes back for that.
    place = pathlib.Path(s.base, "Domains/one.example/js.sub")
    place.rename(place.parent / "away")
    place.symlink_to("away")
    restart_router(s, cli)
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.ehlo("x.example")
        c.mail("a@far.example")
        assert c.rcpt("jsmith@one.example")[0] == 451
        assert c.rcpt("jones@one.example")[0] == 250
    assert 'Unreadable="one.example"' in cli.ask("Status")
    place.unlink()
    (place.parent / "away").rename(place)
    restart_router(s, cli)
    assert cli.ask("ListAccounts one.example") == before
    cli.ask("DeleteAccount younger")
    cli.ask("SetDomainSettings " + s.domain + " {}")
    cli.ask("DeleteDomain one.example FORCE")
    cleaned(s)


def index(s, cli):
    """Index.data: read after an orderly end, and only then."""
    make(cli, "one.example", "ann", "bob",
         settings='Foldering="Hashed 2 Levels";FolderIndex=YES;')
    cli.ask("CreateAccount txt@one.example TextMailbox")
    path = pathlib.Path(s.base, "Domains/one.example/Index.data")
    before = cli.ask("ListAccounts one.example")
    where = [cli.ask(f"GetAccountLocation {a}@one.example")
             for a in ("ann", "bob", "txt")]
    said = [0]

    def end(signal, line):
        restart_router(s, cli, signal)
        wait_for(line, lambda: s.log().count(f"Index.data: {line}") > said[0])
        said[0] = 0
        assert cli.ask("ListAccounts one.example") == before
        assert where == [cli.ask(f"GetAccountLocation {a}@one.example")
                         for a in ("ann", "bob", "txt")]

    end(signal.SIGTERM, "read")
    text = path.read_text()
    assert text.startswith("index dirty\nann macnt ") or "ann macnt " in text
    assert text.endswith("end 3\n"), text
    end(signal.SIGKILL, "not to be relied on")
    # In a directory of its own, if there is one; gone if not wanted.
    path.unlink()
    path.parent.joinpath("Index").mkdir(mode=0o777)
    os.chmod(path.parent / "Index", 0o777)
    said[0] = s.log().count("Index.data: read")
    restart_router(s, cli)
    cli.ask("UpdateDomainSettings one.example {FolderIndex=NO;}")
    cli.ask("UpdateDomainSettings one.example {FolderIndex=YES;}")
    assert path.parent.joinpath("Index/Index.data").exists()
    end(signal.SIGTERM, "read")
    cli.ask("UpdateDomainSettings one.example {FolderIndex=NO;}")
    assert not path.parent.joinpath("Index/Index.data").exists()
    cli.ask("DeleteDomain one.example FORCE")


def addresses(s, cli):
    """An address of a domain's own: short names are its accounts.  POP has a
    port there, as the last of its ports."""
    make(cli, "one.example", "ann", settings='IPAddresses=("[127.0.0.2]");')
    refused(cli, 'CreateDomain two.example {IPAddresses="127.0.0.2";}',
            'CreateDomain two.example {IPAddresses="127.0.0.300";}')
    make(cli, "two.example", "ann")
    refused(cli, 'UpdateDomainSettings two.example {IPAddresses="127.0.0.2";}')
    cli.ask('UpdateDomainSettings two.example {IPAddresses=("127.0.0.3");}')
    for name, ip in ("one.example", "127.0.0.2"), ("two.example", "127.0.0.3"):
        assert cli.ask(f"Route ann@[{ip}]") == local(f'"ann@{name}"')
    # (the suite's clients come to 127.0.0.1, but for POP)
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login("user", PASSWORD)
        try:
            i.logout()
            imaplib.IMAP4("127.0.0.1", s.imap).login("ann", PASSWORD)
            raise AssertionError("ann is an account of the Main Domain")
        except imaplib.IMAP4.error:
            pass
    for name, good in [("ann", True), ("user", False), (f"user@{s.domain}",
                       True), ("ann@two.example", True)]:
        p = poplib.POP3("127.0.0.2", s.pop)
        p.user(name)
        try:
            p.pass_(PASSWORD)
            assert good, f"{name} may log in by short name"
        except poplib.error_proto:
            assert not good, f"{name} may not log in"
        p.close()
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail("x@far.example", ["ann@[127.0.0.2]"], "Subject: x\n\nx\n")
    wait_for("mail", lambda: len(read_mbox(
        f"{s.base}/Domains/one.example/ann.macnt/INBOX.mbox")) == 1)
    cli.ask("UpdateDomainSettings two.example {IPAddresses=default;}")
    assert cli.send("Route ann@[127.0.0.3]").startswith("201 (SMTP")
    # By DNS; an address that is not ours, or another's, is not taken.
    pathlib.Path(s.env["CG_ZONE"]).write_text(
        "two.example MX 20 far.example\ntwo.example MX 10 mail.two.example\n"
        "mail.two.example A 127.0.0.4\nmail.two.example A 127.0.0.2\n"
        "two.example A 127.0.0.5\nfar.example A 127.0.0.6\n"
        "two.example A 192.0.2.77\n")
    cli.ask('UpdateDomainSettings two.example {IPMode="by DNS MX-Record";}')
    wait_for("addresses of MX", lambda: cli.send("Route ann@[127.0.0.4]") ==
             local('"ann@two.example"'))
    assert cli.ask("Route ann@[127.0.0.2]") == local('"ann@one.example"')
    cli.ask('UpdateDomainSettings two.example {IPMode="by DNS A-Record";}')
    wait_for("addresses of A", lambda: cli.send("Route ann@[127.0.0.5]") ==
             local('"ann@two.example"'))
    for ip in "127.0.0.4", "127.0.0.6", "192.0.2.77":
        assert cli.send(f"Route ann@[{ip}]").startswith("201 (SMTP"), ip
    # The default of all domains counts where one says nothing.
    cli.ask('UpdateDomainSettings two.example {IPMode=default;}')
    assert cli.send("Route ann@[127.0.0.5]").startswith("201 (SMTP")
    cli.ask('UpdateDomainDefaults {IPMode="by DNS A-Record";}')
    wait_for("addresses by default", lambda: cli.send("Route ann@[127.0.0.5]")
             == local('"ann@two.example"'))
    assert cli.ask("Route user@[127.0.0.1]") == local("user")
    cli.ask("UpdateDomainDefaults {IPMode=default;}")
    refused(cli, 'UpdateDomainSettings two.example {IPMode="All Available";}',
            'CreateDomain x.example {IPMode="All Available";}',
            'UpdateDomainDefaults {IPMode="All Available";}',
            'SetDomainDefaults {IPMode="All Available";}',
            'UpdateModule Domain {IPMode="All Available";}')
    # The Main Domain's own list: others of the host mean no domain.
    cli.ask('UpdateDomainSettings {IPMode="Manually Defined";'
            'IPAddresses=("127.0.0.3");}')
    assert cli.ask("Route user@[127.0.0.3]") == local("user")
    cli.ask("UpdateDomainSettings {IPMode=default;IPAddresses=default;}")
    cli.ask("DeleteDomain one.example FORCE")
    cli.ask("DeleteDomain two.example FORCE")


def administrators(s, cli):
    """Their own domain; another one only if that names theirs, too."""
    make(cli, "boss.example", "admin", "helper")
    make(cli, "sub.example", "ann", settings="AdminDomainName=boss.example;")
    make(cli, "other.example", "bob")
    cli.ask("SetAccountRights admin@boss.example (CanCreateGroups,"
            "CanAdminSubDomains,MailToUnknown,CanCreateForwarders,"
            "ForceSMTPAUTH,MaxAccountSize,BasicSettings,FailedLoginFlow)")
    cli.ask("SetAccountRights helper@boss.example (CanCreateGroups)")
    a = Cli(s.env["CG_PWD"], "admin@boss.example", PASSWORD)
    h = Cli(s.env["CG_PWD"], "helper@boss.example", PASSWORD)
    for c in a, h:
        c.ask("INLINE")
        c.ask("CreateGroup g")
        c.ask("DeleteGroup g@boss.example")
        refused(c, "CreateGroup g@other.example", "ListGroups other.example",
                "ListDomains", "CreateDomain x.example",
                "DeleteDomain boss.example FORCE",
                "RenameDomain boss.example INTO x.example",
                "UpdateDomainDefaults {AccountsLimit=1;}",
                "SetAccountAliases helper (x)",
                f"CreateForwarder f@{s.domain} TO ann",
                f"GetDomainSettings {s.domain}")
    a.ask("CreateGroup g@sub.example {Members=(ann);}")
    refused(h, "GetGroup g@sub.example", "CreateForwarder f TO x@far.example",
            "CreateGroup g2@sub.example", "ListForwarders sub.example")
    a.ask("CreateForwarder f TO x@far.example")
    refused(h, "DeleteForwarder f")
    of_main(s, cli)
    theirs_to_change(cli, a, h)
    administrators_follow(s, cli, a)
    h.close()
    cli.ask("DeleteDomain sub.example FORCE")
    cli.ask("DeleteDomain other.example FORCE")


def of_main(s, cli):
    """The Main Domain's own administrators are that one's."""
    cli.ask("SetAccountRights user (CanCreateGroups)")
    m = Cli(s.env["CG_PWD"], "user", PASSWORD)
    m.ask("CreateGroup mine")
    refused(m, "CreateGroup g@other.example", "ListDomains",
            "CreateForwarder f TO x@far.example")
    m.ask("DeleteGroup mine")
    m.close()
    cli.ask("SetAccountRights user ()")


def theirs_to_change(cli, a, h):
    """Of what they send, only what they may change is changed."""
    a.ask("UpdateDomainSettings sub.example {AccountsLimit=9;"
          "MailToUnknown=Discarded;}")
    assert cli.ask("GetDomainSettings sub.example") == \
        '201 {AdminDomainName="boss.example";MailToUnknown=Discarded;}'
    a.ask("UpdateDomainSettings sub.example {ForceSMTPAUTH=Clients;"
          "MailToUnknown=default;}")
    assert cli.ask("GetDomainSettings sub.example") == \
        '201 {AdminDomainName="boss.example";ForceSMTPAUTH=Clients;}'
    a.ask("UpdateAccountDefaults sub.example {MaxAccountSize=1M;city=X;"
          "FailedLoginFlow=(5,1m);AccessModes=None;}")
    assert cli.ask("GetAccountDefaults sub.example") == \
        "201 {FailedLoginFlow=(5,1m);MaxAccountSize=1M;city=X;}"
    h.ask("UpdateAccountDefaults {MaxAccountSize=1M;}")
    assert cli.ask("GetAccountDefaults boss.example") == "201 {}"


def administrators_follow(s, cli, a):
    """Their domain is called otherwise: they still may.  It goes: one that is
    made under its name later is another's."""
    cli.ask("RenameDomain boss.example INTO chef.example")
    assert a.send("ListGroups")[:1] == "5"
    a.close()
    a = Cli(s.env["CG_PWD"], "admin@chef.example", PASSWORD)
    a.ask("DeleteGroup g@sub.example")
    assert cli.ask("ListAdminDomains chef.example") == '201 ("sub.example")'
    a.ask("INLINE")
    assert a.ask("ListAdminDomains") == '201 ("sub.example")'
    a.close()
    cli.ask("UpdateDomainDefaults {AdminDomainName=chef.example;}")
    cli.ask("DeleteDomain chef.example FORCE")
    assert cli.ask("GetDomainSettings sub.example") == \
        "201 {ForceSMTPAUTH=Clients;}"
    assert "chef" not in cli.ask("GetDomainDefaults")
    # By an alias it is the same.
    make(cli, "chef.example", "admin")
    cli.ask("SetDomainAliases chef.example (patron.example)")
    cli.ask("SetAccountRights admin@chef.example (CanCreateGroups,"
            "CanPostAlerts,CanAdminSubDomains)")
    cli.ask("UpdateDomainSettings sub.example "
            "{AdminDomainName=Patron.example;}")
    a = Cli(s.env["CG_PWD"], "admin@chef.example", PASSWORD)
    a.ask("CreateGroup byalias@sub.example")
    a.ask("PostDomainAlert sub.example ALERT hello")
    a.close()
    assert cli.ask("ListAdminDomains chef.example") == '201 ("sub.example")'
    cli.ask("DeleteDomain chef.example FORCE")
    assert "AdminDomainName" not in cli.ask("GetDomainSettings sub.example")
    make(cli, "chef.example", "admin")
    cli.ask("SetAccountRights admin@chef.example (CanCreateGroups,"
            "CanAdminSubDomains)")
    a = Cli(s.env["CG_PWD"], "admin@chef.example", PASSWORD)
    refused(a, "CreateGroup g@sub.example", "GetDomainSettings sub.example")
    a.close()
    cli.ask("DeleteDomain chef.example FORCE")


def restart_router(s, cli, sig=signal.SIGKILL):
    old = [p for p, n in s.children().items() if n == "routerd"]
    kill(old[0], sig)
    wait_for("routerd to come back", lambda: cli.send("ListDomains")[:1] == "2"
             and old[0] not in s.children())


def in_use(s, cli):
    """Users are logged in and mail comes all the time: all of it arrives."""
    make(cli, "old.example", "ann", "bob", settings="MailToAllAction=nobody;")
    cli.ask("CreateAccount txt@old.example TextMailbox")
    cli.ask("SetDomainAliases old.example (always.example)")
    sent, stop = [], threading.Event()

    def sender():
        n = 0
        while not stop.is_set():
            n += 1
            with smtplib.SMTP("127.0.0.1", s.smtp) as c:
                for user in "ann", "txt":
                    try:
                        c.sendmail("x@far.example", [f"{user}@always.example"],
                                   f"Subject: no{n}\n\nx\n")
                        sent.append((user, n))
                    except smtplib.SMTPRecipientsRefused as e:
                        code = list(e.recipients.values())[0][0]
                        assert 400 <= code < 500, e

    imap = imaplib.IMAP4("127.0.0.1", s.imap)
    imap.login("ann@old.example", PASSWORD)
    imap.select()
    pop = poplib.POP3("127.0.0.2", s.pop)
    pop.user("bob@old.example")
    pop.pass_(PASSWORD)
    t = threading.Thread(target=sender)
    t.start()
    name = "old.example"
    try:
        for new in "new.example", "newer.example", "old.example", "last.test":
            wait_for("mail", lambda: len(sent) > 20)
            cli.ask(f"RenameDomain {name} INTO {new}")
            name = new
    finally:
        stop.set()
        t.join()
    while b"BYE" not in (line := imap.readline()):
        assert line, "closed without BYE"
    assert b"renamed" in line, line
    try:
        pop.noop()
        raise AssertionError("a session of the old name goes on")
    except (poplib.error_proto, OSError):
        pass
    wait_for("an empty queue", lambda: not s.queue())
    base = pathlib.Path(s.base, "Domains", name)
    for user, box in ("ann", "ann.macnt/INBOX.mbox"), ("txt", "txt.mbox"):
        have = sorted(int(m.split(b"Subject: no")[1].split(b"\n")[0])
                      for _, m in read_mbox(base / box))
        assert have == [n for u, n in sent if u == user], \
            f"{user}: {len(have)} of {len(sent) // 2}"
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login(f"ann@{name}", PASSWORD)
    # Removed under a user's feet: he hears of it, mail is refused for good.
    imap = imaplib.IMAP4("127.0.0.1", s.imap)
    imap.login(f"ann@{name}", PASSWORD)
    cli.ask(f"DeleteDomain {name} FORCE")
    while b"BYE" not in (line := imap.readline()):
        assert line, "closed without BYE"
    assert not base.exists()
    cleaned(s)
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.ehlo("x.example")
        c.mail("x@far.example")
        assert c.rcpt("ann@always.example")[0] == 550


def crash(s, cli):
    """routerd dies while it renames: the old name or the new one, whole."""
    make(cli, "a.example", "ann")
    make(cli, "sub.example", settings="AdminDomainName=a.example;")
    cli.ask("SetDomainAliases a.example (alias.example)")
    cli.ask("CreateGroup g@a.example {Members=(ann@a.example);}")
    name, other = "a.example", "b.example"
    for i in range(5):      # (the supervisor waits longer each time)
        pid = next(p for p, n in s.children().items() if n == "routerd")
        t = threading.Timer(0.003 * i, kill, (pid, signal.SIGKILL))
        t.start()
        answer = cli.send(f"RenameDomain {name} INTO {other}")
        t.join()
        wait_for("routerd to come back", lambda: cli.send("ListDomains"
                                                          )[:1] == "2" and
                 pid not in s.children())
        there = wait_for("the list", lambda: (
            r := cli.send("ListDomains"))[:1] == "2" and r)
        renamed = f'"{other}"' in there
        assert renamed != (f'"{name}"' in there), there
        assert renamed or answer[:1] != "2", answer
        if renamed:
            name, other = other, name
        assert cli.ask("Route ann@alias.example") == local(f'"ann@{name}"')
        assert name in cli.ask("GetDomainSettings sub.example")
        members = cli.ask(f"GetGroup g@{name}")
        assert members in ("201 {Members=(ann);}",
                           f'201 {{Members=("ann@{name}");}}'), members
        wait_for("a login", lambda: login(s, f"ann@{name}"))
    cli.ask(f"DeleteDomain {name} FORCE")
    cli.ask("DeleteDomain sub.example FORCE")


def unread(s, cli):
    """Settings that cannot be read may have let nobody in: all of the domain
    waits.  Its template is needed for new accounts alone."""
    for name in "shut.example", "open.example":
        make(cli, name, "ann")
    cli.ask("UpdateDomainSettings shut.example {DomainAccessModes=None;}")

    def said(name, password=PASSWORD):
        p = poplib.POP3("127.0.0.2", s.pop)
        p.user(name)
        try:
            return p.pass_(password).decode().split()[0]
        except poplib.error_proto as e:
            return e.args[0].decode()
        finally:
            p.close()

    def restart():
        pid = next(p for p, n in s.children().items() if n == "routerd")
        kill(pid)
        wait_for("routerd to come back", lambda: pid not in s.children() and
                 cli.send("ListDomains")[:1] == "2")

    for name, file in (("shut", "Domain"), ("open", "Template")):
        path = pathlib.Path(s.base, f"Domains/{name}.example/Settings",
                            file + ".settings")
        path.write_text("{")
    assert said("ann@shut.example")[:4] == "-ERR"
    restart()
    for name, password in (("ann", PASSWORD), ("ann", "x"), ("ghost", "x")):
        got = said(name + "@shut.example", password)
        assert "[SYS/TEMP]" in got, got
    assert said("ann@open.example") == "+OK"
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.ehlo("x.example")
        c.mail("")
        assert [c.rcpt(a)[0] for a in (
            "ann@shut.example", "ghost@shut.example", "ann@open.example",
            "x%ann@shut.example.domain")] == [451, 451, 250, 451]
    path = pathlib.Path(s.base, "Domains/shut.example/Settings/Domain.settings")
    path.write_text("{}")
    restart()
    assert said("ann@shut.example") == "+OK"
    for name in "shut.example", "open.example":
        cli.ask(f"DeleteDomain {name} FORCE")
    cleaned(s)


def removed(s, cli):
    """Both who remove a domain's files die; none is left, and none comes
    back."""
    for who in "authd", "routerd":
        make(cli, "big.example", settings='Foldering="2 Letters 1 Level";')
        for i in range(60):
            cli.ask(f"CreateAccount u{i}@big.example"
                    f"{' TextMailbox' if i % 5 == 0 else ''}")
        cli.ask("DeleteDomain big.example FORCE")
        pid = next(p for p, n in s.children().items() if n == who)
        kill(pid)
        wait_for(f"{who} to come back", lambda: pid not in s.children())
        cli = s.cli_again()
        assert '"big.example"' not in cli.ask("ListDomains")
        cleaned(s)
    make(cli, "big.example")
    assert cli.ask("ListAccounts big.example") == "201 {}"
    cli.ask("DeleteDomain big.example")
    cleaned(s)


def login(s, name):
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        try:
            return i.login(name, PASSWORD)
        except imaplib.IMAP4.error:
            return None


def main():
    with Suite(accounts=["user"], conf="listen POP 127.0.0.2:auto\n") as s:
        cli = s.cli()
        cli.ask("INLINE")
        for test in (settings, aliases, unknown, folders, index, addresses,
                     administrators, unread, in_use, crash, removed):
            start = time.monotonic()
            test(s, cli)
            print(f"{test.__name__}: {time.monotonic() - start:.1f} s")
        cli.close()
    return 0


sys.exit(main())
