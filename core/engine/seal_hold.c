/* seal_hold: see seal.h.  Holds a seal against the world, and runs under it. */
#include "engine/seal_inner.h"

#include "base/mem.h"
#include "data/netstr.h"
#include "engine/facts_memo.h"
#include "engine/stamp.h"
#include "sys/proc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sealed_node {
	struct node node;
	bool is_skipped;
	int64_t origin;
	int64_t made_ms;
	str reason;
	str sentence;
};

struct seal {
	struct arena arena;
	const struct seal_request *request;
	int project_fd;
	struct fs_look *look;
	struct buf text;
	str body; /* what seal_write puts behind the head */
	struct seal_head head;
	struct workflow workflow; /* names only */
	struct sealed_node *nodes;
	uint32_t count;
};

/* ---- reading ---- */

static bool take_number(str *rest, int64_t *out)
{
	str word;
	uint64_t value;
	bool ok = netstr_take_char(rest, ' ');
	bool is_negative = netstr_take_char(rest, '-');
	ok = ok && netstr_take_word(rest, &word) && str_to_u64(word, &value) && value <= INT64_MAX;
	*out = !ok ? 0 : is_negative ? -(int64_t)value : (int64_t)value;
	return ok;
}

static bool take_unsigned(str *rest, uint64_t *out)
{
	str word;
	return netstr_take_char(rest, ' ') && netstr_take_word(rest, &word) &&
	       str_to_u64(word, out);
}

static bool take_stat(str *rest, struct fs_stat *out)
{
	str mode;
	return take_unsigned(rest, &out->dev) && take_unsigned(rest, &out->ino) &&
	       take_unsigned(rest, &out->size) && take_number(rest, &out->mtime_ns) &&
	       take_number(rest, &out->ctime_ns) && netstr_take_char(rest, ' ') &&
	       netstr_take_word(rest, &mode) && netstr_octal(mode, 8, &out->mode);
}

static bool take_digest(str *rest, struct digest *out)
{
	str word;
	return netstr_take_char(rest, ' ') && netstr_take_word(rest, &word) &&
	       digest_parse(word, out);
}

static bool take_words(str *rest, const char *words)
{
	str wanted = str_of(words);
	if (!str_starts(*rest, wanted))
		return false;
	*rest = str_slice(*rest, wanted.len, rest->len);
	return true;
}

/* "end DIGEST\n" over all before it. */
static bool is_whole(str text)
{
	const size_t tail = 4 + (size_t)2 * DIGEST_SIZE + 1;
	struct digest then;
	if (text.len <= tail)
		return false;
	struct digest now = hash_of(str_slice(text, 0, text.len - tail));
	str end = str_slice(text, text.len - tail, text.len - 1);
	return str_starts(end, STR("end ")) && digest_parse(str_slice(end, 4, end.len), &then) &&
	       digest_eq(&then, &now);
}

static bool read_head(struct seal *seal, str *rest)
{
	struct seal_head *head = &seal->head;
	return take_words(rest, "pawl-seal 2") && take_digest(rest, &head->guard) &&
	       digest_eq(&head->guard, &seal->request->guard) && take_words(rest, "\nrun") &&
	       take_number(rest, &head->run) && take_number(rest, &head->generation) &&
	       take_stat(rest, &head->db) && netstr_take_char(rest, '\n');
}

/* ---- what it rests on ---- */

static const char *text_of(struct seal *seal, str text)
{
	return arena_str(&seal->arena, text).ptr;
}

static enum fs_found look_at(struct seal *seal, str path, struct fs_stat *st)
{
	const char *z = text_of(seal, path);
	if (z[0] == '/')
		return fs_stat_at(AT_FDCWD, z, st, NULL);
	return fs_look_at(seal->look, z, st, NULL);
}

static bool place_holds(struct seal *seal, str *rest)
{
	struct fs_stat then;
	struct fs_stat now;
	str path;
	if (!take_stat(rest, &then) || !netstr_take_text(rest, &path))
		return false;
	/* A link stands for itself: it was noted so. */
	if (S_ISLNK(then.mode))
		return fs_lstat_at(seal->project_fd, text_of(seal, path), &now, NULL) == FS_FOUND &&
		       seal_stat_eq(&then, &now);
	return look_at(seal, path, &now) == FS_FOUND && seal_stat_eq(&then, &now);
}

