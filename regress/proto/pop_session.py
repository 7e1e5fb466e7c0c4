#!/usr/bin/env python3
"""What a POP session does in an account's worker: snapshots and zombies
(manual 36), exact sizes, dots, pipelining, long answers, several sessions at
once, other mailboxes, deletions at QUIT only."""
import os
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import kill, sanitized  # noqa: E402
from wire import (DOMAIN, MDIR, PASSWORD, SINGLE, Pop,  # noqa: E402
                  Smtp, accounts, address, box, messages, read_mbox, run,
                  wait_for, workers)

BASE = os.environ["CG_BASE"]
MEMORY = (16 if not sanitized() else 128) * 1024   # KiB of a worker


def send(name, *texts):
    with Smtp() as s:
        for t in texts:
            s.begin(address(name))
            s.text(re.sub("(?m)^\\.", "..", t) + ".\r\n")


def flags(name):
    return [f[:8] for f, _ in read_mbox(box(name))]


def opened(name):
    p = Pop()
    p.login(name)
    return p


def count(p):
    return int(p.ask("STAT").split()[0])


def octets(p):
    return int(p.ask("STAT").split()[1])


def retrieve(p, n):
    said = int(p.ask(f"RETR {n}").split()[0])
    lines = p.many()
    text = "".join(x + "\r\n" for x in lines)
    assert len(text.encode()) == said, (len(text), said)
    return text


def greeting():
    with Pop() as p:
        assert p.login("none") == "0 message(s)"
        assert p.ask("STAT") == "0 0"
        p.ask("LIST")
        assert p.many() == []
        p.ask("UIDL")
        assert p.many() == []
        p.fails("RETR 1")
        p.fails("LIST 1")
        p.ask("CAPA")
        assert "UIDL" in p.many()
        p.ask("QUIT")
        assert p.ended()


def dots_and_ends():
    body = [".", "..", ".a", "", "From x", "", "From y", " .", "x" * 900, ""]
    send("ann", "Subject: dots\r\n\r\n" + "\r\n".join(body) + "\r\n")
    messages("ann", 1)
    with opened("ann") as p:
        text = retrieve(p, 1)
        want = "\r\n".join(body) + "\r\n"
        if not MDIR:
            want = want.replace("\r\n\r\nFrom ", "\r\n\r\n>From ")
        assert text.endswith("\r\n\r\n" + want), text[-1200:]
        p.ask("LIST 1")
        for n in (0, 1, 3, 1000):
            p.ask(f"TOP 1 {n}")
            lines = p.many()
            head = lines.index("") + 1
            assert lines[head:] == want.split("\r\n")[:-1][:n], (n, lines)
        p.fails("TOP 1")
        p.fails("TOP 1 -1")
        p.fails("TOP 1 x")
        p.ask("DELE 1")
        p.fails("TOP 1 0")
        p.fails("LIST 1")
        p.fails("UIDL 1")
        p.fails("DELE 1")
        p.ask("QUIT")
    assert read_mbox(box("ann")) == []


def seen():
    send("ann", "Subject: a\r\n\r\na\r\n", "Subject: b\r\n\r\nb\r\n")
    messages("ann", 2)
    with opened("ann") as p:
        p.ask("TOP 1 5")
        p.many()
        assert [f[0] for f in flags("ann")] == ["-", "-"]
        retrieve(p, 2)
        assert [f[0] for f in flags("ann")] == ["-", "R"]
        p.ask("DELE 1")
        p.ask("DELE 2")
        p.ask("QUIT")


def pipelined():
    send("ann", *(f"Subject: {i}\r\n\r\n{i}\r\n" for i in range(50)))
    messages("ann", 50)
    with Pop() as p:
        p.send(f"USER ann\r\nPASS {PASSWORD}\r\n" +
               "".join(f"RETR {i}\r\nTOP {i} 1\r\nUIDL {i}\r\n"
                       for i in range(1, 51)) +
               "".join(f"DELE {i}\r\n" for i in range(1, 51, 2)) +
               "STAT\r\nQUIT\r\nSTAT\r\n")
        p.ok()
        p.ok()
        for i in range(50):
            p.ok()
            assert p.many()[-1] == str(i)
            p.ok()
            assert p.many()[-1] == str(i)
            p.ok()
        for i in range(25):
            p.ok()
        assert p.ok().startswith("25 ")
        p.ok()
        assert p.ended()
    assert len(read_mbox(box("ann"))) == 25


