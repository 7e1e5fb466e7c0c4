/* Memory that a wave of clients has left behind: see trim.c. */
#ifndef CG_TRIM_H
#define CG_TRIM_H

/*
 * Tells how many of something a process keeps now, after one more: after a
 * wave of them, soon gives what it no longer needs back to the system.
 */
void	trim_later(unsigned count);

#endif
