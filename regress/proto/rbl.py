#!/usr/bin/env python3
# suite: own
"""Blacklists in the DNS and by hosts' names, and what takes an address off
them (manual 07): each kind of answer, ranges of results, lists that are slow
or dead, white holes, and who logs in.  Each case connects from an address of
its own, for answers are kept a while."""
import base64
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, wait_for  # noqa: E402
from fakedns import FakeDns  # noqa: E402
from wire import Smtp  # noqa: E402

CONF = """
resolver 127.0.0.1:%d
processes smtpd 1
settings SMTP { LogLevel = 5; AdvertiseAUTH = NonClients; }
settings Protection {
	UseRBL = YES;
	RBLServers = ("bl.example", "sub.example 127.0.0.10-127.0.0.20,127.0.1.0/24",
	    "d1.example", "d2.example", "d3.example", "not a domain!");
	BlackListIPs = "127.0.9.0/24";
	WhiteHoleIPs = "127.0.7.0/24";
	ClientIPs = "127.0.8.0/24";
	BlackListByName = YES;
	BlackListNames = ("*.spam.example", "dialup*.isp.example",
	    "host name is unknown");
	WhiteHoleByName = YES;
	WhiteHoleNames = ("*.good.example");
	ClientByName = YES;
	ClientNames = ("*.campus.example");
}
"""


def backwards(ip):
    return ".".join(reversed(ip.split(".")))


def listed(ip, zone, *results):
    return "".join(f"{backwards(ip)}.{zone} A {r}\n" for r in results)


def named(ip, name):
    return f"{backwards(ip)}.in-addr.arpa PTR {name}\n"


# address, what the DNS knows of it, the list that the answer names or None
NAMELESS = "host name is unknown"
CASES = [
    ("127.0.2.1", listed("127.0.2.1", "bl.example", "127.0.0.2"),
     "bl.example"),
    ("127.0.2.2", listed("127.0.2.2", "bl.example", "127.0.0.1"), None),
    ("127.0.2.3", listed("127.0.2.3", "bl.example", "127.1.255.255"),
     "bl.example"),
    ("127.0.2.4", listed("127.0.2.4", "bl.example", "127.2.0.0"), None),
    ("127.0.2.5", listed("127.0.2.5", "bl.example", "192.0.2.1"), None),
    ("127.0.2.6", listed("127.0.2.6", "bl.example", "192.0.2.1", "127.0.0.9"),
     "bl.example"),
    ("127.0.2.7", listed("127.0.2.7", "sub.example", "127.0.0.2"), None),
    ("127.0.2.8", listed("127.0.2.8", "sub.example", "127.0.0.15"),
     "sub.example"),
    ("127.0.2.9", listed("127.0.2.9", "sub.example", "127.0.1.77"),
     "sub.example"),
    ("127.0.2.10", listed("127.0.2.10", "sub.example", "127.0.0.21"), None),
    ("127.0.2.11", f"{backwards('127.0.2.11')}.bl.example SERVFAIL\n", None),
    ("127.0.2.12", f"{backwards('127.0.2.12')}.bl.example TXT listed\n", None),
    # by name, whoever the name says it is
    ("127.0.3.1", named("127.0.3.1", "MAIL.Spam.example"),
     "mail.spam.example"),
    ("127.0.3.2", named("127.0.3.2", "dialup-7.isp.example"),
     "dialup-7.isp.example"),
    ("127.0.3.3", named("127.0.3.3", "mail.isp.example"), None),
    ("127.0.3.4", named("127.0.3.4", "a.example") +
     named("127.0.3.4", "b.spam.example"), "b.spam.example"),
    ("127.0.3.5", f"{backwards('127.0.3.5')}.in-addr.arpa NXDOMAIN\n",
     NAMELESS),
    ("127.0.3.6", f"{backwards('127.0.3.6')}.in-addr.arpa SERVFAIL\n", None),
    # white by name; but not what the own list has
    ("127.0.4.1", listed("127.0.4.1", "bl.example", "127.0.0.2") +
     named("127.0.4.1", "mail.good.example"), None),
    ("127.0.4.2", named("127.0.4.2", "mail.good.example") +
     named("127.0.4.2", "mail.spam.example"), None),
    ("127.0.9.1", named("127.0.9.1", "mail.good.example"), ""),
    # white by address, clients
    ("127.0.7.1", listed("127.0.7.1", "bl.example", "127.0.0.2") +
     named("127.0.7.1", "mail.spam.example"), None),
    ("127.0.8.1", listed("127.0.8.1", "bl.example", "127.0.0.2"), None),
    # a client by name; one whose name says something else
    ("127.0.5.1", listed("127.0.5.1", "bl.example", "127.0.0.2") +
     named("127.0.5.1", "pc1.campus.example") +
     "pc1.campus.example A 127.0.5.99\npc1.campus.example A 127.0.5.1\n",
     None),
    ("127.0.5.2", listed("127.0.5.2", "bl.example", "127.0.0.2") +
     named("127.0.5.2", "pc2.campus.example") +
     "pc2.campus.example A 127.0.5.1\n", "bl.example"),
    ("127.0.9.2", named("127.0.9.2", "pc3.campus.example") +
     "pc3.campus.example A 127.0.9.2\n", None),
]


