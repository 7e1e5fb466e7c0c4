#!/usr/bin/env python3
"""cgctl: exit statuses, quoting, standard input, log and queue; then the life
of a server of its own: start, status, restart, stop."""
import fcntl
import os
import pathlib
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ  # noqa: E402

DOMAIN = os.environ["CG_DOMAIN"]
PATIENCE = 120
TOP = pathlib.Path(__file__).resolve().parents[2]


def cgctl(*args, code=0, feed="", conf=None):
    p = subprocess.run(["cgctl", *(["-f", conf] if conf else []), *args],
                       input=feed, text=True, capture_output=True,
                       timeout=PATIENCE)
    assert p.returncode == code, \
        f"{args}: {p.returncode}: {p.stdout[-500:]}{p.stderr[-500:]}"
    if code:
        assert p.stderr or args[0] in ("status",), args
    return p.stdout if code == 0 else p.stdout + p.stderr


def commands():
    assert cgctl("MainDomainName") == DOMAIN + "\n"
    assert cgctl("ListDomains") == f'(\n  "{DOMAIN}"\n)\n'
    cgctl("CreateAccount", "jo", '{Password = "a \\"b\\" c"; RealName=J;}')
    cgctl("VerifyAccountPassword", "jo", "PASSWORD", 'a "b" c')
    cgctl("CreateAccount", "jo", code=1)
    cgctl("SetAccountPassword", "jo", "To", "-", feed="from stdin\n")
    cgctl("VerifyAccountPassword", "jo", "PASSWORD", "from stdin")
    cgctl("SetRouterTable", "-", feed="<a> = jo\n; note\nb.org = jo.local\n")
    assert cgctl("GetRouterTable") == "<a> = jo\n; note\nb.org = jo.local\n"
    assert cgctl("route", "x@b.org") == "(\n  LOCAL,\n  jo,\n  x\n)\n"
    cgctl("UpdateAccountSettings", "jo", "{\n  RealName = \"Jo X\";\n}")
    assert 'RealName = "Jo X";' in cgctl("GetAccountSettings", "jo")
    assert "Route nobody: unknown user" in cgctl("Route", "nobody", code=1)
    got = cgctl("DeleteAccount", "noone", code=1)
    assert got.startswith("cgctl: DeleteAccount noone: "), got
    assert "not available" in cgctl("ListLists", code=1)


def slips():
    """Settings that nobody knows are kept; of what looks like a known one
    there is a note."""
    for line, said in (
            (("CreateAccount", "slip", "{Pasword=a; RealName=b; city=c;}"),
             "Pasword has no meaning to the server; perhaps: Password"),
            (("UpdateAccountSettings", "slip", "{maxaccountsize=1M;}"),
             "maxaccountsize has no meaning to the server; perhaps: "
             "MaxAccountSize"),
            (("UpdateDomainSettings", DOMAIN, "{AcountsLimit=9;}"),
             "AcountsLimit has no meaning to the server; perhaps: "
             "AccountsLimit"),
            (("UpdateModule", "SMTP", "{MaxHop=9;}"),
             "MaxHop has no meaning to the server; perhaps: MaxHops")):
        p = subprocess.run(["cgctl", *line], text=True, capture_output=True)
        assert p.returncode == 0 and p.stderr == f"cgctl: note: {said}\n", p
    for line, said in (
            (("UpdateDomainSettings", DOMAIN, "{MailToUnknown=Foo;}"),
             "MailToUnknown: wanted is one of Rejected, "),
            (("UpdateAccountSettings", "slip", "{MailOutFlow=5;}"),
             "MailOutFlow: (how many, within what time)"),
            (("UpdateModule", "Log", "{KeepFor=1m;}"),
             "KeepFor: too small: at least 1h"),
            (("UpdateModule", "SMTP", "{MaxMessageSize=99G;}"),
             "MaxMessageSize: too large: at most "),
            (("SetAccountRights", "slip", "(Users, Foo)"),
             "unknown access right: Foo")):
        assert said in cgctl(*line, code=1), said
    for line in (("UpdateAccountSettings", "slip", "{Password=a;}"),
                 ("UpdateModule", "SMTP", "{MaxHops=30;}"),
                 ("SetProtection", "{}"), ("SetGroup", "nogroup", "{A=1;}")):
        p = subprocess.run(["cgctl", *line], text=True, capture_output=True)
        assert "note:" not in p.stderr, p


def others():
    """Who is not known to the server logs in, and hears what he lacks."""
    if os.geteuid() != 0:
        return
    cgctl("CreateAccount", "plain", "{Password=a;}")
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)          # not everybody may look into the checkout
        shutil.copy(OBJ / "cgctl", d)
        p = subprocess.run([d + "/cgctl", "CreateDomain", "plain.example"],
                           env={**os.environ, "CG_ADMIN_NAME": "plain",
                                "CG_ADMIN_PASSWORD": "a"}, user=54321,
                           text=True, capture_output=True, timeout=PATIENCE)
    assert p.returncode == 1 and "plain.example: you have no right" in \
        p.stderr and "\nneeds: Users\n" in p.stderr, p


