/* fuzz_when: no text crashes the parser; what it accepts can be evaluated, and a condition that is said to hold never
 * does not hold for any of a few values. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/when.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_answer(void *ctx, const struct ref *ref, str *bytes, struct err *err)
{
	(void)err;
	*bytes = *(const str *)ctx;
	/* A state is never anything else than one of four words. */
	if (ref->kind == REF_STATE && !str_is(*bytes, "failed"))
		*bytes = STR("completed");
	return true;
}

static void check_values(const struct when *when, bool never)
{
	static const str values[] = {STR_INIT(""), STR_INIT("completed"), STR_INIT("failed"),
		STR_INIT("x"), STR_INIT("0"), STR_INIT("1.5"), STR_INIT("-1e3")};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		str value = values[i];
		struct ref_resolver resolver = {&value, same_answer};
		struct err err = {0};
		struct buf explain = {0};
		bool result = false;
		bool ok = when_eval(when, &resolver, &result, &explain, &err);
		if (ok == (err.code != NULL) || (ok && result && never))
			abort();
		err_finish(&err);
		buf_finish(&explain);
	}
}

static void ignore_ref(void *arg, const struct ref *ref)
{
	if (ref->escaped || ref->name.len == 0)
		abort();
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf why = {0};
	size_t refs = 0;

	const struct when *when = when_parse(
		&arena, str_make((const char *)data, size), (struct place){NULL, 1, 1, 0}, &err);
	if (when) {
		bool never = when_is_never(when, &why);
		if (never != (why.len > 0))
			abort();
		when_each_ref(when, ignore_ref, &refs);
		if (refs == 0)
			abort();
		check_values(when, never);
	} else if (!err.code || !err.message || err.at.col == 0) {
		abort();
	}
	buf_finish(&why);
	err_finish(&err);
	arena_finish(&arena);
	return 0;
}
