/* The ownership floor without memory: each of its allocations fails in turn. Its files are compiled
 * in here once more, with an allocator that can fail; the linker takes these, not the library's. */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int allocations_left = -1; /* before one fails; negative: none does */

static bool allocation_fails(void) {
  return allocations_left >= 0 && allocations_left-- == 0;
}

static void *failing_malloc(size_t size) {
  return allocation_fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size) {
  return allocation_fails() ? NULL : calloc(count, size);
}

static char *failing_strdup(const char *text) {
  return allocation_fails() ? NULL : strdup(text);
}

static RtcError failing_spawn(RtcCoroutine **co, RtcWorker *worker, const char *name,
                              RtcCoroutineFn fn, void *arg) {
  return allocation_fails() ? RTC_ERROR_NO_MEMORY : rtc_coroutine_spawn(co, worker, name, fn, arg);
}

#define malloc              failing_malloc
#define calloc              failing_calloc
#define strdup              failing_strdup
#define rtc_coroutine_spawn failing_spawn
#include "ownership/executor.c"
#include "ownership/resource_manager.c"
#undef malloc
#undef calloc
#undef strdup
#undef rtc_coroutine_spawn

/* Calls try with the first, the second, ... allocation failing, until none fails any more.
 * try  returns NO_MEMORY when one has failed, and must have changed nothing then
 * Returns how many allocations there were. */
static int sweep(Stage *stage, RtcError (*try)(Stage *stage)) {
  for (int n = 0;; n++) {
    allocations_left = n;
    RtcError err = try(stage);
    bool failed = allocations_left < 0;
    allocations_left = -1;
    assert_int_equal(err, failed ? RTC_ERROR_NO_MEMORY : RTC_OK);
    if (!failed)
      return n;
  }
}

static RtcResourceManager *second;
static bool second_closed;

static void on_second_closed(void *arg) {
  (void)arg;
  second_closed = true;
}

static RtcError make_second(Stage *stage) {
  return rtc_resource_manager_new(&second, stage->worker, "second");
}

/* No manager is made, and none is left behind; the worker is not held. */
static void a_manager_is_made_whole_or_not_at_all(Stage *stage) {
  second = NULL;
  second_closed = false;
  assert_int_equal(sweep(stage, make_second), 2); /* itself, its coroutine */
  rtc_resource_manager_close(second, on_second_closed, NULL);
  while (!second_closed)
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
}

static Thing *thing;
static const char *name;
static uint64_t id;

static RtcError add_thing(Stage *stage) {
  size_t live = rtc_resource_manager_live(stage->manager);
  RtcError err = rtc_resource_manager_add(stage->manager, &thing->resource, id, name);
  if (err) {
    assert_int_equal(rtc_resource_state(&thing->resource), RTC_RESOURCE_STATE_UNMANAGED);
    assert_int_equal(rtc_resource_id(&thing->resource), 0);
    assert_string_equal(rtc_resource_name(&thing->resource), "");
    assert_int_equal(rtc_resource_manager_live(stage->manager), live);
    assert_null(rtc_resource_manager_find_by_id(stage->manager, id));
    assert_null(rtc_resource_manager_find_by_name(stage->manager, name));
  }
  return err;
}

/* A resource is added under both its keys, or under none; also when the index must grow for it. */
static void an_addition_changes_all_or_nothing(Stage *stage) {
  enum { COUNT = 1000 };
  static Thing *things[COUNT];
  char text[32];
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  int most = 0, least = 1000;
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(text, sizeof(text), "thing-%u", i);
    thing = things[i] = stage_thing(stage, 0, NULL);
    id = i + 1;
    name = text;
    int allocations = sweep(stage, add_thing);
    most = allocations > most ? allocations : most;
    least = allocations < least ? allocations : least;
  }
  assert_int_equal(least, 2); /* the name, the node */
  assert_true(most >= 4);     /* and the tables of both indexes */
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(text, sizeof(text), "thing-%u", i);
    assert_ptr_equal(rtc_resource_manager_find_by_id(stage->manager, i + 1), &things[i]->resource);
    assert_ptr_equal(rtc_resource_manager_find_by_name(stage->manager, text), &things[i]->resource);
  }
  for (unsigned i = 0; i < COUNT; i++) {
    stage_remove(stage, &things[i]);
    if (i % 64 == 63)
      stage_settle(stage);
    stage->record[0] = '\0';
  }
  stage_settle(stage);
}

static RtcResourceSubscriber deaf;

static RtcError subscribe(Stage *stage) {
  return rtc_resource_manager_subscribe(stage->manager, &deaf);
}

/* A failed subscription can be tried again. */
static void a_subscription_fails_clean(Stage *stage) {
  assert_int_equal(sweep(stage, subscribe), 1);
}

static RtcError start(Stage *stage) {
  (void)stage;
  RtcError err = stage_execute(thing);
  assert_int_equal(thing->resource.shared.handles, err ? 1 : 2);
  assert_int_equal(rtc_resource_state(&thing->resource), RTC_RESOURCE_STATE_LIVE);
  if (err)
    assert_null(thing->executor);
  return err;
}

/* An executor that can't start leaves the resource, its slot and the worker as they were. */
static void an_executor_starts_or_holds_nothing(Stage *stage) {
  thing = stage_thing(stage, 1, NULL);
  assert_int_equal(sweep(stage, start), 2); /* itself, its coroutine */
  RtcResource *handle = &thing->resource;
  rtc_resource_unref(&handle);
  stage_await_things(stage, 0);
  stage_expect(stage, "cycle:1 end:1 before:1 disposing:1 dispose:1 destroy:1");
}

/* Removal and disposal take no memory: they work when there is none at all. */
static void the_way_out_allocates_nothing(Stage *stage) {
  Thing *running = stage_thing(stage, 1, "one");
  Thing *other = stage_thing(stage, 2, "two");
  assert_int_equal(stage_execute(running), RTC_OK);
  rtc_executor_interrupt(running->executor);
  RtcResource *handle = &running->resource;
  rtc_resource_unref(&handle);
  allocations_left = 0;
  stage_remove(stage, &other);
  stage_close(stage);
  while (!stage->closed)
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
  assert_int_equal(allocations_left, 0);
  assert_int_equal(stage->things, 0);
  allocations_left = -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      stage_test(a_manager_is_made_whole_or_not_at_all),
      stage_test(an_addition_changes_all_or_nothing),
      stage_test(a_subscription_fails_clean),
      stage_test(an_executor_starts_or_holds_nothing),
      stage_test(the_way_out_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
