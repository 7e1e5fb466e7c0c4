#!/usr/bin/env python3
# suite: own
"""Mail that is held until its host asks for it (manual 29): ETRN, ATRN, TURN
and letters, by hand; who may not; what an ATRN that breaks off leaves."""
import base64
import pathlib
import smtplib
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from sink import Sink  # noqa: E402
from wire import Wire  # noqa: E402

DOMAIN = "client.example"
CONF = """
settings Queue { RetryEvery = 1h; RetryEveryLater = 1h; }
settings Main { ClearTextLogin = YES; }
"""


def update(s, text):
    cli = s.cli()
    cli.ask(f"UpdateModule SMTP {{{text}}}")
    cli.close()


def send(s, rcpts, text="hello"):
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        c.ehlo()
        c.login("ann", PASSWORD)
        c.sendmail(s.address("ann"), rcpts,
                   f"Subject: {text}\r\n\r\n{text}\r\n".encode())


def held(s, n):
    """So many messages wait, and nobody tries to send them."""
    def they_wait():
        cli = s.cli()
        cli.ask("INLINE")
        text = cli.ask("ListQueueMessages")
        cli.close()
        return text.count("State=waiting") + text.count("State=delayed") >= n
    wait_for(f"{n} messages in the queue", lambda: len(s.queue()) == n)
    wait_for(f"{n} messages that wait", they_wait)


class Client(Wire):
    """A dial-up system's session, the greeting and EHLO behind it."""

    def __init__(self, s, login=None, tls=False, helo="dial.example"):
        super().__init__(s.smtp_port())
        self.reply("220")
        self.told = self.ask(f"EHLO {helo}", "250")
        if tls:
            self.ask("STARTTLS", "220")
            context = ssl.create_default_context(cafile=s.env["CG_CA"])
            context.check_hostname = False
            self.secure(context)
            self.ask(f"EHLO {helo}", "250")
        if login:
            plain = base64.b64encode(f"\0{login}\0{PASSWORD}".encode())
            self.ask("AUTH PLAIN " + plain.decode(), "235")

    def reply(self, code):
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1][3:4] != "-":
                break
        assert lines[-1].startswith(code), (code, lines)
        return lines

    def ask(self, line, code):
        self.send(line + "\r\n")
        return self.reply(code)

    def serve(self, greet=True, drop=None, keep=("SIZE 1000000",)):
        """The roles are changed: the mails that come; drop: leave at that."""
        mails, data, verb = [], None, ""
        if greet:
            self.send("220 dial.example ready\r\n")
        while verb != "QUIT":
            line = self.line()
            if data is not None:
                if line != ".":
                    data.append(line)
                    continue
                if drop == "END":
                    self.close()
                    return mails
                mails.append("\n".join(data))
                data = None
                self.send("250 2.0.0 taken\r\n")
                continue
            verb = line.split(" ")[0].upper()
            if verb == drop:
                self.close()
                return mails
            if verb == "EHLO":
                self.send("".join(f"250-{k}\r\n" for k in
                                  ("dial.example", *keep)) + "250 HELP\r\n")
            elif verb == "DATA":
                self.send("354 go on\r\n")
                data = []
            else:
                self.send(("221" if verb == "QUIT" else "250") + " ok\r\n")
        assert self.ended()
        self.close()
        return mails


def grammar(s):
    """Before anybody logs in."""
    c = Client(s)
    for word in ("ETRN", "ATRN", "TURN"):
        assert any(l[4:] == word for l in c.told), c.told
    for line, code in (
            ("ETRN " + DOMAIN, "459"),      # 127.0.0.1 is no client
            ("ATRN " + DOMAIN, "530"), ("ATRN", "530"),
            ("TURN", "502"), ("TURN " + DOMAIN, "501")):
        c.ask(line, code)
    c.close()
    update(s, "AcceptWakeupsFrom=Everybody;")
    c = wait_for("the new setting", lambda: anybody(s))
    for line, code in (
            ("ETRN", "501"), ("ETRN a b", "501"), ("ETRN -x.example", "501"),
            ("ETRN @", "501"), ("ETRN x..example", "501"),
            ("ETRN " + "x" * 300 + ".example", "501"),
            ("ETRN a.example,b.example", "501"),
            ("ETRN wakeup@a.example", "501"),
            ("ETRN " + s.domain, "459"), ("ETRN nowhere", "459"),
            ("ETRN null", "459"),
            ("ETRN nothing.example", "251"), ("ETRN @nothing.example", "251"),
            ("etrn #nothing.example ", "251")):
        c.ask(line, code)
    c.ask("MAIL FROM:<>", "250")
    c.ask("ETRN nothing.example", "503")
    c.ask("ATRN", "503")
    c.close()


