/* The media that a Connection has to send: its order, what is dropped and what is kept, and what a
 * receiver sees of it. What goes out is opened with the receiver's keys, as the receiver would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/rtp.h"
#include "transport/send_queue.h"

#include <stdlib.h>
#include <string.h>

#define CAP       ((size_t)64 * 1024)
#define SENT_MAX  4096
#define AUDIO_TAG 0x0a000000u /* what tells audio from video in a packet's timestamp */

#define START RTC_SEND_FRAME_START
#define KEY   RTC_SEND_KEYFRAME

/* A packet as the receiver has it. */
typedef struct Sent {
  bool rtcp;
  RtpHeader header; /* RTP only */
  uint8_t flags;    /* octet 0: version, padding, extension, CSRC count */
  size_t len;
  uint32_t tag; /* the number that the packet was pushed with */
} Sent;

typedef struct Bench {
  RtcSendQueue queue;
  RtcSrtp *sender, *receiver; /* owned */
  RtcBlockPool pool;
  RtcConnectionStats stats;         /* its counters of drops, and the greatest age */
  RtcStream *audio, *video, *other; /* borrowed; other: a second video stream, on demand */
  unsigned wanted;                  /* calls of on_keyframe_wanted */
  void (*on_wanted)(struct Bench *bench);
  int64_t now_us;
  size_t payload_len; /* of what is pushed */
  Sent sent[SENT_MAX];
  size_t sent_count;
} Bench;

static void keyframe_wanted(void *arg) {
  Bench *bench = arg;
  bench->wanted++;
  if (bench->on_wanted)
    bench->on_wanted(bench);
}

static RtcStream *add_stream(Bench *bench, RtcMedia media, uint32_t ssrc, uint8_t payload_type) {
  const RtcStreamConfig config = {.media = media,
                                  .ssrc = ssrc,
                                  .payload_type = payload_type,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = keyframe_wanted,
                                  .arg = bench};
  RtcStream *stream;
  assert_int_equal(rtc_send_queue_add_stream(&bench->queue, &config, &stream), RTC_OK);
  return stream;
}

static void make_srtp(Bench *bench) {
  RtcSrtpKeys keys = {.profile = RTC_SRTP_PROFILE_AEAD_AES_128_GCM, .len = 28}, other;
  for (size_t i = 0; i < keys.len; i++) {
    keys.send[i] = (uint8_t)(3 + 7 * i);
    keys.receive[i] = (uint8_t)(5 + 11 * i);
  }
  other = keys;
  memcpy(other.send, keys.receive, sizeof other.send);
  memcpy(other.receive, keys.send, sizeof other.receive);
  assert_int_equal(rtc_srtp_new(&bench->sender, &keys), RTC_OK);
  assert_int_equal(rtc_srtp_new(&bench->receiver, &other), RTC_OK);
}

static int setup_with(void **state, const RtcSendLimits *limits) {
  Bench *bench = calloc(1, sizeof *bench);
  if (!bench)
    return -1;
  bench->now_us = 1000 * RTC_US_PER_S;
  bench->payload_len = 100;
  rtc_block_pool_init(&bench->pool, NULL, NULL);
  rtc_send_queue_init(&bench->queue, limits, &bench->pool, &bench->stats);
  make_srtp(bench);
  bench->audio = add_stream(bench, RTC_MEDIA_AUDIO, 0xaaaa0001, 111);
  bench->video = add_stream(bench, RTC_MEDIA_VIDEO, 0xbbbb0002, 96);
  *state = bench;
  return 0;
}

static int setup(void **state) {
  return setup_with(state, &rtc_send_limits_default);
}

/* Nothing is held when all has gone: no ring, no octet. */
static void assert_empty(const Bench *bench) {
  assert_true(rtc_send_queue_empty(&bench->queue));
  assert_int_equal(bench->queue.octets, 0);
  for (int i = 0; i < RTC_SEND_CLASSES; i++)
    assert_null(bench->queue.rings[i].entries);
  assert_int_equal(bench->pool.lent_octets, 0);
}

static int teardown(void **state) {
  Bench *bench = *state;
  rtc_send_queue_finish(&bench->queue);
  rtc_send_queue_finish(&bench->queue);
  assert_empty(bench);
  assert_null(bench->queue.streams);
  rtc_block_pool_finish(&bench->pool);
  rtc_srtp_destroy(bench->sender);
  rtc_srtp_destroy(bench->receiver);
  free(bench);
  return 0;
}

/* -- In -- */

static void pass_ms(Bench *bench, int64_t ms) {
  bench->now_us += ms * RTC_US_PER_MS;
}

/* A packet whose timestamp is its tag, with a header extension that must not get through. */
static RtcPacket *rtp(const Bench *bench, uint32_t tag) {
  uint8_t data[2048] = {0x90, 77};
  rtp_write16(data + 2, 4711);
  rtp_write32(data + 4, tag);
  rtp_write32(data + 8, 0xdeadbeef);
  memcpy(data + 12, "\xbe\xde\0\1\x10\xff\0\0", 8);
  assert_true(20 + bench->payload_len <= sizeof data);
  memset(data + 20, (int)tag, bench->payload_len);
  RtcPacket *packet;
  assert_int_equal(rtc_packet_new(&packet, data, 20 + bench->payload_len), RTC_OK);
  return packet;
}

