/* SASL: each mechanism's conversation, and conversations that go wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>
#include <cmocka.h>

#include "rfc5322.h"
#include "sasl.h"

static char answer[2048];

static bool
binding(void *arg, struct str type, struct buf *out)
{
	return str_eq(type, "tls-exporter") && buf_puts(out, "bound");
}

static const unsigned char key[SASL_SALTKEY];
static struct sasl_env env = {
	.host = "mail.example.com", .saltkey = key, .binding = binding
};

static void
begin(struct sasl *sa, const char *mech)
{
	const struct sasl_mech *m = sasl_find(str_make(mech));

	assert_non_null(m);
	sasl_start(sa, m, &env);
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
	strlcpy(answer, dec.p != NULL ? dec.p : "", sizeof(answer));
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
	strlcpy(first, sa.challenge, sizeof(first));

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

/* --- SCRAM --- */

static char nonce[600];

/* Up to the server's first message, whose nonce is kept. */
static void
scram_first(struct sasl *sa, const char *mech, const char *first)
{
	const char *end;

	begin(sa, mech);
	assert_int_equal(step(sa, enc(first, strlen(first))), SASL_MORE);
	assert_int_equal(strncmp(answer, "r=fyko", 6), 0);
	assert_non_null(end = strchr(answer, ','));
	assert_true(str_copy((struct str){ answer + 2, end - answer - 2 },
	    nonce, sizeof(nonce)));
	assert_true(strlen(nonce) > 4 + 24);
	assert_non_null(strstr(end, ",i=10000"));
}

static enum sasl_result
scram_final(struct sasl *sa, const char *bound, const char *end)
{
	char text[1024];

	snprintf(text, sizeof(text), "c=%s,r=%s%s", bound, nonce, end);
	return step(sa, enc(text, strlen(text)));
}

#define PROOF1	",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define PROOF256 ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void
scram(void **state)
{
	char want[4096], first[600];
	struct sasl sa;

	env.offers = 0;
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	assert_string_equal(sa.name, "user");
	snprintf(want, sizeof(want), "n=user,r=fyko,%s,c=biws,r=%s", answer,
	    nonce);
	strlcpy(first, nonce, sizeof(first));
	assert_int_equal(scram_final(&sa, "biws", PROOF1), SASL_DONE);
	assert_string_equal(sa.challenge, want);
	assert_int_equal(sa.secretlen, 20);

	scram_first(&sa, "SCRAM-SHA-256", "y,a=bo=2Cb,n=u=3D=2Cr,r=fyko,x=y");
	assert_string_not_equal(first, nonce);
	assert_string_equal(sa.name, "u=,r");
	assert_string_equal(sa.authz, "bo,b");
	assert_int_equal(scram_final(&sa, "eSxhPWJvPTJDYiw=",
	    ",x=new" PROOF256), SASL_DONE);
	assert_int_equal(sa.secretlen, 32);

	begin(&sa, "SCRAM-SHA-256");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_string_equal(answer, "");
	assert_int_equal(step(&sa, ENC("n,,n=user,r=fyko")), SASL_MORE);
}

/* What is not this conversation's. */
static void
scram_untrue(void **state)
{
	struct sasl sa;

	env.offers = 0;
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "eSws", PROOF1), SASL_NO);
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	nonce[10]++;
	assert_int_equal(scram_final(&sa, "biws", PROOF1), SASL_NO);
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	nonce[30] = '\0';
	assert_int_equal(scram_final(&sa, "biws", PROOF1), SASL_NO);
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "biws", PROOF256), SASL_BAD);
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "biws", ""), SASL_BAD);
	scram_first(&sa, "SCRAM-SHA-1", "n,,n=user,r=fyko");
	assert_int_equal(step(&sa, ""), SASL_BAD);
}

