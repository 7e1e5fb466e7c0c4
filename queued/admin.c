/*
 * What administrators ask of the queue, and the log record that they write.
 * Who they are and what they may is authd's to say, for each request.  The
 * loop's alone.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin.h"
#include "log.h"

enum { MAXRECORD = 1000 };

static void
reply(struct ipc_ref ref, unsigned int code, const char *text,
    const struct val *data)
{
	struct msg_admined a = { .code = code, .text = text, .data = "" };
	struct buf b;

	buf_init(&b, ADMIN_MAXDATA);
	if (data != NULL) {
		if (val_write(&b, data, false) && !b.failed)
			a.data = b.p;
		else {
			a.code = 501;
			a.text = "the answer is too long";
		}
	}
	ipc_answer(ref, IPC_ADMINED, &a, -1);
	buf_free(&b);
}

void
admin_reply(struct request *r, unsigned int code, const char *text,
    const struct val *data)
{
	reply(r->ref, code, text, data);
	val_free(r->args);
	free(r);
}

const char *
admin_text(const struct request *r, size_t n)
{
	const struct val *v = n < val_count(r->args) ? val_at(r->args, n) :
						       NULL;
	const char *t = v == NULL ? NULL : val_text(v);

	return t == NULL ? "" : t;
}

struct msg *
admin_msg(const struct request *r, const char **text)
{
	struct msg *m = msg_find(strtoull(admin_text(r, 0), NULL, 10));

	if (m != NULL && m->loaded && !m->removing)
		return m;
	*text = "there is no such message";
	return NULL;
}

/* --- two verbs --- */

static unsigned int
queue_status(struct request *r, struct val **data, const char **text)
{
	*data = val_dict();
	queue_status_dict(*data);
	return 200;
}

/* Control characters would make two records of one. */
static unsigned int
write_log(struct request *r, struct val **data, const char **text)
{
	const char *level = admin_text(r, 0), *record = admin_text(r, 1);
	struct buf b;

	if (*level < '1' || *level > '5' || level[1] != '\0') {
		*text = "a level is 1 to 5";
		return 501;
	}
	buf_init(&b, MAXRECORD);
	for (; *record != '\0' && b.len < MAXRECORD; record++)
		buf_putc(&b, (unsigned char)*record < ' ' ? ' ' : *record);
	log_always(*level - '0', "SYSTEM", "%s", b.len > 0 ? b.p : "");
	buf_free(&b);
	return 200;
}

static const struct verb verbs[] = {
	{ "ListQueues", "Monitors", admin_list_queues },
	{ "ListQueueMessages", "Monitors", admin_list_messages },
	{ "GetQueueMessage", "Monitors", admin_message },
	{ "GetQueueStatus", "Monitors", queue_status },
	{ "ReleaseSMTPQueue", "Monitors", admin_release },
	{ "ReleaseQueue", "Settings", admin_release },
	{ "ReleaseQueueMessage", "Settings", admin_release_message },
	{ "DelayQueue", "Settings", admin_delay },
	{ "DelayQueueMessage", "Settings", admin_delay_message },
	{ "RejectQueue", "Settings", admin_reject },
	{ "RejectQueueMessage", "Settings", admin_reject_message },
	{ "MoveQueue", "Settings", admin_move },
	{ "SendWakeup", "Settings", admin_wakeup },
	{ "WriteLog", "Monitors", write_log }
};

/* --- who may --- */

static void
noted(void *arg, int err)
{
	admin_reply(arg, err == 0 ? 200 : 501, err == 0 ? "OK" :
	    "done, but it cannot be noted on the disk", NULL);
}

static void
run(struct request *r)
{
	const char *text = "OK";
	struct val *data = NULL;
	unsigned int code;

	code = r->verb->run(r, &data, &text);
	if (code == 200 && data == NULL && byhand_wait(noted, r))
		return;
	if (code != 0)
		admin_reply(r, code, text, data);
	val_free(data);
}

static bool
may(const char *rights, const char *right)
{
	const char *err;
	struct val *v = val_parse_all(rights, strlen(rights), &err);
	bool ok = false;
	size_t i;

	if (v != NULL && val_type(v) == VAL_DICT)
		ok = dict_bool(v, "Master", false) ||
		    dict_bool(v, right, false);
	else if (v != NULL && val_type(v) == VAL_ARRAY)
		for (i = 0; i < val_count(v); i++) {
			const char *t = val_text(val_at(v, i));

			if (t != NULL && (strcasecmp(t, "Master") == 0 ||
			    strcasecmp(t, right) == 0))
				ok = true;
		}
	val_free(v);
	return ok;
}

static void
checked(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt == NULL ? NULL : pkt->m;
	struct request *r = arg;

	if (m == NULL)
		admin_reply(r, 501, "the accounts are not there now", NULL);
	else if (m->code != 0 || !may(m->rights, r->verb->right))
		admin_reply(r, 501, "not permitted", NULL);
	else
		run(r);
}

void
admin_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin *m = pkt->m;
	struct msg_ticket_check t = { .ticket = m->ticket };
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct request *r;
	const char *err;
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcasecmp(verbs[i].name, m->verb) == 0)
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0])) {
		reply(ref, 500, "unknown command", NULL);
		return;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL ||
	    (r->args = val_parse_all(m->args, strlen(m->args), &err)) == NULL) {
		free(r);
		reply(ref, 501, "bad arguments", NULL);
		return;
	}
	r->ref = ref;
	r->verb = &verbs[i];
	ipc_call(proc_peer(PROC_AUTHD), IPC_TICKET_CHECK, 0, &t, -1,
	    IPC_TIMEOUT, checked, r);
}
