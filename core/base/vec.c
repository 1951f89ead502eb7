/* vec: growth.  See vec.h. */
#include "base/vec.h"

#include "base/mem.h"

void *vec_grow(void *ptr, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return ptr;
	size_t wanted = *cap ? *cap : 8;
	while (wanted < need)
		wanted = mem_mul(wanted, 2);
	*cap = wanted;
	return mem_realloc(ptr, mem_mul(wanted, size));
}
