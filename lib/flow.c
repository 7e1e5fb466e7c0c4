/*
 * Counters of names, see flow.h: a tree by name, and one by the time at which
 * they end.  Pure but for the clock; runs in queued's threads, which keep
 * their own order, and in stored.
 */
#include <bsd/sys/tree.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "flow.h"

struct flow {
	RB_ENTRY(flow)	 byname, byend;
	int64_t		 end;		/* monotonic seconds */
	uint32_t	 n;
	bool		 over;		/* somebody had too many */
	char		 name[];
};
RB_HEAD(flow_names, flow);
RB_HEAD(flow_ends, flow);

struct flows {
	struct flow_names names;
	struct flow_ends ends;
	size_t		 n, max;
};

static int
name_cmp(const struct flow *a, const struct flow *b)
{
	return strcmp(a->name, b->name);
}

static int
end_cmp(const struct flow *a, const struct flow *b)
{
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return name_cmp(a, b);
}

RB_PROTOTYPE(flow_names, flow, byname, name_cmp)
RB_PROTOTYPE(flow_ends, flow, byend, end_cmp)
RB_GENERATE(flow_names, flow, byname, name_cmp)
RB_GENERATE(flow_ends, flow, byend, end_cmp)

static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static struct flow *
find(struct flows *t, const char *name)
{
	struct flow *f = RB_ROOT(&t->names);
	int cmp;

	while (f != NULL && (cmp = strcmp(name, f->name)) != 0)
		f = cmp < 0 ? RB_LEFT(f, byname) : RB_RIGHT(f, byname);
	return f;
}

static void
drop(struct flows *t, struct flow *f)
{
	RB_REMOVE(flow_names, &t->names, f);
	RB_REMOVE(flow_ends, &t->ends, f);
	t->n--;
	free(f);
}

static struct flow *
add(struct flows *t, const char *name, int64_t end)
{
	size_t len = strlen(name) + 1;
	struct flow *f;

	if ((f = calloc(1, sizeof(*f) + len)) == NULL)
		return NULL;
	memcpy(f->name, name, len);
	f->end = end;
	RB_INSERT(flow_names, &t->names, f);
	RB_INSERT(flow_ends, &t->ends, f);
	t->n++;
	return f;
}

/* Those whose time is over, and one that makes room. */
static void
expire(struct flows *t, int64_t current)
{
	struct flow *f;

	while ((f = RB_MIN(flow_ends, &t->ends)) != NULL &&
	    (f->end <= current || t->n >= t->max))
		drop(t, f);
}

struct flows *
flows_new(size_t max)
{
	struct flows *t = xcalloc(1, sizeof(*t));

	RB_INIT(&t->names);
	RB_INIT(&t->ends);
	t->max = max;
	return t;
}

void
flows_free(struct flows *t)
{
	if (t == NULL)
		return;
	t->max = 0;
	expire(t, 0);
	free(t);
}

size_t
flows_count(const struct flows *t)
{
	return t->n;
}

bool
flows_take(struct flows *t, const char *name, uint32_t n, uint32_t max,
    uint32_t seconds, uint32_t *left, bool *first)
{
	int64_t current = now();
	struct flow *f = find(t, name);

	/* A limit that became shorter is so at once. */
	if (f != NULL && (f->end <= current || f->end > current + seconds)) {
		drop(t, f);
		f = NULL;
	}
	if (f == NULL) {
		expire(t, current);
		if ((f = add(t, name, current + seconds)) == NULL)
			return true;
	}
	if (n <= max && f->n <= max - n) {
		f->n += n;
		return true;
	}
	*left = f->end - current;
	*first = !f->over;
	f->over = true;
	return false;
}
