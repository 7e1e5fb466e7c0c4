/*
 * Log records, manual 06 and reference/log-lines: a level digit, a tag, text.
 * They go in packets to logd and never block: what does not fit is dropped
 * and counted, and the count is told with the next record that gets through.
 *
 * Three kinds of trouble, three words:
 *	log_warn	the environment failed us; say it and go on
 *	fatal		start-up cannot go on; exit 1
 *	panic		our own bug; abort with a core
 * Never log a password, at any level.
 */
#ifndef CG_LOG_H
#define CG_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum log_level {
	LOG_CRASH = 1,		/* crashes and failures */
	LOG_MAJOR = 2,		/* transfer reports */
	LOG_PROBLEM = 3,
	LOG_LOW = 4,		/* protocol */
	LOG_ALL = 5		/* link data */
};

/*
 * Default tag ("SMTPI"), the packet socket to logd or -1 for stderr only,
 * and whether to write to stderr as well.
 */
void	log_init(const char *tag, int fd, int to_stderr);
/* Another tag, for a process that serves one account: "MAILBOX(ann@x.com)". */
void	log_set_tag(const char *);
/* Records above this level are not even formatted. */
void	log_set_level(int);
/*
 * Some tags' records, and those of their sessions and objects, go by a level
 * of their own, until log_set_level() is called again.  The tag must last.
 */
void	log_set_level_of(const char *tag, int);
/* The highest of all of them. */
int	log_get_level(void);
/* A record under the process's own tag. */
void	log_msg(int level, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* The same under another tag: "SMTPI-000012([127.0.0.1])". */
void	log_tag(int level, const char *tag, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
void	log_vtag(int level, const char *tag, const char *, va_list)
	    __attribute__((format(printf, 3, 0)));
/* Under the process's tag with this before its object: "ACCOUNT(ann@x.com)". */
void	log_as(int level, const char *word, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* The same at any level that is set: what somebody has just asked for. */
void	log_always(int level, const char *tag, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* Level 1, with ": strerror(errno)" where errno is set; log_warnx without. */
void	log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
void	fatal(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	fatalx(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	panic(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
#endif
