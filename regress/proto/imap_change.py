#!/usr/bin/env python3
"""STORE, COPY, MOVE and EXPUNGE: what changes, who is told, and in which
order; UIDPLUS, CONDSTORE; several sessions of one mailbox."""
import pathlib
import re
import select
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (Imap, accounts, box, read_mbox, run,  # noqa: E402
                  workers)

TEXT = b"From: ann@example.com\r\nSubject: number %d\r\n\r\nbody %d\r\n"


def opened(name, count=0, box="INBOX"):
    m = Imap()
    m.login(name)
    for n in range(1, count + 1):
        text = TEXT % (n, n)
        tag = m.begin(f"APPEND {box} {{{len(text)}}}")
        m.go_on()
        m.send(text + b"\r\n")
        m.want(tag, "OK")
    m.ask(f"SELECT {box}")
    return m


def flags(responses):
    """{number: set of flags} of FETCH responses."""
    return {int(h[1]): set(h[2].decode().split()) for r in responses
            if (h := re.search(rb"^(\d+) FETCH \(.*FLAGS \(([^)]*)\)", r))}


def all_flags(m):
    return {n: f - {"\\Recent"}
            for n, f in flags(m.ask("FETCH 1:* FLAGS")).items()}


def on_disk(name):
    return [f[:8] for f, _ in read_mbox(box(name))]


