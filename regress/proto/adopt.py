#!/usr/bin/env python3
# suite: own
"""cgserver --adopt: a base directory as manual 04, 18, 25, 26 describe it,
made by hand, is taken over: accounts of each type, aliases, groups,
forwarders, mailboxes with and without comments, queue files, passwords of all
forms.  Nothing is lost; what cannot be read or was planted is listed; it may
break off and be done again."""
import hashlib
import imaplib
import os
import pathlib
import poplib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, PASSWORD, PATIENCE, wait_for  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt

ROOT = os.geteuid() == 0
FIRST_UID = 64000
USERS = ["_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail", "_cgsmtp",
         "_cgimap", "_cgpop", "_cgweb", "_cgadm"]
UID = {u: FIRST_UID + i for i, u in enumerate(USERS)} if ROOT else {}

MESSAGE = "From: a@far.example\nSubject: {}\n\nThis is {}.\n"


def mbox(*names, comment=True):
    """Messages as the vendor's separators have them, or as Unix' have."""
    text = ""
    for i, n in enumerate(names, 1):
        text += "From <a@far.example>" + \
            (f"(-{i:04d}-{i:010d})" if comment == "short" else
             f"(R-{i:08x})" if comment else "") + \
            " Mon Jun  4 10:20:30 2001\n" if comment else \
            "From a@far.example Mon Jun  4 10:20:30 2001\n"
        text += MESSAGE.format(n, n) + "\n"
    return text


def b64(digest):
    import base64
    return base64.b64encode(digest).decode()


def account(password, more=""):
    return "{ AccessModes = All; " + \
        (f"Password = {password}; " if password else "") + more + "}\n"


PASSWORDS = {
    "clear": f'"{PASSWORD}"',
    "ucrypt": '"\\002' + crypt.crypt(PASSWORD, "ab") + '"',
    "bsdmd5": '"\\002' + crypt.crypt(PASSWORD, "$1$abcdefgh$") + '"',
    "ssha": '"\\002{SHA}' + b64(hashlib.sha1(PASSWORD.encode()).digest()) +
            '"',
    "smd5": '"\\002{MD5}' + b64(hashlib.md5(PASSWORD.encode()).digest()) +
            '"',
    "acrpt": '"\\001aGVsbG8gd29ybGQ"',
}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def macnt(d, name, settings, boxes=(), info="{}\n"):
    a = d / f"{name}.macnt"
    write(a / "account.settings", settings)
    write(a / "account.info", info)
    write(a / "INBOX.mbox", "")
    for box, text in dict(boxes).items():
        write(a / f"{box}.mbox", text)
    return a


