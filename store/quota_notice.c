/*
 * The letter that an account gets in its INBOX when more than so many percent
 * of a limit are used (Send Notice, manual 04b): once, until it has been below
 * that.  Whoever holds the account writes it, delivery or its worker.
 *
 * account.info remembers, key #QuotaNotice: W, the time and a number before the
 * letter is written, D and the same afterwards.  One that is found on its way
 * is written with these, which an index's slot knows again: so there is one,
 * whoever is killed.
 */
#include <bsd/stdlib.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "log.h"
#include "quota_int.h"
#include "rfc5322.h"

enum { LETTER_MAX = 4000, DATE_MAX = 64, RETRY_SECONDS = 60 };

static const char key[] = "#QuotaNotice";

struct letter {
	int64_t		 when;
	uint32_t	 number;
};

static const char *
domain_of(const char *name)
{
	const char *at = strrchr(name, '@');

	return at != NULL ? at + 1 : name;
}

static bool
compose(struct buf *b, const struct quota_limits *l, int64_t when)
{
	char date[DATE_MAX];

	date_rfc5322(date, sizeof(date), when);
	buf_init(b, LETTER_MAX);
	buf_printf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\n"
	    "To: %s\nSubject: More than %u%% of your mail storage is used\n"
	    "Date: %s\nMessage-ID: <quota.%" PRId64 ".%s>\n",
	    domain_of(l->name), l->name, l->notice, date, when, l->name);
	buf_puts(b, "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\n");
	buf_printf(b, "%s\n\nMore than %u%% of what the account %s may keep "
	    "is used.\nWhen nothing is left of it, mail for it will be delayed "
	    "or refused.\n", l->text, l->notice, l->name);
	return !b->failed;
}

static bool
write_letter(struct acct *a, const struct letter *n)
{
	struct delivery d = { .sender = "", .fd = -1, .time = n->when,
		.id = UINT64_MAX, .rcpt = n->number };
	struct box *b;
	struct buf text;

	d.code = 2;
	if (compose(&text, quota_limits(a), n->when) &&
	    (b = box_open(a, "")) != NULL) {
		d.header = text.p;
		a->quota->writing = true;
		box_deliver(b, &d, 1);
		a->quota->writing = false;
		box_close(b);
	}
	buf_free(&text);
	return d.code == 0;
}

static bool
set_mark(struct acct *a, char how, const struct letter *n)
{
	struct val *root = info_root(&a->info);

	if (root == NULL || dict_setf(root, key, "%c%" PRId64 ".%" PRIu32, how,
	    n->when, n->number) == -1)
		return false;
	return info_save(&a->info) == 0;
}

/* Below it again: the next time is another. */
static void
forget(struct acct *a)
{
	struct val *root;

	if (a->quota->noticed == NOTICE_NONE ||
	    (root = info_root(&a->info)) == NULL)
		return;
	if (dict_get(root, key) != NULL) {
		dict_set(root, key, NULL);
		if (info_save(&a->info) == -1)
			return;
	}
	a->quota->noticed = NOTICE_NONE;
}

/* The one that is on its way, or another. */
static struct letter
next_letter(const char *mark)
{
	struct letter n = { time(NULL), arc4random() };
	char *end;

	if (*mark == 'W') {
		n.when = strtoll(mark + 1, &end, 10);
		n.number = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	}
	return n;
}

static bool
send_letter(struct acct *a, const char *mark)
{
	struct letter n = next_letter(mark);

	if ((*mark == 'W' || set_mark(a, 'W', &n)) && write_letter(a, &n) &&
	    set_mark(a, 'D', &n))
		return true;
	log_warnx("%s: the notice for %s is not written yet", key,
	    quota_limits(a)->name);
	a->quota->retry = time(NULL) + RETRY_SECONDS;
	return false;
}

bool
quota_notice(struct acct *a)
{
	const struct quota_limits *l = quota_limits(a);
	struct val *root;
	const char *mark;
	int used;

	if (l->notice == 0 || *l->name == '\0' || a->quota->writing ||
	    (used = quota_percent(a)) == -1)
		return false;
	if (used < (int)l->notice) {
		forget(a);
		return false;
	}
	if (a->quota->noticed == NOTICE_SENT ||
	    a->quota->retry > time(NULL) ||
	    (root = info_root(&a->info)) == NULL)
		return false;
	mark = dict_str(root, key, "");
	if (*mark == 'D') {
		a->quota->noticed = NOTICE_SENT;
		return false;
	}
	if (!send_letter(a, mark))
		return false;
	a->quota->noticed = NOTICE_SENT;
	log_msg(LOG_PROBLEM, "%s: more than %u%% of its storage is used, a "
	    "notice is sent", l->name, l->notice);
	return true;
}
