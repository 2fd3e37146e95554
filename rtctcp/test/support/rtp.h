/* RTP and RTCP packets for the tests to send, and to look into. Shares no code with the library.
 * Source: RFC 3550, RFC 7741 (VP8), RFC 7587 (Opus), RFC 4585 (feedback) */
#ifndef RTC_TEST_RTP_H
#define RTC_TEST_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTP_HEADER_LEN ((size_t)12)

typedef struct RtpHeader {
  uint8_t payload_type;
  bool marker;
  uint16_t sequence;
  uint32_t timestamp;
  uint32_t ssrc;
} RtpHeader;

uint16_t rtp_read16(const uint8_t *at);
uint32_t rtp_read32(const uint8_t *at);
void rtp_write16(uint8_t *at, uint16_t value);
void rtp_write32(uint8_t *at, uint32_t value);

/* Writers return the packet's length; packet must have room for it. */
size_t rtp_write(uint8_t *packet, const RtpHeader *header, const void *payload, size_t len);
/* One packet of a VP8 frame; payload_len (10 at least) counts the payload descriptor.
 * start: the frame's first packet, whose header says keyframe or not. */
size_t rtp_write_vp8(uint8_t *packet, const RtpHeader *header, bool start, bool keyframe,
                     size_t payload_len);
/* A 20 ms packet whose TOC octet is right and whose sound is not. */
size_t rtp_write_opus(uint8_t *packet, const RtpHeader *header, size_t payload_len);

/* false: too short or not version 2 */
bool rtp_read(const uint8_t *packet, size_t len, RtpHeader *header);
const uint8_t *rtp_payload(const uint8_t *packet, size_t len, size_t *payload_len);

size_t rtcp_write_rr(uint8_t *packet, uint32_t sender); /* an empty receiver report */
size_t rtcp_write_sr(uint8_t *packet, uint32_t sender, uint64_t ntp, uint32_t rtp_timestamp);
/* Compound packets, as RFC 3550 section 6.1 wants: a receiver report, and what the name says. */
size_t rtcp_write_pli(uint8_t *packet, uint32_t sender, uint32_t media_ssrc);
size_t rtcp_write_unknown(uint8_t *packet, uint32_t sender); /* an APP packet of nobody's */

/* Does a compound packet hold one of this type (and, for feedback, this format; -1: any)? */
bool rtcp_contains(const uint8_t *packet, size_t len, uint8_t type, int format);

#endif
