/* plugin_cases: what a good plugin does, case by case, and what the cases share.  Each runs in a process of its own
 * (plugin_check.c) and may crash, hang or exit in it.  See plugin_check.h. */
#include "cli/plugin_check.h"
#include "cli/plugin_cmd.h"
#include "data/json.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) static void say(
	const char *mark, const char *format, va_list args)
{
	struct buf text = {0};
	struct buf line = {0};
	buf_vprintf(&text, format, args);
	buf_add_z(&line, mark);
	buf_add_visible(&line, buf_str(&text));
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] == '\n')
			line.ptr[i] = ' ';
	/* To the runner, a line a message. */
	puts(buf_cstr(&line));
	fflush(stdout);
	buf_finish(&text);
	buf_finish(&line);
}

void trial_note(struct trial *trial, const char *format, ...)
{
	(void)trial;
	va_list args;
	va_start(args, format);
	say("N ", format, args);
	va_end(args);
}

void trial_fail(struct trial *trial, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("F ", format, args);
	va_end(args);
	trial->has_failed = true;
}

void trial_unload(struct trial *trial)
{
	host_node_destroy(trial->node);
	workflow_destroy(trial->workflow);
	diags_finish(&trial->diags);
	trial->node = NULL;
	trial->workflow = NULL;
	trial->diags = (struct diags){0};
}

bool trial_load(struct trial *trial, const struct value *fields, const struct value *other)
{
	struct buf text = {0};
	trial_unload(trial);
	sample_text(&text, fields, other);
	struct workflow_types types = types_for_workflow(trial->types);
	trial->workflow = workflow_load(buf_str(&text), "sample", &types, &trial->diags);
	buf_finish(&text);
	if (!trial->workflow)
		return false;
	struct host_node_init init = {.workflow = trial->workflow,
		.node = workflow_find(trial->workflow, STR("it")),
		.type = trial->type,
		.project = trial->check->scratch};
	struct pawl_node *node = host_node_create(&init);
	bool ok = host_validate(node, &trial->diags);
	host_node_destroy(node);
	return ok;
}

/* Of every other node it is known that it exists, and its output is this. */
static bool any_node(void *ctx, str name)
{
	(void)ctx;
	(void)name;
	return true;
}

static bool any_text(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	(void)ctx;
	(void)ref;
	(void)err;
	*out = STR("text");
	return true;
}

static bool any_json(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	(void)ctx;
	(void)ref;
	(void)err;
	*out = STR("\"text\"");
	return true;
}

static const char *const *environment(struct trial *trial)
{
	const char **env = arena_array(&trial->arena, const char *, 8);
	const char *path = getenv("PATH");
	env[0] = arena_printf(&trial->arena, "PATH=%s", path ? path : "/usr/bin:/bin");
	env[1] = arena_printf(&trial->arena, "HOME=%s", trial->check->scratch);
	env[2] = arena_printf(&trial->arena, "ARTIFACTS_DIR=%s", trial->check->scratch);
	env[3] = "LANG=C.UTF-8";
	env[4] = "PAWL_ATTEMPT_ID=check-1";
	return env;
}

struct pawl_node *trial_node(struct trial *trial, const struct world *world)
{
	static const struct host_values values = {NULL, any_node, any_text, any_json};
	struct host_node_init init = {
		.workflow = trial->workflow,
		.node = workflow_find(trial->workflow, STR("it")),
		.type = trial->type,
		.values = &values,
		.env = environment(trial),
		.cwd = trial->check->scratch,
		.project = trial->check->scratch,
		.temp_root = trial->check->scratch,
		.marker = "PAWL_ATTEMPT_ID=check-1",
		.world = world,
		.grace_ms = 3000,
	};
	host_node_destroy(trial->node);
	trial->node = host_node_create(&init);
	return trial->node;
}

static const char *first_problem(const struct trial *trial)
{
	for (size_t i = 0; i < trial->diags.list.len; i++)
		if (!trial->diags.list.ptr[i].is_warning)
			return trial->diags.list.ptr[i].message;
	return "no reason given";
}

/* ---- loading ------------------------------------------------------------------------------------------------------------- */

