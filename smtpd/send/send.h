/*
 * What the files of smtpd's sending role tell one another.  It owns nothing:
 * queued gives it a message's file for reading, one recipient list at a time,
 * and hears what became of each.
 */
#ifndef CG_SEND_H
#define CG_SEND_H

#include "ipc.h"

/* --- chan.c: channels, one connection each --- */
void	chan_open(struct ipc *, struct ipc_pkt *, void *);
void	chan_mail(struct ipc *, struct ipc_pkt *, void *);
void	chan_close(struct ipc *, struct ipc_pkt *, void *);
#endif
