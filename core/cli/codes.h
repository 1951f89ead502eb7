/* codes: what the error codes mean: the table core/cli/embedded/codes.txt, compiled in. */
#ifndef CLI_CODES_H
#define CLI_CODES_H

#include "cli/cli.h"

struct code {
	str name; /* "E-REF-UNKNOWN" */
	str meaning;
	str example;
	str fix;
};

/* The next of the table, in the order of the alphabet; *rest begins as codes_text().  False at its end. */
str codes_text(void);
bool codes_next(str *rest, struct code *out);

/* `pawl help E-CODE`; false where there is no such code: *near (empty: none) is what may have been meant. */
bool codes_explain(struct cli *cli, str name, str *near);

/* `pawl help codes`: all of them. */
void codes_list(struct cli *cli);

#endif
