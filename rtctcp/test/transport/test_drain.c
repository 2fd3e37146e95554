/* A drain: no new sessions, live ones go on until they end, or the deadline ends them. That the
 * server closes itself then, and nothing is left, is checked by the teardown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"

#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED

#define FAR_MS  (10 * 60 * 1000) /* a deadline that no test reaches */
#define SOON_MS 300

/* -- Helpers -- */

/* Waits until the worker has heard of the drain: what is posted later runs later. */
static void nothing(void *arg) {
  (void)arg;
}

static void drain(Host *host, uint32_t deadline_ms) {
  host_drain_server(host, deadline_ms);
  host_run(host, nothing, NULL);
}

typedef struct Attempt {
  Host *host;
  RtcError error;
} Attempt;

static void try_to_open(void *arg) {
  Attempt *attempt = arg;
  RtcConnection *connection;
  RtcSdpTransport offer;
  RtcPeer *peer = peer_new(NULL);
  peer_local_transport(peer, &offer);
  const RtcConnectionConfig config = {.remote = &offer};
  attempt->error =
      rtc_connection_new(&connection, attempt->host->server, attempt->host->worker, &config);
  peer_destroy(peer);
}

static void assert_takes_no_session(Host *host) {
  Attempt attempt = {.host = host};
  host_run(host, try_to_open, &attempt);
  assert_int_equal(attempt.error, RTC_ERROR_CLOSED);
}

/* -- Cases -- */

/* Who talks goes on to talk; the drain is over when the last one hangs up. */
static void live_session_goes_on_until_it_ends(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  drain(host, FAR_MS);
  host_assert_media_flows(session);
  assert_takes_no_session(host);
  assert_int_equal(peer_close_notify(session->peer), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER);
}

/* A session that nobody has joined ends at once, and who comes for it is refused, and told apart
 * from a stranger by the counter. */
static void session_that_has_not_begun_ends_at_once(void **state) {
  Host *host = *state;
  HostSession *live = host_open_connected(host, NULL);
  HostSession *unbegun = host_open(host, NULL);
  drain(host, FAR_MS);
  host_await_closed(unbegun, RTC_CLOSE_DRAIN);
  assert_int_equal(peer_connect(unbegun->peer, host->address, host->port), PEER_OK);
  assert_int_equal(peer_bind(unbegun->peer, 0, PEER_USE_CANDIDATE), 401);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_DRAIN], 1);
  host_assert_media_flows(live);
}

/* A handshake under way is a session that has begun. */
static void handshake_goes_on(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), 0);
  assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  drain(host, FAR_MS);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_assert_media_flows(session);
}

/* A live session may lose its TCP conn and come back on another one: the port listens on. */
static void live_session_comes_back(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  drain(host, FAR_MS);
  peer_close(session->peer, 0);
  host_await_state(session, DISCONNECTED);
  assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), 0);
  host_assert_media_flows(session);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
}

/* The deadline ends what is left, with a last word to the peers. */
static void deadline_ends_the_rest(void **state) {
  Host *host = *state;
  HostSession *idle = host_open_connected(host, NULL);
  HostSession *lost = host_open_connected(host, NULL);
  peer_close(lost->peer, 0);
  host_await_state(lost, DISCONNECTED);
  drain(host, SOON_MS);
  host_await_closed(idle, RTC_CLOSE_DRAIN);
  host_await_closed(lost, RTC_CLOSE_DRAIN);
  assert_int_equal(peer_wait_closed(idle->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  assert_true(peer_close_notify_received(idle->peer));
}

/* Who has no more patience closes: the rest ends at once, as without a drain. */
static void close_cuts_a_drain_short(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  drain(host, FAR_MS);
  host_close_server(host);
  host_await_closed(session, RTC_CLOSE_WORKER_STOP);
}

/* A worker that stops does not wait for the drain's deadline. */
static void worker_stop_cuts_a_drain_short(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  drain(host, FAR_MS);
  host_drop_handle(session);
  host_stop_worker(host);
  host_await_closed(session, RTC_CLOSE_WORKER_STOP);
}

/* The last session may end inside a callback of its own, which closes the server from there. */
static void last_session_may_end_in_its_own_callback(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  session->hook = HOST_HOOK_DISCONNECTED;
  drain(host, FAR_MS);
  peer_close(session->peer, 0);
  host_await_closed(session, RTC_CLOSE_HOST);
}

/* Without a session there is nothing to wait for. */
static void idle_server_closes_at_once(void **state) {
  drain(*state, FAR_MS);
}

/* Sockets that are nobody's yet hold up no drain. */
static void strangers_do_not_hold_up_a_drain(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  HOST_AWAIT(host, unauthenticated, 1);
  drain(host, FAR_MS);
  host_await_closed(session, RTC_CLOSE_DRAIN);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
}

int main(void) {
  static HostConfig long_grace = {.grace_ms = 60000};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(live_session_goes_on_until_it_ends, NULL),
      CASE(session_that_has_not_begun_ends_at_once, NULL),
      CASE(handshake_goes_on, NULL),
      CASE(live_session_comes_back, &long_grace),
      CASE(deadline_ends_the_rest, &long_grace),
      CASE(close_cuts_a_drain_short, NULL),
      CASE(worker_stop_cuts_a_drain_short, NULL),
      CASE(last_session_may_end_in_its_own_callback, &long_grace),
      CASE(idle_server_closes_at_once, NULL),
      CASE(strangers_do_not_hold_up_a_drain, NULL),
  };
  return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
