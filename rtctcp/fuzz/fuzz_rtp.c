/* Fuzzes the RTP header parser: what it gives lies inside the packet, and a rewritten packet parses
 * to what was asked for. */
#include "protocol/demux.h"
#include "protocol/rtp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds)
    abort();
}

static void check_extensions(const uint8_t *data, size_t size, const RtcRtpHeader *header) {
  for (unsigned id = 0; id <= UINT8_MAX; id++) {
    const uint8_t *value;
    size_t len;
    if (!rtc_rtp_find_extension(header, (uint8_t)id, &value, &len))
      continue;
    check(value >= data && value <= data + size && len <= (size_t)(data + size - value));
  }
}

static void check_rewrite(const uint8_t *data, size_t size, const RtcRtpHeader *header) {
  const RtcRtpRewrite rewrite = {
      .ssrc = 0x01020304, .payload_type = 96, .sequence = 65535, .timestamp = 0xFFFFFFFF};
  size_t expected = RTC_RTP_HEADER_LEN + header->csrc_count * (size_t)4 + header->payload_len;
  size_t len;
  uint8_t *out = malloc(expected);
  if (!out)
    abort();
  check(rtc_rtp_rewrite(data, size, header, &rewrite, out, expected - 1, &len) == RTC_ERROR_LIMIT);
  check(!rtc_rtp_rewrite(data, size, header, &rewrite, out, expected, &len) && len == expected);

  RtcRtpHeader after;
  check(!rtc_rtp_parse(out, len, &after));
  check(after.ssrc == rewrite.ssrc && after.payload_type == 96 && after.sequence == 65535);
  check(after.timestamp == rewrite.timestamp && after.marker == header->marker);
  check(after.csrc_count == header->csrc_count && !after.extension && after.padding_len == 0);
  check(after.payload_len == header->payload_len);
  check(memcmp(out + after.payload_offset, data + header->payload_offset, after.payload_len) == 0);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  (void)rtc_demux(data, size);
  RtcRtpHeader header;
  if (rtc_rtp_parse(data, size, &header))
    return 0;
  check(header.payload_offset + header.payload_len + header.padding_len == size);
  check_extensions(data, size, &header);
  check_rewrite(data, size, &header);
  return 0;
}
