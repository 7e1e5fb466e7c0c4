/*
 * The one table of settings.  Defaults, checks, the CLI, later the WebAdmin
 * forms, and settings(5) all come from it.  A module's live values reach each
 * process as one dictionary of dictionaries (module, then name), merged by
 * routerd from Settings/ and the pinned blocks of cgserver.conf.
 */
#ifndef CG_SETTINGS_H
#define CG_SETTINGS_H

#include "dict.h"

enum setting_type {
	SET_BOOL,
	SET_INT,
	SET_SIZE,		/* bytes */
	SET_TIME,		/* seconds */
	SET_LEVEL,		/* a log level, 1 to 5 */
	SET_TEXT,
	SET_ENUM,		/* one of the words in "choices" */
	SET_FILES,		/* a path, its last part with one asterisk; "" */
	SET_VALUE,		/* an array or a dictionary */
	SET_WORDS,		/* one word or an array of them */
	SET_FLOW		/* (how many, within what time); -1: any */
};

struct setting {
	const char		*module;	/* "SMTP", "Queue", "Account" */
	const char		*name;		/* "MaxMessageSize" */
	enum setting_type	 type;
	const char		*dflt;		/* as written in a file */
	int64_t			 min, max;
	const char		*choices;	/* "No|Yes|Clients" */
	const char		*help;		/* one line */
};

extern const struct setting	settings_table[];
extern const size_t		settings_count;

const struct setting	*settings_find(const char *module, const char *name);
/*
 * The right that a domain administrator changes an account's setting with,
 * where it is called otherwise than the setting (manual 16); NULL: not so.
 */
const char		*settings_right(const char *name);
/* Is this value one that the setting can have?  NULL or what is wrong. */
const char		*settings_check(const struct setting *,
			    const struct val *);
/* Nothing, #NULL# or the word default: what is no value of its own. */
bool			 settings_is_default(const struct val *);
/*
 * The value in force: from the dictionary of modules, else the default.  An
 * unknown module or name is a panic: it is our own spelling.
 */
int64_t			 settings_int(const struct val *all,
			    const char *module, const char *name);
bool			 settings_bool(const struct val *all,
			    const char *module, const char *name);
const char		*settings_text(const struct val *all,
			    const char *module, const char *name);
/*
 * A pair (how many, within what time); false: there is no limit, or it makes
 * no sense.
 */
bool			 val_flow(const struct val *, uint32_t *count,
			    uint32_t *seconds);
bool			 settings_flow(const struct val *all,
			    const char *module, const char *name,
			    uint32_t *count, uint32_t *seconds);
/* NULL when neither set nor defaulted. */
const struct val	*settings_value(const struct val *all,
			    const char *module, const char *name);
#endif
