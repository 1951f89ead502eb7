/* The loader against plugins that are each odd in one way, and against directories that must not be trusted. */
#include "plug_bench.h"

#include "sys/hash.h"

#include <signal.h>
#include <sys/wait.h>

#define PLUGINS PAWL_TEST_BUILD "/tests/plugins"

struct place_of_plugins {
	char root[64];
	char dir[96];
};

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
	struct buf command = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&command, format, args);
	va_end(args);
	assert_int_equal(system(buf_cstr(&command)), 0);
	buf_finish(&command);
}

static int setup(void **state)
{
	static struct place_of_plugins place;
	snprintf(place.root, sizeof(place.root), "/tmp/pawl-load-XXXXXX");
	assert_non_null(mkdtemp(place.root));
	snprintf(place.dir, sizeof(place.dir), "%s/plugins", place.root);
	run("mkdir -m 755 '%s'", place.dir);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	const struct place_of_plugins *place = *state;
	run("rm -rf '%s'", place->root);
	return 0;
}

static struct types *types_in(const char *dir)
{
	struct types_options options = {.builtin_path = dir};
	return types_create(&options);
}

/* The keyword must be refused with that code; gives nothing away that was not said. */
static void assert_refused(
	struct types *types, const char *keyword, const char *code, const char *part)
{
	struct err err = {0};
	if (types_find(types, str_of(keyword), &err))
		fail_msg("%s was loaded", keyword);
	if (!err_is_set(&err) || strcmp(err.code, code) != 0)
		fail_msg("%s: %s %s, not %s", keyword, err.code ? err.code : "no error",
			err.message ? err.message : "", code);
	bench_assert_has(err.message, part);
	assert_non_null(err.help);
	err_finish(&err);
}

static void good_plugins_load(void **state)
{
	(void)state;
	struct types *types = types_in(PLUGINS);
	struct err err = {0};
	const struct plug_type *good = types_find(types, STR("good"), &err);
	const struct plug_type *better = types_find(types, STR("better"), &err);
	assert_false(err_is_set(&err));
	/* Descriptor numbers are part of what the dynamic linker knows them by: they must not be mixed up. */
	assert_string_equal(good->type->keyword, "good");
	assert_string_equal(better->type->keyword, "better");
	assert_string_equal(better->plugin->id, "test.better");
	assert_string_equal(good->path, PLUGINS "/pawl_good.so");
	assert_string_equal(good->dir, PLUGINS);
	assert_ptr_equal(types_find(types, STR("good"), &err), good);
#ifdef PAWL_TEST_GROWN
	/* A host of the future: what the plugin's header did not have yet is nothing, not what happens to follow it. */
	assert_null(good->type->added_later);
	assert_null(good->plugin->added_later);
#endif
	types_destroy(types);
}

static void nobody_provides_it(void **state)
{
	(void)state;
	struct types *types = types_in(PLUGINS);
	struct err err = {0};
	const char *const keywords[] = {"nosuch", "", "../good", "Good", "a/b"};
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		assert_null(types_find(types, str_of(keywords[i]), &err));
		assert_false(err_is_set(&err));
	}
	types_destroy(types);
}

static void odd_plugins_are_refused(void **state)
{
	(void)state;
	struct types *types = types_in(PLUGINS);
	const char *const cases[][3] = {
		{"bad_magic", "E-PLUGIN-MAGIC", "12345678"},
		{"eight_bytes", "E-PLUGIN-MAGIC", "8 bytes"},
		{"other_major", "E-PLUGIN-ABI", "2.0"},
		{"newer_minor", "E-PLUGIN-ABI", "1.7"},
		{"must_bit", "E-PLUGIN-MUST", "00000080"},
		{"small_size", "E-PLUGIN-ABI", "20 bytes"},
		{"big_size", "E-PLUGIN-ABI", "4096 bytes"},
		{"small_type", "E-PLUGIN-ABI", "24 bytes"},
		{"bad_id", "E-PLUGIN-LOAD", "id"},
		{"no_symbol", "E-PLUGIN-LOAD", "pawl_plugin_v1"},
		{"no_start", "E-PLUGIN-LOAD", "start()"},
		{"odd_keyword", "E-PLUGIN-KEYWORD", "even_keyword"},
		{"upper_keyword", "E-PLUGIN-KEYWORD", "not a word"},
		{"bad_schema", "E-PLUGIN-SCHEMA", "bad_schema"},
		{"odd_schema", "E-PLUGIN-SCHEMA", "typo"},
		{"init_fails", "E-PLUGIN-LOAD", "there is no licence"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_refused(types, cases[i][0], cases[i][1], cases[i][2]);
		/* And again, from memory. */
		assert_refused(types, cases[i][0], cases[i][1], cases[i][2]);
	}
	types_destroy(types);
}

static void nothing_is_read_behind_a_struct(void **state)
{
	(void)state;
	struct types *types = types_in(PLUGINS);
	struct err err = {0};
	const struct plug_type *type = types_find(types, STR("guard_page"), &err);
	assert_non_null(type);
	assert_null(type->type->cancel);
	assert_null(type->type->extension);
	types_destroy(types);
}

static void a_newer_plugin_that_asks_for_this_abi_loads(void **state)
{
	(void)state;
	struct types *types = types_in(PLUGINS);
	struct err err = {0};
	const struct plug_type *type = types_find(types, STR("grown"), &err);
	if (!type)
		fail_msg("%s", err.message);
	assert_string_equal(type->plugin->id, "test.grown");
	assert_null(type->type->cancel);
#ifdef PAWL_TEST_GROWN
	assert_non_null(
		type->type->added_later); /* it comes from as far in the future as this host */
#endif
	types_destroy(types);
}

static void one_file_by_two_names_is_one_plugin(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cp '%s/pawl_multi.so' '%s/' && ln -s pawl_multi.so '%s/pawl_other.so'", PLUGINS,
		place->dir, place->dir);
	struct types *types = types_in(place->dir);
	struct err err = {0};
	const struct plug_type *first = types_find(types, STR("multi"), &err);
	const struct plug_type *second = types_find(types, STR("other"), &err);
	if (!first || !second)
		fail_msg("%s", err.message);
	assert_ptr_equal(first->plugin, second->plugin);
	assert_string_equal(second->type->keyword, "other");
	types_destroy(types);
}

