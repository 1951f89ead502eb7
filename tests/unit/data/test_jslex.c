/* jslex: where references stand in JavaScript and TypeScript, and that the real runtimes get the exact values. */
#include "base/utf8.h"
#include "script_oracle.h"

static const char prelude_end[] =
	"function _pawl_value(n){return globalThis.JSON.parse(_pawl_text(n))}";

/* Binds, and gives the text without its prelude. */
static str js_text(const char *body, struct bind_result *result, struct diags *diags, bool *ok)
{
	*ok = bind_find(STR("js"))->bind(str_of(body), &oracle_names,
		(struct place){.file = "w.yaml", .line = 10, .col = 5}, result, diags);
	str text = buf_str(&result->text);
	size_t at = str_find(text, str_of(prelude_end), 0);
	return at == SIZE_MAX ? text : str_slice(text, at + strlen(prelude_end), text.len);
}

struct row {
	const char *body;
	const char *text;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		bool ok;
		str text = js_text(rows[i].body, &result, &diags, &ok);
		if (!ok || !str_is(text, rows[i].text))
			fail_msg("%s\n  gave   %.*s\n  wanted %s", rows[i].body, STR_ARG(text),
				rows[i].text);
		bind_finish(&result);
		diags_finish(&diags);
	}
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(*(rows)))

#define V "_pawl_value(1)"
#define T "_pawl_text(1)"

static void code_gets_the_value(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"const d = $n.output;", "const d = " V ";"},
		{"f($n.output.a.b.0)", "f(" V ")"},
		{"f(${n.output.a-b})", "f(" V ")"},
		{"$n.output.map(x => x)", V ".map(x => x)"},
		{"$n.output.items.map(f)", V ".map(f)"},
		{"$n.output.length", V ".length"},
		{"$n.output.items.length > 1", V ".length > 1"},
		{"$n.output.count-1", V "-1"},
		{"$n.output.count--", V "--"},
		{"$my-node.output[0]", V "[0]"},
		{"$n.output`x`", V "`x`"},
		{"f(...$n.output)", "f(..." V ")"},
		{"$n.output?.x", V "?.x"},
		{"$n.state === 'completed'", T " === 'completed'"},
		{"$INPUTS.name + $LOOP_PREV.x.output", V " + _pawl_value(2)"},
		{"open($ARTIFACTS_DIR)", "open(" T ")"},
		{"a = $n.output + $n.output + $m.output", "a = " V " + " V " + _pawl_value(2)"},
	};
	CHECK_ROWS(rows);
}

static void slots_say_what_to_deliver(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok;
	js_text("$n.output.items.map(f); $n.output.a.length; $n.output; `$n.output`", &result,
		&diags, &ok);
	assert_true(ok);
	assert_int_equal(result.slots.len, 4);
	assert_true(str_is(result.slots.ptr[0].ref.path, "items"));
	assert_true(str_is(result.slots.ptr[1].ref.path, "a"));
	assert_int_equal(result.slots.ptr[2].ref.path.len, 0);
	assert_int_equal(result.slots.ptr[2].as, BIND_JSON);
	assert_int_equal(result.slots.ptr[3].as, BIND_TEXT);
	assert_string_equal(result.slots.ptr[3].variable, "PAWL_REF_4");
	bind_finish(&result);
	diags_finish(&diags);
}

static void templates_get_the_text(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"`a $n.output b`", "`a ${" T "} b`"},
		{"`$$n.output`", "`$${" T "}`"},
		{"`x$n.output`", "`x${" T "}`"},
		{"JSON.parse(String.raw`$n.output`)", "JSON.parse(String.raw`${" T "}`)"},
		{"`${ `$n.output` + '}' }$m.output`", "`${ `${" T "}` + '}' }${_pawl_text(2)}`"},
		{"`${ {a: '}'}.a }$n.output`", "`${ {a: '}'}.a }${" T "}`"},
		{"`${$n.output}`", "`${" V "}`"},
		{"`\\$n.output \\\\$n.output`", "`\\$n.output \\\\${" T "}`"},
		{"String.raw`\\$n.output $n.output`", "String.raw`$n.output ${" T "}`"},
		{"String.raw`\\${n.output} $n.output`", "String.raw`${\"$\"}{n.output} ${" T "}`"},
		{"`${n.output}.txt`", "`${" T "}.txt`"},
		{"`$ARTIFACTS_DIR/x`", "`${" T "}/x`"},
		{"`${RUN_ID}`", "`${" T "}`"},
	};
	CHECK_ROWS(rows);
}

