/* pylex: where references stand in Python, and that the real interpreter gets the exact values. */
#include "script_oracle.h"

struct row {
	const char *body;
	const char *text;
};

static bool py_bind_text(const char *body, struct bind_result *result, struct diags *diags)
{
	return bind_find(STR("python"))
	        ->bind(str_of(body), &oracle_names,
			(struct place){.file = "w.yaml", .line = 10, .col = 5}, result, diags);
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		bool ok = py_bind_text(rows[i].body, &result, &diags);
		if (!ok || !str_is(buf_str(&result.text), rows[i].text))
			fail_msg("%s\n  gave   %s\n  wanted %s", rows[i].body,
				buf_cstr(&result.text), rows[i].text);
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
		{"d = $n.output", "d = " V},
		{"f($n.output.a.b.0)", "f(" V ")"},
		{"$n.output.items()", V ".items()"},
		{"$n.output.a.strip()", V ".strip()"},
		{"$n.output.length", V},
		{"$n.output.count-1", V "-1"},
		{"x = ${n.output.a-b}", "x = " V},
		{"for x in$n.output: pass", "for x in " V ": pass"},
		{"$n.state == 'completed'", T " == 'completed'"},
		{"f(*$INPUTS.a, **$LOOP_PREV.x.output)", "f(*" V ", **_pawl_value(2))"},
		{"open($ARTIFACTS_DIR)", "open(" T ")"},
		{"x[$n.output] = {'a': $n.output}", "x[" V "] = {'a': " V "}"},
		{"'''doc\n\"\"\" ' '''\n$n.output", "'''doc\n\"\"\" ' '''\n" V},
	};
	CHECK_ROWS(rows);
}

static void fstrings_get_the_text(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"f'a $n.output b'", "f'a {" T "} b'"},
		{"rf\"\"\"$n.output\n'\"\"\" + $n.output",
			"rf\"\"\"{" T "}\n'\"\"\" + _pawl_value(2)"},
		{"f'{$n.output}'", "f'{" V "}'"},
		{"f'{{$n.output}}'", "f'{{{" T "}}}'"},
		{"f'{{{$n.output}}}'", "f'{{{" V "}}}'"},
		{"f'{f\"$n.output\"}$m.output'", "f'{f\"{" T "}\"}{_pawl_text(2)}'"},
		{"f'{x!r:>{$n.output}}$m.output'", "f'{x!r:>{" V "}}{_pawl_text(2)}'"},
		{"f'{x:$n.output}'", "f'{x:{" T "}}'"},
		{"f'{x[1:2]}{ {1: 2}[1] }$n.output'", "f'{x[1:2]}{ {1: 2}[1] }{" T "}'"},
		{"f'{x != 1} {(lambda y: y)(1)}$n.output'",
			"f'{x != 1} {(lambda y: y)(1)}{" T "}'"},
		{"f'\\{x}\\N{DIGIT ONE}$n.output'", "f'\\{x}\\N{DIGIT ONE}{" T "}'"},
		{"rf'\\$n.output \\\\$n.output'", "rf'$n.output \\\\{" T "}'"},
		{"f'\\${n.output}$n.output'", "f'${{n.output}}{" T "}'"},
		{"f'${n.output}.txt'", "f'{" T "}.txt'"},
		{"f'$ARTIFACTS_DIR/x'", "f'{" T "}/x'"},
		{"f'{d[\"a\"]}' f'$n.output'", "f'{d[\"a\"]}' f'{" T "}'"},
		{"f'{d['a']}$n.output'", "f'{d['a']}{" T "}'"},
		{"F'$n.output' t'$n.output'", "F'{" T "}' t'{" T "}'"},
		{"f'open\n$n.output", "f'open\n" V},
	};
	CHECK_ROWS(rows);
}

