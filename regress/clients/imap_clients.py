#!/usr/bin/env python3
# suite: -c $TOP/regress/clients/clients.conf
"""Real clients read and change mailboxes by IMAP: curl, imaplib, openssl,
fetchmail, getmail, mutt, neomutt, alpine, imapfilter, PHP's imap, imapflow.
What synchronizes whole trees stands in imap_sync.py."""
import fcntl
import imaplib
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from programs import client, common_name, need, s_client  # noqa: E402
from wire import administrator, run  # noqa: E402

HOST = "127.0.0.1"
IMAP, IMAPS = os.environ["CG_IMAP"], os.environ["CG_IMAPS"]
CA = os.environ["CG_CA"]
HERE = pathlib.Path(__file__).resolve().parent
ROOT = os.geteuid() == 0
SECRET = "correcthorse"                 # for programs that split at blanks


def text(i):
    return (f"From: Ann <ann@far.example>\r\nTo: you@test.example\r\n"
            f"Subject: number {i}\r\nMessage-ID: <m{i}@far.example>\r\n"
            f"Date: Sat, 21 Nov 2026 10:00:0{i % 10} +0000\r\n\r\n"
            f"text {i}\r\n.\r\nFrom me\r\n").encode()


def account(name):
    cli = administrator()
    cli.ask(f'CreateAccount "{name}" {{Password="{SECRET}";}}')
    cli.close()


def mailbox(name, box="INBOX", readonly=True):
    c = imaplib.IMAP4(HOST, int(IMAP), timeout=60)
    c.login(name, SECRET)
    kind, data = c.select(box, readonly=readonly)
    assert kind == "OK", data
    return c


def fill(name, n=3, box="INBOX"):
    """A fresh account with n messages."""
    account(name)
    c = imaplib.IMAP4(HOST, int(IMAP), timeout=60)
    c.login(name, SECRET)
    if box != "INBOX":
        assert c.create(box)[0] == "OK"
    for i in range(n):
        kind, data = c.append(box, None, None, text(i))
        assert kind == "OK", data
    c.logout()


def content(name, box="INBOX"):
    """{subject: (flags, text)} of a mailbox."""
    c = mailbox(name, box)
    found = {}
    all_there = c.search(None, "ALL")[1][0]
    for item in c.fetch("1:*", "(FLAGS BODY.PEEK[])")[1] if all_there else ():
        if isinstance(item, tuple):
            flags = imaplib.ParseFlags(item[0])
            subject = re.search(rb"(?m)^Subject: (.*?)\r?$", item[1])[1]
            found[subject.decode()] = (flags, item[1])
    c.logout()
    return found


def has_all(got, n=3):
    got = got.replace("\r\n", "\n")
    for i in range(n):
        assert f"text {i}\n.\n" in got, got


# --- curl ---

def test_curl():
    fill("curl")
    for url, flags in ((f"imap://{HOST}:{IMAP}", []),
                       (f"imap://{HOST}:{IMAP}", ["--ssl-reqd"]),
                       (f"imaps://{HOST}:{IMAPS}", [])):
        for more in ([], ["--login-options", "AUTH=PLAIN"],
                     ["--login-options", "AUTH=CRAM-MD5"],
                     ["--sasl-ir"]):
            base = ["curl", "-sS", "-k", *flags, *more, "--user",
                    f"curl:{SECRET}"]
            assert "INBOX" in client(*base, url + "/")
            for i in (1, 2, 3):
                out = client(*base, f"{url}/INBOX;MAILINDEX={i}")
                assert out.encode() == text(i - 1), out
            out = client(*base, f"{url}/INBOX?SUBJECT%20%22number%202%22")
            assert out.split() == ["*", "SEARCH", "3"], out
            out = client(*base, f"{url}/INBOX;UID=2;SECTION=TEXT")
            assert out.startswith("text 1\r\n"), out
    client("curl", "-sS", "--user", "curl:wrong", f"imap://{HOST}:{IMAP}/",
           status=67)
    with tempfile.NamedTemporaryFile() as f:
        f.write(text(7))
        f.flush()
        client("curl", "-sS", "--user", f"curl:{SECRET}", "-T", f.name,
               f"imap://{HOST}:{IMAP}/INBOX")
    got = content("curl")
    assert got["number 7"][1] == text(7), got
    client("curl", "-sS", "--user", f"curl:{SECRET}",
           f"imap://{HOST}:{IMAP}/INBOX", "-X", "STORE 1 +FLAGS \\Deleted")
    client("curl", "-sS", "--user", f"curl:{SECRET}",
           f"imap://{HOST}:{IMAP}/INBOX", "-X", "EXPUNGE")
    assert "number 0" not in content("curl")


