/* Has a schema that is no JSON. */
#define TINY_KEYWORD "bad_schema"
#define TINY_SCHEMA  "{\"type\": }"
#include "tiny.h"
