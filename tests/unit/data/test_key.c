/* Transcripts: their bytes, reading them back, what is refused, and what a comparison says. */
#include "base/arena.h"
#include "data/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_bytes(void **state)
{
	(void)state;
	struct key key = {0};
	struct digest abc = hash_of(STR("abc"));
	key_begin(&key);
	key_text(&key, STR("type"), STR("bash"));
	key_u64(&key, STR("epoch"), 0);
	key_u64(&key, STR("most"), UINT64_MAX);
	key_open(&key, STR("env"));
	key_text(&key, STR("LANG"), STR("a\nb"));
	key_absent(&key, STR("TZ"));
	key_close(&key);
	key_digest(&key, STR("in"), &abc);
	static const char expected[] =
		"pawl-key-1\n"
		"t 4:type 4:bash\n"
		"n 5:epoch 1:0\n"
		"n 4:most 20:18446744073709551615\n"
		"( 3:env 0:\n"
		"t 4:LANG 3:a\nb\n"
		"a 2:TZ 0:\n"
		") 0: 0:\n"
		"d 2:in 64:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
	assert_string_equal(buf_cstr(&key.text), expected);
	assert_int_equal(key.text.len, sizeof(expected) - 1);
	struct digest digest = key_digest_of(&key);
	struct digest of_text = hash_of(str_of(expected));
	assert_true(digest_eq(&digest, &of_text));

	key_begin(&key);
	assert_string_equal(buf_cstr(&key.text), "pawl-key-1\n");
	key_finish(&key);
}

static void test_read_back(void **state)
{
	(void)state;
	struct key key = {0};
	char with_nul[] = {'a', '\0', '\n', ':', ' '};
	key_begin(&key);
	key_open(&key, STR("outer"));
	key_open(&key, STR("inner"));
	key_text(&key, STR("x/y"), str_make(with_nul, sizeof(with_nul)));
	key_close(&key);
	key_u64(&key, STR(""), 7);
	key_close(&key);
	key_absent(&key, STR("last"));
	static const struct {
		char tag;
		const char *label;
	} expected[] = {{'(', "outer"}, {'(', "outer/inner"}, {'t', "outer/inner/x/y"},
		{')', "outer/inner"}, {'n', "outer/"}, {')', "outer"}, {'a', "last"}};
	struct arena arena = {0};
	struct key_parts parts;
	assert_true(key_parse(&arena, buf_str(&key.text), &parts));
	assert_int_equal(parts.len, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < parts.len; i++) {
		assert_int_equal(parts.ptr[i].tag, expected[i].tag);
		assert_true(str_is(parts.ptr[i].label, expected[i].label));
	}
	assert_true(str_eq(parts.ptr[2].value, str_make(with_nul, sizeof(with_nul))));
	assert_true(str_is(parts.ptr[4].value, "7"));
	arena_finish(&arena);
	key_finish(&key);
}

static void test_not_a_transcript(void **state)
{
	(void)state;
#define HEAD "pawl-key-1\n"
	static const char *const bad[] = {"", "pawl-key-1", "pawl-key-2\n", "awl-key-1\n",
		HEAD "\n", HEAD "t", HEAD "t 1:a 1:b", HEAD "t 1:a 2:b\n", HEAD "t 01:a 1:b\n",
		HEAD "t 1:a 01:b\n", HEAD "t +1:a 1:b\n", HEAD "t  1:a 1:b\n", HEAD "t 1:a 1:b\r\n",
		HEAD "x 1:a 1:b\n", HEAD "t :a 1:b\n", HEAD "t 18446744073709551615:a 1:b\n",
		HEAD "t 18446744073709551616:a 1:b\n", HEAD "t 1:a 18446744073709551615:b\n",
		HEAD "t 000000000000000000001:a 1:b\n", HEAD "n 1:a 2:01\n", HEAD "n 1:a 0:\n",
		HEAD "n 1:a 1:x\n", HEAD "n 1:a 2:-1\n", HEAD "n 1:a 20:18446744073709551616\n",
		HEAD "a 1:a 1:b\n", HEAD "d 1:a 2:00\n", HEAD "( 1:a 0:\n",
		HEAD "( 1:a 1:b\n) 0: 0:\n", HEAD ") 0: 0:\n", HEAD "( 1:a 0:\n) 1:a 0:\n",
		HEAD "( 1:a 0:\n) 0: 1:a\n", HEAD "( 1:a 0:\n) 0: 0:\n) 0: 0:\n",
		HEAD "t 1:a 1:b\nt 1",
		HEAD "d 1:a 64:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"};
	struct arena arena = {0};
	struct key_parts parts;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (key_parse(&arena, str_of(bad[i]), &parts))
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(parts.len, 0);
	}
	assert_true(key_parse(&arena, STR(HEAD), &parts));
	assert_int_equal(parts.len, 0);

	struct key key = {0};
	key_begin(&key);
	for (size_t i = 0; i < KEY_MAX_DEPTH; i++)
		key_open(&key, STR("l"));
	for (size_t i = 0; i < KEY_MAX_DEPTH; i++)
		key_close(&key);
	assert_true(key_parse(&arena, buf_str(&key.text), &parts));
	assert_int_equal(parts.len, 2 * KEY_MAX_DEPTH);
	struct buf deeper = {0};
	buf_add_z(&deeper, HEAD);
	for (size_t i = 0; i <= KEY_MAX_DEPTH; i++)
		buf_add_z(&deeper, "( 1:l 0:\n");
	for (size_t i = 0; i <= KEY_MAX_DEPTH; i++)
		buf_add_z(&deeper, ") 0: 0:\n");
	assert_false(key_parse(&arena, buf_str(&deeper), &parts));
	buf_finish(&deeper);
	key_finish(&key);
	arena_finish(&arena);
}

