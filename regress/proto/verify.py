#!/usr/bin/env python3
# suite: own
"""Verify HELO and Return-Path (manual 07, 29): which senders are refused for
good, which for now, which need no question at all."""
import base64
import pathlib
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from fakedns import FakeDns  # noqa: E402
from wire import Smtp  # noqa: E402

CONF = """
resolver 127.0.0.1:%d
processes smtpd 1
settings SMTP {
	LogLevel = 5; MaxErrors = 1000; ErrorFlow = ("-1",1m);
	VerifyReturnPath = NonClients; ReverseConnect = %s;
}
settings Protection {
	ClientIPs = "127.0.8.0/24";
	BlackListIPs = "192.0.2.0/24";
	WhiteHoleIPs = "192.0.2.200";
}
"""
TABLE = r"<blacklist-admin*@blacklisted> = postmaster\e" \
    r"offender.example = error\e<promo*@partly.example> = error\e" \
    r"<joe> = joe5@nowhere.example\e" \
    r"inside.example = inside.example@[127.0.0.1:26]\e"
ZONE = """
client.example A 127.0.0.1
mx.example MX 10 m.mx.example
m.mx.example A 203.0.113.1
addr.example A 203.0.113.2
six.example AAAA 2001:db8::25
txt.example TXT here
fake.example MX 10 gone.fake.example
half.example MX 10 gone.half.example
half.example MX 20 m.mx.example
null.example MX 0 .
black.example MX 10 m.black.example
m.black.example A 192.0.2.5
second.example MX 10 m.mx.example
second.example MX 20 m.black.example
equal.example MX 10 m.mx.example
equal.example MX 10 m.black.example
blacka.example A 192.0.2.6
hole.example A 192.0.2.200
fail.example SERVFAIL
mxfail.example MX 10 m.fail.example
m.fail.example SERVFAIL
silent.example TIMEOUT
partly.example A 203.0.113.3
alias.example CNAME mx.example
loop.example CNAME pool.example
pool.example CNAME loop.example
many.example MX 1 a.many.example
""" + "".join(f"many.example MX {i} m{i}.many.example\n" for i in range(2, 40)) \
    + "a.many.example A 203.0.113.4\n" + """
here.example A 127.0.0.1
other.example A 203.0.113.9
mail.example MX 10 m.mx.example
example TXT here
"""
SENDERS = [
    ("a@mx.example", 250), ("a@addr.example", 250), ("a@six.example", 250),
    ("A@MX.Example", 250), ("a@alias.example", 250), ("a@many.example", 250),
    ("a@nx.example", 550), ("a@txt.example", 550), ("a@fake.example", 550),
    ("a@half.example", 250), ("a@null.example", 550), ("a@loop.example", 550),
    ("a@black.example", 550), ("a@second.example", 250),
    ("a@equal.example", 550), ("a@blacka.example", 550),
    ("a@hole.example", 250), ("a@fail.example", 451),
    ("a@mxfail.example", 451),
    ("a@[198.51.100.1]", 550), ("a@[127.0.8.9]", 250),
    ("a", 553), ("", 250),
    ("promo1@partly.example", 550), ("other@partly.example", 250),
    ("a@offender.example", 550), ("a@inside.example", 250),
    ("ann@{D}", 250), ("nobody@{D}", 550), ("joe@{D}", 250),
    ("x%nx.example@{D}", 550), ("x@nx.example.smtp", 550),
    ("x%addr.example@{D}", 250), ('"x@nx.example"@addr.example', 250),
]
HELOS = [                       # MAIL's answer, and what Received says
    ("here.example", 250, "here.example ([127.0.0.1] verified)"),
    ("other.example", 250, "other.example ([127.0.0.1])"),
    ("mail.example", 250, "mail.example ([127.0.0.1])"),
    ("[127.0.0.1]", 250, "[127.0.0.1] ([127.0.0.1] verified)"),
    ("[192.0.2.9]", 250, "[192.0.2.9] ([127.0.0.1])"),
    ("short", 250, "short ([127.0.0.1])"),
    ("nx.example", 550, None), ("fail.example", 451, None),
    ("[nonsense]", 550, None),
]


def plain(c):
    c.ask("AUTH PLAIN " + base64.b64encode(
        f"\0ann\0{PASSWORD}".encode()).decode(), 235)


