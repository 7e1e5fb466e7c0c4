#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/relaying.conf
"""Who may send through us to whom (manual 07): a stranger to nobody else's
host, in whatever form the address comes; a record opens a way, and stays open
when another leads on; who logs in, and hosts of clients.  Loopback is nobody's
client here."""
import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, PASSWORD, Smtp, accounts, address,  # noqa: E402
                  administrator, run)
from sink import Sink  # noqa: E402

FAR = "victim@far.example"
REFUSED = (550, 501, 553, 554, 555, 591)

# Each would, if it were taken, lead a message of a stranger to another host.
FORMS = [
    FAR, "victim%far.example@{D}", "victim%far.example", '"{F}"', '"{F}"@{D}',
    '"victim%far.example"@{D}', '"victim%far.example"',
    "far.example!victim", "far.example!victim@{D}", "{D}!far.example!victim",
    "victim@far.example%{D}", "victim%far.example%{D}",
    "victim%far.example%{D}@{D}", "victim%far.example%{D}@[127.0.0.1]",
    "victim%far.example@[127.0.0.1]", "victim%far.example@127.0.0.1",
    "victim%far.example@localhost", "far.example!victim@localhost",
    "@{D}:{F}", "@{D},@localhost:{F}", "@localhost:{F}",
    "@{D}:victim%far.example@{D}", "@{D}:far.example!victim",
    "victim@[192.0.2.77]", "victim@192.0.2.77", "victim@[IPv6:2001:db8::1]",
    "victim%[192.0.2.77]@{D}", "victim@[192.0.2.77:25]",
    "victim@far.example.smtp", "victim@far.example.25.smtp",
    "victim@far.example.via", "victim%far.example@far2.example.smtp",
    "victim%far.example%{D}@localhost", "victim@far.example.",
    "victim@FAR.example", "VICTIM@far.EXAMPLE",
    "ann+x%far.example@{D}", "ann#victim%far.example@{D}",
    "Box#victim%far.example@{D}", "victim%far.example@{D}.here",
    "victim%far.example@ann.local.smtp", "victim@other.example",
    "victim%far.example@alias.example", "victim%far.example@opened.example",
    '"victim%far.example"@opened.example', "far.example!victim@opened.example",
    "victim%far.example@second.example", "victim%far.example@client2.example",
    '"prog -x"@pipe', "prog@pipe", "prog@Q.pipe", "error@null.smtp",
    "victim@far.example%", "%@far.example", "victim%@far.example",
    # more than one @, encoded, escaped, quoted in part
    "{F}@{D}", "victim@far.example@localhost", "ann@{D}@far.example",
    "victim%40far.example@{D}", "victim%40far.example", "victim=40far.example",
    "victim\\@far.example@{D}", '"victim\\@far.example"@{D}',
    '"victim"@far.example', 'vic."tim"@far.example', '"@{D}:{F}"@{D}',
    '"far.example!victim"@{D}', '"far.example!victim"', '""@far.example',
    # bang paths and source routes, mixed
    "far.example!{D}!victim", "{D}!far.example!victim@{D}",
    "far.example!victim%{D}", "far.example!victim%{D}@localhost",
    "victim%far.example!{D}", "{D}!victim%far.example", "!far.example!victim",
    "far.example!far2.example!victim@[127.0.0.1]",
    "@far.example:victim@far2.example", "@far.example,@{D}:{F}",
    "@{D}:@far.example:victim@far2.example", "@[127.0.0.1]:{F}",
    "@{D}:victim%far.example", "@opened.example:victim%far.example@{D}",
    # ports, suffixes, dots
    "victim@far.example:25", "victim@[192.0.2.77]:25", "victim@192.0.2.77:25",
    "victim@far.example.25.via", "victim@[192.0.2.77].via",
    "victim@[192.0.2.77].smtp", "victim@192.0.2.77.25.smtp",
    "victim%far.example@{D}.smtp", "victim@far.example.SMTP",
    "victim%far.example.smtp@{D}", "victim@far.example.smtp@{D}",
    "victim%far.example.25.smtp@localhost", "victim@far.example.smtp.",
    "victim@far.example..", "victim%far.example.@{D}", "victim@far..example",
    "victim@.far.example", "victim%.far.example@{D}",
    # numbers that somebody takes for an address
    "victim@3221225985", "victim@0xC0.0.2.77", "victim@[192.0.589]",
    "victim@[::ffff:192.0.2.77]", "victim@[IPv6:::ffff:192.0.2.77]",
    # names of ours that lead on: the rest of the address does not
    "jim%far.example@{D}", "far.example!jim@{D}", "joe%far.example@{D}",
    "joe%far.example", "report-x%far.example@{D}", "jim@far.example%{D}",
    "report-x@all.example%far.example", "victim%far.example@all.example",
    "victim%far.example@big.example", "user%far.example@norelay.example",
    "all%far.example@{D}", "alldomains@far.example", "wakeup@far.example",
    "wakeup%far.example@{D}", "postmaster%far.example@{D}",
    "list+x%far.example@{D}", "ann#x%far.example@[127.0.0.1]",
    # prefixes of other programs, and more than one address
    "smtp:{F}", "mailto:{F}", "SMTP:victim%far.example@{D}",
    "ann@{D},{F}", "ann@{D};{F}", "ann@{D} {F}", "ann@{D}>,<{F}",
    "victim @far.example", "victim@ far.example", "(ann@{D}) {F}",
    "victim(@{D})@far.example", "{F} (ann@{D})", "<{F}>",
]

