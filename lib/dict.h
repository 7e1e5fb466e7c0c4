/*
 * Dictionaries, arrays and strings: the settings files' and the command
 * language's data (manual 47), and on input the later forms of
 * reference/cli-on-the-wire: #5, #NULL#, #T..., #I[...]:n, [base64].
 *
 * A value is a tree with one owner; free the root.  Keys keep their case and
 * are unique; a dictionary is kept and written in the order of its keys.
 */
#ifndef CG_DICT_H
#define CG_DICT_H

#include <sys/types.h>

#include "buf.h"

enum val_type {
	VAL_STRING,		/* any bytes, NUL included: see val_len() */
	VAL_ARRAY,
	VAL_DICT,
	VAL_NUMBER,		/* #5 */
	VAL_NULL,		/* #NULL# */
	VAL_TIME,		/* #T21-11-2026_10:00:00, as text */
	VAL_ADDR,		/* #I[1.2.3.4]:25, as text */
	VAL_DATA		/* [base64], decoded */
};

struct val;

enum { DICT_MAXDEPTH = 64, DICT_MAXSIZE = 16 * 1024 * 1024 };

struct val	*val_string(const char *);
struct val	*val_bytes(const void *, size_t);
struct val	*val_number(int64_t);
struct val	*val_array(void);
struct val	*val_dict(void);
struct val	*val_copy(const struct val *);
void		 val_free(struct val *);	/* NULL is fine; wipes */

enum val_type	 val_type(const struct val *);
/* Text of a scalar (a number's is decimal); NULL for an array or dict. */
const char	*val_text(const struct val *);
size_t		 val_len(const struct val *);

/* Arrays and dictionaries: how many; the n-th; the n-th key. */
size_t		 val_count(const struct val *);
struct val	*val_at(const struct val *, size_t);
const char	*val_key(const struct val *, size_t);
/* Takes ownership of the element, also when it fails (-1, ENOMEM). */
int		 val_append(struct val *array, struct val *);
/* Replaces or adds; a NULL value removes the key. */
int		 dict_set(struct val *, const char *key, struct val *);
int		 dict_setf(struct val *, const char *key, const char *, ...)
		    __attribute__((format(printf, 3, 4)));
/* NULL for an absent key; also when the first argument is NULL or no dict. */
struct val	*dict_get(const struct val *, const char *key);
/* Text at key, or dflt. */
const char	*dict_str(const struct val *, const char *key,
		    const char *dflt);
/* YES/NO (also True/False, 1/0). */
bool		 dict_bool(const struct val *, const char *key, bool dflt);
/* Decimal with an optional K, M, G or s, m, h, d unit; bytes or seconds. */
int64_t		 dict_int(const struct val *, const char *key, int64_t dflt);
/* The same of one value ("unlimited" is -1); false if it is no number. */
bool		 val_int(const struct val *, int64_t *);

/*
 * Reads one object at the cursor and leaves the cursor behind it.  NULL and
 * *err (a constant text) on bad input.  Comments do not exist in the format.
 */
struct val	*val_parse(struct cur *, const char **err);
/* Whole text must be one object (white space around is fine). */
struct val	*val_parse_all(const char *, size_t, const char **err);
/*
 * One word of a command line: a quoted string, or unquoted up to white space
 * or one of { } ( ) = ; , " ; false at the end of the line or on bad quoting.
 */
bool		 val_word(struct cur *, struct buf *);
/* Writes it; pretty puts a dictionary's or array's elements on lines. */
bool		 val_write(struct buf *, const struct val *, bool pretty);
/* One string, quoted if it must be. */
bool		 val_write_string(struct buf *, const char *, size_t);

/* File of one object, at most DICT_MAXSIZE; dirfd AT_FDCWD or an fd. */
struct val	*val_read_file(int dirfd, const char *path, const char **err);
struct val	*val_read_fd(int fd, const char **err);	/* pread from 0 */
/* Write-new, fsync, rename, directory fsync: -1 and errno. */
int		 val_write_file(int dirfd, const char *path, mode_t,
		    const struct val *);
/* The same by file_replace_alone(): not where others may plant something. */
int		 val_write_file_alone(int dirfd, const char *path, mode_t,
		    const struct val *);
#endif
