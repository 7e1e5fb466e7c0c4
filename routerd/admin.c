/*
 * The administration language at its owner: who asks is looked up at authd,
 * for each request; then the verb's function acts and answers.  Runs in
 * routerd.  What the arguments are stands in cli/cli.h.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "object.h"
#include "settings.h"

enum { SEEN_TIMEOUT = 3000 };

struct pending {
	struct command	 cmd;
	admin_fn	*fn;
	struct val	*args;
};

bool
may(const struct caller *who, const char *right)
{
	return dict_bool(who->rights, "Master", false) ||
	    dict_bool(who->rights, right, false);
}

bool
may_domains(const struct caller *who)
{
	return may(who, "Users") || (who->reads && may(who, "DomainsRead"));
}

/* One of the server's alone says nothing of a domain. */
static bool
has_domain_right(const struct caller *who)
{
	static const char *const servers[] = { "Master", "Settings", "Users",
		"DomainsRead", "Monitors", "Directory" };
	size_t i, j, n = sizeof(servers) / sizeof(servers[0]);

	for (i = 0; who->rights != NULL && i < val_count(who->rights); i++) {
		for (j = 0; j < n; j++)
			if (strcmp(val_key(who->rights, i), servers[j]) == 0)
				break;
		if (j == n)
			return true;
	}
	return false;
}

/* By any of its names. */
bool
is_domain(const char *text, const char *name)
{
	char lower[DOMAIN_MAXLEN + 1];
	const struct domain *d;

	if (*text == '\0' || !name_domain(str_make(text), lower,
	    sizeof(lower)))
		return false;
	d = names_domain(&names, lower);
	return d != NULL && strcmp(d->name, name) == 0;
}

bool
administered_by(const struct domain *d, const char *name)
{
	return is_domain(domain_text(d, "AdminDomainName",
	    settings_text(merged, "Domain", "AdminDomainName")), name);
}

/*
 * Domain administrators: any right in their own domain; with
 * CanAdminSubDomains, in those that name theirs as the administrator's.
 */
bool
may_domain(const struct caller *who, const struct domain *d)
{
	if (may_domains(who))
		return true;
	if (!has_domain_right(who))
		return false;
	return strcmp(who->domain, d->name) == 0 ||
	    (may(who, "CanAdminSubDomains") &&
	    administered_by(d, who->domain));
}

static const struct val *
arg(const struct command *c, size_t n)
{
	return val_type(c->args) == VAL_ARRAY && n < val_count(c->args) ?
	    val_at(c->args, n) : NULL;
}

/* Whatever a front sent: what is not of that type is an empty one. */
const struct val *
arg_val(const struct command *c, size_t n, enum val_type type)
{
	static struct val *none[2];
	const struct val *v = arg(c, n);
	int i = type == VAL_DICT;

	if (v != NULL && val_type(v) == type)
		return v;
	if (none[i] == NULL)
		none[i] = i ? val_dict() : val_array();
	return none[i];
}

const char *
arg_text(const struct command *c, size_t n)
{
	const struct val *v = arg(c, n);
	const char *text = v != NULL ? val_text(v) : NULL;

	return text != NULL ? text : "";
}

static unsigned int unseens;		/* changes that some do not have yet */

struct unseen {
	struct ipc_ref	 ref;
	unsigned	 code;
	char		*text;
};

static void
tell(struct ipc_ref ref, unsigned code, const char *text)
{
	struct msg_admined m = { .code = code, .text = text, .data = "" };

	ipc_answer(ref, IPC_ADMINED, &m, -1);
}

static void
seen(const struct ipc_pkt *pkt, void *arg)
{
	struct unseen *u = arg;

	unseens--;
	tell(u->ref, u->code, u->text);
	free(u->text);
	free(u);
}

/*
 * What was changed is in force everywhere when the caller hears of it, whatever
 * he does next: but who hangs holds nobody up for long.  A change to what it
 * is already may be to what another's change, still on its way, made it.
 */
