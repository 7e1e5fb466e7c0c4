#!/usr/bin/env python3
# suite: own
"""A long queue for hosts that are away: it is read at start, takes little
memory, and does not hold up other mail."""
import os
import pathlib
import signal
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, Suite, kill, sanitized, wait_for  # noqa: E402

MESSAGES, DOMAINS = 20000, 1000
CONF = "settings Queue { RetryEvery = 5s; }\n"
MESSAGE = """\
P I {now} 0000 ____ ____ <sender{i}@test.example>
O T
S SMTP [127.0.0.1]
R W {now} 0000 ____ _F__ <user{i}@d{d}.dead.example>

Subject: {i}

hello
"""


def queued(s):
    return wait_for("queued", lambda: [
        p for p, n in s.children().items() if n == "queued"])[0]


def memory(pid):
    """KiB that are its own."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(l.split()[1]) for l in text.splitlines()
               if l.startswith("Private_"))


def fill(queue):
    now = time.strftime("%d-%m-%Y %H:%M:%S", time.gmtime())
    owner = queue.stat()
    for i in range(MESSAGES):
        f = queue / f"{i + 1000}.msg"
        f.write_text(MESSAGE.format(now=now, i=i, d=i % DOMAINS))
        os.chown(f, owner.st_uid, owner.st_gid)


def status(s, name):
    cli = s.cli()
    cli.ask("INLINE")
    text = cli.ask("GetQueueStatus")
    cli.close()
    return int(text.split(name + "=")[1].split(";")[0])


def live_mail(s):
    n = len(s.mail("ann"))
    begin = time.monotonic()
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
        c.sendmail("", [s.address("ann")], "Subject: live\r\n\r\nhello\r\n")
    wait_for("live mail", lambda: len(s.mail("ann")) > n)
    return time.monotonic() - begin


def cgctl(s, *words):
    """It asks page by page."""
    return subprocess.run([OBJ / "cgctl", *words], env={**os.environ, **s.env},
                          check=True, capture_output=True, text=True,
                          timeout=120).stdout


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        pathlib.Path(s.env["CG_ZONE"]).write_text(
            "*.dead.example A 127.0.0.77\n")
        empty = memory(queued(s))
        kill(queued(s), signal.SIGSTOP)
        fill(pathlib.Path(s.base, "Queue"))
        kill(queued(s))
        wait_for("all to be delayed", lambda: s.log().count(
            "dead.example) delayed for") >= DOMAINS)
        assert status(s, "Messages") == MESSAGES
        each = (memory(queued(s)) - empty) / MESSAGES
        print(f"{each:.2f} KiB a recipient")
        assert each < 1 or sanitized(), each
        assert cgctl(s, "queue", "hosts").endswith(f"\n{DOMAINS} queues\n")
        assert cgctl(s, "queue").endswith(f"\n{MESSAGES} messages\n")
        # While they are tried again, too.
        print("live mail:", max(live_mail(s) for _ in range(20)), "s")
        wait_for("the live ones' end",
                 lambda: status(s, "Messages") == MESSAGES)


main()
