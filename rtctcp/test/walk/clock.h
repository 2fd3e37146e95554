/* The walk's clock: it stands still unless it is moved, so that 30 s of silence cost nothing. */
#ifndef RTC_TEST_WALK_CLOCK_H
#define RTC_TEST_WALK_CLOCK_H

#include <stdint.h>

/* Never back. In whole milliseconds, as libuv counts: a timer is then exactly on time. */
void walk_clock_set(int64_t now_us);
int64_t walk_clock_now(void);

/* The system's clock, which the rest of the program can't see [us]. */
int64_t walk_real_time(void);

#endif
