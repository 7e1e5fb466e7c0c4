/* Any bytes as a POP session up to the login, in pieces. */
#include "front_fake.h"

#include "pop3d/client.c"
#include "pop3d/command.c"
#include "pop3d/login.c"

struct pop_conf pop_conf = { .max_errors = 10, .timeout = 60 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fake_session(&pop_front, data, len);
	return 0;
}
