/* types: node types by keyword, found on the search path and loaded when first asked for.  The first directory that has a
 * file of that name decides: one that can't be used is an error, never a reason to look for another of the same name. */
#include "plug/host_copy.h"
#include "plug/host_internal.h"

#include "base/mem.h"
#include "data/json.h"
#include "data/schema.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct search_dir {
	char *path;
	enum loader_trust trust;
	bool is_builtin;
};

/* A file that was loaded. */
struct provider {
	struct loaded loaded;
	char *path;
	char *dir;
	struct plug_health health;
	bool is_ready; /* init() went well */
};

/* A keyword that was asked for. */
struct entry {
	char *keyword;
	struct plug_type type; /* type.type NULL: there is none */
	struct err err;        /* why it can't be used */
};

struct types {
	struct arena arena; /* of the schemas */
	VEC(struct search_dir) dirs;
	VEC(struct provider *) providers;
	struct map by_keyword; /* -> struct entry * */
	char *trust_file;
	char *crash_file;
	bool isolates;
};

static void add_dir(struct types *types, str path, enum loader_trust trust)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (path.len)
		*vec_push(&types->dirs) =
			(struct search_dir){mem_dup(path.ptr, path.len), trust, false};
}

struct types *types_create(const struct types_options *options)
{
	struct types *types = mem_zalloc(sizeof(*types));
	for (size_t i = 0; options->paths && options->paths[i]; i++)
		add_dir(types, str_of(options->paths[i]), LOADER_BY_OWNER);
	str rest = str_of(options->env_path);
	for (str path; str_split(&rest, ':', &path);)
		add_dir(types, path, LOADER_BY_OWNER);
	add_dir(types, str_of(options->home_path), LOADER_BY_OWNER);
	add_dir(types, str_of(options->builtin_path), LOADER_BY_OWNER);
	if (options->builtin_path && *options->builtin_path)
		types->dirs.ptr[types->dirs.len - 1].is_builtin = true;
	if (options->project) {
		struct buf path = {0};
		buf_printf(&path, "%s/.pawl/plugins", options->project);
		add_dir(types, buf_str(&path), LOADER_BY_DIGEST);
		buf_finish(&path);
	}
	if (options->trust_file)
		types->trust_file = mem_dup(options->trust_file, strlen(options->trust_file));
	if (options->crash_file)
		types->crash_file = mem_dup(options->crash_file, strlen(options->crash_file));
	types->isolates = options->isolates;
	guard_set_crash_file(options->crash_file);
	guard_install();
	return types;
}

static void provider_destroy(struct provider *provider)
{
	const pawl_plugin *plugin = &provider->loaded.plugin;
	/* What has crashed in a copy may do so here, where everything has gone well. */
	if (provider->is_ready && plugin->fini && !provider->health.has_crashed) {
		struct guard_call call = {
			.plugin = plugin->id, .note = provider->health.note, .function = "fini"};
		guard_enter(&call);
		plugin->fini(&host_table);
		guard_leave(&call);
	}
	loaded_finish(&provider->loaded);
	free(provider->health.note);
	free(provider->path);
	free(provider->dir);
	free(provider);
}

void types_destroy(struct types *types)
{
	if (!types)
		return;
	for (size_t i = types->providers.len; i > 0; i--)
		provider_destroy(types->providers.ptr[i - 1]);
	vec_finish(&types->providers);
	for (size_t i = 0; i < types->by_keyword.cap; i++) {
		struct entry *entry = types->by_keyword.slots[i].value;
		if (!types->by_keyword.slots[i].key.ptr || !entry)
			continue;
		err_finish(&entry->err);
		free(entry->keyword);
		free(entry);
	}
	map_finish(&types->by_keyword);
	for (size_t i = 0; i < types->dirs.len; i++)
		free(types->dirs.ptr[i].path);
	vec_finish(&types->dirs);
	free(types->trust_file);
	free(types->crash_file);
	free(host_take_orphan());
	arena_finish(&types->arena);
	free(types);
}

