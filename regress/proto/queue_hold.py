#!/usr/bin/env python3
# suite: own
"""Queues of other hosts under an administrator's hands: held until they are
released, delayed, rejected, moved; the TCP schedule; cgctl queue."""
import os
import pathlib
import re
import signal
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, PASSWORD, Suite, kill, wait_for  # noqa: E402
from outgoing import nothing_left, reports, route, send  # noqa: E402
from sink import Sink  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1h; ReportDelay = 0s; LogLevel = 5; }
settings SMTP { LogLevel = 5; }
"""


def ask(s, *lines):
    cli = s.cli()
    cli.ask("INLINE")
    answers = [cli.ask(line) for line in lines]
    cli.close()
    return answers


def refused(s, line):
    cli = s.cli()
    answer = cli.send(line)
    cli.close()
    assert answer[:1] == "5", (line, answer)
    return answer


def host(k):
    """What the queue for that sink is called."""
    return f"{k.address}:{k.port}"


def cgctl(s, *words):
    p = subprocess.run([OBJ / "cgctl", *words], env={**os.environ, **s.env},
                       capture_output=True, text=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def hosts(s):
    """cgctl's table: {queue: line}"""
    code, out, err = cgctl(s, "queue", "hosts")
    assert code == 0, err
    return {line.split()[1]: line for line in out.splitlines()
            if line.startswith(("SMTP", "LOCAL"))}


def seen(s, text, n=1):
    wait_for(text, lambda: s.log().count(text) >= n)


def ident(s):
    wait_for("a message", s.queue)
    number, = s.queue()
    return number


def restart_queued(s):
    before = s.log().count("QUEUE sandbox proved")
    for pid, name in s.children().items():
        if name == "queued":
            kill(pid)
    seen(s, "QUEUE sandbox proved", before + 1)


def held(s):
    """It waits, over a restart, too; once released it goes, new mail waits."""
    with Sink() as k:
        route(s, client_example=k)
        ask(s, f'UpdateModule SMTP {{HoldMailFor="x.example,{host(k)}";}}')
        send(s, ["a@client.example"])
        wait_for("a held queue",
                 lambda: "held until" in hosts(s).get(host(k), ""))
        restart_queued(s)
        wait_for("a held queue",
                 lambda: "held until" in hosts(s).get(host(k), ""))
        send(s, ["b@client.example"])
        wait_for("two", lambda: re.search(r" 2 +0 ", hosts(s)[host(k)]))
        assert k.sessions == 0
        ask(s, f"ReleaseSMTPQueue {host(k)}")
        k.wait(2)
        nothing_left(s)
        wait_for("its end", lambda: host(k) not in hosts(s))
        send(s, ["c@client.example"])
        wait_for("a held queue",
                 lambda: "held until" in hosts(s).get(host(k), ""))
        assert len(k.mails) == 2
        # Nobody is held any more.
        ask(s, 'UpdateModule SMTP {HoldMailFor="";}')
        k.wait(3)
        nothing_left(s)


def both_released(s):
    """A domain that sends from its own address has a queue of its own: the
    host's name releases both."""
    ask(s, 'CreateDomain two.example {IPAddresses=("[127.0.25.7]");'
        'RelayAddress=first;}',
        f'CreateAccount bob@two.example {{Password="{PASSWORD}";}}')
    with Sink() as k:
        route(s, client_example=k)
        ask(s, f'UpdateModule SMTP {{HoldMailFor="{host(k)}";}}')
        send(s, ["a@client.example"])
        with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
            c.login("bob@two.example", PASSWORD)
            c.sendmail("bob@two.example", ["b@client.example"], "hello\r\n")
        for name in (host(k), f"@127.0.25.7:{host(k)}"):
            wait_for("a held queue",
                     lambda: "held until" in hosts(s).get(name, ""))
        ask(s, f"ReleaseSMTPQueue {host(k)}")
        k.wait(2)
        nothing_left(s)
        ask(s, 'UpdateModule SMTP {HoldMailFor="";}')


