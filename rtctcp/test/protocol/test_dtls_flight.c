/* Flights: records become datagrams, within the MTU, as often as they are asked for. */
#include "protocol/dtls_flight.h"

#include "support/datagrams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HANDSHAKE 22
#define ALERT     21

static void keep(const uint8_t *datagram, size_t len, void *arg) {
  datagrams_add(arg, datagram, len);
}

static void append(RtcDtlsFlight *flight, uint8_t type, size_t len) {
  uint8_t record[2000] = {type, 0xFE, 0xFD};
  record[11] = (uint8_t)((len - 13) >> 8);
  record[12] = (uint8_t)(len - 13);
  assert_int_equal(rtc_dtls_flight_append(flight, record, len), RTC_OK);
}

static void assert_output(const RtcDtlsFlight *flight, const size_t *lens, size_t count) {
  static Datagrams out;
  RtcDtlsCallbacks callbacks = {.output = keep, .arg = &out};
  for (int again = 0; again < 2; again++) {
    out.count = 0;
    rtc_dtls_flight_output(flight, &callbacks);
    assert_int_equal(out.count, count);
    for (size_t i = 0; i < count; i++)
      assert_int_equal(out.items[i].len, lens[i]);
  }
}

/* As many whole records as fit into 1,200 octets go together, in their order; one that is longer
 * goes alone. */
static void records_are_put_together_up_to_the_mtu(void **state) {
  (void)state;
  static const size_t records[] = {500, 700, 14, 1186, 14, 1300, 100};
  static const size_t datagrams[] = {1200, 1200, 14, 1300, 100};
  RtcDtlsFlight flight = {0};
  assert_output(&flight, NULL, 0);
  for (size_t i = 0; i < sizeof records / sizeof *records; i++)
    append(&flight, HANDSHAKE, records[i]);
  assert_output(&flight, datagrams, 5);
  rtc_dtls_flight_finish(&flight);
  rtc_dtls_flight_finish(&flight);
  assert_output(&flight, NULL, 0);
}

/* A flight takes the place of the one before it; an alert alone is none. */
static void flight_is_told_from_an_alert_and_replaced(void **state) {
  (void)state;
  static const size_t lens[] = {20};
  RtcDtlsFlight flight = {0}, next = {0};
  assert_false(rtc_dtls_flight_is_handshake(&flight));
  append(&flight, ALERT, 15);
  assert_false(rtc_dtls_flight_is_handshake(&flight));
  append(&next, HANDSHAKE, 20);
  assert_true(rtc_dtls_flight_is_handshake(&next));
  rtc_dtls_flight_replace(&flight, &next);
  assert_output(&flight, lens, 1);
  assert_output(&next, NULL, 0);
  rtc_dtls_flight_finish(&flight);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_are_put_together_up_to_the_mtu),
      cmocka_unit_test(flight_is_told_from_an_alert_and_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
