#!/usr/bin/env python3
"""Commands on a user's own data: mailboxes with their access rights, the
subscription, web files and their limits, info; while the user is logged in,
while his worker is killed, for many accounts at once."""
import base64
import os
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli, kill, wait_for  # noqa: E402
from wire import (DOMAIN, PASSWORD, Imap, Pop, Smtp, accounts,  # noqa: E402
                  address, administrator, messages, run, workers)

BASE = pathlib.Path(os.environ["CG_BASE"])
MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\ntext\r\n"


def opened():
    cli = administrator()
    cli.ask("INLINE")
    return cli


def refused(cli, line, text=""):
    got = cli.send(line)
    assert got[:4] in ("500 ", "501 ") and text in got, f"{line}: {got}"
    return got


def number(answer, name):
    return int(re.search(rf"\b{name}=(\d+)", answer)[1])


def deliver(name):
    with Smtp() as s:
        s.ask("EHLO x", 250)
        s.begin(address(name))
        s.text(MAIL + b".\r\n")


def sizes():
    """What is told of a mailbox is what IMAP tells."""
    accounts("sizes")
    cli = opened()
    before = number(cli.ask("GetMailboxInfo sizes MAILBOX INBOX"), "Messages")
    assert before == 0
    deliver("sizes")
    deliver("sizes")
    messages("sizes", 2)
    got = cli.ask("ListMailboxes sizes FILTER inbox")
    assert number(got, "Messages") == number(got, "Unseen") == 2, got
    with Imap() as m:
        m.login("sizes")
        m.ask("SELECT INBOX")
        m.ask("STORE 1 +FLAGS (\\Seen $Important)")
        got = cli.ask("GetMailboxInfo sizes MAILBOX INBOX")
        assert number(got, "Unseen") == 1 and "Keywords=(" in got, got
        status = b" ".join(m.ask("STATUS INBOX (UIDNEXT UIDVALIDITY)"))
        assert b"UIDNEXT %d " % number(got, "UIDNext") in status, status
        assert b"UIDVALIDITY %d" % number(got, "UIDValidity") in status


def rights():
    accounts("owner", "guest")
    cli = opened()

    def acl(box="Shared"):
        return cli.ask(f"GetMailboxACL owner MAILBOX {box}")[4:]

    def effective(who):
        return cli.ask("GetMailboxRights owner MAILBOX Shared "
                       f"AUTH {who}")[4:]

    cli.ask("CreateMailbox owner MAILBOX Shared")
    assert acl() == "{}" and effective("guest") == '""'
    assert effective("owner") == "lrswipcda"
    assert effective("postmaster") == "lrswipcda"
    cli.ask(f"SetMailboxACL owner MAILBOX Shared {{anyone=lrs;"
            f'"Guest@{DOMAIN}"=wi;}}')
    assert acl() == "{anyone=lrs;guest=wi;}", acl()
    assert effective("guest") == "lrswi"
    cli.ask('SetMailboxACL owner MAILBOX Shared {"-guest"="+r";guest="-i";}')
    assert effective("guest") == "lsw", effective("guest")
    refused(cli, "SetMailboxACL owner MAILBOX Shared {guest=lrz;anyone=a;}",
            "no access right")
    assert acl() == '{"-guest"=r;anyone=lrs;guest=w;}', acl()
    # Below it a new mailbox has the same.
    cli.ask("CreateMailbox owner MAILBOX Shared/Below/Deep")
    assert acl("Shared/Below/Deep") == acl()
    refused(cli, "GetMailboxACL owner MAILBOX nowhere", "no such mailbox")
    # As guest: what he may look at, and what he may not.
    got = cli.ask("ListMailboxes owner AUTH guest")
    assert re.fullmatch(r'201 \{Shared=\(\(\)\);"Shared/Below"=\(\);'
                        r'"Shared/Below/Deep"=\(\);\}', got) or \
        re.fullmatch(r'201 \{Shared=\(\(\)\);"Shared/Below/Deep"=\(\);\}',
                     got), got
    refused(cli, "GetMailboxInfo owner MAILBOX Shared AUTH guest")
    refused(cli, "GetMailboxACL owner MAILBOX Shared AUTH guest")
    refused(cli, "SetMailboxACL owner MAILBOX Shared AUTH guest {guest=a;}")
    refused(cli, "CreateMailbox owner MAILBOX Shared/Mine AUTH guest")
    refused(cli, "CreateMailbox owner MAILBOX Top AUTH guest")
    refused(cli, "DeleteMailbox owner MAILBOX Shared/Below/Deep AUTH guest")
    cli.ask('SetMailboxACL owner MAILBOX Shared {guest="+ca";"-guest"="";}')
    assert acl() == "{anyone=lrs;guest=wca;}", acl()
    cli.ask("CreateMailbox owner MAILBOX Shared/Mine AUTH guest")
    cli.ask("SetMailboxACL owner MAILBOX Shared AUTH guest {guest=lrcd;}")
    refused(cli, "DeleteMailbox owner MAILBOX Shared/Mine AUTH guest")
    cli.ask("SetMailboxACL owner MAILBOX Shared/Mine {guest=d;}")
    cli.ask("RenameMailbox owner MAILBOX Shared/Mine INTO Shared/His "
            "AUTH guest")
    refused(cli, "RenameMailbox owner MAILBOX Shared/His INTO Top AUTH guest")
    cli.ask("DeleteMailbox owner MAILBOX Shared/His AUTH guest")
    # Nothing of an earlier mailbox of that name.
    cli.ask("DeleteMailbox owner MAILBOXES Shared")
    cli.ask("CreateMailbox owner MAILBOX Shared")
    assert acl() == "{}"