def held_again(s):
    """The host asks, but then does not take it: it waits for the next time."""
    with Sink() as k:
        k.answers["GREET"] = ["421 4.3.2 not now", "220 hi"]
        route(s, client_example=k)
        ask(s, 'UpdateModule SMTP {HoldMailFor="127.*";}')
        send(s, ["a@client.example"])
        wait_for("a held queue",
                 lambda: "held until" in hosts(s).get(host(k), ""))
        ask(s, f"ReleaseQueue {host(k)}")
        wait_for("a delayed queue",
                 lambda: "not now" in hosts(s).get(host(k), ""))
        ask(s, f"ReleaseQueue {host(k)}")
        k.wait(1)
        nothing_left(s)
        ask(s, 'UpdateModule SMTP {HoldMailFor="";}')


def delayed(s):
    """A queue, then a message, is delayed by hand, and released."""
    with Sink() as k:
        k.answers["GREET"] = ["421 4.3.2 not now", "220 hi"]
        route(s, far_example=k)
        send(s, ["a@far.example"])
        wait_for("a delayed queue",
                 lambda: "not now" in hosts(s).get(host(k), ""))
        code, _, err = cgctl(s, "queue", "delay", host(k), "2h")
        assert code == 0, err
        line = hosts(s)[host(k)]
        assert "by the administrator" in line and \
            re.search("next try in (2h|1[12][0-9]m|1h)", line), line
        number = ident(s)
        code, _, err = cgctl(s, "queue", "delay", number, "3d")
        assert code == 0, err
        ask(s, f"ReleaseQueueMessage {number}")
        k.wait(1)
        nothing_left(s)
    assert "no such queue" in refused(s, "DelayQueue far.example 2h")
    assert "how long" in refused(s, "DelayQueue far.example never")
    assert "no such message" in refused(s, "DelayQueueMessage 77 2h")


def rejected(s):
    """Its senders hear, with the reason."""
    with Sink() as k:
        k.answers["GREET"] = ["421 4.3.2 not now"]
        route(s, far_example=k)
        for n in range(3):
            send(s, [f"r{n}@far.example"])
        wait_for("three", lambda: re.search(
            r" 3 +0 .*not now", hosts(s).get(host(k), "")))
        number = min(s.queue(), key=int)
        before = len(reports(s))
        code, _, err = cgctl(s, "queue", "reject", number, "go away")
        assert code == 0, err
        wait_for("a report", lambda: len(reports(s)) == before + 1)
        assert re.search(rb"rfc822; ?r[012]@", reports(s)[-1]) and \
            b"go away" in reports(s)[-1], reports(s)[-1]
        # Or do not hear, in the words of the vendor's scripts.
        cli = s.cli()
        number = min(s.queue(), key=int)
        cli.ask(f"RejectQueueMessage {number} NONDN")
        wait_for("it to go", lambda: number not in s.queue())
        cli.close()
        code, _, err = cgctl(s, "queue", "reject", host(k))
        assert code == 0, err
        wait_for("a report", lambda: len(reports(s)) == before + 2)
        nothing_left(s)


def moved(s):
    """What waits for one host goes by another, and not to the first."""
    with Sink() as k, Sink() as other:
        k.answers["GREET"] = ["421 4.3.2 not now"]
        route(s, far_example=k)
        for n in range(2):
            send(s, [f"m{n}@far.example"])
        wait_for("two", lambda: re.search(
            r" 2 +0 .*not now", hosts(s).get(host(k), "")))
        assert cgctl(s, "queue", "move", host(k), "no host")[0] == 1
        code, _, err = cgctl(s, "queue", "move", host(k), host(other))
        assert code == 0, err
        other.wait(2)
        assert all(m.rcpts[0].startswith(f"<m{n}@far.example>") for n, m in
                   enumerate(sorted(other.mails, key=lambda m: m.rcpts)))
        nothing_left(s)
        # What comes now goes where it always went.
        send(s, ["m2@far.example"])
        wait_for("one", lambda: "not now" in hosts(s).get(host(k), ""))
        # A release looks again where it goes.
        route(s, far_example=other)
        assert cgctl(s, "queue", "release")[0] == 0
        other.wait(3)
        nothing_left(s)