static bool absence_holds(struct seal *seal, str *rest)
{
	struct fs_stat now;
	str path;
	return netstr_take_text(rest, &path) && look_at(seal, path, &now) == FS_ABSENT;
}

static bool stamp_holds(struct seal *seal, str *rest)
{
	struct digest then;
	str path;
	if (!take_digest(rest, &then) || !netstr_take_text(rest, &path))
		return false;
	struct stamp now = stamp_take(
		path.ptr[0] == '/' ? AT_FDCWD : seal->project_fd, text_of(seal, path), NULL, NULL);
	return !now.is_unclear && digest_eq(&then, &now.digest);
}

static bool tool_holds(struct seal *seal, str *rest)
{
	str name;
	str path;
	str cwd;
	str real;
	if (!netstr_take_text(rest, &name) || !netstr_take_text(rest, &path) ||
		!netstr_take_text(rest, &cwd) || !netstr_take_text(rest, &real))
		return false;
	char *now = tool_find(text_of(seal, name), text_of(seal, path), text_of(seal, cwd));
	bool same = str_eq(real, str_of(now ? now : ""));
	free(now);
	return same;
}

static bool read_node(struct seal *seal, char kind, str *rest, uint32_t at)
{
	struct sealed_node *node = &seal->nodes[at];
	bool ok = at < seal->count;
	if (!ok)
		return false;
	node->is_skipped = kind == 'k';
	if (node->is_skipped)
		ok = netstr_take_char(rest, ' ') && netstr_take_word(rest, &node->reason) &&
		     netstr_take_text(rest, &node->node.id) &&
		     netstr_take_text(rest, &node->sentence);
	else
		ok = take_number(rest, &node->origin) && take_number(rest, &node->made_ms) &&
		     netstr_take_text(rest, &node->node.id);
	node->node.index = at;
	node->node.scope = &seal->workflow.scope;
	seal->workflow.nodes[at] = node->node;
	return ok;
}

static bool read_names(struct seal *seal, str *rest)
{
	uint64_t count = 0;
	str file;
	if (!take_words(rest, "nodes") || !take_unsigned(rest, &count) || count > rest->len ||
		!netstr_take_text(rest, &seal->workflow.name) || !netstr_take_text(rest, &file) ||
		!netstr_take_char(rest, '\n'))
		return false;
	seal->count = (uint32_t)count;
	seal->nodes = arena_array(&seal->arena, struct sealed_node, count);
	seal->workflow.nodes = arena_array(&seal->arena, struct node, count);
	seal->workflow.node_count = seal->workflow.top_count = seal->count;
	seal->workflow.scope.holder = NO_NODE;
	seal->workflow.file = text_of(seal, file);
	return true;
}

/* Line by line, up to the first that does not hold. */
static bool body_holds(struct seal *seal)
{
	str rest = seal->body;
	uint32_t at = 0;
	bool ok = read_names(seal, &rest);
	while (ok && rest.len) {
		char kind = rest.ptr[0];
		rest = str_slice(rest, 1, rest.len);
		switch (kind) {
		case 'f': ok = place_holds(seal, &rest); break;
		case 'a': ok = absence_holds(seal, &rest); break;
		case 's': ok = stamp_holds(seal, &rest); break;
		case 't': ok = tool_holds(seal, &rest); break;
		case 'r':
		case 'k': ok = read_node(seal, kind, &rest, at++); break;
		default: ok = false;
		}
		ok = ok && netstr_take_char(&rest, '\n');
	}
	return ok && at == seal->count;
}

/* Nobody has written to the store since: no run of pawl's, which raises the generation, and nothing else, which the file
 * shows. */
static bool store_holds(const struct seal *seal, struct store *store)
{
	struct fs_stat db;
	int64_t generation = 0;
	return store_generation(store, &generation, NULL) && generation == seal->head.generation &&
	       seal_stat_store(store, &db) && seal_stat_eq(&db, &seal->head.db);
}

static bool read_seal(struct seal *seal)
{
	const size_t tail = 4 + (size_t)2 * DIGEST_SIZE + 1;
	struct buf name = {0};
	buf_add_z(&name, ".pawl/state/");
	seal_name(seal->request->file, &name);
	bool ok = fs_read_file(
		seal->project_fd, buf_cstr(&name), (size_t)256 << 20, &seal->text, NULL);
	buf_finish(&name);
	str rest = buf_str(&seal->text);
	if (!ok || !is_whole(rest))
		return false;
	rest = str_slice(rest, 0, rest.len - tail);
	ok = read_head(seal, &rest);
	seal->body = rest;
	return ok;
}

