/* The tests' host: its sessions, what they report, and media through them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SSRC_OF_PEER UINT32_C(0x0a0b0c0d)
#define SSRC_OF_HOST UINT32_C(0x01020304)

/* -- Callbacks, on the worker's thread -- */

static void end_here(HostSession *session, RtcConnection *connection, HostHook at) {
  if (session->hook != at)
    return;
  if (session->hook_act) {
    session->hook_act(session->hook_arg);
    return;
  }
  RtcTcpConn *tcp = rtc_connection_tcp_conn(connection);
  if (session->hook_closes_tcp && tcp)
    rtc_tcp_conn_close(tcp);
  else
    rtc_connection_close(connection);
}

static void record_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  static const HostHook hooks[] = {HOST_HOOK_NONE, HOST_HOOK_CONNECTING, HOST_HOOK_CONNECTED,
                                   HOST_HOOK_DISCONNECTED, HOST_HOOK_CLOSED};
  HostSession *session = arg;
  pthread_mutex_lock(&session->host->lock);
  size_t count = session->state_count;
  if (count && session->states[count - 1] == RTC_CONNECTION_STATE_CLOSED)
    session->after_closed++;
  else if (count < HOST_STATES_MAX)
    session->states[session->state_count++] = state;
  session->reason = rtc_connection_close_reason(connection);
  pthread_cond_broadcast(&session->host->changed);
  pthread_mutex_unlock(&session->host->lock);
  if (hooks[state] != HOST_HOOK_NONE)
    end_here(session, connection, hooks[state]);
}

static void record_packet(HostSession *session, size_t *count, const uint8_t *packet, size_t len) {
  pthread_mutex_lock(&session->host->lock);
  size_t states = session->state_count;
  if (states && session->states[states - 1] == RTC_CONNECTION_STATE_CLOSED)
    session->after_closed++;
  ++*count;
  session->last_len = len < sizeof session->last ? len : sizeof session->last;
  memcpy(session->last, packet, session->last_len);
  pthread_cond_broadcast(&session->host->changed);
  pthread_mutex_unlock(&session->host->lock);
}

static void record_rtp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  HostSession *session = arg;
  record_packet(session, &session->rtp_count, packet, len);
  end_here(session, connection, HOST_HOOK_RTP);
}

static void record_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  HostSession *session = arg;
  record_packet(session, &session->rtcp_count, packet, len);
  end_here(session, connection, HOST_HOOK_RTCP);
}

/* -- Opening -- */

typedef struct Opening {
  HostSession *session;
  const RtcSdpTransport *offer;
  RtcSdpTransport answer;
  RtcError error;
} Opening;

static void open_connection(void *arg) {
  Opening *opening = arg;
  Host *host = opening->session->host;
  const RtcConnectionConfig config = {
      .name = "test",
      .remote = opening->offer,
      .callbacks = {.on_state = record_state, .on_rtp = record_rtp, .on_rtcp = record_rtcp},
      .arg = opening->session};
  opening->error =
      rtc_connection_new(&opening->session->connection, host->server, host->worker, &config);
  if (!opening->error)
    rtc_connection_local_transport(opening->session->connection, &opening->answer);
}

HostSession *host_open_as(Host *host, RtcPeer *peer, const RtcSdpTransport *transport) {
  assert_non_null(peer);
  assert_true(host->session_count < HOST_SESSIONS_MAX);
  HostSession *session = &host->sessions[host->session_count++];
  memset(session, 0, sizeof *session);
  session->host = host;
  session->peer = peer;
  Opening opening = {.session = session, .offer = transport};
  host_run(host, open_connection, &opening);
  assert_int_equal(opening.error, RTC_OK);
  assert_int_equal(peer_set_remote(peer, &opening.answer), PEER_OK);
  return session;
}

HostSession *host_open(Host *host, const PeerConfig *config) {
  RtcSdpTransport offer;
  RtcPeer *peer = peer_new(config);
  assert_non_null(peer);
  peer_local_transport(peer, &offer);
  return host_open_as(host, peer, &offer);
}

HostSession *host_open_conn(Host *host, const PeerConfig *config) {
  HostSession *session = host_open(host, config);
  assert_int_equal(peer_connect(session->peer, host->address, host->port), PEER_OK);
  return session;
}

