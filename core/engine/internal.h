/* internal: what the files of engine/ share: a run in progress (struct engine), a node in it (struct unit), and one time
 * through deciding and running it (struct attempt). */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "data/json.h"
#include "engine/artifacts.h"
#include "engine/aside.h"
#include "engine/engine.h"
#include "engine/facts.h"
#include "engine/places.h"
#include "engine/slots.h"
#include "store/cas.h"

/* What a node of the run is known to have produced. */
struct produced {
	struct digest output;
	uint64_t output_size;
	struct digest manifest;
	bool has_output;
	bool has_manifest;
	int64_t result;  /* id, or 0 where it was not stored */
	int64_t origin;  /* run that made it */
	int64_t made_ms; /* of what is reused: when */
	str emits;       /* JSON object in the run's arena, or empty */
	const str *held; /* in a plan: the bytes of an output that may not be stored; else NULL */
};

/* What was made anew may have changed anything for those who read more than pawl knows. */
#define MADE_NOW INT64_MAX
struct moved {
	int64_t made; /* id of a result, which grow; 0: nothing */
	str name;
};

struct held_manifest {
	struct held_manifest *next;
	struct digest manifest;
};

struct unit {
	uint64_t id; /* in this run and all within it */
	const struct node *node;
	const struct plug_type *type;
	enum node_state state;
	uint32_t place;       /* of an ended one: how many had ended before it */
	uint32_t waiting;     /* how many dependencies have not ended */
	bool failed_upstream; /* skipped because something above it failed */
	bool is_left_out;     /* not selected, and nothing selected depends on it */
	bool is_given;        /* not selected, but above something that is: taken as it is stored */
	bool is_uncertain;    /* in a plan: made anew, so what consumes it can't be known */
	bool is_optional;     /* and whether its turn comes at all */
	struct produced out;
	bool has_moved; /* files of its were put back over others: who may have read those must look again */
	/* Of what it holds, as far as that has ended, and of itself once it has: the newest result; MADE_NOW: something ran. */
	int64_t made;
	/* Set once it has ended: the newest of that and of all above it, and whose it is. */
	struct moved newest;
	struct moved
		earlier; /* of a member of a loop_group: of all members in the iterations before */
	/* Likewise: artifacts in $ARTIFACTS_DIR, its own and those made above it. */
	struct digest shared;
	struct digest above;
	bool has_shared;
	bool has_above;
	/* Of a node that holds others: manifests of what they left, the newest first. */
	struct held_manifest *held;
	bool is_loose; /* it left what it or another made, nobody knows which */
	/* What it or those that it holds left is not known in part; the digest stands for that. */
	bool has_lost;
	struct digest lost;
	/* Of a loop_group: one digest of what was left in $ARTIFACTS_DIR in the iterations before the current one. */
	struct digest before;
	bool has_before;
	struct attempt *attempt; /* while it is being decided or run */
	str error;               /* of a failed one, in the run's arena */

	/* Of a slot of a fan_out. */
	struct unit *parent; /* NULL: it is no slot */
	void (*on_end)(struct engine *engine, struct unit *unit);
	const struct value *item;
	str item_name;
	bool was_paused;     /* it gave up its place in the fan_out */
	bool has_no_returns; /* a `workflow` node whose run ends in several nodes: it gives nothing */

	/* Of a member of a loop_group. */
	uint64_t iteration;
	struct produced previous; /* what it made in the iteration before */
	bool had_previous;

	/* Of a control node that is going on. */
	struct fan *fan;
	struct loop *loop;
	struct subrun *subrun;
	/* And when it has ended: who made what it gives (sources.h). */
	const struct source *sources;
	size_t source_count;
};

/* Whether all that the body reads is known: the author declares it, or the type's plugin answers for it. */
static inline bool unit_knows_reads(const struct unit *unit)
{
	return unit->node->reads_declared ||
	       (unit->type && (unit->type->type->caps & PAWL_CAP_PROVABLE));
}

