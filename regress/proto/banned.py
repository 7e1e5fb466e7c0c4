#!/usr/bin/env python3
"""Banned header and body lines (manual 07): the message is refused, whoever
sends it and however its text comes; and the client goes on as before."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (Smtp, accounts, address, administrator, log,  # noqa: E402
                  messages, run, wait_for)

HEAD = "Subject: s\r\nTo: a,\r\n\tb\r\n"
cli = None
taken = 0


def text(head="", body="text\r\n"):
    return (HEAD + head + "\r\n" + body + ".\r\n").encode()


def send(data, size=0, bdat=False, params=""):
    """What the message is answered with, 250 or 554."""
    global taken
    if bdat:
        data = data[:-3]
    with Smtp() as s:
        s.ask("MAIL FROM:<a@far.example>" + params, 250)
        s.ask(f"RCPT TO:<{address('ann')}>", 250)
        if bdat:
            size = size or len(data)
            chunks = [data[i:i + size] for i in range(0, len(data), size)]
            for c in chunks[:-1]:
                s.send(b"BDAT %d\r\n" % len(c) + c)
                code, texts = s.reply()
                if code != 250:
                    return code
            s.send(b"BDAT %d LAST\r\n" % len(chunks[-1]) + chunks[-1])
        else:
            s.ask("DATA", 354)
            if size:
                s.pieces(data, size)
            else:
                s.send(data)
        code, texts = s.reply()
        taken += code == 250
        if code == 554:
            assert texts[0].startswith("5.7.1 "), texts
        s.ask("NOOP", 250)
        return code


def ban(header=(), body=()):
    def array(lines):
        return "(" + ",".join(f'"{x}"' for x in lines) + ")"
    cli.ask(f"SetBanned {{HeaderLines={array(header)};"
            f"BodyLines={array(body)};}}")
    # Each process hears of it a little later.
    if header or body:
        wait_for("the lines to be banned", lambda: all(
            send(text("X-Ban: test\r\n")) == 554 for _ in range(6)))


def header():
    ban(["X-Ban: test", "X-Mailer: Bulk 1.0", "Subject: *money*",
         r"X-List: one,\e\ttwo"])
    for bdat in (False, True):
        assert send(text("X-Mailer: Bulk 1.0\r\n"), bdat=bdat) == 554
        assert send(text("X-Mailer: bulk 1.0\r\n"), bdat=bdat) == 250
        assert send(text("X-Mailer: Bulk 1.0 \r\n"), bdat=bdat) == 250
        assert send(text("Subject: more Money\r\n"), bdat=bdat) == 250
        assert send(text("Subject: more money now\r\n"), bdat=bdat) == 554
        assert send(text("Subject: more\r\n money\r\n"), bdat=bdat) == 554
        assert send(text("X-List: one,\r\n\ttwo\r\n"), bdat=bdat) == 554
        assert send(text("X-List: one,\r\n two\r\n"), bdat=bdat) == 250
        assert send(text("X-List: one,\r\n\ttwo\r\n\tthree\r\n"),
                    bdat=bdat) == 250
        # In the body it is another thing.
        assert send(text(body="X-Mailer: Bulk 1.0\r\n"), bdat=bdat) == 250
    assert send(text("X-Mailer: Bulk 1.0\r\n"), 0, True,
                " BODY=BINARYMIME") == 554
    for size in (1, 2, 7):
        assert send(text("X-Mailer: Bulk 1.0\r\n"), size) == 554, size
        assert send(text("X-Mailer: Bulk 1.0\r\n"), size + 20, True) == 554


def body():
    ban(["X-Ban: test"], ["buy now", "*free*money*", ".dotted", "last"])
    for bdat in (False, True):
        assert send(text(body="hello\r\nbuy now\r\n"), bdat=bdat) == 554
        assert send(text(body="hello\r\nbuy now!\r\n"), bdat=bdat) == 250
        assert send(text(body="hello\r\n buy now\r\n"), bdat=bdat) == 250
        assert send(text(body="so free of all money\r\n"), bdat=bdat) == 554
        assert send(text("buy now\r\n"), bdat=bdat) == 554  # no field
        assert send(text(body="a\r\n\r\n\r\nlast\r\n"), bdat=bdat) == 554
        assert send(text(body="YnV5IG5vdw==\r\n"), bdat=bdat) == 250
    assert send(text(body="..dotted\r\n")) == 554
    assert send(text(body="..dotted\r\n"), bdat=True) == 250
    assert send(text(body="buy now\r\n"), 0, True, " BODY=BINARYMIME") == 554
    for size in (1, 3):
        assert send(text(body="hello\r\nbuy now\r\n"), size) == 554, size
    # Far into a long text, and in a line that never ends.
    far = "x" * 70 + "\r\n"
    assert send(text(body=far * 4000 + "buy now\r\n")) == 554
    assert send(text(body="y" * 300000 + "free" + "z" * 90000 + "money" +
                     "\r\n")) == 554
    assert send(text(body="y" * 300000 + "\r\n" + far * 4000)) == 250


def submitted():
    """What programs of this host leave."""
    ban(["X-Ban: test", "X-Bulk: yes"], ["buy now"])
    folder = pathlib.Path(os.environ["CG_BASE"], "Submitted")
    for i, (head, line) in enumerate([("X-Bulk: yes\n", "text"),
                                      ("", "buy now"), ("", "text")]):
        name = folder / f"m{i}.tmp"
        name.write_text(f"To: {address('ann')}\nSubject: s\n{head}\n{line}\n")
        name.chmod(0o644)
        name.rename(folder / f"m{i}.sub")
    for i in (0, 1):
        wait_for("a file to be refused",
                 lambda: f"Submitted/m{i}.sub is no good: it has a banned "
                 "line" in log())
    global taken
    taken += 1


def commands():
    for bad in ('(a,"*")', "a", "({})", "((a))"):
        assert cli.send(f"SetBanned {{BodyLines={bad};}}")[:3] == "501", bad
    assert cli.send(r'SetBanned {BodyLines=("a\eb");}')[:3] == "501"
    assert cli.send('SetBanned {HeaderLines=("' + "x" * 5000 +
                    '");}')[:3] == "501"
    assert "X-Bulk" in cli.ask("GetBanned")
    ban()
    wait_for("nothing to be banned", lambda: all(
        send(text("X-Bulk: yes\r\n")) == 250 for _ in range(6)))
    assert "a banned line: buy now" in log()


def arrived():
    messages("ann", taken)


accounts("ann")
cli = administrator()
cli.ask("INLINE")
run([header, body, submitted, commands, arrived])
