#!/usr/bin/env python3
"""cgctl trace: shows the packets of one daemon, or those between two; hides
passwords; ends when it is interrupted, and soon when it is killed."""
import os
import pathlib
import poplib
import re
import signal
import smtplib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, wait_for  # noqa: E402
from wire import administrator, log  # noqa: E402

E = os.environ
ANN = "ann@" + E["CG_DOMAIN"]
PASSWORD = "open sesame"
SECRETS = (PASSWORD, "sesame", "b3BlbiBzZXNhbWU", "AG9wZW4gc2VzYW1l")
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d+ 5 TRACE (\S+?)(?:-\d+)? [<>] "
                  r"(\S+?)(?:-\d+)? (answer )?[A-Z_]+ session=\d+ seq=\d+")


class Trace:
    """A running cgctl trace, and the lines that have come."""

    def __init__(self, *daemons):
        self.daemons = daemons
        self.lines = []
        self.p = subprocess.Popen(["cgctl", "trace", *daemons], text=True,
                                  stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.p.stdout:
            if line.endswith("\n"):     # not cut by SIGKILL
                self.lines.append(line)

    def sees(self, pattern, act=lambda: None):
        """Waits for such a line, acting again and again."""
        def look():
            act()
            return any(re.search(pattern, line) for line in list(self.lines))
        wait_for(pattern, look)

    def end(self, sig):
        self.p.send_signal(sig)
        status = self.p.wait(60)
        self.reader.join(60)
        for line in self.lines:
            m = LINE.match(line)
            assert m and m[1] == self.daemons[0] and \
                self.daemons[1:] in ((), (m[2],)), line
        return status


def send():
    with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as c:
        c.sendmail("", [ANN], "Subject: traced\r\n\r\nhello\r\n")


def log_in():
    p = poplib.POP3("127.0.0.1", int(E["CG_POP"]), timeout=60)
    p.user("ann")
    p.pass_(PASSWORD)
    p.quit()


def log_in_smtp():
    with smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60) as c:
        c.login("ann", PASSWORD)


def quiet(act):
    """Is nothing traced any more?"""
    before = log().count(" TRACE ")
    act()
    return log().count(" TRACE ") == before


def one_daemon():
    t = Trace("smtpd")
    t.sees(" < cgserver CTL_TRACE .*seconds=[1-9]")     # it was asked again
    send()
    t.sees(r" > queued-0 COMMIT session=\d+ seq=\d+ id=\d+ ")
    t.sees(" < queued-0 answer COMMITTED .* code=0")
    log_in_smtp()
    t.sees(r' > authd-0 AUTH .*name="ann".* secret=<\d+ bytes>')
    assert t.end(signal.SIGINT) == 0
    wait_for("the end of the trace", lambda: quiet(send))


def two_daemons():
    t = Trace("pop3d", "authd")
    t.sees(r" > authd-0 AUTH .* secret=<\d+ bytes>", log_in)
    t.sees(" < authd-0 answer AUTHED .* code=0", log_in)
    assert t.end(signal.SIGTERM) == 0
    wait_for("the end of the trace", lambda: quiet(log_in))


def secrets():
    """All that hear of passwords, and of a new one."""
    all_of = [Trace(name) for name in ("authd", "pwdd", "pop3d", "stored",
                                       "cgserver")]
    for t in all_of:
        t.sees("TRACE")
    cli = administrator()
    cli.ask(f'SetAccountPassword ann To "{PASSWORD}"')
    cli.ask(f'UpdateAccountSettings ann {{Password="{PASSWORD}";}}')
    cli.close()
    for _ in range(3):
        log_in()
        cli = Cli(E["CG_PWD"], "ann", PASSWORD)
        cli.close()
    all_of[0].sees(r'ADMIN .*verb="SetAccountPassword" args=<\d+ bytes>')
    all_of[2].sees("AUTH ", log_in)
    for t in all_of:
        assert t.end(signal.SIGKILL) == -signal.SIGKILL
    text = "".join(line for line in log().splitlines(True)
                   if " TRACE " in line).lower()
    for s in SECRETS + (E["CG_ADMIN_PASSWORD"],):
        assert s.lower() not in text, f"{s} is in the log"
    # nobody asks any more: it ends by itself
    wait_for("the end of the traces", lambda: quiet(log_in))


def refusals():
    for args, code in ((("nobody",), 1), (("smtpd", "nobody"), 1),
                       (("x" * 200,), 1), ((), 2), (("a", "b", "c"), 2)):
        p = subprocess.run(["cgctl", "trace", *args], text=True,
                           capture_output=True, timeout=60)
        assert p.returncode == code and p.stderr, p
    subprocess.run(["cgctl", "CreateAccount", "eve", "{Password=eve;}"],
                   check=True)
    eve = Cli(E["CG_PWD"], "eve", "eve")
    assert "no right" in eve.send("Trace smtpd")
    eve.close()


subprocess.run(["cgctl", "CreateAccount", "ann",
                f'{{Password="{PASSWORD}";}}'], check=True)
for test in (one_daemon, two_daemons, secrets, refusals):
    test()
