/*
 * routerd: where an address leads, which domains and accounts there are, and
 * everybody's settings.  Owns Settings/ and the domain directories; runs as
 * _cgroute in the base directory.  This file is its main(): who may ask what.
 * It must never block on a peer, nor touch what is inside an account.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "router.h"

struct names	 names;
struct route_env env;

static uint64_t	 routed, refused;

/* The field limits of ROUTED and of struct route_answer are the same. */
static void
on_route(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_route *m = pkt->m;
	struct route_query q = { .address = m->address, .peer = m->peer,
		.local = m->local, .account = m->account,
		.access = m->access != 0 };
	struct route_answer a;
	struct msg_routed r;
	/* What is enqueued is for the log's readers, the rest is detail. */
	int level = proc_who(ipc, NULL) == PROC_QUEUED ? LOG_MAJOR : LOG_LOW;

	route_address(&env, &q, &a);
	if (a.code == 0) {
		routed++;
		log_msg(level, "%s: '<%s>' accepted", a.module, m->address);
	} else {
		refused++;
		log_msg(LOG_LOW, "'<%s>' refused: %s", m->address, a.text);
	}
	r = (struct msg_routed){ .code = a.code, .smtp = a.smtp, .esc = a.esc,
		.text = a.text, .module = a.module, .host = a.host,
		.address = a.address, .path = a.path, .domain = a.domain,
		.alias = a.alias, .relay = a.relay };
	ipc_answer(ipc_ref(ipc, pkt), IPC_ROUTED, &r, -1);
}

static const struct ipc_disp from_asker[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_authd[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_NAME_RESERVE,	on_name_reserve },
	{ IPC_NAME_PUBLISH,	on_name_publish },
	{ IPC_NAME_REMOVE,	on_name_remove },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_pwdd[] = {
	{ IPC_ROUTE,		on_route },
	{ IPC_ADMIN,		on_admin },
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
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_AUTHD)
		reserve_forget();
}

static void
status(struct val *d)
{
	dict_setf(d, "Domains", "%zu", names.ndomains);
	dict_setf(d, "Accounts", "%zu", names.naccounts);
	dict_setf(d, "Routed", "%llu", (unsigned long long)routed);
	dict_setf(d, "Refused", "%llu", (unsigned long long)refused);
}

int
main(int argc, char **argv)
{
	static const char *const read[] = { "Accounts", "Domains", NULL };
	static const char *const write[] = { "Settings", "Domains",
		"Accounts/Settings", NULL };
	static const struct proc_def def = {
		.name = "routerd",
		.tag = "ROUTER",
		.id = PROC_ROUTERD,
		.sandbox = {
			.allow = SB_FILES_READ | SB_FILES_WRITE | SB_CHMOD_FD,
			.read = read,
			.write = write,
		},
		.peers = {
			[PROC_AUTHD] = from_authd,
			[PROC_SMTPD] = from_asker,
			[PROC_QUEUED] = from_asker,
			[PROC_STORED] = from_asker,
			[PROC_PWDD] = from_pwdd,
		},
		.before = before,
		.start = start,
		.peer_down = peer_down,
		.status = status,
	};

	return proc_run(argc, argv, &def);
}
