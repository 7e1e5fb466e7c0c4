/*
 * cgmail is mail, sendmail and mailq, by the name it is called under: the
 * drop-in commands of manual 57.  It runs as whoever calls it, has no rights
 * of its own, and leaves its message in Submitted/.
 */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgmail.h"
#include "conf.h"

const char *base_arg;
static const char *progname = "sendmail";

void
quit(int status, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", progname);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* -d, or what the configuration says, or the usual place. */
const char *
base_dir(void)
{
	static struct conf conf;
	const char *file = getenv("CG_CONF");
	char *err = NULL;

	if (base_arg != NULL)
		return base_arg;
	if (conf.base != NULL)
		return conf.base;
	if (conf_load(&conf, file == NULL ? CG_SYSCONFDIR "/cgserver.conf" :
	    file, file != NULL, &err) == -1)
		quit(EX_CONFIG, "%s", err);
	return conf.base == NULL ? CG_BASEDIR : conf.base;
}

static const struct passwd *
me(void)
{
	static struct passwd *pw;

	if (pw == NULL)
		pw = getpwuid(getuid());
	return pw;
}

const char *
login_name(void)
{
	static char number[24];
	const struct passwd *pw = me();

	if (pw != NULL)
		return pw->pw_name;
	snprintf(number, sizeof(number), "uid-%u", (unsigned)getuid());
	return number;
}

/* The first part of the comment in passwd, & standing for the name. */
const char *
full_name(void)
{
	const struct passwd *pw = me();
	static char name[128];
	size_t n;

	if (getenv("NAME") != NULL)
		return getenv("NAME");
	if (pw == NULL || strchr(pw->pw_gecos, '&') != NULL)
		return "";
	n = strcspn(pw->pw_gecos, ",");
	snprintf(name, sizeof(name), "%.*s", (int)(n < 120 ? n : 120),
	    pw->pw_gecos);
	return name;
}

/* Its own name or, where other mailers are installed too, mailq.cgate. */
static bool
called(const char *name)
{
	size_t n = strlen(name);

	return strncmp(progname, name, n) == 0 &&
	    (progname[n] == '\0' || strcmp(progname + n, ".cgate") == 0);
}

int
main(int argc, char *argv[])
{
	const char *slash = strrchr(argv[0], '/');

	progname = slash == NULL ? argv[0] : slash + 1;
	umask(077);
	if (called("mailq"))
		return sendmail_main(argc, argv, 'p');
	if (called("mail") || called("mailx"))
		return mail_main(argc, argv);
	return sendmail_main(argc, argv, 'm');
}