HostSession *host_open_connected(Host *host, const PeerConfig *config) {
  HostSession *session = host_open_conn(host, config);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(session, RTC_CONNECTION_STATE_CONNECTED);
  return session;
}

void host_forget(HostSession *session) {
  Host *host = session->host;
  assert_ptr_equal(session, &host->sessions[host->session_count - 1]);
  assert_int_equal(session->after_closed, 0);
  peer_destroy(session->peer);
  host_drop_handle(session);
  host->session_count--;
}

/* -- What was reported -- */

static RtcConnectionState last_state(const HostSession *session) {
  return session->state_count ? session->states[session->state_count - 1]
                              : RTC_CONNECTION_STATE_NEW;
}

/* Waits for the next callback, with the lock held. false: the deadline has passed */
static bool wait_changed(Host *host, const struct timespec *until) {
  return pthread_cond_timedwait(&host->changed, &host->lock, until) == 0;
}

static struct timespec deadline(void) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += HOST_DEADLINE_MS / 1000;
  return until;
}

void host_await_state(HostSession *session, RtcConnectionState state) {
  const struct timespec until = deadline();
  pthread_mutex_lock(&session->host->lock);
  while (last_state(session) != state && wait_changed(session->host, &until))
    ;
  RtcConnectionState seen = last_state(session);
  pthread_mutex_unlock(&session->host->lock);
  if (seen != state)
    fail_msg("the session is %s, not %s", rtc_connection_state_name(seen),
             rtc_connection_state_name(state));
}

void host_await_closed(HostSession *session, RtcClose reason) {
  host_await_state(session, RTC_CONNECTION_STATE_CLOSED);
  if (session->reason != reason)
    fail_msg("closed by %s, not %s", rtc_close_name(session->reason), rtc_close_name(reason));
}

void host_assert_states(HostSession *session, const RtcConnectionState *states, size_t count) {
  RtcConnectionState seen[HOST_STATES_MAX];
  pthread_mutex_lock(&session->host->lock);
  size_t seen_count = session->state_count;
  memcpy(seen, session->states, sizeof seen);
  pthread_mutex_unlock(&session->host->lock);
  for (size_t i = 0; i < count && i < seen_count; i++)
    if (seen[i] != states[i])
      fail_msg("state %zu is %s, not %s", i, rtc_connection_state_name(seen[i]),
               rtc_connection_state_name(states[i]));
  assert_int_equal(seen_count, count);
}

RtcConnectionState host_state(HostSession *session) {
  pthread_mutex_lock(&session->host->lock);
  RtcConnectionState state = last_state(session);
  pthread_mutex_unlock(&session->host->lock);
  return state;
}

size_t host_rtp_count(HostSession *session) {
  pthread_mutex_lock(&session->host->lock);
  size_t count = session->rtp_count;
  pthread_mutex_unlock(&session->host->lock);
  return count;
}

void host_await_rtcp(HostSession *session, size_t count) {
  const struct timespec until = deadline();
  pthread_mutex_lock(&session->host->lock);
  while (session->rtcp_count < count && wait_changed(session->host, &until))
    ;
  size_t seen = session->rtcp_count;
  pthread_mutex_unlock(&session->host->lock);
  assert_int_equal(seen, count);
}

/* -- What a host does -- */

static void close_connection(void *arg) {
  rtc_connection_close(((HostSession *)arg)->connection);
}

static void close_tcp_conn(void *arg) {
  RtcTcpConn *tcp = rtc_connection_tcp_conn(((HostSession *)arg)->connection);
  if (tcp)
    rtc_tcp_conn_close(tcp);
}

static void drop_handle(void *arg) {
  rtc_connection_unref(&((HostSession *)arg)->connection);
}

void host_close_connection(HostSession *session) {
  host_run(session->host, close_connection, session);
}

void host_close_tcp_conn(HostSession *session) {
  host_run(session->host, close_tcp_conn, session);
}

void host_drop_handle(HostSession *session) {
  host_run(session->host, drop_handle, session);
}

typedef struct Reading {
  HostSession *session;
  RtcConnectionStats stats;
} Reading;

static void read_stats(void *arg) {
  Reading *reading = arg;
  rtc_connection_stats(reading->session->connection, &reading->stats);
}

