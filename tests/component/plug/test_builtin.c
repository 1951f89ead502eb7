/* The node types that come with pawl, run as they are: real plugins, real interpreters, a real loop. */
#include "plug_bench.h"

#include <signal.h>

#define PLUGINS PAWL_TEST_BUILD "/lib/pawl/plugins"

static int setup(void **state)
{
	static struct bench bench;
	bench_open(&bench, PLUGINS);
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	bench_close(*state);
	return 0;
}

#define HEAD "name: t\nnodes:\n"

static void bash_prints(void **state)
{
	struct bench *bench = *state;
	bench_do(bench, HEAD "- id: a\n  bash: |\n    echo hi\n    echo oops >&2\n", NULL);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "hi\n");
	assert_string_equal(buf_cstr(&bench->errs), "oops\n");
	assert_true(bench->outcome.has_exit);
	assert_int_equal(bench->outcome.exit.code, 0);
}

static void bash_fails_in_the_middle(void **state)
{
	struct bench *bench = *state;
	bench_do(bench, HEAD "- id: a\n  bash: |\n    false | true\n    echo never\n", NULL);
	assert_int_equal(bench->outcome.status, PAWL_E_FAILED);
	assert_int_equal(bench->outcome.exit.code, 1);
	assert_int_equal(bench->out.len, 0);
	bench_do(bench,
		HEAD "- id: a\n  shell: {options: ''}\n  bash: |\n    false\n    echo went on\n",
		NULL);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "went on\n");
	bench_do(bench,
		"name: t\ndefaults: {shell: {options: -eu}}\nnodes:\n- id: a\n  bash: echo $nosuch\n",
		NULL);
	assert_int_equal(bench->outcome.status, PAWL_E_FAILED);
}

static void bash_is_transient_after_75_and_signals(void **state)
{
	struct bench *bench = *state;
	bench_do(bench, HEAD "- id: a\n  bash: exit 75\n", NULL);
	assert_int_equal(bench->outcome.status, PAWL_E_TRANSIENT);
	bench_do(bench, HEAD "- id: a\n  bash: kill -KILL $$\n", NULL);
	assert_int_equal(bench->outcome.status, PAWL_E_TRANSIENT);
	assert_int_equal(bench->outcome.exit.signal, SIGKILL);
	bench_do(bench, HEAD "- id: a\n  bash: exit 7\n", NULL);
	assert_int_equal(bench->outcome.status, PAWL_E_FAILED);
	assert_int_equal(bench->outcome.exit.code, 7);
}

/* ---- references ---------------------------------------------------------------------------------------------------------- */

#define TWO HEAD "- id: a\n  bash: echo x\n- id: b\n  depends_on: [a]\n"

