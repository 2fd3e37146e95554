/* The victim's life, and what its peer does to keep it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/seam.h"
#include "faults/victim.h"
#include "support/rtp.h"

#include <string.h>
#include <time.h>

/* Until the peer asks again for what has not come. */
#define STEP_MS   (faults_slowness() > 1 ? 300 : 40)
#define SOURCE    "victim"
#define TWCC_ID   5
#define OPUS      111
#define VP8       96
#define AUDIO_IN  UINT32_C(0x11111111)
#define VIDEO_IN  UINT32_C(0x22222222)
#define AUDIO_OUT UINT32_C(0xaaaaaaaa)
#define VIDEO_OUT UINT32_C(0xbbbbbbbb)
#define HOST_OUT  UINT32_C(0xcccccccc)
#define RTCP_SR   200

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- What it is told, on the worker's thread -- */

static void on_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  Victim *victim = arg;
  size_t max = sizeof victim->states / sizeof *victim->states;
  pthread_mutex_lock(&victim->host->lock);
  if (victim->state_count && victim->states[victim->state_count - 1] == RTC_CONNECTION_STATE_CLOSED)
    victim->after_closed++;
  else if (victim->state_count < max)
    victim->states[victim->state_count++] = state;
  victim->reason = rtc_connection_close_reason(connection);
  pthread_cond_broadcast(&victim->host->changed);
  pthread_mutex_unlock(&victim->host->lock);
}

static void on_packet(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  Victim *victim = arg;
  (void)connection;
  (void)packet;
  (void)len;
  pthread_mutex_lock(&victim->host->lock);
  if (victim->state_count && victim->states[victim->state_count - 1] == RTC_CONNECTION_STATE_CLOSED)
    victim->after_closed++;
  pthread_mutex_unlock(&victim->host->lock);
}

static RtcConnectionState state_of(Victim *victim) {
  pthread_mutex_lock(&victim->host->lock);
  RtcConnectionState state =
      victim->state_count ? victim->states[victim->state_count - 1] : RTC_CONNECTION_STATE_NEW;
  pthread_mutex_unlock(&victim->host->lock);
  return state;
}

static bool is_closed(Victim *victim) {
  return !victim->connection || state_of(victim) == RTC_CONNECTION_STATE_CLOSED;
}

/* -- What the host does, on the worker's thread -- */

typedef struct Call {
  Victim *victim;
  RtcError (*fn)(struct Call *call);
  RtcError error;
  RtcSdpTransport transport; /* in: the peer's; out: the session's */
} Call;

static void run_call(void *arg) {
  Call *call = arg;
  call->error = call->fn(call);
}

/* A call that fails has changed nothing, so the same again is good. */
static int host_call(Victim *victim, RtcError (*fn)(Call *call), RtcSdpTransport *transport) {
  Call call = {.victim = victim, .fn = fn};
  size_t max = sizeof victim->call_errors / sizeof *victim->call_errors;
  if (transport)
    call.transport = *transport;
  host_run(victim->host, run_call, &call);
  if (transport)
    *transport = call.transport;
  if (!call.error)
    return PEER_OK;
  if (victim->call_error_count < max)
    victim->call_errors[victim->call_error_count++] = call.error;
  return PEER_TIMEOUT;
}

static RtcError do_open(Call *call) {
  Victim *victim = call->victim;
  const RtcSdpTransport remote = call->transport;
  const RtcConnectionConfig config = {
      .name = "victim",
      .remote = &remote,
      .callbacks = {.on_state = on_state, .on_rtp = on_packet, .on_rtcp = on_packet},
      .arg = victim};
  victim->open_error =
      rtc_connection_new(&victim->connection, victim->host->server, victim->host->worker, &config);
  if (!victim->open_error)
    rtc_connection_local_transport(victim->connection, &call->transport);
  return victim->open_error;
}

static RtcError do_publish(Call *call) {
  static const RtcTrack tracks[] = {{.media = RTC_MEDIA_AUDIO,
                                     .codec = RTC_CODEC_OPUS,
                                     .payload_type = OPUS,
                                     .clock_rate = 48000,
                                     .twcc_id = TWCC_ID},
                                    {.media = RTC_MEDIA_VIDEO,
                                     .codec = RTC_CODEC_VP8,
                                     .payload_type = VP8,
                                     .clock_rate = 90000,
                                     .twcc_id = TWCC_ID,
                                     .pli = true}};
  RtcSource *source;
  RtcError error = rtc_source_manager_fetch_or_create(call->victim->sources, SOURCE, &source);
  if (error)
    return error;
  error = rtc_source_publish(source, call->victim->connection, tracks, 2);
  rtc_source_unref(&source);
  return error;
}

