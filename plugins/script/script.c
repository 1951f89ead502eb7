/* script: a node whose body is a script for some runtime, written in the workflow or named in .pawl/scripts.
 *
 * References in a body are values in Python and JavaScript, and an error elsewhere, where `with:` and `args:` carry them.
 * Nothing but the runtime's own command line stands between the author's text and the interpreter. */
#include "script.h"

#include <stdlib.h>
#include <sys/stat.h>

#define MAX_ARGS 512

/* What a node says, read once a phase. */
struct script {
	pawl_str text;
	char runtime_name[128];        /* empty: not given */
	const struct runtime *runtime; /* NULL: not known before the file is found */
	int is_inline;
	int has_deps;
	char path[4096];     /* of a named script: absolute */
	char relative[1024]; /* and from the project */
};

/* A name is a path of plain characters; all else is code. */
static int is_name(pawl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		           (c >= '0' && c <= '9') || (c && strchr("_-./@+", c));
		if (!fine)
			return 0;
	}
	return text.len > 0;
}

static pawl_status read_script(const pawl_host *host, pawl_node *node, struct script *script)
{
	pawl_str runtime;
	pawl_str deps;
	*script = (struct script){.is_inline = 1};
	pawl_status status = host->field_raw(node, "script", &script->text);
	if (status != PAWL_OK)
		return status;
	if (plugin_has_nul(script->text))
		return host->fail(
			node, PAWL_E_CONFIG, "script", "has a NUL byte, which no runtime can read");
	script->is_inline = !is_name(script->text);
	status = host->field_raw(node, "deps", &deps);
	script->has_deps = status == PAWL_OK && strcmp(deps.ptr, "[]") != 0;
	status = host->field_raw(node, "runtime", &runtime);
	if (status == PAWL_E_NOT_FOUND && script->is_inline)
		return host->fail(node, PAWL_E_CONFIG, "script",
			"is written in the node, but nothing says what runs it\nadd `runtime:` with python, node, bun, deno, uv, ruby, perl, sh, or any program that takes a script file");
	if (status == PAWL_E_NOT_FOUND)
		return PAWL_OK;
	if (status != PAWL_OK)
		return status;
	if (!runtime.len || runtime.len >= sizeof(script->runtime_name) ||
		strpbrk(runtime.ptr, " \t\n"))
		return host->fail(node, PAWL_E_CONFIG, "runtime",
			"is not the name of one program\nwrite the program alone; arguments of the script go into `args`");
	memcpy(script->runtime_name, runtime.ptr, runtime.len);
	script->runtime = runtime_find(script->runtime_name);
	return PAWL_OK;
}

static pawl_status check_deps(const pawl_host *host, pawl_node *node, const struct script *script)
{
	if (!script->has_deps || !script->runtime || runtime_is_uv(script->runtime))
		return PAWL_OK;
	return host->fail(node, PAWL_E_CONFIG, "deps",
		"can be had with `runtime: uv` only\nwrite `runtime: uv`, or install the packages where the runtime finds them");
}

/* ---- named scripts -------------------------------------------------------------------------------------------------------- */

static pawl_status check_name(const pawl_host *host, pawl_node *node, const struct script *script)
{
	const char *name = script->text.ptr;
	if (name[0] == '/' || strstr(name, "..") || script->text.len > 500)
		return host->fail(node, PAWL_E_CONFIG, "script",
			"does not name a script in .pawl/scripts\nwrite its path from there, e.g. `script: build/pack`");
	return PAWL_OK;
}

