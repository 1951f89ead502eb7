/* bench_policy: what a rule adds to a node: reuse() of the guide's kind over many nodes, next to the floor, which is the
 * same function called bare in a Lua state without sandbox, hook and lazy tables (its tables are made once).
 *
 *     bench_policy [NODES [ROUNDS]]     default: 10000 nodes, 15 rounds, in turn (A B A B ...) */
#include "base/mem.h"
#include "engine/policy.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char reuse_rule[] =
	"return { api = 1, reuse = function(node, result)\n"
	"  if result.age > 6 * 3600 and node.id:match('^fetch') then\n"
	"    return false, 'older than six hours'\n"
	"  end\n"
	"  if result.failed_consumers > 0 then return false, 'a consumer failed on it' end\n"
	"end }\n";

static const char key_rule[] =
	"return { api = 1, key = function(node)\n"
	"  if node.type == 'bash' and node.tags.db then return { schema = 7, name = node.id } end\n"
	"end }\n";

static const char digest_rule[] = "return { api = 1, key = function(node)\n"
				  "  return { schema = pawl.digest('schema.sql') }\n"
				  "end }\n";

static size_t nodes = 10000;
static size_t rounds = 15;
static size_t sink;

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_value);
	return list[n / 2];
}

static void get_history(void *arg, struct policy_history *out)
{
	(void)arg;
	*out = (struct policy_history){3, 2, 0};
}

static struct value tags_item = {.kind = VALUE_STRING, .as.text = STR_INIT("db")};
static struct value_member members[] = {
	{.key = STR_INIT("id"), .value = {.kind = VALUE_STRING, .as.text = STR_INIT("fetch")}},
	{.key = STR_INIT("bash"), .value = {.kind = VALUE_STRING, .as.text = STR_INIT("echo")}},
	{.key = STR_INIT("tags"),
		.value = {.kind = VALUE_LIST, .as.list = {.items = &tags_item, .count = 1}}},
};
static const struct value fields = {.kind = VALUE_MAP, .as.map = {.items = members, .count = 3}};

/* us a node */
static double time_policy(struct policy *policy)
{
	struct policy_node node = {.id = STR("fetch-orders"),
		.type = STR("bash"),
		.workflow = STR("nightly"),
		.fields = &fields};
	struct policy_result result = {.age_ms = 3600000, .run = 4, .history = get_history};
	struct arena arena = {0};
	struct key key = {0};
	struct err err = {0};
	uint64_t from = now_ns();
	for (size_t i = 0; i < nodes; i++) {
		str sentence;
		key_begin(&key);
		if (!policy_key(policy, &node, &key, &err) ||
			!policy_reuse(policy, &node, &result, &arena, &sentence)) {
			fprintf(stderr, "%s\n", err.message ? err.message : sentence.ptr);
			exit(1);
		}
		sink += key.text.len;
	}
	double us = (double)(now_ns() - from) / 1000 / (double)nodes;
	key_finish(&key);
	arena_finish(&arena);
	return us;
}

/* The rule at 1, its arguments at 2 and 3. */
static lua_State *bare_state(const char *text, const char *rule)
{
	static const char outside[] = "pawl = { digest = function(path) return path end }";
	static const char call[] =
		"return { id = 'fetch-orders', type = 'bash', tags = { db = true } },\n"
		"  { age = 3600, failed_consumers = 0 }";
	lua_State *lua = luaL_newstate();
	if (!lua)
		exit(1);
	luaL_openlibs(lua);
	if (luaL_dostring(lua, outside) != LUA_OK || luaL_dostring(lua, text) != LUA_OK)
		exit(1);
	lua_getfield(lua, 1, rule);
	lua_replace(lua, 1);
	if (luaL_dostring(lua, call) != LUA_OK)
		exit(1);
	return lua;
}

static double time_bare(lua_State *lua)
{
	uint64_t from = now_ns();
	for (size_t i = 0; i < nodes; i++) {
		lua_pushvalue(lua, 1);
		lua_pushvalue(lua, 2);
		lua_pushvalue(lua, 3);
		if (lua_pcall(lua, 2, 2, 0) != LUA_OK)
			exit(1);
		sink += (size_t)lua_toboolean(lua, -2);
		lua_pop(lua, 2);
	}
	return (double)(now_ns() - from) / 1000 / (double)nodes;
}

struct scene {
	struct policies *policies;
	int dir;
};

static struct policy *load(const struct scene *scene, const char *name, const char *text)
{
	struct diags diags = {0};
	struct err err = {0};
	if (!fs_write_file(scene->dir, name, str_of(text), 0644, false, &err)) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	struct policy *policy = policies_load(scene->policies, str_of(name), &diags);
	if (!policy) {
		fprintf(stderr, "%s: %s\n", name, diags.list.ptr[0].message);
		exit(1);
	}
	diags_finish(&diags);
	return policy;
}

static void compare(const struct scene *scene, const char *what, const char *rule, const char *text)
{
	double *a = mem_alloc(mem_mul(rounds, sizeof(*a)));
	double *b = mem_alloc(mem_mul(rounds, sizeof(*b)));
	double *ratio = mem_alloc(mem_mul(rounds, sizeof(*ratio)));
	lua_State *lua = bare_state(text, rule);
	struct policy *policy = load(scene, what, text);
	time_bare(lua);
	time_policy(policy);
	for (size_t i = 0; i < rounds; i++) {
		a[i] = time_bare(lua);
		b[i] = time_policy(policy);
		ratio[i] = b[i] / a[i];
	}
	printf("%-24s %6.2f us a node; bare Lua call %.3f us; ratio %.1f\n", what,
		median(b, rounds), median(a, rounds), median(ratio, rounds));
	lua_close(lua);
	free(a);
	free(b);
	free(ratio);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/pawl-bench-XXXXXX";
	struct utsname name;
	struct err err = {0};
	if (argc > 1)
		nodes = (size_t)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		rounds = (size_t)strtoul(argv[2], NULL, 10);
	if (!nodes || !rounds || !mkdtemp(dir)) {
		fprintf(stderr, "usage: bench_policy [NODES [ROUNDS]]\n");
		return 2;
	}
	int fd = fs_open_dir(dir, &err);
	if (fd < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	uname(&name);
	printf("%s %s, %ld cpus, %s, %zu nodes, medians of %zu rounds\n", name.sysname,
		name.release, sysconf(_SC_NPROCESSORS_ONLN), LUA_RELEASE, nodes, rounds);
	fs_write_file(fd, "schema.sql", STR("create table a (b int);\n"), 0644, false, NULL);
	/* A time stamp of the last two seconds proves nothing, and the file would be read for each node. */
	sleep(3);
	struct scene scene = {policies_create(&(struct policy_env){.project_fd = fd}), fd};
	compare(&scene, "reuse-three-fields.lua", "reuse", reuse_rule);
	compare(&scene, "key-with-a-table.lua", "key", key_rule);
	compare(&scene, "key-with-a-digest.lua", "key", digest_rule);
	policies_destroy(scene.policies);
	fs_remove_tree(AT_FDCWD, dir, NULL);
	close(fd);
	return sink == 0;
}
