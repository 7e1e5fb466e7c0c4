#!/usr/bin/env python3
"""fakedns.py [-p PORT] ZONEFILE

A DNS server for tests on 127.0.0.1, UDP and TCP, that knows what stands in a
small text file and nothing else; changes of the file count at once.  Prints
its port; ends with its standard input.  Or, from a test:
with FakeDns(path) as dns: ... dns.port dns.asked

A line of the zone is  NAME [TTL] TYPE DATA  with absolute names, no final dot
needed; # and ; begin comments.  Types:

    A AAAA NS CNAME PTR MX TXT SRV      as usual ("MX 0 ." is the null MX)
    TLSA  usage selector matching hex
    SERVFAIL REFUSED NXDOMAIN           the name answers so
    TIMEOUT                             it never answers
    TRUNCATE                            UDP answers are truncated; ask by TCP
    AD                                  its answers are marked authentic
    SLOW seconds                        they come so late

A name may begin with *. , which stands for one or more labels, or be * alone.
CNAMEs are followed here as far as the zone goes, loops too, as a resolver
would.  Names that do not exist are NXDOMAIN; names without that type an empty
answer.
"""
import argparse
import ipaddress
import os
import socket
import struct
import sys
import threading
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
         "TXT": 16, "AAAA": 28, "SRV": 33, "TLSA": 52, "ANY": 255}
NAMES = {v: k for k, v in TYPES.items()}
FLAGS = {"SERVFAIL", "REFUSED", "NXDOMAIN", "TIMEOUT", "TRUNCATE", "AD",
         "SLOW"}
RCODE = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}
QR, AA, TC, RD, RA, AD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x20
MAXCHAIN = 16


def canonical(name):
    return name.rstrip(".").lower()


def wire_name(name):
    out = b""
    for label in canonical(name).split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def wire_data(kind, words):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind in ("NS", "CNAME", "PTR"):
        return wire_name(words[0])
    if kind == "MX":
        return struct.pack("!H", int(words[0])) + wire_name(words[1])
    if kind == "SRV":
        return struct.pack("!HHH", *map(int, words[:3])) + wire_name(words[3])
    if kind == "TLSA":
        return bytes(map(int, words[:3])) + bytes.fromhex("".join(words[3:]))
    if kind == "TXT":
        text = " ".join(words).strip('"').encode()
        parts = [text[i:i + 255] for i in range(0, len(text), 255)] or [b""]
        return b"".join(bytes([len(p)]) + p for p in parts)
    raise ValueError(f"no such type: {kind}")


class Zone:
    def __init__(self, text):
        self.records = {}       # name: [(type, ttl, data, target)]
        self.flags = {}         # name: {flag: argument}
        for number, line in enumerate(text.split("\n"), 1):
            words = self.words(line)
            if words:
                try:
                    self.add(words)
                except (ValueError, IndexError) as e:
                    raise ValueError(f"zone, line {number}: {e}") from None

    @staticmethod
    def words(line):
        out = []
        for w in line.split():
            if w[0] in "#;":
                break
            out.append(w)
        return out

    def add(self, words):
        name, words = canonical(words[0]), words[1:]
        ttl = int(words.pop(0)) if words[0].isdigit() else 60
        kind = words.pop(0).upper()
        if kind == "IN":
            kind = words.pop(0).upper()
        if kind in FLAGS:
            self.flags.setdefault(name, {})[kind] = words[0] if words else ""
            self.records.setdefault(name, [])
        else:
            self.records.setdefault(name, []).append(
                (TYPES[kind], ttl, wire_data(kind, words),
                 canonical(words[0]) if kind == "CNAME" else None))

    def owner(self, name):
        """The name of the zone that stands for this one, or None."""
        if name in self.records:
            return name
        labels = name.split(".")
        for i in range(1, len(labels) + 1):
            star = ".".join(["*"] + labels[i:])
            if star in self.records:
                return star
        if any(n.endswith("." + name) for n in self.records):
            return ""           # exists, but has nothing
        return None

    def lookup(self, name, qtype):
        """(rcode, [(name, type, ttl, data)], {flag: argument})"""
        answers, flags = [], {}
        for _ in range(MAXCHAIN):
            owner = self.owner(name)
            if owner is None:
                return (3 if not answers else 0), answers, flags
            flags = {**flags, **self.flags.get(owner, {})}
            for flag, code in RCODE.items():
                if flag in flags:
                    return code, answers, flags
            here = self.records.get(owner, [])
            found = [(name, t, ttl, data) for t, ttl, data, _ in here
                     if qtype in (t, 255)]
            alias = [(ttl, data, target) for t, ttl, data, target in here
                     if t == TYPES["CNAME"]]
            if found or not alias:
                return 0, answers + found, flags
            ttl, data, target = alias[0]
            answers.append((name, TYPES["CNAME"], ttl, data))
            name = target
        return 0, answers, flags


