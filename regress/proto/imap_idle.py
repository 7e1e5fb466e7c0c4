#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/imap_idle.conf
"""IMAP clients that idle are handed back: their worker ends, and comes back
for them, with all that was done meanwhile told exactly."""
import os
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import descendants, kill  # noqa: E402
from wire import (Imap, Smtp, accounts, address,  # noqa: E402
                  administrator, messages, run, wait_for)

PORTS = (("CG_IMAP", False), ("CG_IMAPS", True))


def processes(name):
    server = int(pathlib.Path(os.environ["CG_BASE"],
                              "ProcessID").read_text().split()[0])
    return [p for p, n in descendants(server).items()
            if n == name[:15]]


def workers():
    """All but the template, which is their parent."""
    all_of_them = processes("stored-worker")

    def parent(pid):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return 0
        return int(stat.rpartition(")")[2].split()[1])
    return [p for p in all_of_them if parent(p) in all_of_them]


def asleep():
    wait_for("the workers' end", lambda: not workers())


def deliver(name, count=1):
    with Smtp() as s:
        for i in range(count):
            s.begin(address(name))
            s.text(f"Subject: number {i}\r\n\r\nbody {i}\r\n.\r\n")


def flags(number, names):
    """A FETCH of flags; the UID may stand before them, \\Recent with them."""
    return (rf"\* {number} FETCH \((UID \d+ )?FLAGS "
            rf"\(({names}( \\Recent)?|\\Recent {names})\)\)")


class Client(Imap):
    def __init__(self, name, mailbox="INBOX", port="CG_IMAP", tls=False):
        super().__init__(port, tls)
        self.login(name)
        if mailbox:
            self.ask(f"SELECT {mailbox}")

    def idle(self):
        self.tag = self.begin("IDLE")
        self.go_on()

    def done(self):
        """What was told up to the end of IDLE."""
        self.send("DONE\r\n")
        return self.want(self.tag, "OK")[0]

    def hears(self, *wanted):
        for w in wanted:
            r = self.response()
            if not re.fullmatch(w.encode(), r):
                raise AssertionError(f"{r!r}, not {w}")

    def bye(self):
        """The last words; nothing follows."""
        r = self.response()
        assert r.startswith(b"* BYE "), r
        assert self.ended()
        self.close()
        return r[6:].decode()


def mail_while_idle():
    accounts("ann")
    for port, tls in PORTS:
        with Client("ann", port=port, tls=tls) as c:
            before = len(c.ask("SEARCH ALL")[0].split()) - 1
            c.idle()
            for i in range(1, 3):
                asleep()
                deliver("ann")
                c.hears(rf"\* {before + i} EXISTS", r"\* \d+ RECENT")
            assert c.done() == [], "something was told twice"
            c.ask(f"FETCH {before + 2} BODY.PEEK[]")
            c.ask("LOGOUT")
    asleep()


def silence():
    """Who is only silent is not woken, but told at his next command."""
    accounts("ben")
    for port, tls in PORTS:
        with Client("ben", port=port, tls=tls) as c:
            before = len(c.ask("SEARCH ALL")[0].split()) - 1
            asleep()
            deliver("ben")
            messages("ben", before + 1)
            got = c.ask("NOOP")
            assert f"{before + 1} EXISTS".encode() in got, got
            asleep()
            # Two commands at once, the second split.
            c.send("a1 NOOP\r\na2 NO")
            assert c.response().startswith(b"a1 OK")
            c.send("OP\r\n")
            assert c.response().startswith(b"a2 OK")
    with Client("ben", mailbox=None) as c:      # nothing selected
        asleep()
        c.ask("SELECT INBOX")


def others_change():
    """Flags and expunges of another session, seen by idle ones."""
    accounts("cat")
    deliver("cat", 5)
    messages("cat", 5)
    idlers = [Client("cat", port=port, tls=tls) for port, tls in PORTS * 2]
    for c in idlers[:2]:
        c.idle()
    asleep()
    with Client("cat") as c:
        c.ask("STORE 2 +FLAGS.SILENT (\\Flagged)")
        for i in idlers[:2]:
            i.hears(flags(2, r"\\Flagged"))
        c.ask("STORE 1,4 +FLAGS.SILENT (\\Deleted)")
        for i in idlers[:2]:
            i.hears(flags(1, r"\\Deleted"), flags(4, r"\\Deleted"))
        c.ask("EXPUNGE")
        for i in idlers[:2]:
            one, two = i.response(), i.response()
            assert (one, two) in ((b"* 1 EXPUNGE", b"* 3 EXPUNGE"),
                                  (b"* 4 EXPUNGE", b"* 1 EXPUNGE")), (one, two)
        c.ask("LOGOUT")
    asleep()
    for i in idlers[2:]:
        got = i.ask("NOOP")
        gone = [g for g in got if g.endswith(b"EXPUNGE")]
        assert gone in ([b"1 EXPUNGE", b"3 EXPUNGE"],
                        [b"4 EXPUNGE", b"1 EXPUNGE"]), got
        assert any(re.fullmatch(flags(1, r"\\Flagged").encode(),
                                b"* " + g) for g in got), got
    asleep()
    for i in idlers[:2]:
        assert i.done() == []
    for i in idlers:
        got = i.ask("FETCH 1:* (UID FLAGS)")
        assert [re.sub(rb" \\Recent|\\Recent ?", b"", g) for g in got] == [
            b"1 FETCH (UID 2 FLAGS (\\Flagged))",
            b"2 FETCH (UID 3 FLAGS ())",
            b"3 FETCH (UID 5 FLAGS ())"], got
        i.close()


