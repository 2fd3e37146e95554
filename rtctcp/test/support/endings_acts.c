/* The endings of the matrix: what the peer does, what the host does, and how a session that goes on
 * with it is ended at last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/endings.h"
#include "support/peer_internal.h"

#include <valgrind/valgrind.h>

#define GRACE_MS             20    /* where it is to end */
#define LONG_GRACE_MS        60000 /* where it is not */
#define TIMEOUT_MS           1500  /* of silence, on a bare machine */
#define DRAIN_MS             20
#define LONG_DRAIN_MS        500 /* on a bare machine */
#define ALERT_INTERNAL_ERROR 80
#define NEW_CONN             1
#define READS_MAX            64

unsigned endings_slowness(void) {
#if defined(__SANITIZE_THREAD__)
  return 6;
#elif defined(__SANITIZE_ADDRESS__)
  return 3;
#else
  return RUNNING_ON_VALGRIND ? 8 : 1;
#endif
}

bool endings_ends_server(const EndingsCell *cell) {
  return cell->ending == ENDING_WORKER_STOP || cell->ending == ENDING_SERVER_CLOSE ||
         cell->ending == ENDING_SERVER_DRAIN || cell->moment == MOMENT_DRAINING;
}

static bool loses_conn(Ending ending) {
  return ending == ENDING_FIN || ending == ENDING_RST || ending == ENDING_HALF_CLOSE;
}

void endings_prepare(EndingsCell *cell) {
  HostConfig *config = &cell->config;
  config->grace_ms = loses_conn(cell->ending) ? GRACE_MS : LONG_GRACE_MS;
  if (cell->ending != ENDING_SILENCE)
    return;
  config->session_timeout_ms = TIMEOUT_MS * endings_slowness();
  config->first_frame_ms = config->session_timeout_ms;
  config->grace_ms = (int32_t)config->session_timeout_ms;
  config->shares_process = true;
}

/* -- The peer's -- */

/* What can't come in the middle of a frame comes behind it. */
static void finish_frame(EndingsCell *cell) {
  assert_int_equal(peer_send_raw(cell->session->peer, 0, cell->rest, cell->rest_len), PEER_OK);
  cell->rest_len = 0;
}

static void notify(EndingsCell *cell) {
  RtcPeer *peer = cell->session->peer;
  bool again = cell->moment == MOMENT_AFTER_CLOSE_NOTIFY; /* OpenSSL says it once */
  finish_frame(cell);
  int result =
      again ? peer_alert_send(peer, SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY) : peer_close_notify(peer);
  assert_int_equal(result, PEER_OK);
}

static void alert(EndingsCell *cell) {
  finish_frame(cell);
  assert_int_equal(peer_fatal_alert(cell->session->peer, ALERT_INTERNAL_ERROR), PEER_OK);
}

/* What has come and is not read would turn the FIN into a RST. */
static void close_socket(EndingsCell *cell) {
  uint8_t octets[4096];
  int fd = peer_fd(cell->session->peer, 0);
  for (int i = 0; i < READS_MAX && recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0; i++)
    ;
  peer_close(cell->session->peer, 0);
}

static void reset(EndingsCell *cell) {
  peer_rst(cell->session->peer, 0);
}

static void half_close(EndingsCell *cell) {
  peer_fin(cell->session->peer, 0);
}

static int connect_again(EndingsCell *cell) {
  return peer_connect_conn(cell->session->peer, NEW_CONN, cell->host->address, cell->host->port);
}

static void send_second_request(EndingsCell *cell) {
  assert_int_equal(connect_again(cell), PEER_OK);
  assert_int_equal(peer_send_request(cell->session->peer, NEW_CONN, PEER_USE_CANDIDATE), PEER_OK);
}

static void offer_restart(EndingsCell *cell) {
  peer_restart_ice(cell->session->peer);
  peer_local_transport(cell->session->peer, &cell->offer);
}

void endings_peer_act(EndingsCell *cell) {
  static void (*const acts[ENDING_COUNT])(EndingsCell * cell) = {
      [ENDING_CLOSE_NOTIFY] = notify,      [ENDING_FATAL_ALERT] = alert,
      [ENDING_FIN] = close_socket,         [ENDING_RST] = reset,
      [ENDING_HALF_CLOSE] = half_close,    [ENDING_SECOND_CONN] = send_second_request,
      [ENDING_ICE_RESTART] = offer_restart};
  if (!acts[cell->ending])
    return;
  acts[cell->ending](cell);
  if (cell->moment == MOMENT_LOAD)
    endings_peer_load(cell);
}

/* -- The host's, on the worker's thread -- */

