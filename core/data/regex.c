/* regex: patterns into programs.  One pass without a tree: what was parsed last is a run of instructions at the end of
 * the program, which a quantifier copies and wraps.  It knows nothing of JSON Schema. */
#include "data/regex.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "data/regex_class.h"
#include "data/regex_program.h"

#define REPEAT_NONE UINT32_MAX
#define REPEAT_MAX  1000000000u

struct regex_builder {
	struct regex_reader in;
	VEC(struct regex_inst) insts;
	struct regex_classes classes;
	size_t depth;
};

static bool fail(struct regex_builder *b, size_t at, const char *what)
{
	return regex_fail(&b->in, at, what);
}

static bool fail_budget(struct regex_builder *b)
{
	err_set(b->in.err, "E-REGEX-BUDGET",
		"the pattern needs more than %d steps when its {m,n} are written out",
		REGEX_MAX_PROGRAM);
	return err_help(b->in.err, "let it repeat less: `+` or `*` in place of {m,n}");
}

static bool emit(struct regex_builder *b, struct regex_inst inst)
{
	if (b->insts.len >= REGEX_MAX_PROGRAM)
		return fail_budget(b);
	*vec_push(&b->insts) = inst;
	return true;
}

static bool insert(struct regex_builder *b, size_t at, struct regex_inst inst)
{
	if (!emit(b, inst))
		return false;
	memmove(b->insts.ptr + at + 1, b->insts.ptr + at,
		(b->insts.len - 1 - at) * sizeof(*b->insts.ptr));
	b->insts.ptr[at] = inst;
	return true;
}

static bool emit_copy(struct regex_builder *b, const struct regex_inst *insts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!emit(b, insts[i]))
			return false;
	return true;
}

static bool emit_optional(struct regex_builder *b, const struct regex_inst *insts, size_t count)
{
	return emit(b, (struct regex_inst){REGEX_SPLIT, 0, 1, (int32_t)count + 1}) &&
	       emit_copy(b, insts, count);
}

static bool emit_star(struct regex_builder *b, const struct regex_inst *insts, size_t count)
{
	int32_t n = (int32_t)count;

	return emit(b, (struct regex_inst){REGEX_SPLIT, 0, 1, n + 2}) &&
	       emit_copy(b, insts, count) &&
	       emit(b, (struct regex_inst){REGEX_JUMP, 0, -(n + 1), 0});
}

/* Replaces the instructions from `from` on by their repetition. */
static bool repeat(struct regex_builder *b, size_t from, uint32_t min, uint32_t max)
{
	size_t count = b->insts.len - from;

	/* Of what is empty one is as good as many. */
	if (count == 0)
		return true;
	struct regex_inst *body = mem_alloc(mem_mul(count, sizeof(*body)));
	memcpy(body, b->insts.ptr + from, count * sizeof(*body));
	b->insts.len = from;
	bool ok = true;
	for (uint32_t i = 0; i < min && ok; i++)
		ok = emit_copy(b, body, count);
	if (ok && max == REPEAT_NONE)
		ok = emit_star(b, body, count);
	for (uint32_t i = min; max != REPEAT_NONE && i < max && ok; i++)
		ok = emit_optional(b, body, count);
	free(body);
	return ok;
}

static bool read_count(struct regex_reader *in, size_t *at, uint32_t *out)
{
	size_t from = *at;
	uint64_t value = 0;

	while (*at < in->text.len && in->text.ptr[*at] >= '0' && in->text.ptr[*at] <= '9') {
		value = value * 10 + (uint64_t)(in->text.ptr[(*at)++] - '0');
		value = value > REPEAT_MAX ? REPEAT_MAX : value;
	}
	*out = (uint32_t)value;
	return *at > from;
}

/* {m} {m,} {m,n}; a brace that begins none of them is an ordinary character. */
static bool read_braces(struct regex_reader *in, uint32_t *min, uint32_t *max)
{
	size_t at = in->at + 1;

	if (!read_count(in, &at, min))
		return false;
	*max = *min;
	if (at < in->text.len && in->text.ptr[at] == ',') {
		at++;
		if (!read_count(in, &at, max))
			*max = REPEAT_NONE;
	}
	if (at >= in->text.len || in->text.ptr[at] != '}')
		return false;
	in->at = at + 1;
	return true;
}

