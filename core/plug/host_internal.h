/* host_internal: what the files of the plugin host share.  Private to plug/.
 *
 * Every function of a plugin is called between host_enter and host_leave, which tell the crash handler whose code is on the
 * stack.  Every service that a plugin may call checks the phase that it is called in; a wrong one is reported by the names
 * of plugin and service, and answered with PAWL_E_MISUSE. */
#ifndef PLUG_HOST_INTERNAL_H
#define PLUG_HOST_INTERNAL_H

#include "data/bind.h"
#include "plug/host.h"

#include <pthread.h>

/* The ABI of this host. */
#define HOST_ABI PAWL_ABI(1, 0)

enum host_phase { HOST_IDLE, HOST_VALIDATE, HOST_KEY, HOST_RUN };

/* ---- guard.c: whose code is on this thread's stack ------------------------------------------------------------------ */

struct guard_call {
	const char *plugin; /* id */
	const char *note;   /* for guard_note_crash(); NULL: nothing is noted */
	const char *function;
	const char *node; /* id, or NULL */
	struct pawl_node *of;
	struct guard_call *outer;
};

/* Handlers for the signals that a crash raises, where they are not there yet.  They name plugin, function and node on standard error,
 * then let the signal do what it did before. */
void guard_install(void);
/* Where plugins that crashed are noted, a line each; NULL: nowhere. */
void guard_set_crash_file(const char *path);
void guard_note_crash(const char *note); /* NULL: nothing; safe in a signal handler */
/* In a forked copy: a crash is sent home as a frame (host_copy.h), not told to people. */
void guard_in_copy(int pipe);
/* Names a call on this thread that does not come back, and lets Ctrl-C end it. */
void guard_watch(void);
void guard_enter(struct guard_call *call);
void guard_leave(const struct guard_call *call);
const struct guard_call *guard_current(void); /* NULL: none of a plugin's */

/* ---- loader.c: one shared object ---------------------------------------------------------------------------------------- */

enum loader_trust {
	LOADER_BY_OWNER, /* root or this user owns directory and file, and nobody else writes them */
	LOADER_BY_DIGEST, /* that, and the digest of the file is in the trust file */
};

struct loader_file {
	int fd; /* -1: there is none */
	char *path;
};

/* Opens DIRECTORY/pawl_KEYWORD.so for loading.  False with *err empty: there is none. */
bool loader_open(const char *directory, str keyword, const char *trust_file,
	enum loader_trust trust, struct loader_file *out, struct err *err);
void loader_close(struct loader_file *file);
bool loader_digest(int fd, struct digest *out); /* of the whole file */

/* What was loaded: copies of the plugin's structs, as much of them as the plugin declares, zeros behind that. */
struct loaded {
	pawl_plugin plugin;
	pawl_type **types;  /* NULL-terminated, on the heap */
	const void *symbol; /* the same for the same file loaded by another name */
};

/* Opens the shared object and checks pawl_plugin_v1, calling nothing in it.  Takes file->fd over once the dynamic linker has
 * it (never closed then: the linker knows the object by the descriptor's name). */
bool loader_load(struct loader_file *file, struct loaded *out, struct err *err);
void loaded_finish(struct loaded *loaded);

/* ---- a node ---------------------------------------------------------------------------------------------------------------- */

struct pawl_hash {
	struct pawl_node *node;
	struct key *key;
	struct host_facts *facts;
	size_t open;
	bool is_active;
	bool has_failed; /* sticky */
};

/* Something to be said as soon as somebody listens. */
struct host_note {
	int32_t level;
	char *text;
};

/* A body that was bound; kept, because the result borrows and is asked for in each phase. */
struct host_bound {
	const struct bind_language *language;
	str field;
	struct bind_result result;
	struct diags diags; /* places are counted in the body */
	bool is_good;
};

struct pawl_node {
	struct host_node_init init;
	struct arena arena;
	enum host_phase phase;
	struct diags *diags; /* validate: where problems go */
	struct err err;      /* what was said last in this phase */
	struct pawl_hash hash;
	struct pawl_run *run; /* the attempt that goes on, or the last one that ended */
	VEC(struct host_bound *) bounds;
	const char *id;
	pthread_t loop;          /* the thread that owns it */
	const struct copy *copy; /* in a copy of the process that has the store: the way to it */
	pthread_mutex_t lock;    /* of notes */
	VEC(struct host_note) notes;
};

static inline const char *host_note_of(const struct plug_type *type)
{
	return type->health ? type->health->note : NULL;
}

/* Around every call into the plugin; times it (E: more than 10 ms on the loop is worth a warning). */
struct host_call {
	struct guard_call guard;
	uint64_t began_ms;
};
void host_enter(struct pawl_node *node, struct host_call *call, const char *function);
void host_leave(struct pawl_node *node, struct host_call *call);

