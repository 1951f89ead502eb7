/* A shared object that is no plugin. */
#include "pawl/pawl_plugin.h"

extern PAWL_EXPORT const int something_else;
const int something_else = 1;
