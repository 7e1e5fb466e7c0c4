#!/usr/bin/env python3
# suite: own
"""make install into a directory and make uninstall out of it; the manual
pages, the unit, the init script, the users and the example configuration that
it brings.  Nothing is compiled."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, TOP, descendants, wait_for  # noqa: E402

DAEMONS = ["logd", "authd", "authd-priv", "routerd", "queued", "smtpd",
           "smtpd-send", "pop3d", "imapd", "pwdd", "stored", "stored-delivery",
           "stored-worker"]
COMMANDS = ["sbin/cgserver", "sbin/cgctl", "bin/cgmail"]
LIBEXEC = "usr/local/libexec/cgate"     # as the programs were built
KEPT = ["etc/cgate/cgserver.conf", "etc/pam.d/cgate"]
USERS = ["_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail", "_cgsmtp",
         "_cgimap", "_cgpop", "_cgweb", "_cgadm"]


def run(*args, **kw):
    p = subprocess.run([str(a) for a in args], text=True, timeout=300,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    assert p.returncode == 0, f"{args}: {p.stdout}"
    return p.stdout


def make(dest, target, *where):
    # -o all: what is there is installed, even if a source is newer
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    run("make", "-s", "-o", "all", "CC=false", f"O={OBJ}", f"DESTDIR={dest}",
        *where, target, cwd=TOP, env=env)


def files(dest):
    return sorted(str(p.relative_to(dest)) for p in dest.rglob("*")
                  if not p.is_dir() or p.is_symlink())


def check_installed(dest, prefix):
    for name in [f"{LIBEXEC}/{d}" for d in DAEMONS] + \
            [f"{prefix}/{c}" for c in COMMANDS]:
        assert os.access(dest / name, os.X_OK), name
    for name in ("mail", "sendmail", "mailq"):
        link = dest / prefix / f"bin/{name}.cgate"
        assert os.readlink(link) == "cgmail", link
    pages = {p.name for p in TOP.joinpath("man").glob("*.[1-8]")}
    installed = {p.name for p in dest.glob(f"{prefix}/share/man/man?/*")}
    assert pages == installed, pages ^ installed
    for page in dest.glob(f"{prefix}/share/man/man?/*"):
        assert page.parent.name[-1] == page.name[-1], page
        if shutil.which("mandoc"):
            run("mandoc", "-Tlint", "-Werror", page,
                cwd=page.parent.parent)


def check_unit(dest, scratch):
    text = (dest / "lib/systemd/system/cgate.service").read_text()
    assert "@" not in text.replace("%", ""), "a place is not filled in"
    if not shutil.which("systemd-analyze"):
        return
    unit = scratch / "cgate.service"
    server = dest / "usr/local/sbin/cgserver"
    unit.write_text(text.replace("/usr/local/sbin/cgserver", str(server)))
    said = run("systemd-analyze", "verify", "--man=no", unit)
    assert "cgate.service" not in said, said


def check_init(dest):
    script = dest / "etc/init.d/cgate"
    run("sh", "-n", script)
    text = script.read_text()
    assert "@" not in text, "a place is not filled in"
    head = text.split("### END INIT INFO")[0]
    for word in ("Provides", "Required-Start", "Required-Stop",
                 "Default-Start", "Default-Stop", "Short-Description"):
        assert f"# {word}:" in head, word
    if shutil.which("shellcheck"):
        run("shellcheck", script)


def check_users(dest, scratch):
    lines = (dest / "usr/lib/sysusers.d/cgate.conf").read_text().split("\n")
    assert [line.split()[1] for line in lines if line.startswith("u ")] == \
        USERS
    if shutil.which("systemd-sysusers") and os.geteuid() == 0:
        there = scratch / "users/usr/lib/sysusers.d"
        there.mkdir(parents=True)
        (scratch / "users/etc").mkdir()
        shutil.copy(dest / "usr/lib/sysusers.d/cgate.conf", there)
        run("systemd-sysusers", f"--root={scratch}/users")
        passwd = (scratch / "users/etc/passwd").read_text().split("\n")
        assert sorted(USERS) == sorted(
            line.split(":")[0] for line in passwd if line), passwd


def check_example(dest, scratch):
    """The example is all comments; each of them, switched on, is good."""
    text = (dest / "etc/cgate/cgserver.conf").read_text()
    page = (TOP / "man/cgserver.conf.5").read_text()
    table = (TOP / "lib/conf_words.c").read_text()
    words = re.findall(r'^\t{ "([a-z-]+)",', table, re.M)
    assert "base" in words and "user" in words, words
    for word in [*words, "settings"]:
        assert re.search(rf"^#{word}\s", text, re.M), f"no example of {word}"
        assert f".It Ic {word}" in page, f"{word} is not in the manual page"
    conf = scratch / "cgserver.conf"
    lines = ["".join(line.split("#", 1)) if line.startswith("#") and
             line[1:2] not in (" ", "") else line for line in text.split("\n")]
    users = [f"user {u} 64000" for u in USERS] + [
        "helper-user 64100", f"libexec {dest / LIBEXEC}"]
    if os.geteuid() != 0:
        lines = [line for line in lines if "os-passwords" not in line]
    for body in (text.split("\n"), lines):
        conf.write_text("\n".join(body + users) + "\n")
        run(dest / "usr/local/sbin/cgserver", "-n", "-f", conf)
    assert any(line.startswith("listen") for line in lines)


class Init:
    """The init script, with another configuration as /etc/default has it."""

    def __init__(self, dest, scratch):
        self.script = dest / "etc/init.d/cgate"
        self.base = scratch / "base"
        conf = scratch / "init.conf"
        lines = [f"base {self.base}", f"libexec {dest / LIBEXEC}",
                 f"tls {scratch}/key.pem {scratch}/cert.pem",
                 f"password-key {scratch}/password.key",
                 'settings Main { DomainName = "test.example"; }']
        lines += [f"listen {m} 127.0.0.1:auto"
                  for m in ("SMTP", "POP", "IMAP", "PWD")]
        if os.geteuid() == 0:
            lines += [f"user {u} {64000 + i}" for i, u in enumerate(USERS)]
        conf.write_text("\n".join(lines) + "\n")
        self.defaults = scratch / "default"
        self.defaults.write_text(
            f"SERVER={dest}/usr/local/sbin/cgserver\n"
            f"CTL={dest}/usr/local/sbin/cgctl\nCONF={conf}\n")

    def __call__(self, word, expected=0):
        p = subprocess.run(
            [self.script, word], text=True, timeout=300,
            env={"PATH": "/usr/bin:/bin", "CG_DEFAULTS": str(self.defaults)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert p.returncode == expected, f"{word}: {p.returncode} {p.stdout}"
        return p.stdout

    def server(self):
        return int((self.base / "ProcessID").read_text().split()[0])


def serves(init):
    init("status")
    pid = init.server()
    assert len(descendants(pid)) >= len(DAEMONS) - 1, descendants(pid)
    return {pid, *descendants(pid)}


def gone(pids):
    return not any(os.path.exists(f"/proc/{p}") for p in pids)


def check_start_and_stop(dest, scratch):
    init = Init(dest, scratch)
    init("nonsense", 2)
    init("status", 3)
    init("reload", 7)
    init("stop")
    init("try-restart")
    assert not init.base.exists()
    try:
        init("start")
        first = serves(init)
        init("start")
        init("reload")
        assert serves(init) == first
        init("restart")
        second = serves(init)
        assert not first & second
    finally:
        init("stop")
    init("status", 3)
    wait_for("the end of all", lambda: gone(first | second), 20)


def install_and_uninstall(root, prefix, *where):
    make(root, "install", *where)
    before = files(root)
    check_installed(root, prefix)
    # what the administrator wrote stays
    own = root / "etc/cgate/cgserver.conf"
    example = own.read_text()
    own.write_text("base /srv/mail\n")
    make(root, "install", *where)
    assert own.read_text() == "base /srv/mail\n"
    assert files(root) == before
    make(root, "uninstall", *where)
    assert files(root) == sorted(KEPT), files(root)
    own.write_text(example)


with tempfile.TemporaryDirectory(prefix="cg-install-") as d:
    top = pathlib.Path(d)
    top.chmod(0o755)
    install_and_uninstall(top / "usr", "usr", "PREFIX=/usr",
                          f"LIBEXECDIR=/{LIBEXEC}")
    root = top / "root"
    install_and_uninstall(root, "usr/local")
    make(root, "install")
    check_unit(root, top)
    check_init(root)
    check_users(root, top)
    check_example(root, top)
    check_start_and_stop(root, top)
