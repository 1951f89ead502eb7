/* when: evaluates conditions and finds those that can never hold.  It knows references only as names for texts, which
 * the resolver gives. */
#include "data/when_atoms.h"

#include "base/buf.h"

#define EXPLAIN_MAX 80

/* What $node.state may read as, in the bits of a set. */
static const str states[] = {
	STR_INIT("completed"), STR_INIT("failed"), STR_INIT("skipped"), STR_INIT("cancelled")};

#define STATE_COUNT (sizeof(states) / sizeof(states[0]))
#define STATE_ALL   ((1u << STATE_COUNT) - 1)

void when_each_ref(const struct when *when, void (*fn)(void *arg, const struct ref *ref), void *arg)
{
	for (size_t i = 0; i < when->count; i++)
		fn(arg, &when->atoms[i].ref);
}

static bool order_holds(enum when_op op, int order)
{
	switch (op) {
	case WHEN_EQ: return order == 0;
	case WHEN_NE: return order != 0;
	case WHEN_LE: return order <= 0;
	case WHEN_GE: return order >= 0;
	case WHEN_LT: return order < 0;
	case WHEN_GT: return order > 0;
	}
	return false;
}

/* 'VALUE' with what could drive a terminal made visible, cut where it is long. */
static void add_shown(struct buf *out, str value)
{
	size_t end = value.len;

	if (end > EXPLAIN_MAX) {
		end = EXPLAIN_MAX;
		while (end > 0 && ((unsigned char)value.ptr[end] & 0xC0) == 0x80)
			end--;
	}
	buf_add_char(out, '\'');
	buf_add_visible(out, str_slice(value, 0, end));
	buf_add_char(out, '\'');
	if (end < value.len)
		buf_printf(out, "... (%zu bytes)", value.len);
}

static void explain_atom(struct buf *explain, const struct when_atom *atom, str value, bool holds)
{
	buf_clear(explain);
	buf_add(explain, atom->source);
	buf_add_z(explain, holds ? " is true" : " is false");
	if (atom->op == WHEN_EQ && holds)
		return;
	if (atom->op == WHEN_NE && !holds)
		return;
	buf_add_z(explain, ": it is ");
	add_shown(explain, value);
}

static bool fail_number(const struct when_atom *atom, str value, struct err *err)
{
	struct buf shown = {0};

	add_shown(&shown, value);
	err_set(err, "E-WHEN-NUMBER",
		"%.*s needs a number on both sides: the left one is %s, the right one is %.*s",
		STR_ARG(atom->source), buf_cstr(&shown), STR_ARG(atom->literal_source));
	if (value.len == 0)
		err_help(err, "the value is empty: the node was skipped, printed nothing, or the "
			      "field is not there; test it with != '' first");
	else
		err_help(err, "make the node print a plain number, or compare text with == or !=");
	buf_finish(&shown);
	return err_at(err, atom->at);
}

static bool eval_atom(const struct when_atom *atom, const struct ref_resolver *resolver,
	bool *holds, struct buf *explain, struct err *err)
{
	str value = STR("");

	if (!resolver->text(resolver->ctx, &atom->ref, &value, err))
		return err_at(err, atom->at);
	/* So that a run which reuses takes the same branches as one that does not. */
	if (atom->ref.kind == REF_STATE && str_is(value, "reused"))
		value = states[0];
	if (when_op_is_ordering(atom->op)) {
		struct decimal number;
		if (!decimal_parse(str_trim(value), &number))
			return fail_number(atom, value, err);
		*holds = order_holds(atom->op, decimal_cmp(&number, &atom->number));
	} else {
		*holds = str_eq(value, atom->literal) == (atom->op == WHEN_EQ);
	}
	if (explain)
		explain_atom(explain, atom, value, *holds);
	return true;
}

bool when_eval(const struct when *when, const struct ref_resolver *resolver, bool *result,
	struct buf *explain, struct err *err)
{
	bool holds = true;

	for (size_t i = 0; i < when->count; i++) {
		const struct when_atom *atom = &when->atoms[i];
		if (atom->starts_or && holds)
			break;
		/* The alternative is lost: go on to the next one. */
		if (!atom->starts_or && !holds)
			continue;
		if (!eval_atom(atom, resolver, &holds, explain, err))
			return false;
	}
	*result = holds;
	return true;
}

