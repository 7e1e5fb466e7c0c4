/*
 * The log files: SystemLogs/2001-04-04.log, a new one each day, each so many
 * seconds, or when one has become too large (then with the time in its name),
 * and their deletion by age.  Runs in logd, which is their only writer.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "logd.h"

enum { BATCH_MAX = 1024 * 1024 };

static int		dirfd_logs = -1, fd = -1;
static char		current[48];
static int		day;		/* tm_yday + 1 of the current file */
static time_t		began;
static uint64_t		size, max_size;
static int64_t		max_time, max_age;
static struct buf	batch;
static uint64_t		in_batch;	/* records */
static uint64_t		lost;		/* records the disk did not take */

static void
name_of(char *name, size_t len, const struct tm *tm, int serial)
{
	char date[32];

	strftime(date, sizeof date, serial == 0 ? "%Y-%m-%d" :
	    "%Y-%m-%d_%H-%M", tm);
	if (serial < 2)
		snprintf(name, len, "%s.log", date);
	else
		snprintf(name, len, "%s_%d.log", date, serial);
}

/* Goes on with the day's file unless a fresh one is wanted. */
static void
open_file(const struct tm *tm, time_t now, int fresh)
{
	struct stat st;
	int serial = fresh ? 1 : 0;

	if (fd != -1)
		close(fd);
	do {
		name_of(current, sizeof current, tm, serial++);
		fd = openat(dirfd_logs, current, O_WRONLY | O_CREAT |
		    O_APPEND | O_CLOEXEC | O_NOFOLLOW |
		    (fresh ? O_EXCL : 0), 0640);
	} while (fd == -1 && errno == EEXIST && serial < 1000);
	size = fd != -1 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	day = tm->tm_yday + 1;
	began = now;
}

void
logfile_open(int basefd)
{
	time_t now = time(NULL);
	struct tm tm;

	dirfd_logs = openat(basefd, "SystemLogs",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd_logs == -1)
		fatal("SystemLogs");
	buf_init(&batch, BATCH_MAX);
	localtime_r(&now, &tm);
	open_file(&tm, now, 0);
}

void
logfile_limits(uint64_t bytes, int64_t every, int64_t keep)
{
	max_size = bytes;
	max_time = every;
	max_age = keep;
}

static void
rotate(const struct tm *tm, time_t now)
{
	int fresh;

	if (fd != -1 && day != tm->tm_yday + 1)
		fresh = 0;
	else if (fd == -1)
		fresh = 0;
	else if ((max_size != 0 && size > max_size) ||
	    (max_time != 0 && now - began > max_time))
		fresh = 1;
	else
		return;
	logfile_flush();
	open_file(tm, now, fresh);
	logfile_expire();
}

void
logfile_record(const char *text, size_t len)
{
	struct timespec ts;
	static struct tm tm;
	static time_t last;
	size_t i;

	if (len < 2)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (ts.tv_sec != last) {
		last = ts.tv_sec;
		localtime_r(&ts.tv_sec, &tm);
		rotate(&tm, ts.tv_sec);
	}
	if (batch.len + len + 32 > BATCH_MAX)
		logfile_flush();
	buf_printf(&batch, "%02d:%02d:%02d.%03d ", tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (int)(ts.tv_nsec / 1000000));
	buf_add(&batch, text, len);
	/* A sender that was taken over must not write a second line. */
	for (i = batch.len - len; i < batch.len; i++)
		if ((unsigned char)batch.p[i] < ' ' || batch.p[i] == 0x7f)
			batch.p[i] = '?';
	buf_putc(&batch, '\n');
	in_batch++;
}

void
logfile_flush(void)
{
	char note[96];

	if (batch.len == 0)
		return;
	if (lost != 0 && fd != -1) {
		snprintf(note, sizeof note, "--:--:--.--- 1 LOG %llu records "
		    "lost: the disk did not take them\n",
		    (unsigned long long)lost);
		if (file_write(fd, note, strlen(note)) == 0)
			lost = 0;
	}
	if (fd == -1 || file_write(fd, batch.p, batch.len) == -1)
		lost += in_batch;
	else
		size += batch.len;
	in_batch = 0;
	buf_reset(&batch);
}

void
logfile_expire(void)
{
	struct dirent *de;
	struct stat st;
	DIR *d;

	if (max_age == 0)
		return;
	d = file_list(openat(dirfd_logs, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL) {
		if (!path_ends(de->d_name, ".log") ||
		    strcmp(de->d_name, current) == 0)
			continue;
		if (fstatat(dirfd_logs, de->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mtime < time(NULL) - max_age)
			unlinkat(dirfd_logs, de->d_name, 0);
	}
	closedir(d);
}
