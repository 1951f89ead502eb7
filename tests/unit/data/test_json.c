/* json: what is accepted, where each mistake is placed, what is written, and that cJSON agrees. */
#include "base/buf.h"
#include "base/utf8.h"
#include "data/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct value *parse(struct arena *arena, str text)
{
	struct err err = {0};
	const struct value *value = json_parse(arena, text, &err);
	if (!value)
		fail_msg("%.*s: %s", STR_ARG(text), err.message);
	return value;
}

static void assert_written(const char *text, const char *compact)
{
	struct arena arena = {0};
	struct buf out = {0};
	json_write(&out, parse(&arena, str_of(text)));
	assert_string_equal(buf_cstr(&out), compact);
	buf_finish(&out);
	arena_finish(&arena);
}

static void values_come_back_as_written(void **state)
{
	(void)state;
	assert_written(" [ ] ", "[]");
	assert_written("{\r\n\t}", "{}");
	assert_written(
		"{\"b\" : 1, \"a\":[true , false,null]}", "{\"b\":1,\"a\":[true,false,null]}");
	assert_written(
		"[9007199254740993,1.50,-0,1E+2,0.1e-7]", "[9007199254740993,1.50,-0,1E+2,0.1e-7]");
	assert_written("\"\\u0041\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "\"A/\\b\\f\\n\\r\\t\\\"\\\\\"");
	assert_written("\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\"");
	assert_written(
		"\"\\ud83d\\uDE00\\u00e9\\u20AC\"", "\"\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac\"");
	assert_written("{\"\":{\"\":[[]]}}", "{\"\":{\"\":[[]]}}");
	assert_written("{\"a\\nb\":1}", "{\"a\\nb\":1}");
	assert_written("\"x\"", "\"x\"");
}

static void strings_without_escapes_are_borrowed(void **state)
{
	(void)state;
	struct arena arena = {0};
	str text = STR("[\"plain\", \"a\\nb\", 12]");
	const struct value *v = parse(&arena, text);
	assert_ptr_equal(v->as.list.items[0].as.text.ptr, text.ptr + 2);
	assert_ptr_equal(v->as.list.items[2].as.text.ptr, text.ptr + 18);
	const char *decoded = v->as.list.items[1].as.text.ptr;
	assert_true(decoded < text.ptr || decoded >= text.ptr + text.len);
	assert_true(str_is(v->as.list.items[1].as.text, "a\nb"));
	arena_finish(&arena);
}

static void places_are_remembered(void **state)
{
	(void)state;
	struct arena arena = {0};
	const struct value *v = parse(&arena, STR("{\"a\": 1,\n  \"b\": [\"xy\",\n true]}"));
	const struct value *list = value_get(v, STR("b"));
	assert_int_equal(v->line, 1);
	assert_int_equal(v->col, 1);
	assert_int_equal(v->as.map.items[1].line, 2);
	assert_int_equal(v->as.map.items[1].col, 3);
	assert_int_equal(list->line, 2);
	assert_int_equal(list->col, 8);
	assert_int_equal(list->len, 0);
	assert_int_equal(list->as.list.items[0].col, 9);
	assert_int_equal(list->as.list.items[0].len, 4);
	assert_int_equal(list->as.list.items[1].line, 3);
	assert_int_equal(list->as.list.items[1].col, 2);
	assert_int_equal(list->as.list.items[1].len, 4);
	arena_finish(&arena);
}

struct mistake {
	str text;
	uint32_t line;
	uint32_t col;
	const char *message; /* part of it */
	const char *help;    /* part of it; NULL: none */
};

static void assert_mistake(const struct mistake *m)
{
	struct arena arena = {0};
	struct err err = {0};
	if (json_parse(&arena, m->text, &err))
		fail_msg("accepted: %.*s", STR_ARG(m->text));
	assert_string_equal(err.code, "E-JSON-SYNTAX");
	if (err.at.line != m->line || err.at.col != m->col)
		fail_msg("%.*s: at %u:%u: %s", STR_ARG(m->text), err.at.line, err.at.col,
			err.message);
	if (!strstr(err.message, m->message))
		fail_msg("%.*s: message: %s", STR_ARG(m->text), err.message);
	if (!err.help != !m->help || (m->help && !strstr(err.help, m->help)))
		fail_msg("%.*s: help: %s", STR_ARG(m->text), err.help ? err.help : "none");
	err_finish(&err);
	assert_null(json_parse(&arena, m->text, NULL));
	arena_finish(&arena);
}

