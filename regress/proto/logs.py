#!/usr/bin/env python3
# suite: own
"""The System Log: each line's form, rotation by size, deletion by age, a
flood that nobody waits for, a logd that is killed or stopped, and no password
at any level."""
import os
import pathlib
import poplib
import re
import signal
import smtplib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402
from probe import Probe  # noqa: E402

RECORD = re.compile(r"\d\d:\d\d:\d\d\.\d{3} [1-5] [A-Z][^ ]* \S.*$")
NAME = re.compile(r"\d{4}-\d\d-\d\d(_\d\d-\d\d(_\d+)?)?\.log$")
SIZE = 64 * 1024
LOG_FD = 4                      # HACKING, 2
CONF = f"""processes smtpd 1
settings Log {{ RotateSize = {SIZE}; KeepFor = 1d; }}
settings SMTP {{ LogLevel = 5; }}
settings POP {{ LogLevel = 5; }}
settings PWD {{ LogLevel = 5; }}
"""


def files(s):
    return sorted(pathlib.Path(s.base, "SystemLogs").glob("*.log"))


def check_form(s):
    for f in files(s):
        assert NAME.match(f.name), f.name
        text = f.read_text()
        assert text.endswith("\n") or not text, f"{f.name}: no line end"
        last = ""
        for line in text.splitlines():
            assert RECORD.match(line), f"{f.name}: {line!r}"
            assert line[:12] >= last, f"{f.name}: time goes back: {line}"
            last = line[:12]


def logd(s):
    return next((p for p, n in s.children().items() if n == "logd"), None)


def talk(s, commands):
    """So many commands, pipelined; how long the answers took."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", s.smtp), 60) as c:
        f = c.makefile("rb")
        f.readline()
        sent = 0
        while sent < commands:
            n = min(500, commands - sent)
            c.sendall(b"NOOP\r\n" * n)
            for _ in range(n):
                assert f.readline().startswith(b"250"), "no answer"
            sent += n
        c.sendall(b"QUIT\r\n")
    return time.monotonic() - begin


def no_password(s):
    secrets = [PASSWORD, "wrong horse", s.env["CG_ADMIN_PASSWORD"]]
    p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
    p.user("ann")
    try:
        p.pass_(secrets[1])
        raise AssertionError("the wrong password is good")
    except poplib.error_proto:
        pass
    p.user("ann")
    p.pass_(secrets[0])
    p.quit()
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.login("ann", secrets[0])
    s.cli().close()
    wait_for("the login in the log", lambda: "POP-" in s.log())
    for text in secrets:
        assert text not in s.log(), "a password is in the log"


def rotation(s):
    assert len(files(s)) == 1, files(s)
    old = files(s)[0].parent / "2001-01-01.log"
    old.write_text("00:00:00.000 1 TEST old\n")
    os.utime(old, (0, 0))
    other = files(s)[0].parent / "notes.txt"
    other.write_text("not a log\n")
    os.utime(other, (0, 0))
    wait_for("a second file", lambda: talk(s, 500) and len(files(s)) > 2)
    wait_for("the old file to go", lambda: not old.exists())
    assert other.exists(), "what is no log was deleted"
    other.unlink()
    sizes = [f.stat().st_size for f in files(s)]
    assert all(n < 64 * SIZE for n in sizes), sizes


def killed(s):
    """What was said while there was no logd is not lost."""
    pid = logd(s)
    kill(pid)
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        assert c.docmd("NOOP", "while-logd-is-away")[0] == 250
    wait_for("a new logd", lambda: logd(s) not in (None, pid))
    wait_for("the record", lambda: "while-logd-is-away" in s.log())


def flood(s):
    """A logd that does not run: nobody waits, and what was dropped is
    counted and told."""
    pid = logd(s)
    os.kill(pid, signal.SIGSTOP)
    try:
        took = talk(s, 20000)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert took < 30, f"the server waited for its log: {took} s"
    # told with the next record that there is room for
    wait_for("the count of lost records", lambda: talk(s, 1) and re.search(
        r" 1 SMTPI \d+ log records lost", s.log()))


def forged(s, probe):
    """A front that was taken over cannot write in another's name."""
    pid = next(p for p, n in s.children().items() if n == "smtpd")
    calls = probe.calls()
    for record in (b"2 AUTH AUTH-FAIL POP forged@x [192.0.2.1] wrong",
                   b"2 SMTPI-000001([192.0.2.1]) its own", b"no record"):
        calls("sendto", LOG_FD, record, len(record), 0, 0, 0)
    assert probe.run(pid, calls) is None
    assert all(r.ret > 0 for r in calls.result)
    wait_for("the second record", lambda: "its own" in s.log())
    wait_for("the third's refusal",
             lambda: "smtpd-0 sent what is no record" in s.log())
    text = s.log()
    assert "refused a record of smtpd-0 under the tag of another: AUTH" \
        in text, "nobody is told"
    assert "AUTH-FAIL POP forged" not in text, "AUTH's words can be forged"
    assert text.count(" LOG refused") == 1 and \
        text.count("no record") == 1, "what is right was refused"


PROBE = Probe()
with Suite(accounts=["ann"], conf=CONF, env=PROBE.env) as suite:
    no_password(suite)
    check_form(suite)
    rotation(suite)
    killed(suite)
    flood(suite)
    forged(suite, PROBE)
    check_form(suite)
