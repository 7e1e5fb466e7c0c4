/* What the root helper's two files say to one another. */
#ifndef PRIV_H
#define PRIV_H

#include <stddef.h>

enum { PRIV_NO = 'n', PRIV_YES = 'y', PRIV_LATER = 'l' };

/*
 * Asks PAM, in a process that does nothing else and then exits.  confdir is
 * a test's own directory of services, or "" for the system's.
 */
char	priv_pam(const char *confdir, const char *user, const char *password,
	    size_t len);
#endif
