/* host: the plugin ABI seen from the engine.  Node types are found by keyword and loaded on demand; a node in a plugin's
 * eyes (pawl_node) and an attempt to run one (pawl_run) are made here.  Nothing here decides anything. */
#ifndef PLUG_HOST_H
#define PLUG_HOST_H

#include "data/key.h"
#include "data/ref.h"
#include "model/workflow.h"
#include "pawl/pawl_plugin.h"
#include "store/db.h"
#include "sys/world.h"

/* The newest ABI that is spoken to plugins, as PAWL_ABI() gives it. */
uint32_t host_abi(void);

/* ---- node types --------------------------------------------------------------------------------------------------- */

struct types;
struct schema;

struct types_options {
	const char *const *paths; /* --plugin-path, in order; NULL-terminated, may be NULL */
	const char *env_path;     /* $PAWL_PLUGIN_PATH, ':'-separated, may be NULL */
	const char *home_path;    /* ~/.local/lib/pawl/plugins, may be NULL */
	const char *builtin_path; /* where the installed or built plugins are */
	const char *project;      /* project directory, for trusted project plugins; may be NULL */
	/* Where plugins that crashed are noted, one "ID VERSION DIGEST" a line; may be NULL. */
	const char *crash_file;
	const char
		*trust_file; /* digests that `plugin trust` recorded, one hex a line; may be NULL */
	/* Calls that are waited for (a first init(), validate(), cache_key()) of plugins that did not come with the program
	 * are made in a copy of this process, so that a crash is an error like any other. */
	bool isolates;
};

/* Of a plugin, shared by its types. */
struct plug_health {
	char *note; /* its line in the crash file; NULL: it came with the program, or there is no file */
	bool isolates;    /* as in the options; false for what came with the program */
	bool has_crashed; /* this very file, in this run or before */
};

struct plug_type {
	const pawl_type *type;
	const pawl_plugin *plugin;
	str keyword;
	const char *path;             /* of the .so */
	const char *dir;              /* that it stands in */
	bool is_foreign;              /* not one of those that came with the program */
	struct plug_health *health;   /* NULL: nothing is known, and it is trusted */
	const struct value *schema;   /* parsed pawl_type.schema; NULL: none */
	const struct schema *checker; /* the same, compiled; NULL: none */
};

/* It crashed before: its nodes run in a process of their own. */
static inline bool plug_runs_apart(const struct plug_type *type)
{
	return type->health && type->health->has_crashed &&
	       !(type->type->caps & PAWL_CAP_INPROC_ONLY);
}

struct types *types_create(const struct types_options *options);
void types_destroy(struct types *types); /* fini of every plugin; never dlclose */

/* Finds and, the first time, loads pawl_KEYWORD.so.  NULL with *err empty: nobody provides it; NULL with *err set
 * (E-PLUGIN-*): there is one that can't be used. */
const struct plug_type *types_find(struct types *types, str keyword, struct err *err);

/* Every plugin file that the search path offers: fn(arg, keyword, path, refused) where `refused` is NULL or why not. */
void types_each_file(struct types *types,
	void (*fn)(void *arg, str keyword, const char *path, const char *refused), void *arg);

/* What the search path and the plugins that were loaded rest on: their files, the directories searched, the lists of
 * trusted and of crashed plugins; whether there or not. */
void types_each_path(const struct types *types, void (*fn)(void *arg, const char *path), void *arg);

/* For workflow_load. */
struct workflow_types types_for_workflow(struct types *types);

/* ---- a node in a plugin's eyes --------------------------------------------------------------------------------------- */

/* Where values of references come from; NULL in validate.  Results live as long as the pawl_node. */
struct host_values {
	void *ctx;
	bool (*is_node)(void *ctx, str name);
	/* Exact bytes, as `$ref` means them in text. */
	bool (*text)(void *ctx, const struct ref *ref, str *out, struct err *err);
	/* JSON text: the typed value where there is one, else the bytes as a JSON string. */
	bool (*json)(void *ctx, const struct ref *ref, str *out, struct err *err);
};

