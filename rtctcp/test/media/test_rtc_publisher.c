/* A publisher: how its packets are told apart, and what it hears back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"
#include "support/twcc_decoder.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RR = 201, RTPFB = 205, PSFB = 206 };
enum { PLI = 1, FIR = 4, TRANSPORT_CC = 15 };

#define DELTA 3000u /* of a video frame's timestamps */

typedef struct Pair {
  Broadcast *broadcast;
  HostSession *publisher, *consumer;
} Pair;

/* A publisher and one consumer, connected. */
static Pair open_pair(Broadcast *broadcast) {
  Pair pair = {.broadcast = broadcast};
  pair.publisher = host_open_connected(broadcast->host, NULL);
  pair.consumer = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish(broadcast, "live", pair.publisher), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", pair.consumer, 0, NULL), RTC_OK);
  return pair;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void send_frame(const Pair *pair, uint32_t frame, bool keyframe) {
  broadcast_send_vp8(pair->broadcast, pair->publisher, frame * DELTA, true, keyframe);
}

static bool publisher_hears(const Pair *pair, uint8_t type, int format, int timeout_ms) {
  return broadcast_await_rtcp(pair->publisher, type, format, NULL, timeout_ms);
}

/* The stream begins with a keyframe, which answers the joining consumer: nothing is asked for. */
static void start_video(const Pair *pair) {
  send_frame(pair, 1, true);
  broadcast_receive(pair->consumer, CONSUMER_VIDEO);
}

static void consumer_sends_pli(const Pair *pair, uint32_t ssrc) {
  uint8_t packet[64];
  assert_int_equal(peer_send_rtcp(pair->consumer->peer, packet, rtcp_write_pli(packet, 1, ssrc)),
                   PEER_OK);
}

/* RFC 5104 section 4.3.1: the media SSRC is in the entry. */
static void consumer_sends_fir(const Pair *pair, uint32_t ssrc) {
  uint8_t packet[64];
  size_t len = rtcp_write_rr(packet, 1);
  memcpy(packet + len, (const uint8_t[20]){0x80 | FIR, PSFB, 0, 4, 0, 0, 0, 1}, 20);
  rtp_write32(packet + len + 12, ssrc);
  assert_int_equal(peer_send_rtcp(pair->consumer->peer, packet, len + 20), PEER_OK);
}

/* -- What comes in -- */

/* A payload type that nobody agreed to, and a second SSRC of one that somebody did, are counted and
 * go to nobody; the stream goes on. */
static void strangers_are_counted_drops(void **state) {
  static const RtpHeader strangers[] = {
      {.payload_type = 97, .sequence = 5, .timestamp = 9, .ssrc = PUBLISHER_VIDEO},
      {.payload_type = 97, .sequence = 6, .timestamp = 9, .ssrc = 0x77777777},
      {.payload_type = PUBLISHER_VP8, .sequence = 7, .timestamp = 9, .ssrc = 0x88888888},
      {.payload_type = PUBLISHER_OPUS, .sequence = 7, .timestamp = 9, .ssrc = 0x99999999},
  };
  const Pair pair = open_pair(*state);
  broadcast_send_opus(pair.broadcast, pair.publisher, 960);
  broadcast_receive(pair.consumer, CONSUMER_AUDIO);
  send_frame(&pair, 1, true);
  RtpHeader first = broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  for (size_t i = 0; i < 4; i++)
    broadcast_send_as(pair.broadcast, pair.publisher, &strangers[i]);
  host_await_drop(pair.publisher, RTC_DROP_UNKNOWN_SSRC, 4);
  send_frame(&pair, 2, false);
  RtpHeader next = broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  assert_int_equal(next.sequence, (uint16_t)(first.sequence + 1));
  assert_int_equal(host_state(pair.publisher), RTC_CONNECTION_STATE_CONNECTED);
}

static void send_padding(const Pair *pair, uint32_t frame) {
  uint8_t packet[64];
  const RtpHeader header = {.payload_type = PUBLISHER_VP8,
                            .sequence = pair->broadcast->video_sequence++,
                            .timestamp = frame * DELTA,
                            .ssrc = PUBLISHER_VIDEO};
  size_t len = rtp_write(packet, &header, "\0\0\0\4", 4);
  packet[0] |= 0x20;
  assert_int_equal(peer_send_rtp(pair->publisher->peer, packet, len), PEER_OK);
}

/* RTP without a payload is padding that probes the path: it goes to nobody, is no drop, and is no
 * frame's beginning, whatever its timestamp. */
static void padding_ends_here(void **state) {
  const Pair pair = open_pair(*state);
  send_padding(&pair, 1);
  send_frame(&pair, 1, true);
  send_padding(&pair, 1);
  send_padding(&pair, 2);
  send_frame(&pair, 2, false);
  RtpHeader first = broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  RtpHeader second = broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  assert_int_equal(first.timestamp, DELTA);
  assert_int_equal(second.timestamp, 2 * DELTA);
  assert_int_equal(second.sequence, (uint16_t)(first.sequence + 1));
  RtcConnectionStats stats;
  host_session_stats(pair.publisher, &stats);
  assert_int_equal(stats.drops[RTC_DROP_UNKNOWN_SSRC], 0);
}

static void send_h264(const Pair *pair, uint32_t frame, const char *nal_unit, size_t len) {
  uint8_t packet[64];
  const RtpHeader header = {.payload_type = PUBLISHER_VP8,
                            .sequence = pair->broadcast->video_sequence++,
                            .timestamp = frame * DELTA,
                            .ssrc = PUBLISHER_VIDEO};
  size_t packet_len = rtp_write(packet, &header, nal_unit, len);
  assert_int_equal(peer_send_rtp(pair->publisher->peer, packet, packet_len), PEER_OK);
}

/* Encoders may put an access unit delimiter and SEI before the parameter sets (RFC 6184 section
 * 1.1, H.264 section 7.4.1.2.3): the keyframe begins with what makes it one. */
static void h264_keyframe_may_begin_with_a_delimiter(void **state) {
  Pair pair = {.broadcast = *state};
  const RtcTrack published = {.media = RTC_MEDIA_VIDEO,
                              .codec = RTC_CODEC_H264,
                              .payload_type = PUBLISHER_VP8,
                              .clock_rate = 90000,
                              .pli = true};
  RtcTrack played = published;
  played.ssrc = CONSUMER_VIDEO;
  pair.publisher = host_open_connected(pair.broadcast->host, NULL);
  pair.consumer = host_open_connected(pair.broadcast->host, NULL);
  assert_int_equal(broadcast_publish_as(pair.broadcast, "live", pair.publisher, &published, 1),
                   RTC_OK);
  assert_int_equal(broadcast_consume_as(pair.broadcast, "live", pair.consumer, &played, 1, NULL),
                   RTC_OK);
  send_h264(&pair, 1, "\x09\xf0", 2);     /* delimiter */
  send_h264(&pair, 1, "\x06\x05\x01", 3); /* SEI */
  send_h264(&pair, 1, "\x67\x42\xe0", 3); /* SPS */
  send_h264(&pair, 1, "\x68\xce", 2);     /* PPS */
  send_h264(&pair, 1, "\x65\x88", 2);     /* IDR slice, first_mb_in_slice 0 */
  send_h264(&pair, 2, "\x41\x9a", 2);     /* the next picture */
  for (int i = 0; i < 3; i++)
    assert_int_equal(broadcast_receive(pair.consumer, CONSUMER_VIDEO).timestamp, DELTA);
  assert_int_equal(broadcast_receive(pair.consumer, CONSUMER_VIDEO).timestamp, 2 * DELTA);
}

/* RTCP that is malformed or of nobody's type is counted; what is good in a compound is heard. */
static void bad_rtcp_is_counted(void **state) {
  const Pair pair = open_pair(*state);
  uint8_t packet[64];
  size_t len = rtcp_write_rr(packet, PUBLISHER_VIDEO);
  memcpy(packet + len, "\x80\xdf\0\1abcd", 8); /* type 223 */
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len + 8), PEER_OK);
  rtp_write16(packet + len + 2, 1000); /* beyond the end */
  packet[len + 1] = 204;
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len + 8), PEER_OK);
  host_await_drop(pair.publisher, RTC_DROP_RTCP, 2);
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len), PEER_OK);
  send_frame(&pair, 1, true);
  broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  host_await_drop(pair.publisher, RTC_DROP_RTCP, 2);
}