static void case_loads(struct trial *trial)
{
	const struct plug_type *type = trial->type;
	trial_note(trial, "%s %s asks for ABI %u.%u; `%s`: %s", type->plugin->id,
		type->plugin->version, type->plugin->abi >> 16, type->plugin->abi & 0xffff,
		type->type->keyword, type->type->summary ? type->type->summary : "(no summary)");
	if (!type->type->summary || !*type->type->summary)
		trial_fail(trial, "the type has no summary, which `pawl types` prints");
	if (!*type->plugin->version)
		trial_fail(trial, "the plugin has no version, which people ask for first");
	for (size_t i = 0; i < trial->samples.list.len; i++) {
		struct sample *sample = &trial->samples.list.ptr[i];
		printf("S %.*s\n", STR_ARG(sample->name));
	}
}

static void case_schema(struct trial *trial)
{
	const struct value *schema = trial->type->schema;
	if (!schema) {
		trial_note(trial, "it has no schema: its keyword is its only field");
		return;
	}
	if (!sample_schema(trial, trial->check->keyword))
		trial_fail(trial,
			"the schema's \"properties\" do not have the keyword's own field \"%.*s\"",
			STR_ARG(trial->check->keyword));
	const struct value *properties = value_get(schema, STR("properties"));
	for (size_t i = 0; properties && i < properties->as.map.count; i++) {
		str name = properties->as.map.items[i].key;
		if (!plugin_is_keyword(name))
			trial_fail(trial, "\"%.*s\" can't be the name of a field: [a-z][a-z0-9_]*",
				STR_ARG(name));
	}
}

static void case_accepts(struct trial *trial)
{
	if (!trial_load(trial, trial->sample->fields, NULL)) {
		trial_fail(trial, "it refuses the node: %s", first_problem(trial));
		if (!trial->check->nodes)
			trial_fail(trial,
				"the node was made of the schema; give one that is right: --node FILE.yaml");
	}
	for (size_t i = 0; i < trial->diags.list.len; i++)
		trial_judge_slowness(trial, str_of(trial->diags.list.ptr[i].message));
}

/* ---- errors ---------------------------------------------------------------------------------------------------------------- */

static const struct value *odd_values(struct trial *trial, size_t *count)
{
	static const char *const odd[] = {"\"\"", "-1", "1e300", "true", "null", "[[]]",
		"{\"odd\":{\"odd\":[]}}", "\"\\u0001\\u001b[2J\"",
		"\"\\ud83e\\udd9c $ ${ $nobody.output.x $(\""};
	struct arena *arena = &trial->arena;
	struct value *values = arena_array(arena, struct value, sizeof(odd) / sizeof(odd[0]) + 1);
	*count = 0;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		const struct value *value = json_parse(arena, str_of(odd[i]), NULL);
		if (value)
			values[(*count)++] = *value;
	}
	char *large = arena_alloc(arena, 200001);
	memset(large, 'a', 200000);
	values[(*count)++] = value_string(str_make(large, 200000));
	return values;
}

/* The node with `name` made odd, of which an error must name that line. */
static void try_odd(struct trial *trial, str name, const struct value *odd)
{
	const struct value *fields = sample_with(&trial->arena, trial->sample->fields, name, odd);
	uint32_t line = SAMPLE_FIRST_LINE;
	for (size_t i = 0; !str_eq(fields->as.map.items[i].key, name); i++)
		line++;
	if (trial_load(trial, fields, NULL))
		return;
	struct buf shown = {0};
	json_write(&shown, odd);
	int length = shown.len > 40 ? 40 : (int)shown.len;
	bool is_named = false;
	for (size_t i = 0; i < trial->diags.list.len; i++) {
		const struct err *err = &trial->diags.list.ptr[i];
		is_named = is_named || (!err->is_warning && err->at.line == line);
		if (str_find(str_of(err->message), STR("without saying why"), 0) != SIZE_MAX)
			trial_fail(trial,
				"`%.*s: %.*s` is refused without a word: call host->fail()",
				STR_ARG(name), length, buf_cstr(&shown));
		if (strcmp(err->code, "E-PLUGIN-MISUSE") == 0)
			trial_fail(trial, "%s", err->message);
	}
	if (!is_named)
		trial_fail(trial,
			"`%.*s: %.*s` is refused, but not at its line: \"%s\"; name the field in host->fail()",
			STR_ARG(name), length, buf_cstr(&shown), first_problem(trial));
	buf_finish(&shown);
}

