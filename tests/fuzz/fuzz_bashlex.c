/* fuzz_bashlex: whatever the body, binding it ends; it changes nothing but references, every variable in the text has its
 * slot, and every problem has a code, a place and a help. */
#include "data/bind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_node(void *ctx, str name)
{
	(void)ctx;
	return !str_starts(name, STR("no"));
}

/* Where `text` differs from the body, it has a variable of a slot where the body has the slot's reference. */
static void check_text(str body, str text, const struct bind_result *result)
{
	size_t from = 0;
	size_t bound = 0;
	for (size_t at = 0; at < text.len;) {
		static const str prefix = STR_INIT("${PAWL_REF_");
		size_t quote = text.ptr[at] == '"' ? 1 : 0;
		struct ref ref;
		if (!str_starts(str_slice(text, at + quote, text.len), prefix) ||
			!ref_at(body, from, &ref)) {
			check(from < body.len && body.ptr[from] == text.ptr[at]);
			from++;
			at++;
			continue;
		}
		size_t close = str_find_char(text, '}', at);
		uint64_t number = 0;
		check(close < text.len &&
			str_to_u64(str_slice(text, at + quote + prefix.len, close), &number));
		check(number >= 1 && number <= result->slots.len);
		const struct ref *slot = &result->slots.ptr[number - 1].ref;
		check(slot->kind == ref.kind && str_eq(slot->name, ref.name) &&
			str_eq(slot->path, ref.path));
		from = ref.end;
		at = close + 1 + quote;
		bound++;
	}
	check(from == body.len);
	check(bound >= result->slots.len);
}

static void check_strs(const str *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(list[i].len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str body = str_make((const char *)data, size);
	const struct bind_names names = {NULL, is_node};
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok = bind_find(STR("bash"))->bind(body, &names, (struct place){0}, &result, &diags);
	check(ok == (diags.errors == 0));
	for (size_t i = 0; i < diags.list.len; i++) {
		const struct err *err = &diags.list.ptr[i];
		check(err->code && err->message && err->help && err->at.line && err->at.col);
	}
	if (str_find(body, STR("PAWL_REF_"), 0) == SIZE_MAX)
		check_text(body, buf_str(&result.text), &result);
	for (size_t i = 0; i < result.fixes.len; i++)
		check(result.fixes.ptr[i].start < result.fixes.ptr[i].end &&
			result.fixes.ptr[i].end <= body.len);
	check_strs(result.words.ptr, result.words.len);
	check_strs(result.writes.ptr, result.writes.len);
	check_strs(result.commands.ptr, result.commands.len);
	bind_finish(&result);
	diags_finish(&diags);
	return 0;
}
