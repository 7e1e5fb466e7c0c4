/* cgserver.conf: what each line means, and what is said of bad ones. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf.h"

static struct conf c;

static void
good(const char *text)
{
	char *err = NULL;

	if (conf_parse(&c, text, strlen(text), &err) == -1)
		fail_msg("%s", err);
}

static void
bad(const char *text, const char *where)
{
	char *err = NULL;

	assert_int_equal(conf_parse(&c, text, strlen(text), &err), -1);
	assert_non_null(err);
	if (strncmp(err, where, strlen(where)) != 0)
		fail_msg("\"%s\" was told, not \"%s...\"", err, where);
	free(err);
	conf_free(&c);
}

static void
test_defaults(void **state)
{
	good("");
	assert_string_equal(c.base, CG_BASEDIR);
	assert_string_equal(c.libexec, CG_LIBEXECDIR);
	assert_string_equal(c.password_key, CG_SYSCONFDIR "/password.key");
	assert_int_not_equal(strlen(c.hostname), 0);
	assert_false(c.weak);
	assert_false(c.os_passwords);
	assert_int_equal(c.nlisten, 0);
	assert_true(c.processes[PROC_SMTPD] >= 1);
	assert_int_equal(c.processes[PROC_QUEUED], 1);
	conf_free(&c);
}

static void
test_words(void **state)
{
	good("# a comment\n"
	    "base /srv/mail # another\n"
	    "hostname\tmail.example.com\r\n"
	    "\n"
	    "tls \"/etc/ssl/a key\" /etc/ssl/cert\n"
	    "tls /etc/ssl/b.key /etc/ssl/b.pem\n"
	    "tls-clients /etc/ssl/ca.pem\n"
	    "processes smtpd 3\n"
	    "trusted-users www-data list\n"
	    "trusted-users news\n"
	    "helper-dirs /opt/a /opt/b\n"
	    "external-inboxes /var/mail /srv/mail/other\n"
	    "os-passwords yes\n"
	    "sandbox weak");
	assert_string_equal(c.base, "/srv/mail");
	assert_string_equal(c.hostname, "mail.example.com");
	assert_string_equal(c.tls_key, "/etc/ssl/a key");
	assert_string_equal(c.tls_cert, "/etc/ssl/cert");
	assert_int_equal(c.ntls_more, 1);
	assert_string_equal(c.tls_more[0].key, "/etc/ssl/b.key");
	assert_string_equal(c.tls_more[0].cert, "/etc/ssl/b.pem");
	assert_string_equal(c.tls_clients, "/etc/ssl/ca.pem");
	assert_int_equal(c.processes[PROC_SMTPD], 3);
	assert_int_equal(val_count(c.trusted), 3);
	assert_string_equal(val_text(val_at(c.trusted, 2)), "news");
	assert_int_equal(val_count(c.helpers), 2);
	assert_int_equal(val_count(c.external), 2);
	assert_true(c.os_passwords);
	assert_true(c.weak);
	conf_free(&c);
}

static void
test_listen(void **state)
{
	static const struct {
		const char	*line, *module, *address;
		int		 port;
		bool		 tls, submission;
	} t[] = {
		{ "listen SMTP 25", "SMTP", "", 25, false, false },
		{ "listen SMTP *:465 tls", "SMTP", "", 465, true, false },
		{ "listen SMTP 127.0.0.1:auto submission", "SMTP",
		    "127.0.0.1", 0, false, true },
		{ "listen SMTP [::1]:587 tls submission", "SMTP", "::1", 587,
		    true, true },
		{ "listen POP [::]:110", "POP", "::", 110, false, false },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		good(t[i].line);
		assert_int_equal(c.nlisten, 1);
		assert_string_equal(c.listen[0].module, t[i].module);
		assert_string_equal(c.listen[0].address, t[i].address);
		assert_int_equal(c.listen[0].port, t[i].port);
		assert_int_equal(c.listen[0].tls, t[i].tls);
		assert_int_equal(c.listen[0].submission, t[i].submission);
		conf_free(&c);
	}
}

static void
test_settings(void **state)
{
	const struct val *v;

	good("settings Main {\n"
	    "  DomainName = \"example.com\";\n"
	    "}\n"
	    "base /after\n"
	    "settings Main { LogLevel = 1; }\n");
	v = dict_get(c.pinned, "Main");
	assert_string_equal(dict_str(v, "LogLevel", ""), "1");
	assert_string_equal(dict_str(v, "DomainName", ""), "example.com");
	assert_string_equal(c.base, "/after");
	conf_free(&c);
}

static void
test_errors_name_the_line(void **state)
{
	bad("nonsense", "line 1: ");
	bad("base /a\n\n# x\nbase relative\n", "line 4: ");
	bad("base\n", "line 1: ");
	bad("base /a /b\n", "line 1: ");
	bad("hostname \"open\n", "line 1: ");
	bad("listen SMTP 127.0.0.1:0\n", "line 1: ");
	bad("listen SMTP 127.0.0.1:65536\n", "line 1: ");
	bad("listen SMTP 127.0.0.1:25x\n", "line 1: ");
	bad("listen SMTP 127.0.0.1:25 ssl\n", "line 1: ");
	bad("listen NNTP 127.0.0.1:119\n", "line 1: ");
	bad("listen SMTP ::1:25\n", "line 1: ");
	bad("listen SMTP mail.example.com:25\n", "line 1: ");
	bad("processes smtpd 0\n", "line 1: ");
	bad("processes smtpd 1000\n", "line 1: ");
	bad("processes queued 2\n", "line 1: ");
	bad("sandbox off\n", "line 1: ");
	bad("external-inboxes var/mail\n", "line 1: ");
	bad("external-inboxes /var/mail/\n", "line 1: ");
	bad("external-inboxes /var/mail /var//mail\n", "line 1: ");
	bad("external-inboxes /var/../etc\n", "line 1: ");
	bad("external-inboxes /\n", "line 1: ");
	bad("external-inboxes\n", "line 1: ");
	bad("os-passwords maybe\n", "line 1: ");
	bad("user _cgnobody 5\n", "line 1: ");
	bad("\nsettings Main\n", "line 2: ");
	bad("settings Main { DomainName = \"open; }\n", "line 1: ");
	bad("settings Main { NoSuchThing = 1; }\n", "line 1: ");
	bad("settings Log { KeepFor = 1d; }\nsettings Log { KeepFor = 2d; }\n",
	    "line 2: ");
	bad("settings Main {\n}\nnonsense\n", "line 3: ");
	bad("settings Main {\n A = 1;\n B 2;\n}\n", "line 3: ");
	bad("settings Main {\n LogLevel = 3;\n B = 2;\n}\n", "line 3: B: ");
	bad("resolver dns.example.com\n", "line 1: ");
	bad("resolver 127.0.0.1:0\n", "line 1: ");
	bad("resolver 127.0.0.1,\n", "line 1: ");
	bad("hostname foo_bar!\n", "line 1: ");
}

static void
test_errors_show_what_stands_there(void **state)
{
	bad("bass /a   # no\n", "line 1: unknown word, see cgserver.conf(5), "
	    "in \"bass /a\"");
	bad("base\n", "line 1: it is: base DIRECTORY, in \"base\"");
	bad("listen FTP *:21\n", "line 1: no such module: there are SMTP, "
	    "POP, IMAP and PWD, in \"listen FTP *:21\"");
	bad("settings SMTP { MaxHops = many; }\n",
	    "line 1: MaxHops: a number is wanted, in \"settings SMTP\"");
	/* Not what is in a block: that may be a password. */
	bad("settings SMTP { ForwardPassword = a b; }\n",
	    "line 1: a ; was expected, in \"settings SMTP\"");
	bad("settings Account { }\n SyncUserPassword = \"s3cret\";\n}\n",
	    "line 2: unknown word, see cgserver.conf(5), "
	    "in \"SyncUserPassword\"");
	bad("settings Account SyncUserPassword = \"s3cret\";\n",
	    "line 1: it is: settings NAME { ... }, "
	    "in \"settings Account SyncUserPassword\"");
	bad("settings Account { }\n SyncUserPassword=\"s3cret\";\n",
	    "line 2: unknown word, see cgserver.conf(5), "
	    "in \"SyncUserPassword\"");
}