static void push_to(Bench *bench, RtcStream *stream, uint32_t tag, unsigned flags) {
  RtcPacket *packet = rtp(bench, tag);
  assert_int_equal(rtc_send_queue_rtp(&bench->queue, stream, packet, flags, 0, bench->now_us),
                   RTC_OK);
  rtc_packet_unref(&packet);
}

static void push_audio(Bench *bench, uint32_t number) {
  push_to(bench, bench->audio, AUDIO_TAG + number, 0);
}

static void push_video(Bench *bench, uint32_t tag, unsigned flags) {
  push_to(bench, bench->video, tag, flags);
}

/* A frame of so many packets: tag, tag + 1, ... */
static void push_frame(Bench *bench, uint32_t tag, unsigned packets, bool keyframe) {
  for (unsigned i = 0; i < packets; i++)
    push_video(bench, tag + i, (keyframe ? KEY : 0u) | (i == 0 ? START : 0u));
}

static void push_rtcp(Bench *bench, uint32_t tag) {
  uint8_t data[64];
  RtcPacket *packet;
  assert_int_equal(rtc_packet_new(&packet, data, rtcp_write_rr(data, tag)), RTC_OK);
  assert_int_equal(rtc_send_queue_rtcp(&bench->queue, packet, bench->now_us), RTC_OK);
  rtc_packet_unref(&packet);
}

/* -- Out -- */

static void open_one(Bench *bench, uint8_t *packet, size_t len) {
  assert_true(bench->sent_count < SENT_MAX);
  Sent *sent = &bench->sent[bench->sent_count++];
  sent->rtcp = packet[1] >= 192 && packet[1] <= 223;
  RtcError error = sent->rtcp ? rtc_srtp_unprotect_rtcp(bench->receiver, packet, &len)
                              : rtc_srtp_unprotect(bench->receiver, packet, &len);
  assert_int_equal(error, RTC_OK);
  sent->len = len;
  sent->flags = packet[0];
  if (sent->rtcp) {
    sent->tag = rtp_read32(packet + 4);
    return;
  }
  assert_true(rtp_read(packet, len, &sent->header));
  sent->tag = sent->header.timestamp;
}

/* Fills once; returns the packets that went out, which are added to sent. */
static size_t fill(Bench *bench, size_t cap) {
  uint8_t *out = malloc(cap ? cap : 1);
  RtcSendFill filled;
  size_t before = bench->sent_count, at = 0, octets = 0;
  assert_non_null(out);
  rtc_send_queue_fill(&bench->queue, bench->sender, bench->now_us, out, cap, &filled);
  assert_true(filled.len <= cap);
  while (at < filled.len) {
    size_t len = rtp_read16(out + at);
    assert_true(at + 2 + len <= filled.len);
    octets += len;
    open_one(bench, out + at + 2, len);
    at += 2 + len;
  }
  free(out);
  assert_int_equal(filled.packets, bench->sent_count - before);
  assert_int_equal(filled.octets, octets);
  return bench->sent_count - before;
}

/* Lets one packet of the head of the queue out, as a full socket does. */
static void fill_one(Bench *bench) {
  size_t one = 2 + 20 + bench->payload_len + RTC_SRTP_OVERHEAD_MAX;
  assert_int_equal(fill(bench, one), 1);
}

