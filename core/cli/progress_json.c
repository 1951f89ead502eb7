#include "cli/progress_inner.h"
const struct progress_view progress_json = {.run_started = plain_run_started,
	.node = plain_node,
	.failed = plain_failed,
	.run_ended = plain_run_ended};
