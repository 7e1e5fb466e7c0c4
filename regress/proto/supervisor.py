#!/usr/bin/env python3
# suite: own
"""cgserver: every child is killed and comes back while the others go on; a
killed cgserver takes all with it; SIGHUP brings a new certificate without
ending a session; a second start, a foreign base and bad configurations are
refused; --Daemon tells its parent."""
import fcntl
import os
import pathlib
import poplib
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import (OBJ, PASSWORD, PATIENCE, Suite, descendants,  # noqa: E402
                    kill, parent, wait_for)

CGSERVER = str(OBJ / "cgserver")
FAMILY = {"stored", "stored-delivery", "stored-worker"}
CONF = "processes smtpd 2\nprocesses pop3d 2\nprocesses imapd 2\n"
serial = 0


def mail_goes_through(s):
    """One message in by SMTP and out by POP; by a suite that is settling."""
    global serial
    serial += 1
    text = f"number {serial}"

    def sent():
        try:
            with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
                c.sendmail("", [s.address("ann")],
                           f"Subject: {text}\r\n\r\n{text}\r\n")
            return True
        except (OSError, smtplib.SMTPException):
            return False

    def read():
        try:
            p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
            p.user("ann")
            p.pass_(PASSWORD)
            n = len(p.list()[1])
            found = n > 0 and text.encode() in p.retr(n)[1]
            p.quit()
            return found
        except (OSError, poplib.error_proto, EOFError):
            return False
    wait_for("a message to be taken", sent)
    wait_for("the message to be read", read)


def settled(s, before, victims):
    """Everybody is there again, and only the victims are new."""
    names = sorted(before.values())
    now = s.children()
    now = {p: n for p, n in now.items() if p in before or
           sorted(now.values()) == names}
    if sorted(now.values()) != names or any(p in now for p in victims):
        return None
    return now


def kill_each(s):
    before = s.children()
    for name in sorted(set(before.values())):
        before = steady(s)
        pid = next(p for p, n in before.items() if n == name)
        family = [p for p, n in before.items() if n in FAMILY]
        victims = [pid]
        if name in ("stored", "stored-worker"):
            victims = family
        kill(pid)
        now = wait_for(f"{name} to be started again",
                       lambda: settled(s, before, victims))
        for p, n in before.items():
            assert p in victims or p in now, f"{name} took {n} with it"
        mail_goes_through(s)
    wait_for("a word in the log", lambda: "ended by signal 9" in s.log())


def steady(s):
    """The processes without the accounts' workers: those come and go, and are
    killed here so that nobody waits for their rest."""
    for pid, name in s.children().items():
        if name == "stored-worker" and parent(pid) != s.server():
            kill(pid)

    def look():
        c = s.children()
        return c if list(c.values()).count("stored-worker") == 1 else None
    return wait_for("workers to go", look)


def peers_come_back(s):
    """A front keeps its process, and its clients, while its peers die."""
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.ehlo()
        fronts = {p for p, n in s.children().items() if n == "smtpd"}
        for name in ("authd", "routerd", "queued"):
            before = s.children()
            victim = next(p for p, n in before.items() if n == name)
            kill(victim)
            wait_for(f"{name} to come back", lambda: any(
                n == name and p != victim for p, n in s.children().items()))

        def taken():
            c.rset()
            return c.mail("")[0] == 250 and \
                c.rcpt(s.address("ann"))[0] == 250
        wait_for("the old session to go on", taken)
        assert fronts <= set(s.children())


def keeps_dying(s):
    """A program that never starts is tried ever more rarely, and the log
    says so; nobody else minds."""
    log = s.log().count("ended by signal")
    for _ in range(4):
        now = wait_for("a logd", lambda: [
            p for p, n in s.children().items() if n == "logd"])
        kill(now[0])
        wait_for("its end", lambda: now[0] not in s.children())
    mail_goes_through(s)
    assert s.log().count("ended by signal") >= log


def fetch_cert(s):
    ctx = ssl.create_default_context()
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    c = smtplib.SMTP_SSL("127.0.0.1", int(s.env["CG_SMTPS"]), timeout=60,
                         context=ctx)
    return c, c.sock.getpeercert(True)


def sighup(s):
    top = pathlib.Path(s.env["CG_CONF"]).parent
    old, cert = fetch_cert(s)
    before = {name: (top / f"{name}.pem").read_bytes()
              for name in ("key", "cert")}
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=renewed",
             "-keyout", f"{d}/key", "-out", f"{d}/cert"],
            check=True, stderr=subprocess.DEVNULL)
        # a key without its certificate must not reach the fronts
        shutil.copy(f"{d}/key", top / "key.pem")
        os.kill(s.server(), signal.SIGHUP)
        wait_for("the refusal in the log", lambda:
                 "not a key and its certificate" in s.log())
        fetch_cert(s)[0].quit()
        shutil.copy(f"{d}/cert", top / "cert.pem")
    os.kill(s.server(), signal.SIGHUP)

    def renewed():
        c, now = fetch_cert(s)
        c.quit()
        return now != cert
    wait_for("the new certificate", renewed)
    # the files may move, too
    conf = pathlib.Path(s.env["CG_CONF"])
    cert = fetch_cert(s)[1]
    for name in ("key", "cert"):
        (top / f"old-{name}.pem").write_bytes(before[name])
    conf.write_text(re.sub("(?m)^tls .*",
                           f"tls {top}/old-key.pem {top}/old-cert.pem",
                           conf.read_text()))
    os.kill(s.server(), signal.SIGHUP)
    wait_for("the certificate of another file", renewed)
    assert old.noop()[0] == 250
    old.quit()


