/*
 * A whole session of pwdd: lines in, with the doors, the network and the
 * owners played here.  Logins succeed when the name begins with an "a".
 */
#include <bsd/string.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "../../pwdd/pwdd.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct proc_conf	pc = { .hostname = (char *)"host.example" };
static bool		closed;
static int		paused;

/* --- what the front, the loop and the peers would do --- */

const struct proc_conf *
proc_conf(void)
{
	if (pc.conf == NULL)
		pc.conf = val_dict();
	return &pc;
}

struct ipc *
proc_peer(enum proc_id id)
{
	return NULL;
}

void
front_log(const struct front_session *s, int level, const char *fmt, ...)
{
}

void
front_stop(void)
{
}

struct tls_ctx *
front_tls_ctx(void)
{
	return NULL;
}

int
front_starttls(struct front_session *s)
{
	return -1;
}

bool
front_stopping(void)
{
	return false;
}

const char *
front_hostname(void)
{
	return "x.example";
}

bool
front_sasl_secure(void)
{
	return true;
}

const unsigned char *
front_salt_key(void)
{
	static const unsigned char key[SASL_SALTKEY];

	return key;
}

bool
conn_binding(struct conn *c, struct str type, struct buf *out)
{
	return false;
}

bool
conn_certs(struct conn *c, struct buf *out)
{
	return false;
}

bool
front_clear_ok(const struct front_session *s)
{
	return true;
}

void
front_auth(struct front_session *s, const char *method, const char *name,
    const char *authz, const void *secret, size_t len, const char *challenge,
    void (*cb)(struct front_session *, const struct msg_authed *))
{
	char account[513];
	struct msg_authed m = { .reason = "", .text = "", .account = account,
		.mailbox = "", .proof = challenge[0] == 'b' ? "v=x" : "",
		.ticket = { "0123456789abcdef", 16 } };

	if (strlen(name) > 512 || len > 1024)
		abort();
	strlcpy(account, name, sizeof(account));	/* a packet's own */
	m.code = name[0] != 'a';
	cb(s, &m);
}

void
front_close(struct front_session *s)
{
	session_end(s);
	closed = true;
}

void
conn_write(struct conn *c, const void *p, size_t len)
{
	if (closed || len < 2 || memcmp((const char *)p + len - 2, "\r\n", 2))
		abort();
}

void
conn_timeout(struct conn *c, int seconds)
{
}

void
conn_lines(struct conn *c, size_t max)
{
}

int
conn_fd(const struct conn *c)
{
	return 0;
}

void
conn_pause(struct conn *c)
{
	paused++;
}

void
conn_resume(struct conn *c)
{
	paused--;
}

int
ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t session,
    const void *msg, int fd)
{
	return 0;
}

void
ipc_cancel(void *arg)
{
}

/* An owner that sends the arguments back. */
void
ipc_call(struct ipc *ipc, enum ipc_type type, uint32_t session,
    const void *msg, int fd, int timeout, ipc_answer_cb *cb, void *arg)
{
	const struct msg_admin *m = msg;
	struct msg_admined a = { .code = 200, .text = "OK" };
	struct ipc_pkt pkt = { .type = IPC_ADMINED, .fd = -1, .m = &a };

	if (fd != -1)
		close(fd);
	a.data = m->args;
	cb(type == IPC_ADMIN ? &pkt : NULL, arg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct listener l = { .module = (char *)"PWD" };
	struct session session = { .errors = 0 };
	struct front_session fs = { .listener = &l, .data = &session };
	struct cur c = cur_make(data, size);
	struct str s;
	char *line;

	log_set_level(1);
	closed = false;
	paused = 0;
	session_start(&fs);
	while (!closed && cur_line(&c, &s)) {
		if ((line = malloc(s.len + 1)) == NULL)
			break;
		memcpy(line, s.p, s.len);
		line[s.len] = '\0';
		session_line(&fs, line, s.len);
		free(line);
		if (!closed && paused != 0)
			abort();
	}
	if (!closed)
		session_end(&fs);
	return 0;
}
