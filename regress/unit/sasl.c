/* SASL: each mechanism's conversation, and conversations that go wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rfc5322.h"
#include "sasl.h"

static char answer[2048];

static void
begin(struct sasl *sa, const char *mech)
{
	const struct sasl_mech *m = sasl_find(str_make(mech));

	assert_non_null(m);
	sasl_start(sa, m, "mail.example.com");
}

/* A step; what is to be sent comes back decoded. */
static enum sasl_result
step(struct sasl *sa, const char *line)
{
	struct buf out, dec;
	enum sasl_result r;

	buf_init(&out, 0);
	buf_init(&dec, 0);
	r = sasl_step(sa, line, &out);
	if (out.len > 0)
		assert_int_equal(base64_decode(&dec,
		    (struct str){ out.p, out.len }), 0);
	snprintf(answer, sizeof(answer), "%s", dec.p != NULL ? dec.p : "");
	buf_free(&out);
	buf_free(&dec);
	return r;
}

static const char *
enc(const void *p, size_t len)
{
	static char line[4096];
	struct buf b;

	buf_init(&b, 0);
	base64_encode(&b, p, len);
	snprintf(line, sizeof(line), "%s", b.p != NULL ? b.p : "");
	buf_free(&b);
	return line;
}

#define ENC(s)	enc(s, sizeof(s) - 1)

static void
plain(void **state)
{
	struct sasl sa;
	char big[3000];

	begin(&sa, "plain");
	assert_int_equal(step(&sa, ENC("\0john\0secret")), SASL_DONE);
	assert_string_equal(sa.name, "john");
	assert_string_equal(sa.authz, "");
	assert_string_equal(sa.secret, "secret");
	assert_int_equal(sa.secretlen, 6);
	sasl_wipe(&sa);
	assert_int_equal(sa.secret[0], 0);

	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_string_equal(answer, "");
	assert_int_equal(step(&sa, ENC("admin\0john\0s")), SASL_DONE);
	assert_string_equal(sa.authz, "admin");

	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, ENC("john\0secret")), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, ENC("\0john\0s\0x")), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, ENC("\0\0s")), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, "="), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, "%%%"), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, "*"), SASL_CANCEL);
	memset(big, 'a', sizeof(big));
	big[0] = big[5] = '\0';
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, enc(big, 6 + 1024)), SASL_DONE);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, enc(big, 6 + 1025)), SASL_BAD);
	begin(&sa, "PLAIN");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa, NULL), SASL_BAD);
}

static void
login(void **state)
{
	struct sasl sa;

	begin(&sa, "LOGIN");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_string_equal(answer, "Username:");
	assert_int_equal(step(&sa, ENC("john")), SASL_MORE);
	assert_string_equal(answer, "Password:");
	assert_int_equal(step(&sa, ENC("secret")), SASL_DONE);
	assert_string_equal(sa.name, "john");
	assert_string_equal(sa.secret, "secret");

	begin(&sa, "LOGIN");
	assert_int_equal(step(&sa, ENC("john")), SASL_MORE);
	assert_string_equal(answer, "Password:");
	assert_int_equal(step(&sa, ENC("secret")), SASL_DONE);
	begin(&sa, "LOGIN");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa, ""), SASL_BAD);
	begin(&sa, "LOGIN");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa, ENC("a\0b")), SASL_BAD);
}

static void
cram(void **state)
{
	struct sasl sa;
	char first[513];

	begin(&sa, "CRAM-MD5");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_string_equal(answer, sa.challenge);
	assert_int_equal(answer[0], '<');
	assert_non_null(strstr(answer, "@mail.example.com>"));
	assert_int_equal(step(&sa,
	    ENC("tim smith b913a602c7eda7a495b4e6e7334d3890")), SASL_DONE);
	assert_string_equal(sa.name, "tim smith");
	assert_string_equal(sa.secret, "b913a602c7eda7a495b4e6e7334d3890");
	snprintf(first, sizeof(first), "%s", sa.challenge);

	begin(&sa, "CRAM-MD5");
	assert_string_not_equal(first, sa.challenge);
	assert_int_equal(step(&sa, ENC("tim b913")), SASL_BAD);
	begin(&sa, "CRAM-MD5");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa,
	    ENC(" b913a602c7eda7a495b4e6e7334d3890")), SASL_BAD);
	begin(&sa, "CRAM-MD5");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa,
	    ENC("tim b913a602c7eda7a495b4e6e7334d389g")), SASL_BAD);
}

static void
names(void **state)
{
	struct buf b;
	char tiny[60], host[600];

	buf_init(&b, 0);
	sasl_list(&b, true);
	assert_string_equal(b.p, " PLAIN LOGIN CRAM-MD5");
	buf_reset(&b);
	sasl_list(&b, false);
	assert_string_equal(b.p, " CRAM-MD5");
	buf_free(&b);
	assert_null(sasl_find(str_make("GSSAPI")));
	assert_null(sasl_find(str_make("")));
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	sasl_challenge(tiny, sizeof(tiny), host);
	assert_int_equal(tiny[strlen(tiny) - 1], '>');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(login),
		cmocka_unit_test(cram),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
