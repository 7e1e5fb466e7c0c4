/* Between proc.c and proc_peer.c; nobody else's. */
#ifndef CG_PROC_INT_H
#define CG_PROC_INT_H

#include "proc.h"

/* proc.c */
extern const struct proc_def	*proc_def;
bool		 proc_serving(void);	/* the loop runs, inside walls */
bool		 proc_stopping(void);

/* proc_peer.c */
ipc_handler	 proc_got_peer;
void		 proc_peers_open(void);	/* those that came before the walls */
void		 proc_peers_tell(void);	/* the daemon, of each */
#endif
