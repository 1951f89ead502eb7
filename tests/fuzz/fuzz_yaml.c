/* fuzz_yaml: a tree within the limits whose values stand where they say, and the same when it goes
 * through JSON; or errors with places inside the text. */
#include "data/json.h"
#include "data/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct walk {
	str text;
	size_t lines;
	size_t nodes;
};

/* The offset of a place, or SIZE_MAX where there is no such line. */
static size_t offset_of(str text, uint32_t line, uint32_t col)
{
	size_t at = 0;
	for (uint32_t i = 1; i < line; i++) {
		while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r')
			at++;
		if (at == text.len)
			return SIZE_MAX;
		at += str_starts(str_slice(text, at, text.len), STR("\r\n")) ? 2 : 1;
	}
	return at + col - 1;
}

static void check_place(const struct value *value, str text)
{
	size_t at = offset_of(text, value->line, value->col);
	check(value->line && value->col && at <= text.len && value->len <= text.len - at);
	if (value->style)
		check(at < text.len && text.ptr[at] == value->style);
	else if (value->kind == VALUE_NUMBER || value->kind == VALUE_BOOL)
		check(value->len > 0);
	if (value->kind == VALUE_STRING && !value->style && value->len)
		check(str_eq(value->as.text, str_slice(text, at, at + value->len)));
}

static void check_tree(struct walk *walk, const struct value *value, size_t depth)
{
	check(++walk->nodes <= YAML_MAX_NODES && depth <= YAML_MAX_DEPTH);
	check_place(value, walk->text);
	for (size_t i = 0; value->kind == VALUE_LIST && i < value->as.list.count; i++)
		check_tree(walk, &value->as.list.items[i], depth + 1);
	for (size_t i = 0; value->kind == VALUE_MAP && i < value->as.map.count; i++)
		check_tree(walk, &value->as.map.items[i].value, depth + 1);
}

static void check_as_json(const struct value *value)
{
	struct arena arena = {0};
	struct buf json = {0};
	struct diags diags = {0};
	json_write(&json, value);
	const struct value *again = json_parse(&arena, buf_str(&json), NULL);
	check(again && value_equal(value, again));
	buf_finish(&json);
	diags_finish(&diags);
	arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena arena = {0};
	struct diags diags = {0};
	str text = str_make((const char *)bytes, n);
	const struct value *value = yaml_parse(&arena, text, "fuzz.yaml", &diags);
	check(!value == (diags.errors > 0));
	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_slice(text, 3, text.len);
	for (size_t i = 0; i < diags.list.len; i++) {
		const struct err *err = &diags.list.ptr[i];
		check(err->code && err->message && err->at.line && err->at.col);
		check(offset_of(text, err->at.line, err->at.col) <= text.len);
	}
	if (value) {
		struct walk walk = {.text = text};
		check_tree(&walk, value, value->kind == VALUE_LIST || value->kind == VALUE_MAP);
		check_as_json(value);
	}
	diags_finish(&diags);
	arena_finish(&arena);
	return 0;
}