static void assert_sent(const Bench *bench, const uint32_t *tags, size_t count) {
  for (size_t i = 0; i < count && i < bench->sent_count; i++)
    if (bench->sent[i].tag != tags[i])
      fail_msg("packet %zu is %x, not %x", i, bench->sent[i].tag, tags[i]);
  assert_int_equal(bench->sent_count, count);
}
#define ASSERT_SENT(bench, ...)                                                                    \
  assert_sent((bench), (const uint32_t[]){__VA_ARGS__},                                            \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* What went out of one SSRC is numbered without a gap. */
static void assert_no_gap(const Bench *bench, uint32_t ssrc) {
  const Sent *last = NULL;
  for (size_t i = 0; i < bench->sent_count; i++) {
    const Sent *sent = &bench->sent[i];
    if (sent->rtcp || sent->header.ssrc != ssrc)
      continue;
    if (last)
      assert_int_equal(sent->header.sequence, (uint16_t)(last->header.sequence + 1));
    last = sent;
  }
}

static void assert_drops(const Bench *bench, RtcDrop drop, uint64_t count) {
  if (bench->stats.drops[drop] != count)
    fail_msg("%llu drops of %s, not %llu", (unsigned long long)bench->stats.drops[drop],
             rtc_drop_name(drop), (unsigned long long)count);
}

/* -- What a receiver sees -- */

/* RTCP goes first, then audio, then video, each in its own order. */
static void classes_go_out_in_their_order(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  push_audio(bench, 1);
  push_rtcp(bench, 100);
  push_audio(bench, 2);
  push_rtcp(bench, 101);
  push_frame(bench, 3, 1, false);
  fill(bench, CAP);
  ASSERT_SENT(bench, 100, 101, AUDIO_TAG + 1, AUDIO_TAG + 2, 1, 2, 3);
  assert_empty(bench);
}

/* SSRC, payload type and timestamp are the stream's; the extension is gone, the payload is not. */
static void header_is_rewritten(void **state) {
  Bench *bench = *state;
  RtcPacket *packet = rtp(bench, 5000);
  for (uint32_t offset = 0; offset < 2; offset++)
    assert_int_equal(rtc_send_queue_rtp(&bench->queue, bench->audio, packet, 0, 0u - offset * 6000,
                                        bench->now_us),
                     RTC_OK);
  rtc_packet_unref(&packet);
  fill(bench, CAP);
  assert_int_equal(bench->sent_count, 2);
  for (size_t i = 0; i < 2; i++) {
    const Sent *sent = &bench->sent[i];
    assert_int_equal(sent->header.ssrc, 0xaaaa0001);
    assert_int_equal(sent->header.payload_type, 111);
    assert_int_equal(sent->flags, 0x80);
    assert_int_equal(sent->len, RTP_HEADER_LEN + bench->payload_len);
  }
  assert_int_equal(bench->sent[0].header.timestamp, 5000);
  assert_int_equal(bench->sent[1].header.timestamp, 5000u - 6000u);
  assert_no_gap(bench, 0xaaaa0001);
  assert_int_equal(bench->audio->packets, 2);
  assert_int_equal(bench->audio->octets, 2 * bench->payload_len);
}

/* A packet goes out once, whole, in the first chunk that has room for it. */
static void chunks_hold_whole_packets(void **state) {
  Bench *bench = *state;
  size_t need = 2 + 20 + bench->payload_len + RTC_SRTP_OVERHEAD_MAX;
  push_audio(bench, 1);
  push_audio(bench, 2);
  assert_int_equal(fill(bench, 0), 0);
  assert_int_equal(fill(bench, need - 1), 0);
  assert_int_equal(fill(bench, need), 1);
  assert_int_equal(fill(bench, need), 1);
  assert_int_equal(fill(bench, need), 0);
  ASSERT_SENT(bench, AUDIO_TAG + 1, AUDIO_TAG + 2);
  assert_int_equal(bench->stats.drops[RTC_DROP_SRTP_MALFORMED], 0);
}

/* Sequence numbers begin below 2^15, and wrap with the rest of SRTP. */
static void sequence_numbers_wrap(void **state) {
  Bench *bench = *state;
  assert_true(bench->audio->next_sequence < 0x8000);
  bench->audio->next_sequence = 65530;
  for (uint32_t i = 0; i < 20; i++)
    push_audio(bench, i);
  fill(bench, CAP);
  assert_int_equal(bench->sent_count, 20);
  assert_no_gap(bench, 0xaaaa0001);
}

/* What is no RTP, or fits no frame, is refused before it is queued. */
static void malformed_packets_are_refused(void **state) {
  static const size_t lens[] = {0, 11, 65535 - 2 - RTC_SRTP_OVERHEAD_MAX + 1};
  Bench *bench = *state;
  uint8_t *data = calloc(1, 65535);
  assert_non_null(data);
  data[0] = 0x80;
  for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
    RtcPacket *packet;
    assert_int_equal(rtc_packet_new(&packet, data, lens[i]), RTC_OK);
    assert_int_equal(rtc_send_queue_rtp(&bench->queue, bench->audio, packet, 0, 0, bench->now_us),
                     RTC_ERROR_PROTO);
    rtc_packet_unref(&packet);
    assert_empty(bench);
  }
  free(data);
}

/* -- Video by whole frames -- */

/* Nothing goes before the first keyframe, which is asked for with each packet that is dropped. */
static void video_begins_with_a_keyframe(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, false);
  push_video(bench, 3, KEY); /* a keyframe whose first packet never came */
  assert_int_equal(bench->wanted, 3);
  push_frame(bench, 10, 2, true);
  push_frame(bench, 12, 1, false);
  assert_int_equal(bench->wanted, 3);
  fill(bench, CAP);
  ASSERT_SENT(bench, 10, 11, 12);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 3);
}

/* Late video goes as a whole, a keyframe is asked for, and only that opens the stream again. */
static void late_video_is_dropped_up_to_a_keyframe(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  fill(bench, CAP);
  push_frame(bench, 10, 2, false);
  pass_ms(bench, 400);
  push_frame(bench, 20, 1, false);
  pass_ms(bench, 101); /* the first is 501 ms old */
  assert_int_equal(fill(bench, CAP), 0);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 3);
  assert_int_equal(bench->wanted, 1);
  push_frame(bench, 30, 1, false);
  assert_int_equal(bench->wanted, 2);
  push_frame(bench, 40, 2, true);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 2, 40, 41);
  assert_no_gap(bench, 0xbbbb0002);
  assert_empty(bench);
}

/* Exactly as old as allowed is not late; one microsecond more is. */
static void age_limits_are_exact(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 1, true);
  push_audio(bench, 1);
  bench->now_us += 500 * RTC_US_PER_MS;
  assert_int_equal(fill(bench, CAP), 2);
  push_frame(bench, 2, 1, false);
  push_audio(bench, 2);
  bench->now_us += 500 * RTC_US_PER_MS + 1;
  assert_int_equal(fill(bench, CAP), 1);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 1);
  push_audio(bench, 3);
  bench->now_us += 1000 * RTC_US_PER_MS;
  assert_int_equal(fill(bench, CAP), 1);
  push_audio(bench, 4);
  bench->now_us += 1000 * RTC_US_PER_MS + 1;
  assert_int_equal(fill(bench, CAP), 0);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 2);
}

