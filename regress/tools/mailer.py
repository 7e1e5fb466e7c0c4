"""Clients that keep sending and remember what they were answered; shared by
the tests that kill.  A message carries its own number, length and
checksum, so that whoever reads it back can tell whether it is whole."""
import hashlib
import poplib
import random
import re
import smtplib
import socket
import threading
import time

from cgtest import PASSWORD, kill, wait_for

BODY = re.compile(rb"X-Number: (\d+)\n.*?\n\n(.*)", re.S)


def message(number, rng):
    """Bytes of a message with LF lines; some short, some long, some with
    lines that a mailbox file must quote."""
    lines = []
    for _ in range(rng.choice([1, 5, 40, 200, 2000])):
        lines.append(rng.choice([
            "a line of text", "From here it goes on", "", ".", "..dots",
            "x" * rng.randrange(1, 200)]))
    body = "\n".join(lines).rstrip("\n") + "\nend\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    return (f"From: <sender@example.net>\nTo: <someone@example.com>\n"
            f"Subject: number {number}\nX-Number: {number}\n"
            f"X-Digest: {digest}\n\n{body}").encode()


def check(stored):
    """The number of a stored message, after proving it whole."""
    head, _, body = stored.partition(b"\n\n")
    number = int(re.search(rb"^X-Number: (\d+)$", head, re.M)[1])
    digest = re.search(rb"^X-Digest: (\w+)$", head, re.M)[1].decode()
    whole = body.rstrip(b"\n") + b"\n"
    plain = unquote(whole)
    if hashlib.sha256(plain).hexdigest() != digest:
        raise AssertionError(f"message {number} is not whole: {stored!r:.400}")
    return number


def unquote(body):
    """Undoes the mailbox's > before From after an empty line."""
    return re.sub(rb"\n\n>From ", rb"\n\nFrom ", b"\n\n" + body)[2:]


class Mailer:
    """Sends to accounts in turn; .answered and .tried are {number: account}."""

    def __init__(self, port, addresses, seed=1):
        self.port = port        # a function: it may change
        self.addresses = addresses
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.next = 0
        self.answered = {}
        self.tried = {}
        self.temporary = 0
        self.on_answer = lambda number: None

    def take(self):
        with self.lock:
            self.next += 1
            account = list(self.addresses)[self.next % len(self.addresses)]
            self.tried[self.next] = account
            return self.next, account, message(self.next, self.rng)

    def send_some(self, count):
        """Up to count messages on one connection; an end of it is no error."""
        try:
            with smtplib.SMTP("127.0.0.1", self.port(), timeout=60) as c:
                for _ in range(count):
                    self.send_one(c)
        except (smtplib.SMTPException, OSError, socket.timeout):
            pass

    def send_one(self, c):
        number, account, text = self.take()
        try:
            c.sendmail("sender@example.net", [self.addresses[account]],
                       text.replace(b"\n", b"\r\n"))
        except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as e:
            self.refused(e.smtp_code, e)
            return
        except smtplib.SMTPRecipientsRefused as e:
            for code, text in e.recipients.values():
                self.refused(code, text)
            return
        self.on_answer(number)
        with self.lock:
            self.answered[number] = account

    def refused(self, code, why):
        if not 400 <= code < 500:
            raise AssertionError(f"a failure of ours is told as final: {why}")
        with self.lock:
            self.temporary += 1

    def start(self, threads, count):
        ts = [threading.Thread(target=self.send_some, args=(count,))
              for _ in range(threads)]
        for t in ts:
            t.start()
        return ts


class Readers:
    """POP clients that come and go, read, and delete nothing."""

    def __init__(self, suite, names, seed):
        self.suite, self.names, self.over = suite, names, False
        self.sessions = 0
        self.rng = random.Random(seed)
        self.threads = [threading.Thread(target=self.read) for _ in range(2)]
        for t in self.threads:
            t.start()

    def read(self):
        while not self.over:
            try:
                p = poplib.POP3("127.0.0.1", self.suite.pop, timeout=60)
                p.user(self.rng.choice(self.names))
                p.pass_(PASSWORD)
                for i in range(1, min(p.stat()[0], 5) + 1):
                    p.retr(i)
                p.quit()
                self.sessions += 1
            except (poplib.error_proto, OSError, EOFError):
                time.sleep(0.05)        # it was killed: not too fast

    def stop(self):
        self.over = True
        for t in self.threads:
            t.join()


def storm(suite, names, rounds, seed, victims):
    """Mail and readers while victims(round)'s processes are killed; all that
    was answered comes to rest.  (the mailer, how many sessions of readers)"""
    rng = random.Random(seed)
    m = Mailer(suite.smtp_port, {n: suite.address(n) for n in names})
    readers = Readers(suite, names, seed)
    others = set(suite.queue())     # reports for hosts that are not there
    for i in range(rounds):
        senders = m.start(3, 4)
        time.sleep(rng.random() * 0.08)     # the moment is the test
        for pid in victims(i):
            kill(pid)
        for t in senders:
            t.join()
    readers.stop()

    def up():
        before = len(m.answered)
        m.send_some(1)
        return len(m.answered) > before
    wait_for("the suite to take mail again", up)
    wait_for("the queue to be empty", lambda: set(suite.queue()) <= others)
    return m, readers.sessions


def verify(suite, mailer, answered=None, twice_is_wrong=True):
    """Every answered message is there whole; none is there twice."""
    answered = mailer.answered if answered is None else answered
    seen = {}
    for account in mailer.addresses:
        for _, stored in suite.mail(account):
            number = check(stored)
            if twice_is_wrong and number in seen:
                raise AssertionError(f"message {number} is there twice")
            if number not in mailer.tried or \
                    mailer.tried[number] != account:
                raise AssertionError(f"message {number} is in the box of "
                                     f"{account}")
            seen[number] = account
    lost = sorted(set(answered) - set(seen))
    if lost:
        raise AssertionError(f"answered 250 and lost: {lost}")
    return seen
