/* Transport-wide feedback: what is written is read back by a decoder that follows the draft. */
#include "protocol/twcc.h"

#include "support/twcc_decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define array_len(list) (sizeof(list) / sizeof((list)[0]))

#define SENDER 0x51
#define MEDIA  0x52

/* Writes one feedback and decodes it. */
static void feed_back(RtcTwcc *twcc, TwccDecoded *decoded) {
  uint8_t *out = malloc(RTC_TWCC_FEEDBACK_MAX);
  size_t len = 0;
  assert_non_null(out);
  assert_int_equal(rtc_twcc_write(twcc, SENDER, MEDIA, out, RTC_TWCC_FEEDBACK_MAX, &len), RTC_OK);
  twcc_decode(out, len, decoded);
  assert_int_equal(decoded->sender_ssrc, SENDER);
  assert_int_equal(decoded->media_ssrc, MEDIA);
  free(out);
}

static void assert_nothing_left(RtcTwcc *twcc) {
  uint8_t out[RTC_TWCC_FEEDBACK_MAX];
  size_t len = 0;
  assert_int_equal(rtc_twcc_write(twcc, SENDER, MEDIA, out, sizeof(out), &len), RTC_ERROR_AGAIN);
  assert_int_equal(len, 0);
}

static int64_t rounded(int64_t time_us) {
  return time_us / 250 * 250;
}

/* No arrival, no feedback; and none twice. */
static void nothing_noted_gives_no_feedback(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  assert_nothing_left(&twcc);
  rtc_twcc_packet(&twcc, 7, 0);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, 7);
  assert_int_equal(decoded.count, 1);
  assert_int_equal(decoded.arrivals_us[0], 0);
  assert_nothing_left(&twcc);
}

/* The smallest feedback, octet for octet: padding says so in the header, and counts itself. */
static void feedback_is_as_the_draft_says(void **state) {
  (void)state;
  /* clang-format off */
  static const uint8_t expected[] = {
      0xAF, 205, 0, 6, 0, 0, 0, SENDER, 0, 0, 0, MEDIA, 0x12, 0x34, 0, 4, 0x00, 0x00, 0x02, 0,
      0xD2, 0x40,             /* vector of two bits: small, lost, large, small */
      0x04, 0x02, 0x00, 0x10, /* 1 ms, 128 ms, 4 ms */
      0x00, 0x02,             /* padding */
  };
  /* clang-format on */
  RtcTwcc twcc;
  uint8_t out[sizeof(expected)];
  size_t len = 0;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 0x1234, 129000);
  rtc_twcc_packet(&twcc, 0x1236, 257000);
  rtc_twcc_packet(&twcc, 0x1237, 261000);
  assert_int_equal(rtc_twcc_write(&twcc, SENDER, MEDIA, out, sizeof(out), &len), RTC_OK);
  assert_int_equal(len, sizeof(expected));
  assert_memory_equal(out, expected, len);
}

/* Steps of 0, 63.75 ms (the last small one), 64 ms, -250 us, and the ends of the signed range. */
static void small_large_and_negative_deltas_are_told(void **state) {
  (void)state;
  static const int64_t arrivals_us[] = {10000000, 10000000, 10063750, 10127750, 10127500,
                                        1935500,  10127250, 10127250, 10127499};
  static const uint8_t statuses[] = {1, 1, 1, 2, 2, 2, 2, 1, 1};
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  for (size_t i = 0; i < array_len(arrivals_us); i++)
    rtc_twcc_packet(&twcc, (uint16_t)(100 + i), arrivals_us[i]);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.count, array_len(arrivals_us));
  for (size_t i = 0; i < array_len(arrivals_us); i++) {
    assert_int_equal(decoded.statuses[i], statuses[i]);
    assert_int_equal(decoded.arrivals_us[i], rounded(arrivals_us[i]));
  }
}

/* Each arrival is rounded by itself: over a feedback the roundings do not add up. */
static void roundings_do_not_add_up(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  for (unsigned i = 0; i < 400; i++)
    rtc_twcc_packet(&twcc, (uint16_t)i, 1000000 + i * 1249);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.count, 400);
  for (unsigned i = 0; i < 400; i++)
    assert_int_equal(decoded.arrivals_us[i], rounded(1000000 + i * 1249));
}

