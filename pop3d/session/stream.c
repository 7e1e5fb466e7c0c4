/*
 * Long answers of a POP session: lists and messages, made as fast as the
 * client takes them and no faster.  A message is read from the mailbox, its
 * line ends become CRLF, its leading dots double.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_int.h"

enum { CHUNK = 32768 };

static void
wait_for_client(struct pop_session *p)
{
	struct timeval tv = { .tv_sec = p->timeout };

	if (p->timeout > 0)
		event_add(p->stall, &tv);
}

static void
done(struct pop_session *p)
{
	event_del(p->stall);
	p->s.kind = STREAM_NONE;
	conn_write(p->conn, ".\r\n", 3);
	conn_resume(p->conn);
}

static void
begin(struct pop_session *p, enum stream_kind kind)
{
	p->s.kind = kind;
	conn_pause(p->conn);
	pop_stream_more(p);
}

void
pop_stream_list(struct pop_session *p, enum stream_kind kind)
{
	p->s.at = 0;
	begin(p, kind);
}

void
pop_stream_message(struct pop_session *p, uint32_t uid, int64_t lines)
{
	p->s.uid = uid;
	p->s.off = 0;
	p->s.lines = lines;
	p->s.header = true;
	p->s.empty = true;
	p->s.last = '\n';
	begin(p, STREAM_MESSAGE);
}

/* A piece of a list; true at its end. */
static bool
list_piece(struct pop_session *p)
{
	char text[8192];
	size_t len = 0;
	uint32_t n;

	for (; p->s.at < p->count && len < sizeof(text) - 64; p->s.at++) {
		n = p->s.at;
		if (p->deleted[n])
			continue;
		if (p->s.kind == STREAM_UIDL)
			len += snprintf(text + len, sizeof(text) - len,
			    "%u %u\r\n", n + 1, p->uids[n]);
		else
			len += snprintf(text + len, sizeof(text) - len,
			    "%u %llu\r\n", n + 1,
			    (unsigned long long)pop_octets(p, n));
	}
	conn_write(p->conn, text, len);
	return p->s.at == p->count;
}

/* TOP counts: the empty line ends the header.  True when enough was sent. */
static bool
count_line(struct pop_session *p)
{
	bool empty = p->s.empty;

	p->s.empty = true;
	if (p->s.lines < 0)
		return false;
	if (!p->s.header)
		return --p->s.lines <= 0;
	p->s.header = !empty;
	return !p->s.header && p->s.lines == 0;
}

/* Converts in[0..n) to out; *n becomes what was used if it stops early. */
static size_t
convert(struct pop_session *p, const char *in, size_t *n, char *out,
    bool *enough)
{
	const char *s = in, *end = in + *n, *lf, *stop;
	char *o = out;

	*enough = false;
	while (s < end && !*enough) {
		if (p->s.last == '\n' && *s == '.')
			*o++ = '.';
		lf = memchr(s, '\n', end - s);
		stop = lf != NULL ? lf : end;
		if (stop > s) {
			if (stop - s > 1 || *s != '\r')
				p->s.empty = false;
			memcpy(o, s, stop - s);
			o += stop - s;
			p->s.last = stop[-1];
		}
		s = stop;
		if (lf == NULL)
			break;
		if (p->s.last != '\r')
			*o++ = '\r';
		*o++ = '\n';
		p->s.last = '\n';
		s++;
		*enough = count_line(p);
	}
	*n = s - in;
	return o - out;
}

/* A piece of the message; 1 at its end, 0 more to come, -1 it is gone. */
static int
message_piece(struct pop_session *p)
{
	/* Every line end and every dot may become two bytes. */
	static char raw[CHUNK], text[2 * CHUNK];
	const struct rec *r = box_find(p->box, p->s.uid);
	bool enough;
	ssize_t got;
	size_t n;

	if (r == NULL ||
	    (got = box_read(p->box, r, p->s.off, raw, sizeof(raw))) == -1)
		return -1;
	if (got == 0) {
		if (p->s.off < r->size)
			return -1;	/* the file is shorter than it was */
		if (p->s.last != '\n')
			conn_write(p->conn, "\r\n", 2);
		return 1;
	}
	n = got;
	got = convert(p, raw, &n, text, &enough);
	p->s.off += n;
	conn_write(p->conn, text, got);
	return enough ? 1 : 0;
}

/* There is no answer left to give to a message that vanishes half-way. */
static void
break_off(struct pop_session *p)
{
	log_tag(LOG_PROBLEM, p->tag, "message %u cannot be read to its end",
	    p->s.uid);
	p->s.kind = STREAM_NONE;
	pop_session_over(p);
}

void
pop_stream_more(struct pop_session *p)
{
	int r = 0;

	while (r == 0 && conn_unsent(p->conn) < CONN_HIGHWATER)
		r = p->s.kind == STREAM_MESSAGE ? message_piece(p)
						: list_piece(p);
	if (r == 0)
		wait_for_client(p);
	else if (r == 1)
		done(p);
	else
		break_off(p);
}
