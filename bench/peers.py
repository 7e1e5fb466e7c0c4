"""The peers of the bench: Debian's Postfix and Dovecot, unpacked and never
installed, with a configuration of their own on free loopback ports.

    with Postfix(dir, accounts) as p:  p.port, p.visible()
    with Dovecot(dir, accounts) as d:  d.pop, d.imap

Both sync before they answer (fsync on), else they run as Debian ships them;
"tuned" Dovecot reuses its processes (service_count = 0), which is its own
advice for speed.  Their directories are left to the caller, who has
set $TMPDIR.
"""
import fcntl
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PACKAGES = ["postfix", "dovecot-core", "dovecot-imapd",
            "dovecot-pop3d"]
DOMAIN = "bench.example.com"
PASSWORD = "bench-secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def unpack(where):
    """The peers' packages and the libraries they need, below where/root.
    Tests beside each other may ask for them: one of them does it, whole."""
    work = pathlib.Path(where)
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = work / "root"
        if not root.exists():
            shutil.rmtree(work / "new", ignore_errors=True)
            fetch(work, work / "new")
            os.rename(work / "new", root)
    return root


def shared():
    """Where tests keep them, from one run to the next."""
    return unpack(os.environ.get("CG_PEERS") or
                  os.path.join(tempfile.gettempdir(), "cgate-peers"))


def fetch(work, root):
    deps = subprocess.run(
        ["apt-cache", "depends", "--recurse", "--no-recommends",
         "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
         "--no-enhances", *PACKAGES],
        capture_output=True, text=True, check=True).stdout.split("\n")
    libs = [d for d in deps if d.startswith("lib") and not installed(d)]
    subprocess.run(["apt-get", "-qq", "download", *PACKAGES, *libs],
                   cwd=work, check=True, stderr=subprocess.DEVNULL)
    for deb in work.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, root], check=True)


def installed(package):
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package],
                       capture_output=True, text=True)
    return r.stdout.endswith("ok installed")


def library_path(root):
    dirs = glob.glob(f"{root}/usr/lib/*-linux-gnu") + \
        [f"{root}/usr/lib/postfix", f"{root}/usr/lib/dovecot"]
    return ":".join(dirs)