struct host_node_init {
	const struct workflow *workflow;
	const struct node *node;
	const struct plug_type *type;
	const struct host_values *values; /* NULL: validate only */
	const char *const
		*env;    /* the node's whole environment, NULL-terminated; NULL: validate only */
	const char *cwd; /* absolute; NULL: validate only */
	const char *project;   /* absolute */
	const char *temp_root; /* where temp_dir() makes its directory; NULL: validate only */
	const char *marker;    /* "PAWL_ATTEMPT_ID=...", in env too */
	const struct world *world;
	struct store *store; /* for kv; may be NULL */
	uint64_t grace_ms;   /* between SIGTERM and SIGKILL */
};

struct pawl_node *host_node_create(const struct host_node_init *init);
void host_node_destroy(struct pawl_node *node); /* accepts NULL; its run, if any, has finished */

/* The type's schema, then validate(): problems to *diags with file:line:column.  False when there was an error. */
bool host_validate(struct pawl_node *node, struct diags *diags);

/* Edits that mend what host_validate refused of references in bodies, where the author's meaning is beyond doubt: the bytes
 * `then` that stand at `at` become `now`.  Where a place is not known to the byte, `at.len` is not the length of `then`. */
struct host_fix {
	struct place at;
	char style; /* of the YAML scalar that it stands in */
	str then;
	str now;
};
void host_each_fix(
	struct pawl_node *node, void (*fn)(void *arg, const struct host_fix *fix), void *arg);

/* What a node said that its result depends on in the file system.  Paths are as the plugin gave them. */
enum host_fact_kind {
	HOST_FACT_FILE, /* content of a file or tree, or that there is none */
	HOST_FACT_WORD, /* a word that may name a file: counts when there is one, or when it has a slash */
	HOST_FACT_TOOL,   /* a program, looked up in the node's PATH */
	HOST_FACT_OUTPUT, /* a file that the body writes */
};
struct host_fact {
	enum host_fact_kind kind;
	str label;
	str path;
};
struct host_facts {
	VEC(struct host_fact) list;
};

enum host_key_status { HOST_KEY_OK, HOST_KEY_NOT_CACHEABLE, HOST_KEY_FAILED };

/* The plugin's contributions: hash_* appended to `key` (labels as the plugin gave them), facts to *facts (strs live as long
 * as the node). Not OK: *words says why, in the plugin's words.  A type with PAWL_CACHE_NEVER is NOT_CACHEABLE. */
enum host_key_status host_cache_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words);

/* ---- an attempt ------------------------------------------------------------------------------------------------------ */

struct host_outcome {
	pawl_status status;
	bool has_exit; /* the child whose end ended the run */
	struct world_exit exit;
	int32_t cancel_reason; /* PAWL_CANCEL_* or 0 */
	const struct err
		*err; /* what fail() said, or why it could not start; code NULL: nothing was said */
	uint32_t leftovers; /* processes that outlived their children and were ended */
};

/* All on the loop; never from inside a host_* call. */
struct host_events {
	void *arg;
	void (*output)(void *arg, int32_t stream, str bytes); /* PAWL_STDOUT, PAWL_STDERR */
	void (*emit)(void *arg, str name, str value);
	void (*artifact)(void *arg, str name, const char *path);
	void (*log)(void *arg, int32_t level, str text);
	void (*progress)(void *arg, double fraction, str text);
	/* Once, last. */
	void (*finished)(void *arg, const struct host_outcome *outcome);
};

/* Begins; `finished` always follows.  The run is gone after it. */
struct pawl_run *host_start(struct pawl_node *node, const struct host_events *events);

/* Asks it to stop: the plugin's cancel(), or TERM, and KILL after the grace period.  `finished` follows. */
void host_cancel(struct pawl_run *run, int32_t reason);

/* The same without grace: SIGKILL now. */
void host_kill(struct pawl_run *run);

/* Whether its children have ended by themselves, or it has: it is not late any more, though `finished` comes only when what
 * they left behind is gone, too. */
bool host_is_ending(const struct pawl_run *run);

#endif
