#!/usr/bin/env python3
# suite: own
"""INBOXes that lie elsewhere (manual 18, 35): files in a directory that the
mailers of the system read and write, too.  Who may have accounts with such an
INBOX, what is refused in its place, and that mail comes and goes there by
all ways at once, under either kind of lock, with nothing lost."""
import contextlib
import fcntl
import imaplib
import mailbox
import os
import pathlib
import pty
import pwd
import re
import select
import shutil
import stat
import sys
import tempfile
import threading
import time
import traceback
from poplib import POP3
from smtplib import SMTP

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Cli, Suite, kill, wait_for  # noqa: E402

ROOT = os.geteuid() == 0
LOCKS = {"FileLevel": fcntl.flock, "RangeLevel": fcntl.lockf}
ours = threading.Lock()         # lockf() does not part a process's threads


def make_spool():
    """As /var/mail is: everybody's group may make files."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="cg-spool-"))
    if ROOT:
        os.chown(d, 0, pwd.getpwnam("mail").pw_gid)
    d.chmod(0o2775)
    return d


class World:
    def __init__(self, suite, spool, other):
        self.s, self.spool, self.other = suite, spool, other
        self.login()

    def login(self):
        self.cli = self.s.cli()
        self.cli.ask("INLINE")

    def refused(self, line, *words, cli=None):
        answer = (cli or self.cli).send(line)
        assert answer[:3] in ("500", "501"), f"{line}: {answer}"
        for w in words:
            assert w in answer, f"{line}: no '{w}' in: {answer}"

    def create(self, name, more=""):
        self.cli.ask(f'CreateAccount {name} external '
                     f'{{Password="{PASSWORD}";{more}}}')
        return self.spool / name.split("@")[0]

    def send(self, name, subject, text="text"):
        with SMTP("127.0.0.1", self.s.smtp_port(), timeout=60) as c:
            c.sendmail("", [name if "@" in name else self.s.address(name)],
                       f"Subject: {subject}\r\n\r\n{text}\r\n")

    def imap(self, name):
        c = imaplib.IMAP4("127.0.0.1", self.port("IMAP"))
        c.login(name, PASSWORD)
        c.known = int(ok(c.select())[0])
        c.untagged_responses.clear()
        return c

    def pop(self, name):
        c = POP3("127.0.0.1", self.port("POP"), timeout=60)
        c.user(name)
        c.pass_(PASSWORD)
        return c

    def port(self, module):
        return {"IMAP": self.s.imap, "POP": self.s.pop}[module]


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def subjects(path):
    """What Python's reader of mailboxes sees, which knows nothing of us."""
    box = mailbox.mbox(path, create=False)
    try:
        return [m["Subject"] for m in box]
    finally:
        box.close()


def has(path, *wanted):
    wait_for(f"{wanted} in {path}", lambda: subjects(path) == list(wanted))


@contextlib.contextmanager
def locked(path, how="FileLevel"):
    """As a mailer of the system does it."""
    with ours, open(path, "r+b" if path.exists() else "w+b") as f:
        LOCKS[how](f, fcntl.LOCK_EX)
        yield f
        f.flush()
        os.fsync(f.fileno())


def foreign(path, subject, how="FileLevel"):
    """Mail that another program delivers, the plain old way."""
    with locked(path, how) as f:
        f.seek(0, 2)
        f.write(b"From someone@far.example Sat Nov 21 10:20:30 2026\n"
                b"From: someone@far.example\nSubject: " + subject.encode() +
                b"\n\nfrom outside\n\n")


# --- who may, and what is refused ---

