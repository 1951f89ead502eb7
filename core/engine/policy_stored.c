/* policy_stored: see policy_stored.h.  What can't be read of the store shows as empty: such a result is refused by decide()
 * before a rule is asked. */
#include "engine/policy_stored.h"

#include "store/cas.h"

#include <unistd.h>

void policy_node_of(
	const struct workflow *workflow, const struct node *node, struct policy_node *out)
{
	*out = (struct policy_node){
		.id = node->id,
		.type = node->type,
		.workflow = workflow->name,
		.description = node->description,
		.output_type = node->output_type,
		.fields = node->fields,
	};
}

static str read_output(void *arg)
{
	const struct policy_stored *stored = arg;
	uint64_t size = 0;
	size_t len = 0;
	int fd = cas_open(stored->store, &stored->row->output, &size, NULL);
	if (fd < 0)
		return STR("");
	size_t room = size < POLICY_OUTPUT_MAX ? (size_t)size : POLICY_OUTPUT_MAX;
	char *bytes = arena_alloc(stored->arena, room + 1);
	while (len < room) {
		ssize_t n = read(fd, bytes + len, room - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	return str_make(bytes, len);
}

static void read_history(void *arg, struct policy_history *out)
{
	const struct policy_stored *stored = arg;
	struct result_row row = *stored->row;
	if (!results_history(stored->store, &row, NULL))
		return;
	out->times_reused = row.times_reused;
	out->passed_consumers = row.passed_consumers;
	out->failed_consumers = row.failed_consumers;
}

static size_t read_verdicts(void *arg, const struct policy_verdict **out)
{
	const struct policy_stored *stored = arg;
	const struct result_row *row = stored->row;
	struct verdict_list list = {0};
	if (!verdicts_on(stored->store, stored->arena, row->workflow, row->node, &row->output,
		    row->has_manifest ? &row->manifest : NULL, &list, NULL) ||
		!list.len)
		return 0;
	struct policy_verdict *verdicts =
		arena_array(stored->arena, struct policy_verdict, list.len);
	for (size_t i = 0; i < list.len; i++)
		verdicts[i] = (struct policy_verdict){
			.kind = verdict_kind_name(list.ptr[i].kind),
			.by = list.ptr[i].by,
			.reason = list.ptr[i].reason,
			.at_ms = list.ptr[i].at_ms,
			.automatic = list.ptr[i].automatic,
		};
	*out = verdicts;
	return list.len;
}

void policy_stored_init(struct policy_stored *stored, struct store *store, struct arena *arena,
	const struct result_row *row, int64_t now_ms)
{
	*stored = (struct policy_stored){
		.result =
			{
				.age_ms = now_ms - row->made_ms,
				.run = row->run,
				.key = row->key,
				.digest = row->output,
				.size = row->output_size,
				.provable = row->provable,
				.arg = stored,
				.output = read_output,
				.history = read_history,
				.verdicts = read_verdicts,
			},
		.store = store,
		.arena = arena,
		.row = row,
	};
}
