/* arena: bump allocation in chunks that double.  See arena.h. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	alignas(max_align_t) char bytes[];
};

struct arena_cleanup {
	struct arena_cleanup *next;
	void (*release)(void *);
	void *ptr;
};

static const size_t first_chunk = 4096;
static const size_t largest_chunk = 1 << 20;

static bool one_malloc_each(void)
{
	static int known = -1;
	if (known < 0)
		known = getenv("PAWL_ARENA_DEBUG") != NULL;
	return known == 1;
}

void arena_finish(struct arena *arena)
{
	for (struct arena_cleanup *c = arena->cleanups; c; c = c->next)
		c->release(c->ptr);
	for (struct arena_chunk *chunk = arena->chunks; chunk;) {
		struct arena_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
	*arena = (struct arena){0};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = mem_zalloc(sizeof(*chunk) + size);
	chunk->size = size;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t n)
{
	size_t align = alignof(max_align_t);
	size_t need = (n + align - 1) / align * align;
	if (need < n)
		need = mem_mul(SIZE_MAX, 2);
	if (!need)
		need = align;
	if (one_malloc_each())
		return add_chunk(arena, n ? n : 1)->bytes;
	if ((size_t)(arena->end - arena->at) < need) {
		size_t size = arena->chunks ? arena->chunks->size * 2 : first_chunk;
		if (size > largest_chunk)
			size = largest_chunk;
		if (size < need)
			size = need;
		struct arena_chunk *chunk = add_chunk(arena, size);
		arena->at = chunk->bytes;
		arena->end = chunk->bytes + size;
	}
	void *ptr = arena->at;
	arena->at += need;
	return ptr;
}

str arena_str(struct arena *arena, str s)
{
	char *copy = arena_alloc(arena, s.len + 1);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	return (str){copy, s.len};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	char *text = arena_alloc(arena, (size_t)(n > 0 ? n : 0) + 1);
	if (n > 0)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

void arena_on_finish(struct arena *arena, void (*release)(void *), void *ptr)
{
	struct arena_cleanup *cleanup = arena_new(arena, struct arena_cleanup);
	*cleanup = (struct arena_cleanup){arena->cleanups, release, ptr};
	arena->cleanups = cleanup;
}
