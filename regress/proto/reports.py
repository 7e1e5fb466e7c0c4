#!/usr/bin/env python3
# suite: own
"""What the Dequeuer tells senders of mail to other hosts: relayed, delayed,
failed, one report for many; receipts, and mail that only tests addresses."""
import email
import pathlib
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, wait_for  # noqa: E402
from outgoing import nothing_left, route  # noqa: E402
from sink import Sink  # noqa: E402

CONF = """
settings Queue { RetryEvery = 1s; RetryEveryLater = 1s; }
settings SMTP { LogLevel = 5; }
"""
ALL = ["PIPELINING", "8BITMIME", "CHUNKING", "DSN"]


def ask(s, command):
    cli = s.cli()
    cli.ask(command)
    cli.close()


def send(s, rcpts, subject, head="", options=(), params=()):
    with smtplib.SMTP("127.0.0.1", s.smtp_port(), timeout=120) as c:
        c.ehlo("client.example")
        c.login("ann", PASSWORD)
        c.mail(s.address("ann"), options)
        for r in rcpts:
            code, text = c.rcpt(r, params)
            assert code == 250, text
        code, text = c.data(f"{head}Subject: {subject}\r\n\r\nthe body\r\n")
        assert code == 250, text


def reports(s, subject):
    return [m for m in (email.message_from_bytes(t) for _, t in s.mail("ann"))
            if m.get_content_type() == "multipart/report" and
            f"Subject: {subject}\n" in m.get_payload()[2].as_string()]


def report(s, subject, n=1):
    got = wait_for(f"report {n} of {subject}",
                   lambda: len(reports(s, subject)) >= n and
                   reports(s, subject))
    assert len(got) == n, len(got)
    return got[-1]


def blocks(m):
    return m.get_payload()[1].get_payload()[1:]


def relayed(s):
    """A host without DSN: we tell; with it, it does."""
    with Sink(extensions=["PIPELINING"]) as k:
        route(s, out_example=k)
        send(s, ["a@out.example", "b@out.example"], "relayed", options=[
            "RET=FULL", "ENVID=x+2Bz"], params=["NOTIFY=SUCCESS"])
        m = report(s, "relayed")
        assert [b["Action"] for b in blocks(m)] == ["relayed"] * 2
        assert m.get_payload()[1].get_payload()[0][
            "Original-Envelope-Id"] == "x+z"
        assert m.get_payload()[2].get_content_type() == "text/rfc822-headers"
        k.wait(1)
    with Sink(extensions=ALL) as k:
        route(s, out_example=k)
        send(s, ["a@out.example"], "passed", params=[
            "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old@x.example"])
        assert k.wait(1)[0].rcpts == ["<a@out.example> NOTIFY=SUCCESS,FAILURE "
                                      "ORCPT=rfc822;old@x.example"]
        send(s, ["a@out.example"], "nothing said")
        assert k.wait(2)[1].rcpts == ["<a@out.example>"]
        send(s, ["a@out.example"], "failure", params=["NOTIFY=FAILURE"])
        assert k.wait(3)[2].rcpts == ["<a@out.example> NOTIFY=FAILURE"]
        nothing_left(s)
        assert not reports(s, "passed")


