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

enum { KEY_BYTES = 32, PEM_MAX = 256 * 1024, ALL_MAX = 1024 * 1024 };

static char		password_key[KEY_BYTES * 2 + 1];
static char		salt_key[KEY_BYTES * 2 + 1];
static struct buf	pem;
static size_t		clients_at;	/* where TLS_CLIENTS stands in it */

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

static bool
add_file(struct buf *b, const char *path)
{
	size_t len;
	char *text = file_read(AT_FDCWD, path, PEM_MAX, &len);

	if (text == NULL) {
		log_warn("%s", path);
		return false;
	}
	buf_add(b, text, len);
	buf_putc(b, '\n');
	explicit_bzero(text, len);
	free(text);
	return true;
}

static const char *
stays(void)
{
	return pem.len > 0 ? "; what was there before stays" : "";
}

static bool
add_pair(struct buf *b, const char *key, const char *cert)
{
	size_t from = b->len;
	struct tls_ctx *try;

	buf_puts(b, TLS_PAIR "\n");
	if (!add_file(b, key) || !add_file(b, cert) || b->failed)
		return false;
	/* A pair that does not fit must not reach the fronts. */
	if ((try = tls_server(b->p + from, b->len - from)) == NULL) {
		log_warnx("%s, %s: not a key and its certificate%s", key, cert,
		    stays());
		return false;
	}
	tls_free(try);
	return true;
}

static bool
add_all(struct buf *b)
{
	struct tls_ctx *try;
	size_t i;

	if (!add_pair(b, conf.tls_key, conf.tls_cert))
		return false;
	for (i = 0; i < conf.ntls_more; i++)
		if (!add_pair(b, conf.tls_more[i].key, conf.tls_more[i].cert))
			return false;
	clients_at = b->len;
	if (conf.tls_clients != NULL) {
		buf_puts(b, TLS_CLIENTS "\n");
		if (!add_file(b, conf.tls_clients))
			return false;
	}
	if (b->failed || (try = tls_server(b->p, b->len)) == NULL) {
		log_warnx("keys and certificates cannot be used together%s",
		    stays());
		return false;
	}
	tls_free(try);
	return true;
}

static bool
no_pair(void)
{
	return access(conf.tls_key, F_OK) == -1 &&
	    access(conf.tls_cert, F_OK) == -1;
}

/* From who looks only, and is not who will start the server. */
static bool
hidden(const char *path)
{
	if (path == NULL || eaccess(path, R_OK) == 0 || errno != EACCES)
		return false;
	log_warn("%s: TLS is not checked", path);
	return true;
}

static bool
any_hidden(void)
{
	size_t i;

	if (hidden(conf.tls_key) || hidden(conf.tls_cert) ||
	    hidden(conf.tls_clients))
		return true;
	for (i = 0; i < conf.ntls_more; i++)
		if (hidden(conf.tls_more[i].key) ||
		    hidden(conf.tls_more[i].cert))
			return true;
	return false;
}

bool
keys_fit(void)
{
	struct buf b;
	bool ok;

	if (no_pair() || any_hidden())
		return true;
	buf_init(&b, ALL_MAX);
	ok = add_all(&b);
	if (b.p != NULL)
		explicit_bzero(b.p, b.cap);
	buf_free(&b);
	return ok;
}

static int
load_tls(void)
{
	size_t clients = clients_at;
	struct buf fresh;
	bool ok;

	if (no_pair() && make_tls() == -1)
		return -1;
	buf_init(&fresh, ALL_MAX);
	ok = add_all(&fresh);
	if (!ok)
		clients_at = clients;
	else {
		buf_free(&pem);
		pem = fresh;
		return 0;
	}
	if (fresh.p != NULL)
		explicit_bzero(fresh.p, fresh.cap);
	buf_free(&fresh);
	return -1;
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
keys_tls_fd(enum proc_id id)
{
	if (id != PROC_AUTHD)
		return file_memfd("tls", pem.p, pem.len);
	/* No key: only whose certificates are good. */
	return file_memfd("clients", pem.p + clients_at, pem.len - clients_at);
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
