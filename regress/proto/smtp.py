#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/smtp.conf
"""Receiving by SMTP: commands, order, parameters, limits, the text of a
message on its way into the mailbox, the envelope in the queue file."""
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, PASSWORD, PATIENCE, Smtp,  # noqa: E402
                  accounts, address, log, messages, queue_file, run, wait_for)

BOB = address("bob")
SINK = address("sink")
SIMPLE = "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: s\r\n\r\ntext\r\n"


def greeting():
    with Smtp(hello=None) as s:
        texts = s.ask("EHLO client.example", 250)
        words = {t.split()[0] for t in texts[1:]}
        want = {"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES",
                "DSN", "CHUNKING", "STARTTLS", "AUTH", "HELP",
                "ETRN", "TURN", "ATRN", "SMTPUTF8",
                "BINARYMIME"}
        assert words == want, words
        assert "SIZE 102400" in texts, texts
        assert any(t.startswith("AUTH PLAIN LOGIN CRAM-MD5 ")
                   for t in texts), texts
        assert texts[0].split()[0] == DOMAIN
        s.ask("HELO [127.0.0.1]", 250)
        s.ask("QUIT", 221)
        assert s.ended()
    with Smtp(hello="HELO plain") as s:
        s.begin(BOB)
        s.text(SIMPLE + ".\r\n")
    text = messages("bob", 1)[0]
    assert b"\n  with SMTP id " in text, text


COMMANDS = [
    ("NOOP", 250), ("NOOP with words", 250), ("noop", 250), ("HELP", 214),
    ("HELP MAIL", 214), ("VRFY bob", 252), ("VRFY", 501), ("EXPN list", 502),
    ("RSET", 250), ("RSET now", 501),
]

NONSENSE = [
    "", " ", "FOO", "MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM bob@x.com",
    "MAIL FROM:<bob@x.com", "MAIL FROM:<bob@>", "MAIL FROM:<@x.com>",
    "MAIL FROM:<b b@x.com>", "MAIL FROM:<bob@x..com>", "MAIL TO:<bob@x.com>",
    "MAIL FROM:<a@b.com> SIZE=x", "MAIL FROM:<a@b.com> BODY=8",
    "MAIL FROM:<a@b.com> RET=HALF", "MAIL FROM:<a@b.com> FOO=BAR",
    "MAIL FROM:<a@b.com> SIZE=1 SIZE=1", "MAIL FROM:<a@b.com> =",
    "MAIL FROM:<a@b.com> SMTPUTF8=1", "MAIL FROM:<a@b.com> ENVID=a=b",
    "MAIL FROM:<a\x01@b.com>", "MAIL FROM:<" + "a" * 300 + "@b.com>",
    "DATA", "RCPT TO:<bob@x.com>", "STARTTLS now", "AUTH", "AUTH FOO",
    "EHLO", "EHLO a b", "EHLO <x>", "HELO (x)", "A" * 600,
    "NOOP " + "x" * 5000,
]


def commands():
    with Smtp() as s:
        for line, code in COMMANDS:
            s.ask(line, code)
        s.ask("QUIT", 221)
    for line in NONSENSE:
        with Smtp() as s:
            s.send(line + "\r\n")
            code, _ = s.reply()
            assert 500 <= code < 600, (line, code)
            s.ask("NOOP", 250)
    with Smtp() as s:
        s.send(b"NOOP \0\r\n")
        s.want(500)
        s.send(b"NOOP\n")
        s.want(500)
        s.send(b"NO\rOP\r\n")
        s.want(500)
        s.send(b"MAIL FROM:<b\xc3\xb6b@x.com>\r\n")
        s.want(501, 553)


def order():
    with Smtp(hello=None) as s:
        s.ask("MAIL FROM:<a@b.com>", 503)
        s.ask("NOOP", 250)
        s.ask("EHLO x", 250)
        s.ask("RCPT TO:<bob@x.com>", 503)
        s.ask("DATA", 503)
        s.ask("MAIL FROM:<>", 250)
        s.ask("MAIL FROM:<a@b.com>", 503)
        s.ask("DATA", 554)
        s.ask("RSET", 250)
    with Smtp() as s:
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask(f"RCPT TO:<{BOB}>", 250)
        s.ask("AUTH PLAIN", 503)
        s.ask("STARTTLS", 503)
        s.ask("EHLO again", 250)        # forgets the transaction
        s.ask(f"RCPT TO:<{BOB}>", 503)


