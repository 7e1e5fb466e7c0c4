"""Postfix' smtp-sink for tests: a mail host with its own switches for faults,
which keeps each message in a file.  It may be ended and started again, with
other switches, on the same port.

    with SmtpSink(directory, "-Q", "MAIL") as k:
        k.port; k.mails()
        k.start("-w", "2")      # another one in its place, as it were
"""
import os
import pathlib
import pwd
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(TOP / "bench"))
import peers  # noqa: E402

# What smtp-sink puts in front of a message: up to its Received's last line.
FRONT = re.compile(rb"X-Client-Addr: .*?\nReceived: .*?;\n\t[^\n]*\n", re.S)


class SmtpSink:
    def __init__(self, top, *flags):
        self.root = peers.shared()
        self.top = pathlib.Path(top)
        self.port = peers.free_port()
        self.flags = flags
        self.turn = 0
        self.process = None

    def __enter__(self):
        self.start(*self.flags)
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, *flags):
        self.stop()
        self.turn += 1
        self.folder = self.top / f"{self.port}.{self.turn}"
        self.folder.mkdir()
        user = pwd.getpwnam("nobody")
        if os.geteuid() == 0:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            flags = ("-u", "nobody", *flags)
        self.process = subprocess.Popen(
            [str(self.root / "usr/sbin/smtp-sink"), "-4", "-d",
             f"{self.folder}/m.", *flags, f"127.0.0.1:{self.port}", "100"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"],
                 "LD_LIBRARY_PATH": peers.library_path(self.root)})
        peers.wait_listening(self.process.pid, self.port)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def mails(self):
        """What it has now: (what the envelope was, the message) each.  What
        is still coming is there, too, in part."""
        found = []
        for path in self.folder.iterdir():
            try:
                data = path.read_bytes()
            except FileNotFoundError:   # the client went away
                continue
            m = FRONT.match(data)
            if m:
                found.append((m[0], data[m.end():]))
        return found
