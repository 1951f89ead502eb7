/* history: failures that are remembered until the node passes.  See history.h. */
#include "engine/history.h"

#include "engine/internal.h"

enum {
	KEPT_FAILURES = 8,
	KEPT_READS = 200,
};

size_t history_count(const struct value *failed)
{
	return failed && failed->kind == VALUE_LIST ? failed->as.list.count : 0;
}

static str text_of(const struct value *map, str name)
{
	const struct value *value = value_get(map, name);
	return value && value->kind == VALUE_STRING ? value->as.text : STR("");
}

static int64_t number_of(const struct value *map, str name)
{
	const struct value *value = value_get(map, name);
	uint64_t number = 0;
	bool is_number =
		value && value->kind == VALUE_NUMBER && str_to_u64(value->as.text, &number);
	return is_number && number <= INT64_MAX ? (int64_t)number : 0;
}

struct past_failure history_at(const struct value *failed, size_t i)
{
	const struct value *entry = &failed->as.list.items[i];
	return (struct past_failure){.run = number_of(entry, STR("run")),
		.count = number_of(entry, STR("count")),
		.before_ms = number_of(entry, STR("before")),
		.how = text_of(entry, STR("how")),
		.own = text_of(entry, STR("own")),
		.inputs = value_get(entry, STR("inputs")),
		.reads = value_get(entry, STR("reads"))};
}

static const struct value *failures_of(struct arena *arena, const struct node_row *row)
{
	return value_get(json_parse(arena, row->extra, NULL), STR("failed"));
}

bool history_of_row(struct arena *arena, const struct node_row *row, struct past_failure *out)
{
	const struct value *failed = failures_of(arena, row);
	if (!history_count(failed))
		return false;
	*out = history_at(failed, 0);
	return true;
}

void history_load(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	bool found = false;
	if (attempt->has_history)
		return;
	attempt->has_history = true;
	attempt->last = (struct node_row){0};
	if (nodes_newest(engine->store, &attempt->arena, engine->workflow->name,
		    attempt->unit->node->id, &attempt->last, &found, NULL) &&
		found)
		attempt->failed = failures_of(&attempt->arena, &attempt->last);
	else
		attempt->last = (struct node_row){0};
}

bool history_is_clean(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	if (engine->options->resume)
		return false; /* the newest rows may be this run's own */
	if (!engine->has_passed) {
		engine->has_passed = true;
		nodes_passed_last(engine->store, &engine->arena, engine->workflow->name,
			engine->row.id, &engine->passed, NULL);
	}
	return map_get(&engine->passed, attempt->unit->node->id) != NULL;
}

/* What the file system was when the body began, as one digest. */
static str name_facts(struct attempt *attempt)
{
	struct buf text = {0};
	struct buf hex = {0};
	trace_write(&text, &attempt->before);
	struct digest digest = hash_of(buf_str(&text));
	digest_add_hex(&hex, &digest);
	str name = arena_str(&attempt->arena, buf_str(&hex));
	buf_finish(&text);
	buf_finish(&hex);
	return name;
}

static void add_digest(struct buf *json, const char *name, const struct digest *digest)
{
	buf_printf(json, ",\"%s\":\"", name);
	digest_add_hex(json, digest);
	buf_add_char(json, '"');
}

/* Declared patterns as they are written, files that were found as they are. */
static void add_reads(struct attempt *attempt, struct buf *json)
{
	const struct node *node = attempt->unit->node;
	size_t count = 0;
	buf_add_z(json, ",\"reads\":[");
	for (size_t i = 0; i < node->reads.len && count < KEPT_READS; i++) {
		if (count++)
			buf_add_char(json, ',');
		json_write_string(json, node->reads.ptr[i]);
	}
	for (size_t i = attempt->declared; i < attempt->before.facts.len && count < KEPT_READS;
		i++) {
		if (count++)
			buf_add_char(json, ',');
		json_write_string(json, attempt->before.facts.ptr[i].path);
	}
	buf_add_char(json, ']');
}

/* The failure that has just happened. */
static void add_failure(struct attempt *attempt, str inputs, struct buf *json)
{
	struct engine *engine = attempt->engine;
	str facts = name_facts(attempt);
	int64_t count = 0;
	int64_t before = 0;
	struct buf key = {0};
	digest_add_hex(&key, &attempt->digest);
	if (history_count(attempt->failed)) {
		const struct value *last = &attempt->failed->as.list.items[0];
		bool is_same = str_eq(text_of(last, STR("key")), buf_str(&key)) &&
		               str_eq(text_of(last, STR("facts")), facts);
		count = is_same ? number_of(last, STR("count")) : 0;
		before = is_same ? number_of(last, STR("at")) : 0;
	}
	buf_printf(json, "{\"run\":%lld,\"count\":%lld,\"at\":%lld,\"before\":%lld",
		(long long)engine->row.id, (long long)count + 1,
		(long long)engine->world->wall_ms(engine->world->ctx), (long long)before);
	if (attempt->has_exit)
		buf_printf(json, ",\"how\":\"%s %d\"", attempt->exit.signal ? "signal" : "exit",
			attempt->exit.signal ? attempt->exit.signal : attempt->exit.code);
	add_digest(json, "key", &attempt->digest);
	add_digest(json, "own", &attempt->own);
	buf_printf(json, ",\"facts\":\"%.*s\"", STR_ARG(facts));
	add_reads(attempt, json);
	buf_printf(json, ",\"inputs\":%.*s}", STR_ARG(inputs));
	buf_finish(&key);
}

static bool has_key(const struct value *entry, const struct digest *key)
{
	struct digest digest;
	return digest_parse(text_of(entry, STR("key")), &digest) && digest_eq(&digest, key);
}

void history_write(struct attempt *attempt, enum node_state state, str inputs, struct buf *json)
{
	/* A body that never began says nothing of what it would have consumed. */
	bool is_failure = state == NODE_FAILED && attempt->tries > 0 && attempt->has_key;
	size_t kept = 0;
	if (state == NODE_COMPLETED || state == NODE_REUSED)
		return;
	history_load(attempt);
	if (!is_failure && !history_count(attempt->failed))
		return;
	buf_add_z(json, json->len > 1 ? ",\"failed\":[" : "\"failed\":[");
	if (is_failure) {
		add_failure(attempt, inputs, json);
		kept++;
	}
	for (size_t i = 0; i < history_count(attempt->failed) && kept < KEPT_FAILURES; i++) {
		const struct value *entry = &attempt->failed->as.list.items[i];
		if (is_failure && has_key(entry, &attempt->digest))
			continue;
		if (kept++)
			buf_add_char(json, ',');
		json_write(json, entry);
	}
	buf_add_char(json, ']');
}
