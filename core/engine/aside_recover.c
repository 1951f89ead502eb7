/* aside_recover: after runs that were killed.  What they had put aside comes back; what their bodies had begun to write is told
 * from what was there before by its times, and is taken out of the way, for nobody may compute on the half of a result.
 * What `writes` does not name by itself may as well be a file that a person made there since: so it is kept, and said where. */
#include "engine/aside.h"

#include "base/arena.h"
#include "data/netstr.h"
#include "engine/aside_inner.h"
#include "engine/owners.h"
#include "store/owned.h"
#include "store/runs.h"

#include <sys/stat.h>

/* The kernel's clock of files ticks every few milliseconds. */
static const int64_t tick_ns = 20000000;

struct noted_body {
	uint64_t started_ms;
	str node;
	str aside; /* where what it left before is; empty: nowhere */
	struct strs writes;
};

struct recovery {
	struct ground ground;
	struct arena arena;
	const char *dir; /* "aside/7" */
	int64_t run;
	int64_t since_ns;
	str literal; /* what `writes` names as it is: nobody else makes that, and it just goes */
	size_t lost;
	VEC(str) dirs; /* young ones, each before what is in it */
};

/* ---- half results ---- */

/* As any node of any workflow left it. */
static bool was_left_so(struct recovery *r, enum artifact_root root, str path)
{
	struct owned_list list = {0};
	str place = root == ROOT_ARTIFACTS ? str_of(r->ground.artifacts) : STR("");
	owned_at(r->ground.store, &r->arena, place, path, &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		struct artifact as;
		if (!owners_parse_entry(list.ptr[i].entry, &as))
			continue;
		as.root = root;
		as.path = path;
		if (places_has(&r->ground, &r->arena, &as))
			return true;
	}
	return false;
}

static bool lose_young(
	void *arg, enum artifact_root root, str path, const struct fs_entry *entry, struct err *err)
{
	struct recovery *r = arg;
	const struct fs_stat *st = &entry->stat;
	(void)err;
	if (st->ctime_ns < r->since_ns || was_left_so(r, root, path))
		return true;
	if (S_ISDIR(st->mode)) {
		*vec_push(&r->dirs) = arena_str(&r->arena, path);
		return true;
	}
	const char *full = places_full(&r->ground, &r->arena, root, path);
	const char *to =
		arena_printf(&r->arena, "lost/%lld/%.*s", (long long)r->run, STR_ARG(path));
	int state = store_state_fd(r->ground.store);
	if (str_eq(path, r->literal)) {
		fs_remove_one(places_fd(&r->ground, root), full);
		return true;
	}
	/* One that is there from another time gives way. */
	fs_remove_tree(state, to, NULL);
	r->lost += fs_move(places_fd(&r->ground, root), full, state, to, NULL) == FS_FOUND;
	return true;
}

static void remove_empty_dirs(struct recovery *r)
{
	while (r->dirs.len)
		fs_remove_one(store_project_fd(r->ground.store), r->dirs.ptr[--r->dirs.len].ptr);
}

/* Whether the end of the body is in the store: then so is what it left. */
static bool has_ended(struct recovery *r, const struct noted_body *body, bool *is_well)
{
	struct node_row row = {0};
	bool found = false;
	*is_well = false;
	if (!nodes_get(r->ground.store, &r->arena, r->run, body->node, &row, &found, NULL) ||
		!found)
		return false;
	*is_well = row.state == NODE_COMPLETED;
	bool is_going = row.state == NODE_RUNNING || row.state == NODE_READY;
	return (uint64_t)row.started_ms > body->started_ms ||
	       ((uint64_t)row.started_ms == body->started_ms && !is_going);
}

static bool parse_body(struct recovery *r, str *rest, struct noted_body *body)
{
	str word;
	uint64_t count = 0;
	str artifacts;
	*body = (struct noted_body){0};
	if (!netstr_take_word(rest, &word) || !str_is(word, "body") ||
		!netstr_take_char(rest, ' ') || !netstr_take_word(rest, &word) ||
		!str_to_u64(word, &body->started_ms) || !netstr_take_text(rest, &body->node) ||
		!netstr_take_text(rest, &artifacts) || !netstr_take_text(rest, &body->aside) ||
		!netstr_take_char(rest, ' ') || !netstr_take_word(rest, &word) ||
		!str_to_u64(word, &count) || count > rest->len)
		return false;
	r->ground.artifacts = arena_str(&r->arena, artifacts).ptr;
	body->writes.ptr = arena_array(&r->arena, str, count);
	for (; body->writes.len < count; body->writes.len++) {
		if (!netstr_take_text(rest, &body->writes.ptr[body->writes.len]))
			return false;
	}
	return netstr_take_char(rest, '\n');
}

