/* What a workflow means once it is loaded: fields, defaults, the graph, its order, who is upstream, and that a large one
 * takes time in proportion to its size. */
#include "load_test.h"

#include <time.h>

struct room {
	struct test_types types;
	struct buf said;
	struct workflow *wf;
};

static int enter(void **state)
{
	*state = mem_zalloc(sizeof(struct room));
	return 0;
}

static int leave(void **state)
{
	struct room *room = *state;
	workflow_destroy(room->wf);
	buf_finish(&room->said);
	arena_finish(&room->types.arena);
	free(room);
	return 0;
}

static struct workflow *loads(struct room *room, const char *yaml)
{
	workflow_destroy(room->wf);
	buf_clear(&room->said);
	room->wf = test_load(&room->types, str_of(yaml), &room->said);
	if (!room->wf)
		fail_msg("%s", buf_cstr(&room->said));
	return room->wf;
}

static const struct node *node_of(const struct workflow *wf, const char *id)
{
	const struct node *node = workflow_find(wf, str_of(id));
	if (!node)
		fail_msg("there is no node %s", id);
	return node;
}

static void assert_str(str got, const char *wanted)
{
	if (!str_is(got, wanted))
		fail_msg("`%.*s`, not `%s`", STR_ARG(got), wanted);
}

static void assert_strs(struct strs got, const char *wanted)
{
	struct buf all = {0};
	for (size_t i = 0; i < got.len; i++)
		buf_printf(&all, "%s%.*s", i ? " " : "", STR_ARG(got.ptr[i]));
	assert_string_equal(buf_cstr(&all), wanted);
	buf_finish(&all);
}

/* "NAME=value NAME=value", values as JSON. */
static void assert_bindings(struct bindings got, const char *wanted)
{
	struct buf all = {0};
	for (size_t i = 0; i < got.len; i++) {
		buf_printf(&all, "%s%.*s=", i ? " " : "", STR_ARG(got.ptr[i].variable));
		json_write(&all, got.ptr[i].value);
	}
	assert_string_equal(buf_cstr(&all), wanted);
	buf_finish(&all);
}

/* The ids of nodes, in the order given. */
static void assert_ids(
	const struct workflow *wf, const uint32_t *list, uint32_t count, const char *wanted)
{
	struct buf all = {0};
	for (uint32_t i = 0; i < count; i++)
		buf_printf(&all, "%s%.*s", i ? " " : "", STR_ARG(wf->nodes[list[i]].id));
	assert_string_equal(buf_cstr(&all), wanted);
	buf_finish(&all);
}

static void the_least_workflow(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room, "name: t\nnodes:\n  - id: a\n    bash: echo hi\n");
	assert_string_equal(buf_cstr(&room->said), "");
	assert_string_equal(wf->file, "w.yaml");
	assert_str(wf->name, "t");
	assert_int_equal(wf->node_count, 1);
	const struct node *a = node_of(wf, "a");
	assert_str(a->type, "bash");
	assert_int_equal(a->at.line, 3);
	assert_int_equal(a->at.col, 5);
	assert_int_equal(a->type_at.line, 4);
	assert_int_equal(a->type_at.col, 5);
	assert_int_equal(a->rule, RULE_ALL_SUCCESS);
	assert_int_equal(a->timeout_ms, 0);
	assert_int_equal(a->retry.extra_attempts, 0);
	assert_false(a->reads_declared || a->always_run);
	assert_null(a->when);
	assert_null(a->ensure);
	assert_null(workflow_find(wf, STR("b")));
}

static void the_top_level(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\ndescription: what it does\nreturns: a\npolicy: [p.lua, q.lua]\n"
		"x-mine: {anything: [1]}\n"
		"pools: {gpu: 1, net: 10000}\n"
		"inputs:\n  plain:\n  mode: {type: string, default: fast, description: how}\n"
		"  count: {type: number, required: true}\n  on: {type: boolean}\n  all: {type: json}\n"
		"defaults: {shell: {options: -eu}}\n"
		"nodes:\n  - id: a\n    bash: x\n    x-note: mine\n");
	assert_string_equal(buf_cstr(&room->said), "");
	assert_str(wf->description, "what it does");
	assert_str(wf->returns, "a");
	assert_strs(wf->policies, "p.lua q.lua");
	assert_int_equal(wf->pools.len, 2);
	assert_str(wf->pools.ptr[1].name, "net");
	assert_int_equal(wf->pools.ptr[1].size, 10000);
	assert_int_equal(wf->inputs.len, 5);
	assert_str(wf->inputs.ptr[0].type, "string");
	assert_null(wf->inputs.ptr[0].fallback);
	assert_str(wf->inputs.ptr[1].fallback->as.text, "fast");
	assert_str(wf->inputs.ptr[1].description, "how");
	assert_true(wf->inputs.ptr[2].required);
	assert_int_equal(wf->inputs.ptr[2].at.line, 10);
	assert_int_equal(wf->inputs.ptr[2].at.col, 3);
}