static bool is_keyword(str keyword)
{
	for (size_t i = 0; i < keyword.len; i++) {
		char c = keyword.ptr[i];
		if (!(c >= 'a' && c <= 'z') && (i == 0 || !(c == '_' || (c >= '0' && c <= '9'))))
			return false;
	}
	return keyword.len > 0 && keyword.len < 256;
}

static bool run_init(struct provider *provider, struct err *err)
{
	const pawl_plugin *plugin = &provider->loaded.plugin;
	pawl_status status = PAWL_OK;
	if (plugin->init) {
		struct guard_call call = {
			.plugin = plugin->id, .note = provider->health.note, .function = "init"};
		free(host_take_orphan());
		guard_enter(&call);
		status = plugin->init(&host_table);
		guard_leave(&call);
	}
	provider->is_ready = status == PAWL_OK;
	if (provider->is_ready)
		return true;
	char *words = host_take_orphan();
	err_set(err, "E-PLUGIN-LOAD", "the plugin %s could not start: %s", provider->path,
		words ? words : "its init() failed without saying why");
	free(words);
	return err_help(err, "see the documentation of %s %s", plugin->id, plugin->version);
}

/* Whether it crashed before, this very file. */
static bool has_crashed(const struct types *types, const char *note)
{
	FILE *file = types->crash_file ? fopen(types->crash_file, "re") : NULL;
	char *line = NULL;
	size_t cap = 0;
	bool found = false;
	while (file && !found && getline(&line, &cap, file) > 0)
		found = str_eq(str_trim(str_of(line)), str_of(note));
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* "ID VERSION DIGEST": a plugin that was built anew starts afresh, whatever it says of its version. */
static void know_health(const struct types *types, struct provider *provider, int fd)
{
	const pawl_plugin *plugin = &provider->loaded.plugin;
	struct plug_health *health = &provider->health;
	struct buf note = {0};
	struct digest digest;
	health->isolates = types->isolates;
	if (!types->crash_file || !loader_digest(fd, &digest))
		return;
	buf_printf(&note, "%s %s ", plugin->id, plugin->version);
	for (size_t i = 0; i < note.len; i++)
		if ((unsigned char)note.ptr[i] < ' ' || note.ptr[i] == 0x7f)
			note.ptr[i] = '?';
	struct buf hex = {0};
	digest_add_hex(&hex, &digest);
	buf_add(&note, str_slice(buf_str(&hex), 0, 16));
	buf_finish(&hex);
	health->note = buf_take(&note);
	health->has_crashed = has_crashed(types, health->note);
}

/* Takes file->path over. */
static struct provider *load(
	struct types *types, struct loader_file *file, bool is_builtin, struct err *err)
{
	struct provider *provider = mem_zalloc(sizeof(*provider));
	int fd = is_builtin ? -1 : dup(file->fd);
	bool ok = loader_load(file, &provider->loaded, err);
	for (size_t i = 0; ok && i < types->providers.len; i++) {
		struct provider *other = types->providers.ptr[i];
		if (other->loaded.symbol != provider->loaded.symbol)
			continue;
		/* The same file by a second name: it has been initialised. */
		provider_destroy(provider);
		if (fd >= 0)
			close(fd);
		return other;
	}
	provider->path = file->path;
	file->path = NULL;
	char *slash = strrchr(provider->path, '/');
	provider->dir = mem_dup(provider->path, slash ? (size_t)(slash - provider->path) : 0);
	if (ok && fd >= 0) {
		know_health(types, provider, fd);
		guard_watch();
	}
	if (fd >= 0)
		close(fd);
	if (ok && run_init(provider, err)) {
		*vec_push(&types->providers) = provider;
		return provider;
	}
	provider_destroy(provider);
	return NULL;
}

/* The first time in a copy of this process: what crashes as it is loaded, or in init(), is refused. */
struct trial_load {
	struct types *types;
	struct loader_file *file;
};

static void load_there(void *arg, struct buf *answer)
{
	const struct trial_load *trial = arg;
	struct err err = {0};
	load(trial->types, trial->file, false, &err);
	wire_add_err(answer, &err);
}

static bool try_load(struct types *types, struct loader_file *file, struct err *err)
{
	struct trial_load trial = {types, file};
	struct buf answer = {0};
	struct aside aside = {
		.plugin = file->path, .function = "init", .fn = load_there, .arg = &trial};
	if (aside_call(&aside, &answer, err)) {
		struct wire in = {.rest = buf_str(&answer)};
		wire_err(&in, err);
	}
	buf_finish(&answer);
	return !err_is_set(err);
}

static bool read_schema(
	struct types *types, struct plug_type *type, const char *text, struct err *err)
{
	if (!text)
		return true;
	struct err inner = {0};
	struct diags diags = {0};
	type->schema = json_parse(&types->arena, str_of(text), &inner);
	if (type->schema && type->schema->kind != VALUE_MAP) {
		type->schema = NULL;
		err_set(&inner, "E-PLUGIN-SCHEMA", "it is not an object");
	}
	if (type->schema)
		type->checker = schema_compile(&types->arena, type->schema, NULL, &diags);
	if (!type->checker) {
		const char *why = diags.list.len ? diags.list.ptr[0].message : inner.message;
		err_set(err, "E-PLUGIN-SCHEMA",
			"the plugin %s has a schema for `%.*s` that is none: %s", type->path,
			STR_ARG(type->keyword), why ? why : "unknown");
		err_help(
			err, "tell its author; docs/schema.md lists the words that are understood");
	}
	err_finish(&inner);
	diags_finish(&diags);
	return type->checker != NULL;
}

static bool offer(struct types *types, struct provider *provider, struct entry *entry)
{
	struct loaded *loaded = &provider->loaded;
	struct plug_type type = {.plugin = &loaded->plugin,
		.keyword = str_of(entry->keyword),
		.path = provider->path,
		.dir = provider->dir,
		.health = &provider->health};
	for (size_t i = 0; loaded->types[i] && !type.type; i++)
		if (strcmp(loaded->types[i]->keyword, entry->keyword) == 0)
			type.type = loaded->types[i];
	if (!type.type) {
		err_set(&entry->err, "E-PLUGIN-KEYWORD", "the plugin %s provides `%s`, not `%s`",
			provider->path, loaded->types[0]->keyword, entry->keyword);
		return err_help(&entry->err, "name the file pawl_%s.so", loaded->types[0]->keyword);
	}
	if (!read_schema(types, &type, type.type->schema, &entry->err))
		return false;
	entry->type = type;
	return true;
}

static void search(struct types *types, struct entry *entry)
{
	for (size_t i = 0; i < types->dirs.len; i++) {
		const struct search_dir *dir = &types->dirs.ptr[i];
		struct loader_file file;
		if (loader_open(dir->path, str_of(entry->keyword), types->trust_file, dir->trust,
			    &file, &entry->err)) {
			struct provider *provider = NULL;
			if (!types->isolates || dir->is_builtin ||
				try_load(types, &file, &entry->err))
				provider = load(types, &file, dir->is_builtin, &entry->err);
			loader_close(&file);
			if (provider)
				offer(types, provider, entry);
			entry->type.is_foreign = !dir->is_builtin;
			return;
		}
		if (err_is_set(&entry->err))
			return;
	}
}

const struct plug_type *types_find(struct types *types, str keyword, struct err *err)
{
	if (!is_keyword(keyword))
		return NULL;
	struct entry *entry = map_get(&types->by_keyword, keyword);
	if (!entry) {
		entry = mem_zalloc(sizeof(*entry));
		entry->keyword = mem_dup(keyword.ptr, keyword.len);
		map_put(&types->by_keyword, str_of(entry->keyword), entry);
		search(types, entry);
	}
	if (entry->type.type)
		return &entry->type;
	if (err_is_set(&entry->err)) {
		err_set(err, entry->err.code, "%s", entry->err.message);
		if (entry->err.help)
			err_help(err, "%s", entry->err.help);
	}
	return NULL;
}

/* ---- listing -------------------------------------------------------------------------------------------------------------------- */

static int is_plugin_name(const struct dirent *entry)
{
	str name = str_of(entry->d_name);
	return str_starts(name, STR("pawl_")) && str_ends(name, STR(".so")) &&
	       is_keyword(str_slice(name, 5, name.len - 3));
}

struct listing {
	struct types *types;
	struct map seen; /* keyword -> path that has it */
	struct arena arena;
	void (*fn)(void *arg, str keyword, const char *path, const char *refused);
	void *arg;
};

static void list_file(struct listing *listing, const struct search_dir *dir, str keyword)
{
	char *path = arena_printf(&listing->arena, "%s/pawl_%.*s.so", dir->path, STR_ARG(keyword));
	const char *first = map_get(&listing->seen, keyword);
	if (first) {
		listing->fn(listing->arg, keyword, path,
			arena_printf(&listing->arena, "hidden by %s", first));
		return;
	}
	str kept = arena_str(&listing->arena, keyword);
	map_put(&listing->seen, kept, path);
	struct loader_file file;
	struct err err = {0};
	bool ok = loader_open(
		dir->path, keyword, listing->types->trust_file, dir->trust, &file, &err);
	if (ok)
		loader_close(&file);
	listing->fn(listing->arg, kept, path,
		ok                 ? NULL
		: err_is_set(&err) ? err.message
				   : "it is gone");
	err_finish(&err);
}

void types_each_file(struct types *types,
	void (*fn)(void *arg, str keyword, const char *path, const char *refused), void *arg)
{
	struct listing listing = {.types = types, .fn = fn, .arg = arg};
	for (size_t i = 0; i < types->dirs.len; i++) {
		struct dirent **entries = NULL;
		int count = scandir(types->dirs.ptr[i].path, &entries, is_plugin_name, alphasort);
		for (int k = 0; k < count; k++) {
			str name = str_of(entries[k]->d_name);
			list_file(&listing, &types->dirs.ptr[i], str_slice(name, 5, name.len - 3));
			free(entries[k]);
		}
		free(entries);
	}
	map_finish(&listing.seen);
	arena_finish(&listing.arena);
}

void types_each_path(const struct types *types, void (*fn)(void *arg, const char *path), void *arg)
{
	for (size_t i = 0; i < types->dirs.len; i++)
		fn(arg, types->dirs.ptr[i].path);
	for (size_t i = 0; i < types->providers.len; i++)
		fn(arg, types->providers.ptr[i]->path);
	if (types->trust_file)
		fn(arg, types->trust_file);
	if (types->crash_file)
		fn(arg, types->crash_file);
}

static bool find_for_workflow(void *ctx, str keyword, const struct value **schema, struct err *err)
{
	const struct plug_type *type = types_find(ctx, keyword, err);
	if (!type)
		return false;
	*schema = type->schema;
	return true;
}

struct keyword_visit {
	void (*fn)(void *arg, str keyword);
	void *arg;
};

static void visit_keyword(void *arg, str keyword, const char *path, const char *refused)
{
	(void)path;
	const struct keyword_visit *visit = arg;
	/* What can't be used is there all the same: why not is told when it is asked for. */
	if (refused && str_starts(str_of(refused), STR("hidden by ")))
		return;
	visit->fn(visit->arg, keyword);
}

static void each_for_workflow(void *ctx, void (*fn)(void *arg, str keyword), void *arg)
{
	struct keyword_visit visit = {fn, arg};
	types_each_file(ctx, visit_keyword, &visit);
}

struct workflow_types types_for_workflow(struct types *types)
{
	return (struct workflow_types){
		.ctx = types, .find = find_for_workflow, .each = each_for_workflow};
}
