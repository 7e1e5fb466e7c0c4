/*
 * TLS contexts: made from a PEM text by each front, one a certificate.  Runs
 * in the fronts; it must never touch a file or keep the key's text.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "buf.h"
#include "log.h"
#include "tls.h"

/* All have forward secrecy; the cheaper of the strong ones come first. */
static const char suites13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
    "TLS_CHACHA20_POLY1305_SHA256";
static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";

enum {
	TLS_SESSION = 2 * 3600,	/* seconds a ticket is good */
	NAMES_MAX = 63
};

/* Further certificates, for other names. */
struct names {
	SSL_CTX	*ssl[NAMES_MAX];
	size_t	 count;
};

struct tls_ctx {
	SSL_CTX	*ssl;			/* of the first certificate */
};

/* A key behind a passphrase cannot be used: nobody is there to ask. */
static int
no_passphrase(char *p, int size, int rw, void *arg)
{
	return -1;
}

static const char *
reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_error());

	return s != NULL ? s : "unknown trouble";
}

static int
load_key(SSL_CTX *ctx, const char *pem, size_t len)
{
	EVP_PKEY *key;
	BIO *bio;
	int ok = 0;

	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return -1;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (key != NULL)
		ok = SSL_CTX_use_PrivateKey(ctx, key);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok == 1 ? 0 : -1;
}

static int
load_chain(SSL_CTX *ctx, const char *pem, size_t len)
{
	X509 *cert;
	BIO *bio;
	int n, ok = 1;

	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return -1;
	for (n = 0; ok == 1; n++) {
		cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		if (cert == NULL)
			break;
		ok = n == 0 ? SSL_CTX_use_certificate(ctx, cert) :
		    (int)SSL_CTX_add1_chain_cert(ctx, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	if (n > 0 && ok == 1)
		ERR_clear_error();	/* the end of the text is no error */
	return n > 0 && ok == 1 ? 0 : -1;
}

static SSL_CTX *
new_context(void)
{
	SSL_CTX *ctx;

	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, ciphers) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, suites13) != 1 ||
	    SSL_CTX_set_dh_auto(ctx, 1) != 1 ||
	    SSL_CTX_set_session_id_context(ctx, (const void *)"cgate",
	    5) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
	    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* One recv for a record, not one for its header and one more. */
	SSL_CTX_set_read_ahead(ctx, 1);
	/* Sessions live in the clients' tickets: any front can resume them. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TLS_SESSION);
	SSL_CTX_set_num_tickets(ctx, 1);
	return ctx;
}

/* --- several certificates --- */

/* Belongs to the first context, as connections do. */
static void
names_free(void *parent, void *p, CRYPTO_EX_DATA *ad, int idx, long argl,
    void *argp)
{
	struct names *n = p;
	size_t i;

	if (n == NULL)
		return;
	for (i = 0; i < n->count; i++)
		SSL_CTX_free(n->ssl[i]);
	free(n);
}

static int
names_index(void)
{
	static int idx = -1;

	if (idx == -1)
		idx = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL,
		    names_free);
	return idx;
}

static bool
is_for(SSL_CTX *ctx, const char *name)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx);

	return cert != NULL && X509_check_host(cert, name, 0, 0, NULL) == 1;
}

