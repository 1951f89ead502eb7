/* policy: rules in Lua that may ask for more to be in a node's key, refuse a stored result, or say which reused inputs a
 * failure makes suspect.  A rule can make a node run; it can never make one reuse, and one that fails or runs out of its
 * budget makes the node run.  It knows no store and no run: what a rule sees is handed in, and fetched only when it looks.
 *
 * Every file gets a Lua state of its own: text chunks only, an allow-list of globals, and, for each call of a rule,
 * 1,000,000 instructions (C functions pay for their loops), 8 MiB of memory, 256 MiB of allocations and 1 s of
 * processor time.  All calls come from one thread.  docs/policies.md is the reference for authors. */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "base/arena.h"
#include "data/key.h"
#include "data/value.h"
#include "sys/fs.h"

struct policies;
struct policy; /* one loaded file; owned by its policies */

struct policy_env {
	int project_fd;                 /* what pawl.digest and pawl.glob see; borrowed */
	const char *const *environment; /* NAME=VALUE, NULL-terminated; borrowed; NULL: empty */
	int64_t now_ms;                 /* pawl.now; see policies_set_now */
	void *arg;                      /* of the functions below */
	/* A line from pawl.log, made visible; NULL: dropped. */
	void (*log)(void *arg, str file, uint32_t line, str text);
	/* The digest of a file or directory by project path, for a caller that has a memo; NULL: own. */
	enum fs_found (*digest)(void *arg, str path, struct digest *out, struct err *err);
};

struct policies *policies_create(const struct policy_env *env);
void policies_destroy(struct policies *policies); /* accepts NULL */
void policies_set_now(struct policies *policies, int64_t now_ms);

/* Loads a file (relative to the project) and gives its handle; the second time, what the first time gave.  NULL where it
 * can't be used; what is wrong is in *diags then (E-POLICY-*, places with the file's lines), the first time only. */
struct policy *policies_load(struct policies *policies, str path, struct diags *diags);

enum policy_rule { POLICY_KEY, POLICY_REUSE, POLICY_FAILED };
#define POLICY_RULES 3

const char *policy_file(const struct policy *policy);
bool policy_has(const struct policy *policy, enum policy_rule rule);
/* Whether the last call of one of its rules failed (and the node runs for that). */
bool policy_erred(const struct policy *policy);

/* What a rule sees of a node.  The strs and the tree are borrowed for the call. */
struct policy_node {
	str id;
	str type;
	str workflow;
	str description;
	str output_type;
	const struct value *fields; /* the whole mapping as written (tags, x-...); NULL: none */
};

/* Appends what key(node) returns, sorted, in the list "policy/FILE"; nothing for nil and false.  False with *err
 * (E-POLICY-RULE or E-POLICY-BUDGET, with file and line) and an untouched key where it can't: the key is
 * incomplete then. */
bool policy_key(
	struct policy *policy, const struct policy_node *node, struct key *key, struct err *err);

struct policy_history {
	int64_t times_reused;
	int64_t passed_consumers;
	int64_t failed_consumers;
};
struct policy_verdict {
	const char *kind; /* "quarantined", ... */
	str by;
	str reason;
	int64_t at_ms;
	bool automatic;
};

/* A stored result.  The functions are called at most once a rule, and only when it looks; any may be NULL. */
struct policy_result {
	int64_t age_ms;
	int64_t run; /* that made it */
	struct digest key;
	struct digest digest; /* of the output */
	uint64_t size;        /* of the whole output */
	bool provable;
	void *arg;
	str (*output)(void *arg); /* at most the first POLICY_OUTPUT_MAX bytes are shown */
	void (*history)(void *arg, struct policy_history *out);
	size_t (*verdicts)(void *arg, const struct policy_verdict **out);
};
#define POLICY_OUTPUT_MAX ((size_t)64 << 10)

/* Whether the rule has no objection.  Otherwise *sentence, in `arena`, says why the node runs: the rule's reason and its
 * place, "older than six hours (policies/nightly.lua:9)", or what was wrong with the rule. */
bool policy_reuse(struct policy *policy, const struct policy_node *node,
	const struct policy_result *result, struct arena *arena, str *sentence);

struct policy_failure {
	str stderr_tail;
	int64_t exit_code; /* -1 where it did not exit */
	int64_t signal;
	int64_t run;
	const str *reused_inputs; /* node ids */
	size_t reused_count;
};

/* Sets suspect[i] for each reused input: all of them unless failed(node, failure) names some.  False with *err where the
 * rule was wrong; all are suspect then. */
bool policy_failed(struct policy *policy, const struct policy_node *node,
	const struct policy_failure *failure, bool *suspect, struct err *err);

struct policy_test {
	str name;
	uint32_t line; /* where it is defined */
	bool passed;
	str message; /* FILE:LINE: why it failed; else empty */
};
struct policy_tests {
	struct policy_test *ptr;
	size_t len;
	size_t failed;
};

/* Runs the file's test_* functions in the order written, each with its own budget and with no view of the outside: only
 * the files, variables and time that the test sets. */
struct policy_tests policy_run_tests(struct policy *policy, struct arena *arena);

#endif