struct attempt {
	struct engine *engine;
	struct unit *unit;
	const struct scope *
		scope; /* in whose terms names are read: the node's, but for a moment that of an include */
	struct arena arena; /* dies with the attempt */
	struct pawl_node *host;
	struct pawl_run *running;
	const char **env;
	const char *marker; /* "PAWL_ATTEMPT_ID=..." */
	const char *cwd;
	struct key key;
	struct digest digest; /* of the key */
	struct digest own;    /* of the key without its inputs */
	bool has_key;
	uint32_t
		left_out; /* of a slot: whose output is not in the key, since the item stands for it */
	struct digest claim; /* of workflow, node and key, while is_claimed */
	bool is_claimed;
	struct host_facts plugin_facts;
	struct trace before;
	struct decision decision;
	struct decide_input input;       /* that it was made of */
	const struct result_row *reused; /* what is reused, or NULL */
	const struct result_row
		*refused; /* the stored result that was looked at and refused, or NULL */
	const struct result_row
		*suspected; /* what a suspect result had, while it runs again; or NULL */
	bool is_suspect_rerun;
	const struct result_row *verified; /* runs once more to be compared with this; or NULL */
	struct kept_file *kept;            /* what is put back after that */
	struct stamp *stamps;              /* of the facts of `before`, before the body; or NULL */
	size_t declared;       /* so many facts of `before` come from `reads` and `tools` */
	struct aside *aside;   /* what was in its places, out of the way; or NULL */
	struct body *body;     /* while it runs, and until what it left was looked for */
	struct fact *states;   /* with `clean: false`: of its places before the body */
	str tainted;           /* why nothing of a further try can be kept, or empty */
	struct artifact *made; /* by the try that ended last, for it to be undone */
	size_t made_count;

	int64_t tries;
	int64_t started_wall;
	uint64_t started_mono;
	uint64_t ran_ms;
	struct cas_writer *out;
	struct cas_writer *log;
	struct world_timer *show_timer; /* until the output is shown while the body runs */
	bool is_shown;
	struct digest log_digest; /* of stderr, once the body has ended */
	uint64_t log_size;
	bool has_log;
	struct buf emits;          /* JSON members so far */
	struct world_timer *timer; /* timeout, retry delay, or waiting for another run */
	int32_t cancel_reason;
	bool is_waiting_announced;
	bool is_passive;           /* of a fan_out or loop_group: it ends with what it holds */
	const char *skip_reason;   /* of a node that is skipped: a code */
	str unstorable;            /* why nothing of this can be kept, or empty */
	bool prints_artifacts_dir; /* its output names this run's own directory */
	struct buf held[2];        /* of stdout and stderr: what may be the beginning of a secret */
	struct buf
		carry; /* the end of the last chunk of stdout, for finding that name across chunks */
	bool has_history;     /* `last` and `failed` are there (history.h) */
	struct node_row last; /* the node's newest row before this attempt; run 0: there is none */
	const struct value *failed; /* its failures since it last passed, or NULL */
	struct trace after;         /* what is kept with the result */
	struct captured captured;
	bool has_exit; /* of the body */
	struct world_exit exit;
	struct world_proc *check; /* `ensure.run`, while it runs */
	struct buf check_log;
};

/* A part of every node's key. */
struct locale_part {
	str label; /* "locale/LANG" */
	str value;
};