/* host_say.c */
bool host_on_loop(const struct pawl_node *node);
/* Reports that the plugin on the stack broke the contract; gives PAWL_E_MISUSE.  node may be NULL. */
pawl_status host_misuse(struct pawl_node *node, const char *service, const char *why);
/* Says it to who listens in this phase, or keeps it until somebody does.  [any] */
void host_note(struct pawl_node *node, int32_t level, const char *text);
void host_flush_notes(struct pawl_node *node);
void host_log(pawl_node *node, int32_t level, const char *text);
pawl_status host_fail(pawl_node *node, pawl_status status, const char *field, const char *text);
/* The same for what the host itself finds; takes *err over. */
pawl_status host_fail_err(struct pawl_node *node, pawl_status status, struct err *err);
/* What init() said by fail() or a warning last; the caller frees it.  NULL: nothing. */
char *host_take_orphan(void);
const char *host_status_code(pawl_status status); /* "E-CONFIG" */
const char *host_status_name(pawl_status status); /* "PAWL_E_CONFIG" */
bool host_status_is_known(pawl_status status);
struct place host_field_place(const struct pawl_node *node, const char *field);

/* Whether there is something to read; else the misuse is reported. */
bool host_has_bytes(struct pawl_node *node, const char *service, pawl_str bytes);

/* host_config.c: services that read fields. */
pawl_status host_field(pawl_node *node, const char *path, pawl_str *out);
pawl_status host_field_raw(pawl_node *node, const char *path, pawl_str *out);
pawl_status host_input(pawl_node *node, const char *from, const char *output, pawl_str *out);
pawl_status host_expand(pawl_node *node, pawl_str text, pawl_str *out);
const struct value *host_find_field(const struct pawl_node *node, str path);
bool host_is_node(void *ctx, str name); /* ctx: a pawl_node */
str host_getenv(
	const struct pawl_node *node, str name, bool *found); /* of the node's environment */
static inline pawl_str host_str(str s)
{
	return (pawl_str){s.ptr, s.len};
}

/* host_bind.c: extension pawl.bind/1. */
extern const pawl_bind_v1 host_bind_v1;
void host_check_bounds(struct pawl_node *node); /* validate: the references of bound bodies */

/* host_refs.c: false with *err where a reference names what can't have a value, or one that is not in the key. */
bool host_check_ref(const struct pawl_node *node, const struct ref *ref, struct err *err);
bool host_names_nobody(
	const struct pawl_node *node, const struct ref *ref);    /* a node that is not there */
str host_nearest_node(const struct pawl_node *node, str wanted); /* empty: none is near */
void host_warn_nobody(struct pawl_node *node, const struct ref *ref, struct place at);
/* Of "$fetch.outptu" (ref_next_slip), if `fetch` is a node and the text does not assign it. */
void host_warn_slip(
	struct pawl_node *node, str text, const struct ref *ref, str meant, struct place at);
void host_check_fields(
	struct pawl_node *node); /* validate: the references of the plugin's other fields */

/* host_key.c: services of cache_key(). */
void host_hash_text(pawl_hash *hash, const char *label, pawl_str value);
void host_hash_u64(pawl_hash *hash, const char *label, uint64_t value);
void host_hash_open(pawl_hash *hash, const char *label);
void host_hash_close(pawl_hash *hash);
pawl_status host_hash_secret(pawl_hash *hash, const char *label, const char *name);
pawl_status host_fact_file(pawl_hash *hash, const char *label, const char *path);
pawl_status host_fact_word(pawl_hash *hash, const char *label, const char *word);
pawl_status host_fact_output(pawl_hash *hash, const char *label, const char *path);
pawl_status host_fact_tool(pawl_hash *hash, const char *label, const char *argv0);

static inline bool host_calls_aside(const struct plug_type *type)
{
	return type->health && type->health->isolates && !(type->type->caps & PAWL_CAP_INPROC_ONLY);
}

/* The call itself, in whatever process. */
void host_call_validate(struct pawl_node *node);
enum host_key_status host_call_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words);
/* host_bind.c: what bind() would keep, for a bind() that happened in a copy. */
void host_bind_again(struct pawl_node *node, str language, const char *field);

/* ---- host_aside.c: calls in a copy of this process that are waited for ------------------------------------------------------ */

struct aside {
	const char *plugin;
	const char *function;
	const char *node;                          /* NULL: none */
	struct plug_health *health;                /* NULL: nobody keeps it */
	void (*fn)(void *arg, struct buf *answer); /* in the copy */
	void *arg;
};

/* Gives what fn() answered.  False with *err where no answer came: a crash, or no end; the plugin is noted as one that crashes. */
bool aside_call(const struct aside *aside, struct buf *answer, struct err *err);
/* validate() and cache_key() like that; the diagnostics, or what a key is made of, are here afterwards. */
void aside_validate(struct pawl_node *node);
enum host_key_status aside_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words);

