/*
 * What authd's files say to one another.  authd alone includes this.
 */
#ifndef AUTHD_H
#define AUTHD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dict.h"
#include "ipc.h"
#include "password.h"
#include "proc.h"

/* --- account.c: directories and account.settings --- */

struct account {
	char		*path;		/* Accounts/john.macnt */
	struct val	*settings;
	/* The clear text last found right for a slow stored form. */
	bool		 marked;
	unsigned char	 mark[PASSWORD_MARKLEN];
	struct account	*hnext, *newer, *older;
};

/* Where a path's files are: a directory's fd, the settings' name in it. */
struct place {
	int	 fd;			/* the account's, or its parent's */
	char	*settings;		/* account.settings, john.settings */
};

void	account_init(void);
/* From the cache or the disk; good until the loop turns.  NULL, errno. */
struct account *account_get(const char *path);
/* From the disk, past the cache; the caller's.  NULL, errno. */
struct val *account_read(const char *path);
/* Durable, then in the cache.  -1 and errno. */
int	account_save(const char *path, const struct val *settings);
void	account_forget(const char *path);
void	account_forget_below(const char *dir);
bool	account_is_single(const char *path);
/* What it was created as. */
const char *account_type_of(const char *path);
/* The type of its new mailboxes. */
const char *account_format(const struct val *settings, const char *domain);
bool	account_place(const char *path, struct place *);
void	place_close(struct place *);
/* The directory that a path under the base stands in; *last its name. */
int	path_parent(const char *path, const char **last);
int	sync_parent(const char *path);
/* The group that stored's processes have, or (gid_t)-1 without root. */
gid_t	mail_group(void);

/* --- effective.c: defaults of the domain, of the server, of the table --- */

const struct val *effective(const struct val *settings, const char *domain,
	    const char *name);
bool	effective_bool(const struct val *settings, const char *domain,
	    const char *name);
const char *effective_text(const struct val *settings, const char *domain,
	    const char *name);
