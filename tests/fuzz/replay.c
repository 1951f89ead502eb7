/* replay: runs a fuzz target over every file of the directories named on the command line, so that
 * what a fuzzer once found stays found in builds without libFuzzer.  An empty directory is a
 * failure: a test that tests nothing. */
#include "base/buf.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	char block[65536];
	size_t n = 0;
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(out, str_make(block, n));
	bool ok = !ferror(file);
	(void)fclose(file);
	return ok;
}

/* A copy of exactly n bytes, so that a sanitizer sees the first byte read past it. */
static void run(str bytes)
{
	uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
	if (!copy)
		abort();
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	(void)LLVMFuzzerTestOneInput(copy, bytes.len);
	free(copy);
}

static bool replay_directory(const char *path, size_t *count)
{
	DIR *dir = opendir(path);
	if (!dir) {
		perror(path);
		return false;
	}
	bool ok = true;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.')
			continue;
		struct buf name = {0};
		struct buf bytes = {0};
		buf_printf(&name, "%s/%s", path, entry->d_name);
		if (read_file(buf_cstr(&name), &bytes)) {
			run(buf_str(&bytes));
			++*count;
		} else {
			perror(buf_cstr(&name));
			ok = false;
		}
		buf_finish(&name);
		buf_finish(&bytes);
	}
	closedir(dir);
	return ok;
}

int main(int argc, char **argv)
{
	size_t count = 0;
	bool ok = true;
	for (int i = 1; i < argc; i++)
		ok = replay_directory(argv[i], &count) && ok;
	printf("%zu inputs\n", count);
	return ok && count ? 0 : 1;
}
