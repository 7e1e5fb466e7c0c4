#!/usr/bin/env python3
"""trickle.py PORT [-n BYTES]

A proxy on a free port of 127.0.0.1, which it prints, to PORT there: what goes
either way arrives by so many bytes (one) at a time.  Ends when its standard
input does.  Or, from a test: with Trickle(port) as t: ... t.port
"""
import argparse
import selectors
import socket
import sys
import threading


class Trickle:
    def __init__(self, port, size=1):
        self.target = int(port)
        self.size = size

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), 60)
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as sel:
            peer = {client: server, server: client}
            for s in peer:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sel.register(s, selectors.EVENT_READ)
            try:
                while sel.get_map():
                    for key, _ in sel.select():
                        self.move(sel, key.fileobj, peer[key.fileobj])
            except OSError:
                pass

    def move(self, sel, a, b):
        data = a.recv(self.size)
        if data:
            b.sendall(data)
        else:
            sel.unregister(a)
            b.shutdown(socket.SHUT_WR)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("port", type=int)
    p.add_argument("-n", type=int, default=1)
    args = p.parse_args()
    with Trickle(args.port, args.n) as t:
        print(t.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