static int
choose(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *first = SSL_get_SSL_CTX(ssl);
	struct names *n = SSL_CTX_get_ex_data(first, names_index());
	size_t i;

	if (name == NULL || n == NULL || is_for(first, name))
		return SSL_TLSEXT_ERR_OK;
	for (i = 0; i < n->count; i++)
		if (is_for(n->ssl[i], name)) {
			SSL_set_SSL_CTX(ssl, n->ssl[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *
one_pair(const char *pem, size_t len)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	if (len > INT_MAX || (ctx = new_context()) == NULL) {
		log_warnx("TLS: no context: %s", reason());
		return NULL;
	}
	if (load_chain(ctx, pem, len) == -1 || load_key(ctx, pem, len) == -1 ||
	    SSL_CTX_check_private_key(ctx) != 1) {
		log_warnx("TLS: bad key or certificate: %s", reason());
		ERR_clear_error();
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Where a line with that text begins; or NULL. */
static const char *
find_line(const char *p, const char *end, const char *text)
{
	size_t n = strlen(text);

	while (p < end) {
		if ((size_t)(end - p) > n && memcmp(p, text, n) == 0 &&
		    p[n] == '\n')
			return p;
		if ((p = memchr(p, '\n', end - p)) == NULL)
			return NULL;
		p++;
	}
	return NULL;
}

const char *
tls_clients(const char *pem, size_t len, size_t *n)
{
	const char *end = pem + len;
	const char *p = find_line(pem, end, TLS_CLIENTS);

	if (p == NULL)
		return NULL;
	p += strlen(TLS_CLIENTS) + 1;
	*n = end - p;
	return p;
}

static bool
add_pair(struct tls_ctx *t, struct names *n, const char *p, size_t len)
{
	SSL_CTX *ctx = one_pair(p, len);

	if (ctx == NULL)
		return false;
	if (t->ssl == NULL)
		t->ssl = ctx;
	else if (n->count < NAMES_MAX)
		n->ssl[n->count++] = ctx;
	else {
		log_warnx("TLS: more than %d certificates", NAMES_MAX + 1);
		SSL_CTX_free(ctx);
		return false;
	}
	return true;
}

static bool
add_pairs(struct tls_ctx *t, struct names *n, const char *p, const char *end)
{
	const char *next, *from = find_line(p, end, TLS_PAIR);

	if (from == NULL)
		return add_pair(t, n, p, end - p);
	for (; from != NULL; from = next) {
		from += strlen(TLS_PAIR) + 1;
		next = find_line(from, end, TLS_PAIR);
		if (!add_pair(t, n, from,
		    (next != NULL ? next : end) - from))
			return false;
	}
	return true;
}

/* --- clients' certificates --- */

/*
 * A client with a certificate that is of no use here may still log in with a
 * password; that it has the key is checked elsewhere, and authd checks whose
 * certificate it is.
 */
static int
take_any(X509_STORE_CTX *ctx, void *arg)
{
	return 1;
}

static bool
ask_clients(SSL_CTX *ctx, const char *pem, size_t len)
{
	X509 *cert;
	BIO *bio;
	int n, ok = 1;

	if (len > INT_MAX || (bio = BIO_new_mem_buf(pem, (int)len)) == NULL)
		return false;
	for (n = 0; ok == 1; n++) {
		cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		if (cert == NULL)
			break;
		ok = SSL_CTX_add_client_CA(ctx, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n == 0 || ok != 1) {
		log_warnx("TLS: no certificates of clients' authorities");
		return false;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
	return true;
}

static bool
fill(struct tls_ctx *t, struct names *n, const char *pem, size_t len)
{
	size_t nca = 0, i;
	const char *ca = tls_clients(pem, len, &nca), *end = pem + len;

	if (ca != NULL)
		end = ca - strlen(TLS_CLIENTS) - 1;
	if (!add_pairs(t, n, pem, end))
		return false;
	if (ca == NULL)
		return true;
	for (i = 0; i < n->count; i++)
		if (!ask_clients(n->ssl[i], ca, nca))
			return false;
	return ask_clients(t->ssl, ca, nca);
}

struct tls_ctx *
tls_server(const char *pem, size_t len)
{
	struct tls_ctx *t = xcalloc(1, sizeof(*t));
	struct names *n = xcalloc(1, sizeof(*n));
	bool ok;

	ok = fill(t, n, pem, len);
	if (ok && n->count > 0) {
		ok = SSL_CTX_set_ex_data(t->ssl, names_index(), n) == 1;
		SSL_CTX_set_tlsext_servername_callback(t->ssl, choose);
	}
	if (!ok || n->count == 0)
		names_free(NULL, n, NULL, 0, 0, NULL);
	if (!ok) {
		SSL_CTX_free(t->ssl);
		free(t);
		return NULL;
	}
	return t;
}

bool
tls_ticket_key(struct tls_ctx *t, const void *key)
{
	unsigned char copy[TLS_TICKETKEY];
	bool ok;

	/* Tickets are the first context's, whichever was chosen. */
	memcpy(copy, key, sizeof(copy));
	ok = SSL_CTX_set_tlsext_ticket_keys(t->ssl, copy, sizeof(copy)) == 1;
	explicit_bzero(copy, sizeof(copy));
	return ok;
}

void
tls_free(struct tls_ctx *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ssl);
	free(t);
}

void *
tls_ssl(struct tls_ctx *t)
{
	SSL *ssl = SSL_new(t->ssl);

	if (ssl != NULL)
		SSL_set_accept_state(ssl);
	return ssl;
}

/* --- a certificate for the first start --- */

static int
add_ext(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return -1;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? 0 : -1;
}

/* OpenSSL reads the alternative name as a list: only a plain name may go. */
static bool
plain_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

static int
fill_cert(X509 *cert, EVP_PKEY *key, const char *name)
{
	char alt[80];
	X509_NAME *subject;
	BIGNUM *bn;
	int ok = 0;

	snprintf(alt, sizeof(alt), "DNS:%s", name);
	subject = X509_get_subject_name(cert);
	bn = BN_new();
	if (bn != NULL && BN_rand(bn, 127, BN_RAND_TOP_ONE, 0) == 1)
		ok = BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) !=
		    NULL;
	BN_free(bn);
	if (!ok || X509_set_version(cert, 2) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(cert), 3652, 0, NULL) ==
	    NULL || X509_set_pubkey(cert, key) != 1 ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	    (const void *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, subject) != 1)
		return -1;
	if (add_ext(cert, NID_basic_constraints, "critical,CA:TRUE") == -1 ||
	    add_ext(cert, NID_subject_key_identifier, "hash") == -1 ||
	    add_ext(cert, NID_subject_alt_name, alt) == -1)
		return -1;
	return X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : -1;
}

static int
write_pem(struct buf *pem, EVP_PKEY *key, X509 *cert)
{
	char *text;
	long len;
	BIO *bio;
	int rv = -1;

	/* A secure-memory BIO is wiped when it goes. */
	bio = BIO_new(BIO_s_secmem());
	if (bio == NULL)
		return -1;
	if (PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ==
	    1 && PEM_write_bio_X509(bio, cert) == 1 &&
	    (len = BIO_get_mem_data(bio, &text)) > 0 &&
	    buf_add(pem, text, len))
		rv = 0;
	BIO_free(bio);
	return rv;
}

int
tls_selfsigned(const char *name, struct buf *pem)
{
	EVP_PKEY *key;
	X509 *cert;
	int rv = -1;

	if (!plain_name(name)) {
		log_warnx("TLS: no certificate can be made for '%s'", name);
		return -1;
	}
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	if (key != NULL && cert != NULL && fill_cert(cert, key, name) == 0)
		rv = write_pem(pem, key, cert);
	if (rv == -1)
		log_warnx("TLS: no certificate made: %s", reason());
	X509_free(cert);
	EVP_PKEY_free(key);
	return rv;
}