def zone(text):
    """Who is not in it has a name that means nothing, and is not listed."""
    with open(dns.path, "w", encoding="utf-8") as f:
        f.write(text + "*.in-addr.arpa PTR some.host.example\n"
                "example TXT here\n")


def host(ip, **kw):
    return Smtp(s.smtp, source=ip, **kw)


def rcpt(c, black):
    c.ask("MAIL FROM:<someone@else.example>", 250)
    told = c.ask(f"RCPT TO:<{s.address('ann')}>", 250 if black is None
                 else 591)[0]
    if black is not None:
        assert black in told and s.address("blacklist-admin") in told, told


def every_case():
    zone("".join(text for _, text, _ in CASES))
    for ip, _, black in CASES:
        try:
            with host(ip) as c:
                rcpt(c, black)
        except AssertionError as e:
            raise AssertionError(f"{ip}: {e}") from None
    wait_for("a word about the list in trouble",
             lambda: "bl.example does not answer" in s.log())
    assert "not a domain!" in s.log()


def asked_about(ip):
    return [n for n, _ in dns.asked if n.startswith(backwards(ip) + ".")]


def few_questions():
    """Clients and white holes cost nothing that cannot matter."""
    assert not asked_about("127.0.8.1"), dns.asked
    assert asked_about("127.0.7.1") == \
        [backwards("127.0.7.1") + ".in-addr.arpa"], dns.asked
    # by the own list: its name might still make it a client
    assert asked_about("127.0.9.1") == \
        [backwards("127.0.9.1") + ".in-addr.arpa"], dns.asked
    before = len(dns.asked)
    for _ in range(5):
        with host("127.0.2.1") as c:
            rcpt(c, "bl.example")
    assert len(dns.asked) == before, "asked again, though it was known"


def submission():
    """Who must log in anyway is not asked about."""
    with Smtp(int(s.env["CG_SUBMIT"]), source="127.0.6.5") as c:
        c.ask("MAIL FROM:<a@b.example>", 530)
    assert not asked_about("127.0.6.5"), dns.asked


def clients_are_clients():
    """By name, they may send anywhere, and hear what clients hear."""
    zone("".join(text for _, text, _ in CASES))
    with host("127.0.5.1", hello=None) as c:
        told = c.ask("EHLO x.example", 250)
        assert not any(line.startswith("AUTH") for line in told), told
        c.ask("MAIL FROM:<someone@else.example>", 250)
        c.ask("RCPT TO:<x@far.example>", 250)
        c.ask("DATA", 354)
        number = c.text("Subject: x\r\n\r\nx\r\n.\r\n")
    wait_for("relaying", lambda: f"[{number}]" in s.log() and
             "SMTP: '<x@far.example>' accepted" in s.log())
    assert "relaying is not permitted" not in s.log()
    with host("127.0.5.2", hello=None) as c:
        told = c.ask("EHLO x.example", 250)
        assert any(line.startswith("AUTH") for line in told), told


