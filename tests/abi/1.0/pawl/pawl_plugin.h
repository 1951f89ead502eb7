/* SPDX-License-Identifier: MIT
 *
 * pawl_plugin.h - the whole contract between pawl and a node-type plugin.
 *
 * A plugin is one shared object named pawl_<keyword>.so that exports ONE symbol:
 *
 *     const pawl_plugin pawl_plugin_v1 = { PAWL_PLUGIN_HEAD, .id = "com.acme.ocr", ... };
 *
 * Rules that hold for everything below.
 *
 *   Threads  [loop] runs on the host's single event-loop thread: return promptly, never block
 *            (the host names the plugin in its log after 10 ms).  [worker] runs on a pool thread.
 *            [any] may be called from any thread.  Untagged means [loop].  Callbacks come from
 *            the loop, never from inside a host call.
 *   Memory   Who allocates, frees.  The host copies every argument it keeps.  What the host
 *            returns lives until the current call returns, unless the comment says "until finish".
 *   Strings  UTF-8; length is authoritative; strings coming from the host also end in NUL.
 *   Errors   Return a pawl_status, after explaining it with host->fail().  Never exit, abort,
 *            longjmp or throw across this boundary; never wait() for children, change signal
 *            handlers, the locale, the environment or the current directory.
 *   Loading  The host looks at pawl_plugin_v1 before it calls anything in it, but constructors of
 *            the shared object run as it is opened, and $ORIGIN means nothing: have none, and link
 *            with libraries of the system only.  A plugin is never unloaded.
 *   Growth   Structs carry their size up front and only ever gain members at the end (pawl_str is
 *            frozen).  Before using a host member newer than 1.0 ask PAWL_HAS(host, member).
 */
#ifndef PAWL_PLUGIN_H
#define PAWL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_ABI(major, minor) (((uint32_t)(major) << 16) | (uint32_t)(minor))

/* The ABI this translation unit asks for.  It stays at 1.0 until you opt in to a newer one, so
 * that rebuilding against a newer SDK never raises the oldest host your plugin can run on. */
#ifndef PAWL_WANT_MINOR
#define PAWL_WANT_MINOR 0
#endif

#define PAWL_MAGIC  0x4c574150u /* "PAWL" */
#define PAWL_EXPORT __attribute__((visibility("default")))
#define PAWL_HAS(p, member) \
	((p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member) && (p)->member)

typedef struct pawl_node pawl_node; /* one node of the workflow: its fields and inputs, read-only */
typedef struct pawl_run pawl_run;   /* one attempt to execute a node */
typedef struct pawl_hash pawl_hash; /* a cache key being built; opaque, append-only */
typedef struct pawl_proc pawl_proc; /* a child process; owned and reaped by the host */
typedef struct pawl_host pawl_host;

typedef struct pawl_str {
	const char *ptr; /* never NULL when it comes from the host */
	size_t len;
} pawl_str;

/* Fixed-width integers stand in for enums: the size of a C enum is not part of the language. */
typedef int32_t pawl_status;
enum {
	PAWL_OK = 0,
	PAWL_PENDING = 1,      /* start: finish() will follow; field in validate: not known yet */
	PAWL_UNCACHEABLE = 2,  /* cache_key: run it, never reuse it; explain with host->fail() */
	PAWL_E_CONFIG = -1,    /* the workflow is wrong; retrying cannot help */
	PAWL_E_FAILED = -2,    /* the node ran and failed; its retry policy decides */
	PAWL_E_TRANSIENT = -3, /* the world was in the way (network, lock); a retry is sensible */
	PAWL_E_CANCELLED = -4,
	PAWL_E_TIMEOUT = -5,
	PAWL_E_NOT_FOUND = -6,   /* no such field, input, secret, key or file */
	PAWL_E_UNSUPPORTED = -7, /* this host cannot do that */
	PAWL_E_SYSTEM = -8,      /* a system call failed; the host has already explained it */
	PAWL_E_MISUSE = -9       /* this contract was broken; the host logs who did it */
};

