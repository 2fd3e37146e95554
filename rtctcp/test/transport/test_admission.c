/* How many sockets may be open that have not authenticated, in all and per peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/admission.h"

static RtcAddressKey key(unsigned number) {
  return (RtcAddressKey){{4, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
                          (uint8_t)(number >> 8), (uint8_t)number}};
}

/* The cap of all holds over any number of peers, and a place given back is free again. */
static void cap_of_all_holds(void **state) {
  RtcAdmission admission;
  (void)state;
  rtc_admission_init(&admission, 100, 10);
  for (unsigned i = 0; i < 100; i++)
    assert_int_equal(rtc_admission_enter(&admission, key(i)), RTC_OK);
  assert_int_equal(rtc_admission_enter(&admission, key(100)), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_admission_enter(&admission, key(5)), RTC_ERROR_LIMIT);
  assert_int_equal(admission.count, 100);
  rtc_admission_leave(&admission, key(7));
  assert_int_equal(rtc_admission_enter(&admission, key(100)), RTC_OK);
  assert_int_equal(rtc_admission_enter(&admission, key(7)), RTC_ERROR_LIMIT);
  for (unsigned i = 0; i <= 100; i++)
    if (i != 7)
      rtc_admission_leave(&admission, key(i));
  rtc_admission_finish(&admission);
}

/* One peer at its cap is refused, and takes no other peer's place. */
static void cap_of_a_peer_holds(void **state) {
  RtcAdmission admission;
  (void)state;
  rtc_admission_init(&admission, 100, 3);
  for (int i = 0; i < 3; i++)
    assert_int_equal(rtc_admission_enter(&admission, key(1)), RTC_OK);
  for (int i = 0; i < 5; i++)
    assert_int_equal(rtc_admission_enter(&admission, key(1)), RTC_ERROR_LIMIT);
  assert_int_equal(rtc_admission_enter(&admission, key(2)), RTC_OK);
  assert_int_equal(admission.count, 4);
  rtc_admission_leave(&admission, key(1));
  assert_int_equal(rtc_admission_enter(&admission, key(1)), RTC_OK);
  assert_int_equal(rtc_admission_enter(&admission, key(1)), RTC_ERROR_LIMIT);
  for (int i = 0; i < 3; i++)
    rtc_admission_leave(&admission, key(1));
  rtc_admission_leave(&admission, key(2));
  rtc_admission_finish(&admission);
}

/* Peers that have none any more cost nothing: strangers that come and go leave no memory behind. */
static void peers_that_left_are_forgotten(void **state) {
  RtcAdmission admission;
  (void)state;
  rtc_admission_init(&admission, 2, 2);
  for (unsigned i = 0; i < 10000; i++) {
    assert_int_equal(rtc_admission_enter(&admission, key(i)), RTC_OK);
    rtc_admission_leave(&admission, key(i));
  }
  assert_int_equal(admission.count, 0);
  assert_null(admission.peers);
  rtc_admission_finish(&admission);
}

/* A refusal of a peer that is not known yet leaves nothing to be forgotten. */
static void refused_strangers_are_not_remembered(void **state) {
  RtcAdmission admission;
  (void)state;
  rtc_admission_init(&admission, 0, 5);
  assert_int_equal(rtc_admission_enter(&admission, key(1)), RTC_ERROR_LIMIT);
  assert_null(admission.peers);
  rtc_admission_finish(&admission);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cap_of_all_holds),
      cmocka_unit_test(cap_of_a_peer_holds),
      cmocka_unit_test(peers_that_left_are_forgotten),
      cmocka_unit_test(refused_strangers_are_not_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
