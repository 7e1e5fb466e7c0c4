#!/usr/bin/env python3
"""idle.py [-t] [-w] [-n CONNECTIONS] [-a ACCOUNTS]

What idle IMAP clients cost: so many connections (10,000 of 5,000 accounts),
all in IDLE, from two processes; -t over TLS.  Then the PSS of all processes of
a throw-away suite together, before and with them, a connection.  As root.

-w: then all come back at once, each with a command.  Who gets no answer, how
long that takes for all, how many workers there are then, and their PSS."""
import argparse
import os
import pathlib
import re
import selectors
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "regress/tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402

CONF = """
processes imapd 2
settings IMAP { LogLevel = 1; IdleTime = 1s;
	Listener = { MaxFromSameAddress = 20000; MaxInputChannels = 20000; }; }
"""


def pss(s):
    """{name: (processes, KiB)} of the suite."""
    found = {}
    for pid, name in list(s.children().items()) + [(s.server(), "cgserver")]:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        n, kib = found.get(name, (0, 0))
        found[name] = (n + 1, kib + int(re.search(r"^Pss:\s+(\d+)", text,
                                                  re.M)[1]))
    return found


def connect(port, tls, names):
    """A connection in IDLE for each name."""
    kept = []
    context = ssl._create_unverified_context() if tls else None
    for name in names:
        c = socket.create_connection(("127.0.0.1", port), 120)
        if tls:
            c = context.wrap_socket(c)
        rest = b""
        for say, until in (
                ("", b"ready\r\n"),
                (f'a LOGIN {name} "{PASSWORD}"\r\n', b"a OK"),
                ("b SELECT INBOX\r\n", b"b OK"),
                ("c IDLE\r\n", b"+ ")):
            c.sendall(say.encode())
            while until not in rest:
                more = c.recv(4096)
                if not more:
                    raise SystemExit(f"closed: {rest!r}")
                rest += more
            rest = b""
        # OpenSSL's own memory is not what is measured.
        kept.append(c if tls else c.detach())
    return kept


def wake(kept):
    """All at once; how many were answered, and the seconds until the last."""
    kept = [socket.socket(fileno=c) if isinstance(c, int) else c
            for c in kept]
    begin = time.monotonic()
    for c in kept:
        c.sendall(b"DONE\r\nd NOOP\r\n")
    sel = selectors.DefaultSelector()
    for c in kept:
        c.setblocking(False)
        sel.register(c, selectors.EVENT_READ, bytearray())
    last, answered = begin, 0
    while sel.get_map() and (ready := sel.select(60)):
        for key, _ in ready:
            try:
                more = key.fileobj.recv(4096)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                more = b""
            key.data.extend(more)
            if b"d OK" in key.data:
                answered += 1
                last = time.monotonic()
            elif more:
                continue
            else:
                print("lost:", bytes(key.data[-200:]), flush=True)
            sel.unregister(key.fileobj)
    return answered, last - begin


def generator(port, tls, names):
    r, w = os.pipe()
    hold_r, hold_w = os.pipe()
    if os.fork() == 0:
        os.close(hold_w)
        kept = connect(port, tls, names)
        os.write(w, b"!")
        if os.read(hold_r, 1):
            os.write(w, struct.pack("=Id", *wake(kept)))
            os.read(hold_r, 1)
        os._exit(0)
    os.close(w)
    os.close(hold_r)
    return r, hold_w


class Watch(threading.Thread):
    """The most workers at a time, and all processes' PSS with them."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.most, self.kib, self.over = s, 0, 0, False
        self.start()

    def run(self):
        while not self.over:
            seen = pss(self.s)
            self.most = max(self.most, seen["stored-worker"][0] - 1)
            self.kib = max(self.kib, sum(k for _, k in seen.values()))
            time.sleep(0.2)


def all_back(s, ends):
    watch = Watch(s)
    for _, w in ends:
        os.write(w, b"w")
    told = [struct.unpack("=Id", os.read(r, 12)) for r, _ in ends]
    watch.over = True
    watch.join()
    print(f"all back at once: {sum(n for n, _ in told)} answered, the last "
          f"after {max(t for _, t in told):.1f} s; at most {watch.most} "
          f"workers, {watch.kib} KiB")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-t", "--tls", action="store_true")
    p.add_argument("-w", "--wake", action="store_true")
    p.add_argument("-n", type=int, default=10000)
    p.add_argument("-a", type=int, default=5000)
    args = p.parse_args()
    names = [f"u{i}" for i in range(args.a)]
    with Suite(accounts=names, conf=CONF) as s:
        before = pss(s)
        port = int(s.env["CG_IMAPS" if args.tls else "CG_IMAP"])
        begin = time.monotonic()
        half = [names[i % args.a] for i in range(args.n // 2)]
        ends = [generator(port, args.tls, half) for _ in range(2)]
        for r, _ in ends:
            if os.read(r, 1) != b"!":
                raise SystemExit("a generator failed")
        print(f"{time.monotonic() - begin:.0f} s to log in and idle")
        wait_for("the workers' end", lambda:
                 list(s.children().values()).count("stored-worker") == 1, 300)
        time.sleep(7)
        after = pss(s)
        for name in sorted(after):
            print(f"{name:16} {before.get(name, (0, 0))[1]:7} "
                  f"{after[name][1]:7} KiB ({after[name][0]} processes)")
        sums = [sum(k for _, k in x.values()) for x in (before, after)]
        print(f"all: {sums[0]} KiB without, {sums[1]} KiB with {args.n}: "
              f"{sums[1] / args.n:.2f} KiB each, all in; "
              f"{(sums[1] - sums[0]) / args.n:.2f} more a connection")
        if args.wake:
            all_back(s, ends)
        for _, w in ends:
            os.close(w)


if __name__ == "__main__":
    main()