static bool same_ref(const struct ref *a, const struct ref *b)
{
	return a->kind == b->kind && str_eq(a->name, b->name) && str_eq(a->path, b->path);
}

/* The states that one comparison lets through. */
static unsigned state_set(const struct when_atom *atom)
{
	unsigned set = 0;

	for (unsigned i = 0; i < STATE_COUNT; i++)
		if (str_eq(states[i], atom->literal))
			set = 1u << i;
	return atom->op == WHEN_EQ ? set : STATE_ALL & ~set;
}

static bool is_lower_bound(enum when_op op)
{
	return op == WHEN_GT || op == WHEN_GE;
}

/* Whether a number can satisfy both of two ordering comparisons. */
static bool bounds_meet(const struct when_atom *a, const struct when_atom *b)
{
	if (is_lower_bound(a->op) == is_lower_bound(b->op))
		return true;
	int order = decimal_cmp(&a->number, &b->number);
	if (order == 0)
		return a->op != WHEN_LT && a->op != WHEN_GT && b->op != WHEN_LT && b->op != WHEN_GT;
	return is_lower_bound(a->op) == (order < 0);
}

/* Whether some text can satisfy both comparisons of one reference. */
static bool can_both_hold(const struct when_atom *a, const struct when_atom *b)
{
	if (b->op == WHEN_EQ) {
		const struct when_atom *swap = a;
		a = b;
		b = swap;
	}
	if (when_op_is_ordering(a->op) && when_op_is_ordering(b->op))
		return bounds_meet(a, b);
	if (a->op != WHEN_EQ)
		return true;
	if (!when_op_is_ordering(b->op))
		return str_eq(a->literal, b->literal) == (b->op == WHEN_EQ);
	struct decimal number;
	return decimal_parse(str_trim(a->literal), &number) &&
	       order_holds(b->op, decimal_cmp(&number, &b->number));
}

static void explain_state(struct buf *why, const struct when_atom *atom)
{
	buf_add(why, atom->source);
	if (str_is(atom->literal, "reused")) {
		buf_add_z(why, ": the state of a reused node reads 'completed'");
		return;
	}
	buf_add_z(why, ": a state is completed, failed, skipped or cancelled");
	str near = str_nearest(atom->literal, states, STATE_COUNT);
	if (near.len > 0)
		buf_printf(why, "; did you mean '%.*s'?", STR_ARG(near));
}

/* Whether atoms [from, to), joined by &&, contradict themselves. */
static bool and_is_never(const struct when *when, size_t from, size_t to, struct buf *why)
{
	for (size_t i = from; i < to; i++) {
		const struct when_atom *a = &when->atoms[i];
		unsigned set = a->ref.kind == REF_STATE ? state_set(a) : STATE_ALL;
		if (set == 0) {
			explain_state(why, a);
			return true;
		}
		for (size_t k = from; k < i; k++) {
			const struct when_atom *b = &when->atoms[k];
			if (!same_ref(&a->ref, &b->ref))
				continue;
			if (!can_both_hold(b, a)) {
				buf_printf(why, "%.*s and %.*s contradict each other",
					STR_ARG(b->source), STR_ARG(a->source));
				return true;
			}
			if (a->ref.kind == REF_STATE)
				set &= state_set(b);
		}
		if (set == 0) {
			buf_printf(why, "no state of '%.*s' is left", STR_ARG(a->ref.name));
			return true;
		}
	}
	return false;
}

bool when_is_never(const struct when *when, struct buf *why)
{
	struct buf reasons = {0};
	bool never = true;

	for (size_t from = 0; from < when->count && never;) {
		size_t to = from + 1;
		while (to < when->count && !when->atoms[to].starts_or)
			to++;
		if (from > 0)
			buf_add_z(&reasons, "; ");
		never = and_is_never(when, from, to, &reasons);
		from = to;
	}
	if (never && why)
		buf_add(why, buf_str(&reasons));
	buf_finish(&reasons);
	return never;
}
