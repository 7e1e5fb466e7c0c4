#!/usr/bin/env python3
# suite: own
"""Alerts of the server, a domain, an account: by POP as an error, by IMAP at
the login and while a session is open, each once; kept until removed; and who
may post them."""
import pathlib
import poplib
import re
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, PATIENCE, Cli, Suite, kill, wait_for  # noqa: E402

CONF = "settings IMAP { IdleTime = 1s; }\n"


def pop(s, name):
    """"" or the error that PASS was answered with."""
    p = poplib.POP3("127.0.0.1", s.pop, PATIENCE)
    try:
        p.user(name)
        p.pass_(PASSWORD)
        p.quit()
        return ""
    except poplib.error_proto as e:
        p.close()
        return e.args[0].decode()


class Imap:
    def __init__(self, s, name, tls=False):
        port = s.env["CG_IMAPS"] if tls else s.imap
        self.s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        if tls:
            ctx = ssl.create_default_context(cafile=s.env["CG_CA"])
            ctx.check_hostname = False
            self.s = ctx.wrap_socket(self.s)
        self.f = self.s.makefile("rb")
        self.f.readline()
        self.login = self.ask(f'LOGIN {name} "{PASSWORD}"')

    def ask(self, text):
        """All lines up to the tagged one."""
        self.s.sendall(b"a " + text.encode() + b"\r\n")
        lines = []
        while not lines or not lines[-1].startswith("a "):
            line = self.f.readline()
            assert line, lines
            lines.append(line.decode().rstrip("\r\n"))
        assert lines[-1].startswith("a OK"), lines
        return lines

    def line(self):
        return self.f.readline().decode().rstrip("\r\n")

    def alerts(self):
        return found(self.login)

    def close(self):
        self.f.close()
        self.s.close()


def found(lines):
    return [t[len("* OK [ALERT] "):] for t in lines if "[ALERT]" in t]


def login(s, name):
    c = Imap(s, name)
    c.close()
    return c.alerts()


def ask(cli, command):
    """The data of an answer, one line."""
    cli.f.write(b"INLINE\r\n" if not hasattr(cli, "inline") else b"")
    if not hasattr(cli, "inline"):
        cli.f.flush()
        cli.line()
        cli.inline = True
    answer = cli.send(command)
    assert answer[:1] == "2", answer
    return answer[4:]


def by_pop(s, cli):
    cli.ask('PostServerAlert "the server stops at noon"')
    cli.ask('PostDomainAlert "clean your boxes"')
    cli.ask('PostAccountAlert ann ALERT "see the postmaster"')
    got = pop(s, "ann")
    assert "ALERT: the server stops at noon" in got, got
    assert "ALERT: clean your boxes" in pop(s, "ann")
    assert "ALERT: see the postmaster" in pop(s, "ann")
    assert pop(s, "ann") == ""
    assert ask(cli, "GetAccountAlerts ann") == "{}"
    assert "ALERT: the server" in pop(s, "ben")
    # Over a restart, those that were seen stay so.
    kill([p for p, n in s.children().items() if n == "authd"][0])
    wait_for("authd", lambda: "TEMP" not in pop(s, "ann"))
    assert pop(s, "ann") == ""
    assert "clean your boxes" in pop(s, "ben")
    # They are no failed logins.
    assert "AUTH-FAIL" not in s.log()


def by_imap(s, cli):
    assert login(s, "cat") == ["the server stops at noon", "clean your boxes"]
    assert login(s, "cat") == []
    cli.ask('PostAccountAlert cat ALERT "only for cat"')
    assert login(s, "cat") == ["only for cat"]
    assert login(s, "cat") == []


def while_open(s, cli):
    """A session that waits, one that idles, one that was put aside."""
    busy, idle, aside = (Imap(s, "dan") for _ in range(3))
    tls = Imap(s, "dan", True)
    other = Imap(s, "cat")
    busy.ask("SELECT INBOX")
    idle.ask("SELECT INBOX")
    idle.s.sendall(b"b IDLE\r\n")
    assert idle.line().startswith("+")
    wait_for("sessions put aside", lambda: int(re.search(
        r"IdleSessions=(\d+)", ask(cli, "Status"))[1]) >= 4)
    cli.ask('PostDomainAlert "now"')
    for c in (busy, idle, aside, tls, other):
        assert c.line() == "* OK [ALERT] now", c
    # Those that come back go on as if nothing had been said.
    idle.s.sendall(b"DONE\r\n")
    assert idle.line().startswith("b OK")
    # A worker that is up tells it, too.
    assert found(busy.ask("NOOP")) == []
    cli.ask('PostAccountAlert dan ALERT "and now"')
    assert busy.line() == "* OK [ALERT] and now"
    for c in (busy, idle, aside, tls, other):
        c.close()
    assert login(s, "dan") == [] and login(s, "cat") == []
    assert pop(s, "dan") == ""
    assert ask(cli, "GetAccountAlerts dan") == "{}"


