/* cas: bytes by their digest, small and large, sound and damaged. */
#include "store_race.h"

#include "store/cas_inner.h"

#include <sys/resource.h>

#define LARGE ((size_t)300000)

static char *large_bytes(size_t n, unsigned seed)
{
	char *bytes = mem_alloc(n);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245u + 12345u;
		bytes[i] = (char)(seed >> 16);
	}
	return bytes;
}

static char *blob_path(struct project *p, const struct digest *digest)
{
	struct buf path = {0};
	struct buf hex = {0};
	digest_add_hex(&hex, digest);
	buf_printf(
		&path, "%s/.pawl/state/blobs/%.2s/%s", p->path, buf_cstr(&hex), buf_cstr(&hex) + 2);
	buf_finish(&hex);
	return buf_take(&path);
}

static void check_get(
	struct project *p, struct store *store, const struct digest *digest, str expected)
{
	struct buf got = {0};
	buf_add_z(&got, "before:");
	assert_ok(p, cas_get(store, digest, &got, &p->err));
	assert_true(str_eq(str_slice(buf_str(&got), 7, got.len), expected));
	buf_finish(&got);
	uint64_t size;
	int fd = cas_open(store, digest, &size, &p->err);
	assert_ok(p, fd >= 0);
	assert_int_equal(size, expected.len);
	char *bytes = mem_alloc(expected.len + 1);
	assert_int_equal(read(fd, bytes, expected.len + 1), expected.len);
	assert_memory_equal(bytes, expected.ptr, expected.len);
	free(bytes);
	close(fd);
	assert_true(cas_has(store, digest, false));
	assert_true(cas_has(store, digest, true));
}

static void every_size_comes_back(void **state)
{
	struct project *p = *state;
	static const size_t sizes[] = {
		0, 1, CAS_INLINE - 1, CAS_INLINE, CAS_INLINE + 1, 65536, LARGE};
	char *bytes = large_bytes(LARGE, 1);
	for (int round = 0; round < 2; round++) {
		struct store *store = open_store(p, STORE_WRITE);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			str text = str_make(bytes, sizes[i]);
			struct digest digest;
			struct digest expected = hash_of(text);
			assert_ok(p, cas_put(store, text, &digest, &p->err));
			assert_true(digest_eq(&digest, &expected));
			check_get(p, store, &digest, text); /* before the flush */
		}
		assert_true(store_is_dirty(store));
		assert_ok(p, store_flush(store, &p->err));
		store_close(store);
	}
	struct store *store = open_store(p, STORE_READ);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct digest digest = hash_of(str_make(bytes, sizes[i]));
		check_get(p, store, &digest, str_make(bytes, sizes[i]));
		char *path = blob_path(p, &digest);
		struct stat st;
		assert_int_equal(stat(path, &st), sizes[i] > CAS_INLINE ? 0 : -1);
		assert_true(sizes[i] <= CAS_INLINE || (st.st_mode & 07777) == 0400);
		free(path);
	}
	store_close(store);
	free(bytes);
}