# Bytes that end a name for some programs, and not for others.
RAW = [b"victim@far.example\0", b"victim@far.example\0@{D}", b"ann@{D}\0@far."
       b"example", b"ann\0@far.example", b"victim\0%far.example@{D}",
       b"victim@far.example\x80", b"victim\xff@far.example",
       b"victim\xc0\x80@far.example", b"victim%far.example\x00@{D}",
       b"victim\xc0\xa5far.example@{D}", b"victim@far\xc0\xaeexample",
       b"ann@{D}\n{F}", b"ann@{D}\r{F}", b"victim@far.example\t",
       b"victim%far.example@{D}\x7f", b"victim\b@far.example"]


# The same beyond ASCII: what is folded must be folded before it is judged.
WIDE = [
    "victim@far\u3002example", "victim@far\uff0eexample", "victim@FAR\uff61example",
    "victim\uff05far.example@{D}", "victim\uff20far.example@{D}",
    "victim\uff20far.example", "far.example\uff01victim@{D}",
    "victim%far\u3002example@{D}", "victim%far.example@{D}\u3002",
    "victim%far\uff0eexample@localhost", "@{D}:victim@far\u3002example",
    "victim@\u24d5ar.example", "victim@far.\u00adexample",
    "victim@\uff3b192.0.2.77\uff3d", "victim@192\u30020\u30022\u300277",
    "victim@f\u00e4r.example", "victim@xn--fr-via.example",
    "victim%f\u00e4r.example@{D}", '"victim%f\u00e4r.example"@{D}',
    "victim@far.example\uff0esmtp", "victim@far.example.\uff53mtp",
    "victim@second\u3002example%far.example",
]


def wide():
    for i in range(0, len(WIDE), 10):
        with Smtp() as s:
            s.ask("MAIL FROM:<someone@else.example> SMTPUTF8", 250)
            for form in WIDE[i:i + 10]:
                form = form.format(D=DOMAIN)
                s.ask(f"RCPT TO:<{form}>", *REFUSED)
            s.ask("DATA", 554)
    with Smtp() as s:           # and not at all without that word
        s.ask("MAIL FROM:<someone@else.example>", 250)
        s.ask("RCPT TO:<victim@far\u3002example>", *REFUSED)
        s.ask(f"RCPT TO:<ann@{DOMAIN}\u3002>", *REFUSED)


