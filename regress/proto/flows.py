#!/usr/bin/env python3
"""What an account may send and get within a time (manual 30): counted over all
connections, refused or put off, told to the administrator once; and how large
a message it may send."""
import base64
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from wire import (PASSWORD, Smtp, accounts, address,  # noqa: E402
                  administrator, log, messages, run, wait_for)

TEXT = "Subject: s\r\n\r\ntext\r\n.\r\n"
cli = None


def log_in(s, name):
    s.ask("AUTH PLAIN " + base64.b64encode(
        f"\0{name}\0{PASSWORD}".encode()).decode(), 235)


def send(name, rcpts, text=TEXT, port="CG_SMTP"):
    """The answer to a message of that account's."""
    with Smtp(port) as s:
        log_in(s, name)
        s.begin(*[address("sink")] * rcpts, sender=address(name))
        s.send(text)
        code, texts = s.reply()
        s.ask("NOOP", 250)
        return code, texts[0]


def alerts():
    return cli.ask("GetAccountAlerts postmaster")


def out():
    cli.ask("UpdateAccountSettings out {MailOutFlow=(6,60);}")
    for rcpts in (1, 2, 1, 2):  # each a connection: any process
        assert send("out", rcpts)[0] == 250
    for _ in range(4):
        code, text = send("out", 1)
        assert code == 452 and text.startswith("4.7.1 "), (code, text)
    # Counted is what was taken, and who has not logged in is nobody.
    with Smtp() as s:
        s.begin(address("sink"), sender=address("out"))
        s.text(TEXT)
    assert send("other", 3)[0] == 250
    wait_for("an alert", lambda: address("out") in alerts())
    assert alerts().count(address("out")) == 1, alerts()
    assert "6 messages within 60 seconds" in alerts()
    assert log().count(f"MAIL-FLOW {address('out')} has sent") == 1
    messages("sink", 10)
    # A larger limit is so for the next session; queued asks now and then.
    cli.ask("UpdateAccountSettings out {MailOutFlow=(100,60);}")
    assert send("out", 1)[0] == 250


def out_too_many():
    """More than could ever be sent is refused for good."""
    cli.ask("UpdateAccountSettings many {MailOutFlow=(3,60);}")
    code, text = send("many", 4)
    assert code == 554 and text.startswith("5.5.3 "), (code, text)
    assert send("many", 3)[0] == 250


def out_anew():
    cli.ask("UpdateAccountSettings anew {MailOutFlow=(1,2);}")
    assert send("anew", 1)[0] == 250
    wait_for("the time to be over", lambda: send("anew", 1)[0] == 250)


def out_size():
    cli.ask("UpdateAccountSettings size {MaxMailOutSize=10K;}")
    large = "Subject: s\r\n\r\n" + ("x" * 70 + "\r\n") * 200 + ".\r\n"
    code, text = send("size", 1, large)
    assert code == 554 and text.startswith("5.3.4 "), (code, text)
    assert send("size", 1)[0] == 250
    assert send("other", 1, large)[0] == 250


def deliver(name, count):
    with Smtp() as s:
        for _ in range(count):
            s.begin(address(name))
            s.text(TEXT)


def got():
    """The queue of the account waits; nothing is lost."""
    cli.ask("UpdateAccountSettings in {MailInpFlow=(5,6);}")
    start = time.monotonic()
    deliver("in", 8)
    wait_for("an alert", lambda: f"{address('in')} gets" in alerts())
    messages("in", 5)
    deliver("other", 1)         # not held up by it
    messages("other", 1)
    messages("in", 8)
    assert time.monotonic() - start > 4, "it did not wait"
    assert "5 messages within 6 seconds" in alerts()
    assert re.search(r"in gets more than 5 messages within 6 seconds: its "
                     "queue waits", log())


def got_by_any():
    """LOCAL's own limit, for accounts without one."""
    cli.ask("UpdateModule LOCAL {FlowMessages=2;FlowTime=5;}")
    wait_for("the limit", lambda: "FlowMessages=2" in
             cli.ask("GetModule LOCAL"))
    time_over = time.monotonic() + 60
    while f"{address('any')} gets" not in alerts():
        assert time.monotonic() < time_over
        deliver("any", 3)
    cli.ask("UpdateModule LOCAL {FlowMessages=0;}")


accounts("out", "other", "many", "anew", "size", "in", "any", "sink")
cli = administrator()
cli.ask("INLINE")
run([out, out_too_many, out_anew, out_size, got, got_by_any])