static void what_is_no_reference_stays(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"",
		"const d = 1;",
		"// $n.output ' \" `\nx",
		"/* $n.output ` ' */ x",
		"foo$n.output",
		"\xc3\xa9$n.output",
		"a.$n.output; a?.$n.output",
		"$unknown.output + '$unknown.output' + `$unknown.output`",
		"'\\$n.output'",
		"`\\$n.output`",
		"/a\\/'/.test(x); // $n.output",
		"x = a / b; y = '/'; /* $n.output */",
		"const RUN_ID = 1; `${RUN_ID}`",
		"#!/usr/bin/env node $n.output\n1",
		"/[/'\"`$]/.exec(x) // $n.output",
		"it's // $n.output",
		"\\$n.output",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct row row = {bodies[i], bodies[i]};
		check_rows(&row, 1);
	}
}

/* Each slash is told apart by a string that would swallow the reference if it was not. */
static void slashes_divide_or_begin_a_pattern(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"a = b / c + $n.output / 2", "a = b / c + " V " / 2"},
		{"a = /'/; $n.output", "a = /'/; " V},
		{"a = f(x) / 2; s = '/'; $n.output", "a = f(x) / 2; s = '/'; " V},
		{"if (x) /'/.test($n.output)", "if (x) /'/.test(" V ")"},
		{"while (f(x)) /'/.test($n.output)", "while (f(x)) /'/.test(" V ")"},
		{"return /'/.test($n.output)", "return /'/.test(" V ")"},
		{"x.return / 2 + '/' + $n.output", "x.return / 2 + '/' + " V},
		{"i++ / 2 + '/' + $n.output", "i++ / 2 + '/' + " V},
		{"a[0] / 2 + '/' + $n.output", "a[0] / 2 + '/' + " V},
		{"if (x) { y } /'/.test($n.output)", "if (x) { y } /'/.test(" V ")"},
		{"x = {a: 1} / 2 + '/' + $n.output", "x = {a: 1} / 2 + '/' + " V},
		{"x = {a: {b: 1} / 2 + '/'}; $n.output", "x = {a: {b: 1} / 2 + '/'}; " V},
		{"() => { y }\n/'/.test($n.output)", "() => { y }\n/'/.test(" V ")"},
		{"x! / 2 + '/' + $n.output", "x! / 2 + '/' + " V},
		{"x = !/'/.test($n.output)", "x = !/'/.test(" V ")"},
		{"`${1}` / 2 + '/' + $n.output", "`${1}` / 2 + '/' + " V},
		{"1 / 2 + '/' + 1.5 / $n.output", "1 / 2 + '/' + 1.5 / " V},
		{"/[/']/u / 2 + $n.output", "/[/']/u / 2 + " V},
		{"for await (const x of /'/[y]) $n.output", "for await (const x of /'/[y]) " V},
		{"typeof /'/ + $n.output", "typeof /'/ + " V},
		{"a\xc2\xa0/ 2 + '/' +\xc2\xa0$n.output", "a\xc2\xa0/ 2 + '/' +\xc2\xa0" V},
	};
	CHECK_ROWS(rows);
}

static void the_prelude_keeps_lines_and_strictness(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok;
	js_text("#!/usr/bin/env node\n// c\n'use strict'\n$n.output", &result, &diags, &ok);
	str text = buf_str(&result.text);
	assert_true(ok);
	assert_true(
		str_starts(text, STR("#!/usr/bin/env node\n'use strict';function _pawl_text(")));
	size_t lines = 0;
	for (size_t i = 0; i < text.len; i++)
		lines += text.ptr[i] == '\n';
	assert_int_equal(lines, 3);
	bind_finish(&result);
	js_text("f('use strict'); $n.output", &result, &diags, &ok);
	assert_true(str_starts(buf_str(&result.text), STR("function _pawl_text(")));
	bind_finish(&result);
	diags_finish(&diags);
}