static int is_file(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A file without an extension says nothing of its runtime, and one of another runtime is not meant. */
static int fits(const struct script *script, const char *path)
{
	const struct runtime *by_name = runtime_of_file(path, 0);
	if (!script->runtime)
		return by_name != NULL;
	return !script->runtime->name || !by_name || strcmp(by_name->language, "none") == 0 ||
	       strcmp(by_name->language, script->runtime->language) == 0;
}

/* Where a script of that name may be, in this order. */
static const char *const script_dirs[] = {".pawl/scripts", ".archon/scripts"};

/* The n-th place, in script->path and script->relative; 0: there are no more. */
static int name_place(struct script *script, const char *project, size_t n)
{
	size_t extensions = 0;
	while (runtime_extensions[extensions])
		extensions++;
	if (n >= extensions * (sizeof(script_dirs) / sizeof(script_dirs[0])))
		return 0;
	int m = snprintf(script->relative, sizeof(script->relative), "%s/%s%s",
		script_dirs[n / extensions], script->text.ptr, runtime_extensions[n % extensions]);
	int k = snprintf(script->path, sizeof(script->path), "%s/%s", project, script->relative);
	return m >= 0 && k >= 0 && (size_t)m < sizeof(script->relative) &&
	       (size_t)k < sizeof(script->path);
}

/* The first place that has a file for this runtime.  Those before it are facts too, where `hash` is not NULL: a file that
 * appears there wins. */
static int look(struct script *script, const pawl_host *host, pawl_hash *hash, const char *project)
{
	struct script earlier = *script;
	size_t n = 0;
	int there;
	while ((there = name_place(script, project, n)) &&
		!(is_file(script->path) && fits(script, script->path)))
		n++;
	for (size_t i = 0; hash && there && i < n && name_place(&earlier, project, i); i++) {
		if (fits(&earlier, earlier.path))
			host->fact_file(hash, "script", earlier.path);
	}
	return there;
}

static pawl_status find_file(
	const pawl_host *host, pawl_node *node, struct script *script, pawl_hash *hash)
{
	pawl_str project;
	pawl_status status = check_name(host, node, script);
	if (status == PAWL_OK)
		status = host->expand(
			node, (pawl_str){"$PROJECT_DIR", sizeof("$PROJECT_DIR") - 1}, &project);
	if (status != PAWL_OK)
		return status;
	if (!look(script, host, hash, project.ptr)) {
		char words[1024];
		snprintf(words, sizeof(words),
			"names no script: there is no .pawl/scripts/%s%s\nmake the file, or write the code itself (it is code when it has a space, a line feed, or any of ;(){}$'\" in it)",
			script->text.ptr,
			script->runtime
				? " for this runtime"
				: " with the extension of a known runtime (.py .js .mjs .ts .rb .pl .sh)");
		return host->fail(node, PAWL_E_CONFIG, "script", words);
	}
	if (!script->runtime)
		script->runtime = runtime_of_file(script->path, script->has_deps);
	return check_deps(host, node, script);
}

/* ---- validate and cache_key -------------------------------------------------------------------------------------------------- */

static pawl_status bind_text(
	const pawl_host *host, pawl_node *node, const struct script *script, pawl_bound *bound)
{
	const pawl_bind_v1 *binder = host->extension(host, "pawl.bind/1");
	if (!binder)
		return host->fail(
			node, PAWL_E_UNSUPPORTED, "script", "this host can't bind references");
	*bound = (pawl_bound){.size = sizeof(*bound)};
	return binder->bind(node, script->runtime->language, "script", bound);
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	struct script script;
	pawl_bound bound;
	pawl_status status = read_script(host, node, &script);
	if (status == PAWL_OK)
		status = check_deps(host, node, &script);
	if (status != PAWL_OK)
		return status;
	return script.is_inline ? bind_text(host, node, &script, &bound)
	                        : check_name(host, node, &script);
}

/* The n-th of a list, with its references expanded; PAWL_E_NOT_FOUND behind the last one. */
static pawl_status read_item(
	const pawl_host *host, pawl_node *node, const char *list, size_t n, pawl_str *out)
{
	char path[64];
	snprintf(path, sizeof(path), "%s.%zu", list, n);
	return host->field(node, path, out);
}

static pawl_status hash_list(
	const pawl_host *host, pawl_node *node, pawl_hash *hash, const char *list)
{
	host->hash_open(hash, list);
	pawl_str item;
	pawl_status status = PAWL_OK;
	for (size_t i = 0; (status = read_item(host, node, list, i, &item)) == PAWL_OK; i++)
		host->hash_text(hash, "item", item);
	host->hash_close(hash);
	return status == PAWL_E_NOT_FOUND ? PAWL_OK : status;
}

static pawl_status hash_inline(
	const pawl_host *host, pawl_node *node, pawl_hash *hash, const struct script *script)
{
	pawl_bound bound;
	pawl_status status = bind_text(host, node, script, &bound);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "body", script->text);
	for (size_t i = 0; i < bound.word_count; i++)
		host->fact_word(hash, "word", bound.words[i].ptr);
	for (size_t i = 0; i < bound.write_count; i++)
		host->fact_output(hash, "written", bound.writes[i].ptr);
	for (size_t i = 0; i < bound.command_count; i++)
		host->fact_tool(hash, "command", bound.commands[i].ptr);
	return PAWL_OK;
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	struct script script;
	pawl_status status = read_script(host, node, &script);
	if (status == PAWL_OK && !script.is_inline)
		status = find_file(host, node, &script, hash);
	if (status == PAWL_OK && script.is_inline)
		status = hash_inline(host, node, hash, &script);
	if (status != PAWL_OK)
		return status;
	if (!script.is_inline) {
		host->hash_text(
			hash, "script", (pawl_str){script.relative, strlen(script.relative)});
		/* Whole: a relative path would begin at the node's own directory. */
		host->fact_file(hash, "script", script.path);
	}
	const struct runtime *runtime = script.runtime;
	const char *name = runtime->name ? runtime->name : script.runtime_name;
	host->hash_text(hash, "runtime", (pawl_str){name, strlen(name)});
	if (!runtime->name)
		host->fact_tool(hash, "runtime", script.runtime_name);
	for (size_t i = 0; runtime->programs[i]; i++)
		host->fact_tool(hash, "runtime", runtime->programs[i]);
	status = hash_list(host, node, hash, "deps");
	return status == PAWL_OK ? hash_list(host, node, hash, "args") : status;
}

