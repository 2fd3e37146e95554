/* Fuzzes the RTCP walk and the readers of single packets, and takes the input as a history of
 * arrivals for the transport-wide feedback, whose every feedback must be a sound RTCP packet. */
#include "base/octets.h"
#include "protocol/rtcp.h"
#include "protocol/twcc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds)
    abort();
}

static void read_packet(const RtcRtcpPacket *packet) {
  RtcRtcpSenderInfo info;
  if (!rtc_rtcp_parse_sr(packet, &info))
    check(packet->type == RTC_RTCP_SR && info.ssrc == packet->sender_ssrc);
  RtcRtcpReportBlock block;
  size_t blocks = 0;
  while (rtc_rtcp_report_block(packet, blocks, &block))
    blocks++;
  check(blocks <= packet->count);
  (void)rtc_rtcp_fir_names(packet, 0);
}

static RtcError walk(const uint8_t *data, size_t size) {
  size_t at = 0;
  for (;;) {
    size_t before = at;
    RtcRtcpPacket packet;
    RtcError error = rtc_rtcp_next(data, size, &at, &packet);
    if (error)
      return error;
    check(at > before && at <= size);
    check(packet.body == data + before + 4 && packet.body + packet.body_len <= data + at);
    read_packet(&packet);
  }
}

static void write_feedback(RtcTwcc *twcc) {
  uint8_t out[RTC_TWCC_FEEDBACK_MAX];
  size_t len = 0;
  RtcError error;
  while (!(error = rtc_twcc_write(twcc, 1, 2, out, sizeof(out), &len))) {
    check(walk(out, len) == RTC_ERROR_EOF);
    len = 0;
  }
  check(error == RTC_ERROR_AGAIN);
}

/* Three octets an arrival: the step of the sequence, and in two octets that of the clock [2.25 ms].
 */
static void note_arrivals(const uint8_t *data, size_t size) {
  RtcTwcc twcc;
  rtc_twcc_init(&twcc);
  uint16_t sequence = 65530;
  int64_t now_us = 1;
  for (size_t at = 0; size - at >= 3; at += 3) {
    sequence = (uint16_t)(sequence + (int8_t)data[at]);
    now_us += (int64_t)(int16_t)rtc_read_u16(data + at + 1) * 2250;
    now_us = now_us < 0 ? 0 : now_us;
    rtc_twcc_packet(&twcc, sequence, now_us);
    if (data[at] == 0)
      write_feedback(&twcc);
  }
  write_feedback(&twcc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  RtcError error = walk(data, size);
  check(error == RTC_ERROR_EOF || error == RTC_ERROR_PROTO);
  note_arrivals(data, size);
  return 0;
}
