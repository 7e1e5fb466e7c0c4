/* One small file by HTTPS; see https.c for what it is not. */
#ifndef CG_SEND_HTTPS_H
#define CG_SEND_HTTPS_H

#include <stddef.h>

enum { HTTPS_MAX = 64 * 1024 };		/* bytes of the file */

enum https_end {
	HTTPS_GOOD,
	HTTPS_FETCH,	/* it did not answer, or not with that file */
	HTTPS_PKI	/* it could not prove its name */
};

struct https;
/*
 * text, len: the file, valid in the callback; or why there is none.  The
 * callback must call https_free().
 */
typedef void https_cb(enum https_end, const char *text, size_t len,
    void *arg);
struct https	*https_get(const char *host, const char *path, https_cb *,
		    void *arg);
void		 https_free(struct https *);
#endif