def cgserver(*args, **kw):
    return subprocess.run([CGSERVER, *map(str, args)], text=True,
                          capture_output=True, timeout=PATIENCE, **kw)


def refused(p, *words, code=1):
    assert p.returncode == code, p
    for w in words:
        assert w in p.stderr, p.stderr


def looked_at_by_a_user(d, text):
    """Who may not read the keys can look all the same."""
    d.chmod(0o755)
    (d / "key").touch(0o600)
    (d / "cert").touch(0o644)
    (d / "user").write_text(re.sub("(?m)^tls .*", f"tls {d}/key {d}/cert",
                                   text))
    p = cgserver("-n", "-f", d / "user", user=65534, group=65534,
                 extra_groups=[])
    assert p.returncode == 0 and f"{d}/key: TLS is not checked: " in \
        p.stderr, p


def refusals(s):
    conf = s.env["CG_CONF"]
    refused(cgserver("-f", conf), "already running", str(s.server()))
    assert cgserver("-n", "-F", conf).returncode == 0
    assert cgserver("--VERSION").stdout.startswith("cgate ")
    assert cgserver("-n", "--nowebcache", "--ThreadsScope", "system",
                    "-f", conf).returncode == 0
    refused(cgserver("--nonsense"), "--nonsense", code=2)
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        text = pathlib.Path(conf).read_text()
        (d / "bad").write_text(text + "listen SMTP nowhere\n")
        refused(cgserver("-n", "-f", d / "bad"),
                f"line {text.count(chr(10)) + 1}")
        refused(cgserver("-n", "-f", d / "missing"), "missing")
        (d / "none").write_text(re.sub("(?m)^libexec.*", "libexec /nowhere",
                                       text))
        refused(cgserver("-n", "-f", d / "none"), "/nowhere/logd: No such")
        (d / "broken").mkdir()
        for p in pathlib.Path(CGSERVER).parent.iterdir():
            (d / "broken" / p.name).symlink_to("/bin/false")
        (d / "none").write_text(re.sub("(?m)^libexec.*",
                                       f"libexec {d}/broken", text))
        refused(cgserver("-f", d / "none", "--Base", d / "new", "--Daemon"),
                "-0 does not start")
        (d / "keys").write_text(re.sub("(?m)^tls .*", f"tls {conf} {conf}",
                                       text))
        refused(cgserver("-n", "-f", d / "keys"), conf, "not a key")
        if os.geteuid() == 0:
            looked_at_by_a_user(d, text)
        (d / "odd").write_text(text + "trusted-users nosuchuser\n"
                               "external-inboxes /nowhere\n")
        p = cgserver("-n", "-f", d / "odd")
        assert p.returncode == 0 and "no user nosuchuser" in p.stderr and \
            "/nowhere" in p.stderr, p
        (d / "busy").write_text(text + f"listen SMTP 127.0.0.1:{s.smtp}\n")
        refused(cgserver("-f", d / "busy", "--Base", d / "new", "--Daemon"),
                f"port {s.smtp}", "in use")
        (d / "base/Accounts").mkdir(parents=True)
        refused(cgserver("-f", conf, "--Base", d / "base"), "--adopt")
        refused(cgserver("-f", conf, "--Base", d / "base", "--Daemon"),
                "--adopt")
        assert sorted(p.name for p in d.joinpath("base").iterdir()) == \
            ["Accounts"]


def second_life(s):
    """A killed cgserver takes all with it; the next start waits for whoever
    still holds the lock that each of the old ones had, and finds all well.
    That one goes into the background, and is told to stop."""
    old = s.server()
    children = set(s.children())
    kill(old)
    wait_for("its end", lambda: not alive(old))
    with open(pathlib.Path(s.base, ".lock")) as lock:
        wait_for("the end of all", lambda: lone(lock))
        p = subprocess.Popen([CGSERVER, "-f", s.env["CG_CONF"], "--DAEMON"],
                             text=True, stderr=subprocess.PIPE)
        new = wait_for("the next one", lambda: list(descendants(p.pid)))[0]
        time.sleep(2)           # ten times what a start takes
        assert p.poll() is None and not descendants(new), "it does not wait"
    assert p.wait(PATIENCE) == 0, p.stderr.read()
    assert not any(alive(c) for c in children), "an old process is left"
    new = s.server()
    assert new != old and alive(new)
    try:
        in_the_background(s, new)
    finally:
        kill(new)


def lone(lock):
    """Has the lock been free, and is it ours now?"""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def in_the_background(s, server):
    ports = (pathlib.Path(s.base) / "Ports").read_text()
    assert "SMTP" in ports
    s.smtp = s.smtp_port()
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.ehlo()
        assert c.mail("")[0] == 250
    children = descendants(server)
    os.kill(server, signal.SIGTERM)
    wait_for("the end", lambda: not alive(server))
    left = [n for c, n in children.items() if alive(c)]
    assert not left, f"left behind: {left}"
    for name in ("ProcessID", "Ports"):
        assert not pathlib.Path(s.base, name).exists(), name


def alive(pid):
    try:
        return "Z" != pathlib.Path(f"/proc/{pid}/stat").read_text() \
            .rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


with Suite(accounts=["ann"], conf=CONF) as suite:
    mail_goes_through(suite)
    kill_each(suite)
    peers_come_back(suite)
    keeps_dying(suite)
    sighup(suite)
    refusals(suite)
    second_life(suite)
