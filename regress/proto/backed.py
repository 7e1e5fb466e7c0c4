#!/usr/bin/env python3
# suite: own
"""Relay to Hosts We Backup (manual 29): a domain whose MX records name this
server behind another one gets everybody's mail."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, wait_for  # noqa: E402
from fakedns import FakeDns  # noqa: E402
from wire import Smtp  # noqa: E402

CONF = """
resolver 127.0.0.1:%d
settings SMTP { LogLevel = 5; MaxErrors = 1000; RelayToBackup = YES; }
"""
ZONE = """
backed.example MX 10 m.backed.example
backed.example MX 20 TEST.example
m.backed.example A 127.0.0.1
m.backed.example TIMEOUT
ours.example MX 10 test.example
same.example MX 10 test.example
same.example MX 10 m.backed.example
first.example MX 10 test.example
first.example MX 20 m.backed.example
others.example MX 10 m.backed.example
others.example MX 20 xtest.example
addr.example A 127.0.0.1
null.example MX 0 .
fail.example SERVFAIL
example TXT here
"""
RCPTS = [
    ("user@backed.example", 250), ("user@BACKED.example", 250),
    ("user%backed.example@{D}", 250),
    ("user%far.example@backed.example", 550),
    ("far.example!user@backed.example", 550),
    ('"user@far.example"@backed.example', 550),
    ("user@ours.example", 550), ("user@same.example", 550),
    ("user@first.example", 550), ("user@others.example", 550),
    ("user@addr.example", 550), ("user@null.example", 550),
    ("user@nx.example", 550), ("user@fail.example", 450),
    ("user@[192.0.2.1]", 550), ("user@sub.backed.example", 550),
]

with tempfile.NamedTemporaryFile("w") as zone:
    zone.write(ZONE)
    zone.flush()
    with FakeDns(zone.name) as dns, Suite(conf=CONF % dns.port) as s:
        with Smtp(s.smtp) as c:
            c.ask("MAIL FROM:<a@else.example>", 250)
            for form, code in RCPTS:
                c.ask(f"RCPT TO:<{form.format(D=s.domain)}>", code)
        before = len(dns.asked)
        with Smtp(s.smtp) as c:
            c.begin("user@backed.example", sender="a@else.example")
            number = c.text("Subject: x\r\n\r\nx\r\n.\r\n")
        # The queue asks again, and is told the same.
        wait_for("enqueueing", lambda: f"QUEUE([{number}]) enqueued" in
                 s.log())
        assert "relaying is not permitted" not in s.log()
        # One MX question at most is the sender's own.
        asked = [q for q in dns.asked[before:] if q == ("backed.example",
                                                        "MX")]
        assert len(asked) <= 1, dns.asked[before:]
