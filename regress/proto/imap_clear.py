#!/usr/bin/env python3
# suite: own
"""Passwords in the clear: not from afar without TLS, by IMAP, POP and SMTP;
and none at all from there with ClientsOnlyLogin.  Needs a network of its own
with an address that is not loopback: root."""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
FAR, STRANGER = "192.0.2.77", "192.0.2.78"

if os.environ.get("CG_INSIDE") != "1":
    if os.geteuid() != 0 or not shutil.which("ip"):
        print("SKIPPED: needs root and ip")
        sys.exit(77)
    p = subprocess.run(["unshare", "-n", "true"])
    if p.returncode != 0:
        print("SKIPPED: no network namespaces here")
        sys.exit(77)
    sys.exit(subprocess.run(
        ["unshare", "-n", "sh", "-c",
         f"ip link set lo up && ip addr add {FAR}/32 dev lo && "
         f"ip addr add {STRANGER}/32 dev lo && "
         f'exec "$0" "$@"', sys.executable, __file__],
        env=dict(os.environ, CG_INSIDE="1")).returncode)

import wire  # noqa: E402
from cgtest import PASSWORD, Suite  # noqa: E402

CONF = "".join(f"listen {m} {FAR}:{n}\n" for m, n in
               (("IMAP", 2143), ("POP", 2110), ("SMTP", 2025)))


def connect(kind, port, source=FAR):
    """From an address that is not loopback."""
    real = wire.socket.create_connection
    wire.socket.create_connection = \
        lambda to, seconds, _: real((FAR, to[1]), seconds, (source, 0))
    try:
        return kind(port)
    finally:
        wire.socket.create_connection = real


def clear(port=2143):
    with connect(wire.Imap, port) as c:
        caps = c.ask("CAPABILITY")[0].decode().split()
        return "LOGINDISABLED" not in caps, caps


def from_there(source):
    """Is a good password taken?"""
    with connect(wire.Pop, 2110, source) as p:
        p.ask("USER ann")
        p.send(f"PASS {PASSWORD}\r\n")
        line = p.line()
        assert line.startswith("+OK") or "from your address" in line, line
        return line.startswith("+OK")


def clients_only(cli):
    """Logins from clients and from the server itself (manual 08)."""
    assert from_there(STRANGER)
    cli.ask("UpdateModule Protection {ClientsOnlyLogin=YES;}")
    wire.wait_for("none from strangers", lambda: not from_there(STRANGER))
    assert from_there(FAR)
    cli.ask(f'SetClientIPs "{STRANGER}"')
    wire.wait_for("a client's", lambda: from_there(STRANGER))
    cli.ask('SetClientIPs ""')
    cli.ask("UpdateModule Protection {ClientsOnlyLogin=default;}")


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        os.environ["CG_CA"] = s.env["CG_CA"]
        good, caps = clear()
        assert not good and "AUTH=PLAIN" not in caps, caps
        assert "AUTH=CRAM-MD5" in caps and "STARTTLS" in caps, caps
        with connect(wire.Imap, 2143) as c:
            for line in (f'LOGIN ann "{PASSWORD}"', "AUTHENTICATE PLAIN",
                         "AUTHENTICATE LOGIN", 'LOGIN nobody "x"'):
                said = c.fails(line)
                assert said.startswith("NO [PRIVACYREQUIRED] "), said
            c.ask("STARTTLS")
            c.secure()
            caps = c.ask("CAPABILITY")[0].decode().split()
            assert "LOGINDISABLED" not in caps and "AUTH=PLAIN" in caps, caps
            c.login("ann")
            c.ask("NOOP")
        with connect(wire.Pop, 2110) as p:
            assert "[AUTH]" in p.fails("USER ann")
        cli = s.cli()
        cli.ask("UpdateModule Main {ClearTextLogin=YES;}")
        wire.wait_for("logins in the clear", lambda: clear()[0])
        with connect(wire.Imap, 2143) as c:
            c.login("ann")
        clients_only(cli)
        cli.ask("UpdateModule Main {ClearTextLogin=NO;}")
        wire.wait_for("none in the clear", lambda: not clear()[0])
        cli.close()


main()
