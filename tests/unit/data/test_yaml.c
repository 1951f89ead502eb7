/* yaml: what documents mean, where values stand, every refusal with its place and help, and the limits. */
#include "base/buf.h"
#include "data/json.h"
#include "data/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static const struct value *parse(struct arena *arena, str text)
{
	struct diags diags = {0};
	const struct value *value = yaml_parse(arena, text, "f.yaml", &diags);
	if (!value)
		fail_msg("%.*s: %s", STR_ARG(text), diags.list.ptr[0].message);
	assert_int_equal(diags.list.len, 0);
	diags_finish(&diags);
	return value;
}

static void assert_means(const char *yaml, const char *json)
{
	struct arena arena = {0};
	struct buf out = {0};
	json_write(&out, parse(&arena, str_of(yaml)));
	if (strcmp(buf_cstr(&out), json) != 0)
		fail_msg("%s: %s, not %s", yaml, buf_cstr(&out), json);
	buf_finish(&out);
	arena_finish(&arena);
}

struct meaning {
	const char *yaml;
	const char *json;
};

static void scalars_are_of_the_core_schema(void **state)
{
	(void)state;
	static const struct meaning cases[] = {
		{"yes", "\"yes\""},
		{"[no, on, off, y, n, True, TRUE, false, tRUE]",
			"[\"no\",\"on\",\"off\",\"y\",\"n\",true,true,false,\"tRUE\"]"},
		{"[null, Null, NULL, ~, nUll]", "[null,null,null,null,\"nUll\"]"},
		{"a:", "{\"a\":null}"},
		{"a: ''", "{\"a\":\"\"}"},
		{"[0, -0, 12, +12, -7]", "[0,-0,12,12,-7]"},
		{"[1.50, 1., .5, -.5, +1.5e3, 1E-2, 1.e5, .0]",
			"[1.50,1,0.5,-0.5,1.5e3,1E-2,1e5,0.0]"},
		{"9007199254740993", "9007199254740993"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"[0x1F, 0xff, 0o17, 0xFFFFFFFFFFFFFFFF, 0o1777777777777777777777]",
			"[31,255,15,18446744073709551615,18446744073709551615]"},
		{"[0x, 0xg, 0o8, 0o, -0x1, 0b1, 1_000, 12:30, 1e, 1e+, ., +, e5, 1.2.3, --1]",
			"[\"0x\",\"0xg\",\"0o8\",\"0o\",\"-0x1\",\"0b1\",\"1_000\",\"12:30\",\"1e\",\"1e+\",\".\",\"+\",\"e5\",\"1.2.3\",\"--1\"]"},
		{"[2001-12-14, 10.0.0.1, =, inf, nan]",
			"[\"2001-12-14\",\"10.0.0.1\",\"=\",\"inf\",\"nan\"]"},
		{"['1', \"true\", 'null']", "[\"1\",\"true\",\"null\"]"},
		{"[!!str 12, !!int '12', !!float 1.5, !!float 3, !!bool true, !!null '', ! 7]",
			"[\"12\",12,1.5,3,true,null,\"7\"]"},
		{"a: !!map {b: !!seq [1]}", "{\"a\":{\"b\":[1]}}"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_means(cases[i].yaml, cases[i].json);
}

static void structures_and_styles(void **state)
{
	(void)state;
	static const struct meaning cases[] = {
		{"", "null"},
		{"# only a comment\n", "null"},
		{"---\n", "null"},
		{"--- \na: 1\n...\n", "{\"a\":1}"},
		{"%YAML 1.2\n---\na: 1\n", "{\"a\":1}"},
		{"# x\n%YAML 1.1  # y\n---\na: 1\n...\n# end\n...\n", "{\"a\":1}"},
		{"\xef\xbb\xbf"
		 "a: 1",
			"{\"a\":1}"},
		{"a: 1", "{\"a\":1}"},
		{"- a\n- b: 1\n  c: [1, {d: 2}]\n- - x\n  - y\n",
			"[\"a\",{\"b\":1,\"c\":[1,{\"d\":2}]},[\"x\",\"y\"]]"},
		{"a:\n- 1\n- 2\nb: {}\nc: []\n", "{\"a\":[1,2],\"b\":{},\"c\":[]}"},
		{"a: |\n  x\n   y\n\n  z\n\nb: 1\n", "{\"a\":\"x\\n y\\n\\nz\\n\",\"b\":1}"},
		{"a: |-\n  x\n", "{\"a\":\"x\"}"},
		{"a: |+\n  x\n\n", "{\"a\":\"x\\n\\n\"}"},
		{"a: |2\n    x\n", "{\"a\":\"  x\\n\"}"},
		{"a: >\n  x\n  y\n\n  z\n", "{\"a\":\"x y\\nz\\n\"}"},
		{"a: |2\n  \tx\n", "{\"a\":\"\\tx\\n\"}"},
		{"a: |\n  x\n  \ty\n", "{\"a\":\"x\\n\\ty\\n\"}"},
		{"a: x\n  y\n  z\n", "{\"a\":\"x y z\"}"},
		{"a: 'it''s'\n", "{\"a\":\"it's\"}"},
		{"a: \"x\\ty\\x41\\u00e9\\U0001F600\\\n  z\"\n",
			"{\"a\":\"x\\tyA\xc3\xa9\xf0\x9f\x98\x80z\"}"},
		{"a: \"\\0\"", "{\"a\":\"\\u0000\"}"},
		{"a: |\r\n  x\r\n  y\r\nb: 1\r\n", "{\"a\":\"x\\ny\\n\",\"b\":1}"},
		{"a: 1 # note\nb: x#y\n", "{\"a\":1,\"b\":\"x#y\"}"},
		{"? a\n: 1\n", "{\"a\":1}"},
		{"'1': a\n\"<<\": b\n'': c\n", "{\"1\":\"a\",\"<<\":\"b\",\"\":\"c\"}"},
		{"key with spaces: http://x:80/?a=b#c\n",
			"{\"key with spaces\":\"http://x:80/?a=b#c\"}"},
		{"{\"a\":[1,{\"b\":null}],\"c\":\"d\"}", "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}"},
		{"[\n\ta,\n\tb\n]\n", "[\"a\",\"b\"]"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_means(cases[i].yaml, cases[i].json);
}

static void aliases_stand_for_values(void **state)
{
	(void)state;
	assert_means("a: &x 1\nb: *x\n", "{\"a\":1,\"b\":1}");
	assert_means("a: &x [1, 2]\nb: {c: *x}\nd: *x\n",
		"{\"a\":[1,2],\"b\":{\"c\":[1,2]},\"d\":[1,2]}");
	assert_means("- &x a\n- &x b\n- *x\n", "[\"a\",\"b\",\"b\"]");
	assert_means("&k key: &v {a: &i 1}\nb: [*k, *i, *v]\n",
		"{\"key\":{\"a\":1},\"b\":[\"key\",1,{\"a\":1}]}");
	assert_means("- &x [&y [1]]\n- *y\n- *x\n", "[[[1]],[1],[[1]]]");
	assert_means("a: &e\nb: *e\n", "{\"a\":null,\"b\":null}");
}

static void assert_at(
	const struct value *value, uint32_t line, uint32_t col, uint32_t len, char style)
{
	assert_non_null(value);
	assert_int_equal(value->line, line);
	assert_int_equal(value->col, col);
	assert_int_equal(value->len, len);
	assert_int_equal(value->style, style);
}

static void values_know_where_they_are(void **state)
{
	(void)state;
	struct arena arena = {0};
	const struct value *v = parse(&arena, STR("# x\n"
						  "plain: abc  # c\n"
						  "\xc3\xa9: ['q''q', \"d\\n\", \xe2\x82\xac, x]\n"
						  "lit: |\n"
						  "  text\n"
						  "fold: >-\n"
						  "  text\n"
						  "multi: a\n"
						  "  b\n"
						  "mq: \"a\n"
						  "  b\"\n"
						  "props: [&a  p, !!str 1, &b !!str\n"
						  "  'z', &c , !<tag:yaml.org,2002:str> q, *a]\n"
						  "map:\n"
						  "  k: 1\n"
						  "list:\n"
						  "- 1\n"
						  "empty:\n"
						  "tagblock: !!str |\n"
						  "  x\n"));
	assert_at(v, 2, 1, 0, 0);
	assert_at(value_get(v, STR("plain")), 2, 8, 3, 0);
	assert_at(value_path(v, STR("\xc3\xa9")), 3, 5, 0, 0);
	assert_at(value_path(v, STR("\xc3\xa9.0")), 3, 6, 6, '\'');
	assert_at(value_path(v, STR("\xc3\xa9.1")), 3, 14, 5, '"');
	assert_at(value_path(v, STR("\xc3\xa9.2")), 3, 21, 3, 0);
	assert_at(value_path(v, STR("\xc3\xa9.3")), 3, 26, 1, 0);
	assert_at(value_get(v, STR("lit")), 4, 6, 0, '|');
	assert_at(value_get(v, STR("fold")), 6, 7, 0, '>');
	assert_at(value_get(v, STR("multi")), 8, 8, 0, 0);
	assert_at(value_get(v, STR("mq")), 10, 5, 0, '"');
	assert_at(value_path(v, STR("props.0")), 12, 13, 1, 0);
	assert_at(value_path(v, STR("props.1")), 12, 22, 1, 0);
	assert_at(value_path(v, STR("props.2")), 13, 3, 3, '\'');
	assert_int_equal(value_path(v, STR("props.3"))->kind, VALUE_NULL);
	assert_at(value_path(v, STR("props.4")), 13, 38, 1, 0);
	assert_at(value_path(v, STR("props.5")), 12, 13, 1, 0);
	assert_at(value_get(v, STR("map")), 15, 3, 0, 0);
	assert_at(value_path(v, STR("map.k")), 15, 6, 1, 0);
	assert_at(value_get(v, STR("list")), 17, 1, 0, 0);
	assert_at(value_get(v, STR("empty")), 18, 7, 0, 0);
	assert_at(value_get(v, STR("tagblock")), 19, 17, 0, '|');
	assert_int_equal(v->as.map.items[1].line, 3);
	assert_int_equal(v->as.map.items[1].col, 1);
	assert_int_equal(value_get(v, STR("map"))->as.map.items[0].col, 3);
	arena_finish(&arena);
}

struct refusal {
	str text;
	const char *code;
	uint32_t line;
	uint32_t col;
	const char *message; /* part of it */
	const char *help;    /* part of it; NULL: none */
};

static void assert_one(const struct refusal *r, const struct err *err)
{
	if (strcmp(err->code, r->code) != 0 || err->at.line != r->line || err->at.col != r->col)
		fail_msg("%.*s: %s at %u:%u: %s", STR_ARG(r->text), err->code, err->at.line,
			err->at.col, err->message);
	assert_string_equal(err->at.file, "f.yaml");
	if (!strstr(err->message, r->message))
		fail_msg("%.*s: message: %s", STR_ARG(r->text), err->message);
	if (!err->help != !r->help || (r->help && !strstr(err->help, r->help)))
		fail_msg("%.*s: help: %s", STR_ARG(r->text), err->help ? err->help : "none");
}

static void assert_refused(const struct refusal *r)
{
	struct arena arena = {0};
	struct diags diags = {0};
	if (yaml_parse(&arena, r->text, "f.yaml", &diags))
		fail_msg("accepted: %.*s", STR_ARG(r->text));
	assert_int_equal(diags.errors, 1);
	assert_one(r, &diags.list.ptr[0]);
	diags_finish(&diags);
	arena_finish(&arena);
}

#define SYNTAX "E-YAML-SYNTAX"

static void syntax_errors_are_explained(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{STR_INIT("a:\n\tb: 1\n"), "E-YAML-TAB", 2, 1, "tab", "spaces"},
		{STR_INIT("nodes:\n  - id: a\n\tbash: x\n"), "E-YAML-TAB", 3, 1, "tab", "spaces"},
		{STR_INIT("a: |\n\tx\n"), "E-YAML-TAB", 2, 1, "tab", "spaces"},
		{STR_INIT("a: |\n  \tx\n"), "E-YAML-TAB", 2, 3, "begins with a tab", "as in |2"},
		{STR_INIT("a: @foo bar # c\n"), SYNTAX, 1, 4, "cannot begin with '@'",
			"quote it: \"@foo bar\""},
		{STR_INIT("a: `ls \"x\"`\n"), SYNTAX, 1, 4, "cannot begin with '`'",
			"quote it: '`ls \"x\"`'"},
		{STR_INIT("a: %d\n"), SYNTAX, 1, 4, "cannot begin with '%'", "quote it: \"%d\""},
		{STR_INIT("a: ]\n"), SYNTAX, 1, 4, "cannot begin with ']'", "quote it: \"]\""},
		{STR_INIT("a: [b\n"), SYNTAX, 2, 1,
			"',' or ']' is expected in the list that begins in line 1, column 4",
			"close it with ']'"},
		{STR_INIT("a: [\n"), SYNTAX, 2, 1, "the file ends where a value is expected", NULL},
		{STR_INIT("a: foo: bar\n"), SYNTAX, 1, 7, "': ' in an unquoted value",
			"quote it: \"foo: bar\""},
		{STR_INIT("- a: it's: \"b\"\n"), SYNTAX, 1, 10, "': ' in an unquoted value",
			"quote it: 'it''s: \"b\"'"},
		{STR_INIT("x: 1\na: \"abc\nb: 1\n"), SYNTAX, 2, 4, "never closed",
			"close it with \""},
		{STR_INIT("a: 'abc\n---\n"), SYNTAX, 1, 4, "never closed", "close it with '"},
		{STR_INIT("a: \"abc\nb: \"x\"\nc: 1\n"), SYNTAX, 1, 4, "closed only in line 2",
			"close it with \""},
		{STR_INIT("a: 'it's'\nb: 1\n"), SYNTAX, 1, 8, "follows the closing quote", "''"},
		{STR_INIT("a: \"x\" y\n"), SYNTAX, 1, 8, "follows the closing quote", "\\\""},
		{STR_INIT("a: [\"x\"y]\n"), SYNTAX, 1, 8, "follows the closing quote", "\\\""},
		{STR_INIT("a: [x]y\n"), SYNTAX, 1, 7, "where the value has ended",
			"quote the whole value"},
		{STR_INIT("a: 1\n\n  b: 2\n"), SYNTAX, 3, 3,
			"deeper than line 1, which has a value", "indent it by 0"},
		{STR_INIT("a:\n    b: 1\n  c: 2\n"), SYNTAX, 3, 3, "the indentation, 2,",
			"line 1 is indented by 0"},
		{STR_INIT("a:\n  - x\n - y\n"), SYNTAX, 3, 2, "the indentation, 1,",
			"indented by 0"},
		{STR_INIT("a:\n  - x\n  y: 1\n"), SYNTAX, 3, 3,
			"not a part of the list that begins in line 2", "'- '"},
		{STR_INIT("a: 1\n- b\n"), SYNTAX, 2, 1,
			"not a part of the map that begins in line 1", "KEY: VALUE"},
		{STR_INIT("a: |\n  x\n y\n"), SYNTAX, 3, 2, "the indentation, 1,", "indented by 0"},
		{STR_INIT("a: 1\nfoo\nb: 2\n"), SYNTAX, 2, 1, "a key without ': '", "KEY: VALUE"},
		{STR_INIT("foo\nbar: 1\n"), SYNTAX, 2, 1, "a key is not expected here",
			"line 1 is neither"},
		{STR_INIT("a:b\nc: 1\n"), SYNTAX, 1, 1, "space behind its ':'", "write ': '"},
		{STR_INIT("c: 1\na:b\n"), SYNTAX, 2, 1, "space behind its ':'", "write ': '"},
		{STR_INIT("a: - b\n"), SYNTAX, 1, 4, "a list cannot begin", "next line"},
		{STR_INIT("a: |foo\n  x\n"), SYNTAX, 1, 5, "text follows '|'", "next line"},
		{STR_INIT("a: *.js\n"), SYNTAX, 1, 4, "'*' begins an alias", "quote it: \"*.js\""},
		{STR_INIT("a: & b\n"), SYNTAX, 1, 4, "'&' begins an anchor", "quote it: \"& b\""},
		{STR_INIT("a: \"\\d\"\n"), SYNTAX, 1, 5, "\\d is no escape",
			"\\\\ for a backslash"},
		{STR_INIT("a: \"\\ud83d\\ude00\"\n"), SYNTAX, 1, 7, "the code of no character",
			"one \\U"},
		{STR_INIT("a: {x: 1\nb: 2\n"), SYNTAX, 2, 2,
			"',' or '}' is expected in the map that begins in line 1, column 4",
			"close it with '}'"},
		{STR_INIT("{a: 1}}\n"), SYNTAX, 1, 7,
			"not part of the map that begins in line 1, column 1", NULL},
		{STR_INIT("  a: 1\nb: 2\n"), SYNTAX, 2, 1,
			"not part of the map that begins in line 1, column 3", "indent both"},
		{STR_INIT("\"x\"\n\"y\"\n"), SYNTAX, 2, 1, "not part of the value", NULL},
		{STR_INIT("x: |0\n a"), SYNTAX, 1, 5, "indentation indicator equal to 0", NULL},
		{STR_INIT("\xc3\xa9: @\xc3\xa9\n"), SYNTAX, 1, 5, "cannot begin with '@'",
			"\"@\xc3\xa9\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(&cases[i]);
}

static void what_pawl_leaves_out_is_refused(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{STR_INIT("a: 1\nb: 2\n'a': 3\n"), "E-YAML-DUPLICATE-KEY", 3, 1,
			"the key 'a' stands twice in one map; first in line 1, column 1", "remove"},
		{STR_INIT("x:\n  - {k: 1, k: 2}\n"), "E-YAML-DUPLICATE-KEY", 2, 12,
			"first in line 2, column 6", "remove"},
		{STR_INIT("a: &x {b: 1}\nc:\n  <<: *x\n"), "E-YAML-MERGE-KEY", 3, 3, "merge keys",
			"write the members out"},
		{STR_INIT("1: a\n"), "E-YAML-KEY", 1, 1, "'1' is a number", "quote it: \"1\""},
		{STR_INIT("a: {true: 1}\n"), "E-YAML-KEY", 1, 5, "'true' is true or false",
			"quote it: \"true\""},
		{STR_INIT("~: a\n"), "E-YAML-KEY", 1, 1, "'~' is null", "quote"},
		{STR_INIT("a: {{ x }}\n"), "E-YAML-KEY", 1, 5, "this is a map",
			"quote the whole value"},
		{STR_INIT("? [a]\n: b\n"), "E-YAML-KEY", 1, 3, "this is a list", NULL},
		{STR_INIT("a: &x y\n*x : b\n"), "E-YAML-KEY", 2, 1, "this is an alias", NULL},
		{STR_INIT("a: !Ref x\n"), "E-YAML-TAG", 1, 4, "the tag !Ref is not", "quote"},
		{STR_INIT("a: !!python/object {}\n"), "E-YAML-TAG", 1, 4, "python/object",
			"remove it"},
		{STR_INIT("a: !!binary aGk=\n"), "E-YAML-TAG", 1, 4, "binary", "remove it"},
		{STR_INIT("a: !!map [1]\n"), "E-YAML-TAG", 1, 4, ":map", "remove it"},
		{STR_INIT("a: !!int x\n"), "E-YAML-TAG", 1, 10, "'x' is not of type !!int", NULL},
		{STR_INIT("a: !!int 1.5\n"), "E-YAML-TAG", 1, 10, "'1.5' is not of type !!int",
			NULL},
		{STR_INIT("a: !foo!bar x\n"), "E-YAML-TAG", 1, 4, "not known",
			"quote it: \"!foo!bar x\""},
		{STR_INIT("a: 1\n---\nb: 2\n"), "E-YAML-DOCUMENTS", 2, 1, "second document",
			"file of its own"},
		{STR_INIT("a: 1\n...\nb: 2\n"), "E-YAML-DOCUMENTS", 3, 1, "second document",
			"file of its own"},
		{STR_INIT("--- a\n--- b\n"), "E-YAML-DOCUMENTS", 2, 1, "second document",
			"file of its own"},
		{STR_INIT("a\n...\n%TAG ! x\n---\n"), "E-YAML-DOCUMENTS", 3, 1, "second document",
			"file of its own"},
		{STR_INIT("%TAG !e! tag:x\n---\na: 1\n"), "E-YAML-DIRECTIVE", 1, 1,
			"'%TAG !e! tag:x'", "remove it"},
		{STR_INIT("%YAML 1.3\n---\na: 1\n"), "E-YAML-DIRECTIVE", 1, 1, "'%YAML 1.3'",
			"remove it"},
		{STR_INIT("a: [1, .inf]\n"), "E-YAML-NUMBER", 1, 8, ".inf",
			"\".inf\" if it is text"},
		{STR_INIT("a: -.INF\n"), "E-YAML-NUMBER", 1, 4, "-.INF", "text"},
		{STR_INIT("a: .NaN\n"), "E-YAML-NUMBER", 1, 4, ".NaN", "text"},
		{STR_INIT("a: 0x10000000000000000\n"), "E-YAML-NUMBER", 1, 4,
			"does not fit 64 bits", "text"},
		{STR_INIT("a: 0o2000000000000000000000\n"), "E-YAML-NUMBER", 1, 4,
			"does not fit 64 bits", "text"},
		{STR_INIT("a: *nobody\n"), "E-YAML-ALIAS", 1, 4, "no anchor &nobody",
			"\"*nobody\""},
		{STR_INIT("a: *x\nb: &x 1\n"), "E-YAML-ALIAS", 1, 4, "no anchor &x", "\"*x\""},
		{STR_INIT("a: &x [1, *x]\n"), "E-YAML-ALIAS", 1, 11,
			"inside the value that it names", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(&cases[i]);
}

static void bytes_that_yaml_has_not_are_refused(void **state)
{
	(void)state;
	static const struct refusal cases[] = {
		{STR_INIT("a: b\nc: x\xffy\n"), "E-YAML-ENCODING", 2, 5, "0xff is not valid UTF-8",
			"UTF-8"},
		{STR_INIT("a: \xed\xa0\x80\n"), "E-YAML-ENCODING", 1, 4, "0xed is not valid UTF-8",
			"UTF-8"},
		{STR_INIT("a: \xe2\x82"), "E-YAML-ENCODING", 1, 4, "0xe2 is not valid UTF-8",
			"UTF-8"},
		{STR_INIT("a: x\0y\n"), "E-YAML-ENCODING", 1, 5, "0x00 is not allowed (NUL)",
			"\\x00"},
		{STR_INIT("a: \x1b[31m\n"), "E-YAML-ENCODING", 1, 4, "0x1b is not allowed",
			"\\x1b"},
		{STR_INIT("a: \x7f\n"), "E-YAML-ENCODING", 1, 4, "0x7f is not allowed", "\\x7f"},
		{STR_INIT("a: \xc2\x85\n"), "E-YAML-ENCODING", 1, 4,
			"U+0085 is a line break to some", "\\u0085"},
		{STR_INIT("a: |\n  x\xe2\x80\xa8y\n"), "E-YAML-ENCODING", 2, 4,
			"U+2028 is a line break", "\\u2028"},
		{STR_INIT("a: \xef\xbb\xbfx\n"), "E-YAML-ENCODING", 1, 4, "U+FEFF is not allowed",
			"\\ufeff"},
		{STR_INIT("\xff\xfe"
			  "a\0:\0"),
			"E-YAML-ENCODING", 1, 1, "UTF-16", "save it as UTF-8"},
		{STR_INIT("\0a\0:\0 "), "E-YAML-ENCODING", 1, 1, "UTF-16", "save it as UTF-8"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(&cases[i]);
}

static void all_problems_are_reported_at_once(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct diags diags = {0};
	assert_null(yaml_parse(&arena, STR("a: 1\na: .inf\n1: x\nb: {<<: y, c: !T z, c: *q}\n"),
		"f.yaml", &diags));
	diags_sort(&diags);
	static const struct refusal found[] = {
		{STR_INIT("dup"), "E-YAML-DUPLICATE-KEY", 2, 1, "'a'", "remove"},
		{STR_INIT("inf"), "E-YAML-NUMBER", 2, 4, ".inf", "text"},
		{STR_INIT("key"), "E-YAML-KEY", 3, 1, "'1'", "quote"},
		{STR_INIT("merge"), "E-YAML-MERGE-KEY", 4, 5, "<<", "write"},
		{STR_INIT("tag"), "E-YAML-TAG", 4, 15, "!T", "remove"},
		{STR_INIT("dup"), "E-YAML-DUPLICATE-KEY", 4, 21, "'c'", "remove"},
		{STR_INIT("alias"), "E-YAML-ALIAS", 4, 24, "&q", "quote"},
	};
	assert_int_equal(diags.list.len, sizeof(found) / sizeof(found[0]));
	for (size_t i = 0; i < diags.list.len; i++)
		assert_one(&found[i], &diags.list.ptr[i]);
	diags_finish(&diags);
	arena_finish(&arena);
}

static void leading_zeros_are_warned_of(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct diags diags = {0};
	const struct value *v =
		yaml_parse(&arena, STR("mode: 0644\nzip: -007.50\n"), "f.yaml", &diags);
	assert_true(str_is(value_get(v, STR("mode"))->as.text, "644"));
	assert_true(str_is(value_get(v, STR("zip"))->as.text, "-7.50"));
	assert_int_equal(diags.errors, 0);
	assert_int_equal(diags.list.len, 2);
	assert_string_equal(diags.list.ptr[0].code, "E-YAML-LEADING-ZERO");
	assert_string_equal(diags.list.ptr[0].message, "0644 is read as the number 644");
	assert_int_equal(diags.list.ptr[1].at.line, 2);
	diags_finish(&diags);
	struct buf many = {0};
	for (int i = 0; i < 500; i++)
		buf_printf(&many, "- 0%d\n", i);
	v = yaml_parse(&arena, buf_str(&many), "f.yaml", &diags);
	assert_int_equal(v->as.list.count, 500);
	assert_int_equal(diags.list.len, 100);
	buf_finish(&many);
	diags_finish(&diags);
	arena_finish(&arena);
}

/* ---- limits ---- */

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void repeat(struct buf *out, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_add_z(out, text);
}

static void assert_limited(struct buf *text, uint32_t line, uint32_t col, const char *message)
{
	const char *help = strstr(message, "lists and maps") ? "flatter" : NULL;
	struct refusal refusal = {buf_str(text), "E-YAML-LIMIT", line, col, message, help};
	double start = seconds();
	assert_refused(&refusal);
	if (seconds() - start > 5)
		fail_msg("took %.1f s", seconds() - start);
	buf_finish(text);
}

static void depth_is_limited_before_it_costs(void **state)
{
	(void)state;
	static const char message[] = "more than 64 lists and maps";
	struct buf text = {0};
	repeat(&text, "[", 64);
	repeat(&text, "]", 64);
	struct arena arena = {0};
	assert_non_null(parse(&arena, buf_str(&text)));
	arena_finish(&arena);
	buf_clear(&text);
	repeat(&text, "[", 100000);
	assert_limited(&text, 1, 65, message);
	repeat(&text, "[\n", 100000);
	assert_limited(&text, 65, 1, message);
	repeat(&text, "{a: ", 100000);
	assert_limited(&text, 1, 257, message);
	repeat(&text, "- ", 100000);
	assert_limited(&text, 1, 129, message);
	repeat(&text, "? ", 100000);
	struct refusal complex = {buf_str(&text), "E-YAML-KEY", 1, 3, "this is a map", NULL};
	assert_refused(&complex);
	buf_finish(&text);
	/* Aliases may not build depth either. */
	buf_add_z(&text, "- &a0 ");
	repeat(&text, "[", 40);
	repeat(&text, "]", 40);
	buf_add_z(&text, "\n- ");
	repeat(&text, "[", 24);
	buf_add_z(&text, "*a0");
	repeat(&text, "]", 24);
	assert_limited(&text, 2, 27, message);
}

static void aliases_are_limited(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_add_z(&text, "- &a x\n");
	repeat(&text, "- *a\n", YAML_MAX_ALIASES);
	struct arena arena = {0};
	assert_int_equal(parse(&arena, buf_str(&text))->as.list.count, 1001);
	arena_finish(&arena);
	repeat(&text, "- *a\n", 1);
	assert_limited(&text, 1002, 3, "more than 1000 aliases");
	/* A billion laughs. */
	buf_add_z(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_printf(&text, "%s*a%d", j ? ", " : "", i - 1);
		buf_add_z(&text, "]\n");
	}
	assert_limited(&text, 6, 45, "more than 1000000 values");
	repeat(&text, "- &a 1\n", 10001);
	assert_limited(&text, 10001, 3, "more than 10000 anchors");
}

static void size_is_limited(void **state)
{
	(void)state;
	struct buf text = {0};
	buf_add_z(&text, "[");
	repeat(&text, "a,", YAML_MAX_NODES - 1);
	size_t len = text.len;
	buf_add_z(&text, "]");
	struct arena arena = {0};
	assert_int_equal(parse(&arena, buf_str(&text))->as.list.count, YAML_MAX_NODES - 1);
	arena_finish(&arena);
	text.len = len;
	buf_add_z(&text, "a]");
	assert_limited(&text, 1, 2 * YAML_MAX_NODES, "more than 1000000 values");
	char *bytes = malloc(YAML_MAX_BYTES + 1);
	memset(bytes, ' ', YAML_MAX_BYTES + 1);
	struct refusal large = {
		str_make(bytes, YAML_MAX_BYTES + 1), "E-YAML-LIMIT", 0, 0, "67108865 bytes", NULL};
	assert_refused(&large);
	assert_int_equal(parse(&arena, str_make(bytes, YAML_MAX_BYTES))->kind, VALUE_NULL);
	arena_finish(&arena);
	free(bytes);
}

static void one_long_line_is_not_slow(void **state)
{
	(void)state;
	struct buf text = {0};
	struct arena arena = {0};
	buf_add_z(&text, "{");
	for (int i = 0; i < 100000; i++)
		buf_printf(&text, "\xc3\xa9%d: [\"\xe2\x82\xac\"], ", i);
	buf_add_z(&text, "}");
	double start = seconds();
	const struct value *v = parse(&arena, buf_str(&text));
	if (seconds() - start > 5)
		fail_msg("took %.1f s", seconds() - start);
	assert_int_equal(v->as.map.count, 100000);
	const struct value_member *last = &v->as.map.items[99999];
	assert_int_equal(memcmp(text.ptr + last->col - 1, last->key.ptr, last->key.len), 0);
	assert_int_equal(text.ptr[last->value.col - 1], '[');
	arena_finish(&arena);
	buf_finish(&text);
}

static void many_errors_are_cut_short(void **state)
{
	(void)state;
	struct buf text = {0};
	struct arena arena = {0};
	struct diags diags = {0};
	repeat(&text, "a: .inf\n", 100000);
	assert_null(yaml_parse(&arena, buf_str(&text), "f.yaml", &diags));
	assert_int_equal(diags.errors, 100);
	diags_finish(&diags);
	buf_clear(&text);
	repeat(&text, "a: 1\n", 100000);
	assert_null(yaml_parse(&arena, buf_str(&text), "f.yaml", &diags));
	assert_int_equal(diags.errors, 100);
	diags_finish(&diags);
	arena_finish(&arena);
	buf_finish(&text);
}

static void workflows_of_100000_nodes_load(void **state)
{
	(void)state;
	struct buf text = {0};
	struct arena arena = {0};
	buf_add_z(&text, "name: big\nnodes:\n");
	for (int i = 0; i < 100000; i++)
		buf_printf(&text,
			"  - id: node_%06d\n    depends_on: [node_%06d, node_%06d]\n    reads: [src/%06d.c]\n"
			"    bash: |\n      set -u\n      cc -c \"src/%06d.c\" -o \"$ARTIFACTS_DIR/%06d.o\"\n"
			"      echo 'a line that makes the body as long as bodies are in practice'\n"
			"      printf '%%s\\n' \"$node_%06d.output\"\n      # %040d\n",
			i, i / 2, i / 3, i, i, i, i / 2, i);
	double start = seconds();
	const struct value *v = parse(&arena, buf_str(&text));
	print_message("%zu bytes in %.0f ms\n", text.len, (seconds() - start) * 1000);
	assert_int_equal(value_get(v, STR("nodes"))->as.list.count, 100000);
	assert_true(str_is(value_path(v, STR("nodes.99999.reads.0"))->as.text, "src/099999.c"));
	arena_finish(&arena);
	buf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_are_of_the_core_schema),
		cmocka_unit_test(structures_and_styles),
		cmocka_unit_test(aliases_stand_for_values),
		cmocka_unit_test(values_know_where_they_are),
		cmocka_unit_test(syntax_errors_are_explained),
		cmocka_unit_test(what_pawl_leaves_out_is_refused),
		cmocka_unit_test(bytes_that_yaml_has_not_are_refused),
		cmocka_unit_test(all_problems_are_reported_at_once),
		cmocka_unit_test(leading_zeros_are_warned_of),
		cmocka_unit_test(depth_is_limited_before_it_costs),
		cmocka_unit_test(aliases_are_limited),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(one_long_line_is_not_slow),
		cmocka_unit_test(many_errors_are_cut_short),
		cmocka_unit_test(workflows_of_100000_nodes_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
