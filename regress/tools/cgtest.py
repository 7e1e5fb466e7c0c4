"""What the tests of regress/ share: a suite of one's own, its command
language, its processes and mailboxes.  Standard library only.

    with Suite(accounts=["ann"], conf="...") as s:
        s.smtp ... s.cli("CreateAccount ...") ... s.mail("ann")
"""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
OBJ = pathlib.Path(os.environ.get("CG_OBJ", TOP / "obj"))
PASSWORD = "correct horse"
PATIENCE = 120                  # seconds: the machines are slow and noisy
# Most scripts can be run for accounts of another kind: MailDirMailbox, or
# 'MultiMailbox DefaultMailboxType=MailDirMailbox;'
ACCOUNT_TYPE, _, ACCOUNT_SETTINGS = os.environ.get(
    "CG_ACCOUNT", "MultiMailbox").partition(" ")
MDIR = "MailDir" in ACCOUNT_TYPE + ACCOUNT_SETTINGS
SINGLE = ACCOUNT_TYPE != "MultiMailbox"


def sanitized():
    """Is this a sanitizer build?  It keeps what was freed, and is slow."""
    return b"__asan_init" in (OBJ / "smtpd").read_bytes()


def wait_for(what, condition, seconds=PATIENCE):
    """For states that no event tells of: looks until the condition holds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Cli:
    """A session of the command language, on port 106 of somewhere."""

    def __init__(self, port, name, password):
        self.s = socket.create_connection(("127.0.0.1", int(port)), PATIENCE)
        self.f = self.s.makefile("rwb")
        self.line()
        if self.send(f"USER {name}")[:3] != "300" or \
                self.send(f"PASS {password}")[:3] != "200":
            raise AssertionError("login at the command port failed")

    def line(self):
        text = self.f.readline()
        if not text:
            raise ConnectionError("the command port closed the connection")
        return text.decode().rstrip("\r\n")

    def send(self, line):
        self.f.write(line.encode() + b"\r\n")
        self.f.flush()
        return self.line()

    def ask(self, line):
        """Sends a command that must succeed."""
        answer = self.send(line)
        if answer[:1] != "2":
            raise AssertionError(f"{line}: {answer}")
        return answer

    def close(self):
        self.f.close()
        self.s.close()


class Suite:
    """A throw-away suite that lives as long as the with block."""

    def __init__(self, accounts=(), conf="", env=None):
        self.accounts = list(accounts)
        self.conf = conf
        self.extra = env or {}

    def __enter__(self):
        r, w = os.pipe()
        end_r, self.end = os.pipe()
        self.conffile = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.conffile.write(self.conf)
        self.conffile.flush()
        os.chmod(self.conffile.name, 0o644)
        env = dict(os.environ, CG_OBJ=str(OBJ), **self.extra)
        self.process = subprocess.Popen(
            [TOP / "regress/tools/with-suite", "-c", self.conffile.name,
             "bash", "-c",
             f"{{ env; echo .; }} >&{w}; read x <&{end_r}; exit 0"],
            pass_fds=(w, end_r), env=env)
        os.close(w)
        os.close(end_r)
        # Up to the dot: with-suite itself keeps the pipe open, too.
        with os.fdopen(r) as f:
            text = ""
            while not text.endswith("\n.\n") and (line := f.readline()):
                text += line
        self.env = dict(line.split("=", 1) for line in text.split("\n")
                        if "=" in line)
        if "CG_BASE" not in self.env:
            raise AssertionError("the suite did not start")
        self.base = self.env["CG_BASE"]
        self.domain = self.env["CG_DOMAIN"]
        self.smtp = int(self.env["CG_SMTP"])
        self.pop = int(self.env["CG_POP"])
        self.imap = int(self.env["CG_IMAP"])
        if self.accounts:
            cli = self.cli()
            for a in self.accounts:
                cli.ask(f'CreateAccount "{a}" {ACCOUNT_TYPE} '
                        f'{{Password="{PASSWORD}";{ACCOUNT_SETTINGS}}}')
            cli.close()
        return self

    def __exit__(self, *_):
        os.close(self.end)
        self.process.wait(PATIENCE)
        self.conffile.close()

    def cli(self):
        return Cli(self.env["CG_PWD"], self.env["CG_ADMIN_NAME"],
                   self.env["CG_ADMIN_PASSWORD"])

    def try_cli(self):
        """Such a session, or None: somebody was killed."""
        try:
            cli = self.cli()
            return cli if cli.send("INLINE")[:1] == "2" and \
                cli.send("ListDomains")[:1] == "2" else None
        except (AssertionError, OSError):
            return None

    def cli_again(self):
        return wait_for("a session", self.try_cli)

    def address(self, account):
        return f"{account}@{self.domain}"

    def box(self, account):
        return inbox(self.base, account)

    def mail(self, account):
        return read_mbox(self.box(account))

    def smtp_port(self):
        """Where SMTP listens now: a suite started again has other ports."""
        try:
            ports = pathlib.Path(self.base, "Ports").read_text()
        except FileNotFoundError:
            return self.smtp
        m = re.search(r"\bSMTP\s*=\s*\(\s*\{[^}]*?PortNumber\s*=\s*(\d+)",
                      ports)
        return int(m[1])

    def server(self):
        """The supervisor's process id."""
        return server(self.base)

    def children(self):
        """{pid: name} of the suite's processes below the supervisor."""
        return descendants(self.server())

    def workers(self):
        return workers(self.server())

    def victims(self, name):
        """Two workers, or the daemon of that name (stored-worker is the
        template)."""
        working = self.workers()
        if name == "worker":
            return working[:2]
        return [p for p, n in self.children().items()
                if n == name and p not in working][:1]

    def queue(self):
        """Ids of the messages that are still in the queue."""
        return [p.stem for p in pathlib.Path(self.base, "Queue").rglob("*.msg")]

    def log(self):
        return "".join(p.read_text(errors="replace") for p in sorted(
            pathlib.Path(self.base, "SystemLogs").glob("*.log")))


