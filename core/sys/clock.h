/* clock: time as text for people. Nothing is decided by wall time. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include "base/buf.h"

uint64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);

/* "2026-11-22T10:32:03Z", "2 h ago", "1.2s"; appended. */
void clock_add_utc(struct buf *buf, int64_t wall_ms);
void clock_add_age(struct buf *buf, int64_t age_ms);
void clock_add_duration(struct buf *buf, uint64_t ms);

#endif