static RtcError do_consume(Call *call) {
  static const RtcTrack tracks[] = {{.media = RTC_MEDIA_AUDIO,
                                     .codec = RTC_CODEC_OPUS,
                                     .payload_type = OPUS,
                                     .clock_rate = 48000,
                                     .ssrc = AUDIO_OUT},
                                    {.media = RTC_MEDIA_VIDEO,
                                     .codec = RTC_CODEC_VP8,
                                     .payload_type = VP8,
                                     .clock_rate = 90000,
                                     .ssrc = VIDEO_OUT}};
  Victim *victim = call->victim;
  RtcSource *source;
  RtcError error = rtc_source_manager_fetch_or_create(victim->sources, SOURCE, &source);
  if (error)
    return error;
  error = rtc_consumer_new(&victim->consumer, source, victim->connection, tracks, 2);
  rtc_source_unref(&source);
  return error;
}

static RtcError do_restart(Call *call) {
  const RtcSdpTransport remote = call->transport;
  RtcError error = rtc_connection_restart_ice(call->victim->connection, &remote);
  if (!error)
    rtc_connection_local_transport(call->victim->connection, &call->transport);
  return error;
}

/* A stream of the host's own, for one packet. */
static RtcError do_send(Call *call) {
  const RtcStreamConfig config = {
      .media = RTC_MEDIA_AUDIO, .ssrc = HOST_OUT, .payload_type = OPUS, .clock_rate = 48000};
  const RtpHeader header = {.payload_type = OPUS, .timestamp = 960};
  uint8_t octets[256];
  RtcStream *stream;
  RtcPacket *packet;
  RtcConnection *connection = call->victim->connection;
  RtcError error = rtc_packet_new(&packet, octets, rtp_write_opus(octets, &header, 80));
  if (error)
    return error;
  error = rtc_connection_add_stream(&stream, connection, &config);
  if (error)
    goto unref_packet;
  error = rtc_connection_send_rtp(connection, stream, packet, 0, 0);
  rtc_connection_remove_stream(connection, &stream);
unref_packet:
  rtc_packet_unref(&packet);
  return error;
}

static RtcError do_unpublish(Call *call) {
  RtcSource *source = rtc_source_manager_fetch(call->victim->sources, SOURCE);
  rtc_consumer_close(call->victim->consumer);
  if (source)
    rtc_source_unpublish(source);
  rtc_source_unref(&source);
  return RTC_OK;
}

static RtcError do_close(Call *call) {
  rtc_connection_close(call->victim->connection);
  rtc_connection_unref(&call->victim->connection);
  return RTC_OK;
}

/* -- What the peer does -- */

static int bind_conn(Victim *victim, int conn) {
  int result = peer_send_request(victim->peer, conn, PEER_USE_CANDIDATE);
  if (result == PEER_OK)
    result = peer_await_response(victim->peer, conn, 10 * STEP_MS);
  if (result == PEER_OK)
    peer_select(victim->peer, conn);
  return result;
}

static int connect_conn(Victim *victim, int conn) {
  int result = peer_connect_conn(victim->peer, conn, victim->host->address, victim->host->port);
  return result == PEER_OK ? bind_conn(victim, conn) : result;
}

/* All TCP conns are gone, or of no use: one anew. */
static void come_back(Victim *victim) {
  for (int conn = 0; conn < PEER_CONNS_MAX; conn++)
    peer_close(victim->peer, conn);
  victim->tcp_conns_lost++;
  connect_conn(victim, 0);
}

