#!/usr/bin/env python3
"""Logins: stored forms of passwords, SASL and APOP, what a stranger hears,
limits of failures, services, names; by POP, SMTP and PWD."""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, kill, wait_for  # noqa: E402
from wire import administrator, log, processes  # noqa: E402

E = os.environ
DOMAIN = E["CG_DOMAIN"]
SECRET = "Sesam oeffne dich 17"


class Line:
    """A connection that speaks lines."""

    def __init__(self, port, source="127.0.0.1", tls=False):
        self.s = socket.create_connection(
            ("127.0.0.1", int(port)), 60, (source, 0))
        if tls:
            c = ssl.create_default_context(cafile=E["CG_CA"])
            c.check_hostname = False
            self.s = c.wrap_socket(self.s)
        self.f = self.s.makefile("rwb")
        self.greeting = self.line()

    def line(self):
        text = self.f.readline().decode().rstrip("\r\n")
        while text[3:4] == "-" and text[:3].isdigit():
            text = self.f.readline().decode().rstrip("\r\n")
        return text

    def ask(self, text):
        self.f.write(text.encode() + b"\r\n")
        self.f.flush()
        return self.line()

    def close(self):
        self.f.close()
        self.s.close()


def b64(s):
    return base64.b64encode(s.encode()).decode()


def pop(name, password, **kw):
    """The answer to PASS."""
    c = Line(E["CG_POPS" if kw.get("tls") else "CG_POP"], **kw)
    c.ask(f"USER {name}")
    answer = c.ask(f"PASS {password}")
    if answer.startswith("+OK"):
        assert c.ask("QUIT").startswith("+OK")
    c.close()
    return answer


def apop(name, password):
    c = Line(E["CG_POP"])
    stamp = c.greeting[c.greeting.index("<"):c.greeting.index(">") + 1]
    digest = hashlib.md5((stamp + password).encode()).hexdigest()
    answer = c.ask(f"APOP {name} {digest}")
    c.close()
    return answer


def smtp(mech, name, password, authz=""):
    c = Line(E["CG_SMTP"])
    c.ask("EHLO test")
    if mech == "PLAIN":
        answer = c.ask("AUTH PLAIN " + b64(f"{authz}\0{name}\0{password}"))
    elif mech == "LOGIN":
        assert c.ask("AUTH LOGIN").startswith("334")
        assert c.ask(b64(name)).startswith("334")
        answer = c.ask(b64(password))
    else:
        challenge = c.ask("AUTH CRAM-MD5")
        assert challenge.startswith("334 "), challenge
        digest = hmac.new(password.encode(),
                          base64.b64decode(challenge[4:]), "md5").hexdigest()
        answer = c.ask(b64(f"{name} {digest}"))
    c.close()
    return answer


def good(answer):
    assert answer.startswith(("+OK", "235", "200")), answer


def bad(answer):
    assert not answer.startswith(("+OK", "235", "200")), answer


def settings(name):
    return pathlib.Path(E["CG_BASE"], "Accounts", name + ".macnt",
                        "account.settings").read_bytes()


