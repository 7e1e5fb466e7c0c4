#!/usr/bin/env python3
# suite: own
"""A front without descriptors: new clients are told or closed at once, it is
logged, other fronts do not notice, and when clients leave all is well."""
import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, limit_files, wait_for  # noqa: E402

CONF = """processes smtpd 1
processes pop3d 1
settings SMTP { Listener = {MaxInputChannels=1000; MaxFromSameAddress=0;}; }
settings POP { Listener = {MaxInputChannels=1000; MaxFromSameAddress=0;}; }
"""
ROOM = 12                       # descriptors for clients


def connect(port):
    """The socket and its first line, "" if it was closed at once."""
    s = socket.create_connection(("127.0.0.1", port), 60)
    try:
        return s, s.makefile("rb").readline()
    except ConnectionResetError:
        return s, b""


def log(s):
    return "".join(p.read_text(errors="replace") for p in
                   pathlib.Path(s.base, "SystemLogs").glob("*.log"))


def smtp_mail(s, c):
    """The last answer to a message sent by a client that is there."""
    f = c.makefile("rb")
    for line in ("EHLO x", "MAIL FROM:<>", f"RCPT TO:<ann@{s.domain}>",
                 "DATA", "Subject: x\r\n\r\nx\r\n."):
        c.sendall(line.encode() + b"\r\n")
        while (answer := f.readline())[3:4] == b"-":
            pass
        if not answer.startswith((b"2", b"3")):
            break
    return answer


def pop_login(c):
    f = c.makefile("rb")
    c.sendall(f"USER ann\r\nPASS {PASSWORD}\r\n".encode())
    f.readline()
    return f.readline()


def exhaust(s, name, port, good, busy):
    """All clients that are served, when the front is full."""
    pid = next(p for p, n in s.children().items() if n == name)
    used = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    limit_files(pid, used + ROOM)
    served, refused = [], 0
    while refused < 5:
        c, line = connect(port)
        if line.startswith(good):
            assert refused == 0, "a client was let in after one was not"
            served.append(c)
            assert len(served) <= ROOM + used, "there is no limit"
            continue
        assert line == b"" or line.startswith(busy), line
        c.close()
        refused += 1
    assert served, f"{name} serves nobody"
    wait_for("a line of the log", lambda: "no descriptors left" in log(s))
    assert next(p for p, n in s.children().items() if n == name) == pid
    return served


def recovers(port, served, good):
    for c in served:
        c.close()

    def again():
        c, line = connect(port)
        c.close()
        return line.startswith(good)
    wait_for("clients to be served again", again)


def main():
    if os.geteuid() != 0:
        print("not root: limits of other processes cannot be set; skipped")
        return
    with Suite(accounts=["ann"], conf=CONF) as s:
        served = exhaust(s, "smtpd", s.smtp, b"220", b"421")
        # A file that is passed to it may find no room: then it is later.
        answer = smtp_mail(s, served[0])
        assert answer.startswith((b"250", b"4")), answer
        c, line = connect(s.pop)
        assert line.startswith(b"+OK") and pop_login(c).startswith(b"+OK")
        c.close()
        recovers(s.smtp, served, b"220")
        c, line = connect(s.smtp)
        answer = smtp_mail(s, c)
        assert answer.startswith(b"250"), answer
        served = exhaust(s, "pop3d", s.pop, b"+OK", b"-ERR [SYS/TEMP]")
        # Nor is there one to give to a worker.
        answer = pop_login(served[0])
        assert answer.startswith((b"+OK", b"-ERR [SYS/TEMP]")), answer
        c, line = connect(s.smtp)
        assert smtp_mail(s, c).startswith(b"250")
        recovers(s.pop, served, b"+OK")
        c, line = connect(s.pop)
        assert pop_login(c).startswith(b"+OK")


main()
