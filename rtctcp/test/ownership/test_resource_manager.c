/* The resource manager: each case ends with the manager closed and every resource gone. */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static RtcError add(Stage *stage, Thing *thing, uint64_t id, const char *name) {
  return rtc_resource_manager_add(stage->manager, &thing->resource, id, name);
}

static Thing *find_id(Stage *stage, uint64_t id) {
  return (Thing *)rtc_resource_manager_find_by_id(stage->manager, id);
}

static Thing *find_name(Stage *stage, const char *name) {
  return (Thing *)rtc_resource_manager_find_by_name(stage->manager, name);
}

static Thing *ref(Thing *thing) {
  return (Thing *)rtc_resource_ref(&thing->resource);
}

static void unref(Thing **slot) {
  RtcResource *resource = &(*slot)->resource;
  *slot = NULL;
  rtc_resource_unref(&resource);
}

/* ---- The index --------------------------------------------------------------------------------
 */

/* What was added is found by its id, and by its name if it has one. */
static void live_resources_are_found(Stage *stage) {
  Thing *plain = stage_thing(stage, 1, NULL);
  Thing *empty = stage_thing(stage, 2, "");
  Thing *named = stage_thing(stage, 3, "whip/live");
  assert_int_equal(rtc_resource_state(&plain->resource), RTC_RESOURCE_STATE_LIVE);
  assert_int_equal(rtc_resource_id(&named->resource), 3);
  assert_string_equal(rtc_resource_name(&named->resource), "whip/live");
  assert_string_equal(rtc_resource_name(&empty->resource), "");

  assert_ptr_equal(find_id(stage, 1), plain);
  assert_ptr_equal(find_id(stage, 2), empty);
  assert_ptr_equal(find_id(stage, 3), named);
  assert_ptr_equal(find_name(stage, "whip/live"), named);
  assert_null(find_id(stage, 4));
  assert_null(find_id(stage, 0));
  assert_null(find_name(stage, "whip/liv"));
  assert_null(find_name(stage, ""));
  assert_int_equal(rtc_resource_manager_live(stage->manager), 3);

  stage_remove(stage, &plain);
  stage_remove(stage, &empty);
  stage_remove(stage, &named);
}

/* The name is the manager's copy: the caller's may change. */
static void the_name_is_copied(Stage *stage) {
  char name[] = "one";
  Thing *thing = stage_thing(stage, 1, name);
  name[0] = 'x';
  assert_ptr_equal(find_name(stage, "one"), thing);
  stage_remove(stage, &thing);
}

/* An id or a name that is taken is refused, and the refused resource can still be added. */
static void a_taken_id_or_name_changes_nothing(Stage *stage) {
  Thing *first = stage_thing(stage, 1, "one");
  Thing *second = stage_thing(stage, 0, NULL);
  static const struct {
    uint64_t id;
    const char *name;
  } taken[] = {{1, NULL}, {1, "two"}, {2, "one"}, {1, "one"}};
  for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
    assert_int_equal(add(stage, second, taken[i].id, taken[i].name), RTC_ERROR_EXISTS);
    assert_int_equal(rtc_resource_state(&second->resource), RTC_RESOURCE_STATE_UNMANAGED);
    assert_int_equal(rtc_resource_id(&second->resource), 0);
    assert_string_equal(rtc_resource_name(&second->resource), "");
    assert_ptr_equal(find_id(stage, 1), first);
    assert_ptr_equal(find_name(stage, "one"), first);
    assert_null(find_id(stage, 2));
    assert_null(find_name(stage, "two"));
    assert_int_equal(rtc_resource_manager_live(stage->manager), 1);
  }
  assert_int_equal(add(stage, second, 2, "two"), RTC_OK);
  assert_ptr_equal(find_name(stage, "two"), second);
  stage_remove(stage, &first);
  stage_remove(stage, &second);
}

/* A resource has one place in one manager, once in its life. */
static void a_resource_is_added_once(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  Thing *handle = ref(thing);
  assert_int_equal(add(stage, handle, 2, NULL), RTC_ERROR_INVALID_STATE);
  stage_remove(stage, &thing);
  assert_int_equal(add(stage, handle, 2, NULL), RTC_ERROR_INVALID_STATE);
  stage_settle(stage);
  assert_int_equal(add(stage, handle, 2, NULL), RTC_ERROR_INVALID_STATE);
  assert_int_equal(rtc_resource_id(&handle->resource), 1);
  unref(&handle);
}

