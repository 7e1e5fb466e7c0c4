"""Commands that change files of settings: what each sets, the file that has
it then, and the command that shows it."""
import re

FILL = "0123456789abcdef" * 200
RIGHTS = """AutoSignup TrailerText WebBanner Foldering FolderIndex RelayAddress
CanCreateAccounts CanCreateGroups CanCreateForwarders CanCreateLists
CanCreateAliases CanPostAlerts CanModifySkins CanAccessWebSites BasicSettings
AccessModes""".split()


def prepare(cli):
    """What the commands are about, beside the account ann."""
    cli.ask("CreateDomain d.example")
    cli.ask("CreateAccount ben@d.example")
    cli.ask("CreateGroup crew@d.example")


class What:
    """A command, %d or MARK in it being the mark that it sets."""

    def __init__(self, command, file, get, found=rf"(\d+) {FILL}"):
        self._command, self.file, self.get = command, file, get
        self.found = re.compile(found)

    def command(self, n):
        return self._command.replace("MARK", f"{n} {FILL}").replace("%d",
                                                                    str(n))

    def mark(self, text):
        return max(map(int, self.found.findall(text)), default=0)


class Rights(What):
    """A number's bits: names of rights are all that may stand there."""

    def command(self, n):
        return self._command.replace("MARK", ",".join(
            r for i, r in enumerate(RIGHTS) if n >> i & 1))

    def mark(self, text):
        return sum(1 << i for i, r in enumerate(RIGHTS)
                   if re.search(rf"\b{r}\b", text))


DOM = "Domains/d.example/Settings/"
WHAT = [
    ("routerd", (
        What('UpdateModule SMTP {TestMark="MARK";}',
             "Settings/SMTP.settings", "GetModule SMTP"),
        What('UpdateDomainSettings d.example {TestMark="MARK";}',
             DOM + "Domain.settings", "GetDomainSettings d.example"),
        What('UpdateAccountTemplate d.example {TestMark="MARK";}',
             DOM + "Template.settings", "GetAccountTemplate d.example"),
        What('UpdateDomainDefaults {TestMark="MARK";}',
             "Settings/DomainDefault.settings", "GetDomainDefaults"))),
    ("routerd", (
        What(f'SetRouterTable "; {FILL}\\e<box> = m%d@far.example"',
             "Settings/Router.settings", "Route box", r"m(\d+)@far"),
        What("SetDomainAliases d.example (a%d.example)",
             "Settings/DomainAliases.data", "GetDomainAliases d.example",
             r"a(\d+)\.example"),
        What("SetAccountAliases ann (x%d)", "Accounts/Settings/Aliases.data",
             "GetAccountAliases ann", r"\bx(\d+)"),
        What("CreateForwarder f%d@d.example TO a@far.example",
             DOM + "Forwarders.data", "ListForwarders d.example",
             r"\bf(\d+)"),
        What('SetGroup crew@d.example {RealName="MARK";}',
             DOM + "Groups/crew.settings", "GetGroup crew@d.example"))),
    ("authd", (
        What('UpdateAccountSettings ann {TestMark="MARK";}',
             "Accounts/ann.macnt/account.settings", "GetAccountSettings ann"),
        Rights("SetAccountRights ben@d.example (MARK)",
               DOM + "Access.settings", "GetAccountRights ben@d.example"),
        What('SetDomainAlerts d.example {20010604102030="mark %d";}',
             DOM + "Alerts.settings", "GetDomainAlerts d.example",
             r"mark (\d+)"),
        What('SetServerAlerts {20010604102030="mark %d";}',
             "Accounts/Settings/ServerAlerts.settings", "GetServerAlerts",
             r"mark (\d+)"))),
]
