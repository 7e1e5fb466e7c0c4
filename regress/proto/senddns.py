#!/usr/bin/env python3
# suite: own
"""What the DNS does to mail that goes out: answers late, by TCP, for some
hosts only, never, or that there is nothing.  Mail waits for a DNS in trouble,
and comes back at once only when it is sure that nobody is there."""
import os
import pathlib
import re
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from sink import Sink  # noqa: E402

HERE = "127.0.26.11"
CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; ReportDelay = 0s; }
settings SMTP { LogLevel = 4; }
"""
GOOD = f"""
mx.good.example A {HERE}
good.example MX 10 mx.good.example
late.example MX 10 mx.late.example
late.example SLOW 2
mx.late.example A {HERE}
mx.late.example SLOW 1
long.example MX 10 mx.long.example
long.example TRUNCATE
mx.long.example A {HERE}
mx.long.example TRUNCATE
many.example MX 90 mx.good.example
half.example MX 10 mx.silent.example
half.example MX 20 mx.good.example
mx.silent.example TIMEOUT
ill.example MX 10 mx.ill.example
ill.example MX 20 mx.good.example
mx.ill.example SERVFAIL
gone.example MX 10 mx.gone.example
gone.example MX 20 mx.good.example
mx.gone.example NXDOMAIN
bare.example A {HERE}
alias.example CNAME good.example
""" + "".join(f"many.example MX {i} a-long-name-of-a-host-{i}.gone.example\n"
              for i in range(30, 80))
GOOD_NAMES = ["good", "late", "long", "many", "half", "ill", "gone", "bare",
              "alias"]
# In trouble, until it is mended.
ILL = """
servfail.example SERVFAIL
refused.example REFUSED
silent.example TIMEOUT
onlyill.example MX 10 mx.servfail.example
odd.example MX 10 mx.good.example
""" + "odd.example MX 20 %s.%s.example\n" % ("\1" * 60, "\2" * 20) + """
mx.servfail.example SERVFAIL
"""
ILL_NAMES = ["servfail", "refused", "silent", "onlyill", "odd"]
MENDED = "".join(f"{n}.example MX 10 mx.good.example\n" for n in ILL_NAMES)
# Nobody is there.
NEVER = """
null.example MX 0 .
nothing.example NXDOMAIN
text.example TXT hello
loop.example CNAME pool.example
pool.example CNAME loop.example
noaddr.example MX 10 text.example
nohost.example MX 10 mx.nothing.example
us.example MX 10 test.example
us.example MX 20 mx.good.example
"""
NEVER_NAMES = ["null", "nothing", "text", "loop", "noaddr", "nohost", "us"]


def zone(s, *parts):
    path = pathlib.Path(s.env["CG_ZONE"])
    new = path.with_suffix(".new")
    new.write_text("\n".join(parts))
    new.rename(path)


def send(s, names):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
        c.ehlo()
        c.login("ann", PASSWORD)
        for n in names:
            c.sendmail(s.address("ann"), [f"x@{n}.example"],
                       f"Subject: {n}\r\n\r\nhello\r\n")


def to(k):
    return sorted(re.match(r"<x@(\w+)\.example>", m.rcpts[0])[1]
                  for m in k.mails)


def main():
    if os.geteuid() != 0:
        print("port 25 is for root alone")
        sys.exit(77)
    with Suite(accounts=["ann"], conf=CONF) as s, \
            Sink(address=HERE, port=25) as k:
        zone(s, GOOD, ILL, NEVER)
        send(s, GOOD_NAMES + ILL_NAMES + NEVER_NAMES)
        k.wait(len(GOOD_NAMES))
        assert to(k) == sorted(GOOD_NAMES), to(k)
        wait_for("reports", lambda: len(s.mail("ann")) >= len(NEVER_NAMES))
        for n in ILL_NAMES:
            wait_for(f"{n} to wait", lambda n=n: re.search(
                rf"QUEUE SMTP\({n}\.example\).* delayed", s.log()))
        text = b"".join(t for _, t in s.mail("ann"))
        failed = re.findall(rb"Final-Recipient: rfc822;\s*x@(\w+)\.example\n"
                            rb"Action: failed\nStatus: 5", text)
        assert sorted(f.decode() for f in failed) == sorted(NEVER_NAMES), \
            failed
        wait_for("the rest", lambda: len(s.queue()) == len(ILL_NAMES))
        zone(s, GOOD, MENDED)
        wait_for("an empty queue", lambda: not s.queue())
        assert to(k) == sorted(GOOD_NAMES + ILL_NAMES), to(k)


main()
