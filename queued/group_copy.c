/*
 * Copies of a message for a group's members: who wrote it to whom is read
 * from its header, then as many copies are written as the members need.  Runs
 * in queued's threads.  Must never change a field of the message; Reply-To
 * alone is replaced where the group wants that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "file.h"
#include "group.h"
#include "log.h"
#include "rfc5322.h"

enum {
	MAXLIST = 256 * 1024 * 1024,	/* what routerd may say */
	MAXADDRS = 4000,		/* of the header that are looked at */
	CHUNK = 64 * 1024
};

/* --- in a thread: the header --- */

static void
add_address(struct str addr, struct str name, void *arg)
{
	struct val *list = arg;

	if (addr.len > 0 && addr.len <= ADDR_MAX &&
	    val_count(list) < MAXADDRS)
		val_append(list, val_bytes(addr.p, addr.len));
}

static void
read_fields(struct expand *x, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	struct val *author = val_array(), *to = val_array();
	struct field f;
	struct buf b;

	buf_init(&b, 0);
	while (field_next(&c, &f)) {
		struct val *list = str_caseeq(f.name, "From") ? author :
		    str_caseeq(f.name, "To") || str_caseeq(f.name, "Cc") ?
		    to : NULL;

		if (list == NULL)
			continue;
		buf_reset(&b);
		if (field_unfold(&b, f.body))
			addr_list((struct str){ b.p, b.len }, add_address,
			    list);
	}
	buf_free(&b);
	x->header = val_dict();
	dict_set(x->header, "Author", author);
	dict_set(x->header, "To", to);
}

void
group_header_work(struct sreq *r)
{
	struct expand *x = (struct expand *)r;
	uint64_t len = x->length < RFC5322_MAXHEADER ? x->length :
						       RFC5322_MAXHEADER;
	ssize_t n = -1;
	char *text;
	int fd;

	x->err = 0;
	if ((fd = disk_open(x->dir, x->of, "msg")) == -1) {
		x->err = errno;
		x->lost = errno == ENOENT;
		return;
	}
	if ((text = malloc(len + 1)) != NULL)
		n = file_pread(fd, text, len, x->offset);
	if (n == -1)
		x->err = errno == 0 ? ENOMEM : errno;
	else
		read_fields(x, (struct str){ text,
		    header_end((struct str){ text, n }) });
	free(text);
	close(fd);
}

/* --- in a thread: the copies --- */

/* Its own Reply-To would lead away from the group. */
static int
put_header(struct disk_out *o, const struct expand *x, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	const char *from = header.p;
	struct field f;

	if (disk_put(o, "Reply-To: ", 10) == -1 ||
	    disk_put(o, x->replyto, strlen(x->replyto)) == -1 ||
	    disk_put(o, "\n", 1) == -1)
		return -1;
	while (field_next(&c, &f)) {
		if (!str_caseeq(f.name, "Reply-To"))
			continue;
		if (disk_put(o, from, f.whole.p - from) == -1)
			return -1;
		from = f.whole.p + f.whole.len;
	}
	return disk_put(o, from, header.p + header.len - from);
}

static int
copy_message(struct disk_out *o, const struct expand *x, int from)
{
	uint64_t at = 0;
	size_t room = *x->replyto != '\0' ? RFC5322_MAXHEADER : CHUNK;
	char *buf = malloc(room);
	ssize_t n = -1;

	if (buf == NULL)
		return -1;
	if (*x->replyto != '\0' && (n = file_pread(from, buf,
	    x->length < room ? x->length : room, x->offset)) != -1) {
		at = header_end((struct str){ buf, n });
		n = put_header(o, x, (struct str){ buf, at });
	} else if (*x->replyto == '\0')
		n = 0;
	while (n != -1 && at < x->length) {
		n = file_pread(from, buf, x->length - at < CHUNK ?
		    x->length - at : CHUNK, x->offset + at);
		if (n == 0) {
			errno = EIO;
			n = -1;
		}
		if (n == -1 || disk_put(o, buf, n) == -1) {
			n = -1;
			break;
		}
		at += n;
	}
	free(buf);
	return n == -1 ? -1 : 0;
}

/* As many of the list's lines as one copy takes. */
static bool
put_rcpts(struct buf *b, const struct expand *x, struct cur *list,
    int64_t now)
{
	const struct qfile_rcpt *q = x->rcpt->q;
	unsigned int notify = x->final ? QN_NEVER : q->notify;
	char addr[QFILE_MAXVALUE + 1];
	struct str line;
	size_t n;

	for (n = 0; n < GROUP_MAXRCPTS && b->len < GROUP_MAXBYTES &&
	    cur_line(list, &line);) {
		if (!str_copy(line, addr, sizeof(addr)))
			continue;
		if (!qfile_rcpt(b, now, addr, notify,
		    x->final ? NULL : q->orcpt))
			return false;
		n++;
	}
	return n > 0;
}

