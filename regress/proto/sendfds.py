#!/usr/bin/env python3
# suite: own
"""A sending role that is short of descriptors: connections wait for one, no
host is put off for it, and all mail arrives."""
import pathlib
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, limit_files, wait_for  # noqa: E402
from sink import Sink  # noqa: E402

HOSTS = 60
# Whoever was put off would be heard of again in a day.
CONF = """
settings Queue { RetryEvery = 1d; RetryEveryLater = 1d; }
settings SMTP { LogLevel = 5; SendingChannels = 100; }
"""


def main():
    with Suite(accounts=["ann"], conf=CONF) as s, \
            Sink(address="0.0.0.0", extensions=["PIPELINING"]) as k:
        cli = s.cli()
        cli.ask('SetRouterTable "%s"' % "".join(
            f"Relay:d{i}.example = d{i}.example@127.0.0.{i + 1}.{k.port}"
            ".smtp\\e" for i in range(HOSTS)))
        cli.close()
        pid = [p for p, n in s.children().items() if n == "smtpd-send"][0]
        used = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
        room = used * 2 + 32 + 24
        limit_files(pid, room)
        with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
            c.login("ann", PASSWORD)
            for i in range(HOSTS):
                c.sendmail("", [f"x@d{i}.example"], "Subject: x\r\n\r\nx\r\n")
        k.wait(HOSTS)
        wait_for("an empty queue", lambda: not s.queue())
        assert "too few file descriptors" in s.log()
        assert "delayed for" not in s.log()


main()
