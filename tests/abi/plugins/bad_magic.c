/* Not one of ours. */
#define TINY_KEYWORD "bad_magic"
#define TINY_MAGIC   0x12345678u
#include "tiny.h"
