#!/usr/bin/env python3
# suite: own
"""A domain's mail goes out from its own address, by a queue of its own."""
import pathlib
import re
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from outgoing import nothing_left, route  # noqa: E402
from sink import Sink  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; }
settings SMTP { LogLevel = 5; }
"""


def send(s, who, to):
    with smtplib.SMTP("127.0.0.1", s.smtp, timeout=120) as c:
        c.login(who, PASSWORD)
        c.sendmail(who, [to], "Subject: x\r\n\r\nx\r\n")


def source(s, k, who, n):
    """From where the n-th message came, and by which queue."""
    to = f"u{n}@out.example"
    send(s, who, to)
    assert k.wait(n)[n - 1].rcpts[0] == f"<{to}>"
    sent = wait_for("log lines", lambda: re.search(
        rf"DEQUEUER \[(\d+)\] SMTP\((\S*?)\)u{n}@.* relayed", s.log()))
    line = wait_for("log lines", lambda: re.search(
        rf"\[{sent[1]}\] sent \[([0-9.:]+)\]:", s.log()))
    return line[1], sent[2]


def main():
    with Suite(accounts=["ann"], conf=CONF) as s, Sink() as k:
        cli = s.cli()
        cli.ask('CreateDomain two.example {IPAddresses=("[127.0.25.7]",'
                '"[127.0.25.8]");}')
        cli.ask(f'CreateAccount bob@two.example {{Password="{PASSWORD}";}}')
        route(s, out_example=k)
        host = f"127.0.0.1:{k.port}"
        assert source(s, k, "bob@two.example", 1) == ("127.0.0.1", host)
        cli.ask("UpdateDomainSettings two.example {RelayAddress=first;}")
        assert source(s, k, "bob@two.example", 2) == \
            ("127.0.25.7", f"@127.0.25.7:{host}")
        assert source(s, k, s.address("ann"), 3) == ("127.0.0.1", host)
        # It came to none of the domain's; then to one.
        cli.ask("UpdateDomainSettings two.example {RelayAddress=same;}")
        assert source(s, k, "bob@two.example", 4) == ("127.0.0.1", host)
        cli.ask('UpdateDomainSettings two.example {IPAddresses='
                '("[127.0.25.7]","[127.0.0.1]");}')
        assert source(s, k, "bob@two.example", 5) == \
            ("127.0.0.1", f"@127.0.0.1:{host}")
        assert cli.send("UpdateDomainSettings two.example "
                        "{RelayAddress=second;}")[:1] != "2"
        cli.close()
        nothing_left(s)


main()