/* Ids and names are free again at the removal, whoever still holds the old resource. */
static void a_removed_resource_is_not_found_and_frees_its_place(Stage *stage) {
  Thing *old = stage_thing(stage, 1, "one");
  Thing *handle = ref(old);
  stage_remove(stage, &old);
  assert_null(find_id(stage, 1));
  assert_null(find_name(stage, "one"));
  assert_int_equal(rtc_resource_manager_live(stage->manager), 0);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 1);
  assert_int_equal(rtc_resource_state(&handle->resource), RTC_RESOURCE_STATE_DISPOSAL);

  Thing *successor = stage_thing(stage, 1, "one");
  stage_settle(stage);
  assert_ptr_equal(find_id(stage, 1), successor);
  assert_ptr_equal(find_name(stage, "one"), successor);
  unref(&handle);
  stage_remove(stage, &successor);
}

/* Ids are fresh, and 0 is none. */
static void ids_are_never_given_twice(Stage *stage) {
  uint64_t last = 0;
  for (int i = 0; i < 100; i++) {
    uint64_t id = rtc_resource_manager_next_id(stage->manager);
    assert_true(id > last);
    last = id;
  }
}

/* The index grows: each of many is found among the others, and none after its removal. */
static void many_resources_are_told_apart(Stage *stage) {
  enum { COUNT = 2000 };
  static Thing *things[COUNT];
  char name[32];
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(name, sizeof(name), "thing-%u", i);
    things[i] = stage_thing(stage, i + 1, i % 2 ? name : NULL);
  }
  for (unsigned i = 0; i < COUNT; i++) {
    snprintf(name, sizeof(name), "thing-%u", i);
    assert_ptr_equal(find_id(stage, i + 1), things[i]);
    assert_ptr_equal(find_name(stage, name), i % 2 ? things[i] : NULL);
  }
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  for (unsigned i = 0; i < COUNT; i++) {
    stage->record[0] = '\0';
    stage_remove(stage, &things[i]);
    assert_null(find_id(stage, i + 1));
    if (i % 64 == 63)
      stage_settle(stage);
  }
}

/* ---- Disposal ---------------------------------------------------------------------------------
 */

static RtcCoroutine *remover;

static void expect_own_coroutine(Thing *thing) {
  RtcCoroutine *current = rtc_coroutine_current(thing->stage->worker);
  assert_non_null(current);
  assert_ptr_not_equal(current, remover);
}

/* The order of a removal: told inside the call, disposed of later in a coroutine of the manager's,
 * then its handle is dropped. */
static void disposal_comes_later_in_the_managers_coroutine(Stage *stage) {
  remover = rtc_coroutine_current(stage->worker);
  Thing *thing = stage_thing(stage, 1, NULL);
  thing->on_dispose = expect_own_coroutine;
  stage_remove(stage, &thing);
  stage_write(stage, "removed");
  stage_settle(stage);
  stage_expect(stage, "before:1 removed disposing:1 dispose:1 destroy:1");
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 0);
}

/* A type needs no dispose. */
static void a_type_without_dispose_is_fine(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  RtcResourceType type = *thing->resource.type;
  type.dispose = NULL;
  thing->resource.type = &type;
  stage_remove(stage, &thing);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 destroy:1");
}

/* Who holds a handle keeps the object, not its place: the state tells them. */
static void a_handle_elsewhere_outlives_the_disposal(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, "one");
  Thing *handle = ref(thing);
  stage_remove(stage, &thing);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1");
  assert_int_equal(rtc_resource_state(&handle->resource), RTC_RESOURCE_STATE_DISPOSED);
  assert_string_equal(rtc_resource_name(&handle->resource), "one");
  unref(&handle);
  stage_expect(stage, "destroy:1");
}

/* The second remover's handle is dropped, before the disposal and after it; nothing comes twice. */
static void removing_twice_drops_only_the_handle(Stage *stage) {
  Thing *thing = stage_thing(stage, 1, NULL);
  Thing *second = ref(thing);
  Thing *third = ref(thing);
  stage_remove(stage, &thing);
  stage_remove(stage, &second);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 1);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1");
  stage_remove(stage, &third);
  stage_expect(stage, "destroy:1");
  stage_settle(stage);
  stage_expect(stage, "");
}

/* What never got a place goes the same way. */
static void an_unmanaged_resource_is_disposed_of_as_well(Stage *stage) {
  Thing *thing = stage_thing(stage, 0, NULL);
  stage_remove(stage, &thing);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 1);
  stage_settle(stage);
  stage_expect(stage, "before:0 disposing:0 dispose:0 destroy:0");
}