/* A quantifier at the reader's place; false where there is none. */
static bool read_quantifier(struct regex_reader *in, uint32_t *min, uint32_t *max)
{
	*min = 0;
	*max = REPEAT_NONE;
	switch (regex_peek(in)) {
	case '*': break;
	case '+': *min = 1; break;
	case '?': *max = 1; break;
	case '{': return read_braces(in, min, max);
	default: return false;
	}
	in->at++;
	return true;
}

static bool parse_quantifier(struct regex_builder *b, size_t from, bool is_assertion)
{
	size_t at = b->in.at;
	uint32_t min;
	uint32_t max;

	if (!read_quantifier(&b->in, &min, &max))
		return true;
	if (is_assertion)
		return fail(b, at, "an anchor can't be repeated");
	if (max < min)
		return fail(b, at, "the first number in {m,n} is the larger one");
	/* Lazy or greedy: whether there is a match does not depend on it. */
	if (regex_peek(&b->in) == '?')
		b->in.at++;
	at = b->in.at;
	uint32_t unused;
	if (read_quantifier(&b->in, &unused, &unused))
		return fail(b, at, "there is nothing to repeat before this quantifier");
	return repeat(b, from, min, max);
}

static bool emit_char(struct regex_builder *b, uint32_t code)
{
	return emit(b, (struct regex_inst){REGEX_CHAR, code, 0, 0});
}

static bool emit_class(struct regex_builder *b, uint32_t class)
{
	return emit(b, (struct regex_inst){REGEX_CLASS, class, 0, 0});
}

static bool emit_assertion(struct regex_builder *b, enum regex_op op)
{
	return emit(b, (struct regex_inst){op, 0, 0, 0});
}

/* Behind the '(': what kind of group it is. */
static bool skip_group_head(struct regex_builder *b)
{
	struct regex_reader *in = &b->in;
	str rest = str_slice(in->text, in->at, in->text.len);

	if (!str_starts(rest, STR("?")))
		return true;
	if (str_starts(rest, STR("?:"))) {
		in->at += 2;
		return true;
	}
	if (str_starts(rest, STR("?=")) || str_starts(rest, STR("?!")))
		return fail(b, in->at - 1, "look-ahead is not supported");
	if (str_starts(rest, STR("?<=")) || str_starts(rest, STR("?<!")))
		return fail(b, in->at - 1, "look-behind is not supported");
	size_t end = str_find_char(in->text, '>', in->at);
	if (!str_starts(rest, STR("?<")) || end == SIZE_MAX || end == in->at + 2)
		return fail(b, in->at, "this is no kind of group: (...), (?:...) or (?<name>...)");
	for (size_t i = in->at + 2; i < end; i++)
		if (!regex_is_word((unsigned char)in->text.ptr[i]))
			return fail(b, i, "the name of a group has letters, digits and _ only");
	in->at = end + 1;
	return true;
}

static bool parse_alternatives(struct regex_builder *b);

static bool parse_group(struct regex_builder *b)
{
	size_t from = b->in.at++;

	if (!skip_group_head(b))
		return false;
	if (++b->depth > REGEX_MAX_DEPTH)
		return err_set(b->in.err, "E-REGEX-BUDGET",
			"the pattern has groups in groups, deeper than %d", REGEX_MAX_DEPTH);
	if (!parse_alternatives(b))
		return false;
	b->depth--;
	if (regex_peek(&b->in) != ')')
		return fail(b, from, "this group has no end");
	b->in.at++;
	return true;
}

static bool parse_escape(struct regex_builder *b, bool *is_assertion)
{
	struct regex_escape escape;

	char kind = b->in.at + 1 < b->in.text.len ? b->in.text.ptr[b->in.at + 1] : '\0';
	if (kind == 'b' || kind == 'B') {
		b->in.at += 2;
		*is_assertion = true;
		return emit_assertion(b, kind == 'b' ? REGEX_WORD : REGEX_NOT_WORD);
	}
	if (!regex_read_escape(&b->in, false, &escape))
		return false;
	if (escape.set == '\0')
		return emit_char(b, escape.code);
	return emit_class(b, regex_class_named(&b->classes, escape.set));
}

