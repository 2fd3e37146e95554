/* clock.c: two clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <time.h>
#include <unistd.h>

/* Microseconds, and never backwards. */
static void monotonic_clock_counts_microseconds(void **state) {
  int64_t begin_us = rtc_clock_now_us();

  (void)state;
  usleep(2000);
  int64_t end_us = rtc_clock_now_us();
  assert_true(end_us - begin_us >= 2000);
  assert_true(end_us - begin_us < 2 * RTC_US_PER_S);
}

/* Seconds since 1900 in the upper half, binary fractions of one in the lower. */
static void ntp_clock_counts_from_1900(void **state) {
  time_t unix_s = time(NULL);
  uint64_t begin = rtc_clock_now_ntp();

  (void)state;
  usleep(2000);
  uint64_t end = rtc_clock_now_ntp();
  uint32_t expected_s = (uint32_t)((uint64_t)unix_s + UINT64_C(2208988800));
  assert_true((uint32_t)(begin >> 32) - expected_s <= 1);
  assert_true(end - begin >= (UINT64_C(2) << 32) / 1000);
  assert_true(end - begin < UINT64_C(2) << 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(monotonic_clock_counts_microseconds),
      cmocka_unit_test(ntp_clock_counts_from_1900),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
