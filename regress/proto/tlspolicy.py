#!/usr/bin/env python3
# suite: own
"""Who is spoken to by TLS, and whom mail is kept from: MTA-STS, DANE,
REQUIRETLS and its opposite, ports of TLS, and what is counted of it."""
import hashlib
import os
import pathlib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402
from outgoing import certificate, reports, send  # noqa: E402
from sink import Sink  # noqa: E402

NET = "127.0.25."               # our hosts'
EXTENSIONS = ["PIPELINING", "SIZE 100000000", "8BITMIME", "DSN"]
CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; }
"""


def der(*args):
    return subprocess.run(["openssl", *args, "-outform", "DER"], check=True,
                          capture_output=True).stdout


def spki(pair):
    """SHA-256 of a certificate's key, for TLSA 3 1 1."""
    public = der("pkey", "-in", pair[0], "-pubout")
    return hashlib.sha256(public).hexdigest()


def whole(pair):
    return hashlib.sha256(der("x509", "-in", pair[1])).hexdigest()


class Web:
    """An HTTPS server that says the same to everybody."""

    def __init__(self, pair, body="", head="HTTP/1.1 200 OK\r\n"
                 "Content-Type: text/plain\r\n", last="9"):
        self.reply = (head + "\r\n" + body).encode()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair[1], pair[0])
        self.asked = []
        self.s = socket.create_server((NET + last, 443))

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()

    def serve(self):
        while True:
            try:
                raw, _ = self.s.accept()
            except OSError:
                return
            try:
                raw.settimeout(60)
                with self.context.wrap_socket(raw, server_side=True) as s:
                    text = b""
                    while b"\r\n\r\n" not in text and (d := s.recv(4096)):
                        text += d
                    self.asked.append(text.decode())
                    s.sendall(self.reply)
            except OSError:
                raw.close()


def policy(mode="enforce", mx=("mx.sts.example",), age=600000):
    return "version: STSv1\r\nmode: %s\r\n%smax_age: %d\r\n" % (
        mode, "".join(f"mx: {m}\r\n" for m in mx), age)


def zone(s, text):
    pathlib.Path(s.env["CG_ZONE"]).write_text(text)


STS = f"""
sts.example MX 10 mx.sts.example
mx.sts.example A {NET}2
_mta-sts.sts.example TXT v=STSv1;id=IDENT
mta-sts.sts.example A {NET}9
"""


def sts_zone(ident):
    return STS.replace("IDENT", ident)


def host(pair, last="2", extensions=EXTENSIONS, **more):
    return Sink(address=NET + last, port=more.pop("port", 25), tls=pair,
                extensions=extensions, **more)


def waits(s, what):
    """Mail waits, for that reason; the log has only what is new."""
    wait_for("a delay: " + what, lambda: re.search(
        rf"delayed for .*{what}", s.log()[s.seen:]))
    s.seen = len(s.log())


def nothing_left(s):
    wait_for("an empty queue", lambda: not s.queue())
    s.seen = len(s.log())


def counts(s):
    try:
        return pathlib.Path(s.base, "Settings/TLS.data").read_text()
    except FileNotFoundError:
        return ""


# --- MTA-STS ---