static void fields_of_a_node(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\npools: {gpu: 1}\nnodes:\n  - id: z\n    bash: x\n"
		"  - id: a\n    script: y\n    runtime: python\n    description: d\n    depends_on: z\n"
		"    when: $z.output == 'x'\n    trigger_rule: none_failed_min_one_success\n"
		"    timeout: 90s\n"
		"    retry: {max_attempts: 20, delay_ms: 3s, backoff: 1.5, on_error: transient}\n"
		"    cache: {ttl: 1d, policy: p.lua, key: [v1, $z.output]}\n"
		"    reads: [src, 'x/*.c']\n    writes: $ARTIFACTS_DIR/out\n    tools: jq\n"
		"    env: {A: 1, B: $z.output, C: null}\n    pass_env: [P]\n    secrets: S\n"
		"    with: {who-is: {deep: [1]}, n: {from: $z.output.n, if_skipped: 0}}\n"
		"    ensure: {output: {schema: {type: object}}}\n    dir: sub\n    pool: gpu\n"
		"    output_type: report\n");
	assert_string_equal(buf_cstr(&room->said), "");
	const struct node *a = node_of(wf, "a");
	assert_str(a->description, "d");
	assert_non_null(a->when);
	assert_str(a->when_text, "$z.output == 'x'");
	assert_int_equal(a->rule, RULE_NONE_FAILED_MIN_ONE_SUCCESS);
	assert_int_equal(a->timeout_ms, 90000);
	assert_int_equal(a->retry.extra_attempts, 20);
	assert_int_equal(a->retry.delay_ms, 3000);
	assert_true(a->retry.backoff > 1.49 && a->retry.backoff < 1.51);
	assert_true(a->retry.transient_only);
	assert_int_equal(a->ttl_ms, 86400000);
	assert_strs(a->policies, "p.lua");
	assert_strs(a->cache_key, "v1 $z.output");
	assert_true(a->reads_declared);
	assert_strs(a->reads, "src x/*.c");
	assert_strs(a->writes, "$ARTIFACTS_DIR/out");
	assert_strs(a->tools, "jq");
	assert_bindings(a->env, "A=1 B=\"$z.output\" C=null");
	assert_strs(a->pass_env, "P");
	assert_strs(a->secrets, "S");
	assert_bindings(a->with, "INPUTS_WHO_IS={\"deep\":[1]} INPUTS_N=\"$z.output.n\"");
	assert_null(a->with.ptr[0].if_skipped);
	assert_str(a->with.ptr[1].if_skipped->as.text, "0");
	assert_non_null(value_get(a->ensure, STR("output")));
	assert_str(value_get(a->output_schema, STR("type"))->as.text, "object");
	assert_str(a->dir, "sub");
	assert_str(a->pool, "gpu");
	assert_str(a->output_type, "report");
}

static void short_forms(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\nnodes:\n  - {id: a, bash: x, cache: false, reads: []}\n"
		"  - {id: b, bash: x, cache: true, retry: {}}\n"
		"  - {id: c, bash: x, always_run: true, output_format: {type: string}}\n"
		"  - {id: d, bash: x, always_run: false, retry: {on_error: all}}\n");
	assert_true(node_of(wf, "a")->always_run);
	assert_true(node_of(wf, "a")->reads_declared);
	assert_int_equal(node_of(wf, "a")->reads.len, 0);
	assert_false(node_of(wf, "b")->always_run);
	assert_int_equal(node_of(wf, "b")->retry.extra_attempts, 1);
	assert_int_equal(node_of(wf, "b")->retry.delay_ms, 1000);
	assert_true(node_of(wf, "b")->retry.backoff > 1.99);
	assert_true(node_of(wf, "c")->always_run);
	assert_str(value_get(node_of(wf, "c")->output_schema, STR("type"))->as.text, "string");
	assert_null(node_of(wf, "c")->ensure);
	assert_false(node_of(wf, "d")->always_run);
	assert_false(node_of(wf, "d")->retry.transient_only);
}

