/*
 * Logging in at a host that relays for us (manual 29): CRAM-MD5 where it is
 * offered; the password itself only inside TLS.  Runs in smtpd's sending
 * role.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "conn.h"
#include "rfc5322.h"
#include "send.h"

const char *
login_name(const struct chan *c)
{
	return c->wake != NULL ? send_conf.wake_name : send_conf.name;
}

static const char *
login_password(const struct chan *c)
{
	return c->wake != NULL ? send_conf.wake_password : send_conf.password;
}

/* Never logged, and wiped. */
static void
say_secret(struct chan *c, const char *before, const struct buf *plain)
{
	struct buf b;

	buf_init(&b, 0);
	buf_puts(&b, before);
	base64_encode(&b, plain->p == NULL ? "" : plain->p, plain->len);
	buf_puts(&b, "\r\n");
	conn_write(c->conn, b.p, b.len);
	explicit_bzero(b.p, b.len);
	buf_free(&b);
}

static void
say_text(struct chan *c, const char *before, const char *text)
{
	struct buf b;

	buf_init(&b, 0);
	buf_puts(&b, text);
	say_secret(c, before, &b);
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
}

static void
say_plain(struct chan *c)
{
	struct buf b;

	buf_init(&b, 0);
	buf_putc(&b, '\0');
	buf_puts(&b, login_name(c));
	buf_putc(&b, '\0');
	buf_puts(&b, login_password(c));
	say_secret(c, "AUTH PLAIN ", &b);
	explicit_bzero(b.p, b.len);
	buf_free(&b);
}

static bool
say_digest(struct chan *c, const char *challenge)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len, i;
	struct buf in, out;
	bool ok;

	buf_init(&in, 0);
	buf_init(&out, 0);
	ok = base64_decode(&in, str_make(challenge)) == 0 &&
	    HMAC(EVP_md5(), login_password(c), strlen(login_password(c)),
	    (const unsigned char *)in.p, in.len, sum, &len) != NULL;
	if (ok) {
		buf_printf(&out, "%s ", login_name(c));
		for (i = 0; i < len; i++)
			buf_printf(&out, "%02x", sum[i]);
		say_secret(c, "", &out);
	}
	buf_free(&in);
	buf_free(&out);
	return ok;
}

static void
no_way(struct chan *c)
{
	struct outcome o;

	outcome_set(&o, LATER, "4.7.0", "%s offers no safe way to log in",
	    c->addr->host);
	chan_end(c, &o);
}

void
login_start(struct chan *c)
{
	bool secret = conn_is_tls(c->conn);

	c->lines = 0;
	c->login_step = 0;
	if (c->caps & CAP_CRAM)
		conn_printf(c->conn, "AUTH CRAM-MD5\r\n");
	else if (secret && c->caps & CAP_PLAIN)
		say_plain(c);
	else if (secret && c->caps & CAP_LOGIN)
		conn_printf(c->conn, "AUTH LOGIN\r\n");
	else
		no_way(c);
}

bool
login_reply(struct chan *c, const struct reply *r, struct outcome *o)
{
	char before[600];

	if (r->code == 334 && c->caps & CAP_CRAM && c->login_step == 0 &&
	    say_digest(c, r->text)) {
		c->login_step++;
		return false;
	}
	if (r->code == 334 && !(c->caps & CAP_CRAM) && c->login_step < 2) {
		say_text(c, "", c->login_step++ == 0 ? login_name(c) :
		    login_password(c));
		return false;
	}
	snprintf(before, sizeof(before), "%s does not let us in: ",
	    c->addr->host);
	reply_outcome(o, r, before);
	if (r->code == 334)
		o->verdict = LATER;
	return true;
}
