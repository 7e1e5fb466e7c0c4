#!/usr/bin/env python3
# suite: own
"""Forwarders and account aliases: other names, for mail and for logins, and
who may make them.  A forwarder relays for anybody, as a Relay: record does."""
import imaplib
import pathlib
import poplib
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, PASSWORD, Cli, Suite, kill, wait_for  # noqa: E402


def refused(cli, *lines):
    for line in lines:
        answer = cli.send(line)
        assert answer[:1] == "5", f"{line}: {answer}"


def forwarders(s, cli, d):
    cli.ask("CreateForwarder jim TO john@otherdomain.example")
    cli.ask(f"CreateForwarder Js@{d} TO j.smith")
    assert cli.ask("ListForwarders") == "201 (jim,js)"
    assert cli.ask("GetForwarder JIM") == '201 "john@otherdomain.example"'
    assert cli.ask("Route jim") == \
        '201 (SMTP,"otherdomain.example","john@otherdomain.example")'
    assert cli.ask("Route js") == '201 (LOCAL,"j.smith","")'
    assert cli.ask("Route js access") == '201 (LOCAL,"j.smith","")'
    refused(cli, "CreateForwarder jim TO x@y.example", "GetForwarder nobody",
            "CreateForwarder j.smith TO x", 'CreateForwarder x TO ""',
            'CreateForwarder x TO "a@b@@"', "DeleteForwarder j.smith",
            'CreateForwarder "a b" TO x', "CreateAccount jim",
            "RenameAccount j.smith INTO jim", "CreateForwarder all TO x")
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.ehlo("x.example")
        c.mail("x@far.example")
        assert c.rcpt("john@otherdomain.example")[0] == 550
        assert c.rcpt(f"jim@{d}")[0] == 250
        assert c.rcpt(f"JS+box@{d}")[0] == 250
        assert c.rcpt(f"nobody@{d}")[0] == 550
    # One that leads to itself, and two that lead to each other.
    cli.ask("CreateForwarder me TO me")
    cli.ask("CreateForwarder tick TO tock")
    cli.ask("CreateForwarder tock TO tick")
    for name in "me", "tick":
        assert cli.send(f"Route {name}") == \
            "501 the address is routed in a loop", cli.send(f"Route {name}")
    # Of another domain of ours: a name of its own, if it has that.
    cli.ask("CreateDomain two.example")
    cli.ask("CreateForwarder w@two.example TO J.smith")
    assert cli.ask("Route w@two.example") == '201 (LOCAL,"j.smith","")'
    cli.ask("CreateAccount j.smith@two.example")
    assert cli.ask("Route w@two.example") == \
        '201 (LOCAL,"j.smith@two.example","")'
    cli.ask("CreateForwarder postmaster@two.example TO postmaster")
    assert cli.ask("Route postmaster@two.example") == \
        '201 (LOCAL,postmaster,"")'
    cli.ask("DeleteForwarder postmaster@two.example")
    cli.ask("DeleteAccount j.smith@two.example")
    assert cli.ask("ListForwarders two.example") == "201 (w)"
    # Another name, another domain; groups know it by that.
    cli.ask("CreateGroup g {Members=(js);}")
    cli.ask("RenameForwarder js INTO jss")
    assert cli.ask("ListForwarders") == "201 (jim,jss,me,tick,tock)"
    assert cli.ask("GetGroup g") == "201 {Members=(jss);}"
    refused(cli, "RenameForwarder jss INTO jim", "RenameForwarder jss INTO w"
            "@two.example", "RenameForwarder js INTO x",
            "RenameForwarder j.smith INTO x")
    cli.ask("RenameForwarder jss INTO jss@two.example")
    assert cli.ask("ListForwarders two.example") == "201 (jss,w)"
    assert cli.ask("GetGroup g") == '201 {Members=("jss@two.example");}'
    cli.ask(f"RenameForwarder jss@two.example INTO js@{d}")
    cli.ask("DeleteGroup g")
    assert cli.ask(f"FindForwarders {d} TO J.Smith") == "201 (js)"
    assert cli.ask("FindForwarders two.example TO nobody") == "201 ()"
    # It stays what it is when the account is renamed.
    cli.ask("RenameAccount j.smith INTO james")
    assert cli.send("Route js") == "501 unknown user account"
    cli.ask("RenameAccount james INTO j.smith")
    for name in "me", "tick", "tock", "jim":
        cli.ask(f"DeleteForwarder {name}")
    assert cli.ask("ListForwarders") == "201 (js)"
    assert cli.send("Route jim") == "501 unknown user account"


