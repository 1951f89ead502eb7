/* regex: what matches, what does not, what is no pattern, and that nothing takes long. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static bool matches(str pattern, str subject)
{
	struct arena arena = {0};
	struct err err = {0};
	bool matched = false;

	const struct regex *regex = regex_compile(&arena, pattern, &err);
	if (!regex)
		fail_msg("%s", err.message);
	if (!regex_match(regex, subject, &matched, &err))
		fail_msg("%s", err.message);
	arena_finish(&arena);
	return matched;
}

static void patterns_match_or_not(void **state)
{
	static const struct {
		const char *pattern;
		const char *subject;
		bool matched;
	} cases[] = {
		{"", "", true},
		{"", "abc", true},
		{"b", "abc", true},
		{"d", "abc", false},
		{"^b", "abc", false},
		{"^a", "abc", true},
		{"c$", "abc", true},
		{"b$", "abc", false},
		{"^$", "", true},
		{"^$", "\n", false},
		{"a$", "a\n", false},
		{"^b", "a\nb", false},
		{"$^", "", true},
		{"a.c", "abc", true},
		{"a.c", "a\nc", false},
		{"a.c",
			"a\xE2\x80\xA8"
			"c",
			false}, /* U+2028 ends a line */
		{"^.$", "\xC3\xA4", true},
		{"^.$", "\xF0\x9F\x90\xB2", true}, /* one character, not two */
		{"^..$", "\xF0\x9F\x90\xB2", false},
		{"^.$", "\xFF", true},
		{"\xC3\xA4+", "x\xC3\xA4\xC3\xA4", true},
		{"[\xC3\xA0-\xC3\xBC]", "\xC3\xA4", true},
		{"[\xC3\xA0-\xC3\xBC]", "\xC3\xBD", false},
		{"^a*$", "", true},
		{"^a*$", "aaa", true},
		{"^a+$", "", false},
		{"^a?$", "aa", false},
		{"^a*?$", "aaa", true},
		{"^a+?$", "aaa", true},
		{"^a??$", "a", true},
		{"^a{2}$", "aa", true},
		{"^a{2}$", "aaa", false},
		{"^a{2,}$", "aaaa", true},
		{"^a{2,}$", "a", false},
		{"^a{2,3}$", "aaa", true},
		{"^a{2,3}$", "aaaa", false},
		{"^a{2,3}?$", "aaa", true},
		{"^a{0}$", "", true},
		{"^a{0}$", "a", false},
		{"^a{0,1}$", "a", true},
		{"^(ab){2}$", "abab", true},
		{"^(a|b){2,4}c$", "abbac", true},
		{"^a{,5}$", "a{,5}", true}, /* no quantifier: ordinary characters */
		{"^{$", "{", true},
		{"^a{b}]$", "a{b}]", true},
		{"^(a|b|c)$", "c", true},
		{"^(a|b|c)$", "d", false},
		{"^(?:a|)b$", "b", true},
		{"^(|a)+$", "aaa", true},
		{"^(a*)*$", "aaa", true},
		{"^(a*)*b$", "aaa", false},
		{"^(a*)+$", "", true},
		{"^((a?){3}){2}$", "aaaaaa", true},
		{"^((a?){3}){2}$", "aaaaaaa", false},
		{"^a|b$", "ax", true},
		{"^a|b$", "xb", true},
		{"^(?:a|b)$", "ax", false},
		{"^(?<year>\\d{4})-(?<month>\\d\\d)$", "2024-02", true},
		{"^()$", "", true},
		{"[abc]", "xxb", true},
		{"[^abc]", "abc", false},
		{"[^abc]", "abcd", true},
		{"[a-c-]", "-", true},
		{"[-a]", "-", true},
		{"^[\\d.]+$", "1.2", true},
		{"^[\\w-]+$", "a-b", true},
		{"^[a-\\d]+$", "a-7", true},
		{"^[^\\d_]+$", "ab", true},
		{"^[^\\d_]+$", "a_b", false},
		{"^[\\D]+$", "ab", true},
		{"^[\\D]+$", "a1", false},
		{"^[^\\D]+$", "12", true},
		{"^[\\s\\S]+$", "a\nb", true},
		{"[]", "a", false},
		{"[^]", "\n", true},
		{"^[\\]\\\\]$", "]", true},
		{"^[\\b]$", "\b", true},
		{"^[+--]$", ",", true},
		{"\\d", "x5", true},
		{"\\d", "\xD9\xA0", false}, /* an Arabic digit */
		{"^\\D$", "5", false},
		{"^\\w+$", "aZ_9", true},
		{"\\w", "\xC3\xA9", false},
		{"^\\W$", "\xC3\xA9", true},
		{"^\\s+$", " \t\n\v\f\r\xC2\xA0\xEF\xBB\xBF\xE2\x80\xA9", true},
		{"\\S", " \t\n\xE3\x80\x80", false},
		{"\\s", "\xE1\xA0\x8E", false}, /* U+180E is no space any more */
		{"^\\t\\n\\r\\f\\v$", "\t\n\r\f\v", true},
		{"^\\cC$", "\x03", true},
		{"^\\cc$", "\x03", true},
		{"^\\x41\\u0042\\u{43}$", "ABC", true},
		{"^\\uD83D\\uDC32*$", "\xF0\x9F\x90\xB2\xF0\x9F\x90\xB2", true},
		{"^[\\uD83D\\uDC32]$", "\xF0\x9F\x90\xB2", true},
		{"^\\^\\$\\.\\*\\+\\?\\(\\)\\[\\]\\{\\}\\|\\/\\\\\\-$", "^$.*+?()[]{}|/\\-", true},
		{"\\bfoo\\b", "a foo b", true},
		{"\\bfoo\\b", "afoo b", false},
		{"\\bfoo\\b", "foo", true},
		{"\\Boo\\b", "foo", true},
		{"\\B", "", true},
		{"\\b", "", false},
		{"\\b\xC3\xA4", "\xC3\xA4", false},
		{"a\\b$", "xa", true},
		{"^v\\d", "v1.2", true},
		{"ERROR|WARN(ING)?:", "all fine WARN: not", true},
		{"^(([a-z0-9]+)\\.)+[a-z]{2,}$", "mail.example.org", true},
		{"^(-?[1-9]+\\d*([.]\\d+)?)$|^0$", "12.50", true},
		{"x*y", "zzzxxy", true},
		{"(^a)|b", "cb", true},
		{"(^a)|b", "ca", false},
		{"(^|,)a", "b,a", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (matches(str_of(cases[i].pattern), str_of(cases[i].subject)) != cases[i].matched)
			fail_msg("%s on '%s': not %d", cases[i].pattern, cases[i].subject,
				cases[i].matched);
	assert_true(matches(STR("^a\\0b$"), STR("a\0b")));
	assert_true(matches(STR("b$"), STR("a\0b")));
}

