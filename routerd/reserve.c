/*
 * Names of accounts that come, move and go: authd makes them, here they are
 * held and published.  Runs in routerd; changes memory only: the directory
 * is the truth, and is read again at the next start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "object.h"

/* "john@x.com", or "john" of the Main Domain. */
static struct domain *
split(const char *full, char *name, size_t size)
{
	char lower[NAME_MAXLEN + DOMAIN_MAXLEN + 2], *at;

	if (!name_lower(str_make(full), lower, sizeof(lower)))
		return NULL;
	if ((at = strrchr(lower, '@')) != NULL)
		*at = '\0';
	if (!str_copy(str_make(lower), name, size))
		return NULL;
	return at == NULL || at[1] == '\0' ? names.main :
					     names_domain(&names, at + 1);
}

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
	    split(m->from, from, sizeof(from)) == d &&
	    (a = names_find(d, from, strlen(from))) != NULL)
		return d->dirs[a->dir];
	return folder_make(d, name);
}

static const char *
reserve(const struct msg_name_reserve *m, char *path, size_t size)
{
	char name[NAME_MAXLEN + 1];
	enum account_type type = type_of(m->type);
	struct account *a;
	struct domain *d;
	const char *err;

	if ((d = split(m->name, name, sizeof(name))) == NULL)
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
	if (d->limit >= 0 && d->naccounts >= (size_t)d->limit)
		return "the domain has as many accounts as it may have";
	if ((a = names_add(&names, d, name, folder_of(d, m, name), name,
	    type)) == NULL)
		return "out of memory";
	a->reserved = true;
	names_path(d, a, path, size);
	return NULL;
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

/*
 * Aliases go along within a domain; in another one they would be strangers'
 * names.  Members of groups are who they were, wherever they went.
 */
static void
follow(struct domain *old, const char *from, const struct domain *d,
    const char *name)
{
	char full[NAME_MAXLEN + DOMAIN_MAXLEN + 2];

	alias_follow(old, from, old == d ? name : "");
	snprintf(full, sizeof(full), "%s@%s", name, d->name);
	group_follow(old, from, old == d ? name : full);
}

/* From "Domains/x.com/js.sub/john.macnt": the directory, file and type. */
static const char *
publish(const struct msg_name_publish *m)
{
	char name[NAME_MAXLEN + 1], from[NAME_MAXLEN + 1] = "";
	char sub[1025], file[1025];
	const char *rest = m->path, *slash;
	struct domain *d, *old = NULL;
	enum account_type type;
	size_t len;

	d = split(m->name, name, sizeof(name));
	if (d == NULL || (*m->from != '\0' &&
	    (old = split(m->from, from, sizeof(from))) == NULL))
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
	if (old != NULL)
		names_del(&names, old, from);
	names_del(&names, d, name);
	if (names_add(&names, d, name, sub, file, type) == NULL)
		return "out of memory";
	if (old != NULL)
		follow(old, from, d, name);
	return NULL;
}

void
on_name_publish(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	done(ipc, pkt, publish(pkt->m));
}

void
on_name_remove(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_remove *m = pkt->m;
	char name[NAME_MAXLEN + 1];
	struct domain *d = split(m->name, name, sizeof(name));
	struct account *a = d != NULL ? names_find(d, name, strlen(name)) :
					NULL;
	bool was = a != NULL && names_is_account(a) && !a->reserved;

	if (a != NULL && names_is_account(a))
		names_del(&names, d, name);
	if (was && !d->moving) {
		alias_follow(d, name, "");
		group_follow(d, name, "");
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