def rest_of(tty):
    """All that a program says until it ends."""
    text = b""
    try:
        while more := os.read(tty, 1000):
            text += more
    except OSError:                     # the other end is closed
        pass
    os.close(tty)
    return text


def typed():
    """A password is asked for, and not shown; nor are those in arguments,
    not even while cgctl waits."""
    pid, tty = pty.fork()
    if pid == 0:
        os.execvp("cgctl", ["cgctl", "SetAccountPassword", "jo", "TO", "-"])
    text = b""
    while b"Password: " not in text:
        text += os.read(tty, 1000)
    os.write(tty, b"ty ped\n")
    text += rest_of(tty)
    assert os.waitpid(pid, 0)[1] == 0 and b"ped" not in text, text
    cgctl("VerifyAccountPassword", "jo", "PASSWORD", "ty ped")
    r, w = os.pipe()
    p = subprocess.Popen(["cgctl", "UpdateAccountSettings", "jo",
                          "{Password=seen;}", "-"], stdin=r,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    line = pathlib.Path(f"/proc/{p.pid}/cmdline")
    end = time.monotonic() + PATIENCE
    while b"seen" in line.read_bytes():
        assert time.monotonic() < end, line.read_bytes()
        time.sleep(0.01)
    assert p.poll() is None, "it does not wait for its input"
    os.close(w)
    os.close(r)
    p.wait()


def usage():
    cgctl("Frobnicate", code=2)
    cgctl("CreateAccount", code=2)
    cgctl("RenameAccount", "a", "b", code=2)
    assert cgctl("status", "x", code=2) == "usage: cgctl status\n"
    got = cgctl("log", "-l", "9", code=2)
    assert "from 1 to 5" in got and "usage: cgctl log [-f]" in got, got
    got = cgctl("queue", "delay", "x", code=2)
    assert got == "usage: cgctl queue delay host | id time\n", got
    assert "  release " in cgctl("queue", "x", code=2)
    assert cgctl("queue", "help") == cgctl("help", "queue")
    p = subprocess.run(["cgctl"], text=True, capture_output=True)
    assert p.returncode == 2 and "usage:" in p.stderr
    assert all(len(line) < 80 for line in p.stderr.splitlines()), p.stderr
    got = cgctl("CreateList", "x", code=2)      # no usage of what is to come
    assert "not available yet" in got and "usage" not in got, got
    p = subprocess.run(["cgctl", "-x"], text=True, capture_output=True)
    assert p.returncode == 2
    assert "perhaps: CreateAccount" in cgctl("CreatAccount", "x", code=2)
    helps()
    cgctl("status", conf="/nonexistent.conf", code=1)


def helps():
    """Families, a family, a command: each fits a terminal."""
    text = cgctl("help")
    assert "  CreateAccount " in text and "`cgctl help" in text, text
    families = re.findall(r"^(\w+): ", text, re.M)
    assert len(families) > 4 and text.count("\n") < 80, text
    for family in families:
        text += cgctl("help", family)
    assert re.search("^  CreateAccount +makes an account$", text, re.M), text
    assert cgctl("help", "Account") == cgctl("help", "accounts")
    one = cgctl("help", "cracnt")
    assert one.startswith("CreateAccount accountName [accountType] "), one
    assert "MultiMailbox" in one and "CanCreateAccounts" in one, one
    for line in (text + one).splitlines():
        assert len(line) < 80 and not line.endswith(" "), line
    page = (TOP / "man/cli.7").read_text()
    names = cgctl("ListCLICommands").split()[1:-1]
    left = [n for n in (name.strip(",") for name in names)
            if f"\n.It Ic {n}" not in page]
    assert not left, f"`make man/cli.7` is due: {left}"
    assert "show today's log" in cgctl("help", "log")
    assert "perhaps: ListMailboxes" in cgctl("help", "ListMailbox", code=1)
    cgctl("help", "Frobnicate", code=1)


def examples():
    """What the documents tell people to type is understood, if not always
    possible here: status 0 or 1, not 2, and no name is misspelt."""
    texts = [(p.name, p.read_text().partition(".Sh EXAMPLES")[2]
              .replace("\\-", "-").replace("\\e", "\\"))
             for p in (TOP / "man").glob("*.[1578]")]
    texts += [(n, (TOP / n).read_text()) for n in ("README", "INSTALL")]
    done = 0
    for name, text in texts:
        for line in re.findall(r"^[$ ]*(cgctl (?:'[^']*'|[^'\n])*)", text,
                               re.M):
            words = shlex.split(line, comments=True)
            if set(words) & {"start", "stop", "restart", "-f", "trace", "<"}:
                continue
            p = subprocess.run(words, input="x\n", text=True,
                               capture_output=True, timeout=PATIENCE)
            assert p.returncode in (0, 1) and "note:" not in p.stderr and \
                "wanted" not in p.stderr, (name, line, p)
            done += 1
    assert done > 60, done


def shows():
    text = cgctl("status")
    assert "all is well" in text and re.search(
        r"^routerd-0 +ready +\d+ +\S+ +0$", text, re.M), text
    assert cgctl("queue") == "the queue is empty\n"
    assert "sandbox proved" in cgctl("log")
    only = cgctl("log", "-l", "2", "router").splitlines()
    assert only and all("ROUTER" in line.upper() for line in only), only
    p = subprocess.Popen(["cgctl", "log", "-f", "domain"], text=True,
                         stdout=subprocess.PIPE)
    cgctl("CreateDomain", "followed.example")
    while "followed.example" not in p.stdout.readline():
        pass
    p.terminate()
    p.wait()


def narrow():
    """On a terminal what is too long goes on below, and nothing is lost."""
    cgctl("SetModule", "SMTP", "{}")            # what the examples left
    cgctl("SetRouterTable", "-",
          feed="far.example = far.example@127.0.0.1.9.smtp\n")
    to = "someone-with-quite-a-long-name@far.example"
    subprocess.run([OBJ / "cgmail", "-f", f"jo@{DOMAIN}", to],
                   input="Subject: x\n\nx\n", text=True, check=True)
    end = time.monotonic() + PATIENCE
    while "refused" not in cgctl("queue"):
        assert time.monotonic() < end, cgctl("queue")
        time.sleep(0.05)
    for what in "list", "hosts":
        pid, tty = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack("HHHH", 24, 80, 0, 0))
            os.execvp("cgctl", ["cgctl", "queue", what])
        text = rest_of(tty)
        assert os.waitpid(pid, 0)[1] == 0, text
        lines = text.decode().splitlines()
        assert all(len(line) <= 80 for line in lines), lines
        assert "connect to 127.0.0.1: Connection refused" in " ".join(
            " ".join(lines).split()), lines
    cgctl("queue", "reject", "127.0.0.1:9")


