/* A worker with a resource manager, and resources that write down what happens to them. */
#include "support/stage.h"

#include "support/on_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stage_write(Stage *stage, const char *format, ...) {
  size_t used = strlen(stage->record);
  if (used)
    stage->record[used++] = ' ';
  va_list args;
  va_start(args, format);
  int len = vsnprintf(stage->record + used, sizeof(stage->record) - used, format, args);
  va_end(args);
  assert_in_range(len, 0, sizeof(stage->record) - used - 1);
}

static void write_event(Stage *stage, const char *event, const RtcResource *resource) {
  stage_write(stage, "%s:%" PRIu64, event, rtc_resource_id(resource));
}

/* ---- Things -----------------------------------------------------------------------------------
 */

static void dispose(RtcResource *resource) {
  Thing *thing = (Thing *)resource;
  assert_int_equal(rtc_resource_state(resource), RTC_RESOURCE_STATE_DISPOSAL);
  write_event(thing->stage, "dispose", resource);
  if (thing->on_dispose)
    thing->on_dispose(thing);
}

static void destroy(RtcResource *resource) {
  Thing *thing = (Thing *)resource;
  write_event(thing->stage, "destroy", resource);
  thing->stage->things--;
  rtc_resource_unref(&thing->other);
  free(thing);
}

static const RtcResourceType thing_type = {.name = "thing", .dispose = dispose, .destroy = destroy};

Thing *stage_thing(Stage *stage, uint64_t id, const char *name) {
  Thing *thing = calloc(1, sizeof(*thing));
  assert_non_null(thing);
  rtc_resource_init(&thing->resource, &thing_type);
  thing->stage = stage;
  stage->things++;
  if (id)
    assert_int_equal(rtc_resource_manager_add(stage->manager, &thing->resource, id, name), RTC_OK);
  return thing;
}

void stage_remove(Stage *stage, Thing **slot) {
  RtcResource *resource = &(*slot)->resource;
  *slot = NULL;
  rtc_resource_manager_remove(stage->manager, &resource);
  assert_null(resource);
}

static RtcError cycle(RtcResource *resource) {
  Thing *thing = (Thing *)resource;
  write_event(thing->stage, "cycle", resource);
  RtcError err = thing->on_cycle ? thing->on_cycle(thing) : RTC_OK;
  write_event(thing->stage, "end", resource);
  return err;
}

RtcError stage_execute(Thing *thing) {
  return rtc_executor_start(&thing->executor, thing->stage->worker, thing->stage->manager,
                            &thing->resource, "thing", cycle);
}

/* ---- The stage --------------------------------------------------------------------------------
 */

static void before_dispose(RtcResourceSubscriber *subscriber, RtcResource *resource) {
  (void)subscriber;
  write_event(((Thing *)resource)->stage, "before", resource);
}

static void disposing(RtcResourceSubscriber *subscriber, RtcResource *resource) {
  (void)subscriber;
  write_event(((Thing *)resource)->stage, "disposing", resource);
}

void stage_settle(Stage *stage) {
  while (rtc_resource_manager_in_disposal(stage->manager) > 0)
    assert_int_equal(rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS), RTC_OK);
}

void stage_await_things(Stage *stage, int count) {
  while (stage->things != count)
    assert_int_equal(rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS), RTC_OK);
}

/* A park, so that whoever makes the coroutine ready by mistake cuts it short. */
void stage_hold_disposal(Thing *thing) {
  Stage *stage = thing->stage;
  stage->held = rtc_coroutine_current(stage->worker);
  assert_int_equal(rtc_coroutine_park(stage->worker, RTC_NEVER), RTC_OK);
  stage_write(stage, "released");
}

void stage_release(Stage *stage) {
  while (!stage->held)
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
  rtc_coroutine_ready(stage->held);
  stage->held = NULL;
}

static void on_closed(void *arg) {
  Stage *stage = arg;
  assert_int_equal(rtc_resource_manager_live(stage->manager), 0);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 0);
  stage->closed = true;
}

void stage_close(Stage *stage) {
  stage->close_called = true;
  rtc_resource_manager_close(stage->manager, on_closed, stage);
  assert_false(stage->closed);
}

static RtcError run_body(void *arg) {
  Stage *stage = arg;
  stage->worker = the_worker();
  assert_int_equal(rtc_resource_manager_new(&stage->manager, stage->worker, "things"), RTC_OK);
  assert_int_equal(rtc_resource_manager_subscribe(stage->manager, &stage->recorder), RTC_OK);
  stage->body(stage);
  if (!stage->close_called)
    stage_close(stage);
  while (!stage->closed && rtc_coroutine_sleep(stage->worker, RTC_US_PER_MS) == RTC_OK)
    continue; /* on a worker that stops, the last sleep is interrupted */
  return RTC_OK;
}

void stage_run(void **body) {
  Stage stage = {.body = *(void (**)(Stage *)) * body,
                 .recorder = {.before_dispose = before_dispose, .disposing = disposing}};
  on_worker(run_body, &stage);
  assert_true(stage.closed);
  assert_int_equal(stage.things, 0);
}