/* A frame that has begun is finished, however late; what comes after it is dropped whole. */
static void begun_frame_is_finished(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 3, true);
  fill_one(bench);
  push_frame(bench, 10, 2, false);
  pass_ms(bench, 501);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 2, 3);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 2);
  assert_int_equal(bench->wanted, 1);
  assert_no_gap(bench, 0xbbbb0002);
}

/* The rest of a begun frame that comes after the drop goes out too: a frame is never cut. */
static void rest_of_a_begun_frame_still_comes(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  fill_one(bench);
  pass_ms(bench, 501);
  push_video(bench, 3, KEY);
  push_video(bench, 4, KEY);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 2, 3, 4);
  assert_int_equal(bench->wanted, 0);
}

/* A fresh keyframe that waits behind late frames is kept, with all that follows it. */
static void fresh_keyframe_is_kept(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 1, true);
  fill(bench, CAP);
  push_frame(bench, 10, 2, false);
  pass_ms(bench, 300);
  push_frame(bench, 20, 2, true);
  push_frame(bench, 30, 1, false);
  pass_ms(bench, 201);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 20, 21, 30);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 2);
  assert_int_equal(bench->wanted, 0);
  assert_no_gap(bench, 0xbbbb0002);
}

/* Of two fresh keyframes the newer is where it goes on. */
static void newest_fresh_keyframe_is_where_it_goes_on(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 1, true);
  pass_ms(bench, 300);
  push_frame(bench, 10, 1, true);
  push_frame(bench, 20, 1, false);
  push_frame(bench, 30, 1, true);
  pass_ms(bench, 201);
  fill(bench, CAP);
  ASSERT_SENT(bench, 30);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 3);
}

/* A keyframe that is late itself is of no use either. */
static void late_keyframe_is_not_kept(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  pass_ms(bench, 501);
  push_frame(bench, 10, 1, false);
  assert_int_equal(fill(bench, CAP), 0);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 2);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
}

/* -- Audio -- */

/* Audio goes oldest first, one packet at a time, and awaits nothing. */
static void late_audio_is_dropped_oldest_first(void **state) {
  Bench *bench = *state;
  for (uint32_t i = 0; i < 10; i++) {
    push_audio(bench, i);
    pass_ms(bench, 200);
  }
  fill(bench, CAP);
  ASSERT_SENT(bench, AUDIO_TAG + 5, AUDIO_TAG + 6, AUDIO_TAG + 7, AUDIO_TAG + 8, AUDIO_TAG + 9);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 5);
  assert_int_equal(bench->wanted, 0);
  assert_no_gap(bench, 0xaaaa0001);
}

/* -- The octet limit -- */

static const RtcSendLimits tight = {
    .video_age_us = 500 * RTC_US_PER_MS, .audio_age_us = 1000 * RTC_US_PER_MS, .octets = 2000};

static int setup_tight(void **state) {
  return setup_with(state, &tight);
}

/* Video that does not fit goes as a whole; its own packet too, since its frame is not whole. */
static void full_queue_drops_video_whole(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 10, true); /* 184 octets each: 1,840 */
  assert_int_equal(bench->wanted, 0);
  push_video(bench, 11, KEY);
  assert_true(bench->queue.octets <= tight.octets);
  assert_int_equal(bench->wanted, 1);
  assert_int_equal(fill(bench, CAP), 0);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 10);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
  push_frame(bench, 20, 2, true);
  assert_int_equal(fill(bench, CAP), 2);
}

/* A keyframe that comes to a full queue takes the place of the frames before it. */
static void keyframe_displaces_what_was_before_it(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 10, true);
  push_frame(bench, 50, 3, true);
  fill(bench, CAP);
  ASSERT_SENT(bench, 50, 51, 52);
}

/* Audio takes video's place, then the oldest audio's; video never takes audio's. */
static void audio_displaces_video_first(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 5, true);
  for (uint32_t i = 0; i < 5; i++)
    push_audio(bench, i);
  push_audio(bench, 5);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 5);
  for (uint32_t i = 6; i < 12; i++)
    push_audio(bench, i);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 5 + 2);
  push_frame(bench, 50, 1, true);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 5 + 2 + 1);
  fill(bench, CAP);
  assert_int_equal(bench->sent_count, 10);
  for (uint32_t i = 0; i < 10; i++)
    assert_int_equal(bench->sent[i].tag, AUDIO_TAG + 2 + i);
  assert_no_gap(bench, 0xaaaa0001);
}

/* RTCP is bounded by the same limit, and displaces media. */
static void rtcp_is_bounded_too(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 5, true);
  push_audio(bench, 1);
  for (uint32_t i = 0; i < 100; i++)
    push_rtcp(bench, i);
  assert_true(bench->queue.octets <= tight.octets);
  size_t kept = tight.octets / (8 + 64);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 6 + 100 - kept);
  assert_int_equal(fill(bench, CAP), kept);
  assert_int_equal(bench->sent[0].tag, 0);
}