void host_session_stats(HostSession *session, RtcConnectionStats *stats) {
  Reading reading = {.session = session};
  host_run(session->host, read_stats, &reading);
  *stats = reading.stats;
}

void host_await_drop(HostSession *session, RtcDrop drop, uint64_t count) {
  const struct timespec pause = {.tv_nsec = 2000000};
  RtcConnectionStats stats = {0};
  for (int turn = 0; turn < HOST_DEADLINE_MS / 2; turn++) {
    host_session_stats(session, &stats);
    if (stats.drops[drop] == count)
      return;
    nanosleep(&pause, NULL);
  }
  fail_msg("%llu drops of %s, not %llu", (unsigned long long)stats.drops[drop], rtc_drop_name(drop),
           (unsigned long long)count);
}

/* -- Media -- */

static bool was_told(const HostSession *session, const uint8_t *packet, size_t len) {
  return session->last_len == len && memcmp(session->last, packet, len) == 0;
}

void host_assert_media_in(HostSession *session) {
  const struct timespec until = deadline();
  uint8_t sent[256];
  const RtpHeader header = {.payload_type = 111,
                            .sequence = (uint16_t)(1000 + session->media_in++),
                            .timestamp = 960 * (uint32_t)session->media_in,
                            .ssrc = SSRC_OF_PEER};
  size_t len = rtp_write_opus(sent, &header, 80);
  assert_int_equal(peer_send_rtp(session->peer, sent, len), PEER_OK);
  pthread_mutex_lock(&session->host->lock);
  while (!was_told(session, sent, len) && wait_changed(session->host, &until))
    ;
  bool told = was_told(session, sent, len);
  pthread_mutex_unlock(&session->host->lock);
  assert_true(told);
}

typedef struct Sending {
  HostSession *session;
  uint8_t packet[256];
  size_t len;
  RtcError error;
} Sending;

static void send_from_host(void *arg) {
  Sending *sending = arg;
  HostSession *session = sending->session;
  const RtcStreamConfig config = {
      .media = RTC_MEDIA_AUDIO, .ssrc = SSRC_OF_HOST, .payload_type = 111, .clock_rate = 48000};
  RtcPacket *packet = NULL;
  if (!session->stream)
    sending->error = rtc_connection_add_stream(&session->stream, session->connection, &config);
  if (!sending->error)
    sending->error = rtc_packet_new(&packet, sending->packet, sending->len);
  if (!sending->error)
    sending->error = rtc_connection_send_rtp(session->connection, session->stream, packet, 0, 0);
  rtc_packet_unref(&packet);
}

void host_send_rtp(HostSession *session) {
  Sending sending = {.session = session};
  const RtpHeader header = {.payload_type = 96,
                            .sequence = 7,
                            .timestamp = 960 * (uint32_t)++session->media_out,
                            .ssrc = 0x99999999};
  sending.len = rtp_write_opus(sending.packet, &header, 90);
  host_run(session->host, send_from_host, &sending);
  assert_int_equal(sending.error, RTC_OK);
}

void host_assert_media_out(HostSession *session) {
  PeerMedia media;
  RtpHeader header;
  uint8_t expected[256];
  size_t payload_len;
  host_send_rtp(session);
  assert_int_equal(peer_receive_kind(session->peer, &media, false, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(rtp_read(media.data, media.len, &header));
  assert_int_equal(header.ssrc, SSRC_OF_HOST);
  assert_int_equal(header.payload_type, 111);
  assert_int_equal(header.timestamp, 960 * (uint32_t)session->media_out);
  const RtpHeader sent = {.sequence = 7};
  rtp_write_opus(expected, &sent, 90);
  const uint8_t *payload = rtp_payload(media.data, media.len, &payload_len);
  assert_int_equal(payload_len, 90);
  assert_memory_equal(payload, expected + RTP_HEADER_LEN, payload_len);
  /* A receiver sees no gap: sequence numbers are given on the way out. */
  if (session->media_out > 1)
    assert_int_equal(header.sequence, (uint16_t)(session->last_sequence + 1));
  session->last_sequence = header.sequence;
  session->last_conn = media.conn;
}

void host_assert_media_flows(HostSession *session) {
  host_assert_media_in(session);
  host_assert_media_out(session);
}