static void writer_takes_any_pieces(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *bytes = large_bytes(LARGE, 2);
	for (size_t piece = 1; piece < LARGE; piece = piece * 7 + 3) {
		struct cas_writer *writer = cas_writer_create(store);
		size_t total = piece < 10 ? 40000 : LARGE;
		for (size_t at = 0; at < total; at += piece) {
			assert_ok(p, cas_writer_add(writer,
					     str_slice(str_make(bytes, total), at, at + piece),
					     &p->err));
			size_t done = at + piece < total ? at + piece : total;
			assert_int_equal(cas_writer_size(writer), done);
			if (at % 1000 == 0) {
				struct buf tail = {0};
				cas_writer_tail(writer, 5000, &tail);
				size_t expected = done < 5000 ? done : 5000;
				assert_int_equal(tail.len, expected);
				assert_memory_equal(tail.ptr, bytes + done - expected, expected);
				buf_finish(&tail);
			}
		}
		struct digest digest;
		uint64_t size;
		assert_ok(p, cas_writer_commit(writer, &digest, &size, &p->err));
		assert_int_equal(size, total);
		struct digest expected = hash_of(str_make(bytes, total));
		assert_true(digest_eq(&digest, &expected));
	}
	struct cas_writer *dropped = cas_writer_create(store);
	assert_ok(p, cas_writer_add(dropped, str_make(bytes, LARGE), &p->err));
	cas_writer_destroy(dropped);
	cas_writer_destroy(NULL);
	assert_ok(p, store_flush(store, &p->err));
	int tmp = openat(store_state_fd(store), "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fs_list left = {0};
	assert_ok(p, fs_list_tree(tmp, ".", NULL, &left, &p->err));
	assert_int_equal(left.len, 0);
	fs_list_finish(&left);
	close(tmp);
	store_close(store);
	free(bytes);
}

static void what_is_shown_is_in_the_file_at_once(void **state)
{
	static const size_t totals[] = {1, 5000, CAS_INLINE, CAS_INLINE + 1, LARGE};
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *bytes = large_bytes(LARGE, 4);
	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		struct cas_writer *writer = cas_writer_create(store);
		size_t half = totals[i] / 2;
		size_t piece = totals[i] > 1000 ? 997 : 1;
		struct buf seen = {0};
		struct digest digest;
		uint64_t size;
		assert_ok(p, cas_writer_add(writer, str_make(bytes, half), &p->err));
		const char *name = cas_writer_show(writer);
		assert_non_null(name);
		char path[64];
		snprintf(path, sizeof(path), "tmp/%s", name);
		for (size_t at = half; at < totals[i]; at += piece) {
			str next = str_slice(str_make(bytes, totals[i]), at, at + piece);
			assert_ok(p, cas_writer_add(writer, next, &p->err));
			assert_ok(p, fs_read_file(store_state_fd(store), path, LARGE * 2, &seen,
					     &p->err));
			assert_int_equal(seen.len, at + next.len);
			assert_memory_equal(seen.ptr, bytes, seen.len);
			struct buf tail = {0};
			cas_writer_tail(writer, 100, &tail);
			assert_int_equal(tail.len, seen.len < 100 ? seen.len : 100);
			assert_memory_equal(tail.ptr, bytes + seen.len - tail.len, tail.len);
			buf_finish(&tail);
		}
		assert_ok(p, cas_writer_commit(writer, &digest, &size, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		check_get(p, store, &digest, str_make(bytes, totals[i]));
		char *blob = blob_path(p, &digest);
		assert_int_equal(access(blob, F_OK), totals[i] > CAS_INLINE ? 0 : -1);
		assert_int_equal(faccessat(store_state_fd(store), path, F_OK, 0), -1);
		free(blob);
		buf_finish(&seen);
	}
	store_close(store);
	free(bytes);
}

static void many_pending_blobs_need_few_descriptors(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *bytes = large_bytes(LARGE, 3);
	struct digest digests[200];
	for (size_t i = 0; i < 200; i++) {
		assert_ok(p, cas_put(store, str_make(bytes + i, 20000), &digests[i], &p->err));
	}
	int probe = dup(0);
	assert_true(probe < 120);
	close(probe);
	check_get(p, store, &digests[0], str_make(bytes, 20000));
	assert_ok(p, store_flush(store, &p->err));
	for (size_t i = 0; i < 200; i++) {
		assert_true(cas_has(store, &digests[i], true));
	}
	store_close(store);
	free(bytes);
}

static void write_over(const char *path, const char *bytes, size_t n)
{
	assert_int_equal(chmod(path, 0600), 0);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void damaged_blob_is_absent_and_written_anew(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 4);
	str text = str_make(bytes, LARGE);
	struct digest digest = hash_of(text);
	char *path = blob_path(p, &digest);
	for (int how = 0; how < 4; how++) {
		struct store *store = open_store(p, STORE_WRITE);
		assert_ok(p, cas_put(store, text, &digest, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		char *bad = mem_dup(bytes, LARGE);
		bad[LARGE / 2] ^= 1;
		switch (how) {
		case 0: assert_int_equal(unlink(path), 0); break;
		case 1: write_over(path, bytes, LARGE - 1); break;
		case 2: write_over(path, bad, LARGE); break;
		default: write_over(path, "", 0); break;
		}
		free(bad);
		struct buf got = {0};
		assert_true(cas_has(store, &digest, false) == (how == 2));
		if (how % 2) {
			uint64_t size;
			assert_int_equal(cas_open(store, &digest, &size, &p->err), -1);
		} else {
			assert_false(cas_get(store, &digest, &got, &p->err));
		}
		assert_code(p, "E-STORE-BLOB");
		assert_int_equal(got.len, 0);
		assert_int_equal(store_damaged(store), 1);
		assert_false(cas_has(store, &digest, false));
		assert_ok(p, store_flush(store, &p->err));
		assert_int_equal(access(path, F_OK), -1);
		buf_finish(&got);

		/* In the same batch as well. */
		assert_ok(p, cas_put(store, text, &digest, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		write_over(path, bytes, 1);
		assert_false(cas_has(store, &digest, true));
		assert_ok(p, cas_put(store, text, &digest, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		check_get(p, store, &digest, text);
		store_close(store);
	}
	free(path);
	free(bytes);
}

static void reading_never_repairs(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 5);
	struct digest digest;
	struct store *store = open_store(p, STORE_WRITE);
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	char *path = blob_path(p, &digest);
	write_over(path, bytes, 5);
	store = open_store(p, STORE_READ);
	struct buf got = {0};
	assert_false(cas_get(store, &digest, &got, &p->err));
	assert_code(p, "E-STORE-BLOB");
	assert_int_equal(access(path, F_OK), 0);
	assert_false(cas_put(store, STR("x"), &digest, &p->err));
	assert_code(p, "E-STORE-READONLY");
	assert_false(cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	err_finish(&p->err);
	p->err = (struct err){0};
	struct digest none = digest_of("never stored");
	assert_false(cas_get(store, &none, &got, &p->err));
	assert_code(p, "E-STORE-BLOB");
	uint64_t size;
	assert_int_equal(cas_open(store, &none, &size, &p->err), -1);
	assert_code(p, "E-STORE-BLOB");
	store_close(store);
	buf_finish(&got);
	free(path);
	free(bytes);
}

static void file_is_stored_and_restored(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *bytes = large_bytes(LARGE, 6);
	static const size_t sizes[] = {0, 100, LARGE};
	for (size_t i = 0; i < 3; i++) {
		str text = str_make(bytes, sizes[i]);
		assert_ok(p, fs_write_file(p->fd, "in.bin", text, 0600, false, &p->err));
		struct digest digest;
		uint64_t size;
		assert_ok(p, cas_put_file(store, p->fd, "in.bin", &digest, &size, &p->err));
		assert_int_equal(size, sizes[i]);
		assert_ok(p, cas_restore(store, &digest, p->fd, "out/deep/f.bin", 0755, &p->err));
		struct buf got = {0};
		assert_ok(p, fs_read_file(p->fd, "out/deep/f.bin", LARGE, &got, &p->err));
		assert_true(str_eq(buf_str(&got), text));
		buf_finish(&got);
		struct stat st;
		assert_int_equal(fstatat(p->fd, "out/deep/f.bin", &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
		assert_int_equal(st.st_nlink, 1);
	}
	struct digest digest;
	uint64_t size;
	assert_false(cas_put_file(store, p->fd, "none", &digest, &size, &p->err));
	assert_non_null(p->err.code);
	store_close(store);
	free(bytes);
}

static void restoring_follows_no_link(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct digest digest;
	assert_ok(p, cas_put(store, STR("new"), &digest, &p->err));
	assert_ok(p, fs_write_file(p->fd, "victim", STR("old"), 0600, false, &p->err));
	assert_int_equal(symlinkat("victim", p->fd, "link"), 0);
	assert_ok(p, cas_restore(store, &digest, p->fd, "link", 0644, &p->err));
	struct buf got = {0};
	assert_ok(p, fs_read_file(p->fd, "victim", 10, &got, &p->err));
	assert_string_equal(buf_cstr(&got), "old");
	buf_finish(&got);
	assert_int_equal(symlinkat("/tmp", p->fd, "away"), 0);
	assert_false(cas_restore(store, &digest, p->fd, "away/f", 0644, &p->err));
	assert_false(cas_restore(store, &digest, p->fd, "../f", 0644, &p->err));
	struct digest none = digest_of("never stored");
	err_finish(&p->err);
	p->err = (struct err){0};
	assert_false(cas_restore(store, &none, p->fd, "victim", 0644, &p->err));
	assert_code(p, "E-STORE-BLOB");
	struct fs_list list = {0};
	assert_ok(p, fs_list_tree(p->fd, ".", ".pawl", &list, &p->err));
	assert_int_equal(list.len, 3); /* no staged file is left */
	fs_list_finish(&list);
	store_close(store);
}

static void tail_is_the_end_of_every_size(void **state)
{
	struct project *p = *state;
	static const size_t sizes[] = {0, 1, 99, 100, 101, CAS_INLINE, (128 << 10) - 1, 128 << 10,
		(128 << 10) + 50, 256 << 10, LARGE};
	char *bytes = large_bytes(LARGE, 7);
	struct store *store = open_store(p, STORE_WRITE);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct digest digest;
		struct buf tail = {0};
		uint64_t size = 0;
		size_t kept = sizes[i] < 100 ? sizes[i] : 100;
		assert_ok(p, cas_put(store, str_make(bytes, sizes[i]), &digest, &p->err));
		buf_add_z(&tail, "before:");
		assert_ok(p, cas_get_tail(store, &digest, 100, &tail, &size, &p->err));
		assert_int_equal(size, sizes[i]);
		assert_int_equal(tail.len, 7 + kept);
		assert_memory_equal(tail.ptr + 7, bytes + sizes[i] - kept, kept);
		buf_finish(&tail);
	}
	free(bytes);
	store_close(store);
}

/* That a file can't be opened for want of descriptors says nothing of it. */
static void blob_outlives_a_lack_of_descriptors(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 9);
	struct store *store = open_store(p, STORE_WRITE);
	struct digest digest;
	struct buf got = {0};
	uint64_t size;
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	assert_ok(p, cas_get(store, &digest, &got, &p->err));
	struct rlimit before;
	struct rlimit none = {0};
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	bool was_read = cas_get(store, &digest, &got, &p->err);
	int fd = cas_open(store, &digest, &size, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(was_read);
	assert_int_equal(fd, -1);
	assert_code(p, "E-STORE-SYS");
	assert_int_equal(store_damaged(store), 0);
	assert_ok(p, store_flush(store, &p->err));
	check_get(p, store, &digest, str_make(bytes, LARGE));
	buf_finish(&got);
	free(bytes);
	store_close(store);
}

/* Whatever is wrong with what is there of them, and though nobody has read it since. */
static void bytes_that_are_stored_again_are_whole_again(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 11);
	str large = str_make(bytes, LARGE);
	struct digest digest;
	struct digest small;
	for (int how = 0; how < 5; how++) {
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		struct store *store = open_store(p, STORE_WRITE);
		assert_ok(p, cas_put(store, large, &digest, &p->err));
		assert_ok(p, cas_put(store, STR("small"), &small, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		store_close(store);
		char *path = blob_path(p, &digest);
		store = open_store(p, STORE_WRITE);
		switch (how) {
		case 0: assert_int_equal(unlink(path), 0); break;
		case 1: write_over(path, bytes, LARGE - 1); break;
		case 2: race_sql(store, "UPDATE blob SET size = size + 1"); break;
		case 3:
			race_sql(store, "UPDATE blob SET data = x'00', size = 1 WHERE data <> ''");
			break;
		default: race_sql(store, "UPDATE blob SET data = NULL WHERE data <> ''"); break;
		}
		free(path);
		assert_ok(p, cas_put(store, large, &digest, &p->err));
		assert_ok(p, cas_put(store, STR("small"), &small, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		check_get(p, store, &digest, large);
		check_get(p, store, &small, STR("small"));
		store_close(store);
	}
	free(bytes);
}

static void small_bytes_are_verified_too(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct digest digest;
	struct buf got = {0};
	assert_ok(p, cas_put(store, STR("small"), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	race_sql(store, "UPDATE blob SET data = CAST('smell' AS BLOB)");
	assert_true(cas_has(store, &digest, false));
	assert_false(cas_get(store, &digest, &got, &p->err));
	assert_code(p, "E-STORE-BLOB");
	assert_int_equal(got.len, 0);
	assert_false(cas_has(store, &digest, false));
	assert_ok(p, cas_put(store, STR("small"), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	race_sql(store, "UPDATE blob SET data = CAST('smell' AS BLOB)");
	assert_false(cas_has(store, &digest, true));
	store_close(store);
}

/* Before it has its name, a file is as much to be doubted as after. */
static void what_is_damaged_before_it_is_settled_is_written_anew(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 12);
	struct store *store = open_store(p, STORE_WRITE);
	struct digest digest;
	struct fs_list list = {0};
	struct buf path = {0};
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	assert_ok(p, fs_list_tree(store_state_fd(store), "tmp", NULL, &list, &p->err));
	assert_int_equal(list.len, 1);
	buf_printf(&path, "%s/.pawl/state/tmp/%s", p->path, list.ptr[0].name);
	write_over(buf_cstr(&path), "bad", 3);
	assert_false(cas_has(store, &digest, true));
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	check_get(p, store, &digest, str_make(bytes, LARGE));
	assert_ok(p, store_flush(store, &p->err));
	check_get(p, store, &digest, str_make(bytes, LARGE));
	fs_list_finish(&list);
	buf_finish(&path);
	store_close(store);
	free(bytes);
}

static void blob_is_no_link(void **state)
{
	struct project *p = *state;
	char *bytes = large_bytes(LARGE, 13);
	struct store *store = open_store(p, STORE_WRITE);
	struct digest digest;
	struct buf got = {0};
	struct buf away = {0};
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	char *path = blob_path(p, &digest);
	buf_printf(&away, "%s/away", p->path);
	assert_int_equal(rename(path, buf_cstr(&away)), 0);
	assert_int_equal(symlink(buf_cstr(&away), path), 0);
	assert_false(cas_get(store, &digest, &got, &p->err));
	assert_code(p, "E-STORE-BLOB");
	store_close(store);
	buf_finish(&away);
	free(path);
	free(bytes);
}

/* That a blob is there is asked again once nobody else can take it away. */
static void blob_that_goes_meanwhile_is_stored_again(void **state)
{
	struct project *p = *state;
	struct digest digest;
	struct store *store = open_store(p, STORE_WRITE);
	assert_ok(p, cas_put(store, STR("bytes"), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	store = open_store(p, STORE_WRITE);
	int64_t mark;
	assert_ok(p, cas_mark(store, &mark, &p->err));
	pid_t other = race_begin(p, "DELETE FROM blob");
	assert_ok(p, cas_put(store, STR("bytes"), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	race_end(other);
	check_get(p, store, &digest, STR("bytes"));
	store_close(store);
}

static void count_blob(void *arg, const struct digest *digest, uint64_t size)
{
	(void)digest;
	*(uint64_t *)arg += size;
}

static void blobs_are_listed_and_removed(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *bytes = large_bytes(LARGE, 7);
	struct digest large;
	struct digest small;
	assert_ok(p, cas_put(store, str_make(bytes, LARGE), &large, &p->err));
	assert_ok(p, cas_put(store, STR("small"), &small, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	uint64_t total = 0;
	assert_ok(p, cas_each(store, count_blob, &total, &p->err));
	assert_int_equal(total, LARGE + 5);
	char *path = blob_path(p, &large);
	assert_ok(p, cas_remove(store, &large, &p->err));
	assert_ok(p, cas_remove(store, &small, &p->err));
	assert_int_equal(access(path, F_OK), 0); /* not before the commit */
	assert_ok(p, store_flush(store, &p->err));
	assert_int_equal(access(path, F_OK), -1);
	assert_false(cas_has(store, &large, false) || cas_has(store, &small, false));
	free(path);
	free(bytes);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_size_comes_back),
		STORE_TEST(writer_takes_any_pieces),
		STORE_TEST(what_is_shown_is_in_the_file_at_once),
		STORE_TEST(many_pending_blobs_need_few_descriptors),
		STORE_TEST(damaged_blob_is_absent_and_written_anew),
		STORE_TEST(reading_never_repairs),
		STORE_TEST(file_is_stored_and_restored),
		STORE_TEST(restoring_follows_no_link),
		STORE_TEST(tail_is_the_end_of_every_size),
		STORE_TEST(blob_outlives_a_lack_of_descriptors),
		STORE_TEST(blobs_are_listed_and_removed),
		STORE_TEST(bytes_that_are_stored_again_are_whole_again),
		STORE_TEST(small_bytes_are_verified_too),
		STORE_TEST(what_is_damaged_before_it_is_settled_is_written_anew),
		STORE_TEST(blob_is_no_link),
		STORE_TEST(blob_that_goes_meanwhile_is_stored_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
