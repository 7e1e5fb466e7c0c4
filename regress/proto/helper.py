#!/usr/bin/env python3
# suite: own
"""The external authenticator: passwords, digests and unknown names by a
program; several requests at once; it dies, hangs, says nonsense, and comes
again; and which programs are not started."""
import os
import pathlib
import poplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, TOP, Suite, kill, wait_for  # noqa: E402
from helpers import HELPER_UID, Helpers  # noqa: E402
from smtplib import SMTP  # noqa: E402


def pop(s, name, password, cram=False):
    """None, or what the server has against it."""
    p = poplib.POP3("127.0.0.1", s.pop, 90)
    try:
        p.user(name)
        p.pass_(password)
        p.quit()
        return None
    except poplib.error_proto as e:
        p.close()
        return str(e)


def cram(s, name, password):
    with SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.ehlo()
        c.user, c.password = name, password
        code, _ = c.auth("CRAM-MD5", c.auth_cram_md5)
        return code == 235


def logged(s, text):
    wait_for(f"in the log: {text}", lambda: text in s.log())


def cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def pid_of(s):
    """The program's process."""
    found = [p for p in s.children() if b"auth.py" in cmdline(p)]
    assert len(found) <= 1, found
    return found[0] if found else None


def walls(s):
    """It is nobody of the suite's, and nothing came with it."""
    proc = pathlib.Path("/proc", str(pid_of(s)))
    status = dict(line.split(":\t", 1) for line in
                  (proc / "status").read_text().split("\n") if ":\t" in line)
    assert status["Uid"].split() == [str(HELPER_UID)] * 4, status["Uid"]
    assert status["Gid"].split() == [str(HELPER_UID)] * 4, status["Gid"]
    assert status["Groups"].strip() == "", status["Groups"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    env = (proc / "environ").read_bytes()
    assert b"CG_" not in env and env.count(b"\0") == 3, env
    for part in ("Settings", "Accounts/ann.macnt", "Queue"):
        st = pathlib.Path(s.base, part).stat()
        assert HELPER_UID not in (st.st_uid, st.st_gid)
        assert st.st_mode & 0o7 == 0, (part, oct(st.st_mode))


def passwords(s):
    assert pop(s, "ann", PASSWORD) is None          # its own still counts
    assert pop(s, "ann", "ext-ann") is None
    assert pop(s, "ann", "neither") is not None
    assert pop(s, "own", "ext-own") is not None     # not switched on there
    # With blanks and beyond ASCII it is the rest of the line.
    assert "incorrect" in pop(s, "ann", "two words")
    assert cram(s, "ben", "ext-ben")
    try:
        assert not cram(s, "ben", "ext-wrong")
    except Exception as e:
        assert "535" in str(e) or "501" in str(e), e
    logged(s, "VRFY for ann@test.example from (POP)")
    logged(s, "SASL(CRAM-MD5) for ben@test.example from (SMTP)")
    logged(s, "stderr: something for stderr")
    logged(s, "fds=[0, 1, 2, ")
    if os.geteuid() == 0:
        logged(s, f"uid={HELPER_UID} argv=3")
        walls(s)
    # What the program itself tells of passwords is not logged either.
    assert "incorrect" in pop(s, "ann", "echo this")
    logged(s, "with a secret")
    for secret in ("ext-ann", "two words", "echo this"):
        assert secret not in s.log()


def at_once(s):
    """A slow answer keeps nobody waiting."""
    results = {}

    def one(name, password):
        results[name] = (pop(s, name, password), time.monotonic())
    threads = [threading.Thread(target=one, args=a) for a in
               (("ann", "slow"), ("ben", "ext-ben"), ("ned", "ext-ned"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(r[0] is None for r in results.values()), results
    assert results["ben"][1] < results["ann"][1], results


def stubborn(s, h):
    """Switched off, it has seconds to go; then it is made to."""
    h.set(s, h.program("stubborn", "#!/bin/sh\ntrap '' TERM\nread l\n"
                       'echo "${l%% *} OK 1"\nexec sleep 12345\n'))

    def there():
        return [p for p in s.children() if b"12345" in cmdline(p)]
    wait_for("it", there)
    h.off(s)
    assert there()
    wait_for("its end", lambda: not there(), 30)


def timing(s):
    """An unknown name is refused as slowly as a known one's password."""
    cli = s.cli()
    cli.ask("UpdateAccountDefaults {UseExtPassword=YES;}")
    took = []
    for name in ("ann", "stranger"):
        begun = time.monotonic()
        assert "incorrect" in pop(s, name, "slow no")
        took.append(time.monotonic() - begun)
    assert min(took) > 0.9, took
    cli.ask("UpdateAccountDefaults {UseExtPassword=default;}")
    cli.close()


def death(s):
    first = pid_of(s)
    kill(first)
    # Asked while it is down: the next one answers.
    assert pop(s, "ann", "ext-ann") is None
    assert pid_of(s) != first
    # A request that ends each program ends two, not all of them.
    assert pop(s, "ben", "die") is not None
    assert pop(s, "ann", "ext-ann") is None


def hanging(s, h):
    h.use(s, more="Timeout=2;AutoRestart=1;")
    first = pid_of(s)
    begun = time.monotonic()
    text = pop(s, "ben", "hang")
    assert "TEMP" in text, text
    assert time.monotonic() - begun < 40
    wait_for("the next one", lambda: pid_of(s) not in (None, first))
    logged(s, "does not answer in time")
    assert pop(s, "ann", "ext-ann") is None


def unknown_names(s, h):
    cli = s.cli()
    cli.ask("INLINE")
    assert pop(s, "new1", "ext-new1") is not None
    cli.ask("UpdateDomainSettings {ExternalOnUnknown=YES;}")
    wait_for("the setting", lambda: pop(s, "new1", "ext-new1") is None)
    cli.ask("GetAccountSettings new1")
    with SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.ehlo()
        assert c.mail("")[0] == 250
        assert c.rcpt(s.address("new2"))[0] == 250
        assert c.rcpt(s.address("nobody"))[0] == 550
        c.rset()
        c.sendmail("", [s.address("new3")], "Subject: hello\r\n\r\nnew\r\n")
    wait_for("mail for new3", lambda: len(s.mail("new3")) == 1)
    assert pop(s, "nobody", "ext-nobody") is not None
    # Objects are looked up without it: a helper that asks would wait.
    assert cli.send("GetAccountSettings new9")[:3] != "200"
    # While it cannot say, mail is put off.
    h.set(s, h.program("silent", "#!/bin/sh\ncat >/dev/null\n"),
          "Timeout=2;AutoRestart=1;")
    with SMTP("127.0.0.1", s.smtp, timeout=60) as c:
        c.ehlo()
        c.mail("")
        assert c.rcpt(s.address("new4"))[0] // 100 == 4
    cli.ask("UpdateDomainSettings {ExternalOnUnknown=NO;}")
    cli.close()


def refused(s, h):
    """What must not be started."""
    marker = h.dir / "started"
    text = f"#!/bin/sh\ntouch {marker}\n"
    os.chmod(h.dir, 0o777) if os.geteuid() != 0 else None
    os.chmod(h.dir, 0o755)
    cases = [(h.program("loose", text, 0o777), "others may write"),
             (h.program("group", text, 0o775), "others may write"),
             (h.program("plain", text, 0o644), "not a program"),
             ("/bin/sh", "does not list"),
             (f"{h.dir}/../../bin/sh", "not a plain one"),
             (f"{h.dir}/none", "no such program")]
    link = h.dir / "link"
    link.symlink_to("/bin/sh")
    cases.append((link, "not a program"))
    if os.geteuid() == 0:
        f = h.program("others", text)
        os.chown(f, HELPER_UID, 0)
        cases.append((f, "others may write"))
        sub = h.dir / "sub"
        sub.mkdir(mode=0o777)
        sub.chmod(0o777)
        f = sub / "deep"
        f.write_text(text)
        f.chmod(0o755)
        cases.append((f, "others may write"))
    for path, why in cases:
        seen = s.log().count(why)
        h.set(s, path)
        wait_for(f"{path}: {why}", lambda: s.log().count(why) > seen)
    assert not marker.exists()


def sample(s, h):
    """The one in etc/, in Perl, as its head says."""
    f = h.program("extauth.pl", (TOP / "etc/extauth.pl").read_text())
    users = h.dir / "users"
    users.write_text("ann@test.example:in perl\n"
                     "fay@test.example:fay's own\n")
    secret = h.dir / "secret"
    secret.write_text(s.env["CG_ADMIN_PASSWORD"] + "\n")
    secret.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(secret, HELPER_UID, HELPER_UID)
    h.set(s, f'{f} {users} 127.0.0.1:{s.env["CG_PWD"]} postmaster {secret}')
    assert pop(s, "ann", "in perl") is None
    assert pop(s, "ann", "in python") is not None
    cli = s.cli()
    cli.ask("UpdateDomainSettings {ExternalOnUnknown=YES;}")
    wait_for("fay", lambda: pop(s, "fay", "fay's own") is None)
    cli.close()


def main():
    with Helpers() as h, Suite(conf=h.conf) as s:
        cli = s.cli()
        for name in ("ann", "ben", "ned"):
            cli.ask(f'CreateAccount {name} {{Password="{PASSWORD}";'
                    "UseExtPassword=YES;}")
        cli.ask(f'CreateAccount own {{Password="{PASSWORD}";}}')
        assert pop(s, "ann", "ext-ann") is not None     # nothing is running
        # One that ends at once is started ever later.
        h.set(s, h.program("gone", "#!/bin/sh\nexit 1\n"), "AutoRestart=1;")
        logged(s, "it is started again in 4 s")
        stubborn(s, h)
        h.use(s, more="AutoRestart=1;")
        passwords(s)
        at_once(s)
        timing(s)
        death(s)
        hanging(s, h)
        h.use(s, more="AutoRestart=1;Timeout=20;")
        unknown_names(s, h)
        refused(s, h)
        sample(s, h)
        # Old programs know no service; with no start again, it stays down.
        h.use(s, intf="ERROR what", more="AutoRestart=Disabled;")
        assert pop(s, "ben", "ext-ben") is None
        logged(s, "VRFY for ben@test.example from nowhere")
        kill(pid_of(s))
        logged(s, "AutoRestart is off")
        assert "TEMP" in pop(s, "ann", "ext-ann")
        assert pop(s, "ann", PASSWORD) is None
        cli.ask("UpdateModule Main {ExternalAUTH={Enabled=NO;};}")
        wait_for("nobody there", lambda: "switched off" in s.log())
        assert pop(s, "ann", "ext-ann") is not None
        cli.close()


main()