static const char *const hostile[] = {"", " ", "\t a  b \t", "\nx\n\n", "'", "\"", "`touch x`",
	"\\", "\\n", "$(touch x)", "${HOME}", "!", "*", "~", "{a,b}", "#", "%s%n", "-n",
	"{\"a\": [1, 2, {\"b\": null}]}", "\xf0\x9f\x98\x80 \xc3\xa9", "a\r\nb", "; touch x #",
	"'''\"\"\"", "`${process.exit(3)}`", "[1,2", "null", "007", "9007199254740993",
	"\xff\xfe\x80"};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void bash_gives_exact_values(void **state)
{
	struct bench *bench = *state;
	for (size_t i = 0; i < HOSTILE; i++) {
		const struct bench_value values[] = {
			{"$a.output", str_of(hostile[i]), NULL}, {NULL, {0}, NULL}};
		bench_do(bench,
			TWO "  bash: |\n    printf '%s|' \"$a.output\" $a.output \"<$a.output>\"\n",
			values);
		bench_assert_ok(bench);
		struct buf wanted = {0};
		buf_printf(&wanted, "%s|%s|<%s>|", hostile[i], hostile[i], hostile[i]);
		assert_string_equal(buf_cstr(&bench->out), buf_cstr(&wanted));
		buf_finish(&wanted);
	}
	char path[128];
	snprintf(path, sizeof(path), "%s/x", bench->root);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* The text that an interpreter gets is a function of the workflow alone: a body that hashes its own command line. */
static void the_text_does_not_depend_on_values(void **state)
{
	struct bench *bench = *state;
	char *first = NULL;
	for (size_t i = 0; i < HOSTILE; i++) {
		const struct bench_value values[] = {
			{"$a.output", str_of(hostile[i]), NULL}, {NULL, {0}, NULL}};
		bench_do(bench,
			TWO "  bash: |\n    : \"$a.output\"\n    sha256sum < /proc/$$/cmdline\n",
			values);
		bench_assert_ok(bench);
		if (!first)
			first = bench_copy(buf_cstr(&bench->out));
		assert_string_equal(buf_cstr(&bench->out), first);
	}
	free(first);
}

static str filler(size_t n)
{
	static char bytes[3 << 20];
	for (size_t i = 0; i < n; i++)
		bytes[i] = i % 71 == 70 ? '\n' : (char)('!' + (i * 7) % 90);
	return str_make(bytes, n);
}

static void large_values_arrive_whole(void **state)
{
	struct bench *bench = *state;
	const char *const flows[] = {
		TWO "  bash: |\n    printf '%s' \"$a.output\"\n    /bin/true\n",
		TWO
		"  runtime: python\n  script: |\n    import sys\n    sys.stdout.write(f'{$a.output}')\n",
		TWO "  runtime: node\n  script: |\n    process.stdout.write($a.output);\n",
	};
	const size_t sizes[] = {65536, 65537, 3 << 20};
	for (size_t f = 0; f < sizeof(flows) / sizeof(flows[0]); f++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			const struct bench_value values[] = {
				{"$a.output", filler(sizes[i]), NULL}, {NULL, {0}, NULL}};
			bench_do(bench, flows[f], values);
			bench_assert_ok(bench);
			assert_int_equal(bench->out.len, sizes[i]);
			assert_memory_equal(bench->out.ptr, values[0].text.ptr, sizes[i]);
		}
	}
	/* Nothing of a run's private directory is left. */
	char command[128];
	snprintf(command, sizeof(command), "test -z \"$(ls -A '%s')\"", bench->root);
	assert_int_equal(system(command), 0);
}

/* Whatever the options, large values are read before the body, and nothing of that shows. */
static void options_do_not_keep_large_values_away(void **state)
{
	struct bench *bench = *state;
	const char *const options[] = {"", "-euxv", "-f", "-o noclobber -u", "-eET", "-B +h"};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct buf text = {0};
		buf_printf(&text,
			TWO
			"  shell: {options: '%s'}\n  bash: |\n    printf %%s \"$a.output\" | wc -c\n    printf %%s \"${BASH_ENV-gone}\"\n    /bin/true\n",
			options[i]);
		const struct bench_value values[] = {
			{"$a.output", filler(700000), NULL}, {NULL, {0}, NULL}};
		bench_do(bench, buf_cstr(&text), values);
		buf_finish(&text);
		bench_assert_ok(bench);
		assert_string_equal(buf_cstr(&bench->out), "700000\ngone");
	}
}

static void many_values_share_the_environment(void **state)
{
	struct bench *bench = *state;
	struct buf text = {0};
	buf_add_z(&text, TWO "  bash: |\n    printf %s \"");
	struct bench_value values[41] = {{0}};
	char names[40][24];
	for (int i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "$a.output.f%d", i);
		buf_printf(&text, "${a.output.f%d}", i);
		values[i] = (struct bench_value){names[i], filler(60000), NULL};
	}
	buf_add_z(&text, "\" | wc -c\n");
	bench_do(bench, buf_cstr(&text), values);
	buf_finish(&text);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "2400000\n");
}

static void a_large_body_travels_in_a_file(void **state)
{
	struct bench *bench = *state;
	struct buf text = {0};
	buf_add_z(&text, HEAD "- id: a\n  bash: |\n");
	for (int i = 0; i < 4000; i++)
		buf_printf(&text, "    x=%d # ............................................\n", i);
	buf_add_z(&text, "    echo $x ${0##*/}\n");
	bench_do(bench, buf_cstr(&text), NULL);
	buf_finish(&text);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "3999 bash\n");
}