static void every_mistake_has_its_place(void **state)
{
	(void)state;
	static const struct mistake mistakes[] = {
		{STR_INIT(""), 1, 1, "a value is expected, but the text ends", NULL},
		{STR_INIT("\n \n "), 3, 2, "but the text ends", NULL},
		{STR_INIT("nul"), 1, 1, "a value is expected: 'nul'", NULL},
		{STR_INIT("[1,\n 2,]"), 2, 4, "a value is expected: ']'", "remove the comma"},
		{STR_INIT("{\"a\":1,}"), 1, 8, "a key is expected: '}'", "remove the comma"},
		{STR_INIT("[1,,2]"), 1, 4, "a value is expected: ',2]'", "remove one comma"},
		{STR_INIT("[1 2]"), 1, 4, "',' or ']' is expected: '2]'", NULL},
		{STR_INIT("{\"a\":1 \"b\":2}"), 1, 8, "',' or '}' is expected", NULL},
		{STR_INIT("{\"a\":1]"), 1, 7, "',' or '}' is expected: ']'", NULL},
		{STR_INIT("[1}"), 1, 3, "',' or ']' is expected: '}'", NULL},
		{STR_INIT("[1"), 1, 3, "',' or ']' is expected, but the text ends", NULL},
		{STR_INIT("["), 1, 2, "but the text ends", NULL},
		{STR_INIT("{\"a\""), 1, 5, "':' is expected after a key, but the text ends", NULL},
		{STR_INIT("{\"a\" 1}"), 1, 6, "':' is expected", NULL},
		{STR_INIT("{\"a\":}"), 1, 6, "a value is expected", "remove the comma"},
		{STR_INIT("{a: 1}"), 1, 2, "a key is expected: 'a: 1}'", "double quotes"},
		{STR_INIT("{1: 1}"), 1, 2, "a key is expected", "double quotes"},
		{STR_INIT("{'a': 1}"), 1, 2, "a key is expected", "double quotes"},
		{STR_INIT("['a']"), 1, 2, "a value is expected", "double quotes"},
		{STR_INIT("[1] x"), 1, 5, "after the end of the value: 'x'", NULL},
		{STR_INIT("{} {}"), 1, 4, "after the end of the value", NULL},
		{STR_INIT("// c\n1"), 1, 1, "a value is expected", "no comments"},
		{STR_INIT("\xef\xbb\xbf{}"), 1, 1, "a value is expected", "byte order mark"},
		{STR_INIT("NaN"), 1, 1, "a value is expected", "no such number"},
		{STR_INIT("-Infinity"), 1, 1, "a value is expected", "no such number"},
		{STR_INIT("[True]"), 1, 2, "a value is expected", "write true"},
		{STR_INIT("None"), 1, 1, "a value is expected", "write null"},
		{STR_INIT("-"), 1, 1, "a value is expected: '-'", NULL},
		{STR_INIT("+1"), 1, 1, "a value is expected", "without '+'"},
		{STR_INIT(".5"), 1, 1, "a value is expected", "digit before"},
		{STR_INIT("1."), 1, 3, "a digit is missing", NULL},
		{STR_INIT("1.e5"), 1, 3, "a digit is missing", NULL},
		{STR_INIT("[1e+]"), 1, 5, "a digit is missing", NULL},
		{STR_INIT("01"), 1, 1, "may not begin with 0: '01'", "remove the zero"},
		{STR_INIT("-012"), 1, 1, "may not begin with 0", "remove the zero"},
		{STR_INIT("0x1F"), 1, 2, "after the end of the value: 'x1F'", NULL},
		{STR_INIT("truex"), 1, 5, "after the end of the value", NULL},
		{STR_INIT(" \"abc"), 1, 2, "never closed", NULL},
		{STR_INIT("\"abc\\\""), 1, 1, "never closed", NULL},
		{STR_INIT("\"abc\\"), 1, 1, "never closed", NULL},
		{STR_INIT("[\"a\nb\"]"), 1, 4, "control character 0x0a", "write \\n"},
		{STR_INIT("\"a\tb\""), 1, 3, "control character 0x09", "\\u0009"},
		{STR_INIT("\"a\0b\""), 1, 3, "control character 0x00", "\\u0000"},
		{STR_INIT("[1,\0]"), 1, 4, "a value is expected", NULL},
		{STR_INIT("\"\\x41\""), 1, 2, "not an escape that JSON has: '\\x41\"'", "\\\\"},
		{STR_INIT("\"\\\0\""), 1, 3, "control character 0x00", "\\u0000"},
		{STR_INIT("\"\\\xc3\xa9\""), 1, 2, "not an escape", "\\\\"},
		{STR_INIT("\"\\u12G4\""), 1, 2, "four hexadecimal digits", NULL},
		{STR_INIT("\"\\u12\""), 1, 2, "four hexadecimal digits", NULL},
		{STR_INIT("\"ab\\ud800\""), 1, 4, "half of a surrogate pair", "both halves"},
		{STR_INIT("\"\\udc00\""), 1, 2, "half of a surrogate pair", "both halves"},
		{STR_INIT("\"\\ud800\\u0041\""), 1, 2, "half of a surrogate pair", "both halves"},
		{STR_INIT("\"\\ud800\\ud800\""), 1, 2, "half of a surrogate pair", "both halves"},
		{STR_INIT("\"a\xff\""), 1, 3, "not UTF-8: '\\xff\"'", NULL},
		{STR_INIT("\"\xed\xa0\x80\""), 1, 2, "not UTF-8", NULL},
		{STR_INIT("\"\xc0\x80\""), 1, 2, "not UTF-8", NULL},
		{STR_INIT("{\"a\":1,\n\"b\":2, \"a\":3}"), 2, 8,
			"\"a\" stands twice in one map, first in line 1 column 2", NULL},
		{STR_INIT("{\"a\":1,\"\\u0061\":3}"), 1, 8, "\"a\" stands twice", NULL},
		{STR_INIT("\x1b[31m"), 1, 1, "a value is expected: '^[[31m'", NULL},
	};
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		assert_mistake(&mistakes[i]);
}

