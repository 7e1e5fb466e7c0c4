#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/smtp.conf
"""SMTP smuggling: whatever another server may take for the end of a text, or
for the end of a line, is one message or none here; never two, and never a
command."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, Smtp, accounts, address, messages,  # noqa: E402
                  run)

HEAD = b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nSubject: outer\r\n\r\nouter"
ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r",
    b"\r.\r\n", b"\r.\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\r\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\n.\n", b"\r\n.\n\r\n", b"\n\r.\r\n",
    b"\r\n .\r\n", b"\r\n. \r\n", b"\0.\0",
]
PIECES = [None, 1, 3]


def inner(kind):
    eol = kind
    return (b"MAIL FROM:<evil@x.com>" + eol + b"RCPT TO:<" +
            address("victim").encode() + b">" + eol + b"DATA" + eol +
            b"Subject: inner" + eol + eol + b"smuggled")


def one(end, eol, size):
    """The only end is the last CRLF . CRLF: so there is one answer."""
    with Smtp() as s:
        s.begin(address("victim"))
        data = HEAD + end + inner(eol) + b"\r\n.\r\n"
        if size:
            s.pieces(data, size)
        else:
            s.send(data)
        s.send("NOOP\r\n")
        code, texts = s.reply()
        noop, _ = s.reply()
        assert noop == 250, (end, eol, noop)
        s.ask("QUIT", 221)
        assert s.ended()
        return code


def matrix():
    taken = 0
    for end in ENDS:
        for eol in (b"\r\n", b"\n", b"\r"):
            for size in PIECES:
                code = one(end, eol, size)
                clean = (end + inner(eol)).replace(b"\r\n", b"")
                bare = b"\r" in clean or b"\n" in clean
                assert code == (550 if bare else 250), (end, eol, code)
                taken += code == 250
    found = messages("victim", taken)
    for text in found:
        head, body = text.split(b"\n\n", 1)
        assert b"Subject: outer" in head and b"inner" not in head, text
        assert b"smuggled" in body, text


def behind_the_end():
    """What follows a true end are commands, and only those."""
    with Smtp() as s:
        s.begin(address("second"))
        s.send(HEAD + b"\r\n.\r\n" + inner(b"\r\n").replace(b"victim",
                                                           b"second") +
               b"\r\n.\r\n")
        codes = [s.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 250, 354, 250], codes
    messages("second", 2)


def commands():
    """A command that ends in a bare LF or CR is refused, not obeyed."""
    with Smtp() as s:
        s.send(b"MAIL FROM:<a@b.com>\nRCPT TO:<" +
               address("victim").encode() + b">\r\n")
        assert s.reply()[0] == 500
        assert s.reply()[0] == 503
        s.send(b"NOOP\rMAIL FROM:<a@b.com>\r\n")
        assert s.reply()[0] == 500
        s.ask(f"RCPT TO:<victim@{DOMAIN}>", 503)
    with Smtp() as s:                   # a line end inside an argument
        s.send(b"MAIL FROM:<a@b.com> ENVID=x\rRCPT\r\n")
        assert s.reply()[0] == 500


def first_thing():
    """The end right at the beginning, and a bare LF before it."""
    with Smtp() as s:
        s.begin(address("third"))
        s.text(b".\r\n", 250)
        s.begin(address("third"))
        s.send(b".\n.\r.\r\n")
        s.send(b"\r\n.\r\n")
        assert s.reply()[0] == 550
    messages("third", 1)


accounts("victim", "second", "third")
run([matrix, behind_the_end, commands, first_thing])
