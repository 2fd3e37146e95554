/* A source's publisher: takes the RTP of one Connection, tells its tracks apart, and reports back
 * to it what has come: receiver reports, transport-wide feedback, requests for keyframes. */
#ifndef RTC_MEDIA_RTC_PUBLISHER_H
#define RTC_MEDIA_RTC_PUBLISHER_H

#include "protocol/rtcp.h"
#include "protocol/rtp_reception.h"
#include "protocol/twcc.h"
#include "transport/rtc_connection_internal.h"

#include <rtctcp/source.h>

/* Of all that this side sends, RFC 3550 section 6.5.1. */
#define RTC_CNAME "rtctcp"

typedef struct RtcPublisherTrack {
  RtcTrack track;     /* with the SSRC once it is learnt */
  bool learnt;        /* the first packet has come */
  uint32_t timestamp; /* of the last packet: another one begins a frame */
  bool in_keyframe;   /* the frame of the last packet is one */
  uint16_t next_sequence;
  unsigned gaps; /* in the sequence numbers: what was lost, video can't be decoded without */
  RtcRtpReception reception;
  int64_t relayed_us; /* when its last sender report went to the consumers */
  int64_t keyframe_asked_us;
  bool keyframe_due; /* asked for too soon after the last time: with a later packet */
} RtcPublisherTrack;

typedef struct RtcPublisher {
  RtcConnectionObserver observer; /* the base: first */
  RtcSource *source;              /* back */
  RtcConnection *connection;      /* back: when it closes, the publisher goes */
  RtcPublisherTrack tracks[RTC_TRACKS_MAX];
  RtcTrack listed[RTC_TRACKS_MAX]; /* what rtc_source_tracks lends */
  size_t track_count;
  uint32_t ssrc; /* of our reports */
  RtcTwcc twcc;
  int64_t reported_us, feedback_us; /* when the last ones were sent */
} RtcPublisher;

/* Errors: INVALID_ARGUMENT (no tracks), LIMIT, CLOSED, NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_publisher_new(RtcPublisher **publisher, RtcSource *source,
                                          RtcConnection *connection, const RtcTrack *tracks,
                                          size_t count);
void rtc_publisher_destroy(RtcPublisher *publisher);

size_t rtc_publisher_tracks(const RtcPublisher *publisher, const RtcTrack **tracks);

/* Asks for a keyframe of its video, at most twice a second (RFC 4585 section 6.3.1: PLI). */
void rtc_publisher_ask_keyframe(RtcPublisher *publisher);

#endif