static void what_is_no_reference_stays(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"",
		"d = 1",
		"# $n.output ' \" \"\"\"\nx",
		"'#'; x # $n.output",
		"'''\n'# '''; x # '$n.output'",
		"$unknown.output + '$unknown.output' + f'$unknown.output'",
		"price = f(); f'${price}'",
		"a.$n.output",
		"'it''s' # $n.output",
		"f'{x:>10}' # $n.output",
		"r'\\'' # $n.output",
		"'\\$unknown.output'",
	};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		const struct row row = {bodies[i], bodies[i]};
		check_rows(&row, 1);
	}
}

static void escapes_lose_the_backslash_that_python_keeps(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"'\\$n.output'", "'$n.output'"},
		{"r'\\${n.output}'", "r'${n.output}'"},
		{"b'\\$n.output' f'\\$n.output'", "b'$n.output' f'$n.output'"},
		{"'\\\\\\$n.output'", "'\\\\$n.output'"},
	};
	CHECK_ROWS(rows);
}

struct problem {
	const char *body;
	uint32_t line;
	uint32_t col;
	const char *help;
	const char *fixed;
};

static void plain_strings_are_errors_with_their_mending(void **state)
{
	(void)state;
	static const struct problem problems[] = {
		{"import json\nd = json.loads('$n.output') # x", 11, 21,
			"write: d = json.loads(f'$n.output') # x",
			"import json\nd = json.loads(f'$n.output') # x"},
		{"d = r'''{\"a\": $n.output}\n'''", 10, 19,
			"write: d = fr'''{{\"a\": $n.output}}\n'''",
			"d = fr'''{{\"a\": $n.output}}\n'''"},
		{"f(Rb\"$n.output\")", 10, 10,
			"write: f(fr\"$n.output\".encode('utf-8', 'surrogateescape'))",
			"f(fr\"$n.output\".encode('utf-8', 'surrogateescape'))"},
		{"f'{u\"${n.output}\"}'", 10, 10, "write: f'{f\"${n.output}\"}'",
			"f'{f\"${n.output}\"}'"},
	};
	for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
		const struct problem *p = &problems[i];
		struct bind_result result = {0};
		struct diags diags = {0};
		assert_false(py_bind_text(p->body, &result, &diags));
		assert_int_equal(diags.list.len, 1);
		assert_string_equal(diags.list.ptr[0].code, "E-REF-STRING");
		assert_int_equal(diags.list.ptr[0].at.line, p->line);
		assert_int_equal(diags.list.ptr[0].at.col, p->col);
		assert_string_equal(diags.list.ptr[0].help, p->help);
		assert_int_equal(result.fixes.len, 1);
		const struct bind_fix *fix = &result.fixes.ptr[0];
		struct buf fixed = {0};
		buf_add(&fixed, str_slice(str_of(p->body), 0, fix->start));
		buf_add(&fixed, fix->text);
		buf_add(&fixed, str_slice(str_of(p->body), fix->end, strlen(p->body)));
		assert_string_equal(fixed.ptr, p->fixed);
		struct bind_result again = {0};
		assert_true(py_bind_text(fixed.ptr, &again, &diags));
		bind_finish(&again);
		buf_finish(&fixed);
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void variables_and_own_names_get_warnings(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	assert_true(py_bind_text("open('$ARTIFACTS_DIR/x')", &result, &diags));
	assert_string_equal(result.text.ptr, "open('$ARTIFACTS_DIR/x')");
	assert_string_equal(diags.list.ptr[0].code, "W-REF-VARIABLE");
	assert_string_equal(diags.list.ptr[0].help, "its value is os.environ['ARTIFACTS_DIR']");
	bind_finish(&result);
	assert_true(py_bind_text("n = f()\nprint(f'${n.output}')", &result, &diags));
	assert_string_equal(result.text.ptr, "n = f()\nprint(f'${n.output}')");
	assert_string_equal(diags.list.ptr[1].code, "W-REF-AMBIGUOUS");
	assert_int_equal(diags.errors, 0);
	bind_finish(&result);
	diags_finish(&diags);
}

static void literals_that_may_name_files_are_words(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	assert_true(py_bind_text("f('a/b.txt', r\"c\", 'two words', '', f'x')", &result, &diags));
	assert_int_equal(result.words.len, 2);
	assert_true(str_is(result.words.ptr[0], "a/b.txt"));
	assert_true(str_is(result.words.ptr[1], "c"));
	bind_finish(&result);
	diags_finish(&diags);
}

/* Each would take minutes, or all of the memory, where a step looks at the whole line or body again. */
static void hostile_bodies_cost_no_more_than_others(void **state)
{
	(void)state;
	static const char *const units[] = {"f'\\N{", "'$n.output';", "f\"{", "\"\"\"'", "f'{x:{"};
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		struct buf body = {0};
		struct bind_result result = {0};
		struct diags diags = {0};

		while (body.len < 500000)
			buf_add_z(&body, units[i]);
		(void)py_bind_text(body.ptr, &result, &diags);
		size_t told = 0;
		for (size_t d = 0; d < diags.list.len; d++)
			told += strlen(diags.list.ptr[d].message) + strlen(diags.list.ptr[d].help);
		assert_true(told < body.len);
		bind_finish(&result);
		diags_finish(&diags);
		buf_finish(&body);
	}
}