def kept(s):
    """What was done by hand goes on after queued was killed; a release ends
    it, for the next life, too."""
    def restart():
        restart_queued(s)
        wait_for("the queue", lambda: "by the administrator" in
                 hosts(s).get(host(k), ""))

    with Sink() as k, Sink() as one, Sink() as other:
        for sink in k, one, other:
            sink.answers["GREET"] = ["421 4.3.2 not now", "220 hi"]
        route(s, far_example=k, one_example=one, moved_example=one)
        send(s, ["a@far.example"])
        wait_for("a delayed queue",
                 lambda: "not now" in hosts(s).get(host(k), ""))
        ask(s, f"DelayQueue {host(k)} 2h")
        before = set(s.queue())
        send(s, ["m@moved.example"])
        wait_for("a delayed queue",
                 lambda: "not now" in hosts(s).get(host(one), ""))
        ask(s, f"MoveQueue {host(one)} TO {host(other)}")
        wait_for("the other's", lambda: "not now" in
                 hosts(s).get(host(other), ""))
        before |= set(s.queue())
        ask(s, f'UpdateModule SMTP {{HoldMailFor="{host(one)}";}}')
        send(s, ["b@one.example"])
        wait_for("a held queue",
                 lambda: "held until" in hosts(s).get(host(one), ""))
        number = next(iter(set(s.queue()) - before))
        ask(s, f"DelayQueueMessage {number} 3d",
            'UpdateModule SMTP {HoldMailFor="";}')
        restart()
        ask(s, f"ReleaseQueue {host(other)}")
        assert other.wait(1)[0].rcpts[0].startswith("<m@moved.example>")
        # New mail passes by what was put off, and does not take it along.
        send(s, ["c@one.example"])
        assert one.wait(1)[0].rcpts[0].startswith("<c@one.example>")
        restart()
        assert set(s.queue()) >= {number} and len(s.queue()) == 2
        ask(s, f"ReleaseQueueMessage {number}")
        assert one.wait(2)[1].rcpts[0].startswith("<b@one.example>")
        assert not k.mails
        restart()
        ask(s, f"ReleaseQueue {host(k)}")
        k.wait(1)
        nothing_left(s)


def in_hand(s):
    """Delayed before a new queued has heard that it is under way."""
    with Sink() as k:
        k.answers["END"] = ["HANG", "250 2.0.0 taken"]
        route(s, far_example=k)
        send(s, ["a@far.example"])
        wait_for("the text", lambda: any(line.startswith("DATA")
                                         for _, line in k.heard))
        sender = next(p for p, n in s.children().items() if n == "smtpd-send")
        kill(sender, signal.SIGSTOP)
        restart_queued(s)
        number = ident(s)
        cli = s.cli()
        wait_for("a message that waits", lambda: cli.send(
            f"DelayQueueMessage {number} 3d").startswith("2"))
        cli.close()
        kill(sender, signal.SIGCONT)
        wait_for("one under way", lambda: re.search(
            r" 0 +1 ", hosts(s).get(host(k), "")))
        k.hang_up()
        wait_for("a delay", lambda: re.search(
            r" 1 +0 ", hosts(s).get(host(k), "")))
        ask(s, f"ReleaseQueueMessage {number}")
        send(s, ["b@far.example"])
        k.wait(2)
        nothing_left(s)


