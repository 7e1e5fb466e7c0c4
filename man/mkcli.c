/*
 * Writes cli(7) from the table of commands: `make man/cli.7`.  Run by whoever
 * changes the table; the page is kept in the tree.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char head[] =
    ".\\\" Made by man/mkcli.c from the tables in cli/; change those.\n"
    ".Dd November 21, 2026\n"
    ".Dt CLI 7\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm cli\n"
    ".Nd the administration language of the cgate mail suite\n"
    ".Sh DESCRIPTION\n"
    "One command a line, spoken to\n"
    ".Xr pwdd 8\n"
    "or given to\n"
    ".Xr cgctl 8 .\n"
    "Names of commands and keywords may be written in any case.\n"
    "A string is a word, or stands in quotation marks; it need not be quoted "
    "unless\n"
    "it has white space or one of\n"
    ".Li \\&{ \\&} \\&( \\&) = \\&; \\&, \\(dq\n"
    "in it.\n"
    "Dictionaries and arrays are those of\n"
    ".Xr dictionary 5 ,\n"
    "all on one line.\n"
    "A line has at most 1 MiB.\n"
    ".Pp\n"
    "A name of an account may have\n"
    ".Li @ Ns Ar domain\n"
    "behind it; without, the caller's own domain is meant, and\n"
    ".Ql *\n"
    "is the caller.\n"
    "In settings that are updated, the value\n"
    ".Li default\n"
    "takes a setting away.\n"
    ".Pp\n"
    "An answer begins with a code: 200, or 201 with data on the same line once "
    "the\n"
    "client has said\n"
    ".Ic Inline ;\n"
    "500 for an account that is not there, and 501 for anything else that\n"
    "cannot be done, with the reason.\n"
    "Without\n"
    ".Ic Inline\n"
    "data comes on the lines after the 200.\n"
    ".Pp\n"
    "Several commands may be sent before the first is answered.\n"
    "Commands on mailboxes take\n"
    ".Cm AUTH Ar account :\n"
    "the command is then bounded by what that account may do there.\n"
    "Access rights of a mailbox are letters: l lookup, r read, s seen, w write "
    "flags,\n"
    "i insert, p post, c create, d delete, a administer.\n"
    ".Pp\n"
    "In the lists below, words in capitals are keywords and brackets hold what "
    "may be\n"
    "left out;\n"
    ".Ic Help Ar command ,\n"
    "or\n"
    ".Ic cgctl help Ar command ,\n"
    "tells what each argument can be.\n"
    "Rights are those of\n"
    ".Ic SetAccountRights ;\n"
    "Users is the right over all domains and accounts, and a Domain "
    "Administrator has\n"
    "the one that is named.\n";

static const char tail[] =
    ".Sh DATA\n"
    "What some commands answer, beside what the manual of the language says:\n"
    ".Bl -tag -width Ds\n"
    ".It Ic ListMailboxes , GetMailboxInfo\n"
    "of a mailbox\n"
    ".Va Messages ,\n"
    ".Va Unseen ,\n"
    ".Va Size\n"
    "(bytes of its file),\n"
    ".Va UIDNext ,\n"
    ".Va UIDValidity ,\n"
    "and if it has one its\n"
    ".Va Class\n"
    "(Sent, Drafts, Junk, Trash, ...);\n"
    "the latter also\n"
    ".Va UIDMin ,\n"
    ".Va HighestModSeq ,\n"
    ".Va Keywords\n"
    "and\n"
    ".Va Format .\n"
    ".It Ic ListWebFiles\n"
    "of a file its\n"
    ".Va Size\n"
    "and when it was\n"
    ".Va Modified ;\n"
    "of a folder an empty array.\n"
    "A name with slashes puts a file into folders, which are made; an empty "
    "folder\n"
    "is removed by\n"
    ".Ic DeleteWebFile .\n"
    ".It Ic GetAccountInfo\n"
    ".Va LastLogin :\n"
    "the last login by IMAP or POP; it may be an hour older than the very "
    "last.\n"
    ".Va Created :\n"
    "when the account was made.\n"
    ".Va StorageUsed :\n"
    "bytes of all mailboxes.\n"
    ".It Ic GetAccountStat\n"
    ".Va StatReset ,\n"
    ".Va MessagesReceived ,\n"
    ".Va BytesReceived :\n"
    "the latter two while Main's setting\n"
    ".Va AccountStatistics\n"
    "is on.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "At the port of\n"
    ".Xr pwdd 8 :\n"
    ".Bd -literal\n"
    "C: USER postmaster\n"
    "S: 300 please send the PASS\n"
    "C: PASS secret\n"
    "S: 200 login OK\n"
    "C: INLINE\n"
    "S: 200 OK\n"
    "C: CreateAccount ann {Password=\"a secret\"; RealName=\"Ann Bell\";}\n"
    "S: 200 OK\n"
    "C: GetAccountAliases ann\n"
    "S: 201 (bell,\"ann.b\")\n"
    "C: DeleteAccount nobody\n"
    "S: 500 unknown user account\n"
    ".Ed\n"
    ".Pp\n"
    "The same at a shell, where what has blanks or quotes is quoted once more:\n"
    ".Bd -literal\n"
    "cgctl CreateAccount ann '{Password=\"a secret\"; RealName=\"Ann Bell\";}'\n"
    "cgctl GetAccountAliases ann\n"
    "cgctl DeleteAccount nobody\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr dictionary 5 ,\n"
    ".Xr settings 5 ,\n"
    ".Xr cgctl 8 ,\n"
    ".Xr pwdd 8\n";

/* A line that begins with a control character would be a request. */
static void
sentence(const char *s)
{
	putchar(toupper((unsigned char)*s));
	for (s++; *s != '\0'; s++) {
		if (*s == '\\')
			putchar('\\');
		putchar(*s == '\\' ? 'e' : *s);
	}
	printf(".\n");
}

static void
command(const struct cli_cmd *c)
{
	struct buf b;

	buf_init(&b, 0);
	cli_usage(&b, c);
	printf(".It Ic %s", c->name);
	if (b.len > strlen(c->name))
		printf(" Ar%s", b.p + strlen(c->name));
	putchar('\n');
	sentence(c->help);
	if (*c->needs != '\0')
		printf("Needs %s.\n", c->needs);
	if (c->abbr != NULL)
		printf(".Pq or Ic %s\n", c->abbr);
	buf_free(&b);
}

/* All that is not available yet, by name. */
static void
later(void)
{
	const struct cli_cmd *c = NULL;
	const char *sep = "";

	printf(".Ss Not available yet\n"
	    "These are known, and are answered by an error that says so:\n");
	while ((c = cli_next(c)) != NULL)
		if (c->owner == PROC_MAX) {
			printf("%s.Ic %s", sep, c->name);
			sep = " ,\n";
		}
	printf(" .\n");
}

int
main(void)
{
	const struct cli_family *f;
	const struct cli_cmd *c;
	bool any;

	fputs(head, stdout);
	for (f = cli_families; f->name != NULL; f++) {
		any = false;
		for (c = f->cmds; c->name != NULL; c++) {
			if (c->owner == PROC_MAX)
				continue;
			if (!any)
				printf(".Ss %c%s\n.Bl -tag -width Ds\n",
				    toupper((unsigned char)f->name[0]),
				    f->name + 1);
			any = true;
			command(c);
		}
		if (any)
			printf(".El\n");
	}
	later();
	fputs(tail, stdout);
	return 0;
}
