#!/usr/bin/env python3
"""accounts.py [-n ACCOUNTS] [-s]

Many accounts: so many (100,000) come into one domain by import, 20,000 at a
time; then the suite starts anew with them.  Times, what routerd needs an
account, and how long it takes to list them, to route to them and to rename
their domain.  With -s their directories are made by this script instead, for a
suite that never saw them."""
import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import time
from smtplib import SMTP

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "regress/tools"))
from cgtest import OBJ, Suite, wait_for  # noqa: E402

MESSAGES, RECIPIENTS = 50, 50
CONF = "settings Main { AccountsLogLevel = 1; }\n"


def cgctl(s, *words, data=None):
    begun = time.monotonic()
    p = subprocess.run([OBJ / "cgctl", "-f", s.env["CG_CONF"], *words],
                       input=data, capture_output=True, text=True)
    if p.returncode != 0:
        raise SystemExit(f"{words[0]}: {p.stderr}")
    return time.monotonic() - begun


def routerd_pss(s):
    pid = next(p for p, n in s.children().items() if n == "routerd")
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


def restart(s):
    """Seconds from the start until the ports are there, all children up."""
    ports = pathlib.Path(s.base, "Ports")
    old = s.server()
    cgctl(s, "stop")
    wait_for("the end", lambda: not pathlib.Path(f"/proc/{old}").exists() or
             "Z" in pathlib.Path(f"/proc/{old}/stat").read_text())
    ports.unlink(missing_ok=True)
    begun = time.monotonic()
    server = subprocess.Popen([s.env["CG_SERVER"], "-f", s.env["CG_CONF"]],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_for("the start", ports.exists)
    return time.monotonic() - begun, server


def imported(s, n):
    step = min(n, 20000)
    for first in range(0, n, step):
        rows = "".join(f"user{i}\tpassword{i}\tUser {i}\n"
                       for i in range(first, first + step))
        t = cgctl(s, "ImportAccounts", "big.example", "DATA", "-",
                  data="Name\tPassword\tRealName\n" + rows)
        print(f"{step} accounts imported in {t:.1f} s", flush=True)


def scripted(s, n):
    """Each is a copy of one that the suite made."""
    cgctl(s, "CreateAccount", "user0@big.example", '{Password="password0";}')
    first = pathlib.Path(s.base, "Domains/big.example/user0.macnt")
    wait_for("its INBOX", (first / "INBOX.mbox").exists)
    like = first.stat()
    files = [(p.name, p.stat(), p.read_bytes()) for p in first.iterdir()]
    begun = time.monotonic()
    for i in range(1, n):
        d = first.parent / f"user{i}.macnt"
        d.mkdir()
        for name, st, data in files:
            (d / name).write_bytes(data)
            os.chown(d / name, st.st_uid, st.st_gid)
            os.chmod(d / name, st.st_mode & 0o7777)
        os.chown(d, like.st_uid, like.st_gid)
        os.chmod(d, like.st_mode & 0o7777)
    print(f"{n} directories made in {time.monotonic() - begun:.0f} s")
    print(f"started with them in {restart(s)[0]:.2f} s", flush=True)


def routing(s, name):
    """Microseconds of a RCPT, each of which asks the Router."""
    took = 0
    with SMTP("127.0.0.1", s.smtp_port()) as c:
        c.ehlo("bench.example")
        for _ in range(MESSAGES):
            c.mail("")
            begun = time.monotonic()
            for _ in range(RECIPIENTS):
                if c.rcpt(name())[0] != 250:
                    raise SystemExit("RCPT was refused")
            took += time.monotonic() - begun
            c.rset()
    return took / (MESSAGES * RECIPIENTS) * 1e6


def main():
    args = argparse.ArgumentParser()
    args.add_argument("-n", type=int, default=100000)
    args.add_argument("-s", action="store_true")
    args = args.parse_args()
    n = args.n
    with Suite(conf=CONF) as s:
        cgctl(s, "CreateDomain", "big.example")
        before = routerd_pss(s)
        if args.s:
            scripted(s, n)
        else:
            imported(s, n)
        after = routerd_pss(s)
        print(f"routerd: {(after - before) * 1024 / n:.0f} bytes an account")
        print(f"listed in {cgctl(s, 'ListAccounts', 'big.example'):.2f} s")
        for what, name in (
                ("one of them", lambda: f"user{random.randrange(n)}@"
                                        "big.example"),
                ("postmaster", lambda: f"postmaster@{s.domain}")):
            print(f"RCPT of {what}: {routing(s, name):.0f} us")
        t = cgctl(s, "RenameDomain", "big.example", "INTO",
                  "large.example")
        print(f"domain renamed in {t:.2f} s")
        t, server = restart(s)
        print(f"started with {n} accounts in {t:.2f} s; "
              f"routerd has {routerd_pss(s)} KiB")
        server.terminate()
        server.wait()
        # with-suite has not that much patience.
        subprocess.run(["rm", "-rf", pathlib.Path(s.base, "Domains")])


main()