def senders():
    with Smtp(s.smtp) as c:
        for sender, code in SENDERS:
            sender = sender.format(D=s.domain)
            told = c.ask(f"MAIL FROM:<{sender}>", code)[0]
            if sender == "a@null.example":
                assert told.startswith("5.7.27"), told
            # A refused one leaves nothing behind.
            c.ask(f"RCPT TO:<{s.address('ann')}>",
                  250 if code == 250 else 503)
            c.ask("RSET", 250)


def once():
    """What is known is not asked again, nor what needs no question."""
    before = len(dns.asked)
    with Smtp(s.smtp) as c:
        for sender in ("a@mx.example", "a@nx.example", f"joe@{s.domain}",
                       s.address("ann"), "", "a@inside.example"):
            c.ask(f"MAIL FROM:<{sender}>", 250, 550)
            c.ask("RSET", 250)
    assert len(dns.asked) == before, dns.asked[before:]
    with Smtp(s.smtp, source="127.0.8.1", hello="EHLO nx1.example") as c:
        c.ask("MAIL FROM:<a@nx2.example>", 250)
    with Smtp(s.smtp, hello="EHLO nx3.example") as c:
        plain(c)
        c.ask("MAIL FROM:<a@nx4.example>", 250)
    assert len(dns.asked) == before, dns.asked[before:]


def helos():
    for name, code, received in HELOS:
        with Smtp(s.smtp, hello=f"EHLO {name}") as c:
            c.ask("MAIL FROM:<a@mx.example>", code)
            if received is None:
                continue
            c.ask(f"RCPT TO:<{s.address('ann')}>", 250)
            c.ask("DATA", 354)
            c.text(f"Subject: {name}\r\n\r\nx\r\n.\r\n")
        wait_for(name, lambda: any(
            f"Subject: {name}\n".encode() in text and
            f"Received: from {received}\n".encode() in text
            for _, text in s.mail("ann")))


def ahead():
    """What was sent ahead stays in order; nobody else waits."""
    start = time.monotonic()
    with Smtp(s.smtp, hello=None) as c:
        c.send("EHLO client.example\r\nMAIL FROM:<a@silent.example>\r\n"
               f"RCPT TO:<{s.address('ann')}>\r\nNOOP\r\n"
               "MAIL FROM:<a@mx.example>\r\nRSET\r\n")
        c.want(250)
        with Smtp(s.smtp) as other:
            other.ask("MAIL FROM:<a@mx.example>", 250)
        assert time.monotonic() - start < 8, "others waited"
        for code in (451, 503, 250, 250, 250):
            c.want(code)
    assert time.monotonic() - start < 40


def greeter(ip, greeting):
    """A mail host that greets like that."""
    listener = socket.create_server((ip, 25))

    def serve():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            with c:
                c.sendall(greeting)
                c.recv(100)
    threading.Thread(target=serve, daemon=True).start()
    return listener


def reverse():
    rows = [("up.example", "127.0.11.1", b"220 hello\r\n", 250),
            ("many-lines.example", "127.0.11.2", b"220-a\r\n220 b\r\n", 250),
            ("away.example", "127.0.11.3", b"554 go away\r\n", 450),
            ("mute.example", "127.0.11.4", b"", 450),
            ("down.example", "127.0.11.5", None, 450)]
    listeners = []
    for _, ip, greeting, _ in rows:
        if greeting is not None:
            try:
                listeners.append(greeter(ip, greeting))
            except PermissionError:
                print("not root: port 25 is not tried")
                rows = rows[-1:]
                break
    with open(dns.path, "a", encoding="utf-8") as f:
        for name, ip, _, _ in rows:
            f.write(f"{name} MX 5 m.{name}\nm.{name} A {ip}\n")
    with Smtp(s.smtp) as c:
        for name, _, _, code in rows:
            c.ask(f"MAIL FROM:<a@{name}>", code)
            c.ask("RSET", 250)
        c.ask("MAIL FROM:<a@nx.example>", 550)
        c.ask(f"MAIL FROM:<{s.address('ann')}>", 250)
    for listener in listeners:
        listener.close()


def run(mode, tests):
    global s
    with open(dns.path, "w", encoding="utf-8") as f:
        f.write(ZONE)
    with Suite(accounts=["ann"], conf=CONF % (dns.port, mode)) as s:
        cli = s.cli()
        cli.ask(f'SetRouterTable "{TABLE}"')
        cli.close()
        for test in tests:
            print(test.__name__, flush=True)
            test()


with tempfile.NamedTemporaryFile() as zone, FakeDns(zone.name) as dns:
    run("Nobody", (senders, once, helos, ahead))
    run("NonClients", (reverse,))
