/* The SDP answer to an agreed offer.
 * Source: RFC 8829 section 5.3, RFC 8839 (ICE-lite), RFC 9143 (BUNDLE), RFC 8830 (msid),
 * RFC 5576 (ssrc). Any thread. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "negotiate.h"
#include "text.h"

typedef struct AnswerConfig {
  const Offer *offer;
  const Agreement *agreement;   /* tracks of a player have their SSRCs */
  const RtcSdpTransport *local; /* this side's, as the library gave it */
  const char *stream;           /* its name */
  uint64_t session_id;          /* of the o= line */
  bool player;                  /* the peer plays, this side sends */
} AnswerConfig;

/* Appends the answer to text, whose failure shows in text_take.
 * Errors: LIMIT, or what else rtc_sdp_transport_write says */
RTC_MUST_CHECK RtcError answer_write(Text *text, const AnswerConfig *config);

#endif