/* An empty slot has nothing to remove. */
static void removing_nothing_is_fine(Stage *stage) {
  RtcResource *none = NULL;
  rtc_resource_manager_remove(stage->manager, &none);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 0);
}

/* A disposal may take several turns. What is removed meanwhile waits, in order, and does not cut
 * short what the disposal waits for. */
static void removals_queue_up_behind_a_long_disposal(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  Thing *two = stage_thing(stage, 2, NULL);
  Thing *three = stage_thing(stage, 3, NULL);
  one->on_dispose = stage_hold_disposal;
  stage_remove(stage, &one);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  stage_expect(stage, "before:1 disposing:1 dispose:1");
  stage_remove(stage, &three);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  stage_remove(stage, &two);
  rtc_coroutine_sleep(stage->worker, 2 * RTC_US_PER_MS);
  assert_int_equal(rtc_resource_manager_in_disposal(stage->manager), 3);
  stage_expect(stage, "before:3 before:2");
  stage_release(stage);
  stage_settle(stage);
  stage_expect(stage, "released destroy:1 disposing:3 dispose:3 destroy:3 "
                      "disposing:2 dispose:2 destroy:2");
}

static void remove_other(Thing *thing) {
  rtc_resource_manager_remove(thing->stage->manager, &thing->other);
  stage_write(thing->stage, "removed");
}

/* A resource may take another one with it: that one goes next, not inside the first one's end. */
static void dispose_removes_another(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  one->other = &stage_thing(stage, 2, NULL)->resource;
  one->on_dispose = remove_other;
  stage_remove(stage, &one);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1 before:2 removed destroy:1 "
                      "disposing:2 dispose:2 destroy:2");
}

/* A resource that removes itself while it is disposed of only loses that handle. */
static void dispose_removes_itself(Stage *stage) {
  Thing *one = stage_thing(stage, 1, NULL);
  one->other = rtc_resource_ref(&one->resource);
  one->on_dispose = remove_other;
  stage_remove(stage, &one);
  stage_settle(stage);
  stage_expect(stage, "before:1 disposing:1 dispose:1 removed destroy:1");
}

/* The manager rests and works again, as often as it takes. */
static void disposals_come_and_go(Stage *stage) {
  for (uint64_t i = 1; i <= 3; i++) {
    Thing *thing = stage_thing(stage, 7, "again");
    stage_remove(stage, &thing);
    stage_settle(stage);
    stage_expect(stage, "before:7 disposing:7 dispose:7 destroy:7");
  }
}

/* A thousand ends at once take many turns: whoever is ready runs in between. */
static void others_run_between_disposals(Stage *stage) {
  enum { COUNT = 15 };
  for (unsigned i = 0; i < COUNT; i++) {
    Thing *thing = stage_thing(stage, i + 1, NULL);
    stage_remove(stage, &thing);
  }
  int before = stage->things;
  while (before > 0) {
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
    assert_in_range(before - stage->things, 0, 1);
    before = stage->things;
  }
}

/* A worker that is short of time has few turns, and many ends in each: what waits stays bounded. */
static void disposals_keep_up_with_removals(Stage *stage) {
  enum { TURNS = 300, A_TURN = 4, WAITING_MAX = 80 };
  for (unsigned turn = 0; turn < TURNS; turn++) {
    for (unsigned i = 0; i < A_TURN; i++) {
      Thing *thing = stage_thing(stage, 1 + turn * A_TURN + i, NULL);
      stage_remove(stage, &thing);
    }
    assert_int_equal(rtc_coroutine_yield(stage->worker), RTC_OK);
    assert_in_range(rtc_resource_manager_in_disposal(stage->manager), 0, WAITING_MAX);
    stage->record[0] = '\0';
  }
  stage_settle(stage);
}

/* ---- Each -------------------------------------------------------------------------------------
 */

typedef struct Visit {
  Stage *stage;
  Thing *things[5]; /* by id; owned handles */
  uint64_t at;      /* acts when this id is visited */
  uint64_t remove[4];
} Visit;

static void visit(RtcResource *resource, void *arg) {
  Visit *visit = arg;
  uint64_t id = rtc_resource_id(resource);
  stage_write(visit->stage, "%d", (int)id);
  if (id != visit->at)
    return;
  for (size_t i = 0; i < 4 && visit->remove[i]; i++)
    stage_remove(visit->stage, &visit->things[visit->remove[i]]);
}

