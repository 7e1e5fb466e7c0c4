#!/usr/bin/env python3
# suite: own
"""Postfix (Debian's, unpacked and never installed) on both sides of us: as the
host that mail goes to, in each of its moods, and as the one that it comes
from.  Messages are compared byte for byte.

A policy service of this script's own is asked by Postfix at each stage of a
session and so makes it refuse, be slow, or grey-list.  Postfix wants root."""
import hashlib
import os
import pathlib
import random
import signal
import smtplib
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "regress/tools"), str(TOP / "bench")]
import peers  # noqa: E402
from cgtest import PASSWORD, Suite, descendants, kill, wait_for  # noqa: E402
from fakedns import FakeDns  # noqa: E402
from outgoing import certificate  # noqa: E402
from programs import common_name  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 5; SendEncrypted = "mx.safe.example"; }
"""
MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1",
              "SCRAM-SHA-256"]
ODD = b".\r\n..\r\n.x\r\n\r\n8 bit: \xc3\xa4 \xe4\r\nblanks  \t\r\n" + \
    b"From the beginning\r\n>From\r\n" + b"x" * 990 + b"\r\n\r\n" + \
    b".\r\n" * 5000 + b"end\r\n"
LONG = b"y" * 20000 + b"\r\nshort\r\n" + b"z" * 70000 + b"\r\n"
# Without mounts of its own (in a chroot?) Postfix cannot have our DNS.
MOUNTS = subprocess.run(["unshare", "--mount", "true"],
                        stderr=subprocess.DEVNULL).returncode == 0
serial = 0


def message(body=b"hello\r\n", subject="s"):
    """(bytes, what is in them only): nothing is missing in the header."""
    global serial
    serial += 1
    mark = f"Message-ID: <{serial}.{os.getpid()}@test.example>\r\n".encode()
    return (mark + b"Date: Sat, 21 Nov 2026 08:41:53 +0000\r\n"
            b"From: ann@test.example\r\nTo: x@out.example\r\n" +
            f"Subject: {subject}\r\n\r\n".encode() + body), mark[:-2]


class Policy(socketserver.ThreadingTCPServer):
    """answers: a stage (CONNECT, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE) to
    actions, used one by one, the last for ever, or functions that make one."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.port = self.server_address[1]
        self.answers, self.asked = {}, []
        self.lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def action(self, about):
        stage = about["protocol_state"].replace("HELO", "EHLO")
        with self.lock:
            self.asked.append((stage, about))
            left = self.answers.get(stage, ["DUNNO"])
            act = left.pop(0) if len(left) > 1 else left[0]
        return act(about) if callable(act) else act


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        about = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                about[name] = value
                continue
            self.wfile.write(f"action={self.server.action(about)}\n\n"
                             .encode())
            about = {}


def listener(port, **options):
    return f"127.0.0.1:{port} inet n - n - - smtpd " + " ".join(
        f"-o {k}={v}" for k, v in options.items()) + "\n"


def sender(name, **options):
    return f"{name} unix - - n - - smtp " + " ".join(
        f"-o {k}={v}" for k, v in options.items()) + "\n"