def make_base(base):
    """What another server would have left."""
    write(base / "Settings/Main.settings",
          "{ AccountCacheSize = 100; ChronosLogLevel = 3;\n"
          " DomainName = old.example; HideAccountUnknown = YES;\n"
          " LicenseAccepted = #T07-11-2011_16:53:05; }\n")
    write(base / "Settings/SMTP.settings",
          "{ MaxRecipients = 77; SomethingElse = (a, b); }\n")
    acc = base / "Accounts"
    for name, password in PASSWORDS.items():
        macnt(acc, name, account(password), {"INBOX": mbox("for " + name)})
    macnt(acc, "outside", account(PASSWORDS["clear"], "ExternalINBOX = YES;"))
    macnt(acc, "Mixed", account(PASSWORDS["clear"]), {
        "INBOX": mbox("one", "two", "three"),
        "plain": mbox("four", "five", comment=False),
        "Old.folder/deep": mbox("six", comment="short")})
    macnt(acc / "js.sub", "jsmith", account(PASSWORDS["clear"]),
          {"INBOX": mbox("in a sub")})
    write(acc / "solo.mbox", mbox("alone"))
    write(acc / "solo.settings", account(PASSWORDS["clear"]))
    write(acc / "solo.info", "{}\n")
    big = acc / "mixed2.macnt/Big.mdir"
    write(big / "0001-0000-1", "Subject: m\n\nm\n")
    write(big / "0004-RA-20010604102030-7", "Subject: n\n\nshared\n")
    write(big / "index.dat", "what it has besides\n")
    write(acc / "mixed2.macnt/account.settings", account(PASSWORDS["clear"]))
    write(acc / "mixed2.macnt/old.mslc/1", "x\n")
    # A single mailbox; a message that is shared (manual 23).
    write(acc / "Paula.settings", account(PASSWORDS["clear"]))
    write(acc / "Paula.info", "{}\n")
    write(acc / "Paula.mdir/0001-R-20010604102030", MESSAGE.format(*"pp"))
    os.link(big / "0004-RA-20010604102030-7",
            acc / "Paula.mdir/0003-D-20010604102031")
    macnt(acc, "postmaster", account(PASSWORDS["clear"]))
    write(acc / "Settings/Access.settings",
          "{ postmaster = (Master); }\n")
    write(acc / "Settings/Domain.settings", "{ MailToUnknown = Rejected; }\n")
    write(acc / "Settings/Template.settings", "{}\n")
    write(acc / "Settings/Aliases.data", "{ nick = mixed; }\n")
    write(acc / "Settings/Forwarders.data", '{ away = "bob@far.example"; }\n')
    write(acc / "Settings/Groups/all-hands.settings",
          "{ Members = (mixed, solo); }\n")
    other = base / "Domains/Other.Example"
    macnt(other, "kim", account(PASSWORDS["clear"]), {"INBOX": mbox("kim")})
    macnt(other, "lou", account(PASSWORDS["acrpt"]))
    macnt(other, "inside", account(PASSWORDS["clear"],
                                   "ExternalINBOX = YES;"))
    write(other / "Settings/Domain.settings",
          f"{{ ExternalLocation = \"{base.parent}/spool/*\"; }}\n")
    write(other / "Settings/Access.settings", "{ kim = (BasicSettings); }\n")
    # By hand: without what the vendor's server makes itself.
    macnt(base / "Domains/bare.example", "max", account(PASSWORDS["clear"]))
    macnt(base / "Domains/no domain", "nobody", account(PASSWORDS["clear"]))
    macnt(acc, "two words", account(PASSWORDS["clear"]))
    write(acc / "orphan.mbox", mbox("orphan"))
    write(base / "Queue/1001.msg",
          "P I 04-06-2001 10:20:30 0000 ____ ____ <a@far.example>\n"
          "O T\nS SMTP [192.0.2.1]\n"
          "R W 04-06-2001 10:20:30 0000 ____ _FY_ <mixed@old.example>\n\n" +
          MESSAGE.format("queued", "queued"))
    write(base / "Queue/57/1002.msg",
          "P I 04-06-2001 10:20:31 0000 ____ ____ <a@far.example>\n"
          "S SMTP [192.0.2.1]\n"
          "R D 04-06-2001 10:20:31 0001 ____ _FY_ <clear@old.example>\n"
          "R W 04-06-2001 10:20:31 0000 ____ _FY_ <kim@other.example>\n\n" +
          MESSAGE.format("folded", "folded"))
    write(base / "Submitted/1.sub", "From: mixed@old.example\n"
          "To: solo@old.example\nSubject: submitted\n\nSubmitted.\n")
    write(base / "SystemLogs/2001-06-04.log", "an old line\n")
    write(base / "Directory/Local.data", "x\n")


def plant(base, outside):
    """What nobody may be led astray by."""
    (base / "Accounts/clear.macnt/evil.mbox").symlink_to(outside / "file")
    (base / "Accounts/linked.macnt").symlink_to(outside / "dir")
    (base / "Queue/9.msg").symlink_to(outside / "file")
    os.link(outside / "file", base / "Accounts/clear.macnt/hard.mbox")
    if ROOT:                    # all files are one user's else
        os.link(outside / "file",
                base / "Accounts/mixed2.macnt/Big.mdir/7-R-20010604102032")
    os.mkfifo(base / "Accounts/clear.macnt/fifo.mbox")
    macnt(base / "Accounts", "broken", "{ this is no dictionary\n")


