/* RFC 4571 framing: frames come out as they were put in, however the stream is cut. */
#include "protocol/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

/* Lengths of the frames of a stream, in order. */
static const size_t frame_lens[] = {3, 0, 1, 7, 0, 0, 12, 2};

static uint8_t octet_of(size_t frame, size_t i) {
  return (uint8_t)(frame * 31 + i * 7 + 1);
}

/* The stream of such frames; the caller frees it. */
static uint8_t *make_stream(const size_t *lens, size_t count, size_t *stream_len) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++)
    len += RTC_FRAME_HEADER_LEN + lens[i];
  uint8_t *stream = malloc(len);
  assert_non_null(stream);
  uint8_t *at = stream;
  for (size_t frame = 0; frame < count; frame++) {
    rtc_frame_write_header(at, lens[frame]);
    at += RTC_FRAME_HEADER_LEN;
    for (size_t i = 0; i < lens[frame]; i++)
      *at++ = octet_of(frame, i);
  }
  *stream_len = len;
  return stream;
}

/* Takes every frame that is whole, checks it against lens, and spoils it as its reader may. */
static size_t take_frames(RtcFrameReader *reader, const size_t *lens, size_t count, size_t taken) {
  uint8_t *frame;
  size_t len;
  RtcError error;
  while (!(error = rtc_frame_reader_next(reader, &frame, &len))) {
    assert_true(taken < count);
    assert_int_equal(len, lens[taken]);
    for (size_t i = 0; i < len; i++) {
      assert_int_equal(frame[i], octet_of(taken, i));
      frame[i] = 0xEE;
    }
    taken++;
  }
  assert_int_equal(error, RTC_ERROR_AGAIN);
  return taken;
}

/* Pushes a copy of its own size, which is gone once it was taken: a late read is seen. */
static size_t push_piece(RtcFrameReader *reader, const uint8_t *data, size_t len, size_t taken) {
  uint8_t *piece = malloc(len > 0 ? len : 1);
  assert_non_null(piece);
  memcpy(piece, data, len);
  rtc_frame_reader_push(reader, piece, len);
  taken = take_frames(reader, frame_lens, array_len(frame_lens), taken);
  memset(piece, 0xDD, len);
  free(piece);
  return taken;
}

/* The stream in three pieces, cut at every two octets: each frame comes out once, and whole. */
static void stream_cut_at_any_octets_gives_the_same_frames(void **state) {
  (void)state;
  size_t len;
  uint8_t *stream = make_stream(frame_lens, array_len(frame_lens), &len);
  for (size_t first = 0; first <= len; first++) {
    for (size_t second = first; second <= len; second++) {
      RtcFrameReader reader;
      rtc_frame_reader_init(&reader, 12);
      size_t taken = push_piece(&reader, stream, first, 0);
      taken = push_piece(&reader, stream + first, second - first, taken);
      taken = push_piece(&reader, stream + second, len - second, taken);
      assert_int_equal(taken, array_len(frame_lens));
      assert_false(rtc_frame_reader_in_frame(&reader));
      assert_int_equal(rtc_frame_reader_held(&reader), 0);
      rtc_frame_reader_finish(&reader);
    }
  }
  free(stream);
}

/* The slowest of peers: an octet a read. */
static void stream_octet_by_octet_gives_the_same_frames(void **state) {
  (void)state;
  size_t len;
  uint8_t *stream = make_stream(frame_lens, array_len(frame_lens), &len);
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, 12);
  size_t taken = 0;
  for (size_t i = 0; i < len; i++)
    taken = push_piece(&reader, stream + i, 1, taken);
  assert_int_equal(taken, array_len(frame_lens));
  rtc_frame_reader_finish(&reader);
  free(stream);
}

