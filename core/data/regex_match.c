/* regex_match: runs a compiled expression by following all of its threads at once, one character after the other
 * (Thompson).  It knows nothing of the pattern's text. */
#include "base/mem.h"
#include "base/utf8.h"
#include "data/regex_program.h"

/* A set of instructions in the order they were added, cleared in no time. */
struct pc_set {
	uint32_t *dense;
	uint32_t *sparse;
	size_t len;
};

struct run {
	const struct regex *regex;
	str subject;
	size_t at;
	struct pc_set arrived; /* behind the character before */
	struct pc_set here;    /* and all that is reached from there without a character */
	uint32_t *stack;
	uint64_t steps;
};

static bool set_add(struct pc_set *set, uint32_t pc)
{
	uint32_t slot = set->sparse[pc];

	if (slot < set->len && set->dense[slot] == pc)
		return false;
	set->sparse[pc] = (uint32_t)set->len;
	set->dense[set->len++] = pc;
	return true;
}

bool regex_class_has(const struct regex *regex, uint32_t class, uint32_t code)
{
	const struct regex_class *set = &regex->classes[class];

	if (code < 128)
		return set->ascii[code / 8] >> (code % 8) & 1;
	size_t low = set->from;
	size_t high = set->to;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (regex->ranges[middle].last < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->to && regex->ranges[low].first <= code;
}

static bool is_word_edge(const struct run *run)
{
	bool before = run->at > 0 && regex_is_word((unsigned char)run->subject.ptr[run->at - 1]);
	bool behind = run->at < run->subject.len &&
	              regex_is_word((unsigned char)run->subject.ptr[run->at]);
	return before != behind;
}

static bool assertion_holds(const struct run *run, enum regex_op op)
{
	switch (op) {
	case REGEX_BEGIN: return run->at == 0;
	case REGEX_END: return run->at == run->subject.len;
	case REGEX_WORD: return is_word_edge(run);
	case REGEX_NOT_WORD: return !is_word_edge(run);
	default: return false;
	}
}

static uint32_t target(uint32_t pc, int32_t offset)
{
	return (uint32_t)((int64_t)pc + offset);
}

/* Adds pc and what follows from it without a character.  True where that is the match. */
static bool reach(struct run *run, uint32_t pc)
{
	size_t depth = 0;

	if (!set_add(&run->here, pc))
		return false;
	run->stack[depth++] = pc;
	while (depth > 0) {
		pc = run->stack[--depth];
		const struct regex_inst *inst = &run->regex->insts[pc];
		uint32_t next[2] = {target(pc, inst->x), target(pc, inst->y)};
		size_t count = inst->op == REGEX_SPLIT ? 2 : inst->op == REGEX_JUMP ? 1 : 0;
		run->steps++;
		if (inst->op == REGEX_MATCH)
			return true;
		if (assertion_holds(run, inst->op)) {
			next[0] = pc + 1;
			count = 1;
		}
		for (size_t i = 0; i < count; i++)
			if (set_add(&run->here, next[i]))
				run->stack[depth++] = next[i];
	}
	return false;
}

static bool takes(const struct regex *regex, const struct regex_inst *inst, uint32_t code)
{
	if (inst->op == REGEX_CHAR)
		return inst->arg == code;
	return inst->op == REGEX_CLASS && regex_class_has(regex, inst->arg, code);
}

/* One position: true at a match. */
static bool step(struct run *run, bool *is_over)
{
	const struct regex *regex = run->regex;
	uint32_t code;

	run->here.len = 0;
	for (size_t i = 0; i < run->arrived.len; i++)
		if (reach(run, run->arrived.dense[i]))
			return true;
	if ((run->at == 0 || !regex->is_anchored) && reach(run, 0))
		return true;
	*is_over = run->at >= run->subject.len || (run->here.len == 0 && regex->is_anchored);
	if (*is_over)
		return false;
	size_t len = utf8_decode(str_slice(run->subject, run->at, run->at + 4), &code);
	if (len == 0) {
		len = 1;
		code = REGEX_BYTE + (unsigned char)run->subject.ptr[run->at];
	}
	run->arrived.len = 0;
	for (size_t i = 0; i < run->here.len; i++)
		if (takes(regex, &regex->insts[run->here.dense[i]], code))
			set_add(&run->arrived, run->here.dense[i] + 1);
	run->at += len;
	return false;
}

bool regex_match(const struct regex *regex, str subject, bool *matched, struct err *err)
{
	size_t n = regex->count;
	uint32_t *memory = mem_zalloc(mem_mul(5 * n, sizeof(uint32_t)));
	struct run run = {.regex = regex,
		.subject = subject,
		.arrived = {memory, memory + n, 0},
		.here = {memory + 2 * n, memory + 3 * n, 0},
		.stack = memory + 4 * n};
	uint64_t most = REGEX_MAX_STEPS + (uint64_t)subject.len * REGEX_BYTE_STEPS;
	bool is_over = false;

	*matched = false;
	while (!*matched && !is_over && run.steps <= most) {
		if (run.arrived.len == 0 && regex->has_first) {
			while (run.at < subject.len &&
				!regex->first[(unsigned char)subject.ptr[run.at]])
				run.at++;
			if (run.at == subject.len)
				break;
		}
		*matched = step(&run, &is_over);
	}
	free(memory);
	if (run.steps > most && !*matched)
		return err_set(err, "E-REGEX-BUDGET",
			"the text of %zu bytes is too long for this pattern: more than %llu steps",
			subject.len, (unsigned long long)most);
	return true;
}

static void add_first(struct regex *regex, const struct regex_inst *inst)
{
	char bytes[4];

	if (inst->op == REGEX_CHAR && inst->arg < 128) {
		regex->first[inst->arg] = 1;
	} else if (inst->op == REGEX_CHAR && utf8_encode(inst->arg, bytes) > 0) {
		regex->first[(unsigned char)bytes[0]] = 1;
	} else if (inst->op == REGEX_CLASS) {
		for (uint32_t c = 0; c < 128; c++)
			regex->first[c] |= regex_class_has(regex, inst->arg, c);
		memset(regex->first + 128, 1, 128);
	}
}

/* Follows everything from the start as if assertions held, ^ apart: true where a match or a character is reached. */
static bool scan_start(struct regex *regex, struct pc_set *seen, bool through_begin)
{
	bool is_empty = true;

	seen->len = 0;
	set_add(seen, 0);
	for (size_t i = 0; i < seen->len; i++) {
		uint32_t pc = seen->dense[i];
		const struct regex_inst *inst = &regex->insts[pc];
		switch (inst->op) {
		case REGEX_CHAR:
		case REGEX_CLASS:
			add_first(regex, inst);
			is_empty = false;
			break;
		case REGEX_MATCH:
			regex->has_first = false;
			is_empty = false;
			break;
		case REGEX_SPLIT:
			set_add(seen, target(pc, inst->x));
			set_add(seen, target(pc, inst->y));
			break;
		case REGEX_JUMP: set_add(seen, target(pc, inst->x)); break;
		case REGEX_BEGIN:
			if (through_begin)
				set_add(seen, pc + 1);
			break;
		case REGEX_END:
		case REGEX_WORD:
		case REGEX_NOT_WORD: set_add(seen, pc + 1); break;
		}
	}
	return !is_empty;
}

void regex_find_first(struct regex *regex)
{
	uint32_t *memory = mem_zalloc(mem_mul(2 * regex->count, sizeof(uint32_t)));
	struct pc_set seen = {memory, memory + regex->count, 0};

	regex->is_anchored = !scan_start(regex, &seen, false);
	memset(regex->first, 0, sizeof(regex->first));
	regex->has_first = true;
	scan_start(regex, &seen, true);
	free(memory);
}
