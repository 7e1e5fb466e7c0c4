#!/usr/bin/env python3
# suite: own
"""SMTPUTF8 both ways: addresses beyond ASCII are taken when they are announced,
a domain is the same in both its forms, hosts that know nothing of it get what
they can have, and the sender hears of the rest in his own letters."""
import base64
import os
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, PASSWORD, Suite, kill, read_mbox, \
    wait_for  # noqa: E402
from sink import Sink  # noqa: E402
from wire import Pop, Smtp  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; }
"""
OLD = ["PIPELINING", "8BITMIME", "DSN", "CHUNKING"]
NEW = OLD + ["SMTPUTF8"]
LABEL = "xn--exmple-cua.test"
HEAD = "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n"


class Client(Smtp):
    """Logged in as ann, who may send anywhere."""

    def __init__(self, s):
        super().__init__(s.smtp_port())
        plain = base64.b64encode(f"\0ann\0{PASSWORD}".encode()).decode()
        self.ask("AUTH PLAIN " + plain, 235)

    def mail(self, sender, rcpts, text, params="SMTPUTF8", rparams=""):
        self.ask(f"MAIL FROM:<{sender}> {params}", 250)
        for r in rcpts:
            self.ask(f"RCPT TO:<{r}> {rparams}", 250)
        self.ask("DATA", 354)
        self.text((HEAD + text + "\r\n.\r\n").encode())


def route(s, *records):
    cli = s.cli()
    cli.ask('SetRouterTable "%s"' % "".join(r + "\\e" for r in records))
    cli.close()


def to_sink(domain, k):
    return f"Relay:{domain} = {domain}@{k.address}.{k.port}.smtp"


def box(s, domain, account):
    return [m for _, m in read_mbox(pathlib.Path(
        s.base, "Domains", domain, account + ".macnt", "INBOX.mbox"))]


def reports(s, account="grün"):
    return [m for _, m in s.mail(account) if b"multipart/report" in m]


def report(s, before, account="grün"):
    wait_for("a report", lambda: len(reports(s, account)) > before)
    return reports(s, account)[-1]


def announced(s):
    with Smtp(s.smtp_port(), hello=None) as c:
        told = c.ask("EHLO client.example", 250)
        assert "SMTPUTF8" in told and "8BITMIME" in told, told
    cli = s.cli()
    cli.ask("UpdateModule SMTP {Advertise8BITMIME=Nobody;}")
    with Smtp(s.smtp_port(), hello=None) as c:
        told = wait_for("one EHLO without", lambda: "8BITMIME" not in (
            t := c.ask("EHLO client.example", 250)) and t)
        assert "SMTPUTF8" not in told, told     # RFC 6531, 3.1
    cli.ask("UpdateModule SMTP {Advertise8BITMIME=Everybody;}")
    cli.close()


def only_if_said(s):
    to = s.address("ann")
    with Smtp(s.smtp_port()) as c:
        for sender in ("grün@x.example", "ann@exämple.test", '"grün"@x.test'):
            text, = c.ask(f"MAIL FROM:<{sender}>", 553)
            assert text.startswith("5.6.7"), text
        c.ask("MAIL FROM:<a@x.example>", 250)
        for rcpt in (f"grün@{s.domain}", "ann@exämple.test"):
            text, = c.ask(f"RCPT TO:<{rcpt}>", 553)
            assert text.startswith("5.6.7"), text
        c.ask(f"RCPT TO:<{to}> ORCPT=utf-8;grün@x", 553)
        c.ask(f"RCPT TO:<{to}>", 250)
        c.ask("RSET", 250)
        c.ask("MAIL FROM:<a@x.example> SMTPUTF8=yes", 501)
        c.ask("VRFY grün", 553)
        c.ask("VRFY grün SMTPUTF8", 252)
        for bad in (b"gr\xfcn@x.example", b"a\xc3@x.example",
                    b"a@\xed\xa0\x80.example", b"a\xc2\x85b@x.example"):
            c.send(b"MAIL FROM:<" + bad + b"> SMTPUTF8\r\n")
            c.want(501)
        long = "ü" * 128
        c.ask(f"MAIL FROM:<{long}@x.example> SMTPUTF8", 250)
        c.ask("RSET", 250)
        c.ask(f"MAIL FROM:<{long}ü@x.example> SMTPUTF8", 501)


def local(s):
    """One domain, by all its names; an account beyond ASCII."""
    cli = s.cli()
    cli.ask("CreateDomain exämple.test")
    cli.ask("INLINE")
    assert LABEL in cli.ask("ListDomains")
    assert cli.send(f"CreateDomain {LABEL}")[0] == "5"
    cli.close()
    cli = s.cli()
    cli.ask(f'CreateAccount "grün@exämple.test" {{Password="{PASSWORD}";}}')
    cli.close()
    names = ["grün@exämple.test", f"grün@{LABEL}", "grün@EXÄMPLE.TEST",
             "grün@" + unicodedata.normalize("NFD", "exämple.test")]
    with Smtp(s.smtp_port()) as c:
        for i, name in enumerate(names):
            c.ask("MAIL FROM:<jürgen@bücher.example> SMTPUTF8", 250)
            text, = c.ask(f"RCPT TO:<{name}>", 250)
            assert f"grün@{LABEL}" in text.lower(), text
            c.ask("DATA", 354)
            c.text((HEAD + f"Subject: ä {i}\r\n\r\nhallo\r\n.\r\n").encode())
    got = wait_for("all", lambda: len(box(s, LABEL, "grün")) == len(names) and
                   box(s, LABEL, "grün"))
    for m in got:
        text = m.decode()
        assert text.startswith("Return-Path: <jürgen@xn--bcher-kva.example>"), \
            text
        assert " with UTF8SMTP id " in text, text
        assert f"for <grün@{LABEL}>" in text, text
        assert "Subject: ä " in text


def by_any_name(s):
    """Commands and logins know the domain in both forms; aliases, too."""
    cli = s.cli()
    cli.ask("SetDomainAliases exämple.test (früher.test)")
    cli.ask("INLINE")
    assert "xn--frher-lva.test" in cli.ask(f"GetDomainAliases {LABEL}")
    for name in ("grün@exämple.test", f"grün@{LABEL}", "grün@früher.test"):
        cli.ask(f'UpdateAccountSettings "{name}" {{RealName="Grün";}}')
        assert "Grün" in cli.ask(f'GetAccountSettings "{name}"'), name
        with Pop(s.pop) as p:
            p.ask("USER " + name)
            p.ask("PASS " + PASSWORD)
    assert cli.send("CreateDomain früher.test")[0] == "5"
    cli.ask("RenameDomain exämple.test INTO später.test")
    cli.ask("RenameDomain später.test INTO exämple.test")
    cli.close()


def no_relay(s):
    """Nothing that looks like an @ or a % is one."""
    with Smtp(s.smtp_port()) as c:
        c.ask("MAIL FROM:<a@x.example> SMTPUTF8", 250)
        for rcpt in ("v@bücher.example", "ü@evil.example",
                     f"v%bücher.example@{s.domain}",
                     f"v\uff05evil.example@{s.domain}",
                     f"v\uff20evil.example@{s.domain}",
                     f"bücher.example!ü@{s.domain}",
                     f"evil.example\uff01v@{s.domain}",
                     f'"v@bücher.example"@{s.domain}',
                     f"@exämple.test,@{s.domain}:ü@evil.example",
                     "v@\uff3b127.0.0.1\uff3d", "v@evil\uff0eexample",
                     "v@evil\u3002example"):
            try:
                c.ask(f"RCPT TO:<{rcpt}>", 501, 550, 553)
            except EOFError:
                raise AssertionError(rcpt)
            c.ask("RSET", 250)
            c.ask("MAIL FROM:<a@x.example> SMTPUTF8", 250)
        # ... and a domain of ours is one however it is written
        c.ask(f"RCPT TO:<ann@{s.domain.replace('.', chr(0xff0e))}>", 250)


def records(s):
    """The Router knows both forms, too."""
    route(s, f"<müller*@löcher.test> = ann@{s.domain}", "über.test = exämple.test",
          f"*.über.test = {s.domain}", f"<chef@exämple.test> = ann@{s.domain}")
    with Smtp(s.smtp_port()) as c:
        c.ask("MAIL FROM:<a@x.example> SMTPUTF8", 250)
        c.ask("RCPT TO:<grün@xn--ber-goa.test>", 250)
        c.ask("RCPT TO:<müllermax@xn--lcher-jua.test>", 250)
        c.ask("RCPT TO:<ann@de.über.test>", 250)
        c.ask(f"RCPT TO:<chef@{LABEL}>", 250)
        c.ask("RCPT TO:<chef@exämple.test>", 250)
        c.ask("RCPT TO:<niemand@exämple.test>", 550)
    route(s)


def passed_on(s):
    """A host that knows it gets it as it is."""
    with Sink(extensions=NEW) as k, Client(s) as c:
        route(s, to_sink("ümlaut.example", k))
        c.mail(s.address("grün"), ["ünser@ümlaut.example"],
               "Subject: äöü\r\n\r\nhallo", rparams="ORCPT=utf-8;alt@bücher.x")
        m, = k.wait(1)
        assert m.sender.split(" ")[0] == f"<{s.address('grün')}>", m.sender
        assert " SMTPUTF8" in m.sender and "BODY=8BITMIME" in m.sender
        rcpt, = m.rcpts
        assert rcpt.startswith("<ünser@xn--mlaut-jva.example>"), rcpt
        assert "ORCPT=utf-8;alt@bücher.x" in rcpt, rcpt
        assert "Subject: äöü\r\n".encode() in m.data
        # what comes without stays without
        c.mail(s.address("ann"), ["x@xn--mlaut-jva.example"],
               "Subject: x\r\n\r\nhello", params="")
        assert "SMTPUTF8" not in k.wait(2)[1].sender


def domain_alone(s):
    """A host that does not gets what can be said in ASCII."""
    with Sink(extensions=OLD) as k, Client(s) as c:
        route(s, to_sink("ümlaut.example", k))
        c.mail("jim@exämple.test", ["x@ümlaut.example"],
               "Subject: plain\r\n\r\nhällo",
               rparams="NOTIFY=NEVER ORCPT=utf-8;bücher@x")
        m, = k.wait(1)
        assert m.sender.startswith(f"<jim@{LABEL}>"), m.sender
        assert "SMTPUTF8" not in m.sender
        assert m.rcpts == ["<x@xn--mlaut-jva.example> NOTIFY=NEVER "
                           "ORCPT=utf-8;b\\x{FC}cher@x"], m.rcpts
        assert "hällo".encode() in m.data


def cannot(s):
    """And the sender hears of the rest, in his own letters."""
    with Sink(extensions=OLD) as k, Client(s) as c:
        route(s, to_sink("ümlaut.example", k))
        before = len(reports(s, "ann"))
        c.mail(s.address("ann"), ["ünser@ümlaut.example",
                                  "good@ümlaut.example"],
               "Subject: one\r\n\r\nhello", rparams="ORCPT=utf-8;für@x.y")
        text = report(s, before, "ann").decode()
        assert "message/global-delivery-status" in text, text
        assert "Final-Recipient: utf-8;ünser@xn--mlaut-jva.example" in text
        assert "Original-Recipient: utf-8;für@x.y" in text
        assert "Status: 5.6.7" in text and "charset=utf-8" in text
        assert "<ünser@xn--mlaut-jva.example>: not delivered" in text
        assert "good@" not in text
        m, = k.wait(1)
        assert m.rcpts[0].startswith("<good@"), m.rcpts
        # a sender that cannot be said
        before = len(reports(s))
        c.mail(s.address("grün"), ["good@ümlaut.example"],
               "Subject: two\r\n\r\nhello")
        text = report(s, before).decode()
        assert "Status: 5.6.7" in text and \
            f"To: <{s.address('grün')}>" in text, text
        # a header, or a part's
        part = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; " \
            "boundary=b\r\n\r\n--b\r\nContent-Description: über\r\n\r\nx" \
            "\r\n--b--"
        for head, back in (("Subject: grün\r\n\r\nhello",
                            "message/global-headers"),
                           (part, "text/rfc822-headers")):
            before = len(reports(s, "ann"))
            c.mail(s.address("ann"), ["good@ümlaut.example"], head)
            text = report(s, before, "ann").decode()
            assert "Status: 5.6.9" in text and back in text, text
        assert len(k.mails) == 1
        wait_for("an empty queue", lambda: not s.queue())


def waits(s):
    """It is remembered of mail that waits while queued ends."""
    with Client(s) as c:
        route(s, "Relay:ümlaut.example = x@127.0.0.1.1.smtp")
        for text in "Subject: grün\r\n\r\nhello", "Subject: x\r\n\r\ngrün":
            c.mail(s.address("ann"), ["good@ümlaut.example"], text)
    queued = next(p for p, n in s.children().items() if n == "queued")
    before = len(reports(s, "ann"))
    kill(queued)
    wait_for("queued", lambda: queued not in s.children() and
             "queued" in s.children().values())
    with Sink(extensions=OLD) as k:
        route(s, to_sink("ümlaut.example", k))
        assert "Status: 5.6.9" in report(s, before, "ann").decode()
        m, = k.wait(1)
        assert "Subject: x" in m.data.decode(), m.data
        wait_for("an empty queue", lambda: not s.queue())


def submitted(s):
    """What programs here send needs no parameter, and goes as it can."""
    def sendmail(*args, text="Subject: x\n\nhello\n"):
        with tempfile.TemporaryDirectory() as d:
            link = pathlib.Path(d, "sendmail")
            link.symlink_to(OBJ / "cgmail")
            subprocess.run([link, *args], input=text.encode(), check=True,
                           env=dict(os.environ, **s.env))
    with Sink(extensions=NEW) as k:
        route(s, to_sink("ümlaut.example", k))
        sendmail("-f", s.address("ann"), "ünser@ümlaut.example",
                 "x@ümlaut.example")
        mails = k.wait(1)
        assert " SMTPUTF8" in mails[0].sender, mails
        assert mails[0].rcpts[0] == "<ünser@xn--mlaut-jva.example>"
        wait_for("an empty queue", lambda: not s.queue())
    with Sink(extensions=OLD) as k:
        route(s, to_sink("ümlaut.example", k))
        before = len(reports(s, "ann"))
        sendmail("-f", s.address("ann"), "ünser@ümlaut.example")
        text = report(s, before, "ann").decode()
        # nobody knows whether she can read more than ASCII
        assert "Content-Type: message/delivery-status" in text, text
        assert "utf-8;\\x{FC}nser@xn--mlaut-jva.example" in text, text


def main():
    with Suite(accounts=["ann", "grün"], conf=CONF) as s:
        for step in (announced, only_if_said, local, by_any_name, no_relay, records, passed_on,
                     domain_alone, cannot, waits, submitted):
            print(step.__name__, flush=True)
            step(s)


main()
