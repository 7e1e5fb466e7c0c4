/* What the parts of front.c share; nobody else includes it. */
#ifndef CG_FRONT_INT_H
#define CG_FRONT_INT_H

#include <bsd/sys/queue.h>

#include <event2/event.h>

#include "front.h"

enum {
	FRONT_ACCEPTS = 8,	/* a wake-up: the other fronts want some too */
	FRONT_REST = 20,	/* milliseconds without accepting, when busy */
	FRONT_SHAKE = 60,	/* seconds for TLS before the first greeting */
	FRONT_MAXINPUT = 8192,	/* SESSION's field */
	FRONT_LINE = 1280,	/* bytes of an answer, CRLF and all */
	FRONT_TICKET = 16
};

/* Of a method whose secret is a token. */
bool	front_is_token(const char *method);

struct door;			/* front_door.c's: a listener */
struct slot;			/* an address's place in the shared memory */

enum phase {
	PH_SHAKING,		/* TLS before the front has heard of it */
	PH_FRONT,		/* the front's own protocol */
	PH_DRAINING,		/* to be handed over when all is sent */
	PH_OFFERED,		/* SESSION sent */
	PH_GIVEN,		/* stored's; only counted here */
	PH_PUMPED,		/* stored's, through a pump */
	PH_IDLE			/* handed back; nobody's until it speaks */
};

struct client {
	struct front_session	 s;	/* first: the two are one pointer */
	LIST_ENTRY(client)	 byid;
	LIST_ENTRY(client)	 all;
	struct door		*door;
	struct slot		*slot;
	enum phase		 phase;
	bool			 started;	/* end() is owed */
	struct front_req	*req;		/* AUTH or SESSION under way */
	struct front_idle	*idle;		/* what came back with it */
	LIST_ENTRY(client)	 roaming;	/* front_roam.c's, if it roams */
	bool			 roams;
	unsigned char		 ticket[FRONT_TICKET];
	void			(*failed)(struct front_session *,
				    const char *);
};

extern const struct front_def	*front_def;

static inline struct client *
front_client(struct front_session *s)
{
	return (struct client *)s;
}

/* front.c */
struct client	*front_find(uint32_t id);
/* NULL: no memory; the descriptor and the slot are still the caller's. */
struct client	*front_new(struct listener *, int fd, const char *peer,
		    uint16_t port, struct slot *);
void		 front_start(struct client *);	/* the front hears of it */
void		 front_forget(struct client *);	/* uncounts and frees it */
void		 front_part(struct client *);	/* likewise: conn is finishing */
void		 front_end(struct client *);	/* tells the front its end, once */
void		 front_given(void);		/* counts it */
conn_cb		 front_event;			/* of the client's conn */
/* front_door.c */
void		 door_init(void);
void		 door_settings(const struct val *listener);
void		 door_status(struct val *);
void		 door_unref(struct door *);	/* a client has left */
void		 door_close_all(void);
/* front_idle.c */
ipc_handler	 front_got_idle, front_got_wake, front_got_tell;
void		 front_idle_settings(const struct val *);
void		 front_idle_free(struct client *);
/* Says why and ends it; it must be PH_IDLE. */
void		 front_idle_bye(struct client *, const char *why);
unsigned	 front_idle_count(void);
/* front_roam.c: its address is a client's while it is here, and a while. */
void		 roam_begin(struct client *);
void		 roam_end(struct client *);
/* front_login.c */
void		 front_drained(struct client *);
void		 front_req_drop(struct client *);

/*
 * front_limit.c: how many are there in all and from an address, over all of
 * a module's processes.  Entering may be refused: false.
 */
bool		 limit_enter(const void *ip16, int max, int max_same,
		    struct slot **);
void		 limit_leave(struct slot *);
/* One more: how many within that time; 0 if slot is NULL. */
uint32_t	 limit_rate(struct slot *, enum front_rate, uint32_t seconds);
uint32_t	 limit_next_id(void);
/* TLS_TICKETKEY bytes, or NULL when nothing is shared. */
const void	*limit_ticket_key(void);
void		 limit_open(int fd);
int		 limit_total(void);
#endif
