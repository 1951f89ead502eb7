/* map: hashing with linear probing, at most 3/4 full.  See map.h. */
#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>

void map_finish(struct map *map)
{
	free(map->slots);
	*map = (struct map){0};
}

static struct map_slot *slot_for(const struct map *map, str key)
{
	size_t mask = map->cap - 1;
	size_t at = (size_t)str_hash(key) & mask;
	while (map->slots[at].key.ptr && !str_eq(map->slots[at].key, key))
		at = (at + 1) & mask;
	return &map->slots[at];
}

void *map_get(const struct map *map, str key)
{
	if (!map->len)
		return NULL;
	struct map_slot *slot = slot_for(map, key);
	return slot->key.ptr ? slot->value : NULL;
}

static void grow(struct map *map)
{
	struct map bigger = {.cap = map->cap ? map->cap * 2 : 16, .len = map->len};
	bigger.slots = mem_zalloc(mem_mul(bigger.cap, sizeof(*bigger.slots)));
	for (size_t i = 0; i < map->cap; i++) {
		if (map->slots[i].key.ptr)
			*slot_for(&bigger, map->slots[i].key) = map->slots[i];
	}
	free(map->slots);
	*map = bigger;
}

void *map_put(struct map *map, str key, void *value)
{
	if ((map->len + 1) * 4 > map->cap * 3)
		grow(map);
	struct map_slot *slot = slot_for(map, key);
	if (slot->key.ptr) {
		void *old = slot->value;
		slot->value = value;
		return old;
	}
	*slot = (struct map_slot){key, value};
	map->len++;
	return NULL;
}
