/* Reads transport-wide feedback, for tests. */
#include "support/twcc_decoder.h"

#include "protocol/rtcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static unsigned octets_at(const uint8_t *at, size_t count) {
  unsigned value = 0;
  while (count-- > 0)
    value = value << 8 | *at++;
  return value;
}

/* The statuses of one chunk; those behind the count of the packet are not looked at. */
static size_t decode_chunk(unsigned chunk, TwccDecoded *decoded, size_t at) {
  size_t end = at;
  if (chunk >> 15 == 0) {
    decoded->run_chunks++;
    end = at + (chunk & 0x1FFF);
    for (; at < end && at < decoded->count; at++)
      decoded->statuses[at] = chunk >> 13 & 3;
    return end;
  }
  bool two_bit = chunk >> 14 & 1;
  decoded->two_bit_chunks += two_bit;
  decoded->one_bit_chunks += !two_bit;
  size_t places = two_bit ? 7 : 14;
  for (size_t i = 0; i < places && at + i < decoded->count; i++) {
    unsigned status = two_bit ? chunk >> (12 - 2 * i) & 3 : chunk >> (13 - i) & 1;
    decoded->statuses[at + i] = (uint8_t)status;
  }
  return at + places;
}

void twcc_decode(const uint8_t *feedback, size_t len, TwccDecoded *decoded) {
  size_t walked = 0;
  RtcRtcpPacket packet;
  assert_int_equal(rtc_rtcp_next(feedback, len, &walked, &packet), RTC_OK);
  assert_int_equal(walked, len);
  assert_int_equal(packet.type, 205);
  assert_int_equal(packet.count, 15);
  memset(decoded, 0, sizeof(*decoded));
  decoded->sender_ssrc = packet.sender_ssrc;
  decoded->media_ssrc = packet.media_ssrc;
  decoded->base = (uint16_t)octets_at(packet.body + 8, 2);
  decoded->count = octets_at(packet.body + 10, 2);
  decoded->feedback_count = packet.body[15];
  assert_in_range(decoded->count, 1, TWCC_DECODED_MAX);
  int64_t time_us = (int64_t)octets_at(packet.body + 12, 3) * 64000;

  size_t offset = 16;
  for (size_t at = 0; at < decoded->count; offset += 2) {
    assert_true(offset + 2 <= packet.body_len);
    at = decode_chunk(octets_at(packet.body + offset, 2), decoded, at);
  }
  for (size_t at = 0; at < decoded->count; at++) {
    size_t width = decoded->statuses[at];
    assert_in_range(width, 0, 2);
    assert_true(offset + width <= packet.body_len);
    int delta = (int)octets_at(packet.body + offset, width);
    if (width == 2 && delta > INT16_MAX)
      delta -= 65536;
    time_us += (int64_t)delta * 250;
    decoded->arrivals_us[at] = width > 0 ? time_us : -1;
    offset += width;
  }
  assert_int_equal(offset, packet.body_len);
}