struct engine {
	const struct world *world;
	struct store *store;
	struct types *types;
	const struct workflow *workflow;
	const struct engine_options *options;
	const struct engine_events *events;
	struct arena arena; /* dies with the run */
	struct run_row row;
	struct cutoff off_before; /* where reuse is off, or was when the run began */
	struct fact_memo *memo;
	struct places *places; /* of the outermost run */
	struct owners *owners; /* NULL: not yet loaded */
	struct ground ground;
	VEC(struct aside *) asides;
	bool has_noted_bodies;
	bool has_loose;            /* files of the project that one of several nodes made */
	uint64_t artifacts_looked; /* the tick of the last look at all of the artifact directory */
	struct rules *rules;       /* NULL: no policies */
	struct mask *mask;         /* NULL: no secrets */
	struct unit *units;
	uint32_t ended;
	uint32_t running;
	struct slots *slots;     /* of the outermost run */
	VEC(struct unit *) todo; /* ready to be decided, a queue taken from todo_head */
	size_t todo_head;
	bool is_stopping; /* nothing new starts */
	int32_t stop_reason;
	uint32_t count[NODE_PAUSED + 1]; /* of ended nodes, by state */
	uint32_t ran,
		reused; /* bodies: items, iterations and runs in this one too, not what holds them */
	bool is_ended;
	int64_t made;          /* as that of a unit, of all of them */
	uint32_t active;       /* attempts under way that will end by themselves: bodies, timers */
	uint32_t paused;       /* nodes that wait for an answer */
	str cancelled_because; /* a `cancel` node or a rejection, or empty */
	void (*on_ended)(void *arg); /* of a run within another; NULL: the loop is left */
	void *on_ended_arg;
	int signal;
	struct err error;
	uint64_t started_mono;
	bool has_restored; /* files were put back */
	bool has_flushed;  /* the run's row is in the store */
	bool has_directories;
	bool has_told_claims; /* that nothing keeps two runs from doing the same */
	struct world_timer *flush_timer;
	uint64_t flush_ms; /* what committing took so far, and how often it was done */
	uint64_t flushes;
	const char *artifacts_dir; /* absolute; of this run */
	const char *artifacts_rel; /* relative to .pawl/state */
	const char *state_dir;
	const char **common_env; /* of every node */
	size_t common_env_count;
	struct locale_part locale[9];
	size_t locale_count;
	struct map
		passed; /* nodes that passed in the newest other run of the workflow -> themselves */
	bool has_passed;  /* it was looked up */
	struct map given; /* input name -> const struct value * */
};

/* run.c */
void engine_pump(struct engine *engine); /* decides and starts what can be */
void engine_unit_ended(struct engine *engine, struct unit *unit, enum node_state state);
void engine_fail_store(struct engine *engine); /* the store refuses: stop */
void engine_stop(struct engine *engine, int32_t reason);
/* Commits within milliseconds; `at_stake_ms` is how long the work took that a crash would lose. */
void engine_flush_soon(struct engine *engine, uint64_t at_stake_ms);
/* Before the first body of a run, or the first file that is taken out of its way: the run's row is committed. */
void engine_prepare_bodies(struct engine *engine);
/* $ARTIFACTS_DIR and $STATE_DIR, once; a run that only reuses needs none. */
bool engine_make_directories(struct engine *engine, struct err *err);

/* Creates a run and its record; NULL with *err.  engine_go starts it; on_ended, or NULL to quit the loop, says when it is over;
 * engine_end closes the record and fills the summary; engine_free gives everything back. */
struct engine *engine_begin(const struct world *world, struct store *store, struct types *types,
	const struct workflow *workflow, const struct engine_options *options,
	const struct engine_events *events, struct err *err);
void engine_go(struct engine *engine, void (*on_ended)(void *arg), void *arg);
void engine_end(struct engine *engine, struct engine_summary *summary);
void engine_free(struct engine *engine);

/* loop_group.c */
/* "3", and "2.3" for the third iteration of a loop in the second one of another; empty outside of loops. */
str loop_round(const struct engine *engine, const struct unit *unit, struct arena *arena);
void loop_member_ended(struct engine *engine, struct unit *unit);

/* upstream.c: what those below must know of artifacts made here and above.  After the unit's outcome is set. */
void upstream_note(struct engine *engine, struct unit *unit);
/* The newest that was made above the unit, in this run and those around it. */
struct moved upstream_newest(const struct engine *engine, const struct unit *unit);
/* Adds what a slot or member left, known or not, to what its holder left, which upstream_join puts together. */
void upstream_hold(struct engine *engine, struct unit *holder, const struct unit *held);
void upstream_join(struct engine *engine, struct unit *holder);
/* An iteration is over: `member` is one of those that the next one depends on. */
void upstream_note_before(struct engine *engine, struct unit *loop, const struct unit *member);
bool upstream_is_unknown(const struct unit *unit); /* what it left can't be told */
str upstream_name(const struct engine *engine, struct arena *arena); /* "7/1": run and attempt */

/* node.c: one node from ready to its end. */
void node_decide(struct engine *engine, struct unit *unit);
/* Before it starts, as late as can be, so that runs side by side share the work: takes the right to run what it would.
 * False: another run is at it, and it is asked again later, or it was reused after all. */