def anybody(s):
    c = Client(s)
    c.send("ETRN nothing.example\r\n")
    if c.line().startswith("251"):
        return c
    c.close()
    return None


def etrn(s):
    """The queue of the host that the domain is routed to is released."""
    with Sink() as k:
        host = f"{k.address}:{k.port}"
        cli = s.cli()
        cli.ask(f'SetRouterTable "held.example = '
                f'held.example@{k.address}.{k.port}.smtp\\e"')
        cli.close()
        update(s, f'HoldMailFor="{host}, {DOMAIN}";')
        send(s, ["a@held.example", "b@held.example"])
        send(s, ["c@held.example"])
        held(s, 2)
        assert k.sessions == 0
        c = Client(s)
        c.ask("ETRN held.example", "250")
        assert len(k.wait(2)) == 2
        held(s, 0)
        c.ask("ETRN held.example", "251")
        wait_for("the connection's end", lambda: k.open == 0)
        send(s, ["c@held.example"])         # and is held again
        held(s, 1)
        c.ask("NOOP", "250")
        assert len(k.mails) == 2
        # A letter does the same, from whom it is taken.
        c.ask("MAIL FROM:<x@out.example>", "250")
        c.ask(f"RCPT TO:<held.example-wakeup@{s.domain}>", "250")
        c.ask(f"RCPT TO:<{s.domain}-wakeup@{s.domain}>", "550")
        c.ask("DATA", "354")
        c.send("Subject: wake up\r\n\r\n.\r\n")
        c.reply("250")
        k.wait(3)
        held(s, 0)
        c.close()
        update(s, "AcceptWakeupsFrom=Clients;")
        wait_for("the setting", lambda: refused(s))


def refused(s):
    c = Client(s)
    c.ask("MAIL FROM:<x@out.example>", "250")
    c.send(f"RCPT TO:<held.example-wakeup@{s.domain}>\r\n")
    code = c.line()[:3]
    c.close()
    return code == "550"


def may_not(s):
    """One's own mail only, and only what is held for one."""
    send(s, [f"a@{DOMAIN}"])
    held(s, 1)
    c = Client(s, "ann")
    for line, code in (
            ("ATRN " + DOMAIN, "450"), ("ATRN ann", "450"),
            ("ATRN", "450"), ("TURN", "450"),
            (f"ATRN {DOMAIN},x.example", "501"),
            ("ATRN free.example", "450"), ("ATRN " + s.domain, "450"),
            ("ETRN nothing.example", "251")):   # who logs in is a client
        c.ask(line, code)
    c.close()
    c = Client(s, "free.example")           # nobody holds its mail
    c.ask("ATRN", "450")
    c.ask("ATRN " + DOMAIN, "450")
    c.close()
    # The same name in another domain is another's.
    c = Client(s, f"{DOMAIN}@other.example")
    c.ask("ATRN", "450")
    c.ask("ATRN " + DOMAIN, "450")
    c.close()
    held(s, 1)


def atrn(s):
    """All of it comes, in the clear and in TLS, by each way of asking."""
    for n, (command, tls) in enumerate((
            ("ATRN", False), ("ATRN " + DOMAIN, True), ("TURN", False),
            ("ATRN @" + DOMAIN.upper(), False))):
        for i in range(3):
            send(s, [f"u{i}@{DOMAIN}", f"v{i}@{DOMAIN}"], f"mail-{n}-{i}")
        held(s, 3 + (n == 0))           # one is there since may_not
        c = Client(s, DOMAIN, tls=tls)
        c.ask(command, "250")
        mails = c.serve()
        held(s, 0)
        for i in range(3):
            assert sum(f"mail-{n}-{i}" in m for m in mails) == 1, mails
        c = Client(s, DOMAIN)
        c.ask(command, "453")
        c.ask("NOOP", "250")
        c.close()


def pipelined(s):
    """Whoever is quick may greet at once; what is no greeting ends it."""
    send(s, [f"a@{DOMAIN}"], "quick")
    held(s, 1)
    c = Client(s, DOMAIN)
    c.send("ATRN\r\n220 dial.example\r\n")
    c.reply("250")
    assert "quick" in c.serve(greet=False)[0]
    held(s, 0)
    send(s, [f"a@{DOMAIN}"], "nonsense")
    held(s, 1)
    c = Client(s, DOMAIN)
    c.send("ATRN\r\nMAIL FROM:<x@y.example>\r\n")
    c.reply("250")
    assert c.ended()
    c.close()
    c = Client(s, DOMAIN)
    c.ask("ATRN", "250")
    assert "nonsense" in c.serve()[0]
    held(s, 0)


