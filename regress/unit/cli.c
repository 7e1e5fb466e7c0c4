/*
 * The administration language: what a line becomes, what errors say, what
 * answers look like, and that each row of the table makes sense.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli.h"

/* "CreateAccount (john,"",...)", or the error's text. */
static void
check(const char *line, const char *expect)
{
	const struct cli_cmd *cmd;
	struct val *args;
	struct buf err, out;

	buf_init(&err, 0);
	buf_init(&out, 0);
	if (cli_parse(cur_str(line), &cmd, &args, &err) == -1) {
		assert_null(args);
		buf_add(&out, err.p, err.len);
	} else {
		buf_printf(&out, "%s ", cmd->name);
		val_write(&out, args, false);
		val_free(args);
	}
	if (strcmp(out.p, expect) != 0)
		fail_msg("%s: \"%s\" is not \"%s\"", line, out.p, expect);
	buf_free(&out);
	buf_free(&err);
}

static void
test_arguments(void **state)
{
	check("CreateAccount john", "CreateAccount (john,\"\",\"\",{})");
	check("cracnt user@domain.com {Password=xyz;}",
	    "CreateAccount (\"user@domain.com\",\"\",\"\",{Password=xyz;})");
	check("createaccount \"user1@client1.com\" textmailbox external "
	    "{A=1;}", "CreateAccount (\"user1@client1.com\",TextMailbox,"
	    "external,{A=1;})");
	check("\"CreateAccount\" \"j\" \"external\"",
	    "CreateAccount (j,\"\",external,{})");
	check("RenameAccount \"user1\" into \"user2\"",
	    "RenameAccount (user1,user2)");
	check("RenameAccount a INTO b", "RenameAccount (a,b)");
	check("SetAccountPassword john To new",
	    "SetAccountPassword (john,new,\"\",NO)");
	check("setaccountpassword john PASSWORD \"n w\" METHOD UNIX CHECK",
	    "SetAccountPassword (john,\"n w\",UNIX,YES)");
	check("SetAccountPassword john to new check\r\n",
	    "SetAccountPassword (john,new,\"\",YES)");
	check("VerifyAccountPassword john PASSWORD x",
	    "VerifyAccountPassword (john,x)");
	check("ListAccounts", "ListAccounts (\"\")");
	check("lstacnt x.com", "ListAccounts (\"x.com\")");
	check("UpdateDomainSettings {A=b}",
	    "UpdateDomainSettings (\"\",{A=b;})");
	check("upddmn x.com {A=b}", "UpdateDomainSettings (\"x.com\",{A=b;})");
	check("SetAccountRights john (Master,Settings)",
	    "SetAccountRights (john,(Master,Settings))");
	check("gtacnt *", "GetAccountSettings (\"*\")");
	check("rndmn a into b", "RenameDomain (a,b)");
	check("RenameDomain a b", "RenameDomain (a,b)");
	check("SetDomainSettings {}", "SetDomainSettings (\"\",{})");
	check("CreateMailbox a MAILBOX b CLASS c",
	    "CreateMailbox (a,b,\"\",c)");
	check("setmailboxclass a mailbox b auth d class \"IPF.Contact\"",
	    "SetMailboxClass (a,b,d,\"IPF.Contact\")");
	check("GetAccountInfo a", "GetAccountInfo (a,\"\",())");
	check("GetAccountInfo a (b,c)", "GetAccountInfo (a,\"\",(b,c))");
	check("DeleteDomain x.com force", "DeleteDomain (\"x.com\",force)");
	check("DeleteDomain x.com", "DeleteDomain (\"x.com\",\"\")");
	check("Route <a@b.com>", "Route (\"<a@b.com>\",\"\")");
	check("Route a@b.com Access", "Route (\"a@b.com\",access)");
	check("SetRouterTable \"<a> = b\\ec = d\"",
	    "SetRouterTable (\"<a> = b\\ec = d\")");
	check("PostDomainAlert x.com ALERT \"hi all\"",
	    "PostDomainAlert (\"x.com\",\"hi all\")");
	check("PostDomainAlert \"hi all\"",
	    "PostDomainAlert (\"\",\"hi all\")");
	check("RenameDomainSkin x.com SKIN a INTO b",
	    "RenameDomainSkin (\"x.com\",a,b)");
	check("RenameDomainSkin a INTO b", "RenameDomainSkin (\"\",a,b)");
	check("SETMAILBOXACL john MAILBOX INBOX {bob=lr;}",
	    "SetMailboxACL (john,INBOX,\"\",{bob=lr;})");
	check("DeleteMailbox john mailboxes Old AUTH bob",
	    "DeleteMailbox (john,MAILBOXES,Old,bob)");
	check("LIST MyList@mydomain.com FEED confirm \"Bill Jones\" "
	    "<BJones@company.com>", "List (\"MyList@mydomain.com\",feed,\"\","
	    "confirm,\"\\\"Bill Jones\\\" <BJones@company.com>\")");
	check("ListSubscribers l x 5", "ListSubscribers (l,x,5)");
	check("ListSubscribers l x", "ListSubscribers (l,x,\"\")");
	check("NOOP", "Noop ()");
}