static void nul_is_refused_in_bash(void **state)
{
	struct bench *bench = *state;
	const struct bench_value values[] = {{"$a.output", {"a\0b", 3}, NULL}, {NULL, {0}, NULL}};
	bench_do(bench, TWO "  bash: echo \"$a.output\"\n", values);
	assert_int_equal(bench->outcome.status, PAWL_E_CONFIG);
	assert_string_equal(bench->code, "E-BIND-NUL");
	bench_assert_has(bench->message, "$a.output");
	bench_do(bench, TWO "  runtime: python3\n  script: |\n    print(len($a.output))\n", values);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "3\n");
}

/* ---- places ---------------------------------------------------------------------------------------------------------------- */

static void problems_have_their_own_place(void **state)
{
	struct bench *bench = *state;
	const struct {
		const char *text;
		uint32_t line;
		uint32_t col;
	} cases[] = {
		{TWO "  bash: |\n    echo one\n    printf '%s' '$a.output'\n", 9, 17},
		{TWO "  bash: echo '$a.output'\n", 7, 14},
		{TWO "  bash: \"echo '$a.output'\"\n", 7, 15},
		{TWO "  runtime: python\n  script: |\n\n    x = 1\n    y = '$a.output'\n", 11, 9},
		{TWO "  lua: |\n    return\n      $a.output\n", 9, 7},
		{TWO "  bash: |2\n    echo one\n     echo '$a.output'\n", 9, 11},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!bench_load(bench, cases[i].text))
			fail_msg("case %zu: %s", i, bench->diags.list.ptr[0].message);
		assert_false(bench_validate(bench));
		const struct err *err = &bench->diags.list.ptr[0];
		if (err->at.line != cases[i].line || err->at.col < cases[i].col ||
			err->at.col > cases[i].col + 1)
			fail_msg("case %zu: %u:%u %s", i, err->at.line, err->at.col, err->message);
		assert_string_equal(err->at.file, "flow.yaml");
	}
}

static void folded_bodies_have_the_place_of_the_value(void **state)
{
	struct bench *bench = *state;
	assert_true(bench_load(bench, TWO "  bash: >\n    echo one\n    '$a.output'\n"));
	assert_false(bench_validate(bench));
	assert_int_equal(bench->diags.list.ptr[0].at.line, 7);
}

static void refuses(struct bench *bench, const char *text, const char *code, const char *part)
{
	if (bench_load(bench, text) && bench_validate(bench))
		fail_msg("passed: %s", text);
	struct buf all = {0};
	bool found = false;
	for (size_t i = 0; i < bench->diags.list.len; i++) {
		const struct err *err = &bench->diags.list.ptr[i];
		buf_printf(&all, "%u:%u %s %s [%s]\n", err->at.line, err->at.col, err->code,
			err->message, err->help ? err->help : "");
		found = found || strcmp(err->code, code) == 0;
	}
	if (!found)
		fail_msg("no %s in: %s", code, buf_cstr(&all));
	bench_assert_has(buf_cstr(&all), part);
	buf_finish(&all);
}

