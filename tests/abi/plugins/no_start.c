/* Can do everything but start. */
#define TINY_KEYWORD "no_start"
#define TINY_START   NULL
#include "tiny.h"
