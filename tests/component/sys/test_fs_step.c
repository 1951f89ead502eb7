/* The crash points: counted, and the process dies at the one that is asked for, leaving a file as it was or as it shall
 * be.  Nothing in the parent takes a step, because the environment is read at the first. */
#include "fs_help.h"

#include <signal.h>
#include <sys/wait.h>

static int in_child(struct room *room, const char *name, const char *value)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(STDERR_FILENO);
		if (name)
			setenv(name, value, 1);
		exit(fs_write_file(room->fd, "f", STR("after"), 0600, true, NULL) ? 0 : 1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void read_text(struct room *room, struct buf *text)
{
	assert_true(fs_read_file(room->fd, "f", 100, text, NULL));
}

static void test_die_at_every_step(void **state)
{
	struct room *room = *state;
	struct buf text = {0};
	int deaths = 0;
	for (int n = 1; n < 100; n++) {
		char number[16];
		snprintf(number, sizeof(number), "%d", n);
		room_file(room, "f", "before");
		int status = in_child(room, "PAWL_TEST_DIE_AT", number);
		read_text(room, &text);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			assert_string_equal(buf_cstr(&text), "after");
			break;
		}
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_string_equal(buf_cstr(&text), n <= 3 ? "before" : "after");
		deaths++;
	}
	/* Before and after: fsync of the file, rename, fsync of the directory. */
	assert_int_equal(deaths, 6);
	buf_finish(&text);
}

static void test_count(void **state)
{
	struct room *room = *state;
	struct buf path = {0};
	struct buf text = {0};
	buf_printf(&path, "%s/steps", room->path);
	assert_int_equal(in_child(room, "PAWL_TEST_COUNT_STEPS", buf_cstr(&path)), 0);
	assert_true(fs_read_file(room->fd, "steps", 100, &text, NULL));
	assert_string_equal(buf_cstr(&text), "6\n");
	assert_int_equal(unlinkat(room->fd, "steps", 0), 0);

	assert_int_equal(in_child(room, NULL, NULL), 0);
	assert_int_equal(in_child(room, "PAWL_TEST_DIE_AT", "0"), 0);
	assert_int_equal(in_child(room, "PAWL_TEST_DIE_AT", "1x"), 0);
	struct fs_stat st;
	assert_int_equal(fs_stat_at(room->fd, "steps", &st, NULL), FS_ABSENT);
	buf_finish(&path);
	buf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_die_at_every_step),
		room_test(test_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
