/* schema: Debian's JSON-Schema-Test-Suite as the oracle, and what it does not ask: messages, places, limits. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/json.h"
#include "data/schema.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7"

static bool read_file(const char *path, struct buf *out)
{
	char part[4096];
	size_t n;
	FILE *file = fopen(path, "rb");

	if (!file)
		return false;
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(out, str_make(part, n));
	fclose(file);
	return true;
}

/* ---- the suite ---- */

/* Groups of the suite whose schema needs a word, or a use of one, that is not claimed; all else must run and agree. */
static const struct {
	const char *file;
	const char *group; /* NULL: all of the file */
	const char *code;  /* what compiling says; NULL: it compiles, and is not run */
	const char *why;
} not_claimed[] = {
	{"definitions.json", NULL, "E-SCHEMA-REF", "$ref to a schema on the network"},
	{"ref.json", "remote ref, containing refs itself", "E-SCHEMA-REF", "the same"},
	{"ref.json", "Recursive references between schemas", "E-SCHEMA-ID", "$id below the root"},
	{"ref.json", "escaped pointer ref", "E-SCHEMA-UNKNOWN-WORD",
		"definitions outside of 'definitions'; refs_are_followed has the escapes"},
	{"refRemote.json", NULL, "E-SCHEMA-REF", "$ref to schemas on the network"},
	{"refRemote.json", NULL, "E-SCHEMA-ID", "$id below the root"},
	{"content.json", NULL, "E-SCHEMA-UNKNOWN-WORD", "contentEncoding, contentMediaType"},
	{"ecmascript-regex.json", "ECMA 262 regex non-compliance", NULL, "format is an annotation"},
};

struct tally {
	size_t ran;
	size_t skipped;
	size_t wrong;
};

static const char *claimed_not(const char *file, str group, const char *code)
{
	for (size_t i = 0; i < sizeof(not_claimed) / sizeof(not_claimed[0]); i++)
		if (strcmp(not_claimed[i].file, file) == 0 &&
			(!not_claimed[i].group || str_is(group, not_claimed[i].group)) &&
			(code ? not_claimed[i].code && strcmp(not_claimed[i].code, code) == 0
			      : !not_claimed[i].code))
			return not_claimed[i].why;
	return NULL;
}

static void run_case(const struct schema *schema, const char *file, str group,
	const struct value *one, struct tally *tally)
{
	struct diags diags = {0};
	bool wanted = value_get(one, STR("valid"))->as.boolean;
	str name = value_get(one, STR("description"))->as.text;

	bool got = schema_check(schema, value_get(one, STR("data")), file, 0, &diags);
	tally->ran++;
	if (got != wanted) {
		tally->wrong++;
		print_message("WRONG %s: %.*s: %.*s: is %s\n", file, STR_ARG(group), STR_ARG(name),
			got ? "valid" : "not valid");
	}
	/* An answer and its reasons are one. */
	assert_true(got == (diags.errors == 0));
	/* Less wanted, the same answer. */
	struct diags first = {0};
	assert_true(schema_check(schema, value_get(one, STR("data")), file, 1, &first) == got);
	assert_int_equal(first.errors, got ? 0 : 1);
	diags_finish(&first);
	diags_finish(&diags);
}

static void run_group(const char *file, const struct value *group, struct tally *tally)
{
	struct arena arena = {0};
	struct diags diags = {0};
	str name = value_get(group, STR("description"))->as.text;
	const struct value *tests = value_get(group, STR("tests"));

	const struct schema *schema =
		schema_compile(&arena, value_get(group, STR("schema")), file, &diags);
	const char *why = claimed_not(file, name, schema ? NULL : diags.list.ptr[0].code);
	if (schema && !why) {
		for (size_t i = 0; i < tests->as.list.count; i++)
			run_case(schema, file, name, &tests->as.list.items[i], tally);
	} else {
		print_message("%s %s: %.*s (%zu cases): %s\n", why ? "not claimed:" : "WRONG", file,
			STR_ARG(name), tests->as.list.count, why ? why : diags.list.ptr[0].message);
		tally->skipped += tests->as.list.count;
		tally->wrong += why == NULL;
	}
	diags_finish(&diags);
	arena_finish(&arena);
}