static void
scram_bound(void **state)
{
	static const char *const plus = "SCRAM-SHA-256-PLUS";
	struct sasl sa;

	env.offers = SASL_BOUND;
	scram_first(&sa, plus, "p=tls-exporter,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "cD10bHMtZXhwb3J0ZXIsLGJvdW5k",
	    PROOF256), SASL_DONE);
	scram_first(&sa, plus, "p=tls-exporter,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "cD10bHMtZXhwb3J0ZXIsLGJvdW5l",
	    PROOF256), SASL_NO);
	scram_first(&sa, plus, "p=tls-exporter,,n=user,r=fyko");
	assert_int_equal(scram_final(&sa, "cD10bHMtZXhwb3J0ZXIsLA==",
	    PROOF256), SASL_NO);
	begin(&sa, plus);
	assert_int_equal(step(&sa, ENC("p=tls-unique,,n=user,r=fyko")),
	    SASL_NO);
	begin(&sa, plus);
	assert_int_equal(step(&sa, ENC("n,,n=user,r=fyko")), SASL_BAD);
	begin(&sa, plus);
	assert_int_equal(step(&sa, ENC("y,,n=user,r=fyko")), SASL_NO);
	/* Somebody has cut -PLUS out of the list. */
	begin(&sa, "SCRAM-SHA-256");
	assert_int_equal(step(&sa, ENC("y,,n=user,r=fyko")), SASL_NO);
	scram_first(&sa, "SCRAM-SHA-256", "n,,n=user,r=fyko");
	begin(&sa, "SCRAM-SHA-256");
	assert_int_equal(step(&sa, ENC("p=tls-exporter,,n=user,r=fyko")),
	    SASL_BAD);
	env.offers = 0;
}

static void
scram_nonsense(void **state)
{
	static const char *const firsts[] = {
		"", ",", "n", "n,", "n,,", "n,,n=user", "n,,n=user,",
		"n,,n=user,r=", "n,,n=,r=fyko", "n,,r=fyko", "n,n=user,r=fyko",
		"n,,n=us=er,r=fyko", "n,,n=us=2,r=fyko", "n,a=,n=user,r=fyko",
		"n,,m=x,n=user,r=fyko", "n,,n=user,r=fy ko", "x,,n=user,r=fyko",
		"n,x=y,n=user,r=fyko", "nn,,n=user,r=fyko", "n,,n=user,r=\xff"
	};
	struct sasl sa;
	char big[4096];
	size_t i;

	for (i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		begin(&sa, "SCRAM-SHA-1");
		assert_int_equal(step(&sa, enc(firsts[i],
		    strlen(firsts[i]))), SASL_BAD);
	}
	begin(&sa, "SCRAM-SHA-1");
	assert_int_equal(step(&sa, ENC("n,,n=us\0er,r=fyko")), SASL_BAD);
	snprintf(big, sizeof(big), "n,,n=%0513d,r=fyko", 0);
	begin(&sa, "SCRAM-SHA-1");
	assert_int_equal(step(&sa, enc(big, strlen(big))), SASL_BAD);
	snprintf(big, sizeof(big), "n,,n=user,r=%0257d", 0);
	begin(&sa, "SCRAM-SHA-1");
	assert_int_equal(step(&sa, enc(big, strlen(big))), SASL_BAD);
	snprintf(big, sizeof(big), "n,,n=user,r=%0256d,x=%01600d", 0, 0);
	begin(&sa, "SCRAM-SHA-1");
	assert_int_equal(step(&sa, enc(big, strlen(big))), SASL_BAD);
}

/* --- DIGEST-MD5 --- */

static enum sasl_result
digest(struct sasl *sa, const char *reply)
{
	const char *p, *at = strchr(reply, '%');
	char text[3072];

	begin(sa, "DIGEST-MD5");
	assert_int_equal(step(sa, NULL), SASL_MORE);
	assert_non_null(p = strstr(answer, "nonce=\""));
	assert_true(str_copy((struct str){ p + 7, strcspn(p + 7, "\"") },
	    nonce, sizeof(nonce)));
	assert_non_null(strstr(answer, "realm=\"mail.example.com\""));
	assert_non_null(strstr(answer, "qop=\"auth\""));
	snprintf(text, sizeof(text), "%.*s%s%s", at != NULL ?
	    (int)(at - reply) : 0, reply, at != NULL ? nonce : "",
	    at != NULL ? at + 1 : reply);
	return step(sa, enc(text, strlen(text)));
}

