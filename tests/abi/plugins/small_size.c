/* Says that its description ends before it begins. */
#define TINY_KEYWORD "small_size"
#define TINY_SIZE    20
#include "tiny.h"