def settings(w):
    """The domain's settings, and who may change them."""
    cli, d = w.cli, w.s.domain
    w.refused("CreateAccount games external", "ExternalLocation")
    for bad in ("relative/*", f"{w.spool}/", f"{w.spool}/x", f"{w.spool}/*/x",
                f"{w.spool}/**", f"{w.spool}/../*", f"{w.spool}/.*"):
        w.refused(f'UpdateDomainSettings {d} {{ExternalLocation="{bad}";}}',
                  "ExternalLocation")
    w.refused(f"UpdateDomainSettings {d} {{ExternalLockType=None;}}",
              "ExternalLockType")
    cli.ask(f'UpdateDomainSettings {d} {{ExternalLocation="{w.other}/*";}}')
    w.refused("CreateAccount games external", "external-inboxes")
    cli.ask(f'UpdateDomainSettings {d} {{ExternalLocation="{w.spool}/*";}}')
    for kind in "TextMailbox", "MailDirMailbox":
        w.refused(f"CreateAccount games {kind} external", "MultiMailbox")
    assert not list(w.other.iterdir()), "a file outside of the list"
    assert not list(w.spool.iterdir()), "a file for no account"


def in_its_place(w):
    """What is not the plain file of its user is neither opened nor changed."""
    outside = w.other / "secret"
    outside.write_text("a secret\n")
    me = (lambda p: os.chown(p, pwd.getpwnam("games").pw_uid, -1)) if ROOT \
        else (lambda p: None)
    me(outside)
    place = w.spool / "games"
    kinds = {
        "symbolic link": lambda: place.symlink_to(outside),
        "several names": lambda: os.link(outside, place),
        "directory": lambda: place.mkdir(),
        "no plain file": lambda: os.mkfifo(place),
    }
    if ROOT:
        kinds["root owns"] = lambda: place.write_text("root's\n")
        kinds["another user"] = lambda: (
            place.write_text("x\n"),
            os.chown(place, pwd.getpwnam("news").pw_uid, -1))
    for what, plant in kinds.items():
        plant()
        before = os.lstat(place)
        w.refused("CreateAccount games external", what, str(place))
        after = os.lstat(place)
        assert (before.st_ino, before.st_mode, before.st_uid,
                before.st_mtime_ns) == (after.st_ino, after.st_mode,
                                        after.st_uid, after.st_mtime_ns), what
        place.rmdir() if place.is_dir() else place.unlink()
    w.refused("GetAccountSettings games")
    if ROOT:
        w.refused("CreateAccount root external", "root's")
        w.refused("CreateAccount nosuchuserhere external", "no user")
    assert outside.read_text() == "a secret\n"
    assert not list(w.spool.iterdir()), list(w.spool.iterdir())
    outside.unlink()


def administrators(w):
    """A domain's administrator makes no account that reads any user's mail."""
    d, cli = w.s.domain, w.cli
    cli.ask("CreateDomain sub.example")
    cli.ask(f'UpdateDomainSettings sub.example '
            f'{{ExternalLocation="{w.spool}/*";}}')
    cli.ask(f'CreateAccount boss@sub.example {{Password="{PASSWORD}";'
            'ExternalINBOX=NO;}')
    cli.ask("SetAccountRights boss@sub.example (BasicSettings,"
            "CanCreateAccounts,CanCreateSpecialAccounts,DefaultMailboxType)")
    boss = Cli(w.s.env["CG_PWD"], "boss@sub.example", PASSWORD)
    w.refused("CreateAccount list external", "right", cli=boss)
    boss.ask("CreateAccount list {ExternalINBOX=YES;}")
    assert "ExternalINBOX" not in cli.ask(
        "GetAccountSettings list@sub.example")
    boss.ask("DeleteAccount list")
    boss.send('UpdateDomainSettings sub.example '
              f'{{ExternalLocation="{w.other}/*";ExternalLockType=RangeLevel;'
              '}')
    said = cli.ask("GetDomainSettings sub.example")
    assert str(w.other) not in said and "RangeLevel" not in said, said
    boss.send("UpdateAccountDefaults sub.example {ExternalINBOX=YES;}")
    boss.send("UpdateAccountTemplate sub.example {ExternalINBOX=YES;}")
    boss.ask("CreateAccount list")
    assert "ExternalINBOX" not in cli.ask(
        "GetAccountSettings list@sub.example")
    # Where it is a default of his masters', he makes those that have it not.
    cli.ask("UpdateAccountDefaults sub.example {ExternalINBOX=YES;}")
    w.refused("CreateAccount irc", "right", cli=boss)
    w.refused('ImportAccounts * DATA "Name\\eirc"', "right", cli=boss)
    for kind in "MultiMailbox", "TextMailbox":
        boss.ask(f"CreateAccount irc {kind} {{ExternalINBOX=NO;}}")
        assert "ExternalINBOX=NO" in cli.ask(
            "GetAccountSettings irc@sub.example")
        boss.ask("DeleteAccount irc")
    cli.ask("UpdateAccountDefaults sub.example {ExternalINBOX=default;}")
    w.refused('ImportAccounts * external DATA "Name\\eirc"', "right",
              cli=boss)
    cli.ask("DeleteAccount list@sub.example")
    assert not list(w.spool.iterdir()), list(w.spool.iterdir())
    boss.close()


