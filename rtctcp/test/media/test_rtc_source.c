/* A source's life: who keeps it, who ends it, and what consumers see when its publisher changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"

#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define PLI 1

/* -- Who keeps it -- */

typedef enum Step {
  END, /* of the steps */
  PUBLISH,
  UNPUBLISH,
  CLOSE_PUBLISHER, /* its Connection */
  CONSUME_A,
  CLOSE_A,      /* the consumer */
  CLOSE_CONN_A, /* its Connection */
  CONSUME_B,
  CLOSE_CONN_B,
  ELIMINATE,
} Step;

typedef struct Life {
  Broadcast *broadcast;
  HostSession *publisher, *a, *b;
  RtcConsumer *consumer_a;
} Life;

static void take(Life *life, Step step) {
  Broadcast *broadcast = life->broadcast;
  switch (step) {
  case PUBLISH:
    assert_int_equal(broadcast_publish(broadcast, "live", life->publisher), RTC_OK);
    return;
  case UNPUBLISH:
    broadcast_unpublish(broadcast, "live");
    return;
  case CLOSE_PUBLISHER:
    host_close_connection(life->publisher);
    return;
  case CONSUME_A:
    assert_int_equal(broadcast_consume(broadcast, "live", life->a, 0, &life->consumer_a), RTC_OK);
    return;
  case CLOSE_A:
    broadcast_close_consumer(broadcast, life->consumer_a);
    return;
  case CLOSE_CONN_A:
    host_close_connection(life->a);
    return;
  case CONSUME_B:
    assert_int_equal(broadcast_consume(broadcast, "live", life->b, 0, NULL), RTC_OK);
    return;
  case CLOSE_CONN_B:
    host_close_connection(life->b);
    return;
  case ELIMINATE:
    broadcast_eliminate(broadcast, "live");
    return;
  case END:
    return;
  }
}

/* It goes when the publisher and the last consumer have gone, and not before, in every order and
 * however they go. */
static void source_lives_as_long_as_it_is_used(void **state) {
  static const Step lives[][8] = {
      {PUBLISH, UNPUBLISH},
      {PUBLISH, CLOSE_PUBLISHER},
      {CONSUME_A, CLOSE_A},
      {CONSUME_A, CLOSE_CONN_A},
      {PUBLISH, CONSUME_A, CLOSE_PUBLISHER, CLOSE_CONN_A},
      {PUBLISH, CONSUME_A, CLOSE_CONN_A, CLOSE_PUBLISHER},
      {CONSUME_A, PUBLISH, UNPUBLISH, CLOSE_A},
      {CONSUME_A, PUBLISH, CLOSE_A, UNPUBLISH},
      {CONSUME_A, CONSUME_B, PUBLISH, CLOSE_A, CLOSE_PUBLISHER, CLOSE_CONN_B},
      {PUBLISH, CONSUME_A, CONSUME_B, CLOSE_CONN_B, CLOSE_CONN_A, CLOSE_PUBLISHER},
      {PUBLISH, CONSUME_A, UNPUBLISH, PUBLISH, CLOSE_A, CLOSE_PUBLISHER},
      {PUBLISH, CONSUME_A, CONSUME_B, ELIMINATE},
      {CONSUME_A, ELIMINATE},
      {PUBLISH, ELIMINATE},
  };
  for (size_t i = 0; i < COUNT_OF(lives); i++) {
    Life life = {.broadcast = *state};
    life.publisher = host_open(life.broadcast->host, NULL);
    life.a = host_open(life.broadcast->host, NULL);
    life.b = host_open(life.broadcast->host, NULL);
    for (size_t at = 0; lives[i][at] != END; at++) {
      take(&life, lives[i][at]);
      if (broadcast_exists(life.broadcast, "live") != (lives[i][at + 1] != END))
        fail_msg("life %zu: wrong after step %zu", i, at);
    }
    broadcast_assert_live(life.broadcast, 0, 0);
    host_close_connection(life.publisher);
    host_close_connection(life.a);
    host_close_connection(life.b);
    host_forget(life.b);
    host_forget(life.a);
    host_forget(life.publisher);
  }
}

