"""SASL's client side by hand, for tests: SCRAM (RFC 5802), DIGEST-MD5 (RFC
2831), and how each protocol carries them.  Standard library only."""
import base64
import hashlib
import hmac
import os
import re

from wire import Imap, PASSWORD, Pop, Smtp, Wire


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes)
                            else text.encode()).decode()


class Refused(Exception):
    """What the server said in the place of a challenge or a welcome."""


class Carrier:
    """AUTH of one protocol: start(), next() and what ends it."""
    ports = {"smtp": ("CG_SMTP", "CG_SMTPS"), "pop": ("CG_POP", "CG_POPS"),
             "imap": ("CG_IMAP", "CG_IMAPS"), "pwd": ("CG_PWD", None)}

    def __init__(self, kind, tls=False, server_name=None):
        """tls: True, or an SSLContext."""
        self.kind = kind
        port = self.ports[kind][bool(tls)]
        cls = {"smtp": Smtp, "pop": Pop, "imap": Imap, "pwd": Wire}[kind]
        self.w = cls(port, tls=tls, server_name=server_name)
        if kind == "pwd":
            self.w.line()

    def mechanisms(self):
        w = self.w
        if self.kind == "smtp":
            return next((t.split()[1:] for t in w.ask("EHLO x", 250)
                         if t.startswith("AUTH")), [])
        if self.kind == "pop":
            w.ask("CAPA")
            return next((t.split()[1:] for t in w.many()
                         if t.startswith("SASL")), [])
        if self.kind == "pwd":
            w.send("AUTH\r\n")
            return w.line().split()[1:]
        return [t[5:] for t in w.ask("CAPABILITY")[0].decode().split()
                if t.startswith("AUTH=")]

    def challenge(self):
        """The server's text; Refused; or None: that was the welcome."""
        if self.kind == "imap":
            r = self.w.response().decode()
            if r.startswith("+ "):
                return base64.b64decode(r[2:])
            if r.startswith(self.tag + " OK"):
                return None
            raise Refused(r.split(" ", 1)[1])
        line = self.w.line()
        again, done = {"smtp": ("334 ", "235 "), "pop": ("+ ", "+OK"),
                       "pwd": ("300 ", "200 ")}[self.kind]
        if line.startswith(again):
            return base64.b64decode(line[len(again):])
        if line.startswith(done):
            return None
        raise Refused(line)

    def start(self, mech, first=None):
        if first is not None:
            mech += " " + (b64(first) or "=")
        if self.kind == "imap":
            self.tag = self.w.begin("AUTHENTICATE " + mech)
        else:
            self.w.send(f"AUTH {mech}\r\n")
        return self.challenge()

    def next(self, text):
        self.w.send(b64(text) + "\r\n")
        return self.challenge()

    def works(self):
        """A command of one who has logged in."""
        if self.kind == "smtp":
            self.w.begin("joe@far.example")
            self.w.text("Subject: s\r\n\r\ntext\r\n.\r\n")
        elif self.kind == "pop":
            self.w.ask("STAT")
        elif self.kind == "imap":
            self.w.ask("SELECT INBOX")
        else:
            self.w.send("NOOP\r\n")
            assert self.w.line().startswith("200")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.w.close()


def end_point(c):
    """tls-server-end-point (RFC 5929) of certificates with SHA-256."""
    cert = c.w.s.getpeercert(binary_form=True)
    return hashlib.sha256(cert).digest()


def digest_of(mech):
    return "sha256" if "256" in mech else "sha1"


class Scram:
    """One conversation; each part may be spoilt before it is sent."""

    def __init__(self, mech, name, password=PASSWORD, flag="n", bound=b"",
                 authz=""):
        self.hash = digest_of(mech)
        self.mech, self.password = mech, password
        name = name.replace("=", "=3D").replace(",", "=2C")
        self.nonce = b64(os.urandom(15))
        self.header = f"{flag},{'a=' + authz if authz else ''},"
        self.bound = bound
        self.bare = f"n={name},r={self.nonce}"
        self.first = self.header + self.bare

    def mac(self, key, text):
        return hmac.new(key, text.encode(), self.hash).digest()

    def read(self, server):
        self.server = server.decode()
        m = re.fullmatch(r"r=([!-+\--~]+),s=([^,]+),i=(\d+)", self.server)
        self.whole, self.salt = m[1], base64.b64decode(m[2])
        self.iterations = int(m[3])
        assert self.whole.startswith(self.nonce), server
        assert len(self.whole) >= len(self.nonce) + 20, server
        assert self.iterations >= 4096, server

    def final(self, nonce=None, bound=None):
        bound = self.bound if bound is None else bound
        last = "c=" + b64(self.header.encode() + bound) + \
            ",r=" + (nonce or self.whole)
        self.message = f"{self.bare},{self.server},{last}"
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(),
                                     self.salt, self.iterations)
        key = self.mac(salted, "Client Key")
        stored = hashlib.new(self.hash, key).digest()
        proof = bytes(a ^ b for a, b in
                      zip(key, self.mac(stored, self.message)))
        self.signature = self.mac(self.mac(salted, "Server Key"),
                                  self.message)
        return last + ",p=" + b64(proof)

    def run(self, c, initial=True):
        if initial:
            challenge = c.start(self.mech, self.first)
        else:
            assert c.start(self.mech) == b""
            challenge = c.next(self.first)
        self.read(challenge)
        verify = c.next(self.final())
        assert verify == b"v=" + b64(self.signature).encode(), verify
        assert c.next("") is None


def md5(*parts):
    return hashlib.md5(b":".join(p if isinstance(p, bytes) else p.encode()
                                 for p in parts))


class Digest:
    def __init__(self, name, password=PASSWORD, realm=None, authz="",
                 charset=True, uri="imap/localhost"):
        self.name, self.password, self.realm = name, password, realm
        self.authz, self.charset, self.uri = authz, charset, uri

    def read(self, challenge):
        got = dict((k, a or b) for k, a, b in re.findall(
            r'([\w-]+)=(?:"([^"]*)"|([^",]*))', challenge.decode()))
        assert got["qop"] == "auth" and got["charset"] == "utf-8", got
        assert got["algorithm"] == "md5-sess", got
        self.nonce = got["nonce"]
        if self.realm is None:
            self.realm = got["realm"]

    def latin(self, text):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return text.encode()

    def reply(self, nonce=None, nc="00000001"):
        nonce = nonce or self.nonce
        cnonce = b64(os.urandom(9))
        a1 = md5(self.latin(self.name), self.latin(self.realm),
                 self.latin(self.password)).digest()
        more = (self.authz,) if self.authz else ()
        a1 = md5(a1, nonce, cnonce, *more).hexdigest()

        def answer(word):
            return md5(a1, nonce, nc, cnonce, "auth",
                       md5(word, self.uri).hexdigest()).hexdigest()
        self.wanted = answer("")
        text = (f'username="{self.name}",realm="{self.realm}",'
                f'nonce="{nonce}",cnonce="{cnonce}",nc={nc},qop=auth,'
                f'digest-uri="{self.uri}",response={answer("AUTHENTICATE")}')
        if self.charset:
            text = "charset=utf-8," + text
        if self.authz:
            text += f',authzid="{self.authz}"'
        return text.encode("utf-8" if self.charset else "latin-1")

    def run(self, c):
        self.read(c.start("DIGEST-MD5"))
        assert c.next(self.reply()) == b"rspauth=" + self.wanted.encode()
        assert c.next("") is None
