/* Stands in a file of another name. */
#define TINY_KEYWORD "even_keyword"
#include "tiny.h"
