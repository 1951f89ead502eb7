/* facts: what is taken down of files, trees, globs and programs; what counts as a change; and when a digest that was
 * computed before may stand for a file. */
#include "base/buf.h"
#include "base/mem.h"
#include "engine/facts.h"
#include "fake_world.h"
#include "store/results.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
	char path[64];
	int dir;
	struct store *store;
	struct fake_world fake;
	struct fact_memo *memo;
	struct fact_place place;
	struct arena arena;
	struct trace taken;
	struct host_facts plugin;
	struct err err;
	size_t declared;
};

static void open_memo(struct bench *b)
{
	fact_memo_destroy(b->memo);
	b->memo = fact_memo_create(&b->fake.world, true, false);
	b->place.memo = b->memo;
}

static int set_up(void **state)
{
	struct bench *b = mem_zalloc(sizeof(*b));
	struct err err = {0};
	memcpy(b->path, "/tmp/pawl-facts-XXXXXX", 23);
	if (!mkdtemp(b->path))
		return -1;
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->store = store_open(b->path, STORE_WRITE, &err);
	b->place =
		(struct fact_place){.store = b->store, .path_env = "/usr/bin:/bin", .dir = STR("")};
	fake_world_init(&b->fake);
	open_memo(b);
	*state = b;
	return b->store ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fact_memo_destroy(b->memo);
	trace_finish(&b->taken);
	vec_finish(&b->plugin.list);
	err_finish(&b->err);
	store_close(b->store);
	close(b->dir);
	fs_remove_tree(root, b->path + 5, NULL);
	close(root);
	fake_world_finish(&b->fake);
	arena_finish(&b->arena);
	free(b);
	return 0;
}

