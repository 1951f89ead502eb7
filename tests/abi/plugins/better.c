/* A second one, to be loaded behind the first. */
#define TINY_KEYWORD "better"
#include "tiny.h"
