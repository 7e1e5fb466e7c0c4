#!/usr/bin/env python3
# suite: own
"""ForeignQueue/: another server's queue is taken in, once, whatever is killed;
what is no good is put aside."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Suite, kill, wait_for  # noqa: E402

CONF = """
settings Queue { ForeignScan = 1s; ReportDelay = 0s; LogLevel = 5; }
"""
NOW = time.strftime("%d-%m-%Y %H:%M:%S", time.gmtime())
MANY = 1200


def message(rcpts, extra="", sender="far@elsewhere.example", z="",
            subject="foreign"):
    """rcpts: "W ann@..." each."""
    lines = [f"P I {NOW} 0000 ____ ____ <{sender}>", "O T",
             "S SMTP [192.0.2.7]"]
    lines += [f"R {r[0]} {NOW} 0003 ____ _F__ <{r[2:]}>" for r in rcpts]
    return "\n".join(lines + ([extra] if extra else []) +
                     ([z] if z else [])) + \
        f"\n\nSubject: {subject}\n\nhello\n"


def put(s, name, text):
    """As somebody does who moves files of the right owner there."""
    base = pathlib.Path(s.base, "ForeignQueue")
    owner = base.stat()
    path = base / name
    for d in reversed(path.relative_to(base).parents):
        if not (base / d).exists():
            (base / d).mkdir()
            os.chown(base / d, owner.st_uid, owner.st_gid)
    path.with_suffix(".new").write_text(text)
    os.chown(path.with_suffix(".new"), owner.st_uid, owner.st_gid)
    path.with_suffix(".new").rename(path)
    return path


def subjects(s, account):
    return sorted(line[9:].decode() for _, text in s.mail(account)
                  for line in text.split(b"\n")
                  if line.startswith(b"Subject: "))


def nothing_left(s):
    wait_for("an empty queue", lambda: not s.queue())


def queued(s):
    return wait_for("queued", lambda: [
        p for p, n in s.children().items() if n == "queued"])[0]


def taken(s):
    """Those that still wait get it, by whatever directory it came."""
    ann, bob = s.address("ann"), s.address("bob")
    paths = [
        put(s, "17.msg", message([f"W {ann}", f"D {bob}"], subject="one")),
        put(s, "old/57/18.msg", message([f"W {bob}"], subject="two")),
        # Nothing waits in that one.
        put(s, "19.msg", message([f"D {ann}", f"F {bob}"], subject="no"))]
    other = put(s, "readme", "whatever")
    half = put(s, "20.tmp", "half a message")
    wait_for("mail", lambda: subjects(s, "ann") == ["one"] and
             subjects(s, "bob") == ["two"])
    wait_for("files to go", lambda: not any(p.exists() for p in
                                            paths + [half]))
    assert other.read_text() == "whatever"
    nothing_left(s)
    other.unlink()


def bad(s):
    """Torn or no message at all: aside, with a line in the log."""
    ann = s.address("ann")
    paths = [put(s, "31.msg", "Subject: no envelope\n\nx\n"),
             put(s, "32.msg", message([f"W {ann}"], subject="torn",
                                      z="z 00000000000000000099 00000000")),
             put(s, "33.msg", message([f"W {ann}"], subject="open",
                                      z="z " + 20 * "_" + " " + 8 * "_")),
             put(s, "34.msg", message([], subject="none"))]
    for p in paths:
        wait_for("a bad file", lambda: p.with_suffix(".bad").exists())
        assert not p.exists()
        wait_for("a log line", lambda:
                 f"ForeignQueue/{p.stem}.bad is no good" in s.log())
        p.with_suffix(".bad").unlink()
    assert subjects(s, "ann") == ["one"]


def strangers(s):
    """A number of that queue means another message in this one."""
    ann, bob = s.address("ann"), s.address("bob")
    kill(queued(s), 19)
    base = pathlib.Path(s.base, "Queue")
    owner = base.stat()
    f = base / "90.msg"
    f.write_text(message([f"W {bob}"], subject="ours"))
    os.chown(f, owner.st_uid, owner.st_gid)
    put(s, "91.msg", message([f"W {ann}"], extra="d 90 0F",
                             subject="about another"))
    kill(queued(s))
    wait_for("both", lambda: "ours" in subjects(s, "bob") and
             "about another" in subjects(s, "ann"))
    nothing_left(s)


def killed(s):
    """queued dies again and again: each message comes once."""
    ann = s.address("ann")
    n = len(subjects(s, "ann"))
    for i in range(MANY):
        put(s, f"{i % 7}/{i + 1000}.msg",
            message([f"W {ann}"], subject=f"k{i}"))
    for i in range(4):
        seen = len(s.queue()) + len(subjects(s, "ann"))
        wait_for("some of them", lambda: len(s.queue()) +
                 len(subjects(s, "ann")) >= min(seen + 60, n + MANY))
        kill(queued(s))
        wait_for("a new queued", lambda: queued(s))
    wait_for("all", lambda: len(subjects(s, "ann")) >= n + MANY)
    nothing_left(s)
    got = [x for x in subjects(s, "ann") if x.startswith("k")]
    assert sorted(got) == sorted(f"k{i}" for i in range(MANY)), \
        (len(got), len(set(got)))


def main():
    with Suite(accounts=["ann", "bob"], conf=CONF) as s:
        for test in (taken, bad, strangers, killed):
            test(s)
            print("ok", test.__name__, flush=True)


main()