static void close_connection(EndingsCell *cell) {
  rtc_connection_close(cell->session->connection);
}

static void close_tcp_conn(EndingsCell *cell) {
  RtcConnection *connection = cell->session->connection;
  RtcTcpConn *tcp = cell->tcp ? cell->tcp : rtc_connection_tcp_conn(connection);
  if (tcp)
    rtc_tcp_conn_close(tcp);
  rtc_tcp_conn_unref(&cell->tcp);
}

static void restart_ice(EndingsCell *cell) {
  RtcConnection *connection = cell->session->connection;
  cell->restart_error = rtc_connection_restart_ice(connection, &cell->offer);
  rtc_connection_local_transport(connection, &cell->answer);
}

/* A host that ends its server or its worker has given its handles back. */
static void stop_worker(EndingsCell *cell) {
  rtc_connection_unref(&cell->session->connection);
  host_stop_worker(cell->host);
}

static void close_server(EndingsCell *cell) {
  rtc_connection_unref(&cell->session->connection);
  host_close_server(cell->host);
}

/* A session that has not begun must not wait for the deadline; the other ones do, after what lies
 * unread in the socket. */
static uint32_t drain_ms(EndingStage stage) {
  if (stage == STAGE_STRANGER || stage == STAGE_HALF_REQUEST)
    return 2 * HOST_DEADLINE_MS;
  return stage < STAGE_UNREAD_NOTIFY ? DRAIN_MS : LONG_DRAIN_MS * endings_slowness();
}

static void drain_server(EndingsCell *cell) {
  rtc_connection_unref(&cell->session->connection);
  host_drain_server(cell->host, drain_ms(moment_stage(cell->moment)));
}

void endings_host_act(EndingsCell *cell) {
  static void (*const acts[ENDING_COUNT])(EndingsCell * cell) = {
      [ENDING_HOST_CONNECTION] = close_connection, [ENDING_HOST_TCP_CONN] = close_tcp_conn,
      [ENDING_ICE_RESTART] = restart_ice,          [ENDING_WORKER_STOP] = stop_worker,
      [ENDING_SERVER_CLOSE] = close_server,        [ENDING_SERVER_DRAIN] = drain_server};
  RtcConnection *connection = rtc_connection_ref(cell->session->connection);
  bool load = cell->moment == MOMENT_LOAD;
  if (load)
    endings_host_load(cell, connection);
  if (acts[cell->ending])
    acts[cell->ending](cell);
  if (load)
    endings_host_load(cell, connection);
  rtc_connection_unref(&connection);
}

/* -- What goes on -- */

/* Of a first conn that waits for octets which will not come, the peer knows nothing. */
static void take_restart(EndingsCell *cell) {
  RtcPeer *peer = cell->session->peer;
  assert_int_equal(cell->restart_error, RTC_OK);
  assert_int_equal(peer_set_remote(peer, &cell->answer), PEER_OK);
  assert_int_equal(connect_again(cell), PEER_OK);
  assert_int_equal(peer_bind(peer, NEW_CONN, PEER_USE_CANDIDATE), PEER_OK);
}

/* Both sides' packets take the new conn; what was on its way on the old one may come before. */
static void assert_media_on_new_conn(EndingsCell *cell) {
  HostSession *session = cell->session;
  PeerMedia media = {.conn = -1};
  host_assert_media_in(session);
  host_send_rtp(session);
  while (media.conn != NEW_CONN)
    assert_int_equal(peer_receive_kind(session->peer, &media, false, PEER_TIMEOUT_MS), PEER_OK);
}

static void go_on_with_new_conn(EndingsCell *cell) {
  RtcPeer *peer = cell->session->peer;
  if (cell->ending == ENDING_ICE_RESTART) {
    take_restart(cell);
  } else {
    assert_int_equal(peer_await_response(peer, NEW_CONN, PEER_TIMEOUT_MS), PEER_OK);
    peer_select(peer, NEW_CONN);
  }
  assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(cell->session, RTC_CONNECTION_STATE_CONNECTED);
  assert_media_on_new_conn(cell);
  assert_int_equal(peer_handshakes(peer), 1);
}

/* The session is untouched by what became of a stranger. */
static void await_stranger_gone(EndingsCell *cell) {
  HOST_AWAIT(cell->host, tcp_conns.live, 0);
}

void endings_go_on(EndingsCell *cell) {
  if (cell->ending == ENDING_SECOND_CONN || cell->ending == ENDING_ICE_RESTART)
    go_on_with_new_conn(cell);
  else
    await_stranger_gone(cell);
  cell->left_in = host_state(cell->session);
  cell->has_gone_on = true;
  host_close_connection(cell->session);
}