def life():
    top = tempfile.mkdtemp(prefix="cgctl-")
    try:
        os.chmod(top, 0o755)
        text = pathlib.Path(os.environ["CG_CONF"]).read_text()
        text = re.sub(r"(?m)^base .*", f"base {top}/base", text)
        text = re.sub(r"(?m)^tls .*", f"tls {top}/key.pem {top}/cert.pem",
                      text)
        text = re.sub(r"(?m)^password-key .*", f"password-key {top}/key",
                      text)
        text = re.sub(r"(?m)^settings Main .*", "hostname main.example", text)
        conf = top + "/cgserver.conf"
        pathlib.Path(conf).write_text(text)
        assert "not running" in cgctl("status", conf=conf, code=1)
        assert cgctl("stop", conf=conf) == "cgate is not running\n"
        got = cgctl("ListDomains", conf=conf, code=1)
        assert "not running" in got and "cgctl start" in got, got
        try:
            live(conf, top)
        finally:
            cgctl("stop", conf=conf)
        assert not pathlib.Path(top, "base/ProcessID").exists()
        assert "not running" in cgctl("status", conf=conf, code=1)
    finally:
        shutil.rmtree(top)


def live(conf, top):
    pid = re.search(r"started, process (\d+)", cgctl("start", conf=conf))[1]
    assert f"runs already, process {pid}" in cgctl("start", conf=conf)
    cgctl("status", conf=conf)
    cgctl("CreateAccount", "ann", conf=conf)
    new = re.search(r"started, process (\d+)", cgctl("restart", conf=conf))
    assert new and new[1] != pid
    stat = pathlib.Path("/proc", pid, "stat")     # nobody may reap it here
    assert not stat.exists() or " Z " in stat.read_text()
    assert "ann = macnt" in cgctl("ListAccounts", conf=conf)
    main_domain(conf)
    cgctl("Shutdown", conf=conf)


def main_domain(conf):
    """The Main Domain takes a new name, but never that of another domain."""
    def rename(name, code=0):
        return cgctl("UpdateModule", "Main", f"{{DomainName={name};}}",
                     code=code, conf=conf)

    def named():
        return cgctl("MainDomainName", conf=conf).strip()

    assert named() == "main.example"
    cgctl("CreateDomain", "second.example", conf=conf)
    cgctl("SetDomainAliases", "second.example", "(also.example)", conf=conf)
    for name in ("second.example", "Second.Example", "also.example"):
        assert "already" in rename(name, 1)
    for name in ('"a@b.example"', '"a b"', '"a..b"', '"*.example"'):
        assert "illegal" in rename(name, 1)
    assert named() == "main.example"
    rename("new.example")
    assert named() == "new.example"
    cgctl("CreateDomain", "main.example", conf=conf)
    assert "already" in rename("default", 1)
    assert named() == "new.example"
    cgctl("DeleteDomain", "main.example", conf=conf)
    rename("default")
    assert named() == "main.example"


for test in (commands, slips, others, typed, usage, examples, shows, narrow,
             life):
    test()
