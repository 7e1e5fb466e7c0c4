"""IMAP's rows of the bench: the same commands to the suite and to Dovecot, by
one client that reads as fast as the server writes.
"""
import socket
import statistics
import time

import cgtest
import peers

COUNT = 10000
SEEN = 4000                     # bytes of a message


class Client:
    def __init__(self, port, name, password):
        self.s = socket.create_connection(("127.0.0.1", port), 120)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.until(b"* OK")
        self.ask(f'LOGIN "{name}" "{password}"')

    def close(self):
        self.ask("LOGOUT")
        self.s.close()

    def until(self, begin):
        """All bytes up to and with the line that begins so."""
        got = self.rest
        at = 0
        while True:
            end = got.rfind(b"\n") + 1
            i = 0 if got.startswith(begin) else \
                got.find(b"\n" + begin, max(0, at)) + 1
            if (i or got.startswith(begin)) and \
                    (nl := got.find(b"\n", i)) != -1:
                self.rest = got[nl + 1:]
                return got[:nl + 1]
            at = end - len(begin) - 2
            more = self.s.recv(1 << 20)
            if not more:
                raise SystemExit(f"bench: closed, waiting for {begin!r}")
            got += more

    def ask(self, command):
        self.s.sendall(b"t " + command.encode() + b"\r\n")
        answer = self.until(b"t ")
        last = answer[answer.rstrip().rfind(b"\n") + 1:]
        if not last.startswith(b"t OK"):
            raise SystemExit(f"bench: {command[:60]}: {last!r}")
        return answer

    def timed(self, command):
        """ms"""
        begin = time.monotonic()
        self.ask(command)
        return (time.monotonic() - begin) * 1000


class Server:
    """What a row needs of either side."""

    def __init__(self, server, port, password, load):
        self.port, self.password, self.load = port, password, load
        self.names = server.accounts

    def client(self, name=None):
        return Client(self.port, name or self.names[0], self.password)

    def append(self, clients, count, size, names=None):
        """Into mailboxes that one client has opened before: several of
        Dovecot's processes that make one at once may trip over one another,
        and one of them dies."""
        names = names or self.names
        for name in names:
            c = self.client(name)
            c.ask("SELECT INBOX")
            c.close()
        return self.load("append", self.port, clients, count, size,
                         self.password, *names)[0]

    def filled(self, command="SELECT INBOX"):
        """A client in a mailbox of COUNT messages."""
        self.append(8, COUNT, SEEN, self.names[:1])
        c = self.client()
        c.ask(command)
        return c


def logins(server):
    args = server.password, *server.names
    server.load("imap", server.port, 8, len(server.names), *args)
    return server.load("imap", server.port, 8, 3000, *args)[0]


ITEMS = "FETCH 1:* (ENVELOPE FLAGS BODYSTRUCTURE)"


def warm(command):
    def measure(server):
        c = server.filled()
        c.ask(command)
        ms = statistics.median(c.timed(command) for _ in range(5))
        c.close()
        return ms
    return measure


def cold(server):
    c = server.filled("NOOP") if server.fill is None else server.fill()
    ms = c.timed("SELECT INBOX") + c.timed(ITEMS)
    c.close()
    return ms


def appends(server):
    server.append(8, 800, 4096)
    return server.append(8, 4000, 4096)


def stores(server):
    c = server.filled()
    c.ask("STORE 1:* +FLAGS (\\Flagged)")
    ms = c.timed("STORE 1:* +FLAGS (\\Seen)")
    c.close()
    return ms


def expunge(server):
    c = server.filled()
    for first in range(1, COUNT, 2000):
        every = ",".join(map(str, range(first, first + 2000, 2)))
        c.ask(f"STORE {every} +FLAGS.SILENT (\\Deleted)")
    ms = c.timed("EXPUNGE")
    c.close()
    return ms


def told(server):
    """ms from APPEND's OK to EXISTS at another client in IDLE."""
    a, b = server.client(), server.client()
    b.ask("SELECT INBOX")
    took = []
    text = "Subject: told\r\n\r\nnow\r\n"
    for i in range(20):
        b.s.sendall(b"t IDLE\r\n")
        b.until(b"+")
        a.ask(f"APPEND INBOX {{{len(text)}+}}\r\n{text}")
        begin = time.monotonic()
        b.until(f"* {i + 1} EXISTS".encode())
        took.append((time.monotonic() - begin) * 1000)
        b.s.sendall(b"DONE\r\n")
        b.until(b"t OK")
    a.close()
    b.close()
    return max(statistics.median(took), 0.01)


def by_smtp(suite, load):
    """Mail that no worker has seen: COUNT messages, by delivery."""
    def fill():
        name = suite.accounts[0]
        load("smtp", suite.smtp, 8, COUNT, SEEN, "bench@example.com",
             suite.address(name))
        cgtest.wait_for("the mail", lambda: not suite.queue())
        return Client(suite.imap, name, cgtest.PASSWORD)
    return fill


def rows(suite, load):
    names = [f"u{i}" for i in range(8)]

    def row(measure, mail="mdbox", tuned=False):
        def ours(_root):
            with suite(names) as s:
                server = Server(s, s.imap, cgtest.PASSWORD, load)
                server.fill = by_smtp(s, load)
                return measure(server)

        def theirs(root):
            with peers.Dovecot(root, names, mail, tuned) as s:
                server = Server(s, s.imap, peers.PASSWORD, load)
                server.fill = None
                return measure(server)
        return ours, theirs

    def both(what, goals, measure):
        return [(f"{what}, ms", f"Dovecot {mail}", goal, row(measure, mail))
                for mail, goal in zip(("mdbox", "maildir"), goals)]

    return [
        ("IMAP logins, 8 clients", "Dovecot tuned", 1.0,
         row(logins, tuned=True)),
        *both("FETCH of envelopes, flags, structure of 10,000, warm", (2, 2),
              warm(ITEMS)),
        *both("the same, cold", (1.0, 1.0), cold),
        *both("SEARCH BODY over 10,000, warm", (2, 2),
              warm("SEARCH BODY xyzzyx")),
        ("APPEND, 8 clients, durable", "Dovecot mdbox", 1.5, row(appends)),
        *both("STORE 1:* on 10,000", (1.0, 3), stores),
        *both("EXPUNGE of every second of 10,000", (1.0, 10), expunge),
        ("APPEND's OK to EXISTS in IDLE, ms", "Dovecot mdbox", "< 20 ms",
         row(told)),
    ]
