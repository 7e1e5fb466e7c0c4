#!/usr/bin/env python3
"""Clients of the command language, written from reference/cli-on-the-wire:
cli.pl in Perl, and one in Python below; both go through all families."""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
DOMAIN = "python.example"
U = "u@" + DOMAIN


class Failed(Exception):
    pass


class CommandLine:
    """connect, greet, APOP or USER, INLINE, send, parse."""

    def __init__(self, port, name, password, apop=True, inline=True,
                 end="\r\n"):
        self.end = end
        self.inline = inline
        self.sock = socket.create_connection(("127.0.0.1", int(port)), 60)
        self.file = self.sock.makefile("rb")
        stamp = re.search(r"<[^<>@\s]+@[^<>@\s]+>", self.answer())
        if apop and stamp:
            digest = hashlib.md5((stamp[0] + password).encode()).hexdigest()
            self.say(f"APOP {name} {digest}")
        else:
            self.put(f"USER {name}")
            assert self.line().startswith("300 ")
            self.say(f"PASS {password}")
        if inline:
            self.say("INLINE")

    def put(self, *lines):
        self.sock.sendall("".join(x + self.end for x in lines).encode())

    def line(self):
        text = self.file.readline().decode()
        if not text:
            raise ConnectionError("the server has gone")
        return text.rstrip("\r\n")

    def answer(self):
        text = self.line()
        self.code = int(text[:3])
        if not 200 <= self.code < 300:
            raise Failed(text)
        return text[4:]

    def say(self, line):
        self.put(line)
        return self.answer()

    def ask(self, line):
        """A command's data; without INLINE it comes on the next lines, up to
        where its brackets close."""
        text = self.say(line)
        if not self.inline:
            text = self.line()
            while (v := parse(text)) is None:
                text += "\n" + self.line()
            return v[0]
        return parse(text)[0] if self.code == 201 else None

    def refused(self, line, code=501):
        try:
            self.say(line)
        except Failed as e:
            assert str(e).startswith(str(code)), f"{line}: {e}"
            return str(e)[4:]
        raise AssertionError(f"{line}: is not refused")


TOKEN = re.compile(r'\s*(?:([{}()=;,])|"((?:[^"\\]|\\.)*)"|'
                   r'(#I?\[[^]]*\](?::\d+)?|\[[^]]*\]|[^\s{}()=;,"]+))', re.S)
ESCAPES = {"e": "\n", "n": "\n", "r": "\r", "t": "\t"}


def unquote(s):
    return re.sub(r"\\(\d{3}|.)", lambda m: chr(int(m[1])) if
                  len(m[1]) == 3 else ESCAPES.get(m[1], m[1]), s)


def tokens(text):
    at = 0
    while at < len(text.rstrip()):
        m = TOKEN.match(text, at)
        if not m:
            return
        yield m[1] or ("s", m[3] if m[2] is None else unquote(m[2]))
        at = m.end()
    yield None


def value(t):
    x = next(t)
    if x == "{":
        d = {}
        while (key := next(t)) != "}":
            assert next(t) == "="
            d[key[1]] = value(t)
            assert next(t) == ";"
        return d
    if x == "(":
        a = []
        while True:
            v = value(t)
            if v == ")":
                return a
            a.append(v)
            if (sep := next(t)) == ")":
                return a
            assert sep == ","
    return x[1] if isinstance(x, tuple) else x


def parse(text):
    """(value,), or None while it is not whole."""
    try:
        t = tokens(text)
        v = value(t)
        assert next(t) is None, text
        return (v,)
    except StopIteration:
        return None
    except TypeError:               # ended within
        return None


def admin(**how):
    return CommandLine(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
                       os.environ["CG_ADMIN_PASSWORD"], **how)


def domains(c):
    c.ask(f"CreateDomain {DOMAIN} {{AccountsLimit=9;}}")
    assert DOMAIN in c.ask("ListDomains")
    assert c.ask(f"GetDomainSettings {DOMAIN}")["AccountsLimit"] == "9"
    assert "MailToUnknown" in c.ask(f"GetDomainEffectiveSettings {DOMAIN}")
    c.ask("RenameDomain %s into other.%s" % (DOMAIN, DOMAIN))
    c.ask("rndmn other.%s %s" % (DOMAIN, DOMAIN))
    assert isinstance(c.ask("GetDomainDefaults"), dict)
    assert isinstance(c.ask("GetAllAccountsDefaults"), dict)


def accounts(c):
    c.ask(f"createaccount {U} multimailbox {{Password=xyz;}}")
    c.refused(f"CreateAccount {U}")
    c.refused(f"GetAccountSettings nobody@{DOMAIN}", 500)
    assert c.ask(f"ListAccounts {DOMAIN}") == {"u": "macnt"}
    c.ask(f"UpdateAccountSettings {U} {{RealName=\"Tab\\tand \\\\ and "
          "\\226\\130\\172\";}")
    name = c.ask(f"GetAccountSettings {U}")["RealName"]
    assert name == "Tab\tand \\ and \u20ac", ascii(name)
    # What later servers write is read, too.
    c.ask(f"UpdateAccountSettings {U} {{MaxMailboxes=#7;}}")
    assert c.ask(f"GetAccountSettings {U}")["MaxMailboxes"] in ("7", "#7")
    c.ask(f"SetAccountPassword {U} PASSWORD second")
    c.ask(f"VerifyAccountPassword {U} password second")
    own = CommandLine(os.environ["CG_PWD"], U, "second")
    assert own.ask("GetAccountSettings *")["MaxMailboxes"] in ("7", "#7")
    own.say("NEWPASS third one")
    own.refused("ListDomains")
    own.refused("Shutdown")
    c.ask(f"VerifyAccountPassword {U} PASSWORD \"third one\"")


