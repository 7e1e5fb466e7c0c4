/*
 * account.settings: read, kept in a cache, written.  Runs in authd, its only
 * writer, so that the cache is always right.  Below an account everything
 * goes by its directory's fd: a user's worker may have planted things there.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "log.h"

enum { CACHE_MAX = 8192, BUCKETS = 4096, SETTINGS_MAX = 1024 * 1024 };

static struct account *buckets[BUCKETS], *newest, *oldest;
static size_t cached;

void
account_init(void)
{
	newest = oldest = NULL;
	cached = 0;
}

static struct account **
bucket(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path != '\0'; path++)
		h = (h ^ (unsigned char)*path) * 16777619u;
	return &buckets[h % BUCKETS];
}

static void
unlink_lru(struct account *a)
{
	*(a->newer != NULL ? &a->newer->older : &newest) = a->older;
	*(a->older != NULL ? &a->older->newer : &oldest) = a->newer;
}

static void
link_newest(struct account *a)
{
	a->newer = NULL;
	a->older = newest;
	*(newest != NULL ? &newest->newer : &oldest) = a;
	newest = a;
}

static struct account *
cache_find(const char *path)
{
	struct account *a;

	for (a = *bucket(path); a != NULL; a = a->hnext)
		if (strcmp(a->path, path) == 0)
			return a;
	return NULL;
}

static void
cache_drop(struct account *a)
{
	struct account **p;

	for (p = bucket(a->path); *p != a; p = &(*p)->hnext)
		;
	*p = a->hnext;
	unlink_lru(a);
	cached--;
	val_free(a->settings);
	explicit_bzero(a->mark, sizeof(a->mark));
	free(a->path);
	free(a);
}

/* Takes settings. */
static struct account *
cache_add(const char *path, struct val *settings)
{
	struct account *a, **b;

	if ((a = calloc(1, sizeof(*a))) == NULL ||
	    (a->path = strdup(path)) == NULL) {
		free(a);
		val_free(settings);
		errno = ENOMEM;
		return NULL;
	}
	a->settings = settings;
	b = bucket(path);
	a->hnext = *b;
	*b = a;
	link_newest(a);
	if (++cached > CACHE_MAX)
		cache_drop(oldest);
	return a;
}

void
account_forget(const char *path)
{
	struct account *a;

	if ((a = cache_find(path)) != NULL)
		cache_drop(a);
}

void
account_forget_below(const char *dir)
{
	size_t n = strlen(dir);
	struct account *a, *next;

	for (a = newest; a != NULL; a = next) {
		next = a->older;
		if (strncmp(a->path, dir, n) == 0 && a->path[n] == '/')
			cache_drop(a);
	}
}

static bool
ends_in(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && strncmp(s + len - n, end, n) == 0;
}

/* A path's length without the mark of one that is being made. */
static size_t
final_len(const char *path)
{
	size_t n = strlen(path);

	return ends_in(path, n, ".new") ? n - strlen(".new") : n;
}

bool
account_is_single(const char *path)
{
	size_t n = final_len(path);

	/* A .mdir mailbox is a directory, which has its settings in it. */
	return !ends_in(path, n, ".macnt") && !ends_in(path, n, ".mdir");
}

const char *
account_type_of(const char *path)
{
	if (account_is_single(path))
		return "TextMailbox";
	return ends_in(path, final_len(path), ".mdir") ? "MailDirMailbox" :
	    "MultiMailbox";
}

int
path_parent(const char *path, const char **last)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	if (slash == NULL || slash == path || slash[1] == '\0') {
		errno = EINVAL;
		return -1;
	}
	*last = slash + 1;
	if ((dir = strndup(path, slash - path)) == NULL)
		return -1;
	fd = file_open_beneath(proc_basefd(), dir, O_RDONLY | O_DIRECTORY, 0);
	free(dir);
	return fd;
}

int
sync_parent(const char *path)
{
	const char *last;
	int fd, ret;

	if ((fd = path_parent(path, &last)) == -1)
		return -1;
	ret = fsync(fd);
	close(fd);
	return ret;
}