static void
test_errors(void **state)
{
	check("", "a command is expected");
	check("   ", "a command is expected");
	check("{", "a command is expected");
	check("Frobnicate x", "unknown command");
	check("CreateAccount", "accountName is missing");
	check("RenameAccount a b", "INTO is missing");
	check("RenameAccount a into", "newAccountName is missing");
	check("SetAccountRights a b", "newRights must be an array");
	check("UpdateAccountSettings a", "newSettings is missing");
	check("UpdateAccountSettings a (b)",
	    "newSettings must be a dictionary");
	check("Noop x", "there is something after the command's end");
	check("CreateAccount \"un", "accountName is not a well-formed string");
	check("CreateAccount \"a\\000b\"",
	    "accountName may not have a NUL in it");
	check("SetAccountAliases a (b,\"c\\000\")",
	    "newAliases may not have a NUL in it");
	check("UpdateAccountSettings a {b={c=(\"\\000\");};}",
	    "newSettings may not have a NUL in it");
	check("UpdateAccountSettings a {b=[AAAA];}",
	    "UpdateAccountSettings (a,{b=[AAAA];})");
	check("Echo \"\\000\"", "Echo (\"\\000\")");
	check("DeleteMailbox a b", "MAILBOX or MAILBOXES is missing");
	check("SetAccountPassword a b", "TO or PASSWORD is missing");
	check("Echo \"a\" \"b\"", "there is something after the command's end");
	check("Echo {a=;}", "object cannot be read: a value was expected");
	/* What is tried at one place is told together. */
	check("CreateAccount a nonsense",
	    "accountType, EXTERNAL or settings is expected");
	check("CreateAccount a {} {}",
	    "there is something after the command's end");
	check("UpdateDomainSettings ()",
	    "domainName or newSettings is expected");
	check("UpdateDomainSettings a ()", "newSettings must be a dictionary");
	check("PostDomainAlert a b", "ALERT is missing");
	check("Route a b", "mode is none of the words it can be");
	/* Of what is to come the form may be another. */
	check("ListSubscribers l FILTER x 5",
	    "this command is not available yet");
	check("GetAccountPrefs x {}", "this command is not available yet");
	check("SETCLUSTERPROTECTION x",
	    "this server is not a member of a Dynamic Cluster");
	check("getclustermailrules",
	    "this server is not a member of a Dynamic Cluster");
}

static void
expect_answer(bool inl, unsigned code, const char *text, const char *data,
    const char *expect)
{
	struct buf out;

	buf_init(&out, 0);
	cli_answer(&out, inl, code, text, data);
	assert_string_equal(out.p, expect);
	buf_free(&out);
}

static void
test_answers(void **state)
{
	expect_answer(false, 200, "", NULL, "200 OK\r\n");
	expect_answer(true, 200, "done", "", "200 done\r\n");
	expect_answer(true, 0, "", "{b=1;a=(x,\"y z\");}",
	    "201 {a=(x,\"y z\");b=1;}\r\n");
	/* Only the last line ends as the data began. */
	expect_answer(false, 200, "", "{a={b=(c,{d=e;});};f=();}",
	    "200 data follow\r\n"
	    "{\r\n  a = {b=(c,{d=e;});};\r\n  f = ();\r\n}\r\n");
	expect_answer(false, 200, "", "(a,(b,(c)),{d=e;})",
	    "200 data follow\r\n"
	    "(\r\n  a,\r\n  (b,(c)),\r\n  {d=e;}\r\n)\r\n");
	expect_answer(false, 200, "", "({d=e;},(b,(c)))",
	    "200 data follow\r\n(\r\n  {d=e;},\r\n  (b,(c)))\r\n");
	expect_answer(false, 200, "", "{}", "200 data follow\r\n{}\r\n");
	expect_answer(false, 200, "", "\"a b\"",
	    "200 data follow\r\n\"a b\"\r\n");
	expect_answer(true, 501, "no\r\nsuch", "x", "501 no  such\r\n");
}

static void
test_line(void **state)
{
	char *words[] = { "CreateAccount", "jo hn", "{A=b;}", "say \"x\\" };
	struct buf out;

	buf_init(&out, 0);
	assert_true(cli_line(&out, 4, words));
	assert_string_equal(out.p,
	    "CreateAccount \"jo hn\" {A=b;} \"say \\\"x\\\\\"");
	buf_free(&out);
}

/* Names are unique, patterns end where they should, help exists. */
static void
test_table(void **state)
{
	const struct cli_cmd *c = NULL;
	struct val *help;
	size_t n = 0;

	while ((c = cli_next(c)) != NULL) {
		int depth = 0;

		assert_ptr_equal(cli_find(str_make(c->name)), c);
		if (c->abbr != NULL)
			assert_ptr_equal(cli_find(str_make(c->abbr)), c);
		for (const char *p = c->args; *p != '\0'; p++)
			depth += (*p == '[') - (*p == ']');
		assert_int_equal(depth, 0);
		assert_true(strlen(c->help) > 0);
		help = cli_help(c->name);
		assert_true(val_count(help) >= 2);
		val_free(help);
		n++;
	}
	assert_true(n > 150);
	help = cli_help("");
	assert_true(val_count(help) > 40);
	val_free(help);
	assert_null(cli_help("Frobnicate"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
