/*
 * Accounts and their open mailboxes, above the formats: in delivery and in an
 * account's worker.  Reaches nothing outside the account's directory but an
 * INBOX that it was given (outside.h).
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "cache.h"
#include "deliver.h"
#include "file.h"
#include "keyword.h"
#include "log.h"
#include "name.h"
#include "outside.h"
#include "quota.h"
#include "stat.h"
#include "single.h"
#include "template.h"

static const struct box_format *const formats[] = { &format_mbox,
	&format_mdir };
enum { NFORMATS = sizeof(formats) / sizeof(formats[0]) };

/* john.mbox has john.info beside it. */
static char *
info_name(const char *single)
{
	const char *dot;

	if (single == NULL || !single_shares(single))
		return strdup("account.info");
	dot = strrchr(single, '.');
	return xasprintf("%.*s.info",
	    dot != NULL ? (int)(dot - single) : (int)strlen(single), single);
}

struct acct *
acct_new(int dirfd, const char *single, bool worker)
{
	struct acct *a = xcalloc(1, sizeof(*a));
	char *info = info_name(single);

	a->dirfd = dirfd;
	a->worker = worker;
	a->format = &format_mbox;
	if (single != NULL)
		a->single = xstrdup(single);
	if (info == NULL || !info_init(&a->info, dirfd, info))
		panic("out of memory");
	free(info);
	return a;
}

static void
box_free(struct box *b)
{
	keyword_free(b);
	free(b->name);
	free(b->file);
	free(b);
}

/* Closes its files; nobody finds it any more. */
static void
let_go(struct box *b)
{
	struct box **p;

	cache_close(b);
	quota_closing(b);
	b->fmt->close(b);
	for (p = &b->acct->boxes; *p != b; p = &(*p)->next)
		;
	*p = b->next;
}

static void
box_shut(struct box *b)
{
	if (b->acct->news != NULL && b->revision != b->told)
		b->acct->news(b);
	if (!b->gone)
		let_go(b);
	box_free(b);
}

void
box_forsake(struct box *b)
{
	box_put_settle(b, true);
	let_go(b);
	b->gone = true;
	b->revision++;
}

void
acct_free(struct acct *a)
{
	if (a == NULL)
		return;
	while (a->boxes != NULL)
		box_shut(a->boxes);
	stat_close(a);
	quota_free(a);
	info_free(&a->info);
	outside_free(a);
	close(a->dirfd);
	free(a->single);
	free(a);
}

/* The file of a mailbox, by trying each format's. */
static const struct box_format *
find_format(struct acct *a, const char *path, char **file)
{
	size_t i;

	for (i = 0; i < NFORMATS; i++) {
		*file = xasprintf("%s%s", path, formats[i]->ext);
		if (faccessat(a->dirfd, *file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return formats[i];
		free(*file);
		*file = NULL;
	}
	return NULL;
}

static int
find_file(struct box *b)
{
	struct acct *a = b->acct;
	struct buf path;
	size_t len;

	errno = EINVAL;
	if (a->outside != NULL && strcmp(b->name, "INBOX") == 0) {
		b->file = xstrdup("INBOX.mbox");
		b->fmt = &format_mbox;
		b->outside = a->outside;
		return 0;
	}
	/* Mail must not come to lie where nobody looks for it. */
	if (a->elsewhere && strcmp(b->name, "INBOX") == 0) {
		errno = EIO;
		return -1;
	}
	if (a->single != NULL) {
		if (strcmp(b->name, "INBOX") != 0) {
			errno = ENOENT;
			return -1;
		}
		b->file = xstrdup(a->single);
		b->fmt = box_format_of(a->single, &len);
		return b->fmt != NULL ? 0 : -1;
	}
	buf_init(&path, 0);
	if (!name_path(&path, b->name)) {
		errno = ENOMEM;
		return -1;
	}
	b->fmt = find_format(a, path.p, &b->file);
	if (b->fmt == NULL && strcmp(b->name, "INBOX") == 0) {
		b->file = xasprintf("%s%s", path.p, a->format->ext);
		b->fmt = a->format;
	}
	buf_free(&path);
	if (b->fmt != NULL)
		return 0;
	errno = ENOENT;
	return -1;
}

uint32_t
box_birth(const struct statx *st)
{
	if (!(st->stx_mask & STATX_BTIME))
		return 0;
	return st->stx_btime.tv_sec * 2654435761u ^ st->stx_btime.tv_nsec;
}

uint32_t
box_born(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) == -1)
		return 0;
	return box_birth(&st);
}

