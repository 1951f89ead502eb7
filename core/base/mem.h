/* Allocation that cannot fail: out of memory ends the process with exit 4, which the journal makes safe.
 * It knows no workflow words.  For lifetimes, see arena.h. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Like malloc, calloc and realloc, but never NULL (a size of 0 gives one byte). */
void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t n) __attribute__((returns_nonnull));

/* A heap copy of n bytes with a NUL behind them; the caller frees it. */
char *mem_dup(const void *ptr, size_t n) __attribute__((malloc, returns_nonnull));

/* count * size, ending the process where that overflows. */
size_t mem_mul(size_t count, size_t size);

#endif
