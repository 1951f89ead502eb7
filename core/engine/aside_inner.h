/* aside_inner: what aside.c and aside_recover.c share. */
#ifndef ENGINE_ASIDE_INNER_H
#define ENGINE_ASIDE_INNER_H

#include "engine/places.h"

/* All that is in "aside/RUN/N" goes to where it was, where nothing else is there now. */
void aside_put_back(const struct ground *ground, const char *dir);

#endif
