/*
 * A worker that is killed at any moment while it appends, copies, changes and
 * expunges: what it had done is there, what it was doing is done or not, and
 * nothing else is.
 */
#include "store_test.h"

#include "append.h"
#include "cache.h"
#include "copy.h"

enum { MAXUID = 60000, ROUNDS = 60 };

enum op { APPEND, COPY, CHANGE, EXPUNGE, NOPS };

/* What is told before it is done, and again once it is. */
struct note {
	enum op		 op;
	bool		 done;
	uint32_t	 uid, n;	/* the first, how many from there on */
	uint32_t	 newuid;	/* the first new one */
	uint32_t	 set, clear, kwset, kwclear;
};

/* What a mailbox should hold. */
static struct {
	bool		 there;
	uint32_t	 flags, keywords;
	uint32_t	 text;		/* the number in it */
} model[MAXUID];

static void
tell(int fd, struct note *n, bool done)
{
	n->done = done;
	if (write(fd, n, sizeof(*n)) != sizeof(*n))
		_exit(1);
}

static void
text_for(char *p, size_t size, uint32_t number)
{
	snprintf(p, size, "Subject: %u\r\n\r\n%0*u\r\n", number,
	    (int)(number * 7919 % 3000), number);
}

static void
do_append(struct acct *a, struct box *b, int fd)
{
	struct note n = { .op = APPEND, .n = 1 + rand() % 4 };
	struct append_to to[4] = { { 0 } };
	char text[4000];
	uint32_t i;

	n.newuid = b->idx.head->uidnext;
	tell(fd, &n, false);
	for (i = 0; i < n.n; i++) {
		to[i].msg = append_begin(a, 0);
		text_for(text, sizeof(text), n.newuid + i);
		append_write(to[i].msg, text, strlen(text));
	}
	if (append_commit(b, to, n.n) == -1 || to[0].uid != n.newuid)
		_exit(2);
	tell(fd, &n, true);
	for (i = 0; i < n.n; i++)
		append_free(to[i].msg);
}

static void
do_other(struct box *b, int fd, enum op op)
{
	static const uint32_t flags[] = { MSG_SEEN, MSG_FLAGGED, MSG_DELETED };
	struct note n = { .op = op };
	uint32_t uids[400], fresh[400], count = box_count(b), first;
	struct flag_change c;
	int ret;

	if (count == 0)
		return;
	/* Those at neighbouring UIDs, so that a note says which. */
	first = rand() % count;
	for (n.n = 0; n.n < (op == CHANGE ? 400u : 40u) &&
	     first + n.n < count &&
	     (n.n == 0 || box_rec(b, first + n.n)->uid ==
		 uids[n.n - 1] + 1) && rand() % 50 != 0; n.n++)
		uids[n.n] = box_rec(b, first + n.n)->uid;
	if (n.n == 0)
		return;
	n.uid = uids[0];
	n.newuid = b->idx.head->uidnext;
	if (rand() % 2)
		n.set = flags[rand() % 3];
	else
		n.clear = flags[rand() % 3];
	n.kwset = 1u << rand() % 32;
	n.kwclear = 1u << rand() % 32;
	tell(fd, &n, false);
	c = (struct flag_change){ n.set, n.clear, n.kwset, n.kwclear };
	ret = op == COPY ? copy_messages(b, uids, n.n, b, fresh) :
	    op == CHANGE ? box_change(b, uids, n.n, &c) :
	    box_expunge(b, uids, n.n);
	if (ret == -1)
		_exit(3);
	tell(fd, &n, true);
}

static void __attribute__((noreturn))
child(int fd, unsigned seed)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct summary s;
	uint32_t i;

	srand(seed);
	for (;;) {
		if (box_refresh(b) == -1)
			_exit(4);
		/* To the end it shall not grow without bounds. */
		if (rand() % 3 == 0 || box_count(b) < 20)
			do_append(a, b, fd);
		else if (box_count(b) > 400)
			do_other(b, fd, EXPUNGE);
		else
			do_other(b, fd, COPY + rand() % (NOPS - COPY));
		if (rand() % 8 == 0 && box_refresh(b) == 0)
			for (i = 0; i < box_count(b); i++)
				if (box_summary(b, box_rec(b, i), &s) == -1)
					_exit(5);
		if (rand() % 40 == 0)
			box_tidy(b);
	}
}

