/* regex: regular expressions in the part of ECMA-262 that JSON Schema recommends, matched in time proportional to
 * subject times pattern, without backtracking: no pattern is catastrophic.
 *
 *     a . [a-z] [^\d_] \d \w \s \D \W \S \t \n \r \f \v \0 \cX \xHH \uHHHH \u{H...} ^ $ \b \B
 *     (...) (?:...) (?<name>...) a|b * + ? {m} {m,} {m,n} and the lazy forms *? +? ?? {m,n}?
 *
 * Characters are code points; ^ and $ are the ends of the subject.  Whether there is a match is all that it tells: groups
 * remember nothing.  Look-around, back-references and \p{...} are errors that say so. */
#ifndef DATA_REGEX_H
#define DATA_REGEX_H

#include "base/arena.h"
#include "base/err.h"

#define REGEX_MAX_PATTERN 65536 /* bytes */
#define REGEX_MAX_PROGRAM 10000 /* instructions, after {m,n} is written out */
#define REGEX_MAX_DEPTH   100   /* groups in groups */
/* In one match, and on top of it so many for each byte of the subject: about a second, and
 * at worst a third of one for each MB. */
#define REGEX_MAX_STEPS   200000000u
#define REGEX_BYTE_STEPS  64u

struct regex; /* lives in the arena that it was compiled into */

/* NULL and *err: E-REGEX-SYNTAX with the place in the pattern, or E-REGEX-BUDGET where it grows past the limits. */
const struct regex *regex_compile(struct arena *arena, str pattern, struct err *err);

/* Whether some part of the subject matches.  A byte that is not UTF-8 is a character of its own that only . and negated
 * classes match.  False and *err (E-REGEX-BUDGET) where the match would take more steps than that. */
bool regex_match(const struct regex *regex, str subject, bool *matched, struct err *err);

#endif
