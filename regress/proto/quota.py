#!/usr/bin/env python3
"""Limits of accounts: by delivery, through a worker, by APPEND, COPY, CREATE;
what is told of them; changed while sessions are open and mail is on its way;
mail that waits until there is room, or until its time is over."""
import email
import imaplib
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PASSWORD, kill, read_mbox, wait_for  # noqa: E402
from wire import (Imap, Pop, Smtp, accounts, address, administrator,  # noqa
                  box, messages, processes, run, workers)

BASE = pathlib.Path(os.environ["CG_BASE"])


def text(subject="x", size=200):
    head = f"From: ann@example.com\r\nSubject: {subject}\r\n\r\n"
    return (head + "0123456789abcdef0123456789abcdef\r\n" *
            (1 + (size - len(head)) // 34)).encode()


def limit(name, **settings):
    cli = administrator()
    cli.ask(f"UpdateAccountSettings {name} {{" +
            "".join(f"{k}={v};" for k, v in settings.items()) + "}")
    cli.close()


def module(name, settings):
    cli = administrator()
    cli.ask(f"UpdateModule {name} {settings}")
    cli.close()


def send(name, subject="x", size=200, sender="sender@far.example"):
    with Smtp() as s:
        s.begin(address(name), sender=sender)
        return s.text(text(subject, size) + b".\r\n")


def login(name):
    m = Imap()
    m.login(name)
    return m


def append(m, size=200, mailbox="INBOX", plus=False):
    """None, or why it was refused."""
    data = text(size=size)
    if plus:
        tag = m.begin(f"APPEND {mailbox} {{{len(data)}+}}\r\n".encode() + data)
    else:
        tag = m.begin(f"APPEND {mailbox} {{{len(data)}}}")
        r = m.response()
        if not r.startswith(b"+"):
            return r[len(tag) + 1:].decode()
        m.send(data + b"\r\n")
    end = m.end(tag)[1].decode()
    return None if end.startswith("OK") else end


def quota(m, mailbox=None):
    """{resource: (used, limit)}"""
    m.ask("NOOP")               # what else there is to be told
    u = m.ask('GETQUOTA ""' if mailbox is None else f"GETQUOTAROOT {mailbox}")
    if mailbox is not None:
        assert u.pop(0) == f'QUOTAROOT {mailbox} ""'.encode()
    found = re.fullmatch(rb'QUOTA "" \((.*)\)', u[0])
    assert found and len(u) == 1, u
    words = found[1].decode().split()
    return {words[i]: (int(words[i + 1]), int(words[i + 2]))
            for i in range(0, len(words), 3)}


def becomes(m, what, value):
    """A new limit reaches an open session in a moment."""
    wait_for(f"{what} of {value}", lambda: quota(m).get(what) == value)


def count(name):
    return len(read_mbox(box(name)))


def reports(name, of):
    return [m for m in (email.message_from_bytes(t) for _, t in
                        read_mbox(box(name)))
            if m.get_content_type() == "multipart/report" and
            of.encode() in m.get_payload()[2].as_bytes()]


def report(name, of, status="5.2.2", why="account is full"):
    m = wait_for(f"a report about {of}", lambda: reports(name, of))[0]
    blocks = m.get_payload()[1].get_payload()
    assert blocks[1]["Status"] == status, blocks[1].as_string()
    assert why in m.get_payload()[0].get_payload(), m
    return m


def commands():
    accounts("cmd")
    with login("cmd") as m:
        capa = m.ask("CAPABILITY")[0].split()
        for name in (b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"):
            assert name in capa, capa
        assert quota(m) == {}
        assert quota(m, "INBOX") == {}
        n = len(m.ask('LIST "" *'))
        limit("cmd", MaxAccountSize="100K", MaxMessages=50,
              MaxMailboxes=n + 2)
        becomes(m, "STORAGE", (0, 100))
        assert quota(m) == {"STORAGE": (0, 100), "MESSAGE": (0, 50),
                            "MAILBOX": (n, n + 2)}
        assert append(m, 5000) is None
        assert quota(m, "INBOX") == {"STORAGE": (5, 100), "MESSAGE": (1, 50),
                                     "MAILBOX": (n, n + 2)}
        assert quota(m, "Nowhere")["MESSAGE"] == (1, 50)
        assert "[NOPERM]" in m.fails('SETQUOTA "" (STORAGE 512)')
        assert "[NOPERM]" in m.fails('SETQUOTA "" ()')
        m.fails('SETQUOTA "" STORAGE 512', "BAD")
        m.fails('SETQUOTA "" (STORAGE x)', "BAD")
        m.fails("GETQUOTA", "BAD")
        m.fails("GETQUOTA x y", "BAD")
        m.fails("GETQUOTA other")
        m.fails("GETQUOTAROOT", "BAD")
        m.ask("CREATE a")
        m.ask("CREATE b")
        assert "[OVERQUOTA]" in m.fails("CREATE c")
        assert "[OVERQUOTA]" in m.fails("RENAME INBOX c")
        m.ask("DELETE b")
        m.ask("CREATE c")
        m.ask("SELECT INBOX")
        m.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        u = m.ask("STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)")[0]
        found = re.search(rb"\(MESSAGES 1 DELETED 1 DELETED-STORAGE (\d+)\)",
                          u)
        assert found and 4500 < int(found[1]) < 6000, u
        m.ask("EXPUNGE")
        assert quota(m)["STORAGE"] == (0, 100)
        assert quota(m)["MESSAGE"] == (0, 50)


def library():
    """As a real client has it."""
    accounts("lib")
    limit("lib", MaxAccountSize="1M")
    c = imaplib.IMAP4("127.0.0.1", int(os.environ["CG_IMAP"]))
    c.login("lib", PASSWORD)
    typ, data = c.getquota('""')
    assert typ == "OK" and data == [b'"" (STORAGE 0 1024)'], data
    typ, (roots, quotas) = c.getquotaroot("INBOX")
    assert typ == "OK" and roots == [b'INBOX ""'], roots
    assert quotas == [b'"" (STORAGE 0 1024)'], quotas
    typ, _ = c.setquota('""', "(STORAGE 512)")
    assert typ == "NO"
    c.logout()


def appending():
    accounts("app")
    limit("app", MaxAccountSize="20K")
    with login("app") as m, login("app") as other:
        assert append(m, 9000) is None
        assert append(other, 9000, plus=True) is None
        assert "[OVERQUOTA]" in append(m, 9000)
        assert "[OVERQUOTA]" in append(m, 9000, plus=True)
        # before a byte of it has come
        tag = m.begin("APPEND INBOX {900000}")
        assert b"[OVERQUOTA]" in m.end(tag)[1]
        m.ask("SELECT INBOX")
        m.ask("CREATE to")
        assert "[OVERQUOTA]" in m.fails("COPY 1:2 to")
        m.ask("MOVE 1:2 to")
        assert quota(m)["STORAGE"][0] == 18
        m.ask("SELECT to")
        m.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        m.ask("EXPUNGE")
        m.ask("COPY 1 INBOX")
        assert "[OVERQUOTA]" in append(other, 9000)
        limit("app", MaxAccountSize="30K")
        becomes(m, "STORAGE", (18, 30))
        assert append(other, 9000) is None
        # Over its limit it is read, moved and emptied all the same.
        limit("app", MaxAccountSize="1K")
        becomes(m, "STORAGE", (26, 1))
        assert "[OVERQUOTA]" in append(m, 10)
        m.ask("FETCH 1 BODY.PEEK[]")
        m.ask("STORE 1 +FLAGS (\\Flagged)")
        m.ask("MOVE 1 INBOX")
        m.ask("RENAME to fro")
        assert quota(m)["STORAGE"] == (26, 1)
        m.ask("SELECT INBOX")
        m.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        m.ask("EXPUNGE")
        assert quota(m)["STORAGE"][0] == 0
        assert append(m, 500) is None


def delivered():
    """By the delivery process, by a worker, and no more than there is room."""
    accounts("del", "delsender")
    send("del")
    messages("del", 1)
    limit("del", MaxMessages=3)
    for i in range(2):
        send("del")
    messages("del", 3)
    limit("del", QuotaSuspend=0)
    send("del", "too many", sender=address("delsender"))
    report("delsender", "too many")
    assert count("del") == 3
    with login("del") as m:
        m.ask("SELECT INBOX")
        assert quota(m)["MESSAGE"] == (3, 3)
        send("del", "too many still", sender=address("delsender"))
        report("delsender", "too many still")
        limit("del", MaxMessages=5)
        send("del")
        messages("del", 4)
        assert quota(m)["MESSAGE"] == (4, 5)
    limit("del", MaxMessages="default", MaxAccountSize="10K")
    send("del", "large", 20000, sender=address("delsender"))
    report("delsender", "large")
    send("del", "small")
    messages("del", 5)


def at_once():
    """Many at once, and clients besides: never more than the limit."""
    accounts("many", "manysender")
    limit("many", MaxAccountSize="50K", QuotaSuspend=0)
    with Smtp() as s:
        for i in range(60):
            s.begin(address("many"), sender=address("manysender"))
            s.text(text(f"m{i}", 2000) + b".\r\n")
    with login("many") as m:
        while append(m, 2000) is None:
            pass
        wait_for("an empty queue", lambda: not list(
            (BASE / "Queue").glob("*.msg")))
        used, most = quota(m)["STORAGE"]
        assert most - 3 <= used <= most, (used, most)
        size = os.stat(box("many")).st_size
        assert used == (size + 1023) // 1024, (used, size)


def waiting():
    """Mail waits for a full account, and comes when there is room."""
    accounts("full")
    for i in range(4):
        send("full")
    messages("full", 4)
    limit("full", MaxMessages=5, QuotaSuspend=80)
    for i in range(3):
        send("full", f"waits{i}")
    cli = administrator()
    wait_for("it waits", lambda: len(list(
        (BASE / "Queue").glob("*.msg"))) == 3)
    time.sleep(0.5)
    assert count("full") == 4
    # removed by IMAP
    start = time.monotonic()
    with login("full") as m:
        m.ask("SELECT INBOX")
        m.ask("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        m.ask("EXPUNGE")
        wait_for("two of them", lambda: count("full") == 4)
    # by POP, whose user is told first, as an error
    limit("full", QuotaAlert=50)
    module("LOCAL", '{AlertText="empty it";}')
    with Pop() as p:
        p.ask("USER full")
        assert "empty it" in p.fails(f"PASS {PASSWORD}")
    with Pop() as p:
        p.login("full")
        p.ask("DELE 1")
        p.ask("QUIT")
    wait_for("the last", lambda: count("full") == 4 and not list(
        (BASE / "Queue").glob("*.msg")))
    # and by a higher limit
    send("full", "waits again")
    wait_for("it waits", lambda: list((BASE / "Queue").glob("*.msg")))
    time.sleep(0.5)
    assert count("full") == 4
    limit("full", MaxMessages="default")
    messages("full", 5)
    assert time.monotonic() - start < 30
    cli.close()


def full_percent():
    """The server's share of a limit is the most that an account may fill."""
    accounts("part")
    limit("part", MaxMessages=4)
    module("LOCAL", "{FullPercent=50;}")
    for i in range(3):
        send("part", f"part{i}")
    wait_for("one to wait", lambda: count("part") == 2 and len(list(
        (BASE / "Queue").glob("*.msg"))) == 1)
    module("LOCAL", "{FullPercent=default;}")
    messages("part", 3)


def defaults():
    """The domain's and the server's, for sessions that are open."""
    accounts("dflt")
    cli = administrator()
    with login("dflt") as m:
        assert quota(m) == {}
        cli.ask("UpdateAccountDefaults {MaxMessages=7;}")
        wait_for("the domain's", lambda: quota(m) == {"MESSAGE": (0, 7)})
        cli.ask("UpdateAccountDefaults {MaxMessages=1;QuotaSuspend=0;}")
        wait_for("another", lambda: quota(m) == {"MESSAGE": (0, 1)})
        send("dflt")
        messages("dflt", 1)
        assert "[OVERQUOTA]" in append(m)
        limit("dflt", MaxMessages=2)
        becomes(m, "MESSAGE", (1, 2))
        assert append(m) is None
        cli.ask("UpdateAccountDefaults "
                "{MaxMessages=default;QuotaSuspend=default;}")
        limit("dflt", MaxMessages="default")
        wait_for("no limit", lambda: quota(m) == {})
    cli.close()


def single():
    cli = administrator()
    cli.ask(f'CreateAccount one TextMailbox {{Password="{PASSWORD}";'
            'MaxMessages=2;QuotaSuspend=0;}')
    cli.close()
    accounts("onesender")
    path = BASE / "Accounts" / "one.mbox"
    send("one")
    send("one")
    wait_for("two", lambda: len(read_mbox(path)) == 2)
    send("one", "third", sender=address("onesender"))
    report("onesender", "third")
    with login("one") as m:
        assert quota(m) == {"MESSAGE": (2, 2)}
        assert "[OVERQUOTA]" in append(m)
        m.ask("SELECT INBOX")
        m.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        m.ask("EXPUNGE")
        assert append(m) is None
    limit("one", MaxMessages=3)
    send("one")
    with login("one") as m:
        m.ask("SELECT INBOX")
        wait_for("it", lambda: quota(m) == {"MESSAGE": (3, 3)})


def renamed():
    """The limit goes along; an account of the old name has its own."""
    accounts("before", "renamer")
    limit("before", MaxMessages=1, QuotaSuspend=0)
    send("before")
    messages("before", 1)
    cli = administrator()
    cli.ask("RenameAccount before into after")
    accounts("before")
    cli.close()
    send("after", "no more", sender=address("renamer"))
    report("renamer", "no more")
    assert count("after") == 1
    send("before")
    send("before")
    messages("before", 2)


def login_again(name):
    """Who comes in the moment of a worker's death may have to try twice."""
    try:
        return login(name)
    except (EOFError, ConnectionError):
        return login(name)


def killed():
    """After a kill of its worker an account has what its mailboxes have."""
    accounts("kill")
    limit("kill", MaxAccountSize="1M", MaxMessages=1000)
    for i in range(5):
        with login("kill") as m:
            m.ask("CREATE box%d" % i)
            for k in range(20):
                append(m, 300, f"box{i}")
                send("kill")
            tag = m.begin(f"SELECT box{i}")
            m.want(tag, "OK")
            m.send("".join(f"x{k} COPY {k} INBOX\r\n" for k in range(1, 15)))
            for p in workers():
                kill(p)
        with login_again("kill") as m:
            wait_for("an empty queue", lambda: not list(
                (BASE / "Queue").glob("*.msg")))
            u = m.ask('LIST "" * RETURN (STATUS (MESSAGES))')
            total = sum(int(n) for n in re.findall(
                rb"MESSAGES (\d+)", b" ".join(u)))
            got = quota(m)
            assert got["MESSAGE"][0] == total, (got, total)
            files = (BASE / "Accounts" / "kill.macnt").glob("*.mbox")
            used = sum(f.stat().st_size for f in files)
            assert got["STORAGE"][0] == (used + 1023) // 1024, (got, used)


def alerts():
    accounts("alert")
    limit("alert", MaxMessages=4, QuotaAlert=75)
    with login("alert") as m, login("alert") as other:
        for i in range(3):
            append(m)

        def told(c):
            return [u for u in c.ask("NOOP") if b"[ALERT]" in u]
        assert wait_for("an alert", lambda: told(m)) == \
            [b"OK [ALERT] empty it"]
        wait_for("an alert", lambda: told(other))
        append(m)
        time.sleep(1.5)
        assert not told(m), "told again, within ten minutes"
    with Pop() as p:
        p.login("alert")


def one_message():
    """MaxMessageSize: of what comes in, not of what its client appends."""
    accounts("small", "smallsender")
    limit("small", MaxMessageSize="2K")
    send("small", "too large", 5000, sender=address("smallsender"))
    report("smallsender", "too large", "5.2.3", "too large for this account")
    send("small", "fits", 1000)
    messages("small", 1)
    with login("small") as m:
        assert append(m, 5000) is None
        send("small", "larger", 9000, sender=address("smallsender"))
        report("smallsender", "larger", "5.2.3", "too large")
    assert count("small") == 2


def notices(name):
    return [m for m in (email.message_from_bytes(t) for _, t in
                        read_mbox(box(name)))
            if "of your mail storage is used" in m["Subject"]]


def notice():
    """A letter when so much is used; once, until it was below that."""
    accounts("note")
    limit("note", MaxMessages=10, QuotaNotice=50, QuotaAlert=0)
    for i in range(4):
        send("note")
    messages("note", 4)
    assert not notices("note")
    send("note")
    letter = wait_for("a letter", lambda: notices("note"))[0]
    assert "50%" in letter["Subject"] and letter["To"] == address("note")
    assert "empty it" in letter.get_payload(), letter
    assert letter["Date"] and letter["Message-ID"] and letter["From"]
    assert letter["Auto-Submitted"] == "auto-generated"
    send("note")
    messages("note", 7)
    assert len(notices("note")) == 1
    # Whoever holds the account next knows it, and says no more.
    kill(processes("stored-delivery")[0])
    send("note")
    messages("note", 8)
    assert len(notices("note")) == 1
    with login("note") as m:
        m.ask("SELECT INBOX")
        time.sleep(1.5)
        m.ask("STORE 1:6 +FLAGS.SILENT (\\Deleted)")
        m.ask("EXPUNGE")
        assert not notices("note")
        time.sleep(1.5)
        # By a client's own doing it comes, too, and is shown at once.
        for i in range(3):
            append(m)
        wait_for("another", lambda: notices("note"))
        wait_for("it", lambda: any(b"6 EXISTS" in u for u in m.ask("NOOP")))
    assert len(notices("note")) == 1
    # Even where there is no room left for others.
    accounts("noted")
    limit("noted", MaxMessages=2, QuotaNotice=90, QuotaSuspend=0)
    send("noted")
    send("noted")
    wait_for("a letter", lambda: notices("noted"))
    assert count("noted") == 3
    limit("noted", QuotaNotice=0, MaxMessages=5)
    limit("noted", MaxMessages=3)
    time.sleep(1)
    assert count("noted") == 3


def warned():
    """Who waits is told once; by NOTIFY=NEVER, not at all."""
    accounts("slow", "slowsender")
    module("LOCAL", "{SendWarningsAfter=1s;}")
    limit("slow", MaxMessages=1)
    send("slow")
    messages("slow", 1)
    send("slow", "delayed", sender=address("slowsender"))
    with Smtp() as s:
        s.ask(f"MAIL FROM:<{address('slowsender')}>", 250)
        s.ask(f"RCPT TO:<{address('slow')}> NOTIFY=NEVER", 250)
        s.ask("DATA", 354)
        s.text(text("quietly") + b".\r\n")
    m = wait_for("a warning", lambda: reports("slowsender", "delayed"))[0]
    fields = m.get_payload()[1].get_payload()[1]
    assert fields["Action"] == "delayed", fields.as_string()
    assert fields["Status"] == "4.2.2", fields.as_string()
    assert fields["Will-Retry-Until"], fields.as_string()
    assert "account is full" in m.get_payload()[0].get_payload(), m
    time.sleep(5)           # tried again meanwhile
    assert len(reports("slowsender", "delayed")) == 1, "told twice"
    assert not reports("slowsender", "quietly")
    limit("slow", MaxMessages="default")
    messages("slow", 3)
    wait_for("an empty queue", lambda: not list(
        (BASE / "Queue").glob("*.msg")))
    module("LOCAL", "{SendWarningsAfter=4h;}")


def too_long():
    """Mail for a full account is kept only so long."""
    accounts("late", "latesender")
    send("late")
    messages("late", 1)
    limit("late", MaxMessages=1)
    send("late", "kept", sender=address("latesender"))
    time.sleep(0.5)
    assert not reports("latesender", "kept")
    module("LOCAL", "{KeepFull=1s;}")
    report("latesender", "kept")
    assert count("late") == 1
    module("LOCAL", "{KeepFull=0;}")
    send("late", "not kept", sender=address("latesender"))
    report("latesender", "not kept")
    module("LOCAL", "{KeepFull=1d;}")


everybody = administrator()
everybody.ask("UpdateAllAccountsDefaults {QuotaNotice=0;}")
everybody.close()
run([commands, library, appending, delivered, at_once, waiting, full_percent,
     defaults,     single, renamed, killed, alerts, one_message,
     notice, warned, too_long])