/* Each packet costs its entry too: packets of next to nothing can't take memory without bound. */
static void tiny_packets_are_bounded(void **state) {
  Bench *bench = *state;
  bench->payload_len = 0;
  for (uint32_t i = 0; i < 10000; i++)
    push_audio(bench, i);
  assert_true(bench->queue.rings[RTC_SEND_CLASS_AUDIO].count <= tight.octets / 64);
  assert_true(bench->queue.rings[RTC_SEND_CLASS_AUDIO].count > 10);
  fill(bench, CAP);
  assert_int_equal(bench->sent[bench->sent_count - 1].tag, AUDIO_TAG + 9999);
}

/* A begun frame stays whole in a full queue as well; what follows makes room. */
static void begun_frame_is_finished_in_a_full_queue(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 4, true);
  fill_one(bench);
  push_frame(bench, 10, 7, false);
  push_audio(bench, 1);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, AUDIO_TAG + 1, 2, 3, 4);
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 7);
  assert_int_equal(bench->wanted, 1);
}

/* A keyframe that the queue has no room for is dropped whole, not cut. */
static void keyframe_without_room_is_not_cut(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  fill_one(bench);
  for (uint32_t i = 0; i < 5; i++)
    push_audio(bench, i);
  push_frame(bench, 10, 6, true);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, AUDIO_TAG, AUDIO_TAG + 1, AUDIO_TAG + 2, AUDIO_TAG + 3, AUDIO_TAG + 4, 2);
  assert_true(bench->wanted > 0);
}

/* What is of no use itself drops nothing of what is. */
static void useless_packet_makes_no_room(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_frame(bench, 1, 10, true);
  push_to(bench, bench->other, 900, START); /* this stream awaits its keyframe */
  assert_drops(bench, RTC_DROP_QUEUE_FULL, 0);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
  assert_int_equal(fill(bench, CAP), 10);
}

/* -- Streams -- */

/* Each stream of one kind is dropped and numbered for itself: another's keyframe is its own. */
static void streams_are_told_apart(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_video(bench, 1, START | KEY);
  push_to(bench, bench->other, 901, START | KEY);
  fill(bench, CAP);
  push_video(bench, 2, START);
  push_to(bench, bench->other, 902, START);
  pass_ms(bench, 300);
  push_to(bench, bench->other, 903, START | KEY);
  push_video(bench, 3, START);
  pass_ms(bench, 201);
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 901, 903);
  assert_no_gap(bench, 0xbbbb0002);
  assert_no_gap(bench, 0xcccc0003);
  assert_int_equal(bench->sent[1].header.payload_type, 97);
  assert_true(bench->video->awaits_keyframe);
  assert_false(bench->other->awaits_keyframe);
}

/* An SSRC is taken once; there is an end to the number of streams; a removed one makes room. */
static void streams_are_limited(void **state) {
  Bench *bench = *state;
  RtcStream *stream = NULL;
  const RtcStreamConfig taken = {.ssrc = 0xaaaa0001};
  assert_int_equal(rtc_send_queue_add_stream(&bench->queue, &taken, &stream), RTC_ERROR_EXISTS);
  for (uint32_t i = 2; i < RTC_SEND_STREAMS_MAX; i++)
    add_stream(bench, RTC_MEDIA_AUDIO, i, 1);
  const RtcStreamConfig surplus = {.ssrc = 5000};
  assert_int_equal(rtc_send_queue_add_stream(&bench->queue, &surplus, &stream), RTC_ERROR_LIMIT);
  assert_null(stream);
  rtc_send_queue_remove_stream(&bench->queue, bench->audio);
  add_stream(bench, RTC_MEDIA_AUDIO, surplus.ssrc, 1);
}

/* With the same keys an SSRC must not begin anew, so a removed one is never taken again. */
static void removed_ssrc_is_not_used_again(void **state) {
  Bench *bench = *state;
  RtcStream *stream = NULL;
  const RtcStreamConfig again = {.ssrc = 0xaaaa0001};
  push_audio(bench, 1);
  fill(bench, CAP);
  rtc_send_queue_remove_stream(&bench->queue, bench->audio);
  assert_int_equal(rtc_send_queue_add_stream(&bench->queue, &again, &stream), RTC_ERROR_EXISTS);
  assert_null(stream);
}

/* The SSRCs that are remembered are bounded: then no stream can be added any more. */
static void removed_ssrcs_are_limited(void **state) {
  Bench *bench = *state;
  uint8_t out[2048];
  RtcSendFill filled;
  RtcStream *stream = NULL;
  for (uint32_t i = 2; i < RTC_SEND_RETIRED_MAX; i++) { /* the bench has two streams */
    stream = add_stream(bench, RTC_MEDIA_AUDIO, i, 1);
    push_to(bench, stream, 901, 0);
    rtc_send_queue_fill(&bench->queue, bench->sender, bench->now_us, out, sizeof out, &filled);
    assert_int_equal(filled.packets, 1);
    rtc_send_queue_remove_stream(&bench->queue, stream);
  }
  const RtcStreamConfig surplus = {.ssrc = 5000};
  assert_int_equal(rtc_send_queue_add_stream(&bench->queue, &surplus, &stream), RTC_ERROR_LIMIT);
}

