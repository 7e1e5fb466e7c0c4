#!/usr/bin/env python3
# suite: own
"""What a worker that was taken over might leave in its account's directory:
symbolic links, FIFOs, hard links, directories, sockets, giant sparse files,
where the broker, delivery and authd will reach.  Nobody else's mail is touched
or shown, nobody hangs, dies or grows, the account's own mail waits, and comes
when the thing is gone."""
import os
import pathlib
import poplib
import smtplib
import socket
import stat
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (PASSWORD, Suite, kill, sanitized,  # noqa: E402
                    wait_for)

ROOT = os.geteuid() == 0
BENS = "ben's own"              # password
SECRET = "for the victim's eyes only"
GIANT = 1 << 40
GROWTH = 64 << 10               # KiB that a daemon may have more
if sanitized():
    GROWTH *= 8
SOON = 60                       # seconds: machines are slow and noisy
CONF = """settings Queue { RetryEvery = 1s; }
settings POP { LogLevel = 5; }
"""


# --- what is planted: each gets the path, and the victim's file ---

def symlink(path, victim):
    os.symlink(os.path.relpath(victim, path.parent), path)


def absolute(path, victim):
    os.symlink("/Accounts/" + "/".join(victim.parts[-2:]) if ROOT else victim,
               path)


def dangling(path, victim):
    os.symlink(os.path.join("..", victim.parts[-2], "made.mbox"), path)


def fifo(path, victim):
    os.mkfifo(path, 0o600)


def hard_link(path, victim):
    os.link(victim, path)


def directory(path, victim):
    path.mkdir(0o700)


def unix_socket(path, victim):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    path.chmod(0o600)


def device(path, victim):
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero


def giant(path, victim):
    with open(path, "wb") as f:
        f.truncate(GIANT)
    path.chmod(0o600)


LINKS = [symlink, absolute, dangling, hard_link]
THINGS = [fifo, directory, unix_socket, giant] + ([device] if ROOT else [])
FILES = ["INBOX.mbox", "INBOX.mbox.idx", "account.info", "account.settings",
         "Other.mbox"]


class Case:
    """One thing at one place, in an account of its own."""

    def __init__(self, suite, number, file, plant):
        self.s = suite
        self.account = f"p{number}"
        self.file, self.plant_it = file, plant
        self.saved = None

    def __str__(self):
        return f"{self.plant_it.__name__} for {self.file} ({self.account})"

    def victim(self):
        # only this one's file gets a second name: that is trouble of its own
        who = "hal" if self.plant_it is hard_link else "ben"
        d = self.s.box(who).parent
        return d / ("INBOX.mbox" if self.file == "Other.mbox" else self.file)

    def path(self):
        return self.s.box(self.account).parent / self.file

    def plant(self):
        path = self.path()
        if path.exists():
            self.saved = pathlib.Path(self.s.env["CG_CONF"]).parent / \
                f"saved.{self.account}"
            os.rename(path, self.saved)
        self.plant_it(path, self.victim())
        if ROOT and not path.is_symlink() and self.plant_it is not hard_link:
            st = path.parent.stat()
            os.chown(path, st.st_gid, st.st_gid)    # _cgmail: like a worker

    def remove(self):
        path = self.path()
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path.is_symlink() or path.exists():
            path.unlink()
        if self.saved:
            os.rename(self.saved, path)


def cases(s):
    found = []
    for file in FILES:
        for plant in LINKS + THINGS:
            found.append(Case(s, len(found), file, plant))
    return found


# --- what is looked at ---

def send(s, accounts, subject, body="Nothing to see.\r\n"):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        refused = c.sendmail("", [s.address(a) for a in accounts],
                             f"Subject: {subject}\r\n\r\n{body}")
        assert not refused, refused


def has(s, account, subject):
    return sum(f"Subject: {subject}\n".encode() in m
               for _, m in s.mail(account))


def resident(s):
    found = {}
    for pid, name in s.children().items():
        if name == "stored-worker":
            continue                        # each is its own user's
        for line in pathlib.Path(f"/proc/{pid}/status").read_text() \
                .split("\n"):
            if line.startswith("VmRSS"):
                found[pid, name] = int(line.split()[1])
    return found


def state(s, account):
    """Names, modes, owners and bytes; other names of a file are known of."""
    d = s.box(account).parent
    return sorted((f.name, f.lstat().st_mode, f.lstat().st_uid,
                   f.read_bytes() if f.name in ("INBOX.mbox",
                                                "account.settings") else b"")
                  for f in d.iterdir())


def read(s, name, password=PASSWORD):
    """All that POP gives: text, or None with an error or no answer."""
    c = None
    try:
        c = poplib.POP3("127.0.0.1", s.pop, timeout=60)
        c.user(name)
        c.pass_(password)
        text = b""
        for n in range(1, c.stat()[0] + 1):
            text += b"\n".join(c.retr(n)[1])
        c.quit()
        return text
    except (poplib.error_proto, OSError) as e:
        if c:
            c.close()
        return e


def quick(what, test, *args):
    begin = time.monotonic()
    value = test(*args)
    took = time.monotonic() - begin
    assert took < SOON, f"{what} took {took:.1f} s"
    return value


