#!/usr/bin/env python3
# suite: own
"""A setting that was set is in force everywhere when its change is answered;
but nobody waits for long for a process that hangs."""
import pathlib
import select
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill  # noqa: E402

LONG = 20                       # seconds


def stopped(s, name, n):
    """Answered while it does not run, or only then?"""
    pid = next(p for p, who in s.children().items() if who == name)
    cli = s.cli()
    kill(pid, signal.SIGSTOP)
    cli.f.write(f"UpdateModule SMTP {{ChannelsPerHost={n};}}\r\n".encode())
    cli.f.flush()
    early = select.select([cli.s], [], [], 0.5)[0]
    return pid, cli, early


with Suite() as s:
    for n, name in enumerate(("queued", "smtpd-send", "pop3d", "authd"), 3):
        pid, cli, early = stopped(s, name, n)
        assert not early, f"answered before {name} had it: {cli.line()}"
        kill(pid, signal.SIGCONT)
        assert cli.line()[:1] == "2"
        cli.close()
    pid, cli, _ = stopped(s, "imapd", 9)
    begin = time.monotonic()
    assert cli.line()[:1] == "2"
    assert time.monotonic() - begin < LONG
    kill(pid, signal.SIGCONT)
    cli.close()
