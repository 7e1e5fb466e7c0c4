#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/smtp.conf
"""BDAT: what comes in chunks is stored as it came, each chunk is taken to its
last byte whatever becomes of it, and nothing in one is ever a command."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import Smtp, accounts, address, messages, run  # noqa: E402

HEAD = b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n" \
    b"Message-ID: <1@far.example>\r\nFrom: a@far.example\r\n" \
    b"To: b@far.example\r\nSubject: chunks\r\n\r\n"
EVIL = b"x\r\n.\r\nMAIL FROM:<evil@x.com>\r\n..\r\n.y\r\nend\r\n"


def bdat(data, last=True):
    return b"BDAT %d%s\r\n" % (len(data), b" LAST" if last else b"") + data


def envelope(s, name):
    s.ask("MAIL FROM:<sender@far.example>", 250)
    s.ask(f"RCPT TO:<{address(name)}>", 250)


def stored(name, count, body):
    text = messages(name, count)[-1]
    assert text.endswith(b"\n\n" + body.replace(b"\r\n", b"\n")), text


def announced():
    with Smtp(hello=None) as s:
        assert "CHUNKING" in s.ask("EHLO client.example", 250)


def as_it_came():
    """Dots mean nothing; any cut is as good as another."""
    whole = HEAD + EVIL
    count = 0
    for size in (len(whole), 1000, 7, 1):
        with Smtp() as s:
            envelope(s, "ann")
            parts = [whole[i:i + size] for i in range(0, len(whole), size)]
            for p in parts[:-1]:
                s.send(bdat(p, False))
            s.send(bdat(parts[-1]))
            for _ in parts:
                s.want(250)
            count += 1
            s.ask("NOOP", 250)
        stored("ann", count, EVIL)
    with Smtp() as s:               # an empty last one, and no line's end
        envelope(s, "ann")
        s.send(bdat(HEAD + b"no end", False) + bdat(b""))
        s.want(250)
        s.want(250)
    stored("ann", count + 1, b"no end\r\n")


def pipelined():
    """All at one go, twice."""
    with Smtp() as s:
        for i in range(2):
            s.send(b"MAIL FROM:<sender@far.example>\r\nRCPT TO:<" +
                   address("ben").encode() + b">\r\n" + bdat(HEAD + EVIL))
        for _ in range(6):
            s.want(250)
    stored("ben", 2, EVIL)


def not_wanted():
    """Refused, but its bytes are no commands."""
    evil = b"QUIT\r\n" * 10
    with Smtp() as s:
        for before in ([], ["MAIL FROM:<sender@far.example>"],
                       ["MAIL FROM:<sender@far.example>",
                        "RCPT TO:<nobody.at.all@test.example>"]):
            for line in before:
                s.ask(line, 250, 550)
            s.send(bdat(evil) + b"NOOP\r\n")
            s.want(503, 554)
            s.want(250)
            s.ask("RSET", 250)
    with Smtp(hello=None) as s:
        s.send(bdat(evil) + b"MAIL FROM:<sender@far.example>\r\n")
        s.want(503)
        s.want(503)                 # it is still too early for that


def mixed_up():
    """Between chunks there is nothing but chunks, and ways out."""
    with Smtp() as s:
        envelope(s, "cat")
        s.send(bdat(HEAD, False))
        s.want(250)
        for line in ("DATA", "MAIL FROM:<a@far.example>",
                     f"RCPT TO:<{address('cat')}>"):
            s.ask(line, 503)
        s.ask("RSET", 250)
        envelope(s, "cat")
        s.send(bdat(HEAD + b"this one\r\n"))
        s.want(250)
    stored("cat", 1, b"this one\r\n")


def bad_ends():
    """Lines end in CR LF here, too; a CR is none at a chunk's edge."""
    for body in (b"a\nb\r\n", b"a\rb\r\n", b"a\r", b"\n"):
        for size in (1, 3, 1000):
            whole = HEAD + body
            with Smtp() as s:
                envelope(s, "dan")
                codes = []
                for i in range(0, len(whole), size):
                    part = whole[i:i + size]
                    s.send(bdat(part, i + size >= len(whole)))
                    codes.append(s.reply()[0])
                    if codes[-1] != 250:
                        break
                assert codes[-1] == 550, (body, size, codes)
                s.ask("NOOP", 250)


def bad_lengths():
    for line in (b"BDAT", b"BDAT x", b"BDAT -1", b"BDAT 5 LAST x",
                 b"BDAT 99999999999999999999", b"BDAT 5 FIRST"):
        with Smtp() as s:
            envelope(s, "dan")
            s.send(line + b"\r\n")
            s.want(501)
            assert s.ended(), line


def too_large():
    with Smtp() as s:
        envelope(s, "dan")
        s.send(bdat(HEAD + b"0123456789abcd\r\n" * 10000))
        s.want(552)
        s.ask("NOOP", 250)
    with Smtp() as s:               # nobody reads all of that
        envelope(s, "dan")
        s.send(b"BDAT 99999999999 LAST\r\n" + HEAD +
               b"0123456789abcd\r\n" * 10000)
        s.want(552)
        assert s.ended()


def nothing_at_all():
    """An empty text, of more clients than there are files at hand."""
    many = [Smtp() for _ in range(48)]
    for s in many:
        s.send(b"MAIL FROM:<>\r\nRCPT TO:<%s>\r\nBDAT 0 LAST\r\nNOOP\r\n"
               % address("eve").encode())
    for s in many:
        for _ in range(4):
            s.want(250)
        s.close()
    messages("eve", 48)


accounts("ann", "ben", "cat", "dan", "eve")
run([announced, as_it_came, pipelined, not_wanted, mixed_up, bad_ends,
     bad_lengths, too_large, nothing_at_all])
