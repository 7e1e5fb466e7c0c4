#!/usr/bin/env python3
"""mail, sendmail and mailq, and the files of Submitted/: what arrives, exit
statuses, whose name a message may bear, what is refused."""
import email
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, read_mbox, wait_for  # noqa: E402
from wire import administrator, log  # noqa: E402

E = os.environ
BASE = pathlib.Path(E["CG_BASE"])
SUBMITTED = BASE / "Submitted"
DOMAIN = E["CG_DOMAIN"]
BIN = tempfile.TemporaryDirectory()
STRANGER = 54321                # a uid that nobody trusts

EX_USAGE, EX_DATAERR, EX_NOUSER = 64, 65, 67
EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOPERM = 69, 75, 77


def raw(account):
    return [m for _, m in read_mbox(
        BASE / "Accounts" / f"{account}.macnt" / "INBOX.mbox")]


def run(name, *args, text="", status=0, uid=None, conf=True):
    env = dict(os.environ)
    if not conf:
        env["CG_CONF"] = "/nonexistent/cgserver.conf"
    p = subprocess.run([os.path.join(BIN.name, name), *args],
                       input=text.encode(), capture_output=True, env=env,
                       user=uid)
    assert p.returncode == status, \
        f"{name} {args}: {p.returncode}, {p.stderr.decode()}"
    return p.stdout.decode()


def arrives(account, subject):
    def look():
        return [m for m in map(email.message_from_bytes, raw(account))
                if subject in str(email.header.make_header(
                    email.header.decode_header(m["Subject"] or "")))]
    found = wait_for(f"{subject} for {account}", look)
    assert len(found) == 1, f"{subject} is there {len(found)} times"
    return found[0]


def test_mail():
    run("mail", "-s", "by mail, grün", "-c", "bob", "-b", f"eve@{DOMAIN}",
        f"Ann <ann@{DOMAIN}>", text="hello\n.\nthere, grün\n")
    m = arrives("ann", "by mail")
    assert m["To"] == f"Ann <ann@{DOMAIN}>" and m["Cc"] == "bob", m["To"]
    assert m["Bcc"] is None and "eve@" not in m.as_string()
    assert m.get_payload(decode=True) == "hello\n.\nthere, grün\n".encode()
    assert m["Date"] and m["Message-ID"] and m["Received"]
    assert m["From"].endswith(f"@{DOMAIN}>"), m["From"]
    arrives("bob", "by mail")
    arrives("eve", "by mail")
    run("mail", status=EX_USAGE)
    run("mail", "<>", status=EX_DATAERR)
    run("mail.cgate", "-s", "as installed", "ann", text="hello\n")
    assert arrives("ann", "as installed")["To"] == "ann"


def test_sendmail():
    run("sendmail", "-f", f"eve@{DOMAIN}", "-F", "Eve, the First", "ann",
        text="Subject: one\nBcc: bob\n\nline\n.\nnot this\n")
    m = arrives("ann", "one")
    assert m["Return-Path"] == f"<eve@{DOMAIN}>", m["Return-Path"]
    assert m["From"] == f'"Eve, the First" <eve@{DOMAIN}>', m["From"]
    assert m["To"] == "undisclosed-recipients:;"
    assert m["Bcc"] is None
    assert m.get_payload() == "line\n"
    run("sendmail", "-oi", "-oem", "-i", "ann",
        text="Subject: two\n\nline\n.\nthis too\n")
    assert arrives("ann", "two").get_payload() == "line\n.\nthis too\n"
    run("sendmail", "ann", text="no header at all\n")
    m = wait_for("a body alone", lambda: [
        x for x in raw("ann") if b"\n\nno header at all\n" in x])
    run("sendmail", "ann", text="From eve Sat Nov 21 10:00:00 2026\n"
        "Subject: crlf\r\n\r\nline\r\n")
    assert arrives("ann", "crlf").get_payload() == "line\n"


def test_header_recipients():
    run("sendmail", "-t", f"eve@{DOMAIN}",
        text=f"To: Ann <ann@{DOMAIN}>, eve@{DOMAIN}\nCc: bob\n"
        f"Bcc: sink@{DOMAIN}\nSubject: three\nReturn-Path: <x@forged>\n"
        "Envelope-To: forged@far.example\n\nbody\n")
    m = arrives("ann", "three")
    assert m["Bcc"] is None and "sink" not in m.as_string()
    assert "forged" not in m.as_string()
    arrives("bob", "three")
    wait_for("the discarded one", lambda: f"SYSTEM(*)sink@{DOMAIN} delivered:"
             " discarded" in log())
    assert not any(b"Subject: three" in m for m in raw("eve"))


