/* Reception statistics of one RTP stream (RFC 3550 appendices A.1, A.3, A.8). */
#include "protocol/rtp_reception.h"

#include "base/clock.h"

#include <assert.h>

/* RFC 3550 appendix A.1: a step of the sequence this far ahead, or this far back, is a sender that
 * began anew, once a second packet confirms it. */
#define DROPOUT_MAX  3000
#define MISORDER_MAX 100

#define SEQUENCES       UINT32_C(65536)
#define NO_BAD_SEQUENCE SEQUENCES
#define LOST_MAX        INT32_C(0x7FFFFF) /* 24 bits, signed */

void rtc_rtp_reception_init(RtcRtpReception *reception, uint32_t clock_rate) {
  assert(clock_rate > 0);
  *reception = (RtcRtpReception){.clock_rate = clock_rate, .bad_sequence = NO_BAD_SEQUENCE};
}

static void start(RtcRtpReception *reception, uint16_t sequence) {
  reception->highest = sequence;
  reception->base = sequence;
  reception->cycles = 0;
  reception->bad_sequence = NO_BAD_SEQUENCE;
  reception->received = 0;
  reception->received_before = 0;
  reception->expected_before = 0;
}

typedef enum Verdict {
  VERDICT_COUNTS,
  VERDICT_BEGINS, /* the first packet, or the sender began anew */
  VERDICT_BAD,    /* far off; counts for nothing until the next one confirms it */
} Verdict;

static Verdict update_sequence(RtcRtpReception *reception, uint16_t sequence) {
  if (!reception->started) {
    start(reception, sequence);
    return VERDICT_BEGINS;
  }
  uint16_t ahead = (uint16_t)(sequence - reception->highest);
  if (ahead < DROPOUT_MAX) {
    if (sequence < reception->highest)
      reception->cycles += SEQUENCES;
    reception->highest = sequence;
    return VERDICT_COUNTS;
  }
  if (ahead > SEQUENCES - MISORDER_MAX)
    return VERDICT_COUNTS; /* late, or a duplicate */
  if (sequence == reception->bad_sequence) {
    start(reception, sequence);
    return VERDICT_BEGINS;
  }
  reception->bad_sequence = (uint16_t)(sequence + 1);
  return VERDICT_BAD;
}

/* Time in units of the RTP clock, modulo 2^32. Seconds go apart: the product would overflow. */
static uint32_t to_rtp_clock(const RtcRtpReception *reception, int64_t time_us) {
  uint64_t seconds = (uint64_t)(time_us / RTC_US_PER_S);
  uint64_t us = (uint64_t)(time_us % RTC_US_PER_S);
  return (uint32_t)(seconds * reception->clock_rate + us * reception->clock_rate / RTC_US_PER_S);
}

static void update_jitter(RtcRtpReception *reception, uint32_t transit) {
  uint32_t d = transit - reception->transit;
  if (d > INT32_MAX)
    d = 0 - d;
  reception->jitter_q4 += d - ((reception->jitter_q4 + 8) >> 4);
}

void rtc_rtp_reception_packet(RtcRtpReception *reception, uint16_t sequence, uint32_t timestamp,
                              int64_t arrival_us) {
  Verdict verdict = update_sequence(reception, sequence);
  if (verdict == VERDICT_BAD)
    return;
  uint32_t transit = to_rtp_clock(reception, arrival_us) - timestamp;
  if (verdict == VERDICT_COUNTS)
    update_jitter(reception, transit);
  reception->transit = transit;
  reception->received++;
  reception->started = true;
}

void rtc_rtp_reception_sr(RtcRtpReception *reception, uint64_t ntp, int64_t arrival_us) {
  reception->lsr = (uint32_t)(ntp >> 16);
  reception->lsr_at_us = arrival_us;
}

/* Of the interval since the last report, in 1/256. */
static uint8_t fraction_lost(const RtcRtpReception *reception, uint32_t expected) {
  uint32_t expected_now = expected - reception->expected_before;
  uint32_t received_now = reception->received - reception->received_before;
  if (received_now >= expected_now) /* duplicates may make more of fewer */
    return 0;
  uint64_t lost_now = expected_now - received_now;
  /* Below 256: it took a packet that came to expect any. */
  return (uint8_t)((lost_now << 8) / expected_now);
}

/* Since the last SR, in 1/65536 s; 0: there was none (RFC 3550 section 6.4.1). */
static uint32_t delay_since_sr(const RtcRtpReception *reception, int64_t now_us) {
  if (reception->lsr == 0 || now_us <= reception->lsr_at_us)
    return 0;
  int64_t delay_us = now_us - reception->lsr_at_us;
  int64_t delay = delay_us / RTC_US_PER_S * 65536 + delay_us % RTC_US_PER_S * 65536 / RTC_US_PER_S;
  return (uint32_t)(delay < UINT32_MAX ? delay : UINT32_MAX);
}

void rtc_rtp_reception_report(RtcRtpReception *reception, uint32_t ssrc, int64_t now_us,
                              RtcRtcpReportBlock *block) {
  uint32_t highest = reception->cycles + reception->highest;
  uint32_t expected = reception->started ? highest - reception->base + 1 : 0;
  int64_t lost = (int64_t)expected - reception->received;
  if (lost < 0)
    lost = 0;
  *block = (RtcRtcpReportBlock){
      .ssrc = ssrc,
      .fraction_lost = fraction_lost(reception, expected),
      .lost = (uint32_t)(lost < LOST_MAX ? lost : LOST_MAX),
      .highest_sequence = highest,
      .jitter = reception->jitter_q4 >> 4,
      .lsr = reception->lsr,
      .dlsr = delay_since_sr(reception, now_us),
  };
  reception->expected_before = expected;
  reception->received_before = reception->received;
}
