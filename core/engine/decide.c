/* decide: when a stored result is reused.  See decide.h and docs/caching.md, which has the table. */
#include "engine/decide.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "sys/clock.h"

const char *reason_code(enum reason reason)
{
	static const char *const codes[] = {
		[REASON_FORCED] = "forced",
		[REASON_NO_RESUME] = "no_resume",
		[REASON_ALWAYS_RUN] = "always_run",
		[REASON_NOT_CACHEABLE] = "not_cacheable",
		[REASON_KEY_INCOMPLETE] = "key_incomplete",
		[REASON_FIRST_RUN] = "first_run",
		[REASON_FAILED_BEFORE] = "failed_before",
		[REASON_BODY_CHANGED] = "body_changed",
		[REASON_FIELD_CHANGED] = "field_changed",
		[REASON_INPUT_CHANGED] = "input_changed",
		[REASON_FILE_CHANGED] = "file_changed",
		[REASON_ENV_CHANGED] = "env_changed",
		[REASON_TOOL_CHANGED] = "tool_changed",
		[REASON_PLUGIN_CHANGED] = "plugin_changed",
		[REASON_POLICY_CHANGED] = "policy_changed",
		[REASON_NOT_STORED] = "not_stored",
		[REASON_QUARANTINED] = "quarantined",
		[REASON_INVALIDATED] = "invalidated",
		[REASON_SUSPECT] = "suspect",
		[REASON_CONTRACT_FAILED] = "contract_failed",
		[REASON_EXPIRED] = "expired",
		[REASON_OUTPUT_MISSING] = "output_missing",
		[REASON_OUTPUT_MODIFIED] = "output_modified",
		[REASON_STORE_DAMAGED] = "store_damaged",
		[REASON_POLICY] = "policy",
		[REASON_UNPROVEN] = "unproven",
		[REASON_REUSE] = "reuse",
	};
	return codes[reason];
}

