/*
 * Reads cgserver.conf: lines of a word and its values, comments after #, and
 * blocks `settings NAME { dictionary }`.  One table of words.  Runs in
 * cgserver before anything is started.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "file.h"
#include "objname.h"
#include "settings.h"

enum { MAXWORDS = 256, QUOTED = 60 };

static const char *const user_names[CONF_USERS] = {
	"_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail", "_cgsmtp",
	"_cgimap", "_cgpop", "_cgweb", "_cgadm"
};

static const char *const user_of[PROC_MAX] = {
	[PROC_LOGD] = "_cglog", [PROC_AUTHD] = "_cgauth",
	[PROC_ROUTERD] = "_cgroute", [PROC_QUEUED] = "_cgqueue",
	[PROC_SMTPD] = "_cgsmtp", [PROC_POP3D] = "_cgpop",
	[PROC_IMAPD] = "_cgimap", [PROC_PWDD] = "_cgadm",
	[PROC_STORED] = "_cgmail", [PROC_DELIVERY] = "_cgmail",
	[PROC_TEMPLATE] = "_cgmail", [PROC_SENDER] = "_cgsmtp"
};

/* The words of one line, the first being the keyword. */
struct line {
	char	*word[MAXWORDS];
	int	 n;
};

static void
set(char **where, const char *value)
{
	free(*where);
	*where = xstrdup(value);
}

/* --- one function a keyword: NULL, or what is wrong --- */

static const char *
set_base(struct conf *c, const struct line *l)
{
	if (l->word[1][0] != '/')
		return "the base directory must be an absolute path";
	set(&c->base, l->word[1]);
	return NULL;
}

static const char *
set_libexec(struct conf *c, const struct line *l)
{
	set(&c->libexec, l->word[1]);
	return NULL;
}

static const char *
set_hostname(struct conf *c, const struct line *l)
{
	char lower[DOMAIN_MAXLEN + 1];

	if (!name_lower(str_make(l->word[1]), lower, sizeof(lower)) ||
	    !name_valid_domain(lower))
		return "a name is wanted that a domain can have";
	set(&c->hostname, l->word[1]);
	return NULL;
}

static const char *
set_tls(struct conf *c, const struct line *l)
{
	struct conf_tls *more;

	if (!c->tls_given) {
		set(&c->tls_key, l->word[1]);
		set(&c->tls_cert, l->word[2]);
		c->tls_given = true;
		return NULL;
	}
	more = reallocarray(c->tls_more, c->ntls_more + 1, sizeof(*more));
	if (more == NULL)
		return "out of memory";
	c->tls_more = more;
	more += c->ntls_more++;
	more->key = xstrdup(l->word[1]);
	more->cert = xstrdup(l->word[2]);
	return NULL;
}

static const char *
set_tls_clients(struct conf *c, const struct line *l)
{
	set(&c->tls_clients, l->word[1]);
	return NULL;
}

static const char *
set_password_key(struct conf *c, const struct line *l)
{
	set(&c->password_key, l->word[1]);
	return NULL;
}

static const char *
set_pam_dir(struct conf *c, const struct line *l)
{
	set(&c->pam_dir, l->word[1]);
	return NULL;
}

static const char *
set_sandbox(struct conf *c, const struct line *l)
{
	if (strcmp(l->word[1], "weak") == 0)
		c->weak = true;
	else if (strcmp(l->word[1], "strict") == 0)
		c->weak = false;
	else
		return "it is \"sandbox strict\" or \"sandbox weak\"";
	return NULL;
}

static const char *
set_os_passwords(struct conf *c, const struct line *l)
{
	if (strcmp(l->word[1], "yes") != 0 && strcmp(l->word[1], "no") != 0)
		return "it is \"os-passwords yes\" or \"os-passwords no\"";
	c->os_passwords = l->word[1][0] == 'y';
	return NULL;
}

