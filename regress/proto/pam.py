#!/usr/bin/env python3
# suite: own
"""OS passwords: the root helper asks PAM, by a service of this test's own;
root and system users are refused whatever PAM says."""
import os
import pathlib
import poplib
import pwd
import subprocess
import sys
import tempfile

TOOLS = pathlib.Path(__file__).resolve().parent.parent / "tools"
sys.path.insert(0, str(TOOLS))
from cgtest import PASSWORD, Cli, Suite, wait_for  # noqa: E402

OS_PASSWORD = "the host's own"
CHECK = """#!/bin/sh
read -r given
[ "$given" = "$(cat "${0%/*}/password")" ]
"""


def pop_works(s, name, password):
    p = poplib.POP3("127.0.0.1", s.pop, 60)
    try:
        p.user(name)
        p.pass_(password)
        p.quit()
        return True
    except poplib.error_proto:
        p.close()
        return False


def changes(s, password, ask, code):
    c = Cli(s.env["CG_PWD"], "ann", password)
    answer = c.send(ask)
    assert answer[:3] == code, answer
    c.close()


def ordinary():
    for p in pwd.getpwall():
        if 1000 <= p.pw_uid <= 60000:
            return p.pw_name
    print("no ordinary user here")
    sys.exit(77)


def stack(d):
    """A PAM directory, whose password lies in a file: the directory."""
    check = pathlib.Path(d, "check")
    check.write_text(CHECK)
    check.chmod(0o755)
    kept = pathlib.Path(d, "password")
    kept.write_text(OS_PASSWORD)
    module = pathlib.Path(d, "pam_stub.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module,
                    TOOLS / "pam_stub.c", "-lpam"], check=True)
    pam = pathlib.Path(d, "pam.d")
    pam.mkdir()
    (pam / "cgate").write_text(
        f"auth required pam_exec.so quiet expose_authtok {check}\n"
        "account required pam_permit.so\n"
        f"password required {module} {kept}\n")
    return pam


def logins(s, cli, user):
    for name, os_name in (("ann", user), ("eve", "root"),
                          ("dan", "daemon"), ("nil", "no-such-user")):
        cli.ask(f'CreateAccount {name} {{Password="{PASSWORD}";'
                f'UseSysPassword=YES;OSUserName="{os_name}";}}')
    cli.ask(f'CreateAccount off {{OSUserName="{user}";}}')
    assert pop_works(s, "ann", PASSWORD)
    assert pop_works(s, "ann", OS_PASSWORD)
    assert not pop_works(s, "ann", "neither")
    for name in ("eve", "dan", "nil"):
        assert pop_works(s, name, PASSWORD)
        assert not pop_works(s, name, OS_PASSWORD), name
    assert not pop_works(s, "off", OS_PASSWORD)


def changed(s, cli, user):
    """By the host's password the host's is changed, no other."""
    changes(s, OS_PASSWORD, "NEWPASS weak", "501")
    cli.ask("UpdateAccountSettings ann {PWDAllowed=NO;}")
    changes(s, OS_PASSWORD, "NEWPASS another", "501")
    cli.ask("UpdateAccountSettings ann {PWDAllowed=YES;}")
    assert pop_works(s, "ann", OS_PASSWORD)
    changes(s, OS_PASSWORD, "SetAccountPassword * TO second", "200")
    changes(s, "second", f"NEWPASS {OS_PASSWORD}", "200")
    assert not pop_works(s, "ann", "second")
    assert pop_works(s, "ann", PASSWORD)
    c = Cli(s.env["CG_PWD"], "ann", PASSWORD)
    assert c.send("NEWPASS another")[:3] == "200"
    c.close()
    assert pop_works(s, "ann", "another")
    assert pop_works(s, "ann", OS_PASSWORD)


def by_default(s, cli, user):
    """A default that names one user is none for the Master."""
    cli.ask(f'SetAllAccountsDefaults {{UseSysPassword=YES;'
            f'OSUserName="{user}";}}')
    cli.ask(f'CreateAccount bob {{Password="{PASSWORD}";}}')
    assert pop_works(s, "bob", OS_PASSWORD)
    assert not pop_works(s, "postmaster", OS_PASSWORD)
    cli.ask('SetAllAccountsDefaults {}')


def helper_dies(s, cli, user):
    """It comes again, nobody else notices."""
    helper = [p for p, n in s.children().items() if n == "authd-priv"]
    assert len(helper) == 1, s.children()
    os.kill(helper[0], 9)
    wait_for("a new helper", lambda: pop_works(s, "ann", OS_PASSWORD))
    assert OS_PASSWORD not in s.log()


def main():
    if os.geteuid() != 0:
        print("OS passwords need a suite that root runs")
        sys.exit(77)
    user = ordinary()
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        with Suite(conf=f"os-passwords yes\npam-dir {stack(d)}\n") as s:
            cli = s.cli()
            for step in logins, changed, by_default, helper_dies:
                step(s, cli, user)
            cli.close()


main()
