/* Terminals and what is none, on a pseudo-terminal and on pipes. */
#include "sys/tty.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_terminal(void **state)
{
	(void)state;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) || unlockpt(master)) {
		print_message("skipped: no pseudo-terminal here: %s\n", strerror(errno));
		skip();
	}
	char name[64];
	assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(fd >= 0);
	unsetenv("NO_COLOR");
	unsetenv("COLUMNS");
	setenv("TERM", "xterm", 1);
	assert_true(tty_is(fd));
	assert_true(tty_is_fancy(fd));
	setenv("NO_COLOR", "", 1); /* empty counts as not set, by its convention */
	assert_true(tty_is_fancy(fd));
	setenv("NO_COLOR", "1", 1);
	assert_false(tty_is_fancy(fd));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(tty_is_fancy(fd));
	unsetenv("TERM");
	assert_false(tty_is_fancy(fd));
	assert_int_equal(tty_width(fd), 80);
	struct winsize size = {.ws_col = 132, .ws_row = 50};
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	assert_int_equal(tty_width(fd), 132);
	close(fd);
	close(master);
}

static void test_no_terminal(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	setenv("TERM", "xterm", 1);
	assert_false(tty_is(fd));
	assert_false(tty_is_fancy(fd));
	assert_false(tty_is(-1));
	static const struct {
		const char *columns;
		size_t width;
	} cases[] = {{"100", 100}, {"0", 80}, {"-5", 80}, {"x", 80}, {"99999999999999999999", 80}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("COLUMNS", cases[i].columns, 1);
		assert_int_equal(tty_width(fd), cases[i].width);
	}
	unsetenv("COLUMNS");
	assert_int_equal(tty_width(fd), 80);
	close(fd);
}

/* More than a pipe holds, to a slow reader, through a descriptor that does not block. */
static void test_write_all(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20 };
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	char *bytes = mem_alloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 31);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[1]);
		size_t at = 0;
		ssize_t n;
		char part[5000];
		bool same = true;
		while ((n = read(ends[0], part, sizeof(part))) > 0) {
			same = same && memcmp(part, bytes + at, (size_t)n) == 0;
			at += (size_t)n;
		}
		_exit(same && at == SIZE ? 0 : 1);
	}
	close(ends[0]);
	assert_true(tty_write(ends[1], bytes, SIZE));
	assert_true(tty_write(ends[1], bytes, 0));
	close(ends[1]);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	free(bytes);
}

static void test_reader_gone(void **state)
{
	(void)state;
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_false(tty_write(ends[1], "x", 1));
	close(ends[1]);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_false(tty_write(full, "x", 1));
	close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_no_terminal),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_reader_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
