/* The moments of the matrix: brings a session to each of them, and holds the worker there where it
 * is inside something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/endings.h"

#include "transport/rtc_connection_internal.h"

#include <poll.h>
#include <time.h>

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
    endings_send_half_request(cell);
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
  host_run(cell->host, endings_load_on_worker, cell);
  endings_peer_load(cell);
}

/* The socket takes a part of what the first rounds give. */
static void reach_full_queue(EndingsCell *cell) {
  cell->peer_config.receive_buffer = RECEIVE_BUFFER;
  open_established(cell);
  for (int i = 0; i < 3; i++) {
    host_run(cell->host, endings_fill_queue, cell);
    settle(cell);
  }
  host_run(cell->host, endings_note_queued, cell);
  assert_true(cell->queued > rtc_send_limits_default.octets / 2);
}

static void reach_half_frame(EndingsCell *cell) {
  open_established(cell);
  endings_send_half_packet(cell);
  settle(cell);
}

static void reach_draining(EndingsCell *cell) {
  open_established(cell);
  host_drain_server(cell->host, HOST_DEADLINE_MS);
  settle(cell);
}

static void reach_grace(EndingsCell *cell) {
  open_established(cell);
  peer_fin(cell->session->peer, 0);
  host_await_state(cell->session, RTC_CONNECTION_STATE_DISCONNECTED);
  HOST_AWAIT(cell->host, tcp_conns.live, 0);
}

/* Nobody's timer sends the lost flight again: the new conn must bring it. */
static void reach_grace_shaking(EndingsCell *cell) {
  cell->peer_config.retransmit_ms = 10 * PEER_TIMEOUT_MS;
  open_bound(cell);
  step(cell);
  await_readable(cell);
  peer_rst(cell->session->peer, 0);
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
  endings_send_from_peer(cell, rtcp);
  await_held(cell);
}

static void reach_inside_keyframe_wanted(EndingsCell *cell) {
  hold_established(cell, endings_overfill_queue);
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
      [MOMENT_DRAINING] = reach_draining,
      [MOMENT_GRACE] = reach_grace,
      [MOMENT_GRACE_SHAKING] = reach_grace_shaking,
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
