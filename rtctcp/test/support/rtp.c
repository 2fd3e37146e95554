/* RTP and RTCP packets for the tests: written and read by hand. */
#include "support/rtp.h"

#include <string.h>

#define RTCP_SR   200
#define RTCP_RR   201
#define RTCP_APP  204
#define RTCP_PSFB 206
#define FMT_PLI   1

uint16_t rtp_read16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t rtp_read32(const uint8_t *at) {
  return (uint32_t)rtp_read16(at) << 16 | rtp_read16(at + 2);
}

void rtp_write16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

void rtp_write32(uint8_t *at, uint32_t value) {
  rtp_write16(at, (uint16_t)(value >> 16));
  rtp_write16(at + 2, (uint16_t)value);
}

/* -- RTP -- */

static void write_header(uint8_t *packet, const RtpHeader *header) {
  packet[0] = 0x80;
  packet[1] = (uint8_t)((header->marker ? 0x80 : 0) | header->payload_type);
  rtp_write16(packet + 2, header->sequence);
  rtp_write32(packet + 4, header->timestamp);
  rtp_write32(packet + 8, header->ssrc);
}

size_t rtp_write(uint8_t *packet, const RtpHeader *header, const void *payload, size_t len) {
  write_header(packet, header);
  if (len)
    memcpy(packet + RTP_HEADER_LEN, payload, len);
  return RTP_HEADER_LEN + len;
}

/* Octets that differ with place and packet, so that a mix-up shows. */
static void fill(uint8_t *at, size_t len, const RtpHeader *header) {
  for (size_t i = 0; i < len; i++)
    at[i] = (uint8_t)(i * 7 + header->sequence);
}

size_t rtp_write_vp8(uint8_t *packet, const RtpHeader *header, bool start, bool keyframe,
                     size_t payload_len) {
  uint8_t *payload = packet + RTP_HEADER_LEN;
  write_header(packet, header);
  fill(payload, payload_len, header);
  /* The short descriptor: S and PID 0 at the first partition's start (RFC 7741 section 4.2). */
  payload[0] = start ? 0x10 : 0;
  if (!start)
    return RTP_HEADER_LEN + payload_len;
  /* Frame tag: P is 0 for a keyframe, show_frame, size of the first partition; then, of a
   * keyframe, the start code and 640 x 480 (section 4.3, RFC 6386 section 9.1). */
  payload[1] = keyframe ? 0x10 : 0x11;
  payload[2] = payload[3] = 0;
  if (keyframe)
    memcpy(payload + 4, (const uint8_t[]){0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0}, 6);
  return RTP_HEADER_LEN + payload_len;
}

size_t rtp_write_opus(uint8_t *packet, const RtpHeader *header, size_t payload_len) {
  write_header(packet, header);
  fill(packet + RTP_HEADER_LEN, payload_len, header);
  if (payload_len)
    packet[RTP_HEADER_LEN] = 0x78; /* CELT, fullband, 20 ms, mono, one frame (RFC 6716) */
  return RTP_HEADER_LEN + payload_len;
}

bool rtp_read(const uint8_t *packet, size_t len, RtpHeader *header) {
  if (len < RTP_HEADER_LEN || packet[0] >> 6 != 2)
    return false;
  header->marker = packet[1] & 0x80;
  header->payload_type = packet[1] & 0x7f;
  header->sequence = rtp_read16(packet + 2);
  header->timestamp = rtp_read32(packet + 4);
  header->ssrc = rtp_read32(packet + 8);
  return true;
}

const uint8_t *rtp_payload(const uint8_t *packet, size_t len, size_t *payload_len) {
  size_t offset = RTP_HEADER_LEN + (size_t)(packet[0] & 0x0f) * 4;
  if ((packet[0] & 0x10) && offset + 4 <= len)
    offset += 4 + (size_t)rtp_read16(packet + offset + 2) * 4;
  if (offset > len)
    return NULL;
  *payload_len = len - offset;
  return packet + offset;
}

/* -- RTCP -- */

static size_t write_rtcp_header(uint8_t *packet, uint8_t count, uint8_t type, size_t len,
                                uint32_t sender) {
  packet[0] = (uint8_t)(0x80 | count);
  packet[1] = type;
  rtp_write16(packet + 2, (uint16_t)(len / 4 - 1));
  rtp_write32(packet + 4, sender);
  return len;
}

size_t rtcp_write_rr(uint8_t *packet, uint32_t sender) {
  return write_rtcp_header(packet, 0, RTCP_RR, 8, sender);
}

size_t rtcp_write_sr(uint8_t *packet, uint32_t sender, uint64_t ntp, uint32_t rtp_timestamp) {
  rtp_write32(packet + 8, (uint32_t)(ntp >> 32));
  rtp_write32(packet + 12, (uint32_t)ntp);
  rtp_write32(packet + 16, rtp_timestamp);
  memset(packet + 20, 0, 8);
  return write_rtcp_header(packet, 0, RTCP_SR, 28, sender);
}

size_t rtcp_write_pli(uint8_t *packet, uint32_t sender, uint32_t media_ssrc) {
  size_t len = rtcp_write_rr(packet, sender);
  rtp_write32(packet + len + 8, media_ssrc);
  return len + write_rtcp_header(packet + len, FMT_PLI, RTCP_PSFB, 12, sender);
}

size_t rtcp_write_unknown(uint8_t *packet, uint32_t sender) {
  size_t len = rtcp_write_rr(packet, sender);
  memcpy(packet + len + 8, "none", 4);
  return len + write_rtcp_header(packet + len, 0, RTCP_APP, 12, sender);
}

bool rtcp_contains(const uint8_t *packet, size_t len, uint8_t type, int format) {
  while (len >= 4) {
    size_t one = ((size_t)rtp_read16(packet + 2) + 1) * 4;
    if (one > len)
      return false;
    if (packet[1] == type && (format < 0 || (packet[0] & 0x1f) == format))
      return true;
    packet += one;
    len -= one;
  }
  return false;
}