#define HEX	"d388dad90d4bbd760a152321f2143af7"
#define REST	"cnonce=\"c\",nc=00000001,qop=auth," \
		"digest-uri=\"imap/h\",response=" HEX

static void
digest_md5(void **state)
{
	char want[2048];
	struct sasl sa;

	assert_int_equal(digest(&sa, "charset=utf-8,username=\"ch\\\"ris\","
	    "realm=\"mail.example.com\",nonce=\"%\"," REST ",maxbuf=65536"),
	    SASL_DONE);
	assert_string_equal(sa.name, "ch\"ris");
	snprintf(want, sizeof(want), "ch\"ris:mail.example.com\n%s:c\n"
	    "%s:00000001:c:auth\nimap/h", nonce, nonce);
	assert_string_equal(sa.challenge, want);
	assert_string_equal(sa.secret, HEX);

	assert_int_equal(digest(&sa, "username=\"J\xf6rg\",realm=other.com, "
	    ",nonce=\"%\"," REST ",authzid=\"me\""), SASL_DONE);
	assert_string_equal(sa.name, "J\xc3\xb6rg@other.com");
	assert_string_equal(sa.authz, "me");
	snprintf(want, sizeof(want), "J\xf6rg:other.com\n%s:c:me\n", nonce);
	assert_int_equal(strncmp(sa.challenge, want, strlen(want)), 0);

	assert_int_equal(digest(&sa, "charset=utf-8,username=\"J\xc3\xb6rg\","
	    "nonce=\"%\"," REST), SASL_DONE);
	assert_int_equal(strncmp(sa.challenge, "J\xf6rg:\n", 6), 0);
}

static void
digest_wrong(void **state)
{
	static const char *const bad[] = {
		"", "username", "username=", "username=\"a", "nonce=\"%\"",
		"username=\"a\",nonce=\"%\",cnonce=\"c\",nc=00000001,"
		"digest-uri=\"imap/h\",response=" HEX "0",
		"username=\"a\",nonce=\"%\",cnonce=\"c\",nc=00000001,"
		"digest-uri=\"imap/h\",response=" "z" HEX,
		"username=\"a\",username=\"a\",nonce=\"%\"," REST,
		"username=\"a\nb\",nonce=\"%\"," REST,
		"username=\"a\\",
		"username=\"a\" x,nonce=\"%\"," REST,
		"charset=iso-8859-1,username=\"a\",nonce=\"%\"," REST,
	};
	struct sasl sa;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(digest(&sa, bad[i]), SASL_BAD);
	assert_int_equal(digest(&sa, "username=\"a\",nonce=\"%x\"," REST),
	    SASL_NO);
	assert_int_equal(digest(&sa, "username=\"a\",nonce=\"%\","
	    "cnonce=\"c\",nc=00000002,digest-uri=\"i/h\",response=" HEX),
	    SASL_NO);
	assert_int_equal(digest(&sa, "username=\"a\",nonce=\"%\",qop=auth-int,"
	    "cnonce=\"c\",nc=00000001,digest-uri=\"i/h\",response=" HEX),
	    SASL_BAD);
	begin(&sa, "DIGEST-MD5");
	assert_int_equal(step(&sa, ENC("username=\"a\"")), SASL_BAD);
}

static void
external(void **state)
{
	struct sasl sa;

	begin(&sa, "EXTERNAL");
	assert_int_equal(step(&sa, "="), SASL_DONE);
	assert_string_equal(sa.authz, "");
	begin(&sa, "EXTERNAL");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_int_equal(step(&sa, ENC("ann")), SASL_DONE);
	assert_string_equal(sa.authz, "ann");
	begin(&sa, "EXTERNAL");
	assert_int_equal(step(&sa, ENC("a\0b")), SASL_BAD);
}

/* What a client says at once: plain text in, the result out. */
static enum sasl_result
token(struct sasl *sa, const char *mech, const char *text, size_t len)
{
	enum sasl_result r;
	struct buf line;

	begin(sa, mech);
	buf_init(&line, 0);
	assert_true(base64_encode(&line, text, len));
	r = step(sa, line.p);
	buf_free(&line);
	return r;
}

#define TOKEN(sa, mech, text) token(sa, mech, text, sizeof(text) - 1)

