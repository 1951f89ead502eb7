/* live: what a body has printed so far, for those who look at a run while it goes on: links in runs/N/live, NODE.out and
 * NODE.err, to the files that the blobs are written to.  A body that ends soon never gets any: nothing is paid for it. */
#include "engine/internal.h"

#include "sys/fs.h"

static const uint64_t shown_after_ms = 200;

static const char *link_path(const struct attempt *attempt, struct arena *arena, const char *stream)
{
	return arena_printf(arena, "runs/%lld/live/%.*s.%s", (long long)attempt->engine->row.id,
		STR_ARG(attempt->unit->node->id), stream);
}

/* Nobody is told of a link that can't be made: the output is stored all the same. */
static void show(struct attempt *attempt, struct cas_writer *writer, const char *stream)
{
	struct arena arena = {0};
	int state = store_state_fd(attempt->engine->store);
	const char *name = writer ? cas_writer_show(writer) : NULL;
	const char *dir =
		arena_printf(&arena, "runs/%lld/live", (long long)attempt->engine->row.id);
	if (name && fs_make_dirs(state, dir, 0700, NULL))
		fs_write_link(state, link_path(attempt, &arena, stream),
			arena_printf(&arena, "../../../tmp/%s", name), NULL);
	arena_finish(&arena);
}

static void on_time(void *arg)
{
	struct attempt *attempt = arg;
	attempt->show_timer = NULL;
	attempt->is_shown = true;
	show(attempt, attempt->out, "out");
	show(attempt, attempt->log, "err");
}

void live_begin(struct attempt *attempt)
{
	const struct world *world = attempt->engine->world;
	if (attempt->engine->options->verify)
		return;
	if (attempt->is_shown)
		on_time(attempt); /* the other stream */
	else if (!attempt->show_timer)
		attempt->show_timer =
			world->timer_start(world->ctx, shown_after_ms, on_time, attempt);
}

void live_end(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct arena arena = {0};
	engine->world->timer_stop(engine->world->ctx, attempt->show_timer);
	attempt->show_timer = NULL;
	if (attempt->is_shown) {
		fs_remove_tree(
			store_state_fd(engine->store), link_path(attempt, &arena, "out"), NULL);
		fs_remove_tree(
			store_state_fd(engine->store), link_path(attempt, &arena, "err"), NULL);
	}
	attempt->is_shown = false;
	arena_finish(&arena);
}
