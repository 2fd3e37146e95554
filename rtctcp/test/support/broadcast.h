/* Sources for the media floor's tests: a source manager on the host's worker, sessions that publish
 * and consume, and media between their peers. Asserts with cmocka.
 *
 * Thread: the test's. */
#ifndef RTC_TEST_BROADCAST_H
#define RTC_TEST_BROADCAST_H

#include "support/host.h"
#include "support/rtp.h"

#include <rtctcp/source.h>

/* What publishers send, and what consumers are sent. */
#define PUBLISHER_OPUS  111
#define PUBLISHER_VP8   96
#define PUBLISHER_AUDIO UINT32_C(0x0a0a0a01)
#define PUBLISHER_VIDEO UINT32_C(0x0b0b0b02)
#define TWCC_ID         5
#define CONSUMER_OPUS   109
#define CONSUMER_VP8    120
#define CONSUMER_AUDIO  UINT32_C(0xc0000001) /* of consumer 0; the next one's is 0x10 more */
#define CONSUMER_VIDEO  UINT32_C(0xc0000002)
#define CONSUMER_STEP   0x10

typedef struct Broadcast {
  Host *host;                /* owned */
  RtcSourceManager *manager; /* owned */
  uint16_t audio_sequence;   /* of the next packet that a publisher sends */
  uint16_t video_sequence;
  uint16_t transport_sequence;
} Broadcast;

extern const RtcTrack broadcast_publisher_tracks[2]; /* audio, video */

/* cmocka's setup and teardown; the teardown checks that nothing is left. */
int broadcast_setup(void **state);
int broadcast_teardown(void **state);

void broadcast_stats(Broadcast *broadcast, RtcSourceManagerStats *stats);
void broadcast_assert_live(Broadcast *broadcast, uint64_t sources, uint64_t consumers);

/* -- On the worker's thread -- */

RtcError broadcast_publish(Broadcast *broadcast, const char *name, HostSession *session);
RtcError broadcast_publish_as(Broadcast *broadcast, const char *name, HostSession *session,
                              const RtcTrack *tracks, size_t count);
void broadcast_unpublish(Broadcast *broadcast, const char *name);
/* number: tells the SSRCs of a Connection's consumers apart. consumer: out, may be NULL */
RtcError broadcast_consume(Broadcast *broadcast, const char *name, HostSession *session,
                           uint32_t number, RtcConsumer **consumer);
RtcError broadcast_consume_as(Broadcast *broadcast, const char *name, HostSession *session,
                              const RtcTrack *tracks, size_t count, RtcConsumer **consumer);
void broadcast_close_consumer(Broadcast *broadcast, RtcConsumer *consumer);
void broadcast_eliminate(Broadcast *broadcast, const char *name);
bool broadcast_exists(Broadcast *broadcast, const char *name);

/* -- A publisher's peer; with transport-wide sequence numbers -- */

void broadcast_send_opus(Broadcast *broadcast, HostSession *publisher, uint32_t timestamp);
/* One packet of a frame. */
void broadcast_send_vp8(Broadcast *broadcast, HostSession *publisher, uint32_t timestamp,
                        bool start, bool keyframe);
/* The same of any payload type and SSRC. */
void broadcast_send_as(Broadcast *broadcast, HostSession *publisher, const RtpHeader *header);

/* -- What a peer gets -- */

/* The next RTP packet, whose SSRC must be this one. */
RtpHeader broadcast_receive(HostSession *consumer, uint32_t ssrc);
/* No RTP comes. */
void broadcast_receive_nothing(HostSession *consumer);
/* Awaits a compound with a packet of this type and, for feedback, format (-1: any).
 * media: out, may be NULL. false: none came in time */
bool broadcast_await_rtcp(HostSession *session, uint8_t type, int format, PeerMedia *media,
                          int timeout_ms);
/* A packet of this type within a compound that has it. */
const uint8_t *broadcast_find_rtcp(const PeerMedia *media, uint8_t type, int format, size_t *len);

#endif
