/*
 * BDAT (RFC 3030): a message in chunks of a length said before, so that no
 * dot ends it.  Each chunk is taken to its last byte whatever becomes of it:
 * what follows is a command again.  Lines still end in CR LF.  Runs in smtpd.
 */
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "smtpd.h"

enum {
	CHUNK_PIECES = 8,
	UNWANTED = 8 * 1024 * 1024	/* bytes that are read for nothing */
};

static bool
chunk_parse(struct smtp *s, struct cur *c)
{
	uint64_t n;

	if (!cur_u64(c, &n, INT64_MAX))
		return false;
	s->chunk.left = n;
	cur_ws(c);
	s->chunk.last = cur_caselit(c, "LAST");
	return cur_left(c) == 0;
}

/* The chunk comes; nobody wants it. */
static void
chunk_skip(struct smtp *s, const char *answer)
{
	snprintf(s->chunk.skip, sizeof(s->chunk.skip), "%s", answer);
}

static void
chunk_start(struct smtp *s)
{
	s->state = ST_DATA;
	conn_data(s->front->conn);
	if (s->chunk.left == 0)
		bdat_input(s);
}

static void
chunk_begin(struct smtp *s)
{
	if (!data_begin(s))
		chunk_skip(s, "451 4.3.0 the envelope cannot be written");
	s->body.counted = true;
	s->raw = 0;
	if (s->mail.binary && (s->binary = binary_new()) == NULL)
		chunk_skip(s, "452 4.3.1 out of memory");
	chunk_start(s);
}

void
cmd_bdat(struct smtp *s, struct cur *c)
{
	memset(&s->chunk, 0, sizeof(s->chunk));
	if (!chunk_parse(s, c)) {	/* where does the next command begin? */
		smtp_reply(s, "501 5.5.4 say the chunk's length");
		front_close(s->front);
		return;
	}
	s->chunk.any = true;
	s->chunk.early = s->state == ST_NEW;
	if (s->state == ST_BDAT) {
		chunk_start(s);
		return;
	}
	if (s->nrcpts == 0)
		chunk_skip(s, s->state == ST_NEW || s->state == ST_READY ?
		    "503 5.5.1 say MAIL first" :
		    "554 5.5.1 no valid recipients");
	else if (!files_get(s)) {
		smtp_wait(s);
		return;
	} else {
		chunk_begin(s);
		return;
	}
	chunk_start(s);
}

void
bdat_file(struct smtp *s, const char *why)
{
	char answer[sizeof(s->chunk.skip)];

	/*
	 * First, as an empty chunk ends at once: then COMMIT waits again, or
	 * the session is over.
	 */
	s->await = false;
	conn_resume(s->front->conn);
	if (why == NULL)
		chunk_begin(s);
	else {
		snprintf(answer, sizeof(answer), "452 4.3.1 %s", why);
		chunk_skip(s, answer);
		chunk_start(s);
	}
}

/* --- the bytes --- */

static void
chunk_feed(struct smtp *s, const char *p, size_t n, bool last)
{
	struct buf lines;

	if (s->binary == NULL) {
		body_feed(&s->body, p, n);
		return;
	}
	s->raw += n;
	buf_init(&lines, 0);
	if (s->refuse == NULL &&
	    !binary_feed(s->binary, p, n, last, &lines))
		s->refuse = "554 5.6.0 not MIME that can be understood";
	if (lines.len > 0)
		body_feed(&s->body, lines.p, lines.len);
	s->body.size = s->raw;
	buf_free(&lines);
}

static void
chunk_take(struct smtp *s, struct evbuffer *in)
{
	struct evbuffer_iovec v[CHUNK_PIECES];
	size_t used = 0, n;
	int i, count = evbuffer_peek(in, -1, NULL, v, CHUNK_PIECES);

	for (i = 0; i < count && i < CHUNK_PIECES && s->chunk.left > 0; i++) {
		n = v[i].iov_len < s->chunk.left ? v[i].iov_len :
		    s->chunk.left;
		if (*s->chunk.skip == '\0')
			chunk_feed(s, v[i].iov_base, n, false);
		s->chunk.left -= n;
		used += n;
	}
	evbuffer_drain(in, used);
}

/* An error of a client's goes into its count, and may have been the last. */
static void
chunk_answer(struct smtp *s, const char *text)
{
	char copy[sizeof(s->chunk.skip)];

	snprintf(copy, sizeof(copy), "%s", text);
	s->chunk.any = false;
	smtp_reset(s);
	if (s->chunk.early)
		s->state = ST_NEW;
	conn_lines(s->front->conn, SMTP_MAXLINE);
	if (*copy == '5')
		smtp_error(s, "%s", copy);
	else
		smtp_reply(s, "%s", copy);
}

static void
chunk_whole(struct smtp *s)
{
	if (*s->chunk.skip != '\0') {
		chunk_answer(s, s->chunk.skip);
		return;
	}
	if (s->chunk.last) {
		s->chunk.any = false;
		if (s->binary != NULL)
			chunk_feed(s, "", 0, true);
		body_end(&s->body);
		data_ended(s);
		return;
	}
	if (s->refuse != NULL) {	/* the rest need not come */
		chunk_answer(s, s->refuse);
		return;
	}
	s->chunk.any = false;
	s->state = ST_BDAT;
	conn_lines(s->front->conn, SMTP_MAXLINE);
	smtp_reply(s, "250 2.0.0 taken so far");
}

void
bdat_input(struct smtp *s)
{
	struct evbuffer *in = conn_input(s->front->conn);

	while (s->chunk.left > 0 && evbuffer_get_length(in) > 0) {
		chunk_take(s, in);
		if (*s->chunk.skip == '\0') {
			data_check(s);
			data_flush(s);
		}
	}
	if (s->chunk.left == 0)
		chunk_whole(s);
	else if (s->chunk.left > UNWANTED && (*s->chunk.skip != '\0' ||
	    s->refuse != NULL)) {
		smtp_reply(s, "%s", *s->chunk.skip != '\0' ? s->chunk.skip :
		    s->refuse);
		front_close(s->front);
	}
}
