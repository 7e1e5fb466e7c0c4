#!/usr/bin/env python3
# suite: alone
"""The unit under a real systemd: a minimal Debian 12 with cgate installed as
a packager would is booted in a container without network; there cgate is
started, takes mail, is reloaded, killed, started anew by systemd, and
stopped.  Needs root, debootstrap and systemd-nspawn.  The bare system is kept
in /tmp/cg-soak for the next time."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "regress/tools"))
from cgtest import descendants, kill, read_mbox, wait_for  # noqa: E402

CACHE = pathlib.Path("/tmp/cg-soak")
SUITE = "bookworm"
DOMAIN = "soak.example"
PACKAGES = ["systemd", "systemd-sysv", "dbus", "libevent-core-2.1-7",
            "libssl3", "libseccomp2", "libbsd0", "libcrypt1", "libpam0g",
            "libicu72", "libc-ares2"]
# nspawn's own filter is older than Landlock and forbids it.
CALLS = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
DAEMONS = {"cgserver", "logd", "authd", "authd-priv", "routerd", "queued",
           "smtpd", "smtpd-send", "pop3d", "imapd", "pwdd", "stored", "stored-delivery",
           "stored-worker"}
BAD = re.compile(r"SIGSYS|status=31/|by signal|core.dump|Failed at step|"
                 r"sandbox (?!proved)", re.I)
OS_PASSWORD = "the system's own"
SEND = """
import smtplib
with smtplib.SMTP("127.0.0.1", 25, timeout=60) as s:
    s.sendmail("ann@{0}", "ann@{0}", "Subject: {1}\\r\\n\\r\\nhello\\r\\n")
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def run(*args, seconds=600, **kw):
    p = subprocess.run([str(a) for a in args], text=True, timeout=seconds,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    assert p.returncode == 0, f"{args}: {p.returncode}\n{p.stdout[-3000:]}"
    return p.stdout.strip()


def stanzas():
    """(URI, suites, components) of everything this machine's apt reads."""
    etc = pathlib.Path("/etc/apt")
    for f in sorted(etc.glob("sources.list.d/*.sources")):
        for text in re.split(r"\n\s*\n", f.read_text()):
            d = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", text, re.M))
            if "deb" in d.get("Types", "").split() and "URIs" in d:
                yield (d["URIs"].split()[0], d.get("Suites", "").split(),
                       d.get("Components", "").split())
    for f in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if f.exists():
            for m in re.finditer(r"^deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)(.*)$",
                                 f.read_text(), re.M):
                yield m[1], [m[2]], m[3].split()


def mirror():
    for uri, suites, components in stanzas():
        if SUITE in suites and "main" in components:
            return uri
    return skip(f"apt knows no mirror of Debian's {SUITE}")


def bare_system():
    """A Debian with systemd that nothing has been done to yet."""
    CACHE.mkdir(mode=0o700, exist_ok=True)
    st = CACHE.lstat()
    assert st.st_uid == 0 and not CACHE.is_symlink(), f"whose is {CACHE}?"
    # Another list of packages is another system.
    done = CACHE / f"{SUITE}-{zlib.crc32(' '.join(PACKAGES).encode()):08x}"
    if not done.exists():
        new = done.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        try:
            run("debootstrap", "--variant=minbase",
                "--include=" + ",".join(PACKAGES), SUITE, new, mirror(),
                seconds=1200)
        except AssertionError as e:
            skip(f"debootstrap: {e}")
        new.rename(done)
    return done


def install(root, obj):
    """Builds and installs as a packager does; the users, as INSTALL says."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    run("make", "-s", "-j2", f"O={obj}", "PREFIX=/usr", f"DESTDIR={root}",
        "install", cwd=TOP, env=env, seconds=1200)
    run("chroot", root, "systemd-sysusers")
    run("chroot", root, "useradd", "ann")
    run("chroot", root, "chpasswd", input=f"ann:{OS_PASSWORD}\n")
    with open(root / "etc/cgate/cgserver.conf", "a") as f:
        f.write("os-passwords yes\n"
                f'settings Main {{ DomainName = "{DOMAIN}"; }}\n')


LOGIN = """
import poplib
p = poplib.POP3("127.0.0.1", 110, timeout=60)
p.user("ann")
p.pass_({0!r})
assert p.stat()[0] > 0
p.quit()
"""


class Machine:
    def __init__(self, root):
        self.root = root
        self.console = tempfile.TemporaryFile("w+", errors="replace")

    def __enter__(self):
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}",
             f"--machine=cg-soak-{os.getpid()}", "--settings=no",
             "--private-network", "--register=no", "--link-journal=no",
             f"--system-call-filter={CALLS}",
             # without a systemd outside there is nobody to make a scope
             *([] if os.path.isdir("/run/systemd/system")
               else ["--keep-unit"])],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
            start_new_session=True)
        try:
            self.init = wait_for("systemd's start", self.find_init, 60)
            wait_for("the boot", self.booted, 120)
        except AssertionError as e:
            self.__exit__()
            self.console.seek(0)
            skip(f"no container here: {e}: {self.console.read()[-1500:]}")
        return self

    def find_init(self):
        assert self.nspawn.poll() is None, "systemd-nspawn ended"
        return next((p for p, name in descendants(self.nspawn.pid).items()
                     if name == "systemd"), None)

    def booted(self):
        assert self.nspawn.poll() is None, "systemd-nspawn ended"
        p = self.popen("systemctl", "is-system-running")
        return p.communicate()[0].strip() in ("running", "degraded")

    def __exit__(self, *_):
        self.nspawn.terminate()         # it shuts the container down
        try:
            self.nspawn.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.nspawn.pid, signal.SIGKILL)
            self.nspawn.wait()

    def inside(self, *args):
        return ["nsenter", "-t", str(self.init), "-a", "-r", "-w",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                *map(str, args)]

    def popen(self, *args, **kw):
        return subprocess.Popen(self.inside(*args), text=True,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **kw)

    def run(self, *args, **kw):
        return run(*self.inside(*args), **kw)

    def unit(self):
        """What systemd knows of cgate."""
        text = self.run("systemctl", "show", "cgate")
        return dict(line.split("=", 1) for line in text.split("\n")
                    if "=" in line)

    def python(self, program):
        """This machine's python in the container's network."""
        run("nsenter", "-t", self.init, "-n", sys.executable, "-c", program)

    def smtp(self, subject):
        self.python(SEND.format(DOMAIN, subject))

    def arrived(self, subject):
        box = self.root / "var/CommuniGate/Accounts/ann.macnt/INBOX.mbox"
        wait_for(f"the message {subject}", lambda: any(
            f"Subject: {subject}".encode() in m for _, m in read_mbox(box)))

    def daemons(self):
        return {p: n for p, n in descendants(self.init).items()
                if n in {d[:15] for d in DAEMONS}}


def started(m):
    m.run("systemctl", "enable", "cgate")
    m.run("systemctl", "start", "cgate")
    u = m.unit()
    assert (u["ActiveState"], u["SubState"], u["Type"]) == \
        ("active", "running", "notify"), u
    missing = {d[:15] for d in DAEMONS} - set(m.daemons().values())
    assert not missing, missing
    m.run("cgctl", "status")


def obeys_init(m):
    """The init script leaves it to systemd."""
    pid = m.unit()["MainPID"]
    m.run("/etc/init.d/cgate", "restart")
    u = m.unit()
    assert u["ActiveState"] == "active" and u["MainPID"] != pid, u
    assert list(m.daemons().values()).count("cgserver") == 1, m.daemons()


def delivers(m):
    m.run("cgctl", "CreateAccount", "ann",
          '{Password="secret"; UseSysPassword=YES; OSUserName=ann;}')
    m.run("sendmail.cgate", "ann@" + DOMAIN,
          input="Subject: sendmail\n\nhello\n")
    m.arrived("sendmail")
    m.smtp("smtp")
    m.arrived("smtp")
    for password in ("secret", OS_PASSWORD):
        m.python(LOGIN.format(password))


def reloads(m):
    pid = m.unit()["MainPID"]
    m.run("systemctl", "reload", "cgate")
    logs = m.root / "var/CommuniGate/SystemLogs"
    wait_for("the reload", lambda: any(
        "read key and certificate again" in f.read_text(errors="replace")
        for f in logs.glob("*.log")))
    m.smtp("reloaded")
    m.arrived("reloaded")
    assert m.unit()["MainPID"] == pid


def comes_back(m):
    u = m.unit()
    old = set(m.daemons())
    kill(next(p for p, n in m.daemons().items() if n == "cgserver"))
    wait_for("systemd to start cgate again", lambda: (
        (v := m.unit())["NRestarts"] == "1" and v["ActiveState"] == "active"
        and v["MainPID"] != u["MainPID"]))
    assert not old & set(m.daemons()), "processes of before are left"
    m.run("cgctl", "status")
    m.smtp("restarted")
    m.arrived("restarted")


def stops(m):
    m.run("systemctl", "stop", "cgate")
    u = m.unit()
    assert (u["ActiveState"], u["Result"]) == ("inactive", "success"), u
    assert not m.daemons(), m.daemons()


def quiet(m):
    """Nothing ran into a wall."""
    journal = m.run("journalctl", "--boot", "--no-pager").split("\n")
    assert any("cgserver" in line for line in journal), journal
    log = "".join(p.read_text(errors="replace") for p in
                  (m.root / "var/CommuniGate/SystemLogs").glob("*.log"))
    log = log.split("\n")
    proved = [line for line in log if "sandbox proved" in line]
    assert len(proved) >= 2 * (len(DAEMONS) - 2), proved
    bad = [line for line in journal + log if BAD.search(line)]
    assert not bad, bad


def main():
    if os.geteuid() != 0:
        skip("a container needs root")
    for program in ("debootstrap", "systemd-nspawn", "nsenter"):
        if not shutil.which(program):
            skip(f"no {program} (packages debootstrap, systemd-container)")
    bare = bare_system()
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as d:
        root = pathlib.Path(d) / "root"
        run("cp", "-a", "--reflink=auto", bare, root)
        install(root, pathlib.Path(d) / "obj")
        with Machine(root) as m:
            for step in (started, obeys_init, delivers, reloads, comes_back,
                         stops, quiet):
                try:
                    step(m)
                except AssertionError:
                    print(m.run("journalctl", "--boot", "--no-pager")[-4000:])
                    print(m.daemons())
                    raise
                print(f"{step.__name__}: ok", flush=True)


main()
