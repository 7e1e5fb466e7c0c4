#!/usr/bin/env python3
"""Account lists: all of their accounts, or none and the line that is wrong;
what is in the columns; who may; speed, and authd's death in between."""
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, Cli, kill, wait_for  # noqa: E402
from wire import processes  # noqa: E402

E = os.environ
BASE = pathlib.Path(E["CG_BASE"])
DIR = BASE / "Domains/c.example"


def login(name=E["CG_ADMIN_NAME"], password=E["CG_ADMIN_PASSWORD"]):
    c = Cli(E["CG_PWD"], name, password)
    c.ask("INLINE")
    return c


def data(cli, command):
    answer = cli.ask(command)
    return answer[4:] if answer.startswith("201 ") else ""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace(
        "\t", "\\t").replace("\r", "\\r").replace("\n", "\\e") + '"'


def load(cli, text, kind=""):
    return cli.send(f"ImportAccounts c.example {kind} DATA {quoted(text)}")


def there():
    return sorted(p.name for p in DIR.iterdir()
                  if p.name.endswith((".macnt", ".mbox")))


def opens(name, password):
    try:
        Cli(E["CG_PWD"], f"{name}@c.example", password).close()
        return True
    except AssertionError:
        return False


def columns(cli):
    """The manual's sample, and every kind of column."""
    answer = load(cli, "Name\tType\tIgnore\tStorage\tAliases\r\n"
                  "johnd\tMultiMailbox\tsales dept\t50M\r\n"
                  "susan\tMultiMailbox\tmgmnt\t10M\tsusan.s,susan_smith\r\n"
                  "sales\tMultiMailbox\tdummy\t30M\r\n\r\n"
                  "info\tText Mailbox\tdummy\t50M\thelp")
    assert answer.startswith("200"), answer
    assert there() == ["info.mbox", "johnd.macnt", "sales.macnt",
                       "susan.macnt"], there()
    assert data(cli, "GetAccountSettings johnd@c.example") == \
        "{MaxAccountSize=50M;}"
    assert data(cli, "GetAccountAliases susan@c.example") == \
        '("susan.s","susan_smith")'
    assert data(cli, "GetAccountAliases info@c.example") == "(help)"
    hashed = subprocess.run(["openssl", "passwd", "-6", "secret"], check=True,
                            capture_output=True, text=True).stdout.strip()
    answer = load(cli, "RealName\tName\tPassword\tUnixPassword\tcity\t"
                  "AccessModes\tIgnore\tIgnore\n"
                  "Ann A.\tAnn\tannpw\t\tBonn\t(PWD,POP)\tx\ty\n"
                  f'"B"\tben\t\t{hashed}\n')
    assert answer.startswith("200"), answer
    text = data(cli, "GetAccountSettings ann@c.example")
    assert text == '{AccessModes=(PWD,POP);RealName="Ann A.";city=Bonn;}', text
    assert opens("ann", "annpw") and opens("ben", "secret")
    # As chapter 03 prints it; who has such a password cannot be tried.
    assert load(cli, "Name\tUnixPassword\n\nuser2\tYIdhkjeHDKbYsji\n"
                "user1\t{SHA}Ue4Erbim2TC7CmuukMOBejeytr2=\n"
                "user3\t{MD5}zverMUhsgJUIDjeytr2=\n"
                "user4\t{crypt}YIdhkjeHDKbYsji\n"
                "user5\t$1$VlPrB$vNjOAytB3W.j0bkkbaN2Z.\n").startswith("200")
    text = (DIR / "user3.macnt/account.settings").read_text()
    assert r'"\002{MD5}zverMUhsgJUIDjeytr2="' in text, text
    for i in range(1, 6):
        cli.ask(f"DeleteAccount user{i}@c.example")
    assert load(cli, "Name\rx1\rx2\r", "TextMailbox").startswith("200")
    assert {"x1.mbox", "x2.mbox"} <= set(there())


