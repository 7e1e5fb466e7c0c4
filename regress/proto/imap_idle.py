#!/usr/bin/env python3
# suite: -c $TOP/regress/proto/imap_idle.conf
"""IMAP clients that idle are handed back: their worker ends, and comes back
for them, with all that was done meanwhile told exactly.

Workers take their time to end, so the tests wait for that together: each is a
generator that yields where all shall be asleep, and has an account of its own.
"""
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill  # noqa: E402
from wire import (Imap, Smtp, accounts, address,  # noqa: E402
                  administrator, messages, processes, wait_for, workers)

PORTS = (("CG_IMAP", False), ("CG_IMAPS", True))


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


def mail_while_idle(name, port, tls):
    with Client(name, port=port, tls=tls) as c:
        c.idle()
        for i in range(1, 3):
            yield
            deliver(name)
            c.hears(rf"\* {i} EXISTS", r"\* \d+ RECENT")
        assert c.done() == [], "something was told twice"
        c.ask("FETCH 2 BODY.PEEK[]")
        c.ask("LOGOUT")
    yield


def silence(name, port, tls):
    """Who is only silent is not woken, but told at his next command."""
    with Client(name, port=port, tls=tls) as c:
        yield
        deliver(name)
        messages(name, 1)
        got = c.ask("NOOP")
        assert b"1 EXISTS" in got, got
        yield
        # Two commands at once, the second split.
        c.send("a1 NOOP\r\na2 NO")
        assert c.response().startswith(b"a1 OK")
        c.send("OP\r\n")
        assert c.response().startswith(b"a2 OK")


def nothing_selected(name, port, tls):
    with Client(name, None, port, tls) as c:
        yield
        c.ask("SELECT INBOX")


def others_change(name):
    """Flags and expunges of another session, seen by idle ones."""
    deliver(name, 5)
    messages(name, 5)
    idlers = [Client(name, port=port, tls=tls) for port, tls in PORTS * 2]
    for c in idlers[:2]:
        c.idle()
    yield
    with Client(name) as c:
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
    yield
    for i in idlers[2:]:
        got = i.ask("NOOP")
        gone = [g for g in got if g.endswith(b"EXPUNGE")]
        assert gone in ([b"1 EXPUNGE", b"3 EXPUNGE"],
                        [b"4 EXPUNGE", b"1 EXPUNGE"]), got
        assert any(re.fullmatch(flags(1, r"\\Flagged").encode(),
                                b"* " + g) for g in got), got
    yield
    for i in idlers[:2]:
        assert i.done() == []
    for i in idlers:
        got = i.ask("FETCH 1:* (UID FLAGS)")
        assert [re.sub(rb" \\Recent|\\Recent ?", b"", g) for g in got] == [
            b"1 FETCH (UID 2 FLAGS (\\Flagged))",
            b"2 FETCH (UID 3 FLAGS ())",
            b"3 FETCH (UID 5 FLAGS ())"], got
        i.close()


def other_mailboxes(name):
    """Each is told of its own mailbox, and woken for it alone."""
    with Client(name, None) as c:
        c.ask("CREATE Work")
        with Client(name, "Work") as w, Client(name) as i:
            w.idle()
            i.idle()
            c.ask("NOOP")
            yield
            text = b"Subject: x\r\n\r\ny\r\n"
            tag = c.begin(f"APPEND Work {{{len(text)}+}}\r\n" + text.decode())
            c.want(tag, "OK")
            w.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
            deliver(name)
            i.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
            yield
            assert w.done() == [] and i.done() == []


def gone_while_idle(name, port, tls):
    """Clients that leave without a word leave nothing behind."""
    idler, silent = (Client(name, port=port, tls=tls) for _ in range(2))
    idler.idle()
    yield
    idler.close()
    deliver(name)
    yield
    silent.close()
    deliver(name)
    cli = administrator()
    cli.ask(f"GetAccountSettings {name}")
    cli.close()


def ended(name, port, tls, command):
    """By the administrator."""
    idler, silent = (Client(name, port=port, tls=tls) for _ in range(2))
    idler.idle()
    yield
    cli = administrator()
    cli.ask(command.format(name))
    print(name, idler.bye(), "/", silent.bye())
    cli.close()


def disabled(name, port, tls):
    yield from ended(name, port, tls,
                     "UpdateAccountSettings {0} {{AccessModes=(Mail,POP);}}")


def renamed(name, port, tls):
    yield from ended(name, port, tls, "RenameAccount {0} into {0}x")


def deleted(name, port, tls):
    yield from ended(name, port, tls, "DeleteAccount {0}")


def too_long_silent(name, port, tls):
    idler, silent = (Client(name, port=port, tls=tls) for _ in range(2))
    idler.idle()
    yield
    yield
    yield
    for c in idler, silent:
        c.s.settimeout(120)
        assert "too long" in c.bye()


def killed_worker(name):
    """The worker dies under live sessions: idle ones do not notice."""
    c = Client(name)
    c.idle()
    yield
    before = workers()
    live = Client(name)
    for pid in set(workers()) - set(before):
        kill(pid, signal.SIGKILL)
    assert live.ended()
    yield
    deliver(name)
    c.hears(r"\* 1 EXISTS", r"\* 1 RECENT")
    c.done()
    c.close()


def again(name):
    def login():
        try:
            return Client(name)
        except (AssertionError, EOFError, OSError):
            return None
    return wait_for("a login", login)


def killed_broker(name):
    """Its key is gone: clients are told to come again, and can."""
    clients = [Client(name, port=port, tls=tls) for port, tls in PORTS * 2]
    for c in clients[:2]:
        c.idle()
    yield
    for pid in processes("stored"):
        kill(pid, signal.SIGKILL)
    for c in clients:
        print(name, c.bye())
    with again(name) as c:
        c.idle()
        yield
        deliver(name)
        c.hears(r"\* 1 EXISTS", r"\* 1 RECENT")


def killed_front(name):
    """Its clients go, and nothing waits for them."""
    yield
    c = again(name)
    c.idle()
    yield
    for pid in processes("imapd"):
        kill(pid, signal.SIGKILL)
    assert c.ended()
    deliver(name)
    with again(name) as c:
        wait_for("the mail", lambda: b"1 EXISTS" in c.ask("SELECT INBOX"))


def together(*tests):
    """Each up to where it yields, then all sleep, and so on; one with PORTS in
    its parameters runs for each."""
    todo = []
    for t in tests:
        ports = PORTS if t.__code__.co_argcount > 1 else [()]
        for i, p in enumerate(ports):
            name = f"{t.__name__.replace('_', '')}{i}"
            accounts(name)
            todo.append((t.__name__, t(name, *p)))
    while todo:
        went_on = []
        for name, g in todo:
            try:
                next(g)
                went_on.append((name, g))
            except StopIteration:
                print(f"{name}: done", flush=True)
            except BaseException:
                print(f"{name}: failed", flush=True)
                raise
        todo = went_on
        asleep()


if __name__ == "__main__":
    together(too_long_silent, mail_while_idle, silence, nothing_selected,
             others_change, other_mailboxes, gone_while_idle, disabled,
             renamed, deleted, killed_worker)
    together(killed_broker, killed_front)