/* One character, class, group or anchor, with its quantifier. */
static bool parse_term(struct regex_builder *b)
{
	size_t from = b->insts.len;
	bool is_assertion = false;
	uint32_t class;
	bool ok;

	switch (regex_peek(&b->in)) {
	case '^':
	case '$':
		is_assertion = true;
		ok = emit_assertion(b, b->in.text.ptr[b->in.at++] == '^' ? REGEX_BEGIN : REGEX_END);
		break;
	case '\\': ok = parse_escape(b, &is_assertion); break;
	case '(': ok = parse_group(b); break;
	case '[':
		ok = regex_class_parse(&b->classes, &b->in, &class) && emit_class(b, class);
		break;
	case '.':
		b->in.at++;
		ok = emit_class(b, regex_class_named(&b->classes, '.'));
		break;
	case '*':
	case '+':
	case '?': return fail(b, b->in.at, "there is nothing to repeat before this quantifier");
	default: {
		uint32_t min;
		size_t at = b->in.at;
		if (read_quantifier(&b->in, &min, &min))
			return fail(b, at, "there is nothing to repeat before this quantifier");
		ok = emit_char(b, regex_read_code(&b->in));
	}
	}
	return ok && parse_quantifier(b, from, is_assertion);
}

/* a|b|c up to a ')' or the end. */
static bool parse_alternatives(struct regex_builder *b)
{
	VEC(size_t) jumps = {0};
	size_t from = b->insts.len;
	bool ok = true;

	while (ok && b->in.at < b->in.text.len && regex_peek(&b->in) != ')') {
		if (regex_peek(&b->in) != '|') {
			ok = parse_term(b);
			continue;
		}
		b->in.at++;
		int32_t behind = (int32_t)(b->insts.len - from) + 2;
		ok = insert(b, from, (struct regex_inst){REGEX_SPLIT, 0, 1, behind}) &&
		     emit(b, (struct regex_inst){REGEX_JUMP, 0, 0, 0});
		*vec_push(&jumps) = b->insts.len - 1;
		from = b->insts.len;
	}
	for (size_t i = 0; ok && i < jumps.len; i++)
		b->insts.ptr[jumps.ptr[i]].x = (int32_t)(b->insts.len - jumps.ptr[i]);
	vec_finish(&jumps);
	return ok;
}

static struct regex *build(struct arena *arena, struct regex_builder *b)
{
	struct regex *regex = arena_new(arena, struct regex);

	regex->count = b->insts.len;
	regex->insts = arena_array(arena, struct regex_inst, b->insts.len);
	memcpy(regex->insts, b->insts.ptr, b->insts.len * sizeof(*regex->insts));
	regex->classes = arena_array(arena, struct regex_class, b->classes.list.len);
	regex->ranges = arena_array(arena, struct regex_range, b->classes.ranges.len);
	if (b->classes.list.len > 0)
		memcpy(regex->classes, b->classes.list.ptr,
			b->classes.list.len * sizeof(*regex->classes));
	if (b->classes.ranges.len > 0)
		memcpy(regex->ranges, b->classes.ranges.ptr,
			b->classes.ranges.len * sizeof(*regex->ranges));
	regex_find_first(regex);
	return regex;
}

const struct regex *regex_compile(struct arena *arena, str pattern, struct err *err)
{
	struct regex_builder b = {.in = {.text = pattern, .err = err}};
	struct regex *regex = NULL;
	bool ok = true;

	if (pattern.len > REGEX_MAX_PATTERN)
		ok = err_set(err, "E-REGEX-BUDGET", "a pattern has at most %d bytes, not %zu",
			REGEX_MAX_PATTERN, pattern.len);
	else if (utf8_invalid_at(pattern) != SIZE_MAX)
		ok = fail(&b, utf8_invalid_at(pattern), "this is not UTF-8");
	ok = ok && parse_alternatives(&b);
	if (ok && b.in.at < pattern.len)
		ok = fail(&b, b.in.at, "this ')' has no '('");
	if (ok && emit(&b, (struct regex_inst){REGEX_MATCH, 0, 0, 0}))
		regex = build(arena, &b);
	vec_finish(&b.insts);
	regex_classes_finish(&b.classes);
	return regex;
}
