/* The walk's clock, in place of the C library's for the whole program: the library under test and
 * libuv call it as they would call the other. */
#include "walk/clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S  INT64_C(1000000)
#define NS_PER_US 1000
/* Where it begins: far from 0, which some take for "never", and at some date or other. */
#define BEGIN_US   (INT64_C(1000) * US_PER_S)
#define REALTIME_S INT64_C(1700000000)

static int64_t clock_us = BEGIN_US;

void walk_clock_set(int64_t now_us) {
  clock_us = now_us;
}

int64_t walk_clock_now(void) {
  return clock_us;
}

int64_t walk_real_time(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now) {
  if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE && id != CLOCK_REALTIME)
    return (int)syscall(SYS_clock_gettime, id, now);
  now->tv_sec = clock_us / US_PER_S + (id == CLOCK_REALTIME ? REALTIME_S : 0);
  now->tv_nsec = clock_us % US_PER_S * NS_PER_US;
  return 0;
}
