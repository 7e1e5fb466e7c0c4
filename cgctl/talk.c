/*
 * A session of the administration language over the base directory's socket.
 * Blocking: cgctl has nothing else to do.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cgctl.h"
#include "file.h"

static int		fd = -1;
static FILE		*in;
static char		*answer;
static size_t		 answer_size;

static int
connect_socket(bool loud)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int dir, s, why;

	/* A path that is too long for sun_path is reached by descriptor. */
	dir = open(conf.base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		fail("socket: %s", strerror(errno));
	snprintf(sun.sun_path, sizeof(sun.sun_path),
	    "/proc/self/fd/%d/cgctl.sock", dir);
	if (dir == -1 || connect(s, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		why = errno;
		if (loud && server_pid() == 0)
			fprintf(stderr, "cgctl: cgate is not running (base "
			    "directory %s); `cgctl start' starts it\n",
			    conf.base);
		else if (loud)
			fprintf(stderr, "cgctl: no server answers in %s: %s\n",
			    conf.base, strerror(why));
		close(s);
		s = -1;
	}
	if (dir != -1)
		close(dir);
	return s;
}

/* Its code, or -1 when the server has gone; text without the line's end. */
static int
read_answer(const char **text)
{
	ssize_t n = getline(&answer, &answer_size, in);

	*text = "the server has closed the connection";
	if (n < 4)
		return -1;
	while (n > 0 && (answer[n - 1] == '\n' || answer[n - 1] == '\r'))
		answer[--n] = '\0';
	if (n < 3)
		return -1;
	*text = answer + (n > 4 ? 4 : n);
	return atoi(answer);
}

static int
send_line(const char *line, const char **text)
{
	if (file_write(fd, line, strlen(line)) == -1 ||
	    file_write(fd, "\r\n", 2) == -1) {
		*text = "the server has closed the connection";
		return -1;
	}
	return read_answer(text);
}

char *
talk_ask(const char *prompt, bool secret)
{
	struct termios t, quiet;
	char *line = NULL;
	size_t size = 0;
	FILE *tty = fopen("/dev/tty", "r+");
	ssize_t n;

	if (tty == NULL)
		return NULL;
	if (secret && tcgetattr(fileno(tty), &t) == 0) {
		quiet = t;
		quiet.c_lflag &= ~ECHO;
		tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	}
	fputs(prompt, tty);		/* what is typed now is not lost */
	fflush(tty);
	n = getline(&line, &size, tty);
	if (secret) {
		tcsetattr(fileno(tty), TCSAFLUSH, &t);
		fputc('\n', tty);
	}
	fclose(tty);
	if (n <= 0)
		fail("nothing was given");
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static char *
must_ask(const char *prompt, bool secret)
{
	char *line = talk_ask(prompt, secret);

	if (line == NULL)
		fail("you are not the server's owner: set CG_ADMIN_NAME and "
		    "CG_ADMIN_PASSWORD, or use a terminal");
	return line;
}

static void
login(void)
{
	const char *name = getenv("CG_ADMIN_NAME"), *text;
	const char *password = getenv("CG_ADMIN_PASSWORD");
	struct buf b;
	int code;

	if (name == NULL)
		name = must_ask("Account: ", false);
	if (password == NULL)
		password = must_ask("Password: ", true);
	buf_init(&b, 4096);
	buf_puts(&b, "USER ");
	val_write_string(&b, name, strlen(name));
	code = b.failed ? -1 : send_line(b.p, &text);
	if (code == 300) {
		buf_reset(&b);
		buf_printf(&b, "PASS %s", password);
		code = send_line(b.p, &text);
	}
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	if (code != 200)
		fail("login: %s", text);
}

int
talk_open(bool loud)
{
	const char *text;
	int code;

	if ((fd = connect_socket(loud)) == -1)
		return -1;
	if ((in = fdopen(fd, "r")) == NULL)
		fail("out of memory");
	code = read_answer(&text);
	if (code == 200 && strstr(text, "logged in as") == NULL)
		login();
	/* It may be told to stop at any time. */
	if (code == 200)
		code = send_line("INLINE", &text);
	if (code == 200)
		return 0;
	if (loud)
		fprintf(stderr, "cgctl: %s\n", text);
	talk_close();
	return -1;
}

void
talk_close(void)
{
	if (in != NULL)
		fclose(in);
	in = NULL;
	fd = -1;
}

int
talk(const char *line, struct val **data, const char **text)
{
	const char *err = "";
	int code = send_line(line, text);

	if (data == NULL)
		return code;
	*data = NULL;
	if (code != 201)
		return code;
	*data = val_parse_all(*text, strlen(*text), &err);
	if (*data == NULL)
		fail("the server's answer makes no sense: %s", err);
	return code;
}
