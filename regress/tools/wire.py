"""SMTP, POP and IMAP by hand, for tests that mean each byte: connections, replies,
pieces, TLS; and the accounts of a test.  Standard library only."""
import os
import re
import socket
import ssl
import sys
import time

import cgtest
from cgtest import (ACCOUNT_SETTINGS, ACCOUNT_TYPE, Cli,  # noqa: F401
                    MDIR, PASSWORD, SINGLE, inbox, read_mbox, wait_for)

PATIENCE = 60
DOMAIN = os.environ.get("CG_DOMAIN", "")


class Wire:
    """One connection.  What is sent is exactly what is given."""

    def __init__(self, port, tls=False, patience=PATIENCE,
                 server_name=None, source=""):
        port = int(os.environ[port] if isinstance(port, str) else port)
        self.s = socket.create_connection(("127.0.0.1", port), patience,
                                          (source, 0))
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = None
        self.server_name = server_name
        if tls:
            self.secure(None if tls is True else tls)
        else:
            self.f = self.s.makefile("rb")

    def secure(self, context=None):
        if context is None:
            context = ssl.create_default_context(
                cafile=os.environ.get("CG_CA"))
            context.check_hostname = False
        self.s = context.wrap_socket(self.s,
                                     server_hostname=self.server_name)
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data.encode() if isinstance(data, str) else data)

    def pieces(self, data, size=1):
        for i in range(0, len(data), size):
            self.s.sendall(data[i:i + size])

    def line(self):
        line = self.f.readline()
        if not line:
            raise EOFError("the server closed the connection")
        if not line.endswith(b"\r\n"):
            raise AssertionError(f"a line without CRLF: {line!r}")
        return line[:-2].decode()

    def ended(self):
        """The server has nothing more to say and closes."""
        return self.f.readline() == b""

    def close(self):
        self.f.close()
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Smtp(Wire):
    def __init__(self, port="CG_SMTP", tls=False, hello="EHLO client.example",
                 **kw):
        super().__init__(port, tls, **kw)
        self.want(220)
        if hello:
            self.ask(hello, 250)

    def reply(self):
        """(code, [texts])"""
        texts = []
        while True:
            line = self.line()
            texts.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), texts

    def want(self, *codes):
        code, texts = self.reply()
        if code not in codes:
            raise AssertionError(f"{code} {texts}, not {codes}")
        return texts

    def ask(self, line, *codes):
        self.send(line + "\r\n")
        try:
            return self.want(*codes)
        except AssertionError as e:
            raise AssertionError(f"{line!r}: {e}") from None

    def begin(self, *rcpts, sender="sender@far.example"):
        self.ask(f"MAIL FROM:<{sender}>", 250)
        for r in rcpts:
            self.ask(f"RCPT TO:<{r}>", 250)
        self.ask("DATA", 354)

    def text(self, data, *codes):
        """The text as it stands, CRLF . CRLF included; the id if 250."""
        self.send(data)
        return self.want(*(codes or (250,)))[0].split()[1]


class Pop(Wire):
    def __init__(self, port="CG_POP", tls=False, **kw):
        super().__init__(port, tls, **kw)
        self.greeting = self.ok()

    def ok(self):
        line = self.line()
        if not line.startswith("+OK"):
            raise AssertionError(f"{line!r}, not +OK")
        return line[4:]

    def err(self):
        line = self.line()
        if not line.startswith("-ERR"):
            raise AssertionError(f"{line!r}, not -ERR")
        return line[5:]

    def ask(self, line):
        self.send(line + "\r\n")
        return self.ok()

    def fails(self, line):
        self.send(line + "\r\n")
        return self.err()

    def many(self):
        lines = []
        while (line := self.line()) != ".":
            lines.append(line[1:] if line.startswith(".") else line)
        return lines

    def login(self, name, password=PASSWORD):
        self.ask(f"USER {name}")
        return self.ask(f"PASS {password}")


