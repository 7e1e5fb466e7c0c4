/*
 * Who may speak to whom (ARCHITECTURE, table 3).  A pair that does not stand
 * here never exists: cgserver makes every channel, and makes no other.  The
 * first of a pair owns something: it alone may ask for a new channel, so that
 * no front can fill its owners' tables with descriptors.
 */
#include "cgserver.h"

static const enum proc_id pairs[][2] = {
	{ PROC_AUTHD,	PROC_SMTPD },
	{ PROC_AUTHD,	PROC_POP3D },
	{ PROC_AUTHD,	PROC_IMAPD },
	{ PROC_AUTHD,	PROC_PWDD },
	{ PROC_AUTHD,	PROC_ROUTERD },
	{ PROC_AUTHD,	PROC_QUEUED },
	{ PROC_AUTHD,	PROC_STORED },
	{ PROC_AUTHD,	PROC_PRIV },
	{ PROC_ROUTERD,	PROC_SMTPD },
	{ PROC_ROUTERD,	PROC_PWDD },
	{ PROC_ROUTERD,	PROC_QUEUED },
	{ PROC_ROUTERD,	PROC_STORED },
	{ PROC_ROUTERD,	PROC_SENDER },
	{ PROC_QUEUED,	PROC_SMTPD },
	{ PROC_QUEUED,	PROC_PWDD },
	{ PROC_QUEUED,	PROC_STORED },
	{ PROC_QUEUED,	PROC_SENDER },
	{ PROC_SENDER,	PROC_SMTPD },
	{ PROC_STORED,	PROC_POP3D },
	{ PROC_STORED,	PROC_IMAPD },
	{ PROC_STORED,	PROC_PWDD },
	{ PROC_STORED,	PROC_DELIVERY },
	{ PROC_STORED,	PROC_TEMPLATE },
};

bool
peers_asks(enum proc_id a, enum proc_id b)
{
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (pairs[i][0] == a && pairs[i][1] == b)
			return true;
	return false;
}

bool
peers_allowed(enum proc_id a, enum proc_id b)
{
	return peers_asks(a, b) || peers_asks(b, a);
}
