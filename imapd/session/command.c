/*
 * The table of IMAP commands after login, and how one is run.  Runs in the
 * account's worker.
 */
#include <string.h>

#include "int.h"
#include "log.h"

static const struct imap_command commands[] = {
	{ "FETCH", cmd_fetch, CMD_SELECTED | CMD_NUMBERS | CMD_UID, NULL },
	{ "STORE", cmd_store, CMD_SELECTED | CMD_WRITES | CMD_NUMBERS |
	    CMD_UID, NULL },
	{ "SEARCH", cmd_search, CMD_SELECTED | CMD_NUMBERS | CMD_UID, NULL },
	{ "COPY", cmd_copy, CMD_SELECTED | CMD_UID, NULL },
	{ "MOVE", cmd_move, CMD_SELECTED | CMD_WRITES | CMD_UID, NULL },
	{ "EXPUNGE", cmd_expunge, CMD_SELECTED | CMD_WRITES | CMD_UID, NULL },
	{ "APPEND", cmd_append, 0, append_literal },
	{ "NOOP", cmd_noop, 0, NULL },
	{ "IDLE", cmd_idle, 0, NULL },
	{ "SELECT", cmd_select, CMD_QUIET, NULL },
	{ "EXAMINE", cmd_examine, CMD_QUIET, NULL },
	{ "STATUS", cmd_status, 0, NULL },
	{ "LIST", cmd_list, 0, NULL },
	{ "LSUB", cmd_lsub, 0, NULL },
	{ "CHECK", cmd_check, CMD_SELECTED, NULL },
	{ "CLOSE", cmd_close, CMD_SELECTED | CMD_QUIET, NULL },
	{ "UNSELECT", cmd_unselect, CMD_SELECTED | CMD_QUIET, NULL },
	{ "CREATE", cmd_create, 0, NULL },
	{ "DELETE", cmd_delete, 0, NULL },
	{ "RENAME", cmd_rename, 0, NULL },
	{ "SUBSCRIBE", cmd_subscribe, 0, NULL },
	{ "UNSUBSCRIBE", cmd_unsubscribe, 0, NULL },
	{ "CAPABILITY", cmd_capability, 0, NULL },
	{ "NAMESPACE", cmd_namespace, 0, NULL },
	{ "ID", cmd_id, 0, NULL },
	{ "ENABLE", cmd_enable, 0, NULL },
	{ "GETQUOTA", cmd_getquota, 0, NULL },
	{ "GETQUOTAROOT", cmd_getquotaroot, 0, NULL },
	{ "SETQUOTA", cmd_setquota, 0, NULL },
	{ "LOGOUT", cmd_logout, CMD_QUIET, NULL },
	{ "LOGIN", cmd_login_again, 0, NULL },
	{ "AUTHENTICATE", cmd_login_again, 0, NULL },
	{ "STARTTLS", cmd_login_again, 0, NULL },
};

static const struct imap_command *
lookup(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (str_caseeq(name, commands[i].name))
			return &commands[i];
	return NULL;
}

const struct imap_command *
imap_find_command(struct imap_session *s, struct cur *c)
{
	const struct imap_command *cmd;
	struct str tag;

	s->byuid = false;
	if (!imap_tag(c, &tag) || !cur_lit(c, " ") ||
	    !str_copy(tag, s->tag, sizeof(s->tag))) {
		str_copy(str_make("*"), s->tag, sizeof(s->tag));
		return NULL;
	}
	if (cur_caselit(c, "UID "))
		s->byuid = true;
	cmd = lookup(cur_until(c, " "));
	if (cmd != NULL && s->byuid && !(cmd->flags & CMD_UID))
		return NULL;
	return cmd;
}

static void
log_command(const struct imap_session *s, const struct cur *args)
{
	if (s->cmd == NULL)
		log_tag(LOG_LOW, s->log, "inp: (%zu bytes, no command)",
		    s->line.len);
	else if (s->cmd->handler == cmd_login_again)
		log_tag(LOG_LOW, s->log, "inp: %s %s ...", s->tag,
		    s->cmd->name);
	else
		log_tag(LOG_LOW, s->log, "inp: %s %s%s%.*s", s->tag,
		    s->byuid ? "UID " : "", s->cmd->name,
		    (int)cur_left(args), args->p);
}

void
imap_command(struct imap_session *s)
{
	struct cur c = cur_make(s->line.p, s->line.len);

	s->answered = false;
	s->cmd = imap_find_command(s, &c);
	log_command(s, &c);
	if (s->cmd == NULL) {
		if (s->tag[0] == '*')
			imap_bad(s, "say a tag and a command");
		else
			imap_bad(s, "unknown command");
		return;
	}
	cur_lit(&c, " ");
	if ((s->cmd->flags & CMD_SELECTED) && s->box == NULL)
		imap_bad(s, "select a mailbox first");
	else if ((s->cmd->flags & CMD_WRITES) && s->readonly)
		imap_no(s, "[READ-ONLY] the mailbox was opened for reading");
	else
		s->cmd->handler(s, &c);
}
