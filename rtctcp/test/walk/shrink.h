/* Runs walks in child processes, and makes the trace of one that fails short. */
#ifndef RTC_TEST_WALK_SHRINK_H
#define RTC_TEST_WALK_SHRINK_H

#include "walk/event.h"

#define WALK_STEPS 500 /* of one walk */

typedef struct WalkTotals {
  uint64_t walks, steps;
  uint64_t played[WALK_EVENT_COUNT];
  uint64_t handshakes;
  uint64_t excused; /* walks that differed once, and in no replay */
  int64_t took_us;
} WalkTotals;

/* Before cmocka catches signals: in a walk they are whoever's they were, a sanitizer's for one. */
void walk_keep_signals(void);

/* Walks that begin with this seed, until so many steps are made or so much time has passed.
 * time_us  0: no limit
 * false: one has failed; its trace was printed */
bool walk_run(uint64_t seed, uint64_t steps, int64_t time_us, WalkTotals *totals);

#endif