const struct box_format *
box_format_of(const char *name, size_t *len)
{
	size_t i, n = strlen(name), ext;

	for (i = 0; i < NFORMATS; i++) {
		ext = strlen(formats[i]->ext);
		if (n > ext && strcmp(name + n - ext, formats[i]->ext) == 0) {
			*len = n - ext;
			return formats[i];
		}
	}
	return NULL;
}

const struct box_format *
box_format_type(const char *type)
{
	size_t i;

	for (i = 0; i < NFORMATS; i++)
		if (strcasecmp(type, formats[i]->type) == 0)
			return formats[i];
	return NULL;
}

const struct box_format *
box_locate(struct acct *a, const char *name, char **file)
{
	struct box b = { .acct = a,
		.name = (char *)(uintptr_t)name_canon(name) };

	if (find_file(&b) == -1)
		return NULL;
	if (faccessat(a->dirfd, box_place(&b), F_OK, AT_SYMLINK_NOFOLLOW) ==
	    0) {
		*file = b.file;
		return b.fmt;
	}
	free(b.file);
	errno = ENOENT;
	return NULL;
}

/* A directory that is a single mailbox is the account's own. */
const char *
box_place(const struct box *b)
{
	return b->acct->single != NULL && S_ISDIR(b->fmt->mode) ? "." :
	    b->file;
}

