#!/usr/bin/env python3
# suite: own
"""Backup as manual 04b has it: the base directory of a running suite, busy
with mail, is copied by parts; a suite on the copy serves what was there; and
an account's files are put back into a running suite."""
import pathlib
import poplib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (OBJ, PASSWORD, PATIENCE, Suite, read_mbox,  # noqa: E402
                    wait_for)
from smtplib import SMTP  # noqa: E402
import imaplib  # noqa: E402


def send(s, name, *subjects):
    with SMTP("127.0.0.1", s.smtp, timeout=PATIENCE) as c:
        for t in subjects:
            c.sendmail("", [name if "@" in name else s.address(name)],
                       f"Subject: {t}\r\n\r\nThis is {t}.\r\n")


def subjects(port, name, password=PASSWORD):
    p = poplib.POP3("127.0.0.1", port, PATIENCE)
    p.user(name)
    p.pass_(password)
    found = []
    for i in range(1, p.stat()[0] + 1):
        found += [t.decode()[9:] for t in p.top(i, 0)[1]
                  if t.startswith(b"Subject: ")]
    p.quit()
    return found


def copy_base(s, to):
    """Settings and domains first, then the accounts: what a rule or a right
    names is there.  The queue is left out: manual 04b, Queue."""
    to.mkdir()
    for part in ("Settings", "Accounts", "Domains", ".cgate"):
        subprocess.run(["cp", "-a", f"{s.base}/{part}", to], check=True)


class Copy:
    """A suite of the copied base: the first one's configuration."""

    def __init__(self, s, base):
        conf = pathlib.Path(s.env["CG_CONF"]).read_text()
        self.base = base
        self.conf = base.parent / "copy.conf"
        self.conf.write_text(re.sub(r"^base .*$", f"base {base}", conf,
                                    flags=re.M))

    def __enter__(self):
        self.p = subprocess.Popen([OBJ / "cgserver", "-f", self.conf])
        ports = self.base / "Ports"
        wait_for("the copy", lambda: ports.exists() or
                 self.p.poll() is not None)
        assert self.p.poll() is None
        self.pop = int(re.search(r"POP\s*=\s*\(\s*\{[^}]*?PortNumber\s*="
                                 r"\s*(\d+)", ports.read_text())[1])
        return self

    def __exit__(self, *_):
        self.p.terminate()
        assert self.p.wait(PATIENCE) == 0


def names(messages):
    return [re.search(rb"Subject: (\S+)", m)[1].decode() for _, m in messages]


class Load(threading.Thread):
    """Mail for one account, a message after the other: m0, m1 ..."""

    def __init__(self, s, name):
        super().__init__(daemon=True)
        self.s, self.name, self.sent = s, name, []
        self.stop = threading.Event()
        self.start()

    def run(self):
        while not self.stop.is_set():
            t = f"m{len(self.sent)}"
            send(self.s, self.name, t)
            self.sent.append(t)

    def more(self, n=20):
        """Some more are in the queue; gives how many are."""
        now = len(self.sent)
        wait_for("some mail", lambda: len(self.sent) > now + n)
        return len(self.sent)

    def end(self):
        self.stop.set()
        self.join()


def running_copy(s, top):
    """Mail goes on coming while it is copied: whole messages are there, and
    none twice."""
    load = Load(s, "ann")
    load.more()
    there = set(names(s.mail("ann")))
    base = top / "copy"
    copy_base(s, base)
    load.end()
    sent = load.sent
    # A domain under another name, while that server does not run.
    subprocess.run(["cp", "-a", base / "Domains/two.example",
                    base / "Domains/three.example"], check=True)
    with Copy(s, base) as c:
        got = subjects(c.pop, "ann")
        # Those that were there when the copy began, whatever came later.
        assert len(there) >= 1 and there <= set(got), (there, got)
        assert len(got) == len(set(got)), got
        assert set(got) <= set(sent) | {f"m{len(sent)}"}, got
        assert subjects(c.pop, "ben") == ["kept"]
        for d in "two", "three":
            assert subjects(c.pop, f"kim@{d}.example") == ["hers"]
            assert subjects(c.pop, f"kay@{d}.example") == ["hers"]


def accident(s, cli):
    """All of ben's mail is lost, and his password is another."""
    m = imaplib.IMAP4("127.0.0.1", s.imap)
    m.login("ben", PASSWORD)
    m.delete("Work")
    m.select("INBOX")
    m.store("1:*", "+FLAGS", "(\\Deleted)")
    m.expunge()
    m.logout()
    cli.ask("SetAccountPassword ben PASSWORD other")
    send(s, "ben", "lost with the restore")
    wait_for("it", lambda: subjects(s.pop, "ben", "other") ==
             ["lost with the restore"])


