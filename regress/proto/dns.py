#!/usr/bin/env python3
"""The DNS server that tests have: what stands in $CG_ZONE, as it stands now."""
import os
import socket
import struct


def ask(name, qtype, tcp=False):
    """(rcode, truncated, authentic, number of answers), None: silence."""
    labels = b"".join(bytes([len(w)]) + w.encode() for w in name.split("."))
    q = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + \
        struct.pack("!HH", qtype, 1)
    to = ("127.0.0.1", int(os.environ["CG_DNS"]))
    if tcp:
        with socket.create_connection(to, 60) as s:
            s.sendall(struct.pack("!H", len(q)) + q)
            with s.makefile("rb") as f:
                a = f.read(struct.unpack("!H", f.read(2))[0])
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(60)
            s.sendto(q, to)
            a = s.recv(4096)
    ident, bits, _, count = struct.unpack("!HHHH", a[:8])
    assert ident == 7
    return bits & 15, bool(bits & 0x200), bool(bits & 0x20), count


def zone(text):
    with open(os.environ["CG_ZONE"], "w", encoding="utf-8") as f:
        f.write(text)


A, MX, TLSA = 1, 15, 52
assert ask("mail.example", A) == (2, False, False, 0)
zone("""
mail.example A 127.0.0.2
example.org MX 10 mail.example
null.example MX 0 .
loop.example CNAME pool.example
pool.example CNAME loop.example
broken.example SERVFAIL
long.example TRUNCATE
long.example A 127.0.0.3
*.wild.example A 127.0.0.4
_25._tcp.mail.example TLSA 3 1 1 00ff
_25._tcp.mail.example AD
""")
assert ask("mail.example", A) == (0, False, False, 1)
assert ask("example.org", MX) == (0, False, False, 1)
assert ask("null.example", MX) == (0, False, False, 1)
assert ask("loop.example", A)[3] > 0
assert ask("broken.example", A)[0] == 2
assert ask("long.example", A) == (0, True, False, 0)
assert ask("long.example", A, tcp=True) == (0, False, False, 1)
assert ask("a.b.wild.example", A) == (0, False, False, 1)
assert ask("_25._tcp.mail.example", TLSA) == (0, False, True, 1)
assert ask("mail.example", MX) == (0, False, False, 0)
zone("")
assert ask("mail.example", A) == (3, False, False, 0)
