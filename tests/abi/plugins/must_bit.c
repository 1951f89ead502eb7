/* Needs a feature that nobody has. */
#define TINY_KEYWORD "must_bit"
#define TINY_MUST    0x80u
#include "tiny.h"
