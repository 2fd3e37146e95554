/* RTCP: walks compound packets, reads and writes the ones a router needs. */
#include "protocol/rtcp.h"

#include "base/octets.h"

#include <string.h>

#define RTCP_VERSION ((uint8_t)2)
#define HEADER_LEN   ((size_t)4)
#define SSRC_LEN     ((size_t)4)
#define BLOCK_LEN    ((size_t)24) /* a report block */
#define SENDER_LEN   ((size_t)20) /* an SR's sender information, without its SSRC */

#define FMT_PLI    1 /* RFC 4585 section 6.3.1 */
#define FMT_FIR    4 /* RFC 5104 section 4.3.1 */
#define FIR_LEN    ((size_t)8)
#define ITEM_CNAME 1 /* RFC 3550 section 6.5.1 */

/* -- Reading -- */

/* Takes the padding off the body: its last octet counts it (RFC 3550 section 6.4.1). */
static bool strip_padding(RtcRtcpPacket *packet) {
  size_t padding_len = packet->body_len > 0 ? packet->body[packet->body_len - 1] : 0;
  if (padding_len == 0 || padding_len > packet->body_len)
    return false;
  packet->body_len -= padding_len;
  return true;
}

RtcError rtc_rtcp_next(const uint8_t *compound, size_t len, size_t *at, RtcRtcpPacket *packet) {
  if (*at == len)
    return RTC_ERROR_EOF;
  const uint8_t *begin = compound + *at;
  size_t rest = len - *at;
  if (rest < HEADER_LEN || begin[0] >> 6 != RTCP_VERSION)
    return RTC_ERROR_PROTO;
  size_t body_len = (size_t)rtc_read_u16(begin + 2) * 4;
  if (rest - HEADER_LEN < body_len)
    return RTC_ERROR_PROTO;
  RtcRtcpPacket found = {
      .type = begin[1],
      .count = begin[0] & 0x1F,
      .body = begin + HEADER_LEN,
      .body_len = body_len,
  };
  bool has_padding = begin[0] & 0x20;
  if (has_padding && !strip_padding(&found))
    return RTC_ERROR_PROTO;
  bool feedback = found.type == RTC_RTCP_RTPFB || found.type == RTC_RTCP_PSFB;
  if (found.body_len >= SSRC_LEN)
    found.sender_ssrc = rtc_read_u32(found.body);
  if (feedback && found.body_len >= 2 * SSRC_LEN)
    found.media_ssrc = rtc_read_u32(found.body + SSRC_LEN);
  *at += HEADER_LEN + body_len;
  *packet = found;
  return RTC_OK;
}

RtcError rtc_rtcp_parse_sr(const RtcRtcpPacket *packet, RtcRtcpSenderInfo *info) {
  if (packet->type != RTC_RTCP_SR || packet->body_len < SSRC_LEN + SENDER_LEN)
    return RTC_ERROR_PROTO;
  const uint8_t *body = packet->body;
  *info = (RtcRtcpSenderInfo){
      .ssrc = rtc_read_u32(body),
      .ntp = (uint64_t)rtc_read_u32(body + 4) << 32 | rtc_read_u32(body + 8),
      .rtp_timestamp = rtc_read_u32(body + 12),
      .packets = rtc_read_u32(body + 16),
      .octets = rtc_read_u32(body + 20),
  };
  return RTC_OK;
}

bool rtc_rtcp_report_block(const RtcRtcpPacket *packet, size_t i, RtcRtcpReportBlock *block) {
  bool sr = packet->type == RTC_RTCP_SR;
  if ((!sr && packet->type != RTC_RTCP_RR) || i >= packet->count)
    return false;
  size_t offset = SSRC_LEN + (sr ? SENDER_LEN : 0) + i * BLOCK_LEN;
  if (packet->body_len < offset + BLOCK_LEN)
    return false;
  const uint8_t *at = packet->body + offset;
  uint32_t lost = rtc_read_u24(at + 5);
  bool negative = lost & 0x800000;
  *block = (RtcRtcpReportBlock){
      .ssrc = rtc_read_u32(at),
      .fraction_lost = at[4],
      .lost = negative ? 0 : lost,
      .highest_sequence = rtc_read_u32(at + 8),
      .jitter = rtc_read_u32(at + 12),
      .lsr = rtc_read_u32(at + 16),
      .dlsr = rtc_read_u32(at + 20),
  };
  return true;
}

