/* Any bytes as an SMTP session: commands, AUTH, texts, in pieces. */
#include "front_fake.h"

#define take	files_take
#include "smtpd/files.c"
#undef take
#define is_delimiter	binary_is_delimiter
#define push	binary_push
#define encode	binary_encode
#define type	binary_type
#define value	binary_value
#define take	binary_take
#include "smtpd/binary.c"
#undef take
#undef value
#undef type
#undef encode
#undef push
#undef is_delimiter
#include "smtpd/header.c"
#define step	body_step
#include "smtpd/body.c"
#undef step
#include "smtpd/param.c"
#include "smtpd/session.c"
#include "smtpd/command.c"
#include "smtpd/cmd_session.c"
#include "smtpd/cmd_mail.c"
#include "smtpd/data.c"
#include "smtpd/bdat.c"
#include "smtpd/auth.c"
#define name_routed etrn_name_routed
#include "smtpd/etrn.c"
#undef name_routed
#define tell	abuse_tell
#include "smtpd/abuse.c"
#undef tell
#include "smtpd/ban.c"
#define finish	origin_finish
#include "smtpd/origin.c"
#undef finish
#define step	verify_step
#define ask	verify_ask
#define refuse	verify_refuse
#define one_less verify_one_less
#include "smtpd/verify.c"
#undef ask
#define forget	look_forget
#define now	look_now
#define tell	look_tell
#define ask	look_ask
#define answered look_answered
#define found	look_found
#include "lib/lookup.c"

struct smtp_conf smtp_conf = {
	.max_size = 5000, .max_rcpts = 3, .max_errors = 10, .max_hops = 3,
	.force_auth = WHOM_NONCLIENTS, .wake_all = true
};

bool
smtp_is_for(const struct smtp *s, enum smtp_whom whom)
{
	return whom != WHOM_NOBODY;
}

/* What the DNS is asked, and what is limited, is the first byte's to say. */
static void
with_dns(uint8_t how)
{
	static struct val *names, *lines;
	struct smtp_conf *c = &smtp_conf;
	struct question *q;
	const char *err;

	if (names == NULL) {
		names = val_string("*.x.example\nmail.spam.example\n");
		if (rbl_parse(&c->rbls.v[0], str_make("bl.example")) &&
		    rbl_parse(&c->rbls.v[1], str_make("b2.example 10.0.0.1")))
			c->rbls.n = 2;
		lines = val_array();
		val_append(lines, val_string("Subject: *banned*"));
		banned = banned_make(lines, lines, &err);
	}
	flows[FRONT_MESSAGES] = flows[FRONT_RECIPIENTS] = flows[FRONT_ERRORS] =
	    (struct flow) { .max = 3, .seconds = how & 2 ? 60 : 0 };
	while ((q = TAILQ_FIRST(&kept)) != NULL)
		look_forget(q);
	if (nopen != 0)
		panic("a question was not answered");
	c->rbls.n = how & 16 ? 2 : 0;
	c->client_names = how & 32 ? names : NULL;
	c->black_names = c->white_names = how & 64 ? names : NULL;
	c->verify = c->reverse = how & 128 ? WHOM_NONCLIENTS : WHOM_NOBODY;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct iplist *all;
	int line;

	if (all == NULL)
		all = iplist_parse("192.0.2.1", &line);
	smtp_conf.black = len > 0 && data[0] & 8 ? all : NULL;
	with_dns(len > 0 ? data[0] : 0);
	fake_session(&smtp_front, data, len);
	if (files.expected != 0 || files.nwaiting != 0)
		panic("a transaction was not ended");
	return 0;
}
