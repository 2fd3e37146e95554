/* What the media floor sees of an RtcSource. */
#ifndef RTC_MEDIA_RTC_SOURCE_INTERNAL_H
#define RTC_MEDIA_RTC_SOURCE_INTERNAL_H

#include "media/source_manager.h"
#include "ownership/shared.h"

struct RtcPublisher;
struct RtcPublisherTrack;

/* Named by what is awaited. */
typedef enum RtcSourceState {
  RTC_SOURCE_STATE_USER,      /* a publisher or a consumer; it lives by its fetchers' handles */
  RTC_SOURCE_STATE_LAST_USER, /* that the publisher and the last consumer go; the manager holds it
                               */
} RtcSourceState;

struct RtcSource {
  RtcShared shared;
  RtcSourceManager *manager;      /* back */
  char *name;                     /* owned */
  struct RtcPublisher *publisher; /* owned; NULL: there is none */
  unsigned generation;     /* publishers that were and are: timestamps begin anew with each */
  RtcConsumer *consumers;  /* borrowed: a list; each belongs to its Connection */
  RtcConsumer *next_taker; /* borrowed: whom the packet under way goes to next; NULL: nobody */
  RtcSourceState state;
};

RTC_SHARED_DECLARE(RtcSource, rtc_source);

/* A source that the caller holds the only handle of. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_source_new(RtcSource **source, RtcSourceManager *manager,
                                       const char *name);

/* The publisher or a consumer has come or gone: keep the source, or let it go, as its last act. */
void rtc_source_settle(RtcSource *source);

/* Ends the publisher and all consumers. */
void rtc_source_unbind(RtcSource *source);

/* A packet of the publisher, for every consumer. The publisher and its track may be gone after it.
 */
void rtc_source_forward(RtcSource *source, const struct RtcPublisherTrack *track, RtcPacket *packet,
                        unsigned flags, uint32_t timestamp);

#endif