/* Whole frames of one read are handed out where they lie, and take no memory. */
static void whole_frames_are_handed_out_in_place(void **state) {
  (void)state;
  size_t len;
  uint8_t *stream = make_stream(frame_lens, array_len(frame_lens), &len);
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);
  rtc_frame_reader_push(&reader, stream, len);
  const uint8_t *expected = stream;
  for (size_t i = 0; i < array_len(frame_lens); i++) {
    uint8_t *frame;
    size_t frame_len;
    assert_int_equal(rtc_frame_reader_next(&reader, &frame, &frame_len), RTC_OK);
    assert_ptr_equal(frame, expected + RTC_FRAME_HEADER_LEN);
    assert_int_equal(rtc_frame_reader_held(&reader), 0);
    expected += RTC_FRAME_HEADER_LEN + frame_len;
  }
  rtc_frame_reader_finish(&reader);
  free(stream);
}

/* A cut inside the header alone costs no copy: the body is still in one piece. */
static void frame_after_a_cut_header_is_handed_out_in_place(void **state) {
  (void)state;
  uint8_t first[] = {0};
  uint8_t second[] = {3, 'a', 'b', 'c'};
  uint8_t *frame;
  size_t len;
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);
  rtc_frame_reader_push(&reader, first, sizeof(first));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  assert_true(rtc_frame_reader_in_frame(&reader));
  rtc_frame_reader_push(&reader, second, sizeof(second));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
  assert_ptr_equal(frame, second + 1);
  assert_int_equal(len, 3);
  rtc_frame_reader_finish(&reader);
}

/* An empty frame is a frame (RFC 4571 section 2), and there at once. */
static void frame_of_zero_octets_is_given(void **state) {
  (void)state;
  uint8_t stream[] = {0, 0};
  uint8_t *frame = NULL;
  size_t len = 1;
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, 0);
  rtc_frame_reader_push(&reader, stream, sizeof(stream));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
  assert_non_null(frame);
  assert_int_equal(len, 0);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  rtc_frame_reader_finish(&reader);
}

/* The longest frame that 16 bits can tell, whole and in reads of 1,000 octets. */
static void frame_of_65535_octets_is_given(void **state) {
  (void)state;
  const size_t lens[] = {RTC_FRAME_LEN_MAX, 5};
  const size_t reads[] = {RTC_FRAME_LEN_MAX + 9, 1000};
  for (size_t i = 0; i < array_len(reads); i++) {
    size_t len;
    size_t taken = 0;
    uint8_t *stream = make_stream(lens, array_len(lens), &len);
    RtcFrameReader reader;
    rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);
    for (size_t at = 0; at < len; at += reads[i]) {
      rtc_frame_reader_push(&reader, stream + at, len - at < reads[i] ? len - at : reads[i]);
      taken = take_frames(&reader, lens, array_len(lens), taken);
    }
    assert_int_equal(taken, array_len(lens));
    assert_false(rtc_frame_reader_in_frame(&reader));
    rtc_frame_reader_finish(&reader);
    free(stream);
  }
}

/* A frame beyond the limit is refused by its header alone, for good, and holds nothing. */
static void frame_over_the_limit_is_refused_by_its_header(void **state) {
  (void)state;
  uint8_t good[] = {0, 2, 'a', 'b'};
  uint8_t header[] = {0x00, 0x65};
  uint8_t more[] = {0, 0};
  uint8_t *frame;
  size_t len;
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, 100);
  rtc_frame_reader_push(&reader, good, sizeof(good));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  rtc_frame_reader_push(&reader, header, sizeof(header));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_PROTO);
  assert_int_equal(rtc_frame_reader_held(&reader), 0);
  rtc_frame_reader_push(&reader, more, sizeof(more));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_PROTO);
  rtc_frame_reader_finish(&reader);

  uint8_t at_limit[] = {0x00, 0x64};
  rtc_frame_reader_init(&reader, 100);
  rtc_frame_reader_push(&reader, at_limit, sizeof(at_limit));
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  rtc_frame_reader_finish(&reader);
}

