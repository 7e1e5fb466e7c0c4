/*
 * What smtpd's sending role would know in its next life: TLS policies and
 * counts, in Settings/TLS.data.  Runs in routerd, which owns the directory; it
 * looks no deeper into that than that it is a dictionary.
 */
#include <fcntl.h>
#include <unistd.h>

#include "dict.h"
#include "log.h"
#include "proc.h"
#include "router.h"

static const char path[] = "Settings/TLS.data";

void
keep_sender(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	int fd = ipc_take_fd(pkt);
	const char *err = "there is no file";
	struct val *v = fd == -1 ? NULL : val_read_fd(fd, &err);

	if (fd != -1)
		close(fd);
	if (v == NULL || val_type(v) != VAL_DICT)
		log_warnx("%s: what came is none: %s", path, err);
	else if (val_write_file_alone(proc_basefd(), path, 0600, v) == -1)
		log_warn("%s", path);
	val_free(v);
}

void
keep_give(struct ipc *ipc)
{
	struct msg_sender_state m = { 0 };

	ipc_send(ipc, IPC_SENDER_STATE, 0, &m, openat(proc_basefd(), path,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}