enum { PAWL_LOG_DEBUG = 0, PAWL_LOG_INFO = 1, PAWL_LOG_WARN = 2, PAWL_LOG_ERROR = 3 };
enum { PAWL_STDOUT = 1, PAWL_STDERR = 2 };
enum { PAWL_CANCEL_USER = 1, PAWL_CANCEL_TIMEOUT = 2, PAWL_CANCEL_SIBLING_FAILED = 3 };

/* ---- processes --------------------------------------------------------------------------- */

typedef struct pawl_exit {
	uint32_t size;
	int32_t code;    /* exit status, or -1 when a signal ended the child */
	int32_t signal;  /* terminating signal, or 0 */
	uint32_t reason; /* 0, or the PAWL_CANCEL_* for which the host ended it */
	uint64_t cpu_us;
	uint64_t wall_us;
	uint64_t max_rss_kib;
} pawl_exit;

enum {
	PAWL_SPAWN_CLEAN_ENV = 1u << 0,    /* start from an empty environment, not the node's */
	PAWL_SPAWN_MERGE_STDERR = 1u << 1, /* one stream, in order */
	PAWL_SPAWN_STDIN_OPEN = 1u << 2,   /* more input will come through proc_write() */
	/* The plugin hands the values of `with` on itself: INPUTS_* variables that are too large for
	 * an environment are left out, where they would be an error. */
	PAWL_SPAWN_OWN_INPUTS = 1u << 3
};

typedef struct pawl_spawn {
	uint32_t size;
	uint32_t flags;          /* PAWL_SPAWN_* */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in the node's PATH */
	const char *const *env;  /* NULL-terminated NAME=VALUE on top of the node's; NAME removes */
	const char *cwd;         /* NULL: the node's working directory */
	pawl_str input;          /* what the child reads on stdin, then end of file */
	uint64_t timeout_ms;     /* 0: the node's own timeout only */

	/* Both may be NULL.  Without on_output the host captures and logs both streams.  Without
	 * on_exit the host finishes the run itself: exit 0 is PAWL_OK, exit 75 and a signal are
	 * PAWL_E_TRANSIENT, else PAWL_E_FAILED.  on_exit comes after the last on_output. */
	void (*on_output)(const pawl_host *, pawl_run *, void *user, int32_t stream, pawl_str);
	void (*on_exit)(const pawl_host *, pawl_run *, void *user, const pawl_exit *);
	void *user;
} pawl_spawn;

/* ---- services the host offers ------------------------------------------------------------- */

struct pawl_host {
	uint32_t size;       /* bytes of this struct the host really provides */
	uint32_t abi;        /* PAWL_ABI() of the host, never less than the plugin asked for */
	const char *version; /* for people, e.g. "0.4.1" */

	/* Say something. `node` may be NULL in init() and fini(). [any] */
	void (*log)(pawl_node *, int32_t level, const char *text);

	/* Explain a status and return it, so that one line does both:
	 *     return host->fail(node, PAWL_E_CONFIG, "image", "is empty");
	 * `field` is the path of the offending field, or NULL; it becomes file:line:column.  What
	 * stands behind the first line feed of `text` is the fix: an edit or a command. */
	pawl_status (*fail)(pawl_node *, pawl_status, const char *field, const char *text);

	/* Read a field by path ("env.HOME", "args.2"): scalars as text, lists and maps as canonical
	 * JSON, in which a string that is one reference and nothing else becomes the typed value.
	 * A field that the node lacks is looked up in the workflow's `defaults`; else it is
	 * PAWL_E_NOT_FOUND.  field() expands references; in validate() one that needs a value is
	 * PAWL_PENDING.  field_raw() gives what the author wrote.  input() reads an output of another
	 * node ("a.b.0" into its JSON; NULL: all of it), or with node "INPUTS" an input of the
	 * workflow.  expand() does for any text what field() does for a field's.
	 * Where the status is not PAWL_OK, *out is empty; and it has been explained, but for
	 * PAWL_PENDING and the PAWL_E_NOT_FOUND of a field that is not there. */
	pawl_status (*field)(pawl_node *, const char *path, pawl_str *out);
	pawl_status (*field_raw)(pawl_node *, const char *path, pawl_str *out);
	pawl_status (*input)(pawl_node *, const char *node, const char *output, pawl_str *out);
	pawl_status (*expand)(pawl_node *, pawl_str text, pawl_str *out);

