/*
 * Help at a terminal: first the families, then a family's commands, then one
 * command in full.  All of it comes from the table in cli/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgctl.h"
#include "cli.h"

enum { WIDTH = 79, INDENT = 2, NAME_WIDTH = 26 };

static void
print_lines(struct val *v)
{
	size_t i;

	for (i = 0; i < val_count(v); i++)
		printf("%s\n", val_text(val_at(v, i)));
	val_free(v);
}

/* Three columns; long names take two of them. */
static void
print_names(const struct cli_cmd *c)
{
	int at = 0, next = INDENT, len;

	for (; c->name != NULL; c++) {
		if (c->owner == PROC_MAX)
			continue;
		len = strlen(c->name);
		if (next + len > WIDTH) {
			putchar('\n');
			at = 0;
			next = INDENT;
		}
		printf("%*s%s", next - at, "", c->name);
		at = next + len;
		next += len < NAME_WIDTH ? NAME_WIDTH : 2 * NAME_WIDTH;
	}
	putchar('\n');
}

static bool
available(const struct cli_cmd *c)
{
	for (; c->name != NULL; c++)
		if (c->owner != PROC_MAX)
			return true;
	return false;
}

static void
overview(void)
{
	const struct cli_family *f;

	for (f = cli_families; f->name != NULL; f++) {
		if (!available(f->cmds))
			continue;
		printf("%s: %s\n", f->name, f->title);
		print_names(f->cmds);
		putchar('\n');
	}
	printf("`cgctl help %s' tells what each of these does,\n"
	    "`cgctl help CreateAccount' what one command takes.\n"
	    "`cgctl' alone lists cgctl's own words: start, status, log, ...\n",
	    cli_families[0].name);
}

void
suggest(const char *name)
{
	struct buf b;

	buf_init(&b, 0);
	if (cli_near(&b, name))
		fprintf(stderr, "perhaps: %s\n", b.p);
	fprintf(stderr, "`cgctl help' lists the commands\n");
	buf_free(&b);
}

int
do_help(int argc, char **argv)
{
	struct val *v;

	if (argc > 1)
		usage();
	if (argc == 0)
		overview();
	else if (strcmp(argv[0], "queue") == 0)
		queue_help(stdout);
	else if (usage_word(argv[0]))
		return 0;
	else if ((v = cli_help(argv[0])) != NULL)
		print_lines(v);
	else {
		fprintf(stderr, "cgctl: %s: there is no such command\n",
		    argv[0]);
		suggest(argv[0]);
		return EXIT_FAILURE;
	}
	return 0;
}
