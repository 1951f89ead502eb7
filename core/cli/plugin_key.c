/* plugin_key: whether a plugin's key is a function of the node and of nothing else, and of all of the node.  What must not be
 * in it (time, pid, pointers, locale) differs between two processes that are started one after the other, so two compute
 * it.  See plugin_check.h. */
#include "cli/plugin_check.h"
#include "data/json.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const fact_names[] = {"file", "word", "tool", "output"};

/* The plugin's contributions and facts as one transcript; false where there is no key to speak of. */
static bool make_key(struct trial *trial, struct key *key, struct buf *words)
{
	struct host_facts facts = {0};
	key_begin(key);
	enum host_key_status status = host_cache_key(trial_node(trial, NULL), key, &facts, words);
	for (size_t i = 0; i < facts.list.len; i++) {
		const struct host_fact *fact = &facts.list.ptr[i];
		key_open(key, str_of(fact_names[fact->kind]));
		key_text(key, fact->label, fact->path);
		key_close(key);
	}
	vec_finish(&facts.list);
	if (status == HOST_KEY_FAILED)
		trial_fail(trial, "it gives no key: %.*s", STR_ARG(buf_str(words)));
	else if (status == HOST_KEY_NOT_CACHEABLE)
		trial_note(trial, "never reused: %.*s", STR_ARG(buf_str(words)));
	return status == HOST_KEY_OK;
}

bool trial_print_key(struct trial *trial, size_t sample, struct buf *out)
{
	struct key key = {0};
	struct buf words = {0};
	bool ok = sample < trial->samples.list.len &&
	          trial_load(trial, trial->samples.list.ptr[sample].fields, NULL) &&
	          make_key(trial, &key, &words);
	if (ok)
		buf_add(out, buf_str(&key.text));
	key_finish(&key);
	buf_finish(&words);
	return ok;
}

/* This program once more, elsewhere; what it printed. */
static bool key_elsewhere(struct trial *trial, const char *const *changes, struct buf *out)
{
	extern char **environ;
	const struct check *check = trial->check;
	struct arena *arena = &trial->arena;
	size_t count = 0;
	while (environ[count])
		count++;
	char **env = arena_array(arena, char *, count + 8);
	size_t at = 0;
	/* Changed ones first: the first of two is what getenv gives. */
	for (; changes[at]; at++)
		env[at] = arena_printf(arena, "%s", changes[at]);
	memcpy(env + at, environ, count * sizeof(*env));
	size_t sample = (size_t)(trial->sample - trial->samples.list.ptr);
	const char *nodes =
		check->nodes ? arena_printf(arena, "--node=%s", check->nodes) : "--quiet";
	const char *argv[] = {"pawl", "plugin", "check", nodes,
		arena_printf(arena, "--key-of=%zu", sample),
		arena_printf(arena, "--scratch=%s", check->scratch), check->path, NULL};
	int ends[2];
	if (pipe(ends) != 0)
		return false;
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	pid_t child = -1;
	int failed = posix_spawn(
		&child, "/proc/self/exe", &actions, NULL, (char *const *)(void *)argv, env);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	char block[4096];
	for (ssize_t n; !failed && (n = read(ends[0], block, sizeof(block))) > 0;)
		buf_add(out, str_make(block, (size_t)n));
	close(ends[0]);
	int status = 1;
	return !failed && waitpid(child, &status, 0) == child && status == 0;
}

static void tell_changes(struct trial *trial, const struct buf *first, const struct buf *second)
{
	struct key_parts a = {0};
	struct key_parts b = {0};
	if (!key_parse(&trial->arena, buf_str(first), &a) ||
		!key_parse(&trial->arena, buf_str(second), &b)) {
		trial_fail(trial, "its keys differ, and can't be read");
		return;
	}
	struct key_changes changes = key_diff(&trial->arena, &a, &b);
	for (size_t i = 0; i < changes.len && i < 8; i++) {
		const struct key_change *change = &changes.ptr[i];
		trial_fail(trial, "\"%.*s\" is not the same twice: \"%.*s\", then \"%.*s\"",
			STR_ARG(change->label),
			STR_ARG(change->then ? change->then->value : str_make(NULL, 0)),
			STR_ARG(change->now ? change->now->value : str_make(NULL, 0)));
	}
}