/* A stream goes with what it has queued; the others' packets stay. */
static void removed_stream_takes_its_packets_along(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_frame(bench, 1, 3, true);
  push_audio(bench, 1);
  push_to(bench, bench->other, 901, START | KEY);
  push_rtcp(bench, 100);
  rtc_send_queue_remove_stream(&bench->queue, bench->video);
  assert_drops(bench, RTC_DROP_NOT_CONNECTED, 3);
  rtc_send_queue_remove_stream(&bench->queue, bench->audio);
  assert_drops(bench, RTC_DROP_NOT_CONNECTED, 4);
  fill(bench, CAP);
  ASSERT_SENT(bench, 100, 901);
  assert_empty(bench);
}

static void remove_the_video(Bench *bench) {
  if (bench->video)
    rtc_send_queue_remove_stream(&bench->queue, bench->video);
  bench->video = NULL;
}

static void report(Bench *bench) {
  push_rtcp(bench, 500);
}

/* on_keyframe_wanted may remove its stream, from a push and from a fill. */
static void callback_removes_its_stream(void **state) {
  Bench *bench = *state;
  bench->on_wanted = remove_the_video;
  push_video(bench, 1, START);
  assert_null(bench->video);
  bench->video = add_stream(bench, RTC_MEDIA_VIDEO, 0xbbbb0004, 96);
  push_frame(bench, 1, 2, true);
  pass_ms(bench, 501);
  fill(bench, CAP);
  assert_null(bench->video);
  assert_int_equal(bench->wanted, 2);
  assert_empty(bench);
}

/* on_keyframe_wanted may send RTCP, as one that asks a publisher on the same Connection does. */
static void callback_sends_rtcp(void **state) {
  Bench *bench = *state;
  bench->on_wanted = report;
  push_frame(bench, 1, 1, true);
  pass_ms(bench, 501);
  assert_int_equal(fill(bench, CAP), 0);
  fill(bench, CAP);
  ASSERT_SENT(bench, 500);
}

/* Each of several streams is asked for, once an event. */
static void every_stream_is_asked_for(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_video(bench, 1, START | KEY);
  push_to(bench, bench->other, 901, START | KEY);
  pass_ms(bench, 501);
  fill(bench, CAP);
  assert_int_equal(bench->wanted, 2);
}

/* What is late of one stream is its own loss: another's frames still go out, and nothing more is
 * asked of its publisher. */
static void late_stream_costs_no_other(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_video(bench, 1, START | KEY);
  push_to(bench, bench->other, 901, START | KEY);
  fill(bench, CAP);
  push_video(bench, 2, START);
  pass_ms(bench, 300);
  push_to(bench, bench->other, 902, START);
  push_to(bench, bench->other, 903, START);
  pass_ms(bench, 201); /* the first one's frame is late, the other's are not */
  fill(bench, CAP);
  ASSERT_SENT(bench, 1, 901, 902, 903);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 1);
  assert_int_equal(bench->wanted, 1);
  assert_true(bench->video->awaits_keyframe);
  assert_false(bench->other->awaits_keyframe);
}

/* While the socket takes nothing nobody is asked for a keyframe, which would be late too; as soon
 * as it does again, once. */
static void held_queue_asks_when_it_goes_on(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 1, true);
  fill(bench, CAP);
  bench->queue.is_held = true;
  for (uint32_t i = 0; i < 100; i++) {
    push_frame(bench, 10 * i + 10, 2, false);
    pass_ms(bench, 33);
  }
  assert_int_equal(bench->wanted, 0);
  assert_int_equal(fill(bench, CAP), 0);
  assert_int_equal(bench->wanted, 1);
}

/* -- Counters -- */

static void assert_frames_dropped(const Bench *bench, RtcDrop drop, uint64_t count) {
  if (bench->stats.frames_dropped[drop] != count)
    fail_msg("%llu frames of %s, not %llu", (unsigned long long)bench->stats.frames_dropped[drop],
             rtc_drop_name(drop), (unsigned long long)count);
}

/* A frame is counted once, by the cause of its first packet's drop, in whatever parts it goes. */
static void dropped_frames_are_counted_once(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 3, true);
  push_frame(bench, 10, 4, false);
  pass_ms(bench, 501);
  push_video(bench, 14, 0); /* the second frame's rest comes when the frame is gone */
  push_video(bench, 15, 0);
  assert_drops(bench, RTC_DROP_QUEUE_LATE, 7);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 2);
  assert_frames_dropped(bench, RTC_DROP_QUEUE_LATE, 2);
  assert_frames_dropped(bench, RTC_DROP_AWAIT_KEYFRAME, 0);
  push_frame(bench, 20, 5, false);
  assert_frames_dropped(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
  push_frame(bench, 30, 2, true);
  rtc_send_queue_refuse(&bench->queue, bench->video, START, RTC_DROP_NOT_CONNECTED);
  rtc_send_queue_refuse(&bench->queue, bench->video, 0, RTC_DROP_NOT_CONNECTED);
  assert_frames_dropped(bench, RTC_DROP_NOT_CONNECTED, 1);
  fill(bench, CAP);
  ASSERT_SENT(bench, 30, 31);
  push_audio(bench, 1);
  push_rtcp(bench, 2);
  rtc_send_queue_clear(&bench->queue);
  assert_drops(bench, RTC_DROP_NOT_CONNECTED, 4);
  assert_frames_dropped(bench, RTC_DROP_NOT_CONNECTED, 1); /* frames are video's */
}

