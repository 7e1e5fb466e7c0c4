#!/usr/bin/env python3
"""Delivery reports: RFC 3464's form, what NOTIFY, RET, ENVID and ORCPT do to
them, and that nobody reports about a report."""
import email
import os
import pathlib
import random
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import OBJ, kill, read_mbox, wait_for  # noqa: E402
from wire import administrator, log, processes  # noqa: E402

E = os.environ
BASE = pathlib.Path(E["CG_BASE"])
DOMAIN = E["CG_DOMAIN"]


def mail(account):
    return [email.message_from_bytes(m) for _, m in read_mbox(
        BASE / "Accounts" / f"{account}.macnt" / "INBOX.mbox")]


def empty():
    wait_for("an empty queue", lambda: not list(
        (BASE / "Queue").glob("*.msg")) and not list(
        (BASE / "Submitted").glob("*.sub")))


def submit(text, *args):
    """By sendmail: a trusted source, so its envelope is as one likes."""
    with tempfile.TemporaryDirectory() as d:
        link = pathlib.Path(d, "sendmail")
        link.symlink_to(OBJ / "cgmail")
        subprocess.run([link, *args], input=text.encode("utf-8"), check=True)


def reports(account, of):
    """Those that return a message with this subject."""
    return [m for m in mail(account)
            if m.get_content_type() == "multipart/report" and
            of.encode() in m.get_payload()[2].as_bytes()]


def report(account, of):
    found = wait_for(f"a report about {of}", lambda: reports(account, of))
    assert len(found) == 1, f"{len(found)} reports about {of}"
    return found[0]


def fields(m):
    """The report's blocks: the message's, and one a recipient."""
    return m.get_payload()[1].get_payload()


def text(subject, body="the body\n"):
    return f"From: ann@{DOMAIN}\nSubject: {subject}\n\n{body}"


def test_form():
    submit(text("form"), "-f", f"ann@{DOMAIN}", "-V", "id +1",
           f"nobody@{DOMAIN}", f"bob@{DOMAIN}", f"noone@{DOMAIN}")
    m = report("ann", "form")
    assert m["Return-Path"] == "<>", m["Return-Path"]
    assert m["To"] == f"<ann@{DOMAIN}>"
    assert m["From"].endswith(f"<MAILER-DAEMON@{DOMAIN}>")
    assert m["Auto-Submitted"] == "auto-replied"
    assert m.get_param("report-type") == "delivery-status"
    types = [p.get_content_type() for p in m.get_payload()]
    assert types == ["text/plain", "message/delivery-status",
                     "text/rfc822-headers"], types
    assert f"nobody@{DOMAIN}" in m.get_payload()[0].get_payload()
    blocks = fields(m)
    assert blocks[0]["Reporting-MTA"] == f"dns; {DOMAIN}"
    assert blocks[0]["Original-Envelope-Id"] == "id +1"
    assert blocks[0]["Arrival-Date"]
    assert [b["Final-Recipient"] for b in blocks[1:]] == [
        f"rfc822;nobody@{DOMAIN}", f"rfc822;noone@{DOMAIN}"]
    for b in blocks[1:]:
        assert b["Action"] == "failed"
        assert b["Status"].startswith("5."), b["Status"]
    assert "the body" not in m.as_string()
    wait_for("the good copy", lambda: any(
        x["Subject"] == "form" for x in mail("bob")))


def test_return():
    submit(text("whole, grün"), "-f", f"ann@{DOMAIN}", "-R", "full",
           f"nobody@{DOMAIN}")
    m = report("ann", "whole")
    part = m.get_payload()[2]
    assert part.get_content_type() == "message/rfc822"
    assert part["Content-Transfer-Encoding"] == "8bit"
    assert "the body" in part.as_string()


def test_notify():
    submit(text("never"), "-f", f"ann@{DOMAIN}", "-N", "never",
           f"nobody@{DOMAIN}", f"bob@{DOMAIN}")
    submit(text("success"), "-f", f"ann@{DOMAIN}", "-N", "success,failure",
           f"bob@{DOMAIN}")
    submit(text("failures only"), "-f", f"ann@{DOMAIN}", "-N", "failure",
           f"bob@{DOMAIN}")
    m = report("ann", "success")
    assert [b["Action"] for b in fields(m)[1:]] == ["delivered"]
    assert fields(m)[1]["Status"] == "2.0.0"
    empty()
    assert not reports("ann", "never")
    assert not reports("ann", "failures only")


