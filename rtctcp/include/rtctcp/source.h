/* RtcSource: a named stream, with one publisher and any number of consumers. It is made when
 * somebody fetches it to publish, and it goes when the publisher and the last consumer have gone.
 *
 * Thread: the manager's worker. Nothing here yields. */
#ifndef RTCTCP_SOURCE_H
#define RTCTCP_SOURCE_H

#include <rtctcp/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RtcSourceManager RtcSourceManager;
typedef struct RtcSource RtcSource;
typedef struct RtcConsumer RtcConsumer;

#define RTC_CODEC_MAP(X)                                                                           \
  X(OPUS, "opus")                                                                                  \
  X(VP8, "VP8")                                                                                    \
  X(H264, "H264")

typedef enum RtcCodec {
#define RTC_CODEC_ENUM(name, text) RTC_CODEC_##name,
  RTC_CODEC_MAP(RTC_CODEC_ENUM)
#undef RTC_CODEC_ENUM
} RtcCodec;

/* One media section as it was agreed with one peer. */
typedef struct RtcTrack {
  RtcMedia media;
  RtcCodec codec;
  uint8_t payload_type; /* on that peer's side */
  uint32_t clock_rate;  /* [Hz] */
  uint32_t ssrc;        /* consumer: the SSRC to send with. publisher: 0, it is learnt */
  uint8_t twcc_id;      /* publisher: id of transport-wide-cc's header extension; 0: none */
  bool pli;             /* publisher: it takes PLI (RFC 4585 section 6.3.1) */
} RtcTrack;

#define RTC_TRACKS_MAX 4 /* a publisher's or a consumer's */

typedef struct RtcSourceManagerStats {
  uint64_t sources_live, sources_total;
  uint64_t consumers_live, consumers_total;
} RtcSourceManagerStats;

/* Makes an empty manager on this worker. Errors: NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_source_manager_new(RtcSourceManager **manager,
                                                       RtcWorker *worker);

/* Frees a manager; its sources must be gone, as they are when the server is closed. NULL is fine.
 */
RTC_API void rtc_source_manager_destroy(RtcSourceManager *manager);

/* Finds the source of this name, or makes it. The caller owns a handle; the manager drops its own
 * when the source goes, and a source that nobody came to use goes with the caller's.
 * name    copied, 1 to 255 octets
 * Errors: NO_MEMORY, INVALID_ARGUMENT */
RTC_API RTC_MUST_CHECK RtcError rtc_source_manager_fetch_or_create(RtcSourceManager *manager,
                                                                   const char *name,
                                                                   RtcSource **source);

/* A handle to the source of this name, or NULL. */
RTC_API RtcSource *rtc_source_manager_fetch(RtcSourceManager *manager, const char *name);

/* Takes a source out of the manager at once, whoever uses it: its publisher and its consumers are
 * unbound (their Connections stay), its name is free again. No such name: nothing happens. */
RTC_API void rtc_source_manager_eliminate(RtcSourceManager *manager, const char *name);

RTC_API void rtc_source_manager_stats(const RtcSourceManager *manager,
                                      RtcSourceManagerStats *stats);

RTC_API RtcSource *rtc_source_ref(RtcSource *source);
RTC_API void rtc_source_unref(RtcSource **source);
RTC_API const char *rtc_source_name(const RtcSource *source);

/* Makes this Connection the source's publisher, until it closes or rtc_source_unpublish. What it
 * sends is told apart by payload type; the first SSRC of a payload type is the track's.
 * Errors: EXISTS (there is a publisher), INVALID_ARGUMENT, LIMIT (tracks), CLOSED, NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_source_publish(RtcSource *source, RtcConnection *connection,
                                                   const RtcTrack *tracks, size_t count);
RTC_API void rtc_source_unpublish(RtcSource *source);

/* What the publisher sends; 0: nobody publishes. Borrowed, valid until it unpublishes. */
RTC_API size_t rtc_source_tracks(const RtcSource *source, const RtcTrack **tracks);

/* Sends the source to this Connection, until it closes or rtc_consumer_close. Each track takes the
 * source's track of the same media and codec. A keyframe is asked for when the Connection is
 * connected.
 * consumer  out, may be NULL. Borrowed: valid until it is closed, or CLOSED was reported
 * Errors:   INVALID_ARGUMENT, LIMIT (tracks), CLOSED, NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_consumer_new(RtcConsumer **consumer, RtcSource *source,
                                                 RtcConnection *connection, const RtcTrack *tracks,
                                                 size_t count);
RTC_API void rtc_consumer_close(RtcConsumer *consumer);

RTC_API const char *rtc_codec_name(RtcCodec codec);

#ifdef __cplusplus
}
#endif

#endif
