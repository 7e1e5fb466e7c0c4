/*
 * Alerts of the server, a domain, an account, and who has seen which.  Runs
 * in authd, which owns Alerts.settings in each domain's Settings, and the
 * server's beside the main domain's.  An account's own stand in its settings
 * until they were shown, as does the stamp of the last of the others' that it
 * has seen.  A login where there is nothing to show costs a look at memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alerts.h"
#include "file.h"
#include "log.h"

#define OWN	"Alerts"
#define SEEN	"AlertsSeen"
#define SERVER	"*"		/* no domain is called so */

enum { STAMP_LEN = 14, TOLD_MAX = 50000, LOOK_AGAIN = 60 };

const char *const alerts_settings[] = { OWN, SEEN, NULL };

static struct val *sets;	/* domain to its alerts, or {} */
static struct val *spoiled;	/* domain to when its could not be read */
static struct val *told;	/* path to the last stamp told while open */

struct shown {
	const char	*stamp, *text;
	bool		 own;
};

/* --- what there is --- */

void
alerts_forget(void)
{
	val_free(sets);
	sets = NULL;
}

static const char *
key_of(const char *domain)
{
	return *domain == '\0' ? SERVER : domain;
}

static int
open_dir(const char *domain)
{
	return rights_dir(*domain == '\0' ? main_domain() : domain);
}

static const char *
file_name(const char *domain)
{
	return *domain == '\0' ? "ServerAlerts.settings" : "Alerts.settings";
}

/* Until it can be read again, that is logged once. */
static void
note_spoiled(const char *domain, const char *err)
{
	if (dict_get(spoiled, key_of(domain)) == NULL)
		log_warnx("%s of %s cannot be read: %s; nothing is changed in "
		    "it", file_name(domain), *domain != '\0' ? domain :
		    "the server", err);
	if (spoiled == NULL && (spoiled = val_dict()) == NULL)
		return;
	dict_set(spoiled, key_of(domain), val_number(time(NULL)));
}

/* NULL with errno EINVAL: there are some, but they cannot be read. */
static struct val *
read_set(const char *domain)
{
	const char *err = NULL;
	struct val *v;
	int dir, fd;

	if ((dir = open_dir(domain)) == -1)
		return NULL;
	fd = file_open_beneath(dir, file_name(domain), O_RDONLY, 0);
	if (fd == -1 && errno != ENOENT)
		err = strerror(errno);
	close(dir);
	if (fd == -1 && err == NULL)
		return val_dict();
	v = fd != -1 ? val_read_fd(fd, &err) : NULL;
	if (fd != -1)
		close(fd);
	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	note_spoiled(domain, err != NULL ? err : "no dictionary");
	val_free(v);
	errno = EINVAL;
	return NULL;
}

const struct val *
alerts_of(const char *domain)
{
	const char *key = key_of(domain);
	struct val *v = dict_get(sets, key);

	if (v != NULL)
		return v;
	if ((v = read_set(domain)) == NULL ||
	    (sets == NULL && (sets = val_dict()) == NULL)) {
		val_free(v);
		return NULL;
	}
	dict_set(sets, key, v);
	dict_set(spoiled, key, NULL);
	return dict_get(sets, key);
}

/* For a login, which does not read a spoiled file again and again. */
static const struct val *
alerts_now(const char *domain)
{
	int64_t when = dict_int(spoiled, key_of(domain), 0);

	return time(NULL) - when < LOOK_AGAIN ? NULL : alerts_of(domain);
}

int
alerts_set(const char *domain, struct val *alerts)
{
	int dir, ret;

	if ((dir = open_dir(domain)) == -1) {
		val_free(alerts);
		return -1;
	}
	ret = val_write_file_alone(dir, file_name(domain), 0600, alerts);
	close(dir);
	if (ret == -1 || sets == NULL)
		val_free(alerts);
	else
		dict_set(sets, key_of(domain), alerts);
	return ret;
}