def test_smtp():
    s = smtplib.SMTP("127.0.0.1", int(E["CG_SMTP"]), timeout=60)
    s.ehlo("client.example")
    assert s.has_extn("dsn")
    s.mail(f"ann@{DOMAIN}", ["RET=HDRS", "ENVID=QQ314159"])
    code, _ = s.rcpt(f"bob@{DOMAIN}", [
        "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2Bx@orig.example"])
    assert code == 250, code
    code, _ = s.data(text("by smtp"))
    assert code == 250, code
    s.quit()
    blocks = fields(report("ann", "by smtp"))
    assert blocks[0]["Original-Envelope-Id"] == "QQ314159"
    assert blocks[1]["Original-Recipient"] == "rfc822;Bob+x@orig.example"
    assert blocks[1]["Action"] == "delivered"


def test_none():
    """No report to nobody, none about a report, and no loop."""
    before = len(mail("ann"))
    submit(text("null"), "-f", "", f"nobody@{DOMAIN}")
    submit(text("unreachable"), "-f", f"gone@{DOMAIN}", f"nobody@{DOMAIN}")
    wait_for("the reports' end", lambda: log().count(
        "no report: the return-path is <>") >= 2)
    empty()
    assert len(mail("ann")) == before


def test_copies():
    cli = administrator()
    cli.ask(f'UpdateModule Queue {{CopyReports="post@{DOMAIN}";'
            'OnFailureReturn="always body";}')
    submit(text("copied"), "-f", f"ann@{DOMAIN}", f"nobody@{DOMAIN}")
    m = report("ann", "copied")
    assert "the body" in m.get_payload()[2].as_string()
    report("post", "copied")
    submit(text("of nobody"), "-f", "", f"nobody@{DOMAIN}")
    report("post", "of nobody")
    # A copy that cannot be delivered is reported to nobody.
    cli.ask(f'UpdateModule Queue {{CopyReports="gone@{DOMAIN}";}}')
    submit(text("lost copy"), "-f", "", f"nobody@{DOMAIN}")
    wait_for("the lost copy's failure", lambda: f"gone@{DOMAIN} failed" in
             log())
    empty()
    cli.close()


def test_crash():
    """Killed at any moment: each file is taken in once, reported once."""
    rng = random.Random(3)
    for i in range(20):
        for j in range(3):
            submit(text(f"crash {i}.{j}."), "-f", f"post@{DOMAIN}",
                   f"nobody@{DOMAIN}", f"bob@{DOMAIN}")
        time.sleep(rng.random() * 0.03)     # the moment is the test
        for pid in processes("queued"):
            kill(pid)
    wait_for("the queue's end", lambda: not list(
        (BASE / "Submitted").glob("*.sub")))
    empty()
    boxes = {a: [m.as_bytes() for m in mail(a)] for a in ("post", "bob")}
    for i in range(20):
        for j in range(3):
            for account, box in boxes.items():
                n = sum(f"Subject: crash {i}.{j}.".encode() in m for m in box)
                assert n == 1, f"crash {i}.{j}. is {n} times with {account}"


def test_delayed():
    cli = administrator()
    cli.ask("UpdateModule Queue {SendWarningsAfter=1s;RetryEvery=1s;}")
    submit(text("slow"), "-f", f"ann@{DOMAIN}", "nobody@far.example")
    m = report("ann", "slow")
    f = fields(m)[1]
    assert f["Action"] == "delayed" and f["Status"] == "4.4.7", f.as_string()
    assert f["Will-Retry-Until"], f.as_string()
    assert m["Subject"] == "Your message is delayed", m["Subject"]
    cli.ask("UpdateModule Queue {KeepTrying=1s;}")
    wait_for("the end", lambda: len(reports("ann", "slow")) == 2)
    last = [fields(r)[1] for r in reports("ann", "slow")][1]
    assert last["Action"] == "failed" and last["Status"] == "5.4.7", \
        last.as_string()
    cli.close()


def main():
    cli = administrator()
    for name in ("ann", "bob", "post"):
        cli.ask(f"CreateAccount {name} {{Password=abc12345;}}")
    cli.ask("UpdateModule Queue {ReportDelay=1m;}")
    cli.close()
    test_form()
    test_return()
    test_notify()
    test_smtp()
    test_none()
    test_copies()
    test_crash()
    test_delayed()


main()
