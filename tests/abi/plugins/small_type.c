/* Describes its node type in too few bytes. */
#define TINY_KEYWORD   "small_type"
#define TINY_TYPE_SIZE 24
#include "tiny.h"
