/* Has a keyword that is none. */
#define TINY_KEYWORD "Upper"
#include "tiny.h"
