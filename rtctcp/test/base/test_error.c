/* error.c: names and texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rtctcp/error.h>
#include <rtctcp/version.h>

#include <string.h>

/* The name is the enumerator's, so that a log line can be searched for in the header. */
static void name_is_the_enumerators(void **state) {
  (void)state;
  assert_string_equal(rtc_error_name(RTC_OK), "OK");
  assert_string_equal(rtc_error_name(RTC_ERROR_NO_MEMORY), "NO_MEMORY");
  assert_string_equal(rtc_error_name(RTC_ERROR_LIBRARY), "LIBRARY");
  assert_string_equal(rtc_error_text(RTC_ERROR_EOF), "closed by the peer");
}

/* Two errors with one text could not be told apart. */
static void texts_differ(void **state) {
  static const RtcError all[] = {
#define ERROR_VALUE(name, text) RTC_ERROR_##name,
      RTC_ERROR_MAP(ERROR_VALUE)
#undef ERROR_VALUE
  };
  const size_t count = sizeof all / sizeof all[0];

  (void)state;
  for (size_t i = 0; i < count; i++) {
    assert_true(strlen(rtc_error_text(all[i])) > 0);
    for (size_t j = i + 1; j < count; j++)
      assert_string_not_equal(rtc_error_text(all[i]), rtc_error_text(all[j]));
  }
}

/* A value that is no error still gives text, on both sides of the table. */
static void any_value_has_words(void **state) {
  (void)state;
  assert_string_equal(rtc_error_name((RtcError)10000), "UNKNOWN");
  assert_string_equal(rtc_error_name((RtcError)-1), "UNKNOWN");
  assert_string_equal(rtc_error_text((RtcError)(RTC_ERROR_LIBRARY + 1)), "unknown error");
}

/* The linked library says the version of its headers. */
static void version_is_the_headers(void **state) {
  (void)state;
  assert_string_equal(rtc_version(), RTC_VERSION);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(name_is_the_enumerators),
      cmocka_unit_test(texts_differ),
      cmocka_unit_test(any_value_has_words),
      cmocka_unit_test(version_is_the_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
