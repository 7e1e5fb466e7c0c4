/*
 * The external authenticator's program: started by the root helper, asked by
 * lines on pipes, several at once, ended when it hangs, started again, ever
 * later if it keeps dying; what it had not answered is asked again (manual 08,
 * 11).  Runs in authd.  Nothing that is a password is ever logged, and what
 * was sent is wiped.
 */
#include <sys/queue.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "extauth.h"
#include "log.h"
#include "settings.h"

#define TAG	"EXTAUTH"

enum {
	WAITING_MAX = 512,
	LIFE = 25,		/* seconds of a request, whatever happens */
	TRIES = 2,		/* so that none ends every program */
	TIMEOUT = 20, TIMEOUT_MAX = 3600, RESTART = 5, DELAY_MAX = 60,
	LIVED = 30,		/* who lived so long starts soon again */
	VERSION = 1,		/* of the interface, as manual 08 has it */
	TOOK_MAX = 5000,	/* milliseconds */
	LOGGED = 400,		/* bytes of a line in the log */
	SECRET_MIN = 4		/* shorter ones are found in any text */
};

struct request {
	TAILQ_ENTRY(request) entry;
	char		*verb, *mode, *name;
	char		*rest;
	size_t		 restlen;
	uint32_t	 seq;		/* 0: not sent to this program */
	int		 tries;
	time_t		 asked, sent;
	int64_t		 sent_ms;
	extauth_cb	*cb;
	void		*arg;
};

enum state { OFF, DOWN, ASKED, GREETING, READY };

static struct {
	enum state	 state;
	bool		 up;			/* the loop runs */
	bool		 said;			/* that nothing can be started */
	int		 loglevel;
	char		*command;
	int		 timeout, restart;	/* seconds; restart 0: never */
	unsigned	 life;			/* counts starts */
	uint32_t	 pid;
	int		 in, out, err;		/* our ends */
	struct event	*on_in, *on_out, *on_err, *tick, *again;
	struct buf	 tosend, got, errors;
	size_t		 sent;			/* of tosend */
	uint32_t	 seq;
	time_t		 begun;
	int		 delay;
	int		 version;
	bool		 tokens;
	TAILQ_HEAD(, request) waiting;
	size_t		 nwaiting;
	int		 took;			/* milliseconds, see there */
} h = {
	.in = -1, .out = -1, .err = -1,
	.waiting = TAILQ_HEAD_INITIALIZER(h.waiting)
};

static void	start(void);
static void	send_all(void);

/* Its own level, not that of logins. */
#define hlog(level, ...) do {					\
	if ((level) <= h.loglevel)				\
		log_always((level), TAG, __VA_ARGS__);		\
} while (0)

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

static time_t
now(void)
{
	return now_ms() / 1000;
}

int
extauth_took(void)
{
	return h.took;
}

static void
note_time(const struct request *r)
{
	int64_t ms = now_ms() - r->sent_ms;

	if (strcmp(r->verb, "VRFY") == 0)
		h.took = ms > TOOK_MAX ? TOOK_MAX : (int)ms;
}

bool
extauth_enabled(void)
{
	return h.state != OFF;
}

bool
extauth_has_tokens(void)
{
	return h.state == READY && h.tokens;
}

/* --- requests --- */

static void
request_end(struct request *r, enum extauth_verdict v, struct str text)
{
	TAILQ_REMOVE(&h.waiting, r, entry);
	h.nwaiting--;
	r->cb(v, text, r->arg);
	if (r->rest != NULL)
		explicit_bzero(r->rest, r->restlen);
	free(r->rest);
	free(r->verb);
	free(r->mode);
	free(r->name);
	free(r);
}

static void
fail_all(const char *why)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&h.waiting)) != NULL)
		request_end(r, EXTAUTH_LATER, str_make(why));
}

void
extauth_ask(const char *verb, const char *mode, const char *name,
    struct str rest, extauth_cb *cb, void *arg)
{
	struct request *r;

	if (h.state == OFF || (h.state == DOWN && h.restart == 0) ||
	    h.nwaiting >= WAITING_MAX || (r = calloc(1, sizeof(*r))) == NULL) {
		cb(EXTAUTH_LATER, str_make("the external authenticator is not "
		    "running"), arg);
		return;
	}
	r->cb = cb;
	r->arg = arg;
	r->asked = now();
	r->verb = xstrdup(verb);
	r->mode = xstrdup(mode);
	r->name = xstrdup(name);
	r->restlen = rest.len;
	r->rest = xcalloc(1, rest.len + 1);
	if (rest.len > 0)
		memcpy(r->rest, rest.p, rest.len);
	TAILQ_INSERT_TAIL(&h.waiting, r, entry);
	h.nwaiting++;
	send_all();
}

