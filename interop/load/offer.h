/* The SDP offers of publishers and players: one video section.
 * Source: RFC 8866, RFC 9143 (BUNDLE), RFC 6184 section 8 (H.264), RFC 7741 section 6 (VP8). */
#ifndef LOAD_OFFER_H
#define LOAD_OFFER_H

#include "stream.h"

#include <rtctcp/sdp.h>

#include <stdbool.h>

#define LOAD_OFFER_MAX ((size_t)8192) /* [octets] */

typedef struct LoadOffer {
  const RtcSdpTransport *local; /* borrowed */
  StreamCodec codec;
  bool publishes; /* else it plays */
  uint32_t ssrc;  /* what a publisher sends with */
  uint64_t id;    /* of the SDP session: another one for each offer */
} LoadOffer;

/* Errors: LIMIT */
RTC_MUST_CHECK RtcError load_offer_write(char text[LOAD_OFFER_MAX], size_t *len,
                                         const LoadOffer *offer);

#endif
