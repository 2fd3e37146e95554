/* The structure of a STUN message, looked at before libnice sees it; of the STUN files only. */
#ifndef RTC_PROTOCOL_STUN_STRUCTURE_H
#define RTC_PROTOCOL_STUN_STRUCTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  RTC_STUN_HEADER_LEN = 20,
  RTC_STUN_TRANSACTION_AT = 8,  /* behind the magic cookie */
  RTC_STUN_CLASS_MASK = 0x0110, /* RFC 8489 section 5 */
  RTC_STUN_CLASS_REQUEST = 0x0000,
  RTC_STUN_CLASS_SUCCESS = 0x0100,
  RTC_STUN_CLASS_ERROR = 0x0110,
  RTC_STUN_UNKNOWN_MAX = 32, /* of a request that are listed; the peer learns of more when it asks
                              * again */
};

/* The comprehension-required attributes that are understood, up to a 0: libnice's end mark. Those
 * that belong into the other class are known but unexpected, which is to be ignored (RFC 8489
 * section 6.3). */
extern const uint16_t rtc_stun_known_attributes[];

/* What a look over the attributes has found. */
typedef struct RtcStunAttributes {
  bool integrity_seen; /* what follows MESSAGE-INTEGRITY is ignored, RFC 8489 section 14.5 */
  bool malformed;      /* one of ICE has the wrong length */
  uint16_t unknown[RTC_STUN_UNKNOWN_MAX]; /* comprehension-required ones, in network byte order */
  size_t unknown_count;
} RtcStunAttributes;

uint16_t rtc_stun_get16(const uint8_t *at);

/* Octets that fill a value of this length up to a multiple of 4. */
size_t rtc_stun_padding(size_t len);

/* Walks over the attributes of a message.
 * returns  false: it is not a whole message, an attribute reaches beyond its end, or is a
 *          MESSAGE-INTEGRITY that can't be one (RFC 8489 section 14.5) */
bool rtc_stun_scan(RtcStunAttributes *attributes, const uint8_t *packet, size_t len);

#endif
