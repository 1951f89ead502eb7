/* upstream: what lies in $ARTIFACTS_DIR when a node starts is not only from its direct dependencies: every node of the run
 * shares that directory, and a body may open any file there without naming who made it.  So the key of a node has, for each
 * direct dependency, one digest of all artifacts that were made above that.  Files in the project are not in it: a node that
 * reads those without depending on their maker says so in `reads`.
 *
 * What a node left there that failed or was stopped is not known.  The run and attempt stand for it, so that nothing that
 * ran behind a failure is taken for current behind the next one. */
#include "engine/internal.h"

#include "data/manifest.h"
#include "store/cas.h"

/* The digest of that part of a manifest which is in $ARTIFACTS_DIR; false: there is none. */
static bool shared_part(struct engine *engine, const struct digest *digest, struct digest *out)
{
	struct buf text = {0};
	struct manifest manifest = {0};
	*out = *digest;
	bool has_any = true; /* what can't be read may be anything */
	if (cas_get(engine->store, digest, &text, NULL) &&
		manifest_parse(buf_str(&text), &manifest)) {
		size_t kept = 0;
		for (size_t i = 0; i < manifest.list.len; i++) {
			if (manifest.list.ptr[i].root == ROOT_ARTIFACTS)
				manifest.list.ptr[kept++] = manifest.list.ptr[i];
		}
		has_any = kept > 0;
		if (has_any && kept < manifest.list.len) {
			struct buf part = {0};
			manifest.list.len = kept;
			manifest_write(&part, &manifest);
			*out = hash_of(buf_str(&part));
			buf_finish(&part);
		}
	}
	manifest_finish(&manifest);
	buf_finish(&text);
	return has_any;
}

static void add(struct buf *text, char tag, const struct digest *digest)
{
	buf_add_char(text, tag);
	digest_add_hex(text, digest);
	buf_add_char(text, '\n');
}

bool upstream_is_unknown(const struct unit *unit)
{
	return unit->state == NODE_FAILED || unit->state == NODE_CANCELLED;
}

static void lose(struct unit *unit, str what)
{
	struct buf text = {0};
	if (unit->has_lost)
		digest_add_hex(&text, &unit->lost);
	buf_add(&text, what);
	unit->lost = hash_of(buf_str(&text));
	unit->has_lost = true;
	buf_finish(&text);
}

/* The result stands for what it was made with, as long as it is one. */
static str loose_name(const struct engine *engine, const struct unit *unit, struct arena *arena)
{
	return unit->out.result
	               ? str_of(arena_printf(arena, "result %lld", (long long)unit->out.result))
	               : upstream_name(engine, arena);
}

void upstream_hold(struct engine *engine, struct unit *holder, const struct unit *held)
{
	if (upstream_is_unknown(held))
		lose(holder, upstream_name(engine, &engine->arena));
	else if (held->has_lost)
		lose(holder, str_make((const char *)held->lost.bytes, DIGEST_SIZE));
	else if (held->is_loose)
		lose(holder, loose_name(engine, held, &engine->arena));
	if (!held->out.has_manifest)
		return;
	struct held_manifest *entry = arena_new(&engine->arena, struct held_manifest);
	entry->manifest = held->out.manifest;
	entry->next = holder->held;
	holder->held = entry;
}

void upstream_join(struct engine *engine, struct unit *holder)
{
	struct buf all = {0};
	struct produced *out = &holder->out;
	struct held_manifest *first = NULL;
	while (holder->held) {
		struct held_manifest *entry = holder->held;
		holder->held = entry->next;
		entry->next = first;
		first = entry;
	}
	for (const struct held_manifest *entry = first; entry; entry = entry->next)
		cas_get(engine->store, &entry->manifest, &all, NULL);
	if (all.len) {
		out->manifest = hash_of(buf_str(&all));
		out->has_manifest = true;
		if (!engine->options->plan)
			cas_put(engine->store, buf_str(&all), &out->manifest, NULL);
	}
	buf_finish(&all);
}

str upstream_name(const struct engine *engine, struct arena *arena)
{
	return str_of(arena_printf(
		arena, "%lld/%lld", (long long)engine->row.id, (long long)engine->row.attempt));
}

static void take_newer(struct moved *newest, struct moved other)
{
	if (other.made > newest->made)
		*newest = other;
}

/* What it names besides its direct dependencies is above those, or above what it is in. */
struct moved upstream_newest(const struct engine *engine, const struct unit *unit)
{
	const struct node *node = unit->node;
	struct moved newest = {engine->options->above_made, engine->options->above_name};
	uint32_t holder = node->scope->holder;
	take_newer(&newest, unit->earlier);
	for (uint32_t d = 0; d < node->dep_count; d++)
		take_newer(&newest, engine->units[node->deps[d]].newest);
	if (holder != NO_NODE)
		take_newer(&newest, upstream_newest(engine, &engine->units[holder]));
	return newest;
}

void upstream_note(struct engine *engine, struct unit *unit)
{
	const struct node *node = unit->node;
	unit->newest = upstream_newest(engine, unit);
	take_newer(&unit->newest, (struct moved){unit->made, node->id});
	if (unit->is_loose && !upstream_is_unknown(unit))
		lose(unit, loose_name(engine, unit, &engine->arena));
	if (!node->consumer_count)
		return;
	struct buf text = {0};
	if (upstream_is_unknown(unit)) {
		str which = upstream_name(engine, &engine->arena);
		buf_printf(&text, "%.*s/%.*s", STR_ARG(which), STR_ARG(node->id));
		unit->has_shared = true;
		unit->shared = hash_of(buf_str(&text));
		buf_clear(&text);
	} else {
		unit->has_shared = unit->out.has_manifest &&
		                   shared_part(engine, &unit->out.manifest, &unit->shared);
	}
	for (uint32_t d = 0; d < node->dep_count; d++) {
		const struct unit *dep = &engine->units[node->deps[d]];
		if (dep->has_shared)
			add(&text, 's', &dep->shared);
		if (dep->has_above)
			add(&text, 'a', &dep->above);
		if (dep->has_lost)
			add(&text, 'l', &dep->lost);
	}
	unit->has_above = text.len > 0;
	if (text.len)
		unit->above = hash_of(buf_str(&text));
	buf_finish(&text);
}

void upstream_note_before(struct engine *engine, struct unit *loop, const struct unit *member)
{
	struct digest shared;
	struct buf text = {0};
	if (!member->out.has_manifest || !shared_part(engine, &member->out.manifest, &shared))
		return;
	if (loop->has_before)
		add(&text, 'b', &loop->before);
	add(&text, 's', &shared);
	loop->before = hash_of(buf_str(&text));
	loop->has_before = true;
	buf_finish(&text);
}
