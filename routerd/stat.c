/*
 * Statistics of domains (manual 16): what queued says was delivered to each,
 * kept in Settings/DomainStat.data, written a while after a change and when
 * the suite stops: what a kill loses is counts of the last minute.  Runs in
 * routerd.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "object.h"
#include "proc.h"
#include "rfc5322.h"
#include "router.h"

enum { SAVE_SECONDS = 60 };

static const char file[] = "Settings/DomainStat.data";
static struct val *all;		/* NULL: not read yet */
static bool changed;
static struct event *timer;

/* The Main Domain stands as "": its name may change. */
static const char *
key_of(const struct domain *d)
{
	return d->main ? "" : d->name;
}

static struct val *
load(void)
{
	const char *err;

	if (all == NULL)
		all = val_read_file(proc_basefd(), file, &err);
	if (all != NULL && val_type(all) != VAL_DICT) {
		val_free(all);
		all = NULL;
	}
	if (all == NULL)
		all = val_dict();
	return all;
}

/* Domains that are gone do not stay in it. */
static void
prune(void)
{
	size_t i = val_count(all);
	char *name;

	while (i-- > 0) {
		if (*val_key(all, i) == '\0' ||
		    names_domain(&names, val_key(all, i)) != NULL)
			continue;
		name = xstrdup(val_key(all, i));
		(void)dict_set(all, name, NULL);
		free(name);
	}
}

int
stat_save(void)
{
	if (!changed || all == NULL)
		return 0;
	prune();
	if (config_write(file, all) == -1)
		return -1;
	changed = false;
	return 0;
}

static void
tick(int fd, short what, void *arg)
{
	(void)stat_save();
}

static void
save_later(void)
{
	static const struct timeval tv = { SAVE_SECONDS, 0 };

	changed = true;
	if (timer == NULL)
		timer = evtimer_new(proc_base(), tick, NULL);
	if (timer != NULL && !event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &tv);
}

static struct val *
entry(const char *key)
{
	struct val *d = load(), *v = dict_get(d, key);

	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	return dict_set(d, key, val_dict()) == 0 ? dict_get(d, key) : NULL;
}

static void
add(struct val *v, const char *name, uint64_t n)
{
	(void)dict_setf(v, name, "%llu", (unsigned long long)
	    ((uint64_t)dict_int(v, name, 0) + n));
}

void
on_domain_stat(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_domain_stat *m = pkt->m;
	const struct domain *d = *m->domain == '\0' ? names.main :
	    names_domain(&names, m->domain);
	struct val *v = d != NULL ? entry(key_of(d)) : NULL;

	if (v == NULL)
		return;
	add(v, "MessagesReceived", m->messages);
	add(v, "BytesReceived", m->bytes);
	save_later();
}

void
stat_renamed(const char *old, const char *new)
{
	const struct val *v = dict_get(load(), old);

	if (v != NULL && dict_set(all, new, val_copy(v)) == 0) {
		(void)dict_set(all, old, NULL);
		save_later();
	}
}

static void
do_get(struct command *c)
{
	const struct domain *d = admin_domain(c, 0);
	const struct val *stat, *v;

	if (d == NULL)
		return;
	stat = dict_get(load(), key_of(d));
	if (*arg_text(c, 1) == '\0')
		answer_val(c, stat != NULL ? val_copy(stat) : val_dict());
	else {
		v = dict_get(stat, arg_text(c, 1));
		answer_val(c, v != NULL ? val_copy(v) : val_string(""));
	}
}

static int
reset_all(const struct domain *d)
{
	char when[32];

	date_queue(when, sizeof(when), time(NULL));
	if (dict_set(load(), key_of(d), val_dict()) == -1)
		return -1;
	return dict_setf(entry(key_of(d)), "StatReset", "%s", when);
}

static void
do_reset(struct command *c)
{
	const struct domain *d = admin_domain(c, 0);
	int rv;

	if (d == NULL || !object_may(c, d, "BasicSettings"))
		return;
	if (entry(key_of(d)) == NULL)
		rv = -1;
	else if (*arg_text(c, 1) == '\0')
		rv = reset_all(d);
	else
		rv = dict_set(entry(key_of(d)), arg_text(c, 1), NULL);
	changed = true;
	if (rv == -1 || stat_save() == -1)
		answer(c, 501, "the statistics cannot be written now");
	else
		answer(c, 200, "OK");
}

const struct verb verbs_stat[] = {
	{ "GetDomainStat", do_get },
	{ "ResetDomainStat", do_reset },
	{ NULL, NULL }
};
