#!/usr/bin/env python3
"""accounts.py [-n ACCOUNTS]

Many accounts: so many (100,000) come into one domain by import, 20,000 at a
time; then the suite starts anew with them.  Times, what routerd needs an
account, and how long it takes to list them and to rename their domain."""
import argparse
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "regress/tools"))
from cgtest import OBJ, Suite, wait_for  # noqa: E402

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


def main():
    args = argparse.ArgumentParser()
    args.add_argument("-n", type=int, default=100000)
    n = args.parse_args().n
    step = min(n, 20000)
    with Suite(conf=CONF) as s:
        cgctl(s, "CreateDomain", "big.example")
        before = routerd_pss(s)
        for first in range(0, n, step):
            rows = "".join(f"user{i}\tpassword{i}\tUser {i}\n"
                           for i in range(first, first + step))
            t = cgctl(s, "ImportAccounts", "big.example", "DATA", "-",
                      data="Name\tPassword\tRealName\n" + rows)
            print(f"{step} accounts imported in {t:.1f} s", flush=True)
        after = routerd_pss(s)
        print(f"routerd: {(after - before) * 1024 / n:.0f} bytes an account")
        print(f"listed in {cgctl(s, 'ListAccounts', 'big.example'):.2f} s")
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
