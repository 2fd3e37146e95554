/* Tests of rtcp.c: the library's own parser reads what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../rtctcp/src/protocol/rtcp.h"
#include "../rtcp.h"

/* Reads a compound of exactly these types. */
static void assert_types(const uint8_t *compound, size_t len, const unsigned *types, size_t count) {
  size_t at = 0;
  RtcRtcpPacket packet;
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(rtc_rtcp_next(compound, len, &at, &packet), RTC_OK);
    assert_int_equal(packet.type, types[i]);
  }
  assert_int_equal(rtc_rtcp_next(compound, len, &at, &packet), RTC_ERROR_EOF);
}

/* Before anything has come the report is empty; then it has a block; a PLI comes on top. */
static void receivers_report_what_has_come(void **state) {
  uint8_t out[RTCP_LEN_MAX];
  uint8_t rtp[12] = {0x80, 96, 0xFF, 0xFE, [11] = 9};
  RtcpReception reception = {0};
  RtcRtcpPacket packet;
  RtcRtcpReportBlock block;
  size_t at = 0;
  (void)state;
  size_t len = rtcp_write_receiver(out, 1, &reception, false);
  assert_types(out, len, (unsigned[]){201, 202}, 2);
  assert_false(rtcp_asks_keyframe(out, len));
  rtcp_reception_take(&reception, rtp, sizeof rtp);
  rtp[2] = 0; /* 0xFFFE, then 0x00FE: the sequence number has wrapped */
  rtcp_reception_take(&reception, rtp, sizeof rtp);
  rtp[3] = 0; /* an older one */
  rtcp_reception_take(&reception, rtp, sizeof rtp);
  len = rtcp_write_receiver(out, 1, &reception, true);
  assert_types(out, len, (unsigned[]){201, 202, 206}, 3);
  assert_true(rtcp_asks_keyframe(out, len));
  assert_int_equal(rtc_rtcp_next(out, len, &at, &packet), RTC_OK);
  assert_true(rtc_rtcp_report_block(&packet, 0, &block));
  assert_int_equal(block.ssrc, 9);
  assert_int_equal(block.highest_sequence, 0x100FE);
}

static void senders_report_what_they_sent(void **state) {
  uint8_t out[RTCP_LEN_MAX];
  const RtcpSender sender = {.ssrc = 3, .timestamp = 90000, .packets = 10, .octets = 9880};
  RtcRtcpPacket packet;
  RtcRtcpSenderInfo info;
  size_t at = 0;
  (void)state;
  size_t len = rtcp_write_sender(out, &sender);
  assert_types(out, len, (unsigned[]){200, 202}, 2);
  assert_int_equal(rtc_rtcp_next(out, len, &at, &packet), RTC_OK);
  assert_int_equal(rtc_rtcp_parse_sr(&packet, &info), RTC_OK);
  assert_int_equal(info.ssrc, 3);
  assert_int_equal(info.rtp_timestamp, 90000);
  assert_int_equal(info.packets, 10);
  assert_int_equal(info.octets, 9880);
}

/* A FIR asks as a PLI does; what is cut asks for nothing. */
static void requests_for_keyframes_are_seen(void **state) {
  const uint8_t fir[] = {0x84, 206, 0, 4, [19] = 0};
  const uint8_t nack[] = {0x81, 205, 0, 2, [11] = 0};
  (void)state;
  assert_true(rtcp_asks_keyframe(fir, sizeof fir));
  assert_false(rtcp_asks_keyframe(fir, sizeof fir - 1));
  assert_false(rtcp_asks_keyframe(nack, sizeof nack));
  assert_false(rtcp_asks_keyframe(fir, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(receivers_report_what_has_come),
      cmocka_unit_test(senders_report_what_they_sent),
      cmocka_unit_test(requests_for_keyframes_are_seen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