struct seal *seal_open(const char *project, const struct seal_request *request)
{
	struct seal *seal = mem_zalloc(sizeof(*seal));
	seal->request = request;
	seal->project_fd = fs_open_dir(project, NULL);
	if (seal->project_fd >= 0) {
		seal->look = fs_look_create(seal->project_fd);
		if (read_seal(seal))
			return seal;
	}
	seal_close(seal);
	return NULL;
}

void seal_close(struct seal *seal)
{
	if (!seal)
		return;
	fs_look_destroy(seal->look);
	if (seal->project_fd >= 0)
		close(seal->project_fd);
	buf_finish(&seal->text);
	arena_finish(&seal->arena);
	free(seal);
}

/* ---- a run under it ---- */

/* Held against the world and recorded as the run that was looked at, all of it in one transaction: nobody else writes
 * meanwhile. */
static bool record(struct seal *seal, const struct world *world, struct store *store,
	struct run_row *row, struct err *err)
{
	bool found = false;
	if (!store_write_begin(store, err))
		return false;
	if (!store_holds(seal, store) || !body_holds(seal) ||
		!runs_get(store, &seal->arena, seal->head.run, row, &found, err) || !found) {
		store_write_cancel(store);
		return false;
	}
	row->same_as = seal->head.run;
	row->attempt = 1;
	row->continues = 0;
	row->started_ms = row->ended_ms = world->wall_ms(world->ctx);
	row->owner = proc_self();
	row->owner_here = STR("");
	return runs_create(store, row, &row->id, err);
}

static void tell_reused(const struct sealed_node *sealed, const struct node *node,
	const struct engine_events *events, int64_t now_ms)
{
	struct arena arena = {0};
	struct result_row row = {
		.run = sealed->origin, .made_ms = sealed->made_ms, .provable = true};
	struct candidate candidate = {.row = &row,
		.contract = STR(""),
		.output_gone = STR(""),
		.output_other = STR(""),
		.loose = STR(""),
		.policy = STR("")};
	struct decide_input in = {.now_ms = now_ms,
		.words = STR(""),
		.candidates = &candidate,
		.candidate_count = 1,
		.failed_how = STR(""),
		.not_stored = STR("")};
	struct decision decision = decide(&arena, &in);
	struct node_event event = {.kind = EVENT_DECIDED,
		.node = node,
		.state = NODE_REUSED,
		.reason = reason_code(decision.reason),
		.sentence = decision.sentence,
		.origin = sealed->origin,
		.bytes = STR("")};
	events->node(events->arg, &event);
	event.kind = EVENT_ENDED;
	events->node(events->arg, &event);
	arena_finish(&arena);
}

static void tell_nodes(struct seal *seal, const struct engine_events *events, int64_t now_ms,
	struct engine_summary *summary)
{
	for (uint32_t i = 0; i < seal->count; i++) {
		const struct sealed_node *sealed = &seal->nodes[i];
		const struct node *node = &seal->workflow.nodes[i];
		if (!sealed->is_skipped) {
			summary->reused++;
			tell_reused(sealed, node, events, now_ms);
			continue;
		}
		summary->skipped++;
		events->node(events->arg, &(struct node_event){.kind = EVENT_ENDED,
						  .node = node,
						  .state = NODE_SKIPPED,
						  .reason = text_of(seal, sealed->reason),
						  .sentence = sealed->sentence,
						  .bytes = STR("")});
	}
}

bool seal_run(struct seal *seal, const struct world *world, struct store *store,
	const struct engine_events *events, struct engine_summary *summary, struct err *err)
{
	struct run_row row = {0};
	struct seal_head head = seal->head;
	uint64_t started = world->mono_ms(world->ctx);
	if (!record(seal, world, store, &row, err))
		return false;
	if (events->run_started)
		events->run_started(events->arg, row.id, row.attempt, &seal->workflow);
	*summary = (struct engine_summary){.run = row.id,
		.attempt = row.attempt,
		.state = RUN_COMPLETED,
		.total = seal->count};
	tell_nodes(seal, events, row.started_ms, summary);
	if (seal_look_at_store(store, &head))
		seal_write(store, seal->request->file, &head, seal->body);
	summary->ms = world->mono_ms(world->ctx) - started;
	if (events->run_ended)
		events->run_ended(events->arg, summary);
	return true;
}