static int send_media(Victim *victim, bool video) {
  uint8_t packet[256];
  uint8_t extended[PEER_MEDIA_MAX];
  const RtpHeader header = {.payload_type = video ? VP8 : OPUS,
                            .sequence = victim->sequences[video]++,
                            .timestamp = 3000 * (uint32_t)victim->sequences[video],
                            .ssrc = video ? VIDEO_IN : AUDIO_IN};
  size_t len =
      video ? rtp_write_vp8(packet, &header, true, true, 100) : rtp_write_opus(packet, &header, 80);
  /* With the transport-wide sequence number, in a header extension (RFC 8285 section 4.2). */
  const uint8_t extension[] = {0xbe, 0xde, 0, 1, TWCC_ID << 4 | 1, 0, 0, 0};
  memcpy(extended, packet, RTP_HEADER_LEN);
  extended[0] |= 0x10;
  memcpy(extended + RTP_HEADER_LEN, extension, sizeof extension);
  rtp_write16(extended + RTP_HEADER_LEN + 5, victim->transport_sequence++);
  memcpy(extended + RTP_HEADER_LEN + sizeof extension, packet + RTP_HEADER_LEN,
         len - RTP_HEADER_LEN);
  return peer_send_rtp(victim->peer, extended, len + sizeof extension);
}

/* The next RTP packets until one of this SSRC. */
static int receive_rtp(Victim *victim, uint32_t ssrc) {
  int64_t deadline_ms = now_ms() + STEP_MS;
  PeerMedia media;
  RtpHeader header;
  for (;;) {
    int64_t left = deadline_ms - now_ms();
    int result = peer_receive_kind(victim->peer, &media, false, left > 0 ? (int)left : 0);
    if (result != PEER_OK)
      return result;
    if (rtp_read(media.data, media.len, &header) && header.ssrc == ssrc)
      return PEER_OK;
  }
}

static int receive_rtcp(Victim *victim, uint8_t type) {
  int64_t deadline_ms = now_ms() + STEP_MS;
  PeerMedia media;
  for (;;) {
    int64_t left = deadline_ms - now_ms();
    int result = peer_receive_kind(victim->peer, &media, true, left > 0 ? (int)left : 0);
    if (result != PEER_OK || rtcp_contains(media.data, media.len, type, -1))
      return result;
  }
}

/* -- Its life, step by step: each can be tried again -- */

static int step_open(Victim *victim) {
  RtcSdpTransport transport;
  peer_local_transport(victim->peer, &transport);
  int result = host_call(victim, do_open, &transport);
  return result == PEER_OK ? peer_set_remote(victim->peer, &transport) : result;
}

static int step_publish(Victim *victim) {
  return host_call(victim, do_publish, NULL);
}

static int step_consume(Victim *victim) {
  return host_call(victim, do_consume, NULL);
}

static int step_connect(Victim *victim) {
  return connect_conn(victim, 0);
}

static int step_handshake(Victim *victim) {
  return peer_handshake(victim->peer, STEP_MS);
}

static int step_audio(Victim *victim) {
  int result = send_media(victim, false);
  return result == PEER_OK ? receive_rtp(victim, AUDIO_OUT) : result;
}

static int step_video(Victim *victim) {
  int result = send_media(victim, true);
  return result == PEER_OK ? receive_rtp(victim, VIDEO_OUT) : result;
}

static int step_reports(Victim *victim) {
  uint8_t packet[256];
  size_t len = rtcp_write_pli(packet, AUDIO_IN, VIDEO_OUT);
  int result = peer_send_rtcp(victim->peer, packet, len);
  len = rtcp_write_sr(packet, AUDIO_IN, 1, 960);
  if (result == PEER_OK)
    result = peer_send_rtcp(victim->peer, packet, len);
  return result == PEER_OK ? receive_rtcp(victim, RTCP_SR) : result;
}

static int step_host_media(Victim *victim) {
  int result = host_call(victim, do_send, NULL);
  return result == PEER_OK ? PEER_OK : result;
}

static int step_second_conn(Victim *victim) {
  return connect_conn(victim, 1);
}

/* The selected one goes: the other goes on. */
static int step_fall_over(Victim *victim) {
  peer_rst(victim->peer, 1);
  peer_select(victim->peer, 0);
  return PEER_OK;
}

static int step_lose_all(Victim *victim) {
  for (int conn = 0; conn < PEER_CONNS_MAX; conn++)
    peer_close(victim->peer, conn);
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  while (!is_closed(victim) && state_of(victim) != RTC_CONNECTION_STATE_DISCONNECTED) {
    const struct timespec pause = {.tv_nsec = 100000};
    assert_true(now_ms() < deadline_ms);
    nanosleep(&pause, NULL);
  }
  return PEER_OK;
}