def aliases(s, cli, d):
    cli.ask("SetAccountAliases j.smith (Smith,jsmith)")
    assert cli.ask("GetAccountAliases j.smith") == "201 (jsmith,smith)"
    assert cli.ask("GetAccountAliases smith") == "201 (jsmith,smith)"
    for name, rest in ("smith", '""'), ("jsmith+x", '""'), \
            ("box#jsmith", '"box#"'):
        assert cli.ask(f"Route {name}") == f'201 (LOCAL,"j.smith",{rest})'
    refused(cli, "SetAccountAliases ann (smith)", "CreateAccount smith",
            "SetAccountAliases ann (ann)", "SetAccountAliases ann (js)",
            "SetAccountAliases nobody (x)", 'SetAccountAliases ann ("a b")',
            "SetAccountAliases ann (x,smith)", "RenameAccount smith INTO x",
            "DeleteAccount smith")
    assert cli.ask("GetAccountAliases ann") == "201 ()"
    for name in "smith", f"jsmith@{d}", "js":
        with imaplib.IMAP4("127.0.0.1", s.imap) as i:
            i.login(name, PASSWORD)
        p = poplib.POP3("127.0.0.1", s.pop)
        p.user(name)
        p.pass_(PASSWORD)
        p.quit()
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.sendmail("x@far.example", [f"smith@{d}", f"jsmith@{d}"],
                   "Subject: x\n\nx\n")
    wait_for("mail", lambda: len(s.mail("j.smith")) == 2)
    cli.ask("RenameAccount j.smith INTO james.smith")
    assert cli.ask("Route smith") == '201 (LOCAL,"james.smith","")'
    # One moves from account to account; a small change is no change of all.
    cli.ask("SetAccountAliases james.smith (jsmith,third)")
    cli.ask("SetAccountAliases ann (smith)")
    assert cli.ask("Route smith") == '201 (LOCAL,ann,"")'
    assert cli.ask("GetAccountAliases james.smith") == "201 (jsmith,third)"
    # To another domain they do not follow.
    cli.ask("RenameAccount james.smith INTO james@two.example")
    assert cli.ask("GetAccountAliases james@two.example") == "201 ()"
    assert cli.send("Route jsmith") == "501 unknown user account"
    cli.ask("DeleteAccount ann")
    assert cli.send("Route smith") == "501 unknown user account"


def rights(s, cli):
    cli.ask("CreateDomain dom.example")
    for name in "one", "two", "plain":
        cli.ask(f'CreateAccount {name}@dom.example {{Password="{PASSWORD}";}}')
    cli.ask("SetAccountRights one@dom.example (CanCreateForwarders)")
    cli.ask("SetAccountRights two@dom.example (CanCreateAliases)")
    one, two, plain = (Cli(s.env["CG_PWD"], f"{n}@dom.example", PASSWORD)
                       for n in ("one", "two", "plain"))
    one.ask("CreateForwarder f TO x@far.example")
    two.ask("SetAccountAliases plain (p)")
    refused(one, "SetAccountAliases plain (q)",
            "CreateForwarder f@two.example TO x@far.example")
    refused(two, "CreateForwarder g TO x@far.example", "DeleteForwarder f",
            "SetAccountAliases james@two.example (q)")
    refused(plain, "ListForwarders", "GetForwarder f", "DeleteForwarder f",
            "SetAccountAliases plain (q)", "GetAccountAliases one")
    for c in one, two, plain:
        c.close()