def sets(s, cli):
    shown = ask(cli, "GetDomainAlerts")
    stamps = re.findall(r"(\d{14})=", shown)
    assert len(stamps) == 2 and "clean your boxes" in shown, shown
    cli.ask(f"RemoveDomainAlert {stamps[0]}")
    assert "clean" not in ask(cli, "gtalrt test.example")
    assert cli.send(f"RemoveDomainAlert {stamps[0]}")[:1] == "5"
    cli.ask(f'SetServerAlerts {{{stamps[0]}="only this";}}')
    assert ask(cli, "GetServerAlerts") == f'{{{stamps[0]}="only this";}}'
    cli.ask("SetServerAlerts {}")
    cli.ask("stalrt {}")
    assert ask(cli, "GetServerAlerts") == "{}"
    cli.ask("CreateAccount new {Password=\"%s\";}" % PASSWORD)
    assert login(s, "new") == []
    for bad in ('SetDomainAlerts {today="x";}', 'PostDomainAlert ""',
                'PostDomainAlert "%s"' % ("x" * 500),
                'PostDomainAlert no.such ALERT "x"', "GetClusterAlerts",
                'PostAccountAlert nobody ALERT "x"'):
        assert cli.send(bad)[:1] == "5", bad
    # Lines stay one line; settings are not shown, nor lost.
    cli.ask('PostAccountAlert new ALERT "two\\elines"')
    assert "lines" not in ask(cli, "GetAccountSettings new")
    cli.ask("SetAccountSettings new {RealName=N;}")
    assert login(s, "new") == ["two lines"]


def rights(s, cli):
    port = s.env["CG_PWD"]
    cli.ask("CreateDomain other.example")
    cli.ask(f'CreateAccount adm@other.example {{Password="{PASSWORD}";}}')
    user = Cli(port, "adm@other.example", PASSWORD)
    for no in ("GetDomainAlerts", 'PostDomainAlert "x"', "GetServerAlerts",
               'PostServerAlert "x"', 'PostAccountAlert adm ALERT "x"',
               "SetDomainAlerts {}"):
        assert user.send(no)[:1] == "5", no
    assert user.send("GetAccountAlerts *")[:1] == "2"
    user.close()
    cli.ask("SetAccountRights adm@other.example (CanPostAlerts)")
    user = Cli(port, "adm@other.example", PASSWORD)
    user.ask('PostDomainAlert "for ours"')
    user.ask('PostAccountAlert adm ALERT "for me"')
    for no in ("GetServerAlerts", 'PostServerAlert "x"',
               'PostDomainAlert test.example ALERT "x"',
               'PostAccountAlert ann@test.example ALERT "x"',
               "GetDomainAlerts test.example"):
        assert user.send(no)[:1] == "5", no
    user.close()
    assert login(s, "adm@other.example") == ["for ours", "for me"]
    assert login(s, "ann") == []
    # A domain's other name is as good as its own.
    cli.ask("SetDomainAliases other.example (else.example)")
    cli.ask('PostDomainAlert else.example ALERT "by the alias"')
    cli.ask('PostAccountAlert adm@else.example ALERT "to the alias"')
    stamp = re.search(r"(\d{14})=\"by the alias\"",
                      ask(cli, "GetDomainAlerts other.example"))
    assert stamp, ask(cli, "GetDomainAlerts other.example")
    assert login(s, "adm@else.example") == ["by the alias", "to the alias"]
    cli.ask(f"RemoveDomainAlert else.example ALERT {stamp[1]}")
    assert "alias" not in ask(cli, "GetDomainAlerts else.example")
    cli.ask("DeleteDomain other.example FORCE")
    cli.ask("CreateDomain other.example")
    assert ask(cli, "GetDomainAlerts other.example") == "{}"


def spoiled(s, cli):
    """A file that cannot be read keeps nobody out, and stays as it is."""
    for where, get, put in (
            ("ServerAlerts.settings", "GetServerAlerts",
             ('PostServerAlert "x"', "SetServerAlerts {}")),
            ("Alerts.settings", "GetDomainAlerts",
             ('PostDomainAlert "x"', "SetDomainAlerts {}"))):
        path = pathlib.Path(s.base, "Accounts/Settings", where)
        cli.ask(put[0])
        text = path.read_text().replace("{", "{ 20010604102030 = lost", 1)
        path.write_text(text)
        for command in (get, *put):
            answer = cli.send(command)
            assert answer[:1] == "5" and "read" in answer, (command, answer)
        for _ in range(3):
            assert pop(s, "ann") == "" and path.read_text() == text
        path.write_text("{}\n")
        cli.ask(put[0])
        assert "x" in pop(s, "ann")
        cli.ask(put[1])
    # That is logged, but not again and again.
    pop(s, "nobody")
    wait_for("the last line", lambda: "AUTH-FAIL POP *" in s.log())
    for where in "ServerAlerts", "Alerts":
        assert s.log().count(f" {where}.settings of ") == 1, where


def main():
    with Suite(accounts=["ann", "ben", "cat", "dan"], conf=CONF) as s:
        cli = s.cli()
        assert pop(s, "ann") == "" and login(s, "ann") == []
        by_pop(s, cli)
        cli.close()
        cli = s.cli()           # the old one's ticket went with authd
        by_imap(s, cli)
        assert login(s, "dan") != []
        while_open(s, cli)
        sets(s, cli)
        rights(s, cli)
        spoiled(s, cli)
        cli.close()


main()
