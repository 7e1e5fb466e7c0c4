#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/clients.conf
"""Real clients log in by SCRAM, DIGEST-MD5 and EXTERNAL: msmtp (GNU SASL),
mbsync, mutt and neomutt (Cyrus SASL), swaks (Authen::SASL), curl."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import wait_for  # noqa: E402
from sasl import Carrier  # noqa: E402
from programs import need  # noqa: E402
from wire import (PASSWORD, accounts, address, messages,  # noqa: E402
                  run)

PORT = {k: os.environ[f"CG_{k}"] for k in ("SMTP", "SMTPS", "IMAP", "IMAPS",
                                           "POP", "POPS")}
HERE = pathlib.Path(tempfile.mkdtemp(prefix="sasl."))
sent = 0


def client(*args, text="", status=0, **env):
    p = subprocess.run([str(a) for a in args], input=text, text=True,
                       capture_output=True, timeout=60,
                       env=dict(os.environ, HOME=str(HERE), **env))
    if (p.returncode == 0) != (status == 0):
        raise AssertionError(f"{args}: {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout + p.stderr


def arrived():
    global sent
    sent += 1
    messages("bob", sent)


def msmtp(*args, status=0):
    return client("msmtp", "--host=127.0.0.1", f"--from={address('ann')}",
                  "--tls-certcheck=off", *args, address("bob"),
                  text="Subject: m\n\nby msmtp\n", status=status)


def test_msmtp():
    if not need("msmtp"):
        return
    for port, flags in ((PORT["SMTP"], ["--tls=off"]),
                        (PORT["SMTP"], ["--tls=on"]),
                        (PORT["SMTPS"], ["--tls=on",
                                         "--tls-starttls=off"])):
        for auth in "scram-sha-256", "scram-sha-1", "digest-md5":
            who = [f"--port={port}", *flags, f"--auth={auth}", "--user=ann"]
            msmtp(*who, f"--passwordeval=echo '{PASSWORD}'")
            arrived()
            out = msmtp(*who, "--passwordeval=echo wrong", status=1)
            assert "535" in out or "authentication failed" in out, out


def test_swaks():
    if not need("swaks"):
        return
    for flags in [], ["--tls"]:
        client("swaks", "--server", "127.0.0.1", "--port", PORT["SMTP"],
               "--from", address("ann"), "--to", address("bob"), *flags,
               "--auth", "DIGEST-MD5", "--auth-user", "ann",
               "--auth-password", PASSWORD)
        arrived()


def test_mbsync():
    if not need("mbsync"):
        return
    for mech in "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5":
        box = HERE / f"box-{mech}"
        for word in PASSWORD, "wrong":
            (HERE / ".mbsyncrc").write_text(f"""
IMAPAccount a
Host 127.0.0.1
Port {PORT["IMAP"]}
User bob
Pass "{word}"
AuthMechs {mech}
SSLType None

IMAPStore there
Account a

MaildirStore here
Inbox {box}/INBOX
Path {box}/

Channel all
Far :there:
Near :here:
Patterns INBOX
Create Near
SyncState *
""")
            box.mkdir(exist_ok=True)
            client("mbsync", "-a", status=int(word == "wrong"))
        found = list((box / "INBOX").glob("[cn]*/*"))
        assert len(found) == sent, (mech, found)


def by_mutt(program):
    """TLS is refused before a server is named: neomutt, which insists on it
    else, would begin it at once and wait for a word about the certificate."""
    if not need(program):
        return
    for mech in "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5":
        rc, out = HERE / "muttrc", HERE / f"{program}-{mech}"
        rc.write_text(f"""set ssl_force_tls=no ssl_starttls=no
