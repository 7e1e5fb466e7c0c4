/* A PAM module for tests: the new password goes into the file it is given. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>

#include <stdio.h>
#include <string.h>

int	pam_sm_chauthtok(pam_handle_t *, int, int, const char **);

int
pam_sm_chauthtok(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *new;
	FILE *f;

	if (flags & PAM_PRELIM_CHECK)
		return PAM_SUCCESS;
	if (argc != 1 || pam_get_authtok(pam, PAM_AUTHTOK, &new, NULL) !=
	    PAM_SUCCESS || strcmp(new, "weak") == 0 ||
	    (f = fopen(argv[0], "w")) == NULL)
		return PAM_AUTHTOK_ERR;
	fputs(new, f);
	return fclose(f) == 0 ? PAM_SUCCESS : PAM_AUTHTOK_ERR;
}
