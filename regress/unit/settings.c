/* The table of settings, and values in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "settings.h"

static struct val *
parse(const char *text)
{
	const char *err;

	return val_parse_all(text, strlen(text), &err);
}

static void
table(void **state)
{
	const struct setting *s;
	size_t i;

	for (i = 0; i < settings_count; i++) {
		s = &settings_table[i];
		assert_ptr_equal(settings_find(s->module, s->name), s);
		assert_true(s->help != NULL && *s->help != '\0');
		assert_true(s->min <= s->max);
	}
	assert_null(settings_find("SMTP", "maxRecipients"));
	assert_null(settings_find("", ""));
}

static void
defaults(void **state)
{
	const struct val *v;

	assert_int_equal(settings_int(NULL, "SMTP", "MaxRecipients"), 1000);
	assert_true(settings_int(NULL, "SMTP", "MaxMessageSize") == 30 << 20);
	assert_int_equal(settings_int(NULL, "POP", "InputTimeout"), 600);
	assert_int_equal(settings_int(NULL, "Main", "LogLevel"), 3);
	assert_true(settings_bool(NULL, "Main", "HideAccountUnknown"));
	assert_false(settings_bool(NULL, "Queue", "DirectorySync"));
	assert_string_equal(settings_text(NULL, "Queue", "OnFailureReturn"),
	    "headers by default");
	assert_string_equal(settings_text(NULL, "Protection", "ClientIPs"), "");
	assert_true(settings_int(NULL, "Account", "MaxAccountSize") == -1);
	assert_null(settings_value(NULL, "Domain", "IPAddresses"));
	v = dict_get(settings_value(NULL, "SMTP", "Listener"), "Ports");
	assert_int_equal(val_count(v), 3);
}

/* Where external INBOXes are. */
static void
files(void **state)
{
	static const char *const good[] = { "", "/var/mail/*", "/*",
		"/home/mail/x-*.box" }, *const bad[] = { "*", "var/mail/*",
		"/var/mail/", "/var/mail", "/var/*/inbox", "/var/mail/**",
		"/var/../mail/*", "/var/./*", "/var//mail/*", "/var/*/*",
		"/var/mail/.*", "/var/mail/*/" };
	const struct setting *s = settings_find("Domain", "ExternalLocation");
	struct val *v;
	char text[1024];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		v = val_string(good[i]);
		assert_null(settings_check(s, v));
		val_free(v);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v = val_string(bad[i]);
		if (settings_check(s, v) == NULL)
			fail_msg("%s is taken", bad[i]);
		val_free(v);
	}
	snprintf(text, sizeof(text), "/%0600d/*", 0);
	v = val_string(text);
	assert_non_null(settings_check(s, v));
	val_free(v);
}

static void
in_force(void **state)
{
	struct val *all = parse("{SMTP={MaxRecipients=20;MaxHops=x;"
	    "LogLevel=9;AdvertiseAUTH=nobody;MaxMessageSize=2M;};}");

	assert_int_equal(settings_int(all, "SMTP", "MaxRecipients"), 20);
	assert_int_equal(settings_int(all, "SMTP", "MaxHops"), 30);
	assert_int_equal(settings_int(all, "SMTP", "LogLevel"), 3);
	assert_int_equal(settings_int(all, "SMTP", "MaxMessageSize"), 2 << 20);
	assert_string_equal(settings_text(all, "SMTP", "AdvertiseAUTH"),
	    "nobody");
	val_free(all);
}

/* Somebody wrote the word into the file: no value, whatever the type. */
static void
default_word(void **state)
{
	struct val *all = parse("{SMTP={ForwardTo=Default;Listener=default;};"
	    "Router={Table=#NULL#;};Account={AccessModes=default;};}");
	const struct val *v;

	assert_string_equal(settings_text(all, "SMTP", "ForwardTo"), "");
	assert_ptr_equal(settings_value(all, "Router", "Table"),
	    settings_value(NULL, "Router", "Table"));
	v = dict_get(settings_value(all, "SMTP", "Listener"), "Ports");
	assert_int_equal(val_count(v), 3);
	assert_ptr_equal(settings_value(all, "Account", "AccessModes"),
	    settings_value(NULL, "Account", "AccessModes"));
	val_free(all);
}

static void
checks(void **state)
{
	static const struct {
		const char	*module, *name, *value;
		bool		 ok;
	} t[] = {
		{ "SMTP", "MaxHops", "30", true },
		{ "SMTP", "MaxHops", "4", false },
		{ "SMTP", "MaxHops", "1001", false },
		{ "SMTP", "MaxHops", "many", false },
		{ "SMTP", "MaxHops", "(30)", false },
		{ "SMTP", "LogLevel", "5", true },
		{ "SMTP", "LogLevel", "0", false },
		{ "SMTP", "MaxMessageSize", "unlimited", true },
		{ "Queue", "RetryEvery", "30m", true },
		{ "Queue", "DirectorySync", "maybe", false },
		{ "Queue", "DirectorySync", "True", true },
		{ "Queue", "OnFailureReturn", "\"Always Body\"", true },
		{ "Queue", "OnFailureReturn", "always", false },
		{ "Queue", "CopyReports", "\"a\\000b\"", false },
		{ "Account", "AccessModes", "(2,Mail,POP)", true },
		{ "Account", "AccessModes", "None", true },
		{ "Account", "AccessModes", "(Mail,(POP))", false },
		{ "Domain", "DomainAccessModes", "{Mail=YES;}", false },
		{ "Account", "FailedLoginFlow", "(10,1m)", true },
		{ "Account", "FailedLoginFlow", "often", false },
	};
	struct val *v;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		v = parse(t[i].value);
		if ((settings_check(settings_find(t[i].module, t[i].name),
			 v) == NULL) != t[i].ok)
			fail_msg("%s %s %s", t[i].module, t[i].name,
			    t[i].value);
		val_free(v);
	}
}

/* Is the page as the table is?  make man/settings.5 makes it so. */
static void
manual(void **state)
{
	static char page[262144];
	char item[64];
	FILE *f = fopen("man/settings.5", "r");
	size_t i;

	if (f == NULL)
		skip();
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (i = 0; i < settings_count; i++) {
		snprintf(item, sizeof(item), ".It Cm %s\n",
		    settings_table[i].name);
		if (strstr(page, item) == NULL)
			fail_msg("not in settings(5): %s",
			    settings_table[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(defaults),
		cmocka_unit_test(files),
		cmocka_unit_test(in_force),
		cmocka_unit_test(default_word),
		cmocka_unit_test(checks),
		cmocka_unit_test(manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