static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_number;
		uint64_t ms;
	} good[] = {{"0", true, 0}, {"1500", true, 1500}, {"500ms", false, 500},
		{"30s", false, 30000}, {"5m", false, 300000}, {"2h", false, 7200000},
		{"1d", false, 86400000}, {" 7 s ", false, 7000}, {"007s", false, 7000},
		{"213503982334d", false, 213503982334u * UINT64_C(86400000)}};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct value value = value_string(str_of(good[i].text));
		value.kind = good[i].is_number ? VALUE_NUMBER : VALUE_STRING;
		uint64_t ms = 1;
		if (!workflow_duration(&value, &ms) || ms != good[i].ms)
			fail_msg("%s: %llu", good[i].text, (unsigned long long)ms);
	}
	static const char *const bad[] = {"", "s", "5", "5 min", "5S", "-5s", "+5s", "1.5h", "5s5",
		"1h30m", "213503982335d", "18446744073709551616ms", "0x5s"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct value value = value_string(str_of(bad[i]));
		uint64_t ms = 0;
		if (workflow_duration(&value, &ms))
			fail_msg("%s: %llu", bad[i], (unsigned long long)ms);
	}
}

static void defaults_yield_to_nodes(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\n"
		"defaults:\n  timeout: 5m\n  retry: {max_attempts: 3}\n  env: {A: inner, B: inner}\n"
		"env: {A: top, C: top}\npass_env: [P, Q]\nsecrets: [S]\n"
		"nodes:\n  - {id: a, bash: x}\n"
		"  - {id: b, bash: x, timeout: 1s, retry: {max_attempts: 1}, env: {B: own, D: own},\n"
		"     pass_env: [Q, R], secrets: T}\n");
	const struct node *a = node_of(wf, "a");
	const struct node *b = node_of(wf, "b");
	assert_int_equal(a->timeout_ms, 300000);
	assert_int_equal(a->retry.extra_attempts, 3);
	assert_bindings(a->env, "C=\"top\" A=\"inner\" B=\"inner\"");
	assert_strs(a->pass_env, "P Q");
	assert_strs(a->secrets, "S");
	assert_int_equal(b->timeout_ms, 1000);
	assert_int_equal(b->retry.extra_attempts, 1);
	assert_bindings(b->env, "C=\"top\" A=\"inner\" B=\"own\" D=\"own\"");
	assert_strs(b->pass_env, "P Q R");
	assert_strs(b->secrets, "S T");
}

static void foreign_keys_warn_once(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room, "name: t\nprovider: x\nmodel: y\nnodes:\n"
					  "  - {id: a, bash: x, effort: high, idle_timeout: 3}\n");
	assert_string_equal(buf_cstr(&room->said),
		"2:1 W-FIELD-IGNORED `provider` and keys like it have no meaning here and are ignored\n"
		"  delete them, or rename them to begin with `x-`\n");
	assert_int_equal(wf->node_count, 1);
}

static void types_are_asked_once(void **state)
{
	struct room *room = *state;
	loads(room, "name: t\nnodes:\n  - {id: a, bash: x}\n  - {id: b, bash: x}\n"
		    "  - {id: c, lua: x}\n");
	assert_int_equal(room->types.asked, 2);
}

static void the_order_is_of_the_file_where_it_can(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\nnodes:\n  - {id: late, bash: x, depends_on: [m, z, m]}\n  - {id: z, bash: x}\n"
		"  - {id: m, bash: x, depends_on: b}\n  - {id: b, bash: x}\n");
	assert_ids(wf, wf->order, wf->node_count, "z b m late");
	const struct node *late = node_of(wf, "late");
	assert_ids(wf, late->deps, late->dep_count, "m z");
	const struct node *b = node_of(wf, "b");
	assert_ids(wf, b->consumers, b->consumer_count, "m");
	assert_int_equal(b->dep_count, 0);
	assert_int_equal(late->consumer_count, 0);
}

