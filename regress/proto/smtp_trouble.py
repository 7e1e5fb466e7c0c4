#!/usr/bin/env python3
# suite: own
"""smtpd when its peers die, when clients waste its memory, when it stops."""
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402
import wire  # noqa: E402
from wire import Smtp, run  # noqa: E402

TEXT = "Subject: s\r\n\r\ntext\r\n"
suite = None


def bob():
    return suite.address("bob")


def end(name):
    """Kills that daemon; returns what tells that another one runs."""
    old = {p for p, n in suite.children().items() if n == name}
    for p in old:
        kill(p)
    return lambda: {p for p, n in suite.children().items()
                    if n == name} - old


def works():
    """Mail is taken, at the latest after a while; nothing but 4xx before."""
    def once():
        with Smtp(suite.smtp) as s:
            s.ask("MAIL FROM:<a@x.example>", 250)
            s.send(f"RCPT TO:<{bob()}>\r\n")
            if s.reply()[0] // 100 == 4:
                return False
            s.send("DATA\r\n")
            if s.reply()[0] // 100 == 4:
                return False
            s.send(TEXT + ".\r\n")
            return s.reply()[0] == 250
    wait_for("mail to be taken", once)


def queue_dies():
    with Smtp(suite.smtp) as s, Smtp(suite.smtp) as other:
        s.begin(bob())
        s.send(TEXT)
        other.ask("MAIL FROM:<a@x.example>", 250)
        other.ask(f"RCPT TO:<{bob()}>", 250)
        again = end("queued")
        wait_for("queued", again)
        # the file is gone: the text is read to its end and refused for now
        s.text(TEXT + "x" * 200000 + "\r\n.\r\n", 451)
        s.ask("NOOP", 250)
        other.send("DATA\r\n")
        assert other.reply()[0] in (354, 452)
        works()


def router_dies():
    with Smtp(suite.smtp) as s:
        s.ask("MAIL FROM:<a@x.example>", 250)
        again = end("routerd")
        s.ask(f"RCPT TO:<{bob()}>", 250, 451)
        s.ask("NOOP", 250)
        wait_for("routerd", again)
    works()


def authd_dies():
    with Smtp(suite.smtp) as s:
        again = end("authd")
        s.ask("AUTH PLAIN AGJvYgB3cm9uZw==", 535, 454)
        s.ask("NOOP", 250)
        wait_for("authd", again)
    works()


def memory():
    """Resident bytes of all smtpd processes."""
    total = 0
    for p, n in suite.children().items():
        if n == "smtpd":
            pages = pathlib.Path(f"/proc/{p}/statm").read_text().split()[1]
            total += int(pages) * os.sysconf("SC_PAGE_SIZE")
    return total


def wasted():
    """Clients that begin a lot and end nothing."""
    before = memory()
    clients = []
    for i in range(80):
        s = Smtp(suite.smtp)
        clients.append(s)
        if i % 4 == 0:          # a header line without an end
            s.begin(bob())
            s.send("X: " + "x" * 60000)
        elif i % 4 == 1:        # much text, and no end
            s.begin(bob())
            s.send(TEXT + ("y" * 70 + "\r\n") * 10000)
        elif i % 4 == 2:        # commands whose answers nobody reads
            s.s.setblocking(False)
            try:
                while True:
                    s.s.send(b"HELP\r\n" * 10000)
            except BlockingIOError:
                pass
        else:                   # recipients with long parameters
            s.ask("MAIL FROM:<a@x.example>", 250)
            for _ in range(50):
                s.send(f"RCPT TO:<{bob()}> ORCPT=rfc822;" + "o" * 480 +
                       "\r\n")
            for _ in range(50):
                s.want(250)
    with Smtp(suite.smtp) as s:
        s.ask("NOOP", 250)
    grown = memory() - before
    for s in clients:
        s.close()
    limit = int(os.environ.get("CG_MEMORY", 64 << 20))
    if "asan" not in str(os.environ.get("CG_OBJ", "")):
        assert grown < limit, f"{grown} bytes more"
    works()


def stops():
    """Who idles hears 421; who is in the middle of a text ends it first."""
    idle, busy = Smtp(suite.smtp), Smtp(suite.smtp)
    busy.begin(bob())
    busy.send(TEXT)
    os.kill(suite.server(), signal.SIGTERM)
    idle.want(421)
    assert idle.ended()
    try:
        busy.send(TEXT + ".\r\n")
        code, _ = busy.reply()
        assert code in (250, 451, 452), code
        code, _ = busy.reply()
        assert code == 421, code
    except (EOFError, ConnectionError):
        pass


with Suite(accounts=["bob"]) as suite:
    wire.DOMAIN = suite.domain
    run([queue_dies, router_dies, authd_dies, wasted, stops])