/* A frame that is cut where it has begun is one that did not go out whole, once. */
static void cut_frames_are_counted_once(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 3, true);
  fill_one(bench);
  push_frame(bench, 10, 2, false);
  rtc_send_queue_cut(&bench->queue);
  assert_frames_dropped(bench, RTC_DROP_AWAIT_KEYFRAME, 2);
  push_video(bench, 12, 0);
  rtc_send_queue_clear(&bench->queue);
  assert_frames_dropped(bench, RTC_DROP_AWAIT_KEYFRAME, 2);
  assert_frames_dropped(bench, RTC_DROP_NOT_CONNECTED, 0);
}

/* Numbers of frames wrap; a count does not suffer, wherever it stands. */
static void frame_numbers_wrap(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 1, false);
  assert_frames_dropped(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
  push_frame(bench, 2, 1, true);
  fill(bench, CAP);
  bench->video->frame = 65535; /* as after so many frames that went out */
  push_frame(bench, 3, 2, false);
  push_frame(bench, 4, 2, false); /* as the first one's number was */
  push_frame(bench, 6, 2, false);
  pass_ms(bench, 501);
  assert_int_equal(fill(bench, CAP), 0);
  assert_frames_dropped(bench, RTC_DROP_QUEUE_LATE, 3);
}

/* The age is that of the oldest packet, whatever it is, and the greatest is kept. */
static void ages_are_told(void **state) {
  Bench *bench = *state;
  assert_int_equal(rtc_send_queue_age(&bench->queue, bench->now_us), 0);
  push_frame(bench, 1, 1, true);
  pass_ms(bench, 100);
  push_audio(bench, 1);
  pass_ms(bench, 20);
  assert_int_equal(rtc_send_queue_age(&bench->queue, bench->now_us), 120 * RTC_US_PER_MS);
  fill(bench, CAP);
  assert_int_equal(rtc_send_queue_age(&bench->queue, bench->now_us), 0);
  assert_int_equal(bench->stats.queue_age_max_us, 120 * RTC_US_PER_MS);
  push_audio(bench, 2);
  pass_ms(bench, 1500);
  push_audio(bench, 3); /* drops the one before it, which had become older than any */
  assert_int_equal(bench->stats.queue_age_max_us, 1500 * RTC_US_PER_MS);
  fill(bench, CAP);
  assert_int_equal(bench->stats.queue_age_max_us, 1500 * RTC_US_PER_MS);
}

/* One packet for many receivers: what is noted in it holds for each, with CSRCs and padding too. */
static void noted_layout_serves_every_receiver(void **state) {
  static const uint8_t data[] = {0xb1, 77,   0,   1, 0,    0, 0, 9,
                                 1,    2,    3,   4, 9,    9, 9, 9, /* CSRC */
                                 0xbe, 0xde, 0,   1, 0x10, 1, 0, 0, /* extension */
                                 'a',  'b',  'c', 0, 0,    3 /* padding */};
  Bench *bench = *state;
  RtcPacket *packet;
  assert_int_equal(rtc_packet_new(&packet, data, sizeof data), RTC_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(rtc_send_queue_rtp(&bench->queue, bench->audio, packet, 0, 0, bench->now_us),
                     RTC_OK);
    assert_int_equal(fill(bench, CAP), 1);
    assert_int_equal(bench->sent[i].len, RTP_HEADER_LEN + 4 + 3);
    assert_int_equal(bench->sent[i].flags, 0x81);
    assert_int_equal(bench->sent[i].tag, 9);
  }
  assert_int_equal(bench->audio->octets, 9);
  rtc_packet_unref(&packet);
}

/* -- Cut -- */

/* What went out may not arrive: its frame's rest is of no use, nor what builds on it. Audio and
 * RTCP stay, and the keyframe is asked for with the next fill, of each video stream. */
static void cut_queue_awaits_a_keyframe(void **state) {
  Bench *bench = *state;
  bench->other = add_stream(bench, RTC_MEDIA_VIDEO, 0xcccc0003, 97);
  push_frame(bench, 1, 3, true);
  fill_one(bench);
  push_frame(bench, 10, 2, false);
  push_audio(bench, 2);
  push_rtcp(bench, 100);
  rtc_send_queue_cut(&bench->queue);
  assert_int_equal(bench->wanted, 0);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 4);
  bench->sent_count = 0;
  fill(bench, CAP);
  ASSERT_SENT(bench, 100, AUDIO_TAG + 2);
  assert_int_equal(bench->wanted, 2);
  push_video(bench, 12, START);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 5);
  push_frame(bench, 20, 1, true);
  bench->sent_count = 0;
  fill(bench, CAP);
  ASSERT_SENT(bench, 20);
}

/* Where a keyframe waits it is kept, with what follows it, however old: nothing need be asked for.
 */
