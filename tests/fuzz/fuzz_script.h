/* fuzz_script: what fuzz_jslex and fuzz_pylex hold their languages to.  Whatever the body: it binds or says why not; without
 * references nothing changes; the same body gives the same text; slots, words and fixes lie within the body, and fixes don't
 * overlap. */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include "data/bind.h"

#include <stdlib.h>

static bool fuzz_is_node(void *ctx, str name)
{
	return *(const bool *)ctx && name.len < 3;
}

static void fuzz_expect(bool holds)
{
	if (!holds)
		abort();
}

static bool fuzz_within(str body, str part)
{
	return part.ptr >= body.ptr && part.ptr + part.len <= body.ptr + body.len;
}

static void fuzz_check_result(str body, const struct bind_result *result)
{
	for (size_t i = 0; i < result->slots.len; i++) {
		const struct bind_slot *slot = &result->slots.ptr[i];
		fuzz_expect(slot->ref.start < slot->ref.end && slot->ref.end <= body.len);
		fuzz_expect(body.ptr[slot->ref.start] == '$' && fuzz_within(body, slot->ref.name));
	}
	for (size_t i = 0; i < result->words.len; i++)
		fuzz_expect(fuzz_within(body, result->words.ptr[i]));
	size_t done = 0;
	for (size_t i = 0; i < result->fixes.len; i++) {
		const struct bind_fix *fix = &result->fixes.ptr[i];
		fuzz_expect(fix->start >= done && fix->start < fix->end && fix->end <= body.len);
		done = fix->end;
	}
}

/* Whether only nodes, which can be made unknown, are referred to. */
static bool fuzz_only_nodes(str body)
{
	struct ref ref;
	for (size_t at = 0; ref_next(body, &at, &ref);)
		if (ref.kind != REF_OUTPUT && ref.kind != REF_STATE)
			return false;
	return true;
}

static int fuzz_script(const char *language, const uint8_t *data, size_t size)
{
	const struct bind_language *script = bind_find(str_of(language));
	bool known = true;
	struct bind_names names = {&known, fuzz_is_node};
	str body = str_make((const char *)data, size);
	struct bind_result results[3] = {{.text = {0}}};
	struct diags diags = {0};
	bool ok = script->bind(body, &names, (struct place){NULL, 1, 1, 0}, &results[0], &diags);
	fuzz_expect(ok == (diags.errors == 0));
	fuzz_expect(ok == script->bind(body, &names, (struct place){0}, &results[1], &diags));
	fuzz_expect(str_eq(buf_str(&results[0].text), buf_str(&results[1].text)));
	fuzz_check_result(body, &results[0]);
	known = false;
	if (fuzz_only_nodes(body)) {
		fuzz_expect(script->bind(body, &names, (struct place){0}, &results[2], &diags));
		fuzz_expect(str_eq(buf_str(&results[2].text), body));
	}
	for (size_t i = 0; i < 3; i++)
		bind_finish(&results[i]);
	diags_finish(&diags);
	return 0;
}

#endif