def recipients():
    with Smtp() as s:
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask(f"RCPT TO:<nobody@{DOMAIN}>", 550)
        text = s.ask("RCPT TO:<joe@far.example>", 550)[0]
        assert text.startswith("5.7.1"), text
        s.ask(f"RCPT TO:<joe%far.example@{DOMAIN}>", 550)
        s.ask(f"RCPT TO:<@{DOMAIN}:joe@far.example>", 550)
        s.ask("RCPT TO:<>", 501)
        s.ask("RCPT TO:<postmaster>", 250)
        s.ask(f"RCPT TO:<{BOB.upper()}>", 250)
        s.ask(f"RCPT TO: {BOB}", 250)
        s.ask(f"RCPT TO:<abuse@{DOMAIN}> NOTIFY=NEVER,DELAY", 501)
        s.ask("RSET", 250)
        s.ask("MAIL FROM:<a@b.com>", 250)
        for _ in range(5):
            s.ask(f"RCPT TO:<{SINK}>", 250)
        s.ask(f"RCPT TO:<{SINK}>", 452)
        s.ask("DATA", 354)
        s.text(SIMPLE + ".\r\n")


def errors():
    """Too many, and the session is over."""
    with Smtp() as s:
        for _ in range(7):
            s.ask("FOO", 500)
        s.ask("FOO", 500)
        s.want(421)
        assert s.ended()
    with Smtp() as s:                   # also in one go
        s.send("FOO\r\n" * 1000)
        for _ in range(8):
            s.want(500)
        s.want(421)
        assert s.ended()
    with Smtp() as s:                   # a message taken is a fresh start
        for _ in range(3):
            for _ in range(5):
                s.ask("RCPT", 503)
            s.begin(SINK)
            s.text(SIMPLE + ".\r\n")


def deliver(name, text, *codes, size=None):
    with Smtp() as s:
        s.begin(address(name))
        data = text if isinstance(text, bytes) else text.encode()
        if size:
            s.pieces(data, size)
            return s.want(*(codes or (250,)))
        return s.text(data, *codes)


def delivered(name, count):
    """The last message without what was put before it."""
    text = messages(name, count)[-1]
    m = re.match(rb"(Return-Path: <.*>\n)?Received: .*\n([ \t].*\n)*", text)
    assert m, text
    return text[m.end():]


def texts():
    head = "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: s\r\n"
    cases = [
        head + "\r\nhello\r\n",
        head + "\r\n",
        head + "\r\n..\r\n...\r\n..x\r\n",
        head + "\r\nFrom here\r\n>From there\r\n\r\nFrom x(y) z\r\n",
        head + "\r\n" + "x" * 5000 + "\r\n" + "y\r\n" * 3000,
        head + "X-Folded: a\r\n\tb\r\n  c\r\n\r\n\r\n\r\nend\r\n\r\n",
        head + "\r\n" + "".join(f"{'.' if i % 3 else ''}{'.' * (i % 5)}{i}\r\n"
                                for i in range(2000)),
    ]
    cases = [c.encode() for c in cases]
    cases.append(head.encode() + b"\r\na\0b\0\r\n\xff\xfe\x80\r\n")
    count = 0
    for case in cases:
        want = re.sub(rb"(?m)^From ", b">From ",        # as a .mbox has it
                      case.replace(b"\r\n", b"\n"))
        wire = re.sub(rb"(?m)^\.", b"..", case)
        for size in (None, 1 if len(wire) < 500 else 7, 1000):
            deliver("carl", wire + b".\r\n", size=size)
            count += 1
            got = delivered("carl", count)
            assert got == want, (size, got[:300], want[:300])


