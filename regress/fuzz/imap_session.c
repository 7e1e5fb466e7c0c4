/*
 * A whole IMAP session after login, fed any bytes; another of the same account
 * idles beside it in the same mailbox.
 */
#include <sys/socket.h>

#include <event2/event.h>
#include <ftw.h>

#include "imapd/session/session.h"
#include "store.h"

enum { MAXINPUT = 65536, MAXTURNS = 200000 };

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char mail[] =
    "From <a@b>(--------00000000-0000000001-000000000027) "
    "Sat Nov 21 02:40:26 2026\nFrom: a@b\nSubject: c\n\ntext\n\n"
    "From <a@b>(R-------00000000-0000000002-000000000109) "
    "Sat Nov 21 02:40:27 2026\n"
    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\n"
    "Content-Type: message/rfc822\n\nSubject: in\n\ntwo\n--x--\n\n"
    "From <>(---D----00000000-0000000003-000000000048) "
    "Sat Nov 21 02:40:28 2026\n"
    "Content-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n\n";

struct client {
	int	 fd;
	bool	 over;
};

static struct event_base	*base;

static int
drop(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return f->level == 0 ? 0 : remove(path);
}

static void
over(void *arg)
{
	struct client *c = arg;

	c->over = true;
}

static void
begin(struct client *c, struct acct *a, const char *text)
{
	struct imap_start st = { .base = base, .acct = a, .mailbox = "",
		.tag = "IMAP-1", .account = "a", .hello = "l",
		.maxerrors = 1000, .maxmessage = 100000, .end = over,
		.arg = c };
	int fds[2];

	c->over = false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		abort();
	c->fd = fds[0];
	st.fd = fds[1];
	if (imap_session_new(&st) == NULL)
		abort();
	if (send(c->fd, text, strlen(text), 0) == -1)
		abort();
}

/* Takes what is said; nobody looks at it but the sanitizers. */
static void
take(struct client *c)
{
	char text[65536];

	while (recv(c->fd, text, sizeof(text), 0) > 0)
		continue;
}

static void
feed(struct client *c, struct client *other, const uint8_t *data, size_t len)
{
	ssize_t n;
	int i;

	for (i = 0; i < MAXTURNS && !c->over; i++) {
		if (len > 0 && (n = send(c->fd, data, len, MSG_NOSIGNAL)) > 0) {
			data += n;
			len -= n;
			if (len == 0)
				shutdown(c->fd, SHUT_WR);
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
		take(c);
		take(other);
	}
	if (!c->over)
		abort();
}

static void
finish(struct client *c)
{
	int i;

	close(c->fd);
	for (i = 0; i < MAXTURNS && !c->over; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (!c->over)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct client c, other;
	struct acct *a;

	if (len == 0 || len > MAXINPUT)
		return 0;
	fuzz_account();
	if (nftw(fuzz_dir, drop, 8, FTW_DEPTH | FTW_PHYS) == -1)
		abort();
	fuzz_put("INBOX.mbox", mail, sizeof(mail) - 1);
	if (base == NULL)
		base = event_base_new();
	a = acct_new(dup(fuzz_account()), NULL, true);
	begin(&other, a, "o SELECT INBOX\r\no IDLE\r\n");
	begin(&c, a, "s SELECT INBOX\r\n");
	feed(&c, &other, data, len);
	close(c.fd);
	finish(&other);
	acct_free(a);
	return 0;
}
