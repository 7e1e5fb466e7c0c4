/*
 * An IMAP session's life in the account's worker: what its connection tells,
 * long answers made as the client takes them, news for those that idle, the
 * end.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "append.h"
#include "int.h"
#include "log.h"

enum {
	OUT_PIECE = 32 * 1024,	/* given to the connection at once */
	OUT_KEPT = 64 * 1024,	/* of a buffer, when it is empty */
	SLICE_MS = 5,		/* of a long answer; others wait so long */
	AGAIN = 5		/* seconds, where a mailbox cannot be read */
};

static TAILQ_HEAD(, imap_session) sessions = TAILQ_HEAD_INITIALIZER(sessions);

static void
drop_job(struct imap_session *s)
{
	if (s->more == NULL)
		return;
	s->more = NULL;
	s->drop(s->job);
	s->job = NULL;
}

static void
session_free(struct imap_session *s)
{
	TAILQ_REMOVE(&sessions, s, next);
	drop_job(s);
	imap_deselect(s);
	input_forget(s);
	if (s->soon != NULL)
		event_free(s->soon);
	if (s->stall != NULL)
		event_free(s->stall);
	buf_free(&s->out);
	buf_free(&s->last);
	buf_free(&s->line);
	free(s->log);
	free(s->account);
	free(s->alert);
	free(s);
}

static void
flush(struct imap_session *s)
{
	if (s->out.failed) {
		log_tag(LOG_PROBLEM, s->log, "an answer is too long");
		s->dead = true;
		return;
	}
	if (s->out.len == 0)
		return;
	conn_write(s->conn, s->out.p, s->out.len);
	if (s->out.cap > OUT_KEPT)
		buf_free(&s->out);
	else
		buf_reset(&s->out);
}

/* After each event: what was said goes out, and perhaps that was all. */
static void
settle(struct imap_session *s)
{
	void (*end)(void *) = s->end;
	void *arg = s->arg;
	struct acct *acct = s->acct;

	flush(s);
	if (!s->dead && !s->leaving) {
		imap_sessions_notify(acct);
		return;
	}
	log_tag(LOG_LOW, s->log, "%s: session ends", s->account);
	if (s->dead)
		conn_free(s->conn);
	else
		conn_finish(s->conn);
	session_free(s);
	imap_sessions_notify(acct);
	end(arg);
}

/* --- long answers --- */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

static void
wait_for_client(struct imap_session *s)
{
	struct timeval tv = { .tv_sec = s->timeout };

	if (s->timeout > 0)
		event_add(s->stall, &tv);
}

static void
say_alert(struct imap_session *s, const char *text)
{
	imap_say(s, "OK [ALERT] %s", text);
}

static void
job_over(struct imap_session *s)
{
	event_del(s->stall);
	drop_job(s);
	if (s->last.len > 0) {
		imap_tell_rest(s);
		return;
	}
	if (s->alert != NULL)
		say_alert(s, s->alert);
	free(s->alert);
	s->alert = NULL;
	conn_resume(s->conn);
}

/* By a timer: what is active by itself comes before all descriptors. */
static void
job_later(struct imap_session *s)
{
	static const struct timeval now;

	event_add(s->soon, &now);
}

static void
job_run(struct imap_session *s)
{
	int64_t until = now_ms() + SLICE_MS;
	enum imap_more r;
	size_t before;

	for (;;) {
		before = conn_unsent(s->conn) + s->out.len;
		r = s->more(s, s->job);
		if (r != MORE_AGAIN)
			break;
		if (s->out.len >= OUT_PIECE)
			flush(s);
		if (s->dead)
			return;
		/* Who says nothing, as COPY does, waits for nobody. */
		if (conn_unsent(s->conn) + s->out.len >= CONN_HIGHWATER &&
		    conn_unsent(s->conn) + s->out.len > before) {
			wait_for_client(s);
			return;
		}
		if (now_ms() >= until) {
			job_later(s);
			return;
		}
	}
	if (r == MORE_FAILED) {
		log_tag(LOG_PROBLEM, s->log, "an answer breaks off");
		s->dead = true;
	}
	job_over(s);
}

void
imap_job(struct imap_session *s,
    enum imap_more (*more)(struct imap_session *, void *),
    void (*drop)(void *), void *job)
{
	s->more = more;
	s->drop = drop;
	s->job = job;
	conn_pause(s->conn);
	job_run(s);
}

static void
drop_nothing(void *job)
{
}

/* A mailbox that cannot be read any more ends it, too. */
static enum imap_more
tell_more(struct imap_session *s, void *job)
{
	if (imap_update(s, s->expunge) == 1)
		return MORE_AGAIN;
	buf_add(&s->out, s->last.p, s->last.len);
	buf_free(&s->last);
	return MORE_DONE;
}

void
imap_tell_rest(struct imap_session *s)
{
	/* Or when that long answer is over. */
	if (s->more == NULL)
		imap_job(s, tell_more, drop_nothing, NULL);
}

/* In IDLE, with something to be told, and what was told is read. */
static bool
listens(const struct imap_session *s)
{
	return s->idle && s->box != NULL && view_old(s) &&
	    conn_unsent(s->conn) < CONN_HIGHWATER;
}

static void
soon(int fd, short what, void *arg)
{
	static const struct timeval again = { AGAIN, 0 };
	struct imap_session *s = arg;
	int r = 0;

	if (s->more != NULL)
		job_run(s);
	else if (listens(s)) {
		s->expunge = true;
		r = imap_update(s, true);
	}
	if (r == 1)
		imap_tell_rest(s);
	else if (r == -1)
		event_add(s->soon, &again);
	settle(s);
}