# --- imaplib ---

def imaplib_session(c):
    assert c.create("Work/Deep")[0] == "OK"
    assert c.append("Work/Deep", r"(\Seen $Later)", None, text(8))[0] == "OK"
    assert c.select("INBOX") == ("OK", [b"3"])
    assert c.search(None, "SUBJECT", '"number 1"')[1] == [b"2"]
    assert c.uid("SEARCH", "NOT", "SEEN")[1][0].split() == [b"1", b"2", b"3"]
    assert c.store("1:2", "+FLAGS", r"(\Flagged)")[0] == "OK"
    assert c.copy("2:3", "Work/Deep")[0] == "OK"
    data = c.fetch("3", "(UID RFC822.SIZE BODY[HEADER.FIELDS (SUBJECT)])")[1]
    assert f"RFC822.SIZE {len(text(2))}".encode() in data[0][0], data
    assert data[0][1] == b"Subject: number 2\r\n\r\n", data
    assert c.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert c.expunge() == ("OK", [b"1"])
    assert c.status("Work/Deep", "(MESSAGES UNSEEN)")[1][0].endswith(
        b"(MESSAGES 3 UNSEEN 2)")
    assert c.rename("Work/Deep", "Done")[0] == "OK"
    assert c.subscribe("Done")[0] == "OK"
    assert any(b"Done" in x for x in c.lsub()[1])
    assert c.select("Done") == ("OK", [b"3"])
    flags = [imaplib.ParseFlags(x) for x in c.fetch("1:3", "(FLAGS)")[1]]
    assert b"$Later" in flags[0] and b"\\Seen" in flags[0], flags
    assert b"\\Flagged" in flags[1], flags
    assert c.close()[0] == "OK"
    assert c.delete("Done")[0] == "OK"
    assert c.noop()[0] == "OK"
    assert c.logout()[0] == "BYE"


def test_imaplib():
    context = ssl.create_default_context(cafile=CA)
    context.check_hostname = False
    for how in ("plain", "cram", "starttls", "tls"):
        fill("imaplib-" + how)
        c = imaplib.IMAP4_SSL(HOST, int(IMAPS), ssl_context=context) \
            if how == "tls" else imaplib.IMAP4(HOST, int(IMAP))
        if how == "starttls":
            c.starttls(context)
        if how == "cram":
            c.login_cram_md5("imaplib-" + how, SECRET)
        elif how == "tls":
            c.authenticate("PLAIN", lambda _: f"\0imaplib-tls\0{SECRET}")
        else:
            c.login("imaplib-" + how, SECRET)
        imaplib_session(c)
    c = imaplib.IMAP4(HOST, int(IMAP))
    try:
        c.login("imaplib-tls", "wrong")
    except imaplib.IMAP4.error as e:
        assert "AUTHENTICATIONFAILED" in str(e), e
    else:
        raise AssertionError("a wrong password was taken")
    c.logout()


# --- openssl ---

def test_openssl():
    fill("ossl")
    for flags, port in ((["-starttls", "imap"], IMAP), ([], IMAPS)):
        with s_client(port, *flags) as p:
            # with -starttls it may print the last line of what was before
            for line in (f"a login ossl {SECRET}", "b select inbox",
                         "c fetch 1:* flags", "d logout"):
                p.stdin.write(line + "\r\n")
                p.stdin.flush()
                while not (got := p.stdout.readline()).startswith(
                        line[0] + " "):
                    assert got, line
                assert got[2:5] == "OK ", (line, got)


