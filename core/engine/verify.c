/* verify: see verify.h. */
#include "engine/verify.h"

#include "engine/internal.h"
#include "sys/fs.h"

#include <unistd.h>

/* More than this of files that only the trace knows is not held in memory. */
#define KEPT_LIMIT ((size_t)256 << 20)

struct kept_file {
	str path;
	str bytes;
	uint32_t mode;
	struct kept_file *next;
};

static str keep_text(struct engine *engine, const char *text)
{
	return arena_str(engine->options->verify->arena, str_of(text));
}

static bool give_up(struct attempt *attempt, const char *problem)
{
	struct engine_verify *verify = attempt->engine->options->verify;
	struct err err = {0};
	if (!verify->problem.len)
		verify->problem = keep_text(attempt->engine, problem);
	err_set(&err, "E-VERIFY-NOT-REUSED", "%s", problem);
	node_fail_early(attempt, &err);
	err_finish(&err);
	return false;
}

/* Files that the body wrote and that no `writes` declares are not in the store: their bytes are held here. */
static bool keep_files(struct attempt *attempt, const struct result_row *row)
{
	struct engine *engine = attempt->engine;
	struct trace trace = {0};
	struct buf bytes = {0};
	size_t total = 0;
	bool ok = trace_parse(row->trace, &trace);
	for (size_t i = 0; ok && i < trace.facts.len; i++) {
		const struct fact *fact = &trace.facts.ptr[i];
		const char *path = arena_str(&attempt->arena, fact->path).ptr;
		struct fs_stat st;
		if (fact->kind != FACT_WROTE || path[0] == '/')
			continue;
		ok = fs_read_file(store_project_fd(engine->store), path, KEPT_LIMIT - total, &bytes,
			     NULL) &&
		     fs_stat_at(store_project_fd(engine->store), path, &st, NULL) == FS_FOUND;
		if (!ok)
			break;
		struct kept_file *kept = arena_new(&attempt->arena, struct kept_file);
		*kept = (struct kept_file){str_of(path),
			arena_str(&attempt->arena, buf_str(&bytes)), st.mode & 07777,
			attempt->kept};
		attempt->kept = kept;
		total += bytes.len;
	}
	trace_finish(&trace);
	buf_finish(&bytes);
	return ok;
}

static void put_back(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct err err = {0};
	struct restored restored;
	capture_undo(attempt);
	bool ok = restore_places(attempt, attempt->verified, &restored, &err);
	for (const struct kept_file *kept = attempt->kept; ok && kept; kept = kept->next)
		ok = fs_write_file(store_project_fd(engine->store), kept->path.ptr, kept->bytes,
			kept->mode, false, &err);
	if (!ok)
		tell(attempt, EVENT_NOTE,
			str_of(arena_printf(&attempt->arena,
				"what it wrote could not be put back: %s", err.message)));
	err_finish(&err);
}

bool verify_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct engine_verify *verify = engine->options->verify;
	const struct node *node = attempt->unit->node;
	bool is_reused = attempt->decision.action == ACTION_REUSE;
	if (node->index != verify->node && is_reused)
		return true;
	if (!is_reused)
		return give_up(attempt,
			arena_printf(&attempt->arena, "`%.*s` would not be reused now: %.*s",
				STR_ARG(node->id), STR_ARG(attempt->decision.sentence)));
	const struct result_row *row = attempt->reused;
	attempt->verified = row;
	lookup_to_compare(attempt);
	verify->then = (struct verify_side){.output = row->output,
		.output_size = row->output_size,
		.manifest = row->manifest,
		.has_manifest = row->has_manifest,
		.run = row->run,
		.artifacts_dir = arena_printf(verify->arena, "%s/runs/%lld/artifacts",
			store_state_path(engine->store), (long long)row->run)};
	if (!keep_files(attempt, row))
		return give_up(attempt,
			"the files that it writes without declaring them in `writes` can't be kept meanwhile");
	return true;
}

void verify_control(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	str id = unit->node->id;
	struct node_row row = {0};
	bool found = false;
	if (unit->node->index == engine->options->verify->node) {
		give_up(attempt,
			arena_printf(&attempt->arena,
				"`%.*s` has no stored result of its own: verify the nodes in it",
				STR_ARG(id)));
		return;
	}
	nodes_get(engine->store, &attempt->arena, engine->row.id, id, &row, &found, NULL);
	if (!found || row.state != NODE_COMPLETED || !digest_parse(row.output, &unit->out.output)) {
		give_up(attempt,
			arena_printf(&attempt->arena, "`%.*s` did not complete in run %lld",
				STR_ARG(id), (long long)engine->row.id));
		return;
	}
	unit->out.output_size = (uint64_t)row.output_size;
	unit->out.has_output = true;
	unit->out.origin = engine->row.id;
	attempt_destroy(attempt);
	engine_unit_ended(engine, unit, NODE_COMPLETED);
}

void verify_end(struct attempt *attempt, str problem)
{
	struct engine *engine = attempt->engine;
	struct engine_verify *verify = engine->options->verify;
	const struct produced *out = &attempt->unit->out;
	verify->ms = attempt->ran_ms;
	verify->has_failed = problem.len > 0;
	verify->has_run = !problem.len;
	verify->problem = arena_str(verify->arena, problem);
	verify->now = (struct verify_side){.output = out->output,
		.output_size = out->output_size,
		.manifest = out->manifest,
		.has_manifest = out->has_manifest,
		.run = engine->row.id,
		.artifacts_dir = arena_printf(verify->arena, "%s", engine->artifacts_dir)};
	put_back(attempt);
}

const char *verify_directory(struct engine *engine)
{
	return arena_printf(&engine->arena, "tmp/verify-%d/artifacts", (int)getpid());
}

void verify_clean(struct engine *engine)
{
	struct err err = {0};
	fs_remove_tree(store_state_fd(engine->store),
		arena_printf(&engine->arena, "tmp/verify-%d", (int)getpid()), &err);
	err_finish(&err);
}
