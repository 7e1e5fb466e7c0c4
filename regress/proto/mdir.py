#!/usr/bin/env python3
# suite: own
"""The .mdir format: accounts of type MailDirMailbox (john.mdir), mailboxes of
either format in one account and the account's default, what others do to the
files meanwhile; renamed, removed, imported; their workers' walls; killed at
any moment."""
import imaplib
import os
import pathlib
import poplib
import re
import smtplib
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PASSWORD, read_mbox, wait_for  # noqa: E402
from onebox import OneBox, has, make, pop, send, survive, uids  # noqa: E402
from probe import AT_FDCWD, HIDDEN, Probe  # noqa: E402

ROOT = os.geteuid() == 0
DOMAIN = "client.example"
BESIDE = ["INBOX.mdir.idx", "account.info", "account.settings"]


def imap(s, account):
    m = imaplib.IMAP4("127.0.0.1", s.imap)
    m.login(account, PASSWORD)
    return m


def whole_life(s):
    """Mail and its names; what a client does to it."""
    make(s, "john")
    box = s.box("john")
    assert sorted(os.listdir(box)) == BESIDE
    send(s, "john", "n0", "x\r\n\r\nFrom y\r\n")
    has(s, "john", 1)
    name, = [n for n in os.listdir(box) if n not in BESIDE]
    assert re.fullmatch(r"1-r-20\d{12}", name), name
    data = (box / name).read_bytes()
    assert data.startswith(b"Return-Path: <ann@far.example>\n")
    assert data.endswith(b"\n\nFrom y\n") and b"\r" not in data
    st = (box / name).stat()
    assert stat.S_IMODE(st.st_mode) == 0o400
    if ROOT:
        assert stat.S_IMODE(box.stat().st_mode) == 0o1770
        assert (box / "account.settings").stat().st_uid == \
            box.stat().st_uid != st.st_uid
    m = imap(s, "john")
    assert m.select()[1] == [b"1"]
    m.store("1", "+FLAGS", r"(\Flagged mine)")
    tag, = [n for n in os.listdir(box) if n.startswith("1-")]
    assert re.fullmatch(r"1-F00000001-20\d{12}", tag), tag
    send(s, "john", "n1")               # the worker has it
    wait_for("the mail", lambda: m.noop() and m.select()[1] == [b"2"])
    assert m.append("INBOX", r"(\Seen)", None, b"Subject: n2\r\n\r\n"
                    b"\r\nFrom z\r\n")[0] == "OK"
    assert s.mail("john")[-1][1].endswith(b"\n\nFrom z\n")
    assert m.copy("1", "INBOX")[0] == "OK"
    assert m.select()[1] == [b"4"]
    one, four = [m.fetch(n, "(BODY.PEEK[] FLAGS)")[1] for n in "14"]
    assert one[0][1] == four[0][1] and one[1].startswith(b" FLAGS")
    assert m.create("more")[0] == "NO"
    m.store("1,3", "+FLAGS", r"\Deleted")
    assert m.expunge()[1] == [b"1", b"2"]
    m.logout()
    p = pop(s, "john")
    assert len(uids(p)) == 2
    assert b"Subject: n1" in p.retr(1)[1]
    p.dele(1)
    p.quit()
    has(s, "john", 1)


def shared(s):
    """A message for many of them is stored once, or nearly so: two may have
    been served in the same moment.  Each has its own flags and end."""
    names = [f"sh{i}" for i in range(12)]
    make(s, *names)
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.sendmail("ann@far.example", [s.address(n) for n in names],
                   "Subject: for all\r\n\r\nx\r\n")
    for n in names:
        has(s, n, 1)
    files = {n: next(p for p in s.box(n).iterdir() if p.name[0] == "1")
             for n in names}
    assert len({p.stat().st_ino for p in files.values()}) < len(names) / 2
    first = s.mail(names[0])[0][1]
    for n in names[1:]:
        m = imap(s, n)
        m.select()
        m.store("1", "+FLAGS", r"\Flagged \Deleted")
        if n != names[1]:
            m.expunge()
        m.logout()
    assert "F" in s.mail(names[1])[0][0] and s.mail(names[2]) == []
    assert s.mail(names[0])[0][1] == first
    assert files[names[0]].stat().st_nlink <= 2