struct problem {
	const char *body;
	const char *code;
	uint32_t line;
	uint32_t col;
	const char *help;  /* how it begins */
	const char *fixed; /* the body after its fixes, or NULL */
};

static void apply_fixes(const struct bind_result *result, str body, struct buf *out)
{
	size_t done = 0;
	for (size_t i = 0; i < result->fixes.len; i++) {
		buf_add(out, str_slice(body, done, result->fixes.ptr[i].start));
		buf_add(out, result->fixes.ptr[i].text);
		done = result->fixes.ptr[i].end;
	}
	buf_add(out, str_slice(body, done, body.len));
}

static void plain_strings_are_errors_with_their_mending(void **state)
{
	(void)state;
	static const struct problem problems[] = {
		{"let a;\n  const d = JSON.parse('$n.output'); // x", "E-REF-STRING", 11, 29,
			"write: const d = JSON.parse(`$n.output`); // x",
			"let a;\n  const d = JSON.parse(`$n.output`); // x"},
		{"f(\"it's `$n.output` ${x}\")", "E-REF-STRING", 10, 14,
			"write: f(`it's \\`$n.output\\` \\${x}`)",
			"f(`it's \\`$n.output\\` \\${x}`)"},
		{"x = {'$n.output': 'y'}", "E-REF-STRING", 10, 11,
			"write: x = {[`$n.output`]: 'y'}", "x = {[`$n.output`]: 'y'}"},
		{"`${'$n.output'}`", "E-REF-STRING", 10, 9, "write: `${`$n.output`}`",
			"`${`$n.output`}`"},
		{"'\\'$n.output $n.output'", "E-REF-STRING", 10, 8,
			"write: `\\'$n.output $n.output`", "`\\'$n.output $n.output`"},
		{"'a\\\r\n$n.output'", "E-REF-STRING", 11, 5, "write: `a\\\r\n$n.output`", NULL},
		{"x = /^$n.output$/", "E-REF-REGEX", 10, 11, "build it with new RegExp(", NULL},
	};
	for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
		const struct problem *p = &problems[i];
		struct bind_result result = {0};
		struct diags diags = {0};
		bool ok;
		js_text(p->body, &result, &diags, &ok);
		assert_false(ok);
		assert_int_equal(diags.list.len, 1);
		assert_string_equal(diags.list.ptr[0].code, p->code);
		assert_int_equal(diags.list.ptr[0].at.line, p->line);
		assert_int_equal(diags.list.ptr[0].at.col, p->col);
		assert_true(str_starts(str_of(diags.list.ptr[0].help), str_of(p->help)));
		if (p->fixed) {
			struct buf fixed = {0};
			apply_fixes(&result, str_of(p->body), &fixed);
			assert_string_equal(fixed.ptr, p->fixed);
			bind_finish(&result);
			js_text(fixed.ptr, &result, &diags, &ok);
			assert_true(ok);
			buf_finish(&fixed);
		}
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void variables_and_own_names_get_warnings(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok;
	str text = js_text("open('$ARTIFACTS_DIR/x')", &result, &diags, &ok);
	assert_true(ok && str_is(text, "open('$ARTIFACTS_DIR/x')"));
	assert_string_equal(diags.list.ptr[0].code, "W-REF-VARIABLE");
	assert_string_equal(diags.list.ptr[0].help, "its value is process.env.ARTIFACTS_DIR");
	assert_int_equal(diags.errors, 0);
	bind_finish(&result);
	text = js_text("const n = f(); `${n.output}`", &result, &diags, &ok);
	assert_true(ok && str_is(text, "const n = f(); `${n.output}`"));
	assert_string_equal(diags.list.ptr[1].code, "W-REF-AMBIGUOUS");
	bind_finish(&result);
	diags_finish(&diags);
}

static void literals_that_may_name_files_are_words(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok;
	js_text("f('a/b.txt', \"c\", 'two words', '', 'x\\n', `t`)", &result, &diags, &ok);
	assert_int_equal(result.words.len, 2);
	assert_true(str_is(result.words.ptr[0], "a/b.txt"));
	assert_true(str_is(result.words.ptr[1], "c"));
	assert_int_equal(result.writes.len + result.commands.len, 0);
	bind_finish(&result);
	diags_finish(&diags);
}

/* Each would take minutes, or all of the memory, where a step looks at the whole line or body again. */
static void hostile_bodies_cost_no_more_than_others(void **state)
{
	(void)state;
	static const char *const units[] = {
		"=/[", "'$n.output';", "`${", "<a>it's</a>\\\"", "/$n.output/,"};
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct buf body = {0};
		struct bind_result result = {0};
		struct diags diags = {0};
		bool ok;
		while (body.len < 500000)
			buf_add_z(&body, units[i]);
		js_text(body.ptr, &result, &diags, &ok);
		size_t told = 0;
		for (size_t d = 0; d < diags.list.len; d++)
			told += strlen(diags.list.ptr[d].message) + strlen(diags.list.ptr[d].help);
		assert_true(told < body.len);
		bind_finish(&result);
		diags_finish(&diags);
		buf_finish(&body);
	}
}