def read_question(packet):
    """(id, flags, name, type, the question as it stands)"""
    ident, flags, count = struct.unpack("!HHH", packet[:6])
    if flags & QR or count != 1:
        raise ValueError("no single question")
    at, labels = 12, []
    while packet[at]:
        if packet[at] > 63:
            raise ValueError("a pointer in a question")
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii"))
        at += 1 + packet[at]
    qtype, _ = struct.unpack("!HH", packet[at + 1:at + 5])
    return ident, flags, canonical(".".join(labels)), qtype, packet[12:at + 5]


class FakeDns:
    """asked: [(name, type)], in order."""

    def __init__(self, path, port=0, address="127.0.0.1"):
        self.path = path
        self.address = address
        self.seen = None
        self.asked = []
        self.zone = self.current()
        self.wanted = port
        self.closing = False

    def __enter__(self):
        for _ in range(50):             # the same port for both
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind((self.address, self.wanted))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = socket.create_server((self.address, self.port))
                break
            except OSError:
                self.udp.close()
                if self.wanted:
                    raise
        for f in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=f, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing = True
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def current(self):
        """The zone as its file has it now."""
        st = os.stat(self.path)
        seen = st.st_ino, st.st_size, st.st_mtime_ns
        if seen != self.seen:
            with open(self.path, encoding="utf-8") as f:
                self.zone = Zone(f.read())
            self.seen = seen
        return self.zone

    def answer(self, packet, udp):
        """The answer's bytes, or None for silence; waits if it shall."""
        ident, flags, name, qtype, question = read_question(packet)
        self.asked.append((name, NAMES.get(qtype, str(qtype))))
        rcode, records, marks = self.current().lookup(name, qtype)
        if "TIMEOUT" in marks:
            return None
        if "SLOW" in marks:
            time.sleep(float(marks["SLOW"]))
        bits = QR | RA | (flags & RD) | (AD if "AD" in marks else 0) | rcode
        body = b"".join(
            wire_name(n) + struct.pack("!HHIH", t, 1, ttl, len(data)) + data
            for n, t, ttl, data in records)
        if udp and ("TRUNCATE" in marks or len(body) > 1200):
            bits, body, records = bits | TC, b"", []
        return struct.pack("!HHHHHH", ident, bits, 1, len(records), 0, 0) + \
            question + body

    def serve_udp(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if self.closing:
                return
            threading.Thread(target=self.one_udp, args=(packet, peer),
                             daemon=True).start()

    def one_udp(self, packet, peer):
        try:
            answer = self.answer(packet, True)
            if answer:
                self.udp.sendto(answer, peer)
        except (ValueError, IndexError, struct.error, OSError) as e:
            print(f"fakedns: {e}", file=sys.stderr)

    def serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.one_tcp, args=(client,),
                             daemon=True).start()

    def one_tcp(self, client):
        with client, client.makefile("rb") as f:
            try:
                while len(size := f.read(2)) == 2:
                    packet = f.read(struct.unpack("!H", size)[0])
                    answer = self.answer(packet, False)
                    if answer:
                        client.sendall(struct.pack("!H", len(answer)) +
                                       answer)
            except (ValueError, IndexError, struct.error, OSError) as e:
                print(f"fakedns: {e}", file=sys.stderr)


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-p", type=int, default=0, dest="port")
    p.add_argument("zone")
    args = p.parse_args()
    with FakeDns(args.zone, args.port) as dns:
        print(dns.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
