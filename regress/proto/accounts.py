#!/usr/bin/env python3
"""Accounts by the command language: made, renamed, removed, their settings,
passwords and rights; what each kind of administrator may, and may not."""
import os
import pathlib
import poplib
import smtplib
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, wait_for  # noqa: E402

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


def send(to):
    with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as s:
        s.sendmail("", [to], "Subject: hello\r\n\r\nhello\r\n")


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
    refused(answer)
    assert "already exists" in answer, answer
    for name in ("a/b", "..", ".x", "a..b", "x y", "a@nowhere.example",
                 '"\\"q"', "a#b", "x" * 250, "@", "~x"):
        refused(cli.send(f'CreateAccount "{name}"'), "50")
    refused(cli.send("CreateAccount bad {MaxAccountSize=lots;}"))
    refused(cli.send("CreateAccount bad {Password=(a,b);}"))
    assert not list(ACCOUNTS.glob("*.new")), list(ACCOUNTS.iterdir())
    cli.ask("CreateAccount text TextMailbox {Password=textpw;}")
    assert (ACCOUNTS / "text.mbox").exists()
    assert (ACCOUNTS / "text.settings").exists()
    assert pop_works("text", "textpw") == 0
    send(f"text@{DOMAIN}")
    wait_for("the message", lambda: pop_works("text", "textpw") == 1)


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


def main():
    cli = login(E["CG_ADMIN_NAME"], E["CG_ADMIN_PASSWORD"])
    assert data(cli, "GetAccountRights postmaster") == "(Master)"
    making(cli)
    changing(cli)
    passwords(cli)
    rights(cli)
    renaming(cli)
    removing(cli)
    cli.close()


main()
