/* Sends a channel's synthetic stream on a session, at an exact rate: a timer with catch-up, and
 * each frame in one burst. Thread: its worker's. */
#ifndef LOAD_PUBLISHER_H
#define LOAD_PUBLISHER_H

#include "channel.h"
#include "stream.h"

#include <rtctcp/connection.h>

struct uv_loop_s;

typedef enum Pace {
  PACE_NONE,    /* nothing is sent */
  PACE_TRICKLE, /* a keyframe of one packet a second, so that the server knows the stream */
  PACE_FULL,
} Pace;

typedef struct PublisherConfig {
  struct uv_loop_s *loop;    /* borrowed */
  RtcConnection *connection; /* borrowed, until it is stopped */
  Channel *channel;          /* borrowed */
  StreamCodec codec;
  uint32_t ssrc;
  size_t size;   /* of a packet [octets] */
  double rate;   /* frames a second */
  uint32_t gop;  /* frames from keyframe to keyframe */
  double offset; /* of its frames against those of other publishers, in frames: 0 to 1 */
} PublisherConfig;

typedef struct Publisher Publisher;

/* Adds the stream to the connection. It begins with PACE_NONE. Errors: as rtc_connection_add_stream
 */
RTC_MUST_CHECK RtcError publisher_new(Publisher **publisher, const PublisherConfig *config);

void publisher_set_pace(Publisher *publisher, Pace pace);
void publisher_want_keyframe(Publisher *publisher);

/* Sends a sender report. */
void publisher_report(Publisher *publisher);

/* Its next frame is this phase's first; how late it is counts from here. */
void publisher_begin_phase(Publisher *publisher, Phase phase);

/* How late a frame was sent at most, since the phase began. */
uint64_t publisher_late_ns(const Publisher *publisher);

/* Sends nothing more; it frees itself later, in the loop. NULL is fine. */
void publisher_stop(Publisher *publisher);

#endif
