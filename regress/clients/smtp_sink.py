#!/usr/bin/env python3
# suite: own
"""Postfix' smtp-sink as the host that mail goes to, with each of its switches
for faults: once the faults end each message is there, whole and once; what is
refused for good comes back; what is merely odd or slow is no trouble."""
import contextlib
import os
import pathlib
import re
import smtplib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from smtpsink import SmtpSink  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 4; }
"""
STAGES = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."]
# Until it has another mood.
PASSING = [(flag, stage) for flag in ("-q", "-Q", "-r") for stage in STAGES] + \
    [("-M", "1"), ("-f", "CONNECT"), ("-f", "EHLO,HELO"), ("-r", "EHLO,HELO"),
     ("-q", "EHLO,HELO"), ("-Q", "RCPT,RSET"), ("-r", "MAIL", "-e"),
     ("-r", ".", "-p"), ("-q", ".", "-8"), ("-p", "-b", "421 4.3.2 closing",
                                           "-r", "RCPT")]
FINAL = [("-f", stage) for stage in STAGES[2:]] + \
    [("-f", "MAIL", "-e"), ("-f", ".", "-p"), ("-A", "0"),
     ("-B", "554 5.3.0 Error: never", "-f", "RCPT")]
ODD = [("-8",), ("-p",), ("-e",), ("-E",), ("-a",), ("-N",), ("-C", "-F"),
       ("-P",), ("-c",), ("-8", "-p", "-E", "-N"), ("-m", "1"), ("-f", "EHLO"),
       ("-w", "2"), ("-p", "-W", "MAIL:2"), ("-W", ".:2"), ("-H", "2"),
       ("-T", "2000"), ("-q", "QUIT"), ("-Q", "QUIT"),
       ("-h", "127.0.0.1")]
BODY = b".\r\n..\r\n.x\r\n\r\n8 bit: \xc3\xa4\r\n" + b"x" * 990 + b"\r\n" + \
    b".\r\n" * 3000 + b"end\r\n"


class Hosts:
    """One smtp-sink for each row of switches, each a domain's host."""

    def __init__(self, s, top, rows, stack):
        self.s = s
        self.sinks = [stack.enter_context(SmtpSink(top, *row))
                      for row in rows]
        self.rows = rows
        cli = s.cli()
        cli.ask('SetRouterTable "%s"' % "".join(
            f"Relay:f{i}.example = f{i}.example@127.0.0.1.{k.port}.smtp\\e"
            for i, k in enumerate(self.sinks)))
        cli.close()

    def text(self, i, n):
        return (f"Message-ID: <{i}.{n}.{os.getpid()}@test.example>\r\n"
                "Date: Sat, 21 Nov 2026 08:41:53 +0000\r\n"
                "From: ann@test.example\r\n"
                f"To: x@f{i}.example\r\nSubject: {self.rows[i]} {n}\r\n\r\n"
                ).encode() + BODY

    def send(self, count=2):
        with smtplib.SMTP("127.0.0.1", self.s.smtp, timeout=120) as c:
            c.ehlo()
            c.login("ann", PASSWORD)
            for i in range(len(self.rows)):
                for n in range(count):
                    c.sendmail(self.s.address("ann"), [
                        f"x{n}@f{i}.example", f"y{n}@f{i}.example"],
                        self.text(i, n), ["BODY=8BITMIME"])

    def arrived(self, count=2):
        try:
            wait_for("an empty queue", lambda: not self.s.queue())
        except AssertionError:
            print(self.s.log()[-3000:],
                  [r for r, k in zip(self.rows, self.sinks)
                   if len(k.mails()) < count])
            raise
        for i, k in enumerate(self.sinks):
            got = k.mails()
            for n in range(count):
                text = self.text(i, n).replace(b"\r\n", b"\n")
                mark = text[:text.index(b"\n")]
                people = []     # in one transaction, or each in his own
                for head, data in [m for m in got if mark in m[1]]:
                    assert data[data.index(mark):] == text + b"\n", \
                        (self.rows[i], data[:1000])
                    assert b"X-Mail-Args: <ann@test.example>" in head, head
                    people += re.findall(rb"X-Rcpt-Args: <(.*?)>", head)
                assert sorted(people) == [
                    f"{w}{n}@f{i}.example".encode() for w in "xy"], \
                    (self.rows[i], people)


def passing(s, top):
    with contextlib.ExitStack() as stack:
        h = Hosts(s, top, PASSING, stack)
        h.send()

        def troubled(i):
            port = h.sinks[i].port
            return re.search(rf"QUEUE SMTP\(127\.0\.0\.1:{port}\).* delayed",
                             s.log())
        for i, row in enumerate(PASSING):
            wait_for(f"trouble by {row}", lambda i=i: troubled(i))
        for k in h.sinks:
            k.start()
        h.arrived()
    assert not s.mail("ann"), s.mail("ann")[0]


def odd(s, top):
    with contextlib.ExitStack() as stack:
        h = Hosts(s, top, ODD, stack)
        h.send()
        h.arrived()
    assert not s.mail("ann"), s.mail("ann")[0]


def final(s, top):
    before = len(s.mail("ann"))
    with contextlib.ExitStack() as stack:
        h = Hosts(s, top, FINAL, stack)
        h.send(1)
        wait_for("an empty queue", lambda: not s.queue())
        reports = [t for _, t in s.mail("ann")[before:]]
        for i, row in enumerate(FINAL):
            text = b"".join(t for t in reports if
                            f"@f{i}.example".encode() in t)
            failed = re.findall(rb"Final-Recipient: rfc822;\s*(\S+)\n"
                                rb"Action: failed\nStatus: 5", text)
            assert sorted(failed) == [f"{w}0@f{i}.example".encode()
                                      for w in "xy"], (row, text[:3000])
            # a refused end it keeps all the same
            assert "." in row or not h.sinks[i].mails(), row


def main():
    with tempfile.TemporaryDirectory(prefix="cg-sink-") as top:
        os.chmod(top, 0o755)
        with Suite(accounts=["ann"], conf=CONF) as s:
            for step in (passing, odd, final):
                start = time.monotonic()
                step(s, top)
                print(f"{step.__name__}: {time.monotonic() - start:.1f} s",
                      flush=True)


main()
