/* Sources for the media floor's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"

#include "transport/rtc_connection_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUIET_MS 100

const RtcTrack broadcast_publisher_tracks[2] = {
    {.media = RTC_MEDIA_AUDIO,
     .codec = RTC_CODEC_OPUS,
     .payload_type = PUBLISHER_OPUS,
     .clock_rate = 48000,
     .twcc_id = TWCC_ID},
    {.media = RTC_MEDIA_VIDEO,
     .codec = RTC_CODEC_VP8,
     .payload_type = PUBLISHER_VP8,
     .clock_rate = 90000,
     .twcc_id = TWCC_ID,
     .pli = true},
};

/* -- Setup -- */

int broadcast_setup(void **state) {
  void *host = NULL;
  Broadcast *broadcast = calloc(1, sizeof *broadcast);
  if (!broadcast || host_setup(&host) != 0)
    return -1;
  broadcast->host = host;
  *state = broadcast;
  return rtc_source_manager_new(&broadcast->manager, broadcast->host->worker) == RTC_OK ? 0 : -1;
}

int broadcast_teardown(void **state) {
  Broadcast *broadcast = *state;
  RtcSourceManagerStats stats;
  void *host = broadcast->host;
  int result = host_teardown(&host);
  rtc_source_manager_stats(broadcast->manager, &stats); /* the worker's thread has ended */
  assert_int_equal(stats.sources_live, 0);
  assert_int_equal(stats.consumers_live, 0);
  rtc_source_manager_destroy(broadcast->manager);
  free(broadcast);
  return result;
}

/* -- On the worker's thread -- */

typedef struct Call {
  Broadcast *broadcast;
  const char *name;
  RtcConnection *connection;
  const RtcTrack *tracks;
  size_t count;
  RtcConsumer *consumer;
  RtcSourceManagerStats stats;
  bool found;
  RtcError error;
} Call;

static void do_stats(void *arg) {
  Call *call = arg;
  rtc_source_manager_stats(call->broadcast->manager, &call->stats);
}

static void do_publish(void *arg) {
  Call *call = arg;
  RtcSource *source;
  call->error = rtc_source_manager_fetch_or_create(call->broadcast->manager, call->name, &source);
  if (call->error)
    return;
  /* So that what no track takes is counted: the host of these tests takes everything. */
  call->connection->callbacks.on_rtp = NULL;
  call->connection->callbacks.on_rtcp = NULL;
  call->error = rtc_source_publish(source, call->connection, call->tracks, call->count);
  rtc_source_unref(&source);
}

static void do_unpublish(void *arg) {
  Call *call = arg;
  RtcSource *source = rtc_source_manager_fetch(call->broadcast->manager, call->name);
  call->found = source != NULL;
  if (source)
    rtc_source_unpublish(source);
  rtc_source_unref(&source);
}

static void do_consume(void *arg) {
  Call *call = arg;
  RtcSource *source;
  call->error = rtc_source_manager_fetch_or_create(call->broadcast->manager, call->name, &source);
  if (call->error)
    return;
  call->error =
      rtc_consumer_new(&call->consumer, source, call->connection, call->tracks, call->count);
  rtc_source_unref(&source);
}

static void do_close_consumer(void *arg) {
  rtc_consumer_close(((Call *)arg)->consumer);
}

static void do_eliminate(void *arg) {
  Call *call = arg;
  rtc_source_manager_eliminate(call->broadcast->manager, call->name);
}

static void do_fetch(void *arg) {
  Call *call = arg;
  RtcSource *source = rtc_source_manager_fetch(call->broadcast->manager, call->name);
  call->found = source != NULL;
  rtc_source_unref(&source);
}

void broadcast_stats(Broadcast *broadcast, RtcSourceManagerStats *stats) {
  Call call = {.broadcast = broadcast};
  host_run(broadcast->host, do_stats, &call);
  *stats = call.stats;
}

void broadcast_assert_live(Broadcast *broadcast, uint64_t sources, uint64_t consumers) {
  RtcSourceManagerStats stats;
  broadcast_stats(broadcast, &stats);
  assert_int_equal(stats.sources_live, sources);
  assert_int_equal(stats.consumers_live, consumers);
}

RtcError broadcast_publish_as(Broadcast *broadcast, const char *name, HostSession *session,
                              const RtcTrack *tracks, size_t count) {
  Call call = {.broadcast = broadcast,
               .name = name,
               .connection = session->connection,
               .tracks = tracks,
               .count = count};
  host_run(broadcast->host, do_publish, &call);
  return call.error;
}

RtcError broadcast_publish(Broadcast *broadcast, const char *name, HostSession *session) {
  return broadcast_publish_as(broadcast, name, session, broadcast_publisher_tracks, 2);
}

void broadcast_unpublish(Broadcast *broadcast, const char *name) {
  Call call = {.broadcast = broadcast, .name = name};
  host_run(broadcast->host, do_unpublish, &call);
  assert_true(call.found);
}

RtcError broadcast_consume_as(Broadcast *broadcast, const char *name, HostSession *session,
                              const RtcTrack *tracks, size_t count, RtcConsumer **consumer) {
  Call call = {.broadcast = broadcast,
               .name = name,
               .connection = session->connection,
               .tracks = tracks,
               .count = count};
  host_run(broadcast->host, do_consume, &call);
  if (consumer && !call.error)
    *consumer = call.consumer;
  return call.error;
}