#define FACTS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void put(const struct bench *b, const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	char dir[128];
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	if (slash)
		assert_true(fs_make_dirs(b->dir, dir, 0755, NULL));
	int fd = openat(b->dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Takes the facts of `reads: [...]` afresh. */
static bool take(struct bench *b, const char *const *reads, size_t count)
{
	str list[8];
	struct node node = {.reads_declared = true, .reads = {list, count}};
	for (size_t i = 0; i < count; i++)
		list[i] = str_of(reads[i]);
	b->taken.facts.len = 0;
	err_finish(&b->err);
	b->err = (struct err){0};
	fact_memo_forget(b->memo);
	return facts_take(
		&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, &b->err);
}

static void take_one(struct bench *b, const char *path)
{
	if (!take(b, &path, 1))
		fail_msg("%s: %s", path, b->err.message);
}

/* The path of the fact that does not hold any more; "" where all do. */
static const char *broken(struct bench *b)
{
	struct broken_fact found;
	fact_memo_forget(b->memo);
	if (!facts_find_broken(&b->place, &b->arena, &b->taken, &found))
		return "";
	return arena_str(&b->arena, found.then.path).ptr;
}

static void a_file_is_its_content_and_its_x_bit(void **state)
{
	struct bench *b = *state;
	put(b, "in.txt", "hello");
	take_one(b, "in.txt");
	assert_int_equal(b->taken.facts.len, 1);
	struct digest want = hash_of(STR("hello"));
	assert_int_equal(b->taken.facts.ptr[0].kind, FACT_FILE);
	assert_true(digest_eq(&b->taken.facts.ptr[0].digest, &want));
	assert_string_equal(broken(b), "");
	put(b, "in.txt", "other");
	assert_string_equal(broken(b), "in.txt");
	put(b, "in.txt", "hello"); /* the same again: times don't matter */
	assert_string_equal(broken(b), "");
	assert_int_equal(fchmodat(b->dir, "in.txt", 0600, 0), 0); /* nor other permissions */
	assert_string_equal(broken(b), "");
	assert_int_equal(fchmodat(b->dir, "in.txt", 0755, 0), 0);
	assert_string_equal(broken(b), "in.txt");
	assert_int_equal(unlinkat(b->dir, "in.txt", 0), 0);
	assert_string_equal(broken(b), "in.txt");
	take_one(b, "in.txt");
	assert_int_equal(b->taken.facts.ptr[0].kind, FACT_ABSENT);
	assert_string_equal(broken(b), "");
	put(b, "in.txt", "");
	assert_string_equal(broken(b), "in.txt");
}

static void an_edit_that_keeps_size_and_time_is_seen(void **state)
{
	struct bench *b = *state;
	struct stat before;
	put(b, "in.txt", "aaaa");
	take_one(b, "in.txt");
	for (int i = 0; i < 20; i++) {
		char text[5] = "aaaa";
		text[i % 4] = (char)('b' + i);
		assert_int_equal(fstatat(b->dir, "in.txt", &before, 0), 0);
		put(b, "in.txt", text);
		struct timespec times[2] = {before.st_atim, before.st_mtim};
		assert_int_equal(utimensat(b->dir, "in.txt", times, 0), 0);
		assert_string_equal(broken(b), "in.txt");
		put(b, "in.txt", "aaaa");
		assert_string_equal(broken(b), "");
	}
}

/* What the memo of the store would say of the file as it is. */
static struct memo_row row_of(const struct bench *b, const char *path, const struct digest *digest)
{
	struct fs_stat st;
	assert_int_equal(fs_stat_at(b->dir, path, &st, NULL), FS_FOUND);
	return (struct memo_row){.digest = *digest,
		.dev = st.dev,
		.ino = st.ino,
		.size = st.size,
		.mtime_ns = st.mtime_ns,
		.ctime_ns = st.ctime_ns,
		.taken_ns = st.ctime_ns + 3000000000};
}

/* Whether that row is believed: it holds a digest that is not the file's. */
static bool is_believed(struct bench *b, const struct memo_row *row)
{
	struct fact fact;
	struct digest real = hash_of(STR("hello"));
	assert_true(memo_put(b->store, STR("in.txt"), row));
	open_memo(b);
	assert_true(facts_look(&b->place, &b->arena, STR("in.txt"), &fact, NULL));
	if (digest_eq(&fact.digest, &real))
		return false;
	assert_true(digest_eq(&fact.digest, &row->digest));
	return true;
}

static void a_digest_is_believed_of_the_very_same_file_only(void **state)
{
	struct bench *b = *state;
	struct digest wrong = {{1, 2, 3}};
	put(b, "in.txt", "hello");
	struct memo_row good = row_of(b, "in.txt", &wrong);
	struct memo_row row = good;
	assert_true(is_believed(b, &row));
	row.dev ^= 1;
	assert_false(is_believed(b, &row));
	row = good;
	row.ino ^= 1;
	assert_false(is_believed(b, &row));
	row = good;
	row.size ^= 1;
	assert_false(is_believed(b, &row));
	row = good;
	row.mtime_ns -= 1;
	assert_false(is_believed(b, &row));
	row = good;
	row.ctime_ns -= 1;
	assert_false(is_believed(b, &row));
}

static void a_digest_taken_right_after_a_change_is_not_believed(void **state)
{
	struct bench *b = *state;
	struct digest wrong = {{1, 2, 3}};
	put(b, "in.txt", "hello");
	struct memo_row row = row_of(b, "in.txt", &wrong);
	int64_t changed = row.mtime_ns > row.ctime_ns ? row.mtime_ns : row.ctime_ns;
	static const int64_t after[] = {-1, 0, 1, 1000000000, 2000000000};
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		row.taken_ns = changed + after[i];
		assert_false(is_believed(b, &row));
	}
	row.taken_ns = changed + 2000000001;
	assert_true(is_believed(b, &row));
	/* Nor where only its times or its permissions were changed of late. */
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	assert_int_equal(utimensat(b->dir, "in.txt", old, 0), 0);
	row = row_of(b, "in.txt", &wrong);
	row.taken_ns = row.ctime_ns + 1000000000;
	assert_false(is_believed(b, &row));
	/* A file from the future is never old enough. */
	struct timespec times[2] = {{.tv_sec = clock_wall_ms() / 1000 + 86400},
		{.tv_sec = clock_wall_ms() / 1000 + 86400}};
	assert_int_equal(utimensat(b->dir, "in.txt", times, 0), 0);
	row = row_of(b, "in.txt", &wrong);
	assert_false(is_believed(b, &row));
}

