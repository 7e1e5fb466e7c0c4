/*
 * Chapter 16, line by line: every command with its short name, and one line as
 * the chapter writes it, which must come out as this array.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "cli.h"

static const struct {
	const char	*name, *abbr, *line, *args;
} manual[] = {
	/* Accounts */
	{ "ListAccounts", "lstacnt", "", "(\"\")" },
	{ "ListAccounts", "lstacnt", "x.com", "(\"x.com\")" },
	{ "CreateAccount", "cracnt", "u", "(u,\"\",\"\",{})" },
	{ "CreateAccount", "cracnt", "u MailDirMailbox external {A=b;}",
	  "(u,MailDirMailbox,external,{A=b;})" },
	{ "CreateAccount", "cracnt", "u TextMailbox {A=b;}",
	  "(u,TextMailbox,\"\",{A=b;})" },
	{ "RenameAccount", "rnacnt", "u into v", "(u,v)" },
	{ "DeleteAccount", "dlacnt", "u", "(u)" },
	{ "GetAccountSettings", "gtacnt", "u", "(u)" },
	{ "GetAccountSettings", "gtacnt", "*", "(\"*\")" },
	{ "UpdateAccountSettings", "updacnt", "u {A=b;}", "(u,{A=b;})" },
	{ "GetAccountEffectiveSettings", NULL, "u", "(u)" },
	{ "SetAccountPassword", NULL, "u To n", "(u,n,\"\",NO)" },
	{ "VerifyAccountPassword", NULL, "u PASSWORD n", "(u,n)" },
	{ "GetAccountAliases", "gtacntals", "u", "(u)" },
	{ "SetAccountAliases", "stacntals", "u (a,b)", "(u,(a,b))" },
	{ "GetAccountRules", "gtacntrl", "u", "(u)" },
	{ "SetAccountRules", "stacntrl", "u ()", "(u,())" },
	{ "GetAccountRPOP", NULL, "u", "(u)" },
	{ "SetAccountRPOP", NULL, "u ()", "(u,())" },
	{ "GetAccountRights", "gtacntrght", "u", "(u)" },
	{ "GetAccountInfo", "gtacntinf",
	  "\"user1@domain1.com\" Key LastLogin",
	  "(\"user1@domain1.com\",LastLogin,())" },
	{ "GetWebUser", "gtwusr", "u", "(u)" },
	{ "SetWebUser", "stwusr", "u {A=b;}", "(u,{A=b;})" },
	/* Groups and forwarders */
	{ "ListGroups", NULL, "", "(\"\")" },
	{ "CreateGroup", NULL, "g", "(g,{})" },
	{ "CreateGroup", NULL, "g {A=b;}", "(g,{A=b;})" },
	{ "RenameGroup", NULL, "g into h", "(g,h)" },
	{ "DeleteGroup", NULL, "g", "(g)" },
	{ "GetGroup", NULL, "g", "(g)" },
	{ "SetGroup", NULL, "g {A=b;}", "(g,{A=b;})" },
	{ "ListForwarders", NULL, "x", "(x)" },
	{ "CreateForwarder", NULL, "f TO a@b.com", "(f,\"a@b.com\")" },
	{ "DeleteForwarder", NULL, "f", "(f)" },
	{ "GetForwarder", NULL, "f", "(f)" },
	/* Domains */
	{ "GetDomainSettings", "gtdmn", "", "(\"\")" },
	{ "GetDomainEffectiveSettings", NULL, "", "(\"\")" },
	{ "UpdateDomainSettings", "upddmn", "{A=b;}", "(\"\",{A=b;})" },
	{ "UpdateDomainSettings", "upddmn", "x.com {A=b;}",
	  "(\"x.com\",{A=b;})" },
	{ "GetAccountDefaults", "gtacndfl", "", "(\"\")" },
	{ "UpdateAccountDefaults", "updacndfl", "{A=b;}", "(\"\",{A=b;})" },
	{ "GetWebUserDefaults", "gtwusrdfl", "", "(\"\")" },
	{ "SetWebUserDefaults", "stwusrdfl", "x {A=b;}", "(x,{A=b;})" },
	{ "GetAccountTemplate", "gtacntmp", "x", "(x)" },
	{ "UpdateAccountTemplate", "updacntmp", "{A=b;}", "(\"\",{A=b;})" },
	{ "GetDomainAliases", "gtdmnals", "x", "(x)" },
	{ "ListDomains", "lstdmn", "", "()" },
	{ "MainDomainName", NULL, "", "()" },
	{ "GetDomainDefaults", "gtdmndfl", "", "()" },
	{ "UpdateDomainDefaults", "upddmndfl", "{A=b;}", "({A=b;})" },
	{ "SetDomainDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "GetClusterDomainDefaults", NULL, "", "()" },
	{ "UpdateClusterDomainDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "SetClusterDomainDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "GetAllAccountsDefaults", "gtalacndfl", "", "()" },
	{ "UpdateAllAccountsDefaults", "updalacndfl", "{A=b;}",
	  "({A=b;})" },
	{ "SetAllAccountsDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "GetClusterAccountDefaults", NULL, "", "()" },
	{ "UpdateClusterAccountDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "SetClusterAccountDefaults", NULL, "{A=b;}", "({A=b;})" },
	{ "CreateDomain", "crdmn", "x.com", "(\"x.com\",{})" },
	{ "CreateDomain", "crdmn", "x.com {A=b;}", "(\"x.com\",{A=b;})" },
	{ "RenameDomain", "rndmn", "x into y", "(x,y)" },
	{ "RenameDomain", "rndmn", "x y", "(x,y)" },
	{ "DeleteDomain", "dldmn", "x", "(x,\"\")" },
	{ "DeleteDomain", "dldmn", "x force", "(x,force)" },
	{ "CreateSharedDomain", NULL, "x", "(x,{})" },
	{ "CreateDirectoryDomain", NULL, "x {A=b;}", "(x,{A=b;})" },
	{ "ReloadDirectoryDomains", NULL, "", "()" },
	{ "SetDomainAliases", "stdmnals", "x (a,b)", "(x,(a,b))" },
	{ "GetDirectoryIntegration", NULL, "", "()" },
	{ "SetDirectoryIntegration", NULL, "{A=b;}", "({A=b;})" },
	{ "GetClusterDirectoryIntegration", NULL, "", "()" },
	{ "SetClusterDirectoryIntegration", NULL, "{A=b;}", "({A=b;})" },
	{ "SetDomainSettings", NULL, "x {A=b;}", "(x,{A=b;})" },
	{ "SetAccountSettings", "stacnt", "u {A=b;}", "(u,{A=b;})" },
	{ "SetAccountDefaults", "stacndfl", "{A=b;}", "(\"\",{A=b;})" },
	{ "SetAccountTemplate", "stacntmp", "x {A=b;}", "(x,{A=b;})" },
	{ "GetAccountLocation", NULL, "u", "(u)" },
	/* Mailboxes */
	{ "ListMailboxes", "lstmbx", "u", "(u,\"\",\"\")" },
	{ "ListMailboxes", "lstmbx", "u FILTER \"a*\" AUTH v",
	  "(u,\"a*\",v)" },
	{ "ListMailboxes", "lstmbx", "u AUTH v", "(u,\"\",v)" },
	{ "CreateMailbox", NULL, "u MAILBOX m",
	  "(u,m,\"\",\"\")" },
	{ "CreateMailbox", NULL, "u MAILBOX m AUTH v", "(u,m,v,\"\")" },
	{ "DeleteMailbox", NULL, "u MAILBOX m", "(u,MAILBOX,m,\"\")" },
	{ "DeleteMailbox", NULL, "u mailboxes m auth v",
	  "(u,MAILBOXES,m,v)" },
	{ "RenameMailbox", NULL, "u MAILBOX m INTO n",
	  "(u,MAILBOX,m,n,\"\")" },
	{ "RenameMailbox", NULL, "u MAILBOXES m INTO n AUTH v",
	  "(u,MAILBOXES,m,n,v)" },
	{ "GetMailboxInfo", NULL, "u MAILBOX m AUTH v", "(u,m,v)" },
	{ "GetMailboxACL", NULL, "u MAILBOX m", "(u,m,\"\")" },
	{ "SetMailboxACL", NULL, "u MAILBOX m {v=\"+lr\";}",
	  "(u,m,\"\",{v=\"+lr\";})" },
	{ "SetMailboxACL", NULL, "u MAILBOX m AUTH w {v=l;}",
	  "(u,m,w,{v=l;})" },
	{ "GetMailboxRights", NULL, "u MAILBOX m AUTH v", "(u,m,v)" },
	{ "GetAccountSubscription", NULL, "*", "(\"*\")" },
	{ "SetAccountSubscription", NULL, "* (INBOX)", "(\"*\",(INBOX))" },
	{ "GetMailboxAliases", NULL, "u", "(u)" },
	{ "SetMailboxAliases", NULL, "u {a=b;}", "(u,{a=b;})" },
	/* Alerts */
	{ "GetDomainAlerts", "gtalrt", "x", "(x)" },
	{ "SetDomainAlerts", "stalrt", "{A=b;}", "(\"\",{A=b;})" },
	{ "PostDomainAlert", NULL, "x ALERT \"a b\"", "(x,\"a b\")" },
	{ "PostDomainAlert", NULL, "\"a b\"", "(\"\",\"a b\")" },
	{ "RemoveDomainAlert", NULL, "x ALERT t", "(x,t)" },
	{ "RemoveDomainAlert", NULL, "t", "(\"\",t)" },
	{ "GetServerAlerts", NULL, "", "()" },
	{ "SetServerAlerts", NULL, "{A=b;}", "({A=b;})" },
	{ "PostServerAlert", NULL, "\"a b\"", "(\"a b\")" },
	{ "RemoveServerAlert", NULL, "t", "(t)" },
	{ "GetClusterAlerts", NULL, "", "()" },
	{ "SetClusterAlerts", NULL, "{A=b;}", "({A=b;})" },
	{ "PostClusterAlert", NULL, "a", "(a)" },
	{ "RemoveClusterAlert", NULL, "t", "(t)" },
	/* Personal web sites */
	{ "GetWebFile", NULL, "u FILE a/b.html", "(u,\"a/b.html\")" },
	{ "PutWebFile", NULL, "u FILE f DATA \"YQ==\"",
	  "(u,f,\"YQ==\")" },
	{ "RenameWebFile", NULL, "u FILE f INTO g", "(u,f,g)" },
	{ "DeleteWebFile", NULL, "u FILE f", "(u,f)" },
	{ "ListWebFiles", NULL, "u", "(u,\"\")" },
	{ "ListWebFiles", NULL, "u PATH p", "(u,p)" },
	{ "GetWebFilesInfo", NULL, "u", "(u)" },
	/* Mailing lists */
	{ "ListLists", NULL, "", "(\"\")" },
	{ "GetDomainLists", NULL, "x", "(x)" },
	{ "GetAccountLists", NULL, "u", "(u)" },
	{ "CreateList", NULL, "l for u", "(l,u)" },
	{ "RenameList", NULL, "l into m", "(l,m)" },
	{ "DeleteList", NULL, "l", "(l)" },
	{ "GetList", NULL, "l", "(l)" },
	{ "UpdateList", NULL, "l {A=b;}", "(l,{A=b;})" },
	{ "List", NULL,
	  "MyList@mydomain.com FEED confirm \"Bill Jones\" <B@c.com>",
	  "(\"MyList@mydomain.com\",feed,\"\",confirm,"
	  "\"\\\"Bill Jones\\\" <B@c.com>\")" },
	{ "List", NULL, "l unsubscribe silently a@b.com",
	  "(l,unsubscribe,silently,\"\",\"a@b.com\")" },
	{ "ListSubscribers", NULL, "l", "(l,\"\",\"\")" },
	{ "ListSubscribers", NULL, "l f 5", "(l,f,5)" },
	{ "SetPostingMode", NULL, "l FOR a@b.com MODERATEALL",
	  "(l,\"a@b.com\",MODERATEALL)" },
	{ "SetPostingMode", NULL, "l FOR a@b.com 5", "(l,\"a@b.com\",5)" },
	/* Skins */
	{ "ListDomainSkins", NULL, "", "(\"\")" },
	{ "CreateDomainSkin", NULL, "x SKIN s", "(x,s)" },
	{ "CreateDomainSkin", NULL, "s", "(\"\",s)" },
	{ "RenameDomainSkin", NULL, "x SKIN s INTO t", "(x,s,t)" },
	{ "DeleteDomainSkin", NULL, "s", "(\"\",s)" },
	{ "ListDomainSkinFiles", NULL, "x SKIN s", "(x,s)" },
	{ "ReadDomainSkinFile", NULL, "s FILE f", "(\"\",s,f)" },
	{ "StoreDomainSkinFile", NULL, "x SKIN s FILE f DATA YQ",
	  "(x,s,f,DATA,YQ)" },
	{ "StoreDomainSkinFile", NULL, "s FILE f DELETE",
	  "(\"\",s,f,DELETE,\"\")" },
	{ "ListServerSkins", NULL, "", "()" },
	{ "CreateServerSkin", NULL, "s", "(s)" },
	{ "RenameServerSkin", NULL, "s INTO t", "(s,t)" },
	{ "DeleteServerSkin", NULL, "s", "(s)" },
	{ "ListServerSkinFiles", NULL, "s", "(s)" },
	{ "ReadServerSkinFile", NULL, "s FILE f", "(s,f)" },
	{ "StoreServerSkinFile", NULL, "s FILE f DATA YQ",
	  "(s,f,DATA,YQ)" },
	{ "StoreServerSkinFile", NULL, "s FILE f DELETE",
	  "(s,f,DELETE,\"\")" },
	{ "ListClusterSkins", NULL, "", "()" },
	{ "CreateClusterSkin", NULL, "s", "(s)" },
	{ "RenameClusterSkin", NULL, "s INTO t", "(s,t)" },
	{ "DeleteClusterSkin", NULL, "s", "(s)" },
	{ "ListClusterSkinFiles", NULL, "s", "(s)" },
	{ "ReadClusterSkinFile", NULL, "s FILE f", "(s,f)" },
	{ "StoreClusterSkinFile", NULL, "s FILE f DATA YQ",
	  "(s,f,DATA,YQ)" },
	/* Web sessions */
	{ "CreateWebUserSession", NULL, "u ADDRESS 10.0.0.1",
	  "(u,\"10.0.0.1\")" },
	{ "GetWebUserSession", NULL, "s", "(s)" },
	{ "KillWebUserSession", NULL, "s", "(s)" },
	/* The server */
	{ "GetModule", NULL, "SMTP", "(SMTP)" },
	{ "SetModule", NULL, "SMTP {A=b;}", "(SMTP,{A=b;})" },
	{ "UpdateModule", NULL, "SMTP {A=b;}", "(SMTP,{A=b;})" },
	{ "GetBlacklistedIPs", NULL, "", "()" },
	{ "GetClientIPs", NULL, "", "()" },
	{ "GetWhiteHoleIPs", NULL, "", "()" },
	{ "GetProtection", NULL, "", "()" },
	{ "GetBanned", NULL, "", "()" },
	{ "SetBlacklistedIPs", NULL, "\"10.0.0.1\\e10.0.0.2\"",
	  "(\"10.0.0.1\\e10.0.0.2\")" },
	{ "SetClientIPs", NULL, "\"\"", "(\"\")" },
	{ "SetWhiteHoleIPs", NULL, "\"\"", "(\"\")" },
	{ "SetProtection", NULL, "{A=b;}", "({A=b;})" },
	{ "SetBanned", NULL, "{A=b;}", "({A=b;})" },
	{ "GetClusterBlacklistedIPs", NULL, "", "()" },
	{ "GetClusterClientIPs", NULL, "", "()" },
	{ "GetClusterWhiteHoleIPs", NULL, "", "()" },
	{ "GetClusterProtection", NULL, "", "()" },
	{ "GetClusterBanned", NULL, "", "()" },
	{ "SetClusterBlacklistedIPs", NULL, "\"\"", "(\"\")" },
	{ "SetClusterClientIPs", NULL, "\"\"", "(\"\")" },
	{ "SetClusterWhiteHoleIPs", NULL, "\"\"", "(\"\")" },
	{ "SetClusterProtection", NULL, "{A=b;}", "({A=b;})" },
	{ "GetServerRules", NULL, "", "()" },
	{ "SetServerRules", NULL, "()", "(())" },
	{ "GetClusterRules", NULL, "", "()" },
	{ "SetClusterRules", NULL, "()", "(())" },
	{ "GetRouterTable", NULL, "", "()" },
	{ "SetRouterTable", NULL, "\"a = b\"", "(\"a = b\")" },
	{ "GetClusterRouterTable", NULL, "", "()" },
	{ "SetClusterRouterTable", NULL, "\"a = b\"", "(\"a = b\")" },
	{ "RefreshOSData", NULL, "", "()" },
	{ "Route", NULL, "a@b.com", "(\"a@b.com\",\"\")" },
	{ "GetSNMPElement", NULL, "1.3.6.1.4.1.5678.2.1.1.5.15",
	  "(\"1.3.6.1.4.1.5678.2.1.1.5.15\")" },
	{ "Shutdown", NULL, "", "()" },
	{ "SetAccountRights", "stacntrght", "u (Master)", "(u,(Master))" },
	/* Statistics and others */
	{ "GetAccountStat", NULL, "u", "(u,\"\")" },
	{ "GetAccountStat", NULL, "* KEY k", "(\"*\",k)" },
	{ "ResetAccountStat", NULL, "u KEY k", "(u,k)" },
	{ "GetDomainStat", NULL, "*", "(\"*\",\"\")" },
	{ "GetDomainStat", NULL, "x KEY k", "(x,k)" },
	{ "ResetDomainStat", NULL, "x", "(x,\"\")" },
	{ "WriteLog", NULL, "5 \"a record\"", "(5,\"a record\")" },
	{ "ReleaseSMTPQueue", NULL, "x.com", "(\"x.com\")" },
	{ "GetWebUserInterface", NULL, "x FILE p", "(x,p)" },
	{ "PutWebUserInterface", NULL, "x FILE p DATA YQ", "(x,p,YQ)" },
	{ "DeleteWebUserInterface", NULL, "x FILE p", "(x,p)" },
	{ "ListWebUserInterface", NULL, "x", "(x,\"\")" },
	{ "ListWebUserInterface", NULL, "* PATH p", "(\"*\",p)" },
	{ "ClearWebUserCache", NULL, "x", "(x)" }
};

static const char *const others[] = {
	"GetAccount", "Noop", "Echo", "GetVersion", "GetSystemInfo",
	"GetCurrentTime", "ListCLICommands", "ListModules", "Inline",
	"NewPass", "Help", "Quit", "Status"
};

enum {
	NMANUAL = sizeof(manual) / sizeof(manual[0]),
	NOTHERS = sizeof(others) / sizeof(others[0])
};

static void
check(const char *word, size_t i)
{
	const struct cli_cmd *cmd;
	struct val *args;
	struct buf line, err, out;

	buf_init(&line, 0);
	buf_init(&err, 0);
	buf_init(&out, 0);
	buf_printf(&line, "%s %s", word, manual[i].line);
	if (cli_parse(cur_str(line.p), &cmd, &args, &err) == -1)
		fail_msg("%s: %s", line.p, err.p);
	assert_string_equal(cmd->name, manual[i].name);
	val_write(&out, args, false);
	if (strcmp(out.p, manual[i].args) != 0)
		fail_msg("%s: %s, not %s", line.p, out.p, manual[i].args);
	val_free(args);
	buf_free(&line);
	buf_free(&err);
	buf_free(&out);
}

/* The chapter has some in capitals, and clients write as they like. */
static void
upper(char *out, size_t size, const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0' && i + 1 < size; i++)
		out[i] = s[i] >= 'a' && s[i] <= 'z' ? s[i] & ~0x20 : s[i];
	out[i] = '\0';
}

static void
test_lines(void **state)
{
	const struct cli_cmd *c;
	char name[80];
	size_t i;

	for (i = 0; i < NMANUAL; i++) {
		check(manual[i].name, i);
		upper(name, sizeof(name), manual[i].name);
		check(name, i);
		c = cli_find(str_make(manual[i].name));
		if (manual[i].abbr != NULL)
			check(manual[i].abbr, i);
		if ((manual[i].abbr == NULL) != (c->abbr == NULL))
			fail_msg("%s: short name %s", manual[i].name,
			    c->abbr != NULL ? c->abbr : "missing");
	}
}

/* What clients of later servers say when they come, and ours. */
static void
test_others(void **state)
{
	size_t i;

	for (i = 0; i < NOTHERS; i++)
		assert_non_null(cli_find(str_make(others[i])));
}

/* Later servers' are known, though not done; mistypes are not. */
static void
test_later(void **state)
{
	static const char *const names[] = { "GetLANIPs", "setlanips",
		"ReadStorageFile", "GetAccountPrefs", "GetServerMailRules" };
	const struct cli_cmd *cmd;
	struct val *args;
	struct buf err;
	size_t i;

	buf_init(&err, 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(cli_parse(cur_str(names[i]), &cmd, &args,
		    &err), -1);
		assert_string_equal(err.p, "this command is not available "
		    "yet");
	}
	assert_int_equal(cli_parse(cur_str("GetLANIP"), &cmd, &args, &err),
	    -1);
	assert_string_equal(err.p, "unknown command");
	/* Whoever gets a row is none of them. */
	for (cmd = NULL; (cmd = cli_next(cmd)) != NULL;)
		assert_true((cmd->owner == PROC_MAX) ==
		    (cli_unavailable(str_make(cmd->name)) != NULL));
	buf_free(&err);
}

static bool
says(const struct val *lines, const char *text)
{
	size_t i;

	for (i = 0; i < val_count(lines); i++) {
		assert_true(val_len(val_at(lines, i)) < 80);
		if (strstr(val_text(val_at(lines, i)), text) != NULL)
			return true;
	}
	return false;
}

/* Each family's help names what it has, within 80 columns. */
static void
test_help(void **state)
{
	const struct cli_family *f;
	const struct cli_cmd *c;
	struct val *all, *one;

	for (f = cli_families; f->name != NULL; f++) {
		all = cli_help(f->name);
		assert_non_null(all);
		for (c = f->cmds; c->name != NULL; c++) {
			one = cli_help(c->name);
			assert_true(says(one, c->name));
			assert_true(says(one, "not available yet") ==
			    (c->owner == PROC_MAX));
			assert_true(says(all, c->name) ==
			    (c->owner != PROC_MAX) ||
			    c->owner == PROC_MAX);
			val_free(one);
		}
		val_free(all);
	}
}

static void
near(const char *word, const char *expect)
{
	struct buf b;

	buf_init(&b, 0);
	if (!cli_near(&b, word))
		buf_puts(&b, "none");
	if (strncmp(b.p, expect, strlen(expect)) != 0)
		fail_msg("%s: %s", word, b.p);
	buf_free(&b);
}

static void
test_near(void **state)
{
	near("CreatAcount", "CreateAccount");
	near("listmailbox", "ListMailboxes");
	near("Mailboxes", "ListMailboxes");
	near("xyzzyplugh", "none");
	near("", "none");
	near("qx", "none");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
