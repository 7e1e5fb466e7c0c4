#!/usr/bin/env python3
"""Granting rights: their names, old and new; whose they are; the administrator
domain; and that nobody gets more than he was given, by whatever way."""
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, wait_for  # noqa: E402

E = os.environ
MAIN = E["CG_DOMAIN"]
BASE = pathlib.Path(E["CG_BASE"])
ACCESS = BASE / "Accounts/Settings/Access.settings"

# Chapter 04b: what may be granted in any domain.
DOMAIN = """DomainAccessModes AutoSignup ExternalOnProvision TrailerText
WebBanner WebSitePrefix Foldering FolderIndex RenameInPlace AllWithForwarders
MailToAllAction ExternalOnUnknown MailToUnknown MailRerouteAddress
SignalToUnknown SignalRerouteAddress AccessToUnknown AccessRerouteAddress
CentralDirectory CertificateType KerberosKeys RelayAddress ForceSMTPAuth
recipientStatus ServiceClasses CanCreateAccounts CanCreateSpecialAccounts
CanCreateGroups CanCreateForwarders CanCreateNamedTasks CanCreateLists
CanAccessLists CanCreateAliases CanCreateTelnums CanPostAlerts
CanAdminSubDomains CanModifySkins CanModifyPBXApps CanModifyRules
CanModifyRPOP CanAccessMailboxes CanAccessWebSites CanControlCalls
CanCreateWebUserSessions CanImpersonate CanControlAirSync CanCreditAccounts
CanChargeAccounts CanChargeReserves BasicSettings PSTNSettings WebUserSettings
ServiceClass UseAppPassword PWDAllowed PasswordEncryption RequireAPOP
UseKerberosPassword UseCertificateAuth UseSysPassword OSUserName
UseExtPassword LogLogin FailedLoginFlows AccessModes MailInpFlow MailOutFlow
MaxMessageSize MaxMailOutSize MailToAll AddMailTrailer QuotaNotice QuotaAlert
QuotaSuspend RulesAllowed RPOPAllowed MaxAccountSize MaxMailboxes
DefaultMailboxType MaxSignalContacts SignalRulesAllowed CallsLimit CallLogs
DialogInfo CallInpFlow CallOutFlow RSIPAllowed AirSyncAllowed MaxRosterItems
IMLogs NotifyOutFlow MaxWebSize MaxFileSize MaxWebFiles AddWebBanner
DefaultWebPage""".split()
SERVER = "Master Settings Users DomainsRead Monitors Directory".split()
OLD = {"Unlimited": "Master", "AllDomains": "Users", "Domains": "Users",
       "Accounts": "Users", "Monitor": "Monitors", "Server": "Settings",
       "ForceSMTPAUTH": "ForceSMTPAuth", "FailedLoginFlow":
       "FailedLoginFlows", "cancreateaccounts": "CanCreateAccounts"}


def login(name=E["CG_ADMIN_NAME"], password=E["CG_ADMIN_PASSWORD"]):
    c = Cli(E["CG_PWD"], name, password)
    c.ask("INLINE")
    return c


def data(cli, command):
    answer = cli.ask(command)
    return answer[4:] if answer.startswith("201 ") else ""


def refused(cli, *commands):
    for c in commands:
        answer = cli.send(c)
        assert answer.startswith("50"), (c, answer)


def names(cli):
    cli.ask("CreateDomain d.example")
    for a in ("boss@d.example", "joe@d.example", "op", "tom"):
        cli.ask(f"CreateAccount {a} {{Password=pw;}}")
    cli.ask(f"SetAccountRights boss@d.example ({','.join(DOMAIN)})")
    assert data(cli, "GetAccountRights boss@d.example") == \
        f"({','.join(DOMAIN)})"
    for r in SERVER + ["Unlimited"]:
        refused(cli, f"SetAccountRights boss@d.example ({r})")
        cli.ask(f"SetAccountRights op ({r})")
        assert data(cli, "GetAccountRights op") == f"({OLD.get(r, r)})"
    for old, new in OLD.items():
        cli.ask(f"SetAccountRights op ({old})")
        assert data(cli, "GetAccountRights op") == f"({new})", old
    refused(cli, "SetAccountRights op (Nonsense)", "SetAccountRights op (())",
            "SetAccountRights op {Master=YES;}",
            "SetAccountRights nobody (Monitors)")
    cli.ask("SetAccountRights op ()")
    assert "op" not in ACCESS.read_text()
    assert ACCESS.stat().st_mode & 0o777 == 0o600


def granting(cli):
    """Master in the main domain; Users in the others'; nobody else."""
    cli.ask("SetAccountRights op (Users)")
    op = login("op", "pw")
    refused(op, "SetAccountRights op (Master)", "SetAccountRights tom (Users)",
            "SetAccountRights postmaster ()")
    op.ask("SetAccountRights joe@d.example (BasicSettings)")
    boss = login("boss@d.example", "pw")
    refused(boss, "SetAccountRights boss (Master)",
            "SetAccountRights joe (CanCreateAccounts)",
            f"SetAccountRights op@{MAIN} ()")
    # What is taken away is away at once.
    boss.ask("CreateAccount new1")
    cli.ask("SetAccountRights boss@d.example (BasicSettings)")
    refused(boss, "CreateAccount new2")
    cli.ask("SetAccountRights op ()")
    refused(op, "ListDomains", "CreateAccount z@d.example")
    op.close()
    boss.close()


