#!/usr/bin/env python3
"""The PWD protocol: every way to log in, TLS, password changes, line ends,
order, limits, and the Unix socket."""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import PATIENCE, Cli  # noqa: E402

PORT = int(os.environ["CG_PWD"])
BASE = os.environ["CG_BASE"]
ADMIN = os.environ["CG_ADMIN_NAME"]
PASSWORD = os.environ["CG_ADMIN_PASSWORD"]


class Wire:
    def __init__(self, s=None):
        self.s = s or socket.create_connection(("127.0.0.1", PORT), PATIENCE)
        self.f = self.s.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.f.readline().decode()

    def put(self, text):
        self.s.sendall(text.encode())

    def say(self, text, code):
        self.put(text + "\r\n")
        got = self.line()
        assert got.startswith(code + " ") and got.endswith("\r\n"), \
            f"{text[:60]}: {got!r}, not {code}"
        return got[4:].rstrip("\r\n")

    def login(self, name=ADMIN, password=PASSWORD):
        self.say(f"USER {name}", "300")
        self.say(f"PASS {password}", "200")
        return self

    def ended(self):
        return self.f.read() == b""


def b64(text):
    return base64.b64encode(text.encode()).decode()


def logins():
    w = Wire()
    stamp = re.search(r"<[^<>@\s]+@[^<>@\s]+>", w.greeting)
    assert w.greeting.startswith("200 ") and stamp, w.greeting
    w.say("ListDomains", "501")
    w.say("NEWPASS x", "501")
    w.say("PASS x", "501")
    w.say("USER", "501")
    w.say(f"USER {ADMIN}\0x", "501")
    w.say("NOOP", "200")
    w.say(f"user {ADMIN}", "300")
    wrong = w.say("pass wrong", "501")
    w.say("USER nobody.here", "300")
    assert w.say("PASS wrong", "501") == wrong
    digest = hashlib.md5((stamp[0] + PASSWORD).encode()).hexdigest()
    wrong = digest[:-1] + "10"[digest[-1] == "1"]
    w.say(f"APOP {ADMIN} {wrong}", "501")
    w.say(f"APOP {ADMIN} {digest}", "200")
    w.say("USER x", "501")
    w.say("QUIT", "200")
    assert w.ended()
    Wire().login().say("MainDomainName", "200")
    # Names and passwords as clients quote them, or not.
    Wire().login(f'"{ADMIN}"')
    Wire().login(f"{ADMIN}%{os.environ['CG_DOMAIN']}")


def sasl():
    w = Wire()
    assert w.say("AUTH", "200").startswith("PLAIN LOGIN CRAM-MD5 ")
    w.say("AUTH FOO", "501")
    w.say("AUTH WEBUSER x y", "501")
    w.say("AUTH PLAIN !!!", "501")
    w.say("AUTH LOGIN", "300")
    w.say("*", "501")
    w.say("AUTH PLAIN " + b64(f"\0{ADMIN}\0{PASSWORD}"), "200")
    w = Wire()
    w.say("AUTH PLAIN", "300")
    w.say(b64(f"\0{ADMIN}\0{PASSWORD}"), "200")
    w = Wire()
    w.say("AUTH LOGIN", "300")
    w.say(b64(ADMIN), "300")
    w.say(b64(PASSWORD), "200")
    w = Wire()
    challenge = base64.b64decode(w.say("auth cram-md5", "300"))
    mac = hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()
    w.say(b64(f"{ADMIN} {mac}"), "200")


def tls():
    w = Wire()
    w.put("STLS\r\nUSER injected\r\n")
    assert w.line().startswith("200 ")
    ctx = ssl.create_default_context(cafile=os.environ["CG_CA"])
    ctx.check_hostname = False
    w.s = ctx.wrap_socket(w.s)
    w.f = w.s.makefile("rb")
    w.say("PASS x", "501")
    w.login().say("STLS", "501")
    w.say("NOOP", "200")


