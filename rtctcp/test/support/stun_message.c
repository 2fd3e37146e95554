/* Making and verifying STUN messages. RFC 8489 sections 5, 14, 14.5, 14.7 */
#include "support/stun_message.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>

enum {
  HEADER_LEN = 20,
  INTEGRITY_LEN = 20,
  INTEGRITY_ATTRIBUTE_LEN = 24,
  FINGERPRINT_ATTRIBUTE_LEN = 8,
};

uint16_t stun_get16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

void stun_put16(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static size_t padded(size_t len) {
  return (len + 3) / 4 * 4;
}

static void fingerprint(uint8_t *value, const uint8_t *octets, size_t len) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < len; i++) {
    crc ^= octets[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  crc = ~crc ^ 0x5354554e;
  stun_put16(value, crc >> 16);
  stun_put16(value + 2, crc & 0xffff);
}

static void hmac_sha1(uint8_t *mac, const char *key, const uint8_t *octets, size_t len) {
  unsigned mac_len = INTEGRITY_LEN;
  if (!HMAC(EVP_sha1(), key, (int)strlen(key), octets, len, mac, &mac_len))
    abort();
}

void stun_begin(StunPacket *packet, uint16_t type) {
  static const uint8_t cookie_and_id[] = {0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
                                          0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
  memset(packet, 0, sizeof(*packet));
  stun_put16(packet->octets, type);
  memcpy(packet->octets + 4, cookie_and_id, sizeof(cookie_and_id));
  stun_set_len(packet, HEADER_LEN);
}

void stun_set_len(StunPacket *packet, size_t len) {
  packet->len = len;
  stun_put16(packet->octets + 2, len - HEADER_LEN);
}

void stun_add(StunPacket *packet, uint16_t type, const void *value, size_t len) {
  uint8_t *at = packet->octets + packet->len;
  if (packet->len + 4 + padded(len) > sizeof(packet->octets))
    abort();
  memset(at, 0, 4 + padded(len));
  stun_put16(at, type);
  stun_put16(at + 2, len);
  if (len > 0)
    memcpy(at + 4, value, len);
  stun_set_len(packet, packet->len + 4 + padded(len));
}

void stun_add_text(StunPacket *packet, uint16_t type, const char *text) {
  stun_add(packet, type, text, strlen(text));
}

void stun_add_integrity(StunPacket *packet, const char *password) {
  uint8_t mac[INTEGRITY_LEN];
  size_t covered = packet->len;
  stun_set_len(packet, covered + INTEGRITY_ATTRIBUTE_LEN);
  hmac_sha1(mac, password, packet->octets, covered);
  packet->len = covered;
  stun_add(packet, STUN_INTEGRITY, mac, sizeof(mac));
}

void stun_add_fingerprint(StunPacket *packet) {
  uint8_t value[4];
  size_t covered = packet->len;
  stun_set_len(packet, covered + FINGERPRINT_ATTRIBUTE_LEN);
  fingerprint(value, packet->octets, covered);
  packet->len = covered;
  stun_add(packet, STUN_FINGERPRINT, value, sizeof(value));
}

void stun_renew_fingerprint(StunPacket *packet) {
  uint8_t *value = packet->octets + packet->len - 4;
  fingerprint(value, packet->octets, packet->len - FINGERPRINT_ATTRIBUTE_LEN);
}

const uint8_t *stun_find(const uint8_t *octets, size_t len, uint16_t type, size_t *value_len) {
  for (size_t at = HEADER_LEN; at < len; at += 4 + padded(stun_get16(octets + at + 2))) {
    if (stun_get16(octets + at) != type)
      continue;
    *value_len = stun_get16(octets + at + 2);
    return octets + at + 4;
  }
  return NULL;
}

bool stun_has(const uint8_t *octets, size_t len, uint16_t type) {
  size_t ignored;
  return stun_find(octets, len, type, &ignored) != NULL;
}

bool stun_integrity_is_right(const uint8_t *octets, size_t len, const char *password) {
  StunPacket copy;
  uint8_t mac[INTEGRITY_LEN];
  size_t value_len;
  const uint8_t *value = stun_find(octets, len, STUN_INTEGRITY, &value_len);
  if (!value || value_len != INTEGRITY_LEN || len > sizeof(copy.octets))
    return false;
  size_t covered = (size_t)(value - octets) - 4;
  memcpy(copy.octets, octets, len);
  stun_set_len(&copy, covered + INTEGRITY_ATTRIBUTE_LEN);
  hmac_sha1(mac, password, copy.octets, covered);
  return memcmp(mac, value, sizeof(mac)) == 0;
}

bool stun_fingerprint_is_right(const uint8_t *octets, size_t len) {
  uint8_t right[4];
  size_t value_len;
  const uint8_t *value = stun_find(octets, len, STUN_FINGERPRINT, &value_len);
  if (!value || value_len != sizeof(right) || value + sizeof(right) != octets + len)
    return false;
  fingerprint(right, octets, len - FINGERPRINT_ATTRIBUTE_LEN);
  return memcmp(right, value, sizeof(right)) == 0;
}

bool stun_padding_is_zero(const uint8_t *octets, size_t len) {
  for (size_t at = HEADER_LEN; at < len;) {
    size_t value_len = stun_get16(octets + at + 2);
    for (at += 4 + value_len; at % 4 != 0; at++)
      if (octets[at] != 0)
        return false;
  }
  return true;
}
