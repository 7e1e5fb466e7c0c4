#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/smtp_auth.conf
"""SMTP AUTH: mechanisms, refusals, what may be done with it, what is logged."""
import base64
import hashlib
import hmac
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, PASSWORD, Smtp, accounts, address, log,  # noqa: E402
                  queue_file, run)

TEXT = "Subject: s\r\n\r\ntext\r\n.\r\n"


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes)
                            else text.encode()).decode()


def relays(s, sender="ann"):
    """Mail to elsewhere is taken, under the account's name."""
    s.begin("joe@far.example", sender=address(sender))
    head = queue_file(s.text(TEXT)).decode().split("\n\n")[0]
    assert f"\nS {sender}@{DOMAIN} SMTP [127.0.0.1]\n" in head, head


def plain():
    with Smtp() as s:
        s.ask("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}"), 235)
        relays(s)
        s.ask("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}"), 503)
        s.ask("EHLO again", 250)
        relays(s)                       # EHLO does not log out
    with Smtp() as s:
        assert s.ask("AUTH PLAIN", 334) == [""]
        s.ask(b64(f"\0ann@{DOMAIN}\0{PASSWORD}"), 235)
        relays(s)
    with Smtp() as s:
        s.ask("auth plain " + b64(f"\0ANN\0{PASSWORD}"), 235)


def login():
    with Smtp() as s:
        assert s.ask("AUTH LOGIN", 334) == [b64("Username:")]
        assert s.ask(b64("ann"), 334) == [b64("Password:")]
        s.ask(b64(PASSWORD), 235)
        relays(s)
    with Smtp() as s:
        s.ask("AUTH LOGIN " + b64("ann"), 334)
        s.ask(b64(PASSWORD), 235)


def cram(password=PASSWORD, code=235):
    with Smtp() as s:
        stamp = base64.b64decode(s.ask("AUTH CRAM-MD5", 334)[0])
        assert stamp.startswith(b"<") and stamp.endswith(b">"), stamp
        digest = hmac.new(password.encode(), stamp, hashlib.md5).hexdigest()
        s.ask(b64("ann " + digest), code)
        if code == 235:
            relays(s)


def wrong():
    cram("another", 535)
    with Smtp() as s:
        one = s.ask("AUTH PLAIN " + b64("\0ann\0mistaken"), 535)
        other = s.ask("AUTH PLAIN " + b64("\0nobody\0mistaken"), 535)
        assert one == other, (one, other)
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask("RCPT TO:<joe@far.example>", 550)


def nonsense():
    with Smtp() as s:
        s.ask("AUTH SCRAM-FOO", 504)
        s.ask("AUTH APOP", 504)
        s.ask("AUTH", 504)
        s.ask("AUTH PLAIN ====", 501)
        s.ask("AUTH PLAIN " + b64("no nul"), 501)
    with Smtp() as s:
        s.ask("AUTH LOGIN", 334)
        s.ask("*", 501)
        s.ask("AUTH LOGIN", 334)
        s.ask("!!!", 501)
        s.ask("AUTH PLAIN", 334)
        s.ask("x" * 4000, 501)
    with Smtp() as s:
        s.ask("AUTH PLAIN", 334)
        s.ask("x" * 9000, 500)
    with Smtp() as s:
        s.ask("AUTH PLAIN " + b64("\0" + "n" * 600 + "\0" + PASSWORD), 501,
              535)
        s.ask("AUTH PLAIN " + b64("\0ann\0" + "p" * 2000), 501, 535)
        s.ask("NOOP", 250)
    with Smtp() as s:                   # gone while authd thinks
        s.send("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}") + "\r\n")
    with Smtp() as s:
        s.send("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}") + "\r\n"
               "MAIL FROM:<a@b.com>\r\nRCPT TO:<joe@far.example>\r\n")
        assert [s.reply()[0] for _ in range(3)] == [235, 250, 250]


def submission():
    with Smtp("CG_SUBMIT") as s:
        text = s.ask("MAIL FROM:<a@b.com>", 530)[0]
        assert text.startswith("5.7.0"), text
        s.ask("AUTH PLAIN " + b64(f"\0ann\0{PASSWORD}"), 235)
        relays(s)


def forced():
    """ForceAUTH: our own names only for those who have logged in."""
    with Smtp() as s:
        s.ask(f"MAIL FROM:<{address('ann')}>", 530)
        s.ask("MAIL FROM:<ann>", 530)
        s.ask(f"MAIL FROM:<nobody@{DOMAIN}>", 250)
        s.ask("RSET", 250)
        s.ask("MAIL FROM:<>", 250)
        s.ask("RSET", 250)
        s.begin(address("ann"))
        s.text(TEXT)


def logged():
    text = log()
    secrets = [PASSWORD, b64(PASSWORD), b64(f"\0ann\0{PASSWORD}"),
               b64(f"\0ann@{DOMAIN}\0{PASSWORD}"), "mistaken"]
    for s in secrets:
        assert s not in text, s
    assert "cmd: AUTH ..." in text


accounts("ann")
run([plain, login, cram, nonsense, submission, forced, wrong, logged])
