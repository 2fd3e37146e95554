/* The monotonic clock. Every time in the library is in microseconds of this clock, named _us. */
#ifndef RTC_BASE_CLOCK_H
#define RTC_BASE_CLOCK_H

#include <stdint.h>

#define RTC_US_PER_MS INT64_C(1000)
#define RTC_US_PER_S  INT64_C(1000000)

/* A deadline that never comes. */
#define RTC_NEVER INT64_MAX

/* CLOCK_MONOTONIC [us]. In loop code prefer rtc_worker_now, which reads it once a turn. */
int64_t rtc_clock_now_us(void);

/* CLOCK_REALTIME as a 64-bit NTP timestamp (RFC 5905 section 6), for RTCP sender reports. */
uint64_t rtc_clock_now_ntp(void);

#endif