	/* Say what the result depends on; only inside cache_key().
	 *
	 * hash_*: parts of the key, known beforehand.  Each call appends a type tag, the label and
	 * the value, length-prefixed, so that no two different sequences can collide, and is kept
	 * as text for `pawl why`.  hash_secret: a keyed hash of the value, never the value.
	 * fact_*: facts of the trace, checked when a stored result would be reused and again after
	 * the body; paths are absolute or begin at the node's working directory.  fact_file: the
	 * content of a file or a directory's tree, or that there is none (a file that the body itself
	 * writes stops being an input).  fact_word: a word of the body
	 * that may name a file; counts when there is one, or when it has a slash.  fact_output: a file
	 * that the body writes.  fact_tool: the identity of a program on the node's PATH; one that is
	 * not there does not count.
	 * Errors stick: the node runs and its result is not stored. */
	void (*hash_text)(pawl_hash *, const char *label, pawl_str);
	void (*hash_u64)(pawl_hash *, const char *label, uint64_t);
	void (*hash_open)(pawl_hash *, const char *label); /* begin a list ... */
	void (*hash_close)(pawl_hash *);                   /* ... and end it */
	pawl_status (*hash_secret)(pawl_hash *, const char *label, const char *name);
	pawl_status (*fact_file)(pawl_hash *, const char *label, const char *path);
	pawl_status (*fact_word)(pawl_hash *, const char *label, const char *word);
	pawl_status (*fact_output)(pawl_hash *, const char *label, const char *path);
	pawl_status (*fact_tool)(pawl_hash *, const char *label, const char *argv0);

	/* The directory that this plugin's file stands in, for programs that come with it.
	 * [any] */
	const char *(*plugin_dir)(pawl_node *);

	/* Everything below but extension(): only between start() and finish().  Else nothing
	 * happens and, where there is a status, it is PAWL_E_MISUSE; that goes for NULL and for
	 * another thread as well. */
	pawl_node *(*node_of)(pawl_run *);    /* [any] */
	int32_t (*cancelled)(pawl_run *);     /* 0, or the PAWL_CANCEL_* reason [any] */
	void *(*alloc)(pawl_run *, size_t n); /* zeroed, until finish; never NULL */
	const char *(*temp_dir)(pawl_run *);  /* private, until finish; NULL: explained already */

	/* Start a child.  The host owns it: reads its pipes, reaps it, kills all that it started.
	 * A program that is not there is PAWL_E_NOT_FOUND, any other refusal PAWL_E_SYSTEM; both
	 * are explained already.  *out is good until finish, also when the child has ended. */
	pawl_status (*spawn)(pawl_run *, const pawl_spawn *, pawl_proc **out_or_null);
	/* More input of a child that was spawned with PAWL_SPAWN_STDIN_OPEN; the empty text ends
	 * it, once.  Both are PAWL_E_NOT_FOUND when the child has ended.  What it has not read
	 * by then is dropped. */
	pawl_status (*proc_write)(pawl_proc *, pawl_str);
	/* To the child's whole process group. */
	pawl_status (*proc_signal)(pawl_proc *, int32_t sig);
	/* Calls fire() once, not before `ms` have passed; never after finish(). */
	pawl_status (*timer)(pawl_run *, uint64_t ms,
		void (*fire)(const pawl_host *, pawl_run *, void *user), void *user);
	/* work() runs on a pool thread and sees nothing but `user`; done() follows on the loop,
	 * unless the run has ended before: what only done() would free is freed never, so have a
	 * cancel() that waits for it.  Memory of alloc() stays until work() is back, whenever
	 * the run ends. */
	pawl_status (*offload)(pawl_run *, void (*work)(void *user) /* [worker] */,
		void (*done)(const pawl_host *, pawl_run *, void *user), void *user);

