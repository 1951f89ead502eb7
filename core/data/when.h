/* when: the condition language of `when:` and `until:`.
 *
 *     expr := and { '||' and }     and := atom { '&&' atom }     (no parentheses, no '!')
 *     atom := ref op literal       ref := $node.output[.path] | $node.state | $INPUTS.name
 *     op   := == != <= >= < >      literal := 'text' | number | true | false
 *
 * "..." is accepted for '...'.  In the text of a literal '' is one quote ("" in "...").  A state reads completed, failed,
 * skipped or cancelled: a reused node reads 'completed', so that reuse branches like a fresh run.  Numbers are compared
 * exactly, whatever their size. */
#ifndef DATA_WHEN_H
#define DATA_WHEN_H

#include "data/ref.h"

struct when; /* lives in the arena that it was parsed into */

/* NULL and *err (E-WHEN-SYNTAX, message with what was expected, place at the offending byte counted from `origin`). */
const struct when *when_parse(struct arena *arena, str text, struct place origin, struct err *err);

/* Calls fn for every reference in it. */
void when_each_ref(
	const struct when *when, void (*fn)(void *arg, const struct ref *ref), void *arg);

/* Evaluates; && and || stop early.  *result is valid when true is returned; otherwise *err (E-WHEN-NUMBER shows both
 * values). `explain`, which may be NULL, receives the comparison that decided: "$a.output == 'x' is false: it is 'y'". */
bool when_eval(const struct when *when, const struct ref_resolver *resolver, bool *result,
	struct buf *explain, struct err *err);

/* True where no value of the references can make it true (e.g. $a.state == 'nonsense'); *why says so. */
bool when_is_never(const struct when *when, struct buf *why);

#endif
