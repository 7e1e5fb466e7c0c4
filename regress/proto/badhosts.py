#!/usr/bin/env python3
# suite: own
"""Mail hosts that are hostile or broken: nothing is lost, doubled, left lying
or sent in vain for ever, and the sender's process lives through it all."""
import os
import pathlib
import signal
import smtplib
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402
from outgoing import (certificate, nothing_left, reports,  # noqa: E402
                      route, send)
from sink import Gone, Session, Sink  # noqa: E402

ALL = ["PIPELINING", "SIZE 100000000", "8BITMIME", "DSN", "CHUNKING",
       "SMTPUTF8"]
# So that whatever is delayed in vain is noticed.
CONF = """
settings Queue { RetryEveryLater = 1h; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; }
"""


def many(s, n, domain):
    """That many messages, of one session."""
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        c.ehlo()
        c.login("ann", PASSWORD)
        for i in range(n):
            c.sendmail(s.address("ann"), [f"u{i}@{domain}"],
                       f"Subject: {i}\r\n\r\nhello\r\n")


def retry(s, every):
    cli = s.cli()
    cli.ask(f"UpdateModule Queue {{RetryEvery={every};}}")
    cli.close()


def encrypt(s, possible, to):
    cli = s.cli()
    cli.ask(f'UpdateModule SMTP {{EncryptWherePossible={possible};'
            f'SendEncrypted="{to}";}}')
    cli.close()


def pid_of(s, name):
    return next((p for p, n in s.children().items() if n == name), None)


class Once(Session):
    """Closes some time after each message."""
    def end(self):
        super().end()
        time.sleep(self.sink.patience)
        raise Gone


class OnceSink(Sink):
    patience = 0

    def session(self, s, number):
        Once(self, s, number).run()


def closes(s):
    """Whatever was on its way to it goes by the next connection."""
    for patience in (0, 0.0002, 0.001):
        for extensions in ([], ALL):
            with OnceSink(address="127.0.0.2", extensions=extensions) as k:
                k.patience = patience
                route(s, once_example=k)
                many(s, 100, "once.example")
                k.wait(100)
                nothing_left(s)
                assert len(k.mails) == 100 == len({m.rcpts[0] for m in
                                                   k.mails}), len(k.mails)


def restarted(s):
    """One recipient's host is slow: the others' mail goes all the same."""
    with Sink(address="127.0.0.2") as k, Sink(address="127.0.0.2") as slow:
        slow.answers["END"] = ["HANG"]
        k.answers["RCPT"] = ["450 4.2.0 not now"]
        retry(s, "1s")
        route(s, good_example=k, slow_example=slow)
        send(s, ["x@slow.example", "y@good.example"])
        wait_for("both in hand", lambda: "not now" in s.log() and
                 any(l == "DATA" for _, l in slow.heard))
        kill(pid_of(s, "queued"), signal.SIGKILL)
        wait_for("a new queued", lambda: pid_of(s, "queued"))
        k.answers.clear()
        k.wait(1, 60)
        slow.answers.clear()
    with Sink(address="127.0.0.2") as k:
        route(s, slow_example=k)
        assert k.wait(1)[0].rcpts == ["<x@slow.example>"]
        nothing_left(s)
    retry(s, "1h")


def addresses(s):
    """What is more than an address goes nowhere."""
    with Sink(address="127.0.0.2", extensions=ALL) as k:
        route(s, out_example=k)
        relay = smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=60)
        relay.ehlo()
        relay.login("ann", PASSWORD)
        relay.mail(s.address("ann"))
        taken = []
        for local in (b'"\xc3\xa4"', b'"a> b"', b'"a\\" b"', b"plain"):
            relay.send(b"RCPT TO:<" + local + b"@out.example>\r\n")
            if relay.getreply()[0] == 250:
                taken.append(local)
        relay.data(b"Subject: odd\r\n\r\nodd\r\n")
        relay.quit()
        m, = k.wait(1)
        nothing_left(s)
        told = [r.split(">@")[0] for r in m.rcpts]
        assert "<plain@out.example>" in m.rcpts, m
        assert all(l.isascii() for _, l in k.heard), told
        if b'"\xc3\xa4"' in taken:
            assert b"Status: 5.6.7" in b"".join(reports(s)), reports(s)
        assert len(m.rcpts) == len(taken) - (b'"\xc3\xa4"' in taken), m


def planted(s):
    """A queue file of others' with more in it than a packet takes."""
    queue = pathlib.Path(s.base, "Queue")
    with Sink(address="127.0.0.2", extensions=ALL) as k:
        k.answers["RCPT"] = ["450 4.2.0 not now"]
        route(s, out_example=k)
        send(s, ["x@out.example"])
        wait_for("a try", lambda: any(l.startswith("RCPT")
                                      for _, l in k.heard))
        old, = queue.rglob("*.msg")
        address = b"<" + s.address("ann").encode() + b">"
        text = b"\n".join(l for l in old.read_bytes().split(b"\n")
                          if l[:2] != b"Z ")
        new = queue / f"{int(old.stem) + 1000}.msg"
        new.write_bytes(text.replace(address, b"<" + b"a" * 1020 +
                                     address[1:], 1))
        os.chown(new, old.stat().st_uid, old.stat().st_gid)
        os.chmod(new, 0o600)
        k.answers.clear()
        kill(pid_of(s, "queued"), signal.SIGKILL)
        k.wait(1)
        nothing_left(s)
        assert len(k.mails) == 1, k.mails
        wait_for("its end in the log",
                 lambda: "return-path is too long" in s.log())


