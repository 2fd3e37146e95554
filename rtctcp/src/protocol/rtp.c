/* RTP headers: parse, find an extension's element, rewrite. */
#include "protocol/rtp.h"

#include "base/octets.h"

#include <assert.h>
#include <string.h>

#define RTP_VERSION          2
#define CSRC_LEN             ((size_t)4)
#define EXTENSION_HEADER_LEN ((size_t)4) /* profile and length in words */

/* RFC 8285 sections 4.2 and 4.3. */
#define PROFILE_ONE_BYTE      0xBEDE
#define PROFILE_TWO_BYTE      0x1000
#define PROFILE_TWO_BYTE_MASK 0xFFF0 /* the rest is appbits, for the application */
#define ONE_BYTE_ID_MAX       14     /* 15 ends the extension */

/* Steps over the extension; *at is where it begins, then where the payload begins.
 * false: it is longer than the packet. */
static bool parse_extension(const uint8_t *packet, size_t len, size_t *at, RtcRtpHeader *header) {
  if (len - *at < EXTENSION_HEADER_LEN)
    return false;
  size_t extension_len = (size_t)rtc_read_u16(packet + *at + 2) * 4;
  size_t begin = *at + EXTENSION_HEADER_LEN;
  if (len - begin < extension_len)
    return false;
  header->extension_profile = rtc_read_u16(packet + *at);
  header->extension = packet + begin;
  header->extension_len = extension_len;
  *at = begin + extension_len;
  return true;
}

/* The last octet counts the padding, itself included (RFC 3550 section 5.1). A packet of padding
 * alone is fine: senders probe the path with such.
 * false: it is longer than the packet, or empty. */
static bool parse_padding(const uint8_t *packet, size_t len, size_t payload_offset,
                          RtcRtpHeader *header) {
  size_t padding_len = packet[len - 1];
  if (padding_len == 0 || padding_len > len - payload_offset)
    return false;
  header->padding_len = padding_len;
  return true;
}

RtcError rtc_rtp_parse(const uint8_t *packet, size_t len, RtcRtpHeader *header) {
  if (len < RTC_RTP_HEADER_LEN || packet[0] >> 6 != RTP_VERSION)
    return RTC_ERROR_PROTO;
  RtcRtpHeader parsed = {
      .marker = packet[1] & 0x80,
      .payload_type = packet[1] & 0x7F,
      .sequence = rtc_read_u16(packet + 2),
      .timestamp = rtc_read_u32(packet + 4),
      .ssrc = rtc_read_u32(packet + 8),
      .csrc_count = packet[0] & 0x0F,
  };
  size_t at = RTC_RTP_HEADER_LEN + parsed.csrc_count * CSRC_LEN;
  if (len < at)
    return RTC_ERROR_PROTO;
  bool has_extension = packet[0] & 0x10;
  if (has_extension && !parse_extension(packet, len, &at, &parsed))
    return RTC_ERROR_PROTO;
  bool has_padding = packet[0] & 0x20;
  if (has_padding && !parse_padding(packet, len, at, &parsed))
    return RTC_ERROR_PROTO;
  parsed.payload_offset = at;
  parsed.payload_len = len - at - parsed.padding_len;
  *header = parsed;
  return RTC_OK;
}

/* One element of an extension. */
typedef struct Element {
  uint8_t id;           /* 0: padding */
  const uint8_t *value; /* borrowed */
  size_t len;           /* [octets] */
} Element;

/* Both readers: at is where an element begins, before end. They return where the next one begins;
 * NULL: the elements end here, or this one is malformed. */

static const uint8_t *read_one_byte(const uint8_t *at, const uint8_t *end, Element *element) {
  /* A plain zero is padding; a zero id with a length, and id 15, end the elements. */
  bool padding = *at == 0;
  *element = (Element){.id = *at >> 4, .value = at + 1, .len = padding ? 0 : (*at & 0x0Fu) + 1u};
  if (!padding && (element->id == 0 || element->id > ONE_BYTE_ID_MAX))
    return NULL;
  return (size_t)(end - element->value) < element->len ? NULL : element->value + element->len;
}

static const uint8_t *read_two_byte(const uint8_t *at, const uint8_t *end, Element *element) {
  *element = (Element){.id = at[0]};
  if (element->id == 0)
    return at + 1;
  if (end - at < 2)
    return NULL;
  element->value = at + 2;
  element->len = at[1];
  return (size_t)(end - element->value) < element->len ? NULL : element->value + element->len;
}

bool rtc_rtp_find_extension(const RtcRtpHeader *header, uint8_t id, const uint8_t **value,
                            size_t *value_len) {
  bool one_byte = header->extension_profile == PROFILE_ONE_BYTE;
  bool two_byte = (header->extension_profile & PROFILE_TWO_BYTE_MASK) == PROFILE_TWO_BYTE;
  if (!header->extension || id == 0 || !(one_byte || two_byte))
    return false;
  const uint8_t *at = header->extension;
  const uint8_t *end = at + header->extension_len;
  while (at && at < end) {
    Element element;
    at = one_byte ? read_one_byte(at, end, &element) : read_two_byte(at, end, &element);
    if (at && element.id == id) {
      *value = element.value;
      *value_len = element.len;
      return true;
    }
  }
  return false;
}

RtcError rtc_rtp_rewrite(const uint8_t *packet, size_t len, const RtcRtpHeader *header,
                         const RtcRtpRewrite *rewrite, uint8_t *out, size_t cap, size_t *out_len) {
  assert(header->payload_offset + header->payload_len + header->padding_len == len);
  (void)len;
  size_t csrcs_len = header->csrc_count * CSRC_LEN;
  size_t header_len = RTC_RTP_HEADER_LEN + csrcs_len;
  if (cap < header_len + header->payload_len)
    return RTC_ERROR_LIMIT;
  out[0] = (uint8_t)(RTP_VERSION << 6 | header->csrc_count);
  out[1] = (uint8_t)((header->marker ? 0x80 : 0) | (rewrite->payload_type & 0x7F));
  rtc_write_u16(out + 2, rewrite->sequence);
  rtc_write_u32(out + 4, rewrite->timestamp);
  rtc_write_u32(out + 8, rewrite->ssrc);
  memcpy(out + RTC_RTP_HEADER_LEN, packet + RTC_RTP_HEADER_LEN, csrcs_len);
  memcpy(out + header_len, packet + header->payload_offset, header->payload_len);
  *out_len = header_len + header->payload_len;
  return RTC_OK;
}