/* ---- start ---------------------------------------------------------------------------------------------------------------------- */

struct command {
	const char *argv[MAX_ARGS + 32];
	size_t argc;
};

static int add(struct command *command, const char *word)
{
	if (command->argc + 1 >= sizeof(command->argv) / sizeof(command->argv[0]))
		return 0;
	command->argv[command->argc++] = word;
	return 1;
}

static pawl_status add_list(const pawl_host *host, pawl_node *node, struct command *command,
	const char *list, const char *option)
{
	pawl_str item;
	pawl_status status = PAWL_OK;
	for (size_t i = 0; (status = read_item(host, node, list, i, &item)) == PAWL_OK; i++) {
		char path[64];
		snprintf(path, sizeof(path), "%s.%zu", list, i);
		if (plugin_has_nul(item))
			return host->fail(node, PAWL_E_CONFIG, path,
				"has a NUL byte, which no argument can hold\nhand binary data on as a file");
		if ((option && !add(command, option)) || !add(command, item.ptr))
			return host->fail(node, PAWL_E_CONFIG, list,
				"has more than 512 items\nhand them on in a file");
	}
	return status == PAWL_E_NOT_FOUND ? PAWL_OK : status;
}

/* Everything behind the program's name. */
static pawl_status build(
	const pawl_host *host, pawl_run *run, const struct script *script, struct command *command)
{
	pawl_node *node = host->node_of(run);
	const struct runtime *runtime = script->runtime;
	pawl_bound bound = {.text = {"", 0}};
	pawl_status status = script->is_inline ? bind_text(host, node, script, &bound) : PAWL_OK;
	if (status != PAWL_OK)
		return status;
	const char *file = script->is_inline ? NULL : script->path;
	if (script->is_inline && (!runtime->before[0] || bound.text.len > PLUGIN_MAX_ARGUMENT)) {
		char name[32];
		snprintf(name, sizeof(name), "script%s", runtime->extension);
		file = plugin_write_file(host, run, name, bound.text);
		if (!file)
			return PAWL_E_SYSTEM;
	}
	if (runtime_is_uv(runtime)) {
		add(command, "run");
		status = add_list(host, node, command, "deps", "--with");
		if (status != PAWL_OK)
			return status;
	}
	const char *const *before = file ? runtime->before_file : runtime->before;
	for (size_t i = 0; before[i]; i++)
		add(command, before[i]);
	add(command, file ? file : bound.text.ptr);
	if (!file && runtime->behind)
		add(command, runtime->behind);
	return add_list(host, node, command, "args", NULL);
}

static pawl_status explain_absent(
	const pawl_host *host, pawl_node *node, const struct script *script)
{
	char words[512];
	/* Of any other program the host has said all there is to say. */
	if (!script->runtime->name || !script->runtime->hint)
		return PAWL_E_NOT_FOUND;
	snprintf(words, sizeof(words), "there is no `%s` on the node's PATH\n%s",
		script->runtime->name, script->runtime->hint);
	return host->fail(node, PAWL_E_NOT_FOUND, NULL, words);
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	struct script *script = host->alloc(run, sizeof(*script));
	struct command *command = host->alloc(run, sizeof(*command));
	pawl_status status = read_script(host, node, script);
	if (status == PAWL_OK)
		status = script->is_inline ? check_deps(host, node, script)
		                           : find_file(host, node, script, NULL);
	if (status != PAWL_OK)
		return status;
	command->argc = 1;
	status = build(host, run, script, command);
	if (status != PAWL_OK)
		return status;
	const char *const any[] = {script->runtime_name, NULL};
	const char *const *programs = script->runtime->name ? script->runtime->programs : any;
	status = PAWL_E_NOT_FOUND;
	for (size_t i = 0; programs[i] && status == PAWL_E_NOT_FOUND; i++) {
		command->argv[0] = programs[i];
		pawl_spawn spec = {.size = sizeof(spec), .argv = command->argv};
		status = host->spawn(run, &spec, NULL);
	}
	if (status == PAWL_E_NOT_FOUND)
		return explain_absent(host, node, script);
	return status == PAWL_OK ? PAWL_PENDING : status;
}

static const pawl_type script_type = {
	.size = sizeof(script_type),
	.caps = PAWL_CAP_KEY_STABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1,
	.keyword = "script",
	.summary = "a script in Python, JavaScript or any other language",
	.schema =
		"{\"type\":\"object\",\"required\":[\"script\"],\"properties\":{"
		"\"script\":{\"type\":\"string\",\"minLength\":1,\"description\":\"code, or a name in .pawl/scripts\"},"
		"\"runtime\":{\"type\":\"string\",\"minLength\":1,\"description\":\"python, node, bun, deno, uv, ruby, perl, sh, or any program\"},"
		"\"deps\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1},\"description\":\"packages, for uv\"},"
		"\"args\":{\"type\":\"array\",\"maxItems\":512,\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]},\"description\":\"arguments\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&script_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD,
	.id = "pawl.script",
	.version = "1.0",
	.types = types,
};
