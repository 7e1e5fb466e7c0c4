#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/smuggling.conf
"""SMTP smuggling: whatever another server may take for the end of a text, or
for the end of a line, is one message or none here; never two, and never a
command: by DATA, by BDAT, and on the way out.  Nor does anything that a client
says become a line of a header, of a report or of the log."""
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from sink import Sink  # noqa: E402
from wire import (DOMAIN, Smtp, accounts, address,  # noqa: E402
                  administrator, box, log, messages, read_mbox, run, wait_for)

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


# --- in chunks ---

def is_bare(data):
    clean = data.replace(b"\r\n", b"")
    return b"\r" in clean or b"\n" in clean


def chunks(s, data, size, params=""):
    """The answer to the last, and what a command behind it is answered."""
    s.ask(f"MAIL FROM:<sender@far.example>{params}", 250)
    s.ask(f"RCPT TO:<{address('fourth')}>", 250)
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    for i, p in enumerate(parts):
        last = i == len(parts) - 1
        s.send(b"BDAT %d%s\r\n" % (len(p), b" LAST" if last else b"") + p)
        code = s.reply()[0]
        if code != 250:
            break
    s.ask("NOOP", 250)
    return code


def in_chunks():
    """Counted bytes are text, whatever they look like, and wherever a chunk
    ends; BINARYMIME's are stored so that no line end is bare."""
    taken = 0
    for params in ("", " BODY=8BITMIME", " BODY=BINARYMIME"):
        for end in ENDS + [b"\r\n.\r\n", b"\r\n.\r\n.\r\n"]:
            data = HEAD + end + inner(b"\r\n") + b"\r\n"
            for size in (len(data), len(HEAD) + 1, len(HEAD) + 2, 7):
                with Smtp() as s:
                    code = chunks(s, data, size, params)
                if "BINARY" in params:
                    assert code in (250, 550), (end, size, params, code)
                else:
                    assert code == (550 if is_bare(data) else 250), \
                        (end, size, params, code)
                taken += code == 250
    for text in messages("fourth", taken):
        head, body = text.split(b"\n\n", 1)
        assert b"Subject: outer" in head and b"inner" not in head, text
        assert b"\r" not in text, text


def behind_a_chunk():
    """The next command begins with the byte behind it, no sooner."""
    text = HEAD + b"\r\n"
    with Smtp() as s:
        s.ask("MAIL FROM:<sender@far.example>", 250)
        s.ask(f"RCPT TO:<{address('fifth')}>", 250)
        s.send(b"BDAT %d LAST\r\n" % len(text) + text + inner(b"\r\n")
               .replace(b"victim", b"fifth") + b"\r\n.\r\n")
        codes = [s.reply()[0] for _ in range(5)]
        assert codes == [250, 250, 250, 354, 250], codes
    for wrong in ("BDAT", "BDAT x", "BDAT -1 LAST", "BDAT 5 LAST x",
                  "BDAT 99999999999999999999 LAST", "BDAT 0x10 LAST"):
        with Smtp() as s:       # nobody knows where a command begins
            s.ask("MAIL FROM:<sender@far.example>", 250)
            s.ask(f"RCPT TO:<{address('fifth')}>", 250)
            s.send(wrong + "\r\nMAIL FROM:<evil@x.com>\r\n")
            assert s.reply()[0] == 501, wrong
            assert s.ended(), wrong
    messages("fifth", 2)


# --- on the way out ---

OUT = [b"..\r\n", b".\r\n", b".\r\nMAIL FROM:<evil@x.com>\r\n", b"...\r\n",
       b"a\r\n.\r\n\r\n.\r\nQUIT\r\n", b". \r\n", b" .\r\n",
       b"x" * 32766 + b"\r\n.\r\nRSET\r\n", b"y" * 33000 + b".\r\n"]


def outwards():
    """Each message is one there, as it was here."""
    cli = administrator()
    for extensions in ([], ["CHUNKING"], ["PIPELINING", "8BITMIME"]):
        with Sink(extensions=extensions) as k:
            cli.ask(f'SetRouterTable "<*@out.example> = *@[{k.address}:'
                    f'{k.port}]\\e"')
            for body in OUT:
                data = HEAD + b"\r\n" + body
                with Smtp() as s:
                    s.ask("MAIL FROM:<sender@far.example>", 250)
                    s.ask("RCPT TO:<one@out.example>", 250)
                    s.send(b"BDAT %d LAST\r\n" % len(data) + data)
                    s.want(250)
            found = k.wait(len(OUT))
            got = sorted(m.data.split(b"\r\n\r\nouter\r\n", 1)[1]
                         for m in found)
            assert got == sorted(OUT), [g[:60] for g in got]
            verbs = {line.split(" ")[0] for _, line in k.heard}
            assert verbs <= {"EHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT"}
            assert not any("evil" in line for _, line in k.heard)
    cli.close()