static const char *
set_user(struct conf *c, const struct line *l)
{
	int i;

	for (i = 0; i < CONF_USERS; i++)
		if (strcmp(c->users[i].name, l->word[1]) == 0) {
			set(&c->users[i].alias, l->word[2]);
			return NULL;
		}
	return "no daemon has that user: they are _cglog, _cgauth, ... as in "
	    "cgserver.conf(5)";
}

static const char *
set_processes(struct conf *c, const struct line *l)
{
	static const enum proc_id fronts[] = { PROC_SMTPD, PROC_POP3D,
		PROC_IMAPD, PROC_PWDD };
	struct cur cur = cur_str(l->word[2]);
	uint64_t n;
	size_t i;

	if (!cur_u64(&cur, &n, 64) || cur_left(&cur) != 0 || n < 1)
		return "a number from 1 to 64 is wanted";
	for (i = 0; i < sizeof(fronts) / sizeof(*fronts); i++)
		if (strcmp(proc_name(fronts[i]), l->word[1]) == 0) {
			c->processes[fronts[i]] = (int)n;
			return NULL;
		}
	return "only smtpd, pop3d, imapd and pwdd run in several processes";
}

/* 127.0.0.1:25, [::1]:25, *:25, 25; "auto" for a free port. */
static const char *
split_address(const char *text, struct conf_listen *li)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon != NULL ? colon + 1 : text;
	struct str addr = { text, colon != NULL ? (size_t)(colon - text) : 0 };
	struct cur cur = cur_str(port);
	unsigned char ip[16];
	uint64_t n = 0;

	if (strcmp(port, "auto") != 0 &&
	    (!cur_u64(&cur, &n, 65535) || cur_left(&cur) != 0 || n == 0))
		return "a port is a number from 1 to 65535, or auto";
	if (addr.len >= 2 && addr.p[0] == '[' && addr.p[addr.len - 1] == ']') {
		addr.p++;
		addr.len -= 2;
	}
	if (str_eq(addr, "*"))
		addr.len = 0;
	li->port = (int)n;
	if ((li->address = str_dup(addr)) == NULL)
		return "out of memory";
	if (addr.len > 0 && inet_pton(AF_INET, li->address, ip) != 1 &&
	    (*text != '[' || inet_pton(AF_INET6, li->address, ip) != 1)) {
		free(li->address);
		return "an address is like 192.0.2.1, [2001:db8::1] or *";
	}
	return NULL;
}

static const char *
set_listen(struct conf *c, const struct line *l)
{
	struct conf_listen li = { 0 }, *more;
	const char *err;
	int i;

	if (settings_find(l->word[1], "Listener") == NULL)
		return "no such module: there are SMTP, POP, IMAP and PWD";
	for (i = 3; i < l->n; i++) {
		if (strcmp(l->word[i], "tls") == 0)
			li.tls = true;
		else if (strcmp(l->word[i], "submission") == 0)
			li.submission = true;
		else
			return "after the address only tls and submission";
	}
	if ((err = split_address(l->word[2], &li)) != NULL)
		return err;
	more = reallocarray(c->listen, c->nlisten + 1, sizeof(*more));
	if (more == NULL) {
		free(li.address);
		return "out of memory";
	}
	li.module = xstrdup(l->word[1]);
	c->listen = more;
	c->listen[c->nlisten++] = li;
	return NULL;
}

static const char *
set_trusted(struct conf *c, const struct line *l)
{
	int i;

	for (i = 1; i < l->n; i++)
		val_append(c->trusted, val_string(l->word[i]));
	return NULL;
}

static const char *
set_helpers(struct conf *c, const struct line *l)
{
	int i;

	for (i = 1; i < l->n; i++) {
		if (l->word[i][0] != '/')
			return "a directory must be an absolute path";
		val_append(c->helpers, val_string(l->word[i]));
	}
	return NULL;
}

