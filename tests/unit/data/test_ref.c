/* ref: what is a reference in text, and what it expands to. */
#include "data/ref.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void show(struct buf *out, str text)
{
	static const char *const kinds[] = {"output", "state", "input", "prev", "variable"};
	struct ref ref;
	for (size_t at = 0; ref_next(text, &at, &ref);) {
		if (out->len)
			buf_add_char(out, ' ');
		buf_printf(out, "%s%s:%.*s", ref.escaped ? "!" : "", kinds[ref.kind],
			STR_ARG(ref.name));
		if (ref.path.len)
			buf_printf(out, "/%.*s", STR_ARG(ref.path));
		buf_printf(out, "@%zu-%zu", ref.start, ref.end);
	}
	buf_cstr(out);
}

static void finds_references(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *found;
	} cases[] = {
		{"", ""},
		{"$", ""},
		{"${", ""},
		{"$n", ""},
		{"$n.", ""},
		{"$n.out", ""},
		{"$n.outputs", ""},
		{"$n.output_x", ""},
		{"$1.output", ""},
		{"$-.output", ""},
		{"$n.output", "output:n@0-9"},
		{"a$n.output-b", "output:n@1-10"},
		{"$n.output.", "output:n@0-9"},
		{"$n.output..x", "output:n@0-9"},
		{"$n.output.a.b.0", "output:n/a.b.0@0-15"},
		{"$n.output.a b", "output:n/a@0-11"},
		{"$my-node_2.output", "output:my-node_2@0-17"},
		{"${n.output}.txt", "output:n@0-11"},
		{"${n.output.a}b", "output:n/a@0-13"},
		{"${n.output", ""},
		{"${n.output%.txt}", ""},
		{"$n.state", "state:n@0-8"},
		{"$n.state.x", "state:n@0-8"},
		{"$n.stated", ""},
		{"$INPUTS.name", "input:name@0-12"},
		{"$INPUTS.out-dir", "input:out-dir@0-15"},
		{"$INPUTS.output.txt", "input:output@0-14"},
		{"${INPUTS.name}s", "input:name@0-14"},
		{"${INPUTS.name.a.0}.s", "input:name/a.0@0-18"},
		{"${INPUTS.name.}", ""},
		{"$INPUTS.", ""},
		{"$INPUTS", ""},
		{"$LOOP_PREV.n.output", "prev:n@0-19"},
		{"${LOOP_PREV.n.output.a}", "prev:n/a@0-23"},
		{"$ARGUMENTS", "variable:ARGUMENTS@0-10"},
		{"$ARTIFACTS_DIR/x", "variable:ARTIFACTS_DIR@0-14"},
		{"${RUN_ID}x", "variable:RUN_ID@0-9"},
		{"$RUN_IDS", ""},
		{"$HOME", ""},
		{"\\$n.output", "!output:n@0-10"},
		{"\\${n.output}", "!output:n@0-12"},
		{"$$n.output", "output:n@1-10"},
		{"$a.output$b.output", "output:a@0-9 output:b@9-18"},
		{"$a.output\\$b.output", "output:a@0-9 !output:b@9-19"},
		{"{$a.output}", "output:a@1-10"},
		{"$a-$b.output", "output:b@3-12"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf found = {0};
		show(&found, str_of(cases[i].text));
		if (strcmp(found.ptr, cases[i].found) != 0)
			fail_msg("%s: found \"%s\", not \"%s\"", cases[i].text, found.ptr,
				cases[i].found);
		buf_finish(&found);
	}
}

static void a_whole_reference_is_nothing_else(void **state)
{
	(void)state;
	struct ref ref;
	assert_true(ref_is_whole(STR("$n.output.items"), &ref));
	assert_true(str_is(ref.name, "n") && str_is(ref.path, "items"));
	assert_true(ref_is_whole(STR("${n.output}"), &ref) && ref.braced);
	assert_true(ref_is_whole(STR("$INPUTS.x"), &ref) && ref.kind == REF_INPUT);
	assert_false(ref_is_whole(STR(" $n.output"), &ref));
	assert_false(ref_is_whole(STR("$n.output "), &ref));
	assert_false(ref_is_whole(STR("$n.output."), &ref));
	assert_false(ref_is_whole(STR("\\$n.output"), &ref));
	assert_false(ref_is_whole(STR(""), &ref));
}