def one_account(s, top):
    """Of ben: services off, sessions ended, copied; then he loses his mail,
    and gets it back into the account that is there."""
    cli = s.cli()
    home = pathlib.Path(s.base, "Accounts/ben.macnt")
    m = imaplib.IMAP4("127.0.0.1", s.imap)
    m.login("ben", PASSWORD)
    m.create("Work")
    m.append("Work", "(\\Flagged)", None, b"Subject: important\r\n\r\nx\r\n")
    m.select("INBOX")
    m.store("1", "+FLAGS", "(\\Answered)")
    uid = m.fetch("1", "(UID FLAGS)")[1][0]
    cli.ask("UpdateAccountSettings ben {AccessModes=None;}")
    cli.ask("KillAccountSessions ben")
    try:
        m.noop()
        assert False, "the session was not ended"
    except imaplib.IMAP4.error:
        pass
    try:
        subjects(s.pop, "ben")
        assert False, "the account is not disabled"
    except poplib.error_proto as e:
        assert "disabled" in str(e), e
    saved = top / "ben"
    subprocess.run(["cp", "-a", home, saved], check=True)
    cli.ask("UpdateAccountSettings ben {AccessModes=All;}")
    accident(s, cli)
    # Back into the existing directory, with nobody at it.
    cli.ask("UpdateAccountSettings ben {AccessModes=None;}")
    cli.ask("KillAccountSessions ben")
    for f in home.iterdir():
        shutil.rmtree(f) if f.is_dir() else f.unlink()
    subprocess.run(["cp", "-a", f"{saved}/.", home], check=True)
    cli.ask("ClearAccountCache ben")
    cli.ask("UpdateAccountSettings ben {AccessModes=All;}")
    m = imaplib.IMAP4("127.0.0.1", s.imap)
    m.login("ben", PASSWORD)
    assert m.select("INBOX")[1] == [b"1"]
    again = m.fetch("1", "(UID FLAGS)")[1][0]
    assert again == uid.replace(rb" \Recent", b""), (again, uid)
    assert m.select("Work")[1] == [b"1"]
    assert b"important" in m.fetch("1", "(RFC822)")[1][0][1]
    m.logout()
    # One mailbox under a new name, while he is logged in.
    m = imaplib.IMAP4("127.0.0.1", s.imap)
    m.login("ben", PASSWORD)
    subprocess.run(["cp", "-a", saved / "Work.mbox", home / "Restored.mbox"],
                   check=True)
    assert b"Restored" in b"".join(m.list()[1])
    assert m.select("Restored")[1] == [b"1"]
    m.logout()
    send(s, "ben", "new")
    wait_for("new mail", lambda: subjects(s.pop, "ben") == ["kept", "new"])
    for no in ("KillAccountSessions nobody", "ClearAccountCache nobody"):
        assert cli.send(no)[:1] == "5"
    cli.close()


def restored_under_load(s, top):
    """Mail for him comes all the time; while his services are off it waits.
    Lost is only what came between the copy and the restore."""
    cli = s.cli()
    home = pathlib.Path(s.base, "Accounts/cid.macnt")
    saved = top / "cid"
    load = Load(s, "cid")

    def close():
        cli.ask("UpdateAccountSettings cid {AccessModes=None;}")
        cli.ask("KillAccountSessions cid")
    load.more()
    close()
    subprocess.run(["cp", "-a", home, saved], check=True)
    before = names(read_mbox(saved / "INBOX.mbox"))
    assert len(before) > 10
    load.more()
    assert names(s.mail("cid")) == before, "mail came into a closed account"
    cli.ask("UpdateAccountSettings cid {AccessModes=All;}")
    wait_for("what waited", lambda: len(s.mail("cid")) > len(before) + 20)
    close()
    lost = set(names(s.mail("cid"))) - set(before)
    load.more()
    for f in home.iterdir():
        shutil.rmtree(f) if f.is_dir() else f.unlink()
    subprocess.run(["cp", "-a", f"{saved}/.", home], check=True)
    cli.ask("ClearAccountCache cid")
    cli.ask("UpdateAccountSettings cid {AccessModes=All;}")
    load.more()
    load.end()
    want = sorted(set(load.sent) - lost)
    wait_for("all mail", lambda: len(s.mail("cid")) >= len(want))
    assert sorted(subjects(s.pop, "cid")) == want
    cli.close()


def main():
    top = pathlib.Path(tempfile.mkdtemp(prefix="cg-backup-"))
    top.chmod(0o755)
    try:
        with Suite(accounts=["ann", "ben", "cid"]) as s:
            cli = s.cli()
            cli.ask("CreateDomain two.example")
            cli.ask('CreateAccount kim@two.example '
                    f'{{Password="{PASSWORD}";}}')
            cli.ask("SetAccountAliases kim@two.example (kay)")
            cli.close()
            send(s, "ben", "kept")
            send(s, "kim@two.example", "hers")
            box = pathlib.Path(s.base, "Domains/two.example/kim.macnt")
            wait_for("kim's mail", lambda: read_mbox(box / "INBOX.mbox"))
            wait_for("ben's mail", lambda: len(s.mail("ben")) == 1)
            running_copy(s, top)
            one_account(s, top)
            restored_under_load(s, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)


main()
