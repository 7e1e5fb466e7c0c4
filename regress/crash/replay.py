#!/usr/bin/env python3
# suite: own
"""Loss of power, which SIGKILL cannot show: every change of a file is
recorded while clients send; then, for each of 200 answers, the disk is made
anew of only what was synced before that answer, the suite starts on it, and
everything that was answered by then must be there whole.  CG_CUTS says how
many cuts (200)."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Suite, inbox, wait_for, read_mbox  # noqa: E402
from mailer import Mailer, check  # noqa: E402
from shim import Shim, Disk  # noqa: E402

CUTS = int(os.environ.get("CG_CUTS", "200"))
ACCOUNTS = ["ann", "ben", "cid"]


def record(shim):
    """Mail is sent; gives the disk before it, the record, and the answers as
    (position in the record, number)."""
    answers = []
    with Suite(accounts=ACCOUNTS, env=shim.env) as s:
        mailer = Mailer(s.smtp_port, {a: s.address(a) for a in ACCOUNTS})
        mailer.on_answer = lambda n: answers.append((shim.position(), n))
        mailer.send_some(3)
        wait_for("the queue to be empty", lambda: not s.queue())
        answers.clear()
        before = dict(mailer.answered)
        os.sync()
        disk = Disk(s.base)
        start = shim.position()
        shim.record()
        for t in mailer.start(4, CUTS // 4 + 10):
            t.join()
        wait_for("the queue to be empty", lambda: not s.queue())
        shim.record(False)
        conf = pathlib.Path(s.env["CG_CONF"])
        return disk, start, sorted(answers), before, mailer, \
            conf.read_text(), s.base, conf_files(conf, s.base)


def conf_files(conf, base):
    """What lies beside the configuration: keys and certificates."""
    return {p.name: (p.read_bytes(), p.stat()) for p in conf.parent.iterdir()
            if p.is_file()}


def start_on(server, where, conf, oldbase, files, olddir):
    """The suite on a disk made anew: until nothing waits in its queue."""
    top = pathlib.Path(where).parent
    for name, (data, st) in files.items():
        p = top / name
        p.write_bytes(data)
        os.chmod(p, st.st_mode & 0o777)
    path = top / "replayed.conf"
    path.write_text(conf.replace(oldbase, str(where))
                    .replace(str(olddir), str(top)))
    for stale in ("Ports", "ProcessID"):
        (where / stale).unlink(missing_ok=True)
    p = subprocess.Popen([server, "-f", str(path)],
                         stdout=subprocess.DEVNULL)
    try:
        wait_for("the suite to start on a replayed disk",
                 lambda: (where / "Ports").exists() or p.poll() is not None)
        if p.poll() is not None:
            raise AssertionError("the suite does not start on that disk")
        wait_for("its queue to be empty",
                 lambda: not list((where / "Queue").rglob("*.msg")))
    finally:
        p.terminate()
        p.wait(60)


def found_in(where):
    found = set()
    for a in ACCOUNTS:
        for _, m in read_mbox(inbox(where, a)):
            found.add(check(m))
    return found


def main():
    shim = Shim(512 << 20)
    server = None
    with Suite() as s:
        server = s.env["CG_SERVER"]
    disk, start, answers, before, mailer, conf, base, files = record(shim)
    if len(answers) < CUTS:
        raise AssertionError(f"only {len(answers)} answers to cut at")
    cuts = sorted(random.Random(3).sample(range(len(answers)), CUTS))
    at = start
    olddir = pathlib.Path(base).parent
    for n, i in enumerate(cuts):
        end = answers[i][0]
        for event, body in shim.events(at, end):
            disk.play(event, body)
        at = end
        with tempfile.TemporaryDirectory(prefix="cg-replay-") as d:
            os.chmod(d, 0o755)
            where = pathlib.Path(d, "base")
            disk.write(str(where))
            start_on(server, where, conf, base, files, olddir)
            must = set(before) | {num for pos, num in answers if pos <= end}
            lost = must - found_in(where)
            if lost:
                raise AssertionError(f"cut {n}: answered and lost: "
                                     f"{sorted(lost)}")
    print(f"{CUTS} cuts of {len(answers)} answers: nothing lost")


main()
