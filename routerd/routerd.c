/*
 * routerd: where an address leads, which domains and accounts there are, and
 * everybody's settings.  Owns Settings/ and the domain directories; runs as
 * _cgroute in the base directory.  This file is its main(): who may ask what.
 * It must never block on a peer, nor touch what is inside an account.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "object.h"

struct names	 names;
struct route_env env;

static uint64_t	 nrouted, nrefused;

/* The field limits of ROUTED and of struct route_answer are the same. */
static void
routed(struct ipc_ref ref, const struct route_query *q,
    const struct route_answer *a, int level)
{
	/* A login's may be a password in the wrong place. */
	const char *address = q->access ? "*" : q->address;
	struct msg_routed r = { .code = a->code, .smtp = a->smtp,
		.esc = a->esc, .text = a->text, .module = a->module,
		.host = a->host, .address = a->address, .path = a->path,
		.domain = a->domain, .alias = a->alias, .relay = a->relay,
		.source = strcmp(a->module, "SMTP") == 0 ? q->source : "" };

	if (a->code == 0) {
		nrouted++;
		log_msg(level, "%s: '<%s>' accepted", a->module, address);
	} else {
		nrefused++;
		log_msg(LOG_LOW, "'<%s>' refused: %s", address, a->text);
	}
	ipc_answer(ref, IPC_ROUTED, &r, -1);
}

static void
temporary(struct route_answer *a)
{
	a->code = 2;
	a->smtp = 450;
	snprintf(a->esc, sizeof(a->esc), "4.3.0");
	snprintf(a->text, sizeof(a->text), "temporary failure");
}

/*
 * A question that waits for the DNS: are we that domain's backup, or is its host
 * a client's?
 */
struct backing {
	struct ipc_ref	 ref;
	int		 level;
	struct route_answer a;
	char		 source[sizeof(((struct route_query *)0)->source)];
	char		 address[1];
};

static void
backed(enum backup is, void *arg)
{
	struct backing *b = arg;
	struct route_query q = { .address = b->address };

	memcpy(q.source, b->source, sizeof(q.source));
	if (is == BACKUP_NO && b->a.by_host) {
		b->a.by_host = false;
		client_host_ask(b->a.domain, b->a.by_mx, backed, b);
		return;
	}
	b->a.domain[0] = '\0';
	b->a.relay = is == BACKUP_YES;
	if (is == BACKUP_LATER)
		temporary(&b->a);
	routed(b->ref, &q, &b->a, b->level);
	free(b);
}

/* Nothing but the DNS can change it any more. */
static void
settle(struct ipc_ref ref, const struct route_query *q,
    const struct route_answer *a, int level)
{
	size_t len = strlen(q->address);
	struct backing *b;

	if (a->code != 0 || (!a->backup && !a->by_host)) {
		routed(ref, q, a, level);
		return;
	}
	b = xcalloc(1, sizeof(*b) + len);
	b->ref = ref;
	b->level = level;
	b->a = *a;
	memcpy(b->source, q->source, sizeof(b->source));
	memcpy(b->address, q->address, len + 1);
	if (b->a.backup)
		backup_ask(b->a.domain, backed, b);
	else
		backed(BACKUP_NO, b);
}

/* A question that waits for the external authenticator. */
struct consultation {
	struct ipc_ref	 ref;
	struct route_query q;
	int		 level;
	char		 text[1];	/* what the query points to */
};

static void
consulted(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct consultation *c = arg;
	struct route_answer a;

	c->q.consulted = true;
	route_address(&env, &c->q, &a);
	/* Perhaps it exists: nobody knows now. */
	if (a.code == 1 && (m == NULL || m->code == 2))
		temporary(&a);
	settle(c->ref, &c->q, &a, c->level);
	free(c);
}

static const char *
keep(char **at, const char *s)
{
	size_t len = strlen(s) + 1;

	memcpy(*at, s, len);
	*at += len;
	return *at - len;
}

static void
consult(struct ipc_ref ref, const struct route_query *q,
    const struct route_answer *a, int level)
{
	size_t len = strlen(q->address) + strlen(q->peer) + strlen(q->local) +
	    strlen(q->account) + 4;
	char name[sizeof(a->host) + sizeof(a->domain)], *at;
	struct msg_name_unknown m = { .name = name };
	struct consultation *c = xcalloc(1, sizeof(*c) + len);

	at = c->text;
	c->ref = ref;
	c->level = level;
	c->q = *q;
	c->q.address = keep(&at, q->address);
	c->q.peer = keep(&at, q->peer);
	c->q.local = keep(&at, q->local);
	c->q.account = keep(&at, q->account);
	snprintf(name, sizeof(name), "%.255s@%.255s", a->host, a->domain);
	ipc_call(proc_peer(PROC_AUTHD), IPC_NAME_UNKNOWN, 0, &m, -1,
	    IPC_TIMEOUT, consulted, c);
}