/* The world's clock says so much after the last change of in.txt. */
static void set_clock(struct bench *b, int64_t after_ms)
{
	struct digest none = {{0}};
	struct memo_row row = row_of(b, "in.txt", &none);
	int64_t changed = row.mtime_ns > row.ctime_ns ? row.mtime_ns : row.ctime_ns;
	int64_t off = changed / 1000000 + after_ms - b->fake.world.wall_ms(&b->fake);
	b->fake.now_ms = (uint64_t)((int64_t)b->fake.now_ms + off);
}

/* What is taken is dated by the world's clock, and believed when that was two seconds and more after the change. */
static void a_digest_is_dated_by_the_clock_of_the_world(void **state)
{
	struct bench *b = *state;
	struct digest wrong = {{1, 2, 3}};
	struct fact fact;
	static const struct {
		int64_t after_ms;
		bool is_believed;
	} rows[] = {{-3600000, false}, {-2001, false}, {0, false}, {1, false}, {1999, false},
		{2001, true}};
	put(b, "in.txt", "hello");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct memo_row row = {.size = 1};
		bool found = false;
		assert_true(memo_put(b->store, STR("in.txt"), &row)); /* nothing is known of it */
		set_clock(b, rows[i].after_ms);
		open_memo(b);
		assert_true(facts_look(&b->place, &b->arena, STR("in.txt"), &fact, NULL));
		assert_true(memo_get(b->store, STR("in.txt"), &row, &found) && found);
		row.digest = wrong;
		assert_true(memo_put(b->store, STR("in.txt"), &row));
		set_clock(b, 3600000); /* when it is asked for matters nothing */
		open_memo(b);
		assert_true(facts_look(&b->place, &b->arena, STR("in.txt"), &fact, NULL));
		assert_int_equal(digest_eq(&fact.digest, &wrong), rows[i].is_believed);
	}
}

static void between_two_bodies_a_file_is_looked_at_once(void **state)
{
	struct bench *b = *state;
	struct fact first;
	struct fact second;
	put(b, "d/in.txt", "one");
	assert_true(facts_look(&b->place, &b->arena, STR("d/in.txt"), &first, NULL));
	put(b, "d/in.txt", "two");
	assert_true(facts_look(&b->place, &b->arena, STR("d/in.txt"), &second, NULL));
	assert_true(fact_eq(&first, &second));
	fact_memo_forget(b->memo);
	assert_true(facts_look(&b->place, &b->arena, STR("d/in.txt"), &second, NULL));
	assert_false(fact_eq(&first, &second));
	/* The directory is another one now; what was open of it counts no more. */
	assert_int_equal(renameat(b->dir, "d", b->dir, "e"), 0);
	put(b, "d/in.txt", "three");
	fact_memo_forget(b->memo);
	struct digest want = hash_of(STR("three"));
	assert_true(facts_look(&b->place, &b->arena, STR("d/in.txt"), &second, NULL));
	assert_true(digest_eq(&second.digest, &want));
}

static void a_glob_is_its_names_and_each_file(void **state)
{
	struct bench *b = *state;
	put(b, "src/a.c", "a");
	put(b, "src/b.c", "b");
	put(b, "src/c.h", "c");
	take_one(b, "src/*.c");
	assert_int_equal(b->taken.facts.len, 3);
	assert_string_equal(broken(b), "");
	put(b, "src/c.h", "changed"); /* not matched */
	assert_string_equal(broken(b), "");
	put(b, "src/b.c", "changed");
	assert_string_equal(broken(b), "src/b.c"); /* the file, not the pattern */
	put(b, "src/b.c", "b");
	put(b, "src/new.c", "");
	assert_string_equal(broken(b), "src/*.c");
	assert_int_equal(unlinkat(b->dir, "src/new.c", 0), 0);
	assert_string_equal(broken(b), "");
	assert_int_equal(unlinkat(b->dir, "src/a.c", 0), 0);
	assert_string_equal(broken(b), "src/a.c");
	take_one(b, "nothing/*.x");
	assert_int_equal(b->taken.facts.len, 1);
	put(b, "nothing/one.x", "");
	assert_string_equal(broken(b), "nothing/*.x");
}