set folder=imap://bob@127.0.0.1:{PORT["IMAP"]}/
set spoolfile=+INBOX imap_pass="{PASSWORD}"
set imap_authenticators="{mech.lower()}"
set copy=no quit=yes sort=threads tmpdir={HERE} wait_key=no
push "<first-entry><pipe-message>cat > {out}<enter><quit>"
""")
        subprocess.run(["script", "-qec", f"{program} -n -F {rc}",
                        "/dev/null"], timeout=60, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, HOME=str(HERE), TERM="vt100"))
        assert "by msmtp" in out.read_text()


def test_mutt():
    by_mutt("mutt")


def test_neomutt():
    by_mutt("neomutt")


def test_curl():
    if not need("curl"):
        return
    for url in f"imap://127.0.0.1:{PORT['IMAP']}/INBOX;UID=1", \
            f"imaps://127.0.0.1:{PORT['IMAPS']}/INBOX;UID=1", \
            f"pop3://127.0.0.1:{PORT['POP']}/1", \
            f"pop3s://127.0.0.1:{PORT['POPS']}/1":
        # Of what is announced it takes DIGEST-MD5 by itself.
        for more in [], ["--login-options", "AUTH=DIGEST-MD5"]:
            out = client("curl", "-s", "-S", "-k", "-v", "-u",
                         f"bob:{PASSWORD}", *more, url)
            assert "Subject: " in out, out
            assert re.search("> .*AUTH.* DIGEST-MD5", out), out
            client("curl", "-s", "-k", "-u", "bob:wrong", *more, url,
                   status=67)


def certificate():
    run_ = dict(check=True, capture_output=True, timeout=60, cwd=HERE)
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=CA",
                    "-keyout", "ca.key", "-out", "ca.pem"], **run_)
    subprocess.run(["openssl", "req", "-new", "-nodes", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bob",
                    "-keyout", "bob.key", "-out", "bob.csr"], **run_)
    subprocess.run(["openssl", "x509", "-req", "-in", "bob.csr", "-CA",
                    "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                    "bob.pem"], **run_)


def asked():
    """All fronts ask for certificates now."""
    for kind in "SMTPS", "IMAPS", "POPS":
        for _ in range(4):
            p = subprocess.run(
                ["openssl", "s_client", "-connect",
                 f"127.0.0.1:{PORT[kind]}"], input="", text=True,
                capture_output=True, timeout=60)
            if "CN = CA" not in p.stdout:
                return False
    return True


def test_external():
    certificate()
    conf = pathlib.Path(os.environ["CG_CONF"])
    conf.write_text(conf.read_text() + f"tls-clients {HERE}/ca.pem\n")
    os.kill(int(pathlib.Path(os.environ["CG_BASE"], "ProcessID")
                .read_text().split()[0]), signal.SIGHUP)
    wait_for("fronts that ask for certificates", asked)
    for port, flags in (PORT["SMTP"], []), \
            (PORT["SMTPS"], ["--tls-starttls=off"]):
        if need("msmtp"):
            msmtp("--tls=on", f"--port={port}", *flags, "--auth=external",
                  "--user=bob", f"--tls-key-file={HERE}/bob.key",
                  f"--tls-cert-file={HERE}/bob.pem")
            arrived()
    if need("curl"):
        for url in f"imaps://127.0.0.1:{PORT['IMAPS']}/INBOX;UID=1", \
                f"pop3s://127.0.0.1:{PORT['POPS']}/1":
            out = client("curl", "-s", "-S", "-k", "-v", "--cert",
                         HERE / "bob.pem", "--key", HERE / "bob.key", "-u",
                         "bob:", "--login-options", "AUTH=EXTERNAL", url)
            assert "Subject: " in out and "EXTERNAL" in out, out
    with Carrier("imap", tls=True) as c:        # and those who have none
        c.start("PLAIN", f"\0bob\0{PASSWORD}")
        c.works()


accounts("ann", "bob")
try:
    run([test_msmtp, test_swaks, test_mbsync, test_mutt, test_neomutt,
         test_curl, test_external])
finally:
    shutil.rmtree(HERE, ignore_errors=True)
