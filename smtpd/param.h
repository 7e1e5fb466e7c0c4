/*
 * The ESMTP parameters of MAIL and RCPT (RFC 1870, 6152, 3030, 3461, 4954,
 * 6531).  Pure.
 */
#ifndef CG_SMTPD_PARAM_H
#define CG_SMTPD_PARAM_H

#include "buf.h"

enum { PARAM_MAXENVID = 100, PARAM_MAXORCPT = 500 };

struct mail_params {
	uint64_t	 size;		/* 0: not said */
	bool		 eightbit;	/* at least that */
	bool		 binary;
	bool		 utf8;		/* SMTPUTF8 */
	bool		 tls;		/* REQUIRETLS (RFC 8689) */
	char		 ret;		/* H, F, _ */
	char		 envid[PARAM_MAXENVID + 1];
};

struct rcpt_params {
	unsigned int	 notify;	/* QN_ bits of qfile.h; 0: not said */
	char		 orcpt[PARAM_MAXORCPT + 1];
	bool		 utf8;		/* it has more than ASCII */
};

/* From behind the path to the line's end.  NULL, or the answer that refuses. */
const char	*param_mail(struct cur *, struct mail_params *);
const char	*param_rcpt(struct cur *, struct rcpt_params *);
#endif