def the_slow_ones_together():
    """Three dead lists take as long as one; what was sent ahead is kept."""
    ip = "127.0.6.1"
    zone("".join(f"{backwards(ip)}.d{i}.example TIMEOUT\n" for i in (1, 2, 3)))
    start = time.monotonic()
    with host(ip, hello=None) as c:
        c.send("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
               f"RCPT TO:<{s.address('ann')}>\r\nDATA\r\n")
        for code in (250, 250, 250, 354):
            c.want(code)
        took = time.monotonic() - start
        c.text("Subject: ahead\r\n\r\nx\r\n.\r\n")
    assert 2 < took < 9, took
    wait_for("the message", lambda: any(b"Subject: ahead" in text
                                        for _, text in s.mail("ann")))
    # Others are served meanwhile.
    ip = "127.0.6.2"
    zone(f"{backwards(ip)}.d1.example SLOW 2\n" +
         listed(ip, "d1.example", "127.0.0.4"))
    start = time.monotonic()
    with host(ip, hello=None) as c:
        c.send("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n")
        with host("127.0.8.2") as other:
            rcpt(other, None)
        assert time.monotonic() - start < 1.8
        c.want(250)
        c.want(250)
        c.ask(f"RCPT TO:<{s.address('ann')}>", 591)


def logged_in():
    with host("127.0.2.1") as c:
        c.ask(f"MAIL FROM:<{s.address('ann')}>", 250)
        c.ask(f"RCPT TO:<{s.address('ann')}>", 591)
        c.ask("RSET", 250)
        c.ask("AUTH PLAIN " + base64.b64encode(
            f"\0ann\0{PASSWORD}".encode()).decode(), 235)
        c.ask(f"MAIL FROM:<{s.address('ann')}>", 250)
        c.ask("RCPT TO:<x@far.example>", 250)
    os.environ["CG_CA"] = s.env["CG_CA"]
    with Smtp(int(s.env["CG_SMTPS"]), tls=True,
              source="127.0.2.1") as c:
        c.ask("AUTH PLAIN " + base64.b64encode(
            f"\0ann\0{PASSWORD}".encode()).decode(), 235)
        c.ask(f"MAIL FROM:<{s.address('ann')}>", 250)
        c.ask(f"RCPT TO:<{s.address('ann')}>", 250)
        c.ask("RCPT TO:<x@far.example>", 250)


def leaves_while_asked():
    """A client that goes while the DNS is slow is no trouble."""
    for i in range(20, 40):
        ip = f"127.0.6.{i}"
        zone(f"{backwards(ip)}.d1.example SLOW 1\n")
        c = host(ip, hello=None)
        c.send("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n")
        c.close()
    time.sleep(1.5)
    with host("127.0.8.3") as c:
        rcpt(c, None)


def many():
    """While no list answers, many who come at once wait no longer than one,
    more of them than may be asked about; and who needs no list waits not."""
    ips = [f"127.0.{20 + i // 250}.{1 + i % 250}" for i in range(400)]
    zone("".join(f"{backwards(ip)}.d{i}.example TIMEOUT\n"
                 for ip in ips for i in (1, 2, 3)))
    start = time.monotonic()
    open_ones = [host(ip, hello=None) for ip in ips]
    for c in open_ones:
        c.send("EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
               f"RCPT TO:<{s.address('ann')}>\r\n")
    with host("127.0.8.4") as c:
        rcpt(c, None)
    for c in open_ones:
        for code in (250, 250, 250):
            c.want(code)
        c.close()
    took = time.monotonic() - start
    assert took < 20, took


def sender_dies():
    """Who connects while nobody can ask the DNS is not blacklisted for it."""
    zone("")
    pid = next(p for p, n in s.children().items() if n == "smtpd-send")
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with host("127.0.6.50") as c:
            rcpt(c, None)
        assert time.monotonic() - start < 15
    finally:
        os.kill(pid, signal.SIGCONT)
    kill(pid)
    with host("127.0.6.51") as c:
        rcpt(c, None)
    zone(listed("127.0.6.60", "bl.example", "127.0.0.2"))

    def works():
        for i in range(60, 61):
            with host(f"127.0.6.{i}") as c:
                c.ask("MAIL FROM:<someone@else.example>", 250)
                c.send(f"RCPT TO:<{s.address('ann')}>\r\n")
                return c.reply()[0] == 591
    wait_for("a sender that asks again", works)


with tempfile.NamedTemporaryFile() as f, FakeDns(f.name) as dns:
    zone("")
    with Suite(accounts=["ann"], conf=CONF % dns.port) as s:
        for test in (every_case, few_questions, submission,
                     clients_are_clients,
                     the_slow_ones_together, logged_in, leaves_while_asked,
                     many, sender_dies):
            print(test.__name__, flush=True)
            test()
