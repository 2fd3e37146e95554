/* RTCP: compound packets read and written. Transport-wide feedback is written by twcc.h.
 * Source: RFC 3550 section 6, RFC 4585 (NACK, PLI), RFC 5104 (FIR), RFC 5506 (reduced size) */
#ifndef RTC_PROTOCOL_RTCP_H
#define RTC_PROTOCOL_RTCP_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum RtcRtcpType {
  RTC_RTCP_SR = 200,
  RTC_RTCP_RR = 201,
  RTC_RTCP_SDES = 202,
  RTC_RTCP_BYE = 203,
  RTC_RTCP_APP = 204,
  RTC_RTCP_RTPFB = 205, /* count: 1 NACK, 15 transport-wide cc */
  RTC_RTCP_PSFB = 206,  /* count: 1 PLI, 4 FIR, 15 REMB and other application layer */
  RTC_RTCP_XR = 207,
} RtcRtcpType;

/* One packet of a compound, header checked, content not. Borrowed from the compound. */
typedef struct RtcRtcpPacket {
  uint8_t type;         /* RtcRtcpType, or any other */
  uint8_t count;        /* RC, SC or FMT */
  uint32_t sender_ssrc; /* 0: too short for one */
  uint32_t media_ssrc;  /* of RTPFB and PSFB; 0: none */
  const uint8_t *body;  /* after the common header (4 octets) */
  size_t body_len;      /* without padding [octets] */
} RtcRtcpPacket;

/* Walks a compound: start with *at = 0.
 * Errors: EOF    the end, exactly
 *         PROTO  not version 2, or a length or padding beyond the end; what came before stays
 *                valid */
RTC_MUST_CHECK RtcError rtc_rtcp_next(const uint8_t *compound, size_t len, size_t *at,
                                      RtcRtcpPacket *packet);

typedef struct RtcRtcpSenderInfo {
  uint32_t ssrc;
  uint64_t ntp; /* RFC 5905 section 6 */
  uint32_t rtp_timestamp;
  uint32_t packets;
  uint32_t octets;
} RtcRtcpSenderInfo;

/* Errors: PROTO (not an SR, or too short) */
RTC_MUST_CHECK RtcError rtc_rtcp_parse_sr(const RtcRtcpPacket *packet, RtcRtcpSenderInfo *info);

typedef struct RtcRtcpReportBlock {
  uint32_t ssrc;
  uint8_t fraction_lost;
  uint32_t lost;             /* 24 bits, signed in the RFC; clamped to 0 here */
  uint32_t highest_sequence; /* extended */
  uint32_t jitter;
  uint32_t lsr, dlsr;
} RtcRtcpReportBlock;

/* The i-th report block of an SR or RR. false: there is none. */
bool rtc_rtcp_report_block(const RtcRtcpPacket *packet, size_t i, RtcRtcpReportBlock *block);

/* A FIR names its media SSRCs in entries (RFC 5104 section 4.3.1): does one name this one? */
bool rtc_rtcp_fir_names(const RtcRtcpPacket *packet, uint32_t ssrc);

#define RTC_RTCP_REPORTS_MAX ((size_t)31)  /* report blocks in one packet */
#define RTC_RTCP_CNAME_MAX   ((size_t)255) /* [octets] */

/* Writers: each appends to out at *len.
 * Errors: LIMIT (cap, RTC_RTCP_REPORTS_MAX, RTC_RTCP_CNAME_MAX; *len is as before) */
RTC_MUST_CHECK RtcError rtc_rtcp_write_sr(uint8_t *out, size_t cap, size_t *len,
                                          const RtcRtcpSenderInfo *info);
RTC_MUST_CHECK RtcError rtc_rtcp_write_rr(uint8_t *out, size_t cap, size_t *len,
                                          uint32_t sender_ssrc, const RtcRtcpReportBlock *blocks,
                                          size_t count);
RTC_MUST_CHECK RtcError rtc_rtcp_write_sdes_cname(uint8_t *out, size_t cap, size_t *len,
                                                  uint32_t ssrc, const char *cname);
RTC_MUST_CHECK RtcError rtc_rtcp_write_pli(uint8_t *out, size_t cap, size_t *len,
                                           uint32_t sender_ssrc, uint32_t media_ssrc);

#endif
