/*
 * ListUnreadablePasswords: which of a domain's accounts have a password in
 * the vendor's own form (a base directory that was taken over), so that a new
 * one must be set.  Runs in authd; reads some accounts a turn of the loop, so
 * that nobody's login waits for a large domain.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>

#include "authd.h"
#include "file.h"
#include "log.h"

enum { A_TURN = 20, SUB_DEPTH = 8 };

struct search {
	struct admin	*a;
	struct val	*paths, *found;
	size_t		 next;
	struct event	*turn;
};

/* What has settings there; a single-mailbox account by these alone. */
static bool
collect(struct val *paths, const char *dir, int depth)
{
	struct dirent *de;
	struct buf path;
	DIR *d;

	d = file_list(file_open_beneath(proc_basefd(), dir,
	    O_RDONLY | O_DIRECTORY, 0));
	if (d == NULL)
		return false;
	buf_init(&path, 0);
	while ((de = readdir(d)) != NULL) {
		buf_reset(&path);
		if (!buf_printf(&path, "%s/%s", dir, de->d_name))
			break;
		if (path_ends(de->d_name, ".macnt") ||
		    path_ends(de->d_name, ".mdir") ||
		    path_ends(de->d_name, ".settings"))
			val_append(paths, val_string(path.p));
		else if (path_ends(de->d_name, ".sub") && depth < SUB_DEPTH)
			collect(paths, path.p, depth + 1);
	}
	buf_free(&path);
	closedir(d);
	return true;
}

/* "Accounts/john.macnt" and "Accounts/john.settings" are john's. */
static void
look(struct search *s, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	struct str account = { name, strrchr(name, '.') - name };
	struct val *settings = account_read(path);
	const struct val *v = dict_get(settings, "Password");
	const char *text = v != NULL ? val_text(v) : NULL;

	if (text != NULL && password_form((struct str) { text, val_len(v) }) ==
	    PASSWORD_VENDOR)
		val_append(s->found, val_bytes(account.p, account.len));
	val_free(settings);
}

static void
turn_cb(int fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct search *s = arg;
	int i;

	for (i = 0; i < A_TURN && s->next < val_count(s->paths); i++)
		look(s, val_text(val_at(s->paths, s->next++)));
	if (s->next < val_count(s->paths)) {
		evtimer_add(s->turn, &at_once);
		return;
	}
	admin_done(s->a, s->found);
	val_free(s->paths);
	event_free(s->turn);
	free(s);
}

static struct val *
paths_of(const char *domain)
{
	struct val *paths = val_array();
	struct buf dir;
	bool there;

	buf_init(&dir, 512);
	if (strcasecmp(domain, main_domain()) == 0)
		buf_puts(&dir, "Accounts");
	else
		buf_printf(&dir, "Domains/%s", domain);
	there = !dir.failed && domain[0] != '.' &&
	    strchr(domain, '/') == NULL && collect(paths, dir.p, 0);
	buf_free(&dir);
	if (there)
		return paths;
	val_free(paths);
	return NULL;
}

void
admin_list_unreadable(struct admin *a)
{
	const char *arg = admin_arg(a, 0);
	char *domain = lower(*arg != '\0' && strcmp(arg, "*") != 0 ? arg :
	    a->domain);
	struct val *paths = NULL;
	struct search *s;

	if (domain == NULL || !admin_may(a, domain, "BasicSettings"))
		admin_fail(a, 501, "you have no right to do this");
	else if ((paths = paths_of(domain)) == NULL)
		admin_fail(a, 501, "unknown domain");
	free(domain);
	if (paths == NULL)
		return;
	s = xcalloc(1, sizeof(*s));
	s->a = a;
	s->paths = paths;
	s->found = val_array();
	if ((s->turn = evtimer_new(proc_base(), turn_cb, s)) == NULL)
		fatalx("no timer");
	turn_cb(-1, 0, s);
}
