#!/usr/bin/env python3
# suite: own
"""What follows an account: aliases and memberships go with it when it is
removed, and along when it is renamed, though routerd, or authd besides, is
killed in that very moment."""
import imaplib
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402

OTHER = "other.example"


def pid(s, name):
    return next((p for p, n in s.children().items() if n == name), None)


def prepare(cli, n):
    """An account with two aliases, in a group by its name and an alias."""
    cli.ask(f'CreateAccount a{n} {{Password="{PASSWORD}";}}')
    cli.ask(f"SetAccountAliases a{n} (x{n},y{n})")
    cli.ask(f"CreateGroup g{n} {{Members=(a{n},x{n},else);}}")


def in_between(s, command, moved, also=()):
    """The files are moved while routerd is away."""
    stored, routerd = pid(s, "stored"), pid(s, "routerd")
    kill(stored, signal.SIGSTOP)
    cli = s.cli()
    cli.f.write(command.encode() + b"\n")
    cli.f.flush()
    # Asked for, and routed; it waits for stored.
    wait_for("the command", lambda: command.split(" INTO")[0] in s.log())
    time.sleep(0.3)
    kill(routerd)
    wait_for("routerd's end", lambda: routerd not in s.children())
    kill(stored, signal.SIGCONT)
    wait_for("the files", moved)
    for name in also:
        kill(pid(s, name))
    threading.Thread(target=cli.f.read, daemon=True).start()
    new = s.cli_again()
    wait_for("routerd", lambda: pid(s, "routerd") not in (None, routerd))
    return new


def becomes(cli, command, answer):
    wait_for(f"{command}: {answer}, not {cli.send(command)}",
             lambda: cli.send(command) == answer)


def removed(s, n, also=()):
    cli = s.cli()
    prepare(cli, n)
    cli.close()
    path = pathlib.Path(s.base, f"Accounts/a{n}.macnt")
    cli = in_between(s, f"DeleteAccount a{n}", lambda: not path.exists(), also)
    becomes(cli, f"GetGroup g{n}", "201 {Members=(else);}")
    for name in f"a{n}", f"x{n}", f"y{n}":
        assert cli.send(f"Route {name}")[:1] == "5", name
        cli.ask(f"CreateAccount {name}")
        cli.ask(f"DeleteAccount {name}")
    cli.close()


def renamed(s, n, domain, also=()):
    cli = s.cli()
    prepare(cli, n)
    cli.close()
    where = "Accounts" if domain == s.domain else f"Domains/{domain}"
    path = pathlib.Path(s.base, f"{where}/b{n}.macnt")
    cli = in_between(s, f"RenameAccount a{n} INTO b{n}@{domain}",
                     path.exists, also)
    if domain == s.domain:
        becomes(cli, f"GetGroup g{n}", f"201 {{Members=(b{n},x{n},else);}}")
        becomes(cli, f"GetAccountAliases b{n}", f"201 (x{n},y{n})")
        assert f"b{n}" in cli.ask(f"Route y{n}")
    else:
        becomes(cli, f"GetGroup g{n}",
                f'201 {{Members=("b{n}@{domain}",else);}}')
        cli.ask(f"CreateAccount x{n}")
    assert cli.send(f"Route a{n}")[:1] == "5"
    cli.ask(f"CreateAccount a{n}")
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login(f"b{n}@{domain}", PASSWORD)
    cli.close()


def told_late(s, n, kind):
    """routerd is told again of a rename that it knows of, when others have got
    the old name: an account, and one of the new account's aliases."""
    cli = s.cli()
    prepare(cli, n)
    cli.ask(f"RenameAccount a{n} INTO b{n}")
    cli.ask(f"CreateAccount a{n} {kind} {{Password=\"{PASSWORD}\";}}")
    cli.ask(f"SetAccountAliases a{n} (v{n})")
    cli.ask(f"CreateAccount c{n}")
    cli.ask(f"RenameAccount c{n} INTO d{n}")
    cli.ask(f"SetAccountAliases d{n} (c{n})")
    cli.close()
    authd = pid(s, "authd")
    kill(authd, signal.SIGSTOP)
    # As it stays there while others are being renamed, too.
    with open(f"{s.base}/Accounts/Settings/authd.pending", "a") as f:
        for old, new in (f"a{n}", f"b{n}"), (f"c{n}", f"d{n}"):
            f.write(f"Accounts/{old}.macnt {old}@{s.domain}\n"
                    f"Accounts/{new}.macnt {new}@{s.domain} "
                    f"{old}@{s.domain}\n")
    kill(authd)
    wait_for("authd", lambda: pid(s, "authd") not in (None, authd))
    cli = s.cli_again()
    wait_for("the notes", lambda: f"d{n}@{s.domain}: is there" in s.log())
    for name, whose in (f"a{n}", f"a{n}"), (f"v{n}", f"a{n}"), \
            (f"x{n}", f"b{n}"), (f"c{n}", f"d{n}"), (f"d{n}", f"d{n}"):
        assert cli.send(f"Route {name}") == f'201 (LOCAL,{whose},"")', name
    becomes(cli, f"GetAccountAliases a{n}", f"201 (v{n})")
    becomes(cli, f"GetAccountAliases d{n}", f"201 (c{n})")
    with imaplib.IMAP4("127.0.0.1", s.imap) as i:
        i.login(f"a{n}", PASSWORD)
    cli.close()


def made(s, n):
    """A new one, of which routerd could not hear, is known in the end."""
    path = pathlib.Path(s.base, f"Accounts/n{n}.macnt")
    cli = in_between(s, f"CreateAccount n{n}", path.exists)
    becomes(cli, f"Route n{n}", f"201 (LOCAL,n{n},\"\")")
    cli.close()


def imported(s):
    """Hundreds come, or none, and routerd knows which."""
    n, base = 600, pathlib.Path(s.base, "Domains", OTHER)
    cli, answer = s.cli(), []
    text = "Name\\e" + "".join(f"i{k}\\e" for k in range(n))
    t = threading.Thread(target=lambda: answer.append(
        cli.send(f'ImportAccounts {OTHER} DATA "{text}"')))
    t.start()
    wait_for("some of them", lambda: len(list(base.glob("i*.macnt"))) > 50)
    kill(pid(s, "routerd"))
    t.join()
    new = s.cli_again()

    def known():
        there = {p.stem for p in base.glob("i*.macnt")}
        told = new.send(f"ListAccounts {OTHER}")
        return told[:1] == "2" and there == {
            w.split("=")[0] for w in told[5:-1].split(";") if w[:1] == "i"} \
            and len(there) in (0, n) and there
    wait_for("all, or none", lambda: known() is not False)
    assert answer[0][:1] in "25", answer
    print(answer[0][:60], len(known() or ()))
    new.close()


def main():
    with Suite(conf="settings Main { AccountsLogLevel = 5; }\n") as s:
        cli = s.cli()
        cli.ask(f"CreateDomain {OTHER}")
        cli.close()
        removed(s, 1)
        renamed(s, 2, s.domain)
        renamed(s, 3, OTHER)
        removed(s, 4, ["authd"])
        renamed(s, 5, s.domain, ["authd"])
        made(s, 6)
        imported(s)
        told_late(s, 7, "MultiMailbox")
        told_late(s, 8, "TextMailbox")


main()
