/* Makes STUN messages and verifies them, by OpenSSL's HMAC and a CRC of its own: what is tested is
 * not its own judge. */
#ifndef RTC_TEST_STUN_MESSAGE_H
#define RTC_TEST_STUN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  STUN_TYPE_BINDING_REQUEST = 0x0001,
  STUN_TYPE_BINDING_INDICATION = 0x0011,
  STUN_TYPE_BINDING_SUCCESS = 0x0101,
  STUN_TYPE_BINDING_ERROR = 0x0111,
  STUN_TYPE_ALLOCATE_REQUEST = 0x0003,
};

enum {
  STUN_USERNAME = 0x0006,
  STUN_INTEGRITY = 0x0008,
  STUN_ERROR_CODE = 0x0009,
  STUN_UNKNOWN_ATTRIBUTES = 0x000a,
  STUN_XOR_MAPPED_ADDRESS = 0x0020,
  STUN_PRIORITY = 0x0024,
  STUN_USE_CANDIDATE = 0x0025,
  STUN_FINGERPRINT = 0x8028,
  STUN_ICE_CONTROLLED = 0x8029,
  STUN_ICE_CONTROLLING = 0x802a,
  STUN_GOOG_NETWORK_INFO = 0xc057,
};

typedef struct StunPacket {
  uint8_t octets[4096];
  size_t len;
} StunPacket;

uint16_t stun_get16(const uint8_t *at);
void stun_put16(uint8_t *at, size_t value);

/* A header with the transaction id of RFC 5769. */
void stun_begin(StunPacket *packet, uint16_t type);
/* Sets the length, in the header too. */
void stun_set_len(StunPacket *packet, size_t len);
void stun_add(StunPacket *packet, uint16_t type, const void *value, size_t len);
void stun_add_text(StunPacket *packet, uint16_t type, const char *text);
void stun_add_integrity(StunPacket *packet, const char *password);
void stun_add_fingerprint(StunPacket *packet);
/* Makes the FINGERPRINT that ends the message right again after a change. */
void stun_renew_fingerprint(StunPacket *packet);

/* The value of the first attribute of a type; NULL: there is none. */
const uint8_t *stun_find(const uint8_t *octets, size_t len, uint16_t type, size_t *value_len);
bool stun_has(const uint8_t *octets, size_t len, uint16_t type);

bool stun_integrity_is_right(const uint8_t *octets, size_t len, const char *password);
bool stun_fingerprint_is_right(const uint8_t *octets, size_t len);
bool stun_padding_is_zero(const uint8_t *octets, size_t len);

#endif