class Script:
    """A host that says what it is told, whatever it hears."""
    def __init__(self, *said, tls=None):
        self.said, self.tls, self.sessions = said, tls, 0
        self.heard = b""
        self.s = socket.create_server(("127.0.0.2", 0), backlog=50)
        self.address, self.port = self.s.getsockname()
        self.over = False

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    def run(self):
        while not self.over:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.serve, args=(c,),
                             daemon=True).start()

    def serve(self, c):
        try:
            for i, text in enumerate(self.said):
                if i > 0:
                    self.heard += c.recv(100000)
                c.sendall(text)
            c.shutdown(socket.SHUT_WR)
            c.settimeout(5)
            while c.recv(100000):
                pass
        except OSError:
            pass
        finally:
            c.close()


HI, EHLO, FULL = b"220 x\r\n", b"250 x\r\n", \
    b"250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n"
SAID = [
    (b"",), (b"\r\n",), (b"HTTP/1.1 400 Bad\r\n",), (b"99",),
    (b"220-" + b"x" * 100000 + b"\r\n",), (b"220-x\r\n" * 100000,),
    (b"120 x\r\n",), (b"354 x\r\n",), (b"\0\0\0\n" * 100,),
    (HI, b"250-x\r\n250-SIZE 99999999999999999999999\r\n250\r\n",
     b"250 ok\r\n"),
    (HI, b"350 x\r\n"), (HI, b"421 x\r\n"), (HI, b"500 x\r\n", b"500 x\r\n"),
    (HI + EHLO + b"250 ok\r\n" * 20,), (HI + FULL + b"250 ok\r\n" * 20,),
    (HI, EHLO + b"250 a\r\n" * 3), (HI, FULL + b"354 a\r\n" * 3),
    (HI, EHLO, b"150 x\r\n"), (HI, EHLO, b"354 x\r\n", b"354 x\r\n"),
    (HI, EHLO, b"250 x\r\n", b"354 x\r\n", b"250 x\r\n"),
    (HI, EHLO, b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", b"250 x\r\n"),
    (HI, EHLO, b"250 x\r\n", b"250 x\r\n", b"354 x\r\n421 x\r\n"),
    (HI, FULL, b"421 x\r\n" * 3), (HI, FULL, b"250 x\r\n421 x\r\n250 x\r\n"),
    (HI, FULL, b"250 x\r\n354 x\r\n354 x\r\n"),
    (HI, FULL, b"450 x\r\n250 x\r\n250 x\r\n"), (HI, FULL, b"250 x\r\n"),
    (HI, FULL), (HI, EHLO), (HI, EHLO, b"250 x\r\n"),
    (HI, EHLO, b"250 x\r\n", b"250 x\r\n"),
    (HI, EHLO, b"250 x\r\n", b"250 x\r\n", b"354 x\r\n"),
]


def says(s):
    """It stays with us until somebody takes it; no host is pestered."""
    sender = pid_of(s, "smtpd-send")
    retry(s, "2s")
    for said in SAID:
        with Script(*said) as k:
            route(s, odd_example=k)
            before = s.log().count(" delayed for ")
            send(s, ["x@odd.example"])
            wait_for(f"a delay after {said}"[:300],
                     lambda: s.log().count(" delayed for ") > before)
            assert k.sessions <= 3, (said, k.sessions)
        with Sink(address="127.0.0.2", extensions=ALL) as good:
            route(s, odd_example=good)
            assert good.wait(1)[0].rcpts[0].startswith("<x@odd.example>")
            nothing_left(s)
            assert len(good.mails) == 1
    assert pid_of(s, "smtpd-send") == sender
    retry(s, "1h")


def not_now(s, top):
    """It must be encrypted and cannot be now: it waits, and is not refused."""
    pair = certificate(top, "x.example")
    retry(s, "2s")
    with Sink(extensions=ALL, tls=pair) as k:
        k.answers["STARTTLS"] = ["454 4.7.0 not now"]
        route(s, safe_example=k)
        send(s, ["x@safe.example"])
        wait_for("a delay", lambda: "not now" in s.log().split(
            "QUEUE SMTP(127.0.0.1:%d) delayed" % k.port)[-1] and
            "QUEUE SMTP(127.0.0.1:%d) delayed" % k.port in s.log())
        assert not k.mails and len(s.queue()) == 1
        encrypt(s, "NO", "")
        assert not k.wait(1)[0].tls
        nothing_left(s)


class Injecting(Session):
    def do_starttls(self, line, verb):
        self.s.sendall(b"220 go on\r\n250-x\r\n250-AUTH PLAIN\r\n250 "
                       b"CHUNKING\r\n")
        self.secure()


class InjectingSink(Sink):
    def session(self, s, number):
        Injecting(self, s, number).run()


def injected(s, top):
    """What stands behind the answer to STARTTLS was not said."""
    encrypt(s, "YES", "")
    with InjectingSink(address="127.0.0.2", extensions=["PIPELINING"],
                       tls=certificate(top, "x.example")) as k:
        route(s, out_example=k)
        send(s, ["x@out.example"])
        assert k.wait(1)[0].tls
        said = [l.split(" ")[0] for _, l in k.heard]
        assert said[:5] == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT"], said
        assert "BDAT" not in said, said
        nothing_left(s)


def main():
    with tempfile.TemporaryDirectory() as top, \
            Suite(accounts=["ann"], conf=CONF) as s:
        retry(s, "1h")
        encrypt(s, "NO", "127.0.0.1:*")
        for step in (addresses, closes, planted,
                     restarted, says):
            print(step.__name__, flush=True)
            step(s)
        for step in (not_now, injected):
            print(step.__name__, flush=True)
            step(s, top)


main()
