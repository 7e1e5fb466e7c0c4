"""Programs for tests that the suite starts: a directory that root owns and
cgserver.conf lists, and one external authenticator that does as it is told.

    with Helpers() as h, Suite(conf=h.conf) as s:
        h.use(s)                # writes auth.py, switches it on
"""
import os
import pathlib
import shutil
import tempfile

from cgtest import wait_for

HELPER_UID = 64020              # not one of with-suite's

# Answers come in threads, in any order.  Passwords: ext-NAME is right; "slow"
# takes a second; "hang" is never answered; "die" ends the program.
AUTH = r'''#!/usr/bin/python3
import hashlib, hmac, os, socket, sys, threading, time
lock = threading.Lock()
intf, admin = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""


def say(text):
    with lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def new(name):
    if not name.startswith("new"):
        return "ERROR this account is not known"
    port, user, password, domain = open(admin).read().split("\n")[:4]
    s = socket.create_connection(("127.0.0.1", int(port)), 60)
    f = s.makefile("rwb")
    f.readline()
    for line in (f"USER {user}", f"PASS {password}",
                 f'CreateAccount "{name}" {{UseExtPassword=YES;}}'):
        f.write(line.encode() + b"\r\n")
        f.flush()
        if f.readline()[:1] not in b"23":
            return "ERROR " + line.split()[0]
    return "OK"


def sasl(method, name, rest):
    digest, _, key = rest.partition(" ")
    user = name.split("@")[0]
    if method in ("OAUTHBEARER", "XOAUTH2"):
        return "OK" if rest == "token-of-" + user else "ERROR bad token"
    if method == "CRAM-MD5":
        right = hmac.new(b"ext-" + user.encode(), key.encode(), "md5")
        return "OK" if right.hexdigest() == digest else "ERROR wrong digest"
    return "ERROR unsupported SASL method"


def answer(seq, words):
    verb, rest = words.split(" ", 1)
    mode = ""
    if rest.startswith("("):
        mode, rest = rest.split(" ", 1)
    if verb == "INTF":
        say(f"{seq} {intf}")
        return
    name, _, rest = rest.partition(" ")
    if verb == "NEW":
        say(f"{seq} {new(name)}")
        return
    say(f"* {verb} for {name} from {mode or 'nowhere'}")
    if verb.startswith("SASL("):
        say(f"{seq} {sasl(verb[5:-1], name, rest)}")
        return
    if rest == "die":
        os._exit(3)
    if rest == "hang":
        return
    if rest.startswith("echo"):
        say(f"* it is {rest}")
        say(f"{seq} ERROR not {rest}")
        return
    if rest in ("slow", "slow no"):
        time.sleep(1)
    user = name.split("@")[0]
    say(f"{seq} " + ("OK" if rest in ("ext-" + user, "slow") else
                     "ERROR incorrect password"))


say(f"* started uid={os.getuid()} argv={len(sys.argv)} "
    f"fds={sorted(map(int, os.listdir('/proc/self/fd')))[:4]}")
sys.stderr.write("something for stderr\n")
sys.stderr.flush()
for line in sys.stdin:
    seq, words = line.rstrip("\n").split(" ", 1)
    threading.Thread(target=answer, args=(seq, words), daemon=True).start()
say("* end of input")
'''


class Helpers:
    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cg-helpers-"))
        self.dir.chmod(0o755)
        self.conf = f"helper-dirs {self.dir}\n"
        if os.geteuid() == 0:
            self.conf += f"helper-user {HELPER_UID}\n"
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def program(self, name, text, mode=0o755):
        f = self.dir / name
        f.write_text(text)
        f.chmod(mode)
        return f

    def use(self, s, intf="OK 1", more=""):
        """Switches auth.py on and waits until it is ready."""
        f = self.program("auth.py", AUTH)
        admin = self.dir / "admin"
        admin.write_text("\n".join([
            s.env["CG_PWD"], s.env["CG_ADMIN_NAME"],
            s.env["CG_ADMIN_PASSWORD"], s.domain, ""]))
        admin.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(admin, HELPER_UID, HELPER_UID)
        self.off(s)
        n = s.log().count("the program is ready")
        self.set(s, f'{f} \\"{intf}\\" {admin}', more)
        wait_for("the helper", lambda:
                 s.log().count("the program is ready") > n)

    def off(self, s):
        cli = s.cli()
        cli.ask("UpdateModule Main {ExternalAUTH={Enabled=NO;};}")
        cli.close()

    def set(self, s, command, more=""):
        cli = s.cli()
        cli.ask("UpdateModule Main {ExternalAUTH={Enabled=YES;LogLevel=5;"
                f'ProgramName="{command}";{more}}};}}')
        cli.close()
