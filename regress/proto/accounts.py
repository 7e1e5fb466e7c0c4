#!/usr/bin/env python3
"""Accounts by the command language: made, renamed, removed, their settings,
passwords and rights; what each kind of administrator may, and may not."""
import os
import pathlib
import poplib
import random
import re
import smtplib
import stat
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, kill, wait_for  # noqa: E402
from wire import processes  # noqa: E402

E = os.environ
DOMAIN = E["CG_DOMAIN"]
BASE = pathlib.Path(E["CG_BASE"])
ACCOUNTS = BASE / "Accounts"


def data(cli, command):
    """A command's data, on one line."""
    answer = cli.ask(command)
    return answer[4:] if answer.startswith("201 ") else ""


def refused(answer, code="501"):
    assert answer.startswith(code), answer


def login(name, password):
    c = Cli(E["CG_PWD"], name, password)
    c.ask("INLINE")
    return c


def pop_works(name, password):
    try:
        p = poplib.POP3("127.0.0.1", int(E["CG_POP"]), 60)
        p.user(name)
        p.pass_(password)
        n = len(p.list()[1])
        p.quit()
        return n
    except poplib.error_proto:
        return -1


def send(to, sender=""):
    with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as s:
        s.sendmail(sender, [to], "Subject: hello\r\n\r\nhello\r\n")


def making(cli):
    cli.ask("CreateAccount Ann {Password=annpw;RealName=\"Ann A.\";}")
    d = ACCOUNTS / "ann.macnt"
    assert stat.S_IMODE(d.stat().st_mode) == 0o1770
    assert stat.S_IMODE((d / "account.settings").stat().st_mode) == 0o600
    assert (d / "INBOX.mbox").exists() and (d / "account.info").exists()
    assert pop_works("ann", "annpw") == 0
    send(f"ann@{DOMAIN}")
    wait_for("the message", lambda: pop_works("ann", "annpw") == 1)
    answer = cli.send("CreateAccount ann")
    assert answer == "501 Account with this name already exists", answer
    for name in ("a/b", "..", ".x", "a..b", "x y", "a@nowhere.example",
                 '"\\"q"', "a#b", "x" * 250, "@", "~x"):
        refused(cli.send(f'CreateAccount "{name}"'), "50")
    refused(cli.send("CreateAccount bad {MaxAccountSize=lots;}"))
    refused(cli.send("CreateAccount bad {Password=(a,b);}"))
    assert not list(ACCOUNTS.glob("*.new")), list(ACCOUNTS.iterdir())
    make_single(cli)
    assert pop_works("text", "textpw") == 0
    send(f"text@{DOMAIN}")
    wait_for("the message", lambda: pop_works("text", "textpw") == 1)


def make_single(cli):
    cli.ask("CreateAccount text TextMailbox {Password=textpw;}")
    assert (ACCOUNTS / "text.mbox").exists()
    assert (ACCOUNTS / "text.settings").exists()


def changing(cli):
    cli.ask("UpdateAccountSettings ann {MaxAccountSize=10M;city=Bonn;}")
    text = data(cli, "GetAccountSettings ann")
    assert "MaxAccountSize=10M;" in text and "city=Bonn;" in text, text
    assert 'RealName="Ann A.";' in text and "Password" not in text, text
    cli.ask("UpdateAccountSettings ann {city=default;}")
    assert "city" not in data(cli, "GetAccount ann")
    text = data(cli, "GetAccountEffectiveSettings ann")
    assert "MaxAccountSize=10M;" in text and "RequireAPOP=NO;" in text, text
    cli.ask("UpdateModule Account {RequireAPOP=YES;}")
    wait_for("the default", lambda: "RequireAPOP=YES;" in data(
        cli, "GetAccountEffectiveSettings ann"))
    cli.ask("UpdateModule Account {RequireAPOP=default;}")
    refused(cli.send("UpdateAccountSettings ann {RequireAPOP=perhaps;}"))
    cli.ask("SetAccountSettings ann {RealName=Ann;}")
    assert data(cli, "GetAccountSettings ann") == "{RealName=Ann;}"
    assert pop_works("ann", "annpw") == 1       # the password stays
    refused(cli.send("GetAccountSettings nobody"), "500")
    refused(cli.send("UpdateAccountSettings nobody {a=b;}"), "500")


