/* fuzz_json: what parses is written in all three shapes, parses again and is equal; what doesn't
 * has an error with a place. */
#include "data/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_round_trip(
	const struct value *value, void (*shape)(struct buf *, const struct value *))
{
	struct arena arena = {0};
	struct buf once = {0};
	struct buf twice = {0};
	shape(&once, value);
	const struct value *again = json_parse(&arena, buf_str(&once), NULL);
	check(again && value_equal(value, again) && value_equal(again, value));
	shape(&twice, again);
	check(str_eq(buf_str(&once), buf_str(&twice)));
	buf_finish(&once);
	buf_finish(&twice);
	arena_finish(&arena);
}

/* Any bytes at all become a JSON string. */
static void check_string(str text)
{
	struct arena arena = {0};
	struct buf out = {0};
	json_write_string(&out, text);
	const struct value *value = json_parse(&arena, buf_str(&out), NULL);
	check(value && value->kind == VALUE_STRING);
	buf_finish(&out);
	arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = {0};
	struct err err = {0};
	str text = str_make((const char *)bytes, n);
	const struct value *value = json_parse(&arena, text, &err);
	check(value ? !err_is_set(&err)
		    : err_is_set(&err) && err.at.line && err.at.col && err.message);
	if (value) {
		check_round_trip(value, json_write);
		check_round_trip(value, json_write_canonical);
		check_round_trip(value, json_write_pretty);
		double number = 0;
		(void)value_to_double(value, &number);
	}
	check_string(text);
	err_finish(&err);
	arena_finish(&arena);
	return 0;
}
