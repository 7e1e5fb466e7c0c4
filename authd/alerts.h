/* Texts that users shall see: authd's alerts*.c (manual 12). */
#ifndef AUTHD_ALERTS_H
#define AUTHD_ALERTS_H

#include "authd.h"

enum { ALERT_MAX = 400, ALERTS_MAX = 100, ALERTS_LINES = 8000 };

/* --- alerts.c: what there is, and who has seen it --- */

/* Domain "": the server's.  A dictionary of stamp to text, or NULL, errno. */
const struct val *alerts_of(const char *domain);
/* Replaces it; takes alerts.  -1 and errno. */
int	alerts_set(const char *domain, struct val *alerts);
/* Domains may have moved: read anew. */
void	alerts_forget(void);
/* One that is later than all others here; 14 digits. */
void	alerts_stamp(char stamp[32], const struct val *alerts);

/*
 * What an account has to see yet, at its login: NULL, or a text, free it; it
 * is remembered as seen before this returns.  One at a time, for POP, or all,
 * a line each.
 */
char	*alerts_show(struct account *, const char *domain, bool all);
void	alerts_told(struct ipc *, struct ipc_pkt *, void *);
/* The settings that are kept by SetAccountSettings, and told to nobody. */
extern const char *const alerts_settings[];

/* --- alerts_admin.c: the commands --- */
/* The server's own word to an account, unless it waits there already. */
void	alerts_post(const char *path, const char *name, const char *text);

void	admin_get_alerts(struct admin *);
void	admin_set_alerts(struct admin *);
void	admin_post_alert(struct admin *);
void	admin_remove_alert(struct admin *);
void	admin_cluster_alerts(struct admin *);
#endif