RtcError broadcast_consume(Broadcast *broadcast, const char *name, HostSession *session,
                           uint32_t number, RtcConsumer **consumer) {
  const RtcTrack tracks[] = {{.media = RTC_MEDIA_AUDIO,
                              .codec = RTC_CODEC_OPUS,
                              .payload_type = CONSUMER_OPUS,
                              .clock_rate = 48000,
                              .ssrc = CONSUMER_AUDIO + number * CONSUMER_STEP},
                             {.media = RTC_MEDIA_VIDEO,
                              .codec = RTC_CODEC_VP8,
                              .payload_type = CONSUMER_VP8,
                              .clock_rate = 90000,
                              .ssrc = CONSUMER_VIDEO + number * CONSUMER_STEP}};
  return broadcast_consume_as(broadcast, name, session, tracks, 2, consumer);
}

void broadcast_close_consumer(Broadcast *broadcast, RtcConsumer *consumer) {
  Call call = {.consumer = consumer};
  host_run(broadcast->host, do_close_consumer, &call);
}

void broadcast_eliminate(Broadcast *broadcast, const char *name) {
  Call call = {.broadcast = broadcast, .name = name};
  host_run(broadcast->host, do_eliminate, &call);
}

bool broadcast_exists(Broadcast *broadcast, const char *name) {
  Call call = {.broadcast = broadcast, .name = name};
  host_run(broadcast->host, do_fetch, &call);
  return call.found;
}

/* -- Media -- */

/* Sends a packet with its transport-wide sequence number in a header extension (RFC 8285 4.2). */
static void send_extended(Broadcast *broadcast, HostSession *publisher, const uint8_t *packet,
                          size_t len) {
  uint8_t extended[PEER_MEDIA_MAX];
  memcpy(extended, packet, RTP_HEADER_LEN);
  extended[0] |= 0x10;
  memcpy(extended + RTP_HEADER_LEN, (const uint8_t[]){0xbe, 0xde, 0, 1, TWCC_ID << 4 | 1, 0, 0, 0},
         8);
  rtp_write16(extended + RTP_HEADER_LEN + 5, broadcast->transport_sequence++);
  memcpy(extended + RTP_HEADER_LEN + 8, packet + RTP_HEADER_LEN, len - RTP_HEADER_LEN);
  assert_int_equal(peer_send_rtp(publisher->peer, extended, len + 8), PEER_OK);
}

void broadcast_send_opus(Broadcast *broadcast, HostSession *publisher, uint32_t timestamp) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = PUBLISHER_OPUS,
                            .sequence = broadcast->audio_sequence++,
                            .timestamp = timestamp,
                            .ssrc = PUBLISHER_AUDIO};
  send_extended(broadcast, publisher, packet, rtp_write_opus(packet, &header, 80));
}

void broadcast_send_vp8(Broadcast *broadcast, HostSession *publisher, uint32_t timestamp,
                        bool start, bool keyframe) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = PUBLISHER_VP8,
                            .sequence = broadcast->video_sequence++,
                            .timestamp = timestamp,
                            .ssrc = PUBLISHER_VIDEO};
  send_extended(broadcast, publisher, packet, rtp_write_vp8(packet, &header, start, keyframe, 200));
}

void broadcast_send_as(Broadcast *broadcast, HostSession *publisher, const RtpHeader *header) {
  uint8_t packet[256];
  send_extended(broadcast, publisher, packet, rtp_write_vp8(packet, header, true, true, 100));
}

RtpHeader broadcast_receive(HostSession *consumer, uint32_t ssrc) {
  PeerMedia media;
  RtpHeader header;
  assert_int_equal(peer_receive_kind(consumer->peer, &media, false, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(rtp_read(media.data, media.len, &header));
  if (header.ssrc != ssrc)
    fail_msg("a packet of %x, not %x", header.ssrc, ssrc);
  assert_int_equal(media.data[0], 0x80); /* no extension */
  return header;
}

void broadcast_receive_nothing(HostSession *consumer) {
  PeerMedia media;
  assert_int_equal(peer_receive_kind(consumer->peer, &media, false, QUIET_MS), PEER_TIMEOUT);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool broadcast_await_rtcp(HostSession *session, uint8_t type, int format, PeerMedia *media,
                          int timeout_ms) {
  PeerMedia own;
  PeerMedia *into = media ? media : &own;
  int64_t deadline_ms = now_ms() + timeout_ms;
  for (;;) {
    int64_t left = deadline_ms - now_ms();
    int result = peer_receive_kind(session->peer, into, true, left > 0 ? (int)left : 0);
    if (result == PEER_TIMEOUT)
      return false;
    assert_int_equal(result, PEER_OK);
    if (rtcp_contains(into->data, into->len, type, format))
      return true;
  }
}

const uint8_t *broadcast_find_rtcp(const PeerMedia *media, uint8_t type, int format, size_t *len) {
  for (size_t at = 0; at + 4 <= media->len;) {
    const uint8_t *packet = media->data + at;
    *len = ((size_t)rtp_read16(packet + 2) + 1) * 4;
    if (packet[1] == type && (format < 0 || (packet[0] & 0x1f) == format))
      return packet;
    at += *len;
  }
  fail_msg("no packet of type %u", type);
  return NULL;
}
