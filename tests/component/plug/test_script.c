/* Script and Lua nodes as they are: real plugins, real interpreters, a real loop. */
#include "plug_bench.h"

#define PLUGINS PAWL_TEST_BUILD "/lib/pawl/plugins"
#define HEAD    "name: t\nnodes:\n"
#define TWO     HEAD "- id: a\n  bash: echo x\n- id: b\n  depends_on: [a]\n"

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

static void python_and_node_get_values(void **state)
{
	struct bench *bench = *state;
	const char *const hostile[] = {"", " ", "\t a  b \t", "\nx\n\n", "'", "\"", "`x`", "\\",
		"\\n", "$(touch x)", "${HOME}", "{a,b}", "#", "%s%n", "{\"a\": [1, {\"b\": null}]}",
		"\xf0\x9f\x98\x80", "a\r\nb", "'''\"\"\"", "`${process.exit(3)}`", "[1,2", "null",
		"007", "9007199254740993"};
	const char *const flows[] = {
		TWO "  runtime: python\n  script: |\n    import sys\n    v = $a.output\n"
		    "    sys.stdout.buffer.write(f'<$a.output>'.encode())\n",
		TWO
		"  runtime: node\n  script: |\n    const v = $a.output;\n    process.stdout.write(`<$a.output>`);\n",
	};
	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
			const struct bench_value values[] = {
				{"$a.output", str_of(hostile[i]), NULL}, {NULL, {0}, NULL}};
			bench_do(bench, flows[f], values);
			bench_assert_ok(bench);
			struct buf wanted = {0};
			buf_printf(&wanted, "<%s>", hostile[i]);
			assert_string_equal(buf_cstr(&bench->out), buf_cstr(&wanted));
			buf_finish(&wanted);
		}
	}
}

static void scripts_take_args(void **state)
{
	struct bench *bench = *state;
	const struct bench_value values[] = {
		{"$a.output", STR_INIT("x $(y) 'z'"), NULL}, {NULL, {0}, NULL}};
	const char *const cases[][3] = {
		{"python", "import sys; print('|'.join(sys.argv[1:]))", "x $(y) 'z'|-v|2|true\n"},
		{"node", "console.log(process.argv.slice(1).join('|'))", "x $(y) 'z'|-v|2|true\n"},
		{"perl", "print join('|', @ARGV), \"\\n\"", "x $(y) 'z'|-v|2|true\n"},
		{"sh", "echo \"$0\" \"$@\"", "sh x $(y) 'z' -v 2 true\n"},
		{"bash", "echo \"$@\"", "x $(y) 'z' -v 2 true\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = {0};
		buf_printf(&text,
			TWO
			"  runtime: %s\n  args: [$a.output, -v, 2, true]\n  script: |\n    %s\n",
			cases[i][0], cases[i][1]);
		bench_do(bench, buf_cstr(&text), values);
		buf_finish(&text);
		bench_assert_ok(bench);
		assert_string_equal(buf_cstr(&bench->out), cases[i][2]);
	}
}

/* Older ones (18 in Debian 12) take an inline script for CommonJS, whatever is in it. */
static bool node_knows_modules(void)
{
	bool knows = system("node -e \"import 'node:os'\" >/dev/null 2>&1") == 0;
	if (!knows)
		print_message("no node here that takes `import` in an inline script\n");
	return knows;
}

static void node_takes_modules_and_commonjs(void **state)
{
	struct bench *bench = *state;
	bool modules = node_knows_modules();
	const struct bench_value values[] = {
		{"$a.output", STR_INIT("[1, 2]"), NULL}, {NULL, {0}, NULL}};
	const char *const bodies[] = {
		"const os = require('os'); console.log($a.output.length, typeof os.EOL);",
		"import os from 'node:os'; console.log($a.output.length, typeof os.EOL);",
	};
	for (size_t i = 0; i < (modules ? 2 : 1); i++) {
		struct buf text = {0};
		buf_printf(&text, TWO "  runtime: node\n  script: |\n    %s\n", bodies[i]);
		bench_do(bench, buf_cstr(&text), values);
		buf_finish(&text);
		bench_assert_ok(bench);
		assert_string_equal(buf_cstr(&bench->out), "2 string\n");
	}
}

static void named_scripts_are_found(void **state)
{
	struct bench *bench = *state;
	bench_write(bench, ".pawl/scripts/one.py", "print('py')");
	bench_write(bench, ".pawl/scripts/deep/two.js", "console.log('js ' + process.argv[2])");
	bench_write(bench, ".archon/scripts/three.sh", "echo sh");
	const char *const good[][2] = {
		{HEAD "- id: a\n  script: one\n", "py\n"},
		{HEAD "- id: a\n  script: one\n  runtime: python3\n", "py\n"},
		{HEAD "- id: a\n  script: deep/two.js\n  args: [x]\n", "js x\n"},
		{HEAD "- id: a\n  script: three\n", "sh\n"},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bench_do(bench, good[i][0], NULL);
		bench_assert_ok(bench);
		assert_string_equal(buf_cstr(&bench->out), good[i][1]);
	}
	const char *const bad[] = {
		HEAD "- id: a\n  script: four\n", HEAD "- id: a\n  script: one\n  runtime: node\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bench_do(bench, bad[i], NULL);
		assert_int_equal(bench->outcome.status, PAWL_E_CONFIG);
		bench_assert_has(bench->message, ".pawl/scripts/");
	}
}

static void a_missing_runtime_is_explained(void **state)
{
	struct bench *bench = *state;
	static const char *env[] = {"PATH=/nonexistent", NULL};
	const char *const runtimes[] = {"bun", "uv", "deno", "python", "no-such-program"};
	bench->env = env;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
		struct buf text = {0};
		buf_printf(&text, HEAD "- id: a\n  runtime: %s\n  script: |\n    print(1)\n",
			runtimes[i]);
		bench_do(bench, buf_cstr(&text), NULL);
		buf_finish(&text);
		assert_int_equal(bench->outcome.status, PAWL_E_NOT_FOUND);
		bench_assert_has(bench->message, runtimes[i]);
		bench_assert_has(bench->help, "install");
	}
}