# --- mail there ---

def made(w):
    """A file of the user's, as other mailers would make it."""
    place = w.create("games")
    st = place.lstat()
    assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o660, st
    if ROOT:
        assert st.st_uid == pwd.getpwnam("games").pw_uid, st
        assert st.st_gid == pwd.getpwnam("mail").pw_gid, st
    said = w.cli.ask("GetAccountSettings games")
    assert "ExternalINBOX=YES" in said, said
    inside = pathlib.Path(w.s.base, "Accounts/games.macnt")
    assert not (inside / "INBOX.mbox").exists(), "there are two"
    # One that is there keeps what it has.
    foreign(w.spool / "news", "was there")
    if ROOT:
        os.chown(w.spool / "news", pwd.getpwnam("news").pw_uid, -1)
    w.create("news")
    with w.imap("news") as c:
        assert ok(c.search(None, "SUBJECT", '"was there"')) == [b"1"]
    has(w.spool / "news", "was there")


def delivered(w):
    """Mail comes, others read it; what clients see and do is in the file."""
    place = w.spool / "games"
    for n in range(3):
        w.send("games", f"mail {n}", f"From here {n}\r\nto there")
        has(place, *(f"mail {i}" for i in range(n + 1)))
    box = mailbox.mbox(place, create=False)
    assert "From here 0" in box[0].get_payload()
    box.close()
    p = w.pop("games")
    assert p.stat()[0] == 3
    assert b"Subject: mail 1" in p.retr(2)[1]
    p.dele(2)
    p.quit()
    has(place, "mail 0", "mail 2")
    c = w.imap("games")
    remove(c, 1)
    has(place, "mail 2")
    c.append("INBOX", None, None, b"Subject: mine\r\n\r\nown\r\n")
    has(place, "mail 2", "mine")
    ok(c.create("other"))
    ok(c.copy("1:2", "other"))
    assert ok(c.select("other")) == [b"2"]
    c.logout()


def idle(w):
    """Who waits for mail hears of what another program brings."""
    c = w.imap("games")
    n = c.known
    c.send(b"i IDLE\r\n")
    assert c.readline().startswith(b"+")
    for _ in range(2):
        n += 1
        foreign(w.spool / "games", f"for idlers {n}")
        wait_line(c, f"* {n} EXISTS\r\n".encode())
    c.send(b"DONE\r\n")
    wait_line(c, b"i OK")
    ok(c.store(f"1:{n}", "+FLAGS", r"(\Deleted)"))
    ok(c.expunge())
    c.logout()


def wait_line(c, begin):
    c.sock.settimeout(60)
    while not c.readline().startswith(begin):
        pass


def one_place(w):
    """Two accounts, one file: each sees what the other gets and removes."""
    cli = w.cli
    place = w.create("list")
    w.create("list@sub.example")
    both = [w.imap("list"), w.imap("list@sub.example")]
    w.send("list", "first")
    has(place, "first")
    w.send("list@sub.example", "second")
    has(place, "first", "second")
    for c in both:
        sees(c, 2)
    remove(both[0], 1)
    has(place, "second")
    sees(both[1], 1)
    for c in both:
        c.logout()
    cli.ask("DeleteAccount list@sub.example")
    assert subjects(place) == ["second"]


