/* Coroutines: spawn, park, interrupt, join, detach. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/on_worker.h"

static RtcError count_up(void *arg) {
  ++*(int *)arg;
  return RTC_ERROR_EOF;
}

static RtcError spawns_and_joins(void *arg) {
  int count = 0;
  RtcCoroutine *co;
  RtcError result;

  (void)arg;
  assert_int_equal(rtc_coroutine_spawn(&co, the_worker(), "count", count_up, &count), RTC_OK);
  assert_int_equal(count, 0);
  assert_int_equal(rtc_coroutine_join(co, RTC_NEVER, &result), RTC_OK);
  assert_int_equal(result, RTC_ERROR_EOF);
  assert_int_equal(count, 1);
  return rtc_coroutine_sleep(the_worker(), 5 * RTC_US_PER_MS);
}

static void spawned_coroutine_is_joined(void **state) {
  (void)state;
  on_worker(spawns_and_joins, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spawned_coroutine_is_joined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