bool rtc_rtcp_fir_names(const RtcRtcpPacket *packet, uint32_t ssrc) {
  if (packet->type != RTC_RTCP_PSFB || packet->count != FMT_FIR)
    return false;
  for (size_t at = 2 * SSRC_LEN; at + FIR_LEN <= packet->body_len; at += FIR_LEN) {
    if (rtc_read_u32(packet->body + at) == ssrc)
      return true;
  }
  return false;
}

/* -- Writing -- */

/* Appends a packet's common header; *body is where its body_len octets go (a multiple of 4). */
static RtcError append(uint8_t *out, size_t cap, size_t *len, uint8_t type, size_t count,
                       size_t body_len, uint8_t **body) {
  if (*len > cap || cap - *len < HEADER_LEN + body_len)
    return RTC_ERROR_LIMIT;
  uint8_t *begin = out + *len;
  begin[0] = (uint8_t)(RTCP_VERSION << 6 | count);
  begin[1] = type;
  rtc_write_u16(begin + 2, (uint16_t)(body_len / 4));
  *body = begin + HEADER_LEN;
  *len += HEADER_LEN + body_len;
  return RTC_OK;
}

RtcError rtc_rtcp_write_sr(uint8_t *out, size_t cap, size_t *len, const RtcRtcpSenderInfo *info) {
  uint8_t *body;
  RtcError error = append(out, cap, len, RTC_RTCP_SR, 0, SSRC_LEN + SENDER_LEN, &body);
  if (error)
    return error;
  rtc_write_u32(body, info->ssrc);
  rtc_write_u32(body + 4, (uint32_t)(info->ntp >> 32));
  rtc_write_u32(body + 8, (uint32_t)info->ntp);
  rtc_write_u32(body + 12, info->rtp_timestamp);
  rtc_write_u32(body + 16, info->packets);
  rtc_write_u32(body + 20, info->octets);
  return RTC_OK;
}

static void write_block(uint8_t *at, const RtcRtcpReportBlock *block) {
  uint32_t lost_max = 0x7FFFFF;
  rtc_write_u32(at, block->ssrc);
  at[4] = block->fraction_lost;
  rtc_write_u24(at + 5, block->lost < lost_max ? block->lost : lost_max);
  rtc_write_u32(at + 8, block->highest_sequence);
  rtc_write_u32(at + 12, block->jitter);
  rtc_write_u32(at + 16, block->lsr);
  rtc_write_u32(at + 20, block->dlsr);
}

RtcError rtc_rtcp_write_rr(uint8_t *out, size_t cap, size_t *len, uint32_t sender_ssrc,
                           const RtcRtcpReportBlock *blocks, size_t count) {
  if (count > RTC_RTCP_REPORTS_MAX)
    return RTC_ERROR_LIMIT;
  uint8_t *body;
  RtcError error = append(out, cap, len, RTC_RTCP_RR, count, SSRC_LEN + count * BLOCK_LEN, &body);
  if (error)
    return error;
  rtc_write_u32(body, sender_ssrc);
  for (size_t i = 0; i < count; i++)
    write_block(body + SSRC_LEN + i * BLOCK_LEN, &blocks[i]);
  return RTC_OK;
}

RtcError rtc_rtcp_write_sdes_cname(uint8_t *out, size_t cap, size_t *len, uint32_t ssrc,
                                   const char *cname) {
  size_t cname_len = strlen(cname);
  if (cname_len > RTC_RTCP_CNAME_MAX)
    return RTC_ERROR_LIMIT;
  /* One chunk: SSRC, the item's type and length, its text, and 1 to 4 zeros up to a full word. */
  size_t used = SSRC_LEN + 2 + cname_len;
  size_t body_len = used / 4 * 4 + 4;
  uint8_t *body;
  RtcError error = append(out, cap, len, RTC_RTCP_SDES, 1, body_len, &body);
  if (error)
    return error;
  rtc_write_u32(body, ssrc);
  body[4] = ITEM_CNAME;
  body[5] = (uint8_t)cname_len;
  memset(body + used, 0, body_len - used);
  memcpy(body + 6, cname, cname_len + 1);
  return RTC_OK;
}

RtcError rtc_rtcp_write_pli(uint8_t *out, size_t cap, size_t *len, uint32_t sender_ssrc,
                            uint32_t media_ssrc) {
  uint8_t *body;
  RtcError error = append(out, cap, len, RTC_RTCP_PSFB, FMT_PLI, 2 * SSRC_LEN, &body);
  if (error)
    return error;
  rtc_write_u32(body, sender_ssrc);
  rtc_write_u32(body + 4, media_ssrc);
  return RTC_OK;
}