# --- fetchmail, getmail ---

def test_fetchmail():
    if not need("fetchmail"):
        return
    check = f"sslcertck sslcertfile {CA} sslcommonname {common_name(CA)}"
    for number, (port, options, keep) in enumerate((
            (IMAP, "sslproto ''", "nokeep"), (IMAP, "sslproto ''", "keep"),
            (IMAP, "sslproto 'TLS1.2+' " + check, "nokeep"),
            (IMAPS, "ssl " + check, "keep"))):
        name = f"fetch{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            rc, got = pathlib.Path(d, "rc"), pathlib.Path(d, "got")
            rc.write_text(
                f"poll localhost via {HOST} proto IMAP port {port} "
                f"user '{name}' pass '{SECRET}' mda 'cat >> {got}' "
                f"{keep} {options}\n")
            rc.chmod(0o600)
            env = {"FETCHMAILHOME": d, "HOME": d}
            args = ("fetchmail", "-f", rc, "--nosyslog", "--pidfile",
                    d + "/pid")
            client(*args, **env)
            has_all(got.read_text())
            client(*args, status=1, **env)        # nothing new
        left = content(name)
        assert len(left) == (3 if keep == "keep" else 0), left
        assert all(b"\\Seen" in flags for flags, _ in left.values()), left


def test_getmail():
    if not need("getmail"):
        return
    for number, (kind, port) in enumerate((("SimpleIMAPRetriever", IMAP),
                                           ("SimpleIMAPSSLRetriever", IMAPS))):
        name = f"getmail{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o755)
            for sub in ("", "new", "cur", "tmp"):
                os.makedirs(os.path.join(d, "M", sub), exist_ok=True)
                if ROOT:                # it will not deliver as root
                    shutil.chown(os.path.join(d, "M", sub), "nobody")
            pathlib.Path(d, "getmailrc").write_text(
                f"[retriever]\ntype = {kind}\nserver = {HOST}\n"
                f"port = {port}\nusername = {name}\npassword = {SECRET}\n"
                'mailboxes = ("INBOX",)\n'
                f"[destination]\ntype = Maildir\npath = {d}/M/\n"
                f"{'user = nobody' if ROOT else ''}\n"
                "[options]\ndelete = true\n")
            client("getmail", "--getmaildir", d)
            has_all("".join(p.read_text()
                            for p in pathlib.Path(d, "M", "new").iterdir()))
        assert not content(name)


# --- programs for a person: keys go in, and what matters is the mailbox ---

