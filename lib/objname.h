/* Names of accounts and domains, as they stand on the disk. */
#ifndef CG_OBJNAME_H
#define CG_OBJNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum {
	NAME_MAXLEN = 128,		/* of an account's name alone */
	DOMAIN_MAXLEN = 255
};

/* Lower case into a fixed array; false if too long. */
bool	name_lower(struct str, char *, size_t);
/* Both in lower case. */
bool	name_valid_account(const char *);
bool	name_valid_domain(const char *);
#endif
