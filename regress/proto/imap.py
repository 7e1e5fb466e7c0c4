#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/imap.conf
"""IMAP up to the login: every way to log in, TLS, and what is no IMAP."""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from trickle import Trickle  # noqa: E402
from wire import (DOMAIN, PASSWORD, Imap, Wire, accounts,  # noqa: E402
                  administrator, log, run, wait_for)

PLAIN = f"\0ann\0{PASSWORD}"
ODD = 'a "quoted\\" pass{3}word'          # a password that needs care


def b64(text):
    return base64.b64encode(text.encode()).decode()


def capabilities(c):
    """Those of CAPABILITY, which must be what was told without being asked."""
    found = [r for r in c.ask("CAPABILITY") if r.startswith(b"CAPABILITY ")]
    assert len(found) == 1, found
    return found[0].decode().split()[1:]


def logged_in(c):
    """The session is the worker's now."""
    c.ask("NOOP")
    c.ask('LIST "" INBOX')
    untagged = c.ask("LOGOUT")
    assert any(r.startswith(b"BYE") for r in untagged), untagged
    assert c.ended()


def greeting():
    with Imap() as c:
        m = re.match(rb"\* OK \[CAPABILITY (.*?)\] ", c.greeting)
        caps = capabilities(c)
        assert m[1].decode().split() == caps, (m[1], caps)
        for name in ("IMAP4rev1", "STARTTLS", "SASL-IR", "LITERAL+", "ID",
                     "AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5"):
            assert name in caps, (name, caps)
        assert "LOGINDISABLED" not in caps
        c.ask("NOOP")
        assert any(r.startswith(b"ID (") for r in c.ask("ID NIL"))
        c.ask('ID ("name" "test" "version" NIL)')
        c.ask("id ()")
        untagged = c.ask("LOGOUT")
        assert untagged[0].startswith(b"BYE"), untagged
        assert c.ended()


def login_forms():
    good = [f'LOGIN ann "{PASSWORD}"', f'login "ann" "{PASSWORD}"',
            f'LOGIN ANN@{DOMAIN.upper()} "{PASSWORD}"',
            f'LOGIN "odd" "{ODD.translate({34: chr(92) + chr(34), 92: chr(92) * 2})}"',
            f'LOGIN ann {{{len(PASSWORD)}+}}\r\n{PASSWORD}',
            f'LOGIN {{3+}}\r\nann {{{len(PASSWORD)}+}}\r\n{PASSWORD}',
            f'LOGIN odd {{{len(ODD)}+}}\r\n{ODD}']
    for line in good:
        with Imap() as c:
            c.ask(line)
            logged_in(c)
    for name, secret in (("ann", PASSWORD), ("odd", ODD)):
        with Imap() as c:                   # literals that are waited for
            tag = c.begin(f"LOGIN {{{len(name)}}}")
            c.go_on()
            c.send(f"{name} {{{len(secret)}}}\r\n")
            c.go_on()
            c.send(secret + "\r\n")
            c.want(tag, "OK")
            logged_in(c)


def told_of_all():
    """The answer to a login says what is possible now."""
    with Imap() as c:
        _, end = c.want(c.begin(f'LOGIN ann "{PASSWORD}"'), "OK")
        m = re.match(rb"OK \[CAPABILITY (.*?)\] ", end)
        assert m, end
        caps = m[1].decode().split()
        assert caps == capabilities(c), caps
        for name in ("STARTTLS", "LOGINDISABLED", "AUTH=PLAIN"):
            assert name not in caps, caps
        assert "IMAP4rev1" in caps
        c.fails("STARTTLS", "BAD")
        c.fails(f'LOGIN ann "{PASSWORD}"', "BAD")
        c.ask("NOOP")


