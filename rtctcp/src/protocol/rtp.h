/* RTP headers: parse, rewrite.
 * Source: RFC 3550 section 5.1, RFC 8285 (header extensions) */
#ifndef RTC_PROTOCOL_RTP_H
#define RTC_PROTOCOL_RTP_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_RTP_HEADER_LEN ((size_t)12) /* the fixed part [octets] */

typedef struct RtcRtpHeader {
  bool marker;
  uint8_t payload_type;
  uint16_t sequence;
  uint32_t timestamp;
  uint32_t ssrc;
  uint8_t csrc_count;
  const uint8_t *extension; /* borrowed: the extension's elements, without its 4 octets; or NULL */
  size_t extension_len;     /* [octets] */
  uint16_t extension_profile; /* 0xBEDE: one-byte, 0x100N: two-byte elements */
  size_t payload_offset;      /* from the packet's start [octets] */
  size_t payload_len;         /* without padding [octets] */
  size_t padding_len;         /* [octets] */
} RtcRtpHeader;

/* Errors: PROTO (short, not version 2, CSRCs, extension or padding longer than the packet) */
RTC_MUST_CHECK RtcError rtc_rtp_parse(const uint8_t *packet, size_t len, RtcRtpHeader *header);

/* Finds a header extension element, one- or two-byte form (RFC 8285 sections 4.2, 4.3).
 * id       1 to 14 (one-byte) or 255
 * value    out: borrowed from the packet
 * returns  false: it is not there, or the extension is malformed before it or in it */
bool rtc_rtp_find_extension(const RtcRtpHeader *header, uint8_t id, const uint8_t **value,
                            size_t *value_len);

/* What one receiver sees differently. */
typedef struct RtcRtpRewrite {
  uint32_t ssrc;
  uint8_t payload_type;
  uint16_t sequence;
  uint32_t timestamp;
} RtcRtpRewrite;

/* Writes the packet with other header fields, without its header extension and its padding, to out.
 * CSRCs, marker and payload stay.
 * header   of this packet, as rtc_rtp_parse gave it
 * out      must not overlap the packet
 * out_len  out [octets]; at most len
 * Errors: LIMIT (cap) */
RTC_MUST_CHECK RtcError rtc_rtp_rewrite(const uint8_t *packet, size_t len,
                                        const RtcRtpHeader *header, const RtcRtpRewrite *rewrite,
                                        uint8_t *out, size_t cap, size_t *out_len);

#endif
