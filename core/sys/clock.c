/* clock: reading the clocks, and durations in as few characters as tell people enough.  See clock.h. */
#include "sys/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return (uint64_t)read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void clock_add_utc(struct buf *buf, int64_t wall_ms)
{
	/* Down, not towards zero: half a second before 1970 is still 1969. */
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm t;
	char text[64];
	if (gmtime_r(&seconds, &t) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &t))
		buf_add_z(buf, text);
	else
		buf_add_z(buf, "an unknown time");
}

void clock_add_age(struct buf *buf, int64_t age_ms)
{
	int64_t s = age_ms / 1000;
	if (s <= -60) /* the clock was set back */
		buf_add_z(buf, "in the future");
	else if (s < 5)
		buf_add_z(buf, "just now");
	else if (s < 60)
		buf_printf(buf, "%d s ago", (int)s);
	else if (s < 3600)
		buf_printf(buf, "%d min ago", (int)(s / 60));
	else if (s < 86400)
		buf_printf(buf, "%d h ago", (int)(s / 3600));
	else
		buf_printf(
			buf, "%lld day%s ago", (long long)(s / 86400), s / 86400 == 1 ? "" : "s");
}

void clock_add_duration(struct buf *buf, uint64_t ms)
{
	uint64_t s = ms / 1000;
	if (ms < 1000)
		buf_printf(buf, "%ums", (unsigned)ms);
	else if (s < 60)
		buf_printf(buf, "%u.%us", (unsigned)s, (unsigned)(ms % 1000 / 100));
	else if (s < 3600)
		buf_printf(buf, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else
		buf_printf(
			buf, "%lluh%02um", (unsigned long long)(s / 3600), (unsigned)(s / 60 % 60));
}
