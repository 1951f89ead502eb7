/* Has a schema with a word that nobody knows. */
#define TINY_KEYWORD "odd_schema"
#define TINY_SCHEMA  "{\"typo\": \"string\"}"
#include "tiny.h"