def many_mailboxes():
    """The limit of mailboxes holds for administrators, too."""
    accounts("full")
    cli = opened()
    have = cli.ask("ListMailboxes full").count("Messages=")
    cli.ask(f"UpdateAccountSettings full {{MaxMailboxes={have + 2};}}")
    cli.ask("CreateMailbox full MAILBOX a")
    cli.ask("CreateMailbox full MAILBOX b")
    refused(cli, "CreateMailbox full MAILBOX c")
    cli.ask("DeleteMailbox full MAILBOX b")
    cli.ask("CreateMailbox full MAILBOX c")


def while_open():
    """A mailbox that somebody has open is renamed and removed."""
    accounts("open")
    cli = opened()
    cli.ask("CreateMailbox open MAILBOX Work")
    with Imap() as m:
        m.login("open")
        m.ask(f"APPEND Work {{{len(MAIL)}+}}\r\n" + MAIL.decode())
        m.ask("SELECT Work")
        cli.ask("RenameMailbox open MAILBOX Work INTO Play")
        got = b" ".join(m.ask("FETCH 1 BODY[TEXT]"))
        assert b"text" in got, got
        cli.ask("DeleteMailbox open MAILBOX Play")
        m.fails("SELECT Play")
    with Imap() as m:
        m.login("open")
        assert not any(b"Play" in r or b"Work" in r for r in
                       m.ask('LIST "" *'))
        cli.ask('SetAccountSubscription open (INBOX,"~ann/INBOX")')
        got = m.ask('LSUB "" *')
        assert any(b"~ann/INBOX" in r for r in got), got
        m.ask("SUBSCRIBE Sent")
        assert cli.ask("GetAccountSubscription open") == \
            '201 (INBOX,"~ann/INBOX",Sent)'