static const char *
set_external(struct conf *c, const struct line *l)
{
	int i;

	for (i = 1; i < l->n; i++) {
		if (!path_is_plain(l->word[i]))
			return "a directory is a plain path like /var/mail";
		val_append(c->external, val_string(l->word[i]));
	}
	return NULL;
}

static const char *
set_helper_user(struct conf *c, const struct line *l)
{
	set(&c->helper_user.alias, l->word[1]);
	return NULL;
}

static const char *
set_authorities(struct conf *c, const struct line *l)
{
	set(&c->authorities, l->word[1]);
	return NULL;
}

/* 192.0.2.1, 192.0.2.1:53, 2001:db8::1, [2001:db8::1]:53 */
static bool
is_server(struct str s)
{
	struct cur c = { s.p, s.p + s.len };
	char text[INET6_ADDRSTRLEN];
	unsigned char ip[16];
	struct str host;
	uint64_t port;

	if (str_copy(s, text, sizeof(text)) &&
	    inet_pton(AF_INET6, text, ip) == 1)
		return true;
	if (cur_lit(&c, "[")) {
		host = cur_until(&c, "]");
		if (!cur_lit(&c, "]"))
			return false;
	} else
		host = cur_until(&c, ":");
	if (cur_lit(&c, ":") && (!cur_u64(&c, &port, 65535) || port == 0))
		return false;
	return cur_left(&c) == 0 && str_copy(host, text, sizeof(text)) &&
	    inet_pton(*s.p == '[' ? AF_INET6 : AF_INET, text, ip) == 1;
}

static const char *
set_resolver(struct conf *c, const struct line *l)
{
	struct cur cur = cur_str(l->word[1]);

	do
		if (!is_server(cur_until(&cur, ",")))
			return "a server is like 192.0.2.1, 192.0.2.1:5353 or "
			    "[2001:db8::1]:53";
	while (cur_lit(&cur, ","));
	set(&c->resolver, l->word[1]);
	return NULL;
}

static const char *
set_resolver_trusted(struct conf *c, const struct line *l)
{
	bool yes = strcasecmp(l->word[1], "yes") == 0;

	if (!yes && strcasecmp(l->word[1], "no") != 0)
		return "it is \"resolver-trusted yes\" or \"resolver-trusted "
		    "no\"";
	set(&c->resolver_trusted, yes ? "YES" : "NO");
	return NULL;
}

static const struct keyword {
	const char	*word;
	int		 min, max;	/* values */
	const char	*(*set)(struct conf *, const struct line *);
	const char	*usage;
} keywords[] = {
	{ "authorities",  1, 1, set_authorities, "authorities CAFILE" },
	{ "base",	  1, 1, set_base,	"base DIRECTORY" },
	{ "external-inboxes", 1, 64, set_external,
	    "external-inboxes DIRECTORY ..." },
	{ "helper-dirs",  1, 64, set_helpers,	"helper-dirs DIRECTORY ..." },
	{ "helper-user",  1, 1, set_helper_user,
	    "helper-user USER-OR-NUMBER" },
	{ "hostname",	  1, 1, set_hostname,	"hostname NAME" },
	{ "libexec",	  1, 1, set_libexec,	"libexec DIRECTORY" },
	{ "listen",	  2, 4, set_listen,
	    "listen MODULE ADDRESS:PORT [tls] [submission]" },
	{ "os-passwords", 1, 1, set_os_passwords, "os-passwords yes|no" },
	{ "pam-dir",	  1, 1, set_pam_dir,	"pam-dir DIRECTORY" },
	{ "password-key", 1, 1, set_password_key, "password-key FILE" },
	{ "processes",	  2, 2, set_processes,	"processes DAEMON NUMBER" },
	{ "resolver",	  1, 1, set_resolver,
	    "resolver ADDRESS[:PORT][,...]" },
	{ "resolver-trusted", 1, 1, set_resolver_trusted,
	    "resolver-trusted yes|no" },
	{ "sandbox",	  1, 1, set_sandbox,	"sandbox strict|weak" },
	{ "tls",	  2, 2, set_tls,	"tls KEYFILE CERTIFICATEFILE" },
	{ "tls-clients",  1, 1, set_tls_clients, "tls-clients CAFILE" },
	{ "trusted-users", 1, MAXWORDS - 1, set_trusted,
	    "trusted-users NAME ..." },
	{ "user",	  2, 2, set_user,	"user _cgNAME USER-OR-NUMBER" },
	{ NULL, 0, 0, NULL, NULL }
};

