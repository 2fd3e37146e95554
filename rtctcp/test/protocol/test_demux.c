/* Demultiplexing: each first octet has its class, and nothing shorter than its header has one. */
#include "protocol/demux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

/* RFC 7983 section 7, octet by octet. */
static RtcPacketClass expected_class(unsigned first) {
  if (first <= 3)
    return RTC_PACKET_CLASS_STUN;
  if (first >= 20 && first <= 63)
    return RTC_PACKET_CLASS_DTLS;
  if (first >= 128 && first <= 191)
    return RTC_PACKET_CLASS_RTP;
  return RTC_PACKET_CLASS_UNKNOWN;
}

/* All 256 values: the ranges begin and end where the RFC says, ZRTP and TURN are not ours. */
static void first_octet_tells_the_class(void **state) {
  (void)state;
  uint8_t packet[64] = {0};
  for (unsigned first = 0; first <= UINT8_MAX; first++) {
    packet[0] = (uint8_t)first;
    assert_int_equal(rtc_demux(packet, sizeof(packet)), expected_class(first));
  }
}

/* RFC 5761 section 4: the second octet of RTCP is 192 to 223, which RTP leaves alone. */
static void second_octet_tells_rtcp_from_rtp(void **state) {
  (void)state;
  static const uint8_t firsts[] = {128, 129, 160, 191};
  uint8_t packet[64] = {0};
  for (size_t i = 0; i < array_len(firsts); i++) {
    packet[0] = firsts[i];
    for (unsigned second = 0; second <= UINT8_MAX; second++) {
      packet[1] = (uint8_t)second;
      bool rtcp = second >= 192 && second <= 223;
      assert_int_equal(rtc_demux(packet, sizeof(packet)),
                       rtcp ? RTC_PACKET_CLASS_RTCP : RTC_PACKET_CLASS_RTP);
    }
  }
}

/* The second octet means nothing outside of RTP's range. */
static void second_octet_is_not_read_for_other_classes(void **state) {
  (void)state;
  uint8_t packet[64] = {22, 200};
  assert_int_equal(rtc_demux(packet, sizeof(packet)), RTC_PACKET_CLASS_DTLS);
  packet[0] = 0;
  assert_int_equal(rtc_demux(packet, sizeof(packet)), RTC_PACKET_CLASS_STUN);
}

/* One octet less than the header that every packet of the class has. */
static void packet_shorter_than_its_header_is_unknown(void **state) {
  (void)state;
  static const struct {
    uint8_t first, second;
    size_t len_min;
    RtcPacketClass expected;
  } cases[] = {
      {0, 1, 20, RTC_PACKET_CLASS_STUN},
      {22, 254, 13, RTC_PACKET_CLASS_DTLS},
      {128, 96, 12, RTC_PACKET_CLASS_RTP},
      {128, 200, 8, RTC_PACKET_CLASS_RTCP},
  };
  for (size_t i = 0; i < array_len(cases); i++) {
    const uint8_t packet[20] = {cases[i].first, cases[i].second};
    for (size_t len = 0; len < cases[i].len_min; len++)
      assert_int_equal(rtc_demux(packet, len), RTC_PACKET_CLASS_UNKNOWN);
    assert_int_equal(rtc_demux(packet, cases[i].len_min), cases[i].expected);
  }
}

/* An empty frame is no packet; its pointer is not read. */
static void empty_packet_is_unknown(void **state) {
  (void)state;
  assert_int_equal(rtc_demux(NULL, 0), RTC_PACKET_CLASS_UNKNOWN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_octet_tells_the_class),
      cmocka_unit_test(second_octet_tells_rtcp_from_rtp),
      cmocka_unit_test(second_octet_is_not_read_for_other_classes),
      cmocka_unit_test(packet_shorter_than_its_header_is_unknown),
      cmocka_unit_test(empty_packet_is_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