class Both:
    """The suite s and a Postfix p that send to one another."""

    def __init__(self, s, top, policy, dns):
        self.s, self.policy, self.dns = s, policy, dns
        self.plain, self.may, self.must, self.bare, self.strange = (
            peers.free_port() for _ in range(5))
        self.fresh = {peers.free_port() for _ in range(6)}
        there, submit = (f"[127.0.0.1]:{s.env[p]}"
                         for p in ("CG_SMTP", "CG_SUBMIT"))
        key, cert = f"{top}/mx.safe.example.key", f"{top}/mx.safe.example.crt"
        stages = "\n".join(
            f"smtpd_{x}_restrictions = check_policy_service "
            f"inet:127.0.0.1:{policy.port}" for x in (
                "client", "helo", "sender", "recipient", "data",
                "end_of_data"))
        ways = {"plain": there, "secure": there, "one": there, "long": there,
                "dane": f"[mx.dane.example]:{s.env['CG_SMTP']}",
                **{"auth-" + m.lower(): submit for m in MECHANISMS}}
        main = f"""
virtual_mailbox_domains = out.example
virtual_mailbox_maps = static:box/
virtual_mailbox_limit = 0
message_size_limit = 0
smtputf8_enable = yes
smtpd_delay_reject = no
smtpd_policy_service_default_action = 451 4.3.5 no policy
{stages}
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtp_tls_loglevel = 1
smtp_tls_CAfile = {s.env['CG_CA']}
smtp_tls_secure_cert_match = {common_name(s.env['CG_CA'])}
smtp_line_length_limit = 998
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
smtp_connection_cache_on_demand = yes
dnssec_probe =
my_logins = inline:{{ {{ {submit} = ann:{PASSWORD} }} }}
transport_maps = inline:{{ {{ test.example = plain:{there} }}
  {" ".join("{ ann+%s@test.example = %s:%s }" % (w, w, to)
            for w, to in ways.items())} }}
"""
        master = "".join([
            listener(self.plain, smtpd_tls_security_level="none"),
            *(listener(p, smtpd_tls_security_level="none")
              for p in self.fresh),
            listener(self.may, smtpd_tls_security_level="may"),
            listener(self.must, smtpd_tls_security_level="encrypt"),
            listener(self.bare, smtpd_discard_ehlo_keywords="pipelining,"
                     "chunking,8bitmime,dsn,size,starttls,enhancedstatuscodes,"
                     "smtputf8,etrn,vrfy"),
            listener(self.strange, smtpd_tls_security_level="may",
                     smtpd_tls_cert_file=f"{top}/other.example.crt",
                     smtpd_tls_key_file=f"{top}/other.example.key"),
            sender("plain", smtp_tls_security_level="none"),
            sender("secure", smtp_tls_security_level="secure"),
            sender("one", smtp_tls_security_level="none",
                   smtp_discard_ehlo_keywords="pipelining,chunking,dsn"),
            sender("long", smtp_line_length_limit="0"),
            sender("dane", smtp_tls_security_level="dane-only",
                   smtp_dns_support_level="dnssec", disable_dns_lookups="no"),
            *(sender("auth-" + m.lower(), smtp_sasl_auth_enable="yes",
                     smtp_sasl_password_maps="$my_logins",
                     smtp_tls_security_level="encrypt",
                     smtp_sasl_mechanism_filter=m.lower(),
                     smtp_sasl_security_options="noanonymous",
                     smtp_sasl_tls_security_options="noanonymous")
              for m in MECHANISMS)])
        self.p = peers.Postfix(peers.shared(), [], main=main, master=master,
                               resolver=dns.address if MOUNTS else None)

    def __enter__(self):
        self.p.__enter__()
        return self

    def __exit__(self, *exc):
        if exc[0]:
            log = pathlib.Path(self.p.dir, "log").read_text(errors="replace")
            print("--- Postfix's log:", *log.split("\n")[-60:], sep="\n")
            print("--- ours:", *self.s.log().split("\n")[-60:], sep="\n")
        self.p.__exit__(*exc)

    def route(self, port, host="127.0.0.1"):
        """Mail for out.example goes to that port of Postfix."""
        cli = self.s.cli()
        cli.ask('SetRouterTable "Relay:out.example = out.example@'
                f'{host}.{port}.smtp\\e"')
        cli.close()

    def send(self, rcpts, data, options=(), rcpt_options=()):
        """By us, from ann."""
        with smtplib.SMTP("127.0.0.1", self.s.smtp, timeout=120) as c:
            c.ehlo()
            c.login("ann", PASSWORD)
            return c.sendmail(self.s.address("ann"), rcpts, data, options,
                              rcpt_options)

    def post(self, sender, rcpts, data, options=(), rcpt_options=()):
        """By Postfix."""
        with smtplib.SMTP("127.0.0.1", self.p.port, timeout=120) as c:
            c.ehlo()
            return c.sendmail(sender, rcpts, data, options, rcpt_options)

    def box(self):
        """What Postfix delivered."""
        new = pathlib.Path(self.p.dir, "mail/box/new")
        return [p.read_bytes() for p in new.iterdir()] if new.is_dir() else []

    def there(self, mark, n=1):
        """Those with that mark at Postfix, once there are so many."""
        found = wait_for(f"{mark} at Postfix", lambda: (
            f := [t for t in self.box() if mark in t]) and len(f) >= n and f)
        assert len(found) == n, f"{len(found)} of {mark}"
        return found

    def here(self, mark, n=1):
        found = wait_for(f"{mark} here", lambda: (
            f := [t for _, t in self.s.mail("ann") if mark in t]) and
            len(f) >= n and f)
        assert len(found) == n, f"{len(found)} of {mark}"
        return found

    def nothing_left(self):
        wait_for("an empty queue", lambda: not self.s.queue())

    def tried(self, stage, n):
        wait_for(f"{n} tries of {stage}", lambda: sum(
            stage == x for x, _ in self.policy.asked) >= n)