/* To eliminate a source leaves its Connections as they are, free for another one. */
static void elimination_leaves_connections(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  broadcast_eliminate(broadcast, "live");
  assert_int_equal(host_state(publisher), RTC_CONNECTION_STATE_CONNECTED);
  assert_int_equal(host_state(consumer), RTC_CONNECTION_STATE_CONNECTED);
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 1, NULL), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 3000, true, true);
  broadcast_receive(consumer, CONSUMER_VIDEO + CONSUMER_STEP);
}

/* -- Its publisher -- */

/* A second publisher is refused and disturbs nothing; when the first has gone it may. */
static void second_publisher_is_refused(void **state) {
  Broadcast *broadcast = *state;
  HostSession *first = host_open_connected(broadcast->host, NULL);
  HostSession *second = host_open(broadcast->host, NULL);
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", first), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  assert_int_equal(broadcast_publish(broadcast, "live", second), RTC_ERROR_EXISTS);
  assert_int_equal(broadcast_publish(broadcast, "live", first), RTC_ERROR_EXISTS);
  host_close_connection(second);
  broadcast_send_opus(broadcast, first, 960);
  broadcast_receive(consumer, CONSUMER_AUDIO);
  host_close_connection(first);
  HostSession *third = host_open(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", third), RTC_OK);
}

/* A publisher that can't be takes no source's place, and leaves no source behind. */
static void impossible_publishers_are_refused(void **state) {
  Broadcast *broadcast = *state;
  HostSession *session = host_open(broadcast->host, NULL);
  RtcTrack tracks[RTC_TRACKS_MAX + 1] = {{.clock_rate = 1}};
  for (size_t i = 1; i < COUNT_OF(tracks); i++)
    tracks[i] = tracks[0];
  assert_int_equal(broadcast_publish_as(broadcast, "live", session, tracks, 0),
                   RTC_ERROR_INVALID_ARGUMENT);
  assert_int_equal(broadcast_publish_as(broadcast, "live", session, tracks, COUNT_OF(tracks)),
                   RTC_ERROR_LIMIT);
  host_close_connection(session);
  assert_int_equal(broadcast_publish(broadcast, "live", session), RTC_ERROR_CLOSED);
  broadcast_assert_live(broadcast, 0, 0);
}

/* A Connection may publish one source and consume others, its own too, and all go with it. */
static void connection_publishes_and_consumes(void **state) {
  Broadcast *broadcast = *state;
  HostSession *a = host_open(broadcast->host, NULL), *b = host_open(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "a", a), RTC_OK);
  assert_int_equal(broadcast_publish(broadcast, "b", b), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "a", a, 0, NULL), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "b", a, 1, NULL), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "a", b, 0, NULL), RTC_OK);
  broadcast_assert_live(broadcast, 2, 3);
  host_close_connection(a);
  broadcast_assert_live(broadcast, 2, 1);
  host_close_connection(b);
  broadcast_assert_live(broadcast, 0, 0);
}

typedef struct Listing {
  Broadcast *broadcast;
  RtcTrack tracks[RTC_TRACKS_MAX];
  size_t count;
} Listing;

static void list_tracks(void *arg) {
  Listing *listing = arg;
  const RtcTrack *tracks = NULL;
  RtcSource *source = rtc_source_manager_fetch(listing->broadcast->manager, "live");
  listing->count = source ? rtc_source_tracks(source, &tracks) : SIZE_MAX;
  if (listing->count && listing->count <= RTC_TRACKS_MAX)
    memcpy(listing->tracks, tracks, listing->count * sizeof *tracks);
  rtc_source_unref(&source);
}

/* What the publisher sends is told as it was given; without a publisher there is nothing. */
static void tracks_are_those_of_the_publisher(void **state) {
  Listing listing = {.broadcast = *state};
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  HostSession *consumer = host_open(broadcast->host, NULL);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  host_run(broadcast->host, list_tracks, &listing);
  assert_int_equal(listing.count, 0);
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 3000, true, true);
  assert_true(broadcast_await_rtcp(publisher, 201, -1, NULL, PEER_TIMEOUT_MS));
  host_run(broadcast->host, list_tracks, &listing);
  assert_int_equal(listing.count, 2);
  assert_memory_equal(listing.tracks, broadcast_publisher_tracks,
                      sizeof broadcast_publisher_tracks);
  broadcast_unpublish(broadcast, "live");
  host_run(broadcast->host, list_tracks, &listing);
  assert_int_equal(listing.count, 0);
}

