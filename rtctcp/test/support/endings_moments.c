/* The moments of the matrix: brings a session to each of them, and holds the worker there where it
 * is inside something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/endings.h"
#include "support/rtp.h"

#include "transport/rtc_connection_internal.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define PACKET_LEN     ((size_t)1900) /* of video [octets] */
#define PACKETS_MAX    4000           /* more than a send queue holds */
#define BURST          16             /* packets of load at once */
#define SSRC_OF_STREAM UINT32_C(0x0e0d1e0d)
#define SSRC_OF_PEER   UINT32_C(0x0e0d1e0e)
#define RECEIVE_BUFFER (8 * 1024)

/* -- Holding the worker -- */

static void await_semaphore(sem_t *semaphore) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += HOST_DEADLINE_MS / 1000;
  assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

void endings_hold(EndingsCell *cell) {
  if (cell->was_held)
    return;
  cell->was_held = true;
  sem_post(&cell->inside);
  while (sem_wait(&cell->go_on) != 0)
    ;
  endings_host_act(cell);
  sem_post(&cell->done);
}

static void await_held(EndingsCell *cell) {
  await_semaphore(&cell->inside);
  cell->is_held = true;
}

void endings_let_go(EndingsCell *cell) {
  cell->is_held = false;
  sem_post(&cell->go_on);
  await_semaphore(&cell->done);
}

static void hold_hook(void *arg) {
  endings_hold(arg);
}

static void set_hook(void *arg) {
  EndingsCell *cell = arg;
  cell->session->hook = cell->hook;
  cell->session->hook_act = hold_hook;
  cell->session->hook_arg = cell;
}

/* The session's callback will hold the worker. */
static void hold_in(EndingsCell *cell, HostHook hook) {
  cell->hook = hook;
  host_run(cell->host, set_hook, cell);
}

static void post(EndingsCell *cell, void (*fn)(void *arg)) {
  assert_int_equal(rtc_worker_post(cell->host->worker, fn, cell), RTC_OK);
}

static void close_on_worker(void *arg) {
  EndingsCell *cell = arg;
  RtcConnection *connection = cell->session->connection;
  if (cell->ending == ENDING_HOST_TCP_CONN) /* that will be closed once more */
    cell->tcp = rtc_tcp_conn_ref(rtc_connection_tcp_conn(connection));
  rtc_connection_close(connection);
  if (cell->moment == MOMENT_AFTER_HOST_CLOSE)
    endings_hold(cell);
}

/* -- Media -- */

static RtcError send_from_host(EndingsCell *cell, RtcConnection *connection, RtcMedia media,
                               size_t payload_len, unsigned flags) {
  static const uint8_t payload[PACKET_LEN];
  uint8_t octets[RTP_HEADER_LEN + PACKET_LEN];
  const RtpHeader header = {.payload_type = 1, .ssrc = 1};
  RtcPacket *packet;
  size_t len = rtp_write(octets, &header, payload, payload_len);
  RtcError error = rtc_packet_new(&packet, octets, len);
  if (error)
    return error;
  unsigned kind = media == RTC_MEDIA_VIDEO ? RTC_SEND_FRAME_START | flags : 0;
  error = rtc_connection_send_rtp(connection, cell->stream, packet, kind, 0);
  rtc_packet_unref(&packet);
  return error;
}

static void want_keyframe(void *arg) {
  EndingsCell *cell = arg;
  if (cell->moment == MOMENT_INSIDE_KEYFRAME_WANTED)
    endings_hold(cell);
}

static RtcError add_stream(EndingsCell *cell, RtcConnection *connection, RtcMedia media) {
  const RtcStreamConfig config = {.media = media,
                                  .ssrc = SSRC_OF_STREAM,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = want_keyframe,
                                  .arg = cell};
  return rtc_connection_add_stream(&cell->stream, connection, &config);
}

void endings_host_load(EndingsCell *cell, RtcConnection *connection) {
  RtcError error = cell->stream ? RTC_OK : add_stream(cell, connection, RTC_MEDIA_AUDIO);
  for (int i = 0; !error && i < BURST; i++) /* CLOSED, once it is */
    error = send_from_host(cell, connection, RTC_MEDIA_AUDIO, 200, 0);
}

static void load_on_worker(void *arg) {
  EndingsCell *cell = arg;
  endings_host_load(cell, cell->session->connection);
}

static void send_from_peer(EndingsCell *cell, bool rtcp) {
  uint8_t packet[256];
  const RtpHeader header = {
      .payload_type = 111, .sequence = cell->sequence++, .ssrc = SSRC_OF_PEER};
  size_t len = rtcp ? rtcp_write_rr(packet, SSRC_OF_PEER) : rtp_write_opus(packet, &header, 80);
  if (rtcp)
    (void)peer_send_rtcp(cell->session->peer, packet, len);
  else
    (void)peer_send_rtp(cell->session->peer, packet, len);
}

