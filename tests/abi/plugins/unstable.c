/* A type like `meddle` that does not say that its keys rest on nothing else. */
#define MEDDLE_KEYWORD "unstable"
#define MEDDLE_CAPS    0
#include "meddle.c"