/* -- Keyframes -- */

/* Whoever asks, by PLI or FIR, for the SSRC that it is sent: the publisher hears a PLI for its own.
 */
static void requests_reach_the_publisher(void **state) {
  const Pair pair = open_pair(*state);
  PeerMedia media;
  size_t len;
  start_video(&pair);
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_true(broadcast_await_rtcp(pair.publisher, PSFB, PLI, &media, PEER_TIMEOUT_MS));
  assert_int_equal(media.data[1], RR); /* RFC 3550 section 6.1: a report begins a compound */
  const uint8_t *pli = broadcast_find_rtcp(&media, PSFB, PLI, &len);
  assert_int_equal(len, 12);
  assert_int_equal(rtp_read32(pli + 8), PUBLISHER_VIDEO);
  usleep(550 * 1000);
  consumer_sends_fir(&pair, CONSUMER_VIDEO);
  assert_true(publisher_hears(&pair, PSFB, PLI, PEER_TIMEOUT_MS));
}

/* A request for an SSRC that the receiver is not sent is passed over. */
static void requests_for_others_are_passed_over(void **state) {
  const Pair pair = open_pair(*state);
  start_video(&pair);
  consumer_sends_pli(&pair, PUBLISHER_VIDEO); /* of the other side */
  consumer_sends_fir(&pair, 0x12345678);
  assert_false(publisher_hears(&pair, PSFB, PLI, 150));
}

