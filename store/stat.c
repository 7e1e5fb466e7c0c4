/* Statistics of accounts: in delivery and in workers. */
#include <stdatomic.h>

#include "box.h"
#include "dict.h"
#include "stat.h"

enum { UNSAVED_MAX = 256 };	/* messages */

static atomic_bool wanted;

void
stat_switch(bool on)
{
	wanted = on;
}

static int
add(struct val *stat, const char *key, uint64_t n)
{
	return dict_setf(stat, key, "%llu", (unsigned long long)
	    ((uint64_t)dict_int(stat, key, 0) + n));
}

int
stat_note(struct acct *a)
{
	struct val *root, *stat;

	if (a->got == 0)
		return 0;
	if ((root = info_root(&a->info)) == NULL)
		return -1;
	stat = dict_get(root, "#Stat");
	if (stat == NULL || val_type(stat) != VAL_DICT) {
		if (dict_set(root, "#Stat", val_dict()) == -1)
			return -1;
		stat = dict_get(root, "#Stat");
	}
	if (add(stat, "MessagesReceived", a->got) == -1 ||
	    add(stat, "BytesReceived", a->gotbytes) == -1)
		return -1;
	a->got = a->gotbytes = 0;
	return 0;
}

void
stat_close(struct acct *a)
{
	if (a->got > 0 && stat_note(a) == 0)
		(void)info_save(&a->info);
}

void
stat_delivered(struct acct *a, const struct delivery *d, size_t n)
{
	size_t i;

	if (!wanted)
		return;
	for (i = 0; i < n; i++)
		if (d[i].code == 0) {
			a->got++;
			a->gotbytes += d[i].size;
		}
	if (a->got >= UNSAVED_MAX)
		stat_close(a);
}
