/* RtcSource: a named stream, with one publisher and any number of consumers. It is made when
 * somebody fetches it to publish, and it goes when the publisher and the last consumer have gone.
 *
 * Each worker has a manager of its own. Managers that are joined share the streams: publisher and
 * consumers of a stream may be on any of their workers, each with the source of that name on its
 * own, and a packet crosses to another worker once, whatever the number of its consumers there.
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
  uint32_t host_data;   /* the host's own: it finds it again in rtc_source_tracks */
} RtcTrack;

#define RTC_TRACKS_MAX 4 /* a publisher's or a consumer's */

typedef struct RtcSourceManagerStats {
  uint64_t sources_live, sources_total;
  uint64_t consumers_live, consumers_total;
  /* Between joined managers: */
  uint64_t relayed_out, relayed_in;             /* packets to and from other workers */
  uint64_t relay_batches_out, relay_batches_in; /* letters that they took */
  uint64_t relay_dropped; /* packets for a worker that did not keep up, or had stopped */
} RtcSourceManagerStats;

/* Makes an empty manager on this worker. Errors: NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_source_manager_new(RtcSourceManager **manager,
                                                       RtcWorker *worker);

/* Joins managers of different workers, so that they share their streams; one alone stays as it is.
 * count   1 to 256
 * Errors: NO_MEMORY, INVALID_ARGUMENT (a count like no other, a manager that is joined already or
 *         has sources)
 * Thread: any, while nothing else is done with the managers. */
RTC_API RTC_MUST_CHECK RtcError rtc_source_managers_join(RtcSourceManager *const *managers,
                                                         size_t count);

/* Frees a manager; its sources must be gone, as they are when the server is closed. The others that
 * it was joined with go on without. Before its worker is destroyed; when the worker has stopped, on
 * any thread. Not from a callback of a Connection. NULL is fine. */
RTC_API void rtc_source_manager_destroy(RtcSourceManager *manager);

/* Finds the source of this name, or makes it. The caller owns a handle; the manager drops its own
 * when the source goes, and a source that nobody came to use goes with the caller's.
 * name    copied, 1 to 255 octets
 * Errors: NO_MEMORY, INVALID_ARGUMENT */
RTC_API RTC_MUST_CHECK RtcError rtc_source_manager_fetch_or_create(RtcSourceManager *manager,
                                                                   const char *name,
                                                                   RtcSource **source);

/* A handle to the source of this name, or NULL (none, or no memory). One that is on another worker
 * of joined managers is found too: the handle is to its counterpart on this one. */
RTC_API RtcSource *rtc_source_manager_fetch(RtcSourceManager *manager, const char *name);

/* Takes a source out of the manager at once, whoever uses it: its publisher and its consumers are
 * unbound (their Connections stay), its name is free again. Those on other workers of joined
 * managers are unbound soon after. No such name: nothing happens. */
RTC_API void rtc_source_manager_eliminate(RtcSourceManager *manager, const char *name);

RTC_API void rtc_source_manager_stats(const RtcSourceManager *manager,
                                      RtcSourceManagerStats *stats);

RTC_API RtcSource *rtc_source_ref(RtcSource *source);
RTC_API void rtc_source_unref(RtcSource **source);
RTC_API const char *rtc_source_name(const RtcSource *source);

/* Makes this Connection the source's publisher, until it closes or rtc_source_unpublish. What it
 * sends is told apart by payload type; the first SSRC of a payload type is the track's.
 * Errors: EXISTS (there is a publisher, on any worker), INVALID_ARGUMENT, LIMIT (tracks), CLOSED,
 * NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_source_publish(RtcSource *source, RtcConnection *connection,
                                                   const RtcTrack *tracks, size_t count);
RTC_API void rtc_source_unpublish(RtcSource *source);

/* What the publisher sends; 0: nobody publishes. Borrowed, valid during this turn of the loop. */
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
