#!/usr/bin/env python3
"""SEARCH: every key, charsets, decoded text, ESEARCH's results, trees of keys
and their limits."""
import base64
import pathlib
import quopri
import re
import select
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import Imap, accounts, run  # noqa: E402


def message(header, body, kind="text/plain; charset=utf-8", enc=None):
    text = header.encode() if isinstance(header, str) else header
    text += b"MIME-Version: 1.0\nContent-Type: " + kind.encode() + b"\n"
    if enc:
        text += b"Content-Transfer-Encoding: " + enc.encode() + b"\n"
    return (text + b"\n" + body).replace(b"\n", b"\r\n")


GRUESSE = "Grüße aus KÖLN, straße\n".encode()
MAIL = [
    # 1
    message("From: Ann <ann@example.com>\nTo: bob@example.com\n"
            "Cc: carl@example.com\nBcc: dora@example.com\n"
            "Subject: hello world\nDate: 1 Feb 1999 23:59:00 -0800\n"
            "X-Tag: a  folded\n value\n", b"The quick brown fox\n"),
    # 2
    message("From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\n"
            "Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?"
            + base64.b64encode(" aus Köln".encode()).decode() + "?=\n"
            "Date: Mon, 20 Nov 2000 10:00:00 +0000\n",
            quopri.encodestring(GRUESSE), enc="quoted-printable"),
    # 3
    message("From: bob@example.com\nSubject: base64\n",
            base64.encodebytes(GRUESSE * 500 + b"needle at the end\n"),
            enc="base64"),
    # 4
    message("From: bob@example.com\nSubject: latin\n",
            "Grüße aus Köln\n".encode("latin1"),
            "text/plain; charset=iso-8859-1", "8bit"),
    # 5: an attachment's bytes are no text; its name is in its header
    message("From: bob@example.com\nSubject: parts\n",
            b"--x\n\nouter text\n--x\nContent-Type: message/rfc822\n\n"
            b"Subject: enclosed letter\n\nenclosed text\n--x\n"
            b"Content-Type: application/octet-stream; name=file.bin\n\n"
            b"hidden bytes\n--x--\nepilogue\n",
            "multipart/mixed; boundary=x"),
    # 6
    message("Subject:\n", b"x" * 5000 + b"\n"),
]


def opened(name, fill=False):
    m = Imap()
    m.login(name)
    if fill:
        for t in MAIL:
            tag = m.begin(f"APPEND INBOX {{{len(t)}}}")
            m.go_on()
            m.send(t + b"\r\n")
            m.want(tag, "OK")
    m.ask("SELECT INBOX")
    return m


def numbers(m, command):
    got = [r for r in m.ask(command) if r.startswith(b"SEARCH")]
    assert len(got) == 1, got
    return [int(n) for n in got[0].split()[1:]]


def found(m, keys, *want):
    got = numbers(m, b"SEARCH " + (
        keys.encode() if isinstance(keys, str) else keys))
    assert got == list(want), (keys, got, want)


def literal(text):
    return b"{%d+}\r\n%s" % (len(text), text)


def headers():
    with opened("keys", True) as m:
        found(m, "ALL", 1, 2, 3, 4, 5, 6)
        found(m, "FROM ann", 1)
        found(m, "FROM EXAMPLE.COM", 1, 3, 4, 5)
        found(m, "TO bob", 1)
        found(m, "CC carl", 1)
        found(m, "BCC dora@", 1)
        found(m, 'SUBJECT "hello world"', 1)
        found(m, 'SUBJECT "O W"', 1)
        found(m, 'HEADER X-Tag ""', 1)
        found(m, 'HEADER X-TAG "folded value"', 1)
        found(m, 'HEADER Subject ""', 1, 2, 3, 4, 5, 6)
        found(m, 'HEADER X-None ""')
        found(m, b"CHARSET UTF-8 SUBJECT "
              + literal("GRÜSSE AUS KÖLN".encode()), 2)
        found(m, b"CHARSET ISO-8859-1 FROM "
              + literal("JÜRGEN".encode("latin1")), 2)
        found(m, b"CHARSET cp850 SUBJECT "
              + literal("aus köln".encode("cp850")), 2)
        found(m, "SENTBEFORE 2-Feb-1999", 1)
        found(m, "SENTON 1-Feb-1999", 1)
        found(m, "SENTON 2-Feb-1999")
        found(m, "SENTSINCE 20-Nov-2000", 2)
        found(m, 'SENTSINCE "20-Nov-2000" SENTBEFORE 21-nov-2000', 2)
        assert "BADCHARSET" in m.fails("SEARCH CHARSET x-bogus ALL")


