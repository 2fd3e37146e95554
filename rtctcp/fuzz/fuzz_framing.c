/* Fuzzes the frame reader: a stream cut into reads anyhow gives the frames that it gives whole. */
#include "protocol/framing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds)
    abort();
}

/* The stream, read by the letter of RFC 4571 section 2. */
typedef struct Stream {
  const uint8_t *data; /* borrowed */
  size_t len;          /* [octets] */
  size_t at;           /* [octets] */
  size_t frame_len_max;
} Stream;

static RtcError expect_frame(Stream *stream, const uint8_t **frame, size_t *len) {
  size_t rest = stream->len - stream->at;
  if (rest < 2)
    return RTC_ERROR_AGAIN;
  *len = (size_t)stream->data[stream->at] << 8 | stream->data[stream->at + 1];
  if (*len > stream->frame_len_max)
    return RTC_ERROR_PROTO;
  if (rest - 2 < *len)
    return RTC_ERROR_AGAIN;
  *frame = stream->data + stream->at + 2;
  stream->at += 2 + *len;
  return RTC_OK;
}

/* Takes all frames that the octets up to `come` make whole. false: the stream has broken. */
static bool take_frames(RtcFrameReader *reader, Stream *stream, size_t come) {
  stream->len = come;
  for (;;) {
    uint8_t *frame;
    const uint8_t *expected;
    size_t len;
    size_t expected_len = 0;
    RtcError error = rtc_frame_reader_next(reader, &frame, &len);
    check(error == expect_frame(stream, &expected, &expected_len));
    if (error) {
      check(rtc_frame_reader_in_frame(reader) == (stream->at < come));
      check(rtc_frame_reader_held(reader) <= expected_len);
      return error == RTC_ERROR_AGAIN;
    }
    check(len == expected_len && memcmp(frame, expected, len) == 0);
    memset(frame, 0, len); /* a frame may be written to */
  }
}

/* The first octet is the longest frame, in 256 octets, and the second the size of the reads. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2)
    return 0;
  size_t frame_len_max = ((size_t)data[0] << 8) + 255;
  size_t read_len = (size_t)data[1] + 1;
  Stream stream = {.data = data + 2, .frame_len_max = frame_len_max};
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, frame_len_max);
  bool good = true;
  for (size_t at = 0; good && at < size - 2; at += read_len) {
    size_t len = size - 2 - at < read_len ? size - 2 - at : read_len;
    uint8_t *piece = malloc(len);
    if (!piece)
      abort();
    memcpy(piece, stream.data + at, len);
    rtc_frame_reader_push(&reader, piece, len);
    good = take_frames(&reader, &stream, at + len);
    free(piece);
  }
  rtc_frame_reader_finish(&reader);
  return 0;
}
