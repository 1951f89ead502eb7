/* Tests of sys/outlet with pipes: a reader that is slow, one that is gone, one that takes everything. */
#include "base/buf.h"
#include "sys/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
/* cmocka.h needs the ones above. */
#include <cmocka.h>

static size_t read_all(int fd, struct buf *out)
{
	char bytes[4096];
	ssize_t n;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(out, (str){bytes, (size_t)n});
	return out->len;
}

static void test_order(void **state)
{
	int fds[2];
	struct buf got = {0};
	struct buf want = {0};
	(void)state;
	assert_int_equal(pipe(fds), 0);
	struct outlet *outlet = outlet_create(fds[1], 1 << 20);
	for (int i = 0; i < 5000; i++) {
		struct buf line = {0};
		buf_printf(&line, "line %d\n", i);
		buf_add(&want, buf_str(&line));
		assert_true(outlet_add(outlet, buf_str(&line), i % 2));
		buf_finish(&line);
	}
	/* Less than the 64 KiB that the pipe holds: no reader is needed for the end. */
	assert_int_equal(want.len, 48890);
	assert_int_equal(outlet_destroy(outlet), 0);
	close(fds[1]);
	read_all(fds[0], &got);
	assert_true(str_eq(buf_str(&got), buf_str(&want)));
	close(fds[0]);
	buf_finish(&got);
	buf_finish(&want);
}

/* Nobody reads: adding doesn't block, what may be dropped is, the rest is kept and comes in order. */
static void test_slow_reader(void **state)
{
	static char block[1 << 16];
	int fds[2];
	size_t dropped = 0;
	struct buf got = {0};
	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(pipe(fds), 0);
	struct outlet *outlet = outlet_create(fds[1], 1 << 20);
	for (int i = 0; i < 64; i++)
		dropped += !outlet_add(outlet, (str){block, sizeof(block)}, true);
	assert_in_range(dropped, 64 - 18, 64 - 16);
	assert_true(outlet_add(outlet, STR("kept"), false));
	assert_true(outlet_waiting(outlet) <= (1 << 20) + 4);
	outlet_drain(outlet, 20); /* gives up */
	assert_true(outlet_waiting(outlet) > 0);
	size_t kept = (64 - dropped) * sizeof(block) + 4;
	char bytes[4096];
	while (got.len < kept) {
		ssize_t n = read(fds[0], bytes, sizeof(bytes));
		assert_true(n > 0);
		buf_add(&got, (str){bytes, (size_t)n});
	}
	assert_true(str_ends(buf_str(&got), STR("xkept")));
	outlet_drain(outlet, 0);
	assert_int_equal(outlet_waiting(outlet), 0);
	assert_true(outlet_add(outlet, STR("room again"), true));
	assert_int_equal(outlet_destroy(outlet), 0);
	close(fds[0]);
	close(fds[1]);
	buf_finish(&got);
}

static void test_gone_reader(void **state)
{
	int fds[2];
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	struct outlet *outlet = outlet_create(fds[1], 16);
	for (int i = 0; i < 100; i++) {
		assert_true(outlet_add(outlet, STR("nobody reads this"), false));
		outlet_drain(outlet, 0);
		assert_int_equal(outlet_waiting(outlet), 0);
	}
	/* Larger than what may wait, and taken all the same: it is forgotten, not dropped. */
	assert_true(outlet_add(outlet, STR("nobody reads this either"), true));
	assert_int_equal(outlet_destroy(outlet), EPIPE);
	close(fds[1]);
}

static void test_file_and_full_disk(void **state)
{
	char path[] = "/tmp/pawl-test-outlet-XXXXXX";
	struct buf got = {0};
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	struct outlet *outlet = outlet_create(fd, 1);
	assert_true(outlet_add(outlet, STR("whatever may wait"), true));
	assert_int_equal(outlet_destroy(outlet), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(read_all(fd, &got), 17);
	close(fd);
	unlink(path);
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	outlet = outlet_create(fd, 1 << 20);
	outlet_add(outlet, STR("x"), false);
	assert_int_equal(outlet_destroy(outlet), ENOSPC);
	close(fd);
	assert_int_equal(outlet_destroy(NULL), 0);
	assert_int_equal(outlet_destroy(outlet_create(1, 1)), 0); /* never used: no thread */
	buf_finish(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_gone_reader),
		cmocka_unit_test(test_file_and_full_disk),
	};
	return cmocka_run_group_tests_name("sys/outlet", tests, NULL, NULL);
}