	/* Read the value of one of the node's `secrets`; it is masked in all output.
	 * PAWL_E_NOT_FOUND: the node does not list it, or it is not set. */
	pawl_status (*secret)(pawl_run *, const char *name, pawl_str *out);
	/* Append to what the node prints: PAWL_STDOUT is its output, PAWL_STDERR its log.  What a
	 * child prints comes here by itself unless its on_output takes it. */
	pawl_status (*output)(pawl_run *, int32_t stream, pawl_str bytes);
	/* Set a named output that other nodes read as $node.output.NAME, or hand a file to the
	 * artifact store; `path` is absolute or begins at the node's working directory, and is
	 * read when the run has ended.  A name is set once: the second time is PAWL_E_MISUSE. */
	pawl_status (*emit)(pawl_run *, const char *output, pawl_str value);
	pawl_status (*artifact)(pawl_run *, const char *name, const char *path);
	/* What people see while it runs: 0 to 1, and a word or NULL.  Values outside are brought
	 * inside. */
	void (*progress)(pawl_run *, double fraction, const char *text);
	/* Durable key-value pairs, private to the plugin id and shared by all runs of the
	 * project.  kv_get: PAWL_E_NOT_FOUND; both: PAWL_E_UNSUPPORTED where there is no store. */
	pawl_status (*kv_get)(pawl_run *, const char *key, pawl_str *out);
	pawl_status (*kv_put)(pawl_run *, const char *key, pawl_str value);

	/* End a PAWL_PENDING run; exactly once.  The run is gone after it: no callback is made any
	 * more, its timers are dropped, its children killed, its memory freed. */
	void (*finish)(pawl_run *, pawl_status);

	/* A service family by id and revision, e.g. "pawl.bind/1"; NULL if unknown. [any] */
	const void *(*extension)(const pawl_host *, const char *id);

	/* ---- end of ABI 1.0; append below, inside #if PAWL_WANT_MINOR >= n ---- */
};

/* ---- extension "pawl.bind/1": references inside a body ------------------------------------- */

/* What a body with references becomes: a text that is a function of the body alone.  The values
 * travel beside it, in environment variables that the next spawn() adds, or in files when they
 * are large; the text reads them where the references stood, so that a value is data for ever. */
typedef struct pawl_bound {
	uint32_t size;
	uint32_t references; /* how many values the text reads */
	pawl_str text;       /* what to hand to the interpreter */
	/* Run only: code of the same language that must run before the text, because some value did not
	 * fit into the environment; empty: none.  How: bash by $BASH_ENV, others in front of the text. */
	pawl_str prelude;
	const pawl_str *words; /* literal words that may name a file: for fact_word() */
	size_t word_count;
	const pawl_str *writes; /* literal targets of redirections: for fact_output() */
	size_t write_count;
	const pawl_str *commands; /* literal names of programs: for fact_tool() */
	size_t command_count;
} pawl_bound;

typedef struct pawl_bind_v1 {
	uint32_t size;
	/* Binds the references of a text field in a language: "bash", "js", "python", or "none",
	 * where any reference is an error.  Set out->size first; what it points at lives as long as
	 * the node.  In validate() problems are reported at their own line and column, and
	 * PAWL_E_CONFIG is returned; in cache_key() there is the text only; after start() the values
	 * are fetched too.  One bind() a spawn(). */
	pawl_status (*bind)(pawl_node *, const char *language, const char *field, pawl_bound *out);
} pawl_bind_v1;

/* ---- what a plugin provides ---------------------------------------------------------------- */

