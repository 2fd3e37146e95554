/* Which source has this name: fetched, made, eliminated. Nothing here needs a Connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/source_manager.h"

#include <stdio.h>
#include <string.h>

#define MANY 500

static RtcSourceManager *manager;

static int setup(void **state) {
  (void)state;
  return rtc_source_manager_new(&manager, NULL) == RTC_OK ? 0 : -1;
}

static void assert_stats(uint64_t live, uint64_t total) {
  RtcSourceManagerStats stats;
  rtc_source_manager_stats(manager, &stats);
  assert_int_equal(stats.sources_live, live);
  assert_int_equal(stats.sources_total, total);
  assert_int_equal(stats.consumers_live, 0);
  assert_int_equal(stats.consumers_total, 0);
}

static int teardown(void **state) {
  RtcSourceManagerStats stats;
  (void)state;
  rtc_source_manager_stats(manager, &stats);
  assert_int_equal(stats.sources_live, 0);
  rtc_source_manager_destroy(manager);
  return 0;
}

static RtcSource *fetch_or_create(const char *name) {
  RtcSource *source;
  assert_int_equal(rtc_source_manager_fetch_or_create(manager, name, &source), RTC_OK);
  assert_string_equal(rtc_source_name(source), name);
  return source;
}

/* A name has one source: the first to fetch makes it, the others find it. */
static void source_is_made_once(void **state) {
  (void)state;
  RtcSource *first = fetch_or_create("live");
  RtcSource *second = fetch_or_create("live");
  RtcSource *third = rtc_source_manager_fetch(manager, "live");
  assert_ptr_equal(first, second);
  assert_ptr_equal(first, third);
  assert_stats(1, 1);
  rtc_source_unref(&first);
  rtc_source_unref(&second);
  assert_stats(1, 1);
  rtc_source_unref(&third);
  assert_null(third);
}

/* One that nobody came to use goes with the last handle, and its name is free. */
static void unused_source_goes_with_its_handle(void **state) {
  (void)state;
  for (uint64_t i = 1; i <= 3; i++) {
    RtcSource *source = fetch_or_create("live");
    assert_stats(1, i);
    rtc_source_unref(&source);
    assert_stats(0, i);
    assert_null(rtc_source_manager_fetch(manager, "live"));
  }
}

/* To fetch makes nothing. */
static void unknown_name_is_not_found(void **state) {
  (void)state;
  assert_null(rtc_source_manager_fetch(manager, "nobody"));
  assert_null(rtc_source_manager_fetch(manager, ""));
  assert_stats(0, 0);
}

/* Names are 1 to 255 octets of any kind, and compared whole. */
static void names_are_checked_and_whole(void **state) {
  char longest[256 + 1];
  RtcSource *untouched = NULL;
  (void)state;
  memset(longest, 'x', 256);
  longest[256] = '\0';
  assert_int_equal(rtc_source_manager_fetch_or_create(manager, longest, &untouched),
                   RTC_ERROR_INVALID_ARGUMENT);
  assert_int_equal(rtc_source_manager_fetch_or_create(manager, "", &untouched),
                   RTC_ERROR_INVALID_ARGUMENT);
  assert_null(untouched);
  longest[255] = '\0';
  static const char *const names[] = {"a", "A", "a ", "a/b", "\xc3\xa9", "\x01\xff", "aa"};
  RtcSource *sources[8] = {fetch_or_create(longest)};
  for (size_t i = 0; i < 7; i++)
    sources[i + 1] = fetch_or_create(names[i]);
  assert_stats(8, 8);
  for (size_t i = 0; i < 8; i++)
    rtc_source_unref(&sources[i]);
}

/* The name is copied: the caller's may change. */
static void name_is_copied(void **state) {
  char name[] = "live";
  (void)state;
  RtcSource *source = fetch_or_create(name);
  name[0] = 'g';
  assert_string_equal(rtc_source_name(source), "live");
  assert_null(rtc_source_manager_fetch(manager, name));
  rtc_source_unref(&source);
}

/* An eliminated source's name is free at once; who still has a handle keeps an orphan, whose end
 * does not touch the new source of that name. */
static void eliminated_name_is_free(void **state) {
  (void)state;
  RtcSource *old = fetch_or_create("live");
  rtc_source_manager_eliminate(manager, "live");
  assert_null(rtc_source_manager_fetch(manager, "live"));
  assert_string_equal(rtc_source_name(old), "live");
  RtcSource *fresh = fetch_or_create("live");
  assert_ptr_not_equal(old, fresh);
  assert_stats(2, 2);
  rtc_source_unref(&old);
  RtcSource *found = rtc_source_manager_fetch(manager, "live");
  assert_ptr_equal(found, fresh);
  rtc_source_unref(&found);
  rtc_source_unref(&fresh);
}

/* To eliminate what is not there does nothing. */
static void unknown_name_is_eliminated_in_vain(void **state) {
  (void)state;
  RtcSource *source = fetch_or_create("live");
  rtc_source_manager_eliminate(manager, "dead");
  assert_stats(1, 1);
  rtc_source_unref(&source);
  rtc_source_manager_eliminate(manager, "live");
  assert_stats(0, 1);
}

/* Many at once, and those that stay are found when others have gone. */
static void many_come_and_go(void **state) {
  RtcSource *sources[MANY];
  char name[16];
  (void)state;
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "s%d", i);
    sources[i] = fetch_or_create(name);
  }
  for (int i = 0; i < MANY; i += 2)
    rtc_source_unref(&sources[i]);
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "s%d", i);
    RtcSource *found = rtc_source_manager_fetch(manager, name);
    assert_ptr_equal(found, sources[i]);
    rtc_source_unref(&found);
    rtc_source_unref(&sources[i]);
  }
}

/* destroy takes NULL, as every destroy does. */
static void destroy_takes_null(void **state) {
  (void)state;
  rtc_source_manager_destroy(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(source_is_made_once),
      TEST(unused_source_goes_with_its_handle),
      TEST(unknown_name_is_not_found),
      TEST(names_are_checked_and_whole),
      TEST(name_is_copied),
      TEST(eliminated_name_is_free),
      TEST(unknown_name_is_eliminated_in_vain),
      TEST(many_come_and_go),
      cmocka_unit_test(destroy_takes_null),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