/* Every context with every value, in one body. */
static const char oracle_head[] =
	"#!/usr/bin/env node\n"
	"'use strict';\n"
	"const fs = globalThis.process.getBuiltinModule?.('fs') ?? require('fs');\n"
	"const process = globalThis.process;\n"
	"let checks = 0, bad = 0;\n"
	"function check(i, name, got, want) {\n"
	"  checks++;\n"
	"  if (typeof got === typeof want && JSON.stringify(got) === JSON.stringify(want)) return;\n"
	"  bad++; console.log('value', i, name, JSON.stringify(got), JSON.stringify(want));\n"
	"}\n"
	"const tag = (s, ...v) => s.raw[0] + v[0] + s.raw[1];\n"
	"const late = () => 1\n"
	"/* $v1.output ' */ // $v1.output ` \"\n";

static const char oracle_each[] =
	"{\n"
	"const raw = fs.readFileSync(process.env.ORACLE + '/value@'), text = raw.toString('utf8');\n"
	"let value = text, json = false;\n"
	"try { if (Buffer.from(text).equals(raw)) { value = JSON.parse(text); json = true } } catch {}\n"
	"const d = $v@.output;\n"
	"check(@, 'const', d, value);\n"
	"check(@, 'return', (() => { return $v@.output })(), value);\n"
	"check(@, 'spread', [...[$v@.output]][0], value);\n"
	"check(@, 'key', {k: $v@.output}.k, value);\n"
	"check(@, 'computed', {[`$v@.output`]: 1}, {[text]: 1});\n"
	"check(@, 'ternary', /['\"`]/.test(\"'\") ? $v@.output : 0, value);\n"
	"check(@, 'typeof', typeof $v@.output, typeof value);\n"
	"check(@, 'raw', String.raw`$v@.output`, text);\n"
	"check(@, 'cooked', `\\u{41}${1}$v@.output b`, 'A1' + text + ' b');\n"
	"check(@, 'nested', `x${ `y$v@.output${\"}\"}` }z`, 'xy' + text + '}z');\n"
	"check(@, 'tagged', tag`\\u{41}$v@.output\\n`, '\\\\u{41}' + text + '\\\\n');\n"
	"check(@, 'backslash', `\\\\$v@.output`, '\\\\' + text);\n"
	"check(@, 'braced', `${v@.output}x`, text + 'x');\n"
	"check(@, 'literal', `\\$v@.output` + String.raw`\\$v@.output`, ['', 'v@', 'v@'].join('$')\n"
	"  .replaceAll('v@', 'v@.output'));\n"
	"if (json) check(@, 'parse', JSON.parse(String.raw`$v@.output`), value);\n"
	"else check(@, 'method', $v@.output.concat('x'), text + 'x');\n"
	"if (value === d) check(@, 'same', d === $v@.output, true);\n"
	"const a = late\n"
	"$v@.output\n"
	"check(@, 'semicolon', a(), 1);\n"
	"}\n";