def bystander(s, number, password=PASSWORD):
    """Ben has his mail in time, whatever lies about in other accounts."""
    send(s, ["ben"], f"ben {number}", SECRET)
    quick("a delivery to ben", wait_for, "ben's mail",
          lambda: has(s, "ben", f"ben {number}"))
    text = quick("ben's session", read, s, "ben", password)
    assert isinstance(text, bytes) and f"ben {number}".encode() in text, text
    assert not has(s, "ben", "during"), "ben has somebody else's mail"


def hidden(case, text):
    assert not isinstance(text, bytes) or SECRET.encode() not in text, \
        f"{case}: a victim's mail is shown"


def look(s, c):
    """By POP: other files may be in order, or not; a mailbox cannot."""
    if c.file.endswith(".mbox") and c.plant_it is giant:
        assert c.path().stat().st_size == GIANT, f"{c}: written to"
        return              # a worker reads it all, and hurts itself alone
    name = ("Other#" if c.file == "Other.mbox" else "") + c.account
    text = quick(f"a session beside {c}", read, s, name)
    hidden(c, text)
    if c.file.endswith(".mbox"):
        assert isinstance(text, poplib.error_proto), f"{c}: {text}"
        assert not has_been_replaced(c), f"{c}: replaced"


def has_been_replaced(c):
    p = c.path()
    return c.plant_it is not hard_link and not p.is_symlink() and p.is_file()


def alive(s, before):
    now = resident(s)
    for who, size in before.items():
        assert who in now, f"{who} is gone"
        assert now[who] - size < GROWTH, \
            f"{who} grew from {size} to {now[who]} KiB"


def mail_files(s, many):
    victims = {v: state(s, v) for v in ("hal", "eve")}
    before = resident(s)
    print("in the mail's way", flush=True)
    for c in many:
        c.plant()
    send(s, [c.account for c in many], "during")
    bystander(s, 2)
    for c in many:
        look(s, c)
    bystander(s, 3)
    alive(s, before)
    for v, was in victims.items():
        assert state(s, v) == was, f"{v}'s files are not as they were"
    names = os.listdir(s.box("ben").parent)
    assert "made.mbox" not in names, names
    for c in many:
        c.remove()
    for c in many:
        wait_for(f"the mail after {c}", lambda: has(s, c.account, "during"))
        text = wait_for("the session", lambda: ok(read(s, c.account)))
        for subject in (b"before", b"during"):
            assert text.count(b"Subject: " + subject) == 1, f"{c}: {text}"
        hidden(c, text)
    bystander(s, 4)
    alive(s, before)


def ok(text):
    return text if isinstance(text, bytes) else None


def restart_authd(s):
    """It believes what it has read: it is the only one to write it."""
    old = [p for p, n in s.children().items() if n == "authd"][0]
    kill(old)
    wait_for("another authd", lambda: any(
        n == "authd" and p != old for p, n in s.children().items()))
    wait_for("logins", lambda: ok(read(s, "ben", BENS)))


def settings_files(s, many):
    """authd's own file, as somebody with its rights may have left it."""
    print("in the way of settings", flush=True)
    for c in many:
        c.plant()
    restart_authd(s)
    before = resident(s)
    for c in many:
        for password in (PASSWORD, BENS, ""):
            r = quick(str(c), read, s, c.account, password)
            assert isinstance(r, poplib.error_proto), f"{c}: {r}"
    assert isinstance(read(s, "ben", BENS), bytes)
    alive(s, before)
    for c in many:
        c.remove()
    restart_authd(s)
    for c in many:
        assert ok(read(s, c.account)), c


def whole_account(s):
    """A directory that is another's, by a link with the account's name."""
    print("in place of an account", flush=True)
    d = s.box("eve").parent
    away = pathlib.Path(s.env["CG_CONF"]).parent / "saved.eve"
    os.rename(d, away)
    os.symlink("ben.macnt", d)
    send(s, ["eve"], "during")
    restart_authd(s)
    for password in (PASSWORD, BENS):
        r = read(s, "eve", password)
        assert isinstance(r, poplib.error_proto), r
    bystander(s, 5, BENS)
    d.unlink()
    os.rename(away, d)
    restart_authd(s)
    wait_for("eve's mail", lambda: has(s, "eve", "during"))
    assert not has(s, "ben", "during")


def main():
    with Suite(accounts=["ben", "hal", "eve"], conf=CONF) as s:
        all_cases = cases(s)
        cli = s.cli()
        for c in all_cases:
            cli.ask(f'CreateAccount {c.account} {{Password="{PASSWORD}";}}')
        names = [c.account for c in all_cases]
        for i in range(0, len(names), 20):
            send(s, names[i:i + 20], "before")
        send(s, ["ben", "hal", "eve"], "secret", SECRET)
        for name in names:
            wait_for(f"the first mail of {name}",
                     lambda: has(s, name, "before"))
        bystander(s, 1)
        wait_for("hal's mail", lambda: has(s, "hal", "secret"))
        mail_files(s, [c for c in all_cases if c.file != "account.settings"])
        cli.ask(f'SetAccountPassword ben TO "{BENS}"')
        cli.close()
        settings_files(s, [c for c in all_cases
                           if c.file == "account.settings"])
        whole_account(s)


main()