static bool
envelope(struct buf *b, const struct expand *x, struct cur *list)
{
	const struct qfile *q = &x->msg->q;
	char options[8] = "T", which[32];
	static const char passed_on[] = "8URN";
	int64_t now = time(NULL);
	struct cur ahead;
	struct buf rcpts;
	size_t n = 1, i;
	bool ok;

	for (i = 0; passed_on[i] != '\0'; i++)
		if (strchr(q->options, passed_on[i]) != NULL)
			options[n++] = passed_on[i];
	if (x->all)
		options[n++] = 'A';
	buf_init(&rcpts, 0);
	ok = put_rcpts(&rcpts, x, list, now);
	ahead = *list;
	snprintf(which, sizeof(which), "%zu%c",
	    (size_t)(x->rcpt - x->msg->rcpts),
	    cur_left(&ahead) == 0 ? 'G' : 'P');
	ok = ok && qfile_from(b, now, q->sender, q->ret, q->envid) &&
	    qfile_about(b, x->of, which) && qfile_passed(b, x->passed) &&
	    qfile_options(b, options) &&
	    qfile_source(b, q->account, "LIST", q->peer) &&
	    qfile_local(b, q->local) && buf_add(b, rcpts.p, rcpts.len) &&
	    qfile_end(b) && !b->failed;
	buf_free(&rcpts);
	return ok;
}

static int
write_copy(struct expand *x, struct copy *c, struct buf *env, int from, int fd)
{
	struct disk_out o = { .fd = fd, .at = env->len };
	char z[QFILE_ZLEN + 1];
	const char *why;

	qfile_free(&c->q);
	if (qfile_parse(&c->q, env->p, env->len, &why) != 0 ||
	    copy_message(&o, x, from) == -1)
		return -1;
	c->q.receipt = x->msg->q.receipt;
	c->q.test = x->msg->q.test;
	qfile_z(z, o.len, o.crc);
	memcpy(env->p + c->q.zat, z, QFILE_ZLEN);
	c->size = o.len;
	if (file_pwrite(fd, env->p, env->len, 0) == -1 ||
	    special_utf8(&c->q, fd, c->size) == -1)
		return -1;
	return disk_publish(fd, c->id);
}

static int
make_copy(struct expand *x, struct copy *c, struct cur *list, int from)
{
	char name[NAME_LEN];
	struct buf env;
	int fd, rc = -1;

	buf_init(&env, QFILE_MAXENVELOPE);
	disk_name(name, NULL, c->id, "tmp");
	if (!envelope(&env, x, list)) {
		buf_free(&env);
		errno = EMSGSIZE;
		return -1;
	}
	fd = openat(disk.queue, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd != -1 && (rc = write_copy(x, c, &env, from, fd)) == -1) {
		int saved = errno;

		disk_unlink(NULL, c->id, "tmp");
		errno = saved;
	}
	if (fd != -1)
		close(fd);
	buf_free(&env);
	c->durable = rc == 0;
	return rc;
}

static void
undo(struct expand *x)
{
	size_t i;

	for (i = 0; i < x->used; i++)
		if (x->copies[i].durable &&
		    disk_unlink(NULL, x->copies[i].id, "msg") == 0)
			x->copies[i].durable = false;
	x->used = 0;
}

/* The last one's envelope says that it is the last. */
static int
make_copies(struct expand *x)
{
	struct cur list;
	size_t len;
	char *text;
	int from, rc = 0;

	if (x->count == 0)
		return 0;
	if ((text = file_read_fd(x->fd, MAXLIST, &len)) == NULL)
		return -1;
	if ((from = disk_open(x->dir, x->of, "msg")) == -1) {
		x->lost = errno == ENOENT;
		free(text);
		return -1;
	}
	list = cur_make(text, len);
	while (rc == 0 && cur_left(&list) > 0) {
		errno = E2BIG;
		rc = x->used == x->ncopies ? -1 : make_copy(x,
		    &x->copies[x->used], &list, from);
		if (rc == 0)
			x->used++;
	}
	if (rc == -1) {
		int saved = errno;

		undo(x);
		errno = saved;
	}
	close(from);
	free(text);
	return rc;
}

void
group_copies_work(struct sreq *r)
{
	struct expand *x = (struct expand *)r;

	x->err = 0;
	if (x->used == 0 && make_copies(x) == -1) {
		x->err = errno;
		return;
	}
	if (disk_letter(x->dir, x->of, x->rcpt->q->at, 'D') == -1)
		x->err = errno;
	else
		x->marked = true;
}