void case_key_repeats(struct trial *trial)
{
	static const char *const here[] = {"TZ=UTC", "LC_ALL=C", "LANG=C", "USER=one", NULL};
	static const char *const there[] = {
		"TZ=Asia/Kathmandu", "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "USER=two", NULL};
	struct buf first = {0};
	struct buf second = {0};
	struct key key = {0};
	struct buf words = {0};
	bool has_key =
		trial_load(trial, trial->sample->fields, NULL) && make_key(trial, &key, &words);
	if (has_key && !key_elsewhere(trial, here, &first)) {
		trial_fail(trial, "it gives no key in another process");
	} else if (has_key) {
		/* The clock's seconds go on. */
		struct timespec rest = {1, 100 * 1000 * 1000};
		while (nanosleep(&rest, &rest) != 0)
			continue;
		if (chdir("/") != 0 || !key_elsewhere(trial, there, &second))
			trial_fail(trial, "it gives no key in another place and locale");
		else if (!str_eq(buf_str(&first), buf_str(&second)))
			tell_changes(trial, &first, &second);
	}
	key_finish(&key);
	buf_finish(&words);
	buf_finish(&first);
	buf_finish(&second);
}

static bool is_ignored(const struct trial *trial, str field)
{
	for (size_t i = 0; i < trial->check->ignored.list.len; i++)
		if (str_is(field, trial->check->ignored.list.ptr[i]))
			return true;
	return false;
}

/* Another value than the sample has. */
static const struct value *change_field(struct trial *trial, str name)
{
	struct arena *arena = &trial->arena;
	const struct value *schema = sample_schema(trial, name);
	const struct value *now = value_get(trial->sample->fields, name);
	if (now)
		return sample_other(arena, schema, now);
	/* What it is when it is absent may be just what comes to mind first. */
	const struct value *made = sample_value(arena, schema);
	const struct value *other = sample_other(arena, schema, made);
	return other ? other : made;
}

/* The sample's key, and that of the sample with one field changed. */
static void try_field(struct trial *trial, str name, const struct key *base)
{
	struct arena *arena = &trial->arena;
	const struct value *other = change_field(trial, name);
	struct key key = {0};
	struct buf words = {0};
	if (!other ||
		!trial_load(trial, sample_with(arena, trial->sample->fields, name, other), NULL)) {
		trial_note(trial, "no other value of `%.*s` came to mind", STR_ARG(name));
	} else if (make_key(trial, &key, &words) &&
		   str_eq(buf_str(&base->text), buf_str(&key.text))) {
		struct buf shown = {0};
		json_write(&shown, other);
		trial_fail(trial,
			"`%.*s: %.*s` has the key of the node without it; hash it, or say --ignore-field %.*s",
			STR_ARG(name), STR_ARG(buf_str(&shown)), STR_ARG(name));
		buf_finish(&shown);
	}
	key_finish(&key);
	buf_finish(&words);
}

void case_key_differs(struct trial *trial)
{
	struct key base = {0};
	struct buf words = {0};
	if (trial_load(trial, trial->sample->fields, NULL) && make_key(trial, &base, &words)) {
		const struct value *properties = value_get(trial->type->schema, STR("properties"));
		for (size_t i = 0; properties && i < properties->as.map.count; i++)
			if (!is_ignored(trial, properties->as.map.items[i].key))
				try_field(trial, properties->as.map.items[i].key, &base);
		if (!properties)
			try_field(trial, trial->check->keyword, &base);
	}
	key_finish(&base);
	buf_finish(&words);
}
