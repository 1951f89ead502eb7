/* Needs a newer host. */
#define TINY_KEYWORD "newer_minor"
#define TINY_ABI     PAWL_ABI(1, 7)
#include "tiny.h"