def from_files():
    """Programs of this host may leave any bytes; no bare line end goes out."""
    cli = administrator()
    folder = pathlib.Path(os.environ["CG_BASE"], "Submitted")
    with Sink() as k:
        cli.ask(f'SetRouterTable "<*@out.example> = *@[{k.address}:{k.port}]'
                '\\e"')
        for i, end in enumerate(ENDS):
            name = folder / f"s{i}.tmp"
            name.write_bytes(
                b"To: one@out.example\nSubject: outer\n\nouter" +
                end.replace(b"\0", b"") + inner(b"\n") + b"\n")
            name.chmod(0o644)
            name.rename(folder / f"s{i}.sub")
        for m in k.wait(len(ENDS)):
            assert not is_bare(m.data), m.data
            assert b"Subject: outer" in m.data.split(b"\r\n\r\n")[0]
        assert not any("evil" in line for _, line in k.heard)
    cli.close()


def foreign(sender, rcpt, extra=""):
    """A file of another server's queue, which may say anything."""
    now = time.strftime("%d-%m-%Y %H:%M:%S", time.gmtime())
    return (f"P I {now} 0000 ____ ____ <{sender}>\nO T\nS SMTP [192.0.2.7]\n"
            f"R W {now} 0000 ____ _F__ <{rcpt}>\n{extra}\n"
            "Subject: outer\n\nouter\n").encode()


def from_queues():
    """Nor do addresses out of such a file become commands."""
    cli = administrator()
    folder = pathlib.Path(os.environ["CG_BASE"], "ForeignQueue")
    owner = folder.stat()
    with Sink(extensions=["DSN", "SMTPUTF8", "8BITMIME"]) as k:
        to = f"one@[{k.address}:{k.port}]"
        at = to.split("@")[1]
        files = [foreign(address("victim"), to)]
        for bad in ('"a\\\rQUIT"@x.example', '"a\rQUIT"@x.example',
                    "a\rQUIT@x.example", "a> QUIT <@x.example", '"a\\@x.example',
                    "a@x.example> SIZE=1 <b", '"a\\\x0b"@x.example',
                    "\u00e4\x85\r@x.example"):
            files.append(foreign(bad, to))
            files.append(foreign(address("victim"),
                                 bad.replace("x.example", at)))
        for extra in ("c rfc822;a\rRSET\n", "c utf-8;\u00e4 RSET\n",
                      "e x\rRSET\n", "c x\n", "e  QUIT\n"):
            files.append(foreign(address("victim"), to, extra))
        for i, text in enumerate(files):
            name = folder / f"{i + 100}.new"
            name.write_bytes(text)
            os.chown(name, owner.st_uid, owner.st_gid)
            name.rename(folder / f"{i + 100}.msg")
        wait_for("all files to be taken in", lambda: not [
            f for f in os.listdir(folder) if f.endswith((".msg", ".take"))])

        def done():
            bad = [f for f in os.listdir(folder) if f.endswith(".bad")]
            text = log()
            ids = re.findall(r"QUEUE\(\[(\d+)\]\) was ForeignQueue", text)
            return len(bad) + len(ids) == len(files) and all(
                f"QUEUE([{i}]) deleted" in text for i in ids)
        wait_for("an end of all", done)
        assert len(k.wait(1)) >= 1
        for _, line in k.heard:
            assert "\r" not in line and "\x0b" not in line, line
            assert line.split(" ")[0].split(":")[0] in (
                "EHLO", "MAIL", "RCPT", "DATA", "QUIT", "RSET"), line
            assert "> SIZE=1 <" not in line and "> QUIT <" not in line, line
            assert line == "RSET" or "RSET" not in line, line
    cli.close()


# --- into headers, reports and logs ---

EVIL = "X-Evil: yes"


def greetings():
    """What a client calls itself is one plain word in Received."""
    for name in ("a b", "a(b", "a)b", "a;b", "a<b>", 'a"b', "a\\b", "a,b",
                 "a\x7fb", "a\x0bb", "a\x1bb", "b\u2028c", "x" * 300, ""):
        with Smtp(hello="") as s:
            for verb in ("HELO", "EHLO"):
                s.send(f"{verb} {name}\r\n".encode())
                assert s.reply()[0] in (500, 501), name
    with Smtp(hello="EHLO [IPv6:2001:db8::1]") as s:
        s.begin(address("sixth"))
        s.text("Subject: s\r\n\r\ntext\r\n.\r\n")
    assert b"\nReceived: from [IPv6:2001:db8::1] ([127.0.0.1]" in \
        b"\n" + messages("sixth", 1)[0]


