/*
 * Sealing by AES-256-GCM, in the broker.  The key is made at its start and
 * never leaves it; a serial is never used twice under one key.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string.h>

#include "log.h"
#include "seal.h"

enum { KEY = 32, NONCE = 12, TAG = SEAL_EXTRA };

static unsigned char	 key[KEY];
static EVP_CIPHER_CTX	*ctx;

void
seal_start(void)
{
	if (ctx == NULL)
		ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || RAND_bytes(key, sizeof(key)) != 1)
		fatalx("no key for idle sessions");
}

/* The cipher with its nonce, and all that is bound to it but not in it. */
static int
begin(const struct seal_id *id, int enc)
{
	unsigned char nonce[NONCE] = { 0 };
	uint32_t who[3] = { id->front, id->instance, id->number };
	int n;

	memcpy(nonce, &id->serial, sizeof(id->serial));
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce,
	    enc) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (void *)who, sizeof(who)) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (const void *)id->path,
	    (int)strlen(id->path)) != 1)
		return -1;
	return 0;
}

int
seal_close(const struct seal_id *id, const void *p, size_t len,
    struct buf *out)
{
	unsigned char *to;
	int n = 0, end;

	if (!buf_reserve(out, len + TAG) || begin(id, 1) == -1)
		return -1;
	to = (unsigned char *)out->p + out->len;
	if (EVP_CipherUpdate(ctx, to, &n, p, (int)len) != 1 ||
	    EVP_CipherFinal_ex(ctx, to + n, &end) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, to + n) != 1)
		return -1;
	out->len += n + TAG;
	out->p[out->len] = '\0';
	return 0;
}

int
seal_open(const struct seal_id *id, const void *p, size_t len,
    struct buf *out)
{
	unsigned char *to, tag[TAG];
	int n = 0, end;

	if (len < TAG || !buf_reserve(out, len) || begin(id, 0) == -1)
		return -1;
	len -= TAG;
	memcpy(tag, (const char *)p + len, TAG);
	to = (unsigned char *)out->p + out->len;
	if (EVP_CipherUpdate(ctx, to, &n, p, (int)len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1 ||
	    EVP_CipherFinal_ex(ctx, to + n, &end) != 1)
		return -1;
	out->len += n;
	out->p[out->len] = '\0';
	return 0;
}