# Defaults of all accounts on a server of the vendor's: each is a setting of
# ours, or kept as it is.
REFERENCE = {
    "AccessModes": "All", "AddMailTrailer": "YES", "AddWebBanner": "YES",
    "ArchiveMessagesAfter": "0", "BannerInfo": '""',
    "CallInpFlow": '("-1",3600)', "CallLogs": "YES",
    "CallOutFlow": '("-1",3600)', "CallsLimit": '"-1"',
    "DefaultMailboxType": "TextMailbox", "DefaultWebPage": '"default.html"',
    "DeleteMessagesAfter": "0", "DialogInfo": "YES", "ExternalINBOX": "NO",
    "FailedLoginFlow": "(10,1m)", "HiddenProntoModules": '""',
    "HiddenSkins": '""', "IMAPSeesNonMail": "NO", "IMLogs": "YES",
    "LogLogin": "NO", "MailInpFlow": "(20,15)", "MailOutFlow": '("-1",30)',
    "MailToAll": "YES", "MaxAccountSize": "unlimited",
    "MaxFileSize": "unlimited", "MaxMailOutSize": "unlimited",
    "MaxMailboxes": '"-1"', "MaxMessageSize": "unlimited",
    "MaxRosterItems": "20", "MaxSignalContacts": "10", "MaxWebFiles": "1000",
    "MaxWebSize": "100M", "NotifyOutFlow": "(100,15)", "OSUserName": '"*"',
    "PSTNAreaCode": '"1(415)"', "PSTNEmergency": '"call=sip:911@telnum"',
    "PSTNFromName": '"$"', "PSTNGatewayAuthName": '"trial-*domain*"',
    "PSTNGatewayDomain": '"pstn.example.com"',
    "PSTNGatewayPassword": "dummy", "PSTNSMSHost": '""', "PWDAllowed": "YES",
    "PasswordEncryption": '"A-crpt"', "PasswordRecovery": "YES",
    "QuotaAlert": "80", "QuotaNotice": "90", "QuotaSuspend": "100",
    "RPOPAllowed": "NO", "RSIPAllowed": "NO", "RequireAPOP": "NO",
    "RulesAllowed": '"Filter Only"', "SIPIMMode": "YES",
    "ServiceClasses": "{mailonly={AccessModes=(26,Mail,POP);};}",
    "SignalRulesAllowed": "Any", "SyncMode": "NO", "SyncServer": '""',
    "SyncUserName": '"^0"', "SyncUserPassword": '"^0"',
    "UseAppPassword": "YES", "UseCertificateAuth": "NO",
    "UseExtPassword": "NO", "UseKerberosPassword": "YES",
    "UseSysPassword": "NO", "SomethingNew": "(x,{y=z;})",
}


def reference(cli):
    """All of them are taken and told again; an account of a domain has them
    by its default, one's own value counts first."""
    cli.ask("CreateAccount ref {Password=pw;}")
    text = ";".join(f"{k}={v}" for k, v in REFERENCE.items())
    cli.ask(f"UpdateAccountSettings ref {{{text};}}")
    got = data(cli, "GetAccountSettings ref")
    for k, v in REFERENCE.items():
        assert f"{k}={v};" in got, (k, v, got)
    cli.ask("DeleteAccount ref")
    cli.ask("CreateDomain ref.example")
    cli.ask("CreateAccount a@ref.example {MaxWebFiles=7;}")
    before = data(cli, "GetAccountEffectiveSettings a@ref.example")
    for k in REFERENCE:
        assert f"{k}=" in before or k in ("ServiceClasses", "SomethingNew"), k
    cli.ask(f"SetAccountDefaults ref.example {{{text};}}")
    wait_for("the defaults", lambda: "SomethingNew=" in data(
        cli, "GetAccountEffectiveSettings a@ref.example"))
    got = data(cli, "GetAccountEffectiveSettings a@ref.example")
    for k, v in REFERENCE.items():
        assert f"{k}={v if k != 'MaxWebFiles' else 7};" in got, (k, v, got)
    cli.ask("UpdateAccountSettings a@ref.example {MaxWebFiles=default;}")
    assert "MaxWebFiles=1000;" in data(
        cli, "GetAccountEffectiveSettings a@ref.example")
    assert data(cli, "GetAccountSettings a@ref.example") == "{}"


