/*
 * Any bytes as a message somebody gives to sendmail, and as a file of
 * Submitted/.  Nothing is written: there is no base directory.
 */
#include <stdlib.h>
#include <string.h>

#include "cgmail/draft.c"
#include "qfile.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

const char *
base_dir(void)
{
	return "/nonexistent";
}

const char *
login_name(void)
{
	return "ann";
}

const char *
full_name(void)
{
	return "Ann \"A\" O'Fuzz";
}

static void
as_draft(const char *p, size_t size, bool t)
{
	struct cur c = cur_make(p, size);
	struct draft d = { .dir = -1, .from_header = t };
	struct str line;

	draft_start(&d);
	draft_rcpts(&d, "a@b, c@d");
	while (cur_line(&c, &line))
		draft_line(&d, line.p, line.len);
	if (draft_finish(&d) == EX_OK)
		abort();
	draft_drop(&d);
}

static void
as_sub(const char *p, size_t size, bool trusted)
{
	struct subfile_by by = {
		.domain = "x.example", .login = "ann", .trusted = trusted
	};
	const char *why;
	struct subfile f;
	struct buf env;
	size_t i;

	if (subfile_parse(&f, (struct str) { p, size }, &by, &why) == -1)
		return;
	if (f.nrcpts == 0 || f.sender == NULL || f.body > size ||
	    memchr(f.header.p, '\r', f.header.len) != NULL)
		abort();
	buf_init(&env, 0);
	qfile_from(&env, 0, f.sender, f.ret, f.envid);
	for (i = 0; i < f.nrcpts; i++)
		qfile_rcpt(&env, 0, f.rcpts[i], f.notify, NULL);
	buf_free(&env);
	subfile_free(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;

	as_draft(p, size, false);
	as_draft(p, size, true);
	as_sub(p, size, false);
	as_sub(p, size, true);
	return 0;
}
