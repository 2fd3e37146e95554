/* The synthetic stream: RTP packets of H.264 or VP8 that any server's depacketizer and keyframe
 * detection take, with a stamp at the end of each payload. All that is measured of the way of a
 * packet is read from its stamp alone: header fields may be rewritten on the way.
 * Source: RFC 3550 section 5.1, RFC 6184 section 5 (H.264), RFC 7741 section 4 (VP8). Any thread.
 */
#ifndef LOAD_STREAM_H
#define LOAD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_PAYLOAD_TYPE 96
#define STREAM_CLOCK_RATE   90000          /* [Hz] */
#define STREAM_SIZE_MIN     ((size_t)100)  /* what all of a keyframe's first packet needs */
#define STREAM_SIZE_MAX     ((size_t)8192) /* peers' receive buffers are no larger [octets] */
#define STREAM_PACKETS_MAX  1024           /* a frame */

typedef enum StreamCodec {
  STREAM_CODEC_H264,
  STREAM_CODEC_VP8,
} StreamCodec;

typedef struct StreamStamp {
  uint32_t channel; /* which publisher's */
  uint32_t frame;
  uint16_t index, count; /* of the packet in its frame, and of the frame's packets */
  bool keyframe;
  uint64_t sent_ns; /* CLOCK_MONOTONIC: of use on the machine that wrote it */
} StreamStamp;

/* Writes one RTP packet of exactly size octets, header included. Its sequence number and SSRC are
 * left 0: who sends it gives them. timestamp is the frame's.
 * size  STREAM_SIZE_MIN to STREAM_SIZE_MAX; packet has room for it */
void stream_write(uint8_t *packet, size_t size, StreamCodec codec, const StreamStamp *stamp,
                  uint32_t timestamp);

/* false: the packet has no stamp: it is none of ours. */
bool stream_read(StreamStamp *stamp, const uint8_t *packet, size_t len);

const char *stream_codec_name(StreamCodec codec);

#endif
