/* yaml: one document of YAML 1.2 (core schema scalars) as a value tree, over libyaml's events.  Limits: 64 MiB, depth 64,
 * 1,000 aliases, a million nodes after aliases; duplicate keys, merge keys, tags other than the core's, several documents
 * are errors with a place. */
#ifndef DATA_YAML_H
#define DATA_YAML_H

#include "data/value.h"

#define YAML_MAX_BYTES   ((size_t)64 << 20)
#define YAML_MAX_DEPTH   64
#define YAML_MAX_ALIASES 1000
#define YAML_MAX_NODES   1000000

/* The tree (strings copied into `arena`), or NULL with at least one error in *diags (E-YAML-*), whose places name `file`
 * (borrowed).  Goes on after errors that leave the structure readable, e.g. duplicate keys, to report all of them. */
const struct value *yaml_parse(
	struct arena *arena, str text, const char *file, struct diags *diags);

#endif