static void
test_resolver(void **state)
{
	static const char *const t[] = { "127.0.0.1", "127.0.0.1:5353",
		"::1", "[::1]", "[::1]:53", "192.0.2.1,2001:db8::1" };
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		char *line = xasprintf("resolver %s\n", t[i]);

		good(line);
		assert_string_equal(c.resolver, t[i]);
		conf_free(&c);
		free(line);
	}
}

static void
test_nul_byte(void **state)
{
	static const char text[] = "base /a\0b\n";
	char *err = NULL;

	assert_int_equal(conf_parse(&c, text, sizeof(text) - 1, &err), -1);
	free(err);
	conf_free(&c);
}

static void
test_files(void **state)
{
	char name[] = "/tmp/cg-conf.XXXXXX", *err = NULL;
	int fd = mkstemp(name);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "base x\n", 7), 7);
	assert_int_equal(conf_load(&c, name, true, &err), -1);
	assert_non_null(strstr(err, name));
	assert_non_null(strstr(err, "line 1"));
	free(err);
	conf_free(&c);
	close(fd);
	unlink(name);
	/* Missing: an error if it was asked for, the defaults if not. */
	assert_int_equal(conf_load(&c, name, true, &err), -1);
	free(err);
	conf_free(&c);
	assert_int_equal(conf_load(&c, name, false, &err), 0);
	conf_free(&c);
}

static void
test_users(void **state)
{
	char *err = NULL;

	good("user _cgauth 1234\nuser _cglog 5\nuser _cgroute 5\n"
	    "user _cgqueue 5\nuser _cgmail 5\nuser _cgsmtp 5\n"
	    "user _cgimap 5\nuser _cgpop 5\nuser _cgweb 5\n"
	    "user _cgadm 5\n");
	assert_int_equal(conf_find_users(&c, &err), 0);
	if (geteuid() == 0)
		assert_int_equal(conf_user_of(&c, PROC_AUTHD)->uid, 1234);
	else
		assert_int_equal(conf_user_of(&c, PROC_AUTHD)->uid, geteuid());
	conf_free(&c);
	if (geteuid() != 0)
		return;
	good("user _cgauth 0\n");
	assert_int_equal(conf_find_users(&c, &err), -1);
	free(err);
	conf_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_errors_name_the_line),
		cmocka_unit_test(test_errors_show_what_stands_there),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
