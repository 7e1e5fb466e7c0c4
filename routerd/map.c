/*
 * Text to pointer: open addressing, linear, removed by shifting back.  Runs in
 * routerd.  Must never hold what strangers choose: its hash is no secret.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "names.h"

enum { MAP_MIN = 16 };

/* FNV-1a: nobody but an administrator chooses what is in the tables. */
uint32_t
name_hash(const char *p, size_t len)
{
	uint32_t h = 2166136261u;

	while (len-- > 0)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h ^ h >> 15;
}

struct entry {
	char		*key;
	uint32_t	 len;
	uint32_t	 hash;
	void		*value;
};

struct map {
	struct entry	*slot;
	size_t		 size;
	size_t		 used;
};

struct map *
map_new(void)
{
	struct map *m = xcalloc(1, sizeof(*m));

	m->size = MAP_MIN;
	m->slot = xcalloc(m->size, sizeof(*m->slot));
	return m;
}

void
map_free(struct map *m, void (*value_free)(void *))
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->size; i++) {
		if (m->slot[i].key != NULL && value_free != NULL)
			value_free(m->slot[i].value);
		free(m->slot[i].key);
	}
	free(m->slot);
	free(m);
}

static struct entry *
map_slot(const struct map *m, const char *key, size_t len, uint32_t hash)
{
	size_t i = hash & (m->size - 1);
	struct entry *e;

	for (;; i = (i + 1) & (m->size - 1)) {
		e = &m->slot[i];
		if (e->key == NULL || (e->hash == hash && e->len == len &&
		    memcmp(e->key, key, len) == 0))
			return e;
	}
}

void *
map_get(const struct map *m, const char *key, size_t len)
{
	return map_slot(m, key, len, name_hash(key, len))->value;
}

static void
map_grow(struct map *m)
{
	struct entry *old = m->slot;
	size_t size = m->size, i;

	m->size *= 2;
	m->slot = xcalloc(m->size, sizeof(*m->slot));
	for (i = 0; i < size; i++)
		if (old[i].key != NULL)
			*map_slot(m, old[i].key, old[i].len, old[i].hash) =
			    old[i];
	free(old);
}

void *
map_put(struct map *m, const char *key, size_t len, void *value)
{
	uint32_t hash = name_hash(key, len);
	struct entry *e = map_slot(m, key, len, hash);
	void *old = e->value;

	if (e->key != NULL) {
		e->value = value;
		return old;
	}
	e->key = xcalloc(1, len + 1);
	memcpy(e->key, key, len);
	e->len = len;
	e->hash = hash;
	e->value = value;
	if (++m->used * 3 > m->size * 2)
		map_grow(m);
	return NULL;
}

void *
map_del(struct map *m, const char *key, size_t len)
{
	struct entry *e = map_slot(m, key, len, name_hash(key, len));
	size_t hole = e - m->slot, i = hole, home;
	void *old = e->value;

	if (e->key == NULL)
		return NULL;
	free(e->key);
	*e = (struct entry){ NULL, 0, 0, NULL };
	m->used--;
	for (;;) {
		i = (i + 1) & (m->size - 1);
		if (m->slot[i].key == NULL)
			return old;
		home = m->slot[i].hash & (m->size - 1);
		if (((i - home) & (m->size - 1)) <
		    ((i - hole) & (m->size - 1)))
			continue;
		m->slot[hole] = m->slot[i];
		m->slot[i] = (struct entry){ NULL, 0, 0, NULL };
		hole = i;
	}
}

void *
map_next(const struct map *m, size_t *i, const char **key)
{
	struct entry *e;

	while (*i < m->size) {
		e = &m->slot[(*i)++];
		if (e->key != NULL) {
			*key = e->key;
			return e->value;
		}
	}
	return NULL;
}

size_t
map_count(const struct map *m)
{
	return m->used;
}
