/*
 * Queue file envelopes: composed by smtpd and queued, parsed by queued.  The
 * fields before an address have fixed widths, so that a status letter and the
 * z line can be overwritten in place.  Must never put a line into an envelope
 * that its caller did not ask for: every value is checked.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qfile.h"
#include "rfc5322.h"

enum {
	DATELEN = 19,		/* dd-mm-yyyy hh:mm:ss */
	AT_STATUS = 2,
	AT_DATE = 4,
	AT_DIGITS = 24,
	AT_FLAGS1 = 29,
	AT_FLAGS2 = 34,
	AT_ADDR = 39
};

static const char zblank[] = "z ____________________ ________";

static bool
value_ok(struct buf *b, const char *s, bool spaces)
{
	size_t n = strlen(s), i;

	if (n > QFILE_MAXVALUE)
		goto bad;
	for (i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (c < 0x20 || c == 0x7f || (c == ' ' && !spaces))
			goto bad;
	}
	return true;
bad:
	b->failed = true;
	return false;
}

static bool
put_line(struct buf *b, char kind, char status, int64_t when,
    const char *flags, const char *addr)
{
	char date[DATELEN + 1];

	if (!value_ok(b, addr, true))
		return false;
	date_queue(date, sizeof(date), when);
	return buf_printf(b, "%c %c %s 0000 ____ %s <%s>\n", kind, status,
	    date, flags, addr);
}

bool
qfile_from(struct buf *b, int64_t now, const char *sender, char ret,
    const char *envid)
{
	char flags[5] = "____";

	if (ret == 'H' || ret == 'F')
		flags[0] = ret;
	if (!put_line(b, 'P', 'I', now, flags, sender))
		return false;
	if (envid == NULL || *envid == '\0')
		return true;
	return value_ok(b, envid, false) && buf_printf(b, "e %s\n", envid);
}

bool
qfile_about(struct buf *b, uint64_t id, const char *rcpts)
{
	return buf_printf(b, "d %" PRIu64 " %s\n", id, rcpts);
}

bool
qfile_passed(struct buf *b, const char *groups)
{
	return value_ok(b, groups, true) && buf_printf(b, "g %s\n", groups);
}

bool
qfile_made_of(struct buf *b, const char *source)
{
	return value_ok(b, source, true) && buf_printf(b, "s %s\n", source);
}

bool
qfile_options(struct buf *b, const char *letters)
{
	if (*letters == '\0')
		return true;
	return value_ok(b, letters, false) && buf_printf(b, "O %s\n", letters);
}

bool
qfile_source(struct buf *b, const char *account, const char *tag,
    const char *peer)
{
	if (account != NULL && *account != '\0') {
		if (!value_ok(b, account, false))
			return false;
		buf_printf(b, "S %s ", account);
	} else
		buf_puts(b, "S ");
	return value_ok(b, tag, false) && value_ok(b, peer, false) &&
	    buf_printf(b, "%s [%s]\n", tag, peer);
}

bool
qfile_local(struct buf *b, const char *ip)
{
	if (*ip == '\0')
		return true;
	return value_ok(b, ip, false) && buf_printf(b, "A [%s]\n", ip);
}

/*
 * The second flag is one of S F Y N.  What does not fit there stands where
 * the vendor's files have it: S before, Y behind.  F alone is usual, where
 * nothing is said; X, last: it was said, and nothing else is wanted.
 */
static void
notify_flags(unsigned int notify, char flags[5])
{
	memcpy(flags, "____", 5);
	if (notify & QN_NEVER)
		flags[1] = 'N';
	else if (notify & QN_FAILURE)
		flags[1] = 'F';
	else if (notify & QN_SUCCESS)
		flags[1] = 'S';
	else
		flags[1] = 'Y';
	if ((notify & QN_SUCCESS) && flags[1] == 'F')
		flags[0] = 'S';
	if ((notify & QN_DELAY) && (flags[1] == 'F' || flags[1] == 'S'))
		flags[2] = 'Y';
	if (notify == (QN_DEFAULT | QN_SAID))
		flags[3] = 'X';
}

bool
qfile_rcpt(struct buf *b, int64_t now, const char *addr, unsigned int notify,
    const char *orcpt)
{
	char flags[5];

	notify_flags(notify == 0 ? QN_DEFAULT : notify, flags);
	if (!put_line(b, 'R', 'W', now, flags, addr))
		return false;
	if (orcpt == NULL || *orcpt == '\0')
		return true;
	return value_ok(b, orcpt, false) && buf_printf(b, "o %s\n", orcpt);
}