static void a_directory_is_all_that_is_in_it(void **state)
{
	struct bench *b = *state;
	put(b, "src/a.c", "a");
	put(b, "src/deep/er/b.c", "b");
	take_one(b, "src");
	assert_string_equal(broken(b), "");
	put(b, "src/deep/er/b.c", "B");
	assert_string_equal(broken(b), "src/deep/er/b.c");
	put(b, "src/deep/er/b.c", "b");
	assert_string_equal(broken(b), "");
	assert_true(fs_make_dirs(b->dir, "src/empty", 0755, NULL));
	assert_string_equal(broken(b), "src");
	assert_int_equal(unlinkat(b->dir, "src/empty", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("a.c", b->dir, "src/link"), 0);
	assert_string_equal(broken(b), "src");
	take_one(b, "src");
	assert_int_equal(unlinkat(b->dir, "src/link", 0), 0);
	assert_int_equal(symlinkat("deep", b->dir, "src/link"), 0);
	assert_string_equal(broken(b), "src"); /* a link is where it points to */
}

static void what_the_node_makes_and_our_own_state_are_no_inputs(void **state)
{
	struct bench *b = *state;
	str writes[] = {STR("out"), STR("*.log")};
	struct strs list = {writes, 2};
	b->place.writes = &list;
	put(b, "in.txt", "in");
	put(b, "out/made.txt", "1");
	put(b, "run.log", "1");
	take_one(b, ".");
	assert_string_equal(broken(b), "");
	put(b, "out/made.txt", "2");
	put(b, "out/more.txt", "2");
	put(b, "other.log", "2");
	put(b, ".pawl/state/anything", "2");
	assert_string_equal(broken(b), "");
	put(b, "outer.txt", "2"); /* only begins like it */
	assert_string_equal(broken(b), ".");
}

static void programs_are_known_by_place_and_content(void **state)
{
	struct bench *b = *state;
	char path[256];
	str tools[] = {STR("mytool")};
	struct node node = {.tools = {tools, 1}};
	snprintf(path, sizeof(path), "%s/first:%s/bin:/usr/bin", b->path, b->path);
	b->place.path_env = path;
	assert_false(facts_take(
		&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, &b->err));
	assert_string_equal(b->err.code, "E-TOOL-MISSING");
	put(b, "bin/mytool", "#!/bin/sh\necho 1\n");
	assert_false(
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL));
	assert_int_equal(fchmodat(b->dir, "bin/mytool", 0755, 0), 0);
	assert_true(
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL));
	assert_int_equal(b->taken.facts.len, 1);
	assert_int_equal(b->taken.facts.ptr[0].kind, FACT_TOOL);
	assert_true(str_ends(b->taken.facts.ptr[0].real, STR("bin/mytool")));
	assert_string_equal(broken(b), "");
	put(b, "bin/mytool", "#!/bin/sh\necho 2\n");
	assert_string_equal(broken(b), "mytool");
	put(b, "bin/mytool", "#!/bin/sh\necho 1\n");
	assert_string_equal(broken(b), "");
	/* The next run finds another one, further to the front. */
	put(b, "first/mytool", "#!/bin/sh\necho 1\n");
	assert_int_equal(fchmodat(b->dir, "first/mytool", 0755, 0), 0);
	open_memo(b);
	assert_string_equal(broken(b), "mytool");
	assert_int_equal(unlinkat(b->dir, "first/mytool", 0), 0);
	assert_int_equal(unlinkat(b->dir, "bin/mytool", 0), 0);
	assert_string_equal(broken(b), "mytool");
}

