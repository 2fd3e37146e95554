/* Tests of stream.c: what is written is read again, and a server's eyes see keyframes in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../rtctcp/src/protocol/rtp_payload.h"
#include "../stream.h"

#include <string.h>

#define HEADER_LEN 12

static const size_t sizes[] = {STREAM_SIZE_MIN, 101, 1000, STREAM_SIZE_MAX};

static void assert_equal(const StreamStamp *a, const StreamStamp *b) {
  assert_int_equal(a->channel, b->channel);
  assert_int_equal(a->frame, b->frame);
  assert_int_equal(a->index, b->index);
  assert_int_equal(a->count, b->count);
  assert_int_equal(a->keyframe, b->keyframe);
  assert_int_equal(a->sent_ns, b->sent_ns);
}

/* Every field comes back, at its extremes, whatever the codec and the size. */
static void stamps_are_read_as_they_were_written(void **state) {
  static const StreamStamp stamps[] = {
      {.channel = 0, .frame = 0, .index = 0, .count = 1, .keyframe = true, .sent_ns = 0},
      {.channel = 0, .frame = 1, .index = 0, .count = 1, .sent_ns = 1},
      {.channel = 3, .frame = 77, .index = 9, .count = 10, .sent_ns = 1234567890123456789u},
      {.channel = UINT32_MAX,
       .frame = UINT32_MAX,
       .index = UINT16_MAX - 1,
       .count = UINT16_MAX,
       .keyframe = true,
       .sent_ns = UINT64_MAX},
  };
  static uint8_t packet[STREAM_SIZE_MAX];
  (void)state;
  for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++)
    for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++)
      for (StreamCodec codec = STREAM_CODEC_H264; codec <= STREAM_CODEC_VP8; codec++) {
        StreamStamp read;
        stream_write(packet, sizes[size], codec, &stamps[i], 42);
        assert_true(stream_read(&read, packet, sizes[size]));
        assert_equal(&read, &stamps[i]);
      }
}

/* Where a server looks for keyframes it finds them in first packets of keyframes, and only there or
 * (H.264, whose slice begins behind the parameter sets) in the second. */
static void keyframes_are_seen(void **state) {
  static uint8_t packet[STREAM_SIZE_MAX];
  (void)state;
  for (uint16_t count = 1; count <= 4; count++)
    for (uint16_t index = 0; index < count; index++)
      for (int keyframe = 0; keyframe <= 1; keyframe++) {
        const StreamStamp stamp = {.index = index, .count = count, .keyframe = keyframe};
        stream_write(packet, 1000, STREAM_CODEC_VP8, &stamp, 0);
        assert_int_equal(rtc_vp8_keyframe_start(packet + HEADER_LEN, 1000 - HEADER_LEN),
                         keyframe && index == 0);
        stream_write(packet, 1000, STREAM_CODEC_H264, &stamp, 0);
        bool seen = rtc_h264_keyframe_start(packet + HEADER_LEN, 1000 - HEADER_LEN);
        if (index == 0)
          assert_int_equal(seen, keyframe);
        else if (index > 1 || !keyframe)
          assert_false(seen);
      }
}

/* Of a fragmented slice: the first fragment has the start bit, the last the end bit, none both. */
static void h264_fragments_are_whole(void **state) {
  static uint8_t packet[STREAM_SIZE_MAX];
  (void)state;
  for (uint16_t index = 0; index < 3; index++) {
    const StreamStamp stamp = {.index = index, .count = 3};
    stream_write(packet, 500, STREAM_CODEC_H264, &stamp, 0);
    assert_int_equal(packet[HEADER_LEN] & 0x1F, 28);
    assert_int_equal(packet[HEADER_LEN + 1] & 0x1F, 1);
    assert_int_equal(packet[HEADER_LEN + 1] >> 7, index == 0);
    assert_int_equal(packet[HEADER_LEN + 1] >> 6 & 1, index == 2);
    assert_int_equal(packet[1] >> 7, index == 2); /* the marker */
  }
}

/* No start code comes up, whatever the numbers: nothing needs emulation prevention. */
static void h264_has_no_start_code(void **state) {
  static uint8_t packet[STREAM_SIZE_MAX];
  const StreamStamp stamp = {.index = 0, .count = 1}; /* zeros all over */
  (void)state;
  stream_write(packet, 1000, STREAM_CODEC_H264, &stamp, 0);
  for (size_t at = HEADER_LEN; at + 2 < 1000; at++)
    assert_false(packet[at] == 0 && packet[at + 1] == 0);
  assert_int_not_equal(packet[999], 0);
}

/* Packets of others, cut ones and impossible ones are none of ours. */
static void others_packets_are_refused(void **state) {
  uint8_t packet[STREAM_SIZE_MIN] = {0x80, 96};
  const StreamStamp stamp = {.index = 2, .count = 2};
  StreamStamp read;
  (void)state;
  assert_false(stream_read(&read, packet, sizeof packet));
  assert_false(stream_read(&read, packet, 0));
  stream_write(packet, sizeof packet, STREAM_CODEC_VP8, &stamp, 0);
  assert_false(stream_read(&read, packet, sizeof packet)); /* no such packet of the frame */
  assert_false(stream_read(&read, packet, sizeof packet - 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stamps_are_read_as_they_were_written),
      cmocka_unit_test(keyframes_are_seen),
      cmocka_unit_test(h264_fragments_are_whole),
      cmocka_unit_test(h264_has_no_start_code),
      cmocka_unit_test(others_packets_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