def administrator_domain(cli):
    cli.ask("CreateDomain client.example")
    cli.ask("CreateAccount u@client.example {Password=pw;}")
    cli.ask("SetAccountRights boss@d.example (CanCreateAccounts,"
            "BasicSettings)")
    boss = login("boss@d.example", "pw")
    refused(boss, "GetAccountSettings u@client.example")
    cli.ask("UpdateDomainSettings client.example {AdminDomainName=d.example;}")
    refused(boss, "GetAccountSettings u@client.example")
    cli.ask("SetAccountRights boss@d.example (CanCreateAccounts,"
            "BasicSettings,CanAdminSubDomains)")
    boss.ask("GetAccountSettings u@client.example")
    boss.ask("CreateAccount v@client.example")
    boss.ask("RenameAccount v@client.example INTO w@client.example")
    refused(boss, f"CreateAccount v@{MAIN}", "CreateDomain e.example",
            "DeleteDomain client.example FORCE")
    boss.send("UpdateDomainSettings client.example {AdminDomainName=x;"
              "AccountsLimit=1000;}")
    assert data(cli, "GetDomainSettings client.example") == \
        '{AdminDomainName="d.example";}'
    cli.ask("UpdateDomainSettings client.example {AdminDomainName=default;}")
    refused(boss, "GetAccountSettings u@client.example")
    boss.close()


def outranked(cli):
    """An administrator of the main domain against its Master."""
    cli.ask(f"SetAccountRights op ({','.join(DOMAIN)})")
    op = login("op", "pw")
    op.ask("CreateAccount mine {Password=pw;}")
    refused(op, "SetAccountPassword postmaster TO x",
            f"VerifyAccountPassword postmaster PASSWORD "
            f"{E['CG_ADMIN_PASSWORD']}",
            "UpdateAccountSettings postmaster {Password=x;}",
            "SetAccountSettings postmaster {Password=x;}",
            "DeleteAccount postmaster", "RenameAccount postmaster INTO x",
            "ListMailboxes postmaster", "KillAccountSessions postmaster",
            "CreateMailbox postmaster MAILBOX x",
            "SetMailboxACL postmaster MAILBOX INBOX {op=lra;}",
            "GetWebFile postmaster FILE x",
            "SetAccountRights op (Master)")
    # Rights that stand there for a name that is free are nobody's.
    cli.ask("CreateAccount ghost")
    cli.ask("SetAccountRights ghost (Master)")
    text = ACCESS.read_text()
    cli.ask("DeleteAccount ghost")
    assert "ghost" not in ACCESS.read_text()
    op.ask("CreateAccount ghost {Password=pw;}")
    assert data(cli, "GetAccountRights ghost") == "()"
    op.ask("DeleteAccount ghost")
    cli.ask("SetAccountRights tom (Monitors)")
    refused(op, "RenameAccount tom INTO tim", "DeleteAccount tom")
    cli.ask("RenameAccount tom INTO tim")
    assert data(cli, "GetAccountRights tim") == "(Monitors)"
    assert "tom" not in ACCESS.read_text() and "ghost" in text
    op.close()


def own(cli):
    """A user changes what is his, within what he may, and no more."""
    joe = login("joe@d.example", "pw")
    cli.ask("SetAccountRights joe@d.example ()")
    for c in ("GetAccountSettings *", "GetAccount joe@d.example",
              "GetAccountEffectiveSettings *", "GetAccountInfo * Key LastLogin",
              "SetAccountPassword * TO pw"):
        joe.ask(c)
    cli.ask("UpdateAccountSettings joe@d.example {SyncUserPassword=tell;}")
    text = data(joe, "GetAccountEffectiveSettings *") + \
        data(joe, "GetAccountSettings *")
    assert not re.search(r"[{;]Password=|tell|PSTNGatewayP", text), text
    cli.ask("UpdateAccountSettings joe@d.example {SyncUserPassword=default;}")
    refused(joe, "UpdateAccountSettings * {MaxAccountSize=1G;}",
            "UpdateAccountSettings * {Password=x;}",
            "SetAccountSettings * {}", "SetAccountAliases * (jj)",
            "RenameAccount * INTO jim", "DeleteAccount *",
            "SetAccountRights * (BasicSettings)", "CreateAccount jim",
            "GetAccountSettings boss", "GetAccountSettings nobody",
            "SetAccountPassword boss TO x", 'ImportAccounts * DATA "Name\\ex"',
            "VerifyAccountPassword boss PASSWORD pw", "Shutdown")
    # Who is there cannot be found out.
    assert joe.send("GetAccountSettings boss") == \
        joe.send("GetAccountSettings nobody")
    joe.close()