bool
account_place(const char *path, struct place *pl)
{
	const char *last, *dot;
	struct buf name;

	if (!account_is_single(path)) {
		pl->fd = file_open_beneath(proc_basefd(), path,
		    O_RDONLY | O_DIRECTORY, 0);
		pl->settings = strdup("account.settings");
	} else {
		pl->fd = path_parent(path, &last);
		if (pl->fd == -1)
			return false;
		buf_init(&name, 0);
		for (dot = path + final_len(path) - 1;
		    dot > last && *dot != '.'; dot--)
			;
		buf_add(&name, last, dot - last);
		buf_puts(&name, ".settings");
		pl->settings = buf_steal(&name);
	}
	if (pl->fd != -1 && pl->settings != NULL)
		return true;
	place_close(pl);
	return false;
}

void
place_close(struct place *pl)
{
	int saved = errno;

	if (pl->fd != -1)
		close(pl->fd);
	free(pl->settings);
	pl->fd = -1;
	pl->settings = NULL;
	errno = saved;
}

static struct val *
parse_settings(const char *path, const char *text, size_t len)
{
	const char *err = NULL;
	struct val *v;

	v = val_parse_all(text, len, &err);
	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	val_free(v);
	log_warnx("%s: settings cannot be read: %s", path,
	    err != NULL ? err : "no dictionary");
	errno = EINVAL;
	return NULL;
}

struct val *
account_read(const char *path)
{
	struct val *v = NULL;
	struct place pl;
	struct stat st;
	char *text;
	size_t len;
	int fd;

	if (!account_place(path, &pl))
		return NULL;
	fd = file_open_beneath(pl.fd, pl.settings, O_RDONLY, 0);
	place_close(&pl);
	if (fd == -1)
		return NULL;
	/* In a directory of many, others can make a file of that name. */
	if (fstat(fd, &st) == -1 || st.st_uid != geteuid()) {
		log_warnx("%s: its settings are not ours", path);
		close(fd);
		errno = EPERM;
		return NULL;
	}
	if ((text = file_read_fd(fd, SETTINGS_MAX, &len)) != NULL) {
		v = parse_settings(path, text, len);
		explicit_bzero(text, len);
		free(text);
	}
	close(fd);
	return v;
}

struct account *
account_get(const char *path)
{
	struct account *a;
	struct val *v;

	if ((a = cache_find(path)) != NULL) {
		if (a != newest) {
			unlink_lru(a);
			link_newest(a);
		}
		return a;
	}
	if ((v = account_read(path)) == NULL)
		return NULL;
	return cache_add(path, v);
}

/*
 * What we left when we were killed while we wrote settings; beside a single
 * mailbox the next start does it (first.c).
 */
static void
sweep_left(int accountfd)
{
	static const char begin[] = "account.settings.", end[] = ".new";
	struct dirent *e;
	size_t n;
	DIR *d;

	d = file_list(file_open_beneath(accountfd, ".",
	    O_RDONLY | O_DIRECTORY, 0));
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n > sizeof(begin) + sizeof(end) &&
		    strncmp(e->d_name, begin, sizeof(begin) - 1) == 0 &&
		    strcmp(e->d_name + n - (sizeof(end) - 1), end) == 0)
			(void)unlinkat(accountfd, e->d_name, 0);
	}
	closedir(d);
}

int
account_save(const char *path, const struct val *settings)
{
	struct place pl;
	struct val *copy;
	int ret;

	account_forget(path);
	if (!account_place(path, &pl))
		return -1;
	ret = val_write_file(pl.fd, pl.settings, 0600, settings);
	if (ret == 0 && !account_is_single(path))
		sweep_left(pl.fd);
	place_close(&pl);
	if (ret == 0 && (copy = val_copy(settings)) != NULL)
		cache_add(path, copy);
	return ret;
}

gid_t
mail_group(void)
{
	const struct val *ids = dict_get(proc_conf()->conf, "Uids");

	if (!proc_conf()->root)
		return (gid_t)-1;
	return dict_int(dict_get(ids, "stored"), "Gid", (gid_t)-1);
}