/* pawl_type.caps: hints, a host may ignore any of them. */
enum {
	PAWL_CAP_CANCEL = 1u << 0,      /* has something to tidy up: cancel() before the kill */
	PAWL_CAP_INPROC_ONLY = 1u << 1, /* must not be moved to a separate process */
	PAWL_CAP_NETWORK = 1u << 2,     /* talks to the outside world: a host may refuse it */
	/* What cache_key() says (NULL: the fields) is all that the result depends on, and
	 * start() changes nothing but its outputs: a result may be reused by any later run, also
	 * where the node declares no `reads`.  Without it that is for the author of the workflow
	 * to say. */
	PAWL_CAP_PROVABLE = 1u << 3
};
enum { PAWL_CACHE_NEVER = 0, PAWL_CACHE_ALWAYS = 1, PAWL_CACHE_DEPENDS = 2 };

typedef struct pawl_type {
	uint32_t size;
	uint32_t caps;        /* PAWL_CAP_* */
	uint32_t cacheable;   /* PAWL_CACHE_*; NEVER: cache_key() is not called */
	uint32_t cache_epoch; /* raise it when the same fields begin to mean something else */
	const char *keyword;  /* the field that selects this type, `bash:`; [a-z][a-z0-9_]* */
	const char *summary;  /* one line for `pawl types` */
	/* JSON Schema (subset, docs/schema.md) of the fields that are this type's own.  Its
	 * "properties" say which those are: a node may have them besides the engine's, and the schema
	 * sees them only.  NULL: the keyword's field, whatever it is. */
	const char *schema;

	/* Check what the schema cannot say.  Pure: no I/O.  May be NULL. */
	pawl_status (*validate)(const pawl_host *, pawl_node *);
	/* Append all that the result depends on beyond the inputs, which the host adds itself.
	 * Same fields, same inputs, same files: same calls.  NULL: the host hashes every field. */
	pawl_status (*cache_key)(const pawl_host *, pawl_node *, pawl_hash *);
	/* Begin.  PAWL_PENDING: finish() will be called; anything else is the final result. */
	pawl_status (*start)(const pawl_host *, pawl_node *, pawl_run *);
	/* Stop soon and finish() with PAWL_E_CANCELLED.  NULL: the host kills the run's children,
	 * SIGTERM first and SIGKILL after the node's grace period, and finishes it. */
	void (*cancel)(const pawl_host *, pawl_run *, int32_t reason);
	/* Interfaces beyond these, by id and revision, e.g. "pawl.reattach/1".  May be NULL. */
	const void *(*extension)(const pawl_host *, const char *id);

	/* ---- end of ABI 1.0 ---- */
} pawl_type;

typedef struct pawl_plugin {
	uint32_t magic; /* PAWL_MAGIC */
	uint32_t size;
	uint32_t abi;  /* the oldest host ABI that will do */
	uint32_t must; /* features the host must know; 0 today.  An unknown bit: not loaded */

	const char *id;                /* reverse DNS; scopes kv, logs and cache keys forever */
	const char *version;           /* for people */
	const char *url;               /* may be NULL */
	const pawl_type *const *types; /* NULL-terminated */

	pawl_status (*init)(const pawl_host *); /* once, before all else; may be NULL */
	void (*fini)(const pawl_host *);        /* once, after all else; may be NULL */

	/* ---- end of ABI 1.0 ---- */
} pawl_plugin;

/* The first members of pawl_plugin_v1.  In C, and in C++ since 20, those behind them are named:
 *     { PAWL_PLUGIN_HEAD, .id = "com.acme.ocr", ... }
 * Older C++ has no names there and gives all of them, in their order:
 *     { PAWL_PLUGIN_HEAD_PLAIN, "com.acme.ocr", ... } */
/* clang-format off */
#define PAWL_PLUGIN_HEAD \
	.magic = PAWL_MAGIC, .size = (uint32_t)sizeof(pawl_plugin), \
	.abi = PAWL_ABI(1, PAWL_WANT_MINOR), .must = 0
#define PAWL_PLUGIN_HEAD_PLAIN \
	PAWL_MAGIC, (uint32_t)sizeof(pawl_plugin), PAWL_ABI(1, PAWL_WANT_MINOR), 0
/* clang-format on */

/* The plugin defines it; this declaration exports it, whatever -fvisibility says. */
extern PAWL_EXPORT const pawl_plugin pawl_plugin_v1;

#ifdef __cplusplus
}
#endif
#endif
