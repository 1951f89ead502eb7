/* bind_languages: the languages behind bind_find, and what their lexers share.  For core/data alone. */
#ifndef DATA_BIND_LANGUAGES_H
#define DATA_BIND_LANGUAGES_H

#include "data/bind.h"

extern const struct bind_language bind_bash;
extern const struct bind_language bind_js;
extern const struct bind_language bind_python;
extern const struct bind_language bind_none;

/* Whether `ref` is to be bound: not escaped, no workflow variable, and a node that is known where it names one. */
bool bind_wants(const struct bind_names *names, const struct ref *ref);

/* The variable of (ref, as), a new one where the pair is new; valid until the next call. */
const char *bind_variable(struct bind_result *result, const struct ref *ref, enum bind_as as);

/* The place of bytes [start, end) of the body. */
struct place bind_place(str body, struct place origin, size_t start, size_t end);

/* Notes that replacing bytes [start, end) of the body by `text` (copied) mends an error.  To be called from left to right:
 * an edit that begins before the end of the last one is dropped. */
void bind_fix_add(struct bind_result *result, size_t start, size_t end, str text);

/* The line of the body around [start, end), those bytes replaced by `text`, trimmed, a long line cut: for
 * a help message. */
char *bind_fixed_line(struct arena *arena, str body, size_t start, size_t end, str text);

#endif
