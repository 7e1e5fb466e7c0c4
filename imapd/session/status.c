/*
 * STATUS: counts of a mailbox that need not be selected.  Runs in the
 * account's worker.
 */
#include <errno.h>

#include "box.h"
#include "int.h"
#include "status.h"

enum item {
	MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, SIZE, HIGHESTMODSEQ,
	INTERNALSIZE, OLDEST, DELETED, DELETEDSTORAGE, ITEMS
};

static const char *const names[ITEMS] = {
	[MESSAGES] = "MESSAGES",
	[RECENT] = "RECENT",
	[UIDNEXT] = "UIDNEXT",
	[UIDVALIDITY] = "UIDVALIDITY",
	[UNSEEN] = "UNSEEN",
	[SIZE] = "SIZE",
	[HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	/* manual 37 */
	[INTERNALSIZE] = "INTERNALSIZE",
	[OLDEST] = "OLDEST",
	/* RFC 9208 */
	[DELETED] = "DELETED",
	[DELETEDSTORAGE] = "DELETED-STORAGE"
};

/* Its bit, or 0. */
static unsigned
item_bit(struct str w)
{
	enum item i;

	for (i = 0; i < ITEMS; i++)
		if (str_caseeq(w, names[i]))
			return 1U << i;
	return 0;
}

unsigned
imap_list_item(struct str w)
{
	return item_bit(w) & (1U << UIDVALIDITY | 1U << MESSAGES |
	    1U << UIDNEXT | 1U << UNSEEN | 1U << INTERNALSIZE | 1U << OLDEST);
}

const char *
imap_status_items(struct cur *c, unsigned *items)
{
	struct str w;
	unsigned bit;

	if (!cur_lit(c, "("))
		return "no list of items";
	do {
		if (!imap_atom(c, &w))
			return "an item is missing";
		if ((bit = item_bit(w)) == 0)
			return "unknown item";
		*items |= bit;
	} while (cur_lit(c, " "));
	return cur_lit(c, ")") ? NULL : "no closing parenthesis";
}

struct counts {
	uint64_t	 v[ITEMS];
};

static void
count(struct box *b, struct counts *n)
{
	uint32_t i, total = box_count(b);
	const struct rec *r;

	n->v[MESSAGES] = total;
	for (i = 0; i < total; i++) {
		r = box_rec(b, i);
		n->v[UNSEEN] += !(r->flags & MSG_SEEN);
		n->v[RECENT] += (r->flags & MSG_RECENT) != 0;
		n->v[SIZE] += r->wire;
		if (r->flags & MSG_DELETED) {
			n->v[DELETED]++;
			n->v[DELETEDSTORAGE] += r->fromlen + r->size + r->sep;
		}
		if (i == 0 || (uint64_t)r->date < n->v[OLDEST])
			n->v[OLDEST] = (uint64_t)r->date;
	}
	n->v[INTERNALSIZE] = b->size;
	n->v[UIDNEXT] = b->idx.head->uidnext;
	n->v[UIDVALIDITY] = b->idx.head->uidvalidity;
	n->v[HIGHESTMODSEQ] = box_highest_modseq(b);
}

static bool
look(struct imap_session *s, const char *name, struct counts *n)
{
	struct box *b = box_open(s->acct, name);
	int saved = 0;

	if (b == NULL)
		return false;
	if (box_refresh(b) == 0)
		count(b, n);
	else
		saved = errno;
	box_close(b);
	errno = saved;
	return saved == 0;
}

static void
put_value(struct buf *b, const struct counts *n, enum item i)
{
	if (i == OLDEST)
		imap_put_date_time(b, (int64_t)n->v[i]);
	else
		imap_put_number(b, n->v[i]);
}

static bool
wanted(const struct counts *n, unsigned items, enum item i)
{
	return (items & 1U << i) && (i != OLDEST || n->v[MESSAGES] > 0);
}

void
imap_put_list_items(struct imap_session *s, const char *name, unsigned items)
{
	struct counts n = { { 0 } };
	enum item i;

	if (items == 0 || !look(s, name, &n))
		return;
	for (i = 0; i < ITEMS; i++) {
		if (!wanted(&n, items, i))
			continue;
		buf_printf(&s->out, " \\%s(", names[i]);
		put_value(&s->out, &n, i);
		buf_putc(&s->out, ')');
	}
}

bool
imap_put_status(struct imap_session *s, const char *name, unsigned items)
{
	struct counts n = { { 0 } };
	const char *sep = "";
	enum item i;

	if (!look(s, name, &n))
		return false;
	/* Who asks for it wants to know of modseqs (RFC 7162, 3.1). */
	if (items & 1U << HIGHESTMODSEQ)
		imap_condstore(s);
	buf_puts(&s->out, "* STATUS ");
	imap_put_mailbox(&s->out, name);
	buf_puts(&s->out, " (");
	for (i = 0; i < ITEMS; i++) {
		if (!wanted(&n, items, i))
			continue;
		buf_printf(&s->out, "%s%s ", sep, names[i]);
		put_value(&s->out, &n, i);
		sep = " ";
	}
	buf_puts(&s->out, ")\r\n");
	return true;
}

void
cmd_status(struct imap_session *s, struct cur *c)
{
	struct buf name;
	const char *why;
	unsigned items = 0;

	buf_init(&name, 0);
	if (!imap_mailbox(s, c, &name))
		;
	else if (!cur_lit(c, " "))
		imap_bad(s, "no list of items");
	else if ((why = imap_status_items(c, &items)) != NULL)
		imap_bad(s, "%s", why);
	else if (imap_alone(s, c)) {
		if (!imap_put_status(s, name.p, items))
			imap_no_errno(s, errno);
		else
			imap_ok(s, "done");
	}
	buf_free(&name);
}