/* bun -e takes no notice of the directive, with or without references. */
static const char oracle_tail[] =
	"(function () { check(-1, 'strict', process.versions.bun ? undefined : this, undefined) })()\n"
	"console.log(bad === 0 ? 'exact ' + checks : 'bad');\n";

static void run_oracle(char *const *argv_head, size_t count)
{
	if (!oracle_has(argv_head[0])) {
		print_message("no %s here\n", argv_head[0]);
		skip();
	}
	struct oracle o;
	struct buf body = {0};
	oracle_start(&o);
	buf_add_z(&body, oracle_head);
	oracle_repeat(&body, oracle_each);
	buf_add_z(&body, oracle_tail);
	for (size_t i = 0; i < ORACLE_COUNT; i++) {
		char name[32];
		snprintf(name, sizeof(name), "value%zu", i);
		oracle_write(&o, name, o.values[i]);
	}
	assert_true(oracle_bind(&o, bind_find(STR("js")), buf_str(&body)));
	oracle_write(&o, "body.ts", buf_str(&o.bound.text));
	char *argv[8] = {0};
	for (size_t i = 0; i < count; i++)
		argv[i] = argv_head[i] ? argv_head[i] : o.bound.text.ptr;
	int status = oracle_run(&o, argv);
	str got = buf_str(&o.output);
	bool exact = status == 0 && str_starts(got, STR("exact ")) &&
	             strtoul(o.output.ptr + strlen("exact "), NULL, 10) >= ORACLE_COUNT * 16;
	if (!exact)
		fail_msg("%s: status %d\n%.*s", argv_head[0], status,
			STR_ARG(str_slice(got, got.len > 4000 ? got.len - 4000 : 0, got.len)));
	print_message("%s: %.*s", argv_head[0], STR_ARG(got));
	buf_finish(&body);
	oracle_finish(&o);
}

static char arg_node[] = "node", arg_e[] = "-e", arg_bun[] = "bun", arg_deno[] = "deno",
	    arg_run[] = "run", arg_all[] = "--allow-all", arg_file[] = "body.ts",
	    arg_module[] = "--input-type=module";

static void node_script_gets_exact_values(void **state)
{
	(void)state;
	char *const argv[] = {arg_node, arg_e, NULL};
	run_oracle(argv, 3);
}

/* Before node 20.16 a module given on the command line has no way to read a file without an import, which the prelude can't
 * add to a body; such a node doesn't take `import` in a body either. */
static void node_module_gets_exact_values(void **state)
{
	(void)state;
	if (system("node -e 'process.getBuiltinModule(\"fs\")' >/dev/null 2>&1") != 0) {
		print_message("no node here that has process.getBuiltinModule\n");
		skip();
	}
	char *const argv[] = {arg_node, arg_module, arg_e, NULL};
	run_oracle(argv, 4);
}

static void bun_gets_exact_values(void **state)
{
	(void)state;
	char *const argv[] = {arg_bun, arg_e, NULL};
	run_oracle(argv, 3);
}

static void deno_gets_exact_values(void **state)
{
	(void)state;
	char *const argv[] = {arg_deno, arg_run, arg_all, arg_file};
	run_oracle(argv, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_gets_the_value),
		cmocka_unit_test(slots_say_what_to_deliver),
		cmocka_unit_test(templates_get_the_text),
		cmocka_unit_test(what_is_no_reference_stays),
		cmocka_unit_test(slashes_divide_or_begin_a_pattern),
		cmocka_unit_test(the_prelude_keeps_lines_and_strictness),
		cmocka_unit_test(plain_strings_are_errors_with_their_mending),
		cmocka_unit_test(variables_and_own_names_get_warnings),
		cmocka_unit_test(literals_that_may_name_files_are_words),
		cmocka_unit_test(hostile_bodies_cost_no_more_than_others),
		cmocka_unit_test(node_script_gets_exact_values),
		cmocka_unit_test(node_module_gets_exact_values),
		cmocka_unit_test(bun_gets_exact_values),
		cmocka_unit_test(deno_gets_exact_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