def strangers(s):
    """A message that is put back from a copy, while the server runs, comes
    as a new one; one that is removed is gone."""
    box = s.box("john")
    kept = {n: (box / n).read_bytes() for n in os.listdir(box)
            if n not in BESIDE}
    m = imap(s, "john")
    assert m.select()[1] == [b"1"]
    uid = int(m.fetch("1", "(UID)")[1][0].split()[-1][:-1])
    for n in kept:
        (box / n).unlink()
    wait_for("it to go", lambda: m.noop() and m.select()[1] == [b"0"])
    st = (box / "account.info").stat()
    for n, data in kept.items():
        (box / n).write_bytes(data)
        os.chown(box / n, st.st_uid, st.st_gid)
    wait_for("it to come back", lambda: m.noop() and m.select()[1] == [b"1"])
    assert int(m.fetch("1", "(UID)")[1][0].split()[-1][:-1]) > uid
    assert m.fetch("1", "(BODY.PEEK[TEXT])")[0] == "OK"
    m.logout()


def both_formats(s):
    """Of one account, by the name or by the account's setting."""
    make(s, "mixed", kind="MultiMailbox")
    make(s, "dirs", kind="MultiMailbox",
         more="DefaultMailboxType=MailDirMailbox;")
    base = pathlib.Path(s.base, "Accounts")
    assert (base / "mixed.macnt/INBOX.mbox").is_file()
    assert (base / "dirs.macnt/INBOX.mdir").is_dir()
    for account, plain in (("mixed", "mbox"), ("dirs", "mdir")):
        m = imap(s, account)
        for box, file in (("a.mdir", "a.mdir"), ("b.mbox", "b.mbox"),
                          ("c", "c." + plain), ("d/e.mdir",
                                                "d.folder/e.mdir")):
            assert m.create(box)[0] == "OK", box
            path = base / f"{account}.macnt" / file
            assert path.is_dir() == file.endswith("mdir") and path.exists()
        assert m.create("a")[0] == "NO"
        assert m.create("x.mslc")[0] == "NO"
        for box in "a", "b":
            for i in range(3):
                m.append(box, None, None, b"Subject: %d\r\n\r\n%d\r\n" %
                         (i, i))
        for box, to in (("a", "b"), ("b", "a"), ("a", "d/e")):
            n = int(m.select(box)[1][0])
            assert m.copy("1:*", to)[0] == "OK"
            texts = [t[1] for t in m.fetch("1:*", "(BODY.PEEK[])")[1][::2]]
            assert m.select(to)[0] == "OK"
            last = [t[1] for t in m.fetch("1:*", "(BODY.PEEK[])")[1][::2]]
            assert last[-n:] == texts, (box, to)
        assert m.rename("d/e", "f")[0] == "OK"
        assert m.select("f")[0] == "OK"
        assert (base / f"{account}.macnt/f.mdir").is_dir()
        m.close()
        assert m.delete("f")[0] == "OK"
        assert not list((base / f"{account}.macnt").glob("f.*"))
        m.logout()
    cli = s.cli()
    cli.ask("INLINE")
    assert "mdir" in cli.ask("GetMailboxInfo mixed MAILBOX a")
    # The setting holds for accounts that are in use.
    cli.ask("UpdateAccountSettings mixed "
            "{DefaultMailboxType=MailDirMailbox;}")
    cli.close()
    m = imap(s, "mixed")
    assert m.create("later")[0] == "OK"
    assert (base / "mixed.macnt/later.mdir").is_dir()
    m.logout()
    for name in "mixed", "dirs":
        send(s, name, "last")
    wait_for("the mail", lambda: len(read_mbox(
        base / "dirs.macnt/INBOX.mdir")) == 1)