def wait_port(port, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.recv(1)
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def wait_listening(pid, port, seconds=30):
    """For servers that must not see a connection before the test's."""
    end = time.monotonic() + seconds
    line = f" 0100007F:{port:04X} 00000000:0000 0A "
    while line not in pathlib.Path(f"/proc/{pid}/net/tcp").read_text():
        if time.monotonic() > end:
            raise TimeoutError(f"nobody listens on {port}")
        time.sleep(0.02)


class Peer:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def launch(self, argv, **env):
        self.process = subprocess.Popen(
            [str(a) for a in argv], start_new_session=True,
            env={"PATH": os.environ["PATH"], **env})


class Postfix(Peer):
    """smtpd, cleanup, qmgr and virtual(8): mbox files, durable.

    With hold, messages are accepted into the hold queue and nothing more:
    the least that Postfix can do for a durable 250.  With discard, they are
    thrown away after it.  With relay, sink.example is on that port.  What
    main and master say counts more than what stands here; resolver is the
    address of its DNS server, on port 53.
    """

    def __init__(self, root, accounts, hold=False, discard=False, relay=0,
                 main="", master="", resolver=None):
        self.root = root
        self.dir = tempfile.mkdtemp(prefix="postfix-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.accounts = accounts
        d = pathlib.Path(self.dir)
        user = "daemon"
        group = "mail"
        uid = pwd.getpwnam("nobody").pw_uid
        for sub in ("conf", "queue", "data", "mail"):
            (d / sub).mkdir()
        for sub in ("active", "bounce", "corrupt", "defer", "deferred",
                    "flush", "hold", "incoming", "private", "saved",
                    "trace", "pid", "public", "maildrop"):
            (d / "queue" / sub).mkdir()
        boxes = "".join(f"{a}@{DOMAIN} {a}\n" for a in accounts)
        (d / "conf/boxes").write_text(boxes)
        lib = root / "usr/lib/postfix"
        usual = f"""
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
daemon_directory = {lib}/sbin
command_directory = {root}/usr/sbin
shlib_directory = {lib}
mail_owner = {user}
setgid_group = {group}
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = texthash:{d}/conf/boxes
virtual_transport = {"discard:" if discard else "virtual"}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
alias_maps =
alias_database =
smtputf8_enable = no
{f"transport_maps = inline:{{ {{ sink.example = smtp:[127.0.0.1]:{relay} }} }}"
 if relay else ""}
disable_dns_lookups = yes
smtpd_data_restrictions = {"check_client_access static:HOLD" if hold else ""}
maillog_file = {d}/log
maillog_file_prefixes = /
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
export_environment = LD_LIBRARY_PATH
"""
        said = [line.split(" =")[0] for line in main.split("\n")]
        (d / "conf/main.cf").write_text("\n".join(
            line for line in usual.split("\n")
            if line.split(" =")[0] not in said) + main)
        services = (root / "usr/share/postfix/master.cf.dist").read_text()
        lines = []
        for line in services.split("\n"):
            if line.startswith("smtp ") and "inet" in line:
                line = (f"127.0.0.1:{self.port} inet n - n - - smtpd")
            elif line.startswith(("pickup", "submission", "smtps", "465",
                                  "flush")):
                continue
            elif line and line[0].isalnum():
                f = line.split()
                f[4] = "n"
                line = " ".join(f)
            lines.append(line)
        lines.append("postlog unix-dgram n - n - 1 postlogd")
        (d / "conf/master.cf").write_text("\n".join(lines) + "\n" + master)
        os.chmod(d / "mail", 0o755)
        shutil.chown(d / "mail", uid)
        shutil.chown(d / "data", user)
        for sub in (d / "queue").iterdir():
            if sub.name != "pid":
                shutil.chown(sub, user)
            os.chmod(sub, 0o700)
        os.chmod(d / "queue/pid", 0o755)
        for sub, mode in (("public", 0o710), ("maildrop", 0o730)):
            shutil.chown(d / "queue" / sub, user, group)
            os.chmod(d / "queue" / sub, mode)
        argv = [lib / "sbin/master", "-c", d / "conf", "-d"]
        if resolver:            # seen by it alone
            (d / "resolv").write_text(f"nameserver {resolver}\n"
                                      "options trust-ad\n")
            argv = ["unshare", "--mount", "sh", "-c", f"mount --bind {d}/resolv"
                    ' /etc/resolv.conf && exec "$@"', "sh", *argv]
        self.launch(argv,
                    MAIL_CONFIG=str(d / "conf"),
                    LD_LIBRARY_PATH=library_path(root))
        wait_port(self.port)

    def rcpt(self, account):
        return f"{account}@{DOMAIN}"

    def boxes(self):
        return [f"{self.dir}/mail/{a}" for a in self.accounts]


class Dovecot(Peer):
    """pop3 and imap for accounts with a plain password file."""

    def __init__(self, root, accounts, mail="mdbox", tuned=True):
        self.root = root
        self.accounts = accounts
        self.dir = tempfile.mkdtemp(prefix="dovecot-")
        os.chmod(self.dir, 0o755)
        self.pop, self.imap = free_port(), free_port()
        d = pathlib.Path(self.dir)
        nobody = pwd.getpwnam("nobody")
        (d / "mail").mkdir()
        shutil.chown(d / "mail", nobody.pw_uid)
        (d / "users").write_text("".join(
            f"{a}:{{PLAIN}}{PASSWORD}:{nobody.pw_uid}:{nobody.pw_gid}::"
            f"{d}/mail/{a}\n" for a in accounts))
        logins = "".join(f"""
service {p}-login {{
  chroot =
  {"service_count = 0" if tuned else ""}
  {"process_min_avail = 2" if tuned else ""}
  {"client_limit = 1000" if tuned else ""}
  inet_listener {p} {{
    port = {port}
  }}
  inet_listener {p}s {{
    port = 0
  }}
}}
service {p} {{
  {"service_count = 0" if tuned else ""}
  {"process_min_avail = 8" if tuned else ""}
}}
""" for p, port in (("pop3", self.pop), ("imap", self.imap)))
        (d / "conf").write_text(f"""
base_dir = {d}/run
state_dir = {d}/state
auth_mechanisms = plain
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
protocols = pop3 imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {d}/log
mail_location = {mail}:~/mail
mail_fsync = always
mail_max_userip_connections = 1000
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {d}/users
}}
userdb {{
  driver = passwd-file
  args = {d}/users
}}
service auth {{
  client_limit = 4000
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{logins}""")
        # Its modules' and doveconf's places are built in: a mount namespace
        # of its own has them there, over the machine's /usr.
        over = (f"mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr"
                f" && exec dovecot -F -c {d}/conf")
        self.launch(["unshare", "--mount", "sh", "-c", over])
        wait_port(self.imap)
        wait_port(self.pop)