static void what_is_no_pattern_is_refused(void **state)
{
	static const struct {
		const char *pattern;
		const char *message; /* a part of it */
	} cases[] = {
		{"*a", "character 1: there is nothing to repeat"},
		{"a**", "character 3: there is nothing to repeat"},
		{"a{2}{3}", "character 5: there is nothing to repeat"},
		{"a|+", "character 3: there is nothing to repeat"},
		{"(?:*)", "character 4: there is nothing to repeat"},
		{"{2}", "character 1: there is nothing to repeat"},
		{"^*", "character 2: an anchor can't be repeated"},
		{"\\b+", "an anchor can't be repeated"},
		{"a{3,2}", "character 2: the first number"},
		{"\xC3\xA4(b", "character 2: this group has no end"},
		{"(a))", "character 4: this ')' has no '('"},
		{")", "has no '('"},
		{"[a", "character 1: this class has no ']'"},
		{"[z-a]", "character 2: the ends of this range"},
		{"a\\", "nothing behind the backslash"},
		{"[\\", "nothing behind the backslash"},
		{"\\a", "no such escape"},
		{"\\xg0", "two hexadecimal digits"},
		{"\\u12", "four hexadecimal digits"},
		{"\\u{110000}", "four hexadecimal digits"},
		{"\\u{}", "four hexadecimal digits"},
		{"\\c1", "needs a letter"},
		{"\\01", "octal"},
		{"(a)\\1", "back-references"},
		{"(?<n>a)\\k<n>", "back-references"},
		{"\\p{L}", "\\p{...} is not supported"},
		{"a(?=b)", "character 2: look-ahead is not supported"},
		{"a(?!b)", "look-ahead is not supported"},
		{"(?<=a)b", "look-behind is not supported"},
		{"(?<!a)b", "look-behind is not supported"},
		{"(?i)a", "no kind of group"},
		{"(?<a", "no kind of group"},
		{"(?<>a)", "no kind of group"},
		{"(?<a b>c)", "name of a group"},
		{"\xFF", "not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct err err = {0};
		if (regex_compile(&arena, str_of(cases[i].pattern), &err))
			fail_msg("%s: was accepted", cases[i].pattern);
		assert_string_equal(err.code, "E-REGEX-SYNTAX");
		if (!strstr(err.message, cases[i].message))
			fail_msg("%s: %s", cases[i].pattern, err.message);
		err_finish(&err);
		arena_finish(&arena);
	}
}

static void what_grows_past_the_limits_is_refused(void **state)
{
	static const char *const patterns[] = {"a{10001}", "(a{100}){101}",
		"((a{1,100}){1,100}){1,100}", "a{99999999999999999999}", "(a{0}b){5000,999999999}"};

	(void)state;
	struct arena arena = {0};
	struct err err = {0};
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (regex_compile(&arena, str_of(patterns[i]), &err))
			fail_msg("%s: was accepted", patterns[i]);
		assert_string_equal(err.code, "E-REGEX-BUDGET");
	}
	struct buf deep = {0};
	for (size_t i = 0; i < 101; i++)
		buf_add_char(&deep, '(');
	assert_null(regex_compile(&arena, buf_str(&deep), &err));
	assert_string_equal(err.code, "E-REGEX-BUDGET");
	while (deep.len <= REGEX_MAX_PATTERN)
		buf_add_char(&deep, 'a');
	assert_null(regex_compile(&arena, buf_str(&deep), &err));
	assert_string_equal(err.code, "E-REGEX-BUDGET");
	assert_non_null(regex_compile(&arena, STR("(?:a{0}){999999999}"), &err));
	buf_finish(&deep);
	err_finish(&err);
	arena_finish(&arena);
}

