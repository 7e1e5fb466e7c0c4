#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/clients.conf
"""Real clients send mail: swaks, msmtp, curl, smtplib, openssl s_client."""
import os
import pathlib
import smtplib
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from programs import client, s_client  # noqa: E402
from wire import (PASSWORD, accounts, address, administrator,  # noqa: E402
                  messages, run, wait_for)

SMTP, SMTPS, SUBMIT = (os.environ[p] for p in
                       ("CG_SMTP", "CG_SMTPS", "CG_SUBMIT"))
CA = os.environ["CG_CA"]
FROM = address("ann")
TO = address("bob")
count = 0


def arrived(word, how=None):
    """One more message for bob, which has that word in it."""
    global count
    count += 1
    text = messages("bob", count)[-1].decode()
    assert word in text, text
    assert how is None or f" with {how} id" in text.replace("\n", ""), text


def swaks(*args, **kw):
    return client("swaks", "--server", "127.0.0.1", "--from", FROM, "--to", TO,
                  "--body", "by swaks", *args, **kw)


def test_swaks():
    swaks("--port", SMTP)
    arrived("by swaks", "ESMTP")
    for mech in ("PLAIN", "LOGIN", "CRAM-MD5"):
        for flags, port, how in (
                ((), SMTP, "ESMTPA"), (("--tls",), SMTP, "ESMTPSA"),
                (("--tls",), SUBMIT, "ESMTPSA"),
                (("--tls-on-connect",), SMTPS, "ESMTPSA")):
            swaks("--port", port, *flags, "--auth", mech, "--auth-user", "ann",
                  "--auth-password", PASSWORD)
            arrived("by swaks", how)
    out = swaks("--port", SMTP, "--auth", "PLAIN", "--auth-user", "ann",
                "--auth-password", "wrong", status=28)
    assert "535" in out, out
    out = swaks("--port", SMTP, "--to", "joe@far.example", status=24)
    assert "550 5.7.1" in out, out
    swaks("--port", SMTP, "--pipeline")
    arrived("by swaks", "ESMTP")
    swaks("--port", SMTP, "--protocol", "SMTP")
    arrived("by swaks", "SMTP")


def test_swaks_more():
    """Several people in one go, one of them nobody; certificates; 8 bits."""
    for flags, port in (((), SMTP), (("--tls",), SUBMIT),
                        (("--tls-on-connect",), SMTPS)):
        login = () if port == SMTP else (
            "--auth", "DIGEST-MD5", "--auth-user", "ann", "--auth-password",
            PASSWORD)
        for pipeline in ((), ("--pipeline",)):
            out = swaks("--port", port, *flags, *login, *pipeline, "--to",
                        f"{TO},{address('nobody')},{address('eve')}")
            assert "550 5.1.1" in out, out
            arrived("by swaks")
    swaks("--port", SMTP, "--tls", "--tls-ca-path", CA, "--tls-verify")
    arrived("by swaks", "ESMTPS")
    out = swaks("--port", SMTP, "--tls", "--tls-verify", "--tls-ca-path",
                "/etc/hostname", status=29)
    assert "certificate" in out.lower(), out
    for body in ("gr\u00fc\u00dfe\n", ".\n..\n.x\n", "x" * 5000 + "\n",
                 "line\n" * 20000):
        swaks("--port", SMTP, "--tls", "--body", body)
        arrived(body)
    swaks("--port", SMTP, "--from", "<>")
    arrived("Return-Path: <>")
    out = swaks("--port", SMTP, "--from", "", "--to", f"x%far.example@{TO}",
                status=24)
    assert "550" in out or "501" in out, out