/* Lost before, between and (for the next feedback) behind; across the wrap of the sequence. */
static void lost_packets_are_told_across_the_wrap(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 65533, 64000);
  rtc_twcc_packet(&twcc, 65535, 65000);
  rtc_twcc_packet(&twcc, 1, 66000);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, 65533);
  assert_int_equal(decoded.count, 5);
  static const uint8_t statuses[] = {1, 0, 1, 0, 1};
  assert_memory_equal(decoded.statuses, statuses, sizeof(statuses));
  assert_int_equal(decoded.feedback_count, 0);

  rtc_twcc_packet(&twcc, 4, 70000);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, 2);
  assert_int_equal(decoded.count, 3);
  static const uint8_t next[] = {0, 0, 1};
  assert_memory_equal(decoded.statuses, next, sizeof(next));
  assert_int_equal(decoded.arrivals_us[2], 70000);
  assert_int_equal(decoded.feedback_count, 1);
}

/* What comes after its feedback has gone is not told any more. */
static void packet_before_the_first_is_ignored(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 0, 1000);
  feed_back(&twcc, &decoded);
  rtc_twcc_packet(&twcc, 0, 2000);
  rtc_twcc_packet(&twcc, 65530, 2000);
  assert_nothing_left(&twcc);
  rtc_twcc_packet(&twcc, 1, 3000);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, 1);
  assert_int_equal(decoded.count, 1);
}

/* A slot serves many sequences: what was told of one is not told of the next. */
static void forgotten_arrivals_do_not_come_back(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  for (uint16_t sequence = 0; sequence < RTC_TWCC_PACKETS_MAX; sequence++)
    rtc_twcc_packet(&twcc, sequence, 1000);
  feed_back(&twcc, &decoded);
  rtc_twcc_packet(&twcc, 2 * RTC_TWCC_PACKETS_MAX - 1, 2000);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, RTC_TWCC_PACKETS_MAX);
  assert_int_equal(decoded.count, RTC_TWCC_PACKETS_MAX);
  for (size_t i = 0; i < RTC_TWCC_PACKETS_MAX - 1; i++)
    assert_int_equal(decoded.statuses[i], 0);
}

/* Packets of one feedback may come in any order: deltas between them are negative. */
static void packets_out_of_order_are_told_in_sequence(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 10, 640000);
  rtc_twcc_packet(&twcc, 13, 641000);
  rtc_twcc_packet(&twcc, 12, 642000);
  rtc_twcc_packet(&twcc, 11, 643000);
  feed_back(&twcc, &decoded);
  static const int64_t expected[] = {640000, 643000, 642000, 641000};
  assert_int_equal(decoded.count, 4);
  assert_memory_equal(decoded.arrivals_us, expected, sizeof(expected));
}

typedef struct ChunkCase {
  const char *what;
  const char *statuses; /* '.': lost, 's': small, 'L': large; a number repeats what follows it */
  size_t run, one_bit, two_bit;
} ChunkCase;

static const ChunkCase chunk_cases[] = {
    {"one packet", "s", 1, 0, 0},
    {"all came", "500s", 1, 0, 0},
    {"all came, in large steps", "s100L", 1, 0, 1}, /* the vector takes the first seven */
    {"a long loss", "s300.s", 2, 1, 0},
    {"fourteen mixed", "s.ss.sss.ss..s", 0, 1, 0},
    {"fifteen mixed", "s.ss.sss.ss...s", 1, 1, 0},
    {"a run of fourteen, then mixed", "14s.s.s", 1, 1, 0},
    {"seven with a large step", "s.sL.ss", 0, 0, 1},
    {"a large step behind fourteen", "s.ss.sss.ss..sL", 1, 1, 0},
    {"a large step at the fourteenth", "s.ss.sss.ss..Ls", 1, 0, 2},
};

/* Notes what a case's text says, 'L' 100 ms and 's' 1 ms after the one before. */
static size_t note_statuses(RtcTwcc *twcc, const char *text) {
  uint16_t sequence = 0;
  int64_t now_us = 64000;
  while (*text) {
    char *end;
    unsigned long repeat = strtoul(text, &end, 10);
    repeat = end == text ? 1 : repeat;
    text = end + 1;
    for (; repeat > 0; repeat--, sequence++) {
      now_us += *end == 'L' ? 100000 : 1000;
      if (*end != '.')
        rtc_twcc_packet(twcc, sequence, now_us);
    }
  }
  return sequence;
}

