#!/usr/bin/env python3
"""Certificates: several by the client's server name, with their chains, read
again on SIGHUP; and clients' own, for SASL EXTERNAL."""
import os
import pathlib
import signal
import ssl
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import wait_for  # noqa: E402
from sasl import Carrier, Refused, Scram, end_point  # noqa: E402
from wire import (DOMAIN, PASSWORD, Imap, Pop, Smtp, accounts,  # noqa: E402
                  administrator, log, run)

TOP = pathlib.Path(os.environ["CG_CA"]).parent
CONF = pathlib.Path(os.environ["CG_CONF"])
SERVER = int(pathlib.Path(os.environ["CG_BASE"], "ProcessID")
             .read_text().split()[0])
DIR = TOP / "certs"


def openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True,
                          capture_output=True, text=True, timeout=60,
                          **kw).stdout


def make(name, subject, issuer=None, ext="", days=30, key="ec"):
    """name.key and name.pem, signed by issuer or by itself."""
    DIR.mkdir(exist_ok=True)
    new = ["rsa:2048"] if key == "rsa" else \
        ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("req", "-new", "-nodes", "-newkey", *new, "-subj", subject,
            "-keyout", DIR / f"{name}.key", "-out", DIR / f"{name}.csr")
    (DIR / f"{name}.ext").write_text(ext)
    sign = ["-CA", DIR / f"{issuer}.pem", "-CAkey", DIR / f"{issuer}.key",
            "-CAcreateserial"] if issuer else \
        ["-signkey", DIR / f"{name}.key"]
    openssl("x509", "-req", "-in", DIR / f"{name}.csr", "-days", days, *sign,
            "-extfile", DIR / f"{name}.ext", "-out", DIR / f"{name}.pem")
    return DIR / f"{name}.pem"


CA_EXT = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"


def make_all():
    make("root", "/CN=Test Root", ext=CA_EXT)
    make("inter", "/CN=Test Intermediate", "root", CA_EXT)
    make("a", "/CN=a.example", "inter",
         "subjectAltName=DNS:a.example,DNS:*.wild.example")
    make("b", "/CN=b.example", "inter", "subjectAltName=DNS:b.example",
         key="rsa")
    for name in "ab":
        (DIR / f"{name}-chain.pem").write_text(
            (DIR / f"{name}.pem").read_text() +
            (DIR / "inter.pem").read_text())
    make("people", "/CN=People", ext=CA_EXT)
    make("desk", "/CN=Desk", "people", CA_EXT)
    make("strangers", "/CN=People", ext=CA_EXT)
    mail = "subjectAltName=email:ann@{0}".format(DOMAIN)
    make("ann", "/CN=Ann Example", "people", mail)
    make("both", "/CN=Both", "desk", mail + f",email:bob@{DOMAIN}")
    make("named", "/CN=bob", "people")
    make("old", f"/CN=x/emailAddress=bob@{DOMAIN}", "people")
    make("nobody", "/CN=nobody", "people")
    make("server", "/CN=bob", "people", "extendedKeyUsage=serverAuth")
    make("forged", "/CN=bob", "strangers")
    make("self", "/CN=bob")


def reload(lines, done):
    text = CONF.read_text()
    CONF.write_text(text + "".join(f"{x}\n" for x in lines))
    os.kill(SERVER, signal.SIGHUP)
    wait_for("the new certificates", done)


def context(cert=None, tls12=False):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if tls12:
        c.maximum_version = ssl.TLSVersion.TLSv1_2
    if cert:
        chain = DIR / f"{cert}-sent.pem"
        text = (DIR / f"{cert}.pem").read_text()
        if cert == "both":
            text += (DIR / "desk.pem").read_text()
        chain.write_text(text)
        c.load_cert_chain(chain, DIR / f"{cert}.key")
    return c


def shown(port, name, verify=False):
    """Names and chain that the server shows to whoever asks for name."""
    args = ["s_client", "-connect", f"127.0.0.1:{os.environ[port]}",
            "-showcerts"]
    args += ["-servername", name] if name else ["-noservername"]
    if verify:
        args += ["-CAfile", DIR / "root.pem", "-verify_return_error",
                 "-verify_hostname", name]
    out = openssl(*args, input="")
    return out.split("subject=")[1].split("\n")[0].split("CN = ")[1], \
        out.count("BEGIN CERTIFICATE")


def names():
    before = shown("CG_IMAPS", "a.example")
    assert before[1] == 1, before
    reload([f"tls {DIR}/a.key {DIR}/a-chain.pem",
            f"tls {DIR}/b.key {DIR}/b-chain.pem"],
           lambda: all(shown(p, "a.example")[0] == "a.example"
                       for p in ("CG_IMAPS", "CG_POPS", "CG_SMTPS")
                       for _ in range(8)))
    for port in "CG_IMAPS", "CG_POPS", "CG_SMTPS":
        for asked, cert in ("a.example", "a.example"), \
                ("A.Example", "a.example"), ("x.wild.example", "a.example"), \
                ("b.example", "b.example"):
            found = shown(port, asked, asked != "A.Example")
            assert found == (cert, 2), (port, asked, found)
        for asked in None, "c.example", "wild.example", "x" * 200:
            assert shown(port, asked) == before, (port, asked)