bool
qfile_end(struct buf *b)
{
	return buf_puts(b, zblank) && buf_puts(b, "\n\n");
}

void
qfile_z(char line[QFILE_ZLEN + 1], uint64_t len, uint32_t crc)
{
	snprintf(line, QFILE_ZLEN + 1, "z %020" PRIu64 " %08" PRIx32, len, crc);
}

/* --- reading --- */

/* The address of a P or R line; its closing bracket becomes the NUL. */
static char *
line_addr(char *line, size_t len, char kind, int64_t *when)
{
	static const size_t blanks[] = { 1, 3, 23, 28, 33, 38 };
	size_t i;

	if (len < AT_ADDR + 2 || line[0] != kind || line[AT_ADDR] != '<' ||
	    line[len - 1] != '>')
		return NULL;
	for (i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++)
		if (line[blanks[i]] != ' ')
			return NULL;
	for (i = AT_DIGITS; i < AT_DIGITS + 4; i++)
		if (line[i] < '0' || line[i] > '9')
			return NULL;
	if (when != NULL)
		*when = date_queue_parse((struct str) { line + AT_DATE,
		    DATELEN });
	line[len - 1] = '\0';
	return line + AT_ADDR + 1;
}

static const char *
parse_p(struct qfile *q, char *line, size_t len)
{
	char *ret = line + AT_FLAGS2;

	if (q->sender != NULL)
		return "second return-path";
	if ((q->sender = line_addr(line, len, 'P', &q->time)) == NULL)
		return "bad return-path line";
	if (line[AT_FLAGS1] == 'H' || line[AT_FLAGS1] == 'F')
		ret = line + AT_FLAGS1;
	q->ret = *ret == 'H' || *ret == 'F' ? *ret : '_';
	return NULL;
}

static unsigned int
parse_notify(const char *flags)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < 4; i++)
		switch (flags[i]) {
		case 'S':
			n |= QN_SUCCESS;
			break;
		case 'F':
			n |= QN_FAILURE;
			break;
		case 'Y':
			n |= QN_DELAY;
			break;
		case 'X':
			n |= QN_SAID;
			break;
		case 'N':
			return QN_NEVER;
		}
	return (n & ~QN_SAID) == 0 ? QN_DEFAULT : n;
}

static const char *
parse_r(struct qfile *q, char *line, size_t len, size_t room)
{
	struct qfile_rcpt *r;

	if (q->nrcpts >= room)
		return "too many recipients";
	r = &q->rcpts[q->nrcpts];
	if ((r->addr = line_addr(line, len, 'R', NULL)) == NULL)
		return "bad recipient line";
	r->status = line[AT_STATUS];
	r->attempts = atoi(line + AT_DIGITS);
	r->notify = parse_notify(line + AT_FLAGS2);
	r->at = line + AT_STATUS - q->text;
	r->orcpt = NULL;
	q->nrcpts++;
	return NULL;
}

/* S [account] tag [ip] */
static const char *
parse_s(struct qfile *q, char *line)
{
	char *open, *word, *sp;

	word = line + 2;
	if ((open = strrchr(word, '[')) == NULL || open[1] == '\0' ||
	    open[strlen(open) - 1] != ']') {
		q->tag = word;
		return NULL;
	}
	open[strlen(open) - 1] = '\0';
	q->peer = open + 1;
	*open = '\0';
	if (open > word && open[-1] == ' ')
		open[-1] = '\0';
	if ((sp = strchr(word, ' ')) != NULL) {
		*sp++ = '\0';
		q->account = word;
		word = sp;
	}
	q->tag = word;
	return NULL;
}

static const char *
parse_z(struct qfile *q, char *line, size_t len)
{
	char *end;

	if (len != QFILE_ZLEN)
		return "bad z line";
	q->z = true;
	q->zat = line - q->text;
	if (strcmp(line, zblank) == 0)
		return NULL;
	if (line[1] != ' ' || line[22] != ' ' ||
	    strspn(line + 2, "0123456789") != 20 ||
	    strspn(line + 23, "0123456789abcdef") != 8)
		return "bad z line";
	q->zlen = strtoull(line + 2, &end, 10);
	q->zcrc = strtoul(line + 23, &end, 16);
	q->filled = true;
	return NULL;
}

