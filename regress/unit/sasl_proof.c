/* The proofs of SCRAM and DIGEST-MD5: the vectors of the RFCs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "password.h"
#include "rfc5322.h"
#include "sasl.h"

static const char sha1_message[] =
    "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
static const char sha256_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

static void
decode(struct buf *b, const char *text)
{
	buf_init(b, 0);
	assert_int_equal(base64_decode(b, str_make(text)), 0);
}

static void
scram(bool sha256, const char *password, const char *salt,
    const char *message, const char *proof, const char *want)
{
	struct scram_keys k;
	struct buf s, p, final;

	decode(&s, salt);
	decode(&p, proof);
	buf_init(&final, 0);
	assert_true(password_scram_keys(&k, sha256, str_make(password),
	    (struct str){ s.p, s.len }, 4096));
	assert_int_equal(password_scram(&k, sha256, str_make(message),
	    (struct str){ p.p, p.len }, &final), want != NULL);
	if (want != NULL)
		assert_string_equal(final.p, want);
	else
		assert_int_equal(final.len, 0);
	buf_free(&s);
	buf_free(&p);
	buf_free(&final);
}

static void
rfc5802(void **state)
{
	const char *salt = "QSXCR+Q6sek8bf92";
	const char *proof = "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";

	scram(false, "pencil", salt, sha1_message, proof,
	    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
	scram(false, "Pencil", salt, sha1_message, proof, NULL);
	scram(true, "pencil", salt, sha1_message, proof, NULL);
	scram(false, "pencil", salt, sha1_message,
	    "V0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", NULL);
	scram(false, "pencil", salt, sha1_message + 1, proof, NULL);
	scram(false, "pencil", salt, sha1_message, "", NULL);
}

static void
rfc7677(void **state)
{
	const char *salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
	const char *proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

	scram(true, "pencil", salt, sha256_message, proof,
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	scram(true, "pencils", salt, sha256_message, proof, NULL);
	scram(false, "pencil", salt, sha256_message, proof, NULL);
}

/* One password, written in two ways. */
static void
saslprep(void **state)
{
	struct str salt = { "0123456789abcdef", 16 };
	struct scram_keys a, b;

	assert_true(password_scram_keys(&a, true, str_make("I\xc2\xadX"),
	    salt, 2));
	assert_true(password_scram_keys(&b, true, str_make("IX"), salt, 2));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(password_scram_keys(&a, true, str_make("\xe2\x85\xa8"),
	    salt, 2));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(password_scram_keys(&a, true, str_make("\xff\xfe"), salt,
	    2));
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_true(password_scram_keys(&a, true, str_make(""), salt, 2));
}

static void
rfc2831(void **state)
{
	static const char imap[] = "chris:elwood.innosoft.com\n"
	    "OA6MG9tEQGm2hh:OA6MHXh6VqTrRk\n"
	    "OA6MG9tEQGm2hh:00000001:OA6MHXh6VqTrRk:auth\n"
	    "imap/elwood.innosoft.com";
	static const char acap[] = "chris:elwood.innosoft.com\n"
	    "OA9BSXrbuRhWay:OA9BSuZWMSpW8m\n"
	    "OA9BSXrbuRhWay:00000001:OA9BSuZWMSpW8m:auth\n"
	    "acap/elwood.innosoft.com";
	struct str right = str_make("d388dad90d4bbd760a152321f2143af7");
	struct buf final;

	buf_init(&final, 0);
	assert_true(password_digest_md5(str_make("secret"), str_make(imap),
	    right, &final));
	assert_string_equal(final.p,
	    "rspauth=ea40f60335c427b5527b84dbabcdfffd");
	buf_reset(&final);
	assert_true(password_digest_md5(str_make("secret"), str_make(acap),
	    str_make("6084C6DB3FEDE7352C551284490FD0FC"), &final));
	assert_string_equal(final.p,
	    "rspauth=2f0b3d7c3c2e486600ef710726aa2eae");
	buf_reset(&final);
	assert_false(password_digest_md5(str_make("Secret"), str_make(imap),
	    right, &final));
	assert_false(password_digest_md5(str_make("secret"), str_make(acap),
	    right, &final));
	assert_false(password_digest_md5(str_make("secret"), str_make(""),
	    right, &final));
	assert_false(password_digest_md5(str_make("secret"), str_make(imap),
	    str_make("d388"), &final));
	assert_int_equal(final.len, 0);
	buf_free(&final);
}

static void
salts(void **state)
{
	unsigned char key[SASL_SALTKEY] = "k", a[SASL_SALT], b[SASL_SALT];
	char name[2000];

	assert_true(sasl_salt(a, key, true, "john@example.com"));
	assert_true(sasl_salt(b, key, true, "JOHN@Example.com"));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(sasl_salt(b, key, false, "john@example.com"));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(sasl_salt(b, key, true, "jon@example.com"));
	assert_memory_not_equal(a, b, sizeof(a));
	key[0]++;
	assert_true(sasl_salt(b, key, true, "john@example.com"));
	assert_memory_not_equal(a, b, sizeof(a));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_true(sasl_salt(b, key, true, name));
}

static void
latin1(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	assert_true(sasl_latin1(&b, str_make("J\xc3\xb6rg")));
	assert_string_equal(b.p, "J\xf6rg");
	buf_reset(&b);
	assert_true(sasl_latin1(&b, str_make("a\xc3\xb6\xe2\x82\xac")));
	assert_string_equal(b.p, "a\xc3\xb6\xe2\x82\xac");
	buf_reset(&b);
	assert_true(sasl_latin1(&b, str_make("a\xc3")));
	assert_string_equal(b.p, "a\xc3");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5802),
		cmocka_unit_test(rfc7677),
		cmocka_unit_test(saslprep),
		cmocka_unit_test(rfc2831),
		cmocka_unit_test(salts),
		cmocka_unit_test(latin1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