def same(found, data, mark):
    """From the mark on it is what was sent; mailboxes have bare LFs."""
    got = found[found.index(mark):]
    want = data.replace(b"\r\n", b"\n")
    assert got == want, (len(got), len(want), next(
        (i, got[i - 20:i + 40], want[i - 20:i + 40])
        for i in range(max(len(got), len(want)))
        if got[i:i + 1] != want[i:i + 1]))


# --- to Postfix ---

def whole(b):
    """Bytes arrive as they were, whatever it offers, to several people."""
    for port in (b.plain, b.bare, b.may):
        b.route(port)
        for body in (ODD, LONG, b"", b"no end of line"):
            data, mark = message(body)
            b.send(["a@out.example", "b@out.example", "c@out.example"], data,
                   ["BODY=8BITMIME"])
            if body == b"no end of line":
                data += b"\r\n"
            found = b.there(mark, 3)
            for text in found:
                same(text, data, mark)
            assert {t.split(b"Delivered-To: ")[1].split(b"\n")[0]
                    for t in found} == {b"a@out.example", b"b@out.example",
                                        b"c@out.example"}
    b.nothing_left()


def encrypted(b):
    """Where it is offered or must be; for some by the right name only."""
    for port, tls in ((b.plain, False), (b.may, True), (b.must, True),
                      (b.strange, True)):
        b.route(port)
        data, mark = message()
        b.send(["x@out.example"], data)
        text, = b.there(mark)
        assert (b"(using TLSv1" in text) == tls, (tls, text)
    pathlib.Path(b.s.env["CG_ZONE"]).write_text("mx.safe.example A 127.0.0.1\n")
    b.route(b.may, "mx.safe.example")
    data, mark = message()
    b.send(["x@out.example"], data)
    assert b"(using TLSv1" in b.there(mark)[0]
    b.nothing_left()
    for port in (b.strange, b.plain):
        b.route(port, "mx.safe.example")
        data, mark = message(subject=f"strange{port}")
        b.send(["x@out.example"], data)
        text, = b.here(f"Subject: strange{port}".encode())
        assert b"Status: 5.7." in text, text
        assert not [t for t in b.box() if mark in t]
    b.nothing_left()