def services(cli):
    """Off for the account or for its domain, a service is off at once."""
    cli.ask("CreateDomain svc.example")
    cli.ask("CreateAccount u@svc.example {Password=pw;}")
    u = "u@svc.example"
    box = BASE / "Domains/svc.example/u.macnt/INBOX.mbox"
    assert pop_works(u, "pw") == 0
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=(3,Mail,IMAP,PWD);}}")
    assert pop_works(u, "pw") == -1
    login(u, "pw").close()
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=default;}}")
    assert pop_works(u, "pw") == 0
    cli.ask("UpdateDomainSettings svc.example "
            "{DomainAccessModes=(2,Mail,PWD);}")
    assert pop_works(u, "pw") == -1
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=All;}}")
    assert pop_works(u, "pw") == -1
    # A class has modes, too: after its own, before the defaults.
    cli.ask("UpdateDomainSettings svc.example {DomainAccessModes=default;}")
    cli.ask("SetAccountDefaults svc.example {ServiceClasses={few={AccessModes="
            "(2,Mail,PWD);MaxWebFiles=3;};};MaxWebFiles=9;}")
    cli.ask(f"UpdateAccountSettings {u} {{ServiceClass=few;}}")
    assert pop_works(u, "pw") == 0
    assert "MaxWebFiles=3;" in data(cli, f"GetAccountEffectiveSettings {u}")
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=default;}}")
    assert pop_works(u, "pw") == -1
    login(u, "pw").close()
    cli.ask(f"UpdateAccountSettings {u} {{ServiceClass=none;}}")
    assert pop_works(u, "pw") == 0
    cli.ask(f"UpdateAccountSettings {u} {{ServiceClass=default;}}")
    # Without Mail it waits, and comes when that is back.
    cli.ask("UpdateDomainSettings svc.example {DomainAccessModes=(POP);}")
    assert pop_works(u, "pw") == 0
    send(u)
    wait_for("the queue to hold it", lambda: "takes no mail" in "".join(
        p.read_text() for p in (BASE / "SystemLogs").glob("*.log")))
    assert box.stat().st_size == 0 and list((BASE / "Queue").rglob("*.msg"))
    cli.ask("UpdateDomainSettings svc.example {DomainAccessModes=default;}")
    wait_for("the message", lambda: pop_works(u, "pw") == 1)
    # Not for ever.
    cli.ask("UpdateModule LOCAL {KeepDisabled=0;}")
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=(POP);}}")
    cli.ask("CreateAccount sender@svc.example {Password=pw;}")
    send(u, "sender@svc.example")
    wait_for("a report", lambda: pop_works("sender@svc.example", "pw") == 1)
    cli.ask("UpdateModule LOCAL {KeepDisabled=default;}")
    cli.ask(f"UpdateAccountSettings {u} {{AccessModes=default;}}")
    cli.ask(f"UpdateAccountSettings {u} {{UseAppPassword=NO;}}")
    assert pop_works(u, "pw") == -1
    cli.ask(f"UpdateAccountSettings {u} {{UseAppPassword=default;"
            "LogLogin=YES;}")
    assert pop_works(u, "pw") == 1
    wait_for("the log", lambda: f"AUTH-OK POP {u} [127.0.0.1]" in "".join(
        p.read_text() for p in (BASE / "SystemLogs").glob("*.log")))


def passwords(cli):
    cli.ask('SetAccountPassword ann To "new pw"')
    assert pop_works("ann", "annpw") == -1 and \
        pop_works("ann", "new pw") == 1
    cli.ask("VerifyAccountPassword ann PASSWORD \"new pw\"")
    refused(cli.send("VerifyAccountPassword ann PASSWORD wrong"))
    for illegal in (r'"\001x"', r'"\002x"', r'"\003x"', r'"a\eb"'):
        refused(cli.send(f"SetAccountPassword ann To {illegal}"))
    ann = login("ann", "new pw")
    ann.ask("SetAccountPassword * PASSWORD annpw")
    assert pop_works("ann", "annpw") == 1
    refused(ann.send("SetAccountPassword text To x"))
    cli.ask("UpdateAccountSettings ann {PWDAllowed=NO;}")
    refused(ann.send("SetAccountPassword * To other"))
    refused(cli.send("SetAccountPassword ann To other CHECK"))
    cli.ask("SetAccountPassword ann To annpw")
    ann.close()


