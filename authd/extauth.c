/*
 * What the external authenticator is asked and answers: lines on pipes, several
 * requests at once; what it had not answered when it ended is asked again
 * (manual 08, 11).  Runs in authd.  Nothing that is a password is ever logged,
 * and what was sent is wiped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extauth_int.h"

enum {
	WAITING_MAX = 512,
	LIFE = 25,		/* seconds of a request, whatever happens */
	TRIES = 2,		/* so that none ends every program */
	TOOK_MAX = 5000,	/* milliseconds */
	LOGGED = 400,		/* bytes of a line in the log */
	SECRET_MIN = 4		/* shorter ones are found in any text */
};

struct ea ea = {
	.in = -1, .out = -1, .err = -1,
	.waiting = TAILQ_HEAD_INITIALIZER(ea.waiting)
};

static void	send_all(void);

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

time_t
ea_now(void)
{
	return now_ms() / 1000;
}

int
extauth_took(void)
{
	return ea.took;
}

static void
note_time(const struct request *r)
{
	int64_t ms = now_ms() - r->sent_ms;

	if (strcmp(r->verb, "VRFY") == 0)
		ea.took = ms > TOOK_MAX ? TOOK_MAX : (int)ms;
}

bool
extauth_enabled(void)
{
	return ea.state != EA_OFF;
}

bool
extauth_has_tokens(void)
{
	return ea.state == EA_READY && ea.tokens;
}

/* --- requests --- */

static void
request_end(struct request *r, enum extauth_verdict v, struct str text)
{
	TAILQ_REMOVE(&ea.waiting, r, entry);
	ea.nwaiting--;
	r->cb(v, text, r->arg);
	if (r->rest != NULL)
		explicit_bzero(r->rest, r->restlen);
	free(r->rest);
	free(r->verb);
	free(r->mode);
	free(r->name);
	free(r);
}

void
ea_fail_all(const char *why)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&ea.waiting)) != NULL)
		request_end(r, EXTAUTH_LATER, str_make(why));
}

void
extauth_ask(const char *verb, const char *mode, const char *name,
    struct str rest, extauth_cb *cb, void *arg)
{
	struct request *r;

	if (ea.state == EA_OFF || (ea.state == EA_DOWN && ea.restart == 0) ||
	    ea.nwaiting >= WAITING_MAX || (r = calloc(1, sizeof(*r))) == NULL) {
		cb(EXTAUTH_LATER, str_make("the external authenticator is not "
		    "running"), arg);
		return;
	}
	r->cb = cb;
	r->arg = arg;
	r->asked = ea_now();
	r->verb = xstrdup(verb);
	r->mode = xstrdup(mode);
	r->name = xstrdup(name);
	r->restlen = rest.len;
	r->rest = xcalloc(1, rest.len + 1);
	if (rest.len > 0)
		memcpy(r->rest, rest.p, rest.len);
	TAILQ_INSERT_TAIL(&ea.waiting, r, entry);
	ea.nwaiting++;
	send_all();
}

void
ea_close(int *fd, struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
ea_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
	buf_init(b, 0);
}

/* --- lines out --- */

uint32_t
ea_next_seq(void)
{
	if (++ea.seq == 0)
		ea.seq = 1;
	return ea.seq;
}

void
ea_on_writable(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n;

	while (ea.sent < ea.tosend.len) {
		n = write(ea.in, ea.tosend.p + ea.sent,
		    ea.tosend.len - ea.sent);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			event_add(ea.on_in, NULL);
			return;
		}
		if (n == -1) {
			ea_broken("reads no more");
			return;
		}
		ea.sent += n;
	}
	ea_wipe(&ea.tosend);
	ea.sent = 0;
}

static void
send_one(struct request *r)
{
	bool mode = ea.version >= 1 && *r->mode != '\0';

	r->seq = ea_next_seq();
	r->sent = ea_now();
	r->sent_ms = now_ms();
	r->tries++;
	buf_printf(&ea.tosend, "%06lu %s %s%s%s%s", (unsigned long)r->seq,
	    r->verb, mode ? "(" : "", mode ? r->mode : "", mode ? ") " : "",
	    r->name);
	if (r->restlen > 0) {
		buf_putc(&ea.tosend, ' ');
		buf_add(&ea.tosend, r->rest, r->restlen);
	}
	buf_putc(&ea.tosend, '\n');
	ea_log(LOG_LOW, "out: %06lu %s %s%s%s%s%s", (unsigned long)r->seq,
	    r->verb, mode ? "(" : "", mode ? r->mode : "", mode ? ") " : "",
	    r->name, r->restlen > 0 ? " ..." : "");
}

static void
send_all(void)
{
	struct request *r;
	bool idle = ea.tosend.len == 0;

	if (ea.state != EA_READY)
		return;
	TAILQ_FOREACH(r, &ea.waiting, entry)
		if (r->seq == 0)
			send_one(r);
	if (ea.tosend.failed)
		ea_broken("is too slow");
	else if (idle && ea.tosend.len > 0)
		ea_on_writable(ea.in, EV_WRITE, NULL);
}

/* --- lines in --- */