def remove(c, n):
    ok(c.store(str(n), "+FLAGS", r"(\Deleted)"))
    c.known -= len(ok(c.expunge()))


def sees(c, n):
    """So many messages, once it has heard what has happened."""
    def looks():
        ok(c.noop())
        for answer in c.untagged_responses.pop("EXPUNGE", []):
            c.known -= 1
        for answer in c.untagged_responses.pop("EXISTS", []):
            c.known = int(answer)
        return c.known == n
    wait_for(f"{n} messages", looks)


def become(user):
    os.umask(0o07)
    if ROOT:
        os.setgroups([])
        os.setgid(pwd.getpwnam("mail").pw_gid)
        os.setuid(pwd.getpwnam(user).pw_uid)


def by_user(user, mailer, *args):
    """A mailer of the system, run as its user."""
    pid = os.fork()
    if pid == 0:
        try:
            become(user)
            mailer(*args)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0, mailer


def replaces(place):
    """Some put another file in its place."""
    b = mailbox.mbox(place, create=False)
    b.lock()
    b.remove(b.keys()[0])
    b.flush()
    b.unlock()


def in_place(place, how):
    """Others make it shorter where it is, under the lock that is wanted."""
    with locked(place, how) as f:
        text = f.read()
        f.seek(0)
        f.write(text[text.index(b"\nFrom ") + 1:])
        f.truncate()


def mailers(w, how):
    """What mailers of the system do under that lock is seen at once."""
    cli, user = w.cli, "backup"
    cli.ask(f"UpdateDomainSettings {w.s.domain} {{ExternalLockType={how};}}")
    place = w.create(user)
    c = w.imap(user)
    sees(c, 0)
    for n in range(4):
        w.send(user, f"mail {n}")
        has(place, *(f"mail {i}" for i in range(n + 1)))
    sees(c, 4)
    uids = ok(c.uid("SEARCH", "ALL"))[0].split()
    by_user(user, in_place, place, how)
    assert subjects(place) == ["mail 1", "mail 2", "mail 3"]
    sees(c, 3)
    assert ok(c.uid("SEARCH", "ALL"))[0].split() == uids[1:]
    foreign(place, "foreign", how)
    sees(c, 4)
    assert ok(c.search(None, "SUBJECT", "foreign")) == [b"4"]
    remove(c, 2)
    assert subjects(place) == ["mail 1", "mail 3", "foreign"]
    # Each keeps off the other; a lock of the other kind is nobody's.
    other = next(k for k in LOCKS if k != how)
    with locked(place, other):
        w.send(user, "passes")
        has(place, "mail 1", "mail 3", "foreign", "passes")
    if how == "RangeLevel":
        c = replaced(w, c, place, user)
        mutt(w, c, place, user)
    c.logout()
    cli.ask(f"DeleteAccount {user}")
    kept = subjects(place)
    assert kept, "removing the account has removed its mail"
    cli.ask(f"UpdateDomainSettings {w.s.domain} {{ExternalLockType=default;}}")
    w.create(user)
    with w.imap(user) as c:
        assert ok(c.search(None, "ALL"))[0].split() == \
            [b"%d" % (i + 1) for i in range(len(kept))]
    cli.ask(f"DeleteAccount {user}")
    place.unlink()


def replaced(w, c, place, user):
    """Another file has its name: who had the old one open starts again."""
    by_user(user, replaces, place)
    has(place, "mail 3", "foreign", "passes")
    w.send(user, "to the new one")
    has(place, "mail 3", "foreign", "passes", "to the new one")
    try:
        sees(c, 4)
    except (imaplib.IMAP4.abort, OSError):
        c = w.imap(user)
        assert c.known == 4
    return c


