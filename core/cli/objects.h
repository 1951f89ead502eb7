/* objects: what commands print with --json: one JSON object a line, each with `v` and `object`, or `event` where it is one of a
 * run (progress_json.c).  docs/json.md says what each has, docs/output.schema.json is what the tests check. */
#ifndef CLI_OBJECTS_H
#define CLI_OBJECTS_H

#include "cli/cli.h"
#include "sys/hash.h"

/* {"v":1,"object":"NAME" */
void object_begin(struct buf *out, const char *name);

/* ,"MEMBER":… */
void object_text(struct buf *out, const char *member, str text);
void object_number(struct buf *out, const char *member, int64_t number);
void object_bool(struct buf *out, const char *member, bool is_true);
void object_digest(struct buf *out, const char *member, const struct digest *digest);

/* Ends the object and its line; several may be gathered in one buffer. */
void object_end(struct buf *out);
/* The same, and prints and finishes the buffer. */
void object_send(struct cli *cli, struct buf *out);

/* What a command prints that is a document of another format: as text, or as what it is where it is JSON. */
void object_document(struct cli *cli, const char *media_type, str text);

/* A file that was written: for people "wrote PATH". */
void object_written(struct cli *cli, const char *path, uint64_t bytes);

/* A sentence of a command that has nothing else to print. */
void object_note(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many bytes at the end begin a character that what comes next may complete. */
size_t object_unfinished(str s);

/* What a node printed, in pieces: of a stream, text that is UTF-8, or its bytes as base64.  Its end may hold back up to three
 * bytes that begin a character, which come with the next bytes or with object_output_end. */
struct object_output {
	struct cli *cli;
	int64_t run;
	str node;
	str path; /* of a run within the run, or empty */
	const char *stream;
	struct buf held;
};
void object_output(struct object_output *o, str bytes);
void object_output_end(struct object_output *o);

#endif