bool node_claim(struct unit *unit);
void node_start(struct engine *engine, struct unit *unit);
void node_cancel(struct engine *engine, struct unit *unit, int32_t reason);
/* In a plan: the iteration of a loop to which it may never come. */
void node_plan_open(struct engine *engine, struct unit *unit);
void node_skip(struct engine *engine, struct unit *unit, const char *reason, str sentence);
void node_fail_early(struct attempt *attempt, const struct err *err);
void node_make_host(struct attempt *attempt); /* a fresh one for each try */
void attempt_destroy(struct attempt *attempt);

/* How the dependencies of a node ended. */
struct tally {
	uint32_t completed, failed, skipped, skipped_by_failure, cancelled;
};
/* Whether the rule lets the node run; *failed: it does not because something failed. */
bool node_rule_allows(enum trigger_rule rule, uint32_t total, const struct tally *t, bool *failed);

/* live.c: what a body has printed so far, where `pawl logs -f` finds it. */
void live_begin(struct attempt *attempt); /* it has printed something */
void live_end(struct attempt *attempt);

/* selection.c: sets is_left_out and is_given of every unit. */
void selection_mark(struct engine *engine);
/* With -f: itself, or the loop_group that it is in. */
bool unit_is_forced(const struct engine *engine, const struct unit *unit);

/* window.c: what the file system was before the body, and whether it held still until its end: fills `before`, then
 * `after` or `unstorable`. */
bool window_open(struct attempt *attempt, struct err *err);
void window_close(struct attempt *attempt);

/* finish.c: from the end of the body to the record. */
void finish_body(struct attempt *attempt, const struct host_outcome *outcome);

/* record.c: rows and events. */
void record_node(struct attempt *attempt, enum node_state state, const struct host_outcome *outcome,
	const struct err *err);
bool record_result(struct attempt *attempt, bool provable, str unproven, int64_t *id);
void tell(struct attempt *attempt, enum node_event_kind kind, str sentence);
void tell_output(struct attempt *attempt, int32_t stream, str bytes);
void tell_retry(struct attempt *attempt, str sentence, uint64_t delay_ms);

/* nodekey.c: the transcript of a node.  False: `words` say why it is incomplete or not cacheable. */
void nodekey_prepare(struct engine *engine); /* once a run */
enum host_key_status nodekey_build(struct attempt *attempt, struct buf *words);

/* Where the facts of this node are looked up. */
void attempt_fact_place(const struct attempt *attempt, struct fact_place *place);

/* environ.c */
void environ_prepare(struct engine *engine); /* once a run */
bool environ_build(struct attempt *attempt, struct err *err);
str environ_get(const char *const *env, const char *name, bool *found);

/* values.c */
void values_init(
	struct attempt *attempt, struct host_values *values, struct ref_resolver *resolver);
/* `for_key`: workflow variables, which differ from run to run, stay as they are written. */
bool values_binding_text(struct attempt *attempt, const struct binding *binding, bool for_key,
	str *out, struct err *err);

/* The typed value, in `arena`: of a reference what it refers to, else the text or the value as written. */
bool values_binding_value(struct attempt *attempt, const struct binding *binding,
	struct arena *arena, const struct value **out, struct err *err);

/* What is given for an input of another file, as a value of the input's type: the text of an output is read as the JSON of a
 * number where a number is wanted, and stays text where text is. */
bool values_for_input(struct attempt *attempt, const struct input_spec *input,
	const struct value *given, const struct value **out, struct err *err);

/* lookup.c: stored results as candidates for decide(). */
void lookup_decide(struct attempt *attempt, enum host_key_status status, str words);
/* In a plan, where what it consumes can't be known. */
/* `iteration`: of a loop that may end before it, or 0. */
void lookup_decide_uncertain(struct attempt *attempt, uint64_t iteration);
/* What was found out since: the decision is made once more. */
void lookup_unrestorable(struct attempt *attempt, str why);
void lookup_restored(struct attempt *attempt, const struct restored *restored);
void lookup_to_compare(struct attempt *attempt);
void lookup_has_twin(struct attempt *attempt);

#endif