def mutt(w, c, place, user):
    """The real thing, where it is installed."""
    if not shutil.which("mutt"):
        return
    pid, fd = pty.fork()
    if pid == 0:
        become(user)
        os.environ.update(TERM="vt100", HOME="/nonexistent", LANG="C")
        os.execlp("mutt", "mutt", "-n", "-F", "/dev/null", "-f", str(place),
                  "-e", "set delete=yes quit=yes move=no sort=mailbox-order "
                  f"folder={w.spool}",
                  "-e", 'push "<first-entry><delete-message><quit>"')
    said = b""
    # It may ask something that nobody has thought of.
    with contextlib.suppress(OSError):
        while select.select([fd], [], [], 60)[0]:
            said += os.read(fd, 4096)
        kill(pid)
    assert os.waitpid(pid, 0)[1] == 0, said
    assert subjects(place) == ["foreign", "passes", "to the new one"], said
    sees(c, 3)


def at_once(w, how):
    """All add and remove at the same time: each message is there or was
    removed, once."""
    cli, user, n = w.cli, "backup", 25
    cli.ask(f"UpdateDomainSettings {w.s.domain} {{ExternalLockType={how};}}")
    place = w.create(user)
    removed, errors = [], []
    added = threading.Event()

    def sends():
        for i in range(n):
            w.send(user, f"sent {i}")

    def appends():
        c = w.imap(user)
        for i in range(n):
            ok(c.append("INBOX", None, None,
                        f"Subject: appended {i}\r\n\r\nx\r\n".encode()))
        c.logout()

    def delivers():
        for i in range(n):
            foreign(place, f"foreign {i}", how)

    def local():
        while not added.is_set():
            with locked(place, how) as f:
                text = f.read()
                at = text.find(b"\nFrom ", 1) + 1
                if at:
                    removed.append(re.search(rb"^Subject: (.*)$", text[:at],
                                             re.M)[1].decode())
                    f.seek(0)
                    f.write(text[at:])
                    f.truncate()
            time.sleep(0.02)

    def client():
        """It is told NO of what has just gone."""
        c = w.imap(user)
        while not added.is_set():
            uid = ok(c.uid("SEARCH", "ALL"))[0].decode().split()[:1]
            if not uid:
                continue
            _, lines = c.uid("FETCH", uid[0], "BODY.PEEK[HEADER.FIELDS "
                                              "(SUBJECT)]")
            line = next((x for x in lines if isinstance(x, tuple)), None)
            if not line or not line[1].startswith(b"Subject: "):
                continue
            c.uid("STORE", uid[0], "+FLAGS", r"(\Deleted)")
            c.uid("EXPUNGE", uid[0])
            c.untagged_responses.clear()
            if uid[0] not in ok(c.uid("SEARCH", "ALL"))[0].decode().split():
                removed.append(line[1].decode().strip()[len("Subject: "):])
        c.logout()

    def guarded(part):
        try:
            part()
        except BaseException:
            errors.append(f"{part.__name__}: {traceback.format_exc()}")
    adders = [threading.Thread(target=guarded, args=(p,))
              for p in (sends, appends, delivers)]
    others = [threading.Thread(target=guarded, args=(p,))
              for p in (local, client)]
    for t in adders + others:
        t.start()
    for t in adders:
        t.join()
    wait_for("the queue to be empty", lambda: not w.s.queue())
    added.set()
    for t in others:
        t.join()
    assert not errors, "".join(errors)
    wanted = {f"{k} {i}" for k in ("sent", "appended", "foreign")
              for i in range(n)}
    left = subjects(place)
    assert len(left) == len(set(left)), left
    assert wanted == set(left) | set(removed), (
        wanted - set(left) - set(removed))
    cli.ask(f"DeleteAccount {user}")
    place.unlink()
    cli.ask(f"UpdateDomainSettings {w.s.domain} {{ExternalLockType=default;}}")


