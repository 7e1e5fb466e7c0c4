#!/usr/bin/env python3
"""A few hundred odd messages (regress/tools/oddmail.py names each oddity) by
APPEND and back byte for byte, ENVELOPE and BODYSTRUCTURE beside Dovecot's.

Where they differ, DIFFERS says why ours is right; a difference that is not
there any more fails, too.  Dovecot is unpacked, not installed; its imap runs
by itself, in a mount namespace, as it is never root's: so root must run this.
"""
# suite: -c $TOP/regress/proto/imap.conf
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "regress/tools"), str(TOP / "bench")]
import oddmail  # noqa: E402
import peers  # noqa: E402
from wire import Imap, accounts, run  # noqa: E402

# Manual 23: a line behind an empty one that begins with "From " gets a >.
QUOTED = ("From_ lines", "a From_ line at the end")
# Dovecot's Maildir drops one CR of several before a line end; ours keeps all.
CR_LOST = ("CRs before the line end",)

DIFFERS = {
    "to: no brackets behind a name": "the last word is the address",
    "to: an empty member": "RFC 5322 4.4: empty members are no addresses",
    "to: a comma at the beginning": "as above",
    "to: a comma alone": "as above",
    "to: a semicolon alone": "as above",
    "to: a quote alone": "there is no address",
    "to: a bracket alone": "Dovecot says SYNTAX_ERROR for a domain",
    "to: semicolons for commas": "Outlook's users type them; none is lost",
    "to: an address behind a group": "it is an address, none is lost",
    "to: a group in a group": "the address in it is not lost",
    "to: a domain behind a group": "nothing is left out",
    "to: a group in brackets": "Dovecot says SYNTAX_ERROR for a domain",
    "to: words behind brackets": "the address behind them is not lost",
    "to: blanks around dots of a local part": "RFC 5322 4.4: obs-local-part",
    "to: no closing bracket": "the domain is there",
    "to: a blank in a domain": "the domain is there",
    "to: a dot behind the domain": "the domain is there",
    "to: half an address literal": "the domain is there",
    "to: brackets twice": "the address is there",
    "to: mailto in brackets": "the domain is there",
    "to: no local part in brackets": "the domain is there",
    "to: a quote that nobody closes": "the address is there",
    "to: square brackets in a name": "the address is there",
    "to: a backslash in a name": "the address is there",
    "to: a backslash in a domain": "nothing is left out",
    "to: an address as a name": "the address is the one in brackets",
    "to: an address in apostrophes": "the address is the one in brackets",
    "to: an address in square brackets": "the domain is there",
    "to: an address in a comment": "a comment is no local part; quotes are a "
                                   "name's",
    "to: two blanks in a quoted name": "quoted text is as it is",
    "subject: a tab": "RFC 5322 2.2.3: unfolding changes line ends only",
    "subject: two blanks": "as above",
    "fields: ids on many lines": "a fold is one space, not a tab",
    "type: a type alone": "RFC 2045 5.2: then it is text/plain",
    "type: empty": "as above",
    "type: a slash too few words": "as above",
    "structure: a multipart of no kind": "as above",
    "type: no semicolon": "the type and the charset are there",
    "type: a comma": "the type and the charset are there",
    "type: two semicolons": "the parameter behind them is there",
    "type: no value": "the parameter behind it is there",
    "type: a quote that nobody closes": "the name is there",
    "type: blanks in a value": "the whole name is what was meant",
    "type: specials in values": "the whole value is what was meant",
    "type: extended and plain sections":
        "RFC 2231 7: blanks in an extended value must be encoded",
    "type: a gap in sections": "RFC 2231 3: sections count from 0 up",
    "type: a section twice": "the value can be read",
    "type: 200 parameters": "100 are kept",
    "fields: disposition alone": "the field is there",
    "fields: disposition without a semicolon": "the file's name is there",
    "fields: disposition without a value": "a type may not be empty",
    "fields: languages with junk": "the languages are there",
    "structure: an empty boundary": "RFC 2046 5.1.1: it is no boundary",
    "structure: a boundary with a blank at its end":
        "RFC 2046 5.1.1: it cannot have one, and its parts are there",
    "structure: a boundary that should be quoted": "the whole is meant",
    "structure: a boundary with = and no quotes": "the whole is meant",
    "structure: a boundary of 100 letters": "all of it is compared",
    "structure: a multipart message inside, no empty line behind":
        "RFC 2046 5.1.1: the line end belongs to the boundary",
    "structure: multiparts 100 deep": "100 levels are shown",
    "structure: multiparts 150 deep": "as above",
}


def parse(data):
    """An IMAP answer as nested lists; strings of any form are bytes."""
    token = re.compile(rb'[ ]*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|'
                       rb'\{(\d+)\}\r\n|([^ ()"{]+))', re.S)
    stack, at = [[]], 0
    while at < len(data):
        m = token.match(data, at)
        if not m:
            raise AssertionError(f"not IMAP: {data[at:at + 80]!r}")
        at = m.end()
        if m[1]:
            stack.append([])
        elif m[2]:
            top = stack.pop()
            stack[-1].append(top)
        elif m[3] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", m[3], flags=re.S))
        elif m[4]:
            stack[-1].append(data[at:at + int(m[4])])
            at += int(m[4])
        else:
            stack[-1].append(None if m[5] == b"NIL" else ("atom", m[5]))
    assert len(stack) == 1, data[:80]
    return stack[0]


