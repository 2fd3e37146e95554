/* A receiver that stops reading: what it is sent when it reads again, and what that costs another.
 * A frame's packets carry its number as their timestamp, and in their payload what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <stdatomic.h>
#include <unistd.h>

#define FRAME_PACKETS 10
#define PAYLOAD_LEN   1000
#define FRAME_MS      20
#define STALL_FRAMES  60 /* longer than video may wait */
#define TURNS_MAX     500
#define SMALL_BUFFER  4096

enum { AT_KEYFRAME, AT_PACKET }; /* in a payload */

typedef struct Receiver {
  HostSession *session;
  RtcStream *stream;
  atomic_uint wanted; /* calls of on_keyframe_wanted, on the worker's thread */
  bool is_wanted;
  uint32_t frame; /* that came last, in part or whole; 0: none */
  uint8_t packet; /* of that frame, which came last */
  uint16_t sequence;
} Receiver;

typedef struct Show {
  Receiver slow, fast;
  uint32_t frame; /* that was sent last */
  bool keyframe;
  RtcError error;
} Show;

static void keyframe_wanted(void *arg) {
  Receiver *receiver = arg;
  atomic_fetch_add(&receiver->wanted, 1);
  receiver->is_wanted = true;
}

static void add_stream(Show *show, Receiver *receiver) {
  const RtcStreamConfig config = {.media = RTC_MEDIA_VIDEO,
                                  .ssrc = 0x1000,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = keyframe_wanted,
                                  .arg = receiver};
  if (!show->error)
    show->error =
        rtc_connection_add_stream(&receiver->stream, receiver->session->connection, &config);
}

static void add_streams(void *arg) {
  Show *show = arg;
  add_stream(show, &show->slow);
  add_stream(show, &show->fast);
}

/* One packet for both, as a source shares it. */
static RtcError send_packet(Show *show, unsigned index, unsigned flags) {
  const RtpHeader header = {.payload_type = 96, .timestamp = show->frame, .ssrc = 1};
  uint8_t payload[PAYLOAD_LEN] = {[AT_KEYFRAME] = show->keyframe, [AT_PACKET] = (uint8_t)index};
  uint8_t data[RTP_HEADER_LEN + PAYLOAD_LEN];
  RtcPacket *packet;
  RtcError error = rtc_packet_new(&packet, data, rtp_write(data, &header, payload, PAYLOAD_LEN));
  if (error)
    return error;
  error =
      rtc_connection_send_rtp(show->slow.session->connection, show->slow.stream, packet, flags, 0);
  if (!error)
    error = rtc_connection_send_rtp(show->fast.session->connection, show->fast.stream, packet,
                                    flags, 0);
  rtc_packet_unref(&packet);
  return error;
}

/* A keyframe is sent when one is wanted, as a publisher does that is asked. */
static void send_frame(void *arg) {
  Show *show = arg;
  show->frame++;
  show->keyframe = show->frame == 1 || show->slow.is_wanted || show->fast.is_wanted;
  show->slow.is_wanted = show->fast.is_wanted = false;
  for (unsigned i = 0; i < FRAME_PACKETS && !show->error; i++)
    show->error = send_packet(
        show, i, (i == 0 ? RTC_SEND_FRAME_START : 0u) | (show->keyframe ? RTC_SEND_KEYFRAME : 0u));
}

static void open_show(Show *show, Host *host) {
  const PeerConfig small = {.receive_buffer = SMALL_BUFFER};
  *show = (Show){.slow.session = host_open_connected(host, &small),
                 .fast.session = host_open_connected(host, NULL)};
  host_run(host, add_streams, show);
  assert_int_equal(show->error, RTC_OK);
}

static void send_next(Show *show) {
  host_run(show->slow.session->host, send_frame, show);
  assert_int_equal(show->error, RTC_OK);
}

