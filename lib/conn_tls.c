/*
 * What a TLS connection knows of its ends: its channel bindings (RFC 5929,
 * 9266) and the client's certificate.  Runs in the fronts.
 */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "buf.h"
#include "conn_int.h"

enum { EXPORTED = 32 };

/* RFC 9266; before TLS 1.3 it need not be of this connection alone. */
static bool
exporter(struct conn *c, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char key[EXPORTED];

	return SSL_version(c->ssl) == TLS1_3_VERSION &&
	    SSL_export_keying_material(c->ssl, key, sizeof(key), label,
		sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1 &&
	    buf_add(out, key, sizeof(key));
}

/* RFC 5929: our certificate by the digest that it is signed with. */
static bool
end_point(struct conn *c, struct buf *out)
{
	const X509 *cert = SSL_get_certificate(c->ssl);
	unsigned char sum[EVP_MAX_MD_SIZE];
	const EVP_MD *md = NULL;
	unsigned int len;
	int nid;

	if (cert == NULL)
		return false;
	if (X509_get_signature_info((X509 *)(uintptr_t)cert, &nid, NULL, NULL,
	    NULL) == 1)
		md = EVP_get_digestbynid(nid);
	if (md == NULL || nid == NID_md5 || nid == NID_sha1)
		md = EVP_sha256();
	return X509_digest(cert, md, sum, &len) == 1 && buf_add(out, sum, len);
}

bool
conn_binding(struct conn *c, struct str type, struct buf *out)
{
	if (c->tls != TLS_UP)
		return false;
	if (str_eq(type, "tls-exporter"))
		return exporter(c, out);
	if (str_eq(type, "tls-server-end-point"))
		return end_point(c, out);
	return false;
}

static bool
add_cert(struct buf *out, X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	bool ok;

	ok = len > 0 && buf_add(out, der, len);
	OPENSSL_free(der);
	return ok;
}

bool
conn_certs(struct conn *c, struct buf *out)
{
	STACK_OF(X509) *chain;
	X509 *cert;
	int i;

	if (c->tls != TLS_UP || (cert = SSL_get0_peer_certificate(c->ssl)) ==
	    NULL)
		return false;
	if (out == NULL)
		return true;
	if (!add_cert(out, cert))
		return false;
	/* A session that was resumed has its client's alone. */
	chain = SSL_get_peer_cert_chain(c->ssl);
	for (i = 0; i < sk_X509_num(chain); i++)
		if (!add_cert(out, sk_X509_value(chain, i)))
			return false;
	return true;
}
