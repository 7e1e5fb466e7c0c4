/* TLS contexts: certificates, bad ones, old protocols, resumption. */
#include <sys/socket.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#include "buf.h"
#include "log.h"
#include "tls.h"

static struct buf	pem;

static int
make_pem(void **state)
{
	buf_init(&pem, 0);
	return tls_selfsigned("mail.example.com", &pem);
}

static int
free_pem(void **state)
{
	buf_free(&pem);
	return 0;
}

/* Shakes hands in memory; false if they will not. */
static bool
shake(struct tls_ctx *ctx, SSL *c)
{
	SSL *s = tls_ssl(ctx);
	int sv[2], i, a = 0, b = 0;
	char x;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv), 0);
	SSL_set_fd(s, sv[0]);
	SSL_set_fd(c, sv[1]);
	for (i = 0; i < 10 && (a != 1 || b != 1); i++) {
		a = SSL_connect(c);
		b = SSL_accept(s);
	}
	if (b == 1 && SSL_write(s, "x", 1) == 1)
		SSL_read(c, &x, 1);	/* tickets come along */
	/* An SSL that goes without it takes its session along. */
	SSL_shutdown(c);
	ERR_clear_error();
	SSL_free(s);
	close(sv[0]);
	close(sv[1]);
	return a == 1 && b == 1;
}

static void
certificate(void **state)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key;
	X509 *cert;

	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	assert_non_null(key);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(cert);
	assert_int_equal(X509_check_host(cert, "mail.example.com", 0, 0, NULL),
	    1);
	assert_int_equal(X509_check_host(cert, "example.com", 0, 0, NULL), 0);
	assert_int_equal(X509_verify(cert, key), 1);
	assert_int_equal(EVP_PKEY_get_base_id(key), EVP_PKEY_EC);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

