/* SASL: lines of a hostile client, to each mechanism. */
#include <stdlib.h>
#include <string.h>

#include "password.h"
#include "sasl.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
binding(void *arg, struct str type, struct buf *out)
{
	return type.len > 5 && buf_puts(out, "bound");
}

/* authd takes the front's word for nothing. */
static void
check(const struct sasl *sa)
{
	struct str secret = { sa->secret, sa->secretlen };
	struct str all = str_make(sa->challenge);
	struct scram_keys keys = { { 1 }, { 2 } };
	struct buf final;

	if ((sa->name[0] == '\0' && strcmp(sa->mech->name, "EXTERNAL") != 0) ||
	    strlen(sa->name) >= sizeof(sa->name) ||
	    sa->secretlen >= sizeof(sa->secret))
		abort();
	buf_init(&final, 64);
	if (password_scram(&keys, sa->secretlen == 32, all, secret, &final))
		abort();
	(void)password_digest_md5(secret, all, secret, &final);
	buf_free(&final);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct cur c = cur_make(p, len);
	struct str s;
	static const unsigned char key[SASL_SALTKEY];
	const struct sasl_env env = { .host = "x.example", .saltkey = key,
		.binding = binding };
	struct sasl sa;
	struct buf out;
	enum sasl_result r;
	char *line;
	int which;

	which = cur_get(&c);
	if (which == -1)
		return 0;
	sasl_start(&sa, &sasl_mechs[which % 11], &env);
	buf_init(&out, 0);
	r = which & 0x80 ? sasl_step(&sa, NULL, &out) : SASL_MORE;
	while (r == SASL_MORE && cur_line(&c, &s)) {
		if ((line = str_dup(s)) == NULL)
			break;
		r = sasl_step(&sa, line, &out);
		free(line);
	}
	if (r == SASL_DONE)
		check(&sa);
	buf_free(&out);
	sasl_wipe(&sa);
	return 0;
}
