/* Tests of reception.c, channel.c and recovery.c: packets that come, and packets that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../reception.h"
#include "../stream.h"

#define SIZE    STREAM_SIZE_MIN
#define PACKETS 3 /* a frame */
#define SENT_NS 1000
#define WAY_NS  500 /* from sent to taken */

typedef struct Player {
  Channel channel;
  Meter meters[PHASE_COUNT];
  Reception reception;
  Recovery recovery;
} Player;

static Player player; /* static: its histograms are large */

static void begin(void) {
  player = (Player){0};
  channel_init(&player.channel, 5, "load-5", PACKETS);
  player.reception.channel = &player.channel;
  player.reception.meters = player.meters;
  player.reception.recovery = &player.recovery;
}

/* The packet comes now; its frame was sent WAY_NS ago. */
static void take(uint32_t frame, uint16_t index, bool keyframe, uint64_t now_ns) {
  uint8_t packet[SIZE];
  const StreamStamp stamp = {.channel = 5,
                             .frame = frame,
                             .index = index,
                             .count = PACKETS,
                             .keyframe = keyframe,
                             .sent_ns = now_ns - WAY_NS};
  stream_write(packet, SIZE, STREAM_CODEC_VP8, &stamp, 0);
  if (atomic_load(&player.channel.next_frame) <= frame)
    atomic_store(&player.channel.next_frame, frame + 1);
  reception_take(&player.reception, packet, SIZE, now_ns);
}

static void take_frame(uint32_t frame, bool keyframe, uint64_t now_ns) {
  for (uint16_t index = 0; index < PACKETS; index++)
    take(frame, index, keyframe, now_ns);
}

static uint64_t delivered(Phase phase) {
  return atomic_load(&player.meters[phase].delivered);
}

static uint64_t expected(Phase phase) {
  return reception_expected(&player.reception, phase, CHANNEL_NO_FRAME);
}

/* Nothing is expected before the first keyframe; from there on all that is sent. */
static void all_that_comes_is_counted_from_a_keyframe_on(void **state) {
  (void)state;
  begin();
  channel_begin(&player.channel, PHASE_FIRST);
  take_frame(0, false, SENT_NS);
  take(1, 2, true, SENT_NS); /* the end of a keyframe is none */
  assert_int_equal(expected(PHASE_FIRST), 0);
  assert_int_equal(delivered(PHASE_FIRST), 0);
  take_frame(2, true, SENT_NS);
  take_frame(3, false, SENT_NS);
  assert_int_equal(expected(PHASE_FIRST), 2 * PACKETS);
  assert_int_equal(delivered(PHASE_FIRST), 2 * PACKETS);
  assert_int_equal(player.meters[PHASE_FIRST].octets, 2 * PACKETS * SIZE);
  assert_int_equal(player.meters[PHASE_FIRST].gaps, 0);
  assert_int_equal(player.meters[PHASE_FIRST].latency.max, WAY_NS);
}

/* A packet belongs to the phase that it was sent in, and so does what is expected. */
static void packets_belong_to_the_phase_of_their_frame(void **state) {
  (void)state;
  begin();
  take_frame(0, true, SENT_NS);
  channel_begin(&player.channel, PHASE_FIRST);
  take_frame(1, false, SENT_NS);
  take_frame(2, false, SENT_NS);
  channel_begin(&player.channel, PHASE_SECOND);
  take_frame(3, false, SENT_NS);
  channel_begin(&player.channel, PHASE_AFTER_ALL); /* the third is empty */
  take_frame(4, false, SENT_NS);
  assert_int_equal(delivered(PHASE_BEFORE_ALL), PACKETS);
  assert_int_equal(delivered(PHASE_FIRST), 2 * PACKETS);
  assert_int_equal(expected(PHASE_FIRST), 2 * PACKETS);
  assert_int_equal(delivered(PHASE_SECOND), PACKETS);
  assert_int_equal(expected(PHASE_SECOND), PACKETS);
  assert_int_equal(expected(PHASE_THIRD), 0);
  assert_int_equal(reception_expected(&player.reception, PHASE_FIRST, 2), PACKETS);
}

/* What is missing, comes late, twice or from elsewhere is seen. */
static void gaps_and_disorder_are_counted(void **state) {
  const uint8_t foreign[SIZE] = {0x80, 96};
  (void)state;
  begin();
  channel_begin(&player.channel, PHASE_FIRST);
  take_frame(0, true, SENT_NS);
  take(1, 0, false, SENT_NS);
  take(1, 2, false, SENT_NS);    /* 1 is missing */
  take_frame(4, false, SENT_NS); /* two frames are */
  take(4, 2, false, SENT_NS);    /* twice */
  take(1, 1, false, SENT_NS);    /* late */
  reception_take(&player.reception, foreign, sizeof foreign, SENT_NS);
  assert_int_equal(player.meters[PHASE_FIRST].gaps, 2);
  assert_int_equal(player.meters[PHASE_FIRST].out_of_order, 2);
  assert_int_equal(player.reception.foreign, 1);
}

/* After a stall: old frames come first, then a gap, and a picture with the next keyframe. */
static void recovery_tells_the_first_frame_and_the_first_picture(void **state) {
  const uint64_t s = 1000000000;
  (void)state;
  begin();
  take_frame(0, true, s);
  assert_false(player.recovery.first_frame.known);
  recovery_resume(&player.recovery, 10 * s);
  take_frame(1, false, 10 * s); /* whole, decodable, and WAY_NS old: a picture as well */
  assert_true(player.recovery.first_frame.known && player.recovery.picture.known);
  recovery_resume(&player.recovery, 20 * s);
  take(3, 1, false, 20 * s + 1); /* a gap: it is not whole */
  take(3, 2, false, 20 * s + 1);
  assert_false(player.recovery.first_frame.known);
  take_frame(4, false, 20 * s + 2); /* whole, but nothing to decode it by */
  assert_true(player.recovery.first_frame.known);
  assert_int_equal(player.recovery.first_frame.after_ns, 2);
  assert_int_equal(player.recovery.first_frame.age_ns, WAY_NS);
  assert_false(player.recovery.picture.known);
  take_frame(9, true, 20 * s + 7);
  assert_true(player.recovery.picture.known);
  assert_int_equal(player.recovery.picture.after_ns, 7);
}

/* A picture that is too old is none. */
static void an_old_frame_is_no_picture(void **state) {
  const StreamStamp stamp = {.count = 1, .keyframe = true, .sent_ns = 1};
  Recovery recovery = {0};
  (void)state;
  recovery_resume(&recovery, 1);
  recovery_take(&recovery, &stamp, false, 1 + RECOVERY_PICTURE_AGE_MAX_NS);
  assert_true(recovery.first_frame.known && !recovery.picture.known);
  recovery_take(&recovery, &stamp, false, RECOVERY_PICTURE_AGE_MAX_NS);
  assert_true(recovery.picture.known);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_that_comes_is_counted_from_a_keyframe_on),
      cmocka_unit_test(packets_belong_to_the_phase_of_their_frame),
      cmocka_unit_test(gaps_and_disorder_are_counted),
      cmocka_unit_test(recovery_tells_the_first_frame_and_the_first_picture),
      cmocka_unit_test(an_old_frame_is_no_picture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
