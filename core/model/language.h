/* language: the JSON Schema of workflow files, for editors: made from the very tables by which they are read. */
#ifndef MODEL_LANGUAGE_H
#define MODEL_LANGUAGE_H

#include "base/buf.h"
#include "model/workflow.h"

/* Appends the schema (draft-7, one line) of what `workflow_load` reads with these types.  It accepts whatever is accepted
 * there; what no schema can say (references, cycles, overlapping writes) it does not refuse. */
void language_write_schema(struct buf *out, const struct workflow_types *types);

#endif
