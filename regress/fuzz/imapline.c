/* Any bytes as an IMAP session up to the login, in pieces. */
#include "front_fake.h"

#include "imapd/client.c"
#include "imapd/command.c"
#include "imapd/input.c"
#include "imapd/login.c"

struct imapd_conf imapd_conf = { .max_errors = 10, .timeout = 60 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fake_session(&imapd_front, data, len);
	return 0;
}