static void references_beyond_dependencies(void **state)
{
	struct room *room = *state;
	struct workflow *wf = loads(room,
		"name: t\nnodes:\n  - {id: a, bash: x}\n  - {id: b, bash: x, depends_on: a}\n"
		"  - {id: c, bash: x, depends_on: b}\n"
		"  - id: d\n    depends_on: c\n    bash: |\n      echo $a.output $c.output \\$b.output\n"
		"      echo $d.output $z.output $HOME\n"
		"    with: {x: $b.state, y: $a.output}\n");
	const struct node *d = node_of(wf, "d");
	assert_ids(wf, d->refs, d->ref_count, "a b");
	assert_int_equal(node_of(wf, "c")->ref_count, 0);
}

/* Every pair of a random graph, against the definition: a closure computed row by row. */
static void upstream_is_the_closure(void **state)
{
	struct room *room = *state;
	enum { count = 60 };
	uint32_t random = 12345;
	for (unsigned round = 0; round < 20; round++) {
		static bool closure[count][count];
		memset(closure, 0, sizeof(closure));
		struct buf yaml = {0};
		buf_printf(&yaml, "name: t\nnodes:\n");
		for (unsigned i = 0; i < count; i++) {
			buf_printf(&yaml, "  - {id: n%u, bash: x, depends_on: [", i);
			for (unsigned d = 0; d < i; d++) {
				random = random * 1664525u + 1013904223u;
				if ((random >> 16) % 100 >= round)
					continue;
				buf_printf(&yaml, "n%u,", d);
				closure[i][d] = true;
				for (unsigned k = 0; k < d; k++)
					closure[i][k] = closure[i][k] || closure[d][k];
			}
			buf_printf(&yaml, "]}\n");
		}
		struct workflow *wf = loads(room, buf_cstr(&yaml));
		for (uint32_t i = 0; i < count; i++) {
			for (uint32_t d = 0; d < count; d++) {
				if (workflow_is_upstream(wf, &wf->nodes[d], &wf->nodes[i]) !=
					closure[i][d])
					fail_msg("round %u: n%u before n%u", round, d, i);
			}
		}
		buf_finish(&yaml);
	}
}

static void all_problems_at_once(void **state)
{
	struct room *room = *state;
	room->wf = test_load(&room->types,
		STR("nam: t\nnodes:\n  - {id: a, bash: x, timeout: x, depends_on: q}\n"
		    "  - {id: a, bsh: x, depends_on: [b]}\n"
		    "  - {id: b, bash: x, depends_on: c, pool: p, writes: /x}\n"
		    "  - {id: c, bash: x, depends_on: b, retry: 1, with: {x: $nope.output}}\n"
		    "  - {id: q1, bash: x, model: m}\n"),
		&room->said);
	assert_null(room->wf);
	static const char *const parts[] = {"1:1 E-NAME", "1:1 E-FIELD-UNKNOWN",
		"3:31 E-FIELD-DURATION", "3:46 E-DEP-UNKNOWN", "4:10 E-ID-DUPLICATE",
		"4:13 E-TYPE-NONE", "5:5 E-DEP-CYCLE", "5:43 E-POOL-UNKNOWN", "5:54 E-PATH-OUTSIDE",
		"6:44 E-FIELD-TYPE", "6:57 E-REF-UNKNOWN", "7:23 W-FIELD-IGNORED"};
	const char *at = buf_cstr(&room->said);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!strstr(at, parts[i]))
			fail_msg("%s is missing or out of order in\n%s", parts[i],
				buf_cstr(&room->said));
		if (i >= 2) /* the first two share a place */
			at = strstr(at, parts[i]);
	}
}

/* What is said outlives the workflow that it was said about. */
static void warnings_outlive_the_workflow(void **state)
{
	struct room *room = *state;
	struct workflow_types host = {.ctx = &room->types, .find = test_find, .each = test_each};
	struct diags diags = {0};
	static const char file[] = "dir/w.yaml";
	workflow_destroy(workflow_load(
		STR("name: t\nmodel: x\nnodes:\n  - {id: a, bash: x}\n"), file, &host, &diags));
	assert_int_equal(diags.list.len, 1);
	assert_ptr_equal(diags.list.ptr[0].at.file, file);
	diags_finish(&diags);
}

static double seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

