/*
 * Names of accounts that come, move and go: authd makes them, here they are
 * held and published.  Runs in routerd; changes memory only: the directory
 * is the truth, and is read again at the next start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "object.h"

static enum account_type
type_of(const char *type)
{
	if (strcasecmp(type, "TextMailbox") == 0)
		return ACCOUNT_MBOX;
	if (strcasecmp(type, "MailDirMailbox") == 0)
		return ACCOUNT_MDIR;
	return *type == '\0' || strcasecmp(type, "MultiMailbox") == 0 ?
	    ACCOUNT_MULTI : ACCOUNT_NONE;
}

/* Rename In Place: where the files are, another name may not reach. */
static const char *
folder_of(const struct domain *d, const struct msg_name_reserve *m,
    const char *name)
{
	char from[NAME_MAXLEN + 1];
	const struct account *a;

	if (*m->from != '\0' && domain_bool(d, "RenameInPlace") &&
	    object_split(m->from, from, sizeof(from)) == d &&
	    (a = names_find(d, from, strlen(from))) != NULL)
		return d->dirs[a->dir];
	return folder_make(d, name);
}

/* One that only gets another name there is no more than there were. */
static bool
stays(const struct msg_name_reserve *m, const struct domain *d)
{
	char from[NAME_MAXLEN + 1];

	return *m->from != '\0' && object_split(m->from, from,
	    sizeof(from)) == d;
}

static int
note_rename(const struct msg_name_reserve *m, const struct domain *d,
    const char *name, const char *path)
{
	char from[NAME_MAXLEN + 1], *old, *new;
	const struct domain *was;
	int rv;

	if (*m->from == '\0' ||
	    (was = object_split(m->from, from, sizeof(from))) == NULL)
		return 0;
	old = xasprintf("%s@%s", from, was->name);
	new = xasprintf("%s@%s", name, d->name);
	rv = renames_begin(was, old, new, path);
	free(new);
	free(old);
	return rv;
}

static const char *
reserve(const struct msg_name_reserve *m, char *path, size_t size)
{
	char name[NAME_MAXLEN + 1];
	enum account_type type = type_of(m->type);
	struct account *a;
	struct domain *d;
	const char *err;

	if ((d = object_split(m->name, name, sizeof(name))) == NULL)
		return "unknown domain";
	if (!name_valid_account(name))
		return "illegal account name";
	if (type == ACCOUNT_NONE)
		return "unknown account type";
	if ((a = names_find(d, name, strlen(name))) != NULL)
		return names_is_account(a) ?
		    "Account with this name already exists" :
		    "an object with this name already exists";
	if ((err = object_new_name(d, name)) != NULL)
		return err;
	if (d->limit >= 0 && d->naccounts >= (size_t)d->limit &&
	    !stays(m, d))
		return "the domain has as many accounts as it may have";
	if ((a = names_add(&names, d, name, folder_of(d, m, name), name,
	    type)) == NULL)
		return "out of memory";
	a->reserved = true;
	names_path(d, a, path, size);
	if (note_rename(m, d, name, path) == 0)
		return NULL;
	names_del(&names, d, name);
	return "the new name cannot be noted on the disk";
}

void
on_name_reserve(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	char path[1025] = "";
	const char *err = reserve(pkt->m, path, sizeof(path));
	struct msg_name_reserved r = { .code = err != NULL,
		.text = err != NULL ? err : "", .path = path };

	ipc_answer(ipc_ref(ipc, pkt), IPC_NAME_RESERVED, &r, -1);
}

static void
done(struct ipc *ipc, struct ipc_pkt *pkt, const char *err)
{
	struct msg_done m = { .code = err != NULL,
		.text = err != NULL ? err : "" };

	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &m, -1);
}

