/* fuzz_trace: what parses as a trace is written, parses again and says the same; a second writing changes nothing. */
#include "data/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct trace first = {0};
	struct trace second = {0};
	struct buf once = {0};
	struct buf twice = {0};
	if (trace_parse(str_make((const char *)bytes, n), &first)) {
		trace_write(&once, &first);
		check(trace_parse(buf_str(&once), &second));
		check(first.facts.len == second.facts.len);
		for (size_t i = 0; i < first.facts.len; i++) {
			check(fact_eq(&first.facts.ptr[i], &second.facts.ptr[i]));
			check(fact_same_subject(&first.facts.ptr[i], &second.facts.ptr[i]));
		}
		trace_write(&twice, &second);
		check(str_eq(buf_str(&once), buf_str(&twice)));
	}
	trace_finish(&first);
	trace_finish(&second);
	buf_finish(&once);
	buf_finish(&twice);
	return 0;
}
