/* RFC 4571 framing: cuts a stream into frames, in place where they are whole. */
#include "protocol/framing.h"

#include "base/octets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A frame up to this long gets all of its buffer with its first octet [octets]. */
#define EAGER_LEN ((size_t)2048)

static size_t min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

void rtc_frame_reader_init(RtcFrameReader *reader, size_t frame_len_max) {
  assert(frame_len_max <= RTC_FRAME_LEN_MAX);
  *reader = (RtcFrameReader){.frame_len_max = frame_len_max};
}

static void free_partial(RtcFrameReader *reader) {
  free(reader->partial);
  reader->partial = NULL;
  reader->partial_len = 0;
  reader->partial_cap = 0;
  reader->partial_given = false;
}

void rtc_frame_reader_finish(RtcFrameReader *reader) {
  free_partial(reader);
  *reader = (RtcFrameReader){0};
}

void rtc_frame_reader_push(RtcFrameReader *reader, uint8_t *data, size_t len) {
  assert(reader->input_len == 0);
  reader->input = data;
  reader->input_len = len;
}

static uint8_t *take_input(RtcFrameReader *reader, size_t len) {
  uint8_t *taken = reader->input;
  reader->input += len;
  reader->input_len -= len;
  return taken;
}

/* false: more is needed. */
static bool take_header(RtcFrameReader *reader) {
  while (reader->header_len < RTC_FRAME_HEADER_LEN && reader->input_len > 0)
    reader->header[reader->header_len++] = *take_input(reader, 1);
  if (reader->header_len < RTC_FRAME_HEADER_LEN)
    return false;
  reader->frame_len = rtc_read_u16(reader->header);
  return true;
}

/* Makes room for len octets of the cut frame. The length in its header is only a claim, and two
 * octets must not cost us 64 KiB for as long as their sender likes to keep silent. So only the
 * buffer of an ordinary packet is made at once, and that of a longer frame doubles as it comes. */
static RtcError reserve(RtcFrameReader *reader, size_t len) {
  if (len <= reader->partial_cap)
    return RTC_OK;
  size_t cap = min_size(len > EAGER_LEN / 2 ? 2 * len : EAGER_LEN, reader->frame_len);
  uint8_t *partial = realloc(reader->partial, cap);
  if (!partial)
    return RTC_ERROR_NO_MEMORY;
  reader->partial = partial;
  reader->partial_cap = cap;
  return RTC_OK;
}

/* Moves what has come of the cut frame into its buffer. */
static RtcError gather(RtcFrameReader *reader) {
  size_t len = min_size(reader->frame_len - reader->partial_len, reader->input_len);
  if (len == 0)
    return RTC_OK;
  RtcError error = reserve(reader, reader->partial_len + len);
  if (error)
    return error;
  assert(reader->partial);
  memcpy(reader->partial + reader->partial_len, take_input(reader, len), len);
  reader->partial_len += len;
  return RTC_OK;
}

RtcError rtc_frame_reader_next(RtcFrameReader *reader, uint8_t **frame, size_t *len) {
  if (reader->partial_given)
    free_partial(reader);
  if (!take_header(reader))
    return RTC_ERROR_AGAIN;
  if (reader->frame_len > reader->frame_len_max)
    return RTC_ERROR_PROTO;

  if (!reader->partial && reader->input_len >= reader->frame_len) {
    *frame = take_input(reader, reader->frame_len);
  } else {
    RtcError error = gather(reader);
    if (error)
      return error;
    if (reader->partial_len < reader->frame_len)
      return RTC_ERROR_AGAIN;
    *frame = reader->partial;
    reader->partial_given = true;
  }
  *len = reader->frame_len;
  reader->header_len = 0;
  return RTC_OK;
}

bool rtc_frame_reader_in_frame(const RtcFrameReader *reader) {
  return reader->header_len > 0;
}

size_t rtc_frame_reader_held(const RtcFrameReader *reader) {
  return reader->partial_cap;
}

void rtc_frame_write_header(uint8_t header[RTC_FRAME_HEADER_LEN], size_t len) {
  assert(len <= RTC_FRAME_LEN_MAX);
  rtc_write_u16(header, (uint16_t)len);
}
