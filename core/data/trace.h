/* trace: what a run of a key turned out to depend on in the file system, and what it left there, as text.  One fact a line,
 * length-prefixed, so that any path can stand in it:
 *
 *     file 9:src/a.txt <64 hex> x        content (x: executable, -: not)
 *     absent 5:b.txt                     there was no such file
 *     tree 3:src <64 hex>                a directory's sorted listing with contents
 *     glob 5:*.txt <64 hex>              the sorted names that a pattern matched
 *     tool 2:jq 11:/usr/bin/jq <64 hex>  a program: name, real path, content
 *     wrote 7:out.txt <64 hex> 644       a file that the body made or changed
 *     was 8:data.txt <64 hex> <64 hex>   what the body found at a place that it changed, and what it left: digests of facts
 *     loose 21:$ARTIFACTS_DIR/x.txt      a file that the body or another one made: it is not known which
 */
#ifndef DATA_TRACE_H
#define DATA_TRACE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "sys/hash.h"

enum fact_kind {
	FACT_FILE,
	FACT_ABSENT,
	FACT_TREE,
	FACT_GLOB,
	FACT_TOOL,
	FACT_WROTE,
	FACT_WAS,
	FACT_LOOSE
};

struct fact {
	enum fact_kind kind;
	str path; /* as the node names it, relative to the project, or absolute */
	str real; /* FACT_TOOL: the real path, from the project where it is in it */
	struct digest digest;
	uint32_t mode;       /* permissions; of FACT_FILE only whether it is executable (0 or 1) */
	struct digest after; /* FACT_WAS */
};

struct trace {
	VEC(struct fact) facts;
};

const char *fact_kind_name(enum fact_kind kind);
bool fact_eq(const struct fact *a, const struct fact *b);
/* The same thing in the world: kind aside for file, absent and tree, which are states of one path. */
bool fact_same_subject(const struct fact *a, const struct fact *b);

/* The digest by which a FACT_WAS knows a state: that of the fact as text. */
struct digest fact_digest(const struct fact *fact);

void trace_write(struct buf *out, const struct trace *trace);
/* False where it is not a trace (a damaged row).  Strs borrow from `text`. */
bool trace_parse(str text, struct trace *out);
void trace_finish(struct trace *trace);

#endif