static void nest(struct buf *out, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		buf_add_char(out, '[');
	for (size_t i = 0; i < depth; i++)
		buf_add_char(out, ']');
}

static void depth_is_limited(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct buf text = {0};
	nest(&text, JSON_MAX_DEPTH);
	assert_non_null(parse(&arena, buf_str(&text)));
	buf_clear(&text);
	nest(&text, JSON_MAX_DEPTH + 1);
	struct mistake deeper = {
		buf_str(&text), 1, JSON_MAX_DEPTH + 1, "more than 512 lists and maps", NULL};
	assert_mistake(&deeper);
	buf_finish(&text);
	arena_finish(&arena);
}

static void many_members_are_checked_for_duplicates(void **state)
{
	(void)state;
	struct arena arena = {0};
	struct buf text = {0};
	buf_add_char(&text, '{');
	for (size_t i = 0; i < 100000; i++)
		buf_printf(&text, "\"k%zu\":%zu,\n", i, i);
	size_t len = text.len;
	buf_add_z(&text, "\"k\":0}");
	assert_int_equal(parse(&arena, buf_str(&text))->as.map.count, 100001);
	text.len = len;
	buf_add_z(&text, "\"k77\":0}");
	struct mistake twice = {buf_str(&text), 100001, 1,
		"\"k77\" stands twice in one map, first in line 78 column 1", NULL};
	assert_mistake(&twice);
	buf_finish(&text);
	arena_finish(&arena);
}