/* Within a run too: a node may make a program that comes first for those behind it. */
static void programs_are_looked_up_again(void **state)
{
	struct bench *b = *state;
	char path[256];
	str tools[] = {STR("mytool")};
	struct node node = {.tools = {tools, 1}};
	snprintf(path, sizeof(path), "%s/first:%s/bin:/usr/bin", b->path, b->path);
	b->place.path_env = path;
	put(b, "bin/mytool", "#!/bin/sh\n");
	assert_int_equal(fchmodat(b->dir, "bin/mytool", 0755, 0), 0);
	assert_true(
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL));
	put(b, "first/mytool", "#!/bin/sh\n");
	assert_int_equal(fchmodat(b->dir, "first/mytool", 0755, 0), 0);
	fact_memo_forget(b->memo);
	assert_string_equal(broken(b), "mytool");
}

static void programs_with_a_slash_are_those_of_the_directory(void **state)
{
	struct bench *b = *state;
	str tools[] = {STR("./t")};
	struct node node = {.tools = {tools, 1}};
	put(b, "one/t", "#!/bin/sh\necho 1\n");
	put(b, "two/t", "#!/bin/sh\necho 2\n");
	assert_int_equal(fchmodat(b->dir, "one/t", 0755, 0), 0);
	assert_int_equal(fchmodat(b->dir, "two/t", 0755, 0), 0);
	b->place.path_env = "/usr/bin";
	b->place.dir = STR("one");
	assert_true(
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL));
	b->place.dir = STR("two");
	b->taken.facts.len = 0;
	assert_true(
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL));
	assert_true(str_ends(b->taken.facts.ptr[0].real, STR("two/t")));
}

static void paths_that_leave_the_project(void **state)
{
	struct bench *b = *state;
	static const char *const bad[] = {"..", "../x", "a/../../x", "/etc/passwd"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (take(b, &bad[i], 1))
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(b->err.code, "E-FS-OUTSIDE");
	}
	/* By a link neither. */
	assert_int_equal(symlinkat("/etc/passwd", b->dir, "link"), 0);
	assert_int_equal(symlinkat("/etc", b->dir, "dir"), 0);
	const char *link = "link";
	const char *below = "dir/passwd";
	assert_false(take(b, &link, 1));
	assert_false(take(b, &below, 1));
	assert_int_equal(symlinkat("in.txt", b->dir, "inside"), 0);
	put(b, "in.txt", "1");
	take_one(b, "inside");
	put(b, "in.txt", "2");
	assert_string_equal(broken(b), "inside");
	const char *pipe = "pipe";
	assert_int_equal(mkfifoat(b->dir, "pipe", 0600), 0);
	assert_false(take(b, &pipe, 1)); /* and does not wait for a writer */
	take_one(b, "./a/.././in.txt");
	assert_true(str_is(b->taken.facts.ptr[0].path, "in.txt"));
}