/* It may have echoed what it was sent: then nobody shall read it here. */
static bool
has_secret(struct str text)
{
	const struct request *r;

	TAILQ_FOREACH(r, &ea.waiting, entry)
		if (r->restlen >= SECRET_MIN && memmem(text.p, text.len,
		    r->rest, r->restlen) != NULL)
			return true;
	return false;
}

static void
log_text(int level, const char *what, struct str text)
{
	if (has_secret(text))
		ea_log(level, "%s(%zu bytes with a secret)", what, text.len);
	else
		ea_log(level, "%s%.*s", what, text.len > LOGGED ? LOGGED :
		    (int)text.len, text.p);
}

static void
greeted(const struct helper_answer *a)
{
	struct cur c = cur_make(a->text.p, a->text.len);
	uint64_t version = 0;

	if (a->said == HELPER_OK)
		cur_u64(&c, &version, 1000);
	ea.version = version < EA_VERSION ? (int)version : EA_VERSION;
	ea.tokens = a->said == HELPER_OK && (helper_has_word(a->text,
	    "OAUTHBEARER") || helper_has_word(a->text, "XOAUTH2"));
	ea.state = EA_READY;
	ea_log(LOG_PROBLEM, "the program is ready, interface version %d%s",
	    ea.version, ea.tokens ? ", knows tokens" : "");
	if (ea.tokens)
		extauth_tell_fronts();
	send_all();
}

static void
got_answer(const struct helper_answer *a)
{
	struct request *r;
	char what[32];

	if (ea.state == EA_GREETING && a->seq == ea.seq) {
		greeted(a);
		return;
	}
	TAILQ_FOREACH(r, &ea.waiting, entry)
		if (r->seq == a->seq && a->seq != 0)
			break;
	if (r == NULL) {
		ea_log(LOG_PROBLEM, "an answer to no request: %lu",
		    (unsigned long)a->seq);
		return;
	}
	snprintf(what, sizeof(what), "inp: %06lu %s ", (unsigned long)a->seq,
	    a->said == HELPER_OK ? "OK" : "ERROR");
	log_text(LOG_LOW, what, a->text);
	if (a->said == HELPER_ERROR)
		note_time(r);
	request_end(r, a->said == HELPER_OK ? EXTAUTH_YES : EXTAUTH_NO,
	    a->text);
}

static void
got_line(struct str line)
{
	struct helper_answer a;

	helper_parse(line, &a);
	switch (a.said) {
	case HELPER_OK:
	case HELPER_ERROR:
		got_answer(&a);
		break;
	case HELPER_COMMENT:
		log_text(LOG_PROBLEM, "", a.text);
		break;
	case HELPER_NONSENSE:
		if (line.len > 0)
			ea_log(LOG_PROBLEM, "a line of %zu bytes makes no "
			    "sense", line.len);
		break;
	}
}

static void
got_errors(struct str line)
{
	log_text(LOG_PROBLEM, "stderr: ", line);
}

/* Whole lines are told; false if the program was dropped meanwhile. */
static bool
take_lines(struct buf *b, void (*tell)(struct str))
{
	unsigned life = ea.life;
	size_t used = 0;
	char *nl;
	struct str line;

	while ((nl = memchr(b->p + used, '\n', b->len - used)) != NULL) {
		line = (struct str){ b->p + used, nl - (b->p + used) };
		used += line.len + 1;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		tell(line);
		if (ea.life != life)
			return false;
	}
	memmove(b->p, b->p + used, b->len - used);
	b->len -= used;
	return true;
}

/* 1 more may come, 0 the end, -1 the program was dropped. */
static int
take_input(int fd, struct buf *b, void (*tell)(struct str))
{
	char some[4096];
	ssize_t n = read(fd, some, sizeof(some));

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return 0;
	if (!buf_add(b, some, n))
		return 0;
	return take_lines(b, tell) ? 1 : -1;
}

void
ea_on_answer(evutil_socket_t fd, short what, void *arg)
{
	int r = take_input(ea.out, &ea.got, got_line);

	if (r == 0)
		ea_broken("has ended");
	else if (r == 1 && ea.got.len > HELPER_LINE)
		ea_broken("says lines that are too long");
}

void
ea_on_errors(evutil_socket_t fd, short what, void *arg)
{
	int r = take_input(ea.err, &ea.errors, got_errors);

	if (r == 0)
		ea_close(&ea.err, &ea.on_err);
	else if (r == 1 && ea.errors.len > HELPER_LINE)
		buf_reset(&ea.errors);
}

/* --- time --- */

void
ea_tick(evutil_socket_t fd, short what, void *arg)
{
	struct request *r, *next;
	time_t t = ea_now();
	bool hangs = ea.state == EA_GREETING && t - ea.begun >= ea.timeout;

	for (r = TAILQ_FIRST(&ea.waiting); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->seq != 0 && t - r->sent >= ea.timeout) {
			hangs = true;
			if (r->tries >= TRIES)
				r->asked = t - LIFE;
		}
		if (t - r->asked >= LIFE)
			request_end(r, EXTAUTH_LATER,
			    str_make("the external authenticator is silent"));
	}
	if (hangs)
		ea_broken("does not answer in time and is ended");
}