def bodies():
    with opened("keys") as m:
        found(m, "BODY fox", 1)
        found(m, "BODY FOX", 1)
        found(m, 'BODY "quick brown"', 1)
        found(m, "BODY hello")
        found(m, "TEXT hello", 1)
        found(m, "TEXT x-tag", 1)
        found(m, b"CHARSET UTF-8 BODY " + literal("grüsse".encode()),
              2, 3, 4)
        found(m, b"CHARSET UTF-8 BODY " + literal("KÖLN".encode()), 2, 3, 4)
        found(m, b"CHARSET UTF-8 TEXT " + literal("STRASSE".encode()), 2, 3)
        found(m, 'BODY "needle at the end"', 3)
        found(m, "BODY outer", 5)
        found(m, 'BODY "enclosed text"', 5)
        found(m, 'BODY "enclosed letter"', 5)
        found(m, "BODY hidden")
        found(m, "BODY file.bin", 5)
        found(m, 'BODY ""', 1, 2, 3, 4, 5, 6)
        found(m, "NOT BODY fox", 2, 3, 4, 5, 6)


def records():
    with opened("keys") as m:
        m.ask("STORE 2 +FLAGS (\\Flagged $Forwarded)")
        m.ask("STORE 3 +FLAGS (\\Deleted \\Seen)")
        found(m, "FLAGGED", 2)
        found(m, "UNFLAGGED", 1, 3, 4, 5, 6)
        found(m, "DELETED SEEN", 3)
        found(m, "UNDELETED UNSEEN", 1, 2, 4, 5, 6)
        found(m, "ANSWERED")
        found(m, "UNANSWERED UNDRAFT", 1, 2, 3, 4, 5, 6)
        found(m, "KEYWORD $Forwarded", 2)
        found(m, "KEYWORD $forwarded", 2)
        found(m, "UNKEYWORD $Forwarded", 1, 3, 4, 5, 6)
        found(m, "KEYWORD nobody")
        found(m, "LARGER 5000", 3, 6)
        found(m, f"SMALLER {len(MAIL[0])}", *[
            n for n, t in enumerate(MAIL, 1) if len(t) < len(MAIL[0])])
        found(m, "SINCE 1-Jan-2001", 1, 2, 3, 4, 5, 6)
        found(m, "BEFORE 1-Jan-2001")
        found(m, "2:4", 2, 3, 4)
        found(m, "*", 6)
        found(m, "1,5:*", 1, 5, 6)
        found(m, "UID 3:2,6", 2, 3, 6)
        found(m, "UID 100:*", 6)
        found(m, "NOT UID 1:5", 6)
        found(m, "OR FLAGGED DELETED", 2, 3)
        found(m, "OR 1 OR 2 OR (3 SEEN) 4", 1, 2, 3, 4)
        found(m, "NOT OR 1 2", 3, 4, 5, 6)
        found(m, "NOT NOT 1", 1)
        found(m, "(1:3 (2:5)) UNDELETED", 2)
        assert numbers(m, "UID SEARCH 2:3") == [2, 3]


def results():
    with opened("keys") as m:
        def es(command):
            got = [r for r in m.ask(command) if r.startswith(b"ESEARCH")]
            assert len(got) == 1, got
            assert re.match(rb'ESEARCH \(TAG "t\d+"\)', got[0]), got
            return got[0].split(b")", 1)[1]
        got = es("SEARCH RETURN (MIN MAX COUNT ALL) 2:4,6")
        for part in (b" MIN 2", b" MAX 6", b" COUNT 4", b" ALL 2:4,6"):
            assert part in got, got
        assert es("SEARCH RETURN () 1,3") == b" ALL 1,3"
        assert es("UID SEARCH RETURN (COUNT) ALL") == b" UID COUNT 6"
        assert es("SEARCH RETURN (MIN) BODY nowhere") == b""
        assert es("SEARCH RETURN (COUNT ALL) BODY nowhere") == b" COUNT 0"
        m.fails("SEARCH RETURN (BOGUS) ALL", "BAD")


