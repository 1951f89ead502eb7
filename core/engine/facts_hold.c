/* facts_hold: whether the facts of a trace hold now.  See facts.h. */
#include "engine/facts.h"

#include "sys/fs.h"

bool facts_state(const struct fact_place *place, struct arena *arena, str path, struct digest *out)
{
	struct fact_place all = *place;
	struct fact then = {
		.kind = fs_is_glob(path) ? FACT_GLOB : FACT_FILE, .path = path, .real = STR("")};
	struct fact now = {.real = STR("")};
	all.writes = NULL;
	if (!facts_now(&all, arena, &then, &now))
		return false;
	*out = fact_digest(&now);
	return true;
}

/* Half of it as it was and half as it was left is neither. */
struct was {
	size_t before, after;
};

static bool was_holds(const struct fact_place *place, struct arena *arena, const struct fact *then,
	struct was *was)
{
	struct digest now;
	if (!facts_state(place, arena, then->path, &now))
		return false;
	bool is_before = digest_eq(&now, &then->digest);
	bool is_after = digest_eq(&now, &then->after);
	was->before += is_before && !is_after;
	was->after += is_after && !is_before;
	return (is_before || is_after) && !(was->before && was->after);
}

bool facts_find_broken(const struct fact_place *place, struct arena *arena,
	const struct trace *trace, struct broken_fact *broken)
{
	struct was was = {0};
	for (size_t i = 0; i < trace->facts.len; i++) {
		const struct fact *then = &trace->facts.ptr[i];
		struct fact now = {.real = STR("")};
		bool holds = true;
		if (then->kind == FACT_WAS) {
			now.kind = FACT_WAS;
			holds = was_holds(place, arena, then, &was);
		} else if (then->kind != FACT_WROTE && then->kind != FACT_LOOSE) {
			holds = facts_now(place, arena, then, &now) && fact_eq(then, &now);
		}
		if (holds)
			continue;
		*broken = (struct broken_fact){.then = *then, .now = now};
		return true;
	}
	return false;
}
