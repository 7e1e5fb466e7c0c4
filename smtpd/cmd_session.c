/*
 * Commands that concern the session and not a message: greeting, STARTTLS,
 * RSET, NOOP, HELP, VRFY, EXPN, QUIT.  Runs in smtpd.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "idn.h"
#include "log.h"
#include "smtpd.h"

/*
 * What a client calls itself goes into Received, so it must be one word
 * without what means something there.  Beyond that any name will do: many
 * clients do not know theirs.
 */
static bool
greet(struct smtp *s, struct cur *c)
{
	struct str name = cur_until(c, " \t");
	char *copy;
	size_t i;

	cur_ws(c);
	for (i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f ||
		    strchr("()<>\"\\;,", name.p[i]) != NULL)
			break;
	if (name.len == 0 || name.len > SMTP_MAXHELO || i < name.len ||
	    cur_left(c) > 0) {
		smtp_error(s, "501 5.5.4 say your host's name");
		return false;
	}
	if ((copy = str_dup(name)) == NULL) {
		smtp_reply(s, "451 4.3.0 out of memory");
		return false;
	}
	smtp_reset(s);
	free(s->helo);
	s->helo = copy;
	s->helo_state = HELO_NEW;
	s->state = ST_READY;
	return true;
}

void
cmd_helo(struct smtp *s, struct cur *c)
{
	if (!greet(s, c))
		return;
	s->esmtp = false;
	smtp_reply(s, "250 %s", front_hostname());
}

static void
say_capabilities(struct smtp *s)
{
	struct buf b, mechs;

	buf_init(&b, 4096);
	buf_init(&mechs, 512);
	buf_printf(&b, "250-%s\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-DSN\r\n250-CHUNKING\r\n250-ETRN\r\n250-TURN\r\n"
	    "250-ATRN\r\n", front_hostname());
	if (smtp_conf.max_size > 0)
		buf_printf(&b, "250-SIZE %" PRIu64 "\r\n", smtp_conf.max_size);
	else
		buf_puts(&b, "250-SIZE\r\n");
	buf_puts(&b, "250-BINARYMIME\r\n");
	if (smtp_is_for(s, smtp_conf.advertise_8bit))
		buf_puts(&b, "250-8BITMIME\r\n250-SMTPUTF8\r\n");
	if (!s->front->tls && front_tls_ctx() != NULL)
		buf_puts(&b, "250-STARTTLS\r\n");
	if (s->front->tls)
		buf_puts(&b, "250-REQUIRETLS\r\n");
	sasl_list(&mechs, front_sasl_offers(s->front));
	if (s->account == NULL && mechs.len > 0 &&
	    smtp_is_for(s, smtp_conf.advertise_auth))
		buf_printf(&b, "250-AUTH%s\r\n", mechs.p);
	buf_puts(&b, "250 HELP\r\n");
	front_log(s->front, LOG_LOW, "rsp: 250 (capabilities)");
	conn_write(s->front->conn, b.p, b.len);
	buf_free(&mechs);
	buf_free(&b);
}

/* Now it is known whether he is a client. */
static void
ehlo_later(struct smtp *s)
{
	say_capabilities(s);
	smtp_go_on(s);
}

void
cmd_ehlo(struct smtp *s, struct cur *c)
{
	if (!greet(s, c))
		return;
	s->esmtp = true;
	if (s->origin != NULL && smtp_conf.client_names != NULL) {
		smtp_wait(s);
		origin_wait(s, ehlo_later);
	} else
		say_capabilities(s);
}

void
cmd_starttls(struct smtp *s, struct cur *c)
{
	if (s->front->tls) {
		smtp_error(s, "503 5.5.1 TLS is up already");
		return;
	}
	if (front_tls_ctx() == NULL) {
		smtp_error(s, "454 4.7.0 no TLS here");
		return;
	}
	smtp_reply(s, "220 2.0.0 ready for TLS");
	if (front_starttls(s->front) == -1)
		front_close(s->front);
}

void
cmd_rset(struct smtp *s, struct cur *c)
{
	smtp_reset(s);
	smtp_reply(s, "250 2.0.0 forgotten");
}

void
cmd_noop(struct smtp *s, struct cur *c)
{
	smtp_reply(s, "250 2.0.0 nothing done");
}

void
cmd_help(struct smtp *s, struct cur *c)
{
	struct buf b;

	buf_init(&b, 1024);
	smtp_help(&b);
	smtp_reply(s, "214 2.0.0%s", b.p);
	buf_free(&b);
}

/* ... SMTPUTF8, behind what is well-formed */
static bool
says_utf8(struct str s)
{
	static const char word[] = " SMTPUTF8";
	size_t n = sizeof(word) - 1;

	return utf8_valid(s) && s.len > n && str_caseeq(
	    (struct str){ s.p + s.len - n, n }, word);
}

void
cmd_vrfy(struct smtp *s, struct cur *c)
{
	struct str whom = { c->p, cur_left(c) };

	if (whom.len == 0)
		smtp_error(s, "501 5.5.4 say whom");
	else if (!utf8_is_ascii(whom) && !says_utf8(whom))
		smtp_error(s, "553 5.6.7 say SMTPUTF8, too");
	else
		smtp_reply(s, "252 2.1.5 send mail, and see");
}

void
cmd_expn(struct smtp *s, struct cur *c)
{
	smtp_error(s, "502 5.5.1 not here");
}

void
cmd_quit(struct smtp *s, struct cur *c)
{
	smtp_reply(s, "221 2.0.0 %s closes the connection", front_hostname());
	front_close(s->front);
}