def failed(s):
    """Who said no, and how; failures at different times in one report."""
    with Sink(extensions=ALL, name="mx.out.example") as k, \
            Sink(extensions=ALL) as l:
        k.answers["RCPT bad"] = ["550 5.1.1 no such user"]
        l.answers["RCPT bad"] = ["451 later", "451 later",
                                 "552 5.2.2 his box is full",
                                 "550 5.2.1 he is gone"]
        route(s, out_example=k, other_example=l)
        send(s, ["bad@out.example", "bad@other.example", "good@out.example",
                 f"nobody@{s.domain}"], "failed", options=["RET=FULL"])
        m = report(s, "failed")
        got = {b["Final-Recipient"]: b for b in blocks(m)}
        assert set(got) == {"rfc822;bad@out.example",
                            "rfc822;bad@other.example",
                            f"rfc822;nobody@{s.domain}"}, got
        b = got["rfc822;bad@out.example"]
        assert b["Remote-MTA"] == f"dns; {k.address}", b.as_string()
        assert b["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
        assert b["Status"] == "5.1.1" and b["Action"] == "failed"
        assert got[f"rfc822;nobody@{s.domain}"]["Diagnostic-Code"].startswith(
            "x-cgate; ")
        assert got["rfc822;bad@other.example"]["Status"] == "5.2.1"
        assert "the body" in m.get_payload()[2].as_string()
        assert len(reports(s, "failed")) == 1
        ask(s, "UpdateModule Queue {ReturnLimit=100;}")
        send(s, ["bad@out.example"], "too long", options=["RET=FULL"])
        assert report(s, "too long").get_payload()[2].get_content_type() == \
            "text/rfc822-headers"
        ask(s, "UpdateModule Queue {ReturnLimit=1M;}")


def in_time(s):
    """No later than the reporting delay."""
    with Sink(extensions=ALL) as k:
        k.answers["RCPT bad"] = ["550 no"]
        k.answers["RCPT slow"] = ["450 later"]
        route(s, out_example=k)
        ask(s, "UpdateModule Queue {ReportDelay=1s;}")
        send(s, ["bad@out.example", "slow@out.example"], "in time")
        m = report(s, "in time")
        assert [b["Final-Recipient"] for b in blocks(m)] == [
            "rfc822;bad@out.example"]
        del k.answers["RCPT slow"]
        k.wait(1)
        ask(s, "UpdateModule Queue {ReportDelay=1m;}")
        nothing_left(s)


def delayed(s):
    """One report for all that wait, by whatever host; none for who did not
    want one."""
    with Sink(extensions=ALL) as k, Sink(extensions=ALL) as l:
        for x in (k, l):
            x.answers["RCPT slow"] = ["450 4.2.0 later"]
        route(s, out_example=k, other_example=l)
        ask(s, "UpdateModule Queue {SendWarningsAfter=3s;}")
        send(s, ["slow@out.example"], "not asked", params=["NOTIFY=FAILURE"])
        send(s, ["slow@out.example"], "asked", params=["NOTIFY=DELAY"])
        send(s, ["slow1@out.example", "slow2@out.example",
                 "slow@other.example", "good@out.example"], "delayed")
        m = report(s, "delayed")
        assert sorted(b["Final-Recipient"] for b in blocks(m)) == [
            "rfc822;slow1@out.example", "rfc822;slow2@out.example",
            "rfc822;slow@other.example"], m.as_string()
        for b in blocks(m):
            assert b["Action"] == "delayed" and b["Status"] == "4.4.7"
            assert b["Will-Retry-Until"]
        report(s, "asked")
        ask(s, "UpdateModule Queue {SendWarningsAfter=4h;}")
        for x in (k, l):
            x.answers.clear()
        nothing_left(s)
        assert len(reports(s, "delayed")) == 1
        assert not reports(s, "not asked")


def receipt(s):
    """Return-Receipt-To: of what is delivered here, to the return-path."""
    head = "Return-Receipt-To: evil@out.example\r\n"
    with Sink(extensions=["PIPELINING"]) as k:
        route(s, out_example=k)
        send(s, [s.address("bob"), "a@out.example"], "receipt", head)
        m = report(s, "receipt")
        b, = blocks(m)
        assert b["Final-Recipient"] == f"rfc822;{s.address('bob')}"
        assert b["Action"] == "delivered"
        assert m["To"] == f"<{s.address('ann')}>"
        k.wait(1)
        send(s, [s.address("bob")], "no receipt", head,
             params=["NOTIFY=NEVER"])
        nothing_left(s)
        assert not reports(s, "no receipt")
        assert len(k.mails) == 1


def tested(s):
    """X-Special-Delivery: test sends recipients, and no message."""
    head = "x-special-delivery:  Test\r\n"
    for extensions in ([], ALL):
        with Sink(extensions=extensions) as k:
            k.answers["RCPT bad"] = ["550 5.1.1 nobody"]
            route(s, out_example=k)
            bobs = len(s.mail("bob"))
            subject = f"test {len(extensions)}"
            send(s, [s.address("bob"), f"nobody@{s.domain}", "a@out.example",
                     "bad@out.example"], subject, head)
            m = report(s, subject)
            assert sorted(b["Final-Recipient"] for b in blocks(m)) == [
                "rfc822;bad@out.example", f"rfc822;nobody@{s.domain}"]
            nothing_left(s)
            assert not k.mails and len(s.mail("bob")) == bobs
            verbs = [l.split(" ")[0].upper() for _, l in k.heard]
            assert "RCPT" in verbs and "DATA" not in verbs and \
                "BDAT" not in verbs, verbs
            # and is a message like others with another word there
            send(s, ["a@out.example"], "no " + subject,
                 "X-Special-Delivery: testing\r\n")
            k.wait(1)
            nothing_left(s)


def many(s):
    """Each of 300 is told of, in as many reports as that takes."""
    send(s, [f"no{i}@{s.domain}" for i in range(300)], "for many")
    wait_for("all", lambda: len({b["Final-Recipient"]
                                 for m in reports(s, "for many")
                                 for b in blocks(m)}) == 300)
    assert sum(len(blocks(m)) for m in reports(s, "for many")) == 300
    nothing_left(s)


def main():
    with Suite(accounts=["ann", "bob"], conf=CONF) as s:
        ask(s, f'UpdateDomainSettings {s.domain} '
            '{MailToUnknown="Accepted and Bounced";}')
        for step in (relayed, failed, in_time, delayed, receipt, tested,
                     many):
            print(step.__name__, flush=True)
            step(s)


main()
