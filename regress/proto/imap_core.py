#!/usr/bin/env python3
"""IMAP's mailboxes: selecting, making, moving, listing, counting, appending,
idling; what is refused, and how; literals and what comes too long."""
# suite: -c $TOP/regress/proto/bare.conf
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (Imap, Smtp, accounts, address, box,  # noqa: E402
                  read_mbox, run)

TEXT = b"From: ann@example.com\r\nSubject: %s\r\n\r\nbody\r\n"


def login(name):
    m = Imap()
    m.login(name)
    return m


def append(m, mailbox="INBOX", text=TEXT % b"x", rest="", plus=True):
    """The tagged answer of an APPEND."""
    head = f"APPEND {mailbox} {rest}{{{len(text)}{'+' if plus else ''}}}\r\n"
    tag = m.begin(head.encode() + text if plus else head[:-2])
    if not plus:
        r = m.response()
        if not r.startswith(b"+"):
            return r[len(tag) + 1:]
        m.send(text + b"\r\n")
    untagged, end = m.end(tag)
    return end


def code(answer, name):
    m = re.match(rb"OK \[" + name.encode() + rb" ([^\]]*)\]", answer)
    assert m, answer
    return m[1].split()


def said(untagged, what):
    found = [u for u in untagged if re.search(what, u)]
    assert found, f"no {what} in {untagged}"
    return re.search(what, found[0])


def select():
    with login("sel") as m:
        for i in range(3):
            append(m, rest="(\\Seen) " if i == 0 else "")
        with login("sel") as looks:
            u, end = looks.want(looks.begin("EXAMINE INBOX"), "OK [READ-ONLY]")
            said(u, rb"^3 EXISTS$")
            said(u, rb"^3 RECENT$")
            said(u, rb"^OK \[PERMANENTFLAGS \(\)\]")
            looks.fails("STORE 1 +FLAGS (\\Seen)")
            looks.fails("EXPUNGE")
        u, end = m.want(m.begin('SELECT "inbox"'), "OK [READ-WRITE]")
        said(u, rb"^FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft\)$")
        said(u, rb"^3 EXISTS$")
        said(u, rb"^3 RECENT$")
        said(u, rb"^OK \[UNSEEN 2\]")
        said(u, rb"^OK \[PERMANENTFLAGS \(.*\\\*\)\]")
        said(u, rb"^OK \[UIDVALIDITY [1-9]\d*\]")
        assert said(u, rb"^OK \[UIDNEXT (\d+)\]")[1] == b"4"
        assert int(said(u, rb"^OK \[HIGHESTMODSEQ (\d+)\]")[1]) > 0
        with login("sel") as late:
            u = late.ask("SELECT INBOX")
            said(u, rb"^0 RECENT$")
        assert m.ask("NOOP") == [], "\\Recent is no news for others"
        m.fails("SELECT nowhere")
        m.fails("FETCH 1 FLAGS", "BAD")
        m.ask("SELECT INBOX (CONDSTORE)")
        m.fails("SELECT INBOX (NONSENSE)", "BAD")
        m.fails("SELECT", "BAD")
        m.ask("UNSELECT")
        m.fails("CLOSE", "BAD")


