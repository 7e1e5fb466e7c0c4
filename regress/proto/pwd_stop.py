#!/usr/bin/env python3
# suite: own
"""The suite stops while command sessions are open: each is told, at once.  By
whoever may monitor it (manual 16), and nobody else."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Cli, Suite  # noqa: E402


def main():
    with Suite(accounts=["ann", "mon", "set"]) as s:
        cli = s.cli()
        cli.ask("SetAccountRights mon (Monitors)")
        cli.ask("SetAccountRights set (Settings,Users)")
        other = Cli(s.env["CG_PWD"], "set", PASSWORD)
        assert other.send("Shutdown")[:1] == "5"
        idle = Cli(s.env["CG_PWD"], "ann", PASSWORD)
        begun = time.monotonic()
        Cli(s.env["CG_PWD"], "mon", PASSWORD).ask("Shutdown")
        assert idle.line() == "501 the server is shutting down"
        assert idle.f.read() == b""
    seconds = time.monotonic() - begun
    assert seconds < 8, f"stopping took {seconds:.1f} s"


main()
