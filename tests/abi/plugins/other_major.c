/* Speaks another language. */
#define TINY_KEYWORD "other_major"
#define TINY_ABI     PAWL_ABI(2, 0)
#include "tiny.h"