def report():
    """A report of words of others: none of them begins a line."""
    cli = administrator()
    with Sink() as k:
        k.answers["RCPT"] = ["550-5.1.1 no such one\r\n550-" + EVIL +
                             "\r\n550 5.1.1 \x0b\x1b[1mFinal-Recipient: "
                             "rfc822;x\tY"]
        cli.ask(f'SetRouterTable "<*@out.example> = *@[{k.address}:{k.port}]'
                '\\e"')
        with Smtp() as s:
            s.ask(f"MAIL FROM:<{address('seventh')}> RET=HDRS "
                  "ENVID=a+0D+0AX-Evil:+20yes+0A+0A", 250, 501)
            s.ask("RSET", 250)
            s.ask(f"MAIL FROM:<{address('seventh')}> ENVID=a+0AX-Evil:yes",
                  250, 501)
            s.ask("RSET", 250)
            s.ask(f"MAIL FROM:<{address('seventh')}>", 250)
            taken = 1
            for orcpt in ("rfc822;a+0D+0AX-Evil:+20yes", "rfc822;a@b+00c",
                          "x+0Ay;a@b", "rfc822\t;a@b"):
                s.send(f"RCPT TO:<one@out.example> ORCPT={orcpt}\r\n")
                taken += s.reply()[0] == 250
            for local in ("X-Evil:yes", '"X-Evil: yes"', '"a\\\x0bb"'):
                s.send(f"RCPT TO:<{local}@out.example>\r\n")
                taken += s.reply()[0] == 250
            s.ask("RCPT TO:<two@out.example> ORCPT=rfc822;a+20X-Evil:+20yes",
                  250)
            s.ask("DATA", 354)
            s.text("Subject: s\r\n\r\ntext\r\n.\r\n")

        def reported():
            text = b"".join(t for _, t in read_mbox(box("seventh")))
            return text if text.count(b"\nFinal-Recipient:") == taken else b""
        text = wait_for(f"reports on {taken} recipients", reported)
    assert b"550" in text or b"5.1.1" in text, text
    assert not re.search(rb"(?m)^X-Evil", text), text
    assert text.count(b"\nFinal-Recipient: rfc822;x") == 0, text
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text), text
    cli.close()


def told():
    """Nothing that a client says ends an answer, or begins a record."""
    mark = "99:99:99.999 1 AUTH-OK"
    with Smtp() as s:
        for line in (f"NOOP \x0b\x1b[2J\x0c{mark}", f"XYZ\x1b]0;{mark}",
                     f"VRFY \x1b\x07{mark}", f"MAIL FROM:<a\x1b@b.com>",
                     'MAIL FROM:<"a\x1b[1m\x0bb"@b.com>',
                     f"HELP \x9b{mark}"):
            s.send(line.encode("latin-1") + b"\r\n")
            code, texts = s.reply()
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", "".join(texts))
            if line.startswith("MAIL") and code == 250:
                s.ask("RSET", 250)
        s.ask("QUIT", 221)
    wait_for("the log", lambda: "VRFY" in log())
    text = log()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", text)
    assert not re.search(rf"(?m)^{re.escape(mark)}", text)


def before_tls():
    """What came in the clear behind STARTTLS is never obeyed."""
    for extra in ("NOOP\r\n", "MAIL FROM:<evil@x.com>\r\nRCPT TO:<" +
                  address("victim") + ">\r\nDATA\r\n", "EHLO x\r\n" * 50,
                  "EHLO half"):
        with Smtp() as s:
            s.send("STARTTLS\r\n" + extra)
            try:
                s.want(220)
                s.secure()
                s.ask("MAIL FROM:<a@far.example>", 503)   # EHLO first
                s.ask("EHLO x", 250)
                s.ask(f"RCPT TO:<{address('victim')}>", 503)
            except (OSError, EOFError):
                pass            # or it will not speak to such a client


accounts("victim", "second", "third", "fourth", "fifth", "sixth", "seventh")
run([matrix, behind_the_end, commands, first_thing, in_chunks, behind_a_chunk,
     outwards, from_files, from_queues, greetings, report, told, before_tls])
