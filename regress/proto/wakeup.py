#!/usr/bin/env python3
# suite: own
"""The backup server is asked for our mail (manual 29): whatever it answers;
what it may do once ATRN has made it the client."""
import base64
import hmac
import pathlib
import re
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, wait_for  # noqa: E402

CONF = "settings SMTP { LogLevel = 5; }\n"


class Backup(threading.Thread):
    """One connection: answers by words of the command; then the rest."""

    def __init__(self, answers, rest=None):
        super().__init__(daemon=True)
        self.answers, self.rest = answers, rest
        self.heard, self.error = [], None
        self.l = socket.create_server(("127.0.0.1", 0))
        self.port = self.l.getsockname()[1]
        self.start()

    def run(self):
        try:
            self.s, _ = self.l.accept()
            self.s.settimeout(60)
            self.f = self.s.makefile("rb")
            self.say("220 backup.example")
            self.talk()
        except Exception as e:      # told by whoever waits
            self.error = e
        finally:
            self.l.close()

    def say(self, text):
        self.s.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.f.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    def talk(self):
        while True:
            self.heard.append(self.line())
            verb = self.heard[-1].split(" ")[0]
            if verb == "QUIT":
                self.say("221 bye")
                return
            told = self.answers.get(verb, "250 ok")
            if told == "DROP":
                self.close()
                return
            self.say(told)
            if told.startswith("334"):
                self.heard.append(self.line())
                self.say("235 in")
            if verb == "ATRN" and told.startswith("250"):
                if self.rest:
                    self.rest(self)
                self.close()
                return

    def close(self):
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:         # the other side was quicker
            pass

    def ask(self, line, code):
        self.say(line)
        while True:
            got = self.line()
            if got[3:4] != "-":
                break
        assert got.startswith(code), (line, got)

    def over(self):
        self.join(60)
        assert not self.is_alive() and self.error is None, self.error
        return self.heard


def ask(s, backup, said, **settings):
    """One wake-up; its end in the log is what is said."""
    before = len(re.findall(said, s.log()))
    cli = s.cli()
    cli.ask("UpdateModule SMTP {" + "".join(
        f'{k}="{v}";' for k, v in dict(
            SendWakeupsTo=f"127.0.0.1:{backup.port}", **settings).items()) +
        "}")

    def begun():
        # The last one may not be noted yet.
        return cli.send("SendWakeup").startswith("200")
    wait_for("the wake-up", begun)
    cli.close()
    wait_for(said, lambda: len(re.findall(said, s.log())) > before)


def by_etrn(s):
    for told in ("250 2.0.0 yes", "253 3 of them", "458 not now",
                 "459 not you", "500 what?"):
        b = Backup({"ETRN": told})
        ask(s, b, f"ETRN {s.domain}: {told}", UseATRN="NO")
        heard = b.over()
        assert heard[1:] == [f"ETRN {s.domain}", "QUIT"], heard
    b = Backup({"ETRN": "DROP"})
    ask(s, b, f"ETRN {s.domain}: .*closed", UseATRN="NO")
    b.over()


def by_atrn(s):
    names = dict(UseATRN="YES", ATRNName="us", ATRNPassword="secret")
    for told in ("450 not yours", "453 none", "502 what?"):
        b = Backup({"ATRN": told})
        ask(s, b, f"ATRN {s.domain}: {told}", **dict(names, ATRNName=""))
        assert b.over()[1:] == ["ATRN", "QUIT"], b.heard
    # No password goes over in the clear.
    for offer in ("250 nothing", "250-x\r\n250 AUTH PLAIN LOGIN"):
        b = Backup({"EHLO": offer})
        ask(s, b, f"ATRN {s.domain}: .*no safe way", **names)
        b.join(60)
        assert len(b.heard) == 1, b.heard
    challenge = b"<1@backup>"
    cram = {"EHLO": "250-x\r\n250 AUTH PLAIN CRAM-MD5",
            "AUTH": "334 " + base64.b64encode(challenge).decode()}
    b = Backup(dict(cram, ATRN="250 go"), sends)
    ask(s, b, f"ATRN {s.domain}: 250 go", **names)
    heard = b.over()
    assert base64.b64decode(heard[2]).decode() == "us " + hmac.new(
        b"secret", challenge, "md5").hexdigest(), heard
    wait_for("the mail", lambda: any(b"from the backup" in text
                                     for _, text in s.mail("bob")))
    # It greets nobody, speaks too early, or closes.
    b = Backup(dict(cram, ATRN="250 go\r\nEHLO early"), early)
    ask(s, b, f"ATRN {s.domain}: 250 go", **names)
    b.over()
    b = Backup(dict(cram, ATRN="250 go"))
    ask(s, b, f"ATRN {s.domain}: 250 go", **names)
    b.over()
    b = Backup({"ATRN": "250-a\r\n250 b"}, sends)
    ask(s, b, f"ATRN {s.domain}: 250 b", **dict(names, ATRNName=""))
    b.over()


def sends(b):
    """It is a client now, and has no more rights than others."""
    assert b.line().startswith("220 ")
    b.ask("EHLO backup.example", "250")
    b.ask("MAIL FROM:<ann@far.example>", "250")
    b.ask("RCPT TO:<bob@test.example>", "250")
    b.ask("RCPT TO:<x@far.example>", "550")
    b.ask("DATA", "354")
    b.ask("Subject: x\r\n\r\nfrom the backup\r\n.", "250")
    b.ask("ATRN", "530")
    b.ask("QUIT", "221")
    try:
        raise AssertionError(b.line())
    except EOFError:
        pass


def early(b):
    assert b.line().startswith("220 ")
    while b.line()[3:4] == "-":
        pass
    b.ask("NOOP", "250")
    b.ask("QUIT", "221")


with Suite(accounts=["bob"], conf=CONF) as s:
    for test in (by_etrn, by_atrn):
        test(s)
        print("ok:", test.__name__, flush=True)
    assert "secret" not in s.log()
