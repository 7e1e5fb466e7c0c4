#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/clients.conf
"""Real clients fetch mail: fetchmail, getmail, mpop, curl, poplib, openssl."""
import os
import pathlib
import poplib
import shutil
import ssl
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from programs import client, common_name, s_client  # noqa: E402
from wire import (PASSWORD, Smtp, accounts, address, messages,  # noqa: E402
                  run)

POP, POPS = os.environ["CG_POP"], os.environ["CG_POPS"]
CA = os.environ["CG_CA"]
TEXT = "Subject: s%d\r\nFrom: ann\r\n\r\ntext %d\r\n..\r\n.From me\r\n"
# as a client writes it
GOT = "text %d\n.\nFrom me\n"


def fill(name, n=2):
    """A fresh account with n messages."""
    accounts(name)
    with Smtp() as s:
        for i in range(n):
            s.begin(address(name))
            s.text(TEXT % (i, i) + ".\r\n")
    messages(name, n)


def has_all(text, n=2):
    for i in range(n):
        assert GOT % i in text.replace("\r\n", "\n"), text


def empty(name):
    p = poplib.POP3("127.0.0.1", int(POP))
    p.user(name)
    p.pass_(PASSWORD)
    assert p.stat() == (0, 0), p.stat()
    p.quit()


def test_fetchmail():
    check = f"sslcertck sslcertfile {CA} sslcommonname {common_name(CA)}"
    for proto, port, options in (
            ("POP3", POP, "sslproto ''"), ("APOP", POP, "sslproto ''"),
            ("POP3", POP, "sslproto 'TLS1.2+' " + check),
            ("POP3", POPS, "ssl " + check)):
        name = f"fetch{test_fetchmail.count}"
        test_fetchmail.count += 1
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            rc, got = pathlib.Path(d, "rc"), pathlib.Path(d, "got")
            rc.write_text(
                f"poll localhost via 127.0.0.1 proto {proto} port {port} "
                f"user '{name}' pass '{PASSWORD}' mda 'cat >> {got}' "
                f"{options}\n")
            rc.chmod(0o600)
            client("fetchmail", "-f", rc, "--nosyslog", "--pidfile", d + "/pid",
                   FETCHMAILHOME=d, HOME=d)
            has_all(got.read_text())
        empty(name)


test_fetchmail.count = 0


def test_getmail():
    root = os.geteuid() == 0
    for number, (kind, port) in enumerate((("SimplePOP3Retriever", POP),
                                           ("SimplePOP3SSLRetriever", POPS))):
        name = f"getmail{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o755)
            for sub in ("", "new", "cur", "tmp"):
                os.makedirs(os.path.join(d, "M", sub), exist_ok=True)
                if root:                # it will not deliver as root
                    shutil.chown(os.path.join(d, "M", sub), "nobody")
            pathlib.Path(d, "getmailrc").write_text(
                f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\n"
                f"port = {port}\nusername = {name}\npassword = {PASSWORD}\n"
                f"[destination]\ntype = Maildir\npath = {d}/M/\n"
                f"{'user = nobody' if root else ''}\n"
                "[options]\ndelete = true\n")
            client("getmail", "--getmaildir", d)
            has_all("".join(p.read_text()
                            for p in pathlib.Path(d, "M", "new").iterdir()))
        empty(name)


def test_mpop():
    for number, (port, flags) in enumerate((
            (POP, ["--tls=off", "--auth=user"]),
            (POP, ["--tls=off", "--auth=apop"]),
            (POP, ["--tls=off", "--auth=cram-md5"]),
            (POP, ["--tls=on", "--tls-starttls=on", "--auth=plain"]),
            (POPS, ["--tls=on", "--tls-starttls=off", "--auth=user"]))):
        name = f"mpop{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            client("mpop", "--host=127.0.0.1", f"--port={port}",
                   f"--user={name}", f"--passwordeval=echo '{PASSWORD}'",
                   "--tls-certcheck=off", "--keep=off", *flags,
                   f"--uidls-file={d}/uidls", f"--delivery=mbox,{d}/mbox")
            text = pathlib.Path(d, "mbox").read_text()
            has_all(text.replace("\n>From me\n", "\nFrom me\n"))
        empty(name)


def test_curl():
    fill("curl")
    for url, flags in ((f"pop3://127.0.0.1:{POP}", []),
                       (f"pop3://127.0.0.1:{POP}", ["--ssl-reqd"]),
                       (f"pop3s://127.0.0.1:{POPS}", [])):
        for more in ([], ["--login-options", "AUTH=+APOP"],
                     ["--login-options", "AUTH=CRAM-MD5"]):
            if more and url.startswith("pop3s"):
                continue
            out = client("curl", "-sS", "-k", *flags, *more,
                         "--user", f"curl:{PASSWORD}", url + "/")
            assert [x.split()[0] for x in out.split("\n") if x.strip()] == \
                ["1", "2"], out
            for i in (1, 2):
                out = client("curl", "-sS", "-k", *flags, *more,
                             "--user", f"curl:{PASSWORD}", f"{url}/{i}")
                assert GOT % (i - 1) in out.replace("\r\n", "\n"), out
    client("curl", "-sS", "--user", "curl:wrong", f"pop3://127.0.0.1:{POP}/",
           status=67)


def test_poplib():
    fill("poplib", 3)
    c = ssl.create_default_context(cafile=CA)
    c.check_hostname = False
    for kind in ("plain", "apop", "stls", "tls"):
        p = poplib.POP3_SSL("127.0.0.1", int(POPS), context=c) \
            if kind == "tls" else poplib.POP3("127.0.0.1", int(POP))
        if kind == "stls":
            p.stls(context=c)
        if kind == "apop":
            p.apop("poplib", PASSWORD)
        else:
            p.user("poplib")
            p.pass_(PASSWORD)
        assert p.stat()[0] == 3
        assert len(p.uidl()[1]) == 3
        text = "".join(b"\n".join(p.retr(i)[1]).decode() + "\n"
                       for i in (1, 2, 3))
        has_all(text, 3)
        p.quit()


def test_openssl():
    fill("ossl")
    for flags, port in ((["-starttls", "pop3"], POP), ([], POPS)):
        with s_client(port, *flags) as p:
            if not flags:
                assert p.stdout.readline().startswith("+OK")
            for line in ("user ossl", f"pass {PASSWORD}", "stat", "quit"):
                p.stdin.write(line + "\r\n")
                p.stdin.flush()
                got = p.stdout.readline()
                assert got.startswith("+OK"), (line, got)


run([test_fetchmail, test_getmail, test_mpop, test_curl, test_poplib,
     test_openssl])