static void
on_route(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_route *m = pkt->m;
	struct route_query q = { .address = m->address, .peer = m->peer,
		.local = m->local, .account = m->account,
		.client = m->client != 0, .access = m->access != 0,
		.consulted = m->consult == 0 };
	struct route_answer a;
	/* What is enqueued is for the log's readers, the rest is detail. */
	bool queued = proc_who(ipc, NULL) == PROC_QUEUED;
	int level = queued ? LOG_MAJOR : LOG_LOW;

	if (queued)
		source_find(m, q.source);
	route_address(&env, &q, &a);
	if (a.consult)
		consult(ipc_ref(ipc, pkt), &q, &a, level);
	else
		settle(ipc_ref(ipc, pkt), &q, &a, level);
}

static const struct ipc_disp from_asker[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_smtpd[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_TEMP_BLACK,	on_temp_black },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_queued[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_EXPAND,		on_expand },
	{ IPC_DOMAIN_STAT,	on_domain_stat },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_authd[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_NAME_ALIASES,	on_name_aliases },
	{ IPC_NAME_RESERVE,	on_name_reserve },
	{ IPC_NAME_PUBLISH,	on_name_publish },
	{ IPC_NAME_REMOVE,	on_name_remove },
	{ IPC_TEMP_BLACK,	on_temp_black },
	{ IPC_ROAMING,		on_roaming },
	{ IPC_NONE,		NULL }
};

/* Names without a ticket are not for it. */
static const struct ipc_disp from_pwdd[] = {
	{ IPC_ADMIN,		on_admin },
	{ IPC_NONE,		NULL }
};

/* What it wants to find again; else it answers only. */
static const struct ipc_disp from_sender[] = {
	{ IPC_SENDER_STATE,	keep_sender },
	{ IPC_NONE,		NULL }
};

static void
before(const struct proc_conf *conf)
{
	own_read();
}

static void
start(void)
{
	char lower[DOMAIN_MAXLEN + 1];

	if (!name_lower(str_make(proc_conf()->hostname), lower,
	    sizeof(lower)) || !name_valid_domain(lower))
		fatalx("the host's name \"%s\" cannot be a domain's",
		    proc_conf()->hostname);
	names_init(&names, lower);
	env.names = &names;
	config_load();
	config_name_main();
	scan_all();
	config_apply();
}

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_AUTHD)
		clean_authd_up();
	else if (id == PROC_SMTPD)
		temp_smtpd_up(ipc);
	else if (id == PROC_SENDER) {
		keep_give(ipc);
		own_dns_ask();
	}
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_AUTHD)
		reserve_forget();
}

static void
status(struct val *d)
{
	const struct table_bad *bad = table_bad(env.table);
	const struct domain *dom = names.first;

	dict_setf(d, "Domains", "%zu", names.ndomains);
	dict_setf(d, "Accounts", "%zu", names.naccounts);
	dict_setf(d, "Routed", "%llu", (unsigned long long)nrouted);
	dict_setf(d, "Refused", "%llu", (unsigned long long)nrefused);
	temp_status(d);
	if (bad->line != 0)
		dict_setf(d, "RoutingTable", "line %u: %s", bad->line,
		    bad->why);
	while (dom != NULL && !dom->spoiled && !dom->incomplete)
		dom = dom->next;
	if (dom != NULL)
		dict_set(d, "Unreadable", val_string(dom->name));
}

static void
stop(void)
{
	index_save();
	(void)stat_save();
	proc_exit(0);
}

int
main(int argc, char **argv)
{
	static const char *const read[] = { "Accounts", "Domains", NULL };
	static const char *const write[] = { "Settings", "Domains",
		"Accounts/Settings", NULL };
	static const char *const makedir[] = { "Accounts", NULL };
	static const struct proc_def def = {
		.name = "routerd",
		.tag = "ROUTER",
		.id = PROC_ROUTERD,
		.sandbox = {
			.allow = SB_FILES_READ | SB_FILES_WRITE | SB_CHMOD_FD,
			.read = read,
			.write = write,
			.makedir = makedir,
		},
		.peers = {
			[PROC_AUTHD] = from_authd,
			[PROC_SMTPD] = from_smtpd,
			[PROC_QUEUED] = from_queued,
			[PROC_STORED] = from_asker,
			[PROC_PWDD] = from_pwdd,
			[PROC_SENDER] = from_sender,
		},
		.before = before,
		.start = start,
		.peer_up = peer_up,
		.peer_down = peer_down,
		.status = status,
		.stop = stop,
	};

	return proc_run(argc, argv, &def);
}
