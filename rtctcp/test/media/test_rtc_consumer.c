/* A consumer: what its peer gets of a source, and how it comes and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"

#include "media/rtc_consumer_internal.h"

#define DELTA   3000u
#define PLAYERS 5  /* Connections that consume in the case of many... */
#define EACH    10 /* ...and the consumers of each */
#define PSFB    206
#define PLI     1
#define FRAMES  20

static RtcTrack track_of(RtcMedia media, RtcCodec codec, uint32_t ssrc) {
  return (RtcTrack){
      .media = media, .codec = codec, .payload_type = 77, .clock_rate = 90000, .ssrc = ssrc};
}

static HostSession *open_publisher(Broadcast *broadcast) {
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  return publisher;
}

static HostSession *open_consumer(Broadcast *broadcast) {
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  return consumer;
}

/* -- What its peer gets -- */

/* Payload types and SSRCs are the receiver's, timestamps the publisher's, order and payload too. */
static void packets_are_rewritten_and_in_order(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = open_consumer(broadcast);
  RtpHeader last = {0};
  for (uint32_t i = 0; i < FRAMES; i++) {
    broadcast_send_vp8(broadcast, publisher, i * DELTA, true, i == 0);
    broadcast_send_vp8(broadcast, publisher, i * DELTA, false, false);
  }
  for (uint32_t i = 0; i < 2 * FRAMES; i++) {
    RtpHeader header = broadcast_receive(consumer, CONSUMER_VIDEO);
    assert_int_equal(header.payload_type, CONSUMER_VP8);
    assert_int_equal(header.timestamp, i / 2 * DELTA);
    if (i > 0)
      assert_int_equal(header.sequence, (uint16_t)(last.sequence + 1));
    last = header;
  }
  for (uint32_t i = 0; i < FRAMES; i++)
    broadcast_send_opus(broadcast, publisher, i * 960);
  for (uint32_t i = 0; i < FRAMES; i++) {
    RtpHeader header = broadcast_receive(consumer, CONSUMER_AUDIO);
    assert_int_equal(header.payload_type, CONSUMER_OPUS);
    assert_int_equal(header.timestamp, i * 960);
  }
}

/* A gap in what the publisher sends is none for the receiver. */
static void gaps_are_closed(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = open_consumer(broadcast);
  broadcast_send_opus(broadcast, publisher, 960);
  uint16_t first = broadcast_receive(consumer, CONSUMER_AUDIO).sequence;
  broadcast->audio_sequence = (uint16_t)(broadcast->audio_sequence + 100);
  broadcast_send_opus(broadcast, publisher, 960 * 101);
  assert_int_equal(broadcast_receive(consumer, CONSUMER_AUDIO).sequence, (uint16_t)(first + 1));
}

/* Video that lacks a packet before it can't be decoded, and the receiver sees no gap that would
 * tell it so: it gets nothing until a keyframe, which is asked for at once. */
static void video_goes_on_with_a_keyframe_after_a_gap(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = open_consumer(broadcast);
  broadcast_send_vp8(broadcast, publisher, 0, true, true);
  uint16_t first = broadcast_receive(consumer, CONSUMER_VIDEO).sequence;
  broadcast->video_sequence++;
  broadcast_send_vp8(broadcast, publisher, DELTA, false, false);
  broadcast_send_vp8(broadcast, publisher, 2 * DELTA, true, false);
  assert_true(broadcast_await_rtcp(publisher, PSFB, PLI, NULL, PEER_TIMEOUT_MS));
  broadcast_receive_nothing(consumer);
  broadcast_send_vp8(broadcast, publisher, 3 * DELTA, true, true);
  broadcast_send_vp8(broadcast, publisher, 4 * DELTA, true, false);
  RtpHeader header = broadcast_receive(consumer, CONSUMER_VIDEO);
  assert_int_equal(header.timestamp, 3 * DELTA);
  assert_int_equal(header.sequence, (uint16_t)(first + 1));
  assert_int_equal(broadcast_receive(consumer, CONSUMER_VIDEO).timestamp, 4 * DELTA);
  host_await_drop(consumer, RTC_DROP_AWAIT_KEYFRAME, 2);
}

