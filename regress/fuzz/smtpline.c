/* Any bytes as an SMTP session: commands, AUTH, texts, in pieces. */
#include "front_fake.h"

#define take	files_take
#include "smtpd/files.c"
#undef take
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
#include "smtpd/etrn.c"

struct smtp_conf smtp_conf = {
	.max_size = 5000, .max_rcpts = 3, .max_errors = 10, .max_hops = 3,
	.force_auth = WHOM_NONCLIENTS, .wake_all = true
};

bool
smtp_is_for(const struct smtp *s, enum smtp_whom whom)
{
	return whom != WHOM_NOBODY;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct iplist *all;
	int line;

	if (all == NULL)
		all = iplist_parse("192.0.2.1", &line);
	smtp_conf.black = len > 0 && data[0] & 8 ? all : NULL;
	fake_session(&smtp_front, data, len);
	if (files.expected != 0 || files.nwaiting != 0)
		panic("a transaction was not ended");
	return 0;
}
