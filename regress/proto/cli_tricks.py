#!/usr/bin/env python3
"""Who has some rights does not get others by another way: settings that are
not settings, accounts of those who may more, odd names."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from cgtest import Cli  # noqa: E402
from wire import Wire  # noqa: E402

MAIN = os.environ["CG_DOMAIN"]
D, OTHER = "one.example", "two.example"
PASSWORD = "S3cret"

# Who they are, and what they were granted.
ADMINS = {
    f"basic@{D}": "BasicSettings",
    f"mailer@{D}": "CanAccessMailboxes",
    f"maker@{D}": "BasicSettings,CanCreateAccounts,CanAccessMailboxes",
    f"chief@{D}": "BasicSettings,CanCreateAccounts,CanAdminSubDomains",
    f"reader@{MAIN}": "DomainsRead",
    f"server@{MAIN}": "Settings",
    f"users@{MAIN}": "Users",
}


def cli(name):
    c = Cli(os.environ["CG_PWD"], name, PASSWORD)
    c.ask("INLINE")
    return c


def refused(c, line):
    answer = c.send(line)
    assert answer[:1] == "5" and "right" in answer, f"{line}: {answer}"


def alerts_are_no_settings(admin):
    """Else their texts could be answers of the server, or end it."""
    bad = '{20200101000000="x\\r\\n* BYE gone";20200102000000=(a);}'
    refused(cli(f"basic@{D}"), f"UpdateAccountSettings ann@{D} "
            f"{{Alerts={bad};}}")
    # Who may set all settings is not told so, as scripts give all of them.
    admin.ask(f"UpdateAccountSettings ann@{D} {{Alerts={bad};RealName=Ann;}}")
    admin.ask(f"SetAccountSettings ann@{D} {{Alerts={bad};RealName=Ann;}}")
    admin.ask(f"UpdateAccountTemplate {D} {{Alerts={bad};}}")
    admin.ask(f'CreateAccount new@{D} {{Password={PASSWORD};Alerts={bad};}}')
    for name in ("ann", "new"):
        assert admin.ask(f"GetAccountAlerts {name}@{D}") == "201 {}"
    admin.ask(f"SetAccountTemplate {D} {{}}")


def planted_alerts(admin):
    """What another program has put into the files does no harm, either."""
    path = BASE / "Domains" / D / "old.macnt" / "account.settings"
    text = path.read_text().rstrip()
    assert text.endswith("}"), text
    path.write_text(text[:-1] + 'Alerts={20200101000000="x\\r\\n* BYE gone";'
                    '20200102000000=(a);20200103000000="y\\r* BYE";};}\n')
    admin.ask(f"ClearAccountCache old@{D}")
    w = Wire("CG_IMAP")
    w.line()
    w.send(f"a LOGIN old@{D} {PASSWORD}\r\n")
    alerts = []
    while (line := w.line())[:2] != "a ":
        alerts.append(line)
    assert line[:4] == "a OK", line
    assert alerts == ["* OK [ALERT] x  * BYE gone", "* OK [ALERT] y * BYE"], \
        alerts
    w.close()


def rules_are_not_basic():
    c = cli(f"basic@{D}")
    for name in ("Rules", "SignalRules", "RPOP"):
        refused(c, f"UpdateAccountSettings ann@{D} {{{name}=();}}")
    c.ask(f"UpdateAccountSettings ann@{D} {{City=Bonn;}}")


def those_who_may_more(admin):
    """Nobody gets the rights of a fellow administrator by being him."""
    for name in ("basic", "maker"):
        c = cli(f"{name}@{D}")
        refused(c, f"SetAccountPassword chief@{D} TO other")
        refused(c, f"UpdateAccountSettings chief@{D} {{Password=other;}}")
        refused(c, f"VerifyAccountPassword chief@{D} PASSWORD other")
        c.close()
    c = cli(f"maker@{D}")
    refused(c, f"DeleteAccount chief@{D}")
    refused(c, f"RenameAccount chief@{D} into chef@{D}")
    refused(c, f"RenameAccount ann@{D} into chief@{D}")
    c.ask(f"SetAccountPassword basic@{D} TO {PASSWORD}")
    c.ask(f"SetAccountPassword * TO {PASSWORD}")
    c.close()
    c = cli(f"chief@{D}")
    c.ask(f"SetAccountPassword basic@{D} TO {PASSWORD}")
    c.close()
    admin.ask(f"SetAccountPassword chief@{D} TO {PASSWORD}")


def guesses():
    """Who cannot set a password cannot find it out, either."""
    c = cli(f"mailer@{D}")
    for i in range(10):
        assert "incorrect" in c.send(
            f"VerifyAccountPassword ann@{D} PASSWORD guess{i}")
    got = c.send(f"VerifyAccountPassword ann@{D} PASSWORD {PASSWORD}")
    assert "too many" in got, got
    c.close()
    c = cli(f"basic@{D}")
    for i in range(12):
        assert "incorrect" in c.send(
            f"VerifyAccountPassword ann@{D} PASSWORD guess{i}")
    c.ask(f"VerifyAccountPassword ann@{D} PASSWORD {PASSWORD}")
    c.close()


def template_password(admin):
    """Only for those who give accounts their passwords."""
    admin.ask(f"UpdateAccountTemplate {D} {{Password=first-word;}}")
    c = cli(f"reader@{MAIN}")
    assert "first-word" not in c.ask(f"GetAccountTemplate {D}")
    c.close()
    assert "first-word" in admin.ask(f"GetAccountTemplate {D}")
    admin.ask(f"SetAccountTemplate {D} {{}}")


def defaults_are_no_modules():
    """The server's settings are not those of all accounts."""
    c = cli(f"server@{MAIN}")
    c.ask("GetModule Router")
    for module in ("Account", "Domain", "Template"):
        refused(c, f"GetModule {module}")
        refused(c, f"UpdateModule {module} {{}}")
        refused(c, f"SetModule {module} {{}}")
    c.close()