def modseq():
    with opened("keys") as m:
        def of(n):
            r = b" ".join(m.ask(f"FETCH {n} MODSEQ"))
            return int(re.search(rb"MODSEQ \((\d+)\)", r)[1])
        m.ask("STORE 5 +FLAGS (\\Answered)")
        n = of(5)
        got = m.ask(f"SEARCH MODSEQ {n}")
        assert b"SEARCH 5 (MODSEQ %d)" % n in got, got
        got = m.ask(f'SEARCH MODSEQ "/flags/\\\\Seen" all {n}')
        assert b"SEARCH 5 (MODSEQ %d)" % n in got, got
        got = m.ask(f"SEARCH MODSEQ {n + 100000}")
        assert b"SEARCH" in got, got
        got = m.ask(f"SEARCH RETURN (ALL) MODSEQ {n}")
        assert got[0].endswith(b" ALL 5 MODSEQ %d" % n), got


def wrong():
    every = ("", " ", " BOGUS", " FROM", " (ALL", " ALL)", " OR ALL", " NOT",
             " BEFORE yesterday", " ON 32-Jan-2000", " LARGER x", " UID",
             " UID x", " 0", " 1:", " ALL  ALL", " CHARSET",
             " CHARSET utf-8", " HEADER X", " RETURN (MIN", " KEYWORD",
             " " + "(" * 1000 + "ALL" + ")" * 1000)
    # A client that errs too often is shown the door.
    for some in (every[:11], every[11:]):
        with opened("keys") as m:
            for keys in some:
                m.fails("SEARCH" + keys, "BAD")
    with opened("keys") as m:
        deep = "(" * 200 + "1" + ")" * 200
        found(m, deep, 1)
        found(m, "OR 1 " * 300 + "2", 1, 2)
        found(m, "NOT " * 300 + "2", 2)
        found(m, "4294967295:1", 1, 2, 3, 4, 5, 6)


def patient():
    """A long search keeps no other session waiting."""
    with opened("keys") as m, Imap() as other:
        other.login("keys")
        m.ask("CREATE long")
        text = b"Subject: long\r\n\r\n" + b"all work and no play\r\n" * 9999
        for _ in range(32):
            tag = m.begin(b"APPEND long {%d}" % len(text))
            m.go_on()
            m.send(text + b"\r\n")
            m.want(tag, "OK")
        m.ask("SELECT long")
        tag = m.begin("SEARCH ALL" + " NOT BODY noplay" * 500)
        other.ask("NOOP")
        assert not select.select([m.s], [], [], 0)[0], "search was first"
        m.want(tag, "OK")


def huge():
    """Nor does a single message, however much is looked for in it."""
    line = "Grüße und ein langer Text ohne das gesuchte Wort\n".encode()
    text = message("Subject: =?utf-8?q?gr=C3=B6=C3=9Fe?=\n",
                   base64.encodebytes(line * 150000 + "Ende".encode()),
                   "text/plain; charset=utf-8", "base64")
    keys = "".join(f" NOT BODY nichts{i}" for i in range(100))
    with opened("keys") as m, Imap() as other:
        other.login("keys")
        m.ask("CREATE huge")
        tag = m.begin(b"APPEND huge {%d}" % len(text))
        m.go_on()
        m.send(text + b"\r\n")
        m.want(tag, "OK")
        m.ask("SELECT huge")
        # What is known of it afterwards is the cache's: now it is.
        m.ask("FETCH 1 BODYSTRUCTURE")
        began = time.monotonic()
        tag = m.begin(f"SEARCH SUBJECT größe{keys} BODY ende"
                      .encode())
        turns, longest = 0, 0.0
        while not select.select([m.s], [], [], 0)[0]:
            asked = time.monotonic()
            other.ask("NOOP")
            longest = max(longest, time.monotonic() - asked)
            turns += 1
        said = m.want(tag, "OK")
        took = time.monotonic() - began
        assert any(b"SEARCH 1" in x for x in said), said
        assert turns > 5 and longest < 1 and longest < took / 3, \
            (turns, longest, took)
        print(f"{took:.2f} s, others waited {longest * 1000:.0f} ms at most")


if __name__ == "__main__":
    accounts("keys")
    run([headers, bodies, records, results, modseq, wrong,
         patient, huge])