static void shapes_of_writing(void **state)
{
	(void)state;
	struct arena arena = {0};
	const struct value *v =
		parse(&arena, STR("{\"b\":[1,{\"z\":1,\"y\":[]}],\"a\":{},\"B\":\"\"}"));
	struct buf out = {0};
	json_write_canonical(&out, v);
	assert_string_equal(buf_cstr(&out), "{\"B\":\"\",\"a\":{},\"b\":[1,{\"y\":[],\"z\":1}]}");
	buf_clear(&out);
	json_write_pretty(&out, v);
	assert_string_equal(buf_cstr(&out),
		"{\n  \"b\": [\n    1,\n    {\n      \"z\": 1,\n      \"y\": []\n    }\n  ],\n"
		"  \"a\": {},\n  \"B\": \"\"\n}");
	buf_clear(&out);
	json_write_string(&out, STR("a\xff\xc3z\xe2\x82"));
	assert_string_equal(
		buf_cstr(&out), "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_finish(&out);
	arena_finish(&arena);
}

/* ---- against cJSON ---- */

static void assert_same(const struct value *ours, const cJSON *theirs);

static void assert_same_items(const struct value *ours, const cJSON *theirs)
{
	bool is_list = ours->kind == VALUE_LIST;
	assert_int_equal(
		is_list ? ours->as.list.count : ours->as.map.count, cJSON_GetArraySize(theirs));
	size_t i = 0;
	for (const cJSON *item = theirs->child; item; item = item->next, i++) {
		if (!is_list)
			assert_true(str_is(ours->as.map.items[i].key, item->string));
		assert_same(is_list ? &ours->as.list.items[i] : &ours->as.map.items[i].value, item);
	}
}

static void assert_same(const struct value *ours, const cJSON *theirs)
{
	double number = 0;
	switch (ours->kind) {
	case VALUE_NULL: assert_true(cJSON_IsNull(theirs)); return;
	case VALUE_BOOL:
		assert_true(cJSON_IsBool(theirs) && cJSON_IsTrue(theirs) == ours->as.boolean);
		return;
	case VALUE_STRING:
		assert_true(cJSON_IsString(theirs) && str_is(ours->as.text, theirs->valuestring));
		return;
	case VALUE_NUMBER:
		assert_true(cJSON_IsNumber(theirs));
		assert_true(value_to_double(ours, &number) ? number == theirs->valuedouble
							   : isinf(theirs->valuedouble));
		return;
	case VALUE_LIST: assert_true(cJSON_IsArray(theirs)); break;
	case VALUE_MAP: assert_true(cJSON_IsObject(theirs)); break;
	}
	assert_same_items(ours, theirs);
}

static uint32_t random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static void generate_string(struct buf *out, uint64_t *seed)
{
	struct buf text = {0};
	for (uint32_t n = random_next(seed) % 12; n; n--) {
		static const uint32_t spans[] = {0x7f, 0x7ff, 0xd7ff, 0x10ffff};
		uint32_t code = 1 + random_next(seed) % spans[random_next(seed) % 4];
		char utf8[4];
		if (code >= 0xd800 && code < 0xe000)
			code = 0xfffd;
		buf_add(&text, str_make(utf8, utf8_encode(code, utf8)));
	}
	json_write_string(out, buf_str(&text));
	buf_finish(&text);
}

static void generate(struct buf *out, uint64_t *seed, unsigned depth)
{
	uint32_t kind = random_next(seed) % (depth ? 8 : 6);
	if (kind == 0) {
		buf_add_z(out, random_next(seed) % 2 ? "true" : "null");
	} else if (kind <= 2) {
		buf_printf(
			out, "%s%u", random_next(seed) % 2 ? "-" : "", random_next(seed) % 1000000);
		if (random_next(seed) % 2)
			buf_printf(out, ".%02ue%d", random_next(seed) % 100,
				(int)(random_next(seed) % 60) - 30);
	} else if (kind <= 5) {
		generate_string(out, seed);
	} else {
		buf_add_char(out, kind == 6 ? '[' : '{');
		uint32_t count = random_next(seed) % 6;
		for (uint32_t i = 0; i < count; i++) {
			buf_add_z(out, i ? " ,\n" : "\t");
			if (kind == 7)
				buf_printf(out, "\"k%u\" :", i);
			generate(out, seed, depth - 1);
		}
		buf_add_char(out, kind == 6 ? ']' : '}');
	}
}

static void assert_round_trip(const struct value *v)
{
	void (*const shapes[])(struct buf *, const struct value *) = {
		json_write, json_write_canonical, json_write_pretty};
	for (size_t i = 0; i < 3; i++) {
		struct arena arena = {0};
		struct buf once = {0};
		struct buf twice = {0};
		shapes[i](&once, v);
		const struct value *again = parse(&arena, buf_str(&once));
		assert_true(value_equal(v, again));
		shapes[i](&twice, again);
		assert_true(str_eq(buf_str(&once), buf_str(&twice)));
		cJSON *theirs = cJSON_ParseWithLength(once.ptr, once.len);
		assert_non_null(theirs);
		cJSON_Delete(theirs);
		buf_finish(&once);
		buf_finish(&twice);
		arena_finish(&arena);
	}
}

static void cjson_agrees_on_generated_values(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (size_t i = 0; i < 3000; i++) {
		struct arena arena = {0};
		struct buf text = {0};
		generate(&text, &seed, 5);
		const struct value *ours = parse(&arena, buf_str(&text));
		cJSON *theirs = cJSON_ParseWithLength(text.ptr, text.len);
		assert_non_null(theirs);
		assert_same(ours, theirs);
		assert_round_trip(ours);
		cJSON_Delete(theirs);
		buf_finish(&text);
		arena_finish(&arena);
	}
}

/* cJSON is the laxer one: what we accept it accepts, and says the same. */
static void cjson_agrees_on_damaged_texts(void **state)
{
	(void)state;
	static const char bytes[] = "{}[]\",:0123456789.eE+-\\utrfalsn \n";
	uint64_t seed = 2;
	size_t accepted = 0;
	for (size_t i = 0; i < 20000; i++) {
		struct arena arena = {0};
		struct buf text = {0};
		generate(&text, &seed, 3);
		for (uint32_t n = random_next(&seed) % 3; n; n--)
			text.ptr[random_next(&seed) % text.len] =
				bytes[random_next(&seed) % (sizeof(bytes) - 1)];
		const struct value *ours = json_parse(&arena, buf_str(&text), NULL);
		if (ours && !memmem(text.ptr, text.len, "\\u0000", 6)) {
			cJSON *theirs = cJSON_ParseWithLength(text.ptr, text.len);
			assert_non_null(theirs);
			assert_same(ours, theirs);
			cJSON_Delete(theirs);
			accepted++;
		}
		buf_finish(&text);
		arena_finish(&arena);
	}
	assert_in_range(accepted, 5000, 19000);
}

static void one_fence_is_taken_off(void **state)
{
	static const struct {
		const char *text;
		const char *inside; /* NULL: the text is left as it is */
	} table[] = {
		{"```json\n{\"a\":1}\n```", "{\"a\":1}"},
		{"\n ```\n[1,\n2]\n```\n\n", "[1,\n2]"},
		{"```JSON\r\n1\r\n```", "1"},
		{"```json\n```", ""},
		{"```", NULL},
		{"``````", NULL},
		{"```json\n1", NULL},
		{"1\n```", NULL},
		{"```json 1```", NULL},
		{"```json\n1```", NULL},
		{"```yaml\na: 1\n```", NULL},
		{"Here:\n```json\n1\n```", NULL},
		{"```json\n1\n```\n```json\n2\n```", NULL},
		{"{\"a\":\"```\"}", NULL},
		{"", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		str text = str_of(table[i].text);
		str wanted = table[i].inside ? str_of(table[i].inside) : text;
		str got = json_unfence(text);
		assert_true(str_eq(got, wanted));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_as_written),
		cmocka_unit_test(strings_without_escapes_are_borrowed),
		cmocka_unit_test(places_are_remembered),
		cmocka_unit_test(every_mistake_has_its_place),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(many_members_are_checked_for_duplicates),
		cmocka_unit_test(shapes_of_writing),
		cmocka_unit_test(one_fence_is_taken_off),
		cmocka_unit_test(cjson_agrees_on_generated_values),
		cmocka_unit_test(cjson_agrees_on_damaged_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
