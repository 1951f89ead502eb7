/* key: building, reading back and comparing transcripts.  It knows the form of a transcript and nothing of what a node
 * puts into one.  See key.h. */
#include "data/key.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

static const str domain = STR_INIT("pawl-key-1\n");

/* Damaged rows must not make labels, which repeat those of the lists around them, fill the memory. */
static const size_t all_labels_max = (size_t)1 << 28;

void key_begin(struct key *key)
{
	buf_clear(&key->text);
	key->open = 0;
	buf_add(&key->text, domain);
}

static char *put_counted(char *at, str s)
{
	char digits[20];
	size_t from = sizeof(digits);
	size_t value = s.len;
	do {
		digits[--from] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(at, digits + from, sizeof(digits) - from);
	at += sizeof(digits) - from;
	*at++ = ':';
	if (s.len)
		memcpy(at, s.ptr, s.len);
	return at + s.len;
}

static void put_line(struct key *key, char tag, str label, str value)
{
	static const size_t longest_frame =
		sizeof("t 18446744073709551615: 18446744073709551615:\n");
	buf_reserve(&key->text, longest_frame + label.len + value.len);
	char *at = key->text.ptr + key->text.len;
	*at++ = tag;
	*at++ = ' ';
	at = put_counted(at, label);
	*at++ = ' ';
	at = put_counted(at, value);
	*at++ = '\n';
	*at = '\0';
	key->text.len = (size_t)(at - key->text.ptr);
}

void key_text(struct key *key, str label, str value)
{
	put_line(key, 't', label, value);
}

void key_u64(struct key *key, str label, uint64_t value)
{
	char digits[20];
	size_t from = sizeof(digits);
	do {
		digits[--from] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put_line(key, 'n', label, (str){digits + from, sizeof(digits) - from});
}

void key_digest(struct key *key, str label, const struct digest *digest)
{
	static const char hex[] = "0123456789abcdef";
	char digits[2 * DIGEST_SIZE];
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		digits[2 * i] = hex[digest->bytes[i] >> 4];
		digits[2 * i + 1] = hex[digest->bytes[i] & 15];
	}
	put_line(key, 'd', label, (str){digits, sizeof(digits)});
}

void key_absent(struct key *key, str label)
{
	put_line(key, 'a', label, STR(""));
}

void key_open(struct key *key, str label)
{
	if (key->open >= KEY_MAX_DEPTH)
		abort();
	key->open++;
	put_line(key, '(', label, STR(""));
}

void key_close(struct key *key)
{
	if (!key->open)
		abort();
	key->open--;
	put_line(key, ')', STR(""), STR(""));
}

struct digest key_digest_of(const struct key *key)
{
	if (key->open)
		abort();
	return hash_of(buf_str(&key->text));
}

void key_finish(struct key *key)
{
	buf_finish(&key->text);
	key->open = 0;
}

/* Where the parser is, and the joined labels of the lists around it. */
struct reader {
	str rest;
	struct arena *arena;
	str around[KEY_MAX_DEPTH];
	size_t depth;
	size_t label_bytes;
};

static bool take_char(struct reader *r, char c)
{
	if (!r->rest.len || r->rest.ptr[0] != c)
		return false;
	r->rest = str_slice(r->rest, 1, r->rest.len);
	return true;
}

/* Numbers have one spelling, else two transcripts could say the same. */
static bool is_canonical_number(str digits, uint64_t *value)
{
	return str_to_u64(digits, value) && (digits.ptr[0] != '0' || digits.len == 1);
}

static bool take_counted(struct reader *r, str *out)
{
	size_t colon = str_find_char(str_slice(r->rest, 0, 21), ':', 0);
	uint64_t len = 0;
	if (colon == SIZE_MAX || !is_canonical_number(str_slice(r->rest, 0, colon), &len))
		return false;
	str behind = str_slice(r->rest, colon + 1, r->rest.len);
	if (len > behind.len)
		return false;
	*out = str_slice(behind, 0, (size_t)len);
	r->rest = str_slice(behind, (size_t)len, behind.len);
	return true;
}

static bool is_fit(char tag, str label, str value)
{
	uint64_t number;
	struct digest digest;
	switch (tag) {
	case 't': return true;
	case 'n': return is_canonical_number(value, &number);
	case 'd': return digest_parse(value, &digest);
	case 'a':
	case '(': return !value.len;
	case ')': return !value.len && !label.len;
	default: return false;
	}
}

static bool join(struct reader *r, str label, str *out)
{
	str around = r->depth ? r->around[r->depth - 1] : STR("");
	size_t prefix = r->depth ? around.len + 1 : 0;
	if (label.len + prefix > all_labels_max - r->label_bytes)
		return false;
	r->label_bytes += label.len + prefix;
	char *joined = arena_alloc(r->arena, prefix + label.len + 1);
	if (prefix) {
		memcpy(joined, around.ptr, around.len);
		joined[around.len] = '/';
	}
	if (label.len)
		memcpy(joined + prefix, label.ptr, label.len);
	*out = (str){joined, prefix + label.len};
	return true;
}

static bool take_part(struct reader *r, struct key_part *out)
{
	if (!r->rest.len)
		return false;
	char tag = r->rest.ptr[0];
	r->rest = str_slice(r->rest, 1, r->rest.len);
	str label;
	str value;
	bool framed = take_char(r, ' ') && take_counted(r, &label) && take_char(r, ' ') &&
	              take_counted(r, &value) && take_char(r, '\n');
	if (!framed || !is_fit(tag, label, value))
		return false;
	*out = (struct key_part){.tag = tag, .value = value};
	if (tag == ')') {
		if (!r->depth)
			return false;
		out->label = r->around[--r->depth];
		return true;
	}
	if (!join(r, label, &out->label))
		return false;
	if (tag == '(') {
		if (r->depth == KEY_MAX_DEPTH)
			return false;
		r->around[r->depth++] = out->label;
	}
	return true;
}

bool key_parse(struct arena *arena, str transcript, struct key_parts *out)
{
	*out = (struct key_parts){0};
	if (!str_starts(transcript, domain))
		return false;
	struct reader r = {
		.rest = str_slice(transcript, domain.len, transcript.len), .arena = arena};
	struct key_parts parts = {0};
	size_t cap = 0;
	while (r.rest.len) {
		if (parts.len == cap) {
			struct key_part *more =
				arena_array(arena, struct key_part, cap ? cap * 2 : 16);
			if (cap)
				memcpy(more, parts.ptr, cap * sizeof(*more));
			parts.ptr = more;
			cap = cap ? cap * 2 : 16;
		}
		if (!take_part(&r, &parts.ptr[parts.len]))
			return false;
		parts.len++;
	}
	if (r.depth)
		return false;
	*out = parts;
	return true;
}

/* The parts of `then`, those of one label chained in their order. */
struct chain {
	size_t first; /* the next one that nothing of `now` was compared with; SIZE_MAX: none */
	size_t last;
};

struct matching {
	struct map chains;
	size_t *next;  /* of each part of `then`, the next with its label */
	bool *matched; /* of each part of `then` */
};

/* A list shows by what is in it; only an empty one speaks for itself. */
static bool is_shown(const struct key_parts *parts, size_t i)
{
	char tag = parts->ptr[i].tag;
	return tag != ')' && (tag != '(' || parts->ptr[i + 1].tag == ')');
}

static void chain_all(struct arena *arena, const struct key_parts *then, struct matching *m)
{
	m->next = arena_array(arena, size_t, then->len);
	m->matched = arena_array(arena, bool, then->len);
	for (size_t i = 0; i < then->len; i++) {
		m->next[i] = SIZE_MAX;
		if (then->ptr[i].tag == ')')
			continue;
		struct chain *chain = map_get(&m->chains, then->ptr[i].label);
		if (chain) {
			m->next[chain->last] = i;
		} else {
			chain = arena_new(arena, struct chain);
			chain->first = i;
			map_put(&m->chains, then->ptr[i].label, chain);
		}
		chain->last = i;
	}
}

static const struct key_part *take_match(
	const struct key_parts *then, struct matching *m, const struct key_part *now)
{
	struct chain *chain = map_get(&m->chains, now->label);
	if (!chain || chain->first == SIZE_MAX)
		return NULL;
	size_t i = chain->first;
	chain->first = m->next[i];
	m->matched[i] = true;
	return &then->ptr[i];
}

static bool is_same(const struct key_part *a, const struct key_part *b)
{
	return a->tag == b->tag && str_eq(a->value, b->value);
}

static void add_change(
	struct key_changes *changes, const struct key_part *then, const struct key_part *now)
{
	changes->ptr[changes->len++] = (struct key_change){(now ? now : then)->label, then, now};
}

/* Same parts in another order: the first that is not where it was. */
static void add_moved(
	struct key_changes *changes, const struct key_parts *then, const struct key_parts *now)
{
	for (size_t i = 0; i < now->len && i < then->len; i++) {
		const struct key_part *a = &then->ptr[i];
		const struct key_part *b = &now->ptr[i];
		if (!is_same(a, b) || !str_eq(a->label, b->label)) {
			add_change(changes, a, b);
			return;
		}
	}
}

struct key_changes key_diff(
	struct arena *arena, const struct key_parts *then, const struct key_parts *now)
{
	struct matching m = {0};
	struct key_changes changes = {0};
	changes.ptr = arena_array(arena, struct key_change, then->len + now->len + 1);
	chain_all(arena, then, &m);
	for (size_t i = 0; i < now->len; i++) {
		const struct key_part *part = &now->ptr[i];
		if (part->tag == ')')
			continue;
		const struct key_part *before = take_match(then, &m, part);
		if (before ? !is_same(before, part) : is_shown(now, i))
			add_change(&changes, before, part);
	}
	for (size_t i = 0; i < then->len; i++) {
		if (!m.matched[i] && is_shown(then, i))
			add_change(&changes, &then->ptr[i], NULL);
	}
	if (!changes.len)
		add_moved(&changes, then, now);
	map_finish(&m.chains);
	return changes;
}
