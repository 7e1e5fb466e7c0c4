#!/usr/bin/env python3
# suite: own
"""The suite stops while command sessions are open: each is told, at once."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Cli, Suite  # noqa: E402


def main():
    with Suite(accounts=["ann"]) as s:
        idle = Cli(s.env["CG_PWD"], "ann", PASSWORD)
        begun = time.monotonic()
        s.cli().ask("Shutdown")
        assert idle.line() == "501 the server is shutting down"
        assert idle.f.read() == b""
    seconds = time.monotonic() - begun
    assert seconds < 8, f"stopping took {seconds:.1f} s"


main()