class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *args, env=None):
        self.screen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="vt100", **(env or {}))
            os.execvp(args[0], [str(a) for a in args])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen += data
        return bool(data)

    def expect(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not (m := re.search(what, self.screen, re.S)):
            if time.monotonic() > end or not self.read(1):
                if time.monotonic() > end or self.ended():
                    raise AssertionError(
                        f"no {what} on the screen:\n"
                        f"{self.screen.decode(errors='replace')[-3000:]}")
        self.screen = self.screen[m.end():]

    def keys(self, text):
        os.write(self.fd, text.encode())

    def ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG |
                         os.WNOWAIT) is not None

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while not self.ended():
            self.read(0.1)
            if time.monotonic() > end:
                raise AssertionError(
                    "it does not end:\n"
                    f"{self.screen.decode(errors='replace')[-3000:]}")
        os.waitpid(self.pid, 0)
        self.pid = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def mutt(program):
    """Opens, reads, flags, copies, deletes; all by its own commands."""
    if not need(program):
        return
    for number, (scheme, port, more) in enumerate((
            ("imap", IMAP, "set ssl_starttls=no\nset ssl_force_tls=no\n"),
            ("imap", IMAP, "set ssl_starttls=yes\nset ssl_force_tls=yes\n"),
            ("imaps", IMAPS, ""))):
        name = f"{program}{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            rc = pathlib.Path(d, "rc")
            rc.write_text(
                f"{more}set folder={scheme}://{HOST}:{port}/\n"
                f"set spoolfile=+INBOX\nset imap_user={name}\n"
                f"set imap_pass={SECRET}\nset certificate_file={CA}\n"
                "unset ssl_verify_host\nset ssl_verify_dates=no\n"
                "unset imap_passive\nset sort=date\nset quit=yes\n"
                "set delete=yes\nset confirmcreate=no\nset wait_key=no\n"
                "set confirmappend=no\nset mark_old=no\nset mail_check=1\nset resolve=no\n"
                f"set header_cache={d}/cache\nset copy=no\n"
                "set imap_check_subscribed=yes\n"
                f"set tmpdir={d}\nset move=no\n")
            push = ('push "<first-entry><flag-message><next-entry>'
                    "<copy-message>=Kept<enter><last-entry><delete-message>"
                    '<sync-mailbox><quit>"')
            with Terminal(program, "-n", "-F", rc, "-e", push,
                          env={"HOME": d}) as t:
                t.wait()
        got = content(name)
        assert sorted(got) == ["number 0", "number 1"], got
        assert b"\\Flagged" in got["number 0"][0], got
        kept = content(name, "Kept")
        assert kept["number 1"][1] == text(1), kept


def test_mutt():
    mutt("mutt")


def test_neomutt():
    mutt("neomutt")


def test_alpine():
    if not need("alpine"):
        return
    fill("alpine")
    with tempfile.TemporaryDirectory() as d:
        rc = pathlib.Path(d, "pinerc")
        rc.write_text(
            "personal-name=Ann\nuser-domain=test.example\n"
            f"inbox-path={{{HOST}:{IMAP}/imap/notls/user=alpine}}INBOX\n"
            f"folder-collections={{{HOST}:{IMAP}/imap/notls/user=alpine}}[]\n"
            "last-version-used=9.99\nfeature-list=quell-folder-internal-msg,"
            "expunge-without-confirm,enable-aggregate-command-set,"
            "quit-without-confirm,expunge-without-confirm-everywhere\n"
            "initial-keystroke-list=\nsort-key=arrival\n")
        with Terminal("alpine", "-p", rc, "-i", env={"HOME": d}) as t:
            t.expect(rb"(?i)password")
            t.keys(SECRET + "\r")
            t.expect(rb"(?i)preserve password")
            t.keys("N")
            t.expect(rb"number 2")
            t.keys("D")                 # the one at the cursor
            t.expect(rb"[Mm]arked for deletion|\bD\b|deleted")
            t.keys("X")
            t.expect(rb"(?i)expung")
            t.keys("Q")
            t.expect(rb"\?|finished")
            if not t.ended():
                t.keys("Y")
            t.wait()
    got = content("alpine")
    assert len(got) == 2, got


# --- imapfilter, PHP, imapflow: programs of commands ---

FILTER = """
options.timeout = 60
options.create = true
options.starttls = false
a = IMAP { server = '%(host)s', port = %(port)s, username = '%(name)s',
    password = '%(secret)s' %(tls)s }
found = a.INBOX:contain_subject('number 1')
found:move_messages(a['Sorted/One'])
a.INBOX:contain_body('text 2'):mark_flagged()
a.INBOX:contain_from('ann@far'):add_flags({ 'seenit' })
a.INBOX:contain_subject('number 0'):delete_messages()
"""


