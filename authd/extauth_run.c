/*
 * The external authenticator's program: started by the root helper, ended when
 * it hangs, started again, ever later if it keeps dying (manual 08, 11); its
 * settings.  Runs in authd.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "extauth_int.h"
#include "settings.h"

enum {
	TIMEOUT = 20, TIMEOUT_MAX = 3600, RESTART = 5, DELAY_MAX = 60,
	LIVED = 30,		/* who lived so long starts soon again */
	LEAVE = 5		/* seconds to go by itself (manual 08) */
};

static void	start(void);

/* --- the end of a program --- */

/*
 * Closing its input tells it to go, within so many seconds; what it still says
 * is not heard.
 */
static void
drop_program(int patience)
{
	struct msg_helper_kill m = { .pid = ea.pid, .seconds = patience };
	struct request *r;

	ea_close(&ea.in, &ea.on_in);
	ea_close(&ea.out, &ea.on_out);
	ea_close(&ea.err, &ea.on_err);
	ea_wipe(&ea.tosend);
	ea_wipe(&ea.got);
	ea_wipe(&ea.errors);
	ea.sent = 0;
	ea.life++;
	if (ea.pid != 0)
		ipc_send(proc_peer(PROC_PRIV), IPC_HELPER_KILL, 0, &m, -1);
	ea.pid = 0;
	TAILQ_FOREACH(r, &ea.waiting, entry)
		r->seq = 0;
	if (ea.state == EA_READY && ea.tokens) {
		ea.state = EA_DOWN;
		extauth_tell_fronts();
	}
	ea.state = EA_DOWN;
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

	if (ea.restart == 0) {
		ea_log(LOG_CRASH, "it is not started again: AutoRestart is "
		    "off");
		ea_fail_all("the external authenticator is not running");
		return;
	}
	ea.delay = ea_now() - ea.begun >= LIVED || ea.delay == 0 ? ea.restart :
	    ea.delay * 2;
	if (ea.delay > DELAY_MAX && ea.delay > ea.restart)
		ea.delay = ea.restart > DELAY_MAX ? ea.restart : DELAY_MAX;
	tv.tv_sec = ea.delay;
	ea_log(LOG_PROBLEM, "it is started again in %d s", ea.delay);
	evtimer_add(ea.again, &tv);
}

void
ea_broken(const char *why)
{
	ea_log(LOG_CRASH, "the program %s", why);
	drop_program(0);
	schedule();
}

/* --- the start --- */

static void
started(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_helper_started *m = pkt != NULL ? pkt->m : NULL;
	unsigned life = (unsigned)(uintptr_t)arg;

	if (life != ea.life) {	/* not wanted any more */
		struct msg_helper_kill k = { .pid = m != NULL ? m->pid : 0 };

		if (k.pid != 0)
			ipc_send(proc_peer(PROC_PRIV), IPC_HELPER_KILL, 0, &k,
			    -1);
		return;
	}
	if (m == NULL || m->code != 0) {
		ea_log(LOG_CRASH, "the program cannot be started: %s",
		    m != NULL ? m->text : "no answer");
		drop_program(LEAVE);
		schedule();
		return;
	}
	/* Not heard before: where nothing was started, all ends close. */
	ea.pid = m->pid;
	event_add(ea.on_out, NULL);
	event_add(ea.on_err, NULL);
	ea.state = EA_GREETING;
	ea.begun = ea_now();
	buf_printf(&ea.tosend, "%06lu INTF %d\n", (unsigned long)ea_next_seq(),
	    EA_VERSION);
	ea_on_writable(ea.in, EV_WRITE, NULL);
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
	if ((ea.in = give_pipe(0, false)) == -1 ||
	    (ea.out = give_pipe(1, true)) == -1 ||
	    (ea.err = give_pipe(2, true)) == -1)
		return false;
	ea.on_in = event_new(proc_base(), ea.in, EV_WRITE, ea_on_writable,
	    NULL);
	ea.on_out = event_new(proc_base(), ea.out, EV_READ | EV_PERSIST,
	    ea_on_answer, NULL);
	ea.on_err = event_new(proc_base(), ea.err, EV_READ | EV_PERSIST,
	    ea_on_errors, NULL);
	return ea.on_in != NULL && ea.on_out != NULL && ea.on_err != NULL;
}