def close():
    with login("close") as m:
        for _ in range(3):
            append(m)
        m.ask("SELECT INBOX")
        m.ask("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        m.ask("UNSELECT")
        said(m.ask("EXAMINE INBOX"), rb"^3 EXISTS$")
        m.ask("CLOSE")
        said(m.ask("SELECT INBOX"), rb"^3 EXISTS$")
        assert m.ask("CLOSE") == []
        said(m.ask("SELECT INBOX"), rb"^1 EXISTS$")
        assert len(read_mbox(box("close"))) == 1


def names(m, command):
    return [re.search(rb'"/" "?([^"]*)"?$', r)[1].decode()
            for r in m.ask(command)]


def mailboxes():
    with login("boxes") as m:
        for name in ("a", "a/b/c", "deep/er/", "Entw&APw-rfe", "INBOX/x"):
            m.ask(f"CREATE {name}")
        assert "[ALREADYEXISTS]" in m.fails("CREATE a")
        m.fails("CREATE INBOX")
        for bad in ('""', "../x", "a/../b", "/x", "a//b", "#x", "~x/INBOX",
                    ".hidden", '"a\tb"', "a&b", "&AGE-", "&AAA-",
                    "x" * 2000):
            m.fails(f"CREATE {bad}")
        assert set(names(m, 'LIST "" *')) == {
            "INBOX", "INBOX/x", "a", "a/b", "a/b/c", "deep", "deep/er",
            "Entw&APw-rfe"}
        assert set(names(m, 'LIST "" %')) == {
            "INBOX", "a", "deep", "Entw&APw-rfe"}
        assert names(m, "LIST a/ %") == ["a/b"]
        assert names(m, 'LIST "" a/%/c') == ["a/b/c"]
        assert names(m, 'LIST "" inbox') == ["INBOX"]
        assert names(m, 'LIST "" Entw&APw-*') == ["Entw&APw-rfe"]
        assert m.ask('LIST "" ""') == [rb'LIST (\Noselect) "/" ""']
        attributes = {re.search(rb'"/" (.*)', r)[1]: r
                      for r in m.ask('LIST "" *')}
        assert rb"\HasChildren" in attributes[b"a"]
        assert rb"\HasNoChildren" in attributes[b"a/b/c"]
        assert rb"\Noselect" in attributes[b"a/b"]
        m.fails("SELECT a/b")
        m.fails("DELETE a/b")
        m.fails("DELETE nowhere")
        m.fails("DELETE INBOX")
        m.ask("DELETE a/b/c")
        assert "a/b/c" not in names(m, 'LIST "" *')
        m.ask("SELECT a")
        m.ask("DELETE a")
        m.fails("FETCH 1 FLAGS", "BAD")
        # A new one of that name is another one.
        m.ask("CREATE again")
        first = said(m.ask("STATUS again (UIDVALIDITY)"),
                     rb"UIDVALIDITY (\d+)")[1]
        m.ask("DELETE again")
        m.ask("CREATE again")
        second = said(m.ask("STATUS again (UIDVALIDITY)"),
                      rb"UIDVALIDITY (\d+)")[1]
        assert first != second, "the UIDVALIDITY of a removed mailbox"


def rename():
    with login("ren") as m, login("ren") as other:
        m.ask("CREATE x/y")
        append(m, "x/y")
        other.ask("SELECT x/y")
        m.ask("RENAME x z")
        assert set(names(m, 'LIST "" *')) == {"INBOX", "z", "z/y"}
        # Whoever has it open goes on with it.
        assert other.ask("FETCH 1 UID") == [b"1 FETCH (UID 1)"]
        m.fails("RENAME z/y INBOX")
        m.fails("RENAME nowhere a")
        m.fails("RENAME z", "BAD")
        append(m)
        append(m)
        m.ask("RENAME INBOX old/mail")
        said(m.ask("STATUS INBOX (MESSAGES)"), rb"MESSAGES 0")
        said(m.ask("STATUS old/mail (MESSAGES)"), rb"MESSAGES 2")
        m.ask("DELETE z/y")
        untagged, end = other.end(other.begin("NOOP"))
        assert any(u.startswith(b"BYE") for u in untagged), untagged
        assert other.ended()


def subscriptions():
    with login("sub") as m:
        for name in ("a", "b/c", "d"):
            m.ask(f"CREATE {name}")
        for name in ("INBOX", "b/c", "gone", '"~boss/INBOX"'):
            m.ask(f"SUBSCRIBE {name}")
        assert set(names(m, 'LSUB "" *')) == {
            "INBOX", "b/c", "gone", "~boss/INBOX"}
        r = m.ask('LSUB "" %')
        assert rb'LSUB (\Noselect) "/" b' in r, r
        r = m.ask('LIST (SUBSCRIBED) "" *')
        said(r, rb'^LIST \(.*\\NonExistent.*\\Subscribed.*\) "/" gone$')
        r = m.ask('LIST (SUBSCRIBED RECURSIVEMATCH) "" %')
        said(r, rb'"/" b \("CHILDINFO" \("SUBSCRIBED"\)\)$')
        r = m.ask('LIST "" (a d) RETURN (SUBSCRIBED CHILDREN)')
        assert len(r) == 2 and not any(b"Subscribed" in x for x in r), r
        m.ask("UNSUBSCRIBE b/c")
        assert "b/c" not in names(m, 'LSUB "" *')
    with login("sub") as m:
        assert set(names(m, 'LSUB "" *')) == {
            "INBOX", "gone", "~boss/INBOX"}
        m.fails('LIST (RECURSIVEMATCH) "" %', "BAD")
        m.fails('LIST (NONSENSE) "" %', "BAD")
        m.fails('LIST "" % RETURN (NONSENSE)', "BAD")


def special_use():
    with login("use") as m:
        m.ask("CREATE Post (USE (\\Sent))")
        m.ask("CREATE plain")
        assert "[USEATTR]" in m.fails("CREATE n (USE (\\Nonsense))")
        r = m.ask('LIST (SPECIAL-USE) "" *')
        assert len(r) == 1 and rb"\Sent" in r[0], r
        r = m.ask('LIST "" * RETURN (SPECIAL-USE)')
        assert len(r) == 3, r
    with login("use") as m:
        said(m.ask('LIST "" *'), rb'\\Sent.* "/" Post')


def status():
    with login("stat") as m:
        m.ask("CREATE s")
        for i in range(3):
            append(m, "s", TEXT % b"abc", "(\\Seen) " if i else "")
        size = 3 * len(TEXT % b"abc")
        r = m.ask("STATUS s (MESSAGES RECENT UIDNEXT UNSEEN SIZE)")
        assert r == [b"STATUS s (MESSAGES 3 RECENT 3 UIDNEXT 4 UNSEEN 1 "
                     b"SIZE %d)" % size], r
        said(m.ask("STATUS s (UIDVALIDITY)"), rb"UIDVALIDITY [1-9]")
        said(m.ask("STATUS s (OLDEST INTERNALSIZE)"),
             rb'INTERNALSIZE \d+ OLDEST "\d\d-...-\d{4} ')
        r = m.ask('LIST "" s RETURN (STATUS (MESSAGES UNSEEN))')
        assert r[1] == b"STATUS s (MESSAGES 3 UNSEEN 1)", r
        r = m.ask('LIST (CHILDREN UNSEEN MESSAGES) "" s')
        assert r == [rb'LIST (\HasNoChildren \MESSAGES(3) \UNSEEN(1)) '
                     rb'"/" s'], r
        m.fails("STATUS nowhere (MESSAGES)")
        m.fails("STATUS s ()", "BAD")
        m.fails("STATUS s (NONSENSE)", "BAD")
        m.fails("STATUS s", "BAD")


def appending():
    with login("app") as m:
        valid, uid = code(append(m), "APPENDUID")
        assert uid == b"1"
        assert code(append(m, plus=False), "APPENDUID") == [valid, b"2"]
        append(m, text=TEXT % b"dated", rest='(\\Flagged word) '
               '" 1-Jan-2001 12:00:00 +0100" ')
        m.ask("SELECT INBOX")
        r = m.ask("FETCH 3 (INTERNALDATE FLAGS)")[0]
        assert b'"01-Jan-2001 11:00:00 +0000"' in r, r
        assert b"\\Flagged" in r and b"word" in r, r
        assert append(m, "nowhere").startswith(b"NO [TRYCREATE]")
        assert append(m, "nowhere", plus=False).startswith(b"NO [TRYCREATE]")
        assert append(m, text=b"Subject: a\0b\r\n\r\n").startswith(b"NO")
        assert append(m, rest="(\\Nonsense) ").startswith(b"BAD")
        assert append(m, rest='"nonsense" ').startswith(b"BAD")
        m.fails("APPEND INBOX text", "BAD")
        m.fails("APPEND INBOX", "BAD")
        # EXISTS comes before the OK, in the mailbox that is selected.
        tag = m.begin(b"APPEND {5+}\r\nINBOX {%d+}\r\n" % len(TEXT) + TEXT)
        said(m.want(tag, "OK")[0], rb"^4 EXISTS$")
        large = TEXT % b"large" + b"0123456789abcdef\r\n" * 200000
        assert append(m, text=large).startswith(b"OK")
        assert append(m, text=large, plus=False).startswith(b"OK")
        said(m.ask("FETCH 6 RFC822.SIZE"), b"SIZE %d" % len(large))
        assert len(read_mbox(box("app"))) == 6


def idle():
    with login("idle") as m, login("idle") as other:
        append(m)
        m.ask("SELECT INBOX")
        other.ask("SELECT INBOX")
        tag = m.begin("IDLE")
        m.go_on()
        start = time.monotonic()
        append(other)
        assert m.response() == b"* 2 EXISTS"
        took = time.monotonic() - start
        m.response()
        other.ask("STORE 1 +FLAGS.SILENT (\\Flagged)")
        assert re.match(rb"\* 1 FETCH \(.*\\Flagged", m.response())
        other.ask("STORE 1 +FLAGS.SILENT (\\Deleted)")
        m.response()
        other.ask("EXPUNGE")
        assert m.response() == b"* 1 EXPUNGE"
        with Smtp() as s:
            s.begin(address("idle"))
            s.text("Subject: mail\r\n\r\nbody\r\n.\r\n")
        assert m.response() == b"* 2 EXISTS"
        m.response()
        m.send("done\r\n")
        m.want(tag, "OK")
        tag = m.begin("IDLE")
        m.go_on()
        m.send("x NOOP\r\n")
        m.want(tag, "BAD")
        m.ask("NOOP")
        assert took < 5, f"{took} s to EXISTS"


def pipelines():
    with login("pipe") as m:
        append(m)
        m.send("a SELECT INBOX\r\nb FETCH 1 UID\r\nc STATUS INBOX (UIDNEXT)"
               "\r\nd NOOP\r\ne UNSELECT\r\n")
        for tag in "abcde":
            m.want(tag, "OK")
        # In pieces of one byte, a literal among them.
        m.pieces(b"f SELECT {5+}\r\ninbox\r\n")
        m.want("f", "OK")
        m.send(b"g SEARCH SUBJECT {3}\r\n")
        m.go_on()
        m.send(b"x\r\n\r\n")
        m.end("g")


def nonsense():
    with login("bad") as m:
        for line in (b"", b"x", b"x ", b"* NOOP", b"x NONSENSE", b"x UID",
                     b"x UID NOOP", b"x UID FETCH 1 FLAGS", b"x NOOP y",
                     b"x LOGIN a b", b"x \xff\xfe", b"x SELECT \"a",
                     b"x SELECT {3+}\r\na\0b"):
            m.send(line + b"\r\n")
            r = m.response()
            assert re.match(rb"[x*] BAD ", r), (line, r)
        m.ask("NOOP")
    with login("bad") as m:
        m.send(b"x SELECT " + b"a" * 200000 + b"\r\n")
        assert m.response().startswith(b"* BAD")
        assert m.response().startswith(b"* BYE")
        assert m.ended()
    # Nor is the literal of such a line taken for commands.
    with login("bad") as m:
        m.ask("CREATE kept")
        m.send(b"x SELECT " + b"a" * 70000 + b" {19+}\r\nx DELETE kept\r\n")
        while b"BYE" not in m.response():
            pass
    with login("bad") as m:
        assert m.ask("STATUS kept (MESSAGES)")
        tag = m.begin("SELECT {99999999}")
        assert m.end(tag)[1].startswith(b"BAD")
        tag = m.begin(b"SELECT {2000000+}\r\n" + b"a" * 2000000)
        assert m.end(tag)[1].startswith(b"BAD")
        m.ask("NOOP")
        m.send("x APPEND INBOX {99999999999999999999999+}\r\n")
        while b"BYE" not in m.response():
            pass
    with login("bad") as m:
        m.send("x NONSENSE\r\n" * 100)
        while not m.response().startswith(b"* BYE"):
            pass


def small_ones():
    with login("small") as m:
        assert m.ask("NAMESPACE") == [b'NAMESPACE (("" "/")) NIL NIL']
        assert m.ask("ENABLE CONDSTORE NONSENSE") == [b"ENABLED CONDSTORE"]
        assert m.ask('ID ("name" "test" "x" NIL)')[0].startswith(b"ID (")
        m.ask("ID NIL")
        m.fails("ID", "BAD")
        caps = m.ask("CAPABILITY")[0].decode().split()
        for name in ("IMAP4rev1", "IDLE", "LIST-EXTENDED", "LIST-STATUS",
                     "SPECIAL-USE", "STATUS=SIZE", "UNSELECT", "ENABLE"):
            assert name in caps, f"{name} not in {caps}"
        assert "STARTTLS" not in caps
        m.ask("SELECT INBOX")
        m.ask("CHECK")
        untagged, _ = m.want(m.begin("LOGOUT"), "OK")
        assert untagged[0].startswith(b"BYE")
        assert m.ended()


def main():
    accounts("sel", "close", "boxes", "ren", "sub", "use", "stat", "app",
             "idle", "pipe", "bad", "small")
    run((select, close, mailboxes, rename, subscriptions, special_use, status,
         appending, idle, pipelines, nonsense, small_ones))


if __name__ == "__main__":
    main()