def other_mailboxes():
    """Each is told of its own mailbox, and woken for it alone."""
    accounts("dan")
    with Client("dan", None) as c:
        c.ask("CREATE Work")
        with Client("dan", "Work") as w, Client("dan") as i:
            w.idle()
            i.idle()
            c.ask("NOOP")
            asleep()
            text = b"Subject: x\r\n\r\ny\r\n"
            tag = c.begin(f"APPEND Work {{{len(text)}+}}\r\n" + text.decode())
            c.want(tag, "OK")
            w.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
            deliver("dan")
            i.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
            asleep()
            assert w.done() == [] and i.done() == []


def gone_while_idle():
    """Clients that leave without a word leave nothing behind."""
    accounts("eve")
    for port, tls in PORTS:
        for idle in (False, True):
            c = Client("eve", port=port, tls=tls)
            if idle:
                c.idle()
            asleep()
            c.close()
            deliver("eve")
    cli = administrator()
    cli.ask("GetAccountSettings eve")
    cli.close()


def ended_by_administrator():
    accounts("fay", "gil", "hal")
    cli = administrator()
    for port, tls in PORTS:
        for name, command in (
                ("fay", "UpdateAccountSettings fay {AccessModes=(Mail,POP);}"),
                ("gil", "RenameAccount gil into gus"),
                ("hal", "DeleteAccount hal")):
            idler, silent = (Client(name, port=port, tls=tls)
                             for _ in range(2))
            idler.idle()
            asleep()
            cli.ask(command)
            print(name, idler.bye(), "/", silent.bye())
        cli.ask("UpdateAccountSettings fay {AccessModes=Default;}")
        cli.ask("RenameAccount gus into gil")
        accounts("hal")
    cli.close()


def too_long_silent():
    accounts("ida")
    idler, silent = Client("ida"), Client("ida", port="CG_IMAPS", tls=True)
    idler.idle()
    asleep()
    idler.s.settimeout(120)
    silent.s.settimeout(120)
    assert "too long" in idler.bye()
    assert "too long" in silent.bye()


def killed_worker():
    """The worker dies under live sessions: idle ones do not notice."""
    accounts("joe")
    c = Client("joe")
    c.idle()
    asleep()
    live = Client("joe")
    for pid in workers():
        kill(pid, signal.SIGKILL)
    assert live.ended()
    asleep()
    deliver("joe")
    c.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
    c.done()
    c.close()


def killed_broker():
    """Its key is gone: clients are told to come again, and can."""
    accounts("kim")
    clients = [Client("kim", port=port, tls=tls) for port, tls in PORTS * 2]
    for c in clients[:2]:
        c.idle()
    asleep()
    for pid in processes("stored"):
        kill(pid, signal.SIGKILL)
    for c in clients:
        print("kim", c.bye())

    def again():
        try:
            return Client("kim")
        except (AssertionError, EOFError, OSError):
            return None
    with wait_for("a login", again) as c:
        c.idle()
        asleep()
        deliver("kim")
        c.hears(r"\* 1 EXISTS", r"\* 1 RECENT")


def killed_front():
    """Its clients go, and nothing waits for them."""
    accounts("lea")
    c = Client("lea")
    c.idle()
    asleep()
    for pid in processes("imapd"):
        kill(pid, signal.SIGKILL)
    assert c.ended()
    deliver("lea")

    def again():
        try:
            return Client("lea")
        except (AssertionError, EOFError, OSError):
            return None
    with wait_for("a login", again) as c:
        wait_for("the mail", lambda: b"1 EXISTS" in c.ask("SELECT INBOX"))


if __name__ == "__main__":
    run([mail_while_idle, silence, others_change, other_mailboxes,
         gone_while_idle, ended_by_administrator, too_long_silent,
         killed_worker, killed_broker, killed_front])