def shaped(x):
    """Parameters have no order: those of RFC 2231 stand elsewhere."""
    if not isinstance(x, list):
        return x
    if x and len(x) % 2 == 0 and all(isinstance(y, bytes) for y in x):
        return sorted(zip(x[::2], x[1::2]))
    return [shaped(y) for y in x]


def asked(m, texts):
    """The answers to the same questions, by either server."""
    for name, text in texts.items():
        tag = m.begin(f"APPEND INBOX {{{len(text)}}}")
        m.go_on()
        m.send(text + b"\r\n")
        try:
            m.want(tag, "OK")
        except AssertionError as e:
            raise AssertionError(f"{name}: {e}") from None
    m.ask("SELECT INBOX")
    found = {}
    for r in m.ask("FETCH 1:* (ENVELOPE BODYSTRUCTURE)"):
        if hit := re.match(rb"(\d+) FETCH (.*)$", r, re.S):
            found[int(hit[1])] = shaped(parse(hit[2]))
    return {name: found[i] for i, name in enumerate(texts, 1)}


class Preauth(Imap):
    """Dovecot's imap on a pipe, for a user who has logged in."""

    def __init__(self, root, where):
        os.chmod(where, 0o777)
        pathlib.Path(where, "conf").write_text(
            f"base_dir = {where}/run\nstate_dir = {where}/state\n"
            "default_internal_user = daemon\ndefault_internal_group = daemon\n"
            "default_login_user = nobody\nprotocols = imap\nssl = no\n"
            f"mail_location = maildir:{where}/Maildir\n"
            "mail_uid = 65534\nmail_gid = 65534\n"
            "first_valid_uid = 0\nfirst_valid_gid = 0\n"
            "mail_attachment_detection_options =\n")
        mount = (f"mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr"
                 f" && exec /usr/lib/dovecot/imap -c {where}/conf")
        self.p = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", mount], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "USER": "nobody", "HOME": where,
                 "LD_LIBRARY_PATH": peers.library_path(root)})
        self.f = self.p.stdout
        self.serial = 0
        assert self.response().startswith(b"* PREAUTH")

    def send(self, data):
        self.p.stdin.write(data.encode() if isinstance(data, str) else data)
        self.p.stdin.flush()

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def quoted(text):
    return re.sub(rb"(?<=\r\n\r\n)From ", b">From ", text)


def back_again():
    texts = oddmail.messages()
    names = list(texts)
    with Imap() as m:
        m.login("bytes")
        asked(m, texts)
        for i, name in enumerate(names, 1):
            answer, = [r for r in m.ask(
                f"FETCH {i} (RFC822.SIZE BODY.PEEK[])") if b"FETCH" in r]
            hit = re.search(rb"BODY\[\] (?:\{(\d+)\}\r\n|\"\")", answer)
            n = int(hit[1] or 0)
            got = answer[hit.end():hit.end() + n]
            want = texts[name]
            if name.endswith(QUOTED):
                want = quoted(want)
            assert got == want, (name, got[:300], want[:300])
            size = int(re.search(rb"RFC822.SIZE (\d+)", answer)[1])
            assert size == len(want), (name, size, len(want))


def parts_are_there():
    """Each part's size is that of its bytes."""
    with Imap() as m:
        m.login("bytes")
        m.ask("EXAMINE INBOX")
        checked = 0
        for r in m.ask("FETCH 1:* (BODYSTRUCTURE)"):
            hit = re.match(rb"(\d+) FETCH \(BODYSTRUCTURE (.*)\)$", r, re.S)
            if not hit or len(r) > 20000:
                continue
            for number, size in sizes(parse(hit[2])[0]):
                answer, = m.ask(f"FETCH {hit[1].decode()} BODY.PEEK[{number}]")
                got = re.search(rb"\] (?:\{(\d+)\}|\"\"|NIL)", answer)
                assert int(got[1] or 0) == size, (hit[1], number, size, got)
                checked += 1
        assert checked > 400, checked


def sizes(part, number=""):
    """(number, octets) of the leaves of a body structure."""
    if isinstance(part[0], list):
        for i, p in enumerate(part, 1):
            if not isinstance(p, list):
                return
            yield from sizes(p, f"{number}.{i}" if number else str(i))
    else:
        yield number or "1", int(part[6][1])


def beside_dovecot():
    texts = {n: t for n, t in oddmail.messages().items()
             if not n.endswith(QUOTED + CR_LOST)}
    with tempfile.TemporaryDirectory() as where:
        with Preauth(root, where) as m:
            theirs = asked(m, texts)
    with Imap() as m:
        m.login("dovecot")
        ours = asked(m, texts)
    wrong = []
    for name in texts:
        differ = ours[name] != theirs[name]
        if differ != (name in DIFFERS):
            wrong.append(name)
            print(f"{name}\n  ours    {ours[name]}\n  Dovecot {theirs[name]}"
                  if differ else f"{name}: no difference", file=sys.stderr)
    wrong += [n for n in DIFFERS if n not in texts]
    assert not wrong, wrong


if __name__ == "__main__":
    accounts("bytes", "dovecot")
    tests = [back_again, parts_are_there]
    if os.getuid() != 0:
        print("not root: not beside Dovecot")
    elif subprocess.run(["unshare", "--mount", "true"],
                        stderr=subprocess.DEVNULL).returncode != 0:
        print("no mounts of one's own (in a chroot?): not beside Dovecot")
    else:
        root = peers.shared()
        tests.append(beside_dovecot)
    run(tests)