def web():
    accounts("web")
    cli = opened()

    def put(name, size, fails=""):
        data = base64.b64encode(b"x" * size).decode()
        line = f'PutWebFile web FILE {name} DATA "{data}"'
        if fails:
            refused(cli, line, fails)
        else:
            cli.ask(line)

    put("default.html", 10)
    path = BASE / "Accounts/web.macnt/account.web"
    assert (path / "default.html").read_bytes() == b"x" * 10
    assert path.stat().st_mode & 0o007 == 0
    cli.ask("UpdateAccountSettings web {MaxWebSize=100;MaxWebFiles=3;"
            "MaxFileSize=60;}")
    put("big", 61, "larger")
    put("docs/a", 60)
    put("b", 40, "limit")                   # 10 + 60 + 40
    put("docs/b", 1, "limit of files")
    put("docs/a", 50)                       # in the place of the old one
    assert cli.ask("GetWebFilesInfo web") == "201 (60,3)"
    for bad in ("../x", "/", "a/../b", ".x", '"a b/"', "Index.html",
                "docs/index.html", '"\\001"', "x" * 300, "a//b"):
        refused(cli, f"PutWebFile web FILE {bad} DATA YQ==", "illegal")
    refused(cli, "PutWebFile web FILE default.html/x DATA YQ==")
    refused(cli, "PutWebFile web FILE docs DATA YQ==")
    refused(cli, "RenameWebFile web FILE docs INTO docs/in")
    refused(cli, "RenameWebFile web FILE nothing INTO x", "no such file")
    refused(cli, "DeleteWebFile web FILE docs", "not empty")
    refused(cli, "GetWebFile web FILE docs")
    refused(cli, "ListWebFiles web PATH nowhere", "no such file")
    refused(cli, "ListWebFiles web PATH ../..", "illegal")
    cli.ask("RenameWebFile web FILE docs INTO papers")
    assert '"a"' in cli.ask("ListWebFiles web PATH papers") or \
        "{a=" in cli.ask("ListWebFiles web PATH papers")
    cli.ask("PutWebFile web FILE default.html DATA [YWJjZA==]")
    assert '("YWJjZA==",' in cli.ask("GetWebFile web FILE default.html")
    # What somebody planted is not followed.
    os.symlink("/etc/passwd", path / "passwd")
    refused(cli, "GetWebFile web FILE passwd")
    assert "passwd" not in cli.ask("ListWebFiles web")
    # All of it goes with the account.
    cli.ask("CreateMailbox web MAILBOX a/b/c")
    cli.ask("DeleteAccount web")
    wait_for("its files to go", lambda: not [
        p for p in (BASE / "Accounts").iterdir() if p.name.startswith("web.")])


def names():
    """Those that IMAP can show, and no others."""
    accounts("named")
    cli = opened()
    for bad in ('"a\\255"', '"\\192\\128"', '"\\237\\160\\128"', '"a\\000b"',
                '"a\\eb"'):
        refused(cli, f"CreateMailbox named MAILBOX {bad}")
        refused(cli, f"RenameMailbox named MAILBOX Sent INTO {bad}")
    cli.ask('CreateMailbox named MAILBOX "\u65e5\u672c/\\195\\188"')
    assert '"\u65e5\u672c/\u00fc"={' in cli.ask("ListMailboxes named")
    with Imap() as m:
        m.login("named")
        assert b"&ZeVnLA-/&APw-" in b" ".join(m.ask('LIST "" *'))


def classes():
    """What a mailbox is for: IMAP's words, and others'."""
    accounts("classy")
    cli = opened()
    cli.ask("CREATEMAILBOX classy MAILBOX Cards CLASS IPF.Contact")
    cli.ask("CREATEMAILBOX classy MAILBOX Old AUTH classy CLASS archive")
    cli.ask("CreateMailbox classy MAILBOX Days.mdir CLASS IPF.Appointment")
    got = cli.ask("GetMailboxInfo classy MAILBOX Days")
    assert 'Class="IPF.Appointment";Format=mdir;' in got, got
    cli.ask('SetMailboxClass classy MAILBOX Old CLASS "Sent"')
    refused(cli, 'SetMailboxClass classy MAILBOX Old CLASS "a b"', "class")
    refused(cli, "SetMailboxClass classy MAILBOX None CLASS Sent", "no such")
    refused(cli, "SetMailboxClass classy MAILBOX Old AUTH postmaster2 "
            "CLASS Sent")
    got = cli.ask("ListMailboxes classy FILTER Cards")
    assert 'Cards={Class="IPF.Contact";' in got, got
    assert "Class=Sent;" in cli.ask("GetMailboxInfo classy MAILBOX Old")
    with Imap() as m:
        m.login("classy")
        listed = b" ".join(m.ask('LIST "" *'))
    assert b"\\Sent) \"/\" Old" in listed and b"IPF" not in listed, listed
    cli.ask('SetMailboxClass classy MAILBOX Old CLASS ""')
    assert "Class" not in cli.ask("GetMailboxInfo classy MAILBOX Old")


