/*
 * The suite's two secrets outside the base directory: the key that stored
 * passwords are sealed with (authd alone gets it) and the TLS key with its
 * certificate (the fronts get these).  Made at the first start; the TLS pair
 * is read again on SIGHUP.
 */
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cgserver.h"
#include "file.h"
#include "log.h"
#include "tls.h"

enum { KEY_BYTES = 32, PEM_MAX = 256 * 1024 };

static char		password_key[KEY_BYTES * 2 + 1];
static char		salt_key[KEY_BYTES * 2 + 1];
static struct buf	pem;

static int
make_password_key(void)
{
	unsigned char raw[KEY_BYTES];
	struct buf b;
	int i, r;

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return -1;
	buf_init(&b, 0);
	for (i = 0; i < KEY_BYTES; i++)
		buf_printf(&b, "%02x", raw[i]);
	buf_putc(&b, '\n');
	r = file_replace(AT_FDCWD, conf.password_key, 0600, b.p, b.len);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(b.p, b.len);
	buf_free(&b);
	return r;
}

static int
load_password_key(void)
{
	char *text;
	size_t len;

	if (access(conf.password_key, F_OK) == -1 && errno == ENOENT &&
	    make_password_key() == -1) {
		log_warn("%s", conf.password_key);
		return -1;
	}
	text = file_read(AT_FDCWD, conf.password_key, 1024, &len);
	if (text == NULL) {
		log_warn("%s", conf.password_key);
		return -1;
	}
	if (strspn(text, "0123456789abcdef") != KEY_BYTES * 2) {
		log_warnx("%s: %d hexadecimal digits are wanted",
		    conf.password_key, KEY_BYTES * 2);
		free(text);
		return -1;
	}
	memcpy(password_key, text, KEY_BYTES * 2);
	explicit_bzero(text, len);
	free(text);
	return 0;
}

/* SCRAM's salts: the same after each start, and nothing of the key in it. */
static int
make_salt_key(void)
{
	static const char label[] = "cgate: salts of SCRAM";
	unsigned char mac[EVP_MAX_MD_SIZE];
	int i;

	if (HMAC(EVP_sha256(), password_key, KEY_BYTES * 2,
	    (const unsigned char *)label, sizeof(label) - 1, mac, NULL) ==
	    NULL)
		return -1;
	for (i = 0; i < KEY_BYTES; i++)
		snprintf(salt_key + 2 * i, 3, "%02x", mac[i]);
	return 0;
}

/* A self-signed pair, where neither file is there. */
static int
make_tls(void)
{
	static const char cut[] = "-----BEGIN CERTIFICATE-----";
	struct buf b;
	char *cert;
	int r = -1;

	buf_init(&b, PEM_MAX);
	if (tls_selfsigned(conf.hostname, &b) == 0 &&
	    (cert = strstr(b.p, cut)) != NULL &&
	    file_replace(AT_FDCWD, conf.tls_key, 0600, b.p,
	    (size_t)(cert - b.p)) == 0 &&
	    file_replace(AT_FDCWD, conf.tls_cert, 0644, cert,
	    strlen(cert)) == 0)
		r = 0;
	if (r == -1)
		log_warn("%s: cannot make a self-signed certificate",
		    conf.tls_cert);
	else
		log_msg(LOG_MAJOR, "made a self-signed certificate for %s: %s",
		    conf.hostname, conf.tls_cert);
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	return r;
}

static int
load_tls(void)
{
	const char *const files[] = { conf.tls_key, conf.tls_cert };
	struct tls_ctx *try;
	struct buf fresh;
	size_t i, len;
	char *text;

	if (access(conf.tls_key, F_OK) == -1 &&
	    access(conf.tls_cert, F_OK) == -1 && make_tls() == -1)
		return -1;
	buf_init(&fresh, 2 * PEM_MAX);
	for (i = 0; i < 2; i++) {
		text = file_read(AT_FDCWD, files[i], PEM_MAX, &len);
		if (text == NULL) {
			log_warn("%s", files[i]);
			buf_free(&fresh);
			return -1;
		}
		buf_add(&fresh, text, len);
		buf_putc(&fresh, '\n');
		explicit_bzero(text, len);
		free(text);
	}
	/* A pair that does not fit must not reach the fronts. */
	if ((try = tls_server(fresh.p, fresh.len)) == NULL) {
		log_warnx("%s, %s: not a key and its certificate; what was "
		    "there before stays", conf.tls_key, conf.tls_cert);
		buf_free(&fresh);
		return -1;
	}
	tls_unref(try);
	buf_free(&pem);
	pem = fresh;
	return 0;
}

int
keys_load(void)
{
	if (password_key[0] == '\0' && (load_password_key() == -1 ||
	    make_salt_key() == -1))
		return -1;
	return load_tls();
}

int
keys_tls_fd(void)
{
	return file_memfd("tls", pem.p, pem.len);
}

const char *
keys_salt(void)
{
	return salt_key;
}

const char *
keys_password(void)
{
	return password_key;
}