def authenticate():
    with Imap() as c:
        c.ask("AUTHENTICATE PLAIN " + b64(PLAIN))
        logged_in(c)
    with Imap() as c:
        tag = c.begin("authenticate plain")
        assert c.go_on() == b""
        c.send(b64(PLAIN) + "\r\n")
        c.want(tag, "OK")
        logged_in(c)
    with Imap() as c:
        tag = c.begin("AUTHENTICATE LOGIN")
        assert base64.b64decode(c.go_on()) == b"Username:"
        c.send(b64("ann") + "\r\n")
        assert base64.b64decode(c.go_on()) == b"Password:"
        c.send(b64(PASSWORD) + "\r\n")
        c.want(tag, "OK")
        logged_in(c)
    with Imap() as c:
        tag = c.begin("AUTHENTICATE CRAM-MD5")
        stamp = base64.b64decode(c.go_on())
        digest = hmac.new(PASSWORD.encode(), stamp, hashlib.md5).hexdigest()
        c.send(b64("ann " + digest) + "\r\n")
        c.want(tag, "OK")
        logged_in(c)
    with Imap() as c:
        c.fails("AUTHENTICATE FOO")
        c.fails("AUTHENTICATE", "BAD")
        for text in ("*", "&&&", b64("nothing")):
            tag = c.begin("AUTHENTICATE PLAIN")
            c.go_on()
            c.send(text + "\r\n")
            c.want(tag, "BAD")
        c.fails("AUTHENTICATE PLAIN =", "BAD")
        c.ask("NOOP")
        c.login("ann")
        logged_in(c)


def wrong():
    with Imap() as c:
        said = {c.fails(f"LOGIN {name} wrong") for name in
                ("ann", "nobody", f"ann@{DOMAIN}", "ann@far.example")}
        said.add(c.fails("AUTHENTICATE PLAIN " + b64("\0ann\0wrong")))
        assert len(said) == 1, said
        assert said.pop().startswith("NO [AUTHENTICATIONFAILED] ")
        c.login("ann")
        logged_in(c)
    with Imap() as c:
        said = c.fails(f'LOGIN shut "{PASSWORD}"')
        assert re.match(r"NO \[AUTH\w+FAILED\] ", said), said
        said = c.fails('LOGIN ann ""')
        assert said.startswith("NO [AUTHENTICATIONFAILED] "), said


def commands():
    with Imap() as c:
        for line in ("SELECT INBOX", "FROB", "LOGIN ann", "LOGIN", "ID",
                     "LOGIN ann a b", "CAPABILITY x"):
            c.fails(line, "BAD")
        # no tag, or none that could be one
        for line in ("", " ", "x", "* NOOP", "+ NOOP", "a+b NOOP", "(a NOOP",
                     "t" * 300 + " NOOP"):
            c.send(line + "\r\n")
            r = c.response()
            assert b" BAD " in r, (line, r)
    with Imap() as c:
        c.send("t FROB\r\n" * 25)
        for _ in range(20):
            assert c.response().startswith(b"t BAD "), "one more BAD"
        assert c.response().startswith(b"* BYE ")
        assert c.ended()


def limits():
    with Imap() as c:
        c.fails("LOGIN {600+}\r\n" + "z" * 600 + " x", "BAD")
        c.ask("NOOP")
        # one that is waited for is refused before it is sent
        for size in ("9000", "4294967295", "4294967296",
                     "18446744073709551616", "9" * 60, "-1", "1x"):
            c.fails(f"LOGIN {{{size}}}", "BAD")
            c.ask("NOOP")
        c.login("ann")
        logged_in(c)
    # more than anybody reads, which the client does not wait with
    for text in ("x" * 9000 + " {11+}\r\n",
                 "x" * 200000 + " {11}\r\n",
                 "{4294967295+}\r\n", "{18446744073709551616+}\r\n",
                 "{99999999+}\r\nabc\r\n",
                 "{5000+}\r\n" + "x" * 5000 + "\r\n",
                 "{1000+}\r\n" + "x" * 1000 +
                 (" {1000+}\r\n" + "x" * 1000) * 40 + "\r\n"):
        with Imap() as c:
            c.send("t LOGIN " + text + "u NOOP\r\n")
            r = c.response()
            assert re.match(rb"(t|\*) BAD ", r), r
            assert c.response().startswith(b"* BYE ")
            assert c.ended()