/* Patterns that make backtracking matchers run for years. */
static void no_pattern_is_catastrophic(void **state)
{
	static const char *const patterns[] = {"^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(a*)*$",
		"^(.*a){12}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "^a*a*a*a*a*a*a*a*b$"};
	struct buf subject = {0};
	clock_t before = clock();

	(void)state;
	for (size_t i = 0; i < 20000; i++)
		buf_add_char(&subject, 'a');
	buf_add_char(&subject, '!');
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		assert_false(matches(str_of(patterns[i]), buf_str(&subject)));
	/* Seconds of processor time, generous for a sanitizer on a slow machine. */
	assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 20.0);
	buf_finish(&subject);
}

static void a_large_text_is_skimmed(void **state)
{
	struct buf subject = {0};
	clock_t before = clock();

	(void)state;
	while (subject.len < ((size_t)32 << 20))
		buf_add_z(&subject, "a line of log that says nothing of interest at all\n");
	assert_false(matches(STR("ERROR"), buf_str(&subject)));
	assert_false(matches(STR("^v\\d"), buf_str(&subject)));
	buf_add_z(&subject, "ERROR");
	assert_true(matches(STR("(ERROR|FATAL)$"), buf_str(&subject)));
	assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 20.0);
	buf_finish(&subject);
}

static void a_match_that_takes_too_long_is_an_error(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf subject = {0};
	bool matched = true;

	(void)state;
	while (subject.len < 200000)
		buf_add_z(&subject, "aaaaaaaaaaaaaaaaaaaa");
	const struct regex *regex = regex_compile(&arena, STR("(a?){3000}b"), &err);
	assert_non_null(regex);
	assert_false(regex_match(regex, buf_str(&subject), &matched, &err));
	assert_false(matched);
	assert_string_equal(err.code, "E-REGEX-BUDGET");
	err_finish(&err);
	buf_finish(&subject);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_or_not),
		cmocka_unit_test(what_is_no_pattern_is_refused),
		cmocka_unit_test(what_grows_past_the_limits_is_refused),
		cmocka_unit_test(no_pattern_is_catastrophic),
		cmocka_unit_test(a_large_text_is_skimmed),
		cmocka_unit_test(a_match_that_takes_too_long_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