static void what_is_no_object_is_refused(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cd '%s' && echo text > pawl_text.so && : > pawl_empty.so && mkfifo pawl_fifo.so && mkdir pawl_dir.so",
		place->dir);
	run("head -c 3000 '%s/pawl_good.so' > '%s/pawl_cut.so'", PLUGINS, place->dir);
	struct types *types = types_in(place->dir);
	assert_refused(types, "text", "E-PLUGIN-LOAD", "can't be loaded");
	assert_refused(types, "empty", "E-PLUGIN-LOAD", "can't be loaded");
	assert_refused(types, "cut", "E-PLUGIN-LOAD", "can't be loaded");
	struct err err = {0};
	assert_null(types_find(types, STR("fifo"), &err));
	assert_string_equal(err.code, "E-PLUGIN-LOAD");
	assert_null(types_find(types, STR("dir"), &err));
	assert_string_equal(err.code, "E-PLUGIN-LOAD");
	err_finish(&err);
	types_destroy(types);
}

static void unsafe_places_are_refused(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cp '%s/pawl_good.so' '%s/pawl_better.so' '%s/'", PLUGINS, PLUGINS, place->dir);
	run("chmod 777 '%s'", place->dir);
	struct types *types = types_in(place->dir);
	assert_refused(types, "good", "E-PLUGIN-UNSAFE", "by everybody");
	types_destroy(types);
	run("chmod 1777 '%s'", place->dir);
	types = types_in(place->dir);
	assert_refused(types, "good", "E-PLUGIN-UNSAFE", "by everybody");
	types_destroy(types);
	run("chmod 755 '%s' && chmod 646 '%s/pawl_good.so'", place->dir, place->dir);
	types = types_in(place->dir);
	assert_refused(types, "good", "E-PLUGIN-UNSAFE", "pawl_good.so");
	types_destroy(types);
	if (geteuid() != 0)
		return; /* only root can give files away */
	run("chown 12345 '%s/pawl_better.so'", place->dir);
	types = types_in(place->dir);
	assert_refused(types, "better", "E-PLUGIN-UNSAFE", "12345");
	types_destroy(types);
	run("chown 0 '%s'/* && chmod 755 '%s'/* && chown 12345 '%s'", place->dir, place->dir,
		place->dir);
	types = types_in(place->dir);
	assert_refused(types, "good", "E-PLUGIN-UNSAFE", "12345");
	types_destroy(types);
}

static void relative_directories_are_refused(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cp '%s/pawl_good.so' '%s/'", PLUGINS, place->dir);
	char *before = getcwd(NULL, 0);
	assert_int_equal(chdir(place->root), 0);
	struct types_options options = {.env_path = "plugins"};
	struct types *types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-UNSAFE", "not absolute");
	types_destroy(types);
	assert_int_equal(chdir(before), 0);
	free(before);
}

static void the_first_directory_decides(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cp '%s/pawl_bad_magic.so' '%s/pawl_good.so'", PLUGINS, place->dir);
	const char *paths[] = {"/nonexistent/plugins", place->dir, NULL};
	struct types_options options = {.paths = paths, .builtin_path = PLUGINS};
	struct types *types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-MAGIC", place->dir);
	struct err err = {0};
	assert_non_null(types_find(types, STR("better"), &err));
	types_destroy(types);
	run("cp '%s/pawl_better.so' '%s/'", PLUGINS, place->dir);
	char env[256];
	snprintf(env, sizeof(env), "%s:" PLUGINS, place->dir);
	options = (struct types_options){.env_path = env};
	types = types_create(&options);
	const struct plug_type *type = types_find(types, STR("better"), &err);
	assert_non_null(type);
	bench_assert_has(type->path, place->dir);
	types_destroy(types);
}

