#!/usr/bin/env python3
# suite: own
"""BINARYMIME: any bytes come in by BDAT, come out of the mailbox as they were,
and go on to hosts that know nothing of it."""
import base64
import email
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from outgoing import nothing_left, route  # noqa: E402
from sink import Sink  # noqa: E402
from wire import Smtp  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; MaxMessageSize = 4M; }
"""
HEAD = b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n" \
    b"Message-ID: <1@far.example>\r\nFrom: a@far.example\r\n" \
    b"MIME-Version: 1.0\r\n"
ODD = b"\0\n.\r\n.\r\n\r\r\n\n\xff--b\r\n--bx\r\n--\r\n" + bytes(range(256))


def mixed(data, text=b"t\xc3\xa4xt\r\n"):
    return HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n' \
        b"Content-Transfer-Encoding: binary\r\n\r\n--b\r\n" \
        b"Content-Type: text/plain; charset=utf-8\r\n" \
        b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text + b"\r\n--b\r\n" \
        b"Content-Type: application/octet-stream\r\n" \
        b"Content-Transfer-Encoding: binary\r\n\r\n" + data + \
        b"\r\n--b--\r\n"


def bdat(data, size=None):
    size = size or len(data)
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    return len(parts), b"".join(b"BDAT %d%s\r\n%s" % (
        len(p), b" LAST" if i == len(parts) - 1 else b"", p)
        for i, p in enumerate(parts))


def begin(c, to, sender="a@far.example"):
    c.ask(f"MAIL FROM:<{sender}> BODY=BINARYMIME", 250)
    c.ask(f"RCPT TO:<{to}>", 250)


def stored(s, count):
    wait_for(f"{count} messages", lambda: len(s.mail("ann")) == count)
    return s.mail("ann")[-1][1]


def check(raw, data, text=b"t\xc3\xa4xt\r\n"):
    m = email.message_from_bytes(raw)
    assert m["Content-Transfer-Encoding"] == "8bit", raw[:600]
    a, b = m.get_payload()
    assert b["Content-Transfer-Encoding"] == "base64", raw[:600]
    assert b.get_payload(decode=True) == data
    assert a.get_payload(decode=True) == text.replace(b"\r\n", b"\n"), \
        a.get_payload(decode=True)
    assert b"\0" not in raw and b"\r" not in raw


def as_it_was(s):
    big = os.urandom(1_000_000)
    n = 0
    with Smtp(s.smtp_port(), hello=None) as c:
        told = c.ask("EHLO client.example", 250)
        assert "BINARYMIME" in told and "CHUNKING" in told, told
        for data, size in ((ODD, None), (ODD, 1), (ODD, 13), (b"", None),
                           (big, 70_000), (b"\r\n", 5)):
            begin(c, s.address("ann"))
            count, wire = bdat(mixed(data), size)
            c.send(wire)
            for _ in range(count):
                c.want(250)
            n += 1
            check(stored(s, n), data)
        # the whole of it, no part
        begin(c, s.address("ann"))
        c.send(bdat(HEAD + b"Content-Transfer-Encoding: binary\r\n\r\n" +
                    ODD)[1])
        c.want(250)
        m = email.message_from_bytes(stored(s, n + 1))
        assert m.get_payload(decode=True) == ODD


def refused(s):
    to = s.address("ann")
    before = len(s.mail("ann"))
    with Smtp(s.smtp_port()) as c:
        begin(c, to)
        text, = c.ask("DATA", 503)
        c.ask("RSET", 250)
        # not called binary, so it must be lines
        begin(c, to)
        c.send(bdat(mixed(b"x", b"a\nb\r\n"))[1])
        assert c.want(550)[0].startswith("5.6.0")
        begin(c, to)
        c.send(bdat(HEAD + b"\r\n\0\n\r")[1])
        c.want(550)
        # nothing that could be taken apart
        begin(c, to)
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
                        b"--b%d\r\n" % (i, i) for i in range(50))
        c.send(bdat(HEAD + deep)[1])
        c.want(554)
        # too large, as it is counted on the wire
        begin(c, to)
        c.send(bdat(mixed(b"\xff" * 4_300_000))[1])
        c.want(552)
        # left in the middle
        begin(c, to)
        c.send(b"BDAT 10\r\n" + HEAD[:10])
        c.want(250)
        c.ask("RSET", 250)
        begin(c, to)
        c.send(bdat(mixed(b"end"))[1])
        c.want(250)
    check(stored(s, before + 1), b"end")


def goes_on(s):
    """By whatever the next host can do."""
    with Smtp(s.smtp_port()) as c:
        plain = base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()
        c.ask("AUTH PLAIN " + plain, 235)
        for extensions in ([], ["PIPELINING", "8BITMIME", "CHUNKING",
                                "BINARYMIME"]):
            with Sink(extensions=extensions) as k:
                route(s, out_example=k)
                begin(c, "x@out.example", s.address("ann"))
                c.send(bdat(mixed(ODD))[1])
                c.want(250)
                m, = k.wait(1)
                assert "BINARYMIME" not in m.sender, m.sender
                check(m.data.replace(b"\r\n", b"\n"), ODD)
                nothing_left(s)


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        for step in (as_it_was, refused, goes_on):
            print(step.__name__, flush=True)
            step(s)


main()
