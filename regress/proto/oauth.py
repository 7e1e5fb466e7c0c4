#!/usr/bin/env python3
# suite: own
"""Tokens: OAUTHBEARER (RFC 7628) and XOAUTH2 for IMAP, POP and SMTP, judged
by the external authenticator; offered over TLS only, and only while it says
that it knows them; by hand, and by curl."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from helpers import Helpers  # noqa: E402

KINDS = ("imap", "pop", "smtp")
BOTH = {"OAUTHBEARER", "XOAUTH2"}


def bearer(name, token, more=""):
    return (f"n,a={name},\x01host=here\x01port=993\x01"
            f"auth=Bearer {token}\x01{more}\x01")


def xoauth2(name, token):
    return f"user={name}\x01auth=Bearer {token}\x01\x01"


def offered(kind, tls=True):
    with Carrier(kind, tls=tls) as c:
        return BOTH & set(c.mechanisms())


def good(kind, mech, text, first=True):
    """With the initial response, or asked for it."""
    with Carrier(kind, tls=True) as c:
        if first:
            assert c.start(mech, text) is None, (kind, mech)
        else:
            assert c.start(mech) == b""
            assert c.next(text) is None, (kind, mech)
        c.works()


def bad(kind, mech, text):
    """A challenge that says why, and after the client's word the end."""
    with Carrier(kind, tls=True) as c:
        why = json.loads(c.start(mech, text))
        assert why["status"] in ("invalid_token", "401"), why
        try:
            assert False, c.next("\x01")
        except Refused as e:
            text = str(e)
        assert "incorrect" in text, text


def broken(kind, mech, text, tls=True):
    with Carrier(kind, tls=tls) as c:
        try:
            assert False, c.start(mech, text)
        except Refused:
            pass
        # The session goes on.
        assert c.mechanisms() is not None


def conversations():
    for kind in KINDS:
        for mech, make in (("OAUTHBEARER", bearer), ("XOAUTH2", xoauth2)):
            good(kind, mech, make("ann", "token-of-ann"))
            good(kind, mech, make("ann@test.example", "token-of-ann"), False)
            bad(kind, mech, make("ann", "token-of-ben"))
            bad(kind, mech, make("nobody", "token-of-nobody"))
            bad(kind, mech, make("own", "token-of-own"))
            broken(kind, mech, make("ann", "token-of-ann"), tls=False)
            broken(kind, mech, make("", "token-of-ann"))
            broken(kind, mech, make("ann", "two words"))
            broken(kind, mech, make("ann", ""))
            broken(kind, mech, make("ann", "token-of-ann")[:-1])
            broken(kind, mech, make("ann", "token-of-ann") + "x")
            broken(kind, mech, make("a\0nn", "token-of-ann"))
            # Refused whole, with no answer that might be half of it.
            with Carrier(kind, tls=True) as c:
                json.loads(c.start(mech, make("ann", "x" * 1500)))
            with Carrier(kind, tls=True) as c:
                c.start(mech)
                json.loads(c.next(make("ann", "x" * 2700)))
    good("imap", "OAUTHBEARER", bearer("ann", "token-of-ann",
                                       "other=thing\x01"))
    broken("imap", "OAUTHBEARER", "p=tls-unique,a=ann,\x01auth=Bearer "
           "token-of-ann\x01\x01")


def by_curl(s):
    if shutil.which("curl") is None:
        print("SKIPPED: curl is not installed")
        return
    imaps, pops = s.env["CG_IMAPS"], s.env["CG_POPS"]

    def curl(token, *args):
        return subprocess.run(
            ["curl", "-sk", "--max-time", "60", "--user", "ann:",
             "--oauth2-bearer", token, *args], text=True,
            capture_output=True)
    mail = pathlib.Path(s.base).parent / "mail.txt"
    mail.write_bytes(b"From: ann@test.example\r\nSubject: by curl\r\n\r\n"
                     b"text\r\n")
    smtp = ("--url", f"smtps://127.0.0.1:{s.env['CG_SMTPS']}", "--mail-from",
            "ann@test.example", "--mail-rcpt", "ann@test.example",
            "--upload-file", str(mail))
    p = curl("token-of-ann", *smtp)
    assert p.returncode == 0, p
    wait_for("curl's mail", lambda: len(s.mail("ann")) > 0)
    for url in (f"imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1",
                f"pop3s://127.0.0.1:{pops}/1"):
        for args in ((), ("--sasl-ir",)):
            p = curl("token-of-ann", "--url", url, *args)
            assert p.returncode == 0 and "by curl" in p.stdout, p
            p = curl("token-of-eve", "--url", url, *args)
            assert p.returncode == 67, p


def main():
    global Carrier, Refused
    with Helpers() as h, Suite(conf=h.conf) as s:
        os.environ.update(s.env)
        from sasl import Carrier, Refused
        cli = s.cli()
        cli.ask(f'CreateAccount ann {{Password="{PASSWORD}";'
                "UseExtPassword=YES;}")
        cli.ask(f'CreateAccount own {{Password="{PASSWORD}";}}')
        for kind in KINDS:
            assert not offered(kind)
        h.use(s)                                # knows no tokens
        for kind in KINDS:
            assert not offered(kind)
        broken("imap", "OAUTHBEARER", bearer("ann", "token-of-ann"))
        h.use(s, intf="OK 1 OAUTHBEARER XOAUTH2")
        for kind in KINDS:
            wait_for("the offer", lambda: offered(kind) == BOTH)
            assert not offered(kind, tls=False)
        conversations()
        by_curl(s)
        wait_for("its comment", lambda: "SASL(XOAUTH2) for "
                 "ann@test.example from (POP)" in s.log())
        assert "token-of-" not in s.log()
        h.off(s)
        for kind in KINDS:
            wait_for("no offer", lambda: not offered(kind))
        cli.close()


main()
