/*
 * ListMailboxes and what else is done with mailboxes, their access rights
 * included (manual 16, 23): in the account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acl.h"
#include "box.h"
#include "folder.h"
#include "idn.h"
#include "keyword.h"
#include "name.h"
#include "worker_admin.h"

/* --- what a mailbox is --- */

static void
count(struct box *b, struct val *d)
{
	uint32_t i, n = box_count(b), unseen = 0;
	const struct rec *r;

	for (i = 0; i < n; i++) {
		r = box_rec(b, i);
		unseen += !(r->flags & MSG_SEEN);
	}
	dict_setf(d, "Messages", "%u", n);
	dict_setf(d, "Unseen", "%u", unseen);
	dict_setf(d, "Size", "%llu", (unsigned long long)b->size);
	dict_setf(d, "UIDNext", "%u", b->idx.head->uidnext);
	dict_setf(d, "UIDValidity", "%u", b->idx.head->uidvalidity);
}

static void
internals(struct box *b, struct val *d)
{
	struct val *words = val_array();
	unsigned i, n = keyword_count(b);

	for (i = 0; words != NULL && i < n; i++)
		val_append(words, val_string(keyword_name(b, i) != NULL ?
		    keyword_name(b, i) : ""));
	dict_set(d, "Keywords", words);
	dict_setf(d, "UIDMin", "%u", box_count(b) > 0 ? box_rec(b, 0)->uid :
	    b->idx.head->uidnext);
	dict_setf(d, "HighestModSeq", "%llu",
	    (unsigned long long)box_highest_modseq(b));
	dict_set(d, "Format", val_string(b->fmt->ext + 1));
}

/* A dictionary, or NULL and errno. */
static struct val *
describe(struct wadmin *w, const char *name, const char *class, bool more)
{
	struct box *b = box_open(w->acct, name);
	struct val *d = NULL;
	int err;

	if (b == NULL)
		return NULL;
	if (box_refresh(b) == 0 && (d = val_dict()) != NULL) {
		count(b, d);
		if (more)
			internals(b, d);
		if (class[0] != '\0')
			dict_set(d, "Class", val_string(class));
	}
	err = errno;
	box_close(b);
	errno = err;
	return d;
}

static const char *
class_of(struct wadmin *w, const char *name)
{
	return dict_str(info_box(&w->acct->info, name_canon(name), false),
	    "Class", "");
}

/* --- the list --- */

static bool
inbox_pattern(const char *p)
{
	return strncasecmp(p, "INBOX", 5) == 0 && strchr("/%*", p[5]) != NULL;
}

/*
 * A mailbox is a dictionary, or () for whoever may not look into it; a folder
 * is an array, with the mailbox of that name in it if there is one.
 */
static struct val *
entry(struct wadmin *w, const struct folder *f)
{
	struct val *v, *folder;

	if (f->flags & FOLDER_NOSELECT)
		return val_array();
	if (wadmin_rights(w, f->name) & ACL_READ)
		v = describe(w, f->name, class_of(w, f->name), false);
	else
		v = val_array();
	if (v == NULL || !(f->flags & FOLDER_CHILDREN))
		return v;
	folder = val_array();
	if (folder == NULL || val_append(folder, v) == -1) {
		val_free(folder);
		return NULL;
	}
	return folder;
}

static void
list(struct wadmin *w)
{
	const char *filter = wadmin_text(w, 1);
	struct folders f;
	struct val *v;
	size_t i;

	if (*filter == '\0')
		filter = "*";
	if (folder_list(w->acct, &f, false) == -1 ||
	    (w->data = val_dict()) == NULL) {
		wadmin_errno(w);
		return;
	}
	for (i = 0; i < f.n && w->code == 200; i++) {
		if (!name_matches(filter, f.v[i].name) &&
		    !(strncmp(f.v[i].name, "INBOX", 5) == 0 &&
		    inbox_pattern(filter) &&
		    name_matches(filter + 5, f.v[i].name + 5)))
			continue;
		if (!(wadmin_rights(w, f.v[i].name) & ACL_LOOKUP))
			continue;
		if ((v = entry(w, &f.v[i])) != NULL)
			dict_set(w->data, f.v[i].name, v);
		else if (errno != ENOENT)	/* deleted meanwhile */
			wadmin_errno(w);
	}
	folders_free(&f);
}

static void
get_info(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1);

	if (!wadmin_may(w, name, ACL_READ))
		return;
	w->data = describe(w, name, class_of(w, name), true);
	if (w->data == NULL)
		wadmin_errno(w);
}

/* --- making and removing --- */

/* What is needed in the mailbox around it; there may be none. */
static bool
may_outside(struct wadmin *w, const char *name)
{
	char *up = strdup(name), *slash;
	size_t len = strlen(name);
	bool ok;

	if (up == NULL) {
		wadmin_errno(w);
		return false;
	}
	if (len > 0 && up[len - 1] == '/')
		up[len - 1] = '\0';
	slash = strrchr(up, '/');
	if (slash != NULL)
		*slash = '\0';
	ok = slash != NULL ? wadmin_may(w, up, ACL_CREATE) :
	    wadmin_may(w, "", ACL_ALL);
	free(up);
	return ok;
}