/* Every live resource is met once, and none that went meanwhile: the one that is visited, the next,
 * one that was met already, and all of them. */
static void each_meets_the_live_ones_while_any_go(Stage *stage) {
  static const struct {
    uint64_t at, remove[4];
    const char *met;
  } table[] = {
      {0, {0}, "1 2 3 4"},      {1, {1}, "1 2 3 4"},
      {2, {2}, "1 2 3 4"},      {4, {4}, "1 2 3 4"},
      {1, {2}, "1 3 4"},        {1, {2, 3}, "1 4"},
      {1, {3, 2}, "1 4"},       {2, {3, 4}, "1 2"},
      {3, {4}, "1 2 3"},        {3, {1, 2}, "1 2 3 4"},
      {2, {2, 3}, "1 2 4"},     {1, {1, 2, 3, 4}, "1"},
      {2, {4, 3, 2, 1}, "1 2"}, {4, {1, 2, 3, 4}, "1 2 3 4"},
  };
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    Visit v = {.stage = stage, .at = table[i].at};
    for (size_t r = 0; r < 4; r++)
      v.remove[r] = table[i].remove[r];
    for (uint64_t id = 1; id <= 4; id++)
      v.things[id] = stage_thing(stage, id, id % 2 ? NULL : id == 2 ? "two" : "four");
    rtc_resource_manager_each(stage->manager, visit, &v);
    stage_expect(stage, table[i].met);
    for (uint64_t id = 1; id <= 4; id++)
      if (v.things[id])
        stage_remove(stage, &v.things[id]);
    assert_int_equal(rtc_resource_manager_live(stage->manager), 0);
    stage_settle(stage);
    stage->record[0] = '\0';
  }
}

static void visit_inner(RtcResource *resource, void *arg) {
  Visit *v = arg;
  visit(resource, v);
  if (rtc_resource_id(resource) != 1)
    return;
  Visit inner = *v;
  inner.at = 2;
  inner.remove[0] = 2;
  inner.remove[1] = 3;
  rtc_resource_manager_each(v->stage->manager, visit, &inner);
  v->things[2] = v->things[3] = NULL;
}

/* A removal inside an inner walk is seen by the outer one. */
static void walks_nest(Stage *stage) {
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  Visit v = {.stage = stage};
  for (uint64_t id = 1; id <= 4; id++)
    v.things[id] = stage_thing(stage, id, NULL);
  rtc_resource_manager_each(stage->manager, visit_inner, &v);
  stage_expect(stage, "1 1 2 4 4");
  stage_remove(stage, &v.things[1]);
  stage_remove(stage, &v.things[4]);
}

static void add_a_thing(RtcResource *resource, void *arg) {
  Visit *v = arg;
  stage_write(v->stage, "%d", (int)rtc_resource_id(resource));
  if (!v->things[2])
    v->things[2] = stage_thing(v->stage, 2, NULL);
}

/* What is added meanwhile may be left out, but ends nothing. */
static void each_bears_additions(Stage *stage) {
  Visit v = {.stage = stage};
  rtc_resource_manager_each(stage->manager, add_a_thing, &v);
  stage_expect(stage, "");
  v.things[1] = stage_thing(stage, 1, NULL);
  rtc_resource_manager_each(stage->manager, add_a_thing, &v);
  stage_expect(stage, "1");
  stage_remove(stage, &v.things[1]);
  stage_remove(stage, &v.things[2]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      stage_test(live_resources_are_found),
      stage_test(the_name_is_copied),
      stage_test(a_taken_id_or_name_changes_nothing),
      stage_test(a_resource_is_added_once),
      stage_test(a_removed_resource_is_not_found_and_frees_its_place),
      stage_test(ids_are_never_given_twice),
      stage_test(many_resources_are_told_apart),
      stage_test(disposal_comes_later_in_the_managers_coroutine),
      stage_test(a_type_without_dispose_is_fine),
      stage_test(a_handle_elsewhere_outlives_the_disposal),
      stage_test(removing_twice_drops_only_the_handle),
      stage_test(an_unmanaged_resource_is_disposed_of_as_well),
      stage_test(removing_nothing_is_fine),
      stage_test(removals_queue_up_behind_a_long_disposal),
      stage_test(dispose_removes_another),
      stage_test(dispose_removes_itself),
      stage_test(disposals_come_and_go),
      stage_test(others_run_between_disposals),
      stage_test(disposals_keep_up_with_removals),
      stage_test(each_meets_the_live_ones_while_any_go),
      stage_test(walks_nest),
      stage_test(each_bears_additions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
