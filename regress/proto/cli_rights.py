#!/usr/bin/env python3
"""Each command with each kind of caller: who may, does; who may not is told
so, and nothing is changed.  The rights are the manual's (16, 04b)."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli, wait_for  # noqa: E402

MAIN = os.environ["CG_DOMAIN"]
D, OTHER = "one.example", "two.example"
PASSWORD = "S3cret-of-%s"
BASE = pathlib.Path(os.environ["CG_BASE"])

ALL_DOMAIN_RIGHTS = (
    "CanCreateAccounts,CanCreateSpecialAccounts,CanCreateGroups,"
    "CanCreateForwarders,CanCreateLists,CanAccessLists,CanCreateAliases,"
    "CanPostAlerts,CanModifySkins,CanModifyRules,CanModifyRPOP,"
    "CanAccessMailboxes,CanAccessWebSites,BasicSettings,WebUserSettings,"
    "MailToUnknown")

# Who they are, and what they were granted.
CALLERS = {
    "master": (f"master@{MAIN}", "Master"),
    "users": (f"users@{MAIN}", "Users"),
    "settings": (f"settings@{MAIN}", "Settings"),
    "monitors": (f"monitors@{MAIN}", "Monitors"),
    "reader": (f"reader@{MAIN}", "DomainsRead"),
    "full": (f"full@{D}", ALL_DOMAIN_RIGHTS),    # of this domain, all rights
    "bare": (f"bare@{D}", "RelayAddress"),       # of this domain, one of them
    "stranger": (f"stranger@{OTHER}", ALL_DOMAIN_RIGHTS),
    "self": (f"ann@{D}", ""),
    "neighbour": (f"ben@{D}", ""),
    "nobody": None,                              # has not logged in
}

EVERYBODY = set(CALLERS) - {"nobody"}
USERS = {"master", "users"}
SETTINGS = {"master", "settings"}
MONITORS = {"master", "monitors"}
READERS = USERS | {"reader", "full", "bare"}     # of this domain
FULL = USERS | {"full"}                          # who has the named right
ADMINS = USERS | {"full", "bare"}
MASTER = {"master"}
ANN = f"ann@{D}"

# A line, who may; {c} is the caller's, so that each has his own objects.
# What stands before it is said by the master for each caller.
TABLE = [
    # Accounts
    (f"ListAccounts {D}", READERS),
    (f"CreateAccount new-{{c}}@{D}", FULL),
    (f"RenameAccount ren-{{c}}@{D} into to-{{c}}@{D}", FULL,
     f"CreateAccount ren-{{c}}@{D}"),
    (f'ImportAccounts {D} DATA "Name\\eim-{{c}}"', FULL),
    (f"DeleteAccount del-{{c}}@{D}", FULL, f"CreateAccount del-{{c}}@{D}"),
    (f"GetAccountSettings {ANN}", READERS | {"self"}),
    (f"GetAccount {ANN}", READERS | {"self"}),
    (f"GetAccountEffectiveSettings {ANN}", READERS | {"self"}),
    (f"UpdateAccountSettings {ANN} {{{{}}}}", ADMINS),
    (f"SetAccountSettings set@{D} {{{{RealName=x;}}}}", USERS),
    (f"SetAccountPassword pw@{D} To {PASSWORD % 'pw'}", FULL),
    (f"VerifyAccountPassword pw@{D} PASSWORD {PASSWORD % 'pw'}", ADMINS),
    (f"GetAccountAliases {ANN}", READERS),
    (f"SetAccountAliases {ANN} (ann-x)", FULL),
    (f"GetAccountRights {ANN}", READERS),
    (f"SetAccountRights pw@{D} (BasicSettings)", USERS),
    (f"SetAccountRights pw@{MAIN} (Monitors)", MASTER),
    (f"SetAccountRights pw@{D} ()", USERS),
    (f"GetAccountInfo {ANN} Key LastLogin", READERS | {"self"}),
    (f"GetAccountStat {ANN}", READERS | {"self"}),
    (f"ResetAccountStat {ANN}", FULL),
    (f"GetAccountLocation {ANN}", READERS),
    (f"KillAccountSessions pw@{D}", FULL),
    (f"ClearAccountCache pw@{D}", FULL),
    (f"ListUnreadablePasswords {D}", FULL),
    # Groups and forwarders
    (f"ListGroups {D}", READERS),
    (f"CreateGroup g-{{c}}@{D} {{{{}}}}", FULL),
    (f"RenameGroup rg-{{c}}@{D} into tg-{{c}}@{D}", FULL,
     f"CreateGroup rg-{{c}}@{D} {{{{}}}}"),
    (f"GetGroup gg@{D}", READERS),
    (f"SetGroup gg@{D} {{{{}}}}", FULL),
    (f"DeleteGroup dg-{{c}}@{D}", FULL,
     f"CreateGroup dg-{{c}}@{D} {{{{}}}}"),
    (f"ListForwarders {D}", READERS),
    (f"CreateForwarder f-{{c}}@{D} TO a@far.example", FULL),
    (f"GetForwarder ff@{D}", READERS),
    (f"RenameForwarder rf-{{c}}@{D} INTO tf-{{c}}@{D}", FULL,
     f"CreateForwarder rf-{{c}}@{D} TO a@far.example"),
    (f"FindForwarders {D} TO a@far.example", READERS),
    (f"DeleteForwarder df-{{c}}@{D}", FULL,
     f"CreateForwarder df-{{c}}@{D} TO a@far.example"),
    # Domains
    ("ListDomains", USERS | {"reader"}),
    (f"ListAdminDomains {D}", READERS),
    ("MainDomainName", USERS | {"reader"}),
    (f"GetDomainSettings {D}", READERS),
    (f"GetDomainEffectiveSettings {D}", READERS),
    (f"UpdateDomainSettings {D} {{{{}}}}", ADMINS),
    (f"SetDomainSettings {D} {{{{}}}}", USERS),
    (f"GetAccountDefaults {D}", READERS),
    (f"UpdateAccountDefaults {D} {{{{}}}}", ADMINS),
    (f"SetAccountDefaults {D} {{{{}}}}", USERS),
    (f"GetAccountTemplate {D}", READERS),
    (f"UpdateAccountTemplate {D} {{{{}}}}", ADMINS),
    (f"SetAccountTemplate {D} {{{{}}}}", USERS),
    (f"GetDomainAliases {D}", READERS),
    (f"SetDomainAliases {D} ()", USERS),
    (f"GetDomainStat {D}", READERS),
    (f"ResetDomainStat {D}", FULL),
    ("GetDomainDefaults", USERS | {"reader"}),
    ("UpdateDomainDefaults {{}}", USERS),
    ("SetDomainDefaults {{}}", USERS),
    ("GetAllAccountsDefaults", USERS | {"reader"}),
    ("UpdateAllAccountsDefaults {{}}", USERS),
    ("SetAllAccountsDefaults {{}}", USERS),
    ("GetServerAccountDefaults", USERS | {"reader"}),
    ("UpdateServerAccountDefaults {{}}", USERS),
    ("SetServerAccountDefaults {{}}", USERS),
    ("CreateDomain c-{c}.example", USERS),
    ("RenameDomain rd-{c}.example into td-{c}.example", USERS,
     "CreateDomain rd-{c}.example"),
    ("DeleteDomain dd-{c}.example", USERS, "CreateDomain dd-{c}.example"),
    # Alerts
    (f"GetDomainAlerts {D}", FULL),
    (f"SetDomainAlerts {D} {{{{}}}}", FULL),
    (f"PostDomainAlert {D} ALERT hello", FULL),
    (f"RemoveDomainAlert {D} ALERT 20200101", FULL),
    (f"GetAccountAlerts {ANN}", FULL | {"self"}),
    (f"SetAccountAlerts {ANN} {{{{}}}}", FULL),
    (f"PostAccountAlert {ANN} ALERT hello", FULL),
    (f"RemoveAccountAlert {ANN} ALERT 20200101", FULL),
    ("GetServerAlerts", USERS),
    ("SetServerAlerts {{}}", USERS),
    ("PostServerAlert hello", USERS),
    ("RemoveServerAlert 20200101", USERS),
    # Mailboxes
    (f"ListMailboxes {ANN}", FULL | {"self"}),
    (f"CreateMailbox {ANN} MAILBOX m-{{c}}", FULL | {"self"}),
    (f"GetMailboxInfo {ANN} MAILBOX INBOX", FULL | {"self"}),
    (f"GetMailboxACL {ANN} MAILBOX INBOX", FULL | {"self"}),
    (f"SetMailboxACL {ANN} MAILBOX INBOX {{{{ben=lr;}}}}", FULL | {"self"}),
    (f"GetMailboxRights {ANN} MAILBOX INBOX AUTH ben@{D}", FULL | {"self"}),
    (f"RenameMailbox {ANN} MAILBOX r-{{c}} INTO t-{{c}}", FULL | {"self"},
     f"CreateMailbox {ANN} MAILBOX r-{{c}}"),
    (f"DeleteMailbox {ANN} MAILBOX d-{{c}}", FULL | {"self"},
     f"CreateMailbox {ANN} MAILBOX d-{{c}}"),
    (f"SetMailboxClass {ANN} MAILBOX INBOX CLASS IPF.Note",
     FULL | {"self"}),
    (f"GetAccountSubscription {ANN}", FULL | {"self"}),
    (f"SetAccountSubscription {ANN} (INBOX)", FULL | {"self"}),
    (f"GetMailboxAliases {ANN}", FULL | {"self"}),
    (f"SetMailboxAliases {ANN} {{{{}}}}", FULL | {"self"}),
    # Web sites
    (f"PutWebFile {ANN} FILE a.html DATA YQ==", FULL | {"self"}),
    (f"GetWebFile {ANN} FILE w.html", FULL | {"self"},
     f"PutWebFile {ANN} FILE w.html DATA YQ=="),
    (f"ListWebFiles {ANN}", FULL | {"self"}),
    (f"GetWebFilesInfo {ANN}", FULL | {"self"}),
    (f"RenameWebFile {ANN} FILE r-{{c}} INTO t-{{c}}", FULL | {"self"},
     f"PutWebFile {ANN} FILE r-{{c}} DATA YQ=="),
    (f"DeleteWebFile {ANN} FILE d-{{c}}", FULL | {"self"},
     f"PutWebFile {ANN} FILE d-{{c}} DATA YQ=="),
    # The server
    ("GetModule SMTP", SETTINGS),
    ("UpdateModule SMTP {{}}", SETTINGS),
    ("SetModule SMTP {{}}", SETTINGS),
    ("GetBlacklistedIPs", SETTINGS),
    ("GetClientIPs", SETTINGS),
    ("GetWhiteHoleIPs", SETTINGS),
    ("GetProtection", SETTINGS),
    ('SetBlacklistedIPs ""', SETTINGS),
    ('SetClientIPs ""', SETTINGS),
    ('SetWhiteHoleIPs ""', SETTINGS),
    ("SetProtection {{}}", SETTINGS),
    ("GetBanned", SETTINGS),
    ("SetBanned {{}}", SETTINGS),
    ("GetTempBlacklistedIPs", SETTINGS),
    ("TempBlacklistIP 192.0.2.1", SETTINGS),
    ("GetTempClientIPs", SETTINGS),
    ("GetRouterTable", SETTINGS),
    ('SetRouterTable ""', SETTINGS),
    ("GetRouterSettings", SETTINGS),
    ("SetRouterSettings {{}}", SETTINGS),
    ("UpdateRouterSettings {{}}", SETTINGS),
    ("GetBanned", SETTINGS),
    ("SetBanned {{}}", SETTINGS),
    ("GetTempBlacklistedIPs", SETTINGS),
    ("GetTempClientIPs", SETTINGS),
    ("TempBlacklistIP 192.0.2.1 TIMEOUT 1", SETTINGS),
    ("GetQueueSettings", SETTINGS),
    ("SetQueueSettings {{}}", SETTINGS),
    ("GetLogSettings", SETTINGS),
    ("UpdateLogSettings {{}}", SETTINGS),
    (f"Route {ANN}", SETTINGS | USERS),
    ("RefreshOSData", SETTINGS),
    ("ListQueues", MONITORS),
    ("ListQueueMessages", MONITORS),
    ("GetQueueStatus", MONITORS),
    ("ReleaseSMTPQueue far.example", MONITORS),
    ("ReleaseQueue", SETTINGS),
    ("RejectQueueMessage 999999", SETTINGS),
    ("GetQueueMessage 999999", MONITORS),
    ("ReleaseQueueMessage 999999", SETTINGS),
    ("DelayQueueMessage 999999 1h", SETTINGS),
    ("DelayQueue far.example 1h", SETTINGS),
    ("RejectQueue far.example", SETTINGS),
    ("MoveQueue far.example TO near.example", SETTINGS),
    ("SendWakeup", SETTINGS),
    ("WriteLog 5 here", MONITORS),
    ("Status", MONITORS),
    ("Trace logd STOP", MASTER),
    ("Shutdown", MONITORS),
    # For everybody
    ("Noop", set(CALLERS)),
    ("Echo x", EVERYBODY),
    ("GetVersion", EVERYBODY),
    ("GetSystemInfo serverOS", EVERYBODY),
    ("GetCurrentTime", EVERYBODY),
    ("ListCLICommands", EVERYBODY),
    ("ListModules", EVERYBODY),
]

# A reason other than rights, for those who may.
NO_SUCH = ("there is no such queue", "there is no such message",
           "there is no such alert", "the setting SendWakeupsTo is empty")
NO_RIGHT = ("right", "permitted", "log in first", "only", "may not")
# Asked of those who may not: else it would be done.
NOT_DONE = {"Shutdown"}
# They are the protocol's, for everybody: pwd.py.
ELSEWHERE = {"Quit", "Help", "Inline", "NewPass"}


def session(name):
    if CALLERS[name] is None:
        return Nobody(os.environ["CG_PWD"])
    cli = Cli(os.environ["CG_PWD"], CALLERS[name][0], PASSWORD % name)
    cli.ask("INLINE")
    return cli


class Nobody(Cli):
    """Is greeted, and says nothing of himself."""

    def __init__(self, port):
        import socket
        self.s = socket.create_connection(("127.0.0.1", int(port)), 60)
        self.f = self.s.makefile("rwb")
        self.line()


def prepare(admin):
    admin.ask(f"CreateDomain {D}")
    admin.ask(f"CreateDomain {OTHER}")
    for name, who in CALLERS.items():
        if who is None:
            continue
        admin.ask(f"CreateAccount {who[0]} "
                  f'{{Password="{PASSWORD % name}";}}')
        if who[1]:
            admin.ask(f"SetAccountRights {who[0]} ({who[1]})")
    for d in (D, MAIN):
        admin.ask(f'CreateAccount pw@{d} {{Password="{PASSWORD % "pw"}";}}')
    admin.ask(f"CreateAccount set@{D}")
    admin.send(f"CreateGroup gg@{D}")
    admin.send(f"CreateForwarder ff@{D} TO a@far.example")


def judge(line, answer, may):
    ok = answer[:1] == "2" or answer[4:] in NO_SUCH
    if may and not ok:
        return f"{line}: {answer!r}, though he may"
    if not may and ok:
        return f"{line}: {answer!r}, though he may not"
    if not may and not any(w in answer for w in NO_RIGHT):
        return f"{line}: {answer!r} does not say that it is a right"
    return None


# What a command, refused or not, leaves to be written when there is time.
LATE = {"DomainStat.data", "Index.data", "account.sizes"}


def contents():
    """What is stored, as far as a command could change it: which files there
    are and which versions; of account.info what is not noted by itself."""
    found = {}
    for top in ("Settings", "Accounts", "Domains"):
        for where, dirs, files in os.walk(BASE / top):
            # What goes or comes by itself, a while later.
            dirs[:] = [d for d in dirs if ".gone" not in d]
            for name in {*dirs, *files} - LATE:
                p = pathlib.Path(where, name)
                found[p] = "" if name in dirs else look(p)
    return found


def look(p):
    try:
        if p.name == "account.info":
            text = p.read_text(errors="replace")
            return [line for line in text.splitlines() if "#" not in line]
        s = p.lstat()
        return s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns
    except FileNotFoundError:
        return None


def walk(admin, name):
    cli = session(name)
    wrong, errors = [], 0
    for row in TABLE:
        line, allowed = row[0].format(c=name), row[1]
        for ahead in row[2:]:
            admin.ask(ahead.format(c=name))
        if name in allowed and line.split()[0] in NOT_DONE:
            continue
        before = contents() if name not in allowed else None
        answer = cli.send(line)
        text = judge(line, answer, name in allowed)
        if text:
            wrong.append(f"{name}: {text}")
        after = contents() if name not in allowed else None
        if after != before:
            changed = [str(p) for p in {**before, **after}
                       if before.get(p) != after.get(p)]
            wrong.append(f"{name}: {line}: refused, and yet changes "
                         f"{changed}")
        errors += answer[:1] != "2"
        if errors > 15:                 # too many end a session
            cli.close()
            cli, errors = session(name), 0
    cli.close()
    return wrong


def unknown_accounts():
    """Who has no rights there cannot find out which accounts there are."""
    for name in ("neighbour", "stranger"):
        cli = session(name)
        for verb in ("GetAccountSettings", "ListMailboxes", "GetWebFilesInfo",
                     "GetAccountAliases", "GetAccountLocation"):
            there = cli.send(f"{verb} {ANN}")
            absent = cli.send(f"{verb} absent@{D}")
            assert there == absent, f"{name}: {verb}: {there} / {absent}"
        cli.close()


def complete(admin):
    """Every command that is available is in the table."""
    names = admin.ask("ListCLICommands")[5:-1].split(",")
    assert len(names) > 140, names
    asked = {row[0].split()[0] for row in TABLE} | ELSEWHERE
    return sorted(set(names) - asked)


def errors_tell_nothing():
    """What is wrong with a line is said without its words."""
    word = PASSWORD % "pw"
    cli = session("master")
    for line in (f'SetAccountPassword pw@{D} TO {word} and more',
                 f'SetAccountPassword nobody@{D} TO {word}',
                 f'SetAccountPassword pw@{D} TO {word} METHOD SIP',
                 f'CreateAccount x@{D} {{Password={word}',
                 f'CreateAccount x@{D} {{Password={word};}} {{}}',
                 f'CreateAccount pw@{D} {{Password={word};}}',
                 f'CreateAccount x@{D} {{Password=({word});}}',
                 f'UpdateAccountSettings pw@{D} {{Password={{a={word};}};}}',
                 f'VerifyAccountPassword pw@{D} PASSWORD {word}x',
                 f'SetAccountPasword pw@{D} TO {word}',
                 f'PASS {word}', f'{word}'):
        got = cli.send(line)
        assert got[:1] == "5" and word not in got, f"{line}: {got}"
    cli.close()


def secrets():
    """No password in the log, in a command line or in a file that others may
    read."""
    words = [(PASSWORD % name).encode() for name in [*CALLERS, "pw"]]
    words.append(os.environ["CG_ADMIN_PASSWORD"].encode())
    wait_for("the log", lambda: any(
        p.stat().st_size for p in (BASE / "SystemLogs").glob("*.log")))
    for p in (BASE / "SystemLogs").glob("*.log"):
        text = p.read_bytes()
        for w in words:
            assert w not in text, f"{w} is in {p}"
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = p.read_bytes()
        except OSError:
            continue
        for w in words[:-1]:
            assert w not in text, f"{w} is in {text}"
    for p in BASE.rglob("*"):
        if not p.is_file() or p.is_symlink() or p.stat().st_mode & 0o077 == 0:
            continue
        text = p.read_bytes()
        for w in words:
            assert w not in text, f"{p} can be read by others"


admin = Cli(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
            os.environ["CG_ADMIN_PASSWORD"])
admin.ask("INLINE")
for module in ("PWD", "Router", "Queue"):       # log all there is to log
    admin.ask(f"UpdateModule {module} {{LogLevel=5;}}")
empty = contents()
prepare(admin)
assert len(contents()) > len(empty) + 3 * len(CALLERS), "a poor look at it"
unknown_accounts()
found = []
for who in CALLERS:
    found += walk(admin, who)
left = complete(admin)
if left:
    found.append("not in the table: " + ", ".join(left))
errors_tell_nothing()
secrets()
if found:
    sys.exit("\n".join(found))
