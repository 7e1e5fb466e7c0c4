#!/usr/bin/env python3
# suite: own
"""Groups: commands, the five options, members that follow, loops, reports,
many thousands of members, mail to all, and a queue that is killed while it
sends a group's mail on."""
import email
import pathlib
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "tools"))
from cgtest import PASSWORD, Suite, kill, read_mbox, wait_for  # noqa: E402

USERS = ["ann", "bob", "carl", "dora", "eve"]
count = 0


def send(s, to, sender="", headers="", options=(), login=None):
    """A message with a subject of its own, which is returned."""
    global count
    count += 1
    subject = f"message {count}"
    with smtplib.SMTP("127.0.0.1", s.smtp_port()) as c:
        c.ehlo("client.example")
        if login:
            c.login(login, PASSWORD)
        c.mail(sender or "stranger@far.example")
        for rcpt in [to] if isinstance(to, str) else to:
            code, text = c.rcpt(rcpt, options)
            assert code == 250, f"{rcpt}: {code} {text}"
        code, text = c.data(f"Subject: {subject}\r\n{headers}\r\nbody\r\n")
        assert code == 250, text
    return subject


def empty(s):
    wait_for("an empty queue", lambda: not s.queue())


def got(s, subject, users=USERS):
    """Who has it, and how often: "ann bob"."""
    empty(s)
    return " ".join(u for u in users for _, m in s.mail(u)
                    if f"Subject: {subject}\n".encode() in m and
                    b"multipart/report" not in m)


def headers_of(s, user, subject):
    for _, m in s.mail(user):
        if f"Subject: {subject}\n".encode() in m:
            return email.message_from_bytes(m)
    raise AssertionError(f"{user} has no {subject}")


def commands(cli, d):
    cli.ask("CreateGroup sales")
    assert cli.ask("GetGroup sales") == "201 {}"
    cli.ask('SetGroup sales {Members=(ann,bob);RealName="Sales";Expand=NO;}')
    assert cli.ask("GetGroup sales@" + d) == \
        "201 {Expand=NO;Members=(ann,bob);RealName=Sales;}"
    assert cli.ask("ListGroups") == "201 (sales)"
    for line in ["CreateGroup sales", "CreateGroup ann",
                 "CreateAccount sales", "CreateForwarder sales TO ann",
                 "RenameGroup sales INTO ann", "CreateGroup all",
                 "RenameGroup nobody INTO x", "DeleteGroup nobody",
                 "GetGroup ann", "CreateGroup x {Members=ann;}",
                 'CreateGroup x {Members=("two words");}',
                 "CreateGroup x {Expand=maybe;}"]:
        answer = cli.send(line)
        assert answer[:1] == "5", f"{line}: {answer}"
    cli.ask("RenameGroup sales INTO vente")
    assert cli.ask("ListGroups") == "201 (vente)"
    cli.ask("RenameGroup vente INTO sales")


def options(s, cli, d):
    sub = send(s, f"sales@{d}")
    assert got(s, sub) == "ann bob", sub
    # The sender never gets his own, under no name that he has.
    cli.ask("SetAccountAliases ann (anna)")
    for sender in f"ann@{d}", f"Anna@{d.upper()}", f"ann+list@{d}":
        assert got(s, send(s, f"sales@{d}", sender)) == "bob", sender
    cli.ask("SetGroup sales {Members=(ann,bob,carl);SetReplyTo=YES;"
            'RealName="Sales \\"team\\"";}')
    sub = send(s, f"sales@{d}", headers="X-One: 1\r\nReply-To: x@far.example"
               "\r\nX-Two: 2\r\n")
    assert got(s, sub) == "ann bob carl"
    m = headers_of(s, "ann", sub)
    assert m.get_all("Reply-To") == [f'"Sales \\"team\\"" <sales@{d}>'], \
        m.get_all("Reply-To")
    assert m["X-One"] == "1" and m["X-Two"] == "2"
    cli.ask("SetGroup sales {Members=(ann,bob,carl);RemoveAuthor=YES;}")
    sub = send(s, f"sales@{d}", headers=f"From: Bob <bob@{d}>\r\n"
               f"To: carl@{d}\r\n")
    assert got(s, sub) == "ann carl"
    cli.ask("SetGroup sales {Members=(ann,bob,carl);RemoveToAndCc=YES;}")
    sub = send(s, f"sales@{d}", headers=f"From: Bob <bob@{d}>\r\n"
               f"To: sales@{d}, Anna <anna@{d}>\r\nCc: (c) CARL@{d}\r\n")
    assert got(s, sub) == "bob"
    # All taken out: an ordinary delivery all the same.
    cli.ask("SetGroup sales {Members=(ann);}")
    assert got(s, send(s, f"sales@{d}", f"ann@{d}")) == ""
    assert not any(b"multipart/report" in m for _, m in s.mail("ann"))
    # No member ever: the sender hears of it.
    cli.ask("SetGroup sales {}")
    send(s, f"sales@{d}", f"eve@{d}")
    wait_for("a report", lambda: any(b"no members" in m
                                     for _, m in s.mail("eve")))


