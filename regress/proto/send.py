#!/usr/bin/env python3
# suite: own
"""Mail to other hosts: what arrives there, by which commands, what comes back
when they refuse, and what is tried again when they are in trouble."""
import hmac
import os
import pathlib
import signal
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402
from outgoing import (certificate, nothing_left, reports,  # noqa: E402
                      route, send)
from sink import Sink  # noqa: E402

ROOT = os.geteuid() == 0        # may listen on port 25
ALL = ["PIPELINING", "SIZE 100000000", "8BITMIME", "DSN", "CHUNKING"]
WAYS = [[], ["PIPELINING"], ["CHUNKING"], ALL]
# the answer to <1@sink>
CRAM = "us " + hmac.new(b"secret", b"<1@sink>", "md5").hexdigest()
CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; SendEncrypted = "*.safe.example"; }
"""


def zone(s, text):
    pathlib.Path(s.env["CG_ZONE"]).write_text(text)


# Nothing is missing, so nothing is added but Received.
HEADER = b"Date: Sat, 21 Nov 2026 08:41:53 +0000\r\n" \
    b"From: ann@test.example\r\nTo: x@out.example\r\n" \
    b"Message-ID: <1@test.example>\r\nSubject: odd\r\n\r\n"


def sent_part(data):
    return data[data.index(b"Date: Sat, 21 Nov 2026 08:41:53"):]


def every_way(s):
    """Bytes arrive as they were, whatever the other host can do."""
    text = HEADER + b".\r\n..\r\n.x\r\n\r\n8 bit: \xc3\xa4\r\n" + \
        b"x" * 990 + b"\r\n" + b".\r\n" * 20000 + b"end\r\n"
    for extensions in WAYS:
        with Sink(extensions=extensions) as k:
            route(s, out_example=k)
            send(s, ["a@out.example", "b@out.example", "c@out.example"],
                 text, ["BODY=8BITMIME"])
            m, = k.wait(1)
            assert sent_part(m.data) == text, (extensions, m.data[:300])
            assert [r.split()[0] for r in m.rcpts] == [
                "<a@out.example>", "<b@out.example>", "<c@out.example>"], m
            assert m.sender.startswith(f"<{s.address('ann')}>"), m.sender
            assert ("BODY=8BITMIME" in m.sender) == \
                ("8BITMIME" in extensions), m.sender
            assert any(l.startswith("BDAT") for _, l in k.heard) == \
                (extensions == ALL)
            nothing_left(s)


def reused(s):
    """One connection for message after message."""
    with Sink(extensions=ALL) as k:
        route(s, out_example=k)
        for i in range(5):
            send(s, [f"u{i}@out.example"])
            k.wait(i + 1)
        assert k.sessions == 1, k.sessions
        nothing_left(s)


def refused(s):
    """Some recipients are refused: the others get it, the sender hears."""
    for extensions in WAYS:
        before = len(reports(s))
        with Sink(extensions=extensions) as k:
            k.answers["RCPT bad"] = ["550 5.1.1 nobody of that name"]
            route(s, out_example=k)
            send(s, ["good@out.example", "bad@out.example"])
            m, = k.wait(1)
            assert m.rcpts == ["<good@out.example>"], m.rcpts
            wait_for("a report", lambda: len(reports(s)) > before)
            text = reports(s)[-1]
            assert b"rfc822;bad@out.example" in text and \
                b"Status: 5.1.1" in text and b"nobody of that name" in text \
                and b"good@out.example" not in text.split(b"\n\n", 3)[2], text
            send(s, ["bad@out.example"])
            wait_for("a report", lambda: len(reports(s)) > before + 1)
            assert len(k.mails) == 1
            nothing_left(s)


def at_each_stage(s):
    """Refused for now at each stage, then taken: it arrives, once."""
    for extensions in ([], ALL):
        for verb in ("GREET", "EHLO", "MAIL", "RCPT", "DATA", "END"):
            if verb == "DATA" and "CHUNKING" in extensions:
                continue
            with Sink(extensions=extensions) as k:
                good = {"GREET": "220 hi", "EHLO": "", "DATA": "354 go on"}
                k.answers[verb] = ["421 4.3.2 not now" if verb in
                                   ("GREET", "EHLO") else "451 4.3.0 not now",
                                   good.get(verb, "250 2.0.0 ok")]
                route(s, out_example=k)
                send(s, ["x@out.example"])
                k.wait(1)
                nothing_left(s)
                assert len(k.mails) == 1, (verb, k.mails)


def for_good(s):
    """Refused for good at each stage: the sender hears it."""
    for verb in ("MAIL", "DATA", "END"):
        before = len(reports(s))
        with Sink() as k:
            k.answers[verb] = ["554 5.7.1 never"]
            route(s, out_example=k)
            send(s, ["x@out.example"])
            wait_for("a report", lambda: len(reports(s)) > before)
            assert b"5.7.1" in reports(s)[-1] and b"never" in reports(s)[-1]
            nothing_left(s)


def dropped(s):
    """The connection is lost in the middle of the message."""
    text = HEADER + b"0123456789abcdef\r\n" * 100000
    with Sink() as k:
        k.drop_after = 500000
        route(s, out_example=k)
        send(s, ["x@out.example"], text)
        m, = k.wait(1)
        assert sent_part(m.data) == text
        nothing_left(s)
        assert len(k.mails) == 1 and k.sessions == 2, k.sessions


def dsn_passed(s):
    """What the sender asked of reports goes along, or is done here."""
    options = ["RET=HDRS", "ENVID=QQ+3D7"]
    asked = ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+2By@out.example"]
    before = len(reports(s))
    with Sink(extensions=ALL) as k:
        route(s, out_example=k)
        send(s, ["x@out.example"], options=options, rcpt_options=asked)
        m, = k.wait(1)
        assert "RET=HDRS" in m.sender and "ENVID=QQ+3D7" in m.sender, m.sender
        assert "NOTIFY=SUCCESS,DELAY" in m.rcpts[0] and \
            "ORCPT=rfc822;x+2By@out.example" in m.rcpts[0], m.rcpts
        nothing_left(s)
    assert len(reports(s)) == before
    with Sink() as k:
        route(s, out_example=k)
        send(s, ["x@out.example"], options=options, rcpt_options=asked)
        k.wait(1)
        wait_for("a report", lambda: len(reports(s)) > before)
        assert b"Action: relayed" in reports(s)[-1], reports(s)[-1]
        nothing_left(s)


def many(s):
    """Many messages for one host: several connections, not too many."""
    with Sink(extensions=ALL) as k:
        route(s, out_example=k)
        with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
            c.login("ann", PASSWORD)
            for i in range(300):
                c.sendmail("", [f"u{i}@out.example"],
                           f"Subject: {i}\r\n\r\nhello\r\n")
        mails = k.wait(300)
        nothing_left(s)
        assert len({m.rcpts[0] for m in mails}) == 300 == len(k.mails)
        assert k.most <= 10, k.most


def by_mx(s):
    """The better hosts first; the next when one is away; none; null."""
    if not ROOT:
        return
    zone(s, """
        two.example MX 10 away.two.example
        two.example MX 20 mx.two.example
        away.two.example A 127.0.0.77
        mx.two.example A 127.0.0.2
        bare.example A 127.0.0.2
        null.example MX 0 .
        silent.example SERVFAIL
        us.example MX 10 test.example
        test.example A 127.0.0.2
    """)
    before = len(reports(s))
    with Sink(address="127.0.0.2", port=25, extensions=ALL) as k:
        send(s, ["x@two.example"])
        send(s, ["x@bare.example"])
        k.wait(2)
        send(s, ["x@null.example", "x@none.example", "x@us.example"])
        wait_for("a report", lambda: sum(
            t.count(b"Action: failed") for t in reports(s)[before:]) == 3)
        text = b"".join(reports(s)[before:])
        for status in (b"5.1.10", b"5.1.2", b"5.4.6"):
            assert b"Status: " + status in text, text
        send(s, ["x@silent.example"])
        wait_for("a delay", lambda: "SMTP(silent.example) delayed" in s.log())
        zone(s, "silent.example A 127.0.0.2\n")
        assert k.wait(3)[2].rcpts == ["<x@silent.example>"]
    nothing_left(s)


def tells_itself(s):
    """A host that calls itself as we do: a loop, not a delivery."""
    before = len(reports(s))
    with Sink(name=s.domain) as k:
        route(s, out_example=k)
        send(s, ["x@out.example"])
        wait_for("a report", lambda: len(reports(s)) > before)
        assert b"loops back" in reports(s)[-1]
        assert not k.mails
    nothing_left(s)


def forwarded(s, top):
    """All through one host, logged in there; the password never in clear."""
    cli = s.cli()
    pair = certificate(top, "relay.example")
    for extensions, tls, login in (
            (["AUTH CRAM-MD5 PLAIN"], None, CRAM),
            (["AUTH PLAIN LOGIN"], pair, "\0us\0secret"),
            (["AUTH PLAIN LOGIN"], None, None)):
        with Sink(extensions=extensions, tls=tls) as k:
            cli.ask(f'UpdateModule SMTP {{ForwardTo="127.0.0.1:{k.port}";'
                    'ForwardName=us;ForwardPassword=secret;}')
            send(s, ["x@far-away.example"])
            if login is None:
                wait_for("a delay", lambda: "no safe way" in s.log())
                assert not any("c2VjcmV0" in l for _, l in k.heard)
            else:
                m, = k.wait(1)
                assert m.login == login, m
                assert m.rcpts == ["<x@far-away.example>"]
                nothing_left(s)
    with Sink() as k:
        cli.ask(f'UpdateModule SMTP {{ForwardTo="127.0.0.1:{k.port}";'
                'ForwardName="";}')
        assert k.wait(1)[0].rcpts == ["<x@far-away.example>"]
        cli.ask('UpdateModule SMTP {ForwardTo="";}')
    cli.close()
    nothing_left(s)
    assert "secret" not in s.log()


def encrypted(s, top):
    """TLS where it is offered; where it must be, only with the right host."""
    ca = (f"{top}/ca.key", f"{top}/ca.crt")
    if not ca_can_sign():
        return
    mine = certificate(top, "mx.safe.example", ca)
    strange = certificate(top, "other.example")
    with Sink(extensions=ALL, tls=strange) as k:
        route(s, out_example=k)
        send(s, ["x@out.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)
    with Sink(extensions=ALL, tls=strange) as k:    # it cannot, after all
        k.answers["STARTTLS"] = ["454 not now"]
        route(s, out_example=k)
        send(s, ["x@out.example"])
        assert not k.wait(1)[0].tls
        nothing_left(s)
    if not ROOT:
        return
    zone(s, "mx.safe.example A 127.0.0.3\n")
    for pair, good in ((mine, True), (strange, False), (None, False)):
        before = len(reports(s))
        with Sink(address="127.0.0.3", port=25, extensions=ALL,
                  tls=pair) as k:
            send(s, ["x@mx.safe.example"])
            if good:
                assert k.wait(1)[0].tls
            else:
                wait_for("a report", lambda: len(reports(s)) > before)
                assert b"Status: 5.7." in reports(s)[-1], reports(s)[-1]
                assert not k.mails
            nothing_left(s)


def ca_can_sign():
    """openssl req signs with another's key from 3.0 on."""
    out = subprocess.run(["openssl", "version"], capture_output=True,
                         text=True, check=True).stdout
    return int(out.split()[1].split(".")[0]) >= 3