static struct decision say(struct arena *arena, enum reason reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static struct decision say(struct arena *arena, enum reason reason, const char *format, ...)
{
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	struct decision decision = {.action = reason == REASON_REUSE ? ACTION_REUSE : ACTION_RUN,
		.reason = reason,
		.sentence = arena_str(arena, buf_str(&text))};
	buf_finish(&text);
	return decision;
}

str decide_age(struct arena *arena, int64_t age_ms)
{
	struct buf text = {0};
	clock_add_age(&text, age_ms);
	str age = arena_str(arena, buf_str(&text));
	buf_finish(&text);
	return age;
}

str decide_quote(struct arena *arena, str value, size_t limit)
{
	struct buf text = {0};
	size_t shown = value.len;
	if (shown > limit) {
		shown = limit;
		while (shown && ((unsigned char)value.ptr[shown] & 0xc0) == 0x80)
			shown--;
	}
	struct buf visible = {0};
	buf_add_visible(&visible, str_slice(value, 0, shown));
	buf_add_char(&text, '"');
	for (size_t i = 0; i < visible.len; i++) {
		if (visible.ptr[i] == '\n')
			buf_add_z(&text, "\\n");
		else if (visible.ptr[i] == '\t')
			buf_add_z(&text, "\\t");
		else if (visible.ptr[i] == '"')
			buf_add_z(&text, "\\\"");
		else
			buf_add_char(&text, visible.ptr[i]);
	}
	buf_add_z(&text, shown < value.len ? "…\"" : "\"");
	str quoted = arena_str(arena, buf_str(&text));
	buf_finish(&visible);
	buf_finish(&text);
	return quoted;
}

enum reason decide_label_reason(str label)
{
	static const struct {
		const char *prefix;
		enum reason reason;
	} table[] = {
		{"fields/body", REASON_BODY_CHANGED},
		{"fields/source", REASON_BODY_CHANGED},
		{"inputs/", REASON_INPUT_CHANGED},
		{"with/", REASON_INPUT_CHANGED},
		{"given/", REASON_INPUT_CHANGED},
		{"arguments", REASON_INPUT_CHANGED},
		{"env/", REASON_ENV_CHANGED},
		{"secrets/", REASON_ENV_CHANGED},
		{"locale/", REASON_ENV_CHANGED},
		{"policy/", REASON_POLICY_CHANGED},
		{"type", REASON_PLUGIN_CHANGED},
		{"plugin", REASON_PLUGIN_CHANGED},
		{"epoch", REASON_PLUGIN_CHANGED},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (str_starts(label, str_of(table[i].prefix)))
			return table[i].reason;
	}
	return REASON_FIELD_CHANGED;
}

/* "input fetch.output: 3f2a… -> 9c1b…": what changed, in a word, then old and new value. */
static str describe_change(struct arena *arena, const struct key_change *change)
{
	static const size_t limit = 40;
	str label = change->label;
	size_t slash = str_find_char(label, '/', 0);
	str family = str_slice(label, 0, slash == SIZE_MAX ? label.len : slash);
	str rest = slash == SIZE_MAX ? label : str_slice(label, slash + 1, label.len);
	if (str_is(family, "inputs")) {
		size_t second = str_find_char(rest, '/', 0);
		str node = str_slice(rest, 0, second);
		str what = second == SIZE_MAX ? STR("") : str_slice(rest, second + 1, rest.len);
		if (!change->then)
			return str_of(arena_printf(arena, "now depends on %.*s", STR_ARG(node)));
		if (!change->now)
			return str_of(
				arena_printf(arena, "no longer depends on %.*s", STR_ARG(node)));
		return str_of(arena_printf(arena, "%.*s of %.*s: %.*s → %.*s", STR_ARG(what),
			STR_ARG(node),
			(int)(change->then->tag == 'd' ? 8 : change->then->value.len),
			change->then->value.ptr,
			(int)(change->now->tag == 'd' ? 8 : change->now->value.len),
			change->now->value.ptr));
	}
	if (str_is(family, "secrets"))
		return str_of(arena_printf(arena, "the secret %.*s", STR_ARG(rest)));
	if (str_is(family, "env") || str_is(family, "locale") || str_is(family, "fields"))
		label = rest;
	str then = change->then && change->then->tag != 'a'
	                   ? decide_quote(arena, change->then->value, limit)
	                   : STR("unset");
	str now = change->now && change->now->tag != 'a'
	                  ? decide_quote(arena, change->now->value, limit)
	                  : STR("unset");
	return str_of(arena_printf(
		arena, "%.*s: %.*s → %.*s", STR_ARG(label), STR_ARG(then), STR_ARG(now)));
}

/* For a body the whole text says little: the first line that differs does. */
static str describe_body(struct arena *arena, const struct key_change *change)
{
	str then = change->then ? change->then->value : STR("");
	str now = change->now ? change->now->value : STR("");
	str old_line = STR("");
	str new_line = STR("");
	unsigned line = 0;
	bool more = true;
	while (more && str_eq(old_line, new_line)) {
		bool has_old = str_line(&then, &old_line);
		bool has_new = str_line(&now, &new_line);
		old_line = has_old ? old_line : STR("");
		new_line = has_new ? new_line : STR("");
		more = has_old || has_new;
		line++;
	}
	str from = decide_quote(arena, str_trim(old_line), 48);
	str to = decide_quote(arena, str_trim(new_line), 48);
	return str_of(
		arena_printf(arena, "line %u: %.*s → %.*s", line, STR_ARG(from), STR_ARG(to)));
}

/* The change whose reason comes first in the order of enum reason. */
static const struct key_change *leading_change(const struct key_changes *changes)
{
	const struct key_change *best = NULL;
	for (size_t i = 0; i < changes->len; i++) {
		const struct key_change *change = &changes->ptr[i];
		if (!best || decide_label_reason(change->label) < decide_label_reason(best->label))
			best = change;
	}
	return best;
}

static struct decision say_changed(struct arena *arena, const struct decide_input *in)
{
	const struct key_change *change = in->changes ? leading_change(in->changes) : NULL;
	if (!change)
		return say(arena, REASON_FIELD_CHANGED, "no result for what it is now");
	enum reason reason = decide_label_reason(change->label);
	str what = reason == REASON_BODY_CHANGED ? describe_body(arena, change)
	                                         : describe_change(arena, change);
	const char *more = in->changes->len > 1
	                           ? arena_printf(arena, " (and %zu more)", in->changes->len - 1)
	                           : "";
	switch (reason) {
	case REASON_BODY_CHANGED:
		return say(arena, reason, "its body changed since run %lld, %.*s%s",
			(long long)in->newest->run, STR_ARG(what), more);
	case REASON_INPUT_CHANGED:
		return say(arena, reason, "an input changed since run %lld, %.*s%s",
			(long long)in->newest->run, STR_ARG(what), more);
	case REASON_ENV_CHANGED:
		return say(arena, reason, "its environment changed since run %lld, %.*s%s",
			(long long)in->newest->run, STR_ARG(what), more);
	default:
		return say(arena, reason, "changed since run %lld, %.*s%s",
			(long long)in->newest->run, STR_ARG(what), more);
	}
}

static struct decision say_file_changed(struct arena *arena, const struct candidate *c)
{
	const struct fact *then = &c->broken->then;
	const struct fact *now = &c->broken->now;
	long long run = (long long)c->row->run;
	if (then->kind == FACT_TOOL) {
		if (now->kind == FACT_ABSENT)
			return say(arena, REASON_TOOL_CHANGED,
				"the program %.*s is gone since run %lld", STR_ARG(then->path),
				run);
		return say(arena, REASON_TOOL_CHANGED,
			"the program %.*s (%.*s) is another than in run %lld", STR_ARG(then->path),
			STR_ARG(now->real), run);
	}
	const char *how = "changed";
	if (now->kind == FACT_ABSENT)
		how = "is gone";
	else if (then->kind == FACT_ABSENT)
		how = "is new";
	else if (then->kind == FACT_GLOB)
		how = "matches other files";
	else if (then->kind == FACT_FILE && now->kind == FACT_FILE &&
		 digest_eq(&then->digest, &now->digest))
		how = now->mode ? "became executable" : "is no longer executable";
	return say(arena, REASON_FILE_CHANGED, "%.*s %s since run %lld", STR_ARG(then->path), how,
		run);
}

static str by_whom(struct arena *arena, const struct verdict_row *verdict, int64_t now_ms)
{
	str age = decide_age(arena, now_ms - verdict->at_ms);
	const char *colon = verdict->reason.len ? ": " : "";
	return str_of(arena_printf(arena, "by %.*s, %.*s%s%.*s", STR_ARG(verdict->by), STR_ARG(age),
		colon, STR_ARG(verdict->reason)));
}

static bool is_cut_off(const struct cutoff *cutoff, const struct candidate *c)
{
	return cutoff->result && c->row->id <= cutoff->result;
}

/* Whatever else may be said of it: it is from before a run that refused it. */
static bool is_refused_before(const struct decide_input *in, const struct candidate *c)
{
	return is_cut_off(&in->forced_before, c) || is_cut_off(&in->off_before, c);
}

static struct decision say_refused_before(
	struct arena *arena, const struct decide_input *in, const struct candidate *c)
{
	bool is_forced = is_cut_off(&in->forced_before, c);
	long long by = (long long)(is_forced ? in->forced_before.run : in->off_before.run);
	long long run = (long long)c->row->run;
	if (!is_forced)
		return say(arena, REASON_NO_RESUME,
			"reuse is off for run %lld, and its result of run %lld is older", by, run);
	if (!by)
		return say(
			arena, REASON_FORCED, "forced, and its result of run %lld is older", run);
	return say(arena, REASON_FORCED, "forced in run %lld, and its result of run %lld is older",
		by, run);
}

static struct decision say_reuse(
	struct arena *arena, const struct decide_input *in, const struct candidate *c, str age)
{
	const char *unproven = "";
	const char *restored = "";
	const char *removed = "";
	if (!c->row->provable)
		unproven = arena_printf(arena, " (unproven: %.*s)", STR_ARG(c->row->unproven));
	size_t files = in->restored.files;
	size_t dirs = in->restored.dirs;
	if (files)
		restored =
			arena_printf(arena, ", %zu file%s restored", files, files == 1 ? "" : "s");
	else if (dirs)
		restored = arena_printf(
			arena, ", %zu director%s restored", dirs, dirs == 1 ? "y" : "ies");
	if (in->restored.removed)
		removed = arena_printf(arena, ", %zu removed", in->restored.removed);
	return say(arena, REASON_REUSE, "from run %lld, %.*s%s%s%s", (long long)c->row->run,
		STR_ARG(age), unproven, restored, removed);
}

/* Why this result may not be reused; ACTION_REUSE where nothing stands against it. */
static struct decision judge(
	struct arena *arena, const struct decide_input *in, const struct candidate *c)
{
	long long run = (long long)c->row->run;
	int64_t age_ms = in->now_ms - c->row->made_ms;
	str age = decide_age(arena, age_ms);
	if (is_refused_before(in, c))
		return say_refused_before(arena, in, c);
	if (c->broken)
		return say_file_changed(arena, c);
	if (c->refusal) {
		str who = by_whom(arena, c->refusal, in->now_ms);
		return say(arena, REASON_QUARANTINED, "its output of run %lld is quarantined %.*s",
			run, STR_ARG(who));
	}
	if (c->is_unjudged)
		return say(arena, REASON_STORE_DAMAGED,
			"a verdict on it is damaged in the store, and may have been against its output of run %lld",
			run);
	if (c->suspect)
		return say(arena, REASON_SUSPECT,
			"its output of run %lld is suspect: %.*s; it runs again, once", run,
			STR_ARG(c->suspect->reason));
	if (c->contract.len)
		return say(arena, REASON_CONTRACT_FAILED,
			"its output of run %lld breaks `ensure`: %.*s", run, STR_ARG(c->contract));
	if (in->ttl_ms && (age_ms < 0 || (uint64_t)age_ms > in->ttl_ms)) {
		struct buf ttl = {0};
		clock_add_duration(&ttl, in->ttl_ms);
		str limit = arena_str(arena, buf_str(&ttl));
		buf_finish(&ttl);
		return say(arena, REASON_EXPIRED, "its result was made %.*s, ttl is %.*s",
			STR_ARG(age), STR_ARG(limit));
	}
	if (c->unrestorable.len)
		return say(arena, REASON_OUTPUT_MISSING, "what it wrote can't be restored: %.*s",
			STR_ARG(c->unrestorable));
	if (c->output_gone.len)
		return say(arena, REASON_OUTPUT_MISSING,
			"%.*s, which it wrote in run %lld, is gone", STR_ARG(c->output_gone), run);
	if (c->output_other.len)
		return say(arena, REASON_OUTPUT_MODIFIED,
			"%.*s, which it wrote in run %lld, was changed since",
			STR_ARG(c->output_other), run);
	if (c->is_damaged)
		return say(arena, REASON_STORE_DAMAGED,
			"its stored output of run %lld is missing or damaged", run);
	if (c->policy.len)
		return say(arena, REASON_POLICY, "%.*s", STR_ARG(c->policy));
	if (!c->row->provable && !(in->continuing && c->belongs))
		return say(arena, REASON_UNPROVEN, "%.*s, and this is a new run",
			STR_ARG(c->row->unproven));
	if (c->loose.len)
		return say(arena, REASON_OUTPUT_MISSING,
			"%.*s, which it or another node wrote in run %lld, is not here",
			STR_ARG(c->loose), run);
	/* What it read besides may be what was made there. */
	if (!c->row->provable && c->row->id <= in->above_made)
		return say(arena, REASON_UNPROVEN,
			"%.*s, and %.*s was made or put back since run %lld",
			STR_ARG(c->row->unproven), STR_ARG(in->above_name), run);
	return say_reuse(arena, in, c, age);
}

static struct decision say_not_stored(struct arena *arena, const struct decide_input *in)
{
	return say(arena, REASON_NOT_STORED, "its result of run %lld was not kept: %.*s",
		(long long)in->not_stored_run, STR_ARG(in->not_stored));
}

static struct decision say_failed(struct arena *arena, const struct decide_input *in)
{
	return say(arena, REASON_FAILED_BEFORE, "it failed in run %lld (%.*s)",
		(long long)in->failed_run, STR_ARG(in->failed_how));
}

static struct decision without_candidates(struct arena *arena, const struct decide_input *in)
{
	if (in->last_has_key && in->not_stored.len)
		return say_not_stored(arena, in);
	if (in->last_has_key && in->failed_run)
		return say_failed(arena, in);
	if (in->newest && in->changes && in->changes->len)
		return say_changed(arena, in);
	if (in->invalidated) {
		str who = by_whom(arena, in->invalidated, in->now_ms);
		return say(arena, REASON_INVALIDATED, "its result of run %lld was invalidated %.*s",
			(long long)in->newest->run, STR_ARG(who));
	}
	if (in->not_stored.len)
		return say_not_stored(arena, in);
	if (in->failed_run)
		return say_failed(arena, in);
	if (in->newest)
		return say(arena, REASON_STORE_DAMAGED,
			"its result of run %lld is no longer in the store",
			(long long)in->newest->run);
	return say(arena, REASON_FIRST_RUN, "it never ran before");
}

/* What needs no look at what is stored. */
static bool is_settled(
	struct arena *arena, const struct decide_input *in, struct decision *decision)
{
	if (in->to_compare)
		*decision = say(arena, REASON_FORCED, "to be compared");
	else if (in->forced)
		*decision = say(arena, REASON_FORCED, "forced");
	else if (in->no_resume)
		*decision = say(arena, REASON_NO_RESUME, "reuse is off");
	else if (in->always_run)
		*decision = say(arena, REASON_ALWAYS_RUN, "%s", in->always_run);
	else if (in->not_cacheable)
		*decision = say(arena, REASON_NOT_CACHEABLE, "%.*s", STR_ARG(in->words));
	else if (in->key_incomplete)
		*decision = say(arena, REASON_KEY_INCOMPLETE, "its key can't be computed: %.*s",
			STR_ARG(in->words));
	else
		return false;
	return true;
}

static struct decision of_candidates(struct arena *arena, const struct decide_input *in)
{
	struct decision refused = {0};
	for (size_t i = 0; i < in->candidate_count; i++) {
		struct decision one = judge(arena, in, &in->candidates[i]);
		one.candidate = i;
		one.has_candidate = true;
		if (one.action == ACTION_REUSE)
			return one;
		/* What speaks of the files as they are now says more than what speaks of others. */
		bool is_closer = in->candidates[refused.candidate].broken &&
		                 !in->candidates[i].broken &&
		                 !is_refused_before(in, &in->candidates[i]);
		if (i == 0 || is_closer)
			refused = one;
	}
	return refused;
}

/* What a plan can't know of it. */
static void doubt(struct arena *arena, const struct decide_input *in, bool is_settled,
	struct decision *decision)
{
	bool has_twin = in->has_twin && !is_settled && decision->action == ACTION_RUN;
	decision->is_uncertain =
		(in->uncertain && !is_settled) || in->is_optional || in->open_iteration || has_twin;
	if (in->open_iteration)
		decision->sentence =
			str_of(arena_printf(arena, "iteration %llu, if it comes to that",
				(unsigned long long)in->open_iteration));
	else if (in->is_optional)
		decision->sentence = str_of(arena_printf(
			arena, "%.*s, if its turn comes", STR_ARG(decision->sentence)));
	else if (has_twin)
		decision->sentence = str_of(arena_printf(arena,
			"%.*s; another in this run does the same, and one may be reused",
			STR_ARG(decision->sentence)));
}

struct decision decide(struct arena *arena, const struct decide_input *in)
{
	struct decision decision;
	bool settled = is_settled(arena, in, &decision);
	if (!settled && in->uncertain)
		decision = say(arena, REASON_INPUT_CHANGED, "what it consumes is made anew");
	else if (!settled)
		decision = in->candidate_count ? of_candidates(arena, in)
		                               : without_candidates(arena, in);
	doubt(arena, in, settled, &decision);
	return decision;
}
