/* Allocation that cannot fail.  See mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void) __attribute__((noreturn));

static void out_of_memory(void)
{
	fputs("pawl: out of memory; what was finished is recorded, `pawl resume` goes on\n",
		stderr);
	_Exit(4);
}

void *mem_alloc(size_t n)
{
	void *ptr = malloc(n ? n : 1);
	if (!ptr)
		out_of_memory();
	return ptr;
}

void *mem_zalloc(size_t n)
{
	void *ptr = calloc(1, n ? n : 1);
	if (!ptr)
		out_of_memory();
	return ptr;
}

void *mem_realloc(void *old, size_t n)
{
	void *ptr = realloc(old, n ? n : 1);
	if (!ptr)
		out_of_memory();
	return ptr;
}

char *mem_dup(const void *src, size_t n)
{
	char *copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, src, n);
	copy[n] = '\0';
	return copy;
}

size_t mem_mul(size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		out_of_memory();
	return count * size;
}