def server(base):
    """The process id of the supervisor that serves it."""
    return int(pathlib.Path(base, "ProcessID").read_text().split()[0])


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text()
                   .rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def workers(supervisor):
    """Those that serve accounts: children of the template, and named so."""
    family = [p for p, n in descendants(supervisor).items()
              if n == "stored-worker"]
    return [p for p in family if parent(p) in family]


def descendants(pid):
    parents, names = {}, {}
    for d in pathlib.Path("/proc").iterdir():
        if not d.name.isdigit():
            continue
        try:
            stat = (d / "stat").read_text()
        except OSError:
            continue
        name, rest = re.match(r"\d+ \((.*)\) (.*)", stat, re.S).groups()
        state, ppid = rest.split()[:2]
        if state != "Z":
            parents[int(d.name)] = int(ppid)
            names[int(d.name)] = name
    found = {}
    todo = [pid]
    while todo:
        p = todo.pop()
        for child, parent in parents.items():
            if parent == p:
                found[child] = names[child]
                todo.append(child)
    return found


def kill(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def inbox(base, account):
    """The INBOX of an account of the main domain, whatever its format."""
    top = pathlib.Path(base, "Accounts")
    for path in f"{account}.macnt/INBOX.mdir", f"{account}.mdir":
        if (top / path).exists():
            return top / path
    return top / f"{account}.macnt/INBOX.mbox"


def read_mdir(path):
    """The messages of a .mdir as (comment, bytes), as of a .mbox."""
    found = []
    for p in path.iterdir():
        m = re.fullmatch(r"(\d+)-([A-Za-z]*?)([0-9A-F]{8})?-(\d{14})", p.name)
        if m:
            flags = "".join(f if f in m[2] else "-" for f in "RAFDTSrX")
            comment = f"{flags}{m[3] or '0' * 8}-{int(m[1]):010}-"
            try:
                found.append((int(m[1]), comment, p.read_bytes()))
            except FileNotFoundError:   # it gets another name
                return read_mdir(path)
    return [(c, t) for _, c, t in sorted(found)]


def limit_files(pid, n):
    """So many descriptors it may have; set as its own user: even root needs a
    capability else."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    uid, gid = (int(re.search(rf"^{k}:\s+(\d+)", status, re.M)[1])
                for k in ("Uid", "Gid"))
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, n))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, "no limit could be set"


FROM = re.compile(rb"^From (\S*)\(([^)]*)\) .*\n", re.M)


def read_mbox(path):
    """The messages of a .mbox as (From_ line's comment, bytes); strict: what
    is not whole is an error.  Those that are marked as expunged (X) are gone,
    though their bytes wait for the next compaction."""
    path = pathlib.Path(path)
    if path.is_dir():
        return read_mdir(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    found = []
    at = 0
    while at < len(data):
        m = FROM.match(data, at)
        if not m:
            raise AssertionError(f"{path}: no From_ line at {at}: "
                                 f"{data[at:at + 60]!r}")
        length = int(m[2].rsplit(b"-", 1)[1])
        end = m.end() + length
        if end > len(data):
            raise AssertionError(f"{path}: torn message at {at}")
        if b"X" not in m[2][:8]:
            found.append((m[2].decode(), data[m.end():end]))
        at = end
        while at < len(data) and data[at:at + 1] == b"\n":
            at += 1
    return found
