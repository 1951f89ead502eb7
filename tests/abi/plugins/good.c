/* A plugin with nothing odd about it. */
#define TINY_KEYWORD "good"
#include "tiny.h"