def byte_by_byte():
    with Pop() as p:
        p.pieces(f"USER ann\r\nPASS {PASSWORD}\r\nSTAT\r\nLIST 1\r\n"
                 .encode())
        p.ok()
        p.ok()
        assert p.ok().startswith("25 ")
        p.ok()
        p.send("STAT\nNOOP\n")          # bare line ends will do
        p.ok()
        p.ok()


def snapshot():
    """New mail is not seen; what another removes is a message of no size."""
    with opened("ann") as p, opened("ann") as q:
        n = count(p)
        p.ask("UIDL")
        uids = p.many()
        send("ann", "Subject: new\r\n\r\nnew\r\n")
        messages("ann", n + 1)
        assert count(p) == n
        p.fails(f"RETR {n + 1}")
        before = octets(p)
        size = int(q.ask("LIST 2").split()[1])
        q.ask("DELE 2")
        assert octets(p) == before
        q.ask("QUIT")
        assert count(p) == n
        assert octets(p) == before - size
        assert p.ask("LIST 2") == "2 0"
        p.ask("LIST")
        assert p.many()[1] == "2 0"
        p.ask("UIDL")
        assert p.many() == uids
        p.fails("RETR 2")
        p.fails("TOP 2 1")
        retrieve(p, 1)
        retrieve(p, 3)
        p.ask("DELE 2")                 # it may say so, too
        p.ask("QUIT")
    with opened("ann") as p:
        assert count(p) == n
        p.ask("UIDL")
        now = p.many()
        assert [u.split()[1] for u in now[:-1]] == \
            [u.split()[1] for u in uids[:1] + uids[2:]]


def not_at_quit():
    """The connection breaks, or the worker is killed: nothing is gone."""
    with opened("ann") as p:
        n = count(p)
        p.ask("DELE 1")
    with opened("ann") as p:
        assert count(p) == n
        p.ask("DELE 1")
        for w in workers():
            kill(w)
        assert p.ended()
    with opened("ann") as p:
        assert count(p) == n
        p.ask("DELE 1")
        p.ask("RSET")
        p.ask("QUIT")
    with opened("ann") as p:
        assert count(p) == n


def many_sessions():
    """Of one account, in one worker."""
    pops = [opened("ann") for _ in range(40)]
    assert len(workers()) == 1, workers()
    n = count(pops[0])
    for p in pops:
        assert count(p) == n
        retrieve(p, n)
    for i, p in enumerate(pops):
        p.ask(f"DELE {i % n + 1}")
    for p in pops:
        p.send("QUIT\r\n")
    for p in pops:
        p.ok()
        assert p.ended()
        p.close()
    with opened("ann") as p:
        assert count(p) == max(0, n - 40)


def large():
    """A message far larger than what is held in memory, to a slow reader,
    beside a quick one; and one who goes in the middle."""
    line = "0123456789" * 7 + "\r\n"
    send("big", "Subject: big\r\n\r\n" + line * 150000)
    messages("big", 1)
    slow = opened("big")
    slow.send("RETR 1\r\nSTAT\r\n")
    gone = opened("big")
    gone.send("RETR 1\r\n")
    gone.line()
    gone.close()
    with opened("big") as p:
        text = retrieve(p, 1)
        assert text.endswith("\r\n\r\n" + line * 150000)
        rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(
            f"/proc/{workers()[-1]}/status").read_text())[1])
        assert rss < MEMORY, f"{rss} KiB"
    slow.ok()
    lines = slow.many()
    assert lines[-1] + "\r\n" == line
    assert slow.ok().startswith("1 ")
    slow.close()


def long_list():
    """More than a socket takes at once; deleted and bought back."""
    n = 3000
    found = [b"Subject: %d\n\n%d\n" % (i, i) for i in range(n)]
    if MDIR:
        owner = next(pathlib.Path(os.environ["CG_BASE"], "Accounts").glob(
            "list.m*/account.info")).stat()
        for i, text in enumerate(found, 1):
            path = pathlib.Path(box("list"), f"{i}--20261121024026")
            path.write_bytes(text)
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
    else:
        with open(box("list"), "ab") as f:
            for text in found:
                f.write(b"From x@y Sat Nov 21 02:40:26 2026\n" + text +
                        b"\n")
    with opened("list") as p:
        assert count(p) == n
        p.send("LIST\r\nUIDL\r\n" * 20)
        time.sleep(0.2)
        for _ in range(20):
            p.ok()
            assert len(p.many()) == n
            p.ok()
            assert len(p.many()) == n
        p.send("".join(f"DELE {i}\r\n" for i in range(1, n)))
        for i in range(1, n):
            p.ok()
        p.ask("UIDL")
        last = p.many()[0].split()[1]
        p.ask("QUIT")
        assert p.ended()
    with opened("list") as p:
        assert count(p) == 1
        assert p.ask("UIDL 1") == f"1 {last}"
        assert f"\r\n\r\n{n - 1}\r\n" in retrieve(p, 1)


