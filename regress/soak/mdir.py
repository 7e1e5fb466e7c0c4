#!/usr/bin/env python3
# suite: own
"""What is tested with .mbox mailboxes elsewhere, once more with .mdir ones:
accounts that are one, and accounts whose mailboxes are such."""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
KINDS = {
    "MailDirMailbox":
        "proto/delivery proto/pop_session proto/imap_damage crash/kill",
    "MultiMailbox DefaultMailboxType=MailDirMailbox;":
        "proto/delivery proto/pop_session proto/imap_core proto/imap_change "
        "proto/imap_damage proto/imap_fetch proto/imap_idle "
        "proto/imap_search proto/imap_oddmail crash/kill"
}

failed = 0
for kind, tests in KINDS.items():
    print(kind, flush=True)
    failed |= subprocess.run(
        [TOP / "regress/tools/run-tests", "-j", "1",
         *(TOP / f"regress/{t}.py" for t in tests.split())],
        env={**os.environ, "CG_ACCOUNT": kind}).returncode
sys.exit(failed != 0)