def bytes_of_all_kinds():
    with Imap() as c:
        c.send(b"t NO\0OP\r\n")
        assert b" BAD " in c.response()
        c.send(b"t LOGIN ann \"a\0b\"\r\n")
        assert b" BAD " in c.response()
        c.send(b"t LOGIN ann {3+}\r\na\0b\r\n")
        assert c.response().startswith((b"t BAD", b"t NO"))
        c.send(b"t LOGIN \xff\xfe\xfd \"\xc3\xbc\"\r\n")
        assert c.response().startswith((b"t BAD", b"t NO"))
        c.send(b"\xff\xff\r\n")
        assert b" BAD " in c.response()
        c.send(b"t NOOP\n")                 # a bare LF ends a line, too
        assert b"t OK" in c.response()
        c.login("ann")
        logged_in(c)


def pipelined():
    with Imap() as c:
        c.send(f'a NOOP\r\nb LOGIN ann "{PASSWORD}"\r\nc NOOP\r\n'
               'd LIST "" INBOX\r\ne LOGOUT\r\n')
        for tag in "abcde":
            c.want(tag, "OK")
        assert c.ended()
    with Imap("CG_IMAPS", tls=True) as c:
        c.send(f'b LOGIN ann "{PASSWORD}"\r\nc NOOP\r\n'
               'd LIST "" INBOX\r\ne LOGOUT\r\n')
        for tag in "bcde":
            c.want(tag, "OK")
        assert c.ended()
    with Imap() as c:                       # much sent ahead waits its turn
        c.send(f'b LOGIN ann "{PASSWORD}"\r\n' + "n NOOP\r\n" * 5000 +
               "e LOGOUT\r\n")
        c.want("b", "OK")
        for _ in range(5000):
            c.want("n", "OK")
        c.want("e", "OK")
        assert c.ended()
    with Imap() as c:                       # a failure stops nothing
        c.send('a LOGIN ann wrong\r\nb NOOP\r\n')
        c.want("a", "NO")
        c.want("b", "OK")


def gone():
    """Clients that leave at any moment."""
    for data in ("", "t", "t LOGIN ann {5", "t LOGIN ann {5}\r\n",
                 "t AUTHENTICATE LOGIN\r\n",
                 f't LOGIN ann "{PASSWORD}"\r\n'):
        with Imap() as c:
            c.send(data)
    for data in ("", "t", "t LOGIN ann {5+}\r\nabc",
                 "t AUTHENTICATE LOGIN\r\n"):
        with Imap() as c:
            c.send(data)
            c.s.shutdown(socket.SHUT_WR)
            while not c.ended():
                pass
    with Imap() as c:                       # its answers come all the same
        c.send(f'a NOOP\r\nb LOGIN ann "{PASSWORD}"\r\nc NOOP\r\n')
        c.s.shutdown(socket.SHUT_WR)
        for tag in "abc":
            c.want(tag, "OK")


