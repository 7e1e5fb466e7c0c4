#!/usr/bin/env python3
"""The queue: log lines, several recipients, remote ones that wait, what is
found at start, numbers, the floor of free space, administration."""
import os
import pathlib
import re
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import Cli, kill, read_mbox, wait_for  # noqa: E402
from wire import administrator, log, processes  # noqa: E402

E = os.environ
BASE = pathlib.Path(E["CG_BASE"])
QUEUE = BASE / "Queue"
DOMAIN = E["CG_DOMAIN"]
SECRET = "queue test 1"


def mail(account):
    return read_mbox(BASE / "Accounts" / f"{account}.macnt" / "INBOX.mbox")


def messages():
    return sorted(p.name for p in QUEUE.rglob("*.msg"))


def empty():
    wait_for("an empty queue", lambda: not messages())


def smtp(login=None):
    s = smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60)
    s.ehlo("client.example")
    if login:
        s.login(login, SECRET)
    return s


def text(n):
    return f"Subject: number {n}\nMessage-ID: <n{n}@q>\n\nbody {n}\n"


def has(account, n):
    return sum(f"<n{n}@q>".encode() in m for _, m in mail(account))


def restart_queued():
    """SIGKILL; true once another one serves."""
    old = processes("queued")
    before = log().count("QUEUE sandbox proved")
    for p in old:
        kill(p)
    wait_for("a new queued",
             lambda: log().count("QUEUE sandbox proved") > before)


def test_several():
    s = smtp()
    s.sendmail("x@far.example", [f"ann@{DOMAIN}", f"bob@{DOMAIN}"], text(1))
    s.quit()
    wait_for("both copies", lambda: has("ann", 1) and has("bob", 1))
    empty()
    lines = wait_for("the last line", lambda: (
        re.search(r"QUEUE\(\[\d+\]\) deleted", log()) and log()))
    number = re.search(r"QUEUE\(\[(\d+)\]\) from <x@far.example>, \d+ bytes",
                       lines)[1]
    for want in (rf"^[\d:.]+ 2 QUEUE\(\[{number}\]\) from <x@far.example>, "
                 r"\d+ bytes$",
                 rf"^[\d:.]+ 2 QUEUE\(\[{number}\]\) enqueued$",
                 rf"^[\d:.]+ 2 DEQUEUER \[{number}\] LOCAL\(ann\)ann@{DOMAIN} "
                 r"delivered: Delivered to the user mailbox$",
                 rf"^[\d:.]+ 2 QUEUE\(\[{number}\]\) deleted$"):
        assert re.search(want, lines, re.M), f"no log line {want}"
    return int(number)


def test_remote():
    """Remote recipients wait, over restarts; nobody else is sent twice."""
    try:
        s = smtp()
        s.sendmail("x@far.example", ["y@other.example"], text(2))
        raise AssertionError("relayed for anybody")
    except smtplib.SMTPRecipientsRefused:
        s.close()
    s = smtp("ann")
    s.sendmail(f"ann@{DOMAIN}", ["y@other.example", f"bob@{DOMAIN}"], text(3))
    s.quit()
    wait_for("the local copy", lambda: has("bob", 3))
    name = wait_for("the letter", lambda: [
        p for p in QUEUE.glob("*.msg")
        if re.search(rb"^R D .*<bob@", p.read_bytes(), re.M)])[0]
    envelope = name.read_bytes().split(b"\n\n")[0].decode()
    assert re.search(r"^R W .*<y@other.example>$", envelope, re.M), envelope
    assert re.search(rf"^S ann@{DOMAIN} SMTP \[127.0.0.1\]$", envelope,
                     re.M), envelope
    assert re.search(r"^z \d{20} [0-9a-f]{8}$", envelope, re.M), envelope
    restart_queued()
    cli = administrator()
    answer = wait_for("the queue's list", lambda: (
        lambda a: a if "other.example" in a else None)(show(cli)))
    assert name.stem in answer and "y@other.example" in answer, answer
    cli.send("INLINE")
    queues = cli.send("ListQueues")
    assert "Name=other.example" in queues.replace('"', ""), queues
    assert cli.send(f"RejectQueueMessage {name.stem} \"not this one\"")[
        :1] == "2"
    wait_for("the report", lambda: any(
        b"not this one" in m and b"y@other.example" in m
        for _, m in mail("ann")))
    empty()
    assert has("bob", 3) == 1
    cli.close()


def show(cli):
    cli.send("INLINE")
    return cli.send("ListQueueMessages")


def plant(name, data):
    path = QUEUE / name
    if not path.parent.exists():
        path.parent.mkdir()
        path.parent.chmod(0o777)
    path.write_bytes(data)
    path.chmod(0o666)
    return path


ENVELOPE = f"""P I 17-09-2001 09:52:33 0000 ____ ____ <ann@far.example>
O T
S SMTP [199.199.199.199]
R W 17-09-2001 09:52:33 0000 ____ _FY_ <ann@{DOMAIN}>
R D 17-09-2001 09:52:33 0000 ____ _FY_ <bob@{DOMAIN}>
"""


def test_found():
    """What another server left, what was torn, what was being written."""
    assert not messages()
    plant("57/1846258457.msg", (ENVELOPE + "\n" + text(4)).encode())
    plant("999.msg", (ENVELOPE + "z 00000000000000000012 01234567\n\n" +
                      text(5)).encode())
    plant("1000.msg", (ENVELOPE + "z ____________________ ________\n\n" +
                       text(5)).encode())
    plant("1001.msg", b"")
    tmp = plant("1002.tmp", ENVELOPE.encode())
    restart_queued()
    wait_for("the vendor's message", lambda: has("ann", 4))
    empty()
    assert has("bob", 4) == 0, "delivered again"
    for name in ("999", "1000", "1001"):
        assert (BASE / "BadFiles" / f"{name}.msg").exists(), name
    assert not tmp.exists()
    assert has("ann", 5) == 0