static void mistakes_are_found_by_validate(void **state)
{
	struct bench *bench = *state;
	const char *const cases[][3] = {
		{HEAD "- id: a\n  bash: ''\n", "E-SCHEMA-MISMATCH", "bash"},
		{HEAD "- id: a\n  bash: [echo]\n", "E-SCHEMA-MISMATCH", "bash"},
		{HEAD "- id: a\n  bash: echo\n  shell: {option: -e}\n", "E-SCHEMA-MISMATCH",
			"option"},
		{HEAD "- id: a\n  bash: echo\n  shell: {options: -c}\n", "E-CONFIG", "5:20"},
		{HEAD "- id: a\n  bash: echo\n  shell: {options: -eo pipefial}\n", "E-CONFIG",
			"shell.options"},
		{HEAD "- id: a\n  bash: echo\n  shell: {options: -ep}\n", "E-CONFIG",
			"in the body"},
		{HEAD "- id: a\n  bash: echo\n  shell: {options: -eo}\n", "E-CONFIG", "is missing"},
		{HEAD "- id: a\n  script: print(1)\n", "E-CONFIG", "runtime"},
		{HEAD "- id: a\n  script: print(1)\n  runtime: node --x\n", "E-CONFIG", "args"},
		{HEAD "- id: a\n  script: print(1)\n  runtime: python\n  deps: [requests]\n",
			"E-CONFIG", "runtime: uv"},
		{HEAD "- id: a\n  script: ../../etc/passwd\n", "E-CONFIG", ".pawl/scripts"},
		{HEAD "- id: a\n  script: /bin/sh\n", "E-CONFIG", ".pawl/scripts"},
		{HEAD "- id: a\n  script: x\n  args: [[1]]\n", "E-SCHEMA-MISMATCH", "args"},
		{TWO "  runtime: perl\n  script: print \"$a.output\"\n", "E-REF-LANGUAGE", "with:"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuses(bench, cases[i][0], cases[i][1], cases[i][2]);
}

/* ---- keys -------------------------------------------------------------------------------------------------------------------- */

static void describe_key(struct bench *bench, const char *flow, struct buf *out)
{
	assert_true(bench_load(bench, flow));
	bench_node(bench, NULL, true);
	struct key key = {0};
	struct host_facts facts = {0};
	struct buf words = {0};
	key_begin(&key);
	assert_int_equal(host_cache_key(bench->node, &key, &facts, &words), HOST_KEY_OK);
	assert_int_equal(words.len, 0);
	buf_clear(out);
	buf_add(out, buf_str(&key.text));
	static const char *const kinds[] = {"file", "word", "tool", "output"};
	for (size_t i = 0; i < facts.list.len; i++)
		buf_printf(out, "%s %.*s %.*s\n", kinds[facts.list.ptr[i].kind],
			STR_ARG(facts.list.ptr[i].label), STR_ARG(facts.list.ptr[i].path));
	key_finish(&key);
	vec_finish(&facts.list);
	buf_finish(&words);
}

static void types_say_what_they_depend_on(void **state)
{
	struct bench *bench = *state;
	struct buf text = {0};
	describe_key(bench,
		HEAD "- id: a\n  bash: |\n    ./gen.sh in.txt > out.txt\n    jq . in.json\n",
		&text);
	const char *const of_bash[] = {"./gen.sh in.txt > out.txt", "-eo pipefail",
		"tool interpreter bash\n", "word word ./gen.sh\n", "word word in.json\n",
		"output redirection out.txt\n", "tool command jq\n"};
	for (size_t i = 0; i < sizeof(of_bash) / sizeof(of_bash[0]); i++)
		bench_assert_has(buf_cstr(&text), of_bash[i]);
	bench_write(bench, ".pawl/scripts/one.py", "print('py')");
	describe_key(bench, HEAD "- id: a\n  script: one\n  args: [x, 2]\n", &text);
	struct buf fact = {0};
	buf_printf(&fact, "file script %s/.pawl/scripts/one.py\n", bench->root);
	bench_assert_has(buf_cstr(&text), buf_cstr(&fact));
	buf_finish(&fact);
	bench_assert_has(buf_cstr(&text), "tool runtime python3\n");
	describe_key(bench, HEAD "- id: a\n  lua: return 1\n", &text);
	bench_assert_has(buf_cstr(&text), "return 1");
	bench_assert_has(buf_cstr(&text), "Lua 5.4");
	buf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bash_prints, setup, teardown),
		cmocka_unit_test_setup_teardown(bash_fails_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(
			bash_is_transient_after_75_and_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(bash_gives_exact_values, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_text_does_not_depend_on_values, setup, teardown),
		cmocka_unit_test_setup_teardown(large_values_arrive_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			options_do_not_keep_large_values_away, setup, teardown),
		cmocka_unit_test_setup_teardown(many_values_share_the_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_body_travels_in_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(nul_is_refused_in_bash, setup, teardown),
		cmocka_unit_test_setup_teardown(problems_have_their_own_place, setup, teardown),
		cmocka_unit_test_setup_teardown(
			folded_bodies_have_the_place_of_the_value, setup, teardown),
		cmocka_unit_test_setup_teardown(mistakes_are_found_by_validate, setup, teardown),
		cmocka_unit_test_setup_teardown(types_say_what_they_depend_on, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