def headers():
    """Manual 57: what is missing is added."""
    deliver("dora", "Subject: s\r\n\r\ntext\r\n.\r\n")
    got = delivered("dora", 1).decode()
    assert re.fullmatch(r"Subject: s\nDate: \w+, .*\n\ntext\n", got), got
    deliver("dora", "no header, just text\r\n\r\nmore\r\n.\r\n")
    got = delivered("dora", 2).decode()
    assert re.fullmatch(r"Date: .*\nFrom: <sender@far.example>\n\n"
                        r"no header, just text\n\nmore\n", got), got
    deliver("dora", ".\r\n")
    got = delivered("dora", 3).decode()
    assert re.fullmatch(r"Date: .*\nFrom: <sender@far.example>\n\n", got), got


def received():
    with Smtp(hello="EHLO client.example") as s:
        s.begin(address("emil"))
        number = s.text(SIMPLE + ".\r\n")
    text = messages("emil", 1)[0].decode()
    m = re.search(r"Received: from client\.example \(\[127\.0\.0\.1\]\)\n"
                  rf"  by {re.escape(DOMAIN)} \(cgate SMTP [\d.]+\)\n"
                  rf"  with ESMTP id {number}\n"
                  rf"  for <{re.escape(address('emil'))}>;\n"
                  r"  \w+, \d+ \w+ \d+ [\d:]+ [-+]\d+\n", text)
    assert m, text


def size():
    with Smtp() as s:
        s.ask("MAIL FROM:<a@b.com> SIZE=102401", 552)
        s.ask("MAIL FROM:<a@b.com> SIZE=102400", 250)
        s.ask(f"RCPT TO:<{SINK}>", 250)
        s.ask("DATA", 354)
        fits = SIMPLE + "x" * (102400 - len(SIMPLE) - 2) + "\r\n"
        s.text(fits + ".\r\n", 250)
        s.begin(SINK)                   # one byte too many
        s.text("x" + fits + ".\r\n", 552)
        s.begin(SINK)                   # a lot
        s.send(SIMPLE + "x" * 78 + "\r\n")
        for _ in range(50):
            s.send(("x" * 78 + "\r\n") * 1000)
        s.text("\r\n.\r\n", 552)
        s.begin(SINK)                   # and the session is as good as new
        s.text(SIMPLE + ".\r\n", 250)


def endless():
    """Who never stops is cut off."""
    with Smtp() as s:
        s.begin(SINK)
        end = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < end:
                s.send(("x" * 998 + "\r\n") * 100)
        except (BrokenPipeError, ConnectionResetError):
            return
        raise AssertionError("any amount is taken")


def long_lines():
    with Smtp() as s:
        s.begin(SINK)
        s.text(SIMPLE + "x" * 90000 + "\r\n.\r\n", 250)
        s.begin(SINK)
        s.text("X: " + "x" * 90000 + "\r\n\r\n.\r\n", 550)


def hops():
    one = "Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    with Smtp() as s:
        s.begin(SINK)
        s.text(one * 5 + SIMPLE + one * 3 + ".\r\n", 250)
        s.begin(SINK)
        s.send(one * 6 + SIMPLE + ".\r\n")
        text = s.want(554)[0]
        assert text.startswith("5.4.6"), text


def pipelining():
    """All in one packet: the answers come in order, each command once."""
    with Smtp() as s:
        s.send("MAIL FROM:<a@b.com>\r\n"
               f"RCPT TO:<{BOB}>\r\n"
               f"RCPT TO:<nobody@{DOMAIN}>\r\n"
               f"RCPT TO:<{SINK}>\r\n"
               "DATA\r\n")
        codes = [s.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 550, 250, 354], codes
        # the next message right behind this one's end
        s.send(SIMPLE + ".\r\n"
               "NOOP\r\nMAIL FROM:<>\r\n"
               f"RCPT TO:<{SINK}>\r\nDATA\r\n")
        codes = [s.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 250, 250, 354], codes
        s.send(SIMPLE + ".\r\nRSET\r\nNOOP\r\nQUIT\r\n")
        codes = [s.reply()[0] for _ in range(4)]
        assert codes == [250, 250, 250, 221], codes
        assert s.ended()
    with Smtp() as s:                   # a thousand commands
        s.send("NOOP\r\n" * 1000 + "QUIT\r\n")
        for _ in range(1000):
            s.want(250)
        s.want(221)