static void
stalled(int fd, short what, void *arg)
{
	struct imap_session *s = arg;

	log_tag(LOG_LOW, s->log, "client does not read");
	s->dead = true;
	settle(s);
}

/* --- what others do --- */

void
imap_sessions_notify(struct acct *acct)
{
	struct imap_session *s;

	TAILQ_FOREACH(s, &sessions, next)
		if (s->acct == acct && listens(s) &&
		    !event_pending(s->soon, EV_TIMEOUT, NULL))
			event_active(s->soon, EV_TIMEOUT, 0);
}

/* Another one that comes within the same long answer takes its place. */
void
imap_sessions_alert(struct acct *acct, const char *text)
{
	struct imap_session *s;

	TAILQ_FOREACH(s, &sessions, next) {
		if (s->acct != acct || s->dead || s->leaving)
			continue;
		if (s->more == NULL) {
			say_alert(s, text);
			flush(s);
			continue;
		}
		free(s->alert);
		s->alert = strdup(text);
	}
}

/* --- the connection --- */

static void
event(struct conn *c, enum conn_event ev, char *line, size_t len, void *arg)
{
	struct imap_session *s = arg;

	switch (ev) {
	case CONN_LINE:
		s->heard = time(NULL);
		if (s->idle)
			idle_line(s, (struct str){ line, len });
		else
			input_line(s, line, len, conn_bare_lf(c));
		break;
	case CONN_LONG:
		/* What follows may be its literal: nothing to be executed. */
		input_forget(s);
		str_copy(str_make("*"), s->tag, sizeof(s->tag));
		imap_bad(s, "line too long");
		imap_bye(s, "nobody knows where that command ends");
		break;
	case CONN_DATA:
		input_data(s);
		break;
	case CONN_DRAINED:
		if (s->more != NULL) {
			event_del(s->stall);
			job_run(s);
		}
		break;
	case CONN_TIMEOUT:
		/* Within a long answer a word would be taken for mail. */
		if (s->more != NULL)
			s->dead = true;
		else
			imap_bye(s, "too long without a word");
		break;
	case CONN_EOF:
	case CONN_ERROR:
		s->dead = true;
		break;
	default:
		return;
	}
	settle(s);
}

/* --- beginning and end --- */

static struct imap_session *
make(const struct imap_start *st)
{
	struct imap_session *s = xcalloc(1, sizeof(*s));

	s->acct = st->acct;
	s->log = xstrdup(st->tag);
	s->account = xstrdup(st->account);
	s->timeout = st->timeout;
	s->maxerrors = st->maxerrors > 0 ? st->maxerrors : 20;
	s->maxmessage = st->maxmessage;
	s->end = st->end;
	s->arg = st->arg;
	s->heard = time(NULL);
	buf_init(&s->out, 0);
	buf_init(&s->last, 0);
	buf_init(&s->line, IMAP_MAXCMD + IMAP_MAXLINE);
	TAILQ_INSERT_TAIL(&sessions, s, next);
	s->soon = event_new(st->base, -1, 0, soon, s);
	s->stall = event_new(st->base, -1, 0, stalled, s);
	if (s->soon != NULL && s->stall != NULL)
		s->conn = conn_new(st->base, st->fd, event, s);
	if (s->conn == NULL) {
		close(st->fd);
		session_free(s);
		return NULL;
	}
	conn_timeout(s->conn, s->timeout);
	return s;
}

struct imap_session *
imap_session_new(const struct imap_start *st)
{
	struct imap_session *s = make(st);

	if (s == NULL)
		return NULL;
	if (st->state != NULL && st->statelen > 0) {
		if (!imap_state_load(s, st->state, st->statelen)) {
			imap_bye(s, "log in again");
			flush(s);
			conn_finish(s->conn);
			session_free(s);
			return NULL;
		}
	} else
		buf_printf(&s->out, "%s OK [CAPABILITY " IMAP_CAPA
		    "] logged in\r\n", st->hello);
	flush(s);
	log_tag(LOG_LOW, s->log, "%s: session begins", s->account);
	if (st->inputlen > 0)
		evbuffer_add(conn_input(s->conn), st->input, st->inputlen);
	conn_lines(s->conn, IMAP_MAXLINE);
	if (s->idle && s->box != NULL && view_old(s))
		event_active(s->soon, EV_TIMEOUT, 0);
	return s;
}

void
imap_session_stop(struct imap_session *s, const char *text)
{
	/* In the middle of a literal there is no place for an answer. */
	if (s->more != NULL)
		s->leaving = true;
	else
		imap_bye(s, text);
	settle(s);
}

bool
imap_session_quiet(const struct imap_session *s)
{
	return s->more == NULL && !s->leaving && !s->dead &&
	    s->line.len == 0 && s->literal == 0 && !s->skipping &&
	    s->out.len == 0 && conn_unsent(s->conn) == 0 &&
	    evbuffer_get_length(conn_input(s->conn)) == 0;
}

int
imap_session_rests(const struct imap_session *s)
{
	if (!imap_session_quiet(s))
		return -1;
	return (int)(time(NULL) - s->heard);
}

int
imap_session_release(struct imap_session *s)
{
	int fd;

	if (!imap_session_quiet(s) ||
	    (fd = conn_release(s->conn, NULL)) == -1)
		return -1;
	s->conn = NULL;
	session_free(s);
	return fd;
}
