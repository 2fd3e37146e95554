/* What is agreed on with one peer: which media sections, and one payload type for each.
 * Source: RFC 3264, RFC 9725 section 4.4 (WHIP), RFC 6184 section 8.2.2 (H.264). Any thread. */
#ifndef SERVER_NEGOTIATE_H
#define SERVER_NEGOTIATE_H

#include "h264.h"
#include "offer.h"

#define NOT_AGREED SIZE_MAX

typedef struct AgreedMedia {
  const OfferFormat *format; /* borrowed from the offer; NULL: the section is rejected */
  size_t track;              /* index in tracks; NOT_AGREED: the section is rejected */
} AgreedMedia;

typedef struct Agreement {
  AgreedMedia medias[OFFER_MEDIAS_MAX]; /* one for each section of the offer */
  RtcTrack tracks[RTC_TRACKS_MAX];
  size_t track_count;
  H264Profile h264_profile; /* of the video track, if that is H.264 */
} Agreement;

/* Takes the first audio and the first video section that a publisher sends with a known codec.
 * reason  out on failure
 * Errors: PROTO (nothing can be taken, or a section can't be used) */
RTC_MUST_CHECK RtcError negotiate_publisher(Agreement *agreement, const Offer *offer,
                                            char reason[OFFER_REASON_MAX]);

/* Gives a player the publisher's tracks, in exactly the publisher's codecs: nothing is transcoded.
 * The tracks' SSRCs are left 0.
 * reason  out on failure
 * Errors: PROTO (as above), UNSUPPORTED (the player does not offer what is published) */
RTC_MUST_CHECK RtcError negotiate_player(Agreement *agreement, const Offer *offer,
                                         const RtcTrack *published, size_t published_count,
                                         H264Profile h264_profile, char reason[OFFER_REASON_MAX]);

#endif