def waits(w):
    """What cannot be had now: mail waits, goes nowhere else, and then comes;
    a client is told."""
    cli = w.cli
    away = {}
    for user in "games", "news", "uucp":
        if not (w.spool / user).exists():
            w.create(user)
        away[user] = w.spool / user
    w.create("man@sub.example")
    before = {u: subjects(p) for u, p in away.items()}
    # The workers and what delivery has open must go first.
    restart(w, "stored")
    news, uucp = w.other / "news", w.other / "uucp"
    away["news"].rename(news)
    away["news"].symlink_to(news)
    os.link(away["uucp"], uucp)
    cli.ask("UpdateDomainSettings sub.example {ExternalLocation=default;}")
    with locked(away["games"]):
        for user in *away, "man@sub.example":
            w.send(user, "waits")
        for user in *away, "man@sub.example":
            wait_for(user + " to be tried", lambda:
                     f"LOCAL({user}) delayed" in w.s.log())
        try:
            w.imap("news")
            raise AssertionError("an INBOX by way of a link")
        except imaplib.IMAP4.error:
            pass
        assert len(w.s.queue()) == 4, w.s.queue()
        for u, p in away.items():
            assert subjects(p) == before[u], (u, subjects(p))
        assert not subjects(w.spool / "man")
    inside = [p for p in pathlib.Path(w.s.base).rglob("*.mbox")
              if p.name == "INBOX.mbox" and "postmaster" not in str(p)
              and "boss" not in str(p)]
    assert not inside, inside
    away["news"].unlink()
    news.rename(away["news"])
    uucp.unlink()
    cli.ask("UpdateDomainSettings sub.example "
            f'{{ExternalLocation="{w.spool}/*";}}')
    for u, p in away.items():
        has(p, *before[u], "waits")
    has(w.spool / "man", "waits")


def restart(w, name):
    """It and what hangs by it are killed, and come back."""
    old = [p for p, n in w.s.children().items() if n == name]
    assert old, name
    for p in old:
        kill(p)
    wait_for(f"a new {name}", lambda: any(
        n == name and p not in old for p, n in w.s.children().items()))


def restarts(w):
    """Whoever dies comes back; the numbers of our messages stay."""
    place = w.spool / "games"
    with w.imap("games") as c:
        uids = ok(c.uid("SEARCH", "ALL"))
        validity = ok(c.status("INBOX", "(UIDVALIDITY)"))
    for name in "authd-priv", "stored", "authd":
        restart(w, name)
        had = subjects(place)
        w.send("games", "after " + name)
        has(place, *had, "after " + name)

        def again():
            try:
                return w.imap("games")
            except (imaplib.IMAP4.error, OSError):
                return None
        c = wait_for("a login", again)
        now = ok(c.uid("SEARCH", "ALL"))
        assert now[0].startswith(uids[0]), (uids, now)
        assert ok(c.status("INBOX", "(UIDVALIDITY)")) == validity
        uids = now
        c.logout()
    # authd forgets who has logged in.
    w.login()


def renamed(w):
    """The INBOX is that of the new name, and the old file stays whole."""
    cli, old, new = w.cli, w.spool / "games", w.spool / "lp"
    had = subjects(old)
    assert had
    if ROOT:
        w.refused("RenameAccount games into nosuchuserhere", "no user")
    (w.spool / "lp").mkdir()
    w.refused("RenameAccount games into lp", "directory")
    (w.spool / "lp").rmdir()
    boss = Cli(w.s.env["CG_PWD"], "boss@sub.example", PASSWORD)
    w.refused("RenameAccount man into lp", "right", cli=boss)
    boss.close()
    cli.ask("RenameAccount games into lp")
    assert subjects(old) == had
    w.send("lp", "to the new name")
    has(new, "to the new name")
    with w.imap("lp") as c:
        assert ok(c.search(None, "ALL")) == [b"1"]
    assert subjects(old) == had
    cli.ask("RenameAccount lp into games")
    with w.imap("games") as c:
        assert len(ok(c.search(None, "ALL"))[0].split()) == len(had)


