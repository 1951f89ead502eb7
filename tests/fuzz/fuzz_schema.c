/* fuzz_schema: the first line is a schema as JSON, the rest a value.  Nothing crashes or hangs; an answer comes with
 * reasons exactly when it is no; asking for one reason gives the same answer as asking for all; and what a schema
 * without references says of a value its negation denies. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/json.h"
#include "data/schema.h"

#include <stdlib.h>

#define SIZE_LIMIT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_limit(const struct diags *diags)
{
	for (size_t i = 0; i < diags->list.len; i++)
		if (strcmp(diags->list.ptr[i].code, "E-SCHEMA-MISMATCH") != 0)
			return true;
	return false;
}

/* In a schema around this one '#' is another, and so is $id. */
static bool is_movable(str text)
{
	return str_find_char(text, '$', 0) == SIZE_MAX && str_find_char(text, '\\', 0) == SIZE_MAX;
}

/* `source` is NULL where the schema can't be put into another. */
static void check_value(struct arena *arena, const struct schema *schema,
	const struct value *source, const struct value *value)
{
	struct diags all = {0};
	struct diags one = {0};
	struct diags other = {0};
	struct value_member word = {.key = STR("not")};
	struct value negation = {.kind = VALUE_MAP, .as.map = {&word, 1}};

	bool good = schema_check(schema, value, "fuzz", 0, &all);
	if (good != (all.errors == 0))
		abort();
	if (!is_limit(&all)) {
		if (schema_check(schema, value, "fuzz", 1, &one) != good || one.errors > 1)
			abort();
		if (source)
			word.value = *source;
		const struct schema *opposite =
			source ? schema_compile(arena, &negation, "fuzz", &other) : NULL;
		if (opposite && schema_check(opposite, value, "fuzz", 0, &other) == good &&
			!is_limit(&other))
			abort();
	}
	diags_finish(&all);
	diags_finish(&one);
	diags_finish(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct diags diags = {0};
	str text = str_make((const char *)data, size > SIZE_LIMIT ? SIZE_LIMIT : size);
	str line = STR("");

	if (!str_split(&text, '\n', &line))
		return 0;
	const struct value *source = json_parse(&arena, line, NULL);
	const struct value *value = json_parse(&arena, str_make(text.ptr, text.len), NULL);
	const struct schema *schema =
		source ? schema_compile(&arena, source, "fuzz", &diags) : NULL;
	if (source && !schema && diags.errors == 0)
		abort();
	if (schema) {
		schema_is_optional(schema, STR("a.b.0"));
		if (value)
			check_value(&arena, schema, is_movable(line) ? source : NULL, value);
	}
	diags_finish(&diags);
	arena_finish(&arena);
	return 0;
}