def moved(s):
    """Under another name, in another domain, gone."""
    cli = s.cli()
    make(s, "text")
    for i in range(3):
        send(s, "text", f"n{i}")
    has(s, "text", 3)
    p = pop(s, "text")
    was = uids(p)
    for old, new in (("text", "other"), ("other", f"other@{DOMAIN}"),
                     (f"other@{DOMAIN}", "text")):
        send(s, old, "on its way")
        cli.ask(f"RenameAccount {old} into {new}")
        assert not s.box(old).exists() and s.box(new).is_dir()
        q = pop(s, new)
        assert uids(q)[:3] == was
        q.quit()
    try:
        p.noop()
        p.noop()
        raise AssertionError("a session outlived the renaming")
    except (poplib.error_proto, OSError):
        p.close()
    cli.ask("INLINE")
    assert "text=" in cli.ask("ListAccounts").replace(" ", "")
    cli.ask("DeleteAccount text")
    assert not s.box("text").exists()
    make(s, "text")
    q = pop(s, "text")
    assert q.stat()[0] in (0, 1, 2, 3)      # some may have been on their way
    q.quit()
    make(s, f"bill@{DOMAIN}")
    cli.ask(f"DeleteAccount text")
    cli.ask(f"DeleteDomain {DOMAIN} force")
    assert not s.box(f"bill@{DOMAIN}").parent.exists()
    cli.ask('ImportAccounts test.example DATA "Name\\tType\\tPassword\\e'
            f'im1\\tMailDir Mailbox\\t{PASSWORD}\\e'
            f'im2\\tMultiMailbox\\t{PASSWORD}"')
    assert sorted(os.listdir(s.box("im1"))) == BESIDE
    send(s, "im1", "imported")
    has(s, "im1", 1)
    assert cli.send("CreateAccount x OtherMailbox").startswith("501")
    cli.close()


def walls(s, probe):
    """A worker of one reaches nothing of another's."""
    make(s, "ann", "ben")
    for name in ("ann", "ben"):
        send(s, name, "for " + name)
        has(s, name, 1)
    a = pop(s, "ann")
    mine, = wait_for("one worker", lambda: s.workers()[:2]
                     if len(s.workers()) == 1 else None)
    b = pop(s, "ben")
    assert (a.stat()[0], b.stat()[0]) == (1, 1)
    base = s.box("ben").parent
    message, = [n for n in os.listdir(base / "ben.mdir") if n[0].isdigit()]
    ways = [p for f in ("ben.mdir/" + message, "ben.mdir/account.info",
                        "ann.mdir/account.settings") for p in (
        str(base / f), "/" + f, "/Accounts/" + f, "/../" + f)]
    if ROOT:        # else one user owns all, and mode bits say nothing
        ways.append("/account.settings")
    c = probe.calls()
    for p in ways:
        c("openat", AT_FDCWD, p, os.O_RDONLY)
        c("linkat", AT_FDCWD, p, AT_FDCWD, "/9-R-20260101000000", 0)
    assert probe.run(mine, c) is None
    for r in c.result:
        assert r.ret == -1 and r.err in HIDDEN, str(r)
    a.quit()
    b.quit()


def killed(s):
    names = ["k1", "k2", "k3"]
    make(s, *names)
    survive(s, names)
    for n in names:
        assert not list(s.box(n).glob("*.new"))


def main():
    probe = Probe()
    with OneBox("MailDirMailbox", ".mdir", env=probe.env) as s:
        cli = s.cli()
        cli.ask(f"CreateDomain {DOMAIN}")
        cli.close()
        for step, args in [
                (whole_life, ()), (shared, ()), (strangers, ()), (both_formats, ()),
                (moved, ()), (walls, (probe,)), (killed, ())]:
            print(step.__name__, flush=True)
            step(s, *args)


main()