def decided_once(w):
    """An INBOX cannot come to be elsewhere, or here, later."""
    cli = w.cli
    cli.ask("CreateAccount plain")
    for verb in "UpdateAccountSettings", "SetAccountSettings":
        w.refused(f"{verb} games {{ExternalINBOX=NO;}}", "ExternalINBOX")
        w.refused(f"{verb} plain {{ExternalINBOX=YES;}}", "ExternalINBOX")
        cli.ask(f'{verb} games {{ExternalINBOX=YES;RealName="G";}}')
        cli.ask(f"{verb} plain {{ExternalINBOX=NO;}}")
        cli.ask(f'{verb} games {{RealName="H";}}')
        assert "ExternalINBOX=YES" in cli.ask("GetAccountSettings games")
    w.refused("UpdateAccountSettings games {ExternalINBOX=default;}",
              "ExternalINBOX")
    # What is a default later is none for those that are there.
    cli.ask(f"UpdateAccountDefaults {w.s.domain} {{ExternalINBOX=YES;}}")
    w.send("plain", "inside")
    wait_for("mail inside", lambda: len(w.s.mail("plain")) == 1)
    cli.ask("CreateAccount daemon")
    assert (w.spool / "daemon").exists()
    w.refused("CreateAccount proxy TextMailbox", "MultiMailbox")
    cli.ask("CreateAccount proxy {ExternalINBOX=NO;}")
    assert not (w.spool / "proxy").exists()
    cli.ask(f"UpdateAccountDefaults {w.s.domain} {{ExternalINBOX=default;}}")
    cli.ask(f"UpdateAccountTemplate {w.s.domain} {{ExternalINBOX=YES;}}")
    cli.ask("CreateAccount www-data")
    assert (w.spool / "www-data").exists()
    cli.ask(f"UpdateAccountTemplate {w.s.domain} {{ExternalINBOX=default;}}")


def imported(w):
    """A list's accounts, all or none; or some of them."""
    cli = w.cli
    for name in "daemon", "proxy", "www-data":
        cli.ask(f"DeleteAccount {name}")
        with contextlib.suppress(FileNotFoundError):
            (w.spool / name).unlink()
    (w.spool / "www-data").mkdir()
    w.refused('ImportAccounts * external DATA "Name\\eproxy\\ewww-data"',
              "directory")
    w.refused("GetAccountSettings proxy")
    (w.spool / "www-data").rmdir()
    cli.ask(f'ImportAccounts * external DATA "Name\\tPassword\\e'
            f'proxy\\t{PASSWORD}\\ewww-data\\t{PASSWORD}"')
    cli.ask(f'ImportAccounts * DATA "Name\\tExternalINBOX\\tPassword\\e'
            f'daemon\\tYES\\t{PASSWORD}\\eordinary\\t\\t{PASSWORD}"')
    for name in "proxy", "www-data", "daemon", "ordinary":
        w.send(name, "to " + name)
    for name in "proxy", "www-data", "daemon":
        has(w.spool / name, "to " + name)
    wait_for("mail inside", lambda: len(w.s.mail("ordinary")) == 1)


def held(w):
    """Who only hands such files on keeps none of them."""
    if not ROOT:
        return
    for pid, name in w.s.children().items():
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                file = os.readlink(fd)
                assert not file.startswith(str(w.spool)) or \
                    name in ("stored-delivery", "stored-worker"), (name, file)


def run(w):
    settings(w)
    in_its_place(w)
    administrators(w)
    made(w)
    delivered(w)
    idle(w)
    one_place(w)
    for how in LOCKS:
        mailers(w, how)
        at_once(w, how)
    waits(w)
    restarts(w)
    decided_once(w)
    imported(w)
    renamed(w)
    held(w)
    w.cli.close()


def main():
    spool, other = make_spool(), pathlib.Path(
        tempfile.mkdtemp(prefix="cg-outside-"))
    conf = f"external-inboxes {spool}\n"
    try:
        with Suite(conf=conf) as s:
            run(World(s, spool, other))
    finally:
        shutil.rmtree(spool)
        shutil.rmtree(other)


main()