def superiors(cli):
    """An administrator of the main domain, and those with server rights."""
    cli.ask("CreateAccount low {Password=pw;}")
    cli.ask("CreateAccount mid {Password=pw;}")
    cli.ask("CreateAccount fellow {Password=pw;}")
    cli.ask("SetAccountAliases postmaster (root)")
    cli.ask("SetAccountRights mid (Monitors)")
    cli.ask("SetAccountRights low (CanCreateAliases,CanPostAlerts,"
            "BasicSettings,UseSysPassword,OSUserName,ServiceClasses,"
            "ServiceClass,MaxAccountSize,AccessModes)")
    low = login("low", "pw")
    for to in ("postmaster", "mid"):
        refused(low, f"SetAccountAliases {to} ()",
                f"SetAccountAliases {to} (root,my)",
                f'PostAccountAlert {to} ALERT "call me"',
                f"SetAccountAlerts {to} {{}}", f"GetAccountAlerts {to}",
                f"RemoveAccountAlert {to} ALERT 20200101",
                f"KillAccountSessions {to}", f"SetAccountPassword {to} TO x",
                f"VerifyAccountPassword {to} PASSWORD x",
                f"UpdateAccountSettings {to} {{RealName=X;}}")
    assert data(cli, "GetAccountAliases postmaster") == "(root)"
    assert data(cli, "GetAccountAlerts postmaster") == "{}"
    # His equals are his to look after.
    low.ask("SetAccountAliases fellow (mate)")
    assert data(low, "GetAccountAliases fellow") == "(mate)"
    low.ask('PostAccountAlert fellow ALERT "lunch"')
    low.ask("SetAccountAliases low (lower)")
    refused(low, "SetAccountAliases fellow (lower)",
            "SetAccountAliases fellow (root)", "SetAccountAliases fellow x",
            "SetAccountAliases nobody (x)")
    # Whoever has Users may tell his Master something, and name him.
    cli.ask("SetAccountRights mid (Users)")
    mid = login("mid", "pw")
    mid.ask("SetAccountAliases postmaster (root,chief)")
    mid.ask('PostAccountAlert postmaster ALERT "the disk is full"')
    mid.close()
    cli.ask("SetAccountAlerts postmaster {}")
    cli.ask("SetAccountRights mid (Monitors)")
    # No one is let in as the Master by what all accounts have.
    low.ask("UpdateAccountDefaults {AccessModes=None;OSUserName=low;UseSysPassword=YES;"
            "UseExtPassword=YES;ServiceClass=mine;ServiceClasses={mine="
            "{OSUserName=low;}};MaxAccountSize=2M;}")
    assert data(cli, "GetAccountDefaults") == "{MaxAccountSize=2M;}"
    cli.ask("SetAccountDefaults {}")
    low.close()


def classes(cli):
    """A class of services holds what its maker may give, and no more."""
    cli.ask("SetAccountRights boss@d.example (MaxAccountSize,ServiceClasses)")
    cli.ask("SetAccountDefaults d.example {ServiceClasses={a={MaxWebSize=1M;"
            "MaxAccountSize=1M;};};}")
    boss = login("boss@d.example", "pw")
    boss.ask("UpdateAccountDefaults {ServiceClasses={a={MaxAccountSize=5M;"
             "MaxWebSize=9M;};b={MaxAccountSize=6M;OSUserName=x;};};}")
    assert data(cli, "GetAccountDefaults d.example") == \
        "{ServiceClasses={a={MaxAccountSize=5M;MaxWebSize=1M;};" \
        "b={MaxAccountSize=6M;};};}"
    boss.close()
    cli.ask("SetAccountDefaults d.example {}")


def settings_by_name(cli):
    """A domain administrator's settings: those that he has the right of."""
    cli.ask("SetAccountRights boss@d.example (MaxAccountSize,AccessModes)")
    boss = login("boss@d.example", "pw")
    boss.ask("UpdateAccountSettings joe {MaxAccountSize=3M;RequireAPOP=YES;"
             "AccessModes=(POP,IMAP,PWD);RealName=X;}")
    text = data(boss, "GetAccountSettings joe")
    assert text == "{AccessModes=(POP,IMAP,PWD);MaxAccountSize=3M;}", text
    refused(boss, "UpdateAccountSettings joe {RequireAPOP=YES;}",
            "SetAccountPassword joe TO x",
            "SetAccountSettings joe {MaxAccountSize=4M;}")
    Cli(E["CG_PWD"], "joe@d.example", "pw").close()
    boss.close()


def main():
    cli = login()
    for test in (names, granting, administrator_domain, outranked, own,
                 superiors, classes, settings_by_name):
        test(cli)
    cli.close()
    wait_for("the log", lambda: f"(op@{MAIN}) rights changed" in "".join(
        p.read_text() for p in (BASE / "SystemLogs").glob("*.log")))


main()
