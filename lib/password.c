/*
 * Stored passwords: telling the forms apart, checking, sealing.  Runs in
 * authd.  Never logs, never leaves clear text behind it in memory.
 */
#include <crypt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "password.h"
#include "rfc5322.h"

enum { NONCELEN = 12, TAGLEN = 16, MTA_SALTLEN = 32 };

static EVP_MD *md5, *sha1, *sha256;
static EVP_CIPHER *gcm;

bool
password_init(void)
{
	if (md5 != NULL)
		return true;
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	return md5 != NULL && sha1 != NULL && sha256 != NULL && gcm != NULL;
}

static bool
same(struct str a, struct str b)
{
	return a.len == b.len && CRYPTO_memcmp(a.p, b.p, a.len) == 0;
}

static struct str
after(struct str s, size_t n)
{
	return (struct str) { s.p + n, s.len - n };
}

enum password_form
password_form(struct str stored)
{
	if (stored.len == 0)
		return PASSWORD_NONE;
	switch (stored.p[0]) {
	case 2:
		return PASSWORD_ONEWAY;
	case 3:
		return PASSWORD_SEALED;
	}
	return (unsigned char)stored.p[0] < ' ' ? PASSWORD_VENDOR :
						  PASSWORD_CLEAR;
}

/* Up to four pieces, digested one after the other. */
static bool
digest(EVP_MD *md, const struct str *parts, size_t n, unsigned char *out,
    unsigned int *len)
{
	EVP_MD_CTX *ctx;
	bool ok;
	size_t i;

	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return false;
	ok = EVP_DigestInit_ex2(ctx, md, NULL) == 1;
	for (i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Does this digest, in hexadecimal of either case, say the same? */
static bool
same_hex(const unsigned char *sum, size_t len, struct str hex)
{
	static const char digits[] = "0123456789abcdef";
	char want[EVP_MAX_MD_SIZE * 2], have[EVP_MAX_MD_SIZE * 2];
	size_t i;

	if (hex.len != len * 2)
		return false;
	for (i = 0; i < len; i++) {
		want[i * 2] = digits[sum[i] >> 4];
		want[i * 2 + 1] = digits[sum[i] & 15];
	}
	for (i = 0; i < hex.len; i++)
		have[i] = hex.p[i] | (hex.p[i] >= 'A' && hex.p[i] <= 'F' ?
		    0x20 : 0);
	return CRYPTO_memcmp(want, have, hex.len) == 0;
}

static bool
check_crypt(struct str hash, struct str clear)
{
	struct crypt_data *data;
	char *pass, *setting, *made;
	bool ok = false;

	data = calloc(1, sizeof(*data));
	pass = str_dup(clear);
	setting = str_dup(hash);
	if (data != NULL && pass != NULL && setting != NULL &&
	    memchr(clear.p, '\0', clear.len) == NULL) {
		made = crypt_r(pass, setting, data);
		/* "*0" is crypt's failure; it must not match a "*0". */
		ok = made != NULL && made[0] != '*' &&
		    same(str_make(made), hash);
	}
	if (pass != NULL)
		explicit_bzero(pass, clear.len);
	if (data != NULL)
		explicit_bzero(data, sizeof(*data));
	free(pass);
	free(setting);
	free(data);
	return ok;
}

static bool
check_base64(EVP_MD *md, struct str hash, struct str clear)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct buf text;
	unsigned int len;
	bool ok;

	buf_init(&text, 0);
	ok = digest(md, &clear, 1, sum, &len) &&
	    base64_encode(&text, sum, len);
	while (hash.len > 0 && hash.p[hash.len - 1] == '=')
		hash.len--;
	while (text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	ok = ok && same((struct str) { text.p, text.len }, hash);
	buf_free(&text);
	return ok;
}

static bool
check_md5(struct str hash, struct str clear)
{
	return check_base64(md5, hash, clear);
}

static bool
check_sha(struct str hash, struct str clear)
{
	return check_base64(sha1, hash, clear);
}

/* Netscape's: MD5 of salt, Y, password, 0xF7, salt; then the salt itself. */
static bool
check_mta(struct str hash, struct str clear)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct str salt, parts[5];
	unsigned int len;

	if (hash.len != 2 * MTA_SALTLEN)
		return false;
	salt = after(hash, MTA_SALTLEN);
	parts[0] = parts[4] = salt;
	parts[1] = (struct str) { "Y", 1 };
	parts[2] = clear;
	parts[3] = (struct str) { "\xf7", 1 };
	if (!digest(md5, parts, 5, sum, &len))
		return false;
	hash.len = MTA_SALTLEN;
	return same_hex(sum, len, hash);
}

static const struct scheme {
	const char	*name;
	bool		(*check)(struct str hash, struct str clear);
} schemes[] = {
	{ "{crypt}",		check_crypt },
	{ "{WM-CRY}",		check_crypt },
	{ "{MD5}",		check_md5 },
	{ "{SHA}",		check_sha },
	{ "{NS-MTA-MD5}",	check_mta },
	{ "",			check_crypt }
};

/* The scheme of a one-way form; *hash is what stands behind its name. */
static const struct scheme *
scheme_of(struct str stored, struct str *hash)
{
	const struct scheme *s;
	size_t n;

	*hash = after(stored, 1);
	for (s = schemes;; s++) {
		n = strlen(s->name);
		if (hash->len < n || strncasecmp(hash->p, s->name, n) != 0)
			continue;
		*hash = after(*hash, n);
		return s;
	}
}

bool
password_slow(struct str stored)
{
	struct str hash;

	return password_form(stored) == PASSWORD_ONEWAY &&
	    scheme_of(stored, &hash)->check == check_crypt;
}

/* A letter of crypt's own base64; 64 for none. */
static unsigned int
crypt_digit(int c)
{
	static const char set[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz";
	const char *at = c > 0 ? strchr(set, c) : NULL;

	return at != NULL ? at - set : 64;
}

static bool
rounds_over(struct cur *c, uint64_t max)
{
	uint64_t n;

	if (!cur_lit(c, "rounds="))
		return false;		/* the default's */
	return !cur_u64(c, &n, UINT64_MAX) || n > max;
}

/* yescrypt: $y$, flags, the logarithm of N less one, r, ... */
static bool
yescrypt_over(struct cur *c, uint64_t max)
{
	unsigned int n, r;

	cur_skip(c, 1);
	n = crypt_digit(cur_get(c));
	r = crypt_digit(cur_get(c));
	return n > max || r > 31;
}

/* scrypt: $7$, the logarithm of N, five letters of r, ... */
static bool
scrypt_over(struct cur *c, uint64_t max)
{
	unsigned int n = crypt_digit(cur_get(c)), r = crypt_digit(cur_get(c));

	return n > max || r > 32 || !cur_lit(c, "...");
}

static bool
logarithm_over(struct cur *c, uint64_t max)
{
	uint64_t n;

	return !cur_u64(c, &n, UINT64_MAX) || n > max;
}

/* DES with a count of iterations: four letters, the lowest first. */
static bool
count_over(struct cur *c, uint64_t max)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < 24; i += 6)
		n |= (uint64_t)crypt_digit(cur_get(c)) << i;
	return n > max;
}