def test_statuses():
    run("sendmail", text="Subject: x\n\n", status=EX_USAGE)
    run("sendmail", "-t", text="Subject: x\n\n", status=EX_NOUSER)
    run("sendmail", "-?", status=EX_USAGE)
    run("sendmail", "-N", "perhaps", "ann", status=EX_USAGE)
    run("sendmail", "-bv", "ann", status=EX_USAGE)
    run("sendmail", "-bi")
    run("sendmail", "<>", status=EX_DATAERR)
    run("sendmail", "-d", "/nonexistent", "ann", text="x\n",
        status=EX_UNAVAILABLE)
    assert not list(SUBMITTED.glob("*.tmp"))


def test_smtp():
    out = run("sendmail", "-bs", text="\r\n".join([
        "EHLO here", "RCPT TO:<ann>", f"MAIL FROM:<eve@{DOMAIN}> RET=HDRS",
        f"RCPT TO:<ann@{DOMAIN}>", "RCPT TO:bad>", "DATA",
        "Subject: four", "", "..dot", ".", "RSET", "MAIL FROM:<>", "VRFY x",
        "NONSENSE", "QUIT", ""]))
    codes = [line[:3] for line in out.split("\r\n") if line[3:4] == " "]
    assert codes == ["220", "250", "503", "250", "250", "501", "354", "250",
                     "250", "250", "252", "500", "221"], codes
    m = arrives("ann", "four")
    assert m["Return-Path"] == f"<eve@{DOMAIN}>"
    assert m.get_payload() == ".dot\n"


def test_mailq():
    assert "queue is empty" in wait_for("an empty queue", lambda: (
        lambda s: s if "empty" in s else None)(run("mailq")))
    run("sendmail", "-f", f"ann@{DOMAIN}", "y@other.example",
        text="Subject: waits\n\n")
    wait_for("the waiting one", lambda: "y@other.example" in
             run("sendmail", "-bp"))
    assert "y@other.example" in run("mailq.cgate")
    assert "1 message" in run("mailq")
    if os.geteuid() == 0:
        run("mailq", uid=STRANGER, status=EX_NOPERM)


def test_strangers():
    """A uid that is not trusted is named, whatever it says."""
    run("sendmail", "-f", f"boss@{DOMAIN}", "ann", uid=STRANGER,
        text=f"From: boss@{DOMAIN}\nSender: boss@{DOMAIN}\nSubject: five\n\n")
    m = arrives("ann", "five")
    assert m["Sender"] == f"<uid-{STRANGER}@{DOMAIN}>", m["Sender"]
    assert m["From"] == f"boss@{DOMAIN}"
    run("sendmail", "ann", text="Subject: six\n\n", uid=STRANGER)
    m = arrives("ann", "six")
    assert m["Sender"] is None, m["Sender"]
    assert m["Return-Path"] == f"<uid-{STRANGER}@{DOMAIN}>"


def test_files():
    """What is no good becomes .bad; nothing outside is read."""
    secret = pathlib.Path(BIN.name, "secret")
    secret.write_text(f"To: ann@{DOMAIN}\nSubject: stolen\n\n")
    os.symlink(secret, SUBMITTED / "link.sub")
    real = SUBMITTED / "hard.tmp"
    real.write_text(f"To: ann@{DOMAIN}\nSubject: stolen\n\n")
    os.link(real, SUBMITTED / "hard.sub")
    (SUBMITTED / "none.sub").write_text("Subject: nobody\n\n")
    (SUBMITTED / "empty.sub").write_text("")
    os.mkfifo(SUBMITTED / "fifo.sub")
    for name in ("hard", "none", "empty"):
        wait_for(f"{name}.bad", (SUBMITTED / f"{name}.bad").exists)
    for name in ("link", "fifo"):
        wait_for(f"the end of {name}", lambda: not os.path.lexists(
            SUBMITTED / f"{name}.sub"))
    good = SUBMITTED / "a name with blanks.tmp"
    good.write_text(f"From: ann\nTo: ann@{DOMAIN}\nSubject: seven\n\n")
    good.chmod(0o644)
    good.rename(good.with_suffix(".sub"))
    arrives("ann", "seven")
    wait_for("its end", lambda: not good.with_suffix(".sub").exists())
    assert not any(b"stolen" in m for m in raw("ann"))


def main():
    for name in ("mail", "sendmail", "mailq", "mail.cgate", "mailq.cgate"):
        # a copy: not everybody may look into the checkout
        shutil.copy(OBJ / "cgmail", os.path.join(BIN.name, name))
    os.chmod(BIN.name, 0o755)
    cli = administrator()
    for name in ("ann", "bob", "eve"):
        cli.ask(f"CreateAccount {name} {{Password=abc12345;}}")
    cli.ask(r'SetRouterTable "<sink>=NULL\e"')
    cli.close()
    test_mail()
    test_sendmail()
    test_header_recipients()
    test_statuses()
    test_smtp()
    test_mailq()
    if os.geteuid() == 0:
        test_strangers()
    test_files()


main()
