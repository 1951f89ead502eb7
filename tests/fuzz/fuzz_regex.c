/* fuzz_regex: the first line is a pattern, the rest a subject.  Nothing crashes, and looking for a match from a good
 * place on finds what looking from everywhere finds. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/regex.h"

#include <stdlib.h>

#define SIZE_LIMIT 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool match(const struct regex *regex, str subject)
{
	struct err err = {0};
	bool matched = false;

	if (!regex_match(regex, subject, &matched, &err))
		abort();
	return matched;
}

/* "^[^]*(?:P)" has to step through everything that is skipped for P. */
static void check_skipping(struct arena *arena, str pattern, str subject, bool matched)
{
	struct buf slow = {0};

	buf_add_z(&slow, "^[^]*(?:");
	buf_add(&slow, pattern);
	buf_add_char(&slow, ')');
	const struct regex *regex = regex_compile(arena, buf_str(&slow), NULL);
	if (regex && match(regex, subject) != matched)
		abort();
	buf_finish(&slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct err err = {0};
	str subject = str_make((const char *)data, size > SIZE_LIMIT ? SIZE_LIMIT : size);
	str pattern = STR("");

	if (!str_split(&subject, '\n', &pattern))
		return 0;
	/* Without a line end nothing is left. */
	subject = str_make(subject.ptr, subject.len);
	const struct regex *regex = regex_compile(&arena, pattern, &err);
	if (regex)
		check_skipping(&arena, pattern, subject, match(regex, subject));
	else if (!err.code || !err.message)
		abort();
	err_finish(&err);
	arena_finish(&arena);
	return 0;
}