static void
put_model(uint32_t uid, uint32_t flags, uint32_t keywords, uint32_t text)
{
	assert_true(uid < MAXUID);
	model[uid].there = true;
	model[uid].flags = flags;
	model[uid].keywords = keywords;
	model[uid].text = text;
}

static void
apply(const struct note *n)
{
	uint32_t i;

	for (i = 0; i < n->n; i++) {
		uint32_t u = n->uid + i, new = n->newuid + i;

		switch (n->op) {
		case APPEND:
			put_model(new, MSG_RECENT, 0, new);
			break;
		case COPY:
			put_model(new, model[u].flags | MSG_RECENT,
			    model[u].keywords, model[u].text);
			break;
		case CHANGE:
			model[u].flags = (model[u].flags & ~n->clear) |
			    n->set;
			model[u].keywords = (model[u].keywords &
			    ~n->kwclear) | n->kwset;
			break;
		default:
			model[u].there = false;
		}
	}
}

static bool
concerns(const struct note *n, uint32_t uid)
{
	uint32_t first = n->op == APPEND || n->op == COPY ? n->newuid
							  : n->uid;

	return !n->done && n->n > 0 && uid >= first && uid < first + n->n;
}

static void
check_one(struct box *b, uint32_t i)
{
	struct rec *r = box_rec(b, i);
	char want[4000], subject[64], *have = text_of(b, i), *env;
	struct summary s;
	size_t k, to = 0;

	text_for(want, sizeof(want), model[r->uid].text);
	for (k = 0; want[k] != '\0'; k++)
		if (want[k] != '\r')
			want[to++] = want[k];
	want[to] = '\0';
	assert_string_equal(have, want);
	free(have);
	assert_int_equal(box_summary(b, r, &s), 0);
	env = str_dup(s.envelope);
	snprintf(subject, sizeof(subject), "(NIL \"%u\" ",
	    model[r->uid].text);
	assert_memory_equal(env, subject, strlen(subject));
	free(env);
}

/* last: what it was doing. */
static void
check(const struct note *last)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	uint32_t uid, i = 0, partly = 0;
	struct rec *r;

	for (uid = 1; uid < MAXUID; uid++) {
		r = i < box_count(b) && box_rec(b, i)->uid == uid ?
		    box_rec(b, i) : NULL;
		if (concerns(last, uid)) {
			partly += r != NULL;
			/* Believed as it is, whichever. */
			if (r != NULL && (last->op == APPEND ||
				last->op == COPY))
				put_model(uid, r->flags & MSG_FLAGS,
				    r->keywords, last->op == APPEND ? uid :
				    model[last->uid + uid -
					last->newuid].text);
			model[uid].there = r != NULL;
			if (r != NULL) {
				model[uid].flags = r->flags & MSG_FLAGS;
				model[uid].keywords = r->keywords;
			}
		}
		if ((r != NULL) != model[uid].there)
			fail_msg("UID %u is %s", uid, r != NULL ? "there" :
			    "gone");
		if (r == NULL)
			continue;
		assert_int_equal(r->flags & MSG_FLAGS, model[uid].flags);
		assert_int_equal(r->keywords, model[uid].keywords);
		check_one(b, i++);
	}
	assert_int_equal(i, box_count(b));
	/* What comes, comes as a whole. */
	if (!last->done && (last->op == APPEND || last->op == COPY))
		assert_true(partly == 0 || partly == last->n);
	acct_free(a);
}

static void
kills(void)
{
	struct note n = { .done = true }, last;
	unsigned seed;
	int fd[2], status;
	pid_t pid;

	for (seed = 1; seed <= ROUNDS; seed++) {
		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		if ((pid = fork()) == 0)
			child(fd[1], seed);
		close(fd[1]);
		usleep(1000 + (useconds_t)(rand() % 60000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("ended itself: %d", WEXITSTATUS(status));
		last = (struct note){ .done = true };
		while (read(fd[0], &n, sizeof(n)) == sizeof(n)) {
			if (n.done)
				apply(&n);
			last = n;
		}
		close(fd[0]);
		check(&last);
	}
}

static void
test_kills(void **state)
{
	kills();
}

static void
test_mdir_kills(void **state)
{
	memset(model, 0, sizeof(model));
	format = &format_mdir;
	kills();
	format = &format_mbox;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kills),
		T(test_mdir_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