/* --- reading --- */

/* Blanks, comments and line ends; counts the lines. */
static void
skip(struct cur *c, int *line, bool lines)
{
	for (; cur_left(c) > 0; cur_get(c)) {
		int ch = cur_peek(c);

		if (ch == '#') {
			cur_until(c, "\n");
			if (cur_left(c) == 0)
				return;
			ch = '\n';
		}
		if (ch == '\n' && !lines)
			return;
		if (ch == '\n')
			(*line)++;
		else if (ch != ' ' && ch != '\t' && ch != '\r')
			return;
	}
}

/* A word, or "words with blanks". */
static char *
word(struct cur *c, const char **err)
{
	struct str s;

	if (cur_peek(c) != '"')
		s = cur_until(c, " \t\r\n#");
	else {
		cur_get(c);
		s = cur_until(c, "\"\n");
		if (cur_get(c) != '"') {
			*err = "a \" without its end";
			return NULL;
		}
	}
	if (memchr(s.p, '\0', s.len) != NULL) {
		*err = "a NUL byte";
		return NULL;
	}
	return str_dup(s);
}

/* A module may have several blocks, but each setting one value. */
static const char *
pin(struct conf *c, const char *module, const struct val *v, char **key)
{
	struct val *all = dict_get(c->pinned, module);
	size_t i;

	if (all == NULL) {
		dict_set(c->pinned, module, val_copy(v));
		return NULL;
	}
	for (i = 0; i < val_count(v); i++) {
		if (dict_get(all, val_key(v, i)) != NULL) {
			*key = xstrdup(val_key(v, i));
			return "an earlier block has it, too";
		}
		dict_set(all, val_key(v, i), val_copy(val_at(v, i)));
	}
	return NULL;
}

/* Line ends before the last word. */
static int
lines_in(const char *from, const char *to)
{
	int n = 0;

	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	for (; from < to; from++)
		n += *from == '\n';
	return n;
}

/* What is wrong with these values, and with whose. */
static const char *
check_values(const char *module, const struct val *v, char **key)
{
	const struct setting *s;
	const char *err = NULL;
	size_t i;

	for (i = 0; i < val_count(v) && err == NULL; i++) {
		s = settings_find(module, val_key(v, i));
		err = s == NULL ? "no such setting, see settings(5)" :
		    settings_check(s, val_at(v, i));
		if (err != NULL)
			*key = xstrdup(val_key(v, i));
	}
	return err;
}

/*
 * settings NAME { ... }: the cursor stands behind "settings".  An error is
 * that of a setting, whose name is the caller's then, or of the line where
 * the cursor has come to.
 */
static const char *
settings_block(struct conf *c, struct cur *cur, int *line, char **key)
{
	const char *err = NULL, *start, *at;
	struct val *v;
	char *name;
	int head;

	skip(cur, line, false);
	if ((name = word(cur, &err)) == NULL)
		return err != NULL ? err : "out of memory";
	head = *line;
	skip(cur, line, true);
	start = cur->p;
	if (*name == '\0' || cur_peek(cur) != '{' ||
	    (v = val_parse(cur, &err)) == NULL) {
		free(name);
		*line = err != NULL ? *line + lines_in(start, cur->p) : head;
		return err != NULL ? err : "it is: settings NAME { ... }";
	}
	if ((err = check_values(name, v, key)) == NULL)
		err = pin(c, name, v, key);
	val_free(v);
	free(name);
	at = *key == NULL ? NULL : memmem(start, cur->p - start, *key,
	    strlen(*key));
	*line += lines_in(start, at != NULL ? at + 1 : cur->p);
	return err;
}

