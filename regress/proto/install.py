#!/usr/bin/env python3
# suite: own
"""make install into a directory and make uninstall out of it; the unit, the
init script, the users and the example configuration that it brings."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, TOP  # noqa: E402

DAEMONS = ["logd", "authd", "authd-priv", "routerd", "queued", "smtpd",
           "pop3d", "pwdd", "stored", "stored-delivery", "stored-worker"]
PROGRAMS = [f"usr/local/libexec/cgate/{d}" for d in DAEMONS] + [
    "usr/local/sbin/cgserver", "usr/local/sbin/cgctl",
    "usr/local/bin/cgmail"]
KEPT = ["etc/cgate/cgserver.conf", "etc/pam.d/cgate"]


def run(*args, **kw):
    p = subprocess.run([str(a) for a in args], text=True, timeout=300,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    assert p.returncode == 0, f"{args}: {p.stdout}"
    return p.stdout


def make(dest, target):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    run("make", "-s", f"O={OBJ}", f"DESTDIR={dest}", target, cwd=TOP, env=env)


def files(dest):
    return sorted(str(p.relative_to(dest)) for p in dest.rglob("*")
                  if not p.is_dir() or p.is_symlink())


def check_installed(dest):
    for name in PROGRAMS:
        assert os.access(dest / name, os.X_OK), name
    for name in ("mail", "sendmail", "mailq"):
        link = dest / f"usr/local/bin/{name}.cgate"
        assert os.readlink(link) == "cgmail", link
    pages = {p.name for p in TOP.joinpath("man").glob("*.[1-8]")}
    installed = {p.name for p in dest.glob("usr/local/share/man/man?/*")}
    assert pages == installed, pages ^ installed
    for page in dest.glob("usr/local/share/man/man?/*"):
        assert page.parent.name[-1] == page.name[-1], page


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


def check_users(dest):
    lines = (dest / "usr/lib/sysusers.d/cgate.conf").read_text().split("\n")
    users = {line.split()[1] for line in lines if line.startswith("u ")}
    assert users == {"_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail",
                     "_cgsmtp", "_cgimap", "_cgpop", "_cgweb", "_cgadm"}


def check_example(dest, scratch):
    """The example is all comments; each of them, switched on, is good."""
    text = (dest / "etc/cgate/cgserver.conf").read_text()
    conf = scratch / "cgserver.conf"
    lines = ["".join(line.split("#", 1)) if line.startswith("#") and
             line[1:2] not in (" ", "") else line for line in text.split("\n")]
    users = [f"user {u} 64000" for u in
             ("_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail",
              "_cgsmtp", "_cgimap", "_cgpop", "_cgweb", "_cgadm")]
    if os.geteuid() != 0:
        lines = [line for line in lines if "os-passwords" not in line]
    for body in (text.split("\n"), lines):
        conf.write_text("\n".join(body + users) + "\n")
        run(dest / "usr/local/sbin/cgserver", "-n", "-f", conf)
    assert any(line.startswith("listen") for line in lines)


with tempfile.TemporaryDirectory(prefix="cg-install-") as d:
    top = pathlib.Path(d)
    root = top / "root"
    make(root, "install")
    before = files(root)
    check_installed(root)
    check_unit(root, top)
    check_init(root)
    check_users(root)
    check_example(root, top)
    # what the administrator wrote stays
    own = root / "etc/cgate/cgserver.conf"
    own.write_text("base /srv/mail\n")
    make(root, "install")
    assert own.read_text() == "base /srv/mail\n"
    assert files(root) == before
    make(root, "uninstall")
    assert files(root) == sorted(KEPT), files(root)
