/* What imapd's own files tell one another. */
#ifndef CG_IMAPD_H
#define CG_IMAPD_H

#include <sys/queue.h>

#include "front.h"
#include "sasl.h"

enum {
	IMAPD_MAXLINE = 4096	/* bytes; the longest are AUTHENTICATE's */
};

struct imapd_conf {
	unsigned int	 max_errors;
	int		 timeout;	/* seconds before login */
};
extern struct imapd_conf	imapd_conf;

struct imap {
	LIST_ENTRY(imap)	 all;
	struct front_session	*front;
	unsigned int		 errors;
	bool			 passed_on;	/* to stored */
};

/* --- client.c --- */
extern const struct front_def	imapd_front;
const char	*imapd_hostname(void);
void		 imapd_stop(void);
#endif