static const char oracle_head[] =
	"'''Docstring with ` and \" of its own.'''\n"
	"from __future__ import annotations\n"
	"import json, os, sys\n"
	"checks = bad = 0\n"
	"def check(i, name, got, want):\n"
	"    global checks, bad\n"
	"    checks += 1\n"
	"    if type(got) is type(want) and (got == want): return\n"
	"    bad += 1; print('value', i, name, ascii(got)[:200], ascii(want)[:200])\n"
	"def load(i):\n"
	"    raw = open(f'{os.environ[\"ORACLE\"]}/value{i}', 'rb').read()\n"
	"    text = raw.decode('utf-8', 'surrogateescape')\n"
	"    def refuse(word): raise ValueError(word)\n"
	"    try: return raw, text, json.loads(raw.decode('utf-8'), parse_constant=refuse)\n"
	"    except ValueError: return raw, text, text\n"
	"# $v1.output ' \" \"\"\"\n";

static const char oracle_each[] =
	"raw, text, value = load(@)\n"
	"d = $v@.output\n"
	"check(@, 'name', d, value)\n"
	"check(@, 'return', (lambda: $v@.output)(), value)\n"
	"check(@, 'key', {'k': $v@.output}['k'], value)\n"
	"check(@, 'ternary', $v@.output if 1 else 0, value)\n"
	"check(@, 'list', [*[$v@.output]][0], value)\n"
	"check(@, 'f', f'$v@.output', text)\n"
	"check(@, 'f in text', f'a{1}$v@.output b', 'a1' + text + ' b')\n"
	"check(@, 'rf', rf\"\\n$v@.output\\\\\", '\\\\n' + text + '\\\\\\\\')\n"
	"check(@, 'triple', F'''\n\"'$v@.output\"\n''', '\\n\"\\'' + text + '\"\\n')\n"
	"check(@, 'triple quotes', fR\"\"\"'$v@.output'\"\"\", \"'\" + text + \"'\")\n"
	"check(@, 'nested', f'x{f\"y$v@.output{chr(125)}\"}z', 'xy' + text + '}z')\n"
	"check(@, 'braces', f'{{$v@.output}}', '{' + text + '}')\n"
	"check(@, 'field', f'{$v@.output}', f'{value}')\n"
	"check(@, 'repr', f'{$v@.output!r:>5}', f'{value!r:>5}')\n"
	"check(@, 'spec', f'{text:{len($v@.output) if isinstance($v@.output, str) else 3}}',\n"
	"    f'{text:{len(value) if isinstance(value, str) else 3}}')\n"
	"check(@, 'backslash', f'\\\\$v@.output', chr(92) + text)\n"
	"check(@, 'braced', f'${v@.output}x', text + 'x')\n"
	"check(@, 'bytes', os.fsencode(f'$v@.output'), raw)\n"
	"check(@, 'literal', '\\$v@.output' + rf'\\$v@.output', '$' + 'v@.output$' + 'v@.output')\n"
	"class Holder:\n"
	"    inside = $v@.output\n"
	"    def method(self): return f'$v@.output'\n"
	"check(@, 'class', Holder.inside, value)\n"
	"check(@, 'method', Holder().method(), text)\n"
	"if isinstance(value, str): check(@, 'call', $v@.output.upper(), value.upper())\n"
	"else: check(@, 'loads', json.loads(f'$v@.output'), value)\n";