static void
bad_names(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(tls_selfsigned("", &b), -1);
	assert_int_equal(tls_selfsigned("a,DNS:b", &b), -1);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
bad_pems(void **state)
{
	struct buf other;
	char *cert = strstr(pem.p, "-----BEGIN CERT");
	size_t keylen = cert - pem.p;

	assert_null(tls_server("", 0));
	assert_null(tls_server("nonsense", 8));
	assert_null(tls_server(pem.p, keylen));
	assert_null(tls_server(cert, pem.len - keylen));
	assert_null(tls_server(pem.p, pem.len / 2));
	/* Another's key. */
	buf_init(&other, 0);
	tls_selfsigned("x.example", &other);
	buf_add(&other, "", 0);
	other.len = strstr(other.p, "-----BEGIN CERT") - other.p;
	buf_add(&other, cert, pem.len - keylen);
	assert_null(tls_server(other.p, other.len));
	buf_free(&other);
}

static void
versions(void **state)
{
	struct tls_ctx *ctx = tls_server(pem.p, pem.len);
	SSL_CTX *cc = SSL_CTX_new(TLS_client_method());
	SSL *c;
	static const struct {
		int	version;
		bool	ok;
	} t[] = { { TLS1_1_VERSION, false }, { TLS1_2_VERSION, true },
		{ TLS1_3_VERSION, true } };
	size_t i;

	SSL_CTX_set_security_level(cc, 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		c = SSL_new(cc);
		SSL_set_min_proto_version(c, t[i].version);
		SSL_set_max_proto_version(c, t[i].version);
		assert_int_equal(shake(ctx, c), t[i].ok);
		SSL_free(c);
	}
	SSL_CTX_free(cc);
	tls_free(ctx);
}

static SSL_SESSION *kept;

static int
keep(SSL *c, SSL_SESSION *s)
{
	SSL_SESSION_free(kept);
	kept = s;
	return 1;
}

/* Two processes with one ticket key: what one gave, the other takes. */
static void
resumption(void **state)
{
	struct tls_ctx *one = tls_server(pem.p, pem.len);
	struct tls_ctx *two = tls_server(pem.p, pem.len);
	unsigned char key[TLS_TICKETKEY] = "key";
	SSL_CTX *cc = SSL_CTX_new(TLS_client_method());
	int v;
	SSL *c;

	SSL_CTX_set_session_cache_mode(cc, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(cc, keep);
	assert_true(tls_ticket_key(one, key));
	assert_true(tls_ticket_key(two, key));
	for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		SSL_CTX_set_min_proto_version(cc, v);
		SSL_CTX_set_max_proto_version(cc, v);
		c = SSL_new(cc);
		assert_true(shake(one, c));
		assert_false(SSL_session_reused(c));
		SSL_free(c);
		assert_non_null(kept);
		c = SSL_new(cc);
		SSL_set_session(c, kept);
		assert_true(shake(two, c));
		assert_true(SSL_session_reused(c));
		SSL_free(c);
	}
	SSL_SESSION_free(kept);
	SSL_CTX_free(cc);
	tls_free(one);
	tls_free(two);
}

/* --- several certificates --- */

/* Whose certificate does a client get that asks for this name? */
static void
shown(struct tls_ctx *ctx, const char *asked, const char *want)
{
	SSL_CTX *cc = SSL_CTX_new(TLS_client_method());
	SSL *c = SSL_new(cc);
	X509 *cert;

	if (asked != NULL)
		SSL_set_tlsext_host_name(c, asked);
	assert_true(shake(ctx, c));
	assert_non_null(cert = SSL_get0_peer_certificate(c));
	assert_int_equal(X509_check_host(cert, want, 0, 0, NULL), 1);
	SSL_free(c);
	SSL_CTX_free(cc);
}

static void
names(void **state)
{
	static const char *const more[] = { "a.example", "b.example" };
	struct tls_ctx *ctx;
	struct buf all;
	size_t i, n;

	buf_init(&all, 0);
	buf_puts(&all, TLS_PAIR "\n");
	buf_puts(&all, pem.p);
	for (i = 0; i < 2; i++) {
		buf_puts(&all, TLS_PAIR "\n");
		assert_int_equal(tls_selfsigned(more[i], &all), 0);
	}
	assert_null(tls_clients(all.p, all.len, &n));
	assert_non_null(ctx = tls_server(all.p, all.len));
	shown(ctx, "a.example", "a.example");
	shown(ctx, "B.EXAMPLE", "b.example");
	shown(ctx, "c.example", "mail.example.com");
	shown(ctx, "mail.example.com", "mail.example.com");
	shown(ctx, NULL, "mail.example.com");
	tls_free(ctx);
	/* One that does not fit spoils all. */
	assert_null(tls_server(all.p, all.len - 100));
	buf_puts(&all, TLS_PAIR "\n");
	assert_null(tls_server(all.p, all.len));
	buf_free(&all);
}

static void
too_many(void **state)
{
	struct tls_ctx *ctx;
	struct buf all;
	int i;

	buf_init(&all, 0);
	for (i = 0; i < 64; i++) {
		buf_puts(&all, TLS_PAIR "\n");
		buf_puts(&all, pem.p);
	}
	assert_non_null(ctx = tls_server(all.p, all.len));
	tls_free(ctx);
	buf_puts(&all, TLS_PAIR "\n");
	buf_puts(&all, pem.p);
	assert_null(tls_server(all.p, all.len));
	buf_free(&all);
}

/* Any certificate is taken, and none is. */
static void
clients(void **state)
{
	SSL_CTX *cc = SSL_CTX_new(TLS_client_method());
	const char *cert = strstr(pem.p, "-----BEGIN CERT");
	struct tls_ctx *ctx;
	struct buf all, own;
	EVP_PKEY *key;
	X509 *x;
	BIO *bio;
	size_t n;
	SSL *c;

	buf_init(&all, 0);
	buf_puts(&all, pem.p);
	buf_puts(&all, TLS_CLIENTS "\n");
	assert_null(tls_server(all.p, all.len));
	buf_puts(&all, cert);
	assert_string_equal(tls_clients(all.p, all.len, &n), cert);
	assert_int_equal(n, strlen(cert));
	assert_non_null(ctx = tls_server(all.p, all.len));
	c = SSL_new(cc);
	assert_true(shake(ctx, c));
	assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(c)), 1);
	SSL_free(c);
	buf_init(&own, 0);
	assert_int_equal(tls_selfsigned("stranger", &own), 0);
	bio = BIO_new_mem_buf(own.p, (int)own.len);
	c = SSL_new(cc);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_int_equal(SSL_use_certificate(c, x), 1);
	assert_int_equal(SSL_use_PrivateKey(c, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	assert_true(shake(ctx, c));
	SSL_free(c);
	BIO_free(bio);
	SSL_CTX_free(cc);
	tls_free(ctx);
	buf_free(&own);
	buf_free(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(bad_pems),
		cmocka_unit_test(versions),
		cmocka_unit_test(resumption),
		cmocka_unit_test(names),
		cmocka_unit_test(too_many),
		cmocka_unit_test(clients),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("TLS", -1, 0);
	return cmocka_run_group_tests(tests, make_pem, free_pem);
}