static void run_file(const char *directory, const char *file, struct tally *tally)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf path = {0};
	struct buf text = {0};

	buf_printf(&path, "%s/%s", directory, file);
	assert_true(read_file(buf_cstr(&path), &text));
	const struct value *groups = json_parse(&arena, buf_str(&text), &err);
	if (!groups)
		fail_msg("%s:%u: %s", file, err.at.line, err.message);
	for (size_t i = 0; i < groups->as.list.count; i++)
		run_group(file, &groups->as.list.items[i], tally);
	buf_finish(&text);
	buf_finish(&path);
	arena_finish(&arena);
}

static void the_suite_agrees(void **state)
{
	static const char *const optional[] = {"bignum.json", "content.json",
		"ecmascript-regex.json", "zeroTerminatedFloats.json"};
	struct tally tally = {0};
	DIR *dir = opendir(SUITE);

	(void)state;
	if (!dir) {
		print_message("no %s: install json-schema-test-suite to run it\n", SUITE);
		skip();
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (str_ends(str_of(entry->d_name), STR(".json")))
			run_file(SUITE, entry->d_name, &tally);
	closedir(dir);
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		run_file(SUITE "/optional", optional[i], &tally);
	print_message("suite: %zu cases ran, %zu not claimed\n", tally.ran, tally.skipped);
	assert_int_equal(tally.wrong, 0);
	assert_true(tally.ran > 400);
}

/* ---- beyond the suite ---- */

struct fixture {
	struct arena arena;
	struct diags diags;
	const struct schema *schema;
	const struct value *value;
};

static const struct value *parse(struct arena *arena, const char *json)
{
	struct err err = {0};
	const struct value *value = json_parse(arena, str_of(json), &err);

	if (!value)
		fail_msg("%s: %s", json, err.message);
	return value;
}

static void finish(struct fixture *f)
{
	diags_finish(&f->diags);
	arena_finish(&f->arena);
	*f = (struct fixture){0};
}

static void compile(struct fixture *f, const char *schema)
{
	*f = (struct fixture){0};
	f->schema = schema_compile(&f->arena, parse(&f->arena, schema), "schema.json", &f->diags);
	if (!f->schema)
		fail_msg("%s: %s", schema, f->diags.list.ptr[0].message);
}

static bool check(struct fixture *f, const char *value)
{
	diags_finish(&f->diags);
	f->value = parse(&f->arena, value);
	return schema_check(f->schema, f->value, "value.json", 0, &f->diags);
}

static void messages_say_what_and_where(void **state)
{
	static const struct {
		const char *schema;
		const char *value;
		const char *message;
		uint32_t col;
	} cases[] = {
		{"{\"type\": \"string\"}", "[]", "the value is a list, not a string", 1},
		{"{\"type\": [\"string\", \"null\"]}", "true",
			"the value is true, not null or a string", 1},
		{"{\"type\": \"integer\"}", "1.5", "the value is the number 1.5, not an integer",
			1},
		{"{\"items\": {\"properties\": {\"name\": {\"type\": \"string\"}}}}",
			"[{\"name\": 7}]", "0.name: is the number 7, not a string", 11},
		{"{\"const\": {\"a\": 1}}", "[1]", "the value is [1], not {\"a\":1}", 1},
		{"{\"enum\": [\"x\", 1, null]}", "\"y\"",
			"the value is \"y\", none of \"x\", 1, null", 1},
		{"{\"required\": [\"a\", \"b\"]}", "{\"a\": 1}",
			"the value has no 'b', which is required", 1},
		{"{\"properties\": {\"name\": true}, \"additionalProperties\": false}",
			"{\"nmae\": 1}", "nmae: is not allowed here", 2},
		{"{\"properties\": {\"a\": false}}", "{\"a\": 1}", "a: is not allowed here", 7},
		{"{\"propertyNames\": {\"maxLength\": 2}}", "{\"abc\": 1}",
			"abc (the name): has 3 characters, more than 2", 2},
		{"{\"minProperties\": 2}", "{\"a\": 1}", "the value has 1 member, fewer than 2", 1},
		{"{\"dependencies\": {\"a\": [\"b\"]}}", "{\"a\": 1}",
			"the value has no 'b', which 'a' requires", 1},
		{"{\"maxItems\": 1}", "[1, 2]", "the value has 2 items, more than 1", 1},
		{"{\"uniqueItems\": true}", "[1, 2, 1.0]", "the value has equal items: 0 and 2", 8},
		{"{\"contains\": {\"type\": \"null\"}}", "[1]",
			"the value has no item such as 'contains' asks for", 1},
		{"{\"minLength\": 3}", "\"\\u00e4\\u00e4\"",
			"the value has 2 characters, fewer than 3", 1},
		{"{\"pattern\": \"^x$\"}", "\"y\"",
			"the value is \"y\", which does not match the pattern ^x$", 1},
		{"{\"minimum\": 5}", "4", "the value is 4, less than 5", 1},
		{"{\"maximum\": 5}", "6", "the value is 6, more than 5", 1},
		{"{\"exclusiveMinimum\": 5}", "5.0", "the value is 5.0, not more than 5", 1},
		{"{\"exclusiveMaximum\": 5}", "5", "the value is 5, not less than 5", 1},
		{"{\"multipleOf\": 0.1}", "0.25", "the value is 0.25, not a multiple of 0.1", 1},
		{"{\"not\": {}}", "1", "the value is what 'not' excludes", 1},
		{"{\"oneOf\": [{}, {\"type\": \"null\"}, {}]}", "1",
			"the value fits alternatives 1 and 3, where it must fit exactly one", 1},
		{"{\"anyOf\": [{\"minimum\": 5}, {\"maximum\": 1}]}", "3",
			"the value fits none of the 2 alternatives", 1},
		/* the only alternative of that type was meant */
		{"{\"anyOf\": [{\"type\": \"null\"}, {\"type\": \"object\", \"required\": [\"a\"]}]}",
			"{}", "the value has no 'a', which is required", 1},
		{"{\"if\": {\"type\": \"object\"}, \"then\": {\"required\": [\"a\"]}}", "{}",
			"the value has no 'a', which is required", 1},
		{"{\"$ref\": \"#/definitions/n\", \"definitions\": {\"n\": {\"type\": \"null\"}}}",
			"1", "the value is the number 1, not null", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		compile(&f, cases[i].schema);
		if (check(&f, cases[i].value))
			fail_msg("%s accepts %s", cases[i].schema, cases[i].value);
		assert_int_equal(f.diags.list.len, 1);
		const struct err *err = &f.diags.list.ptr[0];
		assert_string_equal(err->code, "E-SCHEMA-MISMATCH");
		assert_string_equal(err->message, cases[i].message);
		assert_string_equal(err->at.file, "value.json");
		if (err->at.line != 1 || err->at.col != cases[i].col)
			fail_msg("%s: column %u", err->message, err->at.col);
		finish(&f);
	}
}

static void all_violations_are_reported_or_as_many_as_wanted(void **state)
{
	struct fixture f;

	(void)state;
	compile(&f, "{\"items\": {\"type\": \"string\", \"minLength\": 2, \"pattern\": \"^b\"}}");
	assert_false(check(&f, "[1, \"a\", \"bb\", null]"));
	assert_int_equal(f.diags.errors, 4);
	diags_finish(&f.diags);
	assert_false(schema_check(f.schema, f.value, "value.json", 2, &f.diags));
	assert_int_equal(f.diags.errors, 2);
	finish(&f);
	compile(&f, "{\"properties\": {\"name\": {}}, \"additionalProperties\": false}");
	assert_false(check(&f, "{\"nmae\": 1}"));
	assert_string_equal(f.diags.list.ptr[0].help, "did you mean 'name'?");
	finish(&f);
}

static void numbers_are_exact(void **state)
{
	static const struct {
		const char *schema;
		const char *value;
		bool good;
	} cases[] = {
		{"{\"minimum\": 9007199254740993}", "9007199254740992", false},
		{"{\"minimum\": 9007199254740993}", "9007199254740993", true},
		{"{\"const\": 9007199254740993}", "9007199254740992", false},
		{"{\"type\": \"integer\"}", "1.0", true},
		{"{\"type\": \"integer\"}", "1e400", true},
		{"{\"type\": \"integer\"}", "1e-400", false},
		{"{\"maximum\": 1e400}", "1e399", true},
		{"{\"multipleOf\": 0.01}", "19.99", true},
		{"{\"multipleOf\": 0.01}", "19.999", false},
		{"{\"multipleOf\": 3}", "1000000000000000000000000000000000002", true},
		{"{\"enum\": [1.0]}", "1", true},
		{"{\"minLength\": 2.0}", "\"a\"", false},
		{"{\"maxLength\": 1e30}", "\"a\"", true},
		{"{\"minLength\": 18446744073709551616}", "\"a\"", false},
		{"{\"minLength\": 1e1}", "\"aaaaaaaaa\"", false},
		{"{\"minLength\": 1e1}", "\"aaaaaaaaaa\"", true},
		{"{\"uniqueItems\": true}", "[9007199254740992, 9007199254740993]", true},
		{"{\"uniqueItems\": true}", "[{\"a\": 1, \"b\": [2]}, {\"b\": [2.0], \"a\": 1e0}]",
			false},
		{"{\"uniqueItems\": true}", "[1, true, \"1\", [1], {\"1\": 1}, null]", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		compile(&f, cases[i].schema);
		if (check(&f, cases[i].value) != cases[i].good)
			fail_msg("%s on %s", cases[i].schema, cases[i].value);
		finish(&f);
	}
}

static void refs_are_followed(void **state)
{
	struct fixture f;

	(void)state;
	compile(&f, "{\"properties\": {\"a\": {\"$ref\": \"#/definitions/x~1y~0z%25%20q\"},"
		    "\"b\": {\"$ref\": \"#/definitions/list/items/1\"}, \"c\": {\"$ref\": \"#\"}},"
		    "\"definitions\": {\"x/y~z% q\": {\"type\": \"integer\"},"
		    "\"list\": {\"items\": [{}, {\"type\": \"null\"}]}}}");
	assert_true(check(&f, "{\"a\": 1, \"b\": null, \"c\": {\"c\": {\"a\": 2}}}"));
	assert_false(check(&f, "{\"a\": \"x\"}"));
	assert_false(check(&f, "{\"b\": 1}"));
	assert_false(check(&f, "{\"c\": {\"c\": {\"a\": null}}}"));
	assert_string_equal(f.diags.list.ptr[0].message, "c.c.a: is null, not an integer");
	finish(&f);
}

static void what_is_no_schema_is_refused(void **state)
{
	static const struct {
		const char *schema;
		const char *code;
		const char *message; /* a part of it */
		const char *help;    /* a part of it; NULL: there is none */
	} cases[] = {
		{"7", "E-SCHEMA-VALUE", "a schema is a map, true or false, not a number", NULL},
		{"{\"requierd\": []}", "E-SCHEMA-UNKNOWN-WORD", "'requierd' is not a word",
			"did you mean 'required'?"},
		{"{\"xyzzy\": []}", "E-SCHEMA-UNKNOWN-WORD", "'xyzzy'", "would be ignored"},
		{"{\"$defs\": {}}", "E-SCHEMA-UNKNOWN-WORD", "'$defs'", "'definitions'"},
		{"{\"nullable\": true}", "E-SCHEMA-UNKNOWN-WORD", "'nullable'", "[TYPE, 'null']"},
		{"{\"type\": \"strng\"}", "E-SCHEMA-VALUE", "no type 'strng'", "'string'"},
		{"{\"type\": \"list\"}", "E-SCHEMA-VALUE", "no type 'list'", "'array'"},
		{"{\"type\": \"qqqqqqq\"}", "E-SCHEMA-VALUE", "no type 'qqqqqqq'", "null, boolean"},
		{"{\"type\": null}", "E-SCHEMA-VALUE", "not null", "in quotes"},
		{"{\"type\": []}", "E-SCHEMA-VALUE", "names no type", NULL},
		{"{\"enum\": []}", "E-SCHEMA-VALUE", "has no values", NULL},
		{"{\"enum\": 1}", "E-SCHEMA-VALUE", "'enum' is a number, and must be a list", NULL},
		{"{\"required\": true}", "E-SCHEMA-VALUE", "list of names", "the map around it"},
		{"{\"required\": [1]}", "E-SCHEMA-VALUE", "has a number in it", NULL},
		{"{\"properties\": []}", "E-SCHEMA-VALUE", "must be a map", NULL},
		{"{\"properties\": {\"a\": {\"items\": {\"typ\": 1}}}}", "E-SCHEMA-UNKNOWN-WORD",
			"'typ'", "'type'"},
		{"{\"definitions\": {\"unused\": {\"typ\": 1}}}", "E-SCHEMA-UNKNOWN-WORD", "'typ'",
			"'type'"},
		{"{\"not\": 1}", "E-SCHEMA-VALUE", "a schema is a map", NULL},
		{"{\"allOf\": []}", "E-SCHEMA-VALUE", "'allOf' has no schemas", NULL},
		{"{\"minLength\": -1}", "E-SCHEMA-VALUE", "a whole number from 0", NULL},
		{"{\"minLength\": 1.5}", "E-SCHEMA-VALUE", "a whole number from 0", NULL},
		{"{\"minimum\": \"1\"}", "E-SCHEMA-VALUE", "must be a number", NULL},
		{"{\"exclusiveMinimum\": true}", "E-SCHEMA-VALUE", "is a number in draft-7",
			"'minimum'"},
		{"{\"exclusiveMaximum\": true}", "E-SCHEMA-VALUE", "is a number in draft-7",
			"'maximum'"},
		{"{\"multipleOf\": 0}", "E-SCHEMA-VALUE", "must be more than 0", NULL},
		{"{\"multipleOf\": 1.234567890123456789}", "E-SCHEMA-VALUE", "at most 18", NULL},
		{"{\"minimum\": 1e99999999999999999999}", "E-SCHEMA-VALUE", "too large", NULL},
		{"{\"pattern\": \"(\"}", "E-REGEX-SYNTAX", "no end", "write \\("},
		{"{\"patternProperties\": {\"[\": {}}}", "E-REGEX-SYNTAX", "no ']'", "write \\["},
		{"{\"pattern\": \"a{99999}\"}", "E-REGEX-BUDGET", "10000", "repeat less"},
		{"{\"$ref\": \"#/definitions/x\"}", "E-SCHEMA-REF", "points at nothing",
			"definition"},
		{"{\"$ref\": \"#/~2\"}", "E-SCHEMA-REF", "points at nothing", "definition"},
		{"{\"$ref\": \"#/%4\"}", "E-SCHEMA-REF", "points at nothing", "definition"},
		{"{\"$ref\": \"#name\"}", "E-SCHEMA-REF", "leads out", "copy"},
		{"{\"$ref\": \"http://example.org/x\"}", "E-SCHEMA-REF", "leads out", "copy"},
		{"{\"$ref\": 1}", "E-SCHEMA-VALUE", "must be a string", NULL},
		{"{\"$ref\": \"#/title\", \"title\": \"x\"}", "E-SCHEMA-VALUE", "a schema is a map",
			NULL},
		{"{\"$ref\": \"#\"}", "E-SCHEMA-LOOP", "comes back to itself", "`items`"},
		{"{\"allOf\": [{\"not\": {\"$ref\": \"#\"}}]}", "E-SCHEMA-LOOP", "comes back",
			"`items`"},
		{"{\"definitions\": {\"a\": {\"if\": {\"$ref\": \"#/definitions/b\"}}, \"b\": "
		 "{\"dependencies\": {\"x\": {\"$ref\": \"#/definitions/a\"}}}}}",
			"E-SCHEMA-LOOP", "comes back", "`items`"},
		{"{\"items\": {\"$id\": \"x\"}}", "E-SCHEMA-ID", "not supported", "remove it"},
		{"{\"format\": 1}", "E-SCHEMA-VALUE", "must be a string", NULL},
		{"{\"uniqueItems\": 1}", "E-SCHEMA-VALUE", "must be true or false", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct diags diags = {0};
		if (schema_compile(&arena, parse(&arena, cases[i].schema), "s.json", &diags))
			fail_msg("%s: was accepted", cases[i].schema);
		const struct err *err = &diags.list.ptr[0];
		if (strcmp(err->code, cases[i].code) != 0 ||
			!strstr(err->message, cases[i].message))
			fail_msg("%s: %s: %s", cases[i].schema, err->code, err->message);
		if (cases[i].help ? !err->help || !strstr(err->help, cases[i].help)
				  : err->help != NULL)
			fail_msg("%s: help: %s", cases[i].schema, err->help ? err->help : "(none)");
		assert_string_equal(err->at.file, "s.json");
		assert_int_equal(err->at.line, 1);
		diags_finish(&diags);
		arena_finish(&arena);
	}
}

static void all_mistakes_of_a_schema_are_reported_at_their_places(void **state)
{
	struct arena arena = {0};
	struct diags diags = {0};

	(void)state;
	assert_null(schema_compile(&arena,
		parse(&arena, "{\"typ\": 1,\n \"items\": {\"pattern\": \"(\"},\n \"$comment\": 5}"),
		"s.json", &diags));
	diags_sort(&diags);
	assert_int_equal(diags.errors, 3);
	assert_int_equal(diags.list.ptr[0].at.line, 1);
	assert_int_equal(diags.list.ptr[0].at.col, 2);
	assert_int_equal(diags.list.ptr[0].at.len, 3);
	assert_int_equal(diags.list.ptr[1].at.line, 2);
	assert_int_equal(diags.list.ptr[1].at.col, 23);
	assert_int_equal(diags.list.ptr[2].at.line, 3);
	diags_finish(&diags);
	arena_finish(&arena);
}

static void what_has_no_effect_is_warned_about(void **state)
{
	static const char *const schemas[] = {
		"{\"$ref\": \"#/definitions/a\", \"maxItems\": 2, \"definitions\": {\"a\": {}}}",
		"{\"then\": {}}", "{\"else\": {}}", "{\"additionalItems\": false, \"items\": {}}",
		"{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		struct fixture f;
		compile(&f, schemas[i]);
		assert_int_equal(f.diags.errors, 0);
		assert_int_equal(f.diags.list.len, 1);
		assert_true(f.diags.list.ptr[0].is_warning);
		assert_non_null(f.diags.list.ptr[0].help);
		finish(&f);
	}
}

static void optional_paths_are_known(void **state)
{
	static const struct {
		const char *schema;
		const char *path;
		bool is_optional;
	} cases[] = {
		{"{\"properties\": {\"a\": {}}}", "a", true},
		{"{\"properties\": {\"a\": {}}}", "b", false},
		{"{\"properties\": {\"a\": {}}, \"required\": [\"a\"]}", "a", false},
		{"{\"properties\": {\"a\": {\"properties\": {\"b\": {}}, \"required\": [\"b\"]}}}",
			"a.b", true}, /* without a there is no b */
		{"{\"properties\": {\"a\": {\"properties\": {\"b\": {}}}}, \"required\": [\"a\"]}",
			"a.b", true},
		{"{\"properties\": {\"a\": {\"properties\": {\"b\": {}}, \"required\": [\"b\"]}}, "
		 "\"required\": [\"a\"]}",
			"a.b", false},
		{"{\"properties\": {\"a\": {}}}", "a.b", false},
		{"{\"properties\": {\"a\": {}}}", "", false},
		{"{\"properties\": {\"a\": false}}", "a", false},
		{"{\"additionalProperties\": {}}", "a", false}, /* not declared by its name */
		{"{\"items\": {\"properties\": {\"a\": {}}}}", "0.a", true},
		{"{\"items\": {}, \"minItems\": 2}", "1", false},
		{"{\"items\": {}, \"minItems\": 2}", "2", true},
		{"{\"items\": [{}, {}]}", "1", true},
		{"{\"items\": [{}, {}]}", "2", false},
		{"{\"items\": {}}", "first", false},
		{"{\"$ref\": \"#/definitions/x\", \"definitions\": {\"x\": {\"properties\": {\"a\": "
		 "{}}}}}",
			"a", true},
		{"{\"allOf\": [{\"properties\": {\"a\": {}}}, {\"required\": [\"a\"]}]}", "a",
			false},
		{"{\"anyOf\": [{\"properties\": {\"a\": {}}, \"required\": [\"a\"]}, {}]}", "a",
			true},
		{"{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"a\", \"b\"]}], "
		 "\"properties\": {\"a\": {}, \"b\": {}}}",
			"a", false},
		{"{\"oneOf\": [{\"required\": [\"a\"]}, {\"required\": [\"a\", \"b\"]}], "
		 "\"properties\": {\"a\": {}, \"b\": {}}}",
			"b", true},
		{"{\"properties\": {\"next\": {\"$ref\": \"#\"}}}", "next.next.next", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		compile(&f, cases[i].schema);
		if (schema_is_optional(f.schema, str_of(cases[i].path)) != cases[i].is_optional)
			fail_msg("%s: '%s'", cases[i].schema, cases[i].path);
		finish(&f);
	}
}

/* Each level asks twice for the one below it. */
static void a_schema_that_multiplies_is_stopped(void **state)
{
	struct fixture f;
	struct buf text = {0};
	clock_t before = clock();

	(void)state;
	buf_add_z(&text, "{\"$ref\": \"#/definitions/0\", \"definitions\": {");
	for (int i = 0; i < 60; i++)
		buf_printf(&text,
			"\"%d\": {\"anyOf\": [{\"$ref\": \"#/definitions/%d\"}, {\"$ref\": "
			"\"#/definitions/%d\"}]}, ",
			i, i + 1, i + 1);
	buf_add_z(&text, "\"60\": {\"type\": \"null\"}}}");
	compile(&f, buf_cstr(&text));
	assert_false(check(&f, "1"));
	assert_int_equal(f.diags.errors, 1);
	assert_string_equal(f.diags.list.ptr[0].code, "E-SCHEMA-BUDGET");
	assert_false(schema_is_optional(f.schema, STR("a")));
	assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 60.0);
	finish(&f);
	buf_finish(&text);
}

static void depth_is_limited_not_the_stack(void **state)
{
	struct fixture f;
	struct buf value = {0};
	struct buf schema = {0};

	(void)state;
	for (int i = 0; i < 500; i++)
		buf_add_char(&value, '[');
	buf_add_char(&value, '1');
	for (int i = 0; i < 500; i++)
		buf_add_char(&value, ']');
	compile(&f, "{\"items\": {\"$ref\": \"#\"}, \"maximum\": 0}");
	assert_false(check(&f, buf_cstr(&value)));
	assert_string_equal(f.diags.list.ptr[0].code, "E-SCHEMA-MISMATCH");
	assert_true(str_ends(str_of(f.diags.list.ptr[0].message), STR(".0.0: is 1, more than 0")));
	finish(&f);
	/* Five schemas a level. */
	compile(&f, "{\"allOf\": [{\"allOf\": [{\"allOf\": [{\"allOf\": [{\"items\": {\"$ref\": "
		    "\"#\"}}]}]}]}]}");
	assert_false(check(&f, buf_cstr(&value)));
	assert_string_equal(f.diags.list.ptr[0].code, "E-SCHEMA-DEPTH");
	finish(&f);
	/* A chain of references is as long as its author wants. */
	buf_add_z(&schema, "{\"$ref\": \"#/definitions/0\", \"definitions\": {");
	for (int i = 0; i < 20000; i++)
		buf_printf(&schema, "\"%d\": {\"$ref\": \"#/definitions/%d\"}, ", i, i + 1);
	buf_add_z(&schema, "\"20000\": {\"type\": \"null\"}}}");
	compile(&f, buf_cstr(&schema));
	assert_true(check(&f, "null"));
	assert_false(check(&f, "1"));
	finish(&f);
	buf_finish(&schema);
	buf_finish(&value);
}

static void large_lists_are_unique_in_no_time(void **state)
{
	struct fixture f;
	struct buf value = {0};
	clock_t before = clock();

	(void)state;
	buf_add_char(&value, '[');
	for (int i = 0; i < 100000; i++)
		buf_printf(&value, "{\"id\": %d}, ", i);
	buf_add_z(&value, "{\"id\": 5e0}]");
	compile(&f, "{\"uniqueItems\": true}");
	assert_false(check(&f, buf_cstr(&value)));
	assert_string_equal(f.diags.list.ptr[0].message, "the value has equal items: 5 and 100000");
	assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 20.0);
	finish(&f);
	buf_finish(&value);
}

static void patterns_stand_alone_too(void **state)
{
	struct err err = {0};
	bool matched = false;

	(void)state;
	assert_true(schema_regex(STR("^v\\d"), STR("v1.2"), &matched, &err));
	assert_true(matched);
	assert_true(schema_regex(STR("ERROR"), STR("fine"), &matched, &err));
	assert_false(matched);
	assert_false(schema_regex(STR("("), STR(""), &matched, &err));
	assert_string_equal(err.code, "E-REGEX-SYNTAX");
	err_finish(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_suite_agrees),
		cmocka_unit_test(messages_say_what_and_where),
		cmocka_unit_test(all_violations_are_reported_or_as_many_as_wanted),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(refs_are_followed),
		cmocka_unit_test(what_is_no_schema_is_refused),
		cmocka_unit_test(all_mistakes_of_a_schema_are_reported_at_their_places),
		cmocka_unit_test(what_has_no_effect_is_warned_about),
		cmocka_unit_test(optional_paths_are_known),
		cmocka_unit_test(a_schema_that_multiplies_is_stopped),
		cmocka_unit_test(depth_is_limited_not_the_stack),
		cmocka_unit_test(large_lists_are_unique_in_no_time),
		cmocka_unit_test(patterns_stand_alone_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