def damaged(s, cli):
    """Files that cannot be read are not written anew, and hold nobody up."""
    cli.ask("CreateGroup crew@dom.example {Members=(one);}")
    top = pathlib.Path(s.base, "Domains/dom.example/Settings")
    spoiled = [top / f for f in ("Forwarders.data", "Domain.settings",
                                 "Template.settings", "Groups/crew.settings")]
    for path in spoiled:
        path.write_text("{f = x@far")
    pid = next(p for p, n in s.children().items() if n == "routerd")
    kill(pid)
    wait_for("routerd to come back", lambda: pid not in s.children() and
             cli.send("ListDomains")[:1] == "2")
    assert cli.ask("ListForwarders dom.example") == "201 ()"
    assert cli.send("Route ghost@dom.example").startswith("501 it is not kn")
    with smtplib.SMTP("127.0.0.1", s.smtp) as c:
        c.ehlo("x.example")
        c.mail("")
        assert [c.rcpt(f"{n}@{d}.example")[0] for n, d in (
            ("ghost", "dom"), ("crew", "dom"), ("one", "dom"),
            ("ghost", "two"))] == [451, 451, 451, 550]
    refused(cli, "CreateForwarder g@dom.example TO x@far.example",
            "UpdateDomainSettings dom.example {MailToUnknown=Discarded;}",
            "SetDomainSettings dom.example {}",
            "UpdateAccountDefaults dom.example {MaxAccountSize=1M;}",
            "UpdateAccountTemplate dom.example {MaxAccountSize=1M;}",
            "CreateGroup crew@dom.example {}")
    cli.ask("SetDomainAliases two.example (again.example)")
    spoiled.append(pathlib.Path(s.base, "Settings/DomainAliases.data"))
    spoiled[-1].write_text("{f = x@far")
    cli.ask("UpdateDomainSettings two.example {MailToUnknown=Discarded;}")
    assert cli.ask("Route any@again.example") == '201 (SYSTEM,NULL,"")'
    refused(cli, "SetDomainAliases two.example (other.example)")
    p = subprocess.run([OBJ / "cgctl", "-f", s.env["CG_CONF"], "status"],
                       capture_output=True, text=True)
    assert p.returncode == 1 and \
        "settings of dom.example cannot be read" in p.stdout, p
    for path in spoiled:
        assert path.read_text() == "{f = x@far", path
        wait_for("a line in the log", lambda: path.name in s.log())
    cli.ask("CreateForwarder g@two.example TO x@far.example")


def wrong_password(s, name):
    p = poplib.POP3("127.0.0.1", s.pop)
    p.user(name)
    try:
        return p.pass_("no such password")
    except poplib.error_proto as e:
        return e.args[0].decode()
    finally:
        p.close()


def names_stay_hidden(s, cli):
    """Nor does a login tell then who is there: a stranger's failures at
    names that may be somebody's count as all others do."""
    cli.ask("CreateDomain dim.example")
    cli.ask(f'CreateAccount real@dim.example {{Password="{PASSWORD}";}}')
    cli.ask("CreateGroup crew@dim.example {Members=(real);}")
    pathlib.Path(s.base, "Domains/dim.example/Settings/Groups/crew.settings"
                 ).write_text("{f = x@far")
    pid = next(p for p, n in s.children().items() if n == "routerd")
    kill(pid)
    wait_for("routerd to come back", lambda: pid not in s.children() and
             cli.send("ListDomains")[:1] == "2")
    assert cli.send("Route crew@dim.example").startswith("501 it is not kn")
    said = [wrong_password(s, f"{n}@dim.example")
            for n in ("real", "ghost", "crew")]
    assert said[1:] == said[:1] * 2 and "AUTH" in said[0], said
    wait_for("the failures in the log", lambda: len(re.findall(
        r"AUTH-FAIL POP \*.* unknown-account", s.log())) == 2)


def main():
    with Suite(accounts=["j.smith", "ann"]) as s:
        cli = s.cli()
        cli.ask("INLINE")
        forwarders(s, cli, s.domain)
        aliases(s, cli, s.domain)
        rights(s, cli)
        damaged(s, cli)
        names_stay_hidden(s, cli)
        cli.close()
    return 0


sys.exit(main())
