/* The write side of a TCP conn: whole frames, whatever the socket takes of them at a time. The
 * sockets block, so that a call which could wait would hang here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/rtp.h"
#include "transport/frame_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CAP         ((size_t)8 * 1024)
#define CHUNK_MIN   ((size_t)1024)
#define STREAM_MAX  ((size_t)1024 * 1024)
#define MEDIA_FRAME ((size_t)102) /* with its header */
#define CONTROL     0xc0
#define MEDIA       0x80

typedef struct Bench {
  RtcBlockPool pool;
  RtcFrameWriter writer;
  int fd, peer; /* owned; -1: closed */
  uint8_t chunk[CAP];
  size_t media_left;       /* frames that fill may still write */
  uint32_t media_number;   /* of the next one */
  uint32_t control_number; /* likewise */
  size_t fills;            /* calls of fill */
  size_t queued;           /* octets of the stream that have left the queues */
  uint8_t *stream;         /* owned: what the peer has read */
  size_t stream_len;
} Bench;

static int setup(void **state) {
  Bench *bench = calloc(1, sizeof *bench);
  int fds[2], small = 1; /* the kernel makes of it the least that it allows */
  if (!bench || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
    return -1;
  bench->fd = fds[0];
  bench->peer = fds[1];
  bench->stream = malloc(STREAM_MAX);
  rtc_block_pool_init(&bench->pool, NULL, NULL);
  rtc_frame_writer_init(&bench->writer, &bench->pool, CAP);
  *state = bench;
  return setsockopt(bench->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

static int teardown(void **state) {
  Bench *bench = *state;
  rtc_frame_writer_finish(&bench->writer);
  rtc_frame_writer_finish(&bench->writer);
  rtc_block_pool_finish(&bench->pool);
  close(bench->fd);
  if (bench->peer >= 0)
    close(bench->peer);
  free(bench->stream);
  free(bench);
  return 0;
}

/* A frame's octets: what it is, its number, then octets that depend on both. */
static void write_body(uint8_t *body, size_t len, uint8_t kind, uint32_t number) {
  for (size_t i = 0; i < len; i++)
    body[i] = (uint8_t)(kind + number * 31 + i);
  if (len > 0)
    body[0] = kind;
  if (len >= 5)
    rtp_write32(body + 1, number);
}

static size_t fill(uint8_t *out, size_t cap, void *arg) {
  Bench *bench = arg;
  size_t len = 0;
  bench->fills++;
  for (; bench->media_left && cap - len >= MEDIA_FRAME; len += MEDIA_FRAME) {
    rtp_write16(out + len, MEDIA_FRAME - 2);
    write_body(out + len + 2, MEDIA_FRAME - 2, MEDIA, bench->media_number++);
    bench->media_left--;
  }
  bench->queued += len;
  return len;
}

static RtcError control(Bench *bench, size_t len) {
  uint8_t body[65535];
  write_body(body, len, CONTROL, bench->control_number);
  RtcError error = rtc_frame_writer_control(&bench->writer, body, len);
  bench->control_number += error == RTC_OK;
  return error;
}

static RtcError flush(Bench *bench, size_t cap) {
  return rtc_frame_writer_flush(&bench->writer, bench->fd, bench->chunk, cap, fill, bench);
}

/* Reads what there is, at most so much. */
static size_t drain(Bench *bench, size_t max) {
  size_t total = 0, room = STREAM_MAX - bench->stream_len;
  if (max > room)
    max = room;
  while (total < max) {
    ssize_t n = recv(bench->peer, bench->stream + bench->stream_len, max - total, MSG_DONTWAIT);
    if (n <= 0)
      break;
    bench->stream_len += (size_t)n;
    total += (size_t)n;
  }
  return total;
}

/* Flushes and reads by turns until all is through. */
static void finish(Bench *bench, size_t cap) {
  while (flush(bench, cap) == RTC_ERROR_AGAIN)
    assert_true(drain(bench, 777) > 0);
  drain(bench, STREAM_MAX);
}

/* The i-th frame of what was read; each must be one that was given, whole. */
static uint8_t frame_at(const Bench *bench, size_t *at, uint32_t *number) {
  uint8_t wanted[65535];
  assert_true(*at + 2 <= bench->stream_len);
  size_t len = rtp_read16(bench->stream + *at);
  const uint8_t *body = bench->stream + *at + 2;
  assert_true(*at + 2 + len <= bench->stream_len && len >= 5);
  *at += 2 + len;
  *number = rtp_read32(body + 1);
  write_body(wanted, len, body[0], *number);
  assert_memory_equal(body, wanted, len);
  return body[0];
}

/* The stream is made of exactly these frames, each kind in its order. */
static void assert_frames(const Bench *bench, uint32_t controls, uint32_t media) {
  uint32_t seen[2] = {0, 0};
  for (size_t at = 0; at < bench->stream_len;) {
    uint32_t number;
    uint8_t kind = frame_at(bench, &at, &number);
    assert_true(kind == CONTROL || kind == MEDIA);
    assert_int_equal(number, seen[kind == MEDIA]++);
  }
  assert_int_equal(seen[0], controls);
  assert_int_equal(seen[1], media);
}

/* -- Cases -- */

/* Wherever in a frame the socket stops, the next flush goes on there: the stream is exact. */
static void every_cut_is_resumed(void **state) {
  Bench *bench = *state;
  bool cut[MEDIA_FRAME] = {false};
  size_t cuts = 0;
  for (uint32_t round = 0; cuts < MEDIA_FRAME && round < 400; round++) {
    size_t first = 7 + round; /* shifts what follows by one octet more each time */
    bench->stream_len = bench->queued = bench->media_number = bench->control_number = 0;
    bench->media_left = 100;
    assert_int_equal(control(bench, first - 2), RTC_OK);
    bench->queued += first;
    while (flush(bench, CAP) == RTC_ERROR_AGAIN) {
      size_t left = bench->writer.rest_len - bench->writer.rest_at;
      size_t taken = bench->queued - left;
      if (taken >= first && !cut[(taken - first) % MEDIA_FRAME]) {
        cut[(taken - first) % MEDIA_FRAME] = true;
        cuts++;
      }
      assert_true(drain(bench, 1 + round * 13 % 1500) > 0);
    }
    drain(bench, STREAM_MAX);
    assert_frames(bench, 1, 100);
  }
  assert_int_equal(cuts, MEDIA_FRAME);
}

/* Control frames that come while a chunk is cut go next, before any further media. */
static void control_goes_before_media(void **state) {
  Bench *bench = *state;
  uint32_t number;
  bench->media_left = 1000;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  uint32_t begun = bench->media_number;
  for (int i = 0; i < 5; i++)
    assert_int_equal(control(bench, 300), RTC_OK);
  finish(bench, CAP);
  assert_frames(bench, 5, 1000);
  size_t at = 0;
  for (uint32_t i = 0; i < begun; i++)
    assert_int_equal(frame_at(bench, &at, &number), MEDIA);
  for (uint32_t i = 0; i < 5; i++)
    assert_int_equal(frame_at(bench, &at, &number), CONTROL);
}

/* Control that needs several chunks goes out whole before the first media. */
static void media_waits_for_the_last_control_frame(void **state) {
  Bench *bench = *state;
  uint32_t number;
  bench->media_left = 3;
  for (int i = 0; i < 20; i++)
    assert_int_equal(control(bench, 700), RTC_OK);
  finish(bench, 1000);
  assert_frames(bench, 20, 3);
  size_t at = 0;
  for (int i = 0; i < 20; i++)
    assert_int_equal(frame_at(bench, &at, &number), CONTROL);
}

/* What may wait for a peer that does not read is bounded, and the bound is exact. */
static void control_is_bounded(void **state) {
  Bench *bench = *state;
  size_t frame = 1024;
  for (size_t octets = 0; octets < RTC_FRAME_WRITER_CONTROL_MAX; octets += frame)
    assert_int_equal(control(bench, frame - 2), RTC_OK);
  assert_int_equal(control(bench, 5), RTC_ERROR_LIMIT);
  assert_int_equal(control(bench, 65535), RTC_ERROR_LIMIT);
  assert_int_equal(bench->writer.control_len, RTC_FRAME_WRITER_CONTROL_MAX);
  finish(bench, CAP);
  assert_int_equal(bench->writer.control_len, 0);
  assert_int_equal(control(bench, 5), RTC_OK);
  finish(bench, CAP);
  assert_frames(bench, (uint32_t)(RTC_FRAME_WRITER_CONTROL_MAX / frame) + 1, 0);
}

/* A full socket says AGAIN at once, takes no more from the queues, and loses nothing. */
static void full_socket_says_again(void **state) {
  Bench *bench = *state;
  bench->media_left = 500;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  size_t left = bench->media_left, fills = bench->fills;
  for (int i = 0; i < 10; i++)
    assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  assert_int_equal(bench->media_left, left);
  assert_int_equal(bench->fills, fills);
  assert_true(bench->writer.rest_len - bench->writer.rest_at <= CAP);
  finish(bench, CAP);
  assert_frames(bench, 0, 500);
}

/* Memory for a cut chunk is held only until the socket has taken it. */
static void rest_is_given_back(void **state) {
  Bench *bench = *state;
  bench->media_left = 200;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  assert_non_null(bench->writer.rest);
  finish(bench, CAP);
  assert_null(bench->writer.rest);
  assert_int_equal(bench->writer.rest_len, 0);
  assert_int_equal(bench->pool.lent_octets, 0);
  assert_int_equal(flush(bench, CAP), RTC_OK);
}

/* Once a socket took a part only, chunks are as short as what it takes, and grow again as it takes
 * them whole: what is made for nothing is never more than what was taken, and one short chunk. */
static void little_is_filled_for_a_full_socket(void **state) {
  Bench *bench = *state;
  bench->media_left = 2000;
  bench->writer.chunk_min = CHUNK_MIN;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  assert_int_equal(bench->writer.chunk_len, CHUNK_MIN);
  for (int round = 0; round < 10; round++) {
    while (rtc_frame_writer_is_cut(&bench->writer) && drain(bench, STREAM_MAX) > 0)
      assert_true(flush(bench, 0) == RTC_ERROR_AGAIN || !rtc_frame_writer_is_cut(&bench->writer));
    size_t before = bench->queued;
    assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
    size_t made = bench->queued - before, left = rtc_frame_writer_unsent(&bench->writer);
    assert_in_range(left, 1, made - left + CHUNK_MIN);
    assert_int_equal(bench->writer.chunk_len, CHUNK_MIN);
  }
  finish(bench, CAP);
  assert_frames(bench, 0, 2000);
}

/* A frame that is longer than such a chunk goes out all the same. */
static void long_frame_passes_a_short_chunk(void **state) {
  Bench *bench = *state;
  bench->media_left = 500;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  bench->writer.chunk_len = bench->writer.chunk_min = MEDIA_FRAME - 1;
  assert_int_equal(control(bench, 700), RTC_OK);
  finish(bench, CAP);
  assert_frames(bench, 1, 500);
}

/* A short chunk that was taken does not make the next ones longer: it tells nothing. */
static void short_chunks_tell_nothing(void **state) {
  Bench *bench = *state;
  bench->writer.chunk_len = CHUNK_MIN;
  for (int i = 0; i < 20; i++) {
    bench->media_left = 1;
    assert_int_equal(flush(bench, CAP), RTC_OK);
    drain(bench, STREAM_MAX);
  }
  assert_int_equal(bench->writer.chunk_len, CHUNK_MIN);
  bench->media_left = 9;
  assert_int_equal(flush(bench, CAP), RTC_OK);
  assert_int_equal(bench->writer.chunk_len, 2 * CHUNK_MIN);
}

/* With nothing to send nothing is sent; without media only control is. */
static void nothing_and_control_alone(void **state) {
  Bench *bench = *state;
  assert_int_equal(flush(bench, CAP), RTC_OK);
  assert_int_equal(drain(bench, STREAM_MAX), 0);
  bench->media_left = 5;
  assert_int_equal(control(bench, 50), RTC_OK);
  assert_int_equal(rtc_frame_writer_flush(&bench->writer, bench->fd, bench->chunk, CAP, NULL, NULL),
                   RTC_OK);
  drain(bench, STREAM_MAX);
  assert_frames(bench, 1, 0);
  assert_int_equal(bench->media_left, 5);
}

/* A frame of no octets is a frame. */
static void empty_frame_is_sent(void **state) {
  Bench *bench = *state;
  assert_int_equal(control(bench, 0), RTC_OK);
  finish(bench, CAP);
  assert_int_equal(bench->stream_len, 2);
  assert_memory_equal(bench->stream, "\0\0", 2);
}

/* A peer that has gone is an error, and no signal. */
static void lost_peer_is_an_error(void **state) {
  Bench *bench = *state;
  assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  assert_int_equal(control(bench, 50), RTC_OK);
  close(bench->peer);
  bench->peer = -1;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_SYSTEM);
  assert_int_equal(control(bench, 50), RTC_OK);
  assert_int_equal(flush(bench, CAP), RTC_ERROR_SYSTEM);
}

/* The same in the middle of a chunk; what waits goes with the writer. */
static void lost_peer_with_a_cut_chunk_is_an_error(void **state) {
  Bench *bench = *state;
  bench->media_left = 500;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_AGAIN);
  assert_int_equal(control(bench, 50), RTC_OK);
  close(bench->peer);
  bench->peer = -1;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_SYSTEM);
  assert_non_null(bench->writer.rest);
}

