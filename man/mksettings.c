/*
 * Writes settings(5) from the table of settings: `make man/settings.5`.  Run
 * by whoever changes the table; the page is kept in the tree.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

static const struct {
	const char	*module, *what;
} modules[] = {
	{ "Main", "The suite as a whole." },
	{ "Log", "System logs, see\n.Xr logd 8 ." },
	{ "SMTP", "Receiving mail, see\n.Xr smtpd 8 ." },
	{ "POP", "Reading mail, see\n.Xr pop3d 8 ." },
	{ "IMAP", "Mailboxes, see\n.Xr imapd 8 ." },
	{ "PWD", "Passwords and administration, see\n.Xr pwdd 8 ." },
	{ "Queue", "Messages under way, see\n.Xr queued 8 ." },
	{ "LOCAL", "Delivery into mailboxes, see\n.Xr stored 8 ." },
	{ "Router", "Where an address leads, see\n.Xr routerd 8 ." },
	{ "Protection", "Whose machines may do what, see\n.Xr smtpd 8 ." },
	{ "Banned", "What no message may have." },
	{ "Account", "What an account has that says nothing itself: its own\n"
	  "settings win, then its domain's account defaults, then these." },
	{ "Domain", "What a domain has that says nothing itself." },
	{ "Template", "What a new account begins with: its domain's template\n"
	  "wins." },
};

static const char head[] =
    ".\\\" Made by man/mksettings.c from lib/settings_table.c; change those.\n"
    ".Dd November 21, 2026\n"
    ".Dt SETTINGS 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm settings\n"
    ".Nd what can be set in cgate, module by module\n"
    ".Sh DESCRIPTION\n"
    "Settings are kept below the base directory in\n"
    ".Pa Settings/ ,\n"
    "one\n"
    ".Xr dictionary 5\n"
    "a module, and are changed while the suite runs.\n"
    "What stands in a\n"
    ".Ic settings\n"
    "block of\n"
    ".Xr cgserver.conf 5\n"
    "is pinned: it wins, and cannot be changed by command.\n"
    "A value that is absent or makes no sense counts as the default.\n"
    ".Pp\n"
    "Sizes take the units K, M and G; times s, m, h and d.\n"
    "Levels go from 1, failures only, to 5, everything.\n"
    "The word unlimited is the number \\-1.\n"
    "What is said to be for later is known, checked and kept, but has no\n"
    "effect yet.\n";

static const char tail[] =
    ".Sh LISTENERS\n"
    "A\n"
    ".Cm Listener\n"
    "is a dictionary of\n"
    ".Cm MaxInputChannels ,\n"
    "the clients at once,\n"
    ".Cm MaxFromSameAddress ,\n"
    "those from one address, and\n"
    ".Cm Ports ,\n"
    "an array of dictionaries, one a port:\n"
    ".Bl -tag -width Ds\n"
    ".It Cm PortNumber\n"
    "the TCP port.\n"
    ".It Cm IPAddress\n"
    "the local address; all of them if absent.\n"
    ".It Cm InitialSecurity\n"
    "YES: TLS begins at once.\n"
    ".It Cm Submission\n"
    "YES: clients must log in to send.\n"
    ".It Cm Restriction\n"
    "Grant or Deny, for the addresses in\n"
    ".Cm Addresses .\n"
    "The others are, or these are not, served.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    ".Bd -literal\n"
    "cgctl GetModule SMTP\n"
    "cgctl UpdateModule SMTP '{MaxMessageSize=50M;}'\n"
    "cgctl UpdateModule SMTP '{MaxMessageSize=default;}'\n"
    "cgctl UpdateModule POP '{Listener={Ports=({PortNumber=995;\n"
    "    InitialSecurity=YES;});};}'\n"
    "cgctl UpdateDomainSettings client.com '{AccountsLimit=100;}'\n"
    "cgctl UpdateDomainDefaults '{MailToUnknown=Discarded;}'\n"
    "cgctl UpdateServerAccountDefaults '{MaxAccountSize=2G;}'\n"
    "cgctl UpdateAccountDefaults client.com '{MaxAccountSize=1G;}'\n"
    "cgctl UpdateAccountSettings ann@client.com '{MaxAccountSize=unlimited;}'\n"
    "cgctl GetAccountEffectiveSettings ann@client.com\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr cgserver.conf 5 ,\n"
    ".Xr dictionary 5 ,\n"
    ".Xr cgctl 8 ,\n"
    ".Xr cgserver 8\n";

static void
number(const struct setting *s, int64_t n)
{
	static const struct {
		enum setting_type	 type;
		int64_t			 unit;
		const char		*name;
	} units[] = { { SET_SIZE, 1 << 30, "G" }, { SET_SIZE, 1 << 20, "M" },
		{ SET_SIZE, 1 << 10, "K" }, { SET_TIME, 86400, "d" },
		{ SET_TIME, 3600, "h" }, { SET_TIME, 60, "m" },
		{ SET_TIME, 1, "s" } };
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].type == s->type && n > 0 &&
		    n % units[i].unit == 0) {
			printf("%" PRId64 "%s", n / units[i].unit,
			    units[i].name);
			return;
		}
	printf(n < 0 ? "\\-%" PRId64 : "%" PRId64, n < 0 ? -n : n);
}

/* What it may be, in words. */
static void
values(const struct setting *s)
{
	const char *p;

	switch (s->type) {
	case SET_BOOL:
		printf("YES or NO");
		break;
	case SET_ENUM:
		printf("One of ");
		for (p = s->choices; *p != '\0'; p++)
			if (*p == '|')
				printf(", ");
			else
				putchar(*p);
		break;
	case SET_TEXT:
		printf("A text");
		break;
	case SET_FILES:
		printf("A path with an asterisk");
		break;
	case SET_FLOW:
		printf("A number of them, and a time");
		break;
	case SET_WORDS:
		printf("A word, or an array of words");
		break;
	case SET_VALUE:
		printf("A value");
		break;
	case SET_SIZE:
	case SET_TIME:
	case SET_INT:
	case SET_LEVEL:
		printf("%s, ", s->type == SET_SIZE ? "A size" :
			s->type == SET_TIME	   ? "A time" :
			s->type == SET_LEVEL	   ? "A level" :
						     "A number");
		number(s, s->min);
		printf(" to ");
		number(s, s->max);
	}
}

static void
one(const struct setting *s)
{
	const char *p;

	printf(".It Cm %s\n%c%s.\n", s->name,
	    s->help[0] >= 'a' && s->help[0] <= 'z' ? s->help[0] - 32 :
						     s->help[0],
	    s->help + 1);
	values(s);
	printf(".\n");
	if (s->dflt == NULL || strcmp(s->dflt, "\"\"") == 0)
		return;
	printf("Default: ");
	for (p = s->dflt; *p != '\0'; p++)
		if (*p == '\\')
			printf("\\e");
		else if (*p == '-')
			printf("\\-");
		else
			putchar(*p);
	printf("\n");
}

int
main(void)
{
	size_t i, m;

	fputs(head, stdout);
	for (m = 0; m < sizeof(modules) / sizeof(modules[0]); m++) {
		printf(".Ss %s\n%s\n.Bl -tag -width Ds\n", modules[m].module,
		    modules[m].what);
		for (i = 0; i < settings_count; i++)
			if (strcmp(settings_table[i].module,
				modules[m].module) == 0)
				one(&settings_table[i]);
		printf(".El\n");
	}
	fputs(tail, stdout);
	return 0;
}
