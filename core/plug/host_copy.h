/* host_copy: a forked copy of this process, in which code of a plugin is called so that it can harm nothing but the copy;
 * the frames that it sends home through a pipe, and the plain form in which values travel in them.  Private to plug/.
 *
 * A frame: one byte what it is, four bytes length, so many bytes. */
#ifndef PLUG_HOST_COPY_H
#define PLUG_HOST_COPY_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

enum frame_kind {
	FRAME_STDOUT = 'o',
	FRAME_STDERR = 'e',
	FRAME_EMIT = 'm',
	FRAME_ARTIFACT = 'a',
	FRAME_LOG = 'l',
	FRAME_PROGRESS = 'p',
	FRAME_GET = 'g', /* kv_get: an answer is waited for, and so below */
	FRAME_PUT = 'u',
	FRAME_FINISHED = 'f',
	FRAME_ANSWER = 'r', /* of a call that is waited for */
	FRAME_CRASH = 'c',  /* "SIGSEGV in start()", by the crash handler */
};

#define FRAME_HEAD 5
#define FRAME_MAX  ((size_t)1 << 30)

struct copy_process {
	pid_t pid;
	int pidfd; /* -1: the kernel gave none */
	int pipe;  /* where its frames are read */
};

/* 0 in the copy, whose end of the pipe is *home: it has none of this process's duties, and a crash in it becomes a frame.  1
 * here; -1 with *err. */
int copy_fork(struct copy_process *copy, int *home, struct err *err);

/* Ends the copy where it does not listen any more. */
void copy_send(int home, enum frame_kind kind, str first, str second);

/* The first frame of `bytes`; false where it is not whole yet.  *size: how long it is with its head. */
bool copy_frame(str bytes, enum frame_kind *kind, str *body, size_t *size);

/* How a copy ended without a word, in words: status as of waitpid(). */
void copy_end_words(struct buf *words, int status, const char *function);

/* *err: what became of a plugin.  words: those, or those of a FRAME_CRASH; node: NULL: none. */
void copy_explain(struct err *err, const char *plugin, const char *node, str words);

/* ---- values ------------------------------------------------------------------------------------------------------------ */

void wire_add_number(struct buf *out, uint64_t number);
void wire_add_str(struct buf *out, str text);
void wire_add_err(struct buf *out, const struct err *err);

/* What is read when there is no more is 0 or empty, and is_broken. */
struct wire {
	str rest;
	bool is_broken;
};
uint64_t wire_number(struct wire *in);
str wire_str(struct wire *in); /* borrows from what is read */
void wire_err(struct wire *in, struct err *out);

#endif