/* IMAP would not show it. */
static bool
is_utf8(struct wadmin *w, const char *name)
{
	if (utf8_valid(str_make(name)))
		return true;
	wadmin_no(w, "illegal mailbox name");
	return false;
}

static void
put_class(struct wadmin *w, const char *name, const char *class)
{
	if (folder_set_class(w->acct, name, class) == 0)
		return;
	if (errno == EINVAL)
		wadmin_no(w, "illegal mailbox class");
	else
		wadmin_errno(w);
}

/* Its name may have said its format. */
static void
put_new_class(struct wadmin *w, const char *name, const char *class)
{
	size_t len = strlen(name);
	char *plain;

	(void)box_format_of(name, &len);
	if ((plain = strndup(name, len)) == NULL)
		wadmin_errno(w);
	else
		put_class(w, plain, class);
	free(plain);
}

static void
create(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1), *class = wadmin_text(w, 3);

	if (!may_outside(w, name) || !is_utf8(w, name))
		return;
	if (folder_create(w->acct, name, NULL) == -1)
		wadmin_errno(w);
	else if (class[0] != '\0')
		put_new_class(w, name, class);
}

static void
set_class(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1);

	if (wadmin_may(w, name, ACL_ADMIN))
		put_class(w, name, wadmin_text(w, 3));
}

static bool
plural(const struct wadmin *w)
{
	return strcasecmp(wadmin_text(w, 1), "MAILBOXES") == 0;
}

static bool
is_below(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && name[n] == '/';
}

/* Its nested ones, the deepest first; all must be allowed before one goes. */
static bool
delete_below(struct wadmin *w, const char *name)
{
	struct folders f;
	size_t i;

	if (folder_list(w->acct, &f, false) == -1) {
		wadmin_errno(w);
		return false;
	}
	for (i = 0; i < f.n && w->code == 200; i++)
		if (is_below(f.v[i].name, name))
			wadmin_may(w, f.v[i].name, ACL_DELETE);
	for (i = f.n; i-- > 0 && w->code == 200;)
		if (is_below(f.v[i].name, name) &&
		    folder_delete(w->acct, f.v[i].name) == -1)
			wadmin_errno(w);
	folders_free(&f);
	return w->code == 200;
}

static void
delete(struct wadmin *w)
{
	const char *name = wadmin_text(w, 2);

	if (!may_outside(w, name) || !wadmin_may(w, name, ACL_DELETE))
		return;
	if (!name_valid(name))
		wadmin_no(w, "illegal mailbox name");
	else if (strcmp(name_canon(name), "INBOX") == 0)
		wadmin_no(w, "INBOX cannot be deleted");
	else if ((!plural(w) || delete_below(w, name)) &&
	    folder_delete(w->acct, name) == -1 &&
	    !(plural(w) && errno == ENOENT))
		wadmin_errno(w);
}

static void
rename_it(struct wadmin *w)
{
	const char *from = wadmin_text(w, 2), *to = wadmin_text(w, 3);

	if (!may_outside(w, from) || !wadmin_may(w, from, ACL_DELETE) ||
	    !may_outside(w, to) || !is_utf8(w, to))
		return;
	if ((plural(w) ? folder_rename : folder_rename_alone)(w->acct, from,
	    to) == -1)
		wadmin_errno(w);
}

/* --- access rights --- */

static bool
there(struct wadmin *w, const char *name)
{
	if (folder_exists(w->acct, name))
		return true;
	wadmin_no(w, "there is no such mailbox");
	return false;
}

static void
get_acl(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1);
	const struct val *acl;

	if (!wadmin_may(w, name, ACL_ADMIN) || !there(w, name))
		return;
	acl = acl_get(w->acct, name);
	w->data = acl != NULL ? val_copy(acl) : val_dict();
}

/* An identifier that was changed twice cannot be in a dictionary. */
static void
set_acl(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1), *change, *err = NULL;
	const struct val *acl = wadmin_val(w, 3, VAL_DICT);
	size_t i;

	if (!wadmin_may(w, name, ACL_ADMIN) || !there(w, name) ||
	    wadmin_info(w) == NULL)
		return;
	for (i = 0; acl != NULL && i < val_count(acl) && err == NULL; i++) {
		change = val_text(val_at(acl, i));
		err = change == NULL ? "the rights must be a string" :
		    acl_set(w->acct, name, w->account, val_key(acl, i),
			change);
	}
	if (err != NULL) {
		info_revert(&w->acct->info);
		wadmin_no(w, err);
	} else
		wadmin_save(w);
}

static void
get_rights(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1);
	char text[ACL_TEXT];

	if (!there(w, name))
		return;
	acl_text(text, wadmin_rights(w, name));
	w->data = val_string(text);
}

const struct wadmin_verb wadmin_box[] = {
	{ "ListMailboxes", list },
	{ "CreateMailbox", create },
	{ "DeleteMailbox", delete },
	{ "RenameMailbox", rename_it },
	{ "SetMailboxClass", set_class },
	{ "GetMailboxInfo", get_info },
	{ "GetMailboxACL", get_acl },
	{ "SetMailboxACL", set_acl },
	{ "GetMailboxRights", get_rights },
	{ NULL, NULL }
};