def strangers():
    """Not one of these; each in a session of its own: errors are counted."""
    for i in range(0, len(FORMS), 10):
        with Smtp() as s:
            s.ask("MAIL FROM:<someone@else.example>", 250)
            for form in FORMS[i:i + 10]:
                form = form.format(D=DOMAIN, F=FAR)
                s.ask(f"RCPT TO:<{form}>", *REFUSED)
            s.ask("DATA", 554)
    # Somebody's name as the sender's opens nothing.
    for sender in (address("ann"), "", address("postmaster")):
        with Smtp() as s:
            s.ask(f"MAIL FROM:<{sender}>", 250)
            s.ask(f"RCPT TO:<{FAR}>", 550)


def raw():
    """One by one: some of them end the session."""
    for form in RAW:
        form = form.replace(b"{D}", DOMAIN.encode()).replace(
            b"{F}", FAR.encode())
        for more in ("", " SMTPUTF8"):
            with Smtp() as s:
                s.ask(f"MAIL FROM:<someone@else.example>{more}", 250)
                s.send(b"RCPT TO:<" + form + b">\r\n")
                code, texts = s.reply()
                assert 500 <= code < 600, (form, code, texts)
                s.send("NOOP\r\nDATA\r\n")
                try:
                    while (code := s.reply()[0]) != 554:
                        assert code == 250 or code >= 500, (form, code)
                except EOFError:
                    pass


def no_other_door():
    """Neither where mail is submitted nor by asking for others' mail."""
    for form in FORMS[::4] + [address("ann"), "user@opened.example"]:
        with Smtp("CG_SUBMIT") as s:
            s.ask(f"MAIL FROM:<{address('ann')}>", 530)
            s.ask(f"RCPT TO:<{form.format(D=DOMAIN, F=FAR)}>", 501, 503, 530)
            s.ask("DATA", 503, 530, 554)
    for i in range(0, len(FORMS), 10):
        with Smtp("CG_SMTPS", True) as s:       # TLS alone is no login
            s.ask(f"MAIL FROM:<{address('ann')}>", 250)
            for form in FORMS[i:i + 10]:
                s.ask(f"RCPT TO:<{form.format(D=DOMAIN, F=FAR)}>", *REFUSED)
    with Smtp() as s:
        for name in ("far.example", "@far.example", "#far.example", DOMAIN,
                     "client2.example", "opened.example", "[192.0.2.77]",
                     "far.example.smtp", "far.example.25.via"):
            for verb in ("ETRN", "ATRN"):
                s.send(f"{verb} {name}\r\n")
                code, texts = s.reply()
                assert code >= 400, (verb, name, code, texts)
        s.send("TURN\r\n")
        assert s.reply()[0] >= 400


def locals_are_taken():
    with Smtp() as s:
        s.ask("MAIL FROM:<someone@else.example>", 250)
        for form in ("ann@{D}", "ann", "ann%{D}@localhost", "ANN@{D}",
                     "ann@[127.0.0.1]", "@far.example:ann@{D}", "{D}!ann",
                     "ann+detail@{D}", "postmaster", "x@ann.local"):
            s.ask(f"RCPT TO:<{form.format(D=DOMAIN)}>", 250)


def markers():
    """The examples of manual 07, as RCPT sees them."""
    with Smtp() as s:
        s.ask("MAIL FROM:<someone@else.example>", 250)
        for name, code in [("user@norelay.example", 550),
                           ("user@opened.example", 250),
                           ("user%host1@opened.example", 550),
                           ("report-a@all.example", 250),
                           ("report-a%host1@all.example", 250),
                           ("other@all.example", 550),
                           ("x@big.example", 550),
                           (address("joe"), 250),
                           (address("jim"), 250),
                           ("nobody@moving.example", 250),
                           ("a%far.example@moving.example", 550)]:
            s.ask(f"RCPT TO:<{name}>", code)


def log_in(s):
    s.ask("AUTH PLAIN " + base64.b64encode(
        f"\0ann\0{PASSWORD}".encode()).decode(), 235)


def authenticated():
    with Smtp() as s:
        log_in(s)
        s.ask(f"MAIL FROM:<{address('ann')}>", 250)
        for name in (FAR, "x@big.example", "user@norelay.example",
                     f"victim%far.example@{DOMAIN}"):
            s.ask(f"RCPT TO:<{name}>", 250)