/* A chunk that the socket fails under is gone from the media, whole as it was; so a receiver that
 * goes on elsewhere lacks it. Without media in it nothing of a frame is lost. */
static void chunk_lost_with_its_socket_is_a_cut(void **state) {
  Bench *bench = *state;
  close(bench->peer);
  bench->peer = -1;
  assert_int_equal(control(bench, 50), RTC_OK);
  assert_int_equal(flush(bench, CAP), RTC_ERROR_SYSTEM);
  assert_false(rtc_frame_writer_is_cut(&bench->writer));
  bench->media_left = 1;
  assert_int_equal(flush(bench, CAP), RTC_ERROR_SYSTEM);
  assert_true(rtc_frame_writer_is_cut(&bench->writer));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(every_cut_is_resumed),
      TEST(control_goes_before_media),
      TEST(media_waits_for_the_last_control_frame),
      TEST(control_is_bounded),
      TEST(full_socket_says_again),
      TEST(rest_is_given_back),
      TEST(little_is_filled_for_a_full_socket),
      TEST(chunk_lost_with_its_socket_is_a_cut),
      TEST(long_frame_passes_a_short_chunk),
      TEST(short_chunks_tell_nothing),
      TEST(nothing_and_control_alone),
      TEST(empty_frame_is_sent),
      TEST(lost_peer_is_an_error),
      TEST(lost_peer_with_a_cut_chunk_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
