/*
 * The words of cgserver.conf: one table, and a function a word that says what
 * is wrong, or NULL.  Runs where conf.c does; looks at no file.
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf_int.h"
#include "file.h"
#include "objname.h"
#include "settings.h"

void
conf_set(char **where, const char *value)
{
	free(*where);
	*where = xstrdup(value);
}

/* --- one function a keyword: NULL, or what is wrong --- */

static const char *
set_base(struct conf *c, const struct conf_line *l)
{
	if (l->word[1][0] != '/')
		return "the base directory must be an absolute path";
	conf_set(&c->base, l->word[1]);
	return NULL;
}

static const char *
set_libexec(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->libexec, l->word[1]);
	return NULL;
}

static const char *
set_hostname(struct conf *c, const struct conf_line *l)
{
	char lower[DOMAIN_MAXLEN + 1];

	if (!name_lower(str_make(l->word[1]), lower, sizeof(lower)) ||
	    !name_valid_domain(lower))
		return "a name is wanted that a domain can have";
	conf_set(&c->hostname, l->word[1]);
	return NULL;
}

static const char *
set_tls(struct conf *c, const struct conf_line *l)
{
	struct conf_tls *more;

	if (!c->tls_given) {
		conf_set(&c->tls_key, l->word[1]);
		conf_set(&c->tls_cert, l->word[2]);
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
set_tls_clients(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->tls_clients, l->word[1]);
	return NULL;
}

static const char *
set_password_key(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->password_key, l->word[1]);
	return NULL;
}

static const char *
set_pam_dir(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->pam_dir, l->word[1]);
	return NULL;
}

static const char *
set_sandbox(struct conf *c, const struct conf_line *l)
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
set_os_passwords(struct conf *c, const struct conf_line *l)
{
	if (strcmp(l->word[1], "yes") != 0 && strcmp(l->word[1], "no") != 0)
		return "it is \"os-passwords yes\" or \"os-passwords no\"";
	c->os_passwords = l->word[1][0] == 'y';
	return NULL;
}

static const char *
set_user(struct conf *c, const struct conf_line *l)
{
	int i;

	for (i = 0; i < CONF_USERS; i++)
		if (strcmp(c->users[i].name, l->word[1]) == 0) {
			conf_set(&c->users[i].alias, l->word[2]);
			return NULL;
		}
	return "no daemon has that user: they are _cglog, _cgauth, ... as in "
	    "cgserver.conf(5)";
}

static const char *
set_processes(struct conf *c, const struct conf_line *l)
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
set_listen(struct conf *c, const struct conf_line *l)
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
set_trusted(struct conf *c, const struct conf_line *l)
{
	int i;

	for (i = 1; i < l->n; i++)
		val_append(c->trusted, val_string(l->word[i]));
	return NULL;
}

static const char *
set_helpers(struct conf *c, const struct conf_line *l)
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
set_external(struct conf *c, const struct conf_line *l)
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
set_helper_user(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->helper_user.alias, l->word[1]);
	return NULL;
}

static const char *
set_authorities(struct conf *c, const struct conf_line *l)
{
	conf_set(&c->authorities, l->word[1]);
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
set_resolver(struct conf *c, const struct conf_line *l)
{
	struct cur cur = cur_str(l->word[1]);

	do
		if (!is_server(cur_until(&cur, ",")))
			return "a server is like 192.0.2.1, 192.0.2.1:5353 or "
			    "[2001:db8::1]:53";
	while (cur_lit(&cur, ","));
	conf_set(&c->resolver, l->word[1]);
	return NULL;
}

static const char *
set_resolver_trusted(struct conf *c, const struct conf_line *l)
{
	bool yes = strcasecmp(l->word[1], "yes") == 0;

	if (!yes && strcasecmp(l->word[1], "no") != 0)
		return "it is \"resolver-trusted yes\" or \"resolver-trusted "
		    "no\"";
	conf_set(&c->resolver_trusted, yes ? "YES" : "NO");
	return NULL;
}

const struct conf_word conf_words[] = {
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
	{ "trusted-users", 1, CONF_MAXWORDS - 1, set_trusted,
	    "trusted-users NAME ..." },
	{ "user",	  2, 2, set_user,	"user _cgNAME USER-OR-NUMBER" },
	{ NULL, 0, 0, NULL, NULL }
};
