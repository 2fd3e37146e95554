/* What the media floor sees of an RtcSource. */
#ifndef RTC_MEDIA_RTC_SOURCE_INTERNAL_H
#define RTC_MEDIA_RTC_SOURCE_INTERNAL_H

#include "media/source_manager.h"
#include "media/source_packet.h"
#include "ownership/shared.h"

struct RtcListing;
struct RtcPublisher;

/* What comes from a publisher on another worker of the group. */
typedef struct RtcSourceFeed {
  uint64_t publication; /* its number; 0: there is none */
  RtcTrack tracks[RTC_TRACKS_MAX];
  size_t track_count;
  bool ending;       /* it has gone; its last packets may be on their way */
  bool wished;       /* for a keyframe, which has not come yet */
  int64_t wished_us; /* when that was last */
  RtcSource *next;   /* borrowed: of the member's feeds */
} RtcSourceFeed;

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
  /* In a group; zero otherwise */
  struct RtcListing *listing; /* borrowed: it lives while this source is in it */
  bool interested;            /* the listing knows of consumers */
  uint64_t publication;       /* number of what the publisher here publishes; 0: there is none */
  uint16_t *targets;          /* owned: members that have consumers of it */
  size_t target_count;
  RtcSourceFeed feed;
};

RTC_SHARED_DECLARE(RtcSource, rtc_source);

/* A source that the caller holds the only handle of. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_source_new(RtcSource **source, RtcSourceManager *manager,
                                       const char *name);

/* The publisher or a consumer has come or gone: keep the source, or let it go, as its last act. */
void rtc_source_settle(RtcSource *source);

/* Ends the publisher and all consumers. */
void rtc_source_unbind(RtcSource *source);

/* A packet of the publisher, for every consumer on every worker. The publisher and its track may be
 * gone after it. */
void rtc_source_forward(RtcSource *source, const RtcSourcePacket *packet);

/* The same for the consumers on this worker alone. The source may be gone after it. */
void rtc_source_fan_out(RtcSource *source, const RtcSourcePacket *packet);

/* Does anybody want the publisher's packets? */
bool rtc_source_has_takers(const RtcSource *source);

/* A sender report of the publisher, for every consumer on every worker; and for those here alone.
 */
void rtc_source_forward_report(RtcSource *source, const RtcSourceFlow *flow,
                               const RtcSourceReport *report);
void rtc_source_tell_report(RtcSource *source, const RtcSourceFlow *flow,
                            const RtcSourceReport *report);

/* Asks the publisher for a keyframe, wherever it is. */
void rtc_source_ask_keyframe(RtcSource *source);

#endif