/* ---- a run ------------------------------------------------------------------------------------------------------------------ */

struct run_timer {
	struct pawl_run *run;
	struct world_timer *timer; /* NULL: it fired or was stopped */
	void (*fire)(const pawl_host *, pawl_run *, void *user);
	void *user;
};

struct run_offload {
	struct pawl_run *run;
	void (*work)(void *user);
	void (*done)(const pawl_host *, pawl_run *, void *user);
	void *user;
	struct guard_call guard;
};

struct pawl_proc {
	struct pawl_run *run;
	struct world_proc *proc; /* NULL: it has ended */
	pawl_spawn spec;         /* callbacks only: the rest is gone */
	struct world_timer *timeout;
	uint32_t reason;
	bool is_input_open;
};

enum run_stage { RUN_WAITING, RUN_ACTIVE, RUN_ENDING, RUN_GONE };

/* Lives as long as its node, so that a plugin that holds on to it is told, not crashed. */
struct pawl_run {
	struct pawl_node *node;
	struct host_events events;
	struct arena arena; /* until finish */
	enum run_stage stage;
	struct world_timer *next; /* start, cancel or the end, which never happen inside a call */
	struct world_timer *grace;
	VEC(struct pawl_proc *) procs;
	VEC(struct run_timer *) timers;
	uint32_t live_procs;
	uint32_t live_timers;
	uint32_t live_offloads;
	int32_t cancel_reason;
	bool is_asked_to_stop; /* the plugin's cancel() was called */
	char *temp_dir;
	VEC(const char *) bound_env; /* for the next spawn, in the arena */
	VEC(str) emitted;            /* names of outputs that were set, in the arena */
	VEC(const char *) artifacts; /* as the plugin gave them, in the arena */
	struct host_outcome outcome;
	struct apart *apart; /* NULL: the plugin is called in this process */
};

/* host_apart.c: a run whose plugin is called in a forked copy of this process, because it crashed before.  apart_begin does what
 * start() would; a status other than PAWL_PENDING ends the run. */
pawl_status apart_begin(struct pawl_run *run);
void apart_cancel(struct pawl_run *run);
void apart_kill(struct pawl_run *run);
void apart_finish(struct pawl_run *run); /* the run is over */
/* In the copy: asks the process that has the store. */
bool apart_kv_get(struct pawl_run *run, const char *key, str *value, bool *found, struct err *err);
bool apart_kv_put(struct pawl_run *run, const char *key, str value, struct err *err);

/* host_run.c */
bool run_is_open(struct pawl_run *run, const char *service); /* else the misuse is reported */
void run_output(struct pawl_run *run, int32_t stream,
	str bytes); /* the one way out for what a node prints */
void run_end(struct pawl_run *run, pawl_status status);
void run_after_callback(struct pawl_run *run); /* ends a run in which nothing is under way */
void run_call(struct pawl_run *run, const char *name,
	void (*fn)(const pawl_host *, pawl_run *, void *user), void *user);
pawl_status run_cancel_status(const struct pawl_run *run);

pawl_node *host_node_of(pawl_run *run);
int32_t host_cancelled(pawl_run *run);
void *host_alloc(pawl_run *run, size_t n);
const char *host_temp_dir(pawl_run *run);
pawl_status host_timer(pawl_run *run, uint64_t ms,
	void (*fire)(const pawl_host *, pawl_run *, void *user), void *user);
pawl_status host_offload(pawl_run *run, void (*work)(void *user),
	void (*done)(const pawl_host *, pawl_run *, void *user), void *user);
void host_finish(pawl_run *run, pawl_status status);

/* host_results.c: what a run hands out and keeps. */
pawl_status host_secret(pawl_run *run, const char *name, pawl_str *out);
pawl_status host_output(pawl_run *run, int32_t stream, pawl_str bytes);
pawl_status host_emit(pawl_run *run, const char *output, pawl_str value);
pawl_status host_artifact(pawl_run *run, const char *name, const char *path);
void host_progress(pawl_run *run, double fraction, const char *text);
pawl_status host_kv_get(pawl_run *run, const char *key, pawl_str *out);
pawl_status host_kv_put(pawl_run *run, const char *key, pawl_str value);
/* Whether the node's `secrets` name it; its value is in the node's environment, when the caller has one. */
bool host_lists_secret(const struct pawl_node *node, const char *name);

/* host_spawn.c */
pawl_status host_spawn(pawl_run *run, const pawl_spawn *spec, pawl_proc **out);
pawl_status host_proc_write(pawl_proc *proc, pawl_str bytes);
pawl_status host_proc_signal(pawl_proc *proc, int32_t signal);

/* host_table.c: the services as plugins see them. */
extern const pawl_host host_table;

#endif
