/*
 * Domains and the accounts in them, in memory: what exists and where.  Knows
 * no files and no IPC; under 200 bytes an account, found by hash.
 */
#ifndef ROUTERD_NAMES_H
#define ROUTERD_NAMES_H

#include "dict.h"
#include "objname.h"

/* What a name is: an account of some type, or something else. */
enum account_type {
	ACCOUNT_NONE, ACCOUNT_MULTI, ACCOUNT_MBOX, ACCOUNT_MDIR, ACCOUNT_MSLC,
	NAME_ALIAS, NAME_FORWARDER, NAME_GROUP
};

/*
 * A name of a domain: accounts, and what else must not be called the same.
 * Behind the name's NUL stands a second text: an account's file name if that
 * differs, an alias's account, a forwarder's address.
 */
struct account {
	uint32_t	 hash;
	uint16_t	 dir;		/* index into the domain's dirs */
	uint8_t		 type;		/* enum account_type, and NAME_MORE */
	bool		 reserved;	/* held by authd while it is made */
	char		 name[];	/* lower case */
};

enum { NAME_MORE = 0x80 };		/* there is a second text */

struct account_table {
	struct account	**slot;		/* NULL empty, else an account */
	size_t		  size;		/* a power of 2 */
	size_t		  used;
};

/* What shall become of addresses with names that do not exist. */
enum unknown { UNKNOWN_REJECT, UNKNOWN_DISCARD, UNKNOWN_REROUTE,
	       UNKNOWN_ACCEPT };

/* Whose mail to all accounts is taken: manual 18. */
enum toall { TOALL_ANYBODY, TOALL_CLIENTS, TOALL_USERS, TOALL_DOMAIN,
	     TOALL_ADMIN, TOALL_NOBODY };

struct map;

struct domain {
	char			*name;	/* lower case */
	char			*dir;	/* "Accounts", "Domains/x.com" */
	bool			 main;
	struct account_table	 accounts;	/* all names */
	size_t			 naccounts;	/* accounts among them */
	size_t			 naliases;
	struct map		*groups;	/* name to struct val: settings */
	char		       **dirs;	/* "", "js.sub/": see account.dir */
	size_t			 ndirs;
	struct val		*settings;	/* Domain.settings */
	struct val		*template;	/* Template.settings */
	/* From settings and defaults: */
	enum unknown		 unknown[2];	/* mail, access */
	char			*reroute[2];
	bool			 consult;	/* ExternalOnUnknown */
	enum toall		 toall;
	int64_t			 limit;		/* of accounts; -1: none */
	bool			 moving;	/* being renamed or removed */
	char			*dns;		/* addresses by DNS, or NULL */
	bool			 indexed;	/* there is an Index.data */
	bool			 unreadable;	/* aliases or forwarders are */
	bool			 spoiled;	/* settings or the template are */
	bool			 unruled;	/* its settings are */
	bool			 incomplete;	/* there are names not read */
	struct domain		*next;		/* in the order of names */
};

/* A text to pointer table; keys are lower case and belong to it. */
struct map	*map_new(void);
void		 map_free(struct map *, void (*value_free)(void *));
void		*map_get(const struct map *, const char *, size_t);
/* Replaces; returns the old value or NULL. */
void		*map_put(struct map *, const char *, size_t, void *);
void		*map_del(struct map *, const char *, size_t);
/* Walks it, in no order: start with *i 0, ends with NULL. */
void		*map_next(const struct map *, size_t *i, const char **key);
size_t		 map_count(const struct map *);

struct names {
	struct domain	*main;
	struct domain	*first;		/* all, sorted; the main one first */
	struct map	*domains;	/* name or alias to domain */
	struct map	*aliases;	/* alias to domain, aliases only */
	size_t		 naccounts, ndomains;
};

uint32_t	 name_hash(const char *, size_t);
/* The same of a domain's, which becomes ASCII (idn.h). */
bool		 name_domain(struct str, char *, size_t);

void		 names_init(struct names *, const char *main_name);
/* By any of its names, in lower case; A-labels or not. */
struct domain	*names_domain(const struct names *, const char *);
/* Without its aliases and accounts; NULL if out of memory. */
struct domain	*names_add_domain(struct names *, const char *);
void		 names_del_domain(struct names *, struct domain *);
/* Secondary ones; the new name is free.  dir: where it is now. */
void		 names_rename_domain(struct names *, struct domain *,
		    const char *name, const char *dir);
void		 names_rename_main(struct names *, const char *);
/* Forgets all aliases of all domains, or adds one (-1: it is taken). */
void		 names_clear_aliases(struct names *);
int		 names_add_alias(struct names *, const char *,
		    struct domain *);

/* Whatever has that name. */
struct account	*names_find(const struct domain *, const char *, size_t);
/* The account that has it, or whose alias it is; none that is reserved. */
struct account	*names_account(const struct domain *, const char *, size_t);
enum account_type names_kind(const struct account *);
bool		 names_is_account(const struct account *);
/* Its second text, or its name. */
const char	*names_more(const struct account *);
/*
 * Is a forwarder's address a name of its own domain (manual 17)?  If not, one
 * without a domain is the Main Domain's, as in the Router's table (manual 22).
 */
bool		 names_near(const struct domain *,
		    const struct account *forwarder);
/* file: the name on disk without extension.  NULL: taken, or no memory. */
struct account	*names_add(struct names *, struct domain *, const char *name,
		    const char *subdir, const char *file, enum account_type);
/* All names of a domain. */
void		 names_clear(struct names *, struct domain *);
bool		 names_del(struct names *, struct domain *, const char *);
/* Path of the account below the base; false if it does not fit. */
bool		 names_path(const struct domain *, const struct account *,
		    char *, size_t);
/* "john.macnt" to name (without extension) and type; ACCOUNT_NONE. */
enum account_type name_type(const char *file, bool is_dir, size_t *len);
const char	*account_ext(enum account_type);
/* folder.c: "js.sub/" for a new name by a Foldering method; "" for flat. */
void		 folder_name(const char *method, const char *name, char *,
		    size_t);
/* Walks the accounts: start with *i 0, ends with NULL. */
struct account	*names_next(const struct domain *, size_t *i);
#endif
