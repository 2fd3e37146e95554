/* The media that a Connection has to send. Packets wait as shared references; they are rewritten,
 * protected and framed only when the socket has room, straight into the outgoing chunk. What comes
 * too late is dropped before it costs that, and before it has a sequence number: a receiver sees no
 * gap. Video goes by whole frames up to the next keyframe, which is asked for; audio oldest first.
 *
 * Order on the way out: RTCP, audio, video. (STUN and DTLS go before: see frame_writer.h.) */
#ifndef RTC_TRANSPORT_SEND_QUEUE_H
#define RTC_TRANSPORT_SEND_QUEUE_H

#include "protocol/srtp.h"
#include "transport/send_ring.h"

typedef struct RtcSendLimits {
  int64_t video_age_us;
  int64_t audio_age_us;
  size_t octets; /* of all that waits, each packet with an overhead for its entry */
} RtcSendLimits;

extern const RtcSendLimits rtc_send_limits_default; /* 500 ms, 1 s, 2 MiB */

struct RtcStream {
  RtcStreamConfig config;
  RtcStream *next;          /* of the queue's list */
  uint16_t next_sequence;   /* RFC 3550 section 5.1: begins at random */
  uint32_t packets, octets; /* sent, for sender reports (RFC 3550 section 6.4.1) */
  bool awaits_keyframe;     /* video: what is no keyframe is of no use */
  bool wants_keyframe;      /* on_keyframe_wanted is due */
  uint16_t frame;           /* video: number of the newest frame that came */
  bool is_frame_counted;    /* video: that one is counted as dropped */
  uint16_t counted_frame;   /* video: the last older one that is */
  size_t keep_from;         /* scratch of a drop pass: index in the ring */
  bool frame_has_begun;     /* scratch of a drop pass */
  bool is_dropped;          /* scratch of a drop pass: it is about this stream */
};

enum {
  RTC_SEND_CLASS_RTCP,
  RTC_SEND_CLASS_AUDIO,
  RTC_SEND_CLASS_VIDEO,
  RTC_SEND_CLASSES,
};

typedef struct RtcSendQueue {
  RtcSendRing rings[RTC_SEND_CLASSES];
  RtcStream *streams; /* owned */
  size_t stream_count;
  uint32_t *retired; /* owned: SSRCs that removed streams have sent with */
  size_t retired_count;
  size_t octets;
  RtcSendLimits limits;
  bool is_held;              /* the socket takes nothing: see rtc_send_queue_rtp */
  RtcConnectionStats *stats; /* borrowed: its counters of drops, and the greatest age */
} RtcSendQueue;

#define RTC_SEND_STREAMS_MAX 64
#define RTC_SEND_RETIRED_MAX 1024
#define RTC_SEND_RTCP_MAX    ((size_t)1400)

void rtc_send_queue_init(RtcSendQueue *queue, const RtcSendLimits *limits, RtcBlockPool *pool,
                         RtcConnectionStats *stats);
void rtc_send_queue_finish(RtcSendQueue *queue); /* fine twice */

/* An SSRC serves one stream only, ever: with the same keys its sequence numbers must not begin anew
 * (RFC 3711 section 9.1, RFC 7714 section 8.1).
 * Errors: EXISTS (the SSRC is a stream's, or one has sent with it), LIMIT, NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_send_queue_add_stream(RtcSendQueue *queue,
                                                  const RtcStreamConfig *config,
                                                  RtcStream **stream);
void rtc_send_queue_remove_stream(RtcSendQueue *queue, RtcStream *stream);

/* Take handles of their own. A drop is counted, and is no error. rtp calls on_keyframe_wanted of
 * streams that need one, as its last act; where the queue is held the next fill does, since a
 * keyframe that comes before would be late too, and costs all other receivers of the publisher.
 * Errors: NO_MEMORY, PROTO */
RTC_MUST_CHECK RtcError rtc_send_queue_rtp(RtcSendQueue *queue, RtcStream *stream,
                                           RtcPacket *packet, unsigned flags,
                                           uint32_t timestamp_offset, int64_t now_us);
RTC_MUST_CHECK RtcError rtc_send_queue_rtcp(RtcSendQueue *queue, RtcPacket *packet, int64_t now_us);

/* Counts a packet that is dropped before it comes to the queue. */
void rtc_send_queue_refuse(RtcSendQueue *queue, RtcStream *stream, unsigned flags, RtcDrop cause);

bool rtc_send_queue_empty(const RtcSendQueue *queue);
size_t rtc_send_queue_packets(const RtcSendQueue *queue); /* that wait */
/* Of the packet that has waited the longest; 0: none waits [us]. */
int64_t rtc_send_queue_age(const RtcSendQueue *queue, int64_t now_us);

/* What went out last may not arrive: of video only the newest keyframe that waits, and what follows
 * it, is of use. A stream without one awaits it; the next fill or rtp tells that it is wanted. */
void rtc_send_queue_cut(RtcSendQueue *queue);

/* Drops all; video begins again with a keyframe. */
void rtc_send_queue_clear(RtcSendQueue *queue);

typedef struct RtcSendFill {
  size_t len;               /* of whole frames written [octets] */
  uint64_t packets, octets; /* of SRTP and SRTCP in them */
} RtcSendFill;

/* Moves as many packets as fit, as whole frames, to out. Calls on_keyframe_wanted as its last act.
 */
void rtc_send_queue_fill(RtcSendQueue *queue, RtcSrtp *srtp, int64_t now_us, uint8_t *out,
                         size_t cap, RtcSendFill *fill);

#endif