def clients():
    """By address, and to their hosts; a change of settings is seen at once."""
    cli = administrator()
    cli.ask("INLINE")
    with Smtp() as s:
        s.ask("MAIL FROM:<someone@else.example>", 250)
        s.ask("RCPT TO:<a@[192.0.2.77]>", 550)
        cli.ask(r'SetClientIPs "192.0.2.64/26\e"')
        s.ask("RCPT TO:<a@[192.0.2.77]>", 250)
        s.ask("RCPT TO:<a%far.example@[192.0.2.77]>", 550)
        s.ask('RCPT TO:<"a b"@[192.0.2.77]>', 550)
        s.ask(f"RCPT TO:<{FAR}>", 450)  # is it a client's?  No DNS here
        cli.ask("UpdateModule SMTP {RelayToClients=All;}")
        s.ask("RCPT TO:<a%far.example@[192.0.2.77]>", 250)
        cli.ask("UpdateModule SMTP {RelayToClients=No;}")
        s.ask("RCPT TO:<a@[192.0.2.77]>", 550)
        cli.ask(r'SetClientIPs "127.0.0.1\e"')
        s.ask(f"RCPT TO:<{FAR}>", 250)
        cli.ask("UpdateModule SMTP {RelayToNonClients=Nobody;}")
        s.ask(f"RCPT TO:<{FAR}>", 550)
        cli.ask(r'SetClientIPs ""')
        cli.ask("UpdateModule SMTP {RelayToNonClients=Everybody;}")
        s.ask(f"RCPT TO:<{FAR}>", 250)
        cli.ask("UpdateModule SMTP {RelayToNonClients=Clients;}")
        s.ask(f"RCPT TO:<{FAR}>", 550)
    cli.close()


def arrives():
    """What the other host is told, by the how-to's records: strangers' mail."""
    cli = administrator()
    cli.ask("INLINE")
    with Sink() as k:
        cli.ask('SetRouterTable "'
                f"other = {k.address}.{k.port}.smtp\\e"
                "Relay:client57.example = client57.example@other\\e"
                "NoRelay:big.example = big.example@other\\e"
                "<joe> = joe5@big.example\\e"
                f"<*@far3.example> = far-*@[{k.address}:{k.port}]\\e"
                '"')
        cli.ask("UpdateDomainSettings moving.example {MailRerouteAddress="
                f'"*%moving.example@{k.address}.{k.port}.via";}}')
        for i, (to, told) in enumerate([
                ("Ann@client57.example", "Ann@client57.example"),
                (address("joe"), "joe5@big.example"),
                ("old.one@moving.example", "old.one@moving.example"),
                ("x@far3.example", f"far-x@[{k.address}]")]):
            with Smtp() as s:
                s.begin(to)
                s.text("Subject: s\r\n\r\ntext\r\n.\r\n")
            m = k.wait(i + 1)[i]
            assert [r.split()[0] for r in m.rcpts] == [f"<{told}>"], m.rcpts
    cli.close()


def prepare():
    accounts("ann")
    cli = administrator()
    cli.ask("INLINE")
    cli.ask("CreateDomain second.example")
    cli.ask("CreateDomain moving.example")
    cli.ask('UpdateDomainSettings moving.example {MailToUnknown="Rerouted to";'
            'MailRerouteAddress="*%moving.example@old.example.smtp";}')
    cli.ask(r'SetRouterTable "localhost =\e'
            r'NoRelay:<user@norelay.example> = user@other.example\e'
            r'Relay:opened.example = far2.example\e'
            r'RelayAll:<report-*@all.example> = report-*@far2.example\e'
            r'NoRelay:big.example = big.example@relay3.example.smtp\e'
            r'<joe> = joe5@big.example\e'
            r'client2.example = client2.example@far2.example.smtp\e"')
    cli.ask("SetDomainAliases second.example (alias.example)")
    cli.ask(f'CreateForwarder jim TO "{FAR}"')
    cli.close()


prepare()
run([strangers, wide, raw, no_other_door, locals_are_taken, markers,
     authenticated, clients, arrives])