/* -- A publisher that returns -- */

static bool is_about(uint32_t value, uint32_t least, uint32_t most) {
  return value - least <= most - least;
}

/* Consumers wait for the publisher to return: sequence numbers go on without a gap, timestamps by
 * the time that has passed, and video with a keyframe. */
static void consumers_outlast_the_publisher(void **state) {
  Broadcast *broadcast = *state;
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  HostSession *first = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", first), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  broadcast_send_opus(broadcast, first, 50000);
  RtpHeader audio = broadcast_receive(consumer, CONSUMER_AUDIO);
  broadcast_send_vp8(broadcast, first, UINT32_C(0xfffffff0), true, true);
  RtpHeader video = broadcast_receive(consumer, CONSUMER_VIDEO);
  assert_int_equal(audio.timestamp, 50000);
  assert_int_equal(video.timestamp, UINT32_C(0xfffffff0));
  host_close_connection(first);

  usleep(200 * 1000);
  HostSession *second = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", second), RTC_OK);
  broadcast_send_opus(broadcast, second, 7);
  RtpHeader next = broadcast_receive(consumer, CONSUMER_AUDIO);
  assert_int_equal(next.sequence, (uint16_t)(audio.sequence + 1));
  if (!is_about(next.timestamp, 50000 + 48 * 200, 50000 + 48 * 10000))
    fail_msg("audio goes on at %u", next.timestamp);
  broadcast_send_vp8(broadcast, second, 1000, true, true);
  next = broadcast_receive(consumer, CONSUMER_VIDEO);
  assert_int_equal(next.sequence, (uint16_t)(video.sequence + 1));
  if (!is_about(next.timestamp, video.timestamp + 90 * 200, video.timestamp + 90 * 10000))
    fail_msg("video goes on at %u", next.timestamp);
  broadcast_send_vp8(broadcast, second, 4000, true, false);
  assert_int_equal(broadcast_receive(consumer, CONSUMER_VIDEO).timestamp, next.timestamp + 3000);
}

/* A publisher that takes over in the middle of its own stream is asked for a keyframe, and what
 * comes before it, which would be decoded against the other's frames, goes to nobody. */
static void new_publisher_begins_with_a_keyframe(void **state) {
  Broadcast *broadcast = *state;
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 3000, true, true);
  broadcast_receive(consumer, CONSUMER_VIDEO);
  broadcast_unpublish(broadcast, "live");
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 6000, true, false);
  assert_true(broadcast_await_rtcp(publisher, 206, PLI, NULL, PEER_TIMEOUT_MS));
  broadcast_receive_nothing(consumer);
  broadcast_send_vp8(broadcast, publisher, 9000, true, true);
  broadcast_receive(consumer, CONSUMER_VIDEO);
  host_await_drop(consumer, RTC_DROP_AWAIT_KEYFRAME, 1);
}

/* Every codec has a name, and what is none has one too. */
static void codecs_have_names(void **state) {
  (void)state;
  assert_string_equal(rtc_codec_name(RTC_CODEC_OPUS), "opus");
  assert_string_equal(rtc_codec_name(RTC_CODEC_VP8), "VP8");
  assert_string_equal(rtc_codec_name(RTC_CODEC_H264), "H264");
  assert_string_equal(rtc_codec_name((RtcCodec)77), "unknown");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, broadcast_setup, broadcast_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(source_lives_as_long_as_it_is_used), TEST(elimination_leaves_connections),
      TEST(second_publisher_is_refused),        TEST(impossible_publishers_are_refused),
      TEST(connection_publishes_and_consumes),  TEST(tracks_are_those_of_the_publisher),
      TEST(consumers_outlast_the_publisher),    TEST(new_publisher_begins_with_a_keyframe),
      cmocka_unit_test(codecs_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