def other_mailboxes():
    folder = pathlib.Path(box("ann")).parent
    st = pathlib.Path(box("ann")).stat()
    for name in ("lists.mbox", "lists.folder/info.mbox", "LISTS.mbox"):
        path = folder / name
        path.parent.mkdir(exist_ok=True, mode=0o770)
        path.write_bytes(b"From x Sat Nov 21 02:40:26 2026\n"
                         b"Subject: %s\n\nx\n" % name.encode())
        if os.geteuid() == 0:
            for p in (path, path.parent):
                if p != folder:
                    os.chown(p, st.st_uid, st.st_gid)
    for name in ("lists", "lists/info", "LISTS"):
        with opened(f"{name}#ann@{DOMAIN}") as p:
            assert count(p) == 1
            assert f"Subject: {name.split('/')[0]}" in retrieve(p, 1)
    for name in ("nothere", "list", "Lists", "lists/../INBOX"):
        with Pop() as p:
            p.ask(f"USER {name}#ann@{DOMAIN}")
            p.fails(f"PASS {PASSWORD}")


def bad_commands():
    with opened("ann") as p:
        for line in ("", "FOO", "RETR", "RETR 1 2", "RETR x", "RETR 0",
                     "RETR 99999999999999999999", "STAT 1", "X" * 600,
                     "USER ann", "PASS x", "DELE", "LIST -1"):
            p.fails(line)
        p.ask("stat")
        p.ask("  LIST   1  ") if count(p) else None
        try:
            for _ in range(1000):
                p.fails("FOO")
        except (EOFError, ConnectionError):
            return
    raise AssertionError("any number of errors is forgiven")


def while_mail_comes():
    """Sessions and deliveries of one account at the same time: nothing is
    lost, nothing twice."""
    total = 60
    stop = threading.Event()
    got = {}
    wrong = []

    def fetch():
        try:
            while True:
                last = stop.is_set()
                with opened("busy") as p:
                    for i in range(1, count(p) + 1):
                        text = retrieve(p, i)
                        key = re.search(r"Subject: (\d+)", text)[1]
                        got[key] = got.get(key, 0) + 1
                        p.ask(f"DELE {i}")
                    p.ask("QUIT")
                if last:
                    return
        except Exception as e:
            wrong.append(e)

    t = threading.Thread(target=fetch)
    t.start()
    with Smtp() as s:
        for i in range(total):
            s.begin(address("busy"))
            s.text(f"Subject: {i}\r\n\r\n" + "x\r\n" * 50 + ".\r\n")
    wait_for("the queue to be empty", lambda: not [
        f for f in os.listdir(os.path.join(BASE, "Queue"))
        if f.endswith(".msg")])
    stop.set()
    t.join()
    assert not wrong, wrong
    assert got == {str(i): 1 for i in range(total)}, got


def quiet_while_open():
    """An account that is removed tells its sessions."""
    from wire import administrator
    cli = administrator()
    p = opened("gone")
    cli.ask("DeleteAccount gone")
    p.err()
    assert p.ended()
    cli.close()


def rest():
    """Workers end by themselves, in order."""
    wait_for("the workers to end", lambda: not workers(), 60)
    assert "worker" not in log_of_trouble()


def log_of_trouble():
    from wire import log
    return "\n".join(x for x in log().split("\n")
                     if re.match(r"\S+ 1 ACCOUNT worker", x)
                     and "signal 9" not in x)


accounts("ann", "none", "big", "list", "busy", "gone")
run([t for t in (
    greeting, dots_and_ends, seen, pipelined, byte_by_byte, snapshot,
    not_at_quit, many_sessions, large, long_list, other_mailboxes,
    bad_commands, while_mail_comes, quiet_while_open, rest)
    if not (SINGLE and t is other_mailboxes)])