/* Who joins in the middle gets audio at once and video from a keyframe on, which is asked for. */
static void late_joiner_begins_with_a_keyframe(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  broadcast_send_vp8(broadcast, publisher, 0, true, true);
  broadcast_send_vp8(broadcast, publisher, 0, false, false);
  HostSession *consumer = open_consumer(broadcast);
  assert_true(broadcast_await_rtcp(publisher, PSFB, PLI, NULL, PEER_TIMEOUT_MS));
  broadcast_send_vp8(broadcast, publisher, 0, false, false); /* the rest of a keyframe */
  broadcast_send_vp8(broadcast, publisher, DELTA, true, false);
  broadcast_send_opus(broadcast, publisher, 960);
  broadcast_receive(consumer, CONSUMER_AUDIO);
  broadcast_send_vp8(broadcast, publisher, 2 * DELTA, true, true);
  broadcast_send_vp8(broadcast, publisher, 2 * DELTA, false, false);
  for (int i = 0; i < 2; i++)
    assert_int_equal(broadcast_receive(consumer, CONSUMER_VIDEO).timestamp, 2 * DELTA);
  host_await_drop(consumer, RTC_DROP_AWAIT_KEYFRAME, 2);
}

/* A consumer that is there before its Connection is connected asks when it is. */
static void keyframe_is_asked_for_on_connecting(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = host_open_conn(broadcast->host, NULL);
  assert_int_equal(broadcast_consume(broadcast, "live", consumer, 0, NULL), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 0, true, true);
  assert_false(broadcast_await_rtcp(publisher, PSFB, PLI, NULL, 100));
  assert_int_equal(peer_bind(consumer->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake(consumer->peer, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(broadcast_await_rtcp(publisher, PSFB, PLI, NULL, PEER_TIMEOUT_MS));
  broadcast_send_vp8(broadcast, publisher, DELTA, true, true);
  assert_int_equal(broadcast_receive(consumer, CONSUMER_VIDEO).timestamp, DELTA);
}

/* A consumer whose TCP conn was lost gets a keyframe asked for when another one is there. */
static void keyframe_is_asked_for_on_reconnecting(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = open_consumer(broadcast);
  broadcast_send_vp8(broadcast, publisher, 0, true, true);
  uint16_t last = broadcast_receive(consumer, CONSUMER_VIDEO).sequence;
  peer_close(consumer->peer, 0);
  host_await_state(consumer, RTC_CONNECTION_STATE_DISCONNECTED);
  broadcast_send_vp8(broadcast, publisher, DELTA, true, true); /* goes nowhere */
  host_await_drop(consumer, RTC_DROP_NOT_CONNECTED, 1);
  assert_int_equal(peer_reconnect(consumer->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_true(broadcast_await_rtcp(publisher, PSFB, PLI, NULL, PEER_TIMEOUT_MS));
  broadcast_send_vp8(broadcast, publisher, 2 * DELTA, true, false);
  broadcast_send_vp8(broadcast, publisher, 3 * DELTA, true, true);
  RtpHeader header = broadcast_receive(consumer, CONSUMER_VIDEO);
  assert_int_equal(header.timestamp, 3 * DELTA);
  assert_int_equal(header.sequence, (uint16_t)(last + 1));
}

/* A receiver is sent the tracks that it agreed to, and no other. */
static void only_agreed_tracks_are_sent(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = host_open_connected(broadcast->host, NULL);
  const RtcTrack h264 = track_of(RTC_MEDIA_VIDEO, RTC_CODEC_H264, 0x1001);
  const RtcTrack audio = track_of(RTC_MEDIA_AUDIO, RTC_CODEC_OPUS, 0x1002);
  const RtcTrack tracks[] = {h264, audio};
  assert_int_equal(broadcast_consume_as(broadcast, "live", consumer, tracks, 2, NULL), RTC_OK);
  broadcast_send_vp8(broadcast, publisher, 0, true, true);
  broadcast_send_opus(broadcast, publisher, 960);
  assert_int_equal(broadcast_receive(consumer, 0x1002).payload_type, 77);
  broadcast_receive_nothing(consumer);
}

/* Fifty consumers of one source, many to a Connection: each gets all of it, and the counts are at
 * nothing when they have gone. */
static void fifty_consumers_are_served(void **state) {
  Broadcast *broadcast = *state;
  HostSession *players[PLAYERS];
  HostSession *publisher = open_publisher(broadcast);
  RtcSourceManagerStats stats;
  for (size_t i = 0; i < PLAYERS; i++) {
    players[i] = host_open_connected(broadcast->host, NULL);
    for (uint32_t number = 0; number < EACH; number++)
      assert_int_equal(broadcast_consume(broadcast, "live", players[i], number, NULL), RTC_OK);
  }
  broadcast_stats(broadcast, &stats);
  assert_int_equal(stats.consumers_live, PLAYERS * EACH);
  assert_int_equal(stats.consumers_total, PLAYERS * EACH);
  for (uint32_t i = 0; i < FRAMES; i++)
    broadcast_send_vp8(broadcast, publisher, i * DELTA, true, i == 0);
  for (size_t i = 0; i < PLAYERS; i++) {
    uint32_t next[EACH] = {0};
    for (size_t packet = 0; packet < EACH * FRAMES; packet++) {
      PeerMedia media;
      RtpHeader header;
      assert_int_equal(peer_receive_kind(players[i]->peer, &media, false, PEER_TIMEOUT_MS),
                       PEER_OK);
      assert_true(rtp_read(media.data, media.len, &header));
      uint32_t number = (header.ssrc - CONSUMER_VIDEO) / CONSUMER_STEP;
      assert_true(number < EACH);
      assert_int_equal(header.timestamp, next[number]++ * DELTA);
    }
  }
  for (size_t i = 0; i < PLAYERS; i++)
    host_close_connection(players[i]);
  broadcast_assert_live(broadcast, 1, 0);
  host_close_connection(publisher);
  broadcast_assert_live(broadcast, 0, 0);
}

/* -- Coming and going -- */

/* What can't be is refused whole: no stream, no observer and no source stays behind. */
static void impossible_consumers_are_refused(void **state) {
  Broadcast *broadcast = *state;
  HostSession *session = host_open(broadcast->host, NULL);
  RtcTrack tracks[RTC_TRACKS_MAX + 1];
  RtcConsumer *untouched = NULL;
  for (uint32_t i = 0; i <= RTC_TRACKS_MAX; i++)
    tracks[i] = track_of(RTC_MEDIA_AUDIO, RTC_CODEC_OPUS, i);
  assert_int_equal(broadcast_consume_as(broadcast, "live", session, tracks, 0, &untouched),
                   RTC_ERROR_INVALID_ARGUMENT);
  assert_int_equal(
      broadcast_consume_as(broadcast, "live", session, tracks, RTC_TRACKS_MAX + 1, &untouched),
      RTC_ERROR_LIMIT);
  tracks[1].ssrc = tracks[0].ssrc;
  assert_int_equal(broadcast_consume_as(broadcast, "live", session, tracks, 2, &untouched),
                   RTC_ERROR_EXISTS);
  broadcast_assert_live(broadcast, 0, 0);
  assert_int_equal(broadcast_consume_as(broadcast, "live", session, tracks, 1, &untouched),
                   RTC_OK); /* its SSRC is free again */
  assert_non_null(untouched);
  untouched = NULL;
  host_close_connection(session);
  assert_int_equal(broadcast_consume(broadcast, "live", session, 0, &untouched), RTC_ERROR_CLOSED);
  assert_null(untouched);
}

/* A Connection has room for so many consumers; one more is refused whole. */
static void consumers_of_a_connection_are_limited(void **state) {
  Broadcast *broadcast = *state;
  HostSession *session = host_open(broadcast->host, NULL);
  uint32_t number = 0;
  RtcError error;
  while (!(error = broadcast_consume(broadcast, "live", session, number, NULL)))
    number++;
  assert_int_equal(error, RTC_ERROR_LIMIT);
  assert_in_range(number, EACH, RTC_SEND_STREAMS_MAX);
  broadcast_assert_live(broadcast, 1, number);
  host_close_connection(session);
}

/* A closed consumer is sent nothing more, the others go on, and its SSRCs are free. */
static void closed_consumer_gets_nothing_more(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *session = host_open_connected(broadcast->host, NULL);
  HostSession *other = open_consumer(broadcast);
  RtcConsumer *first, *second;
  assert_int_equal(broadcast_consume(broadcast, "live", session, 0, &first), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", session, 1, &second), RTC_OK);
  broadcast_close_consumer(broadcast, first);
  broadcast_send_opus(broadcast, publisher, 960);
  broadcast_receive(session, CONSUMER_AUDIO + CONSUMER_STEP);
  broadcast_receive(other, CONSUMER_AUDIO);
  broadcast_close_consumer(broadcast, second);
  broadcast_send_opus(broadcast, publisher, 1920);
  broadcast_receive(other, CONSUMER_AUDIO);
  broadcast_receive_nothing(session);
  assert_int_equal(host_state(session), RTC_CONNECTION_STATE_CONNECTED);
  broadcast_assert_live(broadcast, 1, 1);
}

/* -- Inside callbacks -- */

typedef struct Closing {
  RtcConsumer *consumer; /* borrowed */
  RtcConnection *other;  /* borrowed: closed too; NULL: none */
  unsigned count;
} Closing;

static void close_inside(void *arg) {
  Closing *closing = arg;
  if (closing->count++ > 0)
    return;
  rtc_consumer_close(closing->consumer);
  if (closing->other)
    rtc_connection_close(closing->other);
}

static void close_on_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  HostSession *session = arg;
  (void)connection;
  (void)packet;
  (void)len;
  if (session->last_len == 0)
    rtc_connection_close(session->connection);
  session->last_len = 1;
}

typedef struct Watching {
  HostSession *session;
  Closing *closing;
  RtcStream *stream;
  RtcError error;
} Watching;

/* A stream of the host's own beside the consumer's, whose keyframe callback closes that. */
static void add_watching_stream(void *arg) {
  Watching *watching = arg;
  const RtcStreamConfig config = {.media = RTC_MEDIA_VIDEO,
                                  .ssrc = 0x5151,
                                  .payload_type = 1,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = close_inside,
                                  .arg = watching->closing};
  RtcConnection *connection = watching->session->connection;
  uint8_t data[RTP_HEADER_LEN] = {0x80, 1};
  RtcPacket *packet = NULL;
  watching->error = rtc_connection_add_stream(&watching->stream, connection, &config);
  if (!watching->error)
    watching->error = rtc_packet_new(&packet, data, sizeof data);
  if (!watching->error)
    watching->error =
        rtc_connection_send_rtp(connection, watching->stream, packet, RTC_SEND_FRAME_START, 0);
  rtc_packet_unref(&packet);
}

/* A keyframe callback may close a consumer of its Connection, and the Connection itself. */
static void consumer_is_closed_inside_a_keyframe_callback(void **state) {
  Broadcast *broadcast = *state;
  for (int with_connection = 0; with_connection < 2; with_connection++) {
    HostSession *session = host_open_connected(broadcast->host, NULL);
    Closing closing = {.other = with_connection ? session->connection : NULL};
    Watching watching = {.session = session, .closing = &closing};
    assert_int_equal(broadcast_consume(broadcast, "live", session, 0, &closing.consumer), RTC_OK);
    host_run(broadcast->host, add_watching_stream, &watching);
    assert_int_equal(watching.error, RTC_OK);
    assert_int_equal(closing.count, 1);
    broadcast_assert_live(broadcast, 0, 0);
    host_close_connection(session);
  }
}

static void hook_publisher(void *arg) {
  ((HostSession *)arg)->connection->callbacks.on_rtp = close_on_rtp;
}

/* The host may close the publisher inside its on_rtp: the packet still went to the consumers. */
static void publisher_is_closed_inside_its_packet(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = open_publisher(broadcast);
  HostSession *consumer = open_consumer(broadcast);
  host_run(broadcast->host, hook_publisher, publisher);
  broadcast_send_opus(broadcast, publisher, 960);
  host_await_state(publisher, RTC_CONNECTION_STATE_CLOSED);
  broadcast_receive(consumer, CONSUMER_AUDIO);
  broadcast_assert_live(broadcast, 1, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, broadcast_setup, broadcast_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(packets_are_rewritten_and_in_order),
      TEST(gaps_are_closed),
      TEST(video_goes_on_with_a_keyframe_after_a_gap),
      TEST(late_joiner_begins_with_a_keyframe),
      TEST(keyframe_is_asked_for_on_connecting),
      TEST(keyframe_is_asked_for_on_reconnecting),
      TEST(only_agreed_tracks_are_sent),
      TEST(fifty_consumers_are_served),
      TEST(impossible_consumers_are_refused),
      TEST(consumers_of_a_connection_are_limited),
      TEST(closed_consumer_gets_nothing_more),
      TEST(consumer_is_closed_inside_a_keyframe_callback),
      TEST(publisher_is_closed_inside_its_packet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
