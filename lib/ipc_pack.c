/*
 * The table of messages: packing, bounded unpacking, names, descriptions, and
 * the hash that two processes must agree on.  Runs in every process; never
 * trusts a length that came with a packet.
 *
 * A packet: type 16, flags 8, zero 8, length 32 (all of it), session 32,
 * seq 32, then the fields in their order.  A text or blob is a length of 16
 * bits and its bytes; a text has a NUL after them, so that it can be used
 * where it lies.
 */
#include <arpa/inet.h>

#include <stddef.h>
#include <string.h>

#include "ipc_int.h"
#include "log.h"

enum kind { F_U8, F_U16, F_U32, F_U64, F_STR, F_BLOB };

struct field_def {
	const char	*name;
	enum kind	 kind;
	uint32_t	 off;
	uint32_t	 max;
};

enum { MAXFIELDS = 24 };

/* One function a message, that knows its struct under a common name. */
#define MSG(NAME, mname, doc)						\
	static const struct field_def *fields_##mname(void)		\
	{								\
		typedef struct msg_##mname M;				\
		static const struct field_def t[MAXFIELDS + 1] = {
#define U8(f)		{ #f, F_U8, offsetof(M, f), 0 },
#define U16(f)		{ #f, F_U16, offsetof(M, f), 0 },
#define U32(f)		{ #f, F_U32, offsetof(M, f), 0 },
#define U64(f)		{ #f, F_U64, offsetof(M, f), 0 },
#define STR(f, max)	{ #f, F_STR, offsetof(M, f), max },
#define BLOB(f, max)	{ #f, F_BLOB, offsetof(M, f), max },
#define END		{ NULL, F_U8, sizeof(M), 0 } }; return t; }
#include "ipc.def"

union ipc_any {
#define MSG(NAME, mname, doc)	struct msg_##mname mname;
#include "ipc.def"
};

static const struct msg_def {
	const char	*name;		/* ROUTE */
	const char	*lower;		/* route */
	const char	*doc;
	const struct field_def *(*fields)(void);
} msgs[IPC_MAX] = {
	[IPC_NONE] = { "NONE", "none", "", NULL },
#define MSG(NAME, mname, doc) [IPC_##NAME] = { #NAME, #mname, doc, fields_##mname },
#include "ipc.def"
};

const size_t ipc_any_size = sizeof(union ipc_any);

const char *
ipc_name(enum ipc_type type)
{
	return (unsigned)type < IPC_MAX ? msgs[type].name : "?";
}

/* The name after "->" in a message's line. */
static enum ipc_type
find_answer(const char *doc)
{
	const char *p = strstr(doc, "-> ");
	size_t n;
	int i;

	if (p == NULL)
		return IPC_NONE;
	p += 3;
	n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
	for (i = 1; i < IPC_MAX; i++)
		if (strlen(msgs[i].lower) == n &&
		    memcmp(msgs[i].lower, p, n) == 0)
			return i;
	panic("ipc.def: no message \"%.*s\"", (int)n, p);
}

enum ipc_type
ipc_answer_type(enum ipc_type type)
{
	static enum ipc_type answers[IPC_MAX];
	static bool made;
	int i;

	if (!made) {
		for (i = 1; i < IPC_MAX; i++)
			answers[i] = find_answer(msgs[i].doc);
		made = true;
	}
	return (unsigned)type < IPC_MAX ? answers[type] : IPC_NONE;
}

static uint32_t
fnv(uint32_t h, const char *s)
{
	do {
		h ^= (unsigned char)*s;
		h *= 16777619;
	} while (*s++ != '\0');
	return h;
}

uint32_t
ipc_table_hash(void)
{
	static uint32_t hash;
	const struct field_def *f;
	uint32_t h = 2166136261u;
	int i;

	if (hash != 0)
		return hash;
	for (i = 1; i < IPC_MAX; i++) {
		h = fnv(h, msgs[i].name);
		h = fnv(h, ipc_name(ipc_answer_type(i)));
		for (f = msgs[i].fields(); f->name != NULL; f++) {
			h = fnv(h, f->name);
			h = (h ^ f->kind) * 16777619;
			h = (h ^ f->max) * 16777619;
		}
	}
	hash = h != 0 ? h : 1;
	return hash;
}

bool
ipc_hello_ok(const struct ipc_pkt *pkt)
{
	const struct msg_hello *m = pkt->m;

	return pkt->type == IPC_HELLO && pkt->seq == 0 &&
	    strcmp(m->version, CG_VERSION) == 0 && m->hash == ipc_table_hash();
}

static char *
put(char *p, uint64_t v, int bytes)
{
	for (; bytes > 0; bytes--)
		*p++ = (char)(v >> (8 * (bytes - 1)));
	return p;
}

static uint64_t
get(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	for (; bytes > 0; bytes--)
		v = v << 8 | *p++;
	return v;
}

/* What a field takes in a packet; text and blob get their length told. */
static size_t
wire_size(const struct field_def *f, const char *m, size_t *len)
{
	const char *s;

	switch (f->kind) {
	case F_U8:
		return 1;
	case F_U16:
		return 2;
	case F_U32:
		return 4;
	case F_U64:
		return 8;
	case F_STR:
		memcpy(&s, m + f->off, sizeof(s));
		*len = s != NULL ? strlen(s) : 0;
		return 2 + *len + 1;
	case F_BLOB:
		*len = ((const struct ipc_str *)(m + f->off))->len;
		return 2 + *len;
	}
	return 0;
}

static char *
put_field(char *p, const struct field_def *f, const char *m, size_t len)
{
	const void *bytes = NULL;

	switch (f->kind) {
	case F_U8:
		return put(p, *(const uint8_t *)(m + f->off), 1);
	case F_U16:
		return put(p, *(const uint16_t *)(m + f->off), 2);
	case F_U32:
		return put(p, *(const uint32_t *)(m + f->off), 4);
	case F_U64:
		return put(p, *(const uint64_t *)(m + f->off), 8);
	case F_STR:
	case F_BLOB:
		/* a text pointer, or a struct ipc_str that starts with one */
		memcpy(&bytes, m + f->off, sizeof(bytes));
		p = put(p, len, 2);
		if (len > 0)
			memcpy(p, bytes, len);
		p += len;
		if (f->kind == F_STR)
			*p++ = '\0';
	}
	return p;
}

int
ipc_pack(struct buf *b, enum ipc_type type, uint32_t session, uint32_t seq,
    int is_answer, const void *msg)
{
	const struct field_def *f, *fields;
	size_t total = IPC_HEADER, len[MAXFIELDS] = { 0 };
	char *p;
	int i;

	if ((unsigned)type >= IPC_MAX || type == IPC_NONE)
		return -1;
	fields = msgs[type].fields();
	for (f = fields, i = 0; f->name != NULL; f++, i++) {
		total += wire_size(f, msg, &len[i]);
		if (len[i] > f->max)
			return -1;
	}
	if (total > IPC_MAXPACKET || !buf_reserve(b, total))
		return -1;
	p = b->p + b->len;
	p = put(p, type, 2);
	p = put(p, is_answer ? IPC_F_ANSWER : 0, 1);
	p = put(p, 0, 1);
	p = put(p, total, 4);
	p = put(p, session, 4);
	p = put(p, seq, 4);
	for (f = fields, i = 0; f->name != NULL; f++, i++)
		p = put_field(p, f, msg, len[i]);
	b->len += total;
	b->p[b->len] = '\0';
	return 0;
}

/* One text or blob at *p; NULL if it is not wholly there, or too long. */
static const unsigned char *
get_bytes(const unsigned char *p, const unsigned char *end,
    const struct field_def *f, char *m)
{
	struct ipc_str blob;
	const char *s;
	size_t len;

	if (end - p < 2)
		return NULL;
	len = get(p, 2);
	p += 2;
	if (len > f->max || (size_t)(end - p) < len)
		return NULL;
	if (f->kind == F_BLOB) {
		blob.p = p;
		blob.len = len;
		memcpy(m + f->off, &blob, sizeof(blob));
		return p + len;
	}
	if ((size_t)(end - p) < len + 1 || memchr(p, '\0', len + 1) != p + len)
		return NULL;
	s = (const char *)p;
	memcpy(m + f->off, &s, sizeof(s));
	return p + len + 1;
}

static const unsigned char *
get_field(const unsigned char *p, const unsigned char *end,
    const struct field_def *f, char *m)
{
	static const int width[] = {
		[F_U8] = 1, [F_U16] = 2, [F_U32] = 4, [F_U64] = 8
	};
	uint64_t v;

	if (f->kind == F_STR || f->kind == F_BLOB)
		return get_bytes(p, end, f, m);
	if (end - p < width[f->kind])
		return NULL;
	v = get(p, width[f->kind]);
	if (f->kind == F_U8)
		*(uint8_t *)(m + f->off) = (uint8_t)v;
	else if (f->kind == F_U16)
		*(uint16_t *)(m + f->off) = (uint16_t)v;
	else if (f->kind == F_U32)
		*(uint32_t *)(m + f->off) = (uint32_t)v;
	else
		*(uint64_t *)(m + f->off) = v;
	return p + width[f->kind];
}

int
ipc_unpack_at(const void *data, size_t len, struct ipc_pkt *pkt, int *flags,
    void *where)
{
	const unsigned char *p = data, *end;
	const struct field_def *f;

	if (len < IPC_HEADER || len > IPC_MAXPACKET)
		return -1;
	end = p + len;
	pkt->type = get(p, 2);
	*flags = p[IPC_FLAGS_AT];
	if (pkt->type == IPC_NONE || (unsigned)pkt->type >= IPC_MAX ||
	    *flags & ~(IPC_F_ANSWER | IPC_F_FD) || p[3] != 0 ||
	    get(p + 4, 4) != len)
		return -1;
	pkt->session = get(p + 8, 4);
	pkt->seq = get(p + 12, 4);
	pkt->fd = -1;
	pkt->m = where;
	if (*flags & IPC_F_ANSWER && pkt->seq == 0)
		return -1;
	p += IPC_HEADER;
	for (f = msgs[pkt->type].fields(); f->name != NULL; f++)
		if ((p = get_field(p, end, f, where)) == NULL)
			return -1;
	return p == end ? 0 : -1;
}

int
ipc_unpack(const void *data, size_t len, struct ipc_pkt *pkt, int *is_answer,
    struct buf *store)
{
	int flags;

	buf_reset(store);
	if (!buf_reserve(store, sizeof(union ipc_any)) ||
	    ipc_unpack_at(data, len, pkt, &flags, store->p) == -1)
		return -1;
	*is_answer = (flags & IPC_F_ANSWER) != 0;
	return 0;
}

/* Passwords, and what may have one somewhere inside. */
static bool
is_secret(const char *name)
{
	static const char *const names[] = { "secret", "password", "ticket",
	    "args", "data", "input", NULL };
	int i;

	for (i = 0; names[i] != NULL; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void
describe_text(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_printf(b, "\\%03d", (unsigned char)*s);
		else if (*s == '"' || *s == '\\')
			buf_printf(b, "\\%c", *s);
		else
			buf_putc(b, *s);
	buf_putc(b, '"');
}

static void
describe_field(struct buf *b, const struct field_def *f, const char *m)
{
	struct ipc_str blob;
	const char *s = NULL;

	buf_printf(b, " %s=", f->name);
	switch (f->kind) {
	case F_U8:
		buf_printf(b, "%u", *(const uint8_t *)(m + f->off));
		return;
	case F_U16:
		buf_printf(b, "%u", *(const uint16_t *)(m + f->off));
		return;
	case F_U32:
		buf_printf(b, "%lu",
		    (unsigned long)*(const uint32_t *)(m + f->off));
		return;
	case F_U64:
		buf_printf(b, "%llu",
		    (unsigned long long)*(const uint64_t *)(m + f->off));
		return;
	case F_STR:
		memcpy(&s, m + f->off, sizeof(s));
		if (s == NULL)
			s = "";
		if (is_secret(f->name))
			buf_printf(b, "<%zu bytes>", strlen(s));
		else
			describe_text(b, s);
		return;
	case F_BLOB:
		memcpy(&blob, m + f->off, sizeof(blob));
		buf_printf(b, "<%zu bytes>", blob.len);
	}
}

void
ipc_describe(struct buf *b, const struct ipc_pkt *pkt)
{
	const struct field_def *f;

	if (pkt == NULL || (unsigned)pkt->type >= IPC_MAX ||
	    pkt->type == IPC_NONE) {
		buf_puts(b, "nothing");
		return;
	}
	buf_printf(b, "%s session=%lu seq=%lu", ipc_name(pkt->type),
	    (unsigned long)pkt->session, (unsigned long)pkt->seq);
	if (pkt->fd != -1)
		buf_printf(b, " fd=%d", pkt->fd);
	if (pkt->m == NULL)
		return;
	for (f = msgs[pkt->type].fields(); f->name != NULL; f++)
		describe_field(b, f, pkt->m);
}
