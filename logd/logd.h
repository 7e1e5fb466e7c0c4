/* Between logd's files; nobody else's. */
#ifndef LOGD_H
#define LOGD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* file.c: the current file of SystemLogs/ */
void	logfile_open(int basefd);
/* Bytes; seconds; seconds.  0: never. */
void	logfile_limits(uint64_t size, int64_t every, int64_t keep);
/* Formats one record into the batch; the text has no line end. */
void	logfile_record(const char *text, size_t len);
/* Writes the batch: one write. */
void	logfile_flush(void);
/* Deletes what is too old. */
void	logfile_expire(void);

/* tags.c */
/* A record's tag; false if it is no record. */
bool	tag_of_record(struct str record, struct str *tag);
/* May that process ("smtpd") write under it? */
bool	tag_is_its(const char *source, struct str tag);
#endif