/* Do its files lie where we know them? */
static bool
is_there(const struct domain *d, const struct account *a)
{
	char path[1025];

	return names_path(d, a, path, sizeof(path)) &&
	    faccessat(proc_basefd(), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * We may be told twice that an account went or moved.  Has somebody else got
 * the name meanwhile?
 */
static bool
is_another(const struct domain *d, const char *name)
{
	const struct account *a = names_find(d, name, strlen(name));

	return a != NULL && (!names_is_account(a) || a->reserved ||
	    is_there(d, a));
}

/* From "Domains/x.com/js.sub/john.macnt": the directory, file and type. */
static const char *
publish(const struct msg_name_publish *m)
{
	char name[NAME_MAXLEN + 1], from[NAME_MAXLEN + 1] = "";
	char sub[1025], file[1025];
	const char *rest = m->path, *slash, *was;
	struct domain *d, *old = NULL;
	char *full;
	enum account_type type;
	size_t len;

	d = object_split(m->name, name, sizeof(name));
	if (d == NULL || (*m->from != '\0' &&
	    (old = object_split(m->from, from, sizeof(from))) == NULL))
		return "unknown domain";
	len = strlen(d->dir);
	if (strncmp(rest, d->dir, len) != 0 || rest[len] != '/')
		return "not a path in that domain";
	rest += len + 1;
	slash = strrchr(rest, '/');
	slash = slash == NULL ? rest : slash + 1;
	str_copy((struct str){ rest, slash - rest }, sub, sizeof(sub));
	type = name_type(slash, true, &len);
	if (type == ACCOUNT_NONE)
		type = name_type(slash, false, &len);
	if (type == ACCOUNT_NONE || !name_valid_account(name))
		return "not an account's path";
	str_copy((struct str){ slash, len }, file, sizeof(file));
	if (old != NULL && is_another(old, from))
		old = NULL;
	if (old != NULL)
		names_del(&names, old, from);
	names_del(&names, d, name);
	if (names_add(&names, d, name, sub, file, type) == NULL)
		return "out of memory";
	full = xasprintf("%s@%s", name, d->name);
	if ((was = old != NULL ? m->from : renames_old(full)) != NULL) {
		object_follow(was, full);
		renames_end(was);
	}
	free(full);
	return NULL;
}

void
on_name_publish(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	done(ipc, pkt, publish(pkt->m));
}

/* authd may have died while it renamed: then the files tell where it is. */
static void
gone(struct domain *d, const char *name, bool was)
{
	char *full = xasprintf("%s@%s", name, d->name);
	const char *new = renames_new(full), *old = renames_old(full);

	if (!was && old != NULL)		/* the reservation of a new name */
		renames_end(old);
	else if (was && new != NULL)
		object_follow(full, new);
	else if (was) {
		alias_follow(d, name, "");
		group_follow(d, name, "");
	}
	if (was)
		renames_end(full);
	free(full);
}

void
on_name_remove(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_remove *m = pkt->m;
	char name[NAME_MAXLEN + 1];
	struct domain *d = object_split(m->name, name, sizeof(name));
	struct account *a = d != NULL ? names_find(d, name, strlen(name)) :
					NULL;
	bool was = a != NULL && names_is_account(a) && !a->reserved;

	/* We may have started when its files were gone already. */
	if (a == NULL && m->gone)
		was = true;
	if (!was || a == NULL || !is_there(d, a)) {
		if (a != NULL && names_is_account(a))
			names_del(&names, d, name);
		if (d != NULL && !d->moving)
			gone(d, name, was);
	}
	done(ipc, pkt, NULL);
}

void
reserve_forget(void)
{
	struct domain *d;
	struct account *a;
	char name[NAME_MAXLEN + 1];
	size_t i;

	for (d = names.first; d != NULL; d = d->next) {
		i = 0;
		while ((a = names_next(d, &i)) != NULL) {
			if (!a->reserved)
				continue;
			snprintf(name, sizeof(name), "%s", a->name);
			names_del(&names, d, name);
			i = 0;		/* others have moved */
		}
	}
}
