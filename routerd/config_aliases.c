/*
 * Settings/DomainAliases.data: other names of domains, each with the domain's
 * own ("": the Main Domain).  Runs in routerd, which alone writes it.
 */
#include <errno.h>
#include <string.h>

#include "file.h"
#include "log.h"
#include "router.h"

static struct val *last;		/* as they were, when it was read */
static bool spoiled;			/* it cannot be read */

static const char file[] = "Settings/DomainAliases.data";

struct val *
config_aliases(void)
{
	const char *err = NULL;
	struct val *v;

	v = val_read_file(proc_basefd(), file, &err);
	spoiled = v != NULL ? val_type(v) != VAL_DICT : errno != ENOENT;
	if (!spoiled)
		return v != NULL ? v : val_dict();
	log_msg(LOG_CRASH, "%s: %s; nothing is changed in it", file,
	    v != NULL ? "not a dictionary" : err != NULL ? err :
	    strerror(errno));
	val_free(v);
	return last != NULL ? val_copy(last) : val_dict();
}

/* authd must know them, too: rights are given by the domain's name. */
static void
apply(const struct val *v)
{
	char alias[DOMAIN_MAXLEN + 1], name[DOMAIN_MAXLEN + 1];
	struct val *real = val_dict();
	struct domain *d;
	size_t i;

	names_clear_aliases(&names);
	for (i = 0; i < val_count(v); i++) {
		if (val_text(val_at(v, i)) == NULL ||
		    !name_domain(str_make(val_key(v, i)), alias,
		    sizeof(alias)) ||
		    !name_domain(str_make(val_text(val_at(v, i))), name,
		    sizeof(name)))
			continue;
		d = *name == '\0' ? names.main : names_domain(&names, name);
		if (d == NULL || names_add_alias(&names, alias, d) == -1)
			log_msg(LOG_PROBLEM, "domain alias %s of %s: ignored",
			    alias, name);
		else
			dict_set(real, alias, val_string(d->name));
	}
	dict_set(merged, "DomainAliases", real);
	real = val_copy(v);
	val_free(last);
	last = real;
}

int
config_set_aliases(const struct val *v)
{
	if (spoiled || config_write(file, v) == -1)
		return -1;
	apply(v);
	return 0;
}

void
config_merge_aliases(void)
{
	struct val *now = config_aliases();

	apply(now);
	val_free(now);
}
