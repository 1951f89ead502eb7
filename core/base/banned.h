/* Functions that have no safe use here become compile errors.  Every target of core/ includes this file first
 * (cmake/PawlBuild.cmake), so the headers that declare them come before the ban. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gmtime localtime ctime \
	asctime
#pragma GCC poison tmpnam mktemp popen gets atoi atol atof

#endif
