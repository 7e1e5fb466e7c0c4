/*
 * An account's limits, and what is within them: see quota.h.  In delivery and
 * in workers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "log.h"
#include "quota_int.h"

static const struct quota_limits none = { QUOTA_NONE, QUOTA_NONE, QUOTA_NONE,
	0, 0, 0, "", "", false, QUOTA_NONE };

struct quota *
quota_get(struct acct *a)
{
	if (a->quota == NULL) {
		a->quota = xcalloc(1, sizeof(*a->quota));
		a->quota->limits = none;
	}
	return a->quota;
}

void
quota_free(struct acct *a)
{
	quota_save(a);
	quota_forget(a);
	if (a->quota != NULL) {
		free(a->quota->text);
		free(a->quota->name);
	}
	free(a->quota);
	a->quota = NULL;
}

/* --- limits --- */

static uint64_t
limit_of(const struct val *d, const char *key)
{
	int64_t n = dict_int(d, key, -1);

	return n < 0 ? QUOTA_NONE : (uint64_t)n;
}

static unsigned
percent_of(const struct val *d, const char *key)
{
	int64_t n = dict_int(d, key, 0);

	return n < 0 || n > 100 ? 0 : (unsigned)n;
}

static char *
line_of(const struct val *d, const char *key)
{
	char *text = xstrdup(dict_str(d, key, "")), *p;

	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return text;
}

void
quota_limit(struct acct *a, const char *limits)
{
	struct quota *q = quota_get(a);
	const char *err = "";
	struct val *d;

	free(q->text);
	free(q->name);
	q->text = q->name = NULL;
	q->limits = none;
	a->format = &format_mbox;
	a->elsewhere = false;
	if (*limits == '\0')
		return;
	if ((d = val_parse_all(limits, strlen(limits), &err)) == NULL) {
		log_warnx("limits: %s", err);
		return;
	}
	q->limits.text = q->text = line_of(d, "Text");
	q->limits.name = q->name = line_of(d, "Name");
	q->limits.bytes = limit_of(d, "Bytes");
	q->limits.messages = limit_of(d, "Messages");
	q->limits.mailboxes = limit_of(d, "Mailboxes");
	q->limits.suspend = percent_of(d, "Suspend");
	q->limits.alert = percent_of(d, "Alert");
	q->limits.notice = percent_of(d, "Notice");
	q->limits.size = limit_of(d, "Size");
	q->limits.closed = dict_bool(d, "Closed", false);
	a->elsewhere = dict_get(d, "External") != NULL;
	if (box_format_type(dict_str(d, "Format", "")) != NULL)
		a->format = box_format_type(dict_str(d, "Format", ""));
	val_free(d);
}

const struct quota_limits *
quota_limits(const struct acct *a)
{
	return a->quota != NULL ? &a->quota->limits : &none;
}

static bool
is_limited(const struct acct *a)
{
	return a->quota != NULL && (a->quota->limits.bytes != QUOTA_NONE ||
	    a->quota->limits.messages != QUOTA_NONE);
}

/* --- is there room? --- */

int
quota_room(struct acct *a, uint64_t bytes, uint64_t messages)
{
	const struct quota_limits *l = quota_limits(a);
	struct quota_usage u;

	if (!is_limited(a))
		return 0;
	if (quota_usage(a, &u) == -1)
		return -1;
	if (u.bytes + bytes <= l->bytes && u.messages + messages <= l->messages)
		return 0;
	errno = EDQUOT;
	return -1;
}

int
quota_mailbox_room(struct acct *a)
{
	const struct quota_limits *l = quota_limits(a);
	struct quota_usage u;

	if (l->mailboxes == QUOTA_NONE)
		return 0;
	if (quota_usage(a, &u) == -1)
		return -1;
	if (u.mailboxes < l->mailboxes)
		return 0;
	errno = EDQUOT;
	return -1;
}

static unsigned
part(uint64_t used, uint64_t limit)
{
	if (limit == QUOTA_NONE)
		return 0;
	if (used >= limit)
		return 100;
	return (unsigned)((double)used * 100 / (double)limit);
}

static unsigned
percent(const struct quota_limits *l, const struct quota_usage *u)
{
	unsigned b = part(u->bytes, l->bytes);
	unsigned m = part(u->messages, l->messages);

	return b > m ? b : m;
}

int
quota_percent(struct acct *a)
{
	struct quota_usage u;

	if (!is_limited(a))
		return 0;
	if (quota_usage(a, &u) == -1)
		return -1;
	return (int)percent(&a->quota->limits, &u);
}

const char *
quota_alert(struct acct *a)
{
	enum { PAUSE = 600 };
	static const char key[] = "#QuotaAlerted";
	const struct quota_limits *l = quota_limits(a);
	int64_t now = time(NULL), last;
	struct val *root;

	if (l->alert == 0 || *l->text == '\0' ||
	    quota_percent(a) < (int)l->alert ||
	    (root = info_root(&a->info)) == NULL)
		return NULL;
	last = dict_int(root, key, 0);
	if (now >= last && now < last + PAUSE)
		return NULL;
	if (dict_setf(root, key, "%lld", (long long)now) == -1 ||
	    info_save(&a->info) == -1)
		log_warn("%s: not noted", key);
	return l->text;
}

static void
settle(struct delivery *d, int code, const char *esc, const char *text)
{
	d->code = code;
	d->esc = esc;
	d->text = text;
	d->settled = true;
}

/* As mbox_deliver.c writes it: From_ line, Return-Path, what is added. */
static uint64_t
stored_size(const struct delivery *d)
{
	enum { RETURN = 16, END = 1 };
	size_t path = strlen(d->sender);

	if (path > FROM_PATHMAX)
		path = FROM_PATHMAX;
	return FROM_EMPTY + path + RETURN + path + strlen(d->header) + d->size +
	    END;
}

void
quota_admit(struct box *b, struct delivery *d, size_t n)
{
	const struct quota_limits *l = quota_limits(b->acct);
	struct quota_usage u;
	uint64_t size;
	bool known;
	size_t i;

	if (b->acct->quota != NULL && b->acct->quota->writing)
		return;
	for (i = 0; l->closed && i < n; i++)
		if (!d[i].settled)
			settle(&d[i], 2, "4.2.1",
			    "the account takes no mail now");
	for (i = 0; l->size != QUOTA_NONE && i < n; i++)
		if (!d[i].settled && d[i].size > l->size)
			settle(&d[i], 1, "5.2.3",
			    "the message is too large for this account");
	if (!is_limited(b->acct))
		return;
	known = quota_usage(b->acct, &u) == 0;
	for (i = 0; i < n; i++) {
		if (d[i].settled)
			continue;
		size = stored_size(&d[i]);
		if (!known)
			settle(&d[i], 2, "4.3.0",
			    "the account's size cannot be found out now");
		else if (l->suspend > 0 && percent(l, &u) >= l->suspend)
			settle(&d[i], 2, "4.2.2", "account is full");
		else if (u.bytes + size > l->bytes ||
		    u.messages >= l->messages)
			settle(&d[i], 1, "5.2.2",
			    "account is full (quota exceeded)");
		else {
			u.bytes += size;
			u.messages++;
		}
	}
}