void endings_peer_load(EndingsCell *cell) {
  for (int i = 0; i < BURST; i++) /* they fail, once it has no conn */
    send_from_peer(cell, i % 8 == 0);
}

/* Video up to what the queue holds, but no more: nothing is dropped. */
static void fill_queue(void *arg) {
  EndingsCell *cell = arg;
  RtcConnection *connection = cell->session->connection;
  const size_t limit = rtc_send_limits_default.octets;
  RtcError error = cell->stream ? RTC_OK : add_stream(cell, connection, RTC_MEDIA_VIDEO);
  unsigned flags = RTC_SEND_KEYFRAME;
  while (!error && connection->send_queue.octets + 2 * PACKET_LEN < limit) {
    error = send_from_host(cell, connection, RTC_MEDIA_VIDEO, PACKET_LEN, flags);
    flags = 0;
  }
}

/* The callback comes from inside a send, when the queue is over its limit. */
static void overfill_queue(void *arg) {
  EndingsCell *cell = arg;
  RtcConnection *connection = rtc_connection_ref(cell->session->connection);
  RtcError error = add_stream(cell, connection, RTC_MEDIA_VIDEO);
  unsigned flags = RTC_SEND_KEYFRAME;
  for (int i = 0; !error && !cell->was_held && i < PACKETS_MAX; i++) {
    error = send_from_host(cell, connection, RTC_MEDIA_VIDEO, PACKET_LEN, flags);
    flags = 0;
  }
  rtc_connection_unref(&connection);
}

/* -- Half a frame -- */

static void send_half(EndingsCell *cell, const uint8_t *octets, size_t len) {
  uint8_t frame[2 + PEER_MEDIA_MAX];
  rtp_write16(frame, (uint16_t)len);
  memcpy(frame + 2, octets, len);
  size_t half = (2 + len) / 2;
  cell->rest_len = 2 + len - half;
  memcpy(cell->rest, frame + half, cell->rest_len);
  assert_int_equal(peer_send_raw(cell->session->peer, 0, frame, half), PEER_OK);
}

static void send_half_request(EndingsCell *cell) {
  uint8_t request[PEER_STUN_MAX];
  int len = peer_make_request(cell->session->peer, 0, PEER_USE_CANDIDATE, request);
  assert_true(len > 0);
  send_half(cell, request, (size_t)len);
}

static void send_half_packet(EndingsCell *cell) {
  uint8_t packet[256];
  const RtpHeader header = {
      .payload_type = 111, .sequence = cell->sequence++, .ssrc = SSRC_OF_PEER};
  size_t len = rtp_write_opus(packet, &header, 80);
  assert_int_equal(peer_protect(cell->session->peer, false, packet, &len, sizeof packet), PEER_OK);
  send_half(cell, packet, len);
}

/* -- Steps -- */

static void do_nothing(void *arg) {
  (void)arg;
}

/* What was sent has been read: it lies in the socket, and the loop has gone round since. */
static void settle(EndingsCell *cell) {
  for (int turn = 0; turn < 3; turn++)
    host_run(cell->host, do_nothing, NULL);
}

static void await_readable(EndingsCell *cell) {
  struct pollfd item = {.fd = peer_fd(cell->session->peer, 0), .events = POLLIN};
  assert_int_equal(poll(&item, 1, PEER_TIMEOUT_MS), 1);
}

static void open_conn(EndingsCell *cell) {
  cell->session = host_open_conn(cell->host, &cell->peer_config);
}

