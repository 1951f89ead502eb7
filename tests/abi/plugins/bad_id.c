/* Has an id that would drive a terminal. */
#define TINY_KEYWORD "bad_id"
#define TINY_ID      "test\033[2J"
#include "tiny.h"