class Run:
    def __init__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="cg-adopt-"))
        self.top.chmod(0o755)
        self.base = self.top / "base"
        self.base.mkdir()
        self.conf = self.top / "cgserver.conf"
        lines = [f"base {self.base}", f"libexec {OBJ}",
                 f"tls {self.top}/key.pem {self.top}/cert.pem",
                 f"password-key {self.top}/password.key",
                 f"external-inboxes {self.top}/spool"]
        lines += [f"listen {m} 127.0.0.1:auto"
                  for m in ("SMTP", "POP", "IMAP", "PWD")]
        lines += [f"user {u} {n}" for u, n in UID.items()]
        self.conf.write_text("\n".join(lines) + "\n")
        self.server = None

    def adopt(self, **kw):
        return subprocess.run([OBJ / "cgserver", "-f", self.conf, "--adopt"],
                              capture_output=True, text=True,
                              timeout=PATIENCE, **kw)

    def start(self):
        self.server = subprocess.Popen([OBJ / "cgserver", "-f", self.conf])
        wait_for("the suite", lambda: (self.base / "Ports").exists() or
                 self.server.poll() is not None)
        assert self.server.poll() is None, "it did not start"
        import re
        text = (self.base / "Ports").read_text()
        self.ports = {m: int(re.search(
            m + r"\s*=\s*\(\s*\{[^}]*?PortNumber\s*=\s*(\d+)", text)[1])
            for m in ("SMTP", "POP", "IMAP", "PWD")}

    def stop(self):
        if self.server:
            self.server.terminate()
            assert self.server.wait(PATIENCE) == 0
            self.server = None

    def ctl(self, *args):
        p = subprocess.run([OBJ / "cgctl", "-f", self.conf, *args],
                           capture_output=True, text=True, timeout=PATIENCE)
        assert p.returncode == 0, (args, p)
        return p.stdout

    def pop(self, name, password=PASSWORD):
        """All messages' subjects, or the error."""
        p = poplib.POP3("127.0.0.1", self.ports["POP"], PATIENCE)
        try:
            p.user(name)
            p.pass_(password)
            found = []
            for i in range(1, p.stat()[0] + 1):
                found += [t.decode()[9:] for t in p.retr(i)[1]
                          if t.startswith(b"Subject: ")]
            p.quit()
            return found
        except poplib.error_proto as e:
            p.close()
            return str(e)

    def imap(self, name, box):
        m = imaplib.IMAP4("127.0.0.1", self.ports["IMAP"])
        m.login(name, PASSWORD)
        ok, n = m.select(f'"{box}"')
        assert ok == "OK", (box, n)
        texts = []
        for i in range(1, int(n[0]) + 1):
            texts.append(m.fetch(str(i), "(BODY.PEEK[TEXT])")[1][0][1])
        m.logout()
        return [t.decode().strip() for t in texts]


def tree(base):
    """{path: (type, owner, group, mode, contents)}, links not followed."""
    found = {}
    for d, dirs, files in os.walk(base):
        for n in dirs + files:
            p = pathlib.Path(d, n)
            st = p.lstat()
            found[str(p.relative_to(base))] = (
                stat.S_IFMT(st.st_mode), st.st_uid, st.st_gid,
                stat.S_IMODE(st.st_mode),
                p.read_bytes() if stat.S_ISREG(st.st_mode) else None)
    return found


def refusals(r):
    """Without it nothing starts; with somebody running it does nothing."""
    p = subprocess.run([OBJ / "cgserver", "-f", r.conf], capture_output=True,
                       text=True, timeout=PATIENCE)
    assert p.returncode == 1 and "--adopt" in p.stderr, p
    before = tree(r.base)
    (r.base / "ProcessID").write_text(f"{os.getpid()}\n")
    p = r.adopt()
    assert p.returncode == 1 and "stop that server" in p.stderr, p
    (r.base / "ProcessID").unlink()
    assert tree(r.base) == before
    queue = r.base / "Queue"
    queue.rename(r.top / "Queue")
    queue.symlink_to(r.top / "Queue")
    p = r.adopt()
    assert p.returncode == 1 and "is no directory" in p.stderr, p
    queue.unlink()
    (r.top / "Queue").rename(queue)