static int step_come_back(Victim *victim) {
  return connect_conn(victim, 0);
}

static int step_restart(Victim *victim) {
  RtcSdpTransport transport;
  peer_restart_ice(victim->peer);
  peer_local_transport(victim->peer, &transport);
  int result = host_call(victim, do_restart, &transport);
  return result == PEER_OK ? peer_set_remote(victim->peer, &transport) : result;
}

static int step_restarted_conn(Victim *victim) {
  return connect_conn(victim, 2);
}

static int step_unpublish(Victim *victim) {
  return host_call(victim, do_unpublish, NULL);
}

static const struct {
  const char *name;
  int (*run)(Victim *victim);
} steps[] = {
    {"open", step_open},
    {"publish", step_publish},
    {"consume", step_consume},
    {"connect", step_connect},
    {"handshake", step_handshake},
    {"audio", step_audio},
    {"video", step_video},
    {"reports", step_reports},
    {"the host's own media", step_host_media},
    {"a second TCP conn", step_second_conn},
    {"audio on the second TCP conn", step_audio},
    {"the second TCP conn is reset", step_fall_over},
    {"audio on the first TCP conn", step_audio},
    {"all TCP conns are lost", step_lose_all},
    {"a new TCP conn", step_come_back},
    {"video after coming back", step_video},
    {"ICE restart", step_restart},
    {"a TCP conn after the restart", step_restarted_conn},
    {"audio after the restart", step_audio},
    {"unpublish", step_unpublish},
};

static void look_for_hits(void *arg) {
  *(bool *)arg = faults_count().hits > 0;
}

/* Nothing has gone wrong before the first fault: it only takes its time. */
static bool gives_up(Victim *victim) {
  bool hit = false;
  if (victim->gives_up)
    host_run(victim->host, look_for_hits, &hit);
  return hit;
}

/* false: the session has ended, or gives up */
static bool take_step(Victim *victim, int (*run)(Victim *victim)) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  for (;;) {
    int result = run(victim);
    if (result == PEER_OK)
      return true;
    if ((victim->connection && is_closed(victim)) || gives_up(victim))
      return false;
    if (now_ms() > deadline_ms)
      fail_msg("half alive: %s does not succeed, nor does the session end", victim->step);
    if (result != PEER_TIMEOUT)
      come_back(victim);
  }
}

void victim_live(Victim *victim, Host *host, RtcSourceManager *sources, bool gives_up) {
  /* The peer's flights are lost with a TCP conn: it sends them again by its timer. Twelve times,
   * then OpenSSL gives up, which a busy machine must not bring about. */
  const PeerConfig config = {.retransmit_ms = faults_slowness() > 1 ? 2000 : 500};
  *victim = (Victim){.host = host, .sources = sources, .gives_up = gives_up};
  victim->peer = peer_new(&config);
  assert_non_null(victim->peer);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    victim->step = steps[i].name;
    if (!take_step(victim, steps[i].run))
      return;
  }
  victim->lived = true;
}

void victim_end(Victim *victim) {
  if (victim->connection)
    host_call(victim, do_close, NULL);
  peer_destroy(victim->peer);
  victim->peer = NULL;
}

void victim_assert_states(const Victim *victim) {
#define BIT(name) (1u << RTC_CONNECTION_STATE_##name)
  static const unsigned next[] = {
      [RTC_CONNECTION_STATE_NEW] = BIT(CONNECTING) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CONNECTING] = BIT(CONNECTED) | BIT(DISCONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CONNECTED] = BIT(DISCONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_DISCONNECTED] = BIT(CONNECTING) | BIT(CONNECTED) | BIT(CLOSED),
      [RTC_CONNECTION_STATE_CLOSED] = 0,
  };
#undef BIT
  RtcConnectionState last = RTC_CONNECTION_STATE_NEW;
  for (size_t i = 0; i < victim->state_count; i++) {
    if (!(next[last] & 1u << victim->states[i]))
      fail_msg("%s follows %s", rtc_connection_state_name(victim->states[i]),
               rtc_connection_state_name(last));
    last = victim->states[i];
  }
  assert_int_equal(victim->after_closed, 0);
  if (victim->open_error == RTC_OK)
    assert_int_equal(last, RTC_CONNECTION_STATE_CLOSED);
}
