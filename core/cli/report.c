/* report: the failure report.  See report.h. */
#include "cli/report.h"

#include "engine/blame.h"

#include <unistd.h>

void report_failure(
	struct cli *cli, struct store *store, const struct workflow *workflow, int64_t run, const struct node *node)
{
	struct buf out = {0};
	blame_write(&out, store, workflow, run, node, cli->has_color_out);
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}
