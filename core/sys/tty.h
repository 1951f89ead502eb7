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

/* Writes all of it, through short writes and EINTR; false when the reader is gone or the disk is full. */
bool tty_write(int fd, const char *ptr, size_t len);

#endif
