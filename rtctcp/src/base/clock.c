/* The clocks of the library, read from the system. */
#include "base/clock.h"

#include <time.h>

/* From 1900, where NTP counts from, to 1970 [s] (RFC 5905 section 6, figure 4). */
#define NTP_UNIX_OFFSET_S UINT64_C(2208988800)

#define NS_PER_S UINT64_C(1000000000)

int64_t rtc_clock_now_us(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * RTC_US_PER_S + now.tv_nsec / 1000;
}

uint64_t rtc_clock_now_ntp(void) {
  struct timespec now;

  clock_gettime(CLOCK_REALTIME, &now);
  /* The seconds wrap into NTP's next era in 2036, as the RFC has it. */
  uint64_t seconds = (uint64_t)now.tv_sec + NTP_UNIX_OFFSET_S;
  uint64_t fraction = ((uint64_t)now.tv_nsec << 32) / NS_PER_S;
  return seconds << 32 | fraction;
}
