#!/usr/bin/env python3
# suite: own
"""How many connections a host gets: one for message after message, more when
it is slow or much waits, fewer when it takes no more, and how its names are
followed."""
import os
import pathlib
import smtplib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from sink import Sink  # noqa: E402

ALL = ["PIPELINING", "SIZE 100000000", "8BITMIME", "DSN", "CHUNKING"]
CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
"""


def smtp(s, **settings):
    cli = s.cli()
    cli.ask("UpdateModule SMTP {%s}" % "".join(
        f"{k}={v};" for k, v in settings.items()))
    cli.close()


def route(s, k):
    cli = s.cli()
    cli.ask('SetRouterTable "Relay:out.example = out.example@127.0.0.1.'
            f'{k.port}.smtp\\e"')
    cli.close()


def send(s, *rcpts):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
        c.login("ann", PASSWORD)
        for r in rcpts:
            c.sendmail(s.address("ann"), [r], "Subject: x\r\n\r\nx\r\n")


def nothing_left(s):
    wait_for("an empty queue", lambda: not s.queue())


class Slow(Sink):
    """The first message for "slow" has no end until it is let go."""

    def answer(self, verb, usual, line=""):
        if verb == "RCPT" and "slow" in line and not self.going.is_set():
            self.stuck.set()
            self.going.wait(120)
        return super().answer(verb, usual, line)


def slow(s):
    """Nobody waits behind a message that takes long."""
    smtp(s, AddChannelAfter="1h", ChannelsPerHost=3)
    with Slow(extensions=ALL) as k:
        k.going, k.stuck = threading.Event(), threading.Event()
        route(s, k)
        send(s, "slow@out.example")
        assert k.stuck.wait(120)
        send(s, "a@out.example", "b@out.example")
        assert k.sessions == 1 and not k.mails
        smtp(s, AddChannelAfter="1s")
        assert {m.rcpts[0].split()[0] for m in k.wait(2)} == {
            "<a@out.example>", "<b@out.example>"}
        assert k.sessions <= 3, k.sessions
        k.going.set()
        k.wait(3)
        nothing_left(s)


def much(s):
    """Nor behind one, when more than fifty do."""
    smtp(s, AddChannelAfter="1h", ChannelsPerHost=4)
    with Slow(extensions=ALL) as k:
        k.going, k.stuck = threading.Event(), threading.Event()
        route(s, k)
        send(s, "slow@out.example")
        assert k.stuck.wait(120)
        send(s, *[f"u{i}@out.example" for i in range(120)])
        k.wait(60)
        assert 2 <= k.sessions and k.most <= 4, (k.sessions, k.most)
        k.going.set()
        k.wait(121)
        nothing_left(s)
        assert len({m.rcpts[0] for m in k.mails}) == len(k.mails) == 121


class Busy(Sink):
    """It takes some connections, and no more."""
    refused = takes = 0

    def session(self, s, number):
        if self.open < self.takes:
            super().session(s, number)
            return
        self.refused += 1
        s.sendall(b"421 4.7.0 too many connections\r\n")
        s.close()


def busy(s):
    """Who takes no further connection is not asked for one all the time."""
    smtp(s, AddChannelAfter="1s", ChannelsPerHost=10)
    with Busy(extensions=ALL) as k:
        route(s, k)
        send(s, *[f"u{i}@out.example" for i in range(500)])
        k.takes, k.refused = 2, 0
        k.wait(500)
        nothing_left(s)
        assert len({m.rcpts[0] for m in k.mails}) == len(k.mails) == 500
        assert k.most <= 2 and k.refused <= 20, (k.most, k.refused)
        print(f"{k.sessions} connections, {k.refused} refused", flush=True)


def names(s):
    """Aliases of domains and of hosts; one that leads nowhere, or round."""
    if os.geteuid() != 0:       # port 25 is for root alone
        return
    pathlib.Path(s.env["CG_ZONE"]).write_text("""
        alias.example CNAME real.example
        real.example MX 10 mx.example
        mx.example CNAME host.example
        host.example A 127.0.25.11
        bare.example CNAME host.example
        nowhere.example CNAME gone.example
        loop.example CNAME pool.example
        pool.example CNAME loop.example
        badmx.example MX 10 loop.example
        number.example MX 10 127.0.25.11
    """)
    with Sink(address="127.0.25.11", port=25, extensions=ALL) as k:
        send(s, "x@alias.example", "x@bare.example", "x@number.example")
        assert {m.rcpts[0].split()[0] for m in k.wait(3)} == {
            "<x@alias.example>", "<x@bare.example>", "<x@number.example>"}
        send(s, "x@nowhere.example", "x@loop.example", "x@badmx.example")
        wait_for("reports", lambda: sum(
            t.count(b"Action: failed") for _, t in s.mail("ann")) == 3)
        nothing_left(s)


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        for step in (slow, much, busy, names):
            print(step.__name__, flush=True)
            step(s)


main()
