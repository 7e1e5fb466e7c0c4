/*
 * Any bytes as what an HTTPS server answers: it ends once, with a file of
 * bounded size or without one.  The first byte says how the pieces are cut.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/send/https.c"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct conn {
	struct evbuffer	*in;
	bool		 data, dead;
};

static struct {
	struct conn	 conn;
	bool		 over;
	bool		 next;		/* another address is wanted */
	bool		 doubts;
} fake;

struct event_base *
proc_base(void)
{
	static struct event_base *base;

	return base != NULL ? base : (base = event_base_new());
}

struct conn *
conn_new(struct event_base *base, int fd, conn_cb *cb, void *arg)
{
	return &fake.conn;
}

void conn_free(struct conn *c) { if (c != NULL) c->dead = true; }
void conn_lines(struct conn *c, size_t n) { c->data = n == 0; }
void conn_data(struct conn *c) { c->data = true; }
void conn_printf(struct conn *c, const char *fmt, ...) { c->data = false; }
int conn_tls(struct conn *c, void *ssl) { return 0; }
const char *conn_error(const struct conn *c) { return "error"; }
struct evbuffer *conn_input(struct conn *c) { return c->in; }
void dial_free(struct dial *d) { free(d); }
struct dest *dest_new(const char *h, bool c) { return calloc(1, 1); }
void dest_free(struct dest *d) { free(d); }
bool tls_client_doubts(void *ssl) { return fake.doubts; }

struct dial *
dial_new(const struct dest_addr *a, const char *source, dial_cb *cb, void *arg)
{
	return calloc(1, 1);
}

void
dest_next(struct dest *d, dest_cb *cb, void *arg)
{
	fake.next = true;
}

void *
tls_client_ssl(const char *host, const char *const names[2])
{
	return &fake;
}

static struct https *get;

static void
done(enum https_end end, const char *text, size_t len, void *arg)
{
	if (fake.over)
		panic("it ended twice");
	if (end == HTTPS_GOOD && len > HTTPS_MAX)
		panic("%zu bytes", len);
	if (end != HTTPS_GOOD && *text == '\0')
		panic("no reason");
	fake.over = true;
	https_free(get);
}

static bool
goes_on(void)
{
	return !fake.over && !fake.next;
}

static const char *
one_line(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', end - p);
	size_t len = (lf == NULL ? end : lf) - p;
	char *copy = calloc(1, len + 1);

	memcpy(copy, p, len);
	if (len > MAXLINE)
		event(&fake.conn, CONN_LONG, NULL, 0, get);
	else
		event(&fake.conn, CONN_LINE, copy, len, get);
	free(copy);
	return lf == NULL ? end : lf + 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1, *end = p + size - 1;
	struct outcome why = { .text = "no address" };
	const struct dest_addr a = { .port = 443 };
	size_t n;

	if (size == 0)
		return 0;
	memset(&fake, 0, sizeof(fake));
	fake.conn.in = evbuffer_new();
	fake.doubts = *data & 1;
	get = https_get("mta-sts.x.example", "/f", done, NULL);
	fake.next = false;
	got_address(&a, &why, get);
	dialed(*data & 2 ? -1 : 5, 1, get);
	if (goes_on() && *data & 4)
		event(&fake.conn, CONN_ERROR, NULL, 0, get);
	if (goes_on())
		event(&fake.conn, CONN_SECURE, NULL, 0, get);
	while (goes_on() && p < end && !fake.conn.data)
		p = one_line(p, end);
	for (; goes_on() && p < end; p += n) {
		n = (size_t)(end - p) < 1000U ? (size_t)(end - p) : 1000;
		evbuffer_add(fake.conn.in, p, n);
		event(&fake.conn, CONN_DATA, NULL, 0, get);
	}
	if (goes_on())
		event(&fake.conn, *data & 8 ? CONN_ERROR : CONN_EOF, NULL, 0,
		    get);
	if (!fake.over)
		got_address(NULL, &why, get);
	if (!fake.over)
		panic("it has no end");
	evbuffer_free(fake.conn.in);
	return 0;
}
