/* Where keyframes begin in VP8 and H.264 payloads. */
#include "protocol/rtp_payload.h"

#include "base/octets.h"

/* -- VP8: RFC 7741 section 4.2 -- */

#define VP8_FRAME_TAG_LEN ((size_t)3) /* RFC 6386 section 9.1 */

/* Octets of the payload descriptor; 0: it is cut. */
static size_t vp8_descriptor_len(const uint8_t *payload, size_t len) {
  size_t at = 1;
  bool extended = payload[0] & 0x80;
  if (!extended)
    return at;
  if (len <= at)
    return 0;
  uint8_t present = payload[at++];
  bool picture_id = present & 0x80;
  bool tl0picidx = present & 0x40;
  bool tid_or_keyidx = present & 0x30; /* T and K share one octet */
  if (picture_id) {
    if (len <= at)
      return 0;
    at += payload[at] & 0x80 ? 2 : 1; /* 15 or 7 bits */
  }
  at += (size_t)tl0picidx + (size_t)tid_or_keyidx;
  return at <= len ? at : 0;
}

bool rtc_vp8_keyframe_start(const uint8_t *payload, size_t len) {
  if (len == 0)
    return false;
  bool partition_start = payload[0] & 0x10;
  unsigned partition = payload[0] & 0x07;
  if (!partition_start || partition != 0)
    return false;
  size_t descriptor_len = vp8_descriptor_len(payload, len);
  if (descriptor_len == 0 || len - descriptor_len < VP8_FRAME_TAG_LEN)
    return false;
  bool interframe = payload[descriptor_len] & 0x01;
  return !interframe;
}

/* -- H.264: RFC 6184 section 5 -- */

#define NAL_TYPE_MASK 0x1F

enum {
  NAL_IDR_SLICE = 5,
  NAL_SPS = 7,
  NAL_STAP_A = 24,
  NAL_FU_A = 28,
};

/* type, body: of a NAL unit; body begins behind its header octet, len may cut it short. */
static bool nal_starts_keyframe(unsigned type, const uint8_t *body, size_t len) {
  if (type == NAL_SPS)
    return true;
  /* A slice header begins with first_mb_in_slice in Exp-Golomb: 0 is the single bit 1. */
  return type == NAL_IDR_SLICE && len > 0 && body[0] & 0x80;
}

/* RFC 6184 section 5.7.1: units, each behind its size in two octets. */
static bool stap_a_starts_keyframe(const uint8_t *units, size_t len) {
  bool starts = false;
  while (len > 0) {
    if (len < 2)
      return false;
    size_t unit_len = rtc_read_u16(units);
    if (unit_len == 0 || unit_len > len - 2)
      return false;
    const uint8_t *unit = units + 2;
    starts = starts || nal_starts_keyframe(unit[0] & NAL_TYPE_MASK, unit + 1, unit_len - 1);
    units = unit + unit_len;
    len -= 2 + unit_len;
  }
  return starts;
}

/* RFC 6184 section 5.8. */
static bool fu_a_starts_keyframe(const uint8_t *fragment, size_t len) {
  if (len == 0)
    return false;
  bool start = fragment[0] & 0x80;
  bool end = fragment[0] & 0x40; /* never both in one fragment */
  return start && !end && nal_starts_keyframe(fragment[0] & NAL_TYPE_MASK, fragment + 1, len - 1);
}

bool rtc_h264_keyframe_start(const uint8_t *payload, size_t len) {
  if (len == 0)
    return false;
  unsigned type = payload[0] & NAL_TYPE_MASK;
  if (type == NAL_STAP_A)
    return stap_a_starts_keyframe(payload + 1, len - 1);
  if (type == NAL_FU_A)
    return fu_a_starts_keyframe(payload + 1, len - 1);
  return nal_starts_keyframe(type, payload + 1, len - 1);
}
