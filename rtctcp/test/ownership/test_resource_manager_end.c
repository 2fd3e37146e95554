/* How a resource manager ends, and that no end of its worker loses a resource. */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- Close ------------------------------------------------------------------------------------
 */

/* What is queued, and what is being disposed of, is done before the manager says it has closed. */
static void close_finishes_what_is_queued(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  Thing *two = stage_thing(stage, 2, NULL);
  one->on_dispose = stage_hold_disposal;
  stage_remove(stage, &one);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_remove(stage, &two);
  stage_close(stage);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  assert_false(stage->closed);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 2);
  stage_release(stage);
  while (!stage->closed)
    assert_int_equal(rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS), RTC_OK);
  stage_expect(stage, "before:1 disposing:1 dispose:1 before:2 released destroy:1 "
                      "disposing:2 dispose:2 destroy:2");
}

/* An idle manager closes as well, in a later turn. */
static void an_idle_manager_closes(Stage *stage) {
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
}

/* So does one whose coroutine has not begun. */
static void a_fresh_manager_closes(Stage *stage) {
  assert_false(stage->closed);
}

/* A live resource is waited for: its holder still finds the manager. Nothing new is let in. */
static void close_awaits_the_live_resources(Stage *stage) {
  Thing *live = stage_thing(stage, 1, NULL);
  Thing *late = stage_thing(stage, 0, NULL);
  stage_close(stage);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  assert_false(stage->closed);
  assert_int_equal(rtc_resource_manager_add(stage->manager, &late->resource, 2, NULL),
                   RTC_ERROR_CLOSED);
  assert_int_equal(rtc_resource_state(&late->resource), RTC_RESOURCE_STATE_UNMANAGED);
  stage_remove(stage, &late);
  stage_settle(stage);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  assert_false(stage->closed);
  stage_expect(stage, "before:0 disposing:0 dispose:0 destroy:0");
  stage_remove(stage, &live);
  assert_false(stage->closed);
}

static Thing *survivor;

/* A handle may outlive the manager itself, and may still be given to it by then. */
static void a_disposed_resource_outlives_its_manager(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  survivor = (Thing *)rtc_resource_ref(&thing->resource);
  stage_remove(stage, &thing);
  stage_close(stage);
  while (!stage->closed)
    assert_int_equal(rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS), RTC_OK);
  assert_int_equal(rtc_resource_state(&survivor->resource), RTC_RESOURCE_STATE_DISPOSED);
  stage->record[0] = '\0';
  stage_remove(stage, &survivor);
  stage_expect(stage, "destroy:1");
}

/* Subscriptions that were left behind go with the manager. */
static void close_drops_the_subscriptions(Stage *stage) {
  static RtcResourceSubscriber deaf;
  assert_int_equal(rtc_resource_manager_subscribe(stage->manager, &deaf), RTC_OK);
}

/* ---- The worker stops -------------------------------------------------------------------------
 */

/* What was queued when the stop came, and what is removed in the same turn, is disposed of. */
static void stop_disposes_of_what_is_queued(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  Thing *two = stage_thing(stage, 2, NULL);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_remove(stage, &one);
  rtc_worker_stop(stage->worker);
  stage_remove(stage, &two);
  stage_settle(stage);
  stage_expect(stage, "before:1 before:2 disposing:1 dispose:1 destroy:1 "
                      "disposing:2 dispose:2 destroy:2");
}

/* The stop comes before the manager's coroutine has taken its first step. */
static void stop_before_the_first_step_loses_nothing(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  rtc_worker_stop(stage->worker);
  stage_remove(stage, &one);
}

/* A fresh manager whose worker stops at once, with nothing to do, closes. */
static void stop_of_a_fresh_manager(Stage *stage) {
  rtc_worker_stop(stage->worker);
}

/* A disposal that takes several turns is not cut short by the stop, nor are those behind it. */
static void a_long_disposal_outlasts_the_stop(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  Thing *two = stage_thing(stage, 2, NULL);
  one->on_dispose = stage_hold_disposal;
  two->on_dispose = stage_hold_disposal;
  stage_remove(stage, &one);
  stage_remove(stage, &two);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_expect(stage, "before:1 before:2 disposing:1 dispose:1");
  rtc_worker_stop(stage->worker);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  stage_expect(stage, "");
  stage_release(stage);
  stage_release(stage);
  stage_settle(stage);
  stage_expect(stage, "released destroy:1 disposing:2 dispose:2 released destroy:2");
}

/* Long after the stop, the manager works as ever. */
static void removals_after_the_stop_are_disposed_of(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  Thing *two = stage_thing(stage, 2, NULL);
  rtc_worker_stop(stage->worker);
  assert_int_equal(rtc_coroutine_sleep(stage->worker, 5 * RTC_US_PER_MS), RTC_OK);
  stage_remove(stage, &one);
  assert_int_equal(rtc_coroutine_sleep(stage->worker, 5 * RTC_US_PER_MS), RTC_OK);
  stage_remove(stage, &two);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1 destroy:1 "
                      "before:2 disposing:2 dispose:2 destroy:2");
}

/* A close that awaits a live resource goes on waiting when the worker stops. */
static void close_awaits_the_live_resources_of_a_stopped_worker(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  stage_close(stage);
  rtc_worker_stop(stage->worker);
  assert_int_equal(rtc_coroutine_sleep(stage->worker, 5 * RTC_US_PER_MS), RTC_OK);
  assert_false(stage->closed);
  stage_remove(stage, &thing);
}

/* A manager is not made on a worker that stops. */
static void no_manager_is_made_after_the_stop(Stage *stage) {
  RtcResourceManager *manager = NULL;
  rtc_worker_stop(stage->worker);
  assert_int_equal(rtc_resource_manager_new(&manager, stage->worker, "late"), RTC_ERROR_CLOSED);
  assert_null(manager);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      stage_test(close_finishes_what_is_queued),
      stage_test(an_idle_manager_closes),
      stage_test(a_fresh_manager_closes),
      stage_test(close_awaits_the_live_resources),
      stage_test(a_disposed_resource_outlives_its_manager),
      stage_test(close_drops_the_subscriptions),
      stage_test(stop_disposes_of_what_is_queued),
      stage_test(stop_before_the_first_step_loses_nothing),
      stage_test(stop_of_a_fresh_manager),
      stage_test(a_long_disposal_outlasts_the_stop),
      stage_test(removals_after_the_stop_are_disposed_of),
      stage_test(close_awaits_the_live_resources_of_a_stopped_worker),
      stage_test(no_manager_is_made_after_the_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