static void case_errors_name_fields(struct trial *trial)
{
	const struct value *properties = value_get(trial->type->schema, STR("properties"));
	size_t odd_count = 0;
	const struct value *odd = odd_values(trial, &odd_count);
	size_t count = properties ? properties->as.map.count : 0;
	for (size_t k = 0; k < odd_count; k++) {
		for (size_t i = 0; i < count; i++)
			try_odd(trial, properties->as.map.items[i].key, &odd[k]);
		if (!count)
			try_odd(trial, trial->check->keyword, &odd[k]);
	}
}

/* A value that is known when it runs only must not be refused, nor taken for the text that stands there. */
static void case_references(struct trial *trial)
{
	static const str ref = STR_INIT("$dep.output");
	const struct value text = value_string(ref);
	const struct value *fields = trial->sample->fields;
	for (size_t i = 0; i < fields->as.map.count; i++) {
		const struct value_member *m = &fields->as.map.items[i];
		const struct value *schema = sample_schema(trial, m->key);
		if (m->value.kind != VALUE_STRING || value_get(schema, STR("enum")))
			continue;
		if (!trial_load(trial, sample_with(&trial->arena, fields, m->key, &text), fields))
			trial_note(trial, "`%.*s` takes no reference: %s", STR_ARG(m->key),
				first_problem(trial));
	}
}

/* ---- the process ---------------------------------------------------------------------------------------------------------------- */

struct world_seen {
	char *cwd;
	char *locale;
	mode_t mask;
	size_t variables;
	struct sigaction actions[32];
};

static void look_around(struct world_seen *seen)
{
	extern char **environ;
	const char *locale = setlocale(LC_ALL, NULL);
	*seen = (struct world_seen){
		.cwd = getcwd(NULL, 0), .locale = mem_dup(locale, strlen(locale))};
	seen->mask = umask(0);
	umask(seen->mask);
	for (char **at = environ; *at; at++)
		seen->variables += 1 + strlen(*at);
	for (int i = 1; i < 32; i++)
		sigaction(i, NULL, &seen->actions[i]);
}

static void compare(struct trial *trial, const struct world_seen *a, const struct world_seen *b)
{
	if (!a->cwd || !b->cwd || strcmp(a->cwd, b->cwd) != 0)
		trial_fail(trial, "it changed the current directory");
	if (strcmp(a->locale, b->locale) != 0)
		trial_fail(trial, "it changed the locale from %s to %s", a->locale, b->locale);
	if (a->mask != b->mask)
		trial_fail(trial, "it changed the umask");
	if (a->variables != b->variables)
		trial_fail(trial, "it changed the environment of the process");
	for (int i = 1; i < 32; i++)
		if (a->actions[i].sa_handler != b->actions[i].sa_handler)
			trial_fail(trial, "it changed what signal %d does", i);
}

static void case_keeps_process(struct trial *trial)
{
	struct world_seen before;
	struct world_seen after;
	look_around(&before);
	if (trial_load(trial, trial->sample->fields, NULL)) {
		struct buf key = {0};
		trial_print_key(trial, (size_t)(trial->sample - trial->samples.list.ptr), &key);
		buf_finish(&key);
		case_runs(trial);
	}
	look_around(&after);
	compare(trial, &before, &after);
	free(before.cwd);
	free(before.locale);
	free(after.cwd);
	free(after.locale);
}

const struct check_case check_cases[] = {
	{"loads, speaks this ABI, and says what it is", case_loads, true},
	{"the schema describes its fields", case_schema, true},
	{"accepts the node", case_accepts, false},
	{"survives odd fields; errors name the field", case_errors_name_fields, false},
	{"fields may refer to what is not known yet", case_references, false},
	{"the same node gives the same key at another time, place, locale and address",
		case_key_repeats, false},
	{"other fields give another key", case_key_differs, false},
	{"runs to an end, and a failure is explained", case_runs, false},
	{"stops in time when it is cancelled", case_cancels, false},
	{"leaves no descriptor and no process behind", case_leaks_nothing, false},
	{"leaves directory, locale, umask, environment and signals as they were",
		case_keeps_process, false},
	{NULL, NULL, false},
};