static void run_lua(struct bench *bench, const char *source)
{
	struct buf text = {0};
	buf_printf(&text, HEAD "- id: a\n  lua: |\n    %s\n", source);
	bench_do(bench, buf_cstr(&text), NULL);
	buf_finish(&text);
}

static void lua_returns_values(void **state)
{
	struct bench *bench = *state;
	const char *const cases[][2] = {
		{"return {b = 1, a = {1, 2.5, \"x\\n\"}, c = json.null, d = json.array{}, e = {}}",
			"{\"a\":[1,2.5,\"x\\n\"],\"b\":1,\"c\":null,\"d\":[],\"e\":{}}\n"},
		{"return 'raw'", "raw"},
		{"print('p') return nil", "p\n"},
		{"io.write('x')", "x"},
		{"return 9007199254740993", "9007199254740993\n"},
		{"return 0.1 + 0.2", "0.30000000000000004\n"},
		{"return json.decode('{\"z\":[],\"a\":-9223372036854775808,\"e\":1e2}')",
			"{\"a\":-9223372036854775808,\"e\":100.0,\"z\":[]}\n"},
		{"return json.decode('\"\\\\ud83d\\\\ude00\"')", "\xf0\x9f\x98\x80"},
		{"return json.encode({a = true, b = false})", "{\"a\":true,\"b\":false}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_lua(bench, cases[i][0]);
		bench_assert_ok(bench);
		assert_string_equal(buf_cstr(&bench->out), cases[i][1]);
	}
}

static void lua_fails_with_its_place(void **state)
{
	struct bench *bench = *state;
	const char *const cases[][2] = {
		{"local x = 1\n    error('no')", "a:2: no"},
		{"return print", "a function has no form in JSON"},
		{"return {1, x = 2}", "elements and named fields"},
		{"return {[1] = 1, [3] = 3, [1000] = 2}", "json:"},
		{"local t = {} t.t = t return t", "contains itself"},
		{"return 0/0", "no number in JSON"},
		{"return {'\\xff'}", "not UTF-8"},
		{"return json.decode('[1,]')", "byte 4"},
		{"return json.decode('{\"a\":1,\"a\":2}')", "twice"},
		{"return json.decode('\"\\\\ud800\"')", "surrogate"},
		{"return json.decode(('['):rep(300))", "nested too deep"},
		{"return json.decode('01')", "leading zero"},
		{"this is no Lua", "a:1:"},
		{"return pawl.read('no/such')", "no/such: No such file"},
		{"return pawl.glob('../*')", "must stay in the project"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_lua(bench, cases[i][0]);
		assert_int_equal(bench->outcome.status, PAWL_E_FAILED);
		bench_assert_has(buf_cstr(&bench->errs), cases[i][1]);
	}
}

static void lua_has_inputs_and_files(void **state)
{
	struct bench *bench = *state;
	bench_write(bench, "d/one.txt", "1");
	bench_write(bench, "d/e/two.txt", "2");
	bench_write(bench, "d/.hidden.txt", "3");
	const struct bench_value values[] = {
		{"$a.output", STR_INIT("{\"k\": [1]}"), NULL}, {NULL, {0}, NULL}};
	static const char *env[] = {"INPUTS_FROM_ENV=e", NULL};
	bench->env = env;
	bench_do(bench,
		TWO
		"  with: {typed: $a.output, text: 'v $a.output', n: 3}\n  lua: |\n"
		"    pawl.log('seen', inputs.n)\n"
		"    return {inputs.typed.k[1], inputs.text, inputs.n, inputs.from_env, tostring(inputs.absent),\n"
		"      pawl.glob('d/**/*.txt'), pawl.read('d/one.txt')}\n",
		values);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->errs), "seen\t3\n");
	assert_string_equal(buf_cstr(&bench->out),
		"[1,\"v {\\\"k\\\": [1]}\",3,\"e\",\"nil\",[\"d/e/two.txt\",\"d/one.txt\"],\"1\\n\"]\n");
}

