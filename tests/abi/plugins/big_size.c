/* Says that its description goes on behind its end. */
#define TINY_KEYWORD "big_size"
#define TINY_SIZE    4096
#include "tiny.h"
