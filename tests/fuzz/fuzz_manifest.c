/* fuzz_manifest: no path that comes out of a manifest leaves its root; what parses is written and parses again. */
#include "data/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_path(str path)
{
	check(path.len && path.ptr[0] != '/' && path.ptr[path.len - 1] != '/');
	check(!str_is(path, ".."));
	check(!str_starts(path, STR("../")));
	check(str_find(path, STR("/../"), 0) == SIZE_MAX);
	check(path.len < 3 || !str_is(str_slice(path, path.len - 3, path.len), "/.."));
	check(str_find_char(path, '\0', 0) == SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct manifest first = {0};
	struct manifest second = {0};
	struct buf once = {0};
	struct buf twice = {0};
	if (manifest_parse(str_make((const char *)bytes, n), &first)) {
		for (size_t i = 0; i < first.list.len; i++)
			check_path(first.list.ptr[i].path);
		manifest_sort(&first);
		manifest_write(&once, &first);
		check(manifest_parse(buf_str(&once), &second));
		check(first.list.len == second.list.len);
		manifest_write(&twice, &second);
		check(str_eq(buf_str(&once), buf_str(&twice)));
	}
	manifest_finish(&first);
	manifest_finish(&second);
	buf_finish(&once);
	buf_finish(&twice);
	return 0;
}
