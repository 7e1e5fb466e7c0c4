/*
 * Session tickets: who stands behind a front's session, until the session or
 * the front ends, or the account goes.  Runs in authd.  A ticket says who;
 * what he may is looked up anew each time it is shown.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "authd.h"
#include "log.h"

enum { BUCKETS = 4096, RIGHTS_TEXT = 4096 };

static struct ticket *buckets[BUCKETS];
static size_t ntickets;

/* The id is random: its first bytes are hash enough. */
static struct ticket **
bucket(const unsigned char *id)
{
	return &buckets[(id[0] | id[1] << 8) % BUCKETS];
}

struct ticket *
ticket_new(const char *account, const char *domain, const char *path,
    bool local, uint64_t channel)
{
	struct ticket *t, **b;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->account = strdup(account);
	t->domain = strdup(domain);
	if (path != NULL)
		t->path = strdup(path);
	if (t->account == NULL || t->domain == NULL ||
	    (path != NULL && t->path == NULL)) {
		free(t->account);
		free(t->domain);
		free(t->path);
		free(t);
		return NULL;
	}
	arc4random_buf(t->id, sizeof(t->id));
	t->local = local;
	t->channel = channel;
	b = bucket(t->id);
	t->hnext = *b;
	*b = t;
	ntickets++;
	return t;
}

/* The link that points to it, or to NULL. */
static struct ticket **
find(const unsigned char *id)
{
	struct ticket **p;

	for (p = bucket(id); *p != NULL; p = &(*p)->hnext)
		if (CRYPTO_memcmp((*p)->id, id, TICKET_LEN) == 0)
			break;
	return p;
}

struct ticket *
ticket_find(struct ipc_str id)
{
	return id.len == TICKET_LEN ? *find(id.p) : NULL;
}

void
secret_free(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void
drop(struct ticket **at)
{
	struct ticket *t = *at;

	*at = t->hnext;
	ntickets--;
	free(t->account);
	free(t->domain);
	free(t->path);
	secret_free(t->secret);
	explicit_bzero(t->id, sizeof(t->id));
	free(t);
}

static void
drop_if(bool (*match)(const struct ticket *, const void *), const void *arg)
{
	struct ticket **p;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		for (p = &buckets[i]; *p != NULL;) {
			if (match(*p, arg))
				drop(p);
			else
				p = &(*p)->hnext;
		}
}

static bool
of_channel(const struct ticket *t, const void *arg)
{
	return t->channel == *(const uint64_t *)arg;
}

static bool
of_account(const struct ticket *t, const void *arg)
{
	return strcmp(t->account, arg) == 0 && !t->local;
}

static bool
of_domain(const struct ticket *t, const void *arg)
{
	return strcmp(t->domain, arg) == 0 && !t->local;
}

void
ticket_drop_domain(const char *domain)
{
	drop_if(of_domain, domain);
}

void
ticket_drop_channel(struct ipc *ipc)
{
	static const struct ipc_pkt none;
	uint64_t channel = ipc_ref(ipc, &none).channel;

	drop_if(of_channel, &channel);
}

void
ticket_drop_account(const char *account)
{
	drop_if(of_account, account);
}

size_t
ticket_count(void)
{
	return ntickets;
}

struct val *
ticket_rights(const struct ticket *t)
{
	return rights_dict(t->account, t->domain, t->local);
}

void
ticket_check(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_check *m = pkt->m;
	struct msg_ticket_info r = { .code = 1, .account = "", .rights = "{}" };
	struct val *rights = NULL;
	struct ticket *t;
	struct buf text;

	buf_init(&text, 0);
	if ((t = ticket_find(m->ticket)) != NULL) {
		rights = ticket_rights(t);
		if (rights == NULL || !val_write(&text, rights, false) ||
		    text.len > RIGHTS_TEXT) {
			r.code = 2;
		} else {
			r.code = 0;
			r.account = t->account;
			r.rights = text.p;
			if (proc_who(ipc, NULL) == PROC_QUEUED)
				flow_of_ticket(t, &r);
		}
	}
	ipc_answer(ipc_ref(ipc, pkt), IPC_TICKET_INFO, &r, -1);
	val_free(rights);
	buf_free(&text);
}

void
ticket_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_end *m = pkt->m;
	struct ticket *t;

	/* Only the front that got it may end it. */
	if ((t = ticket_find(m->ticket)) != NULL &&
	    t->channel == ipc_ref(ipc, pkt).channel)
		drop(find(t->id));
}
