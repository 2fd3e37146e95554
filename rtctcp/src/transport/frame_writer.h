/* The write side of a TCP conn's socket: the only code that calls send on it, whole frames only.
 * STUN and DTLS frames wait here, before the media of the Connection's send queue. */
#ifndef RTC_TRANSPORT_FRAME_WRITER_H
#define RTC_TRANSPORT_FRAME_WRITER_H

#include "runtime/block_pool.h"

#include <rtctcp/error.h>

/* Octets of STUN and DTLS that may wait for a peer that does not read. */
#define RTC_FRAME_WRITER_CONTROL_MAX ((size_t)32 * 1024)

typedef struct RtcFrameWriter {
  RtcBlockPool *pool;            /* borrowed: of all that waits here */
  struct RtcControlFrame *first; /* owned: a list, oldest first */
  struct RtcControlFrame **last; /* where the next one is linked */
  size_t control_len;            /* octets of the list, with frame headers */
  uint8_t *rest;                 /* owned: what the socket did not take of the last chunk */
  size_t rest_len, rest_at;      /* [octets] */
  bool media_lost;               /* the socket failed under a chunk with media */
  size_t chunk_len;              /* of the next chunk, at most, unless a frame is longer [octets] */
  size_t chunk_min;              /* what a socket takes that was full: chunk_len after a cut */
  bool flushing;                 /* a flush is under way: its fill may end in another one */
} RtcFrameWriter;

void rtc_frame_writer_init(RtcFrameWriter *writer, RtcBlockPool *pool, size_t chunk_min);
void rtc_frame_writer_finish(RtcFrameWriter *writer); /* fine twice */

/* Queues one frame, copied.
 * Errors: LIMIT (the peer does not read: the frame is dropped), NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_frame_writer_control(RtcFrameWriter *writer, const uint8_t *frame,
                                                 size_t len);

/* Was something taken from the media that the socket did not take, wholly or in part? */
bool rtc_frame_writer_is_cut(const RtcFrameWriter *writer);

/* What waits: the rest of the last chunk, and control frames [octets]. */
size_t rtc_frame_writer_unsent(const RtcFrameWriter *writer);

/* Writes whole frames of media to out, at most cap octets; returns how many. */
typedef size_t (*RtcFrameFill)(uint8_t *out, size_t cap, void *arg);

/* Sends what waits: the rest of the last chunk, control frames, then media, gathered in chunk and
 * given to the socket with one call a chunk. Never blocks, never yields. Chunks are as long as
 * chunk is, but after a socket took a part only: then they are about what it will take, so that
 * little is protected and waits, and grow again as it takes them whole.
 *
 * chunk   scratch
 * fill    NULL: no media. It may queue control frames, and flush: they are sent after its media
 * Errors: AGAIN      the socket is full, and more waits: call again when it is writable
 *         SYSTEM     the socket failed: drop the TCP conn
 *         NO_MEMORY  a chunk's rest could not be kept, a frame is cut: drop the TCP conn */
RTC_MUST_CHECK RtcError rtc_frame_writer_flush(RtcFrameWriter *writer, int fd, uint8_t *chunk,
                                               size_t cap, RtcFrameFill fill, void *arg);

#endif