def gives_up(s):
    """After KeepTrying the sender hears why; until then it waits."""
    cli = s.cli()
    with Sink() as k:
        k.answers["RCPT"] = ["450 4.2.0 come back later"]
        route(s, out_example=k)
        before = len(reports(s))
        send(s, ["x@out.example"])
        wait_for("a second try",
                 lambda: s.log().count("come back later") >= 2)
        assert len(reports(s)) == before
        cli.ask("UpdateModule Queue {KeepTrying=1s;}")
        wait_for("a report", lambda: len(reports(s)) > before)
        assert b"come back later" in reports(s)[-1], reports(s)[-1]
        assert b"Status: 5.4.7" in reports(s)[-1]
        cli.ask("UpdateModule Queue {KeepTrying=5d;}")
    cli.close()
    nothing_left(s)


def killed(s):
    """Processes die at random: all arrives; twice only what was in flight."""
    total, away = 200, 0
    with Sink(extensions=ALL) as k:
        route(s, out_example=k)
        with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
            c.login("ann", PASSWORD)
            i = 0
            while i < total:
                c.sendmail("", [f"u{i}@out.example"],
                           f"Subject: {i}\r\n\r\nhello\r\n")
                i += 1
                if i % 25 == 0:
                    for pid, name in s.children().items():
                        if name == "smtpd-send":
                            kill(pid, signal.SIGKILL)
                            away += 1
        nothing_left(s)
        told = [m.rcpts[0] for m in k.mails]
        assert len(set(told)) == total, total - len(set(told))
        assert len(told) - total <= away * 10, len(told)


def main():
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        _, cert = certificate(top, "ca")
        conf = CONF + f"authorities {cert}\n"
        with Suite(accounts=["ann"], conf=conf) as s:
            for step in (every_way, reused, refused, at_each_stage, for_good,
                         dropped, dsn_passed, many, by_mx, tells_itself,
                         gives_up, killed):
                print(step.__name__, flush=True)
                step(s)
            for step in (encrypted, forwarded):
                print(step.__name__, flush=True)
                step(s, top)


main()