def utf8(b):
    """Addresses and header fields beyond ASCII."""
    b.route(b.plain)
    data, mark = message("Grüße\r\n".encode(), "für Jörg")
    b.send(["jörg@out.example"], data.replace(
        b"x@out.example", "jörg@out.example".encode()),
        ["SMTPUTF8", "BODY=8BITMIME"])
    text, = b.there(mark)
    assert "Delivered-To: jörg@out.example".encode() in text, text
    assert b"with UTF8SMTP" in text, text
    b.route(b.bare)
    data, mark = message(subject="nowhere to go")
    b.send(["jörg@out.example"], data, ["SMTPUTF8", "BODY=8BITMIME"])
    text, = b.here(b"Subject: nowhere to go")
    assert b"Status: 5.6.7" in text, text
    b.nothing_left()


def grey(b):
    """Refused for now at each stage, twice, then taken: it arrives, once."""
    for port in (b.plain, b.bare):
        for stage in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA",
                      "END-OF-MESSAGE"):
            # there is no connection yet
            b.route(b.fresh.pop() if stage in ("CONNECT", "EHLO") else port)
            b.policy.asked.clear()
            b.policy.answers = {stage: ["450 4.7.1 grey", "421 4.7.1 go",
                                        "DUNNO"]}
            data, mark = message(ODD)
            b.send(["x@out.example"], data)
            same(b.there(mark)[0], data, mark)
            b.tried(stage, 3)
            b.nothing_left()
            b.there(mark)
    b.policy.answers = {}


def never(b):
    """Refused for good: the sender hears it, in its own words."""
    for port in (b.plain, b.bare):
        b.route(port)
        for stage in ("MAIL", "RCPT", "DATA", "END-OF-MESSAGE"):
            b.policy.answers = {stage: [f"550 5.7.26 not at {stage}"]}
            data, mark = message(subject=f"never {stage} {port}")
            b.send(["x@out.example"], data)
            text, = b.here(f"Subject: never {stage} {port}".encode())
            assert b"Status: 5.7.26" in text and \
                f"not at {stage}".encode() in text.replace(b"\n ", b" "), text
            assert not [t for t in b.box() if mark in t]
    # A host that will not talk to us may be in a better mood later.
    for stage in ("CONNECT", "EHLO"):
        b.route(b.fresh.pop())
        b.policy.asked.clear()
        b.policy.answers = {stage: ["554 5.7.1 go away"] * 2 + ["DUNNO"]}
        data, mark = message()
        b.send(["x@out.example"], data)
        b.there(mark)
        b.tried(stage, 3)
    b.policy.answers = {}
    b.nothing_left()


def some(b):
    """One of three is refused, one is put off: each hears or gets his own."""
    b.route(b.plain)
    later = ["450 4.2.1 later"]

    def rcpt(about):
        name = about["recipient"].split("@")[0]
        if name == "bad":
            return "550 5.1.1 nobody of that name"
        return later.pop() if name == "later" and later else "DUNNO"
    b.policy.answers = {"RCPT": [rcpt]}
    data, mark = message(ODD, "some of them")
    b.send(["good@out.example", "bad@out.example", "later@out.example"], data)
    for text in b.there(mark, 2):
        same(text, data, mark)
    text, = b.here(b"Subject: some of them")
    assert b"bad@out.example" in text and b"Status: 5.1.1" in text
    b.policy.answers = {}
    b.nothing_left()
    b.there(mark, 2)


def slow(b):
    """Late answers at each stage hold up nothing else."""
    b.route(b.plain)

    def late(about):
        if about["protocol_state"] in ("CONNECT", "EHLO", "HELO") or \
                about["sender"] == b.s.address("ann"):
            time.sleep(1.5)
        return "DUNNO"
    b.policy.answers = {x: [late] for x in (
        "CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE")}
    data, mark = message(ODD)
    b.send(["x@out.example"], data)
    same(b.there(mark)[0], data, mark)
    b.policy.answers = {}
    b.nothing_left()