struct box *
box_find_open(struct acct *a, const char *name)
{
	struct box *b;

	for (b = a->boxes; b != NULL; b = b->next)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

/* After a failed sync nothing that is held is believed: from scratch. */
static int
reopen(struct box *b)
{
	b->fmt->close(b);
	b->bad = false;
	b->uidbound = 0;
	b->revision++;
	if (b->fmt->open(b) == 0) {
		b->flagseq = box_highest_modseq(b);
		return 0;
	}
	b->bad = true;
	return -1;
}

/*
 * Somebody else replaced or cut the file: it is another mailbox now.  Locked,
 * if that is needed.
 */
static int
believe(struct box *b)
{
	box_put_settle(b, false);
	if (b->gone) {
		errno = ENOENT;
		return -1;
	}
	if (!b->bad && b->fmt->changed(b))
		b->bad = true;
	return b->bad ? reopen(b) : 0;
}

static int
reopen_locked(struct box *b)
{
	int ret;

	if (outside_lock(b) == -1)
		return -1;
	ret = reopen(b);
	outside_unlock(b, ret == 0);
	return ret;
}

static int
open_locked(struct box *b)
{
	int ret;

	if (find_file(b) == -1 || outside_lock(b) == -1)
		return -1;
	if ((ret = b->fmt->open(b)) == 0)
		b->flagseq = box_highest_modseq(b);
	outside_unlock(b, ret == 0);
	return ret;
}

struct box *
box_open(struct acct *a, const char *name)
{
	struct box *b;
	int saved;

	name = name_canon(name);
	if (!name_valid(name)) {
		errno = EINVAL;
		return NULL;
	}
	if (strcmp(name, "INBOX") != 0)
		quota_touch(a);
	if ((b = box_find_open(a, name)) != NULL) {
		if (b->bad && reopen_locked(b) == -1)
			return NULL;
		b->refs++;
		return b;
	}
	b = xcalloc(1, sizeof(*b));
	b->acct = a;
	b->fd = -1;
	b->idx.fd = -1;
	b->name = xstrdup(name);
	b->refs = 1;
	if (open_locked(b) == -1) {
		saved = errno;
		box_free(b);
		errno = saved;
		return NULL;
	}
	b->next = a->boxes;
	a->boxes = b;
	quota_opened(b);
	return b;
}

int
box_why(const char **esc, const char **text)
{
	switch (errno) {
	case ENOENT:
	case EINVAL:
		*esc = "5.1.1";
		*text = "no such mailbox";
		return 1;
	case ESTALE:	/* a single mailbox: routed anew */
		*esc = "4.1.6";
		*text = "the account is no longer there";
		return 2;
	case EAGAIN:
		*esc = "4.2.0";
		*text = "another program holds the external INBOX";
		return 2;
	case ENOSPC:
	case EDQUOT:
		*esc = "4.3.1";
		*text = "no room to store the message";
		return 2;
	default:
		*esc = "4.3.0";
		*text = "the mailbox cannot be opened now";
		return 2;
	}
}

void
box_close(struct box *b)
{
	if (--b->refs == 0)
		box_shut(b);
}

int
acct_init(struct acct *a, const struct val *template)
{
	struct box_info bi = { (uint32_t)time(NULL), 1 + INFO_UIDBLOCK,
		1 + INFO_MODBLOCK };
	struct box *b;
	int ret;

	/* Of an earlier life of that name; a mailbox would be an account. */
	if (a->single != NULL && single_shares(a->single) &&
	    single_new(a->dirfd, a->single) == -1)
		return -1;
	if ((template != NULL && template_apply(a, template) == -1) ||
	    info_put(&a->info, "INBOX", &bi) == -1)
		return -1;
	a->making = true;
	b = box_open(a, "INBOX");
	a->making = false;
	if (b == NULL)
		return -1;
	/* Nothing was used yet of what was just reserved. */
	if (b->size == 0) {
		b->idx.head->uidnext = 1;
		b->idx.head->modseq = 1;
	}
	ret = a->info.lazy ? 0 : fsync(a->dirfd);
	if (ret == 0) {
		b->fresh = false;
		b->idx.head->clean |= IDX_DIRSYNCED;
	}
	box_close(b);
	return ret;
}

static uint32_t
max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint64_t
max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What account.info would say, from what its index still knows. */
static void
guess(struct box *b, struct box_info *bi)
{
	const struct idx_head *h = b->idx.head;
	const struct idx *ix = &b->idx;

	bi->uidvalidity = h->uidvalidity != 0 ? h->uidvalidity
					      : ix->wasvalidity;
	if (bi->uidvalidity == 0)
		bi->uidvalidity = (uint32_t)time(NULL);
	bi->uidnext = max32(max32(h->uidnext, ix->wasnext), 1);
	bi->modseq = h->modseq;
	/* After a crash: as many as could have been used since. */
	if (bi->modseq == 0)
		bi->modseq = ix->wasmodseq + INFO_MODBLOCK + DELIVER_BATCH;
}

int
box_sync_dir(const struct box *b)
{
	const char *slash = strrchr(b->file, '/');
	char *path;
	int fd, ret;

	if (slash == NULL)
		return fsync(b->acct->dirfd);
	path = xasprintf("%.*s", (int)(slash - b->file), b->file);
	fd = file_open_beneath(b->acct->dirfd, path, O_RDONLY | O_DIRECTORY,
	    0);
	free(path);
	if (fd == -1)
		return -1;
	ret = fsync(fd);
	close(fd);
	return ret;
}

/* Looks at account.info; a mailbox that it does not know is put there. */
static int
info_look(struct box *b)
{
	struct idx_head *h = b->idx.head;
	struct box_info bi;
	int known;

	if (b->uidbound != 0)
		return 0;
	if ((known = info_get(&b->acct->info, b->name, &bi)) == -1)
		return -1;
	if (known == 0)
		guess(b, &bi);
	b->uidbound = bi.uidnext;
	b->modbound = bi.modseq;
	h->uidvalidity = bi.uidvalidity;
	return 0;
}

int
box_recover(struct box *b, uint32_t last)
{
	struct idx_head *h = b->idx.head;

	h->uidnext = h->modseq = 0;
	if (info_look(b) == -1)
		return -1;
	/* The index is asked too: account.info may be an old copy. */
	h->uidnext = max32(b->uidbound, b->idx.wasnext);
	h->modseq = max64(b->modbound, b->idx.wasmodseq);
	if (last >= h->uidnext && last < UINT32_MAX)
		h->uidnext = last + 1;
	return 0;
}

int
box_reserve(struct box *b, uint32_t n)
{
	struct idx_head *h = b->idx.head;
	struct box_info bi;

	if (info_look(b) == -1)
		return -1;
	if (h->uidnext + (uint64_t)n <= b->uidbound &&
	    h->modseq + n <= b->modbound)
		return 0;
	if (h->uidnext + (uint64_t)n + INFO_UIDBLOCK >= UINT32_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	bi.uidvalidity = h->uidvalidity;
	bi.uidnext = h->uidnext + n + INFO_UIDBLOCK - 1;
	bi.modseq = h->modseq + n + INFO_MODBLOCK;
	if (info_put(&b->acct->info, b->name, &bi) == -1)
		return -1;
	b->uidbound = bi.uidnext;
	b->modbound = bi.modseq;
	return 0;
}

uint64_t
box_modseq(struct box *b)
{
	if (box_reserve(b, 1) == -1)
		log_warn("%s: no modseq", b->file);
	b->flagseq = b->idx.head->modseq++;
	return b->flagseq;
}

/* For the reason in errno. */
static void
all_later(struct delivery *d, size_t n)
{
	size_t i;

	d->code = box_why(&d->esc, &d->text);
	for (i = 1; i < n; i++) {
		d[i].code = d->code;
		d[i].esc = d->esc;
		d[i].text = d->text;
	}
}

void
box_deliver(struct box *b, struct delivery *d, size_t n)
{
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		d[i].code = 2;
		d[i].esc = "4.3.0";
		d[i].text = "the mailbox cannot be written now";
		d[i].settled = false;
	}
	if (outside_lock(b) == -1) {
		all_later(d, n);
		return;
	}
	if ((ret = believe(b)) == 0)
		deliver_all(b, d, n);
	else if (b->outside != NULL)
		all_later(d, n);
	outside_unlock(b, ret == 0);
	if (ret == -1)
		return;
	stat_delivered(b->acct, d, n);
	(void)quota_notice(b->acct);
}

int
box_refresh(struct box *b)
{
	int ret;

	if (outside_lock(b) == -1)
		return -1;
	ret = believe(b) == 0 ? b->fmt->refresh(b) : -1;
	outside_unlock(b, false);
	return ret;
}

bool
box_current(const struct box *b)
{
	return !b->bad && !b->gone && (b->outside == NULL || b->checked);
}

uint32_t
box_count(const struct box *b)
{
	return b->idx.head != NULL ? b->idx.head->count : 0;
}

struct rec *
box_rec(const struct box *b, uint32_t i)
{
	return idx_rec(&b->idx, i);
}

struct rec *
box_find(const struct box *b, uint32_t uid)
{
	return box_current(b) ? idx_find(&b->idx, uid) : NULL;
}

ssize_t
box_read(struct box *b, const struct rec *r, uint64_t off, void *p, size_t n)
{
	if (b->gone) {
		errno = ENOENT;
		return -1;
	}
	if (off >= r->size)
		return 0;
	if (n > r->size - off)
		n = r->size - off;
	return b->fmt->read(b, r, off, p, n);
}

uint64_t
box_highest_modseq(const struct box *b)
{
	const struct idx_head *h = b->idx.head;

	return h != NULL && h->modseq > 1 ? h->modseq - 1 : 1;
}

int
box_expunge(struct box *b, const uint32_t *uids, size_t n)
{
	int ret = -1;

	if (n == 0)
		return 0;
	box_put_settle(b, true);
	if (outside_lock(b) == -1)
		return -1;
	if (box_refresh(b) == 0) {
		b->revision++;
		(void)box_modseq(b);
		quota_expunged(b->acct);
		ret = b->fmt->expunge(b, uids, n);
	}
	outside_unlock(b, true);
	return ret;
}

void
box_tidy(struct box *b)
{
	box_put_settle(b, false);
	if (!b->bad && !b->gone && outside_lock(b) == 0) {
		if (believe(b) == 0)
			b->fmt->tidy(b);
		outside_unlock(b, true);
	}
	cache_tidy(b);
}
