/*
 * smtpd, role send: its place among the processes.  See README; how a message
 * goes is client.c's.  It must never be spoken to by anybody but queued, and
 * routerd and smtpd for names of hosts; it reads no file but those that queued
 * opened for it.
 */
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "dns.h"
#include "log.h"
#include "proc.h"
#include "send.h"
#include "settings.h"
#include "tls_client.h"

#define BLANKS	" \t,;\n"

/* While the host's configuration can still be read. */
static void
before(const struct proc_conf *conf)
{
	const char *trusted = dict_str(conf->conf, "ResolverTrusted", "");

	if (tls_client_init(val_text(dict_get(conf->conf, "Authorities"))) ==
	    -1)
		fatalx("no TLS");
	if (dns_init(val_text(dict_get(conf->conf, "Resolver"))) == -1)
		fatalx("no DNS servers");
	if (*trusted != '\0')
		dns_trust(strcasecmp(trusted, "YES") == 0);
}

static void
start(void)
{
	dns_start(proc_base());
}

const char *
send_helo(void)
{
	const char *name = settings_text(proc_settings(), "Main",
	    "DomainName");

	return name == NULL || *name == '\0' ? proc_conf()->hostname : name;
}

struct send_conf send_conf;

/* "name:port", "[address]:port": any port, unless a pattern has one. */
static size_t
name_len(const char *host)
{
	const char *colon = strrchr(host, ':');

	return colon == NULL || strchr(colon, ']') != NULL ? strlen(host) :
	    (size_t)(colon - host);
}

enum secure
send_secure(const char *host)
{
	struct cur c = cur_str(send_conf.encrypted);
	char pattern[DNS_MAXNAME + 1], name[DNS_MAXNAME + 1];

	if (!str_copy((struct str){ host, name_len(host) }, name,
	    sizeof(name)))
		*name = '\0';
	for (cur_span(&c, BLANKS); cur_left(&c) > 0; cur_span(&c, BLANKS))
		if (str_copy(cur_until(&c, BLANKS), pattern,
		    sizeof(pattern)) &&
		    (fnmatch(pattern, name, FNM_CASEFOLD) == 0 ||
		    fnmatch(pattern, host, FNM_CASEFOLD) == 0))
			return SECURE_MUST;
	return send_conf.possible ? SECURE_MAY : SECURE_NO;
}

static void
settings(const struct val *all)
{
	struct send_conf *c = &send_conf;

	log_set_level(settings_int(all, "SMTP", "LogLevel"));
	c->forward = settings_text(all, "SMTP", "ForwardTo");
	c->name = settings_text(all, "SMTP", "ForwardName");
	c->password = settings_text(all, "SMTP", "ForwardPassword");
	c->wake_name = settings_text(all, "SMTP", "ATRNName");
	c->wake_password = settings_text(all, "SMTP", "ATRNPassword");
	c->encrypted = settings_text(all, "SMTP", "SendEncrypted");
	c->possible = settings_bool(all, "SMTP", "EncryptWherePossible");
	c->dane = settings_bool(all, "SMTP", "UseDANE");
	c->sts = settings_bool(all, "SMTP", "UseMTASTS");
}

/* What we have in hand, before anything else is given to us. */
static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	struct msg_jobs_end end = { 0 };

	if (id != PROC_QUEUED)
		return;
	chan_down(ipc);
	chan_held(ipc);
	results_again(ipc);
	ipc_send(ipc, IPC_JOBS_END, 0, &end, -1);
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_QUEUED)
		chan_down(ipc);
}

static void
drained(void)
{
	keep_save();
	proc_exit(0);
}

/* Whoever ends in the middle of a message may have sent it twice. */
static void
stop(void)
{
	chan_drain(drained);
}

static void
status(struct val *d)
{
	dict_setf(d, "Channels", "%zu", chan_count());
}

static const struct ipc_disp from_queued[] = {
	{ IPC_SEND_OPEN, chan_open },
	{ IPC_SEND_MAIL, chan_mail },
	{ IPC_SEND_CLOSE, chan_close },
	{ IPC_SEND_WAKE, wake_request },
	{ IPC_RESULT_ACK, result_ack },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_routerd[] = {
	{ IPC_DNS_ASK, lookup_request },
	{ IPC_SENDER_STATE, keep_load },
	{ IPC_DNS_FIND, find_request },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_smtpd[] = {
	{ IPC_DNS_FIND, find_request },
	{ IPC_HOST_TRY, reverse_request },
	{ IPC_NONE, NULL }
};

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "smtpd-send",
		.tag = "SMTP",
		.id = PROC_SENDER,
		.sandbox = {
			.allow = SB_CONNECT | SB_SOCKETPAIR,
			.empty_root = true,
			.noproc = true
		},
		.peers = {
			[PROC_QUEUED] = from_queued,
			[PROC_ROUTERD] = from_routerd,
			[PROC_SMTPD] = from_smtpd,
		},
		.before = before,
		.start = start,
		.settings = settings,
		.peer_up = peer_up,
		.peer_down = peer_down,
		.status = status,
		.stop = stop
	};

	return proc_run(argc, argv, &def);
}
