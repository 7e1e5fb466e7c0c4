#!/usr/bin/env python3
# suite: own
"""Relay to Clients (manual 07): anybody's mail goes to hosts at client
addresses, however the host is named; by simple addresses only, unless all are
allowed; and to no other host."""
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
settings SMTP { LogLevel = 5; MaxErrors = 1000; }
"""
ZONE = """
client.example MX 10 mail.client.example
client.example MX 20 mail.other.example
mail.client.example A 192.0.2.70
other.example MX 10 mail.other.example
other.example MX 20 mail.client.example
mail.other.example A 198.51.100.7
plain.example A 192.0.2.71
both.example MX 10 mail.both.example
mail.both.example A 192.0.2.70
mail.both.example A 198.51.100.7
null.example MX 0 .
fail.example SERVFAIL
example TXT here
"""
FORMS = [
    ("user@client.example", 250), ("user@CLIENT.example", 250),
    ("user%client.example@{D}", 250), ("user@plain.example", 250),
    ("user@plain.example.26.smtp", 250), ("user@[192.0.2.70]", 250),
    ("user@other.example", 550), ("user@both.example", 550),
    ("user@null.example", 550), ("user@nx.example", 550),
    ("user@mail.other.example", 550), ("user@[198.51.100.7]", 550),
    ("user@fail.example", 450),
    ("user@norelay.example", 250),      # a record leads there, and opens not
]
COMPLEX = [
    "user%far.example@client.example", "far.example!user@client.example",
    '"user@far.example"@client.example', '"a b"@client.example',
    "user%far.example@[192.0.2.70]", '"a b"@[192.0.2.70]',
    "@client.example:user@far.example",
]


def ask(s, forms):
    with Smtp(s.smtp) as c:
        c.ask("MAIL FROM:<a@else.example>", 250)
        for form, code in forms:
            c.ask(f"RCPT TO:<{form.format(D=s.domain)}>",
                  *([code] if isinstance(code, int) else code))


with tempfile.NamedTemporaryFile("w") as zone:
    zone.write(ZONE)
    zone.flush()
    with FakeDns(zone.name) as dns, Suite(conf=CONF % dns.port) as s:
        cli = s.cli()
        cli.ask("INLINE")
        cli.ask(r'SetRouterTable "NoRelay:norelay.example = client.example\e"')
        # No clients: nothing is asked.
        ask(s, [(form, 550) for form, _ in FORMS])
        assert not dns.asked, dns.asked
        cli.ask(r'SetClientIPs "192.0.2.64/26\e"')
        ask(s, FORMS)
        ask(s, [(form, (550, 553)) for form in COMPLEX])
        with Smtp(s.smtp) as c:         # the queue thinks so, too
            c.begin("user@client.example", sender="a@else.example")
            number = c.text("Subject: x\r\n\r\nx\r\n.\r\n")
        wait_for("enqueueing", lambda: f"QUEUE([{number}]) enqueued" in
                 s.log())
        assert "relaying is not permitted" not in s.log()
        cli.ask("UpdateModule SMTP {RelayToClients=All;}")
        ask(s, [(COMPLEX[0], 250), (COMPLEX[3], 250), (COMPLEX[4], 250),
                ("user%client.example@other.example", 550)])
        cli.ask("UpdateModule SMTP {RelayToClients=No;}")
        before = len(dns.asked)
        ask(s, [(form, 550) for form, _ in FORMS])
        assert len(dns.asked) == before, dns.asked[before:]
        cli.close()
