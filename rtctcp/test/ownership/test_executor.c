/* The executor: every end of a cycle gives the resource to the manager, once. */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static RtcError sleep_long(Thing *thing) {
  RtcError err = rtc_coroutine_sleep(thing->stage->worker, 3600 * RTC_US_PER_S);
  stage_write(thing->stage, "%s", rtc_error_name(err));
  return err;
}

/* The caller's handle stays with him; the executor has its own. */
static Thing *execute(Stage *stage, uint64_t id, RtcError (*on_cycle)(Thing *)) {
  Thing *thing = stage_thing(stage, id, NULL);
  thing->on_cycle = on_cycle;
  assert_int_equal(stage_execute(thing), RTC_OK);
  assert_non_null(thing->executor);
  assert_int_equal(thing->resource.shared.handles, 2);
  return thing;
}

static void unref(Thing **slot) {
  RtcResource *resource = &(*slot)->resource;
  *slot = NULL;
  rtc_resource_unref(&resource);
}

static RtcError yield_once(Thing *thing) {
  assert_non_null(thing->executor);
  return rtc_coroutine_yield(thing->stage->worker);
}

/* A cycle begins after the call, and its return removes the resource. */
static void return_ends_it(Stage *stage) {
  Thing *thing = execute(stage, 1, yield_once);
  stage_write(stage, "started");
  while (thing->executor)
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
  assert_int_not_equal(rtc_resource_state(&thing->resource), RTC_RESOURCE_STATE_LIVE);
  assert_null(rtc_resource_manager_find_by_id(stage->manager, 1));
  stage_settle(stage);
  stage_expect(stage, "started cycle:1 end:1 before:1 disposing:1 dispose:1");
  assert_int_equal(thing->resource.shared.handles, 1);
  unref(&thing);
  stage_expect(stage, "destroy:1");
}

static RtcError break_off(Thing *thing) {
  (void)thing;
  return RTC_ERROR_PROTO;
}

/* So does an error. */
static void an_error_ends_it(Stage *stage) {
  Thing *thing = execute(stage, 1, break_off);
  unref(&thing);
  stage_await_things(stage, 0);
  stage_expect(stage, "cycle:1 end:1 before:1 disposing:1 dispose:1 destroy:1");
}

/* The executor's own handle keeps the resource while the coroutine lives. */
static void its_handle_keeps_the_resource(Stage *stage) {
  Thing *thing = execute(stage, 1, sleep_long);
  Thing *borrowed = thing;
  unref(&thing);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  assert_ptr_equal(rtc_resource_manager_find_by_id(stage->manager, 1), &borrowed->resource);
  stage_expect(stage, "cycle:1");
  rtc_executor_interrupt(borrowed->executor);
  rtc_executor_interrupt(borrowed->executor); /* twice is fine */
  stage_expect(stage, "");
  stage_await_things(stage, 0);
  stage_expect(stage, "CANCELED end:1 before:1 disposing:1 dispose:1 destroy:1");
}

/* Interrupted before its first step, the cycle is never entered; the end comes all the same, and
 * not inside the call. */
static void interrupted_before_its_first_step(Stage *stage) {
  Thing *thing = execute(stage, 1, sleep_long);
  rtc_executor_interrupt(thing->executor);
  rtc_executor_interrupt(thing->executor);
  assert_non_null(thing->executor);
  assert_int_equal(rtc_resource_state(&thing->resource), RTC_RESOURCE_STATE_LIVE);
  while (thing->executor)
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1");
  unref(&thing);
}

static RtcError interrupt_self(Thing *thing) {
  rtc_executor_interrupt(thing->executor);
  rtc_executor_interrupt(thing->executor);
  stage_write(thing->stage, "on");
  return sleep_long(thing);
}

/* A cycle that interrupts itself runs on to its next yield. */
static void interrupting_itself(Stage *stage) {
  Thing *thing = execute(stage, 1, interrupt_self);
  unref(&thing);
  stage_await_things(stage, 0);
  stage_expect(stage, "cycle:1 on CANCELED end:1 before:1 disposing:1 dispose:1 destroy:1");
}

/* No executor, nothing to interrupt: as a slot says after the end. */
static void interrupting_nobody_is_fine(Stage *stage) {
  (void)stage;
  rtc_executor_interrupt(NULL);
}

static void interrupt_in_dispose(Thing *thing) {
  rtc_executor_interrupt(thing->executor);
}

