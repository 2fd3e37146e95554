/* Which live session has this ufrag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/rtc_connection_internal.h"

#include <stdio.h>
#include <string.h>

#define MANY 1000

/* A Connection as far as the registry touches it: its count. The test's own handle is the first. */
static void make(RtcConnection *connection) {
  *connection = (RtcConnection){0};
  rtc_resource_init(&connection->resource, &rtc_connection_type);
}

static uint32_t handles(const RtcConnection *connection) {
  return connection->resource.shared.handles;
}

/* Each session is found by its own ufrag, whole, and by nothing else. */
static void session_is_found_by_its_ufrag(void **state) {
  RtcRegistry registry;
  RtcConnection a, b;
  (void)state;
  make(&a);
  make(&b);
  rtc_registry_init(&registry);
  assert_int_equal(rtc_registry_add(&registry, "000abcdef", &a), RTC_OK);
  assert_int_equal(rtc_registry_add(&registry, "000abcdeF", &b), RTC_OK);
  assert_int_equal(registry.count, 2);
  assert_ptr_equal(rtc_registry_find(&registry, "000abcdef", 9), &a);
  assert_ptr_equal(rtc_registry_find(&registry, "000abcdeF:peer", 9), &b);
  assert_null(rtc_registry_find(&registry, "000abcdef", 8));
  assert_null(rtc_registry_find(&registry, "000abcdefg", 10));
  assert_null(rtc_registry_find(&registry, "", 0));
  rtc_registry_take(&registry, "000abcdef");
  rtc_registry_take(&registry, "000abcdeF");
  rtc_registry_finish(&registry);
}

/* It holds one handle from add to take, which then is the caller's; find takes none. */
static void handle_is_held_and_given(void **state) {
  RtcRegistry registry;
  RtcConnection connection;
  (void)state;
  make(&connection);
  rtc_registry_init(&registry);
  assert_int_equal(rtc_registry_add(&registry, "u", &connection), RTC_OK);
  assert_int_equal(handles(&connection), 2);
  rtc_registry_find(&registry, "u", 1);
  assert_int_equal(handles(&connection), 2);
  assert_ptr_equal(rtc_registry_take(&registry, "u"), &connection);
  assert_int_equal(handles(&connection), 2);
  assert_int_equal(registry.count, 0);
  assert_null(rtc_registry_find(&registry, "u", 1));
  assert_null(rtc_registry_take(&registry, "u"));
  rtc_registry_finish(&registry);
}

/* A ufrag that is taken is refused, and the first session keeps it. */
static void second_of_a_ufrag_is_refused(void **state) {
  RtcRegistry registry;
  RtcConnection first, second;
  (void)state;
  make(&first);
  make(&second);
  rtc_registry_init(&registry);
  assert_int_equal(rtc_registry_add(&registry, "u", &first), RTC_OK);
  assert_int_equal(rtc_registry_add(&registry, "u", &second), RTC_ERROR_EXISTS);
  assert_int_equal(handles(&second), 1);
  assert_int_equal(registry.count, 1);
  assert_ptr_equal(rtc_registry_take(&registry, "u"), &first);
  assert_int_equal(rtc_registry_add(&registry, "u", &second), RTC_OK);
  assert_ptr_equal(rtc_registry_take(&registry, "u"), &second);
  rtc_registry_finish(&registry);
}

/* The text is copied: the caller's may change. */
static void ufrag_is_copied(void **state) {
  RtcRegistry registry;
  RtcConnection connection;
  char ufrag[] = "abc";
  (void)state;
  make(&connection);
  rtc_registry_init(&registry);
  assert_int_equal(rtc_registry_add(&registry, ufrag, &connection), RTC_OK);
  ufrag[0] = 'x';
  assert_null(rtc_registry_find(&registry, ufrag, 3));
  assert_ptr_equal(rtc_registry_take(&registry, "abc"), &connection);
  rtc_registry_finish(&registry);
}

/* Many sessions, and those that stay are still found when others have gone. */
static void many_come_and_go(void **state) {
  RtcRegistry registry;
  RtcConnection connection;
  char ufrag[16];
  (void)state;
  make(&connection);
  rtc_registry_init(&registry);
  for (int i = 0; i < MANY; i++) {
    snprintf(ufrag, sizeof ufrag, "u%d", i);
    assert_int_equal(rtc_registry_add(&registry, ufrag, &connection), RTC_OK);
  }
  assert_int_equal(registry.count, MANY);
  assert_int_equal(handles(&connection), MANY + 1);
  for (int pass = 0; pass < 2; pass++)
    for (int i = pass; i < MANY; i += 2) {
      snprintf(ufrag, sizeof ufrag, "u%d", i);
      assert_ptr_equal(rtc_registry_find(&registry, ufrag, strlen(ufrag)), &connection);
      assert_ptr_equal(rtc_registry_take(&registry, ufrag), &connection);
    }
  rtc_registry_finish(&registry);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(session_is_found_by_its_ufrag),
      cmocka_unit_test(handle_is_held_and_given),
      cmocka_unit_test(second_of_a_ufrag_is_refused),
      cmocka_unit_test(ufrag_is_copied),
      cmocka_unit_test(many_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
