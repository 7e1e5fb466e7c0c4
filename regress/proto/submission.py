#!/usr/bin/env python3
"""The submission ports (RFC 6409): nobody without a login; what a header lacks
is put in, and who sends under another's name is told of."""
import base64
import email
import email.utils
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (DOMAIN, PASSWORD, Smtp, accounts, address,  # noqa: E402
                  administrator, messages, run)

FULL = ("Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        "Message-ID: <1@far.example>\r\n")
count = 0


def log_in(s, name="ann"):
    s.ask("AUTH PLAIN " + base64.b64encode(
        f"\0{name}\0{PASSWORD}".encode()).decode(), 235)


def send(head, sender="", port="CG_SUBMIT", auth=True):
    """The header as it arrives."""
    global count
    with Smtp(port) as s:
        if auth:
            log_in(s)
        s.begin(address("bob"), sender=sender or address("ann"))
        s.text(head + "\r\ntext\r\n.\r\n")
    count += 1
    return email.message_from_bytes(messages("bob", count)[-1])


def only_with_login():
    for tls in (False, True):
        with Smtp("CG_SUBMIT") as s:
            if tls:
                s.ask("STARTTLS", 220)
                s.secure()
                s.ask("EHLO client.example", 250)
            for sender in (address("ann"), "a@far.example", ""):
                text = s.ask(f"MAIL FROM:<{sender}>", 530)[0]
                assert text.startswith("5.7.0"), text
            s.ask(f"RCPT TO:<{address('bob')}>", 503)
            s.send("BDAT 3 LAST\r\nabc")
            s.want(503)
            log_in(s)
            s.ask(f"MAIL FROM:<{address('ann')}>", 250)
            s.ask("RSET", 250)
    with Smtp("CG_SUBMIT") as s:        # TLS forgets who he was
        log_in(s)
        s.ask("STARTTLS", 220)
        s.secure()
        s.ask("EHLO client.example", 250)
        s.ask(f"MAIL FROM:<{address('ann')}>", 530)


def nothing_there():
    m = send("To: bob\r\n")
    assert m["From"] == f"<{address('ann')}>", m.items()
    assert email.utils.parsedate(m["Date"]) and \
        m["Message-Id"].endswith(f"@{DOMAIN}>"), m.items()
    assert m["Sender"] is None
    m = send("")                        # no header at all
    assert m["From"] == f"<{address('ann')}>" and m["Date"], m.items()


def all_there():
    m = send(FULL + f"From: Ann <{address('ann')}>\r\n")
    assert m["Message-ID"] == "<1@far.example>" and m["Sender"] is None
    assert len(m.get_all("Date")) == len(m.get_all("From")) == 1


def others_name():
    boss = f"From: The Boss <boss@{DOMAIN}>\r\n"
    assert send(FULL + boss)["Sender"] == f"<{address('ann')}>"
    for field in (f'From: "{address("ann")}" <boss@{DOMAIN}>\r\n',
                  f"From: boss@{DOMAIN} ({address('ann')})\r\n",
                  f"From: <boss@{DOMAIN}>,\r\n <{address('ann')}>\r\n",
                  f"From: {address('ann')}\r\nFrom: boss@{DOMAIN}\r\n",
                  "From: \r\n", "From: nonsense <\r\n"):
        m = send(FULL + field)
        assert m["Sender"] == f"<{address('ann')}>", (field, m.items())
    # He says so himself.
    m = send(FULL + boss + "Sender: someone@far.example\r\n")
    assert m.get_all("Sender") == ["someone@far.example"]
    # The return-path is no proof of a name.
    m = send(FULL + boss, sender=f"boss@{DOMAIN}")
    assert m["Sender"] == f"<{address('ann')}>"


def own_names():
    for field, sender in [
            (f"From: {address('ANN')}\r\n", ""),
            (f"From: x\r\n <{address('ann')}>\r\n", ""),
            (f"From: <ann.smith@{DOMAIN}>\r\n", f"ann.smith@{DOMAIN}"),
            (f"From: <ann+box@{DOMAIN}>\r\n", f"ann+box@{DOMAIN}")]:
        m = send(FULL + field, sender)
        assert m["Sender"] is None, (field, m.items())
    m = send("To: bob\r\n", f"ann.smith@{DOMAIN}")
    assert m["From"] == f"<ann.smith@{DOMAIN}>", m.items()


def elsewhere():
    """A relay's mail is left as it is, whoever it logs in as."""
    for auth in (True, False):
        m = send(FULL + "From: x@far.example\r\n", port="CG_SMTP", auth=auth)
        assert m["Sender"] is None, m.items()
    m = send("To: bob\r\n", port="CG_SMTP", auth=False)
    assert m["Message-Id"] is None and m["Date"] and m["From"] is None


accounts("ann", "bob", "boss")
cli = administrator()
cli.ask("SetAccountAliases ann (ann.smith)")
cli.close()
run([only_with_login, nothing_there, all_there, others_name, own_names,
     elsewhere])