def starttls():
    c = ssl.create_default_context(cafile=DIR / "root.pem")
    with Imap() as w:
        w.ask("STARTTLS")
        w.s = c.wrap_socket(w.s, server_hostname="b.example")
        w.f = w.s.makefile("rb")
        w.ask("NOOP")
    with Pop() as w:
        w.ask("STLS")
        w.s = c.wrap_socket(w.s, server_hostname="m.wild.example")
        w.f = w.s.makefile("rb")
        w.ask("CAPA")
    with Smtp() as w:
        w.ask("STARTTLS", 220)
        w.s = c.wrap_socket(w.s, server_hostname="a.example")
        w.f = w.s.makefile("rb")
        w.ask("EHLO x", 250)


def resumption():
    """A session is resumed under its own name."""
    c = ssl.create_default_context(cafile=DIR / "root.pem")
    session = None
    for again in False, True:
        with Imap() as w:
            w.ask("STARTTLS")
            w.s = c.wrap_socket(w.s, server_hostname="b.example",
                                session=session)
            w.f = w.s.makefile("rb")
            w.ask("NOOP")
            assert w.s.session_reused == again
            session = w.s.session


def binding():
    """The certificate that was shown is the one that is bound."""
    c = context()
    for name in "a.example", "b.example", "else.example":
        with Carrier("imap", tls=c, server_name=name) as w:
            Scram("SCRAM-SHA-256-PLUS", "ann",
                  flag="p=tls-server-end-point", bound=end_point(w)).run(w)
            w.works()


def bad_pair():
    """What cannot be read changes nothing."""
    text = CONF.read_text()
    CONF.write_text(text + f"tls {DIR}/a.key {DIR}/b.pem\n")
    os.kill(SERVER, signal.SIGHUP)
    wait_for("a word about it", lambda: "not a key and its certificate" in
             log())
    assert shown("CG_IMAPS", "b.example") == ("b.example", 2)
    CONF.write_text(text)


def external_off():
    with Carrier("imap", tls=context("ann")) as c:
        assert "EXTERNAL" not in c.mechanisms()


def external(cert, text="", kind="imap", who=None, tls12=False):
    with Carrier(kind, tls=context(cert, tls12)) as c:
        assert "EXTERNAL" in c.mechanisms()
        assert c.start("EXTERNAL", text) is None
        c.works()
        if who:
            wait_for("a word in the log", lambda:
                     f"{who}@{DOMAIN} authenticated" in log())


def not_external(cert, text=""):
    with Carrier("imap", tls=context(cert)) as c:
        try:
            c.start("EXTERNAL", text)
        except Refused as e:
            assert "AUTHENTICATIONFAILED" in str(e), e
        else:
            raise AssertionError(f"{cert} {text!r} was let in")
        c.start("PLAIN", f"\0bob\0{PASSWORD}")      # a password will do
        c.works()


def asked():
    reload([f"tls-clients {DIR}/people.pem"],
           lambda: all("CN = People" in openssl(
               "s_client", "-connect", f"127.0.0.1:{os.environ[p]}",
               "-servername", n, input="")
               for p in ("CG_IMAPS", "CG_POPS", "CG_SMTPS")
               for n in ("a.example", "else.example") for _ in range(4)))


def good():
    for kind in "imap", "pop", "smtp":
        for cert in "ann", "both", "named", "old":
            external(cert, kind=kind)
            external(cert, kind=kind, tls12=True)
    external("ann", who="ann")
    external("named", who="bob")
    external("old", who="bob")
    external("both", f"bob@{DOMAIN}", who="bob")
    external("both", f"ANN@{DOMAIN}", who="ann")
    with Carrier("imap", tls=context("ann")) as c:
        assert c.start("EXTERNAL") == b""           # no initial response
        assert c.next("") is None


def bad():
    for cert in "forged", "self", "server", "nobody":
        not_external(cert)
    not_external("ann", f"bob@{DOMAIN}")
    not_external("ann", "Ann Example")
    not_external("both", f"cid@{DOMAIN}")
    not_external("both", "Both")
    with Carrier("imap", tls=context()) as c:       # nothing to show
        assert "EXTERNAL" not in c.mechanisms()
        try:
            c.start("EXTERNAL", "")
        except Refused as e:
            assert "no such mechanism" in str(e), e
        else:
            raise AssertionError("let in without a certificate")
    text = log()
    for why in "certificate-not-trusted", "certificate-for-others":
        assert f"[127.0.0.1] {why}" in text, why


def disabled():
    """A certificate opens no more than a password would."""
    cli = administrator()
    cli.ask('UpdateAccountSettings "bob" {AccessModes=(Mail);}')
    with Carrier("imap", tls=context("named")) as c:
        try:
            c.start("EXTERNAL", "")
        except Refused as e:
            assert "AUTHORIZATIONFAILED" in str(e), e
        else:
            raise AssertionError("let in, though IMAP is disabled")
    cli.ask('UpdateAccountSettings "bob" {AccessModes=Default;'
            'UseCertificateAuth=NO;}')
    not_external("named")
    cli.ask('UpdateAccountSettings "bob" {UseCertificateAuth=Default;}')
    external("named")
    cli.close()


make_all()
accounts("ann", "bob", "cid")
run([names, starttls, resumption, binding, bad_pair, external_off, asked,
     good, bad, disabled])