/* A damaged row whose labels would fill the memory: a megabyte around each of a few thousand parts. */
static void test_label_bomb(void **state)
{
	(void)state;
	struct key key = {0};
	struct buf label = {0};
	for (size_t i = 0; i < 1 << 20; i++)
		buf_add_char(&label, 'x');
	key_begin(&key);
	key_open(&key, buf_str(&label));
	for (size_t i = 0; i < 4096; i++)
		key_absent(&key, STR(""));
	key_close(&key);
	struct arena arena = {0};
	struct key_parts parts;
	assert_false(key_parse(&arena, buf_str(&key.text), &parts));
	arena_finish(&arena);
	buf_finish(&label);
	key_finish(&key);
}

/* A transcript from a line of words: "a=x" text, "a#7" number, "a!" absent, "a(" and ")" lists. */
static void build(struct key *key, const char *words)
{
	str rest = str_of(words);
	str word;
	key_begin(key);
	while (str_split(&rest, ' ', &word)) {
		size_t at = 0;
		while (at < word.len && !strchr("=#!()", word.ptr[at]))
			at++;
		if (at == word.len)
			continue;
		str label = str_slice(word, 0, at);
		str value = str_slice(word, at + 1, word.len);
		uint64_t number = 0;
		switch (word.ptr[at]) {
		case '=': key_text(key, label, value); break;
		case '#':
			assert_true(str_to_u64(value, &number));
			key_u64(key, label, number);
			break;
		case '!': key_absent(key, label); break;
		case '(': key_open(key, label); break;
		default: key_close(key); break;
		}
	}
}

static void add_changes(struct buf *out, const struct key_changes *changes)
{
	for (size_t i = 0; i < changes->len; i++) {
		const struct key_change *change = &changes->ptr[i];
		if (i)
			buf_add_char(out, ' ');
		if (!change->then)
			buf_add_char(out, '+');
		if (!change->now)
			buf_add_char(out, '-');
		buf_add(out, change->label);
		if (change->then && change->now) {
			buf_add_char(out, '=');
			buf_add(out, change->then->value);
			buf_add_char(out, '>');
			buf_add(out, change->now->value);
		}
	}
}

static void test_diff(void **state)
{
	(void)state;
	static const struct {
		const char *then;
		const char *now;
		const char *changes;
	} cases[] = {
		{"", "", ""},
		{"a=1 b=2", "a=1 b=2", ""},
		{"a=1 b=2", "a=1 b=3", "b=2>3"},
		{"a=1", "a=1 b=2", "+b"},
		{"a=1 b=2 c=3", "a=1 c=3", "-b"},
		{"a=1 b=2", "c=1 b=3", "+c b=2>3 -a"},
		{"a=5", "a#5", "a=5>5"},
		{"a=", "a!", "a=>"},
		{"env( LANG=C )", "env( LANG=de )", "env/LANG=C>de"},
		{"", "env( LANG=C )", "+env/LANG"},
		{"env( LANG=C )", "", "-env/LANG"},
		{"", "env( )", "+env"},
		{"env( )", "", "-env"},
		{"env( A=1 )", "env( )", "-env/A"},
		{"arg=x arg=y", "arg=x arg=z", "arg=y>z"},
		{"arg=x arg=y", "arg=x", "-arg"},
		{"arg=x", "arg=x arg=y", "+arg"},
		{"a=1 b=2", "b=2 a=1", "b=1>2"},
		{"a( b=1 )", "a( ) a/b=1", "a=1>"},
		{"a( b( ) )", "a( ) a/b( )", "a=>"},
		{"a( x=1 ) a( x=2 )", "a( x=1 ) a( x=3 )", "a/x=2>3"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct key then = {0};
		struct key now = {0};
		struct key_parts then_parts;
		struct key_parts now_parts;
		struct arena arena = {0};
		struct buf out = {0};
		build(&then, cases[i].then);
		build(&now, cases[i].now);
		assert_true(key_parse(&arena, buf_str(&then.text), &then_parts));
		assert_true(key_parse(&arena, buf_str(&now.text), &now_parts));
		struct key_changes changes = key_diff(&arena, &then_parts, &now_parts);
		add_changes(&out, &changes);
		if (!str_is(buf_str(&out), cases[i].changes))
			fail_msg("%s | %s: %s, not %s", cases[i].then, cases[i].now, buf_cstr(&out),
				cases[i].changes);
		assert_int_equal(changes.len == 0, str_eq(buf_str(&then.text), buf_str(&now.text)));
		buf_finish(&out);
		arena_finish(&arena);
		key_finish(&then);
		key_finish(&now);
	}
}

/* Sequences that would be the same text if the parts were only written one behind the other. */
static void test_injective(void **state)
{
	(void)state;
	static const char *const cases[] = {"ab=c", "a=bc", "a=b c=", "a= b=c", "a( b=c )",
		"a( ) b=c", "a=1", "a#1", "a!", "a=", "a( )", "a( a( ) )", "a( ) a( )", "a/b=1",
		"a( b=1 )", "b=1 a=1", "a=1 b=1"};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	struct digest digests[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		struct key key = {0};
		build(&key, cases[i]);
		digests[i] = key_digest_of(&key);
		key_finish(&key);
		for (size_t j = 0; j < i; j++) {
			if (digest_eq(&digests[i], &digests[j]))
				fail_msg("%s and %s have one key", cases[i], cases[j]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_not_a_transcript),
		cmocka_unit_test(test_label_bomb),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_injective),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
