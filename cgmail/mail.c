/*
 * mail, for shell scripts and people: the message is standard input, all
 * else stands in the arguments (manual 57).  It sends; it does not read mail.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgmail.h"
#include "rfc5322.h"

struct words {
	struct buf	 to, cc;
};

static void
usage(void)
{
	quit(EX_USAGE, "usage: mail [-iInv] [-d base-directory] [-s subject] "
	    "[-f from] [-c cc] [-b bcc] to ...");
}

static void
list(struct buf *b, const char *addrs)
{
	if (b->len > 0)
		buf_puts(b, ", ");
	buf_puts(b, addrs);
}

static void
add(struct draft *d, const char *addrs)
{
	if (strpbrk(addrs, "\r\n") != NULL || !draft_rcpts(d, addrs))
		quit(EX_DATAERR, "%s is no list of addresses", addrs);
}

static void
line(struct draft *d, const char *name, const char *value)
{
	char *text;

	if (value == NULL || *value == '\0')
		return;
	text = xasprintf("%s: %s", name, value);
	draft_line(d, text, strlen(text));
	free(text);
}

/* In UTF-8 and base64 if it is not plain ASCII (RFC 2047). */
static void
subject(struct draft *d, const char *s)
{
	struct buf b;
	size_t n, len = strlen(s);

	buf_init(&b, 65536);
	for (n = 0; n < len && s[n] >= ' ' && s[n] < 0x7f; n++)
		;
	if (n == len)
		buf_puts(&b, s);
	for (; n < len; s += n, len -= n, n = 0) {
		/* Encoded words hold 45 bytes, and end between characters. */
		for (n = len < 45 ? len : 45; n < len && n > 40 &&
		    (s[n] & 0xc0) == 0x80; n--)
			;
		buf_puts(&b, b.len == 0 ? "=?UTF-8?B?" : "\n =?UTF-8?B?");
		base64_encode(&b, s, n);
		buf_puts(&b, "?=");
		if (n == len)
			break;
	}
	if (b.failed)
		quit(EX_DATAERR, "the subject is too long");
	line(d, "Subject", b.p);
	buf_free(&b);
}

static void
body(struct draft *d)
{
	bool tty = isatty(STDIN_FILENO);
	char *text = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&text, &size, stdin)) != -1) {
		if (n > 0 && text[n - 1] == '\n')
			n--;
		if (tty && n == 1 && *text == '.')
			break;
		draft_line(d, text, n);
	}
	if (ferror(stdin))
		quit(EX_IOERR, "the message cannot be read");
	free(text);
}

int
mail_main(int argc, char **argv)
{
	struct draft d = { .dir = -1 };
	const char *subj = NULL;
	struct words w;
	int ch, status;

	draft_start(&d);
	buf_init(&w.to, 65536);
	buf_init(&w.cc, 65536);
	while ((ch = getopt(argc, argv, "iInvd:s:f:r:c:b:")) != -1)
		switch (ch) {
		case 'd':
			base_arg = optarg;
			break;
		case 's':
			subj = optarg;
			break;
		case 'f':
		case 'r':
			d.from = optarg;
			break;
		case 'c':
			add(&d, optarg);
			list(&w.cc, optarg);
			break;
		case 'b':
			add(&d, optarg);
			break;
		case '?':
			usage();
		}
	for (; optind < argc; optind++) {
		add(&d, argv[optind]);
		list(&w.to, argv[optind]);
	}
	if (d.nrcpts == 0)
		usage();
	line(&d, "To", w.to.p);
	line(&d, "Cc", w.cc.p);
	if (subj != NULL)
		subject(&d, subj);
	line(&d, "MIME-Version", "1.0");
	line(&d, "Content-Type", "text/plain; charset=utf-8");
	line(&d, "Content-Transfer-Encoding", "8bit");
	draft_line(&d, "", 0);
	body(&d);
	if ((status = draft_finish(&d)) != EX_OK)
		fprintf(stderr, "mail: the message was not sent: %s\n",
		    d.error);
	draft_drop(&d);
	buf_free(&w.to);
	buf_free(&w.cc);
	return status;
}
