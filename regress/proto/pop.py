#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/pop.conf
"""POP: logging in by every way there is, and what a session shows."""
import base64
import hashlib
import hmac
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, PASSWORD, Pop, Smtp, accounts, address,  # noqa: E402
                  administrator, log, messages, run, wait_for)

HEAD = "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: %d\r\n"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def send(name, *texts):
    with Smtp() as s:
        for t in texts:
            s.begin(address(name))
            s.text(re.sub("(?m)^\\.", "..", t) + ".\r\n")


def greeting():
    with Pop() as p:
        assert re.search(r"<[^ >]+@[^ >]+>$", p.greeting), p.greeting
        p.ask("CAPA")
        caps = p.many()
        assert any(c.startswith("SASL PLAIN LOGIN CRAM-MD5 ")
               for c in caps), caps
        for c in ("USER", "STLS", "TOP", "UIDL", "RESP-CODES", "PIPELINING",
                  "AUTH-RESP-CODE"):
            assert c in caps, (c, caps)
        p.ask("AUTH")
        assert p.many()[:3] == ["PLAIN", "LOGIN", "CRAM-MD5"]
        p.ask("NOOP")
        p.ask("QUIT")
        assert p.ended()


def user_pass():
    with Pop() as p:
        p.login("ann")
        p.ask("QUIT")
        assert p.ended()
    for name in (f"ann@{DOMAIN}", "ANN", f"Ann@{DOMAIN.upper()}"):
        with Pop() as p:
            p.login(name)
    with Pop() as p:                    # all in one go
        p.send(f"USER ann\r\nPASS {PASSWORD}\r\nSTAT\r\nNOOP\r\nQUIT\r\n")
        for _ in range(5):
            p.ok()
        assert p.ended()


def apop():
    with Pop() as p:
        stamp = re.search("<.*>", p.greeting)[0]
        digest = hashlib.md5((stamp + PASSWORD).encode()).hexdigest()
        p.ask("APOP ann " + digest)
        p.ask("STAT")
        p.ask("QUIT")
    with Pop() as p:
        assert "[AUTH]" in p.fails("APOP ann " + digest)    # another's stamp
        p.fails("APOP ann")
        p.fails("APOP ann 1234")


def sasl():
    with Pop() as p:
        p.ask("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}"))
        p.ask("STAT")
    with Pop() as p:
        p.send("AUTH PLAIN\r\n")
        assert p.line().rstrip() == "+"
        p.ask(b64(f"\0ann\0{PASSWORD}"))
    with Pop() as p:
        p.send("AUTH LOGIN\r\n")
        assert p.line() == "+ " + b64("Username:")
        p.send(b64("ann") + "\r\n")
        assert p.line() == "+ " + b64("Password:")
        p.ask(b64(PASSWORD))
        p.ask("STAT")
    with Pop() as p:
        p.send("AUTH CRAM-MD5\r\n")
        stamp = base64.b64decode(p.line()[2:])
        digest = hmac.new(PASSWORD.encode(), stamp, hashlib.md5).hexdigest()
        p.ask(b64("ann " + digest))
        p.ask("STAT")
    with Pop() as p:
        p.fails("AUTH FOO")
        p.send("AUTH PLAIN\r\n")
        p.line()
        p.fails("*")
        p.send("AUTH PLAIN\r\n")
        p.line()
        p.fails("&&&")
        p.login("ann")


def refusals():
    with Pop() as p:
        p.ask("USER ann")
        one = p.fails("PASS wrong")
        p.ask("USER nobody")
        other = p.fails("PASS wrong")
        assert one == other and one.startswith("[AUTH]"), (one, other)
        p.fails("PASS again")
        p.fails("STAT")
        p.fails("")
        p.fails("USER")
        p.fails("FOO BAR")
        p.fails("X" * 9000)
        p.send(b"NO\0OP\r\n")
        p.err()
        p.login("ann")
    with Pop() as p:
        for _ in range(11):
            p.fails("FOO")
        p.fails("FOO")
        assert p.ended()
    with Pop() as p:                    # gone while authd thinks
        p.send(f"USER ann\r\nPASS {PASSWORD}\r\n")


def session():
    texts = [HEAD % i + "\r\n" + f"text {i}\r\n" * i + ".\r\n..\r\n"
             for i in range(1, 4)]
    send("bob", *texts)
    messages("bob", 3)
    with Pop() as p:
        p.login("bob")
        count, total = map(int, p.ask("STAT").split()[:2])
        assert count == 3
        p.ask("LIST")
        sizes = [int(x.split()[1]) for x in p.many()]
        assert sum(sizes) == total
        p.ask("UIDL")
        uids = [x.split()[1] for x in p.many()]
        assert len(set(uids)) == 3
        for i in (1, 2, 3):
            p.ask(f"RETR {i}")
            lines = p.many()
            text = "".join(x + "\r\n" for x in lines)
            assert text.endswith("\r\n\r\n" + texts[i - 1].split(
                "\r\n\r\n", 1)[1]), text
            assert len(text) == sizes[i - 1], (len(text), sizes)
            assert lines[0] == "Return-Path: <sender@far.example>", lines[0]
            p.ask(f"TOP {i} 1")
            assert p.many() == lines[:lines.index("") + 2]
        p.fails("RETR 4")
        p.fails("RETR 0")
        p.fails("DELE x")
        p.ask("DELE 2")
        p.fails("RETR 2")
        p.ask("LIST")
        assert len(p.many()) == 2
        p.ask("RSET")
        p.ask("DELE 1")
        p.close()                       # no QUIT: nothing is deleted
    with Pop() as p:
        p.login("bob")
        assert p.ask("STAT").split()[0] == "3"
        p.ask("DELE 1")
        p.ask("DELE 3")
        p.ask("QUIT")
        assert p.ended()
    with Pop() as p:
        p.login("bob")
        p.ask("UIDL")
        assert [x.split()[1] for x in p.many()] == [uids[1]]
        p.ask("UIDL 1")
        p.ask("QUIT")


def misplaced():
    """A password that is said too early, or as a name."""
    cli = administrator()
    for module in "Router", "Main":
        cli.ask(f"UpdateModule {module} {{LogLevel=5;AccountsLogLevel=5;}}")
    with Pop() as p:
        p.fails("2-splaced-Word")
        p.ask("USER 1-splaced-Word")
        p.fails(f"PASS {PASSWORD}")
        p.ask("USER 3-splaced@Word")
        p.fails(f"PASS {PASSWORD}")
        p.ask(f"USER 4-splaced@{DOMAIN}")
        p.fails(f"PASS {PASSWORD}")
        p.fails("APOP 5-splaced " + "0" * 32)
        p.ask("NOOP 6-splaced")
    wait_for("the log", lambda: f"AUTH-FAIL POP *@{DOMAIN} " in log())
    cli.close()


def logged():
    text = log()
    assert "splaced" not in text
    for secret in (PASSWORD, b64(f"\0ann\0{PASSWORD}"), b64(PASSWORD)):
        assert secret not in text, secret
    assert "cmd: PASS ..." in text
    assert re.search(r" \d POP-\d{6}\(\[127\.0\.0\.1\]\) ", text)


accounts("ann", "bob")
run([greeting, user_pass, apop, sasl, refusals, session, misplaced,
     logged])