/* What is held for a cut frame is its own size, for as long as it is cut or in use. */
static void cut_frame_holds_its_own_size(void **state) {
  (void)state;
  const size_t lens[] = {1200, 4};
  size_t stream_len;
  uint8_t *stream = make_stream(lens, array_len(lens), &stream_len);
  uint8_t *frame;
  size_t len;
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);

  rtc_frame_reader_push(&reader, stream, 2);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  assert_int_equal(rtc_frame_reader_held(&reader), 0);
  rtc_frame_reader_push(&reader, stream + 2, 1);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
  assert_int_equal(rtc_frame_reader_held(&reader), 1200);
  rtc_frame_reader_push(&reader, stream + 3, stream_len - 3);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
  assert_int_equal(len, 1200);
  assert_int_equal(rtc_frame_reader_held(&reader), 1200);
  assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
  assert_int_equal(len, 4);
  assert_int_equal(rtc_frame_reader_held(&reader), 0);
  rtc_frame_reader_finish(&reader);
  free(stream);
}

/* A peer that claims a long frame and sends little of it holds little of our memory. */
static void claimed_length_alone_holds_no_memory(void **state) {
  (void)state;
  const size_t lens[] = {RTC_FRAME_LEN_MAX};
  size_t stream_len;
  uint8_t *stream = make_stream(lens, array_len(lens), &stream_len);
  uint8_t *frame;
  size_t len;
  RtcFrameReader reader;
  rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);
  for (size_t at = 0; at < stream_len - 1; at += 100) {
    size_t read_len = stream_len - 1 - at < 100 ? stream_len - 1 - at : 100;
    rtc_frame_reader_push(&reader, stream + at, read_len);
    assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
    size_t come = at + read_len;
    size_t held = rtc_frame_reader_held(&reader);
    assert_true(held <= (come > 1024 ? 2 * come : 2048));
    assert_true(held <= RTC_FRAME_LEN_MAX);
  }
  rtc_frame_reader_finish(&reader);
  free(stream);
}

/* A stream may end anywhere: finish gives all back, in a frame, beside one given out, and twice. */
static void finish_frees_a_partial_frame(void **state) {
  (void)state;
  uint8_t cut[] = {0, 9, 'a'};
  uint8_t rest[] = {'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'};
  uint8_t *frame;
  size_t len;
  for (int given = 0; given < 2; given++) {
    RtcFrameReader reader;
    rtc_frame_reader_init(&reader, RTC_FRAME_LEN_MAX);
    rtc_frame_reader_push(&reader, cut, sizeof(cut));
    assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_ERROR_AGAIN);
    assert_true(rtc_frame_reader_in_frame(&reader));
    if (given) {
      rtc_frame_reader_push(&reader, rest, sizeof(rest));
      assert_int_equal(rtc_frame_reader_next(&reader, &frame, &len), RTC_OK);
      assert_memory_equal(frame, "abcdefghi", 9);
    }
    rtc_frame_reader_finish(&reader);
    assert_int_equal(rtc_frame_reader_held(&reader), 0);
    rtc_frame_reader_finish(&reader);
  }
  RtcFrameReader zeroed = {0};
  rtc_frame_reader_finish(&zeroed);
}

/* Network byte order. */
static void header_is_the_length_in_two_octets(void **state) {
  (void)state;
  static const struct {
    size_t len;
    uint8_t header[RTC_FRAME_HEADER_LEN];
  } cases[] = {{0, {0, 0}}, {1, {0, 1}}, {258, {1, 2}}, {RTC_FRAME_LEN_MAX, {0xFF, 0xFF}}};
  for (size_t i = 0; i < array_len(cases); i++) {
    uint8_t header[RTC_FRAME_HEADER_LEN];
    rtc_frame_write_header(header, cases[i].len);
    assert_memory_equal(header, cases[i].header, sizeof(header));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stream_cut_at_any_octets_gives_the_same_frames),
      cmocka_unit_test(stream_octet_by_octet_gives_the_same_frames),
      cmocka_unit_test(whole_frames_are_handed_out_in_place),
      cmocka_unit_test(frame_after_a_cut_header_is_handed_out_in_place),
      cmocka_unit_test(frame_of_zero_octets_is_given),
      cmocka_unit_test(frame_of_65535_octets_is_given),
      cmocka_unit_test(frame_over_the_limit_is_refused_by_its_header),
      cmocka_unit_test(cut_frame_holds_its_own_size),
      cmocka_unit_test(claimed_length_alone_holds_no_memory),
      cmocka_unit_test(finish_frees_a_partial_frame),
      cmocka_unit_test(header_is_the_length_in_two_octets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
