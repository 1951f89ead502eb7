/* arena: memory that dies together.  Nothing in it is freed alone; resources that are not memory die with it through
 * arena_on_finish.  With PAWL_ARENA_DEBUG set in the environment every allocation is a malloc of its own, so that a
 * sanitizer sees overruns. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/mem.h"
#include "base/str.h"

struct arena_chunk;
struct arena_cleanup;

struct arena {
	struct arena_chunk *chunks;
	struct arena_cleanup *cleanups;
	char *at;
	char *end;
};

/* {0} is a ready arena. */
void arena_finish(struct arena *arena);

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *arena, size_t n) __attribute__((returns_nonnull));

/* An array of count zeroed elements. */
#define arena_array(arena, type, count) \
	((type *)arena_alloc((arena), mem_mul((count), sizeof(type))))
#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* A copy with a NUL behind it. */
str arena_str(struct arena *arena, str s);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls release(ptr) at arena_finish, the latest first. */
void arena_on_finish(struct arena *arena, void (*release)(void *), void *ptr);

#endif