/* The form of each chunk is the one that takes the most of the statuses. */
static void chunks_are_of_the_compact_form(void **state) {
  (void)state;
  for (size_t i = 0; i < array_len(chunk_cases); i++) {
    const ChunkCase *at = &chunk_cases[i];
    RtcTwcc twcc;
    TwccDecoded decoded;
    rtc_twcc_init(&twcc);
    size_t count = note_statuses(&twcc, at->statuses);
    feed_back(&twcc, &decoded);
    if (decoded.count != count || decoded.run_chunks != at->run ||
        decoded.one_bit_chunks != at->one_bit || decoded.two_bit_chunks != at->two_bit)
      fail_msg("%s: %zu statuses; %zu runs, %zu and %zu vectors", at->what, decoded.count,
               decoded.run_chunks, decoded.one_bit_chunks, decoded.two_bit_chunks);
  }
}

/* The reference time has 24 bits: after 12.4 days it begins again. */
static void reference_time_wraps(void **state) {
  (void)state;
  const int64_t wrap_us = INT64_C(64000) << 24;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 0, 3 * wrap_us - 1000);
  rtc_twcc_packet(&twcc, 1, 3 * wrap_us + 1000);
  feed_back(&twcc, &decoded);
  assert_true(decoded.arrivals_us[0] == wrap_us - 1000);
  assert_true(decoded.arrivals_us[1] == wrap_us + 1000);
  rtc_twcc_packet(&twcc, 2, 3 * wrap_us + 2000);
  feed_back(&twcc, &decoded);
  assert_true(decoded.arrivals_us[0] == 2000);
}

/* Two octets hold 8.19 s. An arrival later than that begins the next feedback, lost ones before it
 * go with the first. */
static void step_too_large_for_a_delta_begins_another_feedback(void **state) {
  (void)state;
  static const int64_t steps_us[] = {32768 * 250, -32769 * 250};
  for (size_t i = 0; i < array_len(steps_us); i++) {
    const int64_t begin_us = 64000000;
    RtcTwcc twcc;
    TwccDecoded decoded;
    rtc_twcc_init(&twcc);
    rtc_twcc_packet(&twcc, 0, begin_us);
    rtc_twcc_packet(&twcc, 3, begin_us + steps_us[i]);
    rtc_twcc_packet(&twcc, 4, begin_us + steps_us[i]);
    feed_back(&twcc, &decoded);
    assert_int_equal(decoded.base, 0);
    assert_int_equal(decoded.count, 3);
    feed_back(&twcc, &decoded);
    assert_int_equal(decoded.base, 3);
    assert_int_equal(decoded.count, 2);
    assert_true(decoded.arrivals_us[0] == begin_us + steps_us[i]);
    assert_int_equal(decoded.feedback_count, 1);
    assert_nothing_left(&twcc);
  }
}

/* As many as are remembered: one more moves the first one out. */
static void packet_ahead_of_the_window_moves_it(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  rtc_twcc_init(&twcc);
  for (unsigned i = 0; i < RTC_TWCC_PACKETS_MAX + 10; i++)
    rtc_twcc_packet(&twcc, (uint16_t)i, 64000 + i * 250);
  feed_back(&twcc, &decoded);
  assert_int_equal(decoded.base, 10);
  assert_int_equal(decoded.count, RTC_TWCC_PACKETS_MAX);
  for (unsigned i = 0; i < RTC_TWCC_PACKETS_MAX; i++)
    assert_int_equal(decoded.arrivals_us[i], 64000 + (i + 10) * 250);
}

/* A jump over everything that was noted: the feedback begins there, nothing between was lost. */
static void packet_far_ahead_begins_the_window_anew(void **state) {
  (void)state;
  static const uint16_t jumps[] = {RTC_TWCC_PACKETS_MAX + 3, 10000, INT16_MAX};
  for (size_t i = 0; i < array_len(jumps); i++) {
    RtcTwcc twcc;
    TwccDecoded decoded;
    rtc_twcc_init(&twcc);
    for (uint16_t sequence = 0; sequence < 3; sequence++)
      rtc_twcc_packet(&twcc, sequence, 1000);
    rtc_twcc_packet(&twcc, jumps[i], 2000);
    rtc_twcc_packet(&twcc, (uint16_t)(jumps[i] + 2), 3000);
    feed_back(&twcc, &decoded);
    static const uint8_t statuses[] = {1, 0, 1};
    assert_int_equal(decoded.base, jumps[i]);
    assert_int_equal(decoded.count, 3);
    assert_memory_equal(decoded.statuses, statuses, sizeof(statuses));
  }
}

