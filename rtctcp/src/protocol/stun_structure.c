/* The structure of a STUN message. libnice trusts in two places: it reads 20 octets at a
 * MESSAGE-INTEGRITY of any length, and takes an empty password for "nothing to check". So messages
 * are walked over here first, and libnice sees sound ones only. */
#include "protocol/stun_structure.h"

#include "protocol/stun.h"

#include <netinet/in.h>
#include <string.h>

#include <stun/stunagent.h>

enum {
  ATTRIBUTE_HEADER_LEN = 4,
  INTEGRITY_LEN = 20,
  COMPREHENSION_OPTIONAL = 0x8000, /* and all above, RFC 8489 section 14 */
};

static const uint8_t magic_cookie[] = {0x21, 0x12, 0xa4, 0x42};

const uint16_t rtc_stun_known_attributes[] = {
    STUN_ATTRIBUTE_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
    STUN_ATTRIBUTE_ERROR_CODE,
    STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
    STUN_ATTRIBUTE_REALM,
    STUN_ATTRIBUTE_NONCE,
    STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_PRIORITY,
    STUN_ATTRIBUTE_USE_CANDIDATE,
    0,
};

/* ICE's attributes and the octets of their values, RFC 8445 section 16.1. */
static const struct {
  uint16_t type;
  uint16_t len;
} ice_attributes[] = {
    {STUN_ATTRIBUTE_PRIORITY, 4},
    {STUN_ATTRIBUTE_USE_CANDIDATE, 0},
    {STUN_ATTRIBUTE_ICE_CONTROLLED, 8},
    {STUN_ATTRIBUTE_ICE_CONTROLLING, 8},
};

uint16_t rtc_stun_get16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

size_t rtc_stun_padding(size_t len) {
  return (4 - len % 4) % 4;
}

bool rtc_stun_looks_like(const uint8_t *data, size_t len) {
  if (len > 0 && data[0] >> 6 != 0)
    return false;
  if (len <= STUN_MESSAGE_TRANS_ID_POS)
    return true;
  size_t come = len - STUN_MESSAGE_TRANS_ID_POS;
  if (come > sizeof(magic_cookie))
    come = sizeof(magic_cookie);
  return memcmp(data + STUN_MESSAGE_TRANS_ID_POS, magic_cookie, come) == 0;
}

static bool is_whole_message(const uint8_t *packet, size_t len) {
  return len >= RTC_STUN_HEADER_LEN && len <= RTC_STUN_LEN_MAX && len % 4 == 0 &&
         rtc_stun_looks_like(packet, len) &&
         rtc_stun_get16(packet + STUN_MESSAGE_LENGTH_POS) == len - RTC_STUN_HEADER_LEN;
}

static bool is_known(uint16_t type) {
  for (const uint16_t *known = rtc_stun_known_attributes; *known; known++)
    if (*known == type)
      return true;
  return type >= COMPREHENSION_OPTIONAL;
}

static bool is_malformed(uint16_t type, uint16_t len) {
  for (size_t i = 0; i < sizeof(ice_attributes) / sizeof(*ice_attributes); i++)
    if (ice_attributes[i].type == type)
      return ice_attributes[i].len != len;
  return false;
}

static void note_attribute(RtcStunAttributes *attributes, uint16_t type, uint16_t len) {
  if (attributes->integrity_seen)
    return;
  attributes->integrity_seen = type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY;
  attributes->malformed |= is_malformed(type, len);
  if (!is_known(type) && attributes->unknown_count < RTC_STUN_UNKNOWN_MAX)
    attributes->unknown[attributes->unknown_count++] = htons(type);
}

bool rtc_stun_scan(RtcStunAttributes *attributes, const uint8_t *packet, size_t len) {
  if (!is_whole_message(packet, len))
    return false;
  size_t at = RTC_STUN_HEADER_LEN;
  while (at < len) {
    uint16_t type = rtc_stun_get16(packet + at);
    uint16_t value_len = rtc_stun_get16(packet + at + STUN_ATTRIBUTE_TYPE_LEN);
    at += ATTRIBUTE_HEADER_LEN;
    if (value_len + rtc_stun_padding(value_len) > len - at)
      return false;
    at += value_len + rtc_stun_padding(value_len);
    if (type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY && value_len != INTEGRITY_LEN)
      return false;
    note_attribute(attributes, type, value_len);
  }
  return true;
}
