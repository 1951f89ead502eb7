/* places: where bodies put files, and who put what there.  A path is in the project, or in the artifact directory of a run;
 * what is known of it is shared by a run and all runs within it.
 *
 * A file that is new or changed at the end of a body belongs to that body, unless another body that ran meanwhile may have
 * made it as well: one whose `writes` names the file comes before one whose `writes` names a directory or pattern, and that
 * before one that merely could.  Where two have the same claim it is nobody's for certain (FILE_LOOSE). */
#ifndef ENGINE_PLACES_H
#define ENGINE_PLACES_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "data/manifest.h"
#include "model/workflow.h"
#include "store/db.h"
#include "sys/fs.h"
#include "sys/world.h"

struct attempt;
struct fact_memo;

/* What a run sees of files: the project, and its own artifact directory. */
struct ground {
	struct store *store;
	struct fact_memo *memo; /* NULL: content is read each time */
	const char *artifacts;  /* relative to .pawl/state: "runs/7/artifacts" */
};

/* What was last seen at a path. */
struct known {
	struct fs_stat stat;
	uint64_t noticed; /* the tick at which its last change was seen */
	uint64_t maker;   /* the unit that left it so in this run (unit->id); 0: nobody known */
};
/* Instead of a unit: one of several, nobody knows which. */
#define PLACES_SOMEBODY UINT64_MAX

/* What was at a path of the project when a body began. */
struct before {
	struct fs_stat stat;
	int64_t looked_ns;
	uint64_t maker;
	bool has_digest;
	struct digest digest; /* of a file */
};

/* A body that runs, or ran beside one that does. */
struct body {
	struct body *next;
	struct arena arena;
	uint64_t unit;
	uint64_t started; /* ticks */
	uint64_t ended;   /* 0: it runs */
	const char *artifacts;
	struct map before;     /* path -> struct before *: what it may write, in the project */
	struct strs writes[2]; /* cleaned: in the project, in the artifact directory */
	struct map named;      /* keys of files that the body's text says it writes */
};

struct places;
struct places *places_create(const struct world *world);
void places_destroy(struct places *places); /* accepts NULL */

uint64_t places_tick(struct places *places);

/* A path of one of the two roots, as a run sees it. */
struct spot {
	const char *artifacts; /* of the run's ground */
	enum artifact_root root;
	str path;
};

/* What is known of a path; NULL: nothing. */
struct known *places_find(struct places *places, const struct spot *spot);
/* Notes what is there now; a change is noticed at `tick`. */
struct known *places_see(
	struct places *places, const struct spot *spot, const struct fs_stat *stat, uint64_t tick);
void places_forget(struct places *places, const struct spot *spot); /* it was taken away */
/* Whether the kernel says the same of it; of a directory only its mode counts. */
bool places_same(const struct fs_stat *then, const struct fs_stat *now);

/* A body begins: what other bodies do meanwhile is told from what it does.  The body is of the places, and may be gone when
 * another begins after its end. */
struct body *places_begin(struct places *places, struct attempt *attempt);
void places_end(struct places *places, struct body *body, uint64_t tick); /* accepts NULL */

enum claim_on_file { FILE_OTHERS, FILE_LOOSE, FILE_OWN };
/* Whose is a file that is new or changed since the body began?  At the tick `unseen` it was not yet so. */
enum claim_on_file places_whose(const struct places *places, const struct body *body,
	const struct spot *spot, uint64_t unseen);
/* Whether a body that runs says that it makes this path, and may have: it is not as that body found it when it began. */
bool places_is_in_hand(
	const struct places *places, const struct ground *ground, const struct spot *spot);
/* Whether a body that runs may put something into this directory, so that it has to stay. */
bool places_is_open(const struct places *places, const struct spot *dir);
/* Whether a path of the project is another than when a body began (NULL: nothing was there). */
bool places_differs(const struct ground *ground, const struct before *before, str path,
	const struct fs_stat *now);
/* Whether bodies of other nodes ran at any time since the body began. */
bool places_was_alone(const struct places *places, const struct body *body);

/* `$ARTIFACTS_DIR/x` is x in ROOT_ARTIFACTS; the rest is cleaned.  False: it leaves its root. */
bool places_parse(struct arena *arena, str declared, enum artifact_root *root, str *path);

/* Calls visit for what a cleaned path of `writes` covers, files, links and directories: the path itself, everything below it
 * where it is a directory, or what the pattern matches.  An empty path is the whole root.  `count` is how many there are. */
struct place_visit {
	bool (*fn)(void *arg, enum artifact_root root, str path, const struct fs_entry *entry,
		struct err *err);
	void *arg;
	size_t count;
};
bool places_visit(const struct ground *ground, enum artifact_root root, str path,
	struct place_visit *visit, struct err *err);

int places_fd(const struct ground *ground, enum artifact_root root);
/* Beneath places_fd(). */
const char *places_full(
	const struct ground *ground, struct arena *arena, enum artifact_root root, str path);

/* Is this very file, link or directory there: kind, permissions, content, target? */
bool places_has(const struct ground *ground, struct arena *arena, const struct artifact *artifact);

#endif