def test_imapfilter():
    if not need("imapfilter"):
        return
    for number, (port, more) in enumerate(((IMAP, ""),
                                           (IMAPS, ", ssl = 'auto'"))):
        name = f"filter{number}"
        fill(name)
        with tempfile.TemporaryDirectory() as d:
            rules = pathlib.Path(d, "rules.lua")
            certs = "options.certificates = false\n" \
                "options.hostnames = false\n" if more else ""
            rules.write_text(certs + FILTER % {
                "host": HOST, "port": port, "name": name, "secret": SECRET,
                "tls": more})
            client("imapfilter", "-t", CA, "-c", rules, HOME=d,
                   IMAPFILTER_HOME=d)
        got = content(name)
        assert list(got) == ["number 2"], got
        assert b"\\Flagged" in got["number 2"][0], got
        assert b"seenit" in got["number 2"][0], got
        assert content(name, "Sorted/One")["number 1"][1] == text(1)


PHP = r"""
$at = "{%(host)s:%(port)s/imap%(flags)s}";
$c = imap_open($at . "INBOX", "%(name)s", "%(secret)s", 0, 1) or
    die("open: " . imap_last_error());
function must($x, $what) { if (!$x) die("$what: " . imap_last_error()); }
must(imap_num_msg($c) == 3, "num");
$h = imap_headerinfo($c, 2);
must($h->subject == "number 1", "subject");
must($h->from[0]->mailbox == "ann", "from");
$s = imap_fetchstructure($c, 1);
must($s->type == 0 && $s->lines == 3, "structure");
must(imap_body($c, 1, FT_PEEK) == "text 0\r\n.\r\nFrom me\r\n", "body");
must(imap_search($c, 'SUBJECT "number 2"') == [3], "search");
must(imap_sort($c, SORTDATE, true) == [3, 2, 1], "sort");
must(imap_createmailbox($c, $at . "K&APY-ln"), "create");
must(imap_mail_copy($c, "1:2", "K&APY-ln"), "copy");
$st = imap_status($c, $at . "K&APY-ln", SA_ALL);
must($st->messages == 2, "status");
must(imap_append($c, $at . "INBOX", "Subject: of php\r\n\r\nhello\r\n",
    "\\Seen"), "append");
must(imap_setflag_full($c, "1", "\\Flagged"), "setflag");
must(imap_delete($c, "2"), "delete");
must(imap_expunge($c), "expunge");
must(count(imap_list($c, $at, "*")) == 6, "list");
must(imap_renamemailbox($c, $at . "K&APY-ln", $at . "Bonn"),
    "rename");
must(imap_deletemailbox($c, $at . "Bonn"), "deletemailbox");
must(imap_ping($c), "ping");
must(imap_close($c), "close");
echo "fine\n";
"""


def test_php():
    if not need("php"):
        return
    if "imap" not in client("php", "-m").split():
        print("SKIPPED: php has no imap", flush=True)
        return
    # its STARTTLS knows TLS 1.0 alone
    for number, (port, flags) in enumerate((
            (IMAP, "/notls"), (IMAPS, "/ssl/novalidate-cert"))):
        name = f"php{number}"
        fill(name)
        out = client("php", "-r", PHP % {
            "host": HOST, "port": port, "flags": flags, "name": name,
            "secret": SECRET})
        assert "fine\n" in out, out    # PHP warns of AUTH=PLAIN, too
        got = content(name)
        assert sorted(got) == ["number 0", "number 2", "of php"], got
        assert b"\\Flagged" in got["number 0"][0], got


def test_imapflow():
    if not need("node") or not need("npm"):
        return
    fill("flow")
    with tempfile.TemporaryDirectory() as d:
        p = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
             "--prefix", d, "imapflow@1"], timeout=300, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, HOME=d))
        if p.returncode != 0:
            print("SKIPPED: npm cannot install imapflow:",
                  p.stdout.strip()[-300:], flush=True)
            return
        for port, secure in ((IMAP, "no"), (IMAP, "starttls"),
                             (IMAPS, "tls")):
            out = client("node", HERE / "imapflow.js", HOST, port, secure,
                         "flow", SECRET,
                         NODE_PATH=d + "/node_modules")
            assert out.endswith("fine\n"), out


run([test_curl, test_imaplib, test_openssl, test_fetchmail, test_getmail,
     test_imapfilter, test_php, test_mutt, test_neomutt, test_alpine,
     test_imapflow])
