/* capture_inner: what capture.c and capture_open.c share. */
#ifndef ENGINE_CAPTURE_INNER_H
#define ENGINE_CAPTURE_INNER_H

#include "engine/places.h"

struct engine;

/* The state of a path of the project, as a FACT_WAS has it. */
bool capture_state_of(struct attempt *attempt, str path, struct digest *out);
/* All of the run's artifact directory. */
bool capture_list_artifacts(struct engine *engine, struct place_visit *visit, struct err *err);

#endif
