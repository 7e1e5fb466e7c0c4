/* Between the template and what runs in its children. */
#ifndef CG_WORKER_H
#define CG_WORKER_H

#include "proc.h"

/*
 * A child's whole life: takes the account's directory and the channel to the
 * broker; single is a mailbox file in it for single-mailbox accounts.
 */
void	worker_main(int dirfd, const char *single, const char *path, int io)
	    __attribute__((noreturn));
#endif