def nested(s, cli, d):
    cli.ask("CreateGroup a {Members=(ann,b,bob);Expand=YES;}")
    cli.ask(f"CreateGroup b {{Members=(bob,c,carl@{d},a);Expand=YES;}}")
    cli.ask("CreateGroup c {Members=(dora,ann,a,b);}")
    assert got(s, send(s, f"a@{d}")) == "ann bob carl dora"
    # Without the option each group sends its own; loops end all the same.
    for g, members in ("a", "ann,b"), ("b", "ann,c"), ("c", "a,b,dora"):
        cli.ask(f"SetGroup {g} {{Members=({members});}}")
    assert got(s, send(s, f"a@{d}")) == "ann ann dora"
    # A forwarder does not hide who it is, nor a loop.
    cli.ask("CreateForwarder fa TO a")
    cli.ask("CreateForwarder fann TO ann")
    cli.ask("SetGroup a {Members=(fa,fann,bob,ann);Expand=YES;}")
    assert got(s, send(s, f"a@{d}")) == "ann bob"
    assert got(s, send(s, f"a@{d}", f"ann@{d}")) == "bob"


def follow(cli, d):
    cli.ask("CreateAccount fred")
    cli.ask(f"CreateGroup f {{Members=(FRED,fred@{d},ann,sales,fann,fr);}}")
    cli.ask("SetAccountAliases fred (fr)")
    cli.ask("RenameAccount fred INTO frank")
    assert cli.ask("GetGroup f") == \
        "201 {Members=(frank,frank,ann,sales,fann,fr);}"
    assert cli.ask("GetAccountAliases frank") == "201 (fr)"
    assert cli.ask("Route fr") == '201 (LOCAL,frank,"")'
    cli.ask("RenameGroup sales INTO vente")
    cli.ask("DeleteForwarder fann")
    assert cli.ask("GetGroup f") == "201 {Members=(frank,frank,ann,vente,fr);}"
    cli.ask("DeleteAccount frank")
    cli.ask("DeleteGroup vente")
    assert cli.ask("GetGroup f") == "201 {Members=(ann);}"
    assert cli.send("Route fr") == "501 unknown user account"