static void words_of_bodies_mean_paths(void **state)
{
	struct bench *b = *state;
	char inside[128];
	snprintf(inside, sizeof(inside), "%s/x/y", b->path);
	const struct {
		const char *dir, *word, *path; /* path NULL: nothing to care about */
	} rows[] = {
		{"", "in.txt", "in.txt"},
		{"", "./a//b/../c", "a/c"},
		{"sub", "in.txt", "sub/in.txt"},
		{"sub", "../in.txt", "in.txt"},
		{"", "../in.txt", NULL},
		{"sub", "../../in.txt", NULL},
		{"", inside, "x/y"},
		{"sub", inside, "x/y"},
		{"", "/etc/hosts", "/etc/hosts"},
		{"", "/dev/null", NULL},
		{"", "/proc/self/status", NULL},
		{"", "/sys/x", NULL},
		{"", "-n", NULL},
		{"", "$HOME/x", NULL},
		{"", "~/x", NULL},
		{"", "*.c", NULL},
		{"", "", NULL},
		{"", ".", NULL},
		{"", ".pawl/state/pawl.db", NULL},
		{"", ".pawl/workflows/w.yaml", ".pawl/workflows/w.yaml"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str path = STR("");
		b->place.dir = str_of(rows[i].dir);
		bool ok = facts_resolve(&b->place, &b->arena, str_of(rows[i].word), &path);
		if (ok != (rows[i].path != NULL) || (ok && !str_is(path, rows[i].path)))
			fail_msg("\"%s\" in \"%s\": %d %.*s", rows[i].word, rows[i].dir, ok,
				STR_ARG(path));
	}
}

static void add_plugin_fact(struct bench *b, enum host_fact_kind kind, const char *path)
{
	*vec_push(&b->plugin.list) = (struct host_fact){kind, STR("word"), str_of(path)};
}

static void of_what_a_body_names_files_count(void **state)
{
	struct bench *b = *state;
	put(b, "in.txt", "1");
	put(b, "made.txt", "1");
	put(b, "dir/x", "1");
	put(b, "read.txt", "1");
	add_plugin_fact(b, HOST_FACT_WORD, "in.txt");
	add_plugin_fact(b, HOST_FACT_WORD, "echo"); /* no such file */
	add_plugin_fact(
		b, HOST_FACT_WORD, "dir"); /* a directory: most words that name one mean none */
	add_plugin_fact(
		b, HOST_FACT_WORD, "lib/none"); /* not there, but with a slash: it may come */
	add_plugin_fact(b, HOST_FACT_WORD, "/no/where"); /* outside, not there */
	add_plugin_fact(b, HOST_FACT_WORD, "made.txt");  /* also written */
	add_plugin_fact(b, HOST_FACT_OUTPUT, "made.txt");
	add_plugin_fact(b, HOST_FACT_FILE, "config");
	add_plugin_fact(b, HOST_FACT_WORD, "read.txt"); /* also declared */
	add_plugin_fact(b, HOST_FACT_TOOL, "sh");
	add_plugin_fact(b, HOST_FACT_TOOL, "no-such-program");
	take_one(b, "read.txt");
	struct buf got = {0};
	for (size_t i = 0; i < b->taken.facts.len; i++)
		buf_printf(&got, "%s %.*s\n", fact_kind_name(b->taken.facts.ptr[i].kind),
			STR_ARG(b->taken.facts.ptr[i].path));
	assert_string_equal(buf_cstr(&got),
		"file read.txt\nfile in.txt\nabsent lib/none\nabsent config\ntool sh\n");
	assert_int_equal(b->declared, 1);
	buf_finish(&got);
	assert_string_equal(broken(b), "");
	put(b, "lib/none", "");
	assert_string_equal(broken(b), "lib/none");
}

/* What a tree is as a whole, without the facts of each file in it. */
static struct digest tree_of(struct bench *b, const char *path)
{
	struct fact fact;
	struct err err = {0};
	fact_memo_forget(b->memo);
	if (!facts_look(&b->place, &b->arena, str_of(path), &fact, &err))
		fail_msg("%s", err.message);
	assert_int_equal(fact.kind, FACT_TREE);
	return fact.digest;
}

/* Whether the tree `t` is another one now; it is the new one then. */
static bool moved(struct bench *b, struct digest *then)
{
	struct digest now = tree_of(b, "t");
	bool same = digest_eq(&now, then);
	*then = now;
	return !same;
}

static void a_tree_is_names_kinds_bits_and_contents(void **state)
{
	struct bench *b = *state;
	put(b, "t/a", "a");
	put(b, "t/d/b", "b");
	struct digest then = tree_of(b, "t");
	assert_false(moved(b, &then));
	put(b, "t/a", "A");
	assert_true(moved(b, &then));
	assert_int_equal(fchmodat(b->dir, "t/a", 0755, 0), 0);
	assert_true(moved(b, &then));
	assert_int_equal(fchmodat(b->dir, "t/a", 0711, 0), 0);
	assert_false(moved(b, &then));
	assert_int_equal(fchmodat(b->dir, "t/d", 0600, 0), 0); /* is no file that is run */
	assert_false(moved(b, &then));
	assert_int_equal(fchmodat(b->dir, "t/d", 0755, 0), 0);
	assert_int_equal(renameat(b->dir, "t/a", b->dir, "t/c"), 0);
	assert_true(moved(b, &then));
	assert_int_equal(unlinkat(b->dir, "t/d/b", 0), 0);
	assert_true(moved(b, &then));
	assert_int_equal(unlinkat(b->dir, "t/d", AT_REMOVEDIR), 0);
	assert_true(moved(b, &then));
}

static void link_to(struct bench *b, const char *target, const char *path)
{
	unlinkat(b->dir, path, 0);
	assert_int_equal(symlinkat(target, b->dir, path), 0);
}

static void a_link_in_a_tree_is_what_it_leads_to(void **state)
{
	struct bench *b = *state;
	put(b, "f", "1");
	put(b, "g", "1");
	put(b, "t/x", "x");
	link_to(b, "../f", "t/l");
	struct digest then = tree_of(b, "t");
	put(b, "f", "2");
	assert_true(moved(b, &then));
	assert_int_equal(fchmodat(b->dir, "f", 0755, 0), 0);
	assert_true(moved(b, &then));
	assert_int_equal(unlinkat(b->dir, "f", 0), 0);
	assert_true(moved(b, &then));
	put(b, "f", "1");
	assert_true(moved(b, &then));
	link_to(b, "../g", "t/l"); /* the same content by another way */
	assert_true(moved(b, &then));
	/* A directory: with all that is in it. */
	put(b, "dir/deep/y", "y");
	link_to(b, "../dir", "t/l");
	assert_true(moved(b, &then));
	put(b, "dir/deep/y", "Y");
	assert_true(moved(b, &then));
	put(b, "dir/more", "");
	assert_true(moved(b, &then));
	/* An empty file, and an empty directory. */
	assert_true(fs_make_dirs(b->dir, "empty", 0755, NULL));
	link_to(b, "../empty", "t/l");
	assert_true(moved(b, &then));
	assert_int_equal(unlinkat(b->dir, "empty", AT_REMOVEDIR), 0);
	assert_true(moved(b, &then));
}

static void links_are_followed_within_the_project_and_to_an_end(void **state)
{
	struct bench *b = *state;
	char outside[96];
	char path[8];
	snprintf(outside, sizeof(outside), "%s-out", b->path); /* begins like the project */
	assert_int_equal(mkdir(outside, 0755), 0);
	put(b, "t/x", "x");
	link_to(b, outside, "t/out");
	struct digest then = tree_of(b, "t");
	int out = open(outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fs_write_file(out, "new", STR(""), 0644, false, NULL));
	assert_false(moved(b, &then));
	assert_int_equal(unlinkat(out, "new", 0), 0);
	close(out);
	assert_int_equal(rmdir(outside), 0);
	/* Two that lead to each other, and the project itself, without what pawl keeps in it. */
	put(b, "u/y", "y");
	link_to(b, "../u", "t/u");
	link_to(b, "../t", "u/t");
	link_to(b, "..", "t/out");
	then = tree_of(b, "t");
	put(b, ".pawl/state/anything", "2");
	assert_false(moved(b, &then));
	put(b, "u/y", "Y");
	assert_true(moved(b, &then));
	/* One after the other, as many as there are. */
	for (int i = 0; i < 9; i++) {
		snprintf(path, sizeof(path), "n%d/z", i);
		put(b, path, "z");
		snprintf(path, sizeof(path), "../n%d", i);
		char link[8];
		snprintf(link, sizeof(link), "t/n%d", i);
		link_to(b, path, link);
	}
	unlinkat(b->dir, "t/out", 0);
	then = tree_of(b, "t");
	put(b, "n8/z", "Z");
	assert_true(moved(b, &then));
}

static void add_was(struct bench *b, const char *path, const char *before, const char *after)
{
	struct fact fact = {.kind = FACT_WAS, .path = str_of(path), .real = STR("")};
	fact_memo_forget(b->memo);
	put(b, path, after);
	assert_true(facts_state(&b->place, &b->arena, fact.path, &fact.after));
	fact_memo_forget(b->memo);
	put(b, path, before);
	assert_true(facts_state(&b->place, &b->arena, fact.path, &fact.digest));
	*vec_push(&b->taken.facts) = fact;
}

static void all_is_as_it_was_found_or_all_as_it_was_left(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *f, *g;
		bool holds;
	} rows[] = {{"before", "before", true}, {"after", "after", true},
		{"before", "after", false}, {"after", "before", false}, {"other", "before", false},
		{"after", "other", false}, {"other", "other", false}};
	b->taken.facts.len = 0;
	add_was(b, "f", "before", "after");
	add_was(b, "same", "same", "same"); /* says nothing of which it is */
	add_was(b, "g", "before", "after");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(b, "f", rows[i].f);
		put(b, "g", rows[i].g);
		if ((broken(b)[0] == '\0') != rows[i].holds)
			fail_msg("f %s, g %s", rows[i].f, rows[i].g);
	}
	assert_int_equal(unlinkat(b->dir, "f", 0), 0);
	assert_string_equal(broken(b), "f");
}

