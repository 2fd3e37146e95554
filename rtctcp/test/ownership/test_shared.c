/* Handles: each case ends with every object destroyed exactly once. */
#include "ownership/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

typedef struct Thing {
  int value;
  RtcShared shared; /* not the first member: the macro must find it all the same */
} Thing;

RTC_SHARED_DECLARE(Thing, thing);

static int destroyed;

static void destroy(Thing *thing) {
  destroyed++;
  free(thing);
}

RTC_SHARED_DEFINE(Thing, thing, shared, destroy);

static Thing *new_thing(int value) {
  Thing *thing = calloc(1, sizeof(*thing));
  assert_non_null(thing);
  thing->value = value;
  rtc_shared_init(&thing->shared);
  return thing;
}

static int reset(void **state) {
  (void)state;
  destroyed = 0;
  return 0;
}

/* A handle is the object's own address, and a count of one more. */
static void a_second_handle_is_the_same_object(void **state) {
  (void)state;
  Thing *first = new_thing(1);
  Thing *second = thing_ref(first);
  assert_ptr_equal(first, second);
  assert_int_equal(first->shared.handles, 2);

  thing_unref(&first);
  assert_null(first);
  assert_int_equal(destroyed, 0);
  assert_int_equal(second->value, 1);

  thing_unref(&second);
  assert_int_equal(destroyed, 1);
}

/* The last handle destroys inside the call, and the slot is empty by then. */
static void the_last_handle_destroys_at_once(void **state) {
  (void)state;
  Thing *thing = new_thing(1);
  thing_unref(&thing);
  assert_null(thing);
  assert_int_equal(destroyed, 1);
}

/* NULL is a handle of nothing, everywhere. */
static void null_is_fine_everywhere(void **state) {
  (void)state;
  Thing *none = NULL;
  assert_null(thing_ref(NULL));
  thing_unref(&none);
  assert_null(thing_move(&none));
  thing_assign(&none, NULL);
  assert_null(none);
  assert_int_equal(destroyed, 0);
}

/* A copy over an empty slot adds a handle. */
static void copy_over_null_adds_a_handle(void **state) {
  (void)state;
  Thing *thing = new_thing(1);
  Thing *copy = NULL;
  thing_assign(&copy, thing);
  assert_ptr_equal(copy, thing);
  assert_int_equal(thing->shared.handles, 2);

  thing_unref(&thing);
  thing_unref(&copy);
  assert_int_equal(destroyed, 1);
}

/* A copy over a live handle gives that one back first of all to whoever else holds it. */
static void copy_over_a_live_handle_gives_it_back(void **state) {
  (void)state;
  Thing *one = new_thing(1);
  Thing *two = new_thing(2);
  Thing *slot = thing_ref(one);

  thing_assign(&slot, two);
  assert_ptr_equal(slot, two);
  assert_int_equal(one->shared.handles, 1);
  assert_int_equal(two->shared.handles, 2);
  assert_int_equal(destroyed, 0);

  thing_unref(&two);
  thing_assign(&slot, one);
  assert_int_equal(destroyed, 1); /* the slot's was the last of two */
  thing_assign(&slot, NULL);
  assert_null(slot);
  thing_unref(&one);
  assert_int_equal(destroyed, 2);
}

/* A move empties its source and counts nothing. */
static void move_counts_nothing(void **state) {
  (void)state;
  Thing *source = new_thing(1);
  Thing *target = thing_move(&source);
  assert_null(source);
  assert_int_equal(target->shared.handles, 1);
  thing_unref(&target);
  assert_int_equal(destroyed, 1);
}

static int borrow(Thing *thing) {
  assert_int_equal(thing->shared.handles, 1);
  return thing->value;
}

static void consume(Thing **slot) {
  Thing *mine = thing_move(slot);
  thing_unref(&mine);
}

/* A plain parameter borrows; one that is passed by its slot is taken. */
static void passing_borrows_by_pointer_and_gives_by_slot(void **state) {
  (void)state;
  Thing *thing = new_thing(7);
  assert_int_equal(borrow(thing), 7);
  assert_int_equal(destroyed, 0);
  consume(&thing);
  assert_null(thing);
  assert_int_equal(destroyed, 1);
}

/* The only handle survives being assigned to itself. */
static void self_assignment_keeps_the_only_handle(void **state) {
  (void)state;
  Thing *thing = new_thing(1);
  thing_assign(&thing, thing);
  assert_int_equal(destroyed, 0);
  assert_int_equal(thing->shared.handles, 1);
  thing_unref(&thing);
  assert_int_equal(destroyed, 1);
}

typedef struct Owner {
  RtcShared shared;
  Thing *thing;        /* owned */
  struct Owner **seen; /* borrowed: the slot of the last handle */
} Owner;

RTC_SHARED_DECLARE(Owner, owner);

static void destroy_owner(Owner *owner) {
  assert_null(*owner->seen);
  thing_unref(&owner->thing);
  free(owner);
}

RTC_SHARED_DEFINE(Owner, owner, shared, destroy_owner);

/* What a destroyed object owns goes with it, and nobody finds it in the slot meanwhile. */
static void destruction_goes_down_the_owners(void **state) {
  (void)state;
  Owner *owner = calloc(1, sizeof(*owner));
  assert_non_null(owner);
  rtc_shared_init(&owner->shared);
  owner->thing = new_thing(1);
  owner->seen = &owner;
  owner_unref(&owner);
  assert_int_equal(destroyed, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_second_handle_is_the_same_object, reset),
      cmocka_unit_test_setup(the_last_handle_destroys_at_once, reset),
      cmocka_unit_test_setup(null_is_fine_everywhere, reset),
      cmocka_unit_test_setup(copy_over_null_adds_a_handle, reset),
      cmocka_unit_test_setup(copy_over_a_live_handle_gives_it_back, reset),
      cmocka_unit_test_setup(move_counts_nothing, reset),
      cmocka_unit_test_setup(passing_borrows_by_pointer_and_gives_by_slot, reset),
      cmocka_unit_test_setup(self_assignment_keeps_the_only_handle, reset),
      cmocka_unit_test_setup(destruction_goes_down_the_owners, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