static const char *
rest_of_line(struct conf *c, struct cur *cur, struct line *l, int *n,
    char **about)
{
	const struct keyword *k;
	const char *err = NULL;

	for (skip(cur, n, false); cur_left(cur) > 0 && cur_peek(cur) != '\n';
	    skip(cur, n, false)) {
		if (l->n == MAXWORDS)
			return "too many words";
		if ((l->word[l->n] = word(cur, &err)) == NULL)
			return err != NULL ? err : "out of memory";
		l->n++;
	}
	for (k = keywords; k->word != NULL; k++)
		if (strcmp(k->word, l->word[0]) == 0)
			break;
	if (k->word == NULL)
		return "unknown word, see cgserver.conf(5)";
	if (l->n - 1 < k->min || l->n - 1 > k->max) {
		*about = xstrdup("it is");
		return k->usage;
	}
	return k->set(c, l);
}

static const char *
one_line(struct conf *c, struct cur *cur, int *n, char **about)
{
	struct line l = { .n = 1 };
	const char *err = NULL;
	int i;

	if ((l.word[0] = word(cur, &err)) == NULL)
		return err != NULL ? err : "out of memory";
	if (strcmp(l.word[0], "settings") == 0)
		err = settings_block(c, cur, n, about);
	else
		err = rest_of_line(c, cur, &l, n, about);
	for (i = 0; i < l.n; i++)
		free(l.word[i]);
	return err;
}

static void
defaults(struct conf *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char host[256] = "";
	int i;

	memset(c, 0, sizeof(*c));
	c->base = xstrdup(CG_BASEDIR);
	c->libexec = xstrdup(CG_LIBEXECDIR);
	c->tls_key = xstrdup(CG_SYSCONFDIR "/key.pem");
	c->tls_cert = xstrdup(CG_SYSCONFDIR "/cert.pem");
	c->password_key = xstrdup(CG_SYSCONFDIR "/password.key");
	if (gethostname(host, sizeof(host) - 1) == -1 || host[0] == '\0')
		strcpy(host, "localhost");
	c->hostname = xstrdup(host);
	c->pinned = val_dict();
	c->trusted = val_array();
	c->helpers = val_array();
	c->external = val_array();
	c->users = xcalloc(CONF_USERS, sizeof(*c->users));
	for (i = 0; i < CONF_USERS; i++)
		c->users[i].name = user_names[i];
	for (i = 0; i < PROC_MAX; i++)
		c->processes[i] = 1;
	c->processes[PROC_SMTPD] = cores > 0 && cores <= 64 ? (int)cores : 1;
	c->processes[PROC_POP3D] = c->processes[PROC_SMTPD];
	c->processes[PROC_IMAPD] = c->processes[PROC_SMTPD];
}

/*
 * What is wrong, where: with the line as it stands there, but of a block its
 * head alone, for passwords may be in it; and what it is about, if more is
 * known.
 */
static char *
where_wrong(struct cur from, int line, char *about, const char *why)
{
	struct str s = cur_until(&from, "\r\n{#");
	char *text;

	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	if (s.len > QUOTED)
		s.len = QUOTED;
	text = xasprintf("line %d: %s%s%s, in \"%.*s\"", line,
	    about != NULL ? about : "", about != NULL ? ": " : "", why,
	    (int)s.len, s.p);
	free(about);
	return text;
}

int
conf_parse(struct conf *c, const char *text, size_t len, char **err)
{
	struct cur cur = cur_make(text, len), from;
	const char *why;
	char *about = NULL;
	int line = 1;

	defaults(c);
	for (skip(&cur, &line, true); cur_left(&cur) > 0;
	    skip(&cur, &line, true)) {
		from = cur;
		if ((why = one_line(c, &cur, &line, &about)) != NULL) {
			*err = where_wrong(from, line, about, why);
			return -1;
		}
	}
	return 0;
}