/* "d <id> <n,n,...>": what a DSN reports. */
static const char *
parse_d(struct qfile *q, char *line)
{
	char *end;

	q->about = strtoull(line + 2, &end, 10);
	if (*end != ' ' || q->about == 0)
		return "bad d line";
	q->about_rcpts = end + 1;
	return NULL;
}

static const char *
parse_line(struct qfile *q, char *line, size_t len, size_t room)
{
	if (q->z)
		return "lines behind the z line";
	if (q->sender == NULL && line[0] != 'P')
		return "no return-path first";
	if (line[0] == 'P')
		return parse_p(q, line, len);
	if (line[0] == 'R')
		return parse_r(q, line, len, room);
	if (len < 3 || line[1] != ' ')
		return line[0] == 'O' ? NULL : "bad line";
	switch (line[0]) {
	case 'O':
		q->options = line + 2;
		return NULL;
	case 'S':
		return parse_s(q, line);
	case 'A':
		if (line[2] == '[' && line[len - 1] == ']') {
			line[len - 1] = '\0';
			q->local = line + 3;
		}
		return NULL;
	case 'e':
		q->envid = line + 2;
		return NULL;
	case 'o':
		if (q->nrcpts > 0)
			q->rcpts[q->nrcpts - 1].orcpt = line + 2;
		return NULL;
	case 'd':
		return parse_d(q, line);
	case 's':
		q->source = line + 2;
		return NULL;
	case 'g':
		q->passed = line + 2;
		return NULL;
	case 'z':
		return parse_z(q, line, len);
	}
	return NULL;	/* another program's; not ours to judge */
}

static size_t
count_rcpts(const char *p, const char *end)
{
	size_t n = 0;

	while ((p = memchr(p, '\n', end - p)) != NULL && ++p < end)
		if (*p == 'R')
			n++;
	return n;
}

static const char *
parse_text(struct qfile *q, size_t len)
{
	size_t room = count_rcpts(q->text, q->text + len);
	char *line = q->text, *end = q->text + len, *nl;
	const char *why;

	if (room == 0)
		return "no recipients";
	if ((q->rcpts = calloc(room, sizeof(*q->rcpts))) == NULL)
		return "out of memory";
	for (; line < end; line = nl + 1) {
		if ((nl = memchr(line, '\n', end - line)) == NULL)
			return "unended line";
		*nl = '\0';
		if (nl - line > QFILE_MAXVALUE + 64)
			return "line too long";
		if ((why = parse_line(q, line, nl - line, room)) != NULL)
			return why;
	}
	return NULL;
}

int
qfile_parse(struct qfile *q, const char *p, size_t len, const char **why)
{
	static char empty[] = "";
	const char *end = memmem(p, len, "\n\n", 2);
	size_t n;

	memset(q, 0, sizeof(*q));
	*why = "envelope too long";
	if (end == NULL)
		return len < QFILE_MAXENVELOPE ? 1 : -1;
	n = end + 1 - p;
	*why = "NUL in the envelope";
	if (n > QFILE_MAXENVELOPE || memchr(p, '\0', n) != NULL)
		return -1;
	q->options = q->tag = q->peer = q->local = q->passed = empty;
	q->ret = '_';
	q->body = n + 1;
	*why = "out of memory";
	if ((q->text = malloc(n + 1)) == NULL)
		return -1;
	memcpy(q->text, p, n);
	q->text[n] = '\0';
	if ((*why = parse_text(q, n)) == NULL)
		return 0;
	qfile_free(q);
	return -1;
}

void
qfile_free(struct qfile *q)
{
	free(q->text);
	free(q->rcpts);
	memset(q, 0, sizeof(*q));
}

/* --- xtext --- */

bool
xtext_encode(struct buf *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		if (c > ' ' && c < 0x7f && c != '+' && c != '=')
			buf_putc(b, c);
		else
			buf_printf(b, "+%02X", c);
	}
	return !b->failed;
}

static int
hexdigit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
xtext_decode(struct buf *b, struct str s)
{
	size_t i;
	int hi, lo;

	for (i = 0; i < s.len; i++) {
		unsigned char c = s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '=')
			return false;
		if (c != '+') {
			buf_putc(b, c);
			continue;
		}
		if (s.len - i < 3 || (hi = hexdigit(s.p[i + 1])) < 0 ||
		    (lo = hexdigit(s.p[i + 2])) < 0)
			return false;
		buf_putc(b, hi << 4 | lo);
		i += 2;
	}
	return !b->failed;
}
