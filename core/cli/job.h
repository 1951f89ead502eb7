/* job: one run, resume or plan that a command line asks for: what it needs of the project, and how it is carried out and
 * shown. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/cli.h"
#include "engine/engine.h"

struct seal;

/* What one command line asks for, ready for the engine. */
struct job {
	struct cli *cli;
	struct store *store;
	struct workflow *workflow;
	struct engine_options options;
	bool *forced;
	bool *selected;
	int code;
};

/* Between SIGTERM and SIGKILL. */
#define JOB_GRACE_MS UINT64_C(5000)

/* Ends what a killed pawl left running, and says so. */
void job_end_left(struct cli *cli, struct store *store);

/* Runs of a killed pawl are marked as interrupted; what it left running is ended before anything runs again. */
void job_reconcile(struct job *job);

/* Runs; gives the exit code. */
int job_execute(struct job *job, bool wants_exit_code);

/* Where nothing has changed since a run that had nothing to do, this one is as that.  False: it is to be looked at. */
bool job_run_sealed(struct job *job, struct seal *seal);

/* `policy` of .pawl/config.yaml. */
bool job_policies(struct cli *cli, struct strs *out);

/* For engine_options: workflows of `workflow` nodes; ctx is the cli. */
struct workflow *job_load_child(void *ctx, str name, struct err *err);
void job_release_child(void *ctx, struct workflow *workflow);

#endif