def rights(cli):
    ann = login("ann", "annpw")
    for command in ("CreateAccount x", "DeleteAccount text",
                    "RenameAccount text into y", "GetAccountSettings text",
                    "GetAccountSettings nobody", "GetAccountRights text",
                    "UpdateAccountSettings * {MaxAccountSize=1G;}",
                    "SetAccountRights ann (Master)", "Shutdown", "Status",
                    "VerifyAccountPassword text PASSWORD textpw"):
        refused(ann.send(command))
    assert "RealName=Ann;" in data(ann, "GetAccountSettings *")
    ann.ask("GetAccountEffectiveSettings *")

    cli.ask("CreateDomain client.example")
    cli.ask("CreateAccount boss@client.example {Password=bosspw;}")
    refused(cli.send("SetAccountRights boss@client.example (Master)"))
    refused(cli.send("SetAccountRights boss@client.example (Nonsense)"))
    cli.ask("SetAccountRights boss@client.example "
            "(BasicSettings,CanCreateAccounts,MaxAccountSize)")
    assert data(cli, "GetAccountRights boss@client.example") == \
        "(BasicSettings,CanCreateAccounts,MaxAccountSize)"
    boss = login("boss@client.example", "bosspw")
    boss.ask("CreateAccount joe {Password=joepw;MaxAccountSize=5M;"
             "RequireAPOP=YES;}")
    text = data(boss, "GetAccountSettings joe@client.example")
    assert "MaxAccountSize=5M;" in text and "RequireAPOP" not in text, text
    assert pop_works("joe@client.example", "joepw") == 0
    refused(boss.send("UpdateAccountSettings joe {RequireAPOP=YES;}"))
    refused(boss.send("CreateAccount one TextMailbox"))
    for command in (f"CreateAccount x@{DOMAIN}", f"DeleteAccount ann@{DOMAIN}",
                    f"GetAccountSettings nobody@{DOMAIN}",
                    f"SetAccountPassword postmaster@{DOMAIN} To x",
                    f"RenameAccount joe into joe@{DOMAIN}",
                    f"RenameAccount ann@{DOMAIN} into ann",
                    "SetAccountRights joe (CanCreateAccounts)"):
        refused(boss.send(command))
    refused(boss.send("GetAccountSettings nobody"), "500")
    boss.ask("RenameAccount joe into joseph")
    boss.ask("DeleteAccount joseph")
    boss.close()

    # An administrator of the main domain is not its Master by that.
    cli.ask("SetAccountRights ann (BasicSettings,CanCreateAccounts)")
    refused(ann.send("SetAccountPassword postmaster To x"))
    refused(ann.send("DeleteAccount postmaster"))
    refused(ann.send("UpdateAccountSettings postmaster {Password=x;}"))
    ann.ask("SetAccountPassword text To textpw")
    # Taken away, it is so at once.
    cli.ask("SetAccountRights ann ()")
    refused(ann.send("SetAccountPassword text To x"))
    ann.close()
    text = (ACCOUNTS / "Settings/Access.settings").read_text()
    assert "postmaster" in text and "ann" not in text, text


def renaming(cli):
    session = poplib.POP3("127.0.0.1", int(E["CG_POP"]), 60)
    session.user("ann")
    session.pass_("annpw")
    cli.ask("RenameAccount ann into anna")
    try:
        session.noop()
        session.noop()
        raise AssertionError("a session outlived the renaming")
    except (poplib.error_proto, OSError):
        session.close()
    assert not (ACCOUNTS / "ann.macnt").exists()
    assert pop_works("anna", "annpw") == 1 and pop_works("ann", "annpw") == -1
    refused(cli.send("RenameAccount anna into text"))
    refused(cli.send("RenameAccount nobody into some"), "500")
    refused(cli.send('RenameAccount anna into "a/b"'))
    assert pop_works("anna", "annpw") == 1
    send(f"anna@{DOMAIN}")
    wait_for("the message", lambda: pop_works("anna", "annpw") == 2)
    cli.ask("RenameAccount text into single")
    assert sorted(p.name for p in ACCOUNTS.glob("single.*"))[0:1] and \
        not list(ACCOUNTS.glob("text.*")), list(ACCOUNTS.iterdir())
    assert pop_works("single", "textpw") == 1
    cli.ask("RenameAccount anna into anna@client.example")
    assert pop_works("anna@client.example", "annpw") == 2


