/* Between the files of lib/sandbox*.c; for nobody else. */
#ifndef CG_SANDBOX_INT_H
#define CG_SANDBOX_INT_H

#include "sandbox.h"

/* What a worker may do once it is walled into its account's directory. */
enum {
	SANDBOX_WORKER = SB_FILES_READ | SB_FILES_WRITE | SB_MMAP_FILE |
	    SB_FLOCK
};

/* -1 and ENOSYS where the kernel has no Landlock, or too old a one. */
int	sandbox_landlock(const struct sandbox *, int basefd);
int	sandbox_seccomp(uint32_t allow);
int	sandbox_seccomp_worker(void);	/* the one that was prepared */
bool	sandbox_landlocked(void);	/* this process, by the above */
/* The root helper's: it runs PAM and programs, so only the worst is out. */
int	sandbox_seccomp_root(void);
bool	sandbox_caps_are(uint32_t keep);
#endif