static void cut_queue_keeps_the_keyframe_that_waits(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  fill_one(bench);
  push_frame(bench, 10, 2, true);
  push_frame(bench, 20, 1, false);
  rtc_send_queue_cut(&bench->queue);
  bench->sent_count = 0;
  fill(bench, CAP);
  ASSERT_SENT(bench, 10, 11, 20);
  assert_int_equal(bench->wanted, 0);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
}

/* -- Clear -- */

/* All goes, and video begins again with a keyframe, but its numbers go on. */
static void cleared_queue_begins_with_a_keyframe(void **state) {
  Bench *bench = *state;
  push_frame(bench, 1, 2, true);
  push_audio(bench, 1);
  fill(bench, CAP);
  push_frame(bench, 10, 2, false);
  push_audio(bench, 2);
  push_rtcp(bench, 100);
  rtc_send_queue_clear(&bench->queue);
  assert_empty(bench);
  assert_drops(bench, RTC_DROP_NOT_CONNECTED, 4);
  push_video(bench, 12, 0);
  push_frame(bench, 20, 1, true);
  push_audio(bench, 3);
  bench->sent_count = 0;
  uint16_t video = bench->video->next_sequence;
  fill(bench, CAP);
  ASSERT_SENT(bench, AUDIO_TAG + 3, 20);
  assert_int_equal(bench->sent[1].header.sequence, video);
  assert_drops(bench, RTC_DROP_AWAIT_KEYFRAME, 1);
}

/* A long and uneven load: the queue stays within its limit, numbers have no gap, what goes out is
 * whole frames from keyframes on. */
static void long_uneven_load_stays_sound(void **state) {
  Bench *bench = *state;
  uint32_t random = 1, frame = 0; /* that has gone out in part; 0: none */
  for (uint32_t i = 1; i < 2000; i++) {
    random = random * 1664525u + 1013904223u;
    unsigned packets = 1 + (random >> 28) % 3;
    push_frame(bench, i * 16, packets, random >> 24 & 1);
    push_video(bench, i * 16 + 15, 0); /* the frame's last one, marked by its tag */
    push_audio(bench, i);
    pass_ms(bench, (random >> 16) % 100);
    assert_true(bench->queue.octets <= tight.octets);
    if (random >> 8 & 3)
      fill(bench, (random >> 4) % 900);
    if (bench->sent_count > SENT_MAX - 20)
      break;
  }
  assert_true(bench->sent_count > 1000);
  assert_no_gap(bench, 0xaaaa0001);
  assert_no_gap(bench, 0xbbbb0002);
  for (size_t i = 0; i < bench->sent_count; i++) {
    const Sent *sent = &bench->sent[i];
    if (sent->rtcp || sent->header.ssrc != 0xbbbb0002)
      continue;
    bool goes_on = frame != 0 && sent->tag / 16 == frame;
    if (goes_on ? sent->tag % 16 == 0 : (frame != 0 || sent->tag % 16 != 0))
      fail_msg("packet %zu, %u of frame %u, comes after frame %u", i, sent->tag % 16,
               sent->tag / 16, frame);
    frame = sent->tag % 16 == 15 ? 0 : sent->tag / 16;
  }
}

#define TEST(fn)       cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TIGHT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_tight, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(classes_go_out_in_their_order),
      TEST(header_is_rewritten),
      TEST(chunks_hold_whole_packets),
      TEST(sequence_numbers_wrap),
      TEST(malformed_packets_are_refused),
      TEST(video_begins_with_a_keyframe),
      TEST(late_video_is_dropped_up_to_a_keyframe),
      TEST(age_limits_are_exact),
      TEST(begun_frame_is_finished),
      TEST(rest_of_a_begun_frame_still_comes),
      TEST(fresh_keyframe_is_kept),
      TEST(newest_fresh_keyframe_is_where_it_goes_on),
      TEST(late_keyframe_is_not_kept),
      TEST(late_audio_is_dropped_oldest_first),
      TIGHT_TEST(full_queue_drops_video_whole),
      TIGHT_TEST(keyframe_displaces_what_was_before_it),
      TIGHT_TEST(audio_displaces_video_first),
      TIGHT_TEST(rtcp_is_bounded_too),
      TIGHT_TEST(tiny_packets_are_bounded),
      TIGHT_TEST(begun_frame_is_finished_in_a_full_queue),
      TIGHT_TEST(keyframe_without_room_is_not_cut),
      TIGHT_TEST(useless_packet_makes_no_room),
      TEST(streams_are_told_apart),
      TEST(streams_are_limited),
      TEST(removed_ssrc_is_not_used_again),
      TEST(removed_ssrcs_are_limited),
      TEST(removed_stream_takes_its_packets_along),
      TEST(callback_removes_its_stream),
      TEST(callback_sends_rtcp),
      TEST(every_stream_is_asked_for),
      TEST(late_stream_costs_no_other),
      TEST(held_queue_asks_when_it_goes_on),
      TEST(dropped_frames_are_counted_once),
      TEST(cut_frames_are_counted_once),
      TEST(frame_numbers_wrap),
      TEST(ages_are_told),
      TEST(noted_layout_serves_every_receiver),
      TEST(cut_queue_awaits_a_keyframe),
      TEST(cut_queue_keeps_the_keyframe_that_waits),
      TEST(cleared_queue_begins_with_a_keyframe),
      TIGHT_TEST(long_uneven_load_stays_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