def removing(cli):
    cli.ask("DeleteAccount anna@client.example")
    assert pop_works("anna@client.example", "annpw") == -1
    refused(cli.send("DeleteAccount anna@client.example"), "500")
    cli.ask("DeleteAccount single")
    refused(cli.send("DeleteAccount *"))
    refused(cli.send("DeleteAccount postmaster"))
    wait_for("the files' end", lambda: not [
        p for d in (ACCOUNTS, BASE / "Domains/client.example")
        for p in d.iterdir() if p.name.startswith(("anna", "single"))])
    cli.ask("CreateAccount single {Password=again;}")
    assert pop_works("single", "again") == 0


def churn(cli, n, state):
    """Makes, renames, removes; state says what was answered: name to True
    (is there), False (is not) or None (asked, not answered)."""
    for k in range(12):
        a, b = f"k{n}x{k}", f"k{n}y{k}"
        state[a] = None
        cli.ask(f"CreateAccount {a} {{Password=pw;}}")
        state[a] = True
        if k % 3 == 0:
            continue
        state[a] = state[b] = None
        cli.ask(f"RenameAccount {a} into {b}")
        state[a], state[b] = False, True
        if k % 3 == 1:
            continue
        state[b] = None
        cli.ask(f"DeleteAccount {b}")
        state[b] = False


def killing():
    """authd dies at any moment: an account is there whole, or not at all;
    what was answered is so."""
    rng = random.Random(17)
    state = {}
    for n in range(8):          # cgserver waits ever longer between
        cli = wait_for("a session", try_login)
        timer = threading.Timer(rng.uniform(0, 0.06), kill_authd)
        timer.start()
        try:
            churn(cli, n, state)
        except (ConnectionError, OSError, AssertionError):
            pass
        timer.join()
        cli.close()
    cli = wait_for("a session", try_login)
    wait_for("the sweep", lambda: not list(ACCOUNTS.glob("*.new")))
    there = set(re.findall(r"\bk\d+[xy]\d+\b", data(cli, "ListAccounts")))
    assert there == {d.stem for d in ACCOUNTS.glob("k*.macnt")}
    for name, is_there in state.items():
        if is_there is not None:
            assert (name in there) == is_there, (name, is_there)
        assert pop_works(name, "pw") == (0 if name in there else -1), name
    for name, is_there in state.items():
        if is_there is None and name not in there:
            cli.ask(f"CreateAccount {name} {{Password=pw;}}")
    cli.close()


def torn(rounds=6):
    """Settings are the old ones or the new ones, whatever the moment of
    authd's death; what was answered is there."""
    rng = random.Random(3)
    cli = wait_for("a session", try_login)
    cli.ask("CreateAccount torn")
    cli.close()
    answered, asked = 0, 0
    for _ in range(rounds):
        cli = wait_for("a session", try_login)
        timer = threading.Timer(rng.uniform(0, 0.05), kill_authd)
        timer.start()
        try:
            for _ in range(1000):
                asked += 1
                cli.ask("UpdateAccountSettings torn "
                        f"{{a={asked};pad={'x' * 9000};z={asked};}}")
                answered = asked
        except (ConnectionError, OSError, AssertionError):
            pass
        timer.join()
        cli.close()
        cli = wait_for("a session", try_login)
        text = data(cli, "GetAccountSettings torn")
        cli.close()
        a, z = (int(re.search(rf"\b{k}=(\d+);", text)[1]) for k in "az")
        assert a == z and answered <= a <= asked, (a, z, answered, asked)
        answered = asked = a
    left = [p.name for p in (ACCOUNTS / "torn.macnt").iterdir()
            if "settings" in p.name]
    assert len(left) <= 1 + rounds, left


def kill_authd():
    for pid in processes("authd"):
        kill(pid)


def try_login():
    try:
        return login(E["CG_ADMIN_NAME"], E["CG_ADMIN_PASSWORD"])
    except (AssertionError, OSError):
        return None


def main():
    cli = login(E["CG_ADMIN_NAME"], E["CG_ADMIN_PASSWORD"])
    assert data(cli, "GetAccountRights postmaster") == "(Master)"
    making(cli)
    changing(cli)
    reference(cli)
    services(cli)
    passwords(cli)
    rights(cli)
    renaming(cli)
    removing(cli)
    cli.close()
    killing()
    torn()


main()