def cut_off(b):
    """Its server dies when half of the message is there."""
    b.route(b.plain)
    data, mark = message(b"0123456789abcdef" * 60 + b"\r\n")
    data += data[-962:] * 30000
    done = threading.Event()

    def at_data(about):
        threading.Thread(target=end_it, daemon=True).start()
        return "DUNNO"

    def end_it():
        incoming = pathlib.Path(b.p.dir, "queue/incoming")
        wait_for("half of it", lambda: sum(
            f.stat().st_size for f in incoming.iterdir()) > 200000)
        for pid, name in descendants(b.p.process.pid).items():
            if name == "smtpd":
                kill(pid, signal.SIGKILL)
        done.set()
    b.policy.asked.clear()
    b.policy.answers = {"DATA": [at_data, "DUNNO"]}
    b.send(["x@out.example"], data)
    same(b.there(mark)[0], data, mark)
    assert done.is_set()
    b.tried("DATA", 2)
    b.policy.answers = {}
    b.nothing_left()
    b.there(mark)


def reports(b):
    """What the sender asked of reports goes along; Postfix' come back."""
    asked = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x+2By@elsewhere.example"]
    for port, action in ((b.plain, b"delivered"), (b.bare, b"relayed")):
        b.route(port)
        data, mark = message(subject=f"report {port}")
        b.send(["x@out.example"], data, ["RET=HDRS", "ENVID=QQ+3D7"], asked)
        b.there(mark)
        text, = b.here(f"Subject: report {port}".encode())
        assert b"Action: " + action in text, text
        assert b"Original-Envelope-Id: QQ=7" in text, text
        low = text.replace(b" ", b"").lower()
        assert b"original-recipient:rfc822;x+y@elsewhere.example" in low, text
    b.nothing_left()


# --- from Postfix ---

def taken(b):
    """What comes from it is what it was given, in each way it has."""
    for way, how in (("plain", b" with ESMTP id"), ("one", b" with ESMTP id"),
                     ("secure", b" with ESMTPS id")):
        data, mark = message(ODD)
        b.post("outside@out.example", [f"ann+{way}@test.example"], data,
               ["BODY=8BITMIME"])
        text, = b.here(mark)
        same(text, data, mark)
        assert how in text.replace(b"\n\t", b" ").split(b"Received:")[1], \
            text[:600]
    data, mark = message(LONG)
    b.post("outside@out.example", ["ann+long@test.example"], data)
    same(b.here(mark)[0], data, mark)
    data, mark = message(LONG)          # it breaks them, and all is there
    b.post("outside@out.example", ["ann+plain@test.example"], data)
    text, = b.here(mark)
    assert text[text.index(mark):].replace(b"\n ", b"") == \
        data.replace(b"\r\n", b"\n")
    data, mark = message("Grüße\r\n".encode(), "für Ännchen")
    b.post("jörg@out.example", ["ann+plain@test.example"], data,
           ["SMTPUTF8", "BODY=8BITMIME"])
    assert b"with UTF8SMTP id" in b.here(mark)[0].replace(b"\n\t", b" ")


def several(b):
    """Many at once: to several people, and by a connection used again."""
    data, mark = message()
    names = ["ann", "ann+a", "ann+b", "ann+c", "ben"]
    b.post("outside@out.example", [f"{n}@test.example" for n in names], data)
    wait_for("it for ben", lambda: any(
        mark in t for _, t in b.s.mail("ben")))
    marks = []
    with smtplib.SMTP("127.0.0.1", b.p.port, timeout=120) as c:
        for i in range(50):
            data, mark = message(subject=f"{i}")
            c.sendmail("outside@out.example", ["ann@test.example"], data)
            marks.append(mark)
    wait_for("all of them", lambda: (
        text := b"".join(t for _, t in b.s.mail("ann"))) and all(
            text.count(m) == 1 for m in marks))


def logged_in(b):
    """Submission, by each mechanism that both have."""
    for m in MECHANISMS:
        data, mark = message()
        b.post("ann@test.example", [f"ann+auth-{m.lower()}@test.example"], data)
        text, = b.here(mark)
        assert b" with ESMTPSA id" in text.replace(b"\n\t", b" "), (m, text)