/* Any number of requests makes two a second at most, and one that came too early is not lost. */
static void requests_are_throttled(void **state) {
  const Pair pair = open_pair(*state);
  start_video(&pair);
  int64_t begin_ms = now_ms();
  int64_t heard = 0;
  for (uint32_t frame = 2; now_ms() - begin_ms < 1300; frame++) {
    consumer_sends_pli(&pair, CONSUMER_VIDEO);
    send_frame(&pair, frame, false);
    heard += publisher_hears(&pair, PSFB, PLI, 10);
  }
  assert_in_range(heard, 2, (now_ms() - begin_ms) / 500 + 1);
}

/* A request that had to wait goes out with a later packet, when its time has come. */
static void early_request_is_sent_later(void **state) {
  const Pair pair = open_pair(*state);
  start_video(&pair);
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_true(publisher_hears(&pair, PSFB, PLI, PEER_TIMEOUT_MS));
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_false(publisher_hears(&pair, PSFB, PLI, 50));
  usleep(550 * 1000);
  send_frame(&pair, 2, false);
  assert_true(publisher_hears(&pair, PSFB, PLI, PEER_TIMEOUT_MS));
}

/* A keyframe that comes while a request waits has answered it: no other one is asked for. */
static void keyframe_settles_a_waiting_request(void **state) {
  const Pair pair = open_pair(*state);
  start_video(&pair);
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_true(publisher_hears(&pair, PSFB, PLI, PEER_TIMEOUT_MS));
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_false(publisher_hears(&pair, PSFB, PLI, 50));
  send_frame(&pair, 2, true);
  broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  usleep(550 * 1000);
  send_frame(&pair, 3, false);
  assert_false(publisher_hears(&pair, PSFB, PLI, 150));
}

/* A publisher that did not agree to PLI gets none. */
static void no_pli_without_agreement(void **state) {
  Broadcast *broadcast = *state;
  RtcTrack track = broadcast_publisher_tracks[1];
  Pair pair = {.broadcast = broadcast};
  track.pli = false;
  pair.publisher = host_open_connected(broadcast->host, NULL);
  pair.consumer = host_open_connected(broadcast->host, NULL);
  assert_int_equal(broadcast_publish_as(broadcast, "live", pair.publisher, &track, 1), RTC_OK);
  assert_int_equal(broadcast_consume(broadcast, "live", pair.consumer, 0, NULL), RTC_OK);
  send_frame(&pair, 1, false);
  consumer_sends_pli(&pair, CONSUMER_VIDEO);
  assert_false(publisher_hears(&pair, PSFB, PLI, 150));
}

/* -- Reports -- */

/* Receiver reports tell of each track what came of it. */
static void receiver_reports_reach_the_publisher(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  PeerMedia media;
  size_t len;
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  broadcast->video_sequence = 65534; /* the extended highest sequence wraps */
  for (uint32_t i = 0; i < 10; i++) {
    broadcast_send_vp8(broadcast, publisher, i * DELTA, true, i == 0);
    broadcast_send_opus(broadcast, publisher, i * 960);
    if (i == 4)
      broadcast->audio_sequence++; /* one is lost */
  }
  usleep(1050 * 1000);
  broadcast_send_opus(broadcast, publisher, 960 * 10);
  do { /* the first one, of the first packet, tells of one track only */
    assert_true(broadcast_await_rtcp(publisher, RR, -1, &media, PEER_TIMEOUT_MS));
  } while ((media.data[0] & 0x1f) < 2);
  const uint8_t *rr = broadcast_find_rtcp(&media, RR, -1, &len);
  assert_int_equal(len, 8 + 2 * 24);
  assert_int_equal(rtp_read32(rr + 8), PUBLISHER_AUDIO);
  assert_int_equal(rtp_read32(rr + 12) & 0xffffff, 1);
  assert_int_equal(rtp_read32(rr + 16), 11);
  assert_int_equal(rtp_read32(rr + 32), PUBLISHER_VIDEO);
  assert_int_equal(rtp_read32(rr + 36) & 0xffffff, 0);
  assert_int_equal(rtp_read32(rr + 40), 65536 + 7);
  assert_true(rtcp_contains(media.data, media.len, 202, -1)); /* with a CNAME */
}