def broken_off(r):
    """Killed at some moments: not marked, and nothing is lost."""
    for ms in (1, 3, 6, 10):
        p = subprocess.Popen([OBJ / "cgserver", "-f", r.conf, "--adopt"],
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(ms / 1000)
        p.send_signal(signal.SIGKILL)
        p.wait()


def contents(t):
    new = {"paula." + end: "paula.mdir/account." + end
           for end in ("settings", "info")}
    return sorted(("/".join(new.get(n, n) for n in k.lower().split("/")), v[4])
                  for k, v in t.items()
                  if v[4] is not None and not k.startswith(
                      (".cgate", ".lock", "ProcessID")))


def adopted(r, outside):
    was = contents(tree(r.base))
    guard = tree(outside)
    broken_off(r)
    fifo = r.base / "Domains/bare.example/Settings/Domain.settings"
    fifo.parent.mkdir(exist_ok=True)
    os.mkfifo(fifo)
    p = r.adopt()
    assert p.returncode == 0, p
    fifo.unlink()
    for said in ("acrpt@old.example", "lou@other.example",
                 "clear.macnt/evil.mbox: a symbolic link",
                 "linked.macnt: a symbolic link",
                 "Queue/9.msg: a symbolic link",
                 "clear.macnt/hard.mbox: a file with several names",
                 "clear.macnt/fifo.mbox: neither",
                 "Settings/Domain.settings: neither",
                 "outside.macnt/account.settings: its INBOX lies elsewhere",
                 "broken.macnt/account.settings",
                 "mixed2.macnt/old.mslc: kept, but",
                 *["Big.mdir/7-R-20010604102032: a file that has names"] * ROOT,
                 "Accounts/two words.macnt: not an account's name",
                 "Domains/no domain: not a domain's name",
                 "Accounts/orphan.mbox: it has no settings",
                 "\tDirectory: not used"):
        assert said in p.stdout, (said, p.stdout)
    for n in ("clear", "ucrypt", "bsdmd5", "ssha", "smd5"):
        assert n + "@" not in p.stdout, p.stdout
    assert "inside.macnt" not in p.stdout, p.stdout
    assert tree(outside) == guard, "something outside was changed"
    now = tree(r.base)
    assert contents(now) == was, "contents were changed"
    if ROOT:
        owners(now)
    # Once more changes nothing.
    assert r.adopt().returncode == 0
    assert tree(r.base) == now


def owners(t):
    def check(path, user, group, mode):
        kind, uid, gid, is_mode, _ = t[path]
        assert (uid, gid, is_mode) == (UID[user], UID[group], mode), \
            (path, t[path][:4])
    check("Settings", "_cgroute", "_cgroute", 0o700)
    check("Settings/Main.settings", "_cgroute", "_cgroute", 0o600)
    check("Queue/57/1002.msg", "_cgqueue", "_cgqueue", 0o600)
    check("Accounts", "_cgroute", "_cgmail", 0o3771)
    check("Accounts/Settings", "_cgroute", "_cgauth", 0o1770)
    check("Accounts/Settings/Access.settings", "_cgauth", "_cgauth", 0o600)
    check("Accounts/Settings/Aliases.data", "_cgroute", "_cgroute", 0o600)
    check("Accounts/mixed.macnt", "_cgauth", "_cgmail", 0o1770)
    check("Accounts/mixed.macnt/account.settings", "_cgauth", "_cgauth",
          0o600)
    check("Accounts/mixed.macnt/INBOX.mbox", "_cgmail", "_cgmail", 0o600)
    check("Accounts/mixed.macnt/Old.folder", "_cgmail", "_cgmail", 0o700)
    check("Accounts/solo.mbox", "_cgmail", "_cgmail", 0o600)
    check("Accounts/solo.settings", "_cgauth", "_cgauth", 0o600)
    check("Accounts/paula.mdir", "_cgauth", "_cgmail", 0o1770)
    check("Accounts/paula.mdir/account.settings", "_cgauth", "_cgauth",
          0o600)
    check("Accounts/paula.mdir/account.info", "_cgmail", "_cgmail", 0o600)
    check("Accounts/paula.mdir/0003-D-20010604102031", "_cgmail", "_cgmail",
          0o400)
    check("Domains", "_cgroute", "_cgmail", 0o2751)
    check("Domains/other.example", "_cgroute", "_cgmail", 0o3771)
    check("SystemLogs/2001-06-04.log", "_cglog", "_cglog", 0o640)


def served(r):
    """All of it is there for the users."""
    wait_for("the queue", lambda: not list((r.base / "Queue").rglob("100*")))
    for n in ("clear", "ucrypt", "bsdmd5", "ssha", "smd5"):
        assert r.pop(n) == ["for " + n], (n, r.pop(n))
    assert "incorrect" in r.pop("acrpt")
    assert r.pop("clear", "wrong") != r.pop("clear")
    assert r.pop("mixed") == ["one", "two", "three", "queued"]
    assert r.pop("nick") == ["one", "two", "three", "queued"]
    assert r.imap("mixed", "plain") == ["This is four.", "This is five."]
    assert r.imap("mixed", "Old/deep") == ["This is six."]
    assert r.pop("jsmith") == ["in a sub"]
    assert r.imap("mixed2", "Big") == ["m", "shared"]
    assert r.pop("paula") == ["p", "n"]
    r.ctl("RenameAccount", "paula", "INTO", "paul")
    assert r.pop("paul") == ["p", "n"]
    r.ctl("DeleteAccount", "paul")
    assert r.imap("mixed2", "Big") == ["m", "shared"]
    wait_for("what was submitted", lambda: r.pop("solo") ==
             ["alone", "submitted"])
    assert r.pop("kim@other.example") == ["kim", "folded"]
    listed = r.ctl("ListUnreadablePasswords")
    assert "acrpt" in listed and "clear" not in listed
    r.ctl("SetAccountPassword", "acrpt", "PASSWORD", PASSWORD)
    assert r.pop("acrpt") == ["for acrpt"]
    assert "away" in r.ctl("ListForwarders")
    assert "all-hands" in r.ctl("ListGroups")
    assert "77" in r.ctl("GetModule", "SMTP")
    # Rights of theirs hold, and new things can be made.
    assert "BasicSettings" in r.ctl("GetAccountRights", "kim@other.example")
    r.ctl("SetAccountRights", "max@bare.example", "(BasicSettings)")
    r.ctl("CreateForwarder", "out@bare.example", "TO", "x@far.example")
    assert r.pop("max@bare.example") == []
    r.ctl("CreateAccount", "fresh", f'{{Password="{PASSWORD}";}}')
    assert r.pop("fresh") == []
    r.ctl("RenameAccount", "mixed", "INTO", "moved")
    assert len(r.pop("moved")) == 4


def main():
    r = Run()
    outside = r.top / "outside"
    (outside / "dir").mkdir(parents=True)
    (outside / "file").write_text("somebody else's\n")
    (outside / "file").chmod(0o600)
    try:
        make_base(r.base)
        plant(r.base, outside)
        refusals(r)
        adopted(r, outside)
        r.start()
        p = r.adopt()
        assert p.returncode == 1 and "runs" in p.stderr, p
        served(r)
        r.stop()
    finally:
        if r.server:
            r.server.kill()
            r.server.wait()
            time.sleep(1)
        if os.environ.get("CG_KEEP") == "1":
            print("kept", r.top)
        else:
            shutil.rmtree(r.top, ignore_errors=True)


main()