/* --- the end of a program --- */

static void
close_end(int *fd, struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
	buf_init(b, 0);
}

/* Closing its input tells it to go; what it still says is not heard. */
static void
drop_program(bool kill_it)
{
	struct msg_helper_kill m = { .pid = h.pid };
	struct request *r;

	close_end(&h.in, &h.on_in);
	close_end(&h.out, &h.on_out);
	close_end(&h.err, &h.on_err);
	wipe(&h.tosend);
	wipe(&h.got);
	wipe(&h.errors);
	h.sent = 0;
	h.life++;
	if (kill_it && h.pid != 0)
		ipc_send(proc_peer(PROC_PRIV), IPC_HELPER_KILL, 0, &m, -1);
	h.pid = 0;
	TAILQ_FOREACH(r, &h.waiting, entry)
		r->seq = 0;
	if (h.state == READY && h.tokens) {
		h.state = DOWN;
		extauth_tell_fronts();
	}
	h.state = DOWN;
}

static void
again(evutil_socket_t fd, short what, void *arg)
{
	start();
}

static void
schedule(void)
{
	struct timeval tv = { 0, 0 };

	if (h.restart == 0) {
		hlog(LOG_CRASH, "it is not started again: AutoRestart is off");
		fail_all("the external authenticator is not running");
		return;
	}
	h.delay = now() - h.begun >= LIVED || h.delay == 0 ? h.restart :
	    h.delay * 2;
	if (h.delay > DELAY_MAX && h.delay > h.restart)
		h.delay = h.restart > DELAY_MAX ? h.restart : DELAY_MAX;
	tv.tv_sec = h.delay;
	hlog(LOG_PROBLEM, "it is started again in %d s", h.delay);
	evtimer_add(h.again, &tv);
}

static void
broken(const char *why, bool kill_it)
{
	hlog(LOG_CRASH, "the program %s", why);
	drop_program(kill_it);
	schedule();
}

/* --- lines out --- */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n;

	while (h.sent < h.tosend.len) {
		n = write(h.in, h.tosend.p + h.sent, h.tosend.len - h.sent);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			event_add(h.on_in, NULL);
			return;
		}
		if (n == -1) {
			broken("reads no more", true);
			return;
		}
		h.sent += n;
	}
	wipe(&h.tosend);
	h.sent = 0;
}

static void
send_one(struct request *r)
{
	bool mode = h.version >= 1 && *r->mode != '\0';

	if (++h.seq == 0)
		h.seq = 1;
	r->seq = h.seq;
	r->sent = now();
	r->sent_ms = now_ms();
	r->tries++;
	buf_printf(&h.tosend, "%06lu %s %s%s%s%s", (unsigned long)r->seq,
	    r->verb, mode ? "(" : "", mode ? r->mode : "", mode ? ") " : "",
	    r->name);
	if (r->restlen > 0) {
		buf_putc(&h.tosend, ' ');
		buf_add(&h.tosend, r->rest, r->restlen);
	}
	buf_putc(&h.tosend, '\n');
	hlog(LOG_LOW, "out: %06lu %s %s%s%s%s%s", (unsigned long)r->seq,
	    r->verb, mode ? "(" : "", mode ? r->mode : "", mode ? ") " : "",
	    r->name, r->restlen > 0 ? " ..." : "");
}

static void
send_all(void)
{
	struct request *r;
	bool idle = h.tosend.len == 0;

	if (h.state != READY)
		return;
	TAILQ_FOREACH(r, &h.waiting, entry)
		if (r->seq == 0)
			send_one(r);
	if (h.tosend.failed)
		broken("is too slow", true);
	else if (idle && h.tosend.len > 0)
		on_writable(h.in, EV_WRITE, NULL);
}

/* --- lines in --- */

/* It may have echoed what it was sent: then nobody shall read it here. */
static bool
has_secret(struct str text)
{
	const struct request *r;

	TAILQ_FOREACH(r, &h.waiting, entry)
		if (r->restlen >= SECRET_MIN && memmem(text.p, text.len,
		    r->rest, r->restlen) != NULL)
			return true;
	return false;
}

static void
log_text(int level, const char *what, struct str text)
{
	if (has_secret(text))
		hlog(level, "%s(%zu bytes with a secret)", what, text.len);
	else
		hlog(level, "%s%.*s", what, text.len > LOGGED ? LOGGED :
		    (int)text.len, text.p);
}

