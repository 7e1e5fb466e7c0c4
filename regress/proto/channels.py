#!/usr/bin/env python3
# suite: own
"""How many connections a host gets: one for message after message, more when
it is slow or much waits, fewer when it takes no more, and how its names are
followed."""
import os
import pathlib
import re
import smtplib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from outgoing import nothing_left, route  # noqa: E402
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


def send(s, *rcpts):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
        c.login("ann", PASSWORD)
        for r in rcpts:
            c.sendmail(s.address("ann"), [r], "Subject: x\r\n\r\nx\r\n")


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
        route(s, out_example=k)
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
        route(s, out_example=k)
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
        route(s, out_example=k)
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


def hosts(s):
    """Equal ones take turns; addresses need no names; port 25 of IPv6."""
    if os.geteuid() != 0:
        return
    pathlib.Path(s.env["CG_ZONE"]).write_text("""
        equal.example MX 10 one.example
        equal.example MX 10 two.example
        equal.example MX 20 three.example
        one.example A 127.0.25.11
        two.example A 127.0.25.12
        three.example A 127.0.25.13
        six.example MX 10 sixhost.example
        sixhost.example AAAA ::1
    """)
    with Sink(address="127.0.25.11", port=25, extensions=ALL) as one, \
            Sink(address="127.0.25.12", port=25, extensions=ALL) as two, \
            Sink(address="127.0.25.13", port=25, extensions=ALL) as three:
        def both():
            send(s, "x@equal.example")
            nothing_left(s)
            one.hang_up()               # and the dice are thrown again
            two.hang_up()
            return one.mails and two.mails
        wait_for("mail for both", both)
        assert not three.mails
        # One after the other; who is an address is it, whoever forwards.
        smtp(s, ForwardTo='"127.0.25.14,127.0.25.13"')
        send(s, "x@far.example")
        assert three.wait(1)[0].rcpts[0].startswith("<x@far.example>")
        n = len(two.mails)
        send(s, "x@[127.0.25.12]")
        assert two.wait(n + 1)[n].rcpts[0].startswith("<x@[127.0.25.12]>")
        smtp(s, ForwardTo='""')
        nothing_left(s)
        send(s, "x@six.example")
        wait_for("the address in the log", lambda: re.search(
            r"sixhost\.example\[::1\]:25|-> \[::1\]:25", s.log()))


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        for step in (slow, much, busy, names, hosts):
            print(step.__name__, flush=True)
            step(s)


main()