def sts_asked(s, p):
    """The policy is fetched, by HTTPS from a host that proves its name."""
    zone(s, sts_zone("a1"))
    with Web(p["mta-sts.sts.example"], policy()) as web, \
            host(p["mx.sts.example"]) as k:
        send(s, ["x@sts.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)
        assert web.asked[0].startswith(
            "GET /.well-known/mta-sts.txt HTTP/1.0\r\n") and \
            "Host: mta-sts.sts.example\r\n" in web.asked[0], web.asked


def sts_kept(s, p):
    """Neither silence of the domain nor a new life takes a policy away."""
    zone(s, f"sts.example MX 10 mx.sts.example\nmx.sts.example A {NET}2\n")
    wait_for("the policy in a file", lambda: "mx.sts.example" in counts(s))
    for pid, name in s.children().items():
        if name == "smtpd-send":
            kill(pid, signal.SIGKILL)
    with host(None) as k:
        send(s, ["x@sts.example"])
        waits(s, "offers no TLS")
        assert not k.mails
    with host(p["mx.sts.example"]) as k:
        assert k.wait(1)[0].tls
        nothing_left(s)


def sts_enforced(s, p):
    """By TLS to the host that the policy names, or not at all."""
    zone(s, sts_zone("a1"))
    with Web(p["mta-sts.sts.example"], policy()) as web:
        for bad, why in (("other.example", "TLS with mx.sts.example"),
                         ("self.example", "TLS with mx.sts.example"),
                         (None, "offers no TLS")):
            with host(bad and p[bad]) as k:
                send(s, ["x@sts.example"])
                waits(s, why)
                assert not k.mails
            with host(p["mx.sts.example"]) as k:
                assert k.wait(1)[0].tls
                nothing_left(s)
        assert not web.asked, web.asked


def sts_changed(s, p):
    """A new id: a new policy, which names another host, or wants less."""
    with Web(p["mta-sts.sts.example"], policy(mx=["*.elsewhere.example"])):
        zone(s, sts_zone("a2"))
        with host(p["mx.sts.example"]) as k:
            send(s, ["x@sts.example"])
            waits(s, "no mail host by the domain")
            assert not k.mails
    with Web(p["mta-sts.sts.example"], policy("testing", ["no.example"])), \
            host(None) as k:
        zone(s, sts_zone("a3"))
        assert not k.wait(1)[0].tls
        nothing_left(s)
    with Web(p["mta-sts.sts.example"], policy("none", [])), \
            host(p["self.example"]) as k:
        zone(s, sts_zone("a4"))
        send(s, ["x@sts.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)


def sts_fresh(s, p):
    """It is fetched anew before it expires, and nobody waits for that."""
    zone(s, sts_zone("a5"))
    with Web(p["mta-sts.sts.example"], policy(age=6)) as web, \
            host(p["mx.sts.example"]) as k:
        def again():
            send(s, ["x@sts.example"])
            nothing_left(s)
            k.hang_up()         # the next one connects anew
            return len(web.asked) > 1
        wait_for("a second fetch", again)
        assert all(m.tls for m in k.mails)


def sts_broken(s, p):
    """A policy that cannot be had, or is none, is none."""
    good = policy(mx=["mx.sts.example"])
    plain = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    webs = [dict(pair=p["other.example"], body=good),
            dict(pair=p["self.example"], body=good),
            dict(pair=p["bad"], body=good,
                 head=plain.replace("200 OK", "404 Not Found")),
            dict(pair=p["bad"], head="HTTP/1.1 302 Found\r\n"
                 f"Location: https://{NET}9/\r\n", body=good),
            dict(pair=p["bad"], body=good + "x" * 70000),
            dict(pair=p["bad"], body=good,
                 head=plain + "Content-Length: 99999999999999999999\r\n"),
            dict(pair=p["bad"], body=good,
                 head=plain.replace("plain", "html")),
            dict(pair=p["bad"], body=good,
                 head=plain + "X: y\r\n" * 200),
            dict(pair=p["bad"], body="mode: enforce\r\n"),
            dict(pair=p["bad"], body="", head="")]
    for i, w in enumerate(webs):
        name = f"bad{i}.example"
        zone(s, f"{name} MX 10 mx.sts.example\nmx.sts.example A {NET}2\n"
             f"_mta-sts.{name} TXT v=STSv1;id=b{i}\n"
             f"mta-sts.{name} A {NET}9\n")
        with Web(**w), host(None) as k:
            send(s, [f"x@{name}"])
            assert not k.wait(1)[0].tls
            nothing_left(s)


def sts_silent(s, p):
    """A policy's host that says nothing holds mail up for half a minute."""
    zone(s, f"mute.example MX 10 mx.sts.example\nmx.sts.example A {NET}2\n"
         "_mta-sts.mute.example TXT v=STSv1;id=m1\n"
         f"mta-sts.mute.example A {NET}9\n")
    with socket.create_server((NET + "9", 443)), host(None) as k:
        start = time.monotonic()
        send(s, ["x@mute.example"])
        k.wait(1)
        assert 25 < time.monotonic() - start < 90
        nothing_left(s)


# --- DANE ---

def dane_zone(tlsa, more=""):
    return f"""
        dane.example MX 10 mx.dane.example
        dane.example AD
        mx.dane.example A {NET}3
        mx.dane.example AD
        _25._tcp.mx.dane.example TLSA {tlsa}
        _25._tcp.mx.dane.example AD
    """ + more


def dane(s, p):
    """Whom the records name, and nobody else."""
    mine = p["self.example"]
    zone(s, dane_zone(f"3 1 1 {spki(mine)}"))
    with host(mine, "3") as k:
        send(s, ["x@dane.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)
    for pair in (p["mx.sts.example"], None):
        with host(pair, "3") as k:
            send(s, ["x@dane.example"])
            waits(s, "offers no TLS" if pair is None else "TLS with mx.dane")
            assert not k.mails
        with host(mine, "3") as k:
            k.wait(1)
            nothing_left(s)
    # An authority of the domain's own, which the host sends along.
    zone(s, dane_zone(f"2 0 1 {whole(p['ca'])}"))
    chain = p["mx.dane.example"][1] + ".chain"
    pathlib.Path(chain).write_text("".join(
        pathlib.Path(p[n][1]).read_text() for n in ("mx.dane.example", "ca")))
    with host((p["mx.dane.example"][0], chain), "3") as k:
        send(s, ["x@dane.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)


def dane_trouble(s, p):
    """A question that fails is no answer."""
    zone(s, dane_zone("3 1 1 00",
                      "_25._tcp.mx.dane.example SERVFAIL\n"))
    with host(p["self.example"], "3") as k:
        send(s, ["x@dane.example"])
        waits(s, "about its TLSA records")
        assert not k.sessions
        # Records that mean nothing here: encrypted, by anybody's certificate.
        zone(s, dane_zone(f"0 0 1 {'00' * 32}"))
        assert k.wait(1)[0].tls
        nothing_left(s)
    with host(None, "3") as k:
        send(s, ["x@dane.example"])
        waits(s, "offers no TLS")
        # Not authentic: as if there were none.
        zone(s, dane_zone("3 1 1 " + "00" * 32).replace(
            "_25._tcp.mx.dane.example AD", ""))
        assert not k.wait(1)[0].tls
        nothing_left(s)


def dane_first(s, p):
    """DANE's word counts more than MTA-STS'; an alias' records are found."""
    mine = p["self.example"]
    zone(s, f"""
        dane.example MX 10 mx.dane.example
        dane.example AD
        mx.dane.example CNAME real.dane.example
        mx.dane.example AD
        real.dane.example A {NET}3
        real.dane.example AD
        _25._tcp.real.dane.example TLSA 3 1 1 {spki(mine)}
        _25._tcp.real.dane.example AD
        _mta-sts.dane.example TXT v=STSv1;id=d1
        mta-sts.dane.example A {NET}9
    """)
    with Web(p["mta-sts.dane.example"], policy(mx=["no.example"])) as web, \
            host(mine, "3") as k:
        send(s, ["x@dane.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)
        assert not web.asked


# --- REQUIRETLS ---

def required(s, p):
    """Only where it is promised, by a host that has proved to be the one."""
    plain = EXTENSIONS
    promised = EXTENSIONS + ["REQUIRETLS"]
    zone(s, f"""
        sec.example MX 10 mx.dane.example
        sec.example MX 20 mx.sts.example
        sec.example AD
        mx.dane.example A {NET}3
        mx.dane.example AD
        mx.sts.example A {NET}2
        mx.sts.example AD
        lax.example MX 10 mx.sts.example
    """)
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        c.ehlo()
        assert not c.has_extn("REQUIRETLS")
        c.login("ann", PASSWORD)
        code, text = c.docmd(f"MAIL FROM:<{s.address('ann')}> REQUIRETLS")
        assert code == 530, (code, text)
        c.starttls(context=ssl._create_unverified_context())
        c.ehlo()
        assert c.has_extn("REQUIRETLS")
        code, text = c.docmd("MAIL FROM:<> REQUIRETLS=1")
        assert code == 501, (code, text)
    # The second host is the one that promises it.
    with host(p["mx.dane.example"], "3", plain) as k, \
            host(p["mx.sts.example"], "2", promised) as k2:
        send(s, ["x@sec.example"], options=["REQUIRETLS"], tls=True)
        m, = k2.wait(1)
        assert m.tls and m.sender.endswith(" REQUIRETLS"), m
        nothing_left(s)
        send(s, ["y@sec.example"])
        nothing_left(s)
        m, = k.mails + k2.mails[1:]
        assert "REQUIRETLS" not in m.sender
    # Nobody promises; or nobody vouches for the host's name.
    for domain, extensions in (("sec", plain), ("lax", promised)):
        before = len(reports(s))
        with host(p["mx.dane.example"], "3", extensions) as k, \
                host(p["mx.sts.example"], "2", extensions) as k2:
            send(s, [f"x@{domain}.example"], b"Subject: one\r\n\r\nsecret "
                 b"words\r\n", ["REQUIRETLS", "RET=FULL"], tls=True)
            wait_for("a report", lambda: len(reports(s)) > before)
            assert b"5.7.30" in reports(s)[-1], reports(s)[-1]
            assert b"secret words" not in reports(s)[-1]
            assert not k.mails and not k2.mails
            # The host is not to blame: other mail goes on.
            send(s, [f"y@{domain}.example"])
            wait_for("the other", lambda: k.mails or k2.mails)
            nothing_left(s)


def not_required(s, p):
    """Mail about broken TLS gets through broken TLS."""
    zone(s, dane_zone(f"3 1 1 {'00' * 32}"))
    with host(p["self.example"], "3") as k:
        send(s, ["x@dane.example"])
        waits(s, "TLS with mx.dane")
        assert not k.mails
        send(s, ["y@dane.example"], b"TLS-Required: No\r\nSubject: help\r\n"
             b"\r\nhello\r\n")
        assert k.wait(1)[0].rcpts == ["<y@dane.example>"]
        send(s, ["z@dane.example"], b"TLS-Required: Not\r\nSubject: help\r\n"
             b"\r\nhello\r\n")
        # It may be the last field of a very long header.
        long = b"X-Long: " + b"x" * 900 + b"\r\n"
        for n in 69, 200, 1000:
            send(s, [f"y{n}@dane.example"], b"Subject: help\r\n" + n * long +
                 b"TLS-Required: No\r\n\r\nhello\r\n")
            k.wait(len(k.mails) + 1)
            assert k.mails[-1].rcpts == [f"<y{n}@dane.example>"]
            assert k.mails[-1].data.count(b"X-Long") == n
        send(s, ["z@dane.example"], b"Subject: help\r\n" + 200 * long +
             b"\r\nTLS-Required: No\r\n")
        waits(s, "TLS with mx.dane")
        assert len(k.mails) == 4
        zone(s, dane_zone(f"3 1 1 {spki(p['self.example'])}"))
        k.wait(7)
        assert k.mails[0].rcpts == ["<y@dane.example>"]
        nothing_left(s)


# --- the administrator's list ---

def listed(s, p):
    """By a certificate for the domain or for its host; returned else."""
    zone(s, f"sts.example MX 10 mx.dane.example\nmx.dane.example A {NET}3\n"
         f"_mta-sts.sts.example TXT v=STSv1;id=z9\n")
    cli = s.cli()
    cli.ask('UpdateModule SMTP {SendEncrypted="x.example s*.example";'
            'EncryptWherePossible=NO;}')
    for name, good in (("sts.example", True), ("mx.dane.example", True),
                       ("other.example", False), ("self.example", False),
                       (None, False)):
        before = len(reports(s))
        with host(name and p[name], "3") as k:
            send(s, ["x@sts.example"])
            if good:
                assert k.wait(1)[0].tls
            else:
                wait_for("a report", lambda: len(reports(s)) > before)
                assert b"Status: 5.7." in reports(s)[-1], reports(s)[-1]
                assert not k.mails
            nothing_left(s)
    # Of who forwards all, only that it is encrypted.
    cli.ask(f'UpdateModule SMTP {{SendEncrypted="*";ForwardTo="{NET}3";}}')
    with host(p["self.example"], "3") as k:
        send(s, ["x@far.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)
    with host(None, "3") as k:
        before = len(reports(s))
        send(s, ["x@far.example"])
        wait_for("a report", lambda: len(reports(s)) > before)
        nothing_left(s)
    cli.ask('UpdateModule SMTP {SendEncrypted="";ForwardTo="";'
            'EncryptWherePossible=YES;}')
    cli.close()


# --- the rest ---

def at_once(s, p):
    """Port 465 is TLS from the first byte."""
    cli = s.cli()
    cli.ask(f'SetRouterTable "Relay:out.example = out.example@{NET}4'
            '.465.smtp\\e"')
    cli.close()
    with host(p["self.example"], "4", port=465, tls_at_once=True) as k:
        send(s, ["x@out.example"])
        assert k.wait(1)[0].tls
        nothing_left(s)


def counted(s, p):
    """What TLS-RPT will tell is kept."""
    def kept():
        text = counts(s)
        return all(w in text for w in (
            "sts-webpki-invalid", "sts-policy-fetch-error",
            "sts-policy-invalid", "starttls-not-supported mx.sts.example",
            "certificate-host-mismatch mx.sts.example",
            "certificate-not-trusted mx.sts.example", "Good", "tlsa",
            "dnssec-invalid mx.dane.example",
            "validation-failure mx.dane.example")) and text
    wait_for("the counts", kept)


def distrusted(p, conf):
    """Whoever could change the resolver's words on their way: no DANE."""
    with Suite(accounts=["ann"], conf=conf + "resolver-trusted no\n") as s:
        s.seen = 0
        zone(s, dane_zone(f"3 1 1 {'00' * 32}"))
        with host(p["self.example"], "3") as k:
            send(s, ["x@dane.example"])
            assert k.wait(1)[0].tls
            nothing_left(s)


def main():
    if os.geteuid() != 0:
        print("ports 25 and 443 are for root alone")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        ca = certificate(top, "ca")
        p = {"ca": ca, "self.example": certificate(top, "self.example")}
        for name in ("mx.sts.example", "mta-sts.sts.example",
                     "mx.dane.example", "mta-sts.dane.example",
                     "other.example", "sts.example"):
            p[name] = certificate(top, name, ca)
        p["bad"] = certificate(top, "bad", ca, [
            f"mta-sts.bad{i}.example" for i in range(20)])
        conf = CONF + f"authorities {ca[1]}\n"
        with Suite(accounts=["ann"], conf=conf) as s:
            s.seen = 0
            for step in (sts_asked, sts_kept, sts_enforced, sts_changed,
                         sts_fresh, sts_broken, sts_silent,
                         dane, dane_trouble, dane_first,
                         required, not_required, listed, at_once, counted):
                print(step.__name__, flush=True)
                step(s, p)
        print("distrusted", flush=True)
        distrusted(p, conf)


main()
