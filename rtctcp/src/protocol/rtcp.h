/* RTCP: compound packets read and written.
 * Source: RFC 3550 section 6, RFC 4585 (NACK, PLI), RFC 5104 (FIR), RFC 5506 (reduced size),
 * draft-holmer-rmcat-transport-wide-cc-extensions-01 (transport-wide feedback) */
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
 *         PROTO  not version 2, or a length beyond the end; what came before stays valid */
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

/* Writers: each appends to out at *len. Errors: LIMIT (cap; *len is as before). */
RTC_MUST_CHECK RtcError rtc_rtcp_write_sr(uint8_t *out, size_t cap, size_t *len,
                                          const RtcRtcpSenderInfo *info);
RTC_MUST_CHECK RtcError rtc_rtcp_write_rr(uint8_t *out, size_t cap, size_t *len,
                                          uint32_t sender_ssrc, const RtcRtcpReportBlock *blocks,
                                          size_t count);
RTC_MUST_CHECK RtcError rtc_rtcp_write_sdes_cname(uint8_t *out, size_t cap, size_t *len,
                                                  uint32_t ssrc, const char *cname);
RTC_MUST_CHECK RtcError rtc_rtcp_write_pli(uint8_t *out, size_t cap, size_t *len,
                                           uint32_t sender_ssrc, uint32_t media_ssrc);

/* -- Receiver side of one RTP stream: what a report block says of it (RFC 3550 appendix A). -- */

typedef struct RtcRtpReception {
  uint32_t clock_rate; /* [Hz] */
  bool started;
  uint16_t highest;
  uint32_t cycles; /* shifted: wraps << 16 */
  uint32_t base;
  uint32_t received, received_before, expected_before;
  uint32_t transit;
  uint32_t jitter_q4; /* 4 fractional bits */
  uint32_t lsr;
  int64_t lsr_at_us;
} RtcRtpReception;

void rtc_rtp_reception_init(RtcRtpReception *reception, uint32_t clock_rate);
void rtc_rtp_reception_packet(RtcRtpReception *reception, uint16_t sequence, uint32_t timestamp,
                              int64_t arrival_us);
void rtc_rtp_reception_sr(RtcRtpReception *reception, uint64_t ntp, int64_t arrival_us);
void rtc_rtp_reception_report(RtcRtpReception *reception, uint32_t ssrc, int64_t now_us,
                              RtcRtcpReportBlock *block);

/* -- Transport-wide congestion control feedback, the receiver's side. -- */

#define RTC_TWCC_PACKETS_MAX 512 /* remembered between two feedbacks */

typedef struct RtcTwcc {
  bool started;
  uint16_t first; /* transport sequence of the next feedback's first packet */
  uint16_t count; /* sequences from first to the highest seen */
  uint8_t feedback_count;
  int64_t arrivals_us[RTC_TWCC_PACKETS_MAX]; /* by sequence modulo; -1: has not come */
} RtcTwcc;

void rtc_twcc_init(RtcTwcc *twcc);

/* Notes an arrival. A sequence before first is ignored, one too far ahead moves first. */
void rtc_twcc_packet(RtcTwcc *twcc, uint16_t transport_sequence, int64_t arrival_us);

/* Appends one feedback packet for what has been noted, and forgets that.
 * Errors: AGAIN (nothing to report), LIMIT (cap) */
RTC_MUST_CHECK RtcError rtc_twcc_write(RtcTwcc *twcc, uint32_t sender_ssrc, uint32_t media_ssrc,
                                       uint8_t *out, size_t cap, size_t *len);

#endif