static void
tokens(void **state)
{
	struct sasl sa;

	assert_int_equal(TOKEN(&sa, "OAUTHBEARER", "n,a=us=2Cer=3D@x,\001"
	    "host=h\001port=993\001auth=bEaReR vF9dft4qmTc2.-_~+/=\001\001"),
	    SASL_DONE);
	assert_string_equal(sa.name, "us,er=@x");
	assert_string_equal(sa.secret, "vF9dft4qmTc2.-_~+/=");
	assert_int_equal(TOKEN(&sa, "XOAUTH2", "user=a@x\001auth=Bearer t"
	    "\001\001"), SASL_DONE);
	assert_string_equal(sa.name, "a@x");
	assert_string_equal(sa.secret, "t");
	/* Asked for first. */
	begin(&sa, "XOAUTH2");
	assert_int_equal(step(&sa, NULL), SASL_MORE);
	assert_string_equal(answer, "");
	assert_non_null(strstr(sasl_oauth_refusal(sa.mech), "401"));
}

static void
tokens_nonsense(void **state)
{
	static const char *const bad[] = {
		"", "n", "n,,", "n,a=u", "n,a=u,", "n,a=u,\001",
		"n,,\001auth=Bearer t\001\001",
		"n,a=,\001auth=Bearer t\001\001",
		"p=x,a=u,\001auth=Bearer t\001\001",
		"n,a=u,\001\001",
		"n,a=u,\001auth=Basic t\001\001",
		"n,a=u,\001auth=Bearer \001\001",
		"n,a=u,\001auth=Bearer a b\001\001",
		"n,a=u,\001auth=Bearer t\001",
		"n,a=u,\001auth=Bearer t",
		"n,a=u,\001auth=Bearer t\001\001x",
		"n,a=u,\001=x\001auth=Bearer t\001\001",
		"n,a=u,\001auth\001\001",
		"user=\001auth=Bearer t\001\001",
		"user=u\001\001", "user=u", "auth=Bearer t\001\001",
	};
	struct sasl sa;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(token(&sa, "OAUTHBEARER", bad[i],
		    strlen(bad[i])), SASL_BAD);
		assert_int_equal(token(&sa, "XOAUTH2", bad[i],
		    strlen(bad[i])), SASL_BAD);
	}
	assert_int_equal(TOKEN(&sa, "OAUTHBEARER", "n,a=u\0v,\001auth=Bearer t"
	    "\001\001"), SASL_BAD);
	assert_int_equal(TOKEN(&sa, "XOAUTH2", "user=u\0\001auth=Bearer t"
	    "\001\001"), SASL_BAD);
}

static void
names(void **state)
{
	struct buf b;
	char tiny[60], host[600];

	buf_init(&b, 0);
	sasl_list(&b, SASL_CLEAR_OK | SASL_SECURE);
	assert_string_equal(b.p, " PLAIN LOGIN CRAM-MD5 DIGEST-MD5 "
	    "SCRAM-SHA-1 SCRAM-SHA-256");
	buf_reset(&b);
	sasl_list(&b, SASL_SECURE);
	assert_string_equal(b.p, " CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 "
	    "SCRAM-SHA-256");
	buf_reset(&b);
	sasl_list(&b, SASL_SECURE | SASL_BOUND | SASL_CERT);
	assert_string_equal(b.p, " CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 "
	    "SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS EXTERNAL");
	buf_reset(&b);
	sasl_list(&b, SASL_TOKENS);
	assert_string_equal(b.p, " OAUTHBEARER XOAUTH2");
	buf_reset(&b);
	sasl_list(&b, SASL_CLEAR_OK | SASL_BOUND);
	assert_string_equal(b.p, " PLAIN LOGIN");
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
		cmocka_unit_test(scram),
		cmocka_unit_test(scram_untrue),
		cmocka_unit_test(scram_bound),
		cmocka_unit_test(scram_nonsense),
		cmocka_unit_test(digest_md5),
		cmocka_unit_test(digest_wrong),
		cmocka_unit_test(external),
		cmocka_unit_test(tokens),
		cmocka_unit_test(tokens_nonsense),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
