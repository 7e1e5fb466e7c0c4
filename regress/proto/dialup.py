#!/usr/bin/env python3
# suite: own
"""A dial-up system and its provider (manual 15, 29), both ours: mail waits at
the provider until ETRN or ATRN fetches it; fetchmail fetches it, too; nothing
is lost when any process of either side is killed in the middle of it."""
import os
import pathlib
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402

HOME = "dial.example"           # the dial-up system's main domain
PROVIDER = """
settings Queue { RetryEvery = 1h; RetryEveryLater = 1h; }
settings Main { ClearTextLogin = YES; }
"""
CLIENT = f"""
settings Main {{ DomainName = "{HOME}"; }}
settings SMTP {{ LogLevel = 5; }}
"""
count = 0


def update(s, module, text):
    cli = s.cli()
    cli.ask(f"UpdateModule {module} {{{text}}}")
    cli.close()


def send(s, n, size=0):
    """n messages for bob, each with a word of its own: the words."""
    global count
    words = []
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        c.ehlo()
        c.login("ann", PASSWORD)
        for _ in range(n):
            count += 1
            words.append(f"word-{count}.")
            c.sendmail(s.address("ann"), [f"bob@{HOME}"],
                       f"Subject: {words[-1]}\r\n\r\nhello\r\n".encode() +
                       (b"z" * 76 + b"\r\n") * (size // 78))
    return words


def got(s):
    """Words of bob's mail, as often as they came."""
    def whole():
        try:
            return [s.mail("bob")]
        except AssertionError:  # one is just being appended
            return None
    mails, = wait_for("whole mail", whole)
    return [re.search(rb"^Subject: (\S+)", text, re.M)[1].decode()
            for _, text in mails]


def arrived(a, b, words):
    """Each once."""
    wait_for("the mail", lambda: set(words) <= set(got(b)))
    assert all(got(b).count(w) == 1 for w in words), got(b)
    wait_for("the provider's empty queue", lambda: not a.queue())


def wake(b):
    cli = b.cli()
    cli.ask("SendWakeup")
    cli.close()


def hold(a, text):
    update(a, "SMTP", f'HoldMailFor="{text}";AcceptWakeupsFrom=Everybody;')


def route(a, to):
    cli = a.cli()
    cli.ask('SetRouterTable "%s"' % (f"{HOME} = {to}\\e" if to else ""))
    cli.close()


def by_etrn(a, b):
    """The provider sends it by a connection of its own."""
    host = f"127.0.0.1:{b.smtp_port()}"
    route(a, f"{HOME}@127.0.0.1.{b.smtp_port()}.smtp")
    hold(a, host)
    words = send(a, 3)
    wait_for("3 messages that wait", lambda: len(a.queue()) == 3)
    update(b, "SMTP", f'SendWakeupsTo="127.0.0.1:{a.smtp_port()}";UseATRN=NO;')
    wake(b)
    arrived(a, b, words)
    wait_for("the log", lambda: re.search(
        rf"SMTPW-\d+\(\S+\) ETRN {HOME}: 250", b.log()))
    # There is none now: that is no failure either.
    wake(b)
    wait_for("the log", lambda: re.search(
        rf"SMTPW-\d+\(\S+\) ETRN {HOME}: 251", b.log()))


def by_atrn(a, b):
    """It comes by the connection that the dial-up system has made."""
    route(a, "")
    hold(a, HOME)
    words = send(a, 5) + send(a, 1, 3000000)
    update(b, "SMTP", f'UseATRN=YES;ATRNName="{HOME}";'
           f'ATRNPassword="{PASSWORD}";')
    wake(b)
    arrived(a, b, words)
    wait_for("the log", lambda: re.search(
        r"SMTPW-\d+\(\S+\) ATRN \S+: 250", b.log()))
    wake(b)
    wait_for("the log", lambda: re.search(
        r"SMTPW-\d+\(\S+\) ATRN \S+: 453", b.log()))
    text = b.mail("bob")[-1][1].decode()
    assert "from test.example ([127.0.0.1]" in text, text[:600]
    # In the clear, and then: no TLS is trusted that proves nothing.
    words = send(a, 2)
    update(b, "SMTP", 'SendEncrypted="127.0.0.1";')
    wake(b)
    wait_for("the log", lambda: "127.0.0.1 cannot prove" in b.log())
    update(b, "SMTP", 'SendEncrypted="";EncryptWherePossible=NO;')
    wake(b)
    arrived(a, b, words)
    update(b, "SMTP", 'EncryptWherePossible=YES;ATRNPassword="wrong";')
    words = send(a, 1)
    wake(b)
    wait_for("the log", lambda: "does not let us in" in b.log())
    update(b, "SMTP", f'ATRNPassword="{PASSWORD}";')
    wake(b)
    arrived(a, b, words)


def by_clock(a, b):
    """Every second, without anybody's asking."""
    words = send(a, 2)
    update(b, "SMTP", "SendWakeupsEvery=1s;")
    arrived(a, b, words)
    words = send(a, 2)
    arrived(a, b, words)
    update(b, "SMTP", "SendWakeupsEvery=0;")


def send_held(a):
    """3 messages that wait: a session that goes on would take them."""
    cli = a.cli()
    cli.ask("INLINE")
    wait_for("the session's end",
             lambda: "127.0.0.1" not in (t := cli.ask("ListQueues")) and
             HOME not in t)
    words = send(a, 3)
    wait_for("3 that wait", lambda: "held until" in cli.ask("ListQueues") and
             len(a.queue()) == 3)
    cli.close()
    return words


def by_fetchmail(a, b):
    if shutil.which("fetchmail") is None:
        print("SKIPPED: fetchmail is not installed", flush=True)
        return
    for how in ("ODMR", "ETRN"):
        if how == "ETRN":
            route(a, f"{HOME}@127.0.0.1.{b.smtp_port()}.smtp")
            hold(a, f"127.0.0.1:{b.smtp_port()}")
        words = send_held(a)
        with tempfile.TemporaryDirectory() as d:
            rc = pathlib.Path(d, "rc")
            rc.write_text(
                f"poll localhost via 127.0.0.1 proto {how} "
                f"port {a.smtp_port()} user '{HOME}' pass '{PASSWORD}' "
                f"fetchdomains {HOME} sslproto '' "
                f"smtphost 127.0.0.1/{b.smtp_port()}\n")
            rc.chmod(0o600)
            p = subprocess.run(
                ["fetchmail", "-v", "-f", rc, "--nosyslog", "--pidfile",
                 d + "/pid"], env=dict(os.environ, FETCHMAILHOME=d, HOME=d),
                capture_output=True, text=True, timeout=120)
        assert f" {how} {HOME}\n" in p.stdout.replace("ODMR> ATRN", " ODMR") \
            and "< 250 2.0.0" in p.stdout, (p.stdout, p.stderr)
        arrived(a, b, words)
    route(a, "")
    hold(a, HOME)


def fetch(b):
    """One ATRN: was it accepted?"""
    said = re.compile(r"SMTPW-\d+\(\S+\) ATRN \S+: (.*)")
    before = len(said.findall(b.log()))

    def begun():
        cli = b.cli()
        told = cli.send("SendWakeup")
        cli.close()
        return told.startswith("200")   # the last one was noted
    wait_for("a wake-up", begun)
    wait_for("its answer", lambda: len(said.findall(b.log())) > before)
    return said.findall(b.log())[before].startswith("250")


def begin(a, b):
    """Much mail, and a session that is reversed: the mail's words.  A session
    that goes on waits a second for more, and takes it."""
    while True:
        words = send(a, 30, 400000)
        if fetch(b):
            return words
        arrived(a, b, words)
        time.sleep(2)


def killed(a, b):
    """In the middle of a session that is reversed."""
    victims = [(a, "smtpd"), (a, "smtpd-send"), (a, "queued"),
               (b, "smtpd"), (b, "smtpd-send"), (b, "queued")]
    for n, (side, name) in enumerate(victims):
        words = begin(a, b)
        wait_for("some of the mail", lambda: len(set(words) & set(got(b))) > 2)
        for pid, what in side.children().items():
            if what == name:
                kill(pid, signal.SIGKILL)

        def all_there():
            # A wake-up that is under way need not be ended yet.
            cli = b.cli()
            cli.send("SendWakeup")
            cli.close()
            time.sleep(0.2)
            return set(words) <= set(got(b)) and not a.queue()
        wait_for(f"the mail after {name} was killed", all_there)
        now = got(b)
        twice = [w for w in words if now.count(w) > 1]
        print(f"{name} killed: {len(twice)} twice", flush=True)
        # One connection: one message was in flight.
        assert len(twice) <= 1, twice


def left(s):
    """Words of the mail that waits in the queue."""
    return [re.search(rb"^Subject: (\S+)", p.read_bytes(), re.M)[1].decode()
            for p in pathlib.Path(s.base, "Queue").rglob("*.msg")]


def stopped(provider):
    """In good order, in the middle of a session that is reversed: what was
    sent is not sent again."""
    with Suite(accounts=["ann", HOME], conf=PROVIDER) as a, \
            Suite(accounts=["bob"], conf=CLIENT) as b:
        hold(a, HOME)
        words = send(a, 30, 400000)
        update(b, "SMTP", f'SendWakeupsTo="127.0.0.1:{a.smtp_port()}";'
               f'UseATRN=YES;ATRNName="{HOME}";ATRNPassword="{PASSWORD}";')
        side = a if provider else b
        server = side.server()
        cli = side.cli()
        wake(b)
        wait_for("some of the mail",
                 lambda: b.box("bob").stat().st_size > 0)
        cli.send("Shutdown")
        wait_for("the end", lambda: not pathlib.Path(
            f"/proc/{server}/task").exists() or pathlib.Path(
            f"/proc/{server}/stat").read_text().split()[2] == "Z")
        # The other side may be delivering, or noting, what came last; what
        # the provider's client has not yet been thanked for comes again.
        wait_for("each message in one place", lambda: set(
            got(b) + left(a)) == set(words) and
            len(got(b) + left(a)) <= len(words) + provider)
        print(f"{len(left(a))} left", flush=True)


with Suite(accounts=["ann", HOME], conf=PROVIDER) as a, \
        Suite(accounts=["bob"], conf=CLIENT) as b:
    for test in (by_etrn, by_atrn, by_clock, by_fetchmail, killed):
        test(a, b)
        print("ok:", test.__name__, flush=True)
for who in (True, False):
    stopped(who)
    print("ok: stopped", who, flush=True)
