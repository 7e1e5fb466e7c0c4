/*
 * Proofs that prove both ways: SCRAM (RFC 5802, 7677) and DIGEST-MD5 (RFC
 * 2831).  Used by authd alone; never logs, and leaves no clear text behind.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include "password.h"
#include "rfc5322.h"
#include "sasl.h"

enum { MD5_LEN = 16, MD5_HEX = 32, WIDE_MAX = 2 * PASSWORD_MAX };

static const EVP_MD *
md_of(bool sha256)
{
	return sha256 ? EVP_sha256() : EVP_sha1();
}

static size_t
len_of(bool sha256)
{
	return sha256 ? 32 : 20;
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

static bool
is_ascii(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* SASLprep (RFC 4013); what it forbids is taken as it is. */
static bool
prepare(struct buf *out, struct str s)
{
	UChar wide[WIDE_MAX], done[WIDE_MAX];
	UErrorCode err = U_ZERO_ERROR;
	UStringPrepProfile *profile;
	char text[WIDE_MAX];
	int32_t n;

	if (is_ascii(s) || s.len > PASSWORD_MAX)
		return buf_add(out, s.p, s.len);
	profile = usprep_openByType(USPREP_RFC4013_SASLPREP, &err);
	u_strFromUTF8(wide, WIDE_MAX, &n, s.p, (int32_t)s.len, &err);
	if (U_SUCCESS(err))
		n = usprep_prepare(profile, wide, n, done, WIDE_MAX,
		    USPREP_ALLOW_UNASSIGNED, NULL, &err);
	if (U_SUCCESS(err))
		u_strToUTF8(text, sizeof(text), &n, done, n, &err);
	if (U_SUCCESS(err))
		buf_add(out, text, n);
	else
		buf_add(out, s.p, s.len);
	if (profile != NULL)
		usprep_close(profile);
	explicit_bzero(wide, sizeof(wide));
	explicit_bzero(done, sizeof(done));
	explicit_bzero(text, sizeof(text));
	return !out->failed;
}

bool
password_scram_keys(struct scram_keys *k, bool sha256, struct str clear,
    struct str salt, unsigned int iterations)
{
	unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE];
	const EVP_MD *md = md_of(sha256);
	int len = (int)len_of(sha256);
	struct buf text;
	bool ok;

	memset(k, 0, sizeof(*k));
	buf_init(&text, 0);
	ok = prepare(&text, clear) &&
	    PKCS5_PBKDF2_HMAC(text.p, (int)text.len,
		(const unsigned char *)salt.p, (int)salt.len,
		(int)iterations, md, len, salted) == 1 &&
	    HMAC(md, salted, len, (const unsigned char *)"Client Key", 10,
		client, NULL) != NULL &&
	    HMAC(md, salted, len, (const unsigned char *)"Server Key", 10,
		k->server, NULL) != NULL &&
	    EVP_Digest(client, len, k->stored, NULL, md, NULL) == 1;
	wipe(&text);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return ok;
}

bool
password_scram(const struct scram_keys *k, bool sha256, struct str message,
    struct str proof, struct buf *final)
{
	unsigned char sign[EVP_MAX_MD_SIZE], sum[EVP_MAX_MD_SIZE];
	const unsigned char *text = (const unsigned char *)message.p;
	const EVP_MD *md = md_of(sha256);
	size_t len = len_of(sha256), i;

	if (proof.len != len || HMAC(md, k->stored, (int)len, text,
	    message.len, sign, NULL) == NULL)
		return false;
	for (i = 0; i < len; i++)
		sign[i] ^= (unsigned char)proof.p[i];
	if (EVP_Digest(sign, len, sum, NULL, md, NULL) != 1 ||
	    CRYPTO_memcmp(sum, k->stored, len) != 0 ||
	    HMAC(md, k->server, (int)len, text, message.len, sign, NULL) ==
	    NULL)
		return false;
	return buf_puts(final, "v=") && base64_encode(final, sign, len);
}

/* --- DIGEST-MD5 --- */

static bool
md5_hex(char hex[MD5_HEX + 1], const struct buf *b)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	int i;

	if (b->failed || EVP_Digest(b->p, b->len, sum, NULL, EVP_md5(),
	    NULL) != 1)
		return false;
	for (i = 0; i < MD5_LEN; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[MD5_HEX] = '\0';
	return true;
}

/* A1: the digest of user, realm and password, then the nonces. */
static bool
make_a1(char hex[MD5_HEX + 1], struct str clear, struct str user,
    struct str nonces)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	buf_add(&b, user.p, user.len);
	buf_putc(&b, ':');
	sasl_latin1(&b, clear);
	ok = !b.failed && EVP_Digest(b.p, b.len, sum, NULL, EVP_md5(),
	    NULL) == 1;
	wipe(&b);
	buf_init(&b, 0);
	buf_add(&b, sum, MD5_LEN);
	buf_putc(&b, ':');
	buf_add(&b, nonces.p, nonces.len);
	ok = ok && md5_hex(hex, &b);
	wipe(&b);
	explicit_bzero(sum, sizeof(sum));
	return ok;
}

/* The response to A2, which is a word and the URI. */
static bool
respond(char hex[MD5_HEX + 1], const char *a1, struct str count,
    const char *what, struct str uri)
{
	char a2[MD5_HEX + 1];
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	buf_puts(&b, what);
	buf_add(&b, uri.p, uri.len);
	ok = md5_hex(a2, &b);
	buf_reset(&b);
	buf_printf(&b, "%s:%.*s:%s", a1, (int)count.len, count.p, a2);
	ok = ok && md5_hex(hex, &b);
	buf_free(&b);
	return ok;
}

bool
password_digest_md5(struct str clear, struct str pieces, struct str hex,
    struct buf *final)
{
	struct cur c = cur_make(pieces.p, pieces.len);
	char a1[MD5_HEX + 1], want[MD5_HEX + 1], have[MD5_HEX + 1];
	struct str user, nonces, count, uri;
	size_t i;
	bool ok;

	user = cur_until(&c, "\n");
	cur_skip(&c, 1);
	nonces = cur_until(&c, "\n");
	cur_skip(&c, 1);
	count = cur_until(&c, "\n");
	cur_skip(&c, 1);
	uri = cur_until(&c, "\n");
	if (uri.len == 0 || hex.len != MD5_HEX)
		return false;
	for (i = 0; i < MD5_HEX; i++)
		have[i] = hex.p[i] | (hex.p[i] >= 'A' ? 0x20 : 0);
	ok = make_a1(a1, clear, user, nonces) &&
	    respond(want, a1, count, "AUTHENTICATE:", uri) &&
	    CRYPTO_memcmp(want, have, MD5_HEX) == 0 &&
	    respond(want, a1, count, ":", uri) &&
	    buf_printf(final, "rspauth=%s", want);
	explicit_bzero(a1, sizeof(a1));
	return ok;
}
