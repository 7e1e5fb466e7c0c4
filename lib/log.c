/*
 * Log records, in every process: formatted here, sent in packets to logd.
 * Never blocks, never fails its caller, and never writes a file itself.
 * Threads may log: a record is one send of one stack buffer.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum {
	LOG_RECORD = 2000,	/* bytes of one record, all in all */
	LOG_TAG = 200,		/* of its tag */
	LOG_LEVELS = 4		/* tags with a level of their own */
};

static char		log_name[LOG_TAG + 1] = "cgate";
static int		log_fd = -1;
static bool		log_stderr;
static int		log_level = LOG_PROBLEM, log_highest = LOG_PROBLEM;
static atomic_ulong	log_lost;

static struct {
	const char	*tag;
	int		 level;
} log_levels[LOG_LEVELS];
static size_t		log_nlevels;

void
log_init(const char *tag, int fd, int to_stderr)
{
	log_set_tag(tag);
	log_fd = fd;
	log_stderr = to_stderr;
}

void
log_set_tag(const char *tag)
{
	snprintf(log_name, sizeof(log_name), "%s", tag);
}

void
log_set_level(int level)
{
	log_level = log_highest = level;
	log_nlevels = 0;
}

void
log_set_level_of(const char *tag, int level)
{
	size_t i;

	for (i = 0; i < log_nlevels; i++)
		if (strcmp(log_levels[i].tag, tag) == 0)
			break;
	if (i == LOG_LEVELS)
		panic("no room for the level of %s", tag);
	if (i == log_nlevels)
		log_levels[log_nlevels++].tag = tag;
	log_levels[i].level = level;
	log_highest = log_level;
	for (i = 0; i < log_nlevels; i++)
		if (log_levels[i].level > log_highest)
			log_highest = log_levels[i].level;
}

int
log_get_level(void)
{
	return log_highest;
}

static bool
wanted(int level, const char *tag)
{
	size_t i, n;

	if (level > log_highest)
		return false;
	for (i = 0; i < log_nlevels; i++) {
		n = strlen(log_levels[i].tag);
		if (strncmp(tag, log_levels[i].tag, n) == 0 &&
		    (tag[n] == '\0' || tag[n] == '-' || tag[n] == '('))
			return level <= log_levels[i].level;
	}
	return level <= log_level;
}

/* A record is one line: nothing in it may end it or drive a terminal. */
static void
harmless(char *p, size_t len)
{
	for (; len > 0; p++, len--)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = *p == '\t' ? ' ' : '?';
}

/* False if the kernel would not take it now. */
static bool
emit(char *rec, size_t len)
{
	struct iovec iov[2] = { { rec, len }, { "\n", 1 } };

	if (log_fd == -1 || log_stderr)
		(void)!writev(STDERR_FILENO, iov, 2);
	if (log_fd == -1)
		return true;
	return send(log_fd, rec, len, MSG_DONTWAIT | MSG_NOSIGNAL) != -1;
}

/* Tells how many were lost, once one gets through again. */
static void
tell_lost(void)
{
	unsigned long n = atomic_exchange(&log_lost, 0);
	char rec[128];
	int len;

	if (n == 0)
		return;
	len = snprintf(rec, sizeof(rec), "%d %s %lu log records lost",
	    LOG_CRASH, log_name, n);
	if (!emit(rec, len))
		atomic_fetch_add(&log_lost, n);
}

static void
record(int level, const char *tag, const char *fmt, va_list ap, int err)
    __attribute__((format(printf, 3, 0)));

/* err: errno to tell as well, or 0. */
static void
record(int level, const char *tag, const char *fmt, va_list ap, int err)
{
	char rec[LOG_RECORD], why[128];
	int saved = errno, n;
	size_t len;

	if (log_fd == -1)	/* for a person, not for the log */
		n = snprintf(rec, sizeof(rec), "%.*s: ", LOG_TAG,
		    program_invocation_short_name);
	else
		n = snprintf(rec, sizeof(rec), "%d %.*s ", level, LOG_TAG, tag);
	len = n < 0 ? 0 : n;
	n = vsnprintf(rec + len, sizeof(rec) - len, fmt, ap);
	if (n < 0)
		n = 0;
	len += n;
	if (len >= sizeof(rec)) {
		len = sizeof(rec) - 1;
		memcpy(rec + len - 3, "...", 3);
	}
	if (err != 0 && len < sizeof(rec) - 1) {
		n = snprintf(rec + len, sizeof(rec) - len, ": %s",
		    strerror_r(err, why, sizeof(why)));
		len = n > 0 && (size_t)n < sizeof(rec) - len ? len + n
							     : sizeof(rec) - 1;
	}
	harmless(rec, len);
	if (atomic_load_explicit(&log_lost, memory_order_relaxed) != 0)
		tell_lost();
	if (!emit(rec, len))
		atomic_fetch_add(&log_lost, 1);
	errno = saved;
}

void
log_vtag(int level, const char *tag, const char *fmt, va_list ap)
{
	if (wanted(level, tag))
		record(level, tag, fmt, ap, 0);
}

void
log_tag(int level, const char *tag, const char *fmt, ...)
{
	va_list ap;

	if (!wanted(level, tag))
		return;
	va_start(ap, fmt);
	record(level, tag, fmt, ap, 0);
	va_end(ap);
}

void
log_as(int level, const char *word, const char *fmt, ...)
{
	const char *object = strchr(log_name, '(');
	char tag[LOG_TAG + 1];
	va_list ap;

	if (!wanted(level, word))
		return;
	snprintf(tag, sizeof(tag), "%s%s", word, object != NULL ? object : "");
	va_start(ap, fmt);
	record(level, tag, fmt, ap, 0);
	va_end(ap);
}

void
log_always(int level, const char *tag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(level, tag, fmt, ap, 0);
	va_end(ap);
}

void
log_msg(int level, const char *fmt, ...)
{
	va_list ap;

	if (!wanted(level, log_name))
		return;
	va_start(ap, fmt);
	record(level, log_name, fmt, ap, 0);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(LOG_CRASH, log_name, fmt, ap, errno);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(LOG_CRASH, log_name, fmt, ap, 0);
	va_end(ap);
}

/*
 * The last words go to stderr as well, for whoever started us: nothing else
 * may be left to tell why we went.
 */
static void
last_words(const char *fmt, va_list ap, int err)
    __attribute__((format(printf, 1, 0)));

static void
last_words(const char *fmt, va_list ap, int err)
{
	log_stderr = true;
	record(LOG_CRASH, log_name, fmt, ap, err);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;
	int err = errno;

	va_start(ap, fmt);
	last_words(fmt, ap, err);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	last_words(fmt, ap, 0);
	va_end(ap);
	exit(1);
}

void
panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	last_words(fmt, ap, 0);
	va_end(ap);
	abort();
}
