/*
 * Who is it: USER and PASS, APOP, SASL, or the credentials of a Unix socket's
 * client.  Runs in pwdd; the proof goes to authd whole and is forgotten here.
 */
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "log.h"
#include "pwdd.h"

static void
logged_in(struct session *s, const struct msg_authed *m)
{
	s->authed = true;
	memcpy(s->ticket, m->ticket.p, TICKET_LEN);
	str_copy(str_make(m->account), s->account, sizeof(s->account));
	s->errors = 0;
	conn_lines(s->fs->conn, s->unix_socket ? CLI_MAXLOCAL : CLI_MAXLINE);
}

static void
on_authed(struct front_session *fs, const struct msg_authed *m)
{
	struct session *s = fs->data;

	s->name[0] = '\0';
	if (m == NULL || m->code == 2)
		say_error(s, "501 %s", m != NULL && *m->text != '\0' ?
		    m->text : "temporary failure, try again");
	else if (m->code != 0 || m->ticket.len != TICKET_LEN)
		say_error(s, "%d %s", strcmp(m->reason, "PRIVACYREQUIRED") ==
		    0 ? 538 : 501, *m->text != '\0' ? m->text :
		    "wrong name or password");
	else {
		logged_in(s, m);
		front_log(fs, LOG_MAJOR, "logged in as %s", s->account);
		say(s, "200 login OK");
	}
}

static bool
clear_refused(struct session *s)
{
	if (front_clear_ok(s->fs))
		return false;
	say_error(s, "538 [PRIVACYREQUIRED] a password in the clear needs TLS: "
	    "say STLS first");
	return true;
}

/* A name as clients write it: a word, or a quoted one. */
static bool
take_name(struct cur *c, char *name, size_t size)
{
	struct buf b;
	bool ok;

	buf_init(&b, size);
	ok = val_word(c, &b) && b.len > 0 &&
	    memchr(b.p, '\0', b.len) == NULL &&
	    str_copy((struct str){ b.p, b.len }, name, size);
	buf_free(&b);
	cur_ws(c);
	return ok;
}

void
login_user(struct session *s, struct cur args)
{
	if (clear_refused(s))
		return;
	if (!take_name(&args, s->name, sizeof(s->name)))
		say_error(s, "501 a name is expected");
	else
		say(s, "300 please send the PASS");
}

void
login_pass(struct session *s, struct cur args)
{
	if (s->name[0] == '\0')
		say_error(s, "501 USER comes first");
	else if (cur_left(&args) == 0 || cur_left(&args) > 1024)
		say_error(s, "501 a password is expected");
	else
		front_auth(s->fs, "USER", s->name, "", args.p,
		    cur_left(&args), "", on_authed);
}

void
login_apop(struct session *s, struct cur args)
{
	char name[513];

	if (!take_name(&args, name, sizeof(name)) || cur_left(&args) != 32)
		say_error(s, "501 a name and a digest are expected");
	else
		front_auth(s->fs, "APOP", name, "", args.p, cur_left(&args),
		    s->stamp, on_authed);
}

static void
on_failed(struct front_session *fs, enum sasl_result r)
{
	say_error(fs->data, r == SASL_CANCEL ? "501 cancelled" :
	    r == SASL_NO ? "501 that is not true" : "501 bad SASL data");
}

static const struct front_sasl_def sasl_def = {
	.prompt = "300 ", .authed = on_authed, .failed = on_failed
};

void
login_sasl_line(struct session *s, const char *line)
{
	front_sasl_line(s->fs, line);
}

void
login_auth(struct session *s, struct cur args)
{
	const struct sasl_mech *mech;
	struct str word = cur_until(&args, " \t");
	struct buf list;

	cur_ws(&args);
	if (word.len == 0) {
		buf_init(&list, 0);
		sasl_list(&list, front_sasl_offers(s->fs));
		say(s, "200%s", list.len > 0 ? list.p : " none");
		buf_free(&list);
		return;
	}
	if ((mech = front_sasl_find(s->fs, word)) == NULL) {
		say_error(s, str_caseeq(word, "WEBUSER") ?
		    "501 there are no web sessions yet" :
		    "501 unknown authentication method");
		return;
	}
	if (mech->needs & SASL_CLEAR_OK && clear_refused(s))
		return;
	/* The line ends in a NUL: conn.h. */
	front_sasl(s->fs, &sasl_def, mech, cur_left(&args) > 0 ? args.p :
	    NULL);
}

/* Root and the suite's owner are known; all others are greeted as usual. */
static void
on_socket(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_authed *m = pkt != NULL ? pkt->m : NULL;
	struct session *s = arg;

	if (m != NULL && m->code == 0 && m->ticket.len == TICKET_LEN)
		logged_in(s, m);
	session_greet(s);
	conn_resume(s->fs->conn);
}

void
login_socket(struct session *s)
{
	struct msg_auth_socket m = { .service = "PWD" };
	int fd = fcntl(conn_fd(s->fs->conn), F_DUPFD_CLOEXEC, 0);

	conn_pause(s->fs->conn);
	ipc_call(proc_peer(PROC_AUTHD), IPC_AUTH_SOCKET, s->fs->id, &m, fd,
	    IPC_TIMEOUT, on_socket, s);
}
