/*
 * The administration language (manual 16, reference/cli-on-the-wire): one
 * table of commands, one parser that works by it, one way to write results.
 * pwdd (later httpd) and cgctl link it.  It knows lib only: which process
 * carries a command out stands in the table, how it does so does not.
 *
 * What an owner gets (IPC ADMIN) is the command's long name and an array with
 * one element for each argument of the pattern, in its order, present or not:
 *
 *	ListAccounts		(domain)
 *	CreateAccount		(name, type, external, {settings})
 *	RenameAccount		(old, new)
 *	DeleteAccount		(name)
 *	GetAccountSettings, GetAccountEffectiveSettings, GetAccountRights
 *				(name)
 *	UpdateAccountSettings, SetAccountSettings
 *				(name, {settings})
 *	SetAccountPassword	(name, password, method, check)
 *	VerifyAccountPassword	(name, password)
 *	ListUnreadablePasswords	(domain)
 *	SetAccountRights	(name, (rights))
 *	GetAccountInfo		(name, key, (keys))
 *	GetDomainSettings	(domain)
 *	UpdateDomainSettings	(domain, {settings})
 *	CreateDomain		(domain, {settings})
 *	DeleteDomain		(domain, force)
 *	GetModule		(module)
 *	SetModule, UpdateModule	(module, {settings})
 *	Route			(address, mode)
 *	Shutdown, Status	()
 *	Trace			(process, stop, peer)
 *
 * and so on: an absent string is "", an absent dictionary {}, an absent array
 * ().  A flag is its own name in lower case ("external", "force") or "";
 * check is YES or NO.  A choice comes in the table's spelling.
 */
#ifndef CG_CLI_H
#define CG_CLI_H

#include "dict.h"
#include "proc.h"

/*
 * Patterns, in the manual's own notation:
 *	name		a string (a word, quoted or not)
 *	name=A|B	one of these words, any case
 *	name{}		a dictionary
 *	name()		an array
 *	name*		any object
 *	name...		the rest of the line as it stands
 *	INTO, TO/PASSWORD	a keyword that must stand there; no argument
 *	MAILBOX|MAILBOXES	one of these keywords; the argument is which
 *	EXTERNAL?	a flag: "external" or ""
 *	CHECK!		a flag: YES or NO
 *	[ ... ]		may be left out as a whole; may nest
 */
struct cli_cmd {
	const char	*name;		/* CreateAccount */
	const char	*abbr;		/* cracnt, or NULL */
	const char	*args;		/* the pattern */
	enum proc_id	 owner;		/* PROC_MAX: not available yet */
	const char	*needs;		/* right(s), for the help */
	const char	*help;		/* one line */
};

/* The families; each table ends with a NULL name. */
extern const struct cli_cmd	cli_account[], cli_object[], cli_domain[],
				cli_mailbox[], cli_web[], cli_list[],
				cli_server[];

/* They, by names that the help knows; ends with a NULL name. */
struct cli_family {
	const char		*name, *title;
	const struct cli_cmd	*cmds;
};
extern const struct cli_family	cli_families[];

/* From the network; from the host itself, as account lists are long. */
enum { CLI_MAXLINE = 1024 * 1024, CLI_MAXLOCAL = 15 * 1024 * 1024 };

/* By long or short name, any case. */
const struct cli_cmd	*cli_find(struct str);
/* What whoever asks for what is still to come is told; NULL: it is not. */
const char		*cli_unavailable(struct str);
/* Walks the whole table: start with NULL, ends with NULL. */
const struct cli_cmd	*cli_next(const struct cli_cmd *);
/*
 * One command line.  0: *cmd, and *args is the owner's array (free it).
 * -1: err has a text for the user; *cmd is NULL if the name is unknown.
 */
int	cli_parse(struct cur, const struct cli_cmd **cmd, struct val **args,
	    struct buf *err);
/* The text of the argument that the pattern calls so, or "". */
const char	*cli_arg(const struct cli_cmd *, const struct val *args,
		    const char *name);
/*
 * The answer on the wire: "200 OK", and a success's data (an object's text,
 * or NULL or "") on the lines that follow, or with inl as 201 on one line.
 * A code of 0 or 200 is success.
 */
void	cli_answer(struct buf *out, bool inl, unsigned code, const char *text,
	    const char *data);
/*
 * A line from separate words (cgctl): those that begin with { ( or " go as
 * they are, others as one quoted string; the command's name stays bare.
 */
bool	cli_line(struct buf *out, int argc, char *const *argv);
/* "CreateAccount accountName [settings]", as the manual has it. */
void	cli_usage(struct buf *, const struct cli_cmd *);
/*
 * All commands ("" or NULL), a family's, or one in full: an array of lines.
 * NULL: no such.
 */
struct val *cli_help(const char *name);
/* Letters to change, add or drop from one name to another, in any case. */
int	cli_distance(const char *, const char *);
/* A few names that look like this one, or false. */
bool	cli_near(struct buf *, const char *name);
#endif