/* Too little room is told, and nothing is forgotten; the feedback is appended at *len. */
static void feedback_refuses_too_little_room_and_forgets_nothing(void **state) {
  (void)state;
  RtcTwcc twcc;
  TwccDecoded decoded;
  uint8_t out[8 + 24];
  size_t len = 8;
  rtc_twcc_init(&twcc);
  rtc_twcc_packet(&twcc, 5, 64000);
  assert_int_equal(rtc_twcc_write(&twcc, SENDER, MEDIA, out, sizeof(out) - 1, &len),
                   RTC_ERROR_LIMIT);
  assert_int_equal(len, 8);
  assert_int_equal(rtc_twcc_write(&twcc, SENDER, MEDIA, out, sizeof(out), &len), RTC_OK);
  assert_int_equal(len, sizeof(out));
  twcc_decode(out + 8, len - 8, &decoded);
  assert_int_equal(decoded.base, 5);
  assert_int_equal(decoded.feedback_count, 0);
}

/* The longest feedback: two octets a delta, and vectors of seven. */
static void longest_feedback_fits_its_limit(void **state) {
  (void)state;
  RtcTwcc twcc;
  uint8_t out[RTC_TWCC_FEEDBACK_MAX];
  size_t len = 0;
  rtc_twcc_init(&twcc);
  for (unsigned i = 0; i < RTC_TWCC_PACKETS_MAX; i++) {
    int64_t zigzag_us = i % 2 || i % 7 == 0 ? 0 : 1000000;
    rtc_twcc_packet(&twcc, (uint16_t)i, 5000000 + zigzag_us);
  }
  assert_int_equal(rtc_twcc_write(&twcc, SENDER, MEDIA, out, sizeof(out), &len), RTC_OK);
  assert_in_range(len, 1000, sizeof(out));
  TwccDecoded decoded;
  twcc_decode(out, len, &decoded);
  assert_int_equal(decoded.count, RTC_TWCC_PACKETS_MAX);
}

/* Random losses, reorderings and clocks: all that was noted is told, once, and in time. */
static void random_histories_are_told(void **state) {
  (void)state;
  static int64_t expected[65536];
  srand(42);
  for (unsigned round = 0; round < 300; round++) {
    RtcTwcc twcc;
    TwccDecoded decoded;
    rtc_twcc_init(&twcc);
    memset(expected, -1, sizeof(expected));
    uint16_t begin = (uint16_t)rand();
    uint16_t next = begin;
    unsigned loss = (unsigned)rand() % 100;
    unsigned count = 1 + (unsigned)rand() % RTC_TWCC_PACKETS_MAX;
    int64_t now_us = rand();
    for (unsigned i = 0; i < count; i++, next++) {
      now_us += rand() % 10 == 0 ? rand() % 200000 : rand() % 3000;
      bool last = i == count - 1;
      if (i > 0 && !last && (unsigned)rand() % 100 < loss)
        continue;
      expected[next] = now_us + (rand() % 20 == 0 ? 70000 : 0);
      rtc_twcc_packet(&twcc, next, expected[next]);
    }
    feed_back(&twcc, &decoded);
    assert_int_equal(decoded.base, begin);
    assert_int_equal(decoded.count, count);
    for (unsigned i = 0; i < count; i++) {
      int64_t arrival_us = expected[(uint16_t)(begin + i)];
      assert_true(decoded.arrivals_us[i] == (arrival_us < 0 ? -1 : rounded(arrival_us)));
    }
    assert_nothing_left(&twcc);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_noted_gives_no_feedback),
      cmocka_unit_test(feedback_is_as_the_draft_says),
      cmocka_unit_test(small_large_and_negative_deltas_are_told),
      cmocka_unit_test(roundings_do_not_add_up),
      cmocka_unit_test(lost_packets_are_told_across_the_wrap),
      cmocka_unit_test(packet_before_the_first_is_ignored),
      cmocka_unit_test(forgotten_arrivals_do_not_come_back),
      cmocka_unit_test(packets_out_of_order_are_told_in_sequence),
      cmocka_unit_test(chunks_are_of_the_compact_form),
      cmocka_unit_test(reference_time_wraps),
      cmocka_unit_test(step_too_large_for_a_delta_begins_another_feedback),
      cmocka_unit_test(packet_ahead_of_the_window_moves_it),
      cmocka_unit_test(packet_far_ahead_begins_the_window_anew),
      cmocka_unit_test(feedback_refuses_too_little_room_and_forgets_nothing),
      cmocka_unit_test(longest_feedback_fits_its_limit),
      cmocka_unit_test(random_histories_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
