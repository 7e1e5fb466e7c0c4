#!/usr/bin/env python3
# suite: own
"""A report that was written, but cannot be read when queued starts again, is
not written a second time."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402

NOW = time.strftime("%d-%m-%Y %H:%M:%S", time.gmtime())
CONF = "settings Queue { ReportDelay = 0s; }\n"


def envelope(sender, rcpt, more=""):
    return (f"P I {NOW} 0000 ____ ____ <{sender}>\n{more}O T\n"
            f"S SMTP [127.0.0.1]\nR W {NOW} 0000 ____ _F__ <{rcpt}>\n\n")


def plant(s, number, text):
    path = pathlib.Path(s.base, "Queue", f"{number}.msg")
    path.write_text(text)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return path


def main():
    with Suite(accounts=["ann"], conf=CONF) as s:
        ann = s.address("ann")
        pid = wait_for("queued", lambda: [
            p for p, n in s.children().items() if n == "queued"])[0]
        kill(pid, 19)
        failed = plant(s, 500, envelope(ann, s.address("nobody")) +
                       "Subject: lost\n\nhello\n")
        report = plant(s, 501, envelope("", ann, "d 500 0F\n") +
                       "Subject: the report\n\nit failed\n")
        report.chmod(0)
        kill(pid)
        wait_for("the start", lambda: "QUEUE([501]) left out" in s.log())
        wait_for("the failure", lambda: "[500] SYSTEM(*)" in s.log())
        time.sleep(5)           # a report is tried every three seconds
        assert failed.exists() and not s.mail("ann")
        report.chmod(0o600)
        wait_for("the report", lambda: s.mail("ann"))
        wait_for("an empty queue", lambda: not s.queue())
        assert "reported in" not in s.log()
        mails = [text for _, text in s.mail("ann")]
        assert len(mails) == 1 and b"Subject: the report" in mails[0], mails


main()
