/*
 * Users that the suite runs as: each daemon's, by the names that cgserver.conf
 * gives them.  Runs in cgserver before anything is started; none may be root.
 */
#include <ctype.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "conf_int.h"

static const char *const user_names[CONF_USERS] = {
	"_cglog", "_cgauth", "_cgroute", "_cgqueue", "_cgmail", "_cgsmtp",
	"_cgimap", "_cgpop", "_cgweb", "_cgadm"
};

static const char *const user_of[PROC_MAX] = {
	[PROC_LOGD] = "_cglog", [PROC_AUTHD] = "_cgauth",
	[PROC_ROUTERD] = "_cgroute", [PROC_QUEUED] = "_cgqueue",
	[PROC_SMTPD] = "_cgsmtp", [PROC_POP3D] = "_cgpop",
	[PROC_IMAPD] = "_cgimap", [PROC_PWDD] = "_cgadm",
	[PROC_STORED] = "_cgmail", [PROC_DELIVERY] = "_cgmail",
	[PROC_TEMPLATE] = "_cgmail", [PROC_SENDER] = "_cgsmtp"
};

void
conf_users_init(struct conf *c)
{
	int i;

	c->users = xcalloc(CONF_USERS, sizeof(*c->users));
	for (i = 0; i < CONF_USERS; i++)
		c->users[i].name = user_names[i];
}

/* A number is a uid and gid without an entry; else a name of passwd(5). */
static int
find_user(struct conf_user *u)
{
	const char *name = u->alias != NULL ? u->alias : u->name;
	struct cur cur = cur_str(name);
	struct passwd *pw;
	uint64_t n;

	if (isdigit((unsigned char)*name) && cur_u64(&cur, &n, 0x7ffffffe) &&
	    cur_left(&cur) == 0) {
		u->uid = (uid_t)n;
		u->gid = (gid_t)n;
	} else if ((pw = getpwnam(name)) != NULL) {
		u->uid = pw->pw_uid;
		u->gid = pw->pw_gid;
	} else
		return -1;
	u->known = true;
	return u->uid == 0 ? -1 : 0;
}

/* Programs that others have written must not run as anybody of the suite. */
static int
find_helper_user(struct conf *c, char **err)
{
	struct conf_user *u = &c->helper_user;

	if (geteuid() != 0 || val_count(c->helpers) == 0)
		return 0;
	u->name = "";
	if (u->alias != NULL && find_user(u) == 0)
		return 0;
	*err = xstrdup(u->alias == NULL ? "helper-dirs wants a helper-user" :
	    "helper-user: there is no such user, or it is root");
	return -1;
}

int
conf_find_users(struct conf *c, char **err)
{
	int i;

	for (i = 0; i < CONF_USERS; i++) {
		struct conf_user *u = &c->users[i];

		if (geteuid() != 0) {
			u->uid = geteuid();
			u->gid = getegid();
			u->known = true;
		} else if (find_user(u) == -1) {
			*err = xasprintf("no user %s (or it is root); INSTALL "
			    "says how to make it", u->alias != NULL ? u->alias :
			    u->name);
			return -1;
		}
	}
	return find_helper_user(c, err);
}

const struct conf_user *
conf_user_of(const struct conf *c, enum proc_id id)
{
	int i;

	for (i = 0; user_of[id] != NULL && i < CONF_USERS; i++)
		if (strcmp(c->users[i].name, user_of[id]) == 0)
			return &c->users[i];
	return NULL;
}