/* Numbers have no gap, frames are whole, and what does not follow on begins with a keyframe. */
static void check(Receiver *receiver, const PeerMedia *media) {
  RtpHeader header;
  size_t len;
  assert_true(rtp_read(media->data, media->len, &header));
  const uint8_t *payload = rtp_payload(media->data, media->len, &len);
  assert_int_equal(len, PAYLOAD_LEN);
  bool first = receiver->frame == 0;
  if (!first)
    assert_int_equal(header.sequence, (uint16_t)(receiver->sequence + 1));
  bool next = first || receiver->packet == FRAME_PACKETS - 1;
  assert_int_equal(payload[AT_PACKET], next ? 0 : receiver->packet + 1);
  if (!next)
    assert_int_equal(header.timestamp, receiver->frame);
  else if (header.timestamp != receiver->frame + 1)
    assert_true(payload[AT_KEYFRAME]);
  receiver->frame = header.timestamp;
  receiver->packet = payload[AT_PACKET];
  receiver->sequence = header.sequence;
}

/* Reads what has come; waits for the first of it so long. */
static void read_some(Receiver *receiver, int timeout_ms) {
  PeerMedia media;
  while (peer_receive_kind(receiver->session->peer, &media, false, timeout_ms) == PEER_OK) {
    check(receiver, &media);
    timeout_ms = 1;
  }
}

/* The one that reads has every frame, whatever the other one does. */
static void read_frame(Receiver *receiver) {
  PeerMedia media;
  for (int i = 0; i < FRAME_PACKETS; i++) {
    uint32_t before = receiver->frame;
    assert_int_equal(peer_receive_kind(receiver->session->peer, &media, false, PEER_TIMEOUT_MS),
                     PEER_OK);
    check(receiver, &media);
    assert_in_range(receiver->frame - before, 0, 1);
  }
}

/* It gets what was on its way, then a keyframe that was made after it read again, and no more than
 * a few were asked for meanwhile; the other one misses nothing. */
static void stopped_reader_goes_on_with_a_fresh_keyframe(void **state) {
  Show show;
  RtcConnectionStats stats;
  open_show(&show, *state);
  for (int i = 0; i < STALL_FRAMES; i++) {
    send_next(&show);
    read_frame(&show.fast);
    usleep(FRAME_MS * 1000);
  }
  host_session_stats(show.slow.session, &stats);
  assert_true(stats.frames_dropped[RTC_DROP_QUEUE_LATE] > 0);
  assert_true(stats.frames_dropped[RTC_DROP_AWAIT_KEYFRAME] > 0);
  assert_true(stats.queue_age_max_us > 500 * 1000);
  assert_int_equal(atomic_load(&show.slow.wanted), 0); /* it would come to a closed door */
  uint32_t stalled = show.frame;
  for (int i = 0; i < TURNS_MAX && show.slow.frame <= stalled; i++) {
    read_some(&show.slow, FRAME_MS);
    send_next(&show);
    read_frame(&show.fast);
  }
  assert_true(show.slow.frame > stalled);
  assert_in_range(atomic_load(&show.slow.wanted), 1, 3);
  assert_int_equal(atomic_load(&show.fast.wanted), 0);
  host_session_stats(show.fast.session, &stats);
  for (int i = 0; i < RTC_DROP_COUNT; i++)
    assert_int_equal(stats.frames_dropped[i], 0);
}

/* A steady flow allocates nothing: what was borrowed for a turn is borrowed again for the next. */
static void steady_flow_allocates_nothing(void **state) {
  Show show;
  RtcServerStats before, after;
  open_show(&show, *state);
  for (int i = 0; i < 50; i++) {
    if (i == 10)
      host_stats(*state, &before);
    send_next(&show);
    read_frame(&show.fast);
    read_some(&show.slow, FRAME_MS);
    read_some(&show.slow, FRAME_MS);
  }
  host_stats(*state, &after);
  assert_int_equal(after.pool_made, before.pool_made);
  for (int i = 0; i < TURNS_MAX && after.pool_lent_octets > 0; i++) {
    read_some(&show.slow, FRAME_MS);
    host_stats(*state, &after);
  }
  assert_int_equal(after.pool_lent_octets, 0);
  assert_true(after.pool_kept_octets > 0);
  assert_int_equal(after.queued_packets, 0);
}

int main(void) {
#define CASE(function)                                                                             \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, NULL)
  const struct CMUnitTest tests[] = {
      CASE(stopped_reader_goes_on_with_a_fresh_keyframe),
      CASE(steady_flow_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