static void
greeted(const struct helper_answer *a)
{
	struct cur c = cur_make(a->text.p, a->text.len);
	uint64_t version = 0;

	if (a->said == HELPER_OK)
		cur_u64(&c, &version, 1000);
	h.version = version < VERSION ? (int)version : VERSION;
	h.tokens = a->said == HELPER_OK && (helper_has_word(a->text,
	    "OAUTHBEARER") || helper_has_word(a->text, "XOAUTH2"));
	h.state = READY;
	hlog(LOG_PROBLEM, "the program is ready, interface version %d%s",
	    h.version, h.tokens ? ", knows tokens" : "");
	if (h.tokens)
		extauth_tell_fronts();
	send_all();
}

static void
got_answer(const struct helper_answer *a)
{
	struct request *r;
	char what[32];

	if (h.state == GREETING && a->seq == h.seq) {
		greeted(a);
		return;
	}
	TAILQ_FOREACH(r, &h.waiting, entry)
		if (r->seq == a->seq && a->seq != 0)
			break;
	if (r == NULL) {
		hlog(LOG_PROBLEM, "an answer to no request: %lu",
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
			hlog(LOG_PROBLEM, "a line of %zu bytes makes no sense",
			    line.len);
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
	unsigned life = h.life;
	size_t used = 0;
	char *nl;
	struct str line;

	while ((nl = memchr(b->p + used, '\n', b->len - used)) != NULL) {
		line = (struct str){ b->p + used, nl - (b->p + used) };
		used += line.len + 1;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		tell(line);
		if (h.life != life)
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

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	int r = take_input(h.out, &h.got, got_line);

	if (r == 0)
		broken("has ended", true);
	else if (r == 1 && h.got.len > HELPER_LINE)
		broken("says lines that are too long", true);
}

static void
on_errors(evutil_socket_t fd, short what, void *arg)
{
	int r = take_input(h.err, &h.errors, got_errors);

	if (r == 0)
		close_end(&h.err, &h.on_err);
	else if (r == 1 && h.errors.len > HELPER_LINE)
		buf_reset(&h.errors);
}

/* --- time --- */

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct request *r, *next;
	time_t t = now();
	bool hangs = h.state == GREETING && t - h.begun >= h.timeout;

	for (r = TAILQ_FIRST(&h.waiting); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->seq != 0 && t - r->sent >= h.timeout) {
			hangs = true;
			if (r->tries >= TRIES)
				r->asked = t - LIFE;
		}
		if (t - r->asked >= LIFE)
			request_end(r, EXTAUTH_LATER,
			    str_make("the external authenticator is silent"));
	}
	if (hangs)
		broken("does not answer in time and is ended", true);
}

/* --- the start --- */

static void
started(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_helper_started *m = pkt != NULL ? pkt->m : NULL;
	unsigned life = (unsigned)(uintptr_t)arg;

	if (life != h.life) {	/* not wanted any more */
		struct msg_helper_kill k = { .pid = m != NULL ? m->pid : 0 };

		if (k.pid != 0)
			ipc_send(proc_peer(PROC_PRIV), IPC_HELPER_KILL, 0, &k,
			    -1);
		return;
	}
	if (m == NULL || m->code != 0) {
		hlog(LOG_CRASH, "the program cannot be started: %s",
		    m != NULL ? m->text : "no answer");
		drop_program(false);
		schedule();
		return;
	}
	/* Not heard before: where nothing was started, all ends close. */
	h.pid = m->pid;
	event_add(h.on_out, NULL);
	event_add(h.on_err, NULL);
	h.state = GREETING;
	h.begun = now();
	if (++h.seq == 0)
		h.seq = 1;
	buf_printf(&h.tosend, "%06lu INTF %d\n", (unsigned long)h.seq,
	    VERSION);
	on_writable(h.in, EV_WRITE, NULL);
}

/* A pipe with one end for the program; ours does not block. */
static int
give_pipe(int as, bool we_read)
{
	struct msg_helper_fd m = { .as = as };
	int p[2], ours;

	if (pipe2(p, O_CLOEXEC) == -1)
		return -1;
	ours = p[we_read ? 0 : 1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) == -1 ||
	    ipc_send(proc_peer(PROC_PRIV), IPC_HELPER_FD, 0, &m,
		p[we_read ? 1 : 0]) == -1) {
		close(ours);
		return -1;
	}
	return ours;
}