/* Two of one second must differ, and the later one be the later. */
void
alerts_stamp(char stamp[32], const struct val *alerts)
{
	static time_t last;
	time_t t = time(NULL);
	struct tm tm;

	if (t <= last)
		t = last + 1;
	do {
		last = t;
		gmtime_r(&t, &tm);
		strftime(stamp, 32, "%Y%m%d%H%M%S", &tm);
		t++;
	} while (dict_get(alerts, stamp) != NULL);
}

/* --- who has seen what --- */

static const char *
seen_by(const struct account *a)
{
	const char *seen = dict_str(a->settings, SEEN, "");
	const char *open = dict_str(told, a->path, "");

	return strcmp(open, seen) > 0 ? open : seen;
}

static size_t
gather(struct shown *list, size_t n, const struct val *set, const char *after,
    bool own)
{
	size_t i;

	/* Files may be others': what is no text there is no alert. */
	if (set == NULL || val_type(set) != VAL_DICT)
		return n;
	for (i = 0; i < val_count(set) && n < 3 * ALERTS_MAX; i++)
		if (val_text(val_at(set, i)) != NULL &&
		    strcmp(val_key(set, i), after) > 0)
			list[n++] = (struct shown){ val_key(set, i),
				val_text(val_at(set, i)), own };
	return n;
}

static int
by_stamp(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	return strcmp(x->stamp, y->stamp);
}

/* Before it is shown, so that it is not shown for ever. */
static int
mark(struct account *a, const struct shown *list, size_t n)
{
	struct val *new = val_copy(a->settings);
	struct val *own = dict_get(new, OWN);
	char *path = strdup(a->path);	/* saving makes another account */
	size_t i;
	int ret;

	if (new == NULL || path == NULL) {
		val_free(new);
		free(path);
		return -1;
	}
	for (i = 0; i < n; i++)
		if (list[i].own)
			dict_set(own, list[i].stamp, NULL);
		else
			dict_set(new, SEEN, val_string(list[i].stamp));
	if (own != NULL && val_count(own) == 0)
		dict_set(new, OWN, NULL);
	ret = account_save(path, new);
	if (ret == -1)
		log_warn("%s: alerts cannot be marked as seen", path);
	val_free(new);
	free(path);
	return ret;
}

/* A line each, whatever an old file has in one. */
static void
put_line(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		buf_putc(b, (unsigned char)*text < ' ' || *text == 0x7f ?
		    ' ' : *text);
}

static char *
put_together(const struct shown *list, size_t n, size_t *taken)
{
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < n; i++) {
		if (b.len + strlen(list[i].text) + 1 > ALERTS_LINES)
			break;
		if (i > 0)
			buf_putc(&b, '\n');
		put_line(&b, list[i].text);
	}
	*taken = i;
	return buf_steal(&b);
}

char *
alerts_show(struct account *a, const char *domain, bool all)
{
	const struct val *server = alerts_now(""), *theirs = alerts_now(domain);
	const struct val *own = dict_get(a->settings, OWN);
	struct shown list[3 * ALERTS_MAX];
	const char *seen;
	size_t n = 0, taken;
	char *text;

	if (val_count(server) + val_count(theirs) + val_count(own) == 0)
		return NULL;
	seen = seen_by(a);
	n = gather(list, n, server, seen, false);
	n = gather(list, n, theirs, seen, false);
	n = gather(list, n, own, "", true);
	if (n == 0)
		return NULL;
	qsort(list, n, sizeof(list[0]), by_stamp);
	text = put_together(list, all ? n : 1, &taken);
	/* Shown again and again, it would keep POP clients out for ever. */
	if (text != NULL && mark(a, list, taken) == -1 && !all) {
		free(text);
		text = NULL;
	}
	return text;
}

/* Lost when authd ends: then it is shown once more, which does no harm. */
void
alerts_told(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_alert_told *m = pkt->m;
	struct shown one = { .stamp = m->stamp, .own = true };
	struct account *a;

	if (val_count(told) > TOLD_MAX) {
		val_free(told);
		told = NULL;
	}
	if (told == NULL && (told = val_dict()) == NULL)
		return;
	if ((a = account_get(m->path)) == NULL)
		return;
	if (dict_get(dict_get(a->settings, OWN), m->stamp) == NULL)
		dict_set(told, m->path, val_string(m->stamp));
	else
		(void)mark(a, &one, 1);
}
