/*
 * What the server tells of itself, for a person at a terminal; and whether
 * all is well, for a program that asks by the exit status.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgctl.h"

/* "3 d 04:05", "04:05:06" */
static const char *
duration(int64_t s)
{
	static char text[32];

	if (s >= 86400)
		snprintf(text, sizeof(text), "%" PRId64 " d %02d:%02d",
		    s / 86400, (int)(s / 3600 % 24), (int)(s / 60 % 60));
	else
		snprintf(text, sizeof(text), "%02d:%02d:%02d",
		    (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
	return text;
}

/* A process that should answer and does not is worse than one that is down. */
static const char *
state_of(const struct val *p)
{
	const char *state = dict_str(p, "State", "?");

	return strcmp(state, "ready") == 0 && dict_bool(p, "Silent", false) ?
	    "silent" : state;
}

static void
print_processes(const struct val *all)
{
	const struct val *p;
	size_t i;

	printf("\n%-18s %-9s %8s %12s %9s\n", "process", "state", "pid", "up",
	    "restarts");
	for (i = 0; i < val_count(all); i++) {
		p = val_at(all, i);
		printf("%-18s %-9s %8" PRId64 " %12s %9" PRId64 "\n",
		    val_key(all, i), state_of(p), dict_int(p, "Pid", 0),
		    duration(dict_int(p, "Uptime", 0)),
		    dict_int(p, "Restarts", 0));
	}
}

/* Sum of a number over the processes of a kind: smtpd-1, smtpd-2. */
static int64_t
sum(const struct val *all, const char *kind, const char *name)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < val_count(all); i++)
		if (strncmp(val_key(all, i), kind, strlen(kind)) == 0)
			n += dict_int(val_at(all, i), name, 0);
	return n;
}

static const struct val *
first(const struct val *all, const char *kind)
{
	size_t i;

	for (i = 0; i < val_count(all); i++)
		if (strncmp(val_key(all, i), kind, strlen(kind)) == 0)
			return val_at(all, i);
	return NULL;
}

static void
print_numbers(const struct val *all)
{
	const struct val *q = first(all, "queued"), *r = first(all, "routerd");

	printf("\nqueue      %" PRId64 " message%s; waiting: %" PRId64
	    " for accounts, %" PRId64 " for other hosts; %" PRId64
	    " delayed\n", dict_int(q, "Messages", 0),
	    dict_int(q, "Messages", 0) == 1 ? "" : "s",
	    dict_int(q, "LocalWaiting", 0), dict_int(q, "RemoteWaiting", 0),
	    dict_int(q, "QueuesDelayed", 0));
	printf("sessions   %" PRId64 " SMTP, %" PRId64 " POP, %" PRId64
	    " IMAP, %" PRId64 " PWD\n", sum(all, "smtpd", "Sessions"),
	    sum(all, "pop3d", "Sessions"), sum(all, "imapd", "Sessions"),
	    sum(all, "pwdd", "Sessions"));
	printf("accounts   %" PRId64 ", in %" PRId64 " domain%s\n",
	    dict_int(r, "Accounts", 0), dict_int(r, "Domains", 0),
	    dict_int(r, "Domains", 0) == 1 ? "" : "s");
}

/* What is wrong, a line each; how many. */
static int
print_troubles(const struct val *suite, const struct val *all)
{
	const struct val *q = first(all, "queued");
	const char *table = dict_str(first(all, "routerd"), "RoutingTable",
	    "");
	const char *spoiled = dict_str(first(all, "routerd"), "Unreadable",
	    "");
	int n = 0;
	size_t i;

	for (i = 0; i < val_count(all); i++) {
		if (strcmp(state_of(val_at(all, i)), "ready") == 0)
			continue;
		printf("TROUBLE    %s is %s\n", val_key(all, i),
		    state_of(val_at(all, i)));
		n++;
	}
	if (q != NULL && !dict_bool(q, "Space", true)) {
		printf("TROUBLE    less is free on the disk than MinFreeSpace "
		    "of the module Queue says:\n           new mail is put "
		    "off\n");
		n++;
	}
	if (dict_int(q, "DeliveriesHang", 0) > 0) {
		printf("TROUBLE    deliveries to %" PRId64 " accounts hang\n",
		    dict_int(q, "DeliveriesHang", 0));
		n++;
	}
	if (*table != '\0') {
		printf("TROUBLE    Routing Table, %s\n", table);
		n++;
	}
	if (*spoiled != '\0') {
		printf("TROUBLE    settings of %s cannot be read: see the log\n",
		    spoiled);
		n++;
	}
	if (n == 0 && strcmp(dict_str(suite, "Health", "OK"), "OK") != 0) {
		printf("TROUBLE    health is %s\n",
		    dict_str(suite, "Health", "?"));
		n++;
	}
	return n;
}

int
do_status(int argc, char **argv)
{
	const struct val *suite, *all;
	struct val *v;
	const char *text;
	int troubles;

	if (argc > 0)
		usage();
	if (server_pid() == 0) {
		printf("cgate is not running (base directory %s)\n",
		    conf.base);
		return EXIT_FAILURE;
	}
	if (talk_open(true) == -1)
		return EXIT_FAILURE;
	if (talk("Status", &v, &text) != 201 || v == NULL)
		fail("Status: %s", text);
	talk_close();
	suite = dict_get(v, "Suite");
	all = dict_get(v, "Processes");
	printf("cgate %s on %s, base directory %s\n",
	    dict_str(suite, "Version", "?"), dict_str(suite, "Hostname", "?"),
	    dict_str(suite, "Base", "?"));
	printf("up         %s\n", duration(dict_int(suite, "Uptime", 0)));
	if (strcmp(dict_str(suite, "Sandbox", ""), "weak") == 0)
		printf("sandbox    WEAK: without Landlock\n");
	troubles = print_troubles(suite, all);
	printf(troubles == 0 ? "health     all is well\n" :
			       "           `cgctl log -l 1' may tell more\n");
	print_numbers(all);
	print_processes(all);
	val_free(v);
	return troubles == 0 ? 0 : EXIT_FAILURE;
}
