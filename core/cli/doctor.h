/* doctor: what the checks of `pawl doctor` and `pawl verify --store` share. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_BAD };

struct doctor {
	struct cli *cli;
	size_t warnings;
	size_t problems;
};

/* One line: what was looked at, what was found, and, where it is not well, what to do (`help`; may be NULL). */
void doctor_say(struct doctor *doctor, enum finding finding, const char *check, const char *help,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* verify_store.c: `pawl verify --store`; gives the exit code. */
int doctor_verify_store(struct cli *cli);

/* doctor_fs.c: whether the file system of the project, and the kernel, can do what is relied on. */
void doctor_check_system(struct doctor *doctor);

#endif
