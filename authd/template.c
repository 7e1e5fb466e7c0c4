/*
 * What a new account begins with (manual 20, Account Template): settings, and
 * what stored puts into it.  A domain's template counts before the server's,
 * that before the table's.  Runs in authd; only puts things together.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unicode/ucnv.h>

#include "authd.h"
#include "file.h"
#include "log.h"
#include "rfc5322.h"
#include "settings.h"

enum { FILL_MAX = 59999, CHARSET_MAX = 40 };

/* These are no settings of the account. */
static const char *const initial[] = { "InitialMailboxes",
	"InitialSubscription", "InitialMailboxAliases", "InitialWebPage",
	"InitialMessage" };
enum { NINITIAL = sizeof(initial) / sizeof(initial[0]) };

static bool
is_initial(const char *name)
{
	size_t i;

	for (i = 0; i < NINITIAL; i++)
		if (strcasecmp(name, initial[i]) == 0)
			return true;
	return false;
}

static const struct val *
value(const char *domain, const char *name)
{
	const struct val *v;

	v = dict_get(domain_setting(domain, "AccountTemplate"), name);
	if (!settings_is_default(v))
		return v;
	return settings_value(proc_settings(), "Template", name);
}

static void
copy_settings(struct val *all, const struct val *template)
{
	size_t i;

	for (i = 0; i < val_count(template); i++)
		if (!is_initial(val_key(template, i)) &&
		    !settings_is_default(val_at(template, i)))
			dict_set(all, val_key(template, i),
			    val_copy(val_at(template, i)));
}

struct val *
template_settings(const char *domain)
{
	struct val *all = val_dict();

	if (all == NULL)
		return NULL;
	copy_settings(all, dict_get(proc_settings(), "Template"));
	copy_settings(all, domain_setting(domain, "AccountTemplate"));
	return all;
}

bool
template_fill(struct buf *out, const char *domain)
{
	struct val *d = val_dict();
	const struct val *v;
	size_t i;
	bool ok = d != NULL;

	for (i = 0; ok && i < NINITIAL; i++)
		if (strcmp(initial[i], "InitialMessage") != 0 &&
		    (v = value(domain, initial[i])) != NULL)
			ok = dict_set(d, initial[i], val_copy(v)) == 0;
	ok = ok && val_write(out, d, false) && out->len <= FILL_MAX;
	val_free(d);
	if (!ok)
		log_warnx("%s: the account template is too large", domain);
	return ok;
}

/* --- the greeting --- */

/* "[koi8-r]Subject: ...": the name, and *text behind it; else "". */
static void
take_charset(const char **text, char *name, size_t size)
{
	const char *end = **text == '[' ? strchr(*text, ']') : NULL;

	name[0] = '\0';
	if (end == NULL || (size_t)(end - *text) > size)
		return;
	if (!str_copy((struct str){ *text + 1, end - *text - 1 }, name, size))
		name[0] = '\0';
	*text = end + 1;
	while (**text == '\r' || **text == '\n')
		(*text)++;
}

/* The text is UTF-8; in that charset, or as it is if there is none such. */
static bool
put_text(struct buf *out, const char *text, const char *charset)
{
	UErrorCode err = U_ZERO_ERROR;
	size_t size = strlen(text) * 4 + 16;
	char *p;
	int n;

	if (charset[0] == '\0' || strcasecmp(charset, "utf-8") == 0 ||
	    (p = malloc(size)) == NULL)
		return buf_puts(out, text);
	n = ucnv_convert(charset, "utf-8", p, size, text, strlen(text), &err);
	if (U_SUCCESS(err))
		buf_add(out, p, n);
	else
		buf_puts(out, text);
	free(p);
	return !out->failed;
}

/* Lines end in LF, the last one, too. */
static void
put_lines(struct buf *out, const struct buf *text)
{
	size_t i;

	for (i = 0; i < text->len; i++)
		if (text->p[i] != '\r')
			buf_putc(out, text->p[i]);
		else if (i + 1 >= text->len || text->p[i + 1] != '\n')
			buf_putc(out, '\n');
	if (out->len > 0 && out->p[out->len - 1] != '\n')
		buf_putc(out, '\n');
}

int
template_greeting(const char *domain)
{
	const struct val *v = value(domain, "InitialMessage");
	const char *text = v != NULL ? val_text(v) : NULL;
	char charset[CHARSET_MAX], date[64];
	struct buf body, whole;
	int fd = -1;

	if (text == NULL || *text == '\0')
		return -1;
	take_charset(&text, charset, sizeof(charset));
	date_rfc5322(date, sizeof(date), time(NULL));
	buf_init(&body, 0);
	buf_init(&whole, 0);
	buf_printf(&whole, "Date: %s\n", date);
	if (put_text(&body, text, charset))
		put_lines(&whole, &body);
	if (body.failed || whole.failed ||
	    (fd = file_memfd("greeting", whole.p, whole.len)) == -1)
		log_warnx("%s: no greeting message", domain);
	buf_free(&body);
	buf_free(&whole);
	return fd;
}