def trickled():
    with Smtp(hello=None) as s:
        for line, code in (("EHLO x", 250), ("MAIL FROM:<a@b.com>", 250),
                           (f"RCPT TO:<{SINK}>", 250), ("DATA", 354)):
            s.pieces((line + "\r\n").encode())
            s.want(code)
        s.pieces((SIMPLE + "..\r\n.\r\n").encode())
        s.want(250)


def envelope():
    """What stands in the queue file of mail that has to wait."""
    import base64
    with Smtp("CG_SUBMIT") as s:
        token = base64.b64encode(f"\0bob\0{PASSWORD}".encode()).decode()
        s.ask("AUTH PLAIN " + token, 235)
        s.ask("MAIL FROM:<bob@x.com> RET=HDRS ENVID=id+2B1 BODY=8BITMIME "
              "SIZE=100 AUTH=<>", 250)
        s.ask("RCPT TO:<joe@far.example> NOTIFY=SUCCESS,FAILURE "
              "ORCPT=rfc822;Joe@far.example", 250)
        s.ask("RCPT TO:<eve@far.example> NOTIFY=NEVER", 250)
        s.ask("DATA", 354)
        number = s.text("Subject: s\r\n\r\ntext\r\n.\r\n")
    head, text = queue_file(number).decode().split("\n\n", 1)
    lines = head.split("\n")
    date = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"
    want = [rf"P I {date} 0000 ____ H___ <bob@x.com>", r"e id\+2B1", "O .*8.*",
            rf"S bob@{DOMAIN} SMTP \[127.0.0.1\]", r"A \[127.0.0.1\]",
            rf"R W {date} 0000 ____ SF__ <joe@far.example>",
            "o rfc822;Joe@far.example",
            rf"R W {date} 0000 ____ _N__ <eve@far.example>", r"z \d+ \w+"]
    assert len(lines) == len(want), lines
    for got, pattern in zip(lines, want):
        assert re.fullmatch(pattern, got), (got, pattern)
    z = lines[-1].split()
    assert int(z[1]) == len(text), z
    assert "\n  with ESMTPA id" in text and "\nMessage-Id: <" in text, text
    assert "for <" not in text, text


def vanished():
    """A client that goes in the middle of the text leaves nothing."""
    with Smtp(hello="EHLO vanishes") as s:
        s.begin(address("emil"))
        s.send(SIMPLE + "half a mess")
    tag = re.search(r"SMTPI-\d+(?=.*cmd: EHLO vanishes)",
                    wait_for("the log", lambda: "EHLO vanishes" in log() and
                             log()))[0]
    wait_for("its end", lambda: re.search(tag + ".*closed", log()))
    with Smtp() as s:                   # the next is the one that comes
        s.begin(address("emil"))
        s.text(SIMPLE + ".\r\n")
    messages("emil", 2)
    base = os.environ["CG_BASE"]
    assert not os.listdir(os.path.join(base, "BadFiles"))


def spamtrap():
    with Smtp() as s:
        s.ask("MAIL FROM:<a@b.com>", 250)
        s.ask(f"RCPT TO:<spam@{DOMAIN}>", 550, 554, 591)


def logged():
    text = log()
    assert re.search(r" 2 SMTPI-\d{6}\(\[127\.0\.0\.1\]\) \[\d+\] received, "
                     r"\d+ bytes\n", text)
    assert re.search(r" 4 SMTPI-\d{6}\(\[127\.0\.0\.1\]\) cmd: MAIL FROM", text)
    assert PASSWORD not in text


accounts("bob", "carl", "dora", "emil")
run([greeting, commands, order, recipients, errors, texts, headers, received,
     size, endless, long_lines, hops, pipelining, trickled, envelope, vanished,
     spamtrap, logged])