def last_login():
    accounts("login")
    cli = opened()
    assert cli.ask("GetAccountInfo login KEY LastLogin") == '201 ""'
    with Pop() as p:
        p.login("login")
        now = cli.ask("GetAccountInfo login KEY LastLogin")
        assert re.fullmatch(r'201 "\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"', now), now
        p.ask("QUIT")
    info = BASE / "Accounts/login.macnt/account.info"
    wait_for("the login in account.info", lambda:
             "#LastLogin" in info.read_text())
    cli.ask("ResetAccountStat login")
    assert re.search(r"StatReset=.*\d{4}", cli.ask("GetAccountStat login"))
    assert cli.ask("GetAccountInfo login KEY LastLogin") == now
    date = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"
    for kind in ("MultiMailbox", "TextMailbox"):
        cli.ask(f"CreateAccount born-{kind} {kind}")
        got = cli.ask(f"GetAccountInfo born-{kind} KEY Created")
        assert re.fullmatch(f'201 "{date}"', got), got
    # Several, and all that there is.
    assert cli.ask("GetAccountInfo login (LastLogin,Nothing)") == \
        f"201 {{LastLogin={now[4:]};}}"
    deliver("login")
    messages("login", 1)
    got = cli.ask("GetAccountInfo login")
    assert f"LastLogin={now[4:]};" in got, got
    assert number(got, "StorageUsed") == \
        number(cli.ask("GetMailboxInfo login MAILBOX INBOX"), "Size"), got
    assert "Mailboxes" not in got and "INBOX" not in got, got


def statistics():
    """Counted once that is wanted; told at once, kept when all is closed."""
    cli = opened()
    accounts("off")
    deliver("off")
    messages("off", 1)
    assert cli.ask("GetAccountStat off") == "201 {}"
    cli.ask("UpdateModule Main {AccountStatistics=YES;}")
    tries = 0

    def counts():                       # settings have no answer
        nonlocal tries
        tries += 1
        accounts(f"try{tries}")
        deliver(f"try{tries}")
        messages(f"try{tries}", 1)
        return "Messages" in cli.ask(f"GetAccountStat try{tries}")
    wait_for("counting to begin", counts)
    accounts("stat")
    for n in range(1, 4):               # delivery
        deliver("stat")
        messages("stat", n)
    with Imap() as m:                   # now the worker
        m.login("stat")
        deliver("stat")
        messages("stat", 4)
        got = cli.ask("GetAccountStat stat")
        assert number(got, "MessagesReceived") == 4, got
        assert number(got, "BytesReceived") > len(MAIL) * 4, got
    cli.ask("ResetAccountStat stat KEY BytesReceived")
    assert cli.ask("GetAccountStat stat KEY BytesReceived") == '201 ""'
    cli.ask("ResetAccountStat stat")
    assert "Received" not in cli.ask("GetAccountStat stat")
    cli.ask("UpdateModule Main {AccountStatistics=default;}")


def domains():
    """A domain's statistics follow its mail, and its name."""
    cli = opened()
    cli.ask("CreateDomain stat.example")
    cli.ask("CreateAccount ann@stat.example")
    assert cli.ask("GetDomainStat stat.example") == "201 {}"
    with Smtp() as s:
        s.ask("EHLO x", 250)
        for _ in range(3):
            s.begin("ann@stat.example")
            s.text(MAIL + b".\r\n")
    wait_for("the count", lambda: cli.ask(
        "GetDomainStat stat.example KEY MessagesReceived") == "201 3")
    assert int(cli.ask("GetDomainStat stat.example KEY BytesReceived")[4:]) \
        > 3 * len(MAIL)
    cli.ask("RenameDomain stat.example INTO stats.example")
    assert cli.ask("GetDomainStat stats.example KEY MessagesReceived") == \
        "201 3"
    cli.ask("ResetDomainStat stats.example KEY MessagesReceived")
    assert "Messages" not in cli.ask("GetDomainStat stats.example")
    cli.ask("ResetDomainStat stats.example")
    assert re.fullmatch(r'201 \{StatReset="[^"]+";\}',
                        cli.ask("GetDomainStat stats.example"))
    refused(cli, "GetDomainStat stat.example")
    assert "MessagesReceived" in cli.ask("GetDomainStat *")


