/* manifest: the files that a node made, as text: one entry a line, sorted by root and path, so that equal artifacts have
 * equal manifests and a digest of it says whether they are the same.
 *
 *     A f 644 12 <64 hex> 10:report.txt      a file: permissions, size, content, path
 *     A l 6:target 4:link                    a symbolic link, as a link
 *     P d 755 4:dist                         a directory: one that holds something of the node's, or that it made empty
 *
 *     P x 5:stale                            nothing: it took away what another node had made there
 *
 * The root is A (the run's artifact directory) or P (the project). */
#ifndef DATA_MANIFEST_H
#define DATA_MANIFEST_H

#include "base/buf.h"
#include "base/vec.h"
#include "sys/hash.h"

enum artifact_root { ROOT_ARTIFACTS = 'A', ROOT_PROJECT = 'P' };
enum artifact_kind {
	ARTIFACT_FILE = 'f',
	ARTIFACT_LINK = 'l',
	ARTIFACT_DIR = 'd',
	ARTIFACT_GONE = 'x'
};

struct artifact {
	enum artifact_root root;
	enum artifact_kind kind;
	uint32_t mode; /* permissions; 0 for links and for what is gone */
	uint64_t size;
	struct digest digest;
	str target; /* of a link; else empty */
	str path;   /* relative to the root */
};

struct manifest {
	VEC(struct artifact) list;
};

void manifest_sort(struct manifest *manifest);
void manifest_write(struct buf *out, const struct manifest *manifest);
/* False where it is not a manifest, or a path in it is absolute or leaves its root.  Strs borrow from `text`. */
bool manifest_parse(str text, struct manifest *out);
/* For people: leaves out directories in which others are listed, since the paths show them, and what is gone. */
void manifest_to_show(struct manifest *manifest);
void manifest_finish(struct manifest *manifest);

#endif
