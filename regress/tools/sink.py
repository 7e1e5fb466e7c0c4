"""A mail host for tests that behaves as it is told.

    with Sink(extensions=["PIPELINING"], tls=(key, cert)) as s:
        s.port; s.wait(n) -> the first n messages; s.sessions

A message is a Mail: sender, rcpts (as they came, parameters and all), data
(bytes), session (its number), tls, login.  What it answers comes from
s.answers, a dictionary: a verb, or "RCPT" and a word of the address
("RCPT slow"), to a list of replies used up one by one, the last one for ever;
a reply "DROP" closes the connection, "HANG" says nothing more; "END" is the
reply to the message.
"""
import base64
import dataclasses
import socket
import ssl
import threading
import time

PATIENCE = 120


@dataclasses.dataclass
class Mail:
    sender: str
    rcpts: list
    data: bytes
    session: int
    tls: bool
    login: str


class Gone(Exception):
    pass


class Session:
    def __init__(self, sink, s, number):
        self.sink, self.s, self.number = sink, s, number
        self.f = s.makefile("rb")
        self.tls, self.login = False, ""
        self.reset()

    def reset(self):
        self.sender, self.rcpts, self.data = None, [], b""

    def say(self, text):
        if text == "DROP":
            raise Gone
        if text == "HANG":
            self.sink.over.wait()
            raise Gone
        self.s.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.f.readline(100000)
        if not line.endswith(b"\r\n"):
            raise Gone
        return line[:-2].decode("utf-8", "replace")

    def run(self):
        try:
            if self.sink.tls_at_once:
                self.secure()
            self.say(self.sink.answer("GREET", "220 sink.example ESMTP"))
            while True:
                line = self.line()
                self.sink.heard.append((self.number, line))
                verb = line.split(" ")[0].upper()
                getattr(self, "do_" + verb.lower(), self.other)(line, verb)
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            self.s.close()

    def secure(self):
        self.s = self.sink.context.wrap_socket(self.s, server_side=True)
        self.sink.clients.append(self.s)
        self.f = self.s.makefile("rb")
        self.tls = True

    def do_ehlo(self, line, verb):
        told = self.sink.answer("EHLO", "")
        if told:
            self.say(told)
            return
        extra = list(self.sink.extensions)
        if self.sink.context and not self.tls:
            extra.append("STARTTLS")
        lines = [self.sink.name, *extra]
        for l in lines[:-1]:
            self.say("250-" + l)
        self.say("250 " + lines[-1])

    def do_starttls(self, line, verb):
        told = self.sink.answer("STARTTLS", "220 go on")
        self.say(told)
        if told.startswith("220"):
            self.secure()

    def do_auth(self, line, verb):
        words = line.split(" ")
        if words[1] == "PLAIN":
            self.login = base64.b64decode(words[2]).decode()
        elif words[1] == "CRAM-MD5":
            self.say("334 " + base64.b64encode(b"<1@sink>").decode())
            self.login = base64.b64decode(self.line()).decode()
        self.say(self.sink.answer("AUTH", "235 welcome"))

    def do_mail(self, line, verb):
        told = self.sink.answer("MAIL", "250 2.1.0 ok")
        if told.startswith("2"):
            self.reset()
            self.sender = line[10:]
        self.say(told)

    def do_rcpt(self, line, verb):
        told = self.sink.answer("RCPT", "250 2.1.5 ok", line)
        if self.sender is None:
            told = "503 MAIL first"
        if told.startswith("2"):
            self.rcpts.append(line[8:])
        self.say(told)

    def do_data(self, line, verb):
        told = self.sink.answer("DATA", "354 go on")
        if not self.rcpts:
            told = "554 no recipients"
        self.say(told)
        if not told.startswith("3"):
            return
        data = []
        while True:
            l = self.f.readline()
            if not l.endswith(b"\r\n"):
                raise Gone
            if l == b".\r\n":
                break
            data.append(l[1:] if l.startswith(b".") else l)
            if self.sink.drop_after and \
                    sum(map(len, data)) > self.sink.drop_after:
                self.sink.drop_after = 0
                raise Gone
        self.data = b"".join(data)
        self.end()

    def do_bdat(self, line, verb):
        words = line.split(" ")
        n = int(words[1])
        chunk = self.f.read(n)
        if len(chunk) < n:
            raise Gone
        self.data += chunk
        if not self.rcpts:
            self.say("503 no recipients")
        elif words[-1] == "LAST":
            self.end()
        else:
            self.say("250 2.0.0 more")

    def end(self):
        told = self.sink.answer("END", "250 2.0.0 taken")
        if told.startswith("2"):
            self.sink.take(Mail(self.sender, self.rcpts, self.data,
                                self.number, self.tls, self.login))
        self.reset()
        self.say(told)

    def do_rset(self, line, verb):
        self.reset()
        self.say("250 ok")

    def do_quit(self, line, verb):
        self.say("221 bye")
        raise Gone

    def other(self, line, verb):
        self.say(self.sink.answer(verb, "250 ok"))


class Sink:
    def __init__(self, address="127.0.0.1", port=0, extensions=(),
                 name="sink.example", tls=None, tls_at_once=False):
        self.extensions, self.name = extensions, name
        self.tls_at_once = tls_at_once
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls[1], tls[0])
        self.answers, self.mails, self.heard, self.clients = {}, [], [], []
        self.drop_after = 0
        self.sessions = self.open = self.most = 0
        self.news = threading.Condition()
        self.over = threading.Event()
        self.s = socket.create_server((address, port), backlog=200)
        self.address, self.port = self.s.getsockname()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.hang_up(self.s)
        self.s.close()

    def hang_up(self, *more):
        """Closes all connections."""
        for s in (*more, *self.clients):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                s, _ = self.s.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.clients.append(s)
            self.sessions += 1
            threading.Thread(target=self.session, args=(s, self.sessions),
                             daemon=True).start()

    def session(self, s, number):
        with self.news:
            self.open += 1
            self.most = max(self.most, self.open)
        Session(self, s, number).run()
        with self.news:
            self.open -= 1
            self.news.notify_all()

    def answer(self, verb, usual, line=""):
        with self.news:
            for key, replies in self.answers.items():
                words = key.split(" ")
                if words[0] == verb and all(w in line for w in words[1:]):
                    return replies.pop(0) if len(replies) > 1 else replies[0]
        return usual

    def take(self, mail):
        with self.news:
            self.mails.append(mail)
            self.news.notify_all()

    def wait(self, n, seconds=PATIENCE):
        """The first n messages."""
        end = time.monotonic() + seconds
        with self.news:
            while len(self.mails) < n:
                left = end - time.monotonic()
                if left <= 0 or not self.news.wait(left):
                    raise AssertionError(
                        f"{len(self.mails)} of {n} messages: {self.mails}")
            return self.mails[:n]
