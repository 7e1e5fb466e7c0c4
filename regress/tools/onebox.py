"""Accounts that are one mailbox each (john.mbox, john.mdir): a suite that
knows where they are; mail, POP sessions and kills, for the tests of both."""
import os
import pathlib
import poplib
import smtplib

from cgtest import PASSWORD, Suite, wait_for
from mailer import storm, verify

ROUNDS = int(os.environ.get("CG_ROUNDS", "30"))
CONF = "settings Queue { RetryEvery = 1s; }\n"
VICTIMS = ["stored-delivery", "worker", "stored", "authd", "stored-worker",
           "queued", "routerd"]


class OneBox(Suite):
    """Names in it may be of a secondary domain, name@domain."""

    def __init__(self, kind, ending, **kw):
        super().__init__(conf=CONF, **kw)
        self.kind, self.ending = kind, ending

    def box(self, account):
        name, _, domain = account.partition("@")
        where = f"Domains/{domain}" if domain else "Accounts"
        return pathlib.Path(self.base, where, name + self.ending)

    def address(self, account):
        return account if "@" in account else f"{account}@{self.domain}"


def make(s, *names, kind=None, more=""):
    cli = s.cli()
    for name in names:
        cli.ask(f'CreateAccount {name} {kind or s.kind} '
                f'{{Password="{PASSWORD}";{more}}}')
    cli.close()


def send(s, account, subject, body="hello\r\n"):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.sendmail("ann@far.example", [s.address(account)],
                   f"Subject: {subject}\r\n\r\n{body}")


def pop(s, account):
    p = poplib.POP3("127.0.0.1", s.pop, timeout=60)
    p.user(account)
    p.pass_(PASSWORD)
    return p


def uids(p):
    return [x.split()[1] for x in p.uidl()[1]]


def has(s, account, n):
    """Waits for so many messages."""
    def look():
        try:
            return len(s.mail(account)) == n
        except AssertionError:
            return False        # somebody is just writing
    wait_for(f"{n} messages for {account}", look)


def counted(s, name):
    """How many a session says there are; None without a session."""
    try:
        p = pop(s, name)
        n = p.stat()[0]
        p.quit()
        return n
    except (poplib.error_proto, OSError, EOFError):
        return None


def survive(s, names, rest=lambda: None):
    """Kills while they get mail and are read; rest() waits for the files to
    be in their places."""
    m, sessions = storm(s, names, ROUNDS, int(os.environ.get("CG_SEED", "3")),
                        lambda i: s.victims(VICTIMS[i % len(VICTIMS)]))
    for n in names:
        wait_for("a session", lambda: counted(s, n) is not None)
    rest()
    seen = verify(s, m)
    for n in names:
        assert counted(s, n) == sum(a == n for a in seen.values())
    print(f"{ROUNDS} rounds: {len(m.answered)} answered, {len(seen)} "
          f"delivered, {sessions} sessions")
    assert len(m.answered) >= ROUNDS and sessions > 0
