/* tty: terminals and writing to whatever standard output is.  See tty.h. */
#include "sys/tty.h"

#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool tty_is(int fd)
{
	return isatty(fd) == 1;
}

bool tty_is_fancy(int fd)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");
	if (!term || !*term || strcmp(term, "dumb") == 0)
		return false;
	return !(no_color && *no_color) && tty_is(fd);
}

size_t tty_width(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	uint64_t columns = 0;
	const char *set = getenv("COLUMNS");
	if (set && str_to_u64(str_of(set), &columns) && columns && columns < 10000)
		return (size_t)columns;
	return 80;
}

size_t tty_height(int fd)
{
	struct winsize size;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

bool tty_is_foreground(int fd)
{
	/* A terminal that doesn't control this session has no background either. */
	pid_t group = tcgetpgrp(fd);
	return group < 0 || group == getpgrp();
}

bool tty_write(int fd, const char *ptr, size_t len)
{
	while (len) {
		ssize_t n = write(fd, ptr, len);
		if (n >= 0) {
			ptr += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Whoever gave us the descriptor made it non-blocking; its reader is slow, not gone. */
			struct pollfd ready = {.fd = fd, .events = POLLOUT};
			if (poll(&ready, 1, -1) < 0 && errno != EINTR)
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}