static bool
make_pipes(void)
{
	if ((h.in = give_pipe(0, false)) == -1 ||
	    (h.out = give_pipe(1, true)) == -1 ||
	    (h.err = give_pipe(2, true)) == -1)
		return false;
	h.on_in = event_new(proc_base(), h.in, EV_WRITE, on_writable, NULL);
	h.on_out = event_new(proc_base(), h.out, EV_READ | EV_PERSIST,
	    on_answer, NULL);
	h.on_err = event_new(proc_base(), h.err, EV_READ | EV_PERSIST,
	    on_errors, NULL);
	return h.on_in != NULL && h.on_out != NULL && h.on_err != NULL;
}

static void
start(void)
{
	struct msg_helper_start m = { .command = h.command };

	if (h.state != DOWN || !h.up)
		return;
	h.begun = now();
	if (proc_peer(PROC_PRIV) == NULL) {	/* extauth_peer_up() goes on */
		if (!h.said)
			hlog(LOG_CRASH, "programs cannot be started: "
			    "cgserver.conf has no helper-dirs, or the root "
			    "helper is down");
		h.said = true;
		return;
	}
	h.said = false;
	if (!make_pipes()) {
		hlog(LOG_CRASH, "no pipes for the program");
		drop_program(false);
		schedule();
		return;
	}
	h.state = ASKED;
	ipc_call(proc_peer(PROC_PRIV), IPC_HELPER_START, 0, &m, -1,
	    IPC_TIMEOUT, started, (void *)(uintptr_t)h.life);
}

void
extauth_peer_up(void)
{
	if (h.state == DOWN && h.again != NULL &&
	    !evtimer_pending(h.again, NULL))
		start();
}

void
extauth_start(void)
{
	h.up = true;
	start();
}

/* With the root helper its programs end, too; their pipes tell. */
void
extauth_peer_down(void)
{
	if (h.state == ASKED)
		drop_program(false);
}

/* --- settings --- */

static int
seconds(const struct val *d, const char *name, int dflt, int max)
{
	int64_t n = dict_int(d, name, dflt);

	return n < 0 || n > max ? dflt : (int)n;
}

static void
make_timers(void)
{
	static const struct timeval second = { 1, 0 };

	if (h.tick != NULL)
		return;
	h.tick = event_new(proc_base(), -1, EV_PERSIST, tick, NULL);
	h.again = evtimer_new(proc_base(), again, NULL);
	if (h.tick == NULL || h.again == NULL ||
	    event_add(h.tick, &second) == -1)
		fatalx("no timers");
}

static void
turn_off(void)
{
	if (h.state == OFF)
		return;
	evtimer_del(h.again);
	event_free(h.tick);
	event_free(h.again);
	h.tick = h.again = NULL;
	drop_program(false);
	h.state = OFF;
	fail_all("the external authenticator was switched off");
	log_always(LOG_PROBLEM, TAG, "switched off");
}

/* A changed program is another program; other changes apply as they are. */
void
extauth_settings(const struct val *all)
{
	const struct val *d = settings_value(all, "Main", "ExternalAUTH");
	const char *command = dict_str(d, "ProgramName", "");
	const char *restart = dict_str(d, "AutoRestart", "");
	bool enabled = dict_bool(d, "Enabled", false) && *command != '\0' &&
	    strlen(command) <= 2048;

	h.loglevel = seconds(d, "LogLevel", LOG_PROBLEM, LOG_ALL);
	h.timeout = seconds(d, "Timeout", TIMEOUT, TIMEOUT_MAX);
	if (h.timeout < 1)
		h.timeout = 1;
	h.restart = seconds(d, "AutoRestart", RESTART, TIMEOUT_MAX);
	if (h.restart < 1)
		h.restart = 1;
	if (strcasecmp(restart, "Disabled") == 0)
		h.restart = 0;
	if (h.command != NULL && strcmp(h.command, command) != 0)
		turn_off();
	if (!enabled) {
		turn_off();
		return;
	}
	free(h.command);
	h.command = xstrdup(command);
	if (h.state == OFF) {
		make_timers();
		h.state = DOWN;
		h.delay = 0;
		start();
	} else if (h.state == DOWN && !evtimer_pending(h.again, NULL))
		start();
}

void
extauth_status(struct val *dict)
{
	static const char *const words[] = { "off", "down", "starting",
		"starting", "ready" };

	if (h.state == OFF)
		return;
	dict_setf(dict, "ExternalAuth", "%s", words[h.state]);
	dict_setf(dict, "ExternalWaiting", "%zu", h.nwaiting);
}