/* Each maximum takes about a second at most. */
static const struct {
	const char	*prefix;
	bool		(*over)(struct cur *, uint64_t max);
	uint64_t	 max;
} costs[] = {
	{ "$5$",	rounds_over,	1000000 },
	{ "$6$",	rounds_over,	1000000 },
	{ "$sha1$",	logarithm_over,	1000000 },
	{ "$md5,",	rounds_over,	100000 },
	{ "$2a$",	logarithm_over,	13 },
	{ "$2b$",	logarithm_over,	13 },
	{ "$2x$",	logarithm_over,	13 },
	{ "$2y$",	logarithm_over,	13 },
	{ "$y$",	yescrypt_over,	14 },
	{ "$gy$",	yescrypt_over,	14 },
	{ "$7$",	scrypt_over,	15 },
	{ "_",		count_over,	1000000 }
};

bool
password_costly(struct str stored)
{
	struct str hash;
	struct cur c;
	size_t i;

	if (password_form(stored) != PASSWORD_ONEWAY ||
	    scheme_of(stored, &hash)->check != check_crypt)
		return false;
	c = cur_make(hash.p, hash.len);
	for (i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		if (cur_lit(&c, costs[i].prefix))
			return costs[i].over(&c, costs[i].max);
	return false;
}

bool
password_verify(struct str stored, struct str clear,
    const struct password_key *key)
{
	struct str hash;
	struct buf own;
	bool ok;

	if (clear.len == 0 || clear.len > PASSWORD_MAX)
		return false;
	switch (password_form(stored)) {
	case PASSWORD_CLEAR:
		return same(stored, clear);
	case PASSWORD_ONEWAY:
		return scheme_of(stored, &hash)->check(hash, clear);
	case PASSWORD_SEALED:
		buf_init(&own, 0);
		ok = password_reveal(&own, stored, key) &&
		    same((struct str) { own.p, own.len }, clear);
		if (own.p != NULL)
			explicit_bzero(own.p, own.cap);
		buf_free(&own);
		return ok;
	case PASSWORD_NONE:
	case PASSWORD_VENDOR:
		break;
	}
	return false;
}

static bool
unseal(struct buf *out, const unsigned char *p, size_t len,
    const struct password_key *key)
{
	unsigned char clear[PASSWORD_MAX], tag[TAGLEN];
	EVP_CIPHER_CTX *ctx;
	int n, last;
	bool ok;

	if (len < NONCELEN + TAGLEN || len > NONCELEN + PASSWORD_MAX + TAGLEN)
		return false;
	if ((ctx = EVP_CIPHER_CTX_new()) == NULL)
		return false;
	memcpy(tag, p + len - TAGLEN, TAGLEN);
	ok = EVP_DecryptInit_ex2(ctx, gcm, key->k, p, NULL) == 1 &&
	    EVP_DecryptUpdate(ctx, clear, &n, p + NONCELEN,
		len - NONCELEN - TAGLEN) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAGLEN, tag) == 1 &&
	    EVP_DecryptFinal_ex(ctx, clear + n, &last) == 1 &&
	    buf_add(out, clear, n + last);
	EVP_CIPHER_CTX_free(ctx);
	explicit_bzero(clear, sizeof(clear));
	return ok;
}

