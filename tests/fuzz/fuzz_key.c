/* Fuzzes transcripts from both sides.  As bytes of a stranger: parsing never crashes, and what parses is the only text
 * that its parts can make.  As a recipe: what was built reads back as exactly what was put in, hence no two sequences of
 * elements have one text.  A comparison is empty only for equal texts. */
#include "base/arena.h"
#include "data/key.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_key: %s\n", what);
	abort();
}

/* Labels are joined with those around them; this gives the part's own back. */
static void build_again(struct key *key, const struct key_parts *parts)
{
	size_t around[KEY_MAX_DEPTH + 1] = {0};
	size_t depth = 0;
	key_begin(key);
	for (size_t i = 0; i < parts->len; i++) {
		const struct key_part *part = &parts->ptr[i];
		if (part->tag == ')') {
			depth--;
			key_close(key);
			continue;
		}
		str label = str_slice(part->label, around[depth], part->label.len);
		uint64_t number = 0;
		struct digest digest = {{0}};
		switch (part->tag) {
		case 't': key_text(key, label, part->value); break;
		case 'n':
			check(str_to_u64(part->value, &number), "a number that is none");
			key_u64(key, label, number);
			break;
		case 'd':
			check(digest_parse(part->value, &digest), "a digest that is none");
			key_digest(key, label, &digest);
			break;
		case 'a': key_absent(key, label); break;
		case '(':
			key_open(key, label);
			around[++depth] = part->label.len + 1;
			break;
		default: check(false, "an unknown tag");
		}
	}
}

static void check_text(str text)
{
	struct arena arena = {0};
	struct key_parts parts;
	if (key_parse(&arena, text, &parts)) {
		struct key again = {0};
		build_again(&again, &parts);
		check(str_eq(buf_str(&again.text), text), "a second text for the same parts");
		struct key_changes changes = key_diff(&arena, &parts, &parts);
		check(changes.len == 0, "a transcript that differs from itself");
		key_finish(&again);
	}
	arena_finish(&arena);
}

struct recipe {
	str rest;
};

static unsigned take_byte(struct recipe *recipe)
{
	if (!recipe->rest.len)
		return 0;
	unsigned byte = (unsigned char)recipe->rest.ptr[0];
	recipe->rest = str_slice(recipe->rest, 1, recipe->rest.len);
	return byte;
}

static str take_str(struct recipe *recipe)
{
	str s = str_slice(recipe->rest, 0, take_byte(recipe) % 24);
	recipe->rest = str_slice(recipe->rest, s.len, recipe->rest.len);
	return s;
}

struct element {
	char tag;
	str label;
	str value;
	uint64_t number;
	struct digest digest;
};

static void put(struct key *key, const struct element *e)
{
	switch (e->tag) {
	case 't': key_text(key, e->label, e->value); break;
	case 'n': key_u64(key, e->label, e->number); break;
	case 'd': key_digest(key, e->label, &e->digest); break;
	case 'a': key_absent(key, e->label); break;
	case '(': key_open(key, e->label); break;
	default: key_close(key); break;
	}
}

static void check_part(const struct key_part *part, const struct element *e)
{
	uint64_t number = 0;
	struct digest digest = {{0}};
	check(part->tag == e->tag, "another tag read back");
	check(e->tag == ')' || str_ends(part->label, e->label), "another label read back");
	if (e->tag == 't')
		check(str_eq(part->value, e->value), "another text read back");
	if (e->tag == 'n')
		check(str_to_u64(part->value, &number) && number == e->number,
			"another number read back");
	if (e->tag == 'd')
		check(digest_parse(part->value, &digest) && digest_eq(&digest, &e->digest),
			"another digest read back");
}

enum { MOST_ELEMENTS = 200 };

/* Builds what the bytes say; gives how many elements. */
static size_t follow(struct recipe *recipe, struct key *key, struct element *elements)
{
	static const char tags[] = "tnda()";
	size_t count = 0;
	size_t depth = 0;
	key_begin(key);
	while (count < MOST_ELEMENTS - KEY_MAX_DEPTH && recipe->rest.len) {
		struct element *e = &elements[count];
		*e = (struct element){.tag = tags[take_byte(recipe) % (sizeof(tags) - 1)],
			.label = STR(""),
			.value = STR("")};
		if ((e->tag == ')' && !depth) || (e->tag == '(' && depth == KEY_MAX_DEPTH))
			continue;
		depth += e->tag == '(';
		depth -= e->tag == ')';
		if (e->tag != ')')
			e->label = take_str(recipe);
		if (e->tag == 't' || e->tag == 'n' || e->tag == 'd')
			e->value = take_str(recipe);
		memcpy(&e->number, e->value.ptr, e->value.len < 8 ? e->value.len : 8);
		memcpy(e->digest.bytes, e->value.ptr, e->value.len);
		put(key, e);
		count++;
	}
	for (; depth; depth--) {
		elements[count] = (struct element){.tag = ')', .label = STR(""), .value = STR("")};
		put(key, &elements[count++]);
	}
	return count;
}

static void check_recipe(str bytes)
{
	static struct element elements[2][MOST_ELEMENTS];
	struct key keys[2] = {{.open = 0}, {.open = 0}};
	struct key_parts parts[2];
	struct arena arena = {0};
	str halves[2] = {
		str_slice(bytes, 0, bytes.len / 2), str_slice(bytes, bytes.len / 2, bytes.len)};
	for (size_t k = 0; k < 2; k++) {
		struct recipe recipe = {halves[k]};
		size_t count = follow(&recipe, &keys[k], elements[k]);
		check(key_parse(&arena, buf_str(&keys[k].text), &parts[k]),
			"a built transcript is refused");
		check(parts[k].len == count, "another number of parts read back");
		for (size_t i = 0; i < count; i++)
			check_part(&parts[k].ptr[i], &elements[k][i]);
		struct key again = {0};
		build_again(&again, &parts[k]);
		check(str_eq(buf_str(&again.text), buf_str(&keys[k].text)),
			"built again, another text");
		key_finish(&again);
	}
	struct key_changes changes = key_diff(&arena, &parts[0], &parts[1]);
	check((changes.len == 0) == str_eq(buf_str(&keys[0].text), buf_str(&keys[1].text)),
		"a comparison that doesn't say what the texts say");
	arena_finish(&arena);
	key_finish(&keys[0]);
	key_finish(&keys[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str bytes = str_make((const char *)data, size);
	check_text(bytes);
	check_recipe(bytes);
	return 0;
}
