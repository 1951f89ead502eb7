/* mask: a secret in every spelling, cut in two at every place, is gone from what is told; all else is as it was. */
#include "engine/mask.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const str secret = STR_INIT("s3cr3t+/ value=42");

/* What is told of the text when it comes in two pieces, the first of `cut` bytes. */
static void tell_in_two(const struct mask *mask, str text, size_t cut, struct buf *out)
{
	struct buf held = {0};
	buf_clear(out);
	mask_feed(mask, &held, str_slice(text, 0, cut), out);
	mask_feed(mask, &held, str_slice(text, cut, text.len), out);
	mask_flush(mask, &held, out);
}

static void check(const struct mask *mask, const char *text, const char *wanted)
{
	struct buf out = {0};
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		tell_in_two(mask, str_of(text), cut, &out);
		if (!str_is(buf_str(&out), wanted))
			fail_msg("\"%s\" cut at %zu is \"%s\", not \"%s\"", text, cut,
				buf_cstr(&out), wanted);
	}
	buf_clear(&out);
	mask_text(mask, str_of(text), &out);
	assert_string_equal(buf_cstr(&out), wanted);
	buf_finish(&out);
}

static void every_spelling_is_masked(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
	} table[] = {
		{"s3cr3t+/ value=42", "***"},
		{"a s3cr3t+/ value=42\n", "a ***\n"},
		{"s3cr3t+/ value=42s3cr3t+/ value=42", "******"},
		{"s3s3cr3t+/ value=42", "s3***"},
		{"s3cr3t+/ value=43", "s3cr3t+/ value=43"},
		{"s3cr3t", "s3cr3t"},
		/* base64 of the whole; behind one byte and behind two: what depends on those stays */
		{"czNjcjN0Ky8gdmFsdWU9NDI=", "***="},
		{"YXMzY3IzdCsvIHZhbHVlPTQy", "YX***"},
		{"YWJzM2NyM3QrLyB2YWx1ZT00Mg==", "YWJ***g=="},
		/* URL-encoded, in both cases, and as a form does */
		{"s3cr3t%2B%2F%20value%3D42", "***"},
		{"s3cr3t%2b%2f%20value%3d42", "***"},
		{"s3cr3t%2B%2F+value%3D42", "***"},
		{"", ""},
		{"nothing of it", "nothing of it"},
	};
	struct mask *mask = mask_create(&secret, 1);
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check(mask, table[i].text, table[i].wanted);
	mask_destroy(mask);
}

static void of_two_the_longer_one_is_masked(void **state)
{
	static const str both[] = {STR_INIT("token"), STR_INIT("token-of-ann"), STR_INIT("of-b")};
	struct mask *mask = mask_create(both, 3);
	(void)state;
	check(mask, "token-of-ann", "***");
	check(mask, "token-of-bob", "***-***ob");
	check(mask, "tokentoken-of-an", "******-of-an");
	mask_destroy(mask);
}

static void what_is_too_short_is_left_alone(void **state)
{
	static const str few[] = {STR_INIT(""), STR_INIT("abc")};
	static const str one[] = {STR_INIT("abc"), STR_INIT("abcd")};
	struct buf out = {0};
	(void)state;
	assert_null(mask_create(few, 2));
	assert_null(mask_create(NULL, 0));
	mask_text(NULL, STR("abc"), &out);
	assert_string_equal(buf_cstr(&out), "abc");
	buf_finish(&out);
	struct mask *mask = mask_create(one, 2);
	check(mask, "abc abcd abc", "abc *** abc");
	mask_destroy(mask);
	mask_destroy(NULL);
}

static void bytes_are_bytes(void **state)
{
	str value = str_make("\0\xff\n\0x", 5);
	str text = str_make("a\0\xff\n\0x\0b", 8);
	struct mask *mask = mask_create(&value, 1);
	struct buf out = {0};
	(void)state;
	for (size_t cut = 0; cut <= text.len; cut++) {
		tell_in_two(mask, text, cut, &out);
		assert_int_equal(out.len, 6);
		assert_memory_equal(out.ptr, "a***\0b", 6);
	}
	buf_finish(&out);
	mask_destroy(mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_is_masked),
		cmocka_unit_test(of_two_the_longer_one_is_masked),
		cmocka_unit_test(what_is_too_short_is_left_alone),
		cmocka_unit_test(bytes_are_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