def stored_forms(cli):
    forms = {
        "des": (r"\002rl.3StKT.4T8M", "rasmuslerdorf"),
        "crypt": (r"\002{crypt}rl.3StKT.4T8M", "rasmuslerdorf"),
        "wmcry": (r"\002{WM-CRY}rl.3StKT.4T8M", "rasmuslerdorf"),
        "bsd": (r"\002$1$rasmusle$rISCgZzpwk3UhDidwXvin0",
                "rasmuslerdorf"),
        "md5": (r"\002{MD5}XrY7u+Ae7tCTyyK7j1rNww==", "hello world"),
        "sha": (r"\002{SHA}Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "hello world"),
    }
    salt = "0123456789abcdef" * 2
    forms["mta"] = (r"\002{NS-MTA-MD5}" + hashlib.md5(
        salt.encode() + b"Ytesting\xf7" + salt.encode()).hexdigest() + salt,
        "testing")
    for name, (stored, clear) in forms.items():
        cli.ask(f'CreateAccount {name} {{Password="{stored}";}}')
        good(pop(name, clear))
        good(pop(name, clear))          # by the memory of the first
        bad(pop(name, clear[1:]))
        bad(apop(name, clear))          # one way: no digest can be made
    for name, how in (("clear", "clear"), ("ucrpt", "U-crpt"),
                      ("sealed", "A-crpt")):
        cli.ask(f'CreateAccount {name} '
                f'{{PasswordEncryption="{how}";Password="{SECRET}";}}')
        good(pop(name, SECRET))
        bad(pop(name, SECRET + "x"))
        bad(pop(name, ""))
        (bad if how == "U-crpt" else good)(apop(name, SECRET))
        assert (SECRET.encode() in settings(name)) == (how == "clear")
    assert b"\\003" in settings("sealed"), settings("sealed")
    assert b"$6$" in settings("ucrpt"), settings("ucrpt")
    # What only the vendor can read: refused like a wrong one, and said.
    assert cli.send(r'CreateAccount "vendor" {Password="\001abc";}'
                    )[:3] == "501"


def slow_forms(cli):
    """A form that takes long to check keeps only its own login waiting; one
    that takes too long is refused."""
    cli.ask('CreateAccount slow {Password="\\002$6$rounds=900000$salt$x";}')
    cli.ask('CreateAccount endless '
            '{Password="\\002$6$rounds=900000000$salt$x";}')
    cli.ask(f'CreateAccount quick {{Password="{SECRET}";}}')
    waiting = []
    for i in range(4):
        c = Line(E["CG_POP"], source=f"127.0.1.{i + 1}")
        c.ask("USER slow")
        c.f.write(b"PASS wrong\r\n")
        c.f.flush()
        waiting.append(c)
    begin = time.monotonic()
    good(pop("quick", SECRET))
    took = time.monotonic() - begin
    for c in waiting:
        bad(c.line())
        c.close()
    all_took = time.monotonic() - begin
    assert took < all_took / 2, f"a login waited {took} of {all_took} s"
    bad(pop("endless", "wrong", source="127.0.1.9"))
    wait_for("the log to say why", lambda: "costly-password" in log())


def methods(cli):
    cli.ask(f'CreateAccount ann {{Password="{SECRET}";}}')
    for mech in ("PLAIN", "LOGIN", "CRAM-MD5"):
        good(smtp(mech, "ann", SECRET))
        good(smtp(mech, f"ann@{DOMAIN}", SECRET))
        bad(smtp(mech, "ann", SECRET[:-1]))
    good(smtp("PLAIN", "ann", SECRET, authz="ann"))
    bad(smtp("PLAIN", "ann", SECRET, authz="postmaster"))
    good(apop("ann", SECRET))
    bad(apop("ann", "x" + SECRET))
    good(pop("ann", SECRET, tls=True))
    for name in (f"ann@{DOMAIN}", f"ann%{DOMAIN}", "ANN", f"Ann%{DOMAIN}"):
        good(pop(name, SECRET))
    Cli(E["CG_PWD"], "ann", SECRET).close()


def strangers_learn_nothing(cli):
    for ask in (lambda n: pop(n, "wrong"), lambda n: apop(n, "wrong"),
                lambda n: smtp("PLAIN", n, "wrong"),
                lambda n: smtp("CRAM-MD5", n, "wrong")):
        known, unknown = ask("ann"), ask("nobody-here")
        bad(known)
        assert known == unknown, (known, unknown)
    wait_for("the log's lines", lambda: "AUTH-FAIL POP * "
             "[127.0.0.1] unknown-account" in log())
    assert "nobody-here" not in log(), "it may have been a password"
    wait_for("those, too", lambda: f"AUTH-FAIL SMTP ann@{DOMAIN} "
             "[127.0.0.1] wrong-password" in log())
    cli.ask("UpdateModule Main {HideAccountUnknown=NO;}")
    wait_for("open answers", lambda: pop("nobody-here2", "wrong") !=
             pop("ann", "wrong"))
    cli.ask("UpdateModule Main {HideAccountUnknown=default;}")
    wait_for("hidden answers", lambda: pop("nobody-here3", "wrong") ==
             pop("ann", "wrong"))


def limits(cli):
    cli.ask(f'CreateAccount bob {{Password="{SECRET}";'
            'FailedLoginFlow=(3,3s);}')
    for _ in range(3):
        bad(pop("bob", "wrong"))
    # A limit of his own is not told: no other name has it.
    assert pop("bob", SECRET) == pop("no-bob", "wrong", source="127.0.0.3")
    # His own address is not locked; nor is his neighbour here.
    good(pop("bob", SECRET, source="127.0.0.2"))
    good(pop("ann", SECRET))
    assert "too-many-failures" in wait_for(
        "the limit's line", lambda: "too-many-failures" in log() and log())
    wait_for("the end of the lock", lambda: pop("bob", SECRET)
             .startswith("+OK"), 30)
    # A name that does not exist is locked just so: by the defaults' limit.
    cli.ask("UpdateModule Account {FailedLoginFlow=(3,2m);}")
    locked = wait_for("a lock of nobody", lambda: [
        a for a in [pop("nobody-home", "wrong")] if "too many" in a])[0]
    aliases(cli, locked)
    any_spelling(cli, locked)
    cli.ask("UpdateModule Account {FailedLoginFlow=default;}")


def aliases(cli, locked):
    """An alias and its account are locked together, but not so that failures
    by the one show at the other, as they would not at two who are nobody."""
    master = E["CG_ADMIN_NAME"]         # abuse is an alias of it
    wrong = pop("nobody-at-all", "wrong", source="127.0.2.1")
    for _ in range(3):
        assert pop("abuse", "wrong", source="127.0.2.2") == wrong
    assert pop("abuse", "wrong", source="127.0.2.2") == locked
    for password in ("wrong", E["CG_ADMIN_PASSWORD"]):
        assert pop(master, password, source="127.0.2.2") == wrong
    good(pop(master, E["CG_ADMIN_PASSWORD"], source="127.0.2.3"))


def any_spelling(cli, locked):
    """Three failures by one spelling of a name lock each other one, whether
    there is such an account or not: else the answer would tell."""
    cli.ask(f'CreateAccount dan {{Password="{SECRET}";}}')
    cli.ask("CreateDomain limit.example")
    cli.ask("SetDomainAliases limit.example (limited.example)")
    cli.ask("CreateAccount dan@limit.example")
    other = ["{}@limit.example", "{}@limited.example", "{}+x@limit.example",
             "box#{}@limit.example", "{}%LIMITED.example"]
    main = ["{}", "{}@" + DOMAIN, "{}+x", "box#{}@" + DOMAIN, "x@{}.local",
            "{}%" + DOMAIN.upper(), "{}@" + DOMAIN + ".here"]
    n = 2
    for spellings in (main, other):
        for i in range(len(spellings)):
            n += 1
            for name in ("dan", "nob.ody"):
                first, *more = [s.format(name) for s in
                                spellings[i:] + spellings[:i]]
                for _ in range(3):
                    answer = pop(first, "wrong", source=f"127.0.0.{n}")
                    bad(answer)
                    assert answer != locked, first
                for s in more:
                    answer = pop(s, "wrong", source=f"127.0.0.{n}")
                    assert answer == locked, f"{first}, {s}: {answer}"


def services(cli):
    cli.ask(f'CreateAccount carl {{Password="{SECRET}";'
            'AccessModes=(Mail,PWD,TLS,Mobile);}')
    bad(pop("carl", SECRET))
    bad(smtp("PLAIN", "carl", SECRET))
    Cli(E["CG_PWD"], "carl", SECRET).close()
    cli.ask("UpdateAccountSettings carl {AccessModes=(2,POP,Relay);}")
    good(pop("carl", SECRET))
    good(smtp("PLAIN", "carl", SECRET))
    bad(pop("carl", SECRET, tls=True))
    cli.ask("UpdateAccountSettings carl {AccessModes=default;}")
    good(pop("carl", SECRET, tls=True))
    cli.ask("UpdateAccountSettings carl {RequireAPOP=YES;}")
    bad(pop("carl", SECRET))
    bad(smtp("PLAIN", "carl", SECRET))
    good(smtp("CRAM-MD5", "carl", SECRET))
    good(pop("carl", SECRET, tls=True))
    good(apop("carl", SECRET))
    cli.ask("UpdateAccountSettings carl "
            "{RequireAPOP=default;UseAppPassword=NO;}")
    bad(pop("carl", SECRET))
    # A wrong password is a wrong password, whatever is disabled.
    assert pop("carl", "wrong") == pop("nobody-here4", "wrong")


def other_domain(cli):
    cli.ask("CreateDomain other.example")
    cli.ask(f'CreateAccount ann@other.example {{Password="other {SECRET}";}}')
    good(pop("ann@other.example", "other " + SECRET))
    good(pop("ann%other.example", "other " + SECRET))
    bad(pop("ann", "other " + SECRET))
    cli.ask("UpdateDomainSettings other.example "
            "{DomainAccessModes=(Mail,IMAP);}")
    wait_for("the domain's services", lambda: not pop(
        "ann@other.example", "other " + SECRET).startswith("+OK"))


def unreadable(cli):
    """As after a base directory was taken over: stored in the vendor's own
    form.  Such a login is refused, and said; the accounts are listed."""
    theirs = ["Accounts/vera.macnt", "Accounts/victor.macnt",
              "Domains/other.example/vendor.macnt"]
    for name in ("vera", "victor", "vendor@other.example"):
        cli.ask(f'CreateAccount {name} {{Password="{SECRET}";}}')
    for path in theirs:
        pathlib.Path(E["CG_BASE"], path, "account.settings").write_text(
            '{Password="\\001abc";}')
    kill(processes("authd")[0])

    def refused():
        bad(pop("vera", SECRET))
        return re.search(r"AUTH-FAIL POP vera@\S+ \[127.0.0.1\] "
                         "unreadable-password .*A-crpt", log())
    wait_for("the log to say so", refused)
    cli = administrator()
    cli.ask("INLINE")
    listed = "ListUnreadablePasswords"
    assert cli.ask(listed) == "201 (vera,victor)" or \
        cli.ask(listed) == "201 (victor,vera)", cli.ask(listed)
    assert cli.ask(listed + " other.example") == "201 (vendor)"
    cli.ask(f'SetAccountPassword vera To "{SECRET}"')
    good(pop("vera", SECRET))
    assert cli.ask(listed) == "201 (victor)"
    for domain in ("nowhere.example", '"../Accounts"', '".."'):
        assert cli.send(f"{listed} {domain}") == "501 unknown domain"
    ann = Cli(E["CG_PWD"], "ann", SECRET)
    assert "no right" in ann.send(listed)
    ann.close()
    cli.close()


def main():
    cli = administrator()
    stored_forms(cli)
    slow_forms(cli)
    methods(cli)
    strangers_learn_nothing(cli)
    limits(cli)
    services(cli)
    other_domain(cli)
    unreadable(cli)
    cli.close()
    text = log()
    for secret in (SECRET, E["CG_ADMIN_PASSWORD"], "rasmuslerdorf"):
        assert secret not in text, "a password is in the log"


main()