static void lose_half(struct recovery *r)
{
	struct buf text = {0};
	struct noted_body body;
	const char *file = arena_printf(&r->arena, "%s/bodies", r->dir);
	fs_read_file(store_state_fd(r->ground.store), file, (size_t)64 << 20, &text, NULL);
	str rest = buf_str(&text);
	while (rest.len && parse_body(r, &rest, &body)) {
		bool is_well;
		bool is_over = has_ended(r, &body, &is_well);
		/* It made anew what it had left before, whatever people have done with it since. */
		if (is_over && is_well && body.aside.len)
			fs_remove_tree(store_state_fd(r->ground.store),
				arena_str(&r->arena, body.aside).ptr, NULL);
		if (is_over)
			continue;
		r->since_ns = (int64_t)body.started_ms * 1000000 - tick_ns;
		for (size_t i = 0; i < body.writes.len; i++) {
			enum artifact_root root;
			str path;
			struct place_visit visit = {.fn = lose_young, .arg = r};
			/* What is in the artifact directory is the run's own, and is looked at when it goes on. */
			if (places_parse(&r->arena, body.writes.ptr[i], &root, &path) &&
				root == ROOT_PROJECT) {
				r->literal = path;
				places_visit(&r->ground, root, path, &visit, NULL);
				remove_empty_dirs(r);
			}
		}
	}
	buf_finish(&text);
}

/* ---- runs ---- */

static void put_back_all(struct recovery *r)
{
	struct fs_list list = {0};
	int state = store_state_fd(r->ground.store);
	r->ground.artifacts = arena_printf(&r->arena, "runs/%lld/artifacts", (long long)r->run);
	fs_list_tree(state, r->dir, NULL, &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		const char *name = list.ptr[i].name;
		if (S_ISDIR(list.ptr[i].stat.mode) && !strchr(name, '/'))
			aside_put_back(&r->ground, arena_printf(&r->arena, "%s/%s", r->dir, name));
	}
	fs_list_finish(&list);
}

/* "vPID-START" of a verification whose process is gone. */
static bool is_dead_verification(str name)
{
	uint64_t pid = 0;
	uint64_t start = 0;
	size_t dash = str_find_char(name, '-', 0);
	return dash != SIZE_MAX && str_starts(name, STR("v")) &&
	       str_to_u64(str_slice(name, 1, dash), &pid) &&
	       str_to_u64(str_slice(name, dash + 1, name.len), &start) && pid <= INT32_MAX &&
	       !proc_is_alive((struct proc_id){.pid = (int32_t)pid, .start = start});
}

static bool is_over(struct store *store, struct arena *arena, int64_t run)
{
	struct run_row row = {0};
	bool found = false;
	return runs_get(store, arena, run, &row, &found, NULL) &&
	       (!found || row.state != RUN_RUNNING);
}

void aside_recover(
	struct store *store, void (*tell)(void *arg, const struct recovered *recovered), void *arg)
{
	struct fs_list list = {0};
	struct fs_stat st;
	int state = store_state_fd(store);
	if (fs_lstat_at(state, "aside", &st, NULL) != FS_FOUND)
		return;
	fs_list_tree(state, "aside", NULL, &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		uint64_t run = 0;
		struct recovery r = {.ground = {.store = store, .artifacts = ""}};
		str name = str_of(list.ptr[i].name);
		bool goes = str_find_char(name, '/', 0) == SIZE_MAX &&
		            (str_to_u64(name, &run) ? is_over(store, &r.arena, (int64_t)run)
						    : is_dead_verification(name));
		if (!goes) {
			arena_finish(&r.arena);
			continue;
		}
		r.run = (int64_t)run;
		r.dir = arena_printf(&r.arena, "aside/%s", list.ptr[i].name);
		lose_half(&r);
		put_back_all(&r);
		fs_remove_tree(state, r.dir, NULL);
		vec_finish(&r.dirs);
		if (r.lost)
			tell(arg, &(struct recovered){(long long)run, r.lost});
		arena_finish(&r.arena);
	}
	fs_list_finish(&list);
}