static void lua_takes_inputs_of_any_size(void **state)
{
	struct bench *bench = *state;
	static char entry[300000] = "INPUTS_X=";
	static const char *env[] = {entry, NULL};
	memset(entry + 9, 'x', sizeof(entry) - 10);
	bench->env = env;
	const struct bench_value values[] = {
		{"$a.output", str_of(entry + 9), NULL}, {NULL, {0}, NULL}};
	bench_do(bench,
		TWO
		"  with: {x: $a.output}\n  lua: return {#inputs.x, os.getenv('INPUTS_X') == nil}\n",
		values);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "[299990,true]\n");
	/* Where nobody else hands it on, it must not be lost in silence. */
	bench_do(bench, TWO "  with: {x: $a.output}\n  bash: echo \"${#INPUTS_X}\"\n", values);
	assert_string_equal(bench->code, "E-SPAWN-TOO-LARGE");
}

static void with_has_a_value_for_the_skipped(void **state)
{
	struct bench *bench = *state;
	const char *const flow = TWO
		"  with: {x: {from: $a.output, if_skipped: [1]}}\n  lua: return {x = inputs.x}\n";
	const struct bench_value skipped[] = {{"$a.output", STR_INIT(""), NULL},
		{"$a.state", STR_INIT("skipped"), NULL}, {NULL, {0}, NULL}};
	bench_do(bench, flow, skipped);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "{\"x\":[1]}\n");
	const struct bench_value done[] = {{"$a.output", STR_INIT("7"), NULL},
		{"$a.state", STR_INIT("completed"), NULL}, {NULL, {0}, NULL}};
	bench_do(bench, flow, done);
	bench_assert_ok(bench);
	assert_string_equal(buf_cstr(&bench->out), "{\"x\":7}\n");
}

static void cancel_now(void *arg)
{
	host_cancel(arg, PAWL_CANCEL_TIMEOUT);
}

static void an_endless_body_can_be_stopped(void **state)
{
	struct bench *bench = *state;
	const char *const flows[] = {
		HEAD "- id: a\n  lua: 'while true do end'\n",
		HEAD "- id: a\n  bash: \"trap '' TERM; while true; do :; done\"\n",
	};
	for (size_t i = 0; i < 2; i++) {
		assert_true(bench_load(bench, flows[i]));
		bench_node(bench, NULL, true);
		struct host_events events = bench_events(bench);
		struct pawl_run *run = host_start(bench->node, &events);
		bench->world->timer_start(bench->world->ctx, 100, cancel_now, run);
		bench->world->run(bench->world->ctx);
		assert_int_equal(bench->finished, 1);
		assert_int_equal(bench->outcome.status, PAWL_E_TIMEOUT);
		assert_int_equal(bench->outcome.cancel_reason, PAWL_CANCEL_TIMEOUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(python_and_node_get_values, setup, teardown),
		cmocka_unit_test_setup_teardown(scripts_take_args, setup, teardown),
		cmocka_unit_test_setup_teardown(node_takes_modules_and_commonjs, setup, teardown),
		cmocka_unit_test_setup_teardown(named_scripts_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_runtime_is_explained, setup, teardown),
		cmocka_unit_test_setup_teardown(lua_returns_values, setup, teardown),
		cmocka_unit_test_setup_teardown(lua_fails_with_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(lua_has_inputs_and_files, setup, teardown),
		cmocka_unit_test_setup_teardown(lua_takes_inputs_of_any_size, setup, teardown),
		cmocka_unit_test_setup_teardown(with_has_a_value_for_the_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(an_endless_body_can_be_stopped, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