/* The other side ends it: the resource is removed first, and its disposal interrupts the executor,
 * which then only drops its handle. */
static void removed_by_another_while_it_runs(Stage *stage) {
  Thing *thing = execute(stage, 1, sleep_long);
  thing->on_dispose = interrupt_in_dispose;
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_remove(stage, &thing);
  stage_settle(stage);
  stage_await_things(stage, 0);
  stage_expect(stage, "cycle:1 before:1 disposing:1 dispose:1 CANCELED end:1 destroy:1");
}

static RtcError remove_self(Thing *thing) {
  Thing *handle = (Thing *)rtc_resource_ref(&thing->resource);
  stage_remove(thing->stage, &handle);
  return rtc_coroutine_sleep(thing->stage->worker, 2 * RTC_US_PER_MS);
}

/* The cycle removes its own resource and runs on: the object is there until the end. */
static void the_cycle_removes_its_own_resource(Stage *stage) {
  Thing *thing = execute(stage, 1, remove_self);
  unref(&thing);
  stage_await_things(stage, 0);
  stage_expect(stage, "cycle:1 before:1 disposing:1 dispose:1 end:1 destroy:1");
}

/* The manager waits for a running executor before it closes, and one whose resource is disposed of
 * already may end after the manager. */
static void the_end_may_come_after_the_managers(Stage *stage) {
  Thing *thing = execute(stage, 1, sleep_long);
  Thing *borrowed = thing;
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_remove(stage, &thing);
  stage_close(stage);
  while (!stage->closed)
    assert_int_equal(rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS), RTC_OK);
  stage_expect(stage, "cycle:1 before:1 disposing:1 dispose:1");
  rtc_executor_interrupt(borrowed->executor);
  stage_await_things(stage, 0);
  stage_expect(stage, "CANCELED end:1 destroy:1");
}

/* Close awaits the executor's end, which gives the last live resource back. */
static void close_awaits_a_running_executor(Stage *stage) {
  Thing *thing = execute(stage, 1, sleep_long);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  stage_close(stage);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  assert_false(stage->closed);
  rtc_executor_interrupt(thing->executor);
  unref(&thing);
}

/* A worker that stops ends every cycle: one that runs, one that has just been started. */
static void stop_ends_every_cycle(Stage *stage) {
  Thing *running = execute(stage, 1, sleep_long);
  rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  Thing *fresh = execute(stage, 2, sleep_long);
  unref(&running);
  unref(&fresh);
  rtc_worker_stop(stage->worker);
  stage_await_things(stage, 0);
  assert_non_null(strstr(stage->record, "CANCELED end:1"));
  assert_non_null(strstr(stage->record, "dispose:2"));
  assert_null(strstr(stage->record, "cycle:2"));
}

/* On a worker that stops, none is started, and the resource is left to the caller as it was. */
static void none_starts_after_the_stop(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  rtc_worker_stop(stage->worker);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(stage_execute(thing), RTC_ERROR_CLOSED);
    assert_null(thing->executor);
    assert_int_equal(thing->resource.shared.handles, 1);
    assert_int_equal(rtc_resource_state(&thing->resource), RTC_RESOURCE_STATE_LIVE);
    rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS);
  }
  stage_remove(stage, &thing);
}

/* Many at once, half of them never begun. */
static void many_end_in_any_order(Stage *stage) {
  enum { COUNT = 100 };
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  for (int round = 0; round < 3; round++) {
    Thing *things[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
      things[i] = execute(stage, i + 1, i % 3 ? yield_once : break_off);
    for (unsigned i = 0; i < COUNT; i++) {
      if (i % 2)
        rtc_executor_interrupt(things[i]->executor);
      unref(&things[i]);
    }
    while (stage->things > 0) {
      stage->record[0] = '\0';
      assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
    }
    stage->record[0] = '\0';
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      stage_test(return_ends_it),
      stage_test(an_error_ends_it),
      stage_test(its_handle_keeps_the_resource),
      stage_test(interrupted_before_its_first_step),
      stage_test(interrupting_itself),
      stage_test(interrupting_nobody_is_fine),
      stage_test(removed_by_another_while_it_runs),
      stage_test(the_cycle_removes_its_own_resource),
      stage_test(the_end_may_come_after_the_managers),
      stage_test(close_awaits_a_running_executor),
      stage_test(stop_ends_every_cycle),
      stage_test(none_starts_after_the_stop),
      stage_test(many_end_in_any_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