def subjects(m):
    return [int(re.search(rb"number (\d+)", r)[1])
            for r in m.ask("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
            if b"number" in r]


def ends(untagged, what):
    return [int(r.split()[0]) for r in untagged if r.endswith(what)]


def store():
    with opened("store", 4) as m, opened("store") as other:
        got = flags(m.ask("STORE 1:2 +FLAGS (\\Seen \\Flagged)"))
        assert {n: f - {"\\Recent"} for n, f in got.items()} == {
            n: {"\\Seen", "\\Flagged"} for n in (1, 2)}, got
        got = m.ask("STORE 1 -FLAGS.SILENT (\\Seen)")
        assert not flags(got), got
        m.ask("STORE 3 FLAGS \\Draft \\Answered")
        m.ask("STORE 4 FLAGS ()")
        want = {1: {"\\Flagged"}, 2: {"\\Seen", "\\Flagged"},
                3: {"\\Draft", "\\Answered"}, 4: set()}
        assert all_flags(m) == want, all_flags(m)
        # The other one is told, once, each as it is now.
        told = {n: f - {"\\Recent"} for n, f in
                flags(other.ask("NOOP")).items()}
        assert {n: told[n] for n in (1, 2, 3)} == {
            n: want[n] for n in (1, 2, 3)}, told
        assert not flags(other.ask("NOOP"))
        got = m.ask("STORE 1 +FLAGS (Important)")
        assert b"Important" in b" ".join(got), got
        assert b"Important" in b" ".join(other.ask("NOOP"))
        m.ask("STORE 1 -FLAGS (important)")
        assert all_flags(m)[1] == {"\\Flagged"}
        got = m.ask("UID STORE 2 +FLAGS (\\Deleted)")
        assert b"UID 2" in got[0], got
        assert on_disk("store")[1][3] == "D", on_disk("store")
        m.ask("STORE 1:* -FLAGS (\\Deleted \\Flagged \\Seen)")
        assert m.ask("UID STORE 100:200 +FLAGS (\\Seen)") == []
        for wrong in ("STORE 1", "STORE 1 FLAGS", "STORE 1 +FLAGS",
                      "STORE 1 *FLAGS (\\Seen)", "STORE 1 FLAGS (\\Seen",
                      "STORE 1 FLAGS (\\Bogus)", "STORE 9 FLAGS ()",
                      "STORE x FLAGS ()"):
            m.fails(wrong, "BAD")
        m.ask("EXAMINE INBOX")
        m.fails("STORE 1 +FLAGS (\\Seen)")
        m.fails("EXPUNGE")


def keywords():
    with opened("keys", 1) as m:
        for n in range(40):
            tag = m.begin(f"STORE 1 +FLAGS (key{n})")
            if m.end(tag)[1].startswith(b"NO"):
                break
        assert 24 <= n <= 32, n
        got = {k for k in all_flags(m)[1] if k.startswith("key")}
        assert got == {f"key{i}" for i in range(n)}, got


def condstore():
    with opened("cond", 3) as m, opened("cond") as other:
        def modseq(n):
            return int(re.search(rb"MODSEQ \((\d+)\)",
                                 b" ".join(m.ask(f"FETCH {n} MODSEQ"))
                                 )[1])
        now = max(modseq(n) for n in (1, 2, 3))
        got = m.ask("STORE 1 +FLAGS (\\Seen)")
        assert b"MODSEQ (" in got[0], got
        after = modseq(1)
        assert after > now
        tag = m.begin(f"STORE 1:3 (UNCHANGEDSINCE {now}) +FLAGS (\\Flagged)")
        got, end = m.end(tag)
        assert end.startswith(b"OK [MODIFIED 1]"), end
        assert all_flags(m)[1] == {"\\Seen"}
        assert all_flags(m)[2] == all_flags(m)[3] == {"\\Flagged"}
        tag = m.begin(f"UID STORE 2 (UNCHANGEDSINCE {now}) +FLAGS (\\Seen)")
        assert m.end(tag)[1].startswith(b"OK [MODIFIED 2]")
        # SILENT still tells the new modseq to those who want it.
        got = m.ask("STORE 3 +FLAGS.SILENT (\\Draft)")
        assert len(got) == 1 and b"MODSEQ (" in got[0], got
        assert b"FLAGS" not in got[0], got
        assert not [r for r in other.ask("NOOP") if b"MODSEQ" in r]
        m.fails("STORE 1 (UNCHANGEDSINCE) FLAGS ()", "BAD")
        m.fails("STORE 1 (BOGUS 1) FLAGS ()", "BAD")


def expunge():
    with opened("expunge", 6) as m, opened("expunge") as other:
        m.ask("STORE 2,3,5 +FLAGS.SILENT (\\Deleted)")
        got = m.ask("EXPUNGE")
        assert ends(got, b"EXPUNGE") in ([2, 2, 3], [5, 3, 2]), got
        assert subjects(m) == [1, 4, 6]
        # No numbers may move under FETCH, STORE and SEARCH.
        for command in ("FETCH 1:6 UID", "STORE 6 +FLAGS (\\Seen)",
                        "SEARCH ALL"):
            got, _ = other.end(other.begin(command))
            assert not ends(got, b"EXPUNGE"), got
        got = other.ask("NOOP")
        assert sorted(ends(got, b"EXPUNGE")) in ([2, 2, 3], [2, 3, 5]), got
        assert subjects(other) == [1, 4, 6]
        m.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        assert ends(m.ask("UID EXPUNGE 4:5"), b"EXPUNGE") == [2]
        assert ends(other.ask("UID FETCH 1:* FLAGS"), b"EXPUNGE") in (
            [2], [])
        assert subjects(m) == [1, 6]
        m.fails("UID EXPUNGE", "BAD")
        m.fails("UID EXPUNGE x", "BAD")
        m.ask("CLOSE")
        m.ask("SELECT INBOX")
        assert m.ask("SEARCH ALL") == [b"SEARCH"]


def copied(end):
    """{old UID: new UID}"""
    hit = re.match(rb"OK \[COPYUID (\d+) ([\d,:]+) ([\d,:]+)\]", end)
    assert hit, end

    def spread(text):
        out = []
        for part in text.decode().split(","):
            a, _, b = part.partition(":")
            out += range(int(a), int(b or a) + 1)
        return out
    old, new = spread(hit[2]), spread(hit[3])
    assert len(old) == len(new)
    return dict(zip(old, new))


def copy():
    with opened("copy", 5) as m:
        m.ask("CREATE Archive")
        m.ask("STORE 2 +FLAGS (\\Flagged Kept)")
        m.ask("STORE 4 +FLAGS (\\Seen)")
        _, end = m.end(m.begin("COPY 2,4:5 Archive"))
        assert copied(end) == {2: 1, 4: 2, 5: 3}, end
        _, end = m.end(m.begin("UID COPY 1:1,300:400 Archive"))
        assert copied(end) == {1: 4}, end
        end = m.fails("COPY 1 Nowhere")
        assert end.startswith("NO [TRYCREATE]"), end
        assert m.ask("UID COPY 100 Archive") == []
        m.fails("COPY 9 Archive", "BAD")
        m.fails("COPY 1", "BAD")
        m.fails("COPY x Archive", "BAD")
        got = m.ask("COPY 1 INBOX")
        assert subjects(m) == [1, 2, 3, 4, 5, 1], got
        dates = [re.search(rb'INTERNALDATE ("[^"]*")', r)[1]
                 for r in m.ask("FETCH 2,4 INTERNALDATE")]
        m.ask("SELECT Archive")
        assert subjects(m) == [2, 4, 5, 1]
        assert all_flags(m) == {1: {"\\Flagged", "Kept"}, 2: {"\\Seen"},
                                3: set(), 4: set()}, all_flags(m)
        assert dates == [re.search(rb'INTERNALDATE ("[^"]*")', r)[1]
                         for r in m.ask("FETCH 1:2 INTERNALDATE")]


def move():
    with opened("move", 6) as m, opened("move") as other:
        m.ask("CREATE Archive")
        got, end = m.end(m.begin("MOVE 2,4:5 Archive"))
        assert end.startswith(b"OK"), end
        note = [r for r in got if b"COPYUID" in r]
        assert len(note) == 1 and copied(note[0]) == {2: 1, 4: 2, 5: 3}, got
        gone = ends(got, b"EXPUNGE")
        assert gone in ([2, 3, 3], [5, 4, 2]), got
        assert got.index(note[0]) < min(
            i for i, r in enumerate(got) if r.endswith(b"EXPUNGE"))
        assert subjects(m) == [1, 3, 6]
        got, end = m.end(m.begin("UID MOVE 1,2 Archive"))
        assert end.startswith(b"OK") and ends(got, b"EXPUNGE") == [1], got
        assert m.fails("MOVE 1 Nowhere").startswith("NO [TRYCREATE]")
        assert len(ends(other.ask("NOOP"), b"EXPUNGE")) == 4
        assert subjects(other) == [3, 6]
        m.ask("SELECT Archive")
        assert subjects(m) == [2, 4, 5, 1]
        m.ask("EXAMINE Archive")
        m.fails("MOVE 1 INBOX")


def announced():
    with opened("copy") as m:
        capa = m.ask("CAPABILITY")[0].split()
        for name in (b"UIDPLUS", b"MOVE", b"ESEARCH", b"CONDSTORE"):
            assert name in capa, capa
        text = TEXT % (1, 1)
        tag = m.begin(f"APPEND INBOX {{{len(text)}+}}\r\n" + text.decode())
        end = m.want(tag, "OK")[1]
        uid = int(re.match(rb"OK \[APPENDUID \d+ (\d+)\]", end)[1])
        assert b"UID %d" % uid in b" ".join(m.ask("FETCH * UID"))
        told = b" ".join(m.ask("STATUS INBOX (HIGHESTMODSEQ)"))
        before = int(re.search(rb"HIGHESTMODSEQ (\d+)", told)[1])
    # Each way to ask for modseqs: from then on others' changes come with one.
    for ask in ("ENABLE CONDSTORE", "SELECT INBOX (CONDSTORE)",
                "STATUS INBOX (HIGHESTMODSEQ)", "FETCH 1 (MODSEQ)",
                f"FETCH 1 (FLAGS) (CHANGEDSINCE {before})",
                "SEARCH MODSEQ 1",
                "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)"):
        with opened("copy") as m, opened("copy") as other:
            m.ask(ask)
            other.ask("STORE 1 FLAGS (\\Flagged)")
            other.ask("STORE 1 FLAGS (\\Draft)")
            got = b" ".join(m.ask("NOOP"))
            assert b"MODSEQ (" in got, (ask, got)


def many():
    with opened("many", 1500) as m, opened("many") as other:
        m.ask("STORE 1:* +FLAGS (\\Seen)")
        assert len(flags(other.ask("NOOP"))) == 1500
        m.ask("STORE 1:* -FLAGS.SILENT (\\Seen)")
        odd = ",".join(str(n) for n in range(1, 1501, 2))
        m.ask(f"STORE {odd} +FLAGS.SILENT (\\Deleted)")
        assert len(ends(m.ask("EXPUNGE"), b"EXPUNGE")) == 750
        assert subjects(m) == list(range(2, 1501, 2))
        other.ask("NOOP")
        assert subjects(other) == list(range(2, 1501, 2))


def twice():
    """MULTIAPPEND is not offered: nothing of it is stored, or kept."""
    with opened("twice", 1) as m:
        for _ in range(10):
            end = m.end(m.begin("APPEND INBOX {3+}\r\nabc {3+}\r\nabc"))[1]
            assert end.startswith(b"BAD"), end
        assert subjects(m) == [1]


def deaf():
    """For who idles and does not read, what was told once more is not kept."""
    with opened("deaf", 1) as m, opened("deaf") as other:
        for _ in range(13):
            m.ask("COPY 1:* INBOX")
        other.ask("NOOP")
        tag = other.begin("IDLE")
        other.go_on()
        for _ in range(25):
            m.ask("STORE 1:* +FLAGS.SILENT (\\Seen)")
            m.ask("STORE 1:* -FLAGS.SILENT (\\Seen)")
        other.send("DONE\r\n")
        told = other.want(tag, "OK")[0]
        assert len(told) < 50 * 8192 / 2, len(told)
        assert len({t.split()[0] for t in told}) == 8192


def memory():
    """KiB that workers have of their own."""
    total = 0
    for p in workers():
        try:
            status = pathlib.Path(f"/proc/{p}/status").read_text()
        except OSError:
            continue
        if m := re.search(r"RssAnon:\s+(\d+)", status):
            total += int(m[1])
    return total


def pieces():
    """What others did is told as it is read, all of it, before the OK."""
    words = " ".join(f"keyword{i:02}{'x' * 40}" for i in range(30))
    with opened("pieces", 1) as m, opened("pieces") as other:
        for _ in range(14):
            m.ask("COPY 1:* INBOX")
        n = 2 ** 14
        other.ask("NOOP")
        m.ask(f"STORE 1:* +FLAGS.SILENT ({words})")
        before = memory()
        tag = other.begin("NOOP")
        other.send("x FETCH 1 FLAGS\r\n")
        # Its answer is 25 MB, of which the server keeps little.
        select.select([other.s], [], [], 60)
        m.ask("NOOP")
        assert memory() < before + 8192, (before, memory())
        told = other.want(tag, "OK")[0]
        assert len(flags(told)) == n and all(
            len(f) >= 30 for f in flags(told).values())
        assert len(flags(other.want("x", "OK")[0])) == 1
        # The same while it idles, and with messages that go meanwhile.
        tag = other.begin("IDLE")
        other.go_on()
        m.ask("STORE 1:* FLAGS.SILENT (\\Deleted)")
        select.select([other.s], [], [], 60)
        m.ask("UID EXPUNGE 1:10000")
        m.ask("STORE 1:* +FLAGS.SILENT (\\Seen)")
        other.send("DONE\r\n")
        other.want(tag, "OK")
        # And before a change of one's own.
        tag = other.begin("STORE 1:* -FLAGS (\\Deleted)")
        m.ask("NOOP")
        told = other.want(tag, "OK")[0]
        m.ask("NOOP")
        other.ask("NOOP")
        want = {i + 1: {"\\Seen"} for i in range(n - 10000)}
        assert all_flags(other) == want
        assert all_flags(m) == want


def ticks():
    """Of processor time that workers have taken."""
    total = 0
    for p in workers():
        try:
            stat = pathlib.Path(f"/proc/{p}/stat").read_text().split()
        except OSError:         # it has just ended
            continue
        total += int(stat[13]) + int(stat[14])
    return total


def unreadable():
    """A mailbox that cannot be opened costs who idles there no time."""
    with opened("bad") as m, opened("bad") as other:
        m.ask("CREATE b.mbox")
        m.ask("SELECT b")
        tag = m.begin("IDLE")
        m.go_on()
        other.ask("SELECT b")
        file = pathlib.Path(box("bad")).parent / "b.mbox"
        file.rename(file.with_suffix(".away"))
        file.mkdir()
        other.ask("NOOP")
        before = ticks()
        time.sleep(1)       # whether nothing happens: no event to await
        assert ticks() - before < 20, ticks() - before
        file.rmdir()
        file.with_suffix(".away").rename(file)
        m.send("DONE\r\n")
        m.want(tag, "OK")


def foreign():
    """Flags of lines that have no room for them are in the file, however
    large that is, when the command is answered."""
    with opened("large") as m:
        m.ask("CREATE f.mbox")
        file = pathlib.Path(box("large")).parent / "f.mbox"
        line = b"From a@b Sat Nov 21 02:40:26 2026\nSubject: x\n\n"
        with file.open("r+b") as f:
            f.write(line + b"one\n\n" + line + b"two\n")
            f.seek(300 << 20)
            f.write(b"\n\n")
        m.ask("SELECT f")
        m.ask("STORE 1 +FLAGS (\\Flagged)")
        with file.open("rb") as f:
            assert f.readline().startswith(b"From <a@b>(--F"), file


def patterns():
    """Patterns that take long keep no other session waiting."""
    with opened("many") as m, opened("many") as other:
        folder = pathlib.Path(box("many")).parent
        for i in range(40):
            (folder / ("a" * 180 + f"{i}.mbox")).touch()
        many = " ".join("%a" * 300 + f"b{i}" for i in range(64))
        tag = m.begin(f'LIST "" ({many})')
        other.ask("NOOP")
        assert not select.select([m.s], [], [], 0)[0], "LIST was first"
        m.want(tag, "OK")


if __name__ == "__main__":
    accounts("store", "keys", "cond", "expunge", "copy", "move", "many",
             "twice", "deaf", "pieces", "bad", "large")
    run([store, keywords, condstore, expunge, copy, announced, move, many,
         twice, deaf, pieces, unreadable, foreign, patterns])