def objects(c):
    c.ask(f"CreateGroup team@{DOMAIN} {{Members=(u,\"x@far.example\");}}")
    assert c.ask(f"ListGroups {DOMAIN}") == ["team"]
    assert c.ask(f"GetGroup team@{DOMAIN}")["Members"] == \
        ["u", "x@far.example"]
    c.ask(f"RenameGroup team@{DOMAIN} into crew@{DOMAIN}")
    c.refused(f"GetGroup team@{DOMAIN}")
    c.ask(f"DeleteGroup crew@{DOMAIN}")
    c.ask(f"CreateForwarder away@{DOMAIN} TO some.one@far.example")
    assert c.ask(f"FindForwarders {DOMAIN} TO some.one@far.example") == \
        ["away"]
    c.ask(f"DeleteForwarder away@{DOMAIN}")
    for of, name in (("Domain", DOMAIN + " ALERT "), ("Server", ""),
                     ("Account", U + " ALERT ")):
        c.ask(f"Post{of}Alert {name}\"a \\\"b\\\" \u00fc\"")
        found = c.ask(f"Get{of}Alerts {name.split(' ')[0]}")
        (stamp, text), = found.items()
        assert stamp.isdigit() and text == 'a "b" \u00fc', found
        c.ask(f"Remove{of}Alert {name}{stamp}")
        assert c.ask(f"Get{of}Alerts {name.split(' ')[0]}") == {}


def mailboxes(c):
    c.ask(f"CreateMailbox {U} mailbox \"with space/and \u00fcmlaut\"")
    found = c.ask(f"lstmbx {U} FILTER \"with*\"")
    assert list(found) == ["with space", "with space/and \u00fcmlaut"], found
    assert found["with space"] == []
    c.ask(f"DeleteMailbox {U} MAILBOXES \"with space\"")
    assert "with space" not in c.ask(f"ListMailboxes {U}")


def web(c):
    for n in (0, 1, 2, 3, 300000):
        data = os.urandom(n)
        text = base64.b64encode(data).decode()
        c.ask(f'PutWebFile {U} FILE f{n} DATA "{text}"')
        back, date = c.ask(f"GetWebFile {U} FILE f{n}")
        assert base64.b64decode(back) == data and len(date) == 14
        c.ask(f"DeleteWebFile {U} FILE f{n}")
    assert c.ask(f"ListWebFiles {U}") == {}


def server(c):
    assert c.ask("Echo {a=(b,#5,\"#T\");}") == {"a": ["b", "#5", "#T"]}
    assert c.ask("GetSystemInfo serverOS") == "Linux"
    assert "CreateAccount" in c.ask("ListCLICommands")
    assert "PWD" in c.ask("ListModules")
    assert c.ask(f"Route {U}")[0] == "LOCAL"
    assert isinstance(c.ask("GetQueueStatus"), dict)
    assert isinstance(c.ask("Status"), dict)
    for command in ("ListLists", "GetAccountRPOP " + U, "GetWebUser " + U,
                    "GetSNMPElement 1.3.6", "ListServerSkins"):
        assert "not available yet" in c.refused(command), command
    c.refused("Frobnicate")
    c.refused("")


def cleanup(c):
    c.ask(f"DeleteAccount {U}")
    c.ask(f"DeleteDomain {DOMAIN}")


def shapes():
    """Data on lines of its own, several commands at once, long ones."""
    c = admin(inline=False, apop=False, end="\n")
    c.put("CreateDomain a.example", "CreateAccount x@a.example",
          "UpdateAccountSettings x@a.example {RealName=X;}")
    for _ in range(3):
        c.answer()
    assert c.ask("GetAccountSettings x@a.example") == {"RealName": "X"}
    assert c.ask("ListAccounts a.example") == {"x": "macnt"}
    assert c.ask("MainDomainName") == os.environ["CG_DOMAIN"]
    c.say("DeleteDomain a.example force")
    c = admin()
    c.put(*[f"Echo {i}" for i in range(2000)])
    assert [parse(c.answer())[0] for _ in range(2000)] == \
        [str(i) for i in range(2000)]
    long = "x" * 900000
    assert c.ask(f'Echo "{long}"') == long
    c.put(f'Echo "{long}{long}"')
    try:
        c.answer()
        raise AssertionError("a line of two megabytes is taken")
    except Failed:
        pass
    assert c.ask("Echo still") == "still"
    assert "AUTH" not in admin().refused("AUTH WEBUSER a b")


def unauthenticated():
    s = socket.create_connection(("127.0.0.1", int(os.environ["CG_PWD"])), 60)
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"AUTH WEBUSER postmaster 12345-abcde\r\n")
    answer = f.readline().decode()
    assert answer.startswith("501 ") and "web" in answer, answer
    s.sendall(b"Echo x\r\n")
    assert f.readline().startswith(b"501 ")
    s.sendall(b"x" * 100000 + b"\r\n")
    assert f.readline().startswith(b"501 ")
    s.close()


def perl():
    if shutil.which("perl") is None:
        print("SKIPPED: perl is not installed", flush=True)
        return
    p = subprocess.run(["perl", HERE / "cli.pl"], text=True,
                       capture_output=True, timeout=120)
    if p.returncode != 0 or p.stdout != "ok\n":
        sys.exit(f"cli.pl: {p.stdout[-500:]}{p.stderr[-500:]}")


for how in ({}, {"apop": False, "end": "\n"}):
    client = admin(**how)
    for family in (domains, accounts, objects, mailboxes, web, server,
                   cleanup):
        family(client)
shapes()
unauthenticated()
perl()
