/* fuzz_ref: references are found in order and inside the text; each is what ref_at and its own spelling say; text without
 * any expands to itself. */
#include "data/ref.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool answer(void *ctx, const struct ref *ref, str *bytes, struct err *err)
{
	++*(size_t *)ctx;
	*bytes = STR("$n.output \\");
	if (ref->kind == REF_STATE)
		return err_set(err, "E-TEST", "refused");
	return ref->kind != REF_VARIABLE;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_ref(str text, const struct ref *ref)
{
	struct ref again;
	struct buf written = {0};
	size_t dollar = ref->start + (ref->escaped ? 1 : 0);
	check(ref->start < ref->end && ref->end <= text.len && ref->name.len > 0);
	check(ref_at(text, dollar, &again) && again.end == ref->end && again.kind == ref->kind);
	ref_write(&written, ref);
	check(ref_is_whole(buf_str(&written), &again) && again.kind == ref->kind);
	check(str_eq(again.name, ref->name) && str_eq(again.path, ref->path));
	buf_finish(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_make((const char *)data, size);
	struct ref ref;
	size_t found = 0;
	size_t states = 0;
	size_t end = 0;
	str meant;
	for (size_t at = 0; ref_next(text, &at, &ref);) {
		check(ref.start >= end && at == ref.end);
		end = ref.end;
		check_ref(text, &ref);
		found++;
		states += ref.kind == REF_STATE && !ref.escaped;
	}
	end = 0;
	for (size_t at = 0; ref_next_slip(text, &at, &ref, &meant);) {
		check(ref.start >= end && at == ref.end && at <= text.len && ref.name.len > 0);
		check(str_is(meant, "output") || str_is(meant, "state"));
		end = ref.end;
	}
	size_t calls = 0;
	struct ref_resolver resolver = {&calls, answer};
	struct buf out = {0};
	struct err err = {0};
	bool ok = ref_expand(text, &resolver, &out, &err);
	check(ok == (states == 0) && ok == !err_is_set(&err) && calls <= found);
	check(found > 0 || str_eq(buf_str(&out), text));
	buf_finish(&out);
	err_finish(&err);
	return 0;
}
