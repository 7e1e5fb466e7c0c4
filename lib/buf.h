/*
 * Bounded reading and growing writing: the two things every parser and every
 * formatter of the suite is made of.  No pointer arithmetic elsewhere.
 */
#ifndef CG_BUF_H
#define CG_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cursor over bytes that belong to somebody else. */
struct cur {
	const char	*p;
	const char	*end;
};

/* A piece of text that belongs to somebody else; never NUL-terminated. */
struct str {
	const char	*p;
	size_t		 len;
};

/* Text that grows up to max bytes (0: a buffer's default of 64 MiB). */
struct buf {
	char	*p;		/* always NUL-terminated once p is not NULL */
	size_t	 len;
	size_t	 cap;
	size_t	 max;
	bool	 failed;	/* something did not fit; sticky */
};

struct cur	cur_make(const void *, size_t);
struct cur	cur_str(const char *);
static inline size_t cur_left(const struct cur *c) { return c->end - c->p; }
/* The next byte, or -1 at the end; peek does not move. */
int		cur_peek(const struct cur *);
int		cur_get(struct cur *);
bool		cur_skip(struct cur *, size_t);
void		cur_ws(struct cur *);			/* blanks and tabs */
bool		cur_lit(struct cur *, const char *);	/* exact text */
bool		cur_caselit(struct cur *, const char *);	/* any case */
/* Bytes up to (not over) the first of the given set, or to the end. */
struct str	cur_until(struct cur *, const char *set);
/* Bytes while in the given set. */
struct str	cur_span(struct cur *, const char *set);
/* Unsigned decimal, at most max; false if no digit stands there or too big. */
bool		cur_u64(struct cur *, uint64_t *, uint64_t max);
/* The line at the cursor without its CRLF or LF; false at the end. */
bool		cur_line(struct cur *, struct str *);
/* The same, where a CR alone ends a line, too. */
bool		cur_anyline(struct cur *, struct str *);

struct str	str_make(const char *);
bool		str_eq(struct str, const char *);
bool		str_caseeq(struct str, const char *);
/* A fresh NUL-terminated copy (free it), or NULL. */
char		*str_dup(struct str);
/* Copies into a fixed array; false (and an empty string) if it won't fit. */
bool		str_copy(struct str, char *, size_t);

void		buf_init(struct buf *, size_t max);
void		buf_free(struct buf *);
void		buf_reset(struct buf *);
bool		buf_add(struct buf *, const void *, size_t);
/* Makes sure that so many bytes more fit without moving p again. */
bool		buf_reserve(struct buf *, size_t);
bool		buf_puts(struct buf *, const char *);
bool		buf_putc(struct buf *, int);
bool		buf_printf(struct buf *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
bool		buf_vprintf(struct buf *, const char *, va_list)
		    __attribute__((format(printf, 2, 0)));
/* Takes the text out of the buffer (free it); NULL if it failed. */
char		*buf_steal(struct buf *);

/* For start-up and tiny objects only: fatal when memory is out. */
void		*xcalloc(size_t, size_t);
char		*xstrdup(const char *);
char		*xasprintf(const char *, ...)
		    __attribute__((format(printf, 1, 2)));
#endif
