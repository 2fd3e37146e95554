/* What the media floor sees of an RtcConsumer. */
#ifndef RTC_MEDIA_RTC_CONSUMER_INTERNAL_H
#define RTC_MEDIA_RTC_CONSUMER_INTERNAL_H

#include "media/source_packet.h"
#include "transport/rtc_connection_internal.h"

typedef struct RtcConsumerTrack {
  RtcTrack track;
  RtcConsumer *consumer; /* back */
  RtcStream *stream;     /* borrowed: the Connection's, until it is removed */
  unsigned generation;   /* of the source's publisher that timestamp_offset is for; 0: none yet */
  unsigned gaps;         /* of the publisher's track that the stream has been told of */
  uint32_t timestamp_offset;
  uint32_t timestamp; /* of the last packet, as it was sent */
  int64_t sent_us;    /* when that was */
} RtcConsumerTrack;

struct RtcConsumer {
  RtcConnectionObserver observer; /* the base: first */
  RtcSource *source;              /* back: a source stays while it has consumers */
  RtcConnection *connection;      /* back: when it closes, the consumer goes */
  RtcConsumer *next;              /* of the source's list */
  RtcConsumer **at;               /* what points here */
  RtcConsumerTrack tracks[RTC_TRACKS_MAX];
  size_t track_count;
};

/* A packet of the source's publisher. */
void rtc_consumer_take(RtcConsumer *consumer, const RtcSourcePacket *packet);

/* A sender report of the publisher: the receiver gets one with the same clocks and its own counts,
 * so that it can play audio and video together (RFC 3550 section 6.4.1). */
void rtc_consumer_report(RtcConsumer *consumer, const RtcSourceFlow *flow,
                         const RtcSourceReport *report);

#endif