def bounced(b):
    """What we refuse it reports, from nobody, to one of ours."""
    data, mark = message(subject="to nobody")
    b.post("ann@test.example", ["nobody@test.example"], data)
    text, = b.here(b"Subject: to nobody")
    assert text.startswith(b"Return-Path: <>") and b"Action: failed" in text \
        and b"nobody@test.example" in text, text


def reported(b):
    """We report what we delivered to whom it asked for; ours goes to it."""
    b.route(b.plain)
    data, mark = message(subject="delivered here")
    b.post("outside@out.example", ["ann+plain@test.example"], data,
           ["RET=HDRS", "ENVID=AA+2B1"],
           ["NOTIFY=SUCCESS", "ORCPT=rfc822;older+2Bname@out.example"])
    b.here(mark)
    text, = b.there(b"Subject: delivered here")
    assert b"Return-Path: <>" in text and b"Action: delivered" in text, text
    assert b"Original-Envelope-Id: AA+1" in text, text
    low = text.replace(b" ", b"").lower()
    assert b"original-recipient:rfc822;older+name@out.example" in low, text


def dane(b):
    """It sends to our listener what its TLSA record names, and only there."""
    port = b.s.env["CG_SMTP"]
    pem = subprocess.run(
        ["openssl", "x509", "-in", b.s.env["CG_CA"], "-noout", "-pubkey"],
        check=True, capture_output=True).stdout
    key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                         input=pem, check=True, capture_output=True).stdout
    good = hashlib.sha256(key).hexdigest()

    def zone(digest):
        pathlib.Path(b.dns.path).write_text(f"""
            mx.dane.example 1 A 127.0.0.1
            mx.dane.example AD
            _{port}._tcp.mx.dane.example 1 TLSA 3 1 1 {digest}
            _{port}._tcp.mx.dane.example AD
        """)
    zone("00" * 32)
    data, mark = message()
    b.post("outside@out.example", ["ann+dane@test.example"], data)
    log = pathlib.Path(b.p.dir, "log")
    wait_for("Postfix to wait", lambda: "to=<ann+dane@test.example>, relay" in
             log.read_text() and "status=deferred (Server certificate not"
             in log.read_text())
    assert not [t for _, t in b.s.mail("ann") if mark in t]
    zone(good)
    text, = b.here(mark)
    assert b" with ESMTPS id" in text.replace(b"\n\t", b" "), text
    wait_for("its log", lambda: "Verified TLS connection established to "
             "mx.dane.example" in log.read_text())


STEPS = [whole, encrypted, utf8, grey, never, some, slow, cut_off, reports,
         taken, several, logged_in, bounced, reported, dane]


def main():
    if os.geteuid() != 0:
        print("Postfix wants root")
        sys.exit(77)
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cg-postfix-") as top:
        os.chmod(top, 0o755)
        tempfile.tempdir = top          # Postfix's directory, too
        ca = certificate(top, "ca")
        certificate(top, "mx.safe.example", ca)
        certificate(top, "other.example")
        zone = pathlib.Path(top, "zone")
        zone.write_text("* SERVFAIL\n")
        there = f"127.{random.randrange(64, 128)}." \
            f"{random.randrange(256)}.{random.randrange(1, 255)}"
        with Suite(accounts=["ann", "ben"],
                   conf=CONF + f"authorities {ca[1]}\n") as s, \
                Policy() as policy, FakeDns(str(zone), 53, there) as dns, \
                Both(s, top, policy, dns) as b:
            for step in STEPS:
                if only and step.__name__ not in only:
                    continue
                if step is dane and not MOUNTS:
                    print("SKIPPED dane: no mounts of one's own")
                    continue
                start = time.monotonic()
                step(b)
                print(f"{step.__name__}: {time.monotonic() - start:.1f} s",
                      flush=True)


main()