struct val *effective_all(const struct val *settings, const char *domain);
/* A domain's own setting, or NULL. */
const struct val *domain_setting(const char *domain, const char *name);
/* Whose alias is it?  The name itself, if it is none. */
const char *domain_real(const char *name);
const char *main_domain(void);
/* By the level of the domain's AccountsLogLevel; the name has a domain. */
void	account_log(int level, const char *name, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* Is a service ("POP", "Relay") enabled for the account and its domain? */
bool	service_enabled(const struct val *settings, const char *domain,
	    const char *service);
bool	is_client_ip(const char *peer);
void	effective_settings_changed(void);

/* --- account_limits.c: what an account may keep --- */

/* As LIMITS has it: "" for no limits.  False when memory is out. */
bool	account_limits(struct buf *, const struct val *settings,
	    const char *path, const char *domain);
void	limits_ask(struct ipc *, struct ipc_pkt *, void *);
/* Tells stored that an account has other settings; "": perhaps all. */
void	limits_tell(const char *path, const struct val *settings,
	    const char *domain);

/* --- inbox.c: INBOXes that lie elsewhere --- */

/* By the account's own settings. */
bool	inbox_is_external(const struct val *settings);
bool	inbox_has_location(const char *domain);
/* FileLevel or RangeLevel. */
const char *inbox_lock(const char *domain);
/* code as DONE has it; takes the descriptor, which is -1 with an error. */
typedef void inbox_cb(int code, const char *text, int fd, void *arg);
/* The file of john@x.com, made if it is not there; cb may come at once. */
void	inbox_open(const char *name, inbox_cb *, void *arg);
void	inbox_ask(struct ipc *, struct ipc_pkt *, void *);

/* --- limits.c: failed logins --- */

bool	limit_blocked(const char *account, const char *peer);
/* True: with this one it is refused for as long as the period. */
bool	limit_failed(const char *account, const char *peer, unsigned count,
	    unsigned period);
void	limit_clear(const char *account, const char *peer);
size_t	limit_count(void);

/* --- proof.c: is that the password? --- */

/* SYSTEM: yes, it is the host's password. */
enum proof { PROOF_YES, PROOF_SYSTEM, PROOF_NO, PROOF_UNREADABLE,
	PROOF_COSTLY, PROOF_OFF, PROOF_LATER };
typedef void proof_cb(enum proof, void *arg);

struct claim {
	const char	*account;	/* full name */
	const char	*domain;
	const char	*path;
	const char	*method;
	const char	*service;
	const char	*challenge;
	struct str	 secret;
	struct str	 change;	/* proof_os(): what it shall become */
	const char	*said;		/* the name as the client has it */
	struct buf	*proof;		/* gets the server's own, if there is one */
};

void	proof_init(void);
extern struct password_key proof_key;
/* The claim's strings must live until cb, which may be called at once. */
void	proof_check(const struct claim *, proof_cb *, void *arg);
/* By the host's password alone: PROOF_SYSTEM if it is right, and changed. */
void	proof_os(const struct claim *, struct account *, proof_cb *,
	    void *arg);
/*
 * Takes as long as an account's with a password of the default form; what cb
 * hears says nothing.
 */
void	proof_nobody(const struct claim *, proof_cb *, void *arg);
/* A clear password against the CommuniGate one alone. */
void	proof_own(struct account *, struct str clear, proof_cb *, void *arg);
bool	method_is_clear(const char *method);
bool	method_is_token(const char *method);

/* --- external.c: clients' certificates --- */

/* Of a CTL_TLS: whose certificates are good from now on. */
void	external_clients(const char *pem, size_t);
/*
 * The name that the certificate (its chain follows, DER) is for, or that of
 * several which is wanted; else NULL and why, for the log.  Free it.
 */
char	*external_name(struct str certs, const char *wanted, const char **why);

/* --- scram.c --- */

void	scram_init(const unsigned char key[32]);
/* An empty clear is nobody's: it takes as long, and PROOF_NO is told. */
void	scram_check(const struct claim *, struct str clear, bool sha256,
	    proof_cb *, void *arg);

/* --- slow.c: threads for stored forms that are slow to check --- */

void	slow_start(void);
/*
 * work in a thread, then done in the loop.  False, and neither, when too many
 * wait.
 */
bool	slow_run(void (*work)(void *), void (*done)(void *), void *arg);
typedef void slow_cb(bool ok, struct str stored, struct str clear, void *arg);
/* False, and no cb, when too many wait. */
bool	slow_verify(struct str stored, struct str clear, slow_cb *, void *arg);

/* --- login.c --- */

void	login_auth(struct ipc *, struct ipc_pkt *, void *);
void	login_socket(struct ipc *, struct ipc_pkt *, void *);
void	login_access(struct ipc *, struct ipc_pkt *, void *);
void	login_roaming(struct ipc *, struct ipc_pkt *, void *);
extern uint64_t login_ok, login_failed;

/* --- owner.c --- */

/* cgctl's, run by root or who runs the suite? */
bool	is_from_owner(int fd);

/* --- ticket.c --- */

enum { TICKET_LEN = 16 };

struct ticket {
	unsigned char	 id[TICKET_LEN];
	char		*account;	/* full name */
	char		*domain;
	char		*path;		/* NULL: local's */
	bool		 local;		/* root or the owner, by its socket */
	bool		 system;	/* by the host's password */
	char		*secret;	/* that, if it may be changed; or NULL */
	uint64_t	 channel;	/* of the front that holds it */
	struct ticket	*hnext;
};

/* NULL when memory is out; path may be. */
struct ticket *ticket_new(const char *account, const char *domain,
	    const char *path, bool local, uint64_t channel);
struct ticket *ticket_find(struct ipc_str);
void	secret_free(char *);	/* wipes it; NULL is nothing */
void	ticket_drop_channel(struct ipc *);
/* flow.c: what its account may send, for queued; what has been too much */
void	flow_of_ticket(const struct ticket *, struct msg_ticket_info *);
void	flow_alert(struct ipc *, struct ipc_pkt *, void *);
void	ticket_drop_account(const char *account);
void	ticket_drop_domain(const char *domain);
size_t	ticket_count(void);
/* What it allows: a fresh dictionary of rights, or NULL. */
struct val *ticket_rights(const struct ticket *);
void	ticket_check(struct ipc *, struct ipc_pkt *, void *);
void	ticket_end(struct ipc *, struct ipc_pkt *, void *);

/* --- rights.c: Access.settings --- */

bool	rights_is_server(const char *name);
/* The table's spelling, older names understood; NULL for no right. */
const char *rights_canonical(const char *name);
/* Has the account rights of the server's, or can that not be known? */
bool	rights_has_server(const char *account, const char *domain);
/* What was granted, canonical, without what a domain cannot grant. */
struct val *rights_granted(const char *account, const char *domain);
/* The same as a dictionary of YES, Master spelt out. */
struct val *rights_dict(const char *account, const char *domain, bool local);
/* Replaces an account's; NULL removes.  -1 and errno. */
int	rights_set(const char *account, const char *domain,
	    const struct val *array);
int	rights_rename(const char *account, const char *domain,
	    const char *newaccount, const char *newdomain);
/* The directory of a domain's Access.settings and other files of ours. */
int	rights_dir(const char *domain);
/* First start: nobody has rights yet. */
int	rights_first(void);
/* May a domain administrator with these change this account setting? */
bool	rights_setting(const struct val *rights, const char *setting);
void	rights_forget(void);

/* --- template.c: what a new account begins with --- */

/* The settings of the template: a fresh dictionary, or NULL. */
struct val *template_settings(const char *domain);
/* What stored puts into it, as ACCOUNT_INIT has it. */
bool	template_fill(struct buf *, const char *domain);
/* A descriptor of its first message, or -1. */
int	template_greeting(const char *domain);

/* --- create.c --- */

struct create;
/* text is for the caller; code 0 done, 1 refused, 2 later. */
typedef void create_cb(int code, const char *text, void *arg);
/* Takes settings. */
void	create_account(const char *name, const char *type,
	    struct val *settings, create_cb *, void *arg);
/*
 * Many at once: cb is called after each step with code 0; or once with another
 * and all that was made is gone again, as is the struct.  What was made must be
 * synced before create_rename(), the directory of create_path() after it.
 */
struct create *create_reserve(const char *name, const char *type,
	    struct val *settings, create_cb *, void *arg);
void	create_make(struct create *);
int	create_rename(struct create *);
void	create_publish(struct create *);	/* the struct is gone after */
/* What was renamed, but is not to be published. */
void	create_drop(struct create *);
/* Undoes what was reserved or made but not renamed; no cb. */
void	create_cancel(struct create *);
const char *create_path(const struct create *);
/* Puts an account's tree out of sight, durably: it is gone; files follow. */
int	create_retire(const char *path);
/* --- single.c --- */

/* A single-mailbox account is no more: its settings, which are authd's. */
void	single_forget(const char *path);
/*
 * Has stored move its own files of a quiet one, or with "" remove them.  When
 * cb is called stored is not at it any more; what is on the disk then counts.
 */
void	single_move(const char *path, const char *newpath, ipc_answer_cb *,
	    void *arg);

/* --- journal.c: what routerd must be told, should we die --- */

void	journal_begin(const char *name, const char *path);
/* Two notes. */
void	journal_rename(const char *name, const char *path, const char *from,
	    const char *frompath);
/* Durable. */
void	journal_remove(const char *name, const char *path);
/* So many notes need not be kept any more. */
void	journal_end(unsigned notes);
/*
 * routerd did not answer: it is told again when it is there, and so many notes
 * are kept until then.
 */
void	journal_again(const char *name, const char *from, const char *path,
	    bool gone, unsigned notes);
void	journal_routerd_up(void);
/* Is there an account, by what is on the disk? */
bool	path_is_there(const char *path);
/* Tells routerd what an earlier authd could not; then done. */
void	journal_recover(void (*done)(bool ok));

/* --- domain.c: what routerd asks --- */

void	domain_rights(struct ipc *, struct ipc_pkt *, void *);
void	domain_all_check(struct ipc *, struct ipc_pkt *, void *);
void	domain_moved(struct ipc *, struct ipc_pkt *, void *);

/* --- first.c --- */

void	first_start(void);
void	first_peer(void);

/* --- remove.c --- */

/* A path under the base that nobody uses any more. */
void	remove_tree(const char *path);

/* --- admin.c --- */

struct admin {
	struct ipc_ref	 ref;
	const char	*verb;
	struct val	*args;
	char		*account;	/* the caller */
	char		*domain;
	bool		 local, system;	/* as the ticket has it */
	char		*secret;	/* as well */
	struct val	*rights;
	/* The object, once found. */
	char		*name;		/* john@x.com */
	char		*odomain;
	char		*path;
	void		(*next)(struct admin *);
	/* Rename: where it goes. */
	char		*newname, *newdomain, *newpath;
};

void	admin_request(struct ipc *, struct ipc_pkt *, void *);
/* Takes args; NULL when memory is out. */
struct admin *admin_new(const struct ticket *, struct val *args);
void	admin_free(struct admin *);
/* Takes name, domain and path of what was routed. */
bool	admin_keep_object(struct admin *, const struct msg_routed *);
/* All three answer the caller and free a. */
void	admin_done(struct admin *, struct val *data);	/* 200; takes data */
void	admin_fail(struct admin *, int code, const char *text);
void	admin_later(struct admin *);
const char *admin_arg(const struct admin *, size_t);	/* "" if absent */
struct val *admin_value(const struct admin *, size_t, enum val_type);
/* Full name for what the caller wrote; NULL if it makes no sense. */
char	*admin_fullname(const struct admin *, const char *);
/* Finds the account of an argument; then next, or an answer. */
void	admin_find(struct admin *, size_t arg, void (*next)(struct admin *));
bool	admin_is_users(const struct admin *);		/* all domains */
bool	admin_may(const struct admin *, const char *domain, const char *right);
/* Any of a domain administrator's rights there; or at least reading. */
bool	admin_administers(const struct admin *, const char *domain);
bool	admin_reads(const struct admin *, const char *domain);
bool	admin_is_self(const struct admin *);
/* Has the object a server right that the caller has not? */
bool	admin_outranked(const struct admin *);
/* The same of any name, whether it is an account or not yet. */
bool	admin_name_outranks(const struct admin *, const char *account,
	    const char *domain);

/* admin_object.c, admin_settings.c, admin_server.c */
void	admin_create(struct admin *);
void	admin_rename(struct admin *);
void	admin_import(struct admin *);
/* The type as we write it; NULL for what cannot be made. */
const char *account_type(const char *);
const char *account_may_create(const struct admin *, const char *domain,
	    const char *type);
/* For what is only told: nobody waits for its answer. */
ipc_answer_cb admin_ignored;
struct val *initial_settings(const struct admin *, const char *domain,
	    const struct val *given, const char **err);
/* Will its INBOX lie elsewhere?  Then settings say so; or NULL and why not. */
const char *initial_external(const struct admin *a, const char *domain,
	    const char *type, bool external, struct val *settings);
void	admin_delete(struct admin *);
void	admin_get_settings(struct admin *);
void	admin_get_effective(struct admin *);
void	admin_update_settings(struct admin *);
void	admin_set_settings(struct admin *);
void	admin_set_password(struct admin *);
void	admin_verify_password(struct admin *);
void	admin_get_rights(struct admin *);
void	admin_set_rights(struct admin *);
void	admin_shutdown(struct admin *);
void	admin_status(struct admin *);
void	admin_trace(struct admin *);
/* admin_alias.c */
void	admin_set_aliases(struct admin *);
/* admin_access.c */
void	admin_access(struct ipc *, struct ipc_pkt *, void *);
/* admin_sessions.c */
void	admin_end_sessions(struct admin *);
/* unreadable.c */
void	admin_list_unreadable(struct admin *);
/*
 * Checks new settings and stores passwords among them as they must be: a
 * fresh dictionary, or NULL and *err.  old may be NULL.
 */
struct val *settings_prepare(const struct val *old, const struct val *given,
	    const char *domain, const struct val *limit, const char **err);
/* A stored form for a new password; NULL and *err. */
struct val *password_prepare(const struct val *settings, const char *domain,
	    struct str clear, bool admin, const char **err);

/* Is it one lower-case piece of a path, fit for a name?  */
bool	name_valid(struct str);
/* Copies in lower case (ASCII; UTF-8 stays). */
char	*lower(const char *);
#endif