/* The state of a place has in it what the node itself makes there. */
static void a_state_leaves_nothing_out(void **state)
{
	struct bench *b = *state;
	str writes[] = {STR("out")};
	struct strs list = {writes, 1};
	struct digest then;
	struct digest now;
	b->place.writes = &list;
	put(b, "out/made", "1");
	assert_true(facts_state(&b->place, &b->arena, STR("out"), &then));
	put(b, "out/made", "2");
	fact_memo_forget(b->memo);
	assert_true(facts_state(&b->place, &b->arena, STR("out"), &now));
	assert_false(digest_eq(&then, &now));
}

static void a_program_beside_the_project_does_not_move_with_it(void **state)
{
	struct bench *b = *state;
	char outside[96];
	char path[224];
	str tools[] = {STR("mytool")};
	struct node node = {.tools = {tools, 1}};
	snprintf(outside, sizeof(outside), "%s-bin", b->path);
	assert_int_equal(mkdir(outside, 0755), 0);
	int out = open(outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fs_write_file(out, "mytool", STR("#!/bin/sh\n"), 0755, false, NULL));
	snprintf(path, sizeof(path), "%s:/usr/bin", outside);
	b->place.path_env = path;
	bool ok =
		facts_take(&b->place, &b->arena, &node, &b->plugin, &b->taken, &b->declared, NULL);
	assert_int_equal(unlinkat(out, "mytool", 0), 0);
	close(out);
	assert_int_equal(rmdir(outside), 0);
	assert_true(ok && str_starts(b->taken.facts.ptr[0].real, str_of(outside)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FACTS_TEST(a_file_is_its_content_and_its_x_bit),
		FACTS_TEST(an_edit_that_keeps_size_and_time_is_seen),
		FACTS_TEST(a_digest_is_believed_of_the_very_same_file_only),
		FACTS_TEST(a_digest_taken_right_after_a_change_is_not_believed),
		FACTS_TEST(a_digest_is_dated_by_the_clock_of_the_world),
		FACTS_TEST(between_two_bodies_a_file_is_looked_at_once),
		FACTS_TEST(a_glob_is_its_names_and_each_file),
		FACTS_TEST(a_directory_is_all_that_is_in_it),
		FACTS_TEST(what_the_node_makes_and_our_own_state_are_no_inputs),
		FACTS_TEST(programs_are_known_by_place_and_content),
		FACTS_TEST(programs_are_looked_up_again),
		FACTS_TEST(programs_with_a_slash_are_those_of_the_directory),
		FACTS_TEST(paths_that_leave_the_project),
		FACTS_TEST(words_of_bodies_mean_paths),
		FACTS_TEST(of_what_a_body_names_files_count),
		FACTS_TEST(a_tree_is_names_kinds_bits_and_contents),
		FACTS_TEST(a_link_in_a_tree_is_what_it_leads_to),
		FACTS_TEST(links_are_followed_within_the_project_and_to_an_end),
		FACTS_TEST(all_is_as_it_was_found_or_all_as_it_was_left),
		FACTS_TEST(a_state_leaves_nothing_out),
		FACTS_TEST(a_program_beside_the_project_does_not_move_with_it),
	};
	return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