def test_swaks_refused():
    """What a client sees of our limits."""
    cli = administrator()
    login = ("--auth", "PLAIN", "--auth-user", "eve", "--auth-password",
             PASSWORD)
    out = swaks("--port", SUBMIT, status=23)
    assert "530 5.7.0" in out, out
    cli.ask('SetBanned {HeaderLines=("X-Bulk: yes");}')
    wait_for("the line to be banned", lambda: all(subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", SMTP, "--to", TO,
         "--header", "X-Bulk: yes"], capture_output=True).returncode == 26
        for _ in range(3)))
    out = swaks("--port", SMTP, "--header", "X-Bulk: yes", status=26)
    assert "554 5.7.1" in out, out
    cli.ask("SetBanned {}")
    cli.ask("UpdateAccountSettings eve {MailOutFlow=(1,600);}")
    swaks("--port", SUBMIT, "--tls", *login)
    arrived("by swaks", "ESMTPSA")
    out = swaks("--port", SUBMIT, "--tls", *login, status=26)
    assert "452 4.7.1" in out, out
    cli.ask("TempBlacklistIP 127.0.0.1")
    wait_for("the address to be blacklisted", lambda: subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", SMTP, "--to", TO],
        capture_output=True).returncode == 24)
    out = swaks("--port", SMTP, status=24)
    assert "591 5.7.1" in out, out
    cli.ask("TempBlacklistIP 127.0.0.1 DELETE")
    wait_for("an end of that", lambda: swaks_quits("RCPT"))
    cli.close()


def swaks_quits(where):
    """All goes well up to there."""
    return subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", SMTP, "--to", TO,
         "--quit-after", where], capture_output=True).returncode == 0


def test_msmtp():
    for port, flags in ((SMTP, ["--tls=off"]),
                        (SUBMIT, ["--tls=on", "--tls-starttls=on"]),
                        (SMTPS, ["--tls=on", "--tls-starttls=off"])):
        for auth in ("plain", "cram-md5", "login"):
            client("msmtp", "--host=127.0.0.1", f"--port={port}",
                   f"--from={FROM}", f"--auth={auth}", "--user=ann",
                   f"--passwordeval=echo '{PASSWORD}'", "--tls-certcheck=off",
                   *flags, TO, text="Subject: m\n\nby msmtp\n.\n..x\n")
            arrived("by msmtp\n.\n..x\n")


def test_curl():
    with tempfile.NamedTemporaryFile("w", suffix=".eml") as f:
        f.write("Subject: c\r\n\r\nby curl\r\n.\r\n")
        f.flush()
        for url, flags in ((f"smtp://127.0.0.1:{SMTP}", []),
                           (f"smtp://127.0.0.1:{SUBMIT}", ["--ssl-reqd"]),
                           (f"smtps://127.0.0.1:{SMTPS}", [])):
            client("curl", "-sS", "-k", url, *flags, "--mail-from", FROM,
                   "--mail-rcpt", TO, "-T", f.name,
                   "--user", f"ann:{PASSWORD}")
            arrived("by curl\n.\n")


def context():
    c = ssl.create_default_context(cafile=CA)
    c.check_hostname = False
    return c


def test_smtplib():
    for port, tls, start in ((SMTP, False, False), (SUBMIT, False, True),
                             (SMTPS, True, False)):
        s = smtplib.SMTP_SSL("127.0.0.1", int(port), context=context()) \
            if tls else smtplib.SMTP("127.0.0.1", int(port))
        with s:
            if start:
                s.starttls(context=context())
            s.login("ann", PASSWORD)
            s.sendmail(FROM, [TO], "Subject: p\n\nby smtplib\n.\n")
            arrived("by smtplib\n.\n", "ESMTPSA" if tls or start
                    else "ESMTPA")


def said(p):
    """The last line of a reply."""
    while (line := p.stdout.readline())[3:4] == "-":
        pass
    return line


def test_openssl():
    steps = [("EHLO x", "250"), (f"MAIL FROM:<{FROM}>", "250"),
             # not RCPT: a line that begins with R renegotiates
             (f"rcpt to:<{TO}>", "250"), ("DATA", "354"),
             ("Subject: o\r\n\r\nby openssl\r\n.", "250"), ("quit", "221")]
    for flags, port in ((["-starttls", "smtp"], SMTP), ([], SMTPS)):
        with s_client(port, *flags) as p:
            if not flags:
                assert said(p).startswith("220")
            for line, code in steps:
                p.stdin.write(line + "\r\n")
                p.stdin.flush()
                got = said(p)
                assert got.startswith(code), (line, got)
        arrived("by openssl")


accounts("ann", "bob", "eve")
run([test_swaks, test_swaks_more, test_msmtp, test_curl, test_smtplib,
     test_openssl, test_swaks_refused])
