/*
 * Names of a domain that are no accounts: aliases, forwarders, groups; where
 * they are kept, and that they follow what they name.  All texts of errors
 * are constant or static; NULL is success, and then it is on the disk.
 */
#ifndef ROUTERD_OBJECT_H
#define ROUTERD_OBJECT_H

#include "router.h"

/* Is the name free, and may it be one?  With what is wrong. */
const char *object_new_name(const struct domain *, const char *name);
/* What a command names: domain and lower-case name; NULL: was answered. */
struct domain *object_domain(struct command *, size_t arg, char *name,
	    size_t);
/* The forwarder or group that a command names first; NULL: was answered. */
struct account *object_find(struct command *, enum account_type,
	    struct domain **);
/* May the caller do that there?  Answers if not. */
bool	 object_may(struct command *, const struct domain *, const char *right);
/* All names of a kind, sorted; free the array. */
const struct account **object_list(const struct domain *, enum account_type,
	    size_t *n);
/* Those of the domain that the command names, or the caller's own. */
void	 answer_names(struct command *, enum account_type);

/* "john@x.com", or "john" of the Main Domain: its domain, and its name. */
struct domain *object_split(const char *full, char *name, size_t);
bool	 object_account_exists(const char *full);
/* An account is called otherwise now: its aliases and members follow. */
void	 object_follow(const char *old, const char *new);

/* renames.c: -1 if it cannot be noted. */
int	 renames_begin(const struct domain *, const char *old,
	    const char *new, const char *path);
void	 renames_end(const char *old);
/* What is being renamed so; NULL: nothing. */
const char *renames_old(const char *new);
/* The new name, if that is how it lies on the disk. */
const char *renames_new(const char *old);
void	 renames_finish(void);

/* index.c: true: all accounts were in Index.data. */
bool	 index_load(struct domain *);
void	 index_save(void);		/* we are stopped */
void	 index_apply(void);

/* pairs.c: Aliases.data, Forwarders.data: one dictionary, name to text. */
void	 pairs_load(struct domain *, enum account_type);
/*
 * Changes some: name to text, or to "" where it goes.  The file first, then
 * memory.  Names that come must be free.
 */
int	 pairs_change(struct domain *, enum account_type,
	    const struct val *changes);

/* alias.c */
/* An account has another name in this domain, or "": none any more. */
void	 alias_follow(struct domain *, const char *old, const char *new);
extern ipc_handler	on_name_aliases;

/* group.c */
void	 group_load(struct domain *);
/* One whose settings could not be read has its file, but not its name. */
bool	 group_has_file(const struct domain *, const char *name);
const struct val *group_get(const struct domain *, const char *name);
/* A name of the domain has become another ("" for none): as members have it. */
void	 group_follow(struct domain *, const char *old, const char *new);
/* The domain was called otherwise when members were written. */
void	 group_follow_domain(struct domain *, const char *old);

/* expand.c */
extern ipc_handler	on_expand;

/* domain_dir.c: -1 and a line in the log */
int	 dir_sync(const char *path);
int	 domain_dir_make(const char *name, const struct val *settings);
int	 domain_dir_move(const char *from, const char *to);
int	 domain_dir_remove(const char *path);
/* authd still removes accounts in it. */
bool	 domain_dir_in_use(const char *path);

/* "js.sub/" for a new account, which is there then.  Static text. */
const char *folder_make(const struct domain *, const char *name);

/* clean.c: Domains/.gone.*, to be removed with all that is in it. */
char	*clean_name(void);
bool	 clean_is(const char *name);
void	 clean_add(const char *path);
void	 clean_authd_up(void);

/* admin_move.c: at the start, what was not finished. */
void	 domain_finish_rename(void);

extern const struct verb	verbs_move[];
extern const struct verb	verbs_alias[], verbs_forwarder[], verbs_group[];
#endif