/* Transport-wide feedback tells of every packet, of both tracks, once. */
static void transport_feedback_reaches_the_publisher(void **state) {
  Broadcast *broadcast = *state;
  HostSession *publisher = host_open_connected(broadcast->host, NULL);
  size_t told = 0, len;
  assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
  for (uint32_t i = 0; i < 10; i++) {
    broadcast_send_vp8(broadcast, publisher, i * DELTA, true, i == 0);
    broadcast_send_opus(broadcast, publisher, i * 960);
  }
  usleep(60 * 1000);
  broadcast_send_opus(broadcast, publisher, 9600);
  while (told < 21) {
    PeerMedia media;
    TwccDecoded decoded;
    assert_true(broadcast_await_rtcp(publisher, RTPFB, TRANSPORT_CC, &media, PEER_TIMEOUT_MS));
    const uint8_t *feedback = broadcast_find_rtcp(&media, RTPFB, TRANSPORT_CC, &len);
    twcc_decode(feedback, len, &decoded);
    assert_int_equal(decoded.base, told);
    for (size_t i = 0; i < decoded.count; i++)
      assert_true(decoded.arrivals_us[i] >= 0);
    told += decoded.count;
  }
  assert_int_equal(told, 21);
}

/* Sender reports are passed on with the receiver's SSRC and what it was sent, and with the
 * publisher's clocks. */
static void sender_reports_are_passed_on(void **state) {
  const uint64_t ntp = UINT64_C(0x0123456789abcdef);
  const Pair pair = open_pair(*state);
  uint8_t packet[64];
  PeerMedia media;
  size_t len;
  send_frame(&pair, 1, true);
  send_frame(&pair, 2, false);
  broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  broadcast_receive(pair.consumer, CONSUMER_VIDEO);
  len = rtcp_write_sr(packet, PUBLISHER_AUDIO, ntp, 1); /* nothing of it was sent yet */
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len), PEER_OK);
  len = rtcp_write_sr(packet, 0x44444444, ntp, 1); /* nobody's */
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len), PEER_OK);
  len = rtcp_write_sr(packet, PUBLISHER_VIDEO, ntp, 2 * DELTA);
  assert_int_equal(peer_send_rtcp(pair.publisher->peer, packet, len), PEER_OK);
  assert_true(broadcast_await_rtcp(pair.consumer, 200, -1, &media, PEER_TIMEOUT_MS));
  const uint8_t *sr = broadcast_find_rtcp(&media, 200, -1, &len);
  assert_int_equal(rtp_read32(sr + 4), CONSUMER_VIDEO);
  assert_int_equal(rtp_read32(sr + 8), 0x01234567);
  assert_int_equal(rtp_read32(sr + 12), 0x89abcdef);
  assert_int_equal(rtp_read32(sr + 16), 2 * DELTA);
  assert_int_equal(rtp_read32(sr + 20), 2);
  assert_int_equal(rtp_read32(sr + 24), 400);
  assert_true(rtcp_contains(media.data, media.len, 202, -1));
  assert_false(broadcast_await_rtcp(pair.consumer, 200, -1, NULL, 100));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, broadcast_setup, broadcast_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(strangers_are_counted_drops),
      TEST(padding_ends_here),
      TEST(h264_keyframe_may_begin_with_a_delimiter),
      TEST(bad_rtcp_is_counted),
      TEST(requests_reach_the_publisher),
      TEST(requests_for_others_are_passed_over),
      TEST(requests_are_throttled),
      TEST(early_request_is_sent_later),
      TEST(keyframe_settles_a_waiting_request),
      TEST(no_pli_without_agreement),
      TEST(receiver_reports_reach_the_publisher),
      TEST(transport_feedback_reaches_the_publisher),
      TEST(sender_reports_are_passed_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
