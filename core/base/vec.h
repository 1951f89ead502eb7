/* vec: a growing array that its user owns, of any element type:
 *
 *     VEC(struct thing) things = {0};
 *     *vec_push(&things) = (struct thing){...};
 *     for (size_t i = 0; i < things.len; i++) use(&things.ptr[i]);
 *     vec_finish(&things);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>

#define VEC(type)           \
	struct {            \
		type *ptr;  \
		size_t len; \
		size_t cap; \
	}

/* Room for one more; the new element is not initialised. */
#define vec_push(v)                                                                 \
	((v)->ptr = vec_grow((v)->ptr, &(v)->cap, (v)->len + 1, sizeof(*(v)->ptr)), \
		&(v)->ptr[(v)->len++])
#define vec_reserve(v, n) ((v)->ptr = vec_grow((v)->ptr, &(v)->cap, (n), sizeof(*(v)->ptr)))
#define vec_finish(v)     (free((v)->ptr), (v)->ptr = NULL, (v)->len = (v)->cap = 0)

/* At least `need` elements of `size` bytes, doubling; gives the (moved) array. */
void *vec_grow(void *ptr, size_t *cap, size_t need, size_t size);

#endif