def single():
    """An account of one mailbox has that one."""
    cli = opened()
    cli.ask("CreateAccount one TextMailbox")
    assert cli.ask("ListMailboxes one").startswith("201 {INBOX={")
    refused(cli, "CreateMailbox one MAILBOX x")
    refused(cli, "RenameMailbox one MAILBOX INBOX INTO x")
    refused(cli, "PutWebFile one FILE x DATA YQ==", "single mailbox")
    cli.ask("SetAccountSubscription one (INBOX)")
    assert cli.ask("GetAccountSubscription one") == "201 (INBOX)"


def many_accounts():
    """Commands on many accounts leave no crowd of workers behind."""
    names = [f"many{i}" for i in range(40)]
    accounts(*names)
    wrong = []

    def one(part):
        cli = opened()
        for name in part:
            for line in (f"CreateMailbox {name} MAILBOX A",
                         f"SetMailboxACL {name} MAILBOX A {{anyone=l;}}",
                         f"ListMailboxes {name}", f"GetWebFilesInfo {name}"):
                got = cli.send(line)
                if not got.startswith("20"):
                    wrong.append(f"{line}: {got}")

    threads = [threading.Thread(target=one, args=(names[i::4],))
               for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong
    wait_for("their workers to end", lambda: not workers())


def killed():
    """A worker that dies over a command: the caller hears so, and the next
    command is done by another one."""
    accounts("killed")
    cli = opened()
    before = set(workers())
    stop = time.monotonic() + 3
    failed = done = 0
    while time.monotonic() < stop:
        got = cli.send("SetAccountSubscription killed "
                       f"(INBOX,b{done},{','.join(['x'] * 3000)})")
        if got.startswith("200"):
            done += 1
        else:
            assert "try again" in got, got
            failed += 1
        if done % 20 == 19 or failed:
            for pid in set(workers()) - before:
                kill(pid)
    assert done > 20, (done, failed)
    wait_for("the account to answer", lambda: cli.send(
        "GetAccountSubscription killed").startswith("201 (INBOX,b"))


def renamed():
    """Commands for an account that is renamed and removed meanwhile: each is
    answered, and nothing hangs."""
    accounts("moving")
    cli, other = opened(), opened()
    answers = []
    end = threading.Event()

    def ask():
        while not end.is_set():
            answers.append(other.send("ListMailboxes moving"))
            if answers[-1][:1] == "5" and len(answers) % 10 == 0:
                other.send("Noop")
    t = threading.Thread(target=ask)
    t.start()
    for _ in range(5):
        cli.ask("RenameAccount moving INTO moved")
        cli.ask("RenameAccount moved INTO moving")
    end.set()
    t.join()
    wrong = [a for a in answers if a[:3] not in ("201", "500", "501")]
    assert not wrong and any(a[:3] == "201" for a in answers), wrong[:3]
    cli.ask("DeleteAccount moving")
    assert refused(cli, "ListMailboxes moving").startswith("500")


def others():
    """A user sees his own only, whatever he writes."""
    accounts("me", "you")
    cli = Cli(os.environ["CG_PWD"], "me", PASSWORD)
    cli.ask("INLINE")
    for name in ("you", address("you"), '"*you"', "YOU", "nobody", '""'):
        refused(cli, f"ListMailboxes {name}")
    for name in ("*", "me", address("me"), "ME"):
        cli.ask(f"ListMailboxes {name}")
    refused(cli, "ListMailboxes you AUTH you")
    assert cli.ask("ListMailboxes * AUTH you") == "201 {}"
    assert cli.ask("ListMailboxes * AUTH nobody") == "201 {}"
    assert cli.ask("GetMailboxRights * MAILBOX INBOX AUTH you") == '201 ""'


run([sizes, rights, many_mailboxes, while_open, web, names, classes, last_login,
     statistics, domains, single, many_accounts, killed, renamed, others])
