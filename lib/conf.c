/*
 * Reads cgserver.conf: lines of a word and its values (conf_words.c), comments
 * after #, and blocks `settings NAME { dictionary }`.  Runs in cgserver before
 * anything is started, and in cgctl and cgmail.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_int.h"
#include "file.h"
#include "settings.h"

enum { QUOTED = 60 };

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
rest_of_line(struct conf *c, struct cur *cur, struct conf_line *l, int *n,
    char **about)
{
	const struct conf_word *k;
	const char *err = NULL;

	for (skip(cur, n, false); cur_left(cur) > 0 && cur_peek(cur) != '\n';
	    skip(cur, n, false)) {
		if (l->n == CONF_MAXWORDS)
			return "too many words";
		if ((l->word[l->n] = word(cur, &err)) == NULL)
			return err != NULL ? err : "out of memory";
		l->n++;
	}
	for (k = conf_words; k->word != NULL; k++)
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
	struct conf_line l = { .n = 1 };
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
	conf_users_init(c);
	for (i = 0; i < PROC_MAX; i++)
		c->processes[i] = 1;
	c->processes[PROC_SMTPD] = cores > 0 && cores <= 64 ? (int)cores : 1;
	c->processes[PROC_POP3D] = c->processes[PROC_SMTPD];
	c->processes[PROC_IMAPD] = c->processes[PROC_SMTPD];
}

/*
 * What is wrong, where, and what it is about, if more is known: with the line
 * as it stands there, but nothing of what is in a block or looks so, as after
 * a } too early: passwords may be in it.
 */
static char *
where_wrong(struct cur from, int line, char *about, const char *why)
{
	struct str s = cur_until(&from, "\r\n{=#");
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
	conf_set(&c->file, path);
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