static void writes_what_reads_back(void **state)
{
	(void)state;
	static const char *const texts[] = {"$n.output", "$n.output.a.0", "$n.state", "$INPUTS.x",
		"${INPUTS.x.a.0}", "$LOOP_PREV.n.output.b", "$RUN_ID"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct ref ref;
		struct buf out = {0};
		assert_true(ref_is_whole(str_of(texts[i]), &ref));
		ref_write(&out, &ref);
		assert_string_equal(out.ptr, texts[i]);
		buf_finish(&out);
	}
}

static void finds_slips_of_the_pen(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *written; /* NULL: there is none */
		const char *meant;
	} cases[] = {
		{"echo $a.outptu", "$a.outptu", "output"},
		{"$a.outputs.x", "$a.outputs", "output"},
		{"$a.stat", "$a.stat", "state"},
		{"$a.output $b-1.ouput", "$b-1.ouput", "output"},
		{"$a.output.ouput", NULL, NULL},
		{"$a.txt $a.out $a. $a .ouput", NULL, NULL},
		{"\\$a.ouput ${a.ouput} $INPUTS.ouput $1.ouput", NULL, NULL},
		{"$", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ref ref;
		size_t at = 0;
		str meant;
		str text = str_of(cases[i].text);
		assert_int_equal(ref_next_slip(text, &at, &ref, &meant), cases[i].written != NULL);
		if (!cases[i].written)
			continue;
		assert_true(str_is(str_slice(text, ref.start, ref.end), cases[i].written));
		assert_true(str_is(meant, cases[i].meant));
		assert_int_equal(at, ref.end);
	}
}

/* A value that looks like a reference shows that nothing is expanded twice. */
static bool resolve(void *ctx, const struct ref *ref, str *bytes, struct err *err)
{
	size_t *calls = ctx;
	++*calls;
	if (str_is(ref->name, "missing"))
		return err_set(err, "E-REF-UNKNOWN", "there is no node %.*s", STR_ARG(ref->name));
	if (ref->kind == REF_VARIABLE && !str_is(ref->name, "RUN_ID"))
		return false;
	*bytes = ref->kind == REF_VARIABLE ? STR("r1") : STR("<$n.output>");
	return true;
}

static void expands_once(void **state)
{
	(void)state;
	size_t calls = 0;
	struct ref_resolver resolver = {&calls, resolve};
	struct err err = {0};
	struct buf out = {0};
	assert_true(
		ref_expand(STR("a $n.output ${n.output.x}y \\$n.output $RUN_ID $ARGUMENTS $HOME $"),
			&resolver, &out, &err));
	assert_string_equal(out.ptr, "a <$n.output> <$n.output>y $n.output r1 $ARGUMENTS $HOME $");
	assert_int_equal(calls, 4);
	assert_false(err_is_set(&err));
	buf_clear(&out);
	assert_false(ref_expand(STR("x $missing.output"), &resolver, &out, &err));
	assert_string_equal(err.code, "E-REF-UNKNOWN");
	assert_false(ref_expand(STR("x $missing.output"), &resolver, &out, NULL));
	err_finish(&err);
	buf_finish(&out);
}

static void values_become_text(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct buf out = {0};
	struct value text = value_string(STR("a \"b\"\n"));
	ref_value_text(&out, &text);
	assert_string_equal(out.ptr, "a \"b\"\n");
	buf_clear(&out);
	struct value list = {.kind = VALUE_LIST};
	list.as.list.items = &text;
	list.as.list.count = 1;
	ref_value_text(&out, &list);
	assert_string_equal(out.ptr, "[\"a \\\"b\\\"\\n\"]");
	buf_clear(&out);
	struct value null = {.kind = VALUE_NULL};
	ref_value_text(&out, &null);
	ref_value_text(&out, NULL);
	assert_int_equal(out.len, 0);
	struct value number = value_number_u64(&arena, 9007199254740993u);
	ref_value_text(&out, &number);
	assert_string_equal(out.ptr, "9007199254740993");
	buf_finish(&out);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_references),
		cmocka_unit_test(a_whole_reference_is_nothing_else),
		cmocka_unit_test(writes_what_reads_back),
		cmocka_unit_test(finds_slips_of_the_pen),
		cmocka_unit_test(expands_once),
		cmocka_unit_test(values_become_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
