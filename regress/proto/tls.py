#!/usr/bin/env python3
"""TLS at once and by STARTTLS or STLS, for SMTP and POP: versions, what was
said before it is forgotten, nothing can be injected, one byte at a time."""
import base64
import os
import pathlib
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from trickle import Trickle  # noqa: E402
from wire import (PASSWORD, Pop, Smtp, Wire, accounts, address,  # noqa: E402
                  messages, run)

TEXT = "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n" + "text\r\n" * 500
PLAIN = base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()


def context(low=None, high=None):
    c = ssl.create_default_context(cafile=os.environ["CG_CA"])
    c.check_hostname = False
    c.set_ciphers("ALL:@SECLEVEL=0")
    if low:
        c.minimum_version = low
    if high:
        c.maximum_version = high
    return c


def mail(s, name="ann"):
    s.begin(address(name))
    s.text(TEXT + ".\r\n")


def starttls(port="CG_SMTP", ctx=None):
    s = Smtp(port)
    assert "STARTTLS" in s.ask("EHLO x", 250)
    s.ask("STARTTLS", 220)
    s.secure(ctx)
    return s


def smtp():
    with starttls() as s:
        s.ask("MAIL FROM:<a@b.com>", 503)       # EHLO is forgotten
        texts = s.ask("EHLO x", 250)
        assert "STARTTLS" not in texts, texts
        s.ask("STARTTLS", 503)
        s.ask("AUTH PLAIN " + PLAIN, 235)
        mail(s)
        s.ask("QUIT", 221)
        assert s.ended()
    with Smtp("CG_SMTPS", tls=True) as s:
        assert "STARTTLS" not in s.ask("EHLO x", 250)
        s.ask("MAIL FROM:<a@b.com>", 530, 250)
        s.ask("RSET", 250)
        s.ask("AUTH PLAIN " + PLAIN, 235)
        mail(s)
    text = messages("ann", 2)
    assert all(b"\n  with ESMTPSA id " in t for t in text), text


def login_forgotten():
    """Who he said to be in the clear, he is no more."""
    with Smtp() as s:
        s.ask("EHLO x", 250)
        s.ask("AUTH PLAIN " + PLAIN, 235)
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask("RCPT TO:<far@away.example>", 250)
        s.ask("RSET", 250)
        s.ask("STARTTLS", 220)
        s.secure()
        s.ask("EHLO x", 250)
        s.ask("MAIL FROM:<a@b.com>", 530, 250)
        s.ask("RCPT TO:<far@away.example>", 550, 530, 503)
        s.ask("RSET", 250)
        s.ask("AUTH PLAIN " + PLAIN, 235)       # not "you are already"
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask("RCPT TO:<far@away.example>", 250)
        s.ask("QUIT", 221)


def pop():
    with Pop() as p:
        p.ask("CAPA")
        assert "STLS" in p.many()
        p.ask("USER ann")
        p.ask("STLS")
        p.secure()
        p.fails(f"PASS {PASSWORD}")             # the name is forgotten
        p.ask("CAPA")
        assert "STLS" not in p.many()
        p.fails("STLS")
        p.login("ann")
        p.ask("RETR 1")
        assert "text" in p.many()
        p.ask("QUIT")
        assert p.ended()
    with Pop("CG_POPS", tls=True) as p:
        p.send(f"USER ann\r\nPASS {PASSWORD}\r\nSTAT\r\nRETR 1\r\nQUIT\r\n")
        for _ in range(4):
            p.ok()
        assert "text" in p.many()
        p.ok()
        assert p.ended()


def versions():
    v = ssl.TLSVersion
    for low in (v.TLSv1_2, v.TLSv1_3):
        with starttls(ctx=context(low, low)) as s:
            assert s.s.version() == low.name.replace("_", "."), s.s.version()
            s.ask("EHLO x", 250)
            mail(s, "bob")
    for port in ("CG_SMTPS", "CG_POPS"):
        with Wire(int(os.environ[port])) as w:
            try:
                w.secure(context(v.TLSv1, v.TLSv1_1))
            except (ssl.SSLError, OSError):
                continue
            raise AssertionError("TLS 1.1 was accepted")


def injection():
    """What came in the clear behind STARTTLS is never obeyed."""
    with Smtp() as s:
        s.send("STARTTLS\r\nMAIL FROM:<evil@x.com>\r\nNOOP\r\n")
        s.want(220)
        s.secure()
        s.ask("EHLO x", 250)                    # the first answer is this
        s.ask(f"RCPT TO:<{address('ann')}>", 503)
    with Smtp() as s:                           # a command cut in two
        s.send("STARTTLS\r\nNO")
        s.want(220)
        s.secure()
        s.send("OP\r\n")
        s.want(500)
    with Pop() as p:
        p.send("STLS\r\nUSER ann\r\n")
        p.ok()
        p.secure()
        p.fails(f"PASS {PASSWORD}")


def garbage():
    """What is no TLS ends that session and nothing else."""
    for junk in (b"EHLO x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 3000,
                 b"\x80\x2e\x01\x03\x01" + b"\0" * 50, b"\0" * 10):
        for port in ("CG_SMTPS", "CG_POPS"):
            with Wire(port) as w:
                w.send(junk)
                w.s.shutdown(socket.SHUT_WR)
                try:
                    while w.s.recv(1000):       # an alert at most
                        pass
                except ConnectionResetError:
                    pass
        with Smtp() as s:
            s.ask("STARTTLS", 220)
            s.send(junk)
            s.s.shutdown(socket.SHUT_WR)
    with Smtp() as s:
        s.ask("NOOP", 250)


def trickled():
    """One byte at a time, both ways, handshake and all."""
    with Trickle(os.environ["CG_SMTP"]) as t:
        with Smtp(t.port) as s:
            mail(s, "carl")
        with starttls(t.port) as s:
            s.ask("EHLO x", 250)
            s.ask("AUTH PLAIN " + PLAIN, 235)
            mail(s, "carl")
    with Trickle(os.environ["CG_SMTPS"]) as t, \
            Smtp(t.port, tls=True) as s:
        s.ask("AUTH PLAIN " + PLAIN, 235)
        mail(s, "carl")
    messages("carl", 3)
    for port, tls in (("CG_POP", False), ("CG_POPS", True)):
        with Trickle(os.environ[port]) as t, Pop(t.port, tls) as p:
            p.login("carl")
            assert p.ask("STAT").split()[0] == "3"
            p.ask("RETR 3")
            assert p.many().count("text") == 500
            p.ask("QUIT")
            assert p.ended()


def many():
    """A session of some size, both ways, in big and small records."""
    big = TEXT + "".join(f"{i:06} " + "y" * 70 + "\r\n" for i in range(20000))
    with starttls() as s:
        s.ask("EHLO x", 250)
        for _ in range(3):
            s.begin(address("dora"))
            s.text(big + ".\r\n")
    messages("dora", 3)
    with Pop("CG_POPS", tls=True) as p:
        p.login("dora")
        for i in (1, 2, 3):
            p.ask(f"RETR {i}")
            lines = p.many()
            at = lines.index("000000 " + "y" * 70)
            assert lines[at:] == [f"{i:06} " + "y" * 70
                                  for i in range(20000)]
        p.ask("QUIT")


accounts("ann", "bob", "carl", "dora")
run([smtp, login_forgotten, versions, injection, garbage, pop, trickled, many])
