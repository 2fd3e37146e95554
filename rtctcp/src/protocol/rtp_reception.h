/* The receiver's side of one RTP stream: what a report block says of it.
 * Source: RFC 3550 appendices A.1, A.3 and A.8 */
#ifndef RTC_PROTOCOL_RTP_RECEPTION_H
#define RTC_PROTOCOL_RTP_RECEPTION_H

#include "protocol/rtcp.h"

typedef struct RtcRtpReception {
  uint32_t clock_rate; /* [Hz] */
  bool started;
  uint16_t highest;      /* sequence */
  uint32_t cycles;       /* shifted: wraps << 16 */
  uint32_t base;         /* first sequence */
  uint32_t bad_sequence; /* what would confirm that the sender began anew; above 65535: nothing */
  uint32_t received, received_before, expected_before;
  uint32_t transit;   /* of the last packet [RTP clock] */
  uint32_t jitter_q4; /* 4 fractional bits [RTP clock] */
  uint32_t lsr;
  int64_t lsr_at_us;
} RtcRtpReception;

/* clock_rate  not 0 */
void rtc_rtp_reception_init(RtcRtpReception *reception, uint32_t clock_rate);

/* Notes a packet that was authenticated: no probation is served (RFC 3550 appendix A.1). */
void rtc_rtp_reception_packet(RtcRtpReception *reception, uint16_t sequence, uint32_t timestamp,
                              int64_t arrival_us);

/* Notes the stream's sender report. */
void rtc_rtp_reception_sr(RtcRtpReception *reception, uint64_t ntp, int64_t arrival_us);

/* Writes the report block, and begins the next interval of its fraction lost. */
void rtc_rtp_reception_report(RtcRtpReception *reception, uint32_t ssrc, int64_t now_us,
                              RtcRtcpReportBlock *block);

#endif
