/* when_atoms: what a parsed condition is made of; between when_parse.c, which builds it, and when.c, which answers
 * questions about it. */
#ifndef DATA_WHEN_ATOMS_H
#define DATA_WHEN_ATOMS_H

#include "data/decimal.h"
#include "data/when.h"

enum when_op { WHEN_EQ, WHEN_NE, WHEN_LE, WHEN_GE, WHEN_LT, WHEN_GT };

/* One comparison. */
struct when_atom {
	struct ref ref;
	enum when_op op;
	bool starts_or;        /* an `||` stands before it: it begins a new alternative */
	str source;            /* "$a.output == 'x'", as written */
	str literal_source;    /* "'x'" */
	str literal;           /* "x" */
	struct decimal number; /* of the literal, for the four ordering operators */
	struct place at;
};

/* Alternatives of comparisons, flat: a || b && c is {a}, {b, starts_or}, {c}. */
struct when {
	struct when_atom *atoms;
	size_t count;
};

static inline bool when_op_is_ordering(enum when_op op)
{
	return op != WHEN_EQ && op != WHEN_NE;
}

#endif
