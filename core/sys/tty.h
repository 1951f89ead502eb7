/* tty: what standard output and error are connected to. */
#ifndef SYS_TTY_H
#define SYS_TTY_H

#include <stdbool.h>
#include <stddef.h>

bool tty_is(int fd);

/* Colours and redrawing are welcome: a terminal, TERM is not dumb, NO_COLOR is not set. */
bool tty_is_fancy(int fd);

/* Columns, 80 where that is not known. */
size_t tty_width(int fd);

/* Lines, 24 where that is not known. */
size_t tty_height(int fd);

/* Whether this process is in the terminal's foreground: in the background it had better not redraw. */
bool tty_is_foreground(int fd);

/* What is to be written to `fd` should the process exit or crash now (at most 31 bytes), so that nothing half drawn stays
 * behind; "" for nothing.  The first call arms exit() and the signals of crashes; from one thread only. */
void tty_guard(int fd, const char *bytes);

/* Whether the process was stopped and went on since the last call: what was drawn before is no longer where it was. */
bool tty_was_continued(void);

/* Writes all of it, through short writes and EINTR; false when the reader is gone or the disk is full. */
bool tty_write(int fd, const char *ptr, size_t len);

#endif