static void trust(const struct place_of_plugins *place, const char *file)
{
	run("sha256sum '%s' >> '%s/trusted'", file, place->root);
}

static void projects_are_not_trusted(void **state)
{
	const struct place_of_plugins *place = *state;
	run("mkdir -p '%s/.pawl/plugins' && cp '%s/pawl_good.so' '%s/.pawl/plugins/'", place->root,
		PLUGINS, place->root);
	char list[128];
	char file[160];
	snprintf(list, sizeof(list), "%s/trusted", place->root);
	snprintf(file, sizeof(file), "%s/.pawl/plugins/pawl_good.so", place->root);
	struct types_options options = {.project = place->root, .trust_file = list};
	struct types *types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-UNTRUSTED", file);
	types_destroy(types);
	trust(place, PLUGINS "/pawl_better.so");
	types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-UNTRUSTED", file);
	types_destroy(types);
	trust(place, file);
	types = types_create(&options);
	struct err err = {0};
	const struct plug_type *type = types_find(types, STR("good"), &err);
	if (!type)
		fail_msg("%s", err.message);
	assert_string_equal(type->path, file);
	types_destroy(types);
	/* By content, not by name; and not by a list that a stranger can write. */
	run("cp '%s/pawl_good.so' '%s' && printf x >> '%s'", PLUGINS, file, file);
	types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-UNTRUSTED", file);
	types_destroy(types);
	run("cp '%s/pawl_good.so' '%s' && chmod 666 '%s'", PLUGINS, file, list);
	types = types_create(&options);
	assert_refused(types, "good", "E-PLUGIN-UNTRUSTED", file);
	types_destroy(types);
}

static void note_file(void *arg, str keyword, const char *path, const char *refused)
{
	buf_printf(arg, "%.*s %s%s%s\n", STR_ARG(keyword), path, refused ? " " : "",
		refused ? refused : "");
}

static void files_are_listed(void **state)
{
	const struct place_of_plugins *place = *state;
	run("cp '%s/pawl_good.so' '%s/pawl_better.so' '%s/' && : > '%s/pawl_Bad.so' && : > '%s/good.so'",
		PLUGINS, PLUGINS, place->dir, place->dir, place->dir);
	run("mkdir -p '%s/.pawl/plugins' && cp '%s/pawl_good.so' '%s/.pawl/plugins/'", place->root,
		PLUGINS, place->root);
	run("cp '%s/pawl_good.so' '%s/.pawl/plugins/pawl_multi.so'", PLUGINS, place->root);
	struct types_options options = {.builtin_path = place->dir, .project = place->root};
	struct types *types = types_create(&options);
	struct buf listed = {0};
	types_each_file(types, note_file, &listed);
	struct buf wanted = {0};
	buf_printf(&wanted, "better %s/pawl_better.so\ngood %s/pawl_good.so\n", place->dir,
		place->dir);
	buf_printf(&wanted, "good %s/.pawl/plugins/pawl_good.so hidden by %s/pawl_good.so\n",
		place->root, place->dir);
	assert_true(str_starts(buf_str(&listed), buf_str(&wanted)));
	bench_assert_has(buf_cstr(&listed), "pawl_multi.so the project brings");
	buf_finish(&listed);
	buf_finish(&wanted);
	types_destroy(types);
}

/* Does `what` in a process of its own; gives what it wrote on standard error. */
static void last_words(void (*what)(void), struct buf *words)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		what();
		_exit(0);
	}
	close(ends[1]);
	char block[4096];
	for (ssize_t n; (n = read(ends[0], block, sizeof(block))) > 0;)
		buf_add(words, str_make(block, (size_t)n));
	close(ends[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_not_equal(status, 0);
}

static void crash_in_init(void)
{
	struct types *types = types_in(PLUGINS);
	struct err err = {0};
	types_find(types, STR("init_crashes"), &err);
}

static void a_crash_names_the_plugin(void **state)
{
	(void)state;
	struct buf words = {0};
	last_words(crash_in_init, &words);
	bench_assert_has(
		buf_cstr(&words), "pawl: plugin test.init_crashes crashed (SIGSEGV) in init()");
	bench_assert_has(buf_cstr(&words), "pawl resume");
	buf_finish(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(good_plugins_load, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_provides_it, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_plugins_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_read_behind_a_struct, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_newer_plugin_that_asks_for_this_abi_loads, setup, teardown),
		cmocka_unit_test_setup_teardown(
			one_file_by_two_names_is_one_plugin, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_object_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(unsafe_places_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(relative_directories_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_directory_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(projects_are_not_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crash_names_the_plugin, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