int
conf_load(struct conf *c, const char *path, bool must, char **err)
{
	size_t len = 0;
	char *text;
	int r;

	text = file_read(AT_FDCWD, path, CONF_MAXSIZE, &len);
	if (text == NULL && (must || errno != ENOENT)) {
		*err = xasprintf("%s: %s", path, strerror(errno));
		defaults(c);
		return -1;
	}
	r = conf_parse(c, text != NULL ? text : "", len, err);
	free(text);
	set(&c->file, path);
	if (r == -1) {
		text = *err;
		*err = xasprintf("%s: %s", path, text);
		free(text);
	}
	return r;
}

void
conf_free(struct conf *c)
{
	size_t i;

	free(c->file);
	free(c->base);
	free(c->libexec);
	free(c->hostname);
	free(c->tls_key);
	free(c->tls_cert);
	for (i = 0; i < c->ntls_more; i++) {
		free(c->tls_more[i].key);
		free(c->tls_more[i].cert);
	}
	free(c->tls_more);
	free(c->tls_clients);
	free(c->password_key);
	free(c->pam_dir);
	free(c->resolver);
	free(c->resolver_trusted);
	free(c->authorities);
	for (i = 0; i < CONF_USERS; i++)
		free(c->users[i].alias);
	free(c->users);
	for (i = 0; i < c->nlisten; i++) {
		free(c->listen[i].module);
		free(c->listen[i].address);
	}
	free(c->listen);
	val_free(c->pinned);
	val_free(c->trusted);
	val_free(c->helpers);
	val_free(c->external);
	free(c->helper_user.alias);
	memset(c, 0, sizeof(*c));
}

/* --- users --- */

/* A number is a uid and gid without an entry; else a name of passwd(5). */
static int
find_user(struct conf_user *u)
{
	const char *name = u->alias != NULL ? u->alias : u->name;
	struct cur cur = cur_str(name);
	struct passwd *pw;
	uint64_t n;

	if (isdigit((unsigned char)*name) && cur_u64(&cur, &n, 0x7ffffffe) &&
	    cur_left(&cur) == 0) {
		u->uid = (uid_t)n;
		u->gid = (gid_t)n;
	} else if ((pw = getpwnam(name)) != NULL) {
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
	} else
		return -1;
	u->known = true;
	return u->uid == 0 ? -1 : 0;
}

/* Programs that others have written must not run as anybody of the suite. */
static int
find_helper_user(struct conf *c, char **err)
{
	struct conf_user *u = &c->helper_user;

	if (geteuid() != 0 || val_count(c->helpers) == 0)
		return 0;
	u->name = "";
	if (u->alias != NULL && find_user(u) == 0)
		return 0;
	*err = xstrdup(u->alias == NULL ? "helper-dirs wants a helper-user" :
	    "helper-user: there is no such user, or it is root");
	return -1;
}

int
conf_find_users(struct conf *c, char **err)
{
	int i;

	for (i = 0; i < CONF_USERS; i++) {
		struct conf_user *u = &c->users[i];

		if (geteuid() != 0) {
			u->uid = geteuid();
			u->gid = getegid();
			u->known = true;
		} else if (find_user(u) == -1) {
			*err = xasprintf("no user %s (or it is root); INSTALL "
			    "says how to make it", u->alias != NULL ? u->alias :
			    u->name);
			return -1;
		}
	}
	return find_helper_user(c, err);
}

const struct conf_user *
conf_user_of(const struct conf *c, enum proc_id id)
{
	int i;

	for (i = 0; user_of[id] != NULL && i < CONF_USERS; i++)
		if (strcmp(c->users[i].name, user_of[id]) == 0)
			return &c->users[i];
	return NULL;
}