bool
password_reveal(struct buf *out, struct str stored,
    const struct password_key *key)
{
	struct buf raw;
	bool ok;

	switch (password_form(stored)) {
	case PASSWORD_CLEAR:
		return buf_add(out, stored.p, stored.len);
	case PASSWORD_SEALED:
		break;
	default:
		return false;
	}
	if (!key->set)
		return false;
	buf_init(&raw, 0);
	ok = base64_decode(&raw, after(stored, 1)) == 0 &&
	    unseal(out, (unsigned char *)raw.p, raw.len, key);
	buf_free(&raw);
	return ok;
}

bool
password_seal(struct buf *out, struct str clear,
    const struct password_key *key)
{
	unsigned char raw[NONCELEN + PASSWORD_MAX + TAGLEN];
	EVP_CIPHER_CTX *ctx;
	int n, last;
	bool ok;

	if (!key->set || clear.len == 0 || clear.len > PASSWORD_MAX)
		return false;
	if (RAND_bytes(raw, NONCELEN) != 1)
		return false;
	if ((ctx = EVP_CIPHER_CTX_new()) == NULL)
		return false;
	ok = EVP_EncryptInit_ex2(ctx, gcm, key->k, raw, NULL) == 1 &&
	    EVP_EncryptUpdate(ctx, raw + NONCELEN, &n,
		(const unsigned char *)clear.p, clear.len) == 1 &&
	    EVP_EncryptFinal_ex(ctx, raw + NONCELEN + n, &last) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAGLEN,
		raw + NONCELEN + n + last) == 1 &&
	    buf_putc(out, 3) &&
	    base64_encode(out, raw, NONCELEN + n + last + TAGLEN);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

bool
password_crypt(struct buf *out, struct str clear)
{
	char random[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	char *pass, *made;
	bool ok = false;

	if (clear.len == 0 || clear.len > PASSWORD_MAX ||
	    memchr(clear.p, '\0', clear.len) != NULL)
		return false;
	if (RAND_bytes((unsigned char *)random, sizeof(random)) != 1 ||
	    crypt_gensalt_rn("$6$", 0, random, sizeof(random), setting,
		sizeof(setting)) == NULL)
		return false;
	data = calloc(1, sizeof(*data));
	pass = str_dup(clear);
	if (data != NULL && pass != NULL) {
		made = crypt_r(pass, setting, data);
		ok = made != NULL && made[0] != '*' && buf_putc(out, 2) &&
		    buf_puts(out, made);
	}
	if (pass != NULL)
		explicit_bzero(pass, clear.len);
	if (data != NULL)
		explicit_bzero(data, sizeof(*data));
	free(pass);
	free(data);
	return ok;
}

bool
password_random(struct buf *out, size_t wanted)
{
	static const char set[] = "abcdefghijkmnpqrstuvwxyz"
				  "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	const unsigned int fair = 256 - 256 % (sizeof(set) - 1);
	unsigned char c;

	while (wanted > 0) {
		if (RAND_bytes(&c, 1) != 1)
			return false;
		if (c >= fair)
			continue;
		if (!buf_putc(out, set[c % (sizeof(set) - 1)]))
			return false;
		wanted--;
	}
	return true;
}

bool
password_cram_md5(struct str clear, struct str challenge, struct str hex)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len;

	return HMAC(md5, clear.p, clear.len, (const unsigned char *)challenge.p,
		   challenge.len, sum, &len) != NULL &&
	    same_hex(sum, len, hex);
}

bool
password_apop(struct str clear, struct str challenge, struct str hex)
{
	struct str parts[2] = { challenge, clear };
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len;

	return digest(md5, parts, 2, sum, &len) && same_hex(sum, len, hex);
}

bool
password_mark(unsigned char mark[PASSWORD_MARKLEN],
    const unsigned char key[PASSWORD_KEYLEN], struct str clear)
{
	unsigned int len;

	return HMAC(sha256, key, PASSWORD_KEYLEN,
		   (const unsigned char *)clear.p, clear.len, mark,
		   &len) != NULL;
}
