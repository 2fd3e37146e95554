/* Transport-wide congestion control feedback, the receiver's side.
 * Source: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1 */
#ifndef RTC_PROTOCOL_TWCC_H
#define RTC_PROTOCOL_TWCC_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_TWCC_PACKETS_MAX  512            /* remembered between two feedbacks */
#define RTC_TWCC_FEEDBACK_MAX ((size_t)1192) /* the longest feedback on that many [octets] */

typedef struct RtcTwcc {
  bool started;
  uint16_t first; /* transport sequence of the next feedback's first packet */
  uint16_t count; /* sequences from first to the highest seen */
  uint8_t feedback_count;
  int64_t arrivals_us[RTC_TWCC_PACKETS_MAX]; /* by sequence modulo; -1: has not come */
} RtcTwcc;

void rtc_twcc_init(RtcTwcc *twcc);

/* Notes an arrival. A sequence before first is ignored; one too far ahead moves first, and what
 * falls behind it is forgotten.
 * arrival_us  not negative */
void rtc_twcc_packet(RtcTwcc *twcc, uint16_t transport_sequence, int64_t arrival_us);

/* Appends one feedback packet for what has been noted, and forgets that. Where two arrivals are too
 * far apart for one packet (8.19 s), it ends between them: call again until AGAIN.
 * Errors: AGAIN (nothing to report), LIMIT (cap; nothing was forgotten) */
RTC_MUST_CHECK RtcError rtc_twcc_write(RtcTwcc *twcc, uint32_t sender_ssrc, uint32_t media_ssrc,
                                       uint8_t *out, size_t cap, size_t *len);

#endif
