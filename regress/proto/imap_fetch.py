#!/usr/bin/env python3
"""FETCH: every item, section and partial; \\Seen by looking; long answers
that are cut in pieces; a message that others remove meanwhile."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import Imap, accounts, run  # noqa: E402

PLAIN = b"""\
From: Ann <ann@example.com>\r
To: bob@example.com\r
Subject: a plain one\r
Date: Fri, 20 Nov 2026 23:30:00 -0500\r
Message-ID: <1@example.com>\r
X-Long: first\r
 second\r
\r
line one\r
line two\r
"""

NESTED = b"""\
From: ann@example.com\r
Subject: nested\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=A\r
\r
before\r
--A\r
Content-Type: text/plain; charset=utf-8\r
\r
first part\r
--A\r
Content-Type: message/rfc822\r
Content-Description: another\r
\r
From: carl@example.com\r
Subject: inner\r
Content-Type: multipart/alternative; boundary=B\r
\r
--B\r
\r
inner one\r
--B\r
Content-Type: text/html\r
\r
<p>inner two\r
--B--\r
--A--\r
after\r
"""

INNER = NESTED[NESTED.index(b"From: carl"):NESTED.index(b"\r\n--A--")]


def opened(name, *texts):
    m = Imap()
    m.login(name)
    for t in texts:
        append(m, t)
    m.ask("SELECT INBOX")
    return m


def append(m, text, args=""):
    tag = m.begin(f"APPEND INBOX {args}{{{len(text)}}}")
    m.go_on()
    m.send(text + b"\r\n")
    m.want(tag, "OK")


def fetched(m, command):
    """{number: attributes} of the FETCH responses to a command."""
    found = {}
    for r in m.ask(command):
        if hit := re.match(rb"(\d+) FETCH \((.*)\)$", r, re.S):
            found[int(hit[1])] = hit[2]
    return found


def one(m, items, n=1, command="FETCH"):
    found = fetched(m, f"{command} {n} {items}")
    assert list(found) == [n], (items, found)
    return found[n]


def literal(m, section, n=1):
    """The bytes of a section, which must be named as it was asked for."""
    got = one(m, section, n)
    name = section.replace(".PEEK", "")
    name = re.sub(r"<(\d+)\.\d+>", r"<\1>", name).encode()
    assert got.startswith(name + b" "), (section, got)
    got = got[len(name) + 1:]
    if not (hit := re.match(rb"\{(\d+)\}\r\n", got)):
        return None if got == b"NIL" else got
    got = got[hit.end():]
    assert len(got) == int(hit[1]), (section, hit[1], len(got))
    return got


def items():
    with opened("items", PLAIN) as m:
        assert one(m, "UID") == b"UID 1"
        assert one(m, "RFC822.SIZE") == b"RFC822.SIZE %d" % len(PLAIN)
        got = one(m, "(UID INTERNALDATE FLAGS)")
        assert re.fullmatch(
            rb'UID 1 INTERNALDATE "[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d '
            rb'[+-]\d{4}" FLAGS \(\\Recent\)', got), got
        got = one(m, "ENVELOPE")
        assert got == (
            b'ENVELOPE ("Fri, 20 Nov 2026 23:30:00 -0500" "a plain one" '
            b'(("Ann" NIL "ann" "example.com")) '
            b'(("Ann" NIL "ann" "example.com")) '
            b'(("Ann" NIL "ann" "example.com")) '
            b'((NIL NIL "bob" "example.com")) NIL NIL NIL '
            b'"<1@example.com>")'), got
        assert re.fullmatch(rb'BODY \("text" "plain" \("charset" "us-ascii"\) '
                            rb'NIL NIL "7bit" 20 2\)', one(m, "BODY"), re.I)
        for macro, names in (("ALL", "FLAGS INTERNALDATE RFC822.SIZE "
                              "ENVELOPE"), ("FAST", "FLAGS INTERNALDATE "
                              "RFC822.SIZE"), ("FULL", "FLAGS INTERNALDATE "
                              "RFC822.SIZE ENVELOPE BODY")):
            assert one(m, macro) == one(m, f"({names})")
        assert re.fullmatch(rb"MODSEQ \(\d+\)", one(m, "MODSEQ"))
        # UID FETCH answers with the UID, asked for or not, and once.
        assert one(m, "FLAGS", 1, "UID FETCH").count(b"UID 1") == 1
        assert one(m, "(UID FLAGS)", 1, "UID FETCH").count(b"UID 1") == 1
        for wrong in ("FETCH", "FETCH 1", "FETCH 1 ", "FETCH x FLAGS",
                      "FETCH 1 ()", "FETCH 1 BOGUS", "FETCH 1 BODY[MIME]",
                      "FETCH 1 FLAGS x", "FETCH 0 FLAGS", "UID FETCH 1"):
            m.fails(wrong, "BAD")
        m.fails("FETCH 2 FLAGS", "BAD")
        assert fetched(m, "UID FETCH 2:300 FLAGS") == {}
        assert list(fetched(m, "UID FETCH 300:* FLAGS")) == [1]
        assert list(fetched(m, "FETCH * FLAGS")) == [1]


def sections():
    with opened("sections", NESTED, PLAIN) as m:
        head, body = NESTED.split(b"\r\n\r\n", 1)
        head += b"\r\n\r\n"
        ihead, ibody = INNER.split(b"\r\n\r\n", 1)
        ihead += b"\r\n\r\n"
        want = {
            "BODY.PEEK[]": NESTED,
            "BODY.PEEK[HEADER]": head,
            "BODY.PEEK[TEXT]": body,
            "BODY.PEEK[1]": b"first part",
            "BODY.PEEK[1.MIME]":
                b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
            "BODY.PEEK[2]": INNER,
            "BODY.PEEK[2.MIME]": b"Content-Type: message/rfc822\r\n"
                b"Content-Description: another\r\n\r\n",
            "BODY.PEEK[2.HEADER]": ihead,
            "BODY.PEEK[2.TEXT]": ibody,
            "BODY.PEEK[2.1]": b"inner one",
            "BODY.PEEK[2.1.MIME]": b"\r\n",
            "BODY.PEEK[2.2]": b"<p>inner two",
            "BODY.PEEK[3]": None,
            "BODY.PEEK[1.1]": None,
            "BODY.PEEK[1.HEADER]": None,
            "BODY.PEEK[2.3]": None,
            "BODY.PEEK[HEADER.FIELDS (Subject)]":
                b"Subject: nested\r\n\r\n",
            "BODY.PEEK[HEADER.FIELDS (subject FROM)]":
                b"From: ann@example.com\r\nSubject: nested\r\n\r\n",
            "BODY.PEEK[HEADER.FIELDS (Nothing)]": b"\r\n",
            "BODY.PEEK[HEADER.FIELDS.NOT (Subject From MIME-Version)]":
                b"Content-Type: multipart/mixed; boundary=A\r\n\r\n",
            "BODY.PEEK[2.HEADER.FIELDS (subject)]":
                b"Subject: inner\r\n\r\n",
            "BODY.PEEK[]<0.10>": NESTED[:10],
            "BODY.PEEK[]<10.20>": NESTED[10:30],
            "BODY.PEEK[TEXT]<3.100000>": body[3:],
            "BODY.PEEK[2]<5.7>": INNER[5:12],
            "BODY.PEEK[HEADER.FIELDS (Subject)]<2.6>": b"bject:",
        }
        for section, text in want.items():
            got = literal(m, section)
            assert got == text, (section, got, text)
        assert literal(m, "BODY.PEEK[]<100000.5>") in (b"", b'""')
        assert literal(m, "BODY.PEEK[1]", 2) == PLAIN.split(
            b"\r\n\r\n", 1)[1]
        assert literal(m, "BODY.PEEK[HEADER.FIELDS (X-Long)]", 2) == (
            b"X-Long: first\r\n second\r\n\r\n")
        assert literal(m, "RFC822.HEADER", 2).startswith(b"From: Ann")
        # Several in one answer, in the order asked for.
        got = one(m, "(BODY.PEEK[1] UID BODY.PEEK[2.1] RFC822.SIZE)")
        assert got == (b"BODY[1] {10}\r\nfirst part UID 1 BODY[2.1] {9}\r\n"
                       b"inner one RFC822.SIZE %d" % len(NESTED)), got


def seen():
    with opened("seen", PLAIN, PLAIN, PLAIN, PLAIN) as m, \
            opened("seen") as other:
        for n, look in enumerate(("BODY[]", "BODY[TEXT]", "RFC822",
                                  "RFC822.TEXT"), 1):
            got = one(m, look, n)
            assert b"FLAGS (" in got and b"\\Seen" in got, got
            assert b"FLAGS" not in one(m, look, n)
        told = b" ".join(other.ask("NOOP"))
        assert told.count(b"\\Seen") == 4, told
        m.ask("STORE 1 -FLAGS (\\Seen)")
        for look in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "RFC822.HEADER",
                     "ENVELOPE", "BODY"):
            assert b"\\Seen" not in one(m, f"({look} FLAGS)")
        # FLAGS before or behind: told as they are after the look.
        got = one(m, "(FLAGS BODY[])")
        assert got.count(b"FLAGS (") == 1 and b"\\Seen" in got, got
        m.ask("STORE 1 -FLAGS (\\Seen)")
        m.ask("EXAMINE INBOX")
        one(m, "BODY[]")
        assert b"\\Seen" not in one(m, "FLAGS")


def long_ones():
    lines = b"".join(b"%06d some text of a long message\r\n" % i
                     for i in range(100000))
    text = PLAIN + lines
    with opened("long", text, PLAIN) as m:
        assert literal(m, "BODY.PEEK[]") == text
        whole = b""
        while len(whole) < len(text):
            got = literal(m, f"BODY.PEEK[]<{len(whole)}.65537>")
            assert got
            whole += got
        assert whole == text
        assert literal(m, "BODY.PEEK[]<3000000.10>") == (
            text[3000000:3000010])
        assert literal(m, "BODY.PEEK[]<30.10>") == text[30:40]
        # Nothing is read for a while; another session is served meanwhile.
        tag = m.begin("FETCH 1 BODY.PEEK[]")
        with opened("long") as other:
            assert len(fetched(other, "FETCH 1:* (UID FLAGS)")) == 2
            assert literal(other, "BODY.PEEK[TEXT]<10.10>", 2) == (
                PLAIN.split(b"\r\n\r\n", 1)[1][10:20])
        got, _ = m.want(tag, "OK")
        assert text in got[0]


def changed_since():
    with opened("since", PLAIN, PLAIN, PLAIN) as m:
        def modseq(n):
            return int(re.search(rb"MODSEQ \((\d+)\)",
                                 one(m, "MODSEQ", n))[1])
        before = max(modseq(n) for n in (1, 2, 3))
        m.ask("STORE 2 +FLAGS (\\Flagged)")
        got = fetched(m, f"FETCH 1:* FLAGS (CHANGEDSINCE {before})")
        assert list(got) == [2] and b"MODSEQ (" in got[2], got
        assert fetched(
            m, f"UID FETCH 1:* UID (CHANGEDSINCE {modseq(2)})") == {}
        m.fails("FETCH 1:* FLAGS (CHANGEDSINCE)", "BAD")
        m.fails("FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", "BAD")


def removed_meanwhile():
    with opened("gone", PLAIN, PLAIN, PLAIN) as m, opened("gone") as other:
        other.ask("STORE 2 +FLAGS.SILENT (\\Deleted)")
        other.ask("EXPUNGE")
        # The numbers stand until we may be told.
        untagged, end = m.end(m.begin("FETCH 1:3 (UID BODY.PEEK[])"))
        assert not [r for r in untagged if b"EXPUNGE" in r]
        uids = [int(re.search(rb"UID (\d+)", r)[1]) for r in untagged
                if b"BODY[]" in r]
        assert uids == [1, 3], untagged
        assert b"2 EXPUNGE" in m.ask("NOOP")
        assert list(fetched(m, "FETCH 1:* UID")) == [1, 2]


def many():
    with opened("many", *[PLAIN] * 300) as m:
        got = fetched(m, "FETCH 1:* (ENVELOPE FLAGS BODYSTRUCTURE)")
        assert len(got) == 300
        got = fetched(m, "FETCH 300:1,5,7,* (UID)")
        assert sorted(got) == list(range(1, 301))
        got = fetched(m, "FETCH 1:* (BODY.PEEK[])")
        assert all(PLAIN in g for g in got.values())
        got = fetched(m, "UID FETCH 5,10:12,290:4294967295 FLAGS")
        assert list(got) == [5, 10, 11, 12] + list(range(290, 301))
        # Commands behind one that is still answered.
        tags = [m.begin("FETCH 1:* BODY.PEEK[]") for _ in range(5)]
        for t in tags:
            assert len(m.want(t, "OK")[0]) == 300


if __name__ == "__main__":
    names = ("items", "sections", "seen", "long", "since", "gone", "many")
    accounts(*names)
    run([items, sections, seen, long_ones, changed_since, removed_meanwhile,
         many])
