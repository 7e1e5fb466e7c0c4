/* Small durable files, and descriptors that carry bytes between processes. */
#ifndef CG_FILE_H
#define CG_FILE_H

#include <sys/types.h>
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write-new, fsync, rename, directory fsync.  -1 and errno. */
int	file_replace(int dirfd, const char *path, mode_t, const void *,
	    size_t);
/*
 * The same of a file that one thread of one process writes, where nobody else
 * can plant anything: what it left when it was killed goes with the next.
 */
int	file_replace_alone(int dirfd, const char *path, mode_t, const void *,
	    size_t len);
/*
 * The same by a name of the caller's in dirfd itself, for files that one process
 * alone writes: at most one such name is ever left behind, and is known.
 */
int	file_replace_by(int dirfd, const char *tmp, const char *name, mode_t,
	    const void *, size_t);
/* Whole file, at most max bytes, NUL added; free it.  NULL and errno. */
char	*file_read(int dirfd, const char *path, size_t max, size_t *len);
char	*file_read_fd(int fd, size_t max, size_t *len);	/* pread from 0 */
/* All of it or -1: loops over short writes and EINTR. */
int	file_pwrite(int fd, const void *, size_t, off_t);
int	file_write(int fd, const void *, size_t);
/* Bytes read, less than asked only at the end of the file. */
ssize_t	file_pread(int fd, void *, size_t, off_t);
/* Sealed memfd of these bytes, for sending to another process.  -1, errno. */
int	file_memfd(const char *name, const void *, size_t);
/*
 * Opens below a directory that somebody else may have planted things in:
 * openat2 with RESOLVE_BENEATH and NO_SYMLINKS, O_NOFOLLOW, O_NONBLOCK; then
 * refuses what is not a regular file with one link (EPERM).  With
 * O_DIRECTORY the check is for a directory.  DECISIONS, Mailboxes.
 */
int	file_open_beneath(int dirfd, const char *path, int flags, mode_t);
/* To list it; takes the descriptor, which may be -1.  NULL and errno. */
DIR	*file_list(int fd);
/* Absolute, and each of its parts a name: no "//", no "." or "..". */
bool	path_is_plain(const char *);
/* By what its name tells: "john.macnt" ends so, ".macnt" does not. */
bool	path_ends(const char *, const char *end);
/* CRC-32C of RFC 3720; start with 0. */
uint32_t crc32c(uint32_t, const void *, size_t);
#endif