void
answer(const struct command *c, unsigned code, const char *text)
{
	struct msg_settings_wait m = { 0 };
	struct unseen *u;

	if (!config_unseen() &&
	    (unseens == 0 || code != 200 || c->who.reads)) {
		tell(c->ref, code, text);
		return;
	}
	u = xcalloc(1, sizeof(*u));
	u->ref = c->ref;
	u->code = code;
	u->text = xstrdup(text);
	unseens++;
	ipc_call(proc_control(), IPC_SETTINGS_WAIT, 0, &m, -1,
	    SEEN_TIMEOUT, seen, u);
}

void
answer_err(const struct command *c, const char *err)
{
	answer(c, err == NULL ? 200 : 501, err == NULL ? "OK" : err);
}

/* Long data goes as a memory file: a packet holds 64 KiB. */
void
answer_val(const struct command *c, struct val *v)
{
	struct msg_admined m = { .code = 200, .text = "OK", .data = "" };
	struct buf b;
	int fd = -1;

	buf_init(&b, 0);
	if (v == NULL || !val_write(&b, v, false)) {
		m.code = 501;
		m.text = "out of memory";
	} else if (b.len < 60000)
		m.data = b.p;
	else if ((fd = file_memfd("answer", b.p, b.len)) == -1) {
		m.code = 501;
		m.text = "out of memory";
	}
	ipc_answer(c->ref, IPC_ADMINED, &m, fd);
	buf_free(&b);
	val_free(v);
}

static void
pending_free(struct pending *p)
{
	free(p->cmd.who.account);
	free(p->cmd.who.domain);
	val_free(p->cmd.who.rights);
	val_free(p->args);
	free(p);
}

static void
on_ticket(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt != NULL ? pkt->m : NULL;
	struct pending *p = arg;
	const char *at, *err;

	if (m == NULL)
		answer(&p->cmd, 501, "temporary failure, try again");
	else if (m->code != 0)
		answer(&p->cmd, 501, "the session is not valid any more");
	else {
		at = strrchr(m->account, '@');
		p->cmd.who.account = xstrdup(m->account);
		p->cmd.who.domain = xstrdup(at != NULL ? at + 1 :
						    names.main->name);
		p->cmd.who.rights = val_parse_all(m->rights,
		    strlen(m->rights), &err);
		p->fn(&p->cmd);
	}
	pending_free(p);
}

static admin_fn *
find_verb(const char *name)
{
	static const struct verb *const tables[] = { verbs_domain,
		verbs_server, verbs_stat, verbs_temp, verbs_move, verbs_alias,
		verbs_forwarder, verbs_group };
	const struct verb *v;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (v = tables[i]; v->name != NULL; v++)
			if (strcasecmp(v->name, name) == 0)
				return v->fn;
	return NULL;
}

static struct val *
read_args(struct ipc_pkt *pkt, const struct msg_admin *m)
{
	const char *err = NULL;
	struct val *v;
	int fd = ipc_take_fd(pkt);

	if (fd == -1)
		return val_parse_all(m->args, strlen(m->args), &err);
	v = val_read_fd(fd, &err);
	close(fd);
	return v;
}

void
on_admin(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin *m = pkt->m;
	struct msg_ticket_check check = { .ticket = m->ticket };
	struct pending *p = xcalloc(1, sizeof(*p));

	p->cmd.ref = ipc_ref(ipc, pkt);
	p->fn = find_verb(m->verb);
	p->cmd.who.reads = strncasecmp(m->verb, "Get", 3) == 0 ||
	    strncasecmp(m->verb, "List", 4) == 0 ||
	    strncasecmp(m->verb, "Find", 4) == 0 ||
	    strcasecmp(m->verb, "MainDomainName") == 0;
	p->args = read_args(pkt, m);
	p->cmd.args = p->args;
	if (m->ticket.len == sizeof(p->cmd.ticket))
		memcpy(p->cmd.ticket, m->ticket.p, m->ticket.len);
	if (p->fn == NULL || p->args == NULL) {
		answer(&p->cmd, 501, p->fn == NULL ?
		    "this command is not available yet" :
		    "the arguments cannot be read");
		pending_free(p);
		return;
	}
	ipc_call(proc_peer(PROC_AUTHD), IPC_TICKET_CHECK, 0, &check, -1,
	    IPC_TIMEOUT, on_ticket, p);
}
