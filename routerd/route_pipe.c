/*
 * The Router's part of the PIPE module (manual 33): which application an
 * address names, and in which queue it waits.  Runs in routerd; whether there
 * is such an application is not its business.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "route_int.h"

/* "queue[name] " before the application; false if it is no name. */
static bool
take_queue(struct cur *c, char *queue, size_t size)
{
	struct str name;
	size_t i;

	cur_ws(c);
	if (!cur_caselit(c, "queue["))
		return true;
	name = cur_until(c, "]");
	for (i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.p[i]))
			return false;
	if (name.len == 0 || !cur_lit(c, "]"))
		return false;
	cur_ws(c);
	return str_copy(name, queue, size);
}

/* No path, nothing hidden; tags like [FILE] may stand before it. */
static bool
valid_application(struct cur c)
{
	struct str word;

	while (cur_lit(&c, "[")) {
		cur_until(&c, "]");
		if (!cur_lit(&c, "]"))
			return false;
		cur_ws(&c);
	}
	word = cur_until(&c, " \t");
	return word.len > 0 && word.p[0] != '.' &&
	    memchr(word.p, '/', word.len) == NULL &&
	    memchr(word.p, '\\', word.len) == NULL;
}

enum step
route_pipe_first(struct state *s)
{
	struct route_answer *a = s->a;
	struct cur c = cur_str(s->plain);
	size_t len = 0;

	if (strcmp(s->domain, "pipe") != 0 &&
	    !route_suffix(s->domain, ".pipe", &len))
		return PASS;
	snprintf(a->host, sizeof(a->host), "%.*s", (int)len, s->domain);
	if (!take_queue(&c, a->host, sizeof(a->host)) ||
	    !valid_application(c))
		return route_refuse(s, 550, "5.1.3",
		    "this names no application");
	if (!str_copy((struct str){ c.p, cur_left(&c) }, a->address,
	    sizeof(a->address)))
		return route_too_long(s);
	memcpy(a->module, "PIPE", sizeof("PIPE"));
	a->relay = s->marked || route_is_client(s);
	return DONE;
}