def follow_crash(s, cli):
    """The Router or authd dies while an account is renamed: whatever its
    name is then, its alias and the group have it."""
    cli.ask("CreateAccount here")
    cli.ask("SetAccountAliases here (always)")
    cli.ask("CreateGroup fc {Members=(here);}")
    name, other = "here", "there"
    for i in range(12):
        victim = ("routerd", "authd")[i % 2]
        pid = next(p for p, n in s.children().items() if n == victim)
        t = threading.Timer(0.0015 * (i // 2), kill, (pid, signal.SIGKILL))
        t.start()
        answer = cli.send(f"RenameAccount {name} INTO {other}")
        t.join()
        wait_for(f"{victim} to come back", lambda: pid not in s.children() and
                 any(n == victim for n in s.children().values()))
        cli = wait_for("a login", lambda: again(s))
        have = wait_for("one name", lambda: sum(
            a := [cli.send(f"Route {n}")[:1] == "2"
                  for n in (name, other)]) == 1 and a)
        assert have[1] or answer[:1] != "2", answer
        if have[1]:
            name, other = other, name
        wait_for("the alias", lambda: cli.send("Route always") ==
                 f'201 (LOCAL,{name},"")')
        wait_for("the member", lambda: cli.send("GetGroup fc") ==
                 f"201 {{Members=({name});}}")
    cli.ask(f"DeleteAccount {name}")
    cli.ask("DeleteGroup fc")
    return cli


def again(s):
    """A session of the command language, if there can be one now."""
    try:
        cli = s.cli()
        return cli if cli.send("INLINE")[:1] == "2" else None
    except (AssertionError, OSError):
        return None


def reports_to(s, user, subject):
    """Texts of the reports that this user got about a message."""
    empty(s)
    return [m.decode() for _, m in s.mail(user)
            if b"multipart/report" in m and subject.encode() in m]


def reports(s, cli, d):
    """NOTIFY is the members' where the group relays, the group's else."""
    cli.ask("SetGroup a {Members=(bob,gone);}")
    sub = send(s, f"a@{d}", f"eve@{d}", options=["NOTIFY=SUCCESS,FAILURE"])
    text = wait_for("both reports", lambda: "Action: failed" in (
        t := "".join(reports_to(s, "eve", sub))) and
        "Action: delivered" in t and t)
    for who in "bob", "gone":
        assert f"Recipient: rfc822; {who}@{d}" in text.replace(
            "rfc822;" + who, "rfc822; " + who), text
    cli.ask("SetGroup a {Members=(bob,gone);FinalDelivery=YES;}")
    sub = send(s, f"a@{d}", f"eve@{d}", options=["NOTIFY=SUCCESS,FAILURE"])
    texts = wait_for("a report", lambda: reports_to(s, "eve", sub))
    text = "".join(texts)
    assert f"a@{d}" in text and "gone" not in text, text
    assert "Action: failed" not in text, text


def to_all(s, cli, d):
    cli.ask("DeleteForwarder fa")
    cli.ask("UpdateDomainSettings {AllWithForwarders=YES;}")
    cli.ask("CreateDomain two.example")
    cli.ask("CreateAccount zoe@two.example {Password=zoe;}")
    cli.ask("UpdateAccountSettings bob {MailToAll=NO;}")
    cli.ask("CreateForwarder aside TO zoe@two.example")
    zoe = pathlib.Path(s.base, "Domains/two.example/zoe.macnt/INBOX.mbox")

    def level(word, domain=""):
        cli.ask(f'UpdateDomainSettings {domain} {{MailToAllAction="{word}";}}')

    def rcpt(to, login=None):
        with smtplib.SMTP("127.0.0.1", s.smtp) as c:
            c.ehlo("client.example")
            if login:
                c.login(login, PASSWORD)
            c.mail(f"{login or 'x'}@{d}")
            return c.rcpt(to)[0]

    assert rcpt(f"all@{d}") == 550
    sub = send(s, f"all@{d}", f"ann@{d}", login="ann")
    assert got(s, sub) == "ann carl dora eve", got(s, sub)
    assert sum(sub.encode() + b"\n" in m for _, m in read_mbox(zoe)) == 1
    level("anybody")
    assert got(s, send(s, f"all@{d}")) == "ann carl dora eve"
    level("Clients")
    assert rcpt(f"all@{d}") == 550
    cli.ask('SetClientIPs "127.0.0.1"')
    wait_for("a client's mail", lambda: rcpt(f"all@{d}") == 250)
    assert got(s, send(s, f"all@{d}")) == "ann carl dora eve"
    cli.ask('SetClientIPs ""')
    wait_for("none of strangers", lambda: rcpt(f"all@{d}") == 550)
    level("Authenticated Administrator")
    sub = send(s, f"all@{d}", f"ann@{d}", login="ann")
    assert got(s, sub) == ""
    wait_for("a report", lambda: any(
        b"may not send mail to all" in m for _, m in s.mail("ann")))
    cli.ask("SetAccountRights ann (Master)")
    sub = send(s, f"all@{d}", f"ann@{d}", login="ann")
    assert got(s, sub) == "ann carl dora eve"
    # All domains: each by its own rule.
    level("Authenticated Users")
    level("nobody", "two.example")
    sub = send(s, f"alldomains@{d}", f"carl@{d}", login="carl")
    assert got(s, sub) == "ann carl dora eve"
    # (its forwarder's letter is one of the Main Domain's)
    assert sum(sub.encode() + b"\n" in m for _, m in read_mbox(zoe)) == 1
    cli.ask("DeleteForwarder aside")
    level("Authenticated Users", "two.example")
    sub = send(s, f"alldomains@{d}", f"carl@{d}", login="carl")
    assert got(s, sub) == "ann carl dora eve"
    assert sum(sub.encode() + b"\n" in m for _, m in read_mbox(zoe)) == 1
    level("nobody")
    assert rcpt(f"all@{d}", "ann") == 550
    cli.ask("CreateForwarder all TO eve")
    assert got(s, send(s, f"all@{d}")) == "eve"
    assert rcpt(f"alldomains@{d}", "ann") == 550
    cli.ask("DeleteForwarder all")
    cli.ask("DeleteDomain two.example FORCE")


def many(s, cli, d):
    """More members than one message takes recipients; each gets one."""
    n = 60000
    members = ",".join(f'"bob+x{i}"' if i % 10000 == 0 else
                       f'"n@zz{i}"' for i in range(n))
    cli.ask("SetRouterTable \"zz* = null\\e\"")
    start = time.monotonic()
    cli.ask(f"CreateGroup many {{Members=({members});}}")
    sub = send(s, f"many@{d}")
    wait_for("the copies", lambda: s.log().count(
        f"many: sent on in [") >= 2, 300)
    wait_for("an empty queue", lambda: not s.queue(), 90)
    # bob is one recipient, whatever his detail.
    assert got(s, sub) == "bob", got(s, sub)
    print(f"{n} members: {time.monotonic() - start:.1f} s")
    # queued dies while it writes the copies: none leaves before all are
    # there, and then each once.
    for i in range(5):
        sub = send(s, f"many@{d}")
        time.sleep(0.02 + 0.03 * i)
        pid = next(p for p, name in s.children().items()
                   if name.startswith("queued"))
        kill(pid)
        wait_for("queued to come back", lambda: any(
            name.startswith("queued") and p != pid
            for p, name in s.children().items()))
        wait_for("an empty queue", lambda: not s.queue(), 90)
        assert got(s, sub) == "bob", f"{i}: {got(s, sub)!r}"
    cli.ask("DeleteGroup many")


def killed(s, cli, d):
    """queued dies at any moment of it: each member gets one, none twice."""
    cli.ask("CreateGroup k {Members=(ann,bob,carl,dora);}")
    cli.ask("CreateGroup k2 {Members=(ann,eve,k);Expand=NO;}")
    subs = []
    for i in range(8):
        subs += [send(s, [f"k2@{d}", f"k@{d}"]) for _ in range(3)]
        time.sleep(0.003 * i)           # at another moment each time
        queued = [p for p, name in s.children().items()
                  if name.startswith("queued")]
        kill(queued[0], signal.SIGKILL)
        wait_for("queued to come back", lambda: any(
            name.startswith("queued") and p not in queued
            for p, name in s.children().items()))
    for sub in subs:
        wait_for(f"{sub}", lambda: got(s, sub) ==
                 "ann ann ann bob bob carl carl dora dora eve", 120)


def restarted(s, cli, d):
    """routerd finds all of it on the disk."""
    cli.ask("CreateGroup last {Members=(ann);RealName=\"Ü\";}")
    want = [cli.ask(c) for c in ("ListGroups", "GetGroup last",
                                 "ListForwarders", "GetAccountAliases ann")]
    kill(next(p for p, n in s.children().items() if n.startswith("routerd")),
         signal.SIGKILL)
    wait_for("routerd to come back", lambda: cli.send("ListGroups")[:1] == "2")
    assert [cli.ask(c) for c in (
        "ListGroups", "GetGroup last", "ListForwarders",
        "GetAccountAliases ann")] == want


def damaged(s, cli):
    """Nothing takes the place of a group that could not be read."""
    cli.ask("CreateDomain torn.example")
    for name in "a", "b":
        cli.ask(f"CreateGroup {name}@torn.example {{Members=(ann);}}")
    cli.ask("CreateForwarder f@torn.example TO ann")
    cli.ask("CreateAccount x@torn.example")
    file = pathlib.Path(s.base, "Domains/torn.example/Settings/Groups",
                        "b.settings")
    file.write_text("{Members=(a")
    kill(next(p for p, n in s.children().items() if n == "routerd"))
    wait_for("routerd to come back", lambda: cli.send("ListGroups")[:1] == "2")
    for line in ("RenameGroup a@torn.example INTO b@torn.example",
                 "CreateGroup b@torn.example",
                 "CreateAccount b@torn.example",
                 "CreateForwarder b@torn.example TO ann",
                 "RenameForwarder f@torn.example INTO b@torn.example",
                 "RenameAccount x@torn.example INTO b@torn.example",
                 "SetAccountAliases x@torn.example (b)"):
        answer = cli.send(line)
        assert answer[:1] == "5", f"{line}: {answer}"
        assert file.read_text() == "{Members=(a", line
        cli.ask("Echo x")               # errors in a row end a session
    file.unlink()
    cli.ask("RenameGroup a@torn.example INTO b@torn.example")
    cli.ask("DeleteDomain torn.example FORCE")


class Mailer(threading.Thread):
    """Sends numbered messages to a group until it is refused for good."""

    def __init__(self, s, to, sender):
        super().__init__(daemon=True)
        self.s, self.to, self.sender = s, to, sender
        self.taken, self.refused = set(), 0
        self.start()

    def run(self):
        with smtplib.SMTP("127.0.0.1", self.s.smtp_port()) as c:
            n = 0
            while self.refused < 3:
                n += 1
                try:
                    c.sendmail(self.sender, [self.to],
                               f"Subject: in use {n};\r\n\r\n{n}\r\n")
                    self.taken.add(n)
                except smtplib.SMTPRecipientsRefused as e:
                    code = list(e.recipients.values())[0][0]
                    assert code == 550, e
                    self.refused += 1
                    c.rset()


def numbers(s, user, reports=False):
    """Of the messages to the group that he has, or that came back to him."""
    found = []
    for _, m in s.mail(user):
        if (b"multipart/report" in m) == reports:
            found += [int(t.split(b";")[0]) for t in
                      m.split(b"Subject: in use ")[1:]]
    assert len(found) == len(set(found)), f"{user} has one twice"
    return set(found)


def in_use(s, cli, d):
    """A group, and a member of it, is renamed and removed while mail comes:
    what was taken is with each member, or back with its sender."""
    cli.ask("CreateGroup u {Members=(bob,carl);}")
    m = Mailer(s, f"u@{d}", f"eve@{d}")
    wait_for("mail", lambda: len(m.taken) > 30)
    cli.ask("RenameAccount carl INTO karl")
    assert cli.ask("GetGroup u") == "201 {Members=(bob,karl);}"
    done = len(m.taken)
    wait_for("more mail", lambda: len(m.taken) > done + 30)
    cli.ask("RenameGroup u INTO v")
    m.join(60)
    assert m.refused == 3
    empty(s)
    back = numbers(s, "eve", reports=True)
    for user in "bob", "karl":
        assert numbers(s, user) | back == m.taken, user
    last = Mailer(s, f"v@{d}", f"eve@{d}")
    wait_for("mail", lambda: len(last.taken) > 30)
    cli.ask("DeleteGroup v")
    last.join(60)
    empty(s)
    cli.ask("RenameAccount karl INTO carl")


def main():
    with Suite(accounts=USERS, conf="settings Queue { ReportDelay = 0; }\n"
               ) as s:
        cli = s.cli()
        cli.ask("INLINE")
        d = s.domain
        commands(cli, d)
        options(s, cli, d)
        nested(s, cli, d)
        follow(cli, d)
        cli = follow_crash(s, cli)
        reports(s, cli, d)
        to_all(s, cli, d)
        restarted(s, cli, d)
        damaged(s, cli)
        in_use(s, cli, d)
        killed(s, cli, d)
        many(s, cli, d)
        cli.close()
    return 0


sys.exit(main())
