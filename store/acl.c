/*
 * Access control lists: in an account's worker.  Identifiers are compared and
 * kept in lower case, without the owner's own domain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "box.h"
#include "buf.h"
#include "dict.h"
#include "name.h"

enum { MAX_ELEMENTS = 1000, MAX_NAME = 500 };

static const char letters[] = "lrswipcda";	/* in the order of ACL_ */

bool
acl_parse(const char *s, unsigned *rights)
{
	const char *at;

	for (*rights = 0; *s != '\0'; s++) {
		if ((at = strchr(letters, *s)) == NULL)
			return false;
		*rights |= 1U << (at - letters);
	}
	return true;
}

void
acl_text(char *out, unsigned rights)
{
	int i;

	for (i = 0; letters[i] != '\0'; i++)
		if (rights & 1U << i)
			*out++ = letters[i];
	*out = '\0';
}

const struct val *
acl_get(struct acct *a, const char *box)
{
	const struct val *v = dict_get(info_box(&a->info, name_canon(box),
	    false), "ACL");

	return v != NULL && val_type(v) == VAL_DICT ? v : NULL;
}

/* John@X.com, of the owner's domain x.com, is john.  NULL: no such name. */
static char *
identifier(const char *who, const char *owner)
{
	const char *domain = strchr(owner, '@');
	struct buf b;
	char *p;
	size_t i;

	if (who[0] == '\0' || strcmp(who, "-") == 0 || strlen(who) > MAX_NAME)
		return NULL;
	buf_init(&b, 0);
	buf_puts(&b, who);
	for (i = 0; i < b.len; i++) {
		if ((unsigned char)b.p[i] <= ' ' || b.p[i] == 0x7f) {
			buf_free(&b);
			return NULL;
		}
		if (b.p[i] >= 'A' && b.p[i] <= 'Z')
			b.p[i] |= 0x20;
	}
	p = buf_steal(&b);
	if (p != NULL && domain != NULL && strchr(p, '@') != NULL &&
	    strcmp(strchr(p, '@'), domain) == 0)
		*strchr(p, '@') = '\0';
	return p;
}

static unsigned
granted(const struct val *acl, const char *sign, const char *name)
{
	unsigned rights = 0;
	struct buf key;

	buf_init(&key, 0);
	if (buf_puts(&key, sign) && buf_puts(&key, name))
		acl_parse(dict_str(acl, key.p, ""), &rights);
	buf_free(&key);
	return rights;
}

unsigned
acl_rights(struct acct *a, const char *box, const char *owner,
    const char *user)
{
	const struct val *acl = acl_get(a, box);
	char *name = identifier(user, owner);
	unsigned rights;

	if (strcmp(user, owner) == 0) {
		free(name);
		return ACL_ALL;
	}
	rights = granted(acl, "", "anyone");
	if (name != NULL)
		rights |= granted(acl, "", name);
	rights &= ~granted(acl, "-", "anyone");
	if (name != NULL)
		rights &= ~granted(acl, "-", name);
	free(name);
	return rights;
}

static struct val *
make(struct acct *a, const char *box)
{
	struct val *d = info_box(&a->info, name_canon(box), true), *acl;

	if (d == NULL)
		return NULL;
	acl = dict_get(d, "ACL");
	if (acl != NULL && val_type(acl) == VAL_DICT)
		return acl;
	return dict_set(d, "ACL", val_dict()) == 0 ? dict_get(d, "ACL") : NULL;
}

static const char *
put(struct acct *a, const char *box, const char *name, unsigned rights)
{
	struct val *acl = make(a, box);
	char text[ACL_TEXT];

	if (acl == NULL)
		return "out of memory";
	if (rights != 0 && dict_get(acl, name) == NULL &&
	    val_count(acl) >= MAX_ELEMENTS)
		return "too many elements";
	acl_text(text, rights);
	if (dict_set(acl, name, rights != 0 ? val_string(text) : NULL) == -1)
		return "out of memory";
	if (val_count(acl) == 0)
		(void)dict_set(info_box(&a->info, name_canon(box), true),
		    "ACL", NULL);
	return NULL;
}

const char *
acl_set(struct acct *a, const char *box, const char *owner, const char *who,
    const char *change)
{
	char sign = *change == '+' || *change == '-' ? *change : '\0';
	unsigned rights, old;
	const char *err;
	char *name;

	if (!acl_parse(sign != '\0' ? change + 1 : change, &rights))
		return "a letter that is no access right";
	if ((name = identifier(who, owner)) == NULL)
		return "no such name";
	old = granted(acl_get(a, box), "", name);
	if (sign == '+')
		rights |= old;
	else if (sign == '-')
		rights = old & ~rights;
	err = put(a, box, name, rights);
	free(name);
	return err;
}

int
acl_inherit(struct acct *a, const char *box)
{
	char *up = strdup(box), *slash;
	const struct val *acl = NULL;
	struct val *d, *copy;
	int ret = 0;

	if (up == NULL)
		return -1;
	while (acl == NULL && (slash = strrchr(up, '/')) != NULL) {
		*slash = '\0';
		acl = acl_get(a, up);
	}
	free(up);
	if (acl == NULL)
		return 0;
	copy = val_copy(acl);
	d = copy != NULL ? info_box(&a->info, box, true) : NULL;
	if (d == NULL) {
		val_free(copy);
		ret = -1;
	} else
		ret = dict_set(d, "ACL", copy);
	if (ret == -1)
		errno = ENOMEM;
	return ret;
}
