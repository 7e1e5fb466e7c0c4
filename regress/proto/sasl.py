#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/sasl.conf
"""SCRAM and DIGEST-MD5 over each protocol: right, wrong and replayed proofs,
channel bindings, downgrades, names that are none, limits."""
import base64
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import wait_for  # noqa: E402
from sasl import Carrier, Digest, Refused, Scram, b64, end_point  # noqa: E402
from wire import (DOMAIN, PASSWORD, accounts, administrator,  # noqa: E402
                  log, run)

KINDS = ["smtp", "pop", "imap", "pwd"]
SCRAMS = ["SCRAM-SHA-1", "SCRAM-SHA-256"]


def refused(f, *args):
    try:
        f(*args)
    except Refused as e:
        return str(e)
    raise AssertionError("that should have been refused")


def announced():
    for kind in KINDS:
        with Carrier(kind) as c:
            got = c.mechanisms()
            assert {"CRAM-MD5", "DIGEST-MD5", *SCRAMS} <= set(got), got
            assert not any(m.endswith("-PLUS") for m in got), got
            assert "EXTERNAL" not in got and "NTLM" not in got, got
            refused(c.start, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=a,r=b")
            refused(c.start, "EXTERNAL", "")
        if kind == "pwd":
            continue
        with Carrier(kind, tls=True) as c:
            got = c.mechanisms()
            assert {m + "-PLUS" for m in SCRAMS} <= set(got), got
            assert "EXTERNAL" not in got, got


def scram():
    for kind in KINDS:
        for mech in SCRAMS:
            for initial in True, False:
                with Carrier(kind) as c:
                    Scram(mech, "ann").run(c, initial)
                    c.works()
    with Carrier("imap") as c:          # our own name, and others'
        Scram(SCRAMS[1], f"Ann@{DOMAIN}", authz=f"ann@{DOMAIN}").run(c)
    with Carrier("imap") as c:
        refused(Scram(SCRAMS[1], "ann", authz="bob").run, c)
    with Carrier("imap", tls=True) as c:
        Scram(SCRAMS[1], "ann").run(c)
        c.works()


def digest():
    for kind in KINDS:
        with Carrier(kind) as c:
            Digest("ann").run(c)
            c.works()
    with Carrier("pop") as c:
        Digest("ann", charset=False).run(c)
    with Carrier("pop") as c:
        Digest("ann", realm=DOMAIN).run(c)
    with Carrier("pop") as c:
        Digest(f"ann@{DOMAIN}", realm="").run(c)
    with Carrier("pop") as c:
        refused(Digest("ann", authz="bob").run, c)
    with Carrier("pop") as c:
        Digest("ann", authz="ann").run(c)


def wide():
    """Passwords beyond ASCII, as each mechanism wants them."""
    cli = administrator()
    for name, password in ("umlaut", "pa\u00dfw\u00f6rt"), \
            ("euro", "pass\u20acwort"):
        cli.ask(f'CreateAccount "{name}" {{Password="{password}";}}')
        for mech in SCRAMS:
            with Carrier("imap") as c:
                Scram(mech, name, password).run(c)
        with Carrier("imap") as c:
            Digest(name, password).run(c)
        with Carrier("imap") as c:
            c.start("PLAIN", f"\0{name}\0{password}")
            c.works()
    cli.close()


def forms():
    """How passwords are kept: sealed ones will do, crypted ones will not."""
    cli = administrator()
    for form, works in ("clear", True), ("A-crpt", True), ("U-crpt", False):
        name = form.lower().replace("-", "")
        cli.ask(f'CreateAccount "{name}" {{PasswordEncryption={form};'
                f'Password="{PASSWORD}";}}')
        for f in Scram(SCRAMS[1], name).run, Digest(name).run:
            with Carrier("pop") as c:
                if works:
                    f(c)
                else:
                    refused(f, c)
        with Carrier("pop") as c:
            assert c.start("PLAIN", f"\0{name}\0{PASSWORD}") is None
    cli.ask('CreateAccount "strict" {RequireAPOP=YES;'
            f'Password="{PASSWORD}";}}')
    for f in Scram(SCRAMS[0], "strict").run, Digest("strict").run:
        with Carrier("pop") as c:
            f(c)
    with Carrier("pop") as c:
        refused(c.start, "PLAIN", f"\0strict\0{PASSWORD}")
    cli.close()


def wrong():
    """One answer for wrong passwords and for names that are none."""
    said = set()
    for name, password in ("bob", "mistaken"), ("nobody", PASSWORD):
        for mech in SCRAMS:
            with Carrier("imap") as c:
                s = Scram(mech, name, password)
                s.read(c.start(mech, s.first))
                said.add(refused(c.next, s.final()))
        with Carrier("imap") as c:
            d = Digest(name, password)
            d.read(c.start("DIGEST-MD5"))
            said.add(refused(c.next, d.reply()))
    assert len(said) == 1, said
    assert said.pop().startswith("NO [AUTHENTICATIONFAILED]")
    for kind, start in ("smtp", "535 5.7.8"), ("pop", "-ERR [AUTH]"), \
            ("pwd", "501 "):
        with Carrier(kind) as c:
            text = refused(Scram(SCRAMS[0], "bob", "mistaken").run, c)
            assert text.startswith(start), text
            Scram(SCRAMS[0], "bob").run(c)      # and may try again
    text = log()
    assert f"AUTH-FAIL IMAP bob@{DOMAIN} [127.0.0.1] wrong-password" in text
    assert PASSWORD not in text and "mistaken" not in text


def salts():
    """A name's salt is the same each time, whether there is such a name."""
    def salt(name, mech=SCRAMS[1]):
        with Carrier("pop") as c:
            s = Scram(mech, name)
            s.read(c.start(mech, s.first))
            return s.salt, s.iterations
    for name in "ann", "nobody", "else@where.example":
        assert salt(name) == salt(name) == salt(name.upper())
        assert salt(name)[0] != salt(name, SCRAMS[0])[0]
    names = ["ann", "bob", "nobody", f"ann@{DOMAIN}"]
    assert len({salt(n)[0] for n in names}) == len(names)
    assert len({(len(salt(n)[0]), salt(n)[1]) for n in names}) == 1


def replays():
    with Carrier("imap") as c:
        s = Scram(SCRAMS[1], "ann")
        s.run(c)
        old = s.final()
    with Carrier("imap") as c:
        n = Scram(SCRAMS[1], "ann")
        n.nonce, n.bare, n.first = s.nonce, s.bare, s.first
        n.read(c.start(n.mech, n.first))
        assert n.whole != s.whole
        assert "AUTHENTICATIONFAILED" in refused(c.next, old)
        n = Scram(SCRAMS[1], "ann")
        n.read(c.start(n.mech, n.first))
        refused(c.next, n.final(nonce=s.whole))
        n.run(c)                        # the connection is as good as ever
    with Carrier("imap") as c:
        d = Digest("ann")
        d.run(c)
    with Carrier("imap") as c:
        e = Digest("ann")
        e.read(c.start("DIGEST-MD5"))
        refused(c.next, e.reply(nonce=d.nonce))
        e.read(c.start("DIGEST-MD5"))
        refused(c.next, e.reply(nc="00000002"))


def not_content():
    """The client does not like our proof: nobody is logged in."""
    for kind in KINDS:
        for last in "*", b64("what?"), "%%%":
            with Carrier(kind) as c:
                s = Scram(SCRAMS[1], "ann")
                s.read(c.start(s.mech, s.first))
                assert c.next(s.final()).startswith(b"v=")
                c.w.send(last + "\r\n")
                refused(c.challenge)
                Scram(SCRAMS[0], "ann").run(c)
                c.works()
    with Carrier("smtp") as c:          # or he is gone
        s = Scram(SCRAMS[1], "ann")
        s.read(c.start(s.mech, s.first))
        c.next(s.final())


def plus():
    flag = "p=tls-server-end-point"
    for kind in KINDS[:3]:
        for mech in SCRAMS:
            with Carrier(kind, tls=True) as c:
                s = Scram(mech + "-PLUS", "ann", flag=flag,
                          bound=end_point(c))
                s.run(c)
                c.works()
    with Carrier("imap", tls=True) as c:
        bound = end_point(c)
        for other in b"", bytes(32), bound[:-1], bound + b"x":
            s = Scram("SCRAM-SHA-256-PLUS", "ann", flag=flag, bound=other)
            s.read(c.start(s.mech, s.first))
            text = refused(c.next, s.final())
            assert "AUTHENTICATIONFAILED" in text, text
        for other in "p=tls-unique", "p=", "p=nonsense":
            s = Scram("SCRAM-SHA-256-PLUS", "ann", flag=other)
            refused(c.start, s.mech, s.first)
        # Without a binding, where one was promised; and the reverse.
        refused(c.start, "SCRAM-SHA-256-PLUS", "n,,n=ann,r=abcdef")
        refused(c.start, "SCRAM-SHA-256", flag + ",,n=ann,r=abcdef")
        # Who would bind but was told that we cannot: a list was cut.
        for mech in SCRAMS:
            text = refused(c.start, mech, "y,,n=ann,r=abcdef")
            assert "AUTHENTICATIONFAILED" in text, text
        Scram("SCRAM-SHA-1-PLUS", "ann", flag=flag, bound=bound).run(c)
    with Carrier("imap") as c:          # here we cannot, and say so
        Scram(SCRAMS[1], "ann", flag="y").run(c)
    wait_for("a word in the log", lambda:
             "nonce or channel binding is not this connection's" in log())


class Openssl:
    """s_client, which tells the keying material that Python does not."""

    def __init__(self):
        self.p = subprocess.Popen(
            ["openssl", "s_client", "-ign_eof", "-connect",
             f"127.0.0.1:{os.environ['CG_IMAPS']}", "-tls1_3",
             "-keymatexport", "EXPORTER-Channel-Binding",
             "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def line(self):
        return self.p.stdout.readline().decode().rstrip("\r\n")

    def say(self, text):
        self.p.stdin.write(text.encode() + b"\r\n")
        self.p.stdin.flush()


def exporter():
    """tls-exporter, with what s_client has of its TLS 1.3 connection."""
    o = Openssl()
    key = None
    while not (line := o.line()).startswith("* OK"):
        m = re.match(r"\s*Keying material: ([0-9A-F]{64})", line)
        key = bytes.fromhex(m[1]) if m else key
    assert key, "s_client tells no keying material"
    s = Scram("SCRAM-SHA-256-PLUS", "ann", flag="p=tls-exporter", bound=key)
    o.say(f"a AUTHENTICATE {s.mech} " + b64(s.first))
    s.read(base64.b64decode(o.line()[2:]))
    o.say(b64(s.final()))
    assert base64.b64decode(o.line()[2:]) == b"v=" + \
        b64(s.signature).encode()
    o.say("")
    assert o.line().startswith("a OK")
    o.p.stdin.close()
    o.p.terminate()
    o.p.wait()


def nonsense():
    bad = ["", "n", "n,,", "n,,n=", "n,,n=ann", "n,,n=a=b,r=x", "x,,n=a,r=b",
           "n,,n=ann,r=", "n,,m=y,n=ann,r=x", "n,,n=" + "a" * 600 + ",r=x",
           "n,,n=ann,r=" + "x" * 300, "\0", "n,,n=\xff,r=\xff"]
    for kind in KINDS:
        for text in bad:
            with Carrier(kind) as c:
                refused(c.start, SCRAMS[0], text)
        with Carrier(kind) as c:
            for text in "", "c=biws", "p=", "c=biws,r=x,p=!", "x" * 900:
                c.start(SCRAMS[0], "n,,n=ann,r=abc")
                refused(c.next, text)
                break
        for text in "", "username", 'username="a', 'username="a",' * 2:
            with Carrier(kind) as c:
                c.start("DIGEST-MD5")
                refused(c.next, text)


def limits():
    """Failures are counted as those of any other way."""
    text = ""
    for _ in range(50):
        with Carrier("imap") as c:
            text = refused(Scram(SCRAMS[1], "cid", "mistaken").run, c)
        if "too many" in text:
            break
    assert "too many" in text, text
    with Carrier("imap") as c:
        refused(Scram(SCRAMS[1], "cid").run, c)


def quiet():
    """AdvertiseSecureSASL off: not announced, but there for who knows."""
    cli = administrator()
    cli.ask("UpdateModule Main {AdvertiseSecureSASL=NO;}")

    def gone():
        for _ in range(8):
            with Carrier("imap", tls=True) as c:
                if c.mechanisms() != ["PLAIN", "LOGIN"]:
                    return False
        return True
    wait_for("no more than PLAIN and LOGIN", gone)
    with Carrier("imap") as c:
        Scram(SCRAMS[1], "ann").run(c)
        c.works()
    cli.ask("UpdateModule Main {AdvertiseSecureSASL=default;}")
    cli.close()


accounts("ann", "bob", "cid")
run([announced, scram, digest, wide, forms, wrong, salts, replays,
     not_content, plus, exporter, nonsense, limits, quiet])