def shown(s):
    """One message and its header; a terminal is not driven by it."""
    with Sink() as k:
        k.answers["GREET"] = ["421 4.3.2 not now"]
        route(s, far_example=k)
        with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
            c.ehlo()
            c.login("ann", PASSWORD)
            c.sendmail(s.address("ann"), ["x@far.example"],
                       b"Subject: one \x1b[31m red\r\n\r\nbody\r\n")
        wait_for("one", lambda: "not now" in hosts(s).get(host(k), ""))
        number = ident(s)
        code, out, err = cgctl(s, "queue", "show", number)
        assert code == 0, err
        assert f"message    {number}" in out and "x@far.example" in out and \
            "not now" in out and "Subject: one ?[31m red" in out and \
            "Received:" in out and "body" not in out and \
            f"of {s.address('ann')}" in out, out
        code, out, err = cgctl(s, "queue")
        assert code == 0 and re.search(rf"^{number} ", out, re.M) and \
            "to x@far.example  waiting, next try in" in out and \
            out.endswith("1 message\n"), out
        assert cgctl(s, "queue", "show", "999999")[0] == 1
        assert cgctl(s, "queue", "show")[0] == 2
        assert cgctl(s, "queue", "nonsense")[0] == 2
        ask(s, f"RejectQueueMessage {number}")
        nothing_left(s)


def scheduled(s):
    """Outside the TCP schedule nobody is connected to; pauses are kept."""
    with Sink() as k:
        route(s, far_example=k)
        ask(s, "UpdateModule Main {TCPSchedule=({Days=Never;});}")
        send(s, ["a@far.example", s.address("ann")])
        wait_for("mail of ours", lambda: any(
            b"Subject: one" in t for _, t in s.mail("ann")))
        wait_for("one", lambda: "waits for its turn" in
                 hosts(s).get(host(k), ""))
        time.sleep(3)           # it is looked at every two seconds
        assert k.sessions == 0
        ask(s, 'UpdateModule Main {TCPSchedule=({Pause=8s;});}')
        k.wait(1)
        seen(s, "TCP session ends")
        ended = time.monotonic()
        nothing_left(s)
        send(s, ["b@far.example"])
        k.wait(2)
        assert time.monotonic() - ended > 6, time.monotonic() - ended
        # Nor is a connection used that is there already.
        ask(s, "UpdateModule Main {TCPSchedule=();}")
        send(s, ["c@far.example"])
        k.wait(3)
        ask(s, "UpdateModule Main {TCPSchedule=({Days=Never;});}")
        wait_for("the connection's end", lambda: k.open == 0, 4)
        send(s, ["d@far.example"])
        time.sleep(3)
        assert len(k.mails) == 3
        ask(s, "UpdateModule Main {TCPSchedule=();}")
        k.wait(4)
        ask(s, "UpdateModule Main {TCPSchedule=({Days=Someday;});}")
        seen(s, "counts for nothing")
        ask(s, "UpdateModule Main {TCPSchedule=();}")
        nothing_left(s)


def wakes(s):
    """The backup server is asked now, then again and again, as scheduled."""
    with Sink() as k:
        ask(s, "UpdateModule Main {TCPSchedule=({Days=Never;});}",
            f'UpdateModule SMTP {{SendWakeupsTo="{host(k)}";'
            "SendWakeupsEvery=1s;}")
        assert "schedule allows none" in refused(s, "SendWakeup")
        time.sleep(2)
        assert k.sessions == 0
        ask(s, "UpdateModule Main {TCPSchedule=();}")

        def asked():
            return [line for _, line in k.heard if line.startswith("ETRN")]
        wait_for("three ETRNs", lambda: len(asked()) >= 3)
        assert set(asked()) == {"ETRN " + s.domain}, asked()
        seen(s, "the backup server is woken up", 3)
        ask(s, 'UpdateModule SMTP {SendWakeupsEvery=0;}')
    code, _, err = cgctl(s, "queue", "wakeup")
    assert code == 0, err
    seen(s, "the backup server cannot be woken up")


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        for test in (held, both_released, held_again, delayed, rejected,
                     moved, kept, in_hand, shown, scheduled, wakes):
            test(s)
            print("ok", test.__name__, flush=True)


main()
