/* RFC 4571 framing: each packet on the TCP stream is preceded by its length, 16 bits, network byte
 * order. Sans-I/O; nothing is copied but a frame that a read cut in two. */
#ifndef RTC_PROTOCOL_FRAMING_H
#define RTC_PROTOCOL_FRAMING_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_FRAME_HEADER_LEN ((size_t)2)
#define RTC_FRAME_LEN_MAX    ((size_t)65535)

typedef struct RtcFrameReader {
  size_t frame_len_max;                 /* a longer frame is refused [octets] */
  uint8_t *input;                       /* borrowed: what push gave and next has not taken */
  size_t input_len;                     /* [octets] */
  uint8_t *partial;                     /* owned: a cut frame; NULL: none */
  size_t partial_len;                   /* frame octets in it [octets] */
  size_t partial_cap;                   /* room in it, at most the frame's own size [octets] */
  size_t frame_len;                     /* of the cut frame, once its header is whole [octets] */
  uint8_t header[RTC_FRAME_HEADER_LEN]; /* of the cut frame */
  size_t header_len;                    /* header octets that have come [octets] */
  bool partial_given;                   /* next has given partial out: free it at the next call */
} RtcFrameReader;

void rtc_frame_reader_init(RtcFrameReader *reader, size_t frame_len_max);
void rtc_frame_reader_finish(RtcFrameReader *reader); /* fine twice, and on a zeroed reader */

/* Gives the reader octets as they came from the stream. All earlier ones must have been taken (next
 * returned AGAIN). data must stay, unchanged by others, until next has returned AGAIN. */
void rtc_frame_reader_push(RtcFrameReader *reader, uint8_t *data, size_t len);

/* Takes the next whole frame; *len may be 0. The frame may be written to; it is valid until the
 * next call on the reader, and until the pushed data goes.
 * Errors: AGAIN      no whole frame is left; the rest was copied aside, push more
 *         PROTO      a frame is longer than frame_len_max: the stream is of no more use
 *         NO_MEMORY  likewise */
RTC_MUST_CHECK RtcError rtc_frame_reader_next(RtcFrameReader *reader, uint8_t **frame, size_t *len);

/* A part of a frame has come, and not all of it: an end of the stream here cuts a frame. Ask it
 * when next has returned AGAIN. */
bool rtc_frame_reader_in_frame(const RtcFrameReader *reader);

/* Octets held in memory for a cut frame: at most its size, and at most the greater of 2,048 and
 * twice what has come of it. */
size_t rtc_frame_reader_held(const RtcFrameReader *reader);

/* Writes the two octets before a frame of len octets (at most RTC_FRAME_LEN_MAX). */
void rtc_frame_write_header(uint8_t header[RTC_FRAME_HEADER_LEN], size_t len);

#endif