def wrong(cli):
    """Nothing is made; the line is told."""
    before = there()
    for text, line in (
            ("", "columns"), ("RealName\nann", "line 1"),
            ("Name\tName" + "\tx" * 300, "line 1"),
            ("Name\t\tType\nq", "line 1"), ("Name\nq\nq\n", "line 3"),
            ("Name\nq\n\nann\n", "line 4"), ("Name\nq\na/b", "line 3"),
            ("Name\nq\tr", "line 2"), ("Name\tType\nq\tOdd", "line 2"),
            ("Name\tType\nq\tSliced Mailbox", "line 2"),
            ("Name\tStorage\nq\tlots", "line 2"),
            ("Name\tRealName\n\tnobody", "line 2"),
            ("Name\tRules\nq\t(a", "line 2"),
            ("Name\tAliases\nq\tr\ns\tr", "line 3"),
            ("Name\tAliases\nq\tann", "name"),
            ("Name\tAliases\nq\ta/b", "line 2")):
        answer = load(cli, text)
        assert answer.startswith("501") and line in answer, (text, answer)
    wait_for("all to be gone again", lambda: there() == before and
             not list(DIR.glob("*.new")))
    # The names are free again.
    assert load(cli, "Name\tPassword\nq\tqpw").startswith("200")
    assert opens("q", "qpw")


def rights(cli):
    cli.ask("CreateAccount boss@c.example {Password=pw;}")
    boss = login("boss@c.example", "pw")
    assert load(boss, "Name\nw1").startswith("501")
    cli.ask("SetAccountRights boss@c.example (CanCreateAccounts,"
            "BasicSettings)")
    assert load(boss, "Name\tPassword\tMaxAccountSize\nw1\tpw\t5M\n"
                ).startswith("200")
    assert data(cli, "GetAccountSettings w1@c.example") == "{}"
    assert load(boss, "Name\tAliases\nw2\tw3").startswith("501")
    assert boss.send("ImportAccounts other.example DATA \"Name\\ew\""
                     ).startswith("501")
    assert boss.send(f"ImportAccounts {E['CG_DOMAIN']} DATA \"Name\\ew\""
                     ).startswith("501")
    boss.close()


def many(cli):
    """Thousands, in seconds; a login meanwhile does not wait for them."""
    rows = "".join(f"user{i}\tpass{i}\talias{i}\n" for i in range(3000))
    loader = subprocess.Popen(
        [OBJ / "cgctl", "ImportAccounts", "c.example", "DATA", "-"],
        stdin=subprocess.PIPE, text=True)
    begun = time.monotonic()
    loader.stdin.write("Name\tPassword\tAliases\n" + rows)
    loader.stdin.close()
    slowest = 0
    while loader.poll() is None:
        t = time.monotonic()
        assert opens("q", "qpw")
        slowest = max(slowest, time.monotonic() - t)
    assert loader.returncode == 0
    print(f"3000 accounts in {time.monotonic() - begun:.1f} s, "
          f"the slowest login meanwhile {slowest:.2f} s")
    assert slowest < 20
    assert len(list(DIR.glob("user*.macnt"))) == 3000
    assert opens("user2999", "pass2999") and opens("alias7", "pass7")
    answer = load(cli, "Name\n" + "\n".join(f"v{i}" for i in range(300)) +
                  "\nuser5\n")
    assert answer.startswith("501 line 302"), answer
    assert not list(DIR.glob("v*.macnt"))


def killed():
    """What is there is whole, and routerd knows it; the rest is not."""
    rng = random.Random(5)
    for n in range(4):
        cli = wait_for("a session", again)
        pid, = processes("authd")
        timer = threading.Timer(rng.uniform(0.05, 0.5), kill, (pid,))
        timer.start()
        load(cli, "Name\tPassword\n" + "\n".join(
            f"k{n}x{i}\tpw" for i in range(1500)))
        timer.join()
        cli.close()
    cli = wait_for("a session", again)
    wait_for("the sweep", lambda: not list(DIR.glob("*.new")))
    known = data(cli, "ListAccounts c.example")
    names = [p.stem for p in DIR.glob("k*.macnt")]
    for name in names:
        d = DIR / f"{name}.macnt"
        assert f"{name}=" in known, name
        assert (d / "account.settings").stat().st_size > 10
        assert (d / "INBOX.mbox").exists() and (d / "account.info").exists()
    assert known.count("k0x") == sum(x.startswith("k0x") for x in names)
    for name in names[:3] + names[-3:]:
        assert opens(name, "pw")
    cli.close()


def again():
    try:
        return login()
    except (AssertionError, OSError):
        return None


def main():
    cli = login()
    cli.ask("CreateDomain c.example")
    columns(cli)
    wrong(cli)
    rights(cli)
    many(cli)
    cli.close()
    killed()


main()