def new_accounts(admin):
    """Have what their maker may set of what he gave (manual 16), no more."""
    c = cli(f"maker@{D}")
    c.ask(f"CreateAccount big@{D} {{MaxAccountSize=1G;UseSysPassword=YES;}}")
    c.ask(f"CreateAccount big2@{D} {{MaxAccountSize=1G;City=Bonn;}}")
    c.close()
    assert admin.ask(f"GetAccountSettings big@{D}") == "201 {}"
    assert admin.ask(f"GetAccountSettings big2@{D}") == "201 {City=Bonn;}"


def domain_aliases(admin):
    """Are as good as the name, for rights, too."""
    admin.ask(f"SetDomainAliases {D} (alias.example)")
    admin.ask(f"SetDomainAliases {MAIN} (main.example)")
    c = cli(f"maker@{D}")
    c.ask("CreateAccount al@alias.example")
    c.ask("ImportAccounts alias.example DATA \"Name\\nal2\"")
    c.ask("GetAccountSettings al2@alias.example")
    c.ask("RenameAccount al2@alias.example into al3@alias.example")
    refused(c, "SetAccountPassword chief@alias.example TO other")
    refused(c, "CreateAccount x@main.example")
    c.close()
    # Rights that wait for an account are the Master's to give.
    path = BASE / "Accounts" / "Settings" / "Access.settings"
    path.write_text(path.read_text().replace("{", "{ghost=(Master);", 1))
    admin.ask("UpdateModule Main {LogLevel=3;}")    # rights are read again
    c = cli(f"users@{MAIN}")
    refused(c, f"CreateAccount ghost@{MAIN}")
    refused(c, "CreateAccount ghost@main.example")
    refused(c, "ImportAccounts main.example DATA \"Name\\nghost\"")
    # Who gets another name by an alias keeps what is his.
    admin.ask(f"RenameAccount server@{MAIN} into server2@main.example")
    assert admin.ask(f"GetAccountRights server2@{MAIN}") == "201 (Settings)"
    c.close()


def odd_names():
    c = cli(f"maker@{D}")
    for name in (f"x#postmaster@{MAIN}", f"postmaster@{MAIN.upper()}",
                 f"postmaster+x@{MAIN}", f'"postmaster@{MAIN}"',
                 f"ben@{OTHER}", f"postmaster%{MAIN}@{D}",
                 f'\\"postmaster@{MAIN}\\"@{D}', f"@{MAIN}:postmaster@{D}",
                 f"../{OTHER}/ben@{D}", f"ben@../{OTHER}", "ben@",
                 f"f-out@{D}", f"postmaster@{MAIN}.local", f"ben@{OTHER}.via"):
        for verb in ("GetAccountSettings", "ListMailboxes", "GetAccountInfo",
                     "GetAccountAliases", "GetAccountLocation"):
            quoted = name if name[0] == '"' else f'"{name}"'
            key = " Key X" if verb == "GetAccountInfo" else ""
            got = c.send(f"{verb} {quoted}{key}")
            assert got[:1] == "5", f"{verb} {name}: {got}"
        c.close()
        c = cli(f"maker@{D}")
    c.close()


BASE = pathlib.Path(os.environ["CG_BASE"])
boss = Cli(os.environ["CG_PWD"], os.environ["CG_ADMIN_NAME"],
           os.environ["CG_ADMIN_PASSWORD"])
boss.ask("INLINE")
for d in (D, OTHER):
    boss.ask(f"CreateDomain {d}")
for who in [f"ann@{D}", f"old@{D}", f"ben@{OTHER}", *ADMINS]:
    boss.ask(f"CreateAccount {who} {{Password={PASSWORD};}}")
for who, rights in ADMINS.items():
    boss.ask(f"SetAccountRights {who} ({rights})")
boss.ask(f"CreateForwarder f-out@{D} TO ben@{OTHER}")
alerts_are_no_settings(boss)
planted_alerts(boss)
rules_are_not_basic()
those_who_may_more(boss)
guesses()
template_password(boss)
defaults_are_no_modules()
new_accounts(boss)
odd_names()
domain_aliases(boss)
