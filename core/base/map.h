/* map: from a str to a pointer, open addressing.  The keys are borrowed: their bytes must outlive the map.
 * Nothing is removed one by one.  {0} is an empty map. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot {
	str key; /* key.ptr NULL: the slot is free */
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t len;
};

void map_finish(struct map *map);

/* The value, or NULL where the key is not there. */
void *map_get(const struct map *map, str key);

/* Sets or replaces; gives the value that was there before, or NULL. */
void *map_put(struct map *map, str key, void *value);

#endif