def broken(s):
    """Wherever it breaks off, the mail is there for the next call."""
    for at in ("EHLO", "MAIL", "RCPT", "DATA", "END"):
        for i in range(2):
            send(s, [f"a@{DOMAIN}"], f"at-{at}-{i}")
        held(s, 2)
        c = Client(s, DOMAIN)
        c.ask("ATRN", "250")
        assert c.serve(drop=at) == []
        held(s, 2)
        mails = []

        def again():
            c = Client(s, DOMAIN)
            c.send("ATRN\r\n")
            # The one that broke off may not be over yet.
            if not c.line().startswith("250"):
                c.close()
                return False
            mails.extend(c.serve())
            return not s.queue()
        wait_for("the mail", again)
        assert sorted(m.split("\n")[-1] for m in mails) == \
            [f"at-{at}-{i}" for i in range(2)], mails


def encrypted(s):
    """What must be sent encrypted waits for who asks in TLS, or for TLS."""
    update(s, f'SendEncrypted="{DOMAIN}";')
    send(s, [f"a@{DOMAIN}"], "secret")
    held(s, 1)

    def no_longer():
        c = Client(s, DOMAIN)
        c.ask("ATRN", "250")
        c.send("220 dial.example ready\r\n")
        assert c.line().startswith("EHLO")
        c.send("250 dial.example\r\n")
        try:
            line = c.line()
        except EOFError:
            return True
        c.close()           # it has not heard of the setting yet
        assert line.startswith("MAIL"), line
        return False
    wait_for("the setting", no_longer)
    held(s, 1)
    c = Client(s, DOMAIN, tls=True)
    c.ask("ATRN", "250")
    assert "secret" in c.serve()[0]
    held(s, 0)
    update(s, 'SendEncrypted="";')


def refusing(s):
    """A recipient whom the dial-up system refuses: the sender hears it."""
    send(s, [f"nobody@{DOMAIN}"], "refused")
    held(s, 1)
    c = Client(s, DOMAIN)
    c.ask("ATRN", "250")
    c.send("220 dial.example\r\n")
    while not (line := c.line()).startswith("RCPT"):
        c.send("250 ok\r\n")
    c.send("550 5.1.1 nobody of that name\r\n")
    while not line.startswith("QUIT"):
        line = c.line()
        c.send("221 bye\r\n" if line == "QUIT" else "250 ok\r\n")
    c.close()
    wait_for("a report", lambda: any(b"nobody of that name" in text
                                     for _, text in s.mail("ann")))
    held(s, 0)


def addresses(s):
    """A domain that sends from its own address has a queue of its own: all
    of them come."""
    cli = s.cli()
    cli.ask('CreateDomain two.example {IPAddresses=("[127.0.25.7]");'
            'RelayAddress=first;}')
    cli.ask(f'CreateAccount bob@two.example {{Password="{PASSWORD}";}}')
    cli.close()
    for n in range(2):
        send(s, [f"a@{DOMAIN}"], f"ann-{n}")
        with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
            c.login("bob@two.example", PASSWORD)
            c.sendmail("bob@two.example", [f"a@{DOMAIN}"],
                       f"Subject: x\r\n\r\nbob-{n}\r\n")
    held(s, 4)
    cli = s.cli()
    cli.ask("INLINE")
    assert f'"@127.0.25.7:{DOMAIN}"' in cli.ask("ListQueues")
    cli.close()
    c = Client(s, DOMAIN)
    c.ask("ATRN", "250")
    mails = c.serve()
    assert sorted(m.split("\n")[-1] for m in mails) == \
        ["ann-0", "ann-1", "bob-0", "bob-1"], mails
    held(s, 0)


with Suite(accounts=["ann", DOMAIN, "free.example"], conf=CONF) as s:
    cli = s.cli()
    cli.ask("CreateDomain other.example {}")
    cli.ask(f'CreateAccount "{DOMAIN}@other.example" '
            f'{{Password="{PASSWORD}";}}')
    cli.close()
    update(s, f'HoldMailFor="{DOMAIN}";')
    for test in (grammar, etrn, may_not, atrn, pipelined, broken, encrypted,
                 refusing, addresses):
        test(s)
        print("ok:", test.__name__, flush=True)
