/*
 * External INBOXes (manual 18, 35): which file an account's is, and that file
 * opened, for stored.  Runs in authd, which cannot reach it itself: authd-priv
 * opens it, a few at a time, and has the last word.  What cannot be opened is
 * told as "later", so that mail waits and is never put anywhere else.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "authd.h"
#include "log.h"
#include "settings.h"

enum {
	ASKED_MAX = 16,		/* as many as authd-priv opens at once */
	WAITING_MAX = 4096,
	FILE_MAX = 1000, USER_MAX = 64,
	TEXT_MAX = 500		/* DONE's, with a margin */
};

struct want {
	TAILQ_ENTRY(want) entry;
	char		*file, *user;
	time_t		 until;
	inbox_cb	*cb;
	void		*arg;
};

static TAILQ_HEAD(, want) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static unsigned nwaiting, asked;

static const char no_location[] = "the domain's ExternalLocation does not "
    "say where external mailboxes are";

bool
inbox_is_external(const struct val *settings)
{
	return dict_bool(settings, "ExternalINBOX", false);
}

/* A value that cannot be is as good as none. */
static const char *
domain_text(const char *domain, const char *name)
{
	const struct val *v = domain_setting(domain, name);

	return v == NULL || settings_check(settings_find("Domain", name),
	    v) != NULL ? "" : val_text(v);
}

const char *
inbox_lock(const char *domain)
{
	return strcasecmp(domain_text(domain, "ExternalLockType"),
	    "RangeLevel") == 0 ? "RangeLevel" : "FileLevel";
}

bool
inbox_has_location(const char *domain)
{
	return *domain_text(domain, "ExternalLocation") != '\0';
}

/* The * becomes the account's name. */
static char *
file_of(const char *location, struct str user)
{
	struct buf b;
	char *file = NULL;

	buf_init(&b, FILE_MAX + 1);
	for (; *location != '\0'; location++)
		if (*location == '*')
			buf_add(&b, user.p, user.len);
		else
			buf_putc(&b, *location);
	if (!b.failed && b.len > 0 && b.len < FILE_MAX)
		file = buf_steal(&b);
	buf_free(&b);
	return file;
}

/* --- what authd-priv is asked --- */

static time_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void	ask_next(void);

static void
tell(struct want *w, int code, const char *why, int fd)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (code != 0)
		buf_printf(&b, "external INBOX %.200s: %.200s", w->file, why);
	w->cb(code, code != 0 ? b.p : "", fd, w->arg);
	buf_free(&b);
	free(w->file);
	free(w->user);
	free(w);
}

static void
opened(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	int fd = pkt != NULL ? ipc_take_fd((struct ipc_pkt *)pkt) : -1;

	asked--;
	if (m == NULL || (m->code == 0 && fd == -1))
		tell(arg, 2, "the root helper (authd-priv) gives no answer",
		    -1);
	else
		tell(arg, m->code, m->text, fd);
	ask_next();
}

static void
ask_next(void)
{
	struct msg_inbox_open m = { 0 };
	struct want *w;

	while (asked < ASKED_MAX && (w = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, w, entry);
		nwaiting--;
		if (proc_peer(PROC_PRIV) == NULL) {
			tell(w, 2, "there is no root helper (authd-priv): "
			    "cgserver.conf lists no external-inboxes", -1);
			continue;
		}
		if (now() >= w->until) {
			tell(w, 2, "others' files do not answer", -1);
			continue;
		}
		asked++;
		m.file = w->file;
		m.user = w->user;
		ipc_call(proc_peer(PROC_PRIV), IPC_INBOX_OPEN, 0, &m, -1,
		    IPC_TIMEOUT, opened, w);
	}
}

void
inbox_open(const char *name, inbox_cb *cb, void *arg)
{
	const char *at = strrchr(name, '@');
	struct str user = { name, at - name };
	const char *location = domain_text(at + 1, "ExternalLocation");
	struct want *w;
	char *file;

	if (*location == '\0') {
		cb(2, no_location, -1, arg);
		return;
	}
	file = file_of(location, user);
	if (file == NULL || nwaiting >= WAITING_MAX) {
		free(file);
		cb(2, "too many external mailboxes are being opened", -1, arg);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->file = file;
	/* No user of the system has a longer name. */
	w->user = user.len <= USER_MAX ? str_dup(user) : xstrdup("");
	if (w->user == NULL)
		fatalx("out of memory");
	w->until = now() + IPC_TIMEOUT / 1000;
	w->cb = cb;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&waiting, w, entry);
	nwaiting++;
	ask_next();
}

/* --- what stored asks --- */

static void
answer(struct ipc_ref ref, int code, const char *text, int fd)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, fd);
}

/* Refused or not: the mail waits, and somebody may mend it. */
static void
asked_for(int code, const char *text, int fd, void *arg)
{
	struct ipc_ref *ref = arg;

	answer(*ref, code != 0 ? 2 : 0, text, fd);
	free(ref);
}

/* Accounts/js.sub/john.macnt of x.com: john@x.com. */
static char *
name_of(const char *path, const char *account)
{
	const char *last = strrchr(path, '/'), *dot, *at;

	last = last != NULL ? last + 1 : path;
	dot = strrchr(last, '.');
	at = strrchr(account, '@');
	if (dot == NULL)
		return NULL;
	return xasprintf("%.*s@%s", (int)(dot - last), last,
	    at != NULL ? at + 1 : main_domain());
}

void
inbox_ask(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_inbox_ask *m = pkt->m;
	const struct account *a = account_get(m->path);
	char *name = name_of(m->path, m->account);
	struct ipc_ref *ref = xcalloc(1, sizeof(*ref));
	const char *why = NULL;

	*ref = ipc_ref(ipc, pkt);
	if (a == NULL || name == NULL)
		why = "the account's settings cannot be read";
	else if (!inbox_is_external(a->settings))
		why = "the account has no external INBOX";
	else if (strcmp(account_type_of(m->path), "MultiMailbox") != 0)
		why = "only a MultiMailbox account can have an external INBOX";
	if (why != NULL)
		asked_for(2, why, -1, ref);
	else
		inbox_open(name, asked_for, ref);
	free(name);
}