static void
start(void)
{
	struct msg_helper_start m = { .command = ea.command };

	if (ea.state != EA_DOWN || !ea.up)
		return;
	ea.begun = ea_now();
	if (proc_peer(PROC_PRIV) == NULL) {	/* extauth_peer_up() goes on */
		if (!ea.said)
			ea_log(LOG_CRASH, "programs cannot be started: "
			    "cgserver.conf has no helper-dirs, or the root "
			    "helper is down");
		ea.said = true;
		return;
	}
	ea.said = false;
	if (!make_pipes()) {
		ea_log(LOG_CRASH, "no pipes for the program");
		drop_program(LEAVE);
		schedule();
		return;
	}
	ea.state = EA_ASKED;
	ipc_call(proc_peer(PROC_PRIV), IPC_HELPER_START, 0, &m, -1,
	    IPC_TIMEOUT, started, (void *)(uintptr_t)ea.life);
}

void
extauth_peer_up(void)
{
	if (ea.state == EA_DOWN && ea.again != NULL &&
	    !evtimer_pending(ea.again, NULL))
		start();
}

void
extauth_start(void)
{
	ea.up = true;
	start();
}

/* With the root helper its programs end, too; their pipes tell. */
void
extauth_peer_down(void)
{
	if (ea.state == EA_ASKED)
		drop_program(LEAVE);
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

	if (ea.tick != NULL)
		return;
	ea.tick = event_new(proc_base(), -1, EV_PERSIST, ea_tick, NULL);
	ea.again = evtimer_new(proc_base(), again, NULL);
	if (ea.tick == NULL || ea.again == NULL ||
	    event_add(ea.tick, &second) == -1)
		fatalx("no timers");
}

static void
turn_off(void)
{
	if (ea.state == EA_OFF)
		return;
	evtimer_del(ea.again);
	event_free(ea.tick);
	event_free(ea.again);
	ea.tick = ea.again = NULL;
	drop_program(LEAVE);
	ea.state = EA_OFF;
	ea_fail_all("the external authenticator was switched off");
	log_always(LOG_PROBLEM, EA_TAG, "switched off");
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

	ea.loglevel = seconds(d, "LogLevel", LOG_PROBLEM, LOG_ALL);
	ea.timeout = seconds(d, "Timeout", TIMEOUT, TIMEOUT_MAX);
	if (ea.timeout < 1)
		ea.timeout = 1;
	ea.restart = seconds(d, "AutoRestart", RESTART, TIMEOUT_MAX);
	if (ea.restart < 1)
		ea.restart = 1;
	if (strcasecmp(restart, "Disabled") == 0)
		ea.restart = 0;
	if (ea.command != NULL && strcmp(ea.command, command) != 0)
		turn_off();
	if (!enabled) {
		turn_off();
		return;
	}
	free(ea.command);
	ea.command = xstrdup(command);
	if (ea.state == EA_OFF) {
		make_timers();
		ea.state = EA_DOWN;
		ea.delay = 0;
		start();
	} else if (ea.state == EA_DOWN && !evtimer_pending(ea.again, NULL))
		start();
}

void
extauth_status(struct val *dict)
{
	static const char *const words[] = { "off", "down", "starting",
		"starting", "ready" };

	if (ea.state == EA_OFF)
		return;
	dict_setf(dict, "ExternalAuth", "%s", words[ea.state]);
	dict_setf(dict, "ExternalWaiting", "%zu", ea.nwaiting);
}
