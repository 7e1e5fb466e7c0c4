/*
 * One question to PAM, in a short-lived child of authd-priv.  The service is
 * "cgate" (etc/cgate.pam); the user must be an ordinary one.
 */
#include <sys/types.h>

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <security/pam_appl.h>

#include "priv.h"

/* Debian's ordinary users; "nobody" is beyond. */
enum { UID_FIRST = 1000, UID_LAST = 60000 };

struct secret {
	const char	*user;
	char		*password;
};

/* Any prompt that hides its input is for the password. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **out,
    void *arg)
{
	struct pam_response *r;
	struct secret *s = arg;
	int i;

	if (n <= 0 || n > PAM_MAX_NUM_MSG ||
	    (r = calloc(n, sizeof(*r))) == NULL)
		return PAM_CONV_ERR;
	for (i = 0; i < n; i++) {
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = strdup(s->password);
		else if (msg[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = strdup(s->user);
	}
	*out = r;
	return PAM_SUCCESS;
}

/* PAM_SYSTEM_ERR is a refusal: pam_exec says so of a wrong password. */
static char
verdict_of(int ret)
{
	switch (ret) {
	case PAM_SUCCESS:
		return PRIV_YES;
	case PAM_SERVICE_ERR:
	case PAM_BUF_ERR:
	case PAM_ABORT:
	case PAM_OPEN_ERR:
	case PAM_SYMBOL_ERR:
	case PAM_AUTHINFO_UNAVAIL:
		return PRIV_LATER;
	default:
		return PRIV_NO;
	}
}

static bool
ordinary(const char *user)
{
	struct passwd *pw = getpwnam(user);

	return pw != NULL && pw->pw_uid >= UID_FIRST && pw->pw_uid <= UID_LAST;
}

static bool
has_nul(struct str s)
{
	return s.len > 0 && memchr(s.p, '\0', s.len) != NULL;
}

/* The new one is all that it is asked for: root need not tell the old. */
static int
change_to(pam_handle_t *pam, struct secret *s, struct str to)
{
	char *new = strndup(to.p, to.len), *old = s->password;
	int ret;

	if (new == NULL)
		return PAM_BUF_ERR;
	s->password = new;
	ret = pam_chauthtok(pam, PAM_SILENT);
	s->password = old;
	explicit_bzero(new, to.len);
	free(new);
	return ret;
}

char
priv_pam(const char *confdir, const char *user, struct str password,
    struct str change)
{
	const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
	struct secret s = { .user = user };
	struct pam_conv conv = { converse, &s };
	pam_handle_t *pam = NULL;
	int ret;

	if (!ordinary(user) || password.len == 0 || has_nul(password) ||
	    has_nul(change))
		return PRIV_NO;
	if ((s.password = strndup(password.p, password.len)) == NULL)
		return PRIV_LATER;
	ret = *confdir != '\0' ?
	    pam_start_confdir("cgate", user, &conv, confdir, &pam) :
	    pam_start("cgate", user, &conv, &pam);
	if (ret == PAM_SUCCESS)
		ret = pam_authenticate(pam, flags);
	if (ret == PAM_SUCCESS)
		ret = pam_acct_mgmt(pam, flags);
	if (ret == PAM_SUCCESS && change.len > 0)
		ret = change_to(pam, &s, change);
	if (pam != NULL)
		pam_end(pam, ret);
	explicit_bzero(s.password, password.len);
	free(s.password);
	return verdict_of(ret);
}