def test_numbers(last):
    """They ascend over restarts, past what lies there."""
    restart_queued()
    s = smtp()
    s.sendmail("x@far.example", [f"ann@{DOMAIN}"], text(6))
    s.quit()
    wait_for("the message", lambda: has("ann", 6))
    wait_for("its number in the log", lambda: max(map(int, re.findall(
        r"QUEUE\(\[(\d+)\]\) from", log()))) > max(last, 1846258457))


def test_floor():
    cli = administrator()
    cli.ask("UpdateModule Queue {MinFreeSpace=1000G;}")

    def refused():
        s = smtp()
        try:
            s.sendmail("x@far.example", [f"ann@{DOMAIN}"], text(7))
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
        finally:
            s.close()
        return 0

    wait_for("452", lambda: refused() == 452)
    had = has("ann", 7)
    cli.ask("UpdateModule Queue {MinFreeSpace=1M;}")
    # smtpd may have files that it was given before
    wait_for("space", lambda: "has space again" in log())
    wait_for("250", lambda: refused() == 0)
    cli.close()
    wait_for("that message", lambda: has("ann", 7) > had)


def test_delay():
    """What fails for now is tried again; the account's others wait."""
    box = BASE / "Accounts" / "dan.macnt" / "INBOX.mbox"
    box.rename(box.with_suffix(".aside"))
    box.mkdir()
    s = smtp()
    for n in (8, 9):
        s.sendmail("x@far.example", [f"dan@{DOMAIN}"], text(n))
    s.quit()
    wait_for("the delay", lambda: "LOCAL(dan) delayed for" in log())
    assert len(messages()) == 2
    wait_for("the count of attempts", lambda: any(
        re.search(rb"^R W [^_]* 000[1-9] ", m.read_bytes(), re.M)
        for m in QUEUE.rglob("*.msg")))
    box.rmdir()
    box.with_suffix(".aside").rename(box)
    wait_for("both", lambda: has("dan", 8) and has("dan", 9))
    empty()
    assert has("dan", 8) == 1 and has("dan", 9) == 1


def held_up(account, numbers):
    """Messages whose account cannot take them for now: their files."""
    box = BASE / "Accounts" / f"{account}.macnt" / "INBOX.mbox"
    box.rename(box.with_suffix(".aside"))
    box.mkdir()
    before = log().count(f"LOCAL({account}) delayed for")
    s = smtp()
    for n in numbers:
        s.sendmail("x@far.example", [f"{account}@{DOMAIN}"], text(n))
    s.quit()
    wait_for("the delay", lambda: log().count(
        f"LOCAL({account}) delayed for") > before)

    def go():
        box.rmdir()
        box.with_suffix(".aside").rename(box)
    found = {n: p for p in QUEUE.glob("*.msg") for n in numbers
             if f"<n{n}@q>".encode() in p.read_bytes()}
    return found, go


def test_bad_files():
    """One that cannot be read holds up nobody else: at start, while it waits
    to be delivered, or to be reported."""
    assert not messages()
    unread = plant("2000000001.msg", (ENVELOPE + "\n" + text(20)).encode())
    unread.chmod(0)
    plant("2000000002.msg", (ENVELOPE + "\n" + text(21)).encode())
    restart_queued()
    wait_for("what can be read", lambda: has("ann", 21), 20)
    assert not has("ann", 20)
    files, go = held_up("dan", (22, 23, 24))
    files[22].chmod(0)
    files[23].unlink()
    go()
    wait_for("the one that is whole", lambda: has("dan", 24), 20)
    wait_for("a word in the log", lambda:
             f"[{files[23].stem}]) its file was removed" in log())
    unread.chmod(0o666)
    files[22].chmod(0o600)
    wait_for("what can be read again",
             lambda: has("ann", 20) and has("dan", 22))
    assert not has("dan", 23)
    s = smtp("ann")
    s.sendmail(f"ann@{DOMAIN}", ["y@other.example"], text(25))
    s.quit()
    cli = administrator()
    path = wait_for("the message", lambda: "other.example" in show(cli) and
                    list(QUEUE.glob("*.msg")))[0]
    path.unlink()
    cli.ask(f"RejectQueueMessage {path.stem} \"not this one\"")
    wait_for("its end", lambda: f"QUEUE([{path.stem}]) deleted" in log())
    cli.close()


def test_rights():
    """Who has no rights there learns nothing."""
    c = Cli(E["CG_PWD"], "bob", SECRET)
    for command in ("ListQueues", "ListQueueMessages", "GetQueueStatus",
                    "ReleaseQueue x", "RejectQueueMessage 1"):
        assert c.send(command)[:1] == "5", command
    c.close()


def main():
    cli = administrator()
    for name in ("ann", "bob", "dan"):
        cli.ask(f'CreateAccount {name} {{Password="{SECRET}";}}')
    cli.ask("UpdateModule Queue {ReportDelay=1s;}")
    cli.close()
    number = test_several()
    test_remote()
    test_found()
    test_numbers(number)
    test_floor()
    test_delay()
    test_bad_files()
    test_rights()
    empty()


main()
