"""What the tests of mail to other hosts share: ann sends by way of her suite
to sinks (sink.py) that domains are routed to, and gets reports."""
import smtplib
import ssl
import subprocess

from cgtest import PASSWORD, wait_for


def certificate(top, name, ca=None, names=()):
    """(key, cert) files, for the name or for all of names; signed by ca, or
    by itself."""
    names = ",".join(f"DNS:{n}" for n in names or [name])
    key, cert = f"{top}/{name}.key", f"{top}/{name}.crt"
    args = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
            "-days", "30", "-subj", f"/CN={name}", "-addext",
            f"subjectAltName={names}"]
    if ca:
        args += ["-CA", ca[1], "-CAkey", ca[0], "-addext",
                 "basicConstraints=critical,CA:FALSE"]
    subprocess.run(args, check=True, capture_output=True)
    return key, cert


def route(s, **hosts):
    """Router records: domains (with _ for dots) to sinks."""
    cli = s.cli()
    cli.ask('SetRouterTable "%s"' % "".join(
        f"Relay:{name} = {name}@{k.address}.{k.port}.smtp\\e"
        for name, k in ((n.replace("_", "."), k) for n, k in hosts.items())))
    cli.close()


def send(s, rcpts, data=b"Subject: one\r\n\r\nhello\r\n", options=(),
         rcpt_options=(), sender=None, tls=False):
    """By an authenticated user: he may send anywhere."""
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        if tls:
            c.starttls(context=ssl._create_unverified_context())
        c.ehlo()
        c.login("ann", PASSWORD)
        return c.sendmail(s.address("ann") if sender is None else sender,
                          rcpts, data, options, rcpt_options)


def reports(s):
    return [text for _, text in s.mail("ann")
            if b"report-type=delivery-status" in text]


def nothing_left(s):
    wait_for("an empty queue", lambda: not s.queue())