class Imap(Wire):
    """Responses are bytes, literals among them, without the last CRLF."""

    def __init__(self, port="CG_IMAP", tls=False, **kw):
        super().__init__(port, tls, **kw)
        self.serial = 0
        self.greeting = self.response()
        if not self.greeting.startswith(b"* OK "):
            raise AssertionError(f"{self.greeting!r}, not * OK")

    def response(self):
        whole = b""
        while True:
            line = self.f.readline()
            if not line.endswith(b"\n"):       # a server that was killed
                raise EOFError("the server closed the connection")
            if not line.endswith(b"\r\n"):
                raise AssertionError(f"a line without CRLF: {line!r}")
            whole += line
            m = re.search(rb"\{(\d+)\}\r\n$", line)
            if not m:
                return whole[:-2]
            whole += self.f.read(int(m[1]))

    def begin(self, command):
        """Sends a command, answers its tag."""
        self.serial += 1
        tag = f"t{self.serial}"
        if isinstance(command, str):
            command = command.encode()
        self.send(tag.encode() + b" " + command + b"\r\n")
        return tag

    def end(self, tag):
        """(untagged responses, what follows the tag)"""
        untagged = []
        while True:
            r = self.response()
            if r.startswith(tag.encode() + b" "):
                return untagged, r[len(tag) + 1:]
            if not r.startswith(b"* "):
                raise AssertionError(f"{r!r}, not for {tag}")
            untagged.append(r[2:])

    def go_on(self):
        """The server asks for what comes next."""
        r = self.response()
        if not r.startswith(b"+"):
            raise AssertionError(f"{r!r}, not +")
        return r[2:]

    def want(self, tag, kind):
        untagged, end = self.end(tag)
        if not end.startswith(kind.encode()):
            raise AssertionError(f"{end!r}, not {kind}")
        return untagged, end

    def ask(self, command):
        """The untagged responses of a command that must succeed."""
        return self.want(self.begin(command), "OK")[0]

    def fails(self, command, kind="NO"):
        """What is said of a command that must fail."""
        return self.want(self.begin(command), kind)[1].decode()

    def login(self, name, password=PASSWORD):
        return self.ask(f'LOGIN {name} "{password}"')


def administrator():
    return Cli(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
               os.environ["CG_ADMIN_PASSWORD"])


def server():
    return cgtest.server(os.environ["CG_BASE"])


def processes(name):
    """Ids of the daemons of that name."""
    return [p for p, n in cgtest.descendants(server()).items() if n == name]


def workers():
    return cgtest.workers(server())


def accounts(*names):
    cli = administrator()
    for n in names:
        cli.ask(f'CreateAccount "{n}" {ACCOUNT_TYPE} '
                f'{{Password="{PASSWORD}";{ACCOUNT_SETTINGS}}}')
    cli.close()


def address(name):
    return f"{name}@{DOMAIN}"


def box(name):
    return str(inbox(os.environ["CG_BASE"], name))


def messages(name, count):
    """The texts in that mailbox, once there are so many."""
    def there():
        try:
            found = [text for _, text in read_mbox(box(name))]
        except AssertionError:          # it is being written
            return None
        return found if len(found) >= count else None
    found = wait_for(f"{count} messages for {name}", there)
    if len(found) != count:
        raise AssertionError(f"{len(found)} messages for {name}")
    return found


def queue_file(number):
    path = os.path.join(os.environ["CG_BASE"], "Queue", f"{number}.msg")
    with open(path, "rb") as f:
        return f.read()


def log():
    text = ""
    folder = os.path.join(os.environ["CG_BASE"], "SystemLogs")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), errors="replace") as f:
            text += f.read()
    return text


def run(tests):
    """Runs functions in order; says which one failed, and goes on."""
    import traceback
    failed = 0
    for t in tests:
        start = time.monotonic()
        try:
            t()
        except Exception:
            failed += 1
            print(f"--- {t.__name__} failed", file=sys.stderr)
            traceback.print_exc()
        else:
            print(f"{t.__name__}: {time.monotonic() - start:.2f} s")
    sys.exit(1 if failed else 0)
