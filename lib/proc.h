/*
 * What every child of cgserver has in common: it is started with its control
 * channel as fd 3 and its log socket as fd 4, hears its configuration, drops
 * its rights, proves its walls, and runs the loop.  A daemon's main() is a
 * struct proc_def and a call of proc_run().
 *
 * Order, which matters:
 *	read CTL_* up to CTL_GO (trusted; nothing from the network yet)
 *	def->before()	still with cgserver's rights: only what must be read
 *			before the walls (almost nobody needs it)
 *	chroot, setgroups, setgid, setuid, rlimits, no_new_privs, non-dumpable
 *	def->init()	as the daemon's user: open directories; no threads yet
 *			(Landlock binds the calling thread and its children)
 *	Landlock, seccomp, proof; one log line "sandbox proved: ..."
 *	def->start()	inside the walls: threads, first scans; CTL_READY
 *	the loop
 *
 * CTL_CONFIG's dictionary: Base, Hostname, Root, Weak, Debug, LogAll (YES/NO),
 * Uid, Gid, Groups (array of numbers), LogLevel, Pinned (module to dictionary;
 * routerd only), PasswordKey (64 hex digits; authd only), SaltKey (the
 * same; authd and fronts, for SCRAM), Uids (process name
 * to uid, gid; for who shall own what), TrustedUsers (queued), OSPasswords,
 * HelperDirs, HelperUid, HelperGid, ExternalDirs and PamDir (priv), Resolver,
 * ResolverTrusted and Authorities (sender), OwnerUid (authd: who started
 * cgserver), ControlSocket (authd: the name that cgctl.sock is bound to),
 * Processes.
 */
#ifndef CG_PROC_H
#define CG_PROC_H

#include <sys/types.h>

#include "dict.h"
#include "ipc.h"
#include "sandbox.h"

enum proc_id {
	PROC_SERVER, PROC_LOGD, PROC_AUTHD, PROC_PRIV, PROC_ROUTERD,
	PROC_QUEUED, PROC_SMTPD, PROC_POP3D, PROC_IMAPD, PROC_PWDD,
	PROC_STORED, PROC_DELIVERY, PROC_TEMPLATE, PROC_SENDER, PROC_MAX
};

/* What CTL_CONFIG's dictionary says; valid for the process's life. */
struct proc_conf {
	enum proc_id	 id;
	int		 instance;
	char		*base;		/* absolute; but inside a chroot "/" */
	char		*hostname;
	bool		 root;		/* the suite was started by root */
	bool		 weak;		/* `sandbox weak` */
	uid_t		 uid;		/* this process's */
	gid_t		 gid;
	struct val	*conf;		/* the whole dictionary */
};

struct listener {
	int	 fd;
	char	*module;
	char	*address;
	uint16_t port;
	bool	 tls;			/* TLS at once */
	bool	 submission;
	char	*restriction;		/* "", Grant, Deny */
	char	*addresses;		/* an iplist's text */
};

struct proc_def {
	const char		*name;	/* smtpd */
	const char		*tag;	/* SMTPI, the default log tag */
	enum proc_id		 id;
	struct sandbox		 sandbox;
	/* What each kind of peer may say; NULL: no such channel. */
	const struct ipc_disp	*peers[PROC_MAX];
	void	(*before)(const struct proc_conf *);
	void	(*init)(const struct proc_conf *);
	void	(*start)(void);
	/* At start (before init) and at each change; the dict stays valid. */
	void	(*settings)(const struct val *);
	/* Fronts: new keys and certificates (tls.h); sockets to accept on. */
	void	(*tls)(const char *pem, size_t);
	void	(*listen)(struct listener *);	/* takes it */
	void	(*unlisten)(const char *module);
	void	(*shared)(const char *module, int fd);
	void	(*peer_up)(enum proc_id, int instance, struct ipc *);
	void	(*peer_down)(enum proc_id, int instance, struct ipc *);
	/* Numbers and words for `cgctl status`; may be NULL. */
	void	(*status)(struct val *dict);
	/* CTL_STOP or the control channel's end; NULL: exit at once. */
	void	(*stop)(void);
	/* logd only. */
	void	(*logsource)(const char *name, int fd);
	/* There is more to do before CTL_READY: it calls proc_ready(). */
	bool	ready_later;
	/* Control messages beyond these (routerd, authd); may be NULL. */
	const struct ipc_disp	*control;
};

int			 proc_run(int argc, char **argv,
			    const struct proc_def *);
const struct proc_conf	*proc_conf(void);
const struct val	*proc_settings(void);
struct event_base	*proc_base(void);
/* The base directory, opened before the walls; use the ...at() calls. */
int			 proc_basefd(void);
/* The channel to cgserver. */
struct ipc		*proc_control(void);
/* The (first) channel to such a peer, or NULL while there is none. */
struct ipc		*proc_peer(enum proc_id);
struct ipc		*proc_peer_n(enum proc_id, int instance);
/* Who is at the other end of this channel. */
enum proc_id		 proc_who(const struct ipc *, int *instance);
/* For ready_later, once; further calls do nothing. */
void			 proc_ready(void);
void			 proc_exit(int) __attribute__((noreturn));
const char		*proc_name(enum proc_id);	/* "smtpd" */
#endif
