/*
 * What the files of routerd share: the live state, and who fills it.
 */
#ifndef ROUTERD_ROUTER_H
#define ROUTERD_ROUTER_H

#include "ipc.h"
#include "proc.h"
#include "route.h"

extern struct names	 names;
extern struct route_env	 env;
extern struct val	*merged;	/* all modules' settings in force */

/* scan.c: reads what is on disk; runs once, before anybody asks. */
void	scan_all(void);
/* An account by its path below its domain's directory, and its file there. */
bool	scan_account(struct domain *, const char *path, const char *file);
/* Reads (again) a domain's own settings files. */
void	scan_domain_settings(struct domain *);

/* config.c: Settings/. */
void	config_load(void);
/* Before the domains are read: one may bear the host's name. */
void	config_name_main(void);
/* Makes the merged dictionary. */
void	config_merge(void);
/* What the module's file says; NULL when nothing. */
const struct val *config_file(const char *module);
/* The pinned values of a module, or NULL. */
const struct val *config_pinned(const char *module);
/*
 * Checks and stores a module's new settings (a copy is made), durable, and
 * applies them.  NULL, or what is wrong (constant or static text).
 */
const char *config_store(const char *module, const struct val *);
/* Is there any such module?  Its proper spelling, or NULL. */
const char *config_module(const char *name);
/*
 * What is wrong with these values, or NULL; "default" removes.  One that it
 * had (NULL: none) may stay, whoever came to write it.
 */
const char *config_check(const char *module, const struct val *,
	    const struct val *had);
/* Are these values, or none, one and the same? */
bool	config_same(const struct val *, const struct val *);
/* config_text.c: the same of texts with a form. */
const char *config_check_texts(const char *module, const struct val *,
	    const struct val *had);
/* A new dictionary: old with the changes in it; "default" removes a key. */
struct val *config_update(const struct val *old, const struct val *changes);
/* A dictionary file of a domain or of the whole server. */
int	config_write(const char *path, const struct val *);
/* config_aliases.c: of domains; the file's dictionary, alias to domain. */
struct val *config_aliases(void);
int	config_set_aliases(const struct val *);
void	config_merge_aliases(void);	/* into the merged dictionary */

/* config_apply.c: merges, makes the Router's tables, and tells cgserver. */
void	config_apply(void);
/* Have settings been sent since this was last asked? */
bool	config_unseen(void);
/* A domain's setting in force: its own, or the default of all.  Or NULL. */
const struct val *domain_setting(const struct domain *, const char *name);
bool	domain_bool(const struct domain *, const char *name);
/* The domain's own, or dflt: what is the default of all. */
const char *domain_text(const struct domain *, const char *name,
	    const char *dflt);

/* own.c: IP addresses of this host, read before the walls. */
void	own_read(void);
void	own_apply(void);		/* fills env.addresses */
/* The first of those that are assigned to the domain. */
bool	own_first(const struct domain *, char *ip, size_t);
struct command;
void	own_refresh(const struct command *);	/* anew; answers it */
/* own_dns.c: asks for all that go by DNS; own_apply() follows. */
void	own_dns_ask(void);
/* Its setting IPMode, or the default. */
const char *own_mode(const struct domain *);
/*
 * May the domain (NULL: a new one, or any) have these?  NULL, or what is wrong
 * with those it does not have already.
 */
const char *own_check(const struct domain *, const struct val *settings);
/* And all domains but the Main Domain, which had those? */
const char *own_check_defaults(const struct val *settings,
	    const struct val *had);

/* backup.c: is this server a backup for that domain?  May tell at once. */
enum backup { BACKUP_NO, BACKUP_YES, BACKUP_LATER };
typedef void backup_cb(enum backup, void *arg);
void	backup_ask(const char *domain, backup_cb *, void *arg);
/*
 * client_host.c: is the mail host of that name a client's?  mx: it may have MX
 * records.
 */
void	client_host_ask(const char *name, bool mx, backup_cb *, void *arg);

/* names over IPC (authd makes and removes accounts): reserve.c */
extern ipc_handler	on_name_reserve, on_name_publish, on_name_remove;
void	reserve_forget(void);		/* authd died: its reservations go */

/* admin.c: the administration language's commands. */
struct caller {
	char		*account;	/* full name */
	char		*domain;	/* its domain */
	struct val	*rights;
	bool		 reads;		/* his command changes nothing */
};

struct command {
	struct caller	 who;
	const struct val *args;
	struct ipc_ref	 ref;
	uint8_t		 ticket[16];
	bool		 later;		/* it answers by itself */
};

extern ipc_handler	on_admin;
bool	may(const struct caller *, const char *right);
/* All domains, or to look at them if that is all he wants. */
bool	may_domains(const struct caller *);
/* Server-wide right over domains, or any right in this one. */
bool	may_domain(const struct caller *, const struct domain *);
/* Does this text name that domain, be it by an alias? */
bool	is_domain(const char *text, const char *name);
/* Has it that one's administrators? */
bool	administered_by(const struct domain *, const char *name);
/* n-th argument as text ("" if absent); as an array or dictionary. */
const char	 *arg_text(const struct command *, size_t);
const struct val *arg_val(const struct command *, size_t, enum val_type);
void	answer(const struct command *, unsigned code, const char *text);
/* The domain that an argument names, or the caller's own; NULL: answered. */
struct domain *admin_domain(struct command *, size_t);
/* Takes the value. */
void	answer_val(const struct command *, struct val *);
void	answer_err(const struct command *, const char *err);	/* or OK */

typedef void admin_fn(struct command *);
struct verb {
	const char	*name;
	admin_fn	*fn;
};
extern const struct verb	verbs_domain[], verbs_server[], verbs_stat[];

/* temp.c: addresses that are blacklisted, or a client's, for a while. */
void	temp_apply(void);			/* settings */
void	temp_smtpd_up(struct ipc *);
void	temp_status(struct val *);
extern ipc_handler	on_temp_black, on_roaming;
extern const struct verb	verbs_temp[];

/* source.c: the address that it is to be sent from, or "". */
void	source_find(const struct msg_route *, char ip[64]);

/* keep.c: what smtpd's sending role would find again. */
extern ipc_handler	keep_sender;
void	keep_give(struct ipc *);

/* stat.c: what was delivered to domains. */
extern ipc_handler	on_domain_stat;
int	stat_save(void);
void	stat_renamed(const char *old, const char *new);
#endif