def tls():
    with Imap() as c:
        c.ask("STARTTLS")
        c.secure()
        caps = capabilities(c)
        assert "STARTTLS" not in caps and "AUTH=PLAIN" in caps, caps
        c.fails("STARTTLS", "BAD")
        c.login("ann")
        logged_in(c)
    with Imap("CG_IMAPS", tls=True) as c:
        assert "STARTTLS" not in capabilities(c)
        c.ask("AUTHENTICATE PLAIN " + b64(PLAIN))
        logged_in(c)
    # what came in the clear behind STARTTLS is never obeyed
    for extra in (f'x LOGIN ann "{PASSWORD}"\r\n', "x NOOP\r\n", "x NO",
                  "x LOGIN ann {5+}\r\nab"):
        with Imap() as c:
            c.send("t STARTTLS\r\n" + extra)
            c.want("t", "OK")
            c.secure()
            c.send("y CAPABILITY\r\n")
            assert c.response().startswith(b"* CAPABILITY ")
            assert c.response().startswith(b"y OK")
    # nor is an authentication begun in the clear gone on with
    with Imap() as c:
        tag = c.begin("AUTHENTICATE PLAIN")
        c.go_on()
        c.send("STARTTLS\r\n")
        c.want(tag, "BAD")
    for junk in (b"t NOOP\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 3000):
        with Wire("CG_IMAPS") as w:
            w.send(junk)
            w.s.shutdown(socket.SHUT_WR)
            try:
                while w.s.recv(1000):
                    pass
            except ConnectionResetError:
                pass


def trickled():
    for port, secure in (("CG_IMAP", False), ("CG_IMAPS", True)):
        with Trickle(os.environ[port]) as t, Imap(t.port, secure) as c:
            c.ask("CAPABILITY")
            tag = c.begin(f"LOGIN {{3}}")
            c.go_on()
            c.send(f"ann {{{len(PASSWORD)}+}}\r\n{PASSWORD}\r\n")
            c.want(tag, "OK")
            logged_in(c)
    with Trickle(os.environ["CG_IMAP"]) as t, Imap(t.port) as c:
        c.ask("STARTTLS")
        c.secure()
        tag = c.begin("AUTHENTICATE LOGIN")
        for text in ("ann", PASSWORD):
            c.go_on()
            c.send(b64(text) + "\r\n")
        c.want(tag, "OK")
        logged_in(c)


def slow():
    """Who says nothing is told so, and sent away."""
    with Imap() as c, Imap() as d:
        d.send("t LOGIN ann {5+}\r\nab")
        for x in (c, d):
            assert x.response().startswith(b"* BYE ")
            assert x.ended()


def too_many():
    cli = administrator()
    cli.ask("UpdateModule IMAP {Listener={MaxInputChannels=1000;"
            "MaxFromSameAddress=3;Ports=();};}")

    def refused():
        with Wire("CG_IMAP") as a, Wire("CG_IMAP") as b, \
                Wire("CG_IMAP") as c, Wire("CG_IMAP") as d:
            said = [x.line() for x in (a, b, c, d)]
            return said[3].startswith("* BYE ") and said[0][:4] == "* OK"
    wait_for("a client too many", refused)
    cli.ask("UpdateModule IMAP {Listener={MaxInputChannels=1000;"
            "MaxFromSameAddress=500;Ports=();};}")

    def welcome():
        with Wire("CG_IMAP") as a, Wire("CG_IMAP") as b, \
                Wire("CG_IMAP") as c, Wire("CG_IMAP") as d:
            return all(x.line()[:4] == "* OK" for x in (a, b, c, d))
    wait_for("room again", welcome)
    cli.close()


def misplaced():
    """A password that is said where a tag, a command or a name belongs."""
    cli = administrator()
    for module in "Router", "Main":
        cli.ask(f"UpdateModule {module} {{LogLevel=5;AccountsLogLevel=5;}}")
    cli.close()
    with Imap() as c:
        for line in ("1-splaced", "2-splaced NOOP", "3-splaced x-splaced y",
                     "4-splaced LOGIN 5-splaced 6-splaced",
                     "7-splaced NOOP 8-splaced", "a CAPABILITY 9-splaced"):
            c.send(line + "\r\n")
            end = (line.split()[0] + " ", "* BAD")
            while not c.line().startswith(end):
                pass


def logged():
    text = log()
    assert "splaced" not in text
    for secret in (PASSWORD, b64(PLAIN), b64(PASSWORD), ODD):
        assert secret not in text, secret
    assert "cmd: LOGIN ..." in text or re.search(r"cmd: \S+ LOGIN \.\.\.",
                                                 text)
    assert re.search(r" \d IMAP-\d{6}\(\[127\.0\.0\.1\]\) ", text)


accounts("ann", "shut")
with_odd = administrator()
quoted = ODD.replace("\\", "\\\\").replace('"', '\\"')
with_odd.ask(f'CreateAccount "odd" {{Password="{quoted}";}}')
with_odd.ask("UpdateAccountSettings shut {AccessModes=(2,POP,Relay);}")
with_odd.close()
run([greeting, commands, limits, bytes_of_all_kinds, wrong, login_forms,
     told_of_all, authenticate, misplaced, pipelined, gone, tls, trickled,
     too_many, slow, logged])