static const char oracle_tail[] =
	"check(-1, 'doc', __doc__[:9], 'Docstring')\n"
	"check(-1, 'future', (lambda x: x).__code__.co_flags & annotations.compiler_flag != 0, True)\n"
	"check(-1, 'main', (__name__, sys.modules['__main__'].text is text), ('__main__', True))\n"
	"check(-1, 'argv', (sys.argv, sys.path[0]), (['-c', 'one', 'two'], ''))\n"
	"check(-1, 'clean', [n for n in globals() if 'pawl' in n], [])\n"
	"check(-1, 'environment', [n for n in os.environ if n.startswith('PAWL_BODY')], [])\n"
	"print('exact' if bad == 0 else 'bad', checks)\n";

static char arg_python[] = "python3", arg_c[] = "-c", arg_one[] = "one", arg_two[] = "two";

static int run_python(struct oracle *o)
{
	struct buf bootstrap = {0};
	buf_add_z(&bootstrap, bind_find(STR("python"))->bootstrap);
	oracle_deliver(o, "PAWL_BODY", buf_str(&o->bound.text));
	oracle_env(o, "PAWL_BODY_NAME", '\0', STR("<build>"));
	char *const argv[] = {arg_python, arg_c, bootstrap.ptr, arg_one, arg_two, NULL};
	int status = oracle_run(o, argv);
	buf_finish(&bootstrap);
	return status;
}

static void need_python(void)
{
	if (oracle_has(arg_python))
		return;
	print_message("no python3 here\n");
	skip();
}

static void python_gets_exact_values(void **state)
{
	(void)state;
	need_python();
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
	assert_true(oracle_bind(&o, bind_find(STR("python")), buf_str(&body)));
	int status = run_python(&o);
	str got = buf_str(&o.output);
	bool exact = status == 0 && str_starts(got, STR("exact ")) &&
	             strtoul(o.output.ptr + strlen("exact "), NULL, 10) >= ORACLE_COUNT * 22;
	if (!exact)
		fail_msg("status %d\n%.*s", status,
			STR_ARG(str_slice(got, got.len > 4000 ? got.len - 4000 : 0, got.len)));
	print_message("python3: %.*s", STR_ARG(got));
	buf_finish(&body);
	oracle_finish(&o);
}

/* Runs a body and gives what it wrote, which the caller compares. */
static void check_output(const char *body, int status, const char *output)
{
	struct oracle o;
	oracle_start(&o);
	assert_true(oracle_bind(&o, bind_find(STR("python")), str_of(body)));
	assert_int_equal(run_python(&o), status);
	assert_string_equal(buf_cstr(&o.output), output);
	oracle_finish(&o);
}

static void tracebacks_show_the_body_and_nothing_else(void **state)
{
	(void)state;
	need_python();
	check_output("x = $v1.output\ndef f():\n    raise KeyError('k')\nf()\n", 1,
		"Traceback (most recent call last):\n"
		"  File \"<build>\", line 4, in <module>\n"
		"    f()\n"
		"  File \"<build>\", line 3, in f\n"
		"    raise KeyError('k')\n"
		"KeyError: 'k'\n");
	check_output("import sys\nsys.exit(7)", 7, "");
	check_output("raise SystemExit('gone')", 1, "gone\n");
}

