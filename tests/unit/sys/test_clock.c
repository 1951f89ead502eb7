/* Time as text, at the edges of every unit. */
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const int64_t day = (int64_t)24 * HOUR;

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{0, "0ms"},
		{12, "12ms"},
		{999, "999ms"},
		{1000, "1.0s"},
		{1299, "1.2s"},
		{59999, "59.9s"},
		{MINUTE, "1m00s"},
		{MINUTE + 3 * SECOND + 999, "1m03s"},
		{HOUR - 1, "59m59s"},
		{HOUR, "1h00m"},
		{2 * HOUR + 5 * MINUTE, "2h05m"},
		{(uint64_t)100 * HOUR, "100h00m"},
		{UINT64_MAX, "5124095576030h25m"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = {0};
		buf_add_z(&text, "in ");
		clock_add_duration(&text, cases[i].ms);
		assert_string_equal(buf_cstr(&text) + 3, cases[i].text);
		buf_finish(&text);
	}
}

static void test_ages(void **state)
{
	(void)state;
	const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "just now"},
		{4999, "just now"},
		{-59999, "just now"},
		{-MINUTE, "in the future"},
		{INT64_MIN, "in the future"},
		{5000, "5 s ago"},
		{12 * SECOND, "12 s ago"},
		{MINUTE - 1, "59 s ago"},
		{MINUTE, "1 min ago"},
		{5 * MINUTE, "5 min ago"},
		{HOUR - 1, "59 min ago"},
		{HOUR, "1 h ago"},
		{2 * HOUR + 59 * MINUTE, "2 h ago"},
		{day - 1, "23 h ago"},
		{day, "1 day ago"},
		{3 * day, "3 days ago"},
		{INT64_MAX, "106751991167 days ago"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = {0};
		clock_add_age(&text, cases[i].ms);
		assert_string_equal(buf_cstr(&text), cases[i].text);
		buf_finish(&text);
	}
}

static void test_utc(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{1795343523999, "2026-11-22T10:32:03Z"},
		{951782400000, "2000-02-29T00:00:00Z"},
		{-1, "1969-12-31T23:59:59Z"},
		{-1000, "1969-12-31T23:59:59Z"},
		{-1001, "1969-12-31T23:59:58Z"},
		{253402300799000, "9999-12-31T23:59:59Z"},
	};
	setenv("TZ", "Asia/Tokyo", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = {0};
		clock_add_utc(&text, cases[i].ms);
		assert_string_equal(buf_cstr(&text), cases[i].text);
		buf_finish(&text);
	}
	struct buf text = {0};
	clock_add_utc(&text, INT64_MAX);
	clock_add_utc(&text, INT64_MIN);
	assert_true(text.len > 0);
	buf_finish(&text);
}

static void test_clocks(void **state)
{
	(void)state;
	uint64_t before = clock_mono_ms();
	struct timespec pause = {.tv_nsec = 5000000};
	nanosleep(&pause, NULL);
	uint64_t after = clock_mono_ms();
	assert_true(after >= before + 5);
	assert_true(clock_wall_ms() / 1000 - (int64_t)time(NULL) <= 1);
	assert_true((int64_t)time(NULL) - clock_wall_ms() / 1000 <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_utc),
		cmocka_unit_test(test_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