enum shape { CHAIN, FAN, MESH, UNKNOWN };

/* Each shape is one in which a careless check looks at all nodes for every node. */
static void write_shape(struct buf *yaml, enum shape shape, unsigned count)
{
	buf_printf(yaml, "name: t\nnodes:\n  - {id: n0, bash: x, writes: d/n0}\n");
	for (unsigned i = 1; i < count; i++) {
		bool is_last = i == count - 1;
		buf_printf(yaml, "  - {id: n%u, bash: 'echo $n0.output', writes: d/n%u", i, i);
		if (shape == CHAIN)
			buf_printf(
				yaml, ", depends_on: n%u, with: {x: $n%u.output}}\n", i - 1, i / 2);
		else if (shape == MESH)
			buf_printf(yaml, ", depends_on: [n%u, n%u], when: $n%u.output == 'x'}\n",
				i - 1, i / 2, i > 8 ? i - 8 : 0);
		else if (shape == UNKNOWN)
			buf_printf(yaml, ", depends_on: m%u}\n", i);
		else if (!is_last)
			buf_printf(yaml, ", depends_on: n0}\n");
		else
			buf_printf(yaml, ", depends_on: [");
		for (unsigned d = 0; shape == FAN && is_last && d < i; d++)
			buf_printf(yaml, "n%u,", d);
		if (shape == FAN && is_last) {
			buf_printf(yaml, "], with: {");
			for (unsigned d = 0; d < i; d++)
				buf_printf(yaml, "x%u: $n%u.output,", d, d);
			buf_printf(yaml, "}}\n");
		}
	}
}

static double time_to_load(struct room *room, enum shape shape, unsigned count)
{
	struct buf yaml = {0};
	struct diags diags = {0};
	struct workflow_types host = {.ctx = &room->types, .find = test_find, .each = test_each};
	write_shape(&yaml, shape, count);
	double start = seconds();
	struct workflow *wf = workflow_load(buf_str(&yaml), "w.yaml", &host, &diags);
	double taken = seconds() - start;
	if (shape == UNKNOWN) {
		assert_null(wf);
		assert_int_equal(diags.errors, count - 1);
	} else {
		if (!wf)
			fail_msg("%s", diags.list.ptr[0].message);
		assert_int_equal(wf->node_count, count);
		assert_int_equal(wf->order[0], 0);
	}
	workflow_destroy(wf);
	diags_finish(&diags);
	buf_finish(&yaml);
	return taken;
}

/* The figures are printed, not judged: a busy machine is no fault.  A quadratic check would run into the time limit. */
static void large_ones_take_linear_time(void **state)
{
	static const char *const names[] = {"chain", "fan", "mesh", "unknown"};
	for (int shape = CHAIN; shape <= UNKNOWN; shape++) {
		double small = time_to_load(*state, (enum shape)shape, 20000);
		double large = time_to_load(*state, (enum shape)shape, 40000);
		print_message("%s: 20000 nodes %.3f s, 40000 nodes %.3f s, ratio %.2f\n",
			names[shape], small, large, large / small);
	}
	print_message("chain: 100000 nodes %.3f s\n", time_to_load(*state, CHAIN, 100000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_least_workflow, enter, leave),
		cmocka_unit_test_setup_teardown(the_top_level, enter, leave),
		cmocka_unit_test_setup_teardown(fields_of_a_node, enter, leave),
		cmocka_unit_test_setup_teardown(short_forms, enter, leave),
		cmocka_unit_test(durations),
		cmocka_unit_test_setup_teardown(defaults_yield_to_nodes, enter, leave),
		cmocka_unit_test_setup_teardown(foreign_keys_warn_once, enter, leave),
		cmocka_unit_test_setup_teardown(types_are_asked_once, enter, leave),
		cmocka_unit_test_setup_teardown(
			the_order_is_of_the_file_where_it_can, enter, leave),
		cmocka_unit_test_setup_teardown(references_beyond_dependencies, enter, leave),
		cmocka_unit_test_setup_teardown(upstream_is_the_closure, enter, leave),
		cmocka_unit_test_setup_teardown(all_problems_at_once, enter, leave),
		cmocka_unit_test_setup_teardown(warnings_outlive_the_workflow, enter, leave),
		cmocka_unit_test_setup_teardown(large_ones_take_linear_time, enter, leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