static void syntax_errors_name_the_body(void **state)
{
	(void)state;
	need_python();
	struct oracle o;
	oracle_start(&o);
	assert_true(oracle_bind(&o, bind_find(STR("python")), STR("x = 1\ny = = 2\n")));
	assert_int_equal(run_python(&o), 1);
	str got = buf_str(&o.output);
	assert_true(str_starts(got, STR("  File \"<build>\", line 2\n    y = = 2\n")));
	assert_true(str_find(got, STR("SyntaxError"), 0) != SIZE_MAX);
	oracle_finish(&o);
}

/* A body of more than one environment string's 128 KiB. */
static void large_bodies_travel_in_a_file(void **state)
{
	(void)state;
	need_python();
	struct buf body = {0};
	for (int i = 0; i < 20000; i++)
		buf_add_z(&body, "x = 'filling'\n");
	buf_add_z(&body, "print(f'[$v4.output]')\n");
	check_output(body.ptr, 0, "[it's]\n");
	buf_finish(&body);
}

static void payloads_are_json_only_where_values_are(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"{\"a\": [1, -0, 1.5e-3, true, false, null, \"\\u00e9\\n\"], \"b\": {}}", NULL},
		{" [ ] ", NULL},
		{"[[],{}]", NULL},
		{"\"\\ud800\"", NULL},
		{"", "\"\""},
		{"+1", "\"+1\""},
		{"1.", "\"1.\""},
		{"1e", "\"1e\""},
		{"-", "\"-\""},
		{".5", "\".5\""},
		{"01", "\"01\""},
		{"[1,]", "\"[1,]\""},
		{"[1 2]", "\"[1 2]\""},
		{"[1}", "\"[1}\""},
		{"{\"a\"}", "\"{\\\"a\\\"}\""},
		{"{1: 2}", "\"{1: 2}\""},
		{"{} {}", "\"{} {}\""},
		{"tru", "\"tru\""},
		{"\"\\x\"", "\"\\\"\\\\x\\\"\""},
		{"\"\\u12g4\"", "\"\\\"\\\\u12g4\\\"\""},
		{"\"a\nb\"", "\"\\\"a\\u000ab\\\"\""},
		{"\"open", "\"\\\"open\""},
		{"\"\xff\"", "\"\\\"\xff\\\"\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out = {0};
		bind_payload(&out, BIND_JSON, str_of(rows[i].body));
		assert_string_equal(buf_cstr(&out), rows[i].text ? rows[i].text : rows[i].body);
		buf_clear(&out);
		bind_payload(&out, BIND_TEXT, str_of(rows[i].body));
		assert_string_equal(buf_cstr(&out), rows[i].body);
		buf_finish(&out);
	}
	struct buf deep = {0};
	struct buf out = {0};
	for (int i = 0; i < 100000; i++)
		buf_add_char(&deep, '[');
	bind_payload(&out, BIND_JSON, buf_str(&deep));
	assert_int_equal(out.len, deep.len + 2);
	buf_finish(&deep);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_gets_the_value),
		cmocka_unit_test(fstrings_get_the_text),
		cmocka_unit_test(what_is_no_reference_stays),
		cmocka_unit_test(escapes_lose_the_backslash_that_python_keeps),
		cmocka_unit_test(plain_strings_are_errors_with_their_mending),
		cmocka_unit_test(variables_and_own_names_get_warnings),
		cmocka_unit_test(literals_that_may_name_files_are_words),
		cmocka_unit_test(hostile_bodies_cost_no_more_than_others),
		cmocka_unit_test(payloads_are_json_only_where_values_are),
		cmocka_unit_test(python_gets_exact_values),
		cmocka_unit_test(tracebacks_show_the_body_and_nothing_else),
		cmocka_unit_test(syntax_errors_name_the_body),
		cmocka_unit_test(large_bodies_travel_in_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