def passwords():
    admin = Cli(PORT, ADMIN, PASSWORD)
    admin.ask("CreateAccount pat {Password=old;}")
    w = Wire().login("pat", "old")
    w.say("NEWPASS", "501")
    w.say("NEWPASS my new \"word\"", "200")
    Wire().login("pat", 'my new "word"')
    admin.ask("UpdateAccountSettings pat {PWDAllowed=NO;}")
    w.say("NEWPASS other", "501")
    admin.ask("UpdateAccountSettings pat {PWDAllowed=YES;RequireAPOP=YES;}")
    w = Wire()
    w.say("USER pat", "300")
    w.say('PASS my new "word"', "538")
    # The session ends with its account.
    w = Wire()
    digest = hashlib.md5((re.search("<.*>", w.greeting)[0] +
                          'my new "word"').encode()).hexdigest()
    w.say(f"APOP pat {digest}", "200")
    admin.ask("DeleteAccount pat")
    w.say("NEWPASS z", "501")


def guesses():
    """After some wrong ones the right one is of no use, by any method."""
    admin = Cli(PORT, ADMIN, PASSWORD)
    admin.ask("CreateAccount gus {Password=right;FailedLoginFlow=(3,1m);}")
    w = Wire().login("gus", "right")
    for _ in range(3):
        w = Wire()
        w.say("USER gus", "300")
        w.say("PASS wrong", "501")
    w = Wire()
    w.say("USER gus", "300")
    w.say("PASS right", "501")
    digest = hashlib.md5((re.search("<.*>", w.greeting)[0] +
                          "right").encode()).hexdigest()
    w.say(f"APOP gus {digest}", "501")
    w.say("AUTH PLAIN " + b64("\0gus\0right"), "501")
    # Others go on; who is logged in, too.
    w.login().say("MainDomainName", "200")
    admin.ask("DeleteAccount gus")


def lines():
    w = Wire().login()
    w.put("NOOP\nMainDomainName\nNOOP\r\nListDomains\nINLINE\nListDomains\n"
          "NOOP x\n")
    domain = os.environ["CG_DOMAIN"]
    want = ["200 OK", "200 data follow", f'"{domain}"', "200 OK",
            "200 data follow", "(", f'  "{domain}"', ")", "200 OK",
            f'201 ("{domain}")']
    for expect in want:
        got = w.line()
        assert got == expect + "\r\n", f"{got!r}, not {expect!r}"
    w.line()
    w.put("SetRouterTable \"" + "x" * (2 << 20) + "\"\r\n")
    assert w.line().startswith("501 "), "a line of 2 MiB was taken"
    w.say("NOOP", "200")
    for bad in ("", " ", "\t", "{", "\"", "CreateAccount \"", "\x7f\xff"):
        w.say(bad, "501")
    w = Wire()
    w.put("x" * 10000 + "\r\n")
    assert w.line().startswith("501 ")
    w.say("NOOP", "200")
    # A command without an end, and one cut off, leave nothing behind.
    w.put("CreateAccount half")
    w.s.close()


def errors_end_it():
    w = Wire()
    w.put("FOO\r\n" * 100)
    answers = w.f.read().decode().splitlines()
    assert 10 < len(answers) < 50 and "too many errors" in answers[-1], \
        answers[-1]


def unix(uid=None):
    """The greeting, as this user or, in a child, as another."""
    def ask():
        s = socket.socket(socket.AF_UNIX)
        s.connect(BASE + "/cgctl.sock")
        return Wire(s)

    w = ask()
    assert "logged in as" in w.greeting, w.greeting
    w.say("ListDomains", "200")
    if os.geteuid() != 0:
        return
    os.chmod(pathlib.Path(BASE), 0o755)
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            w = ask()
            assert "logged in" not in w.greeting, w.greeting
            w.say("ListDomains", "501")
            w.login().say("ListDomains", "200")
            ok = True
        except BaseException as e:
            print("as nobody:", repr(e))
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0, "another user at the Unix socket"


for test in (logins, sasl, tls, passwords, guesses, lines, errors_end_it, unix):
    test()