static void open_bound(EndingsCell *cell) {
  open_conn(cell);
  assert_int_equal(peer_bind(cell->session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
}

static void open_established(EndingsCell *cell) {
  cell->session = host_open_connected(cell->host, &cell->peer_config);
}

static void step(EndingsCell *cell) {
  assert_int_equal(peer_handshake_step(cell->session->peer, PEER_TIMEOUT_MS), PEER_OK);
}

static void hold_established(EndingsCell *cell, void (*fn)(void *arg)) {
  open_established(cell);
  post(cell, fn);
  await_held(cell);
}

/* -- The moments -- */

static void reach_accepted(EndingsCell *cell) {
  open_conn(cell);
  HOST_AWAIT(cell->host, unauthenticated, 1);
  if (cell->moment == MOMENT_HALF_REQUEST)
    send_half_request(cell);
  settle(cell);
}

static void reach_handshake(EndingsCell *cell) {
  if (cell->moment == MOMENT_CLIENT_HELLO || cell->moment == MOMENT_CLIENT_KEYS)
    cell->peer_config.setup = RTC_SETUP_PASSIVE;
  open_bound(cell);
  if (cell->moment == MOMENT_BOUND)
    return;
  if (cell->moment != MOMENT_CLIENT_HELLO)
    step(cell);
  if (cell->moment == MOMENT_SERVER_DONE) {
    step(cell);
    host_await_state(cell->session, RTC_CONNECTION_STATE_CONNECTED);
  }
  await_readable(cell); /* the server's flight */
}

static void reach_established(EndingsCell *cell) {
  if (cell->moment == MOMENT_CLIENT_DONE)
    cell->peer_config.setup = RTC_SETUP_PASSIVE;
  open_established(cell);
  host_assert_media_flows(cell->session);
}

static void reach_load(EndingsCell *cell) {
  open_established(cell);
  host_run(cell->host, load_on_worker, cell);
  endings_peer_load(cell);
}

/* The socket takes a part of what the first rounds give. */
static void reach_full_queue(EndingsCell *cell) {
  cell->peer_config.receive_buffer = RECEIVE_BUFFER;
  open_established(cell);
  for (int i = 0; i < 3; i++) {
    host_run(cell->host, fill_queue, cell);
    settle(cell);
  }
}

static void reach_half_frame(EndingsCell *cell) {
  open_established(cell);
  send_half_packet(cell);
  settle(cell);
}

static void reach_grace(EndingsCell *cell) {
  open_established(cell);
  peer_fin(cell->session->peer, 0);
  host_await_state(cell->session, RTC_CONNECTION_STATE_DISCONNECTED);
  HOST_AWAIT(cell->host, tcp_conns.live, 0);
}

static void reach_inside_connecting(EndingsCell *cell) {
  open_conn(cell);
  hold_in(cell, HOST_HOOK_CONNECTING);
  assert_int_equal(peer_send_request(cell->session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  await_held(cell);
}

static void reach_inside_connected(EndingsCell *cell) {
  open_bound(cell);
  hold_in(cell, HOST_HOOK_CONNECTED);
  step(cell);
  step(cell);
  await_held(cell);
}

static void reach_inside_disconnected(EndingsCell *cell) {
  open_established(cell);
  hold_in(cell, HOST_HOOK_DISCONNECTED);
  peer_fin(cell->session->peer, 0);
  await_held(cell);
}

static void reach_inside_closed(EndingsCell *cell) {
  open_established(cell);
  hold_in(cell, HOST_HOOK_CLOSED);
  post(cell, close_on_worker);
  await_held(cell);
}

static void reach_inside_packet(EndingsCell *cell) {
  bool rtcp = cell->moment == MOMENT_INSIDE_RTCP;
  open_established(cell);
  hold_in(cell, rtcp ? HOST_HOOK_RTCP : HOST_HOOK_RTP);
  send_from_peer(cell, rtcp);
  await_held(cell);
}

static void reach_inside_keyframe_wanted(EndingsCell *cell) {
  hold_established(cell, overfill_queue);
}

static void reach_after_host_close(EndingsCell *cell) {
  hold_established(cell, close_on_worker);
}

/* The worker is held, so that what the peer does first lies unread. */
static void reach_after_peers_act(EndingsCell *cell) {
  hold_established(cell, hold_hook);
  RtcPeer *peer = cell->session->peer;
  if (cell->moment == MOMENT_AFTER_CLOSE_NOTIFY)
    assert_int_equal(peer_close_notify(peer), PEER_OK);
  else if (cell->moment == MOMENT_AFTER_FIN)
    peer_fin(peer, 0);
  else
    peer_rst(peer, 0);
}

void endings_reach(EndingsCell *cell) {
  static void (*const reach[])(EndingsCell * cell) = {
      [MOMENT_ACCEPTED] = reach_accepted,
      [MOMENT_HALF_REQUEST] = reach_accepted,
      [MOMENT_BOUND] = reach_handshake,
      [MOMENT_SERVER_FLIGHT] = reach_handshake,
      [MOMENT_SERVER_DONE] = reach_handshake,
      [MOMENT_CLIENT_HELLO] = reach_handshake,
      [MOMENT_CLIENT_KEYS] = reach_handshake,
      [MOMENT_CLIENT_DONE] = reach_established,
      [MOMENT_IDLE] = reach_established,
      [MOMENT_LOAD] = reach_load,
      [MOMENT_FULL_QUEUE] = reach_full_queue,
      [MOMENT_HALF_FRAME] = reach_half_frame,
      [MOMENT_GRACE] = reach_grace,
      [MOMENT_INSIDE_CONNECTING] = reach_inside_connecting,
      [MOMENT_INSIDE_CONNECTED] = reach_inside_connected,
      [MOMENT_INSIDE_DISCONNECTED] = reach_inside_disconnected,
      [MOMENT_INSIDE_CLOSED] = reach_inside_closed,
      [MOMENT_INSIDE_RTP] = reach_inside_packet,
      [MOMENT_INSIDE_RTCP] = reach_inside_packet,
      [MOMENT_INSIDE_KEYFRAME_WANTED] = reach_inside_keyframe_wanted,
      [MOMENT_AFTER_HOST_CLOSE] = reach_after_host_close,
      [MOMENT_AFTER_CLOSE_NOTIFY] = reach_after_peers_act,
      [MOMENT_AFTER_FIN] = reach_after_peers_act,
      [MOMENT_AFTER_RST] = reach_after_peers_act,
  };
  reach[cell->moment](cell);
}
