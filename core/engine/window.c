/* window: the time in which a body runs, and what the file system was at both ends of it.  Only what held still can be said
 * to have been read: an input that changed, or was written to and put back, makes the result unstorable, because nobody
 * knows what the body saw; so does a declared output that was there before and that the body did not write. */
#include "engine/internal.h"
#include "engine/stamp.h"

#include <fcntl.h>

static bool is_own(void *arg, str path)
{
	return facts_is_own(arg, path);
}

/* Nothing for what was not there: what appears shows as a fact. */
static struct stamp stamp_fact(struct fact_place *place, const struct fact *fact)
{
	int project = store_project_fd(place->store);
	switch (fact->kind) {
	case FACT_TOOL:
		return stamp_take(
			fact->real.ptr[0] == '/' ? AT_FDCWD : project, fact->real.ptr, NULL, NULL);
	case FACT_FILE:
	case FACT_TREE:
	case FACT_GLOB: {
		int root = fact->path.ptr[0] == '/' ? AT_FDCWD : project;
		return stamp_take(root, fact->path.ptr, is_own, place);
	}
	default: return (struct stamp){0};
	}
}

bool window_open(struct attempt *attempt, struct err *err)
{
	const struct node *node = attempt->unit->node;
	struct fact_place place;
	attempt_fact_place(attempt, &place);
	attempt->before.facts.len = 0;
	attempt->stamps = NULL;
	if (!facts_take(&place, &attempt->arena, node, &attempt->plugin_facts, &attempt->before,
		    &attempt->declared, err))
		return false;
	size_t count = attempt->before.facts.len;
	attempt->stamps = arena_array(&attempt->arena, struct stamp, count);
	for (size_t i = 0; i < count; i++)
		attempt->stamps[i] = stamp_fact(&place, &attempt->before.facts.ptr[i]);
	return true;
}

static void spoil(struct attempt *attempt, str path, const char *what)
{
	attempt->unstorable = str_of(arena_printf(&attempt->arena, "%.*s %s", STR_ARG(path), what));
}

/* One fact at the end; false where it spoils the result. */
static bool close_fact(struct attempt *attempt, struct fact_place *place, size_t i)
{
	const struct fact *then = &attempt->before.facts.ptr[i];
	struct fact now = {.real = STR("")};
	bool is_declared = i < attempt->declared;
	if (facts_now(place, &attempt->arena, then, &now) && fact_eq(then, &now)) {
		struct stamp stamp = stamp_fact(place, then);
		if (stamp_eq(&stamp, &attempt->stamps[i])) {
			*vec_push(&attempt->after.facts) = *then;
			return true;
		}
		spoil(attempt, then->path,
			then->kind == FACT_FILE || then->kind == FACT_TOOL
				? "was written to while it ran, though it is as it was"
				: "had files written while it ran, though they are as they were");
		return false;
	}
	if (!is_declared && then->kind == FACT_ABSENT && now.kind == FACT_FILE) {
		now.kind = FACT_WROTE;
		now.mode = now.mode ? 0755 : 0644;
		*vec_push(&attempt->after.facts) = now;
		return true;
	}
	/* A directory that was made on the way is no more an input than one that is there. */
	if (!is_declared && then->kind == FACT_ABSENT && now.kind == FACT_TREE)
		return true;
	spoil(attempt, then->path,
		is_declared ? "changed while it ran"
			    : "changed while it ran, say in `reads` or `writes` which it is");
	return false;
}

void window_close(struct attempt *attempt)
{
	struct fact_place place;
	attempt_fact_place(attempt, &place);
	size_t count = attempt->before.facts.len;
	if (!attempt->stamps)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!close_fact(attempt, &place, i))
			return;
	}
}
