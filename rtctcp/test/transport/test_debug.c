/* The debug view: every object with its states and its holders, closed ones that somebody still
 * holds too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"

#include <string.h>

#define SEEN_MAX 8
#define TURNS    1000 /* of the worker, in which the manager has disposed of what it was given */

/* -- Helpers -- */

typedef struct View {
  Host *host;
  RtcDebugConnection connections[SEEN_MAX];
  size_t connection_count;
  RtcDebugTcpConn tcp_conns[SEEN_MAX];
  size_t tcp_conn_count;
} View;

static void see_connection(const RtcDebugConnection *connection, void *arg) {
  View *view = arg;
  assert_true(view->connection_count < SEEN_MAX);
  view->connections[view->connection_count++] = *connection;
}

static void see_tcp_conn(const RtcDebugTcpConn *tcp, void *arg) {
  View *view = arg;
  assert_true(view->tcp_conn_count < SEEN_MAX);
  view->tcp_conns[view->tcp_conn_count++] = *tcp;
}

static void look(void *arg) {
  View *view = arg;
  const RtcDebugVisitor visitor = {
      .on_connection = see_connection, .on_tcp_conn = see_tcp_conn, .arg = view};
  rtc_server_debug(view->host->server, view->host->worker, &visitor);
}

/* The texts in it are valid as long as what they describe stays. */
static View look_at(Host *host) {
  View view = {.host = host};
  host_run(host, look, &view);
  return view;
}

static bool is_disposed(const RtcDebugConnection *connection) {
  return strcmp(connection->resource_state, "disposed") == 0;
}

static void assert_holders(const RtcHolders *holders, RtcHolders expected) {
  assert_int_equal(holders->registry, expected.registry);
  assert_int_equal(holders->connection, expected.connection);
  assert_int_equal(holders->executor, expected.executor);
  assert_int_equal(holders->manager, expected.manager);
  assert_int_equal(holders->others, expected.others);
}

/* -- Cases -- */

/* A live pair: the registry and the host hold the Connection; the Connection and the executor hold
 * the TCP conn. A stranger's TCP conn is held by its executor alone. */
static void live_objects_tell_their_holders(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  assert_int_equal(peer_connect_conn(session->peer, 1, host->address, host->port), PEER_OK);
  HOST_AWAIT(host, unauthenticated, 1);
  View view = look_at(host);

  assert_int_equal(view.connection_count, 1);
  const RtcDebugConnection *connection = &view.connections[0];
  assert_int_equal(connection->state, RTC_CONNECTION_STATE_CONNECTED);
  assert_int_equal(connection->close, RTC_CLOSE_NONE);
  assert_string_equal(connection->name, "test");
  assert_string_equal(connection->resource_state, "live");
  assert_int_equal(connection->tcp_conns, 1);
  assert_null(connection->restart_ufrag);
  assert_true(connection->state_age_ms <= connection->age_ms);
  assert_holders(&connection->holders, (RtcHolders){.registry = 1, .others = 1});

  assert_int_equal(view.tcp_conn_count, 2);
  const RtcDebugTcpConn *attached = &view.tcp_conns[0], *stranger = &view.tcp_conns[1];
  assert_int_equal(attached->state, RTC_TCP_CONN_STATE_PACKETS);
  assert_int_equal(attached->connection_id, connection->id);
  assert_true(attached->selected);
  assert_null(attached->close);
  assert_holders(&attached->holders, (RtcHolders){.connection = 1, .executor = 1});
  assert_int_equal(stranger->state, RTC_TCP_CONN_STATE_FIRST_FRAME);
  assert_int_equal(stranger->connection_id, 0);
  assert_false(stranger->selected);
  assert_holders(&stranger->holders, (RtcHolders){.executor = 1});
}

/* What a host forgot to give back is seen after its end, with its reason: it is what leaks. */
static void forgotten_handle_is_seen(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_close_connection(session);
  HOST_AWAIT(host, tcp_conns.live, 0);
  View view = look_at(host);
  for (int turn = 0; turn < TURNS && !is_disposed(&view.connections[0]); turn++)
    view = look_at(host);
  assert_int_equal(view.connection_count, 1);
  assert_true(is_disposed(&view.connections[0]));
  assert_int_equal(view.tcp_conn_count, 0);
  assert_int_equal(view.connections[0].state, RTC_CONNECTION_STATE_CLOSED);
  assert_int_equal(view.connections[0].close, RTC_CLOSE_HOST);
  assert_holders(&view.connections[0].holders, (RtcHolders){.others = 1});
  host_drop_handle(session);
  assert_int_equal(look_at(host).connection_count, 0);
}

static void close_here(void *arg) {
  View *view = arg;
  HostSession *session = &view->host->sessions[0];
  rtc_connection_close(session->connection);
  look(view);
}

/* In the turn of its end an object is the manager's, and a TCP conn its executor's too. */
static void objects_in_disposal_are_the_managers(void **state) {
  Host *host = *state;
  host_open_connected(host, NULL);
  View view = {.host = host};
  host_run(host, close_here, &view);
  assert_string_equal(view.connections[0].resource_state, "disposal");
  assert_holders(&view.connections[0].holders, (RtcHolders){.manager = 1, .others = 1});
  assert_int_equal(view.tcp_conns[0].state, RTC_TCP_CONN_STATE_DISPOSAL);
  assert_string_equal(view.tcp_conns[0].close, rtc_tcp_close_name(RTC_TCP_CLOSE_SESSION));
  assert_int_equal(view.tcp_conns[0].connection_id, 0);
  assert_holders(&view.tcp_conns[0].holders, (RtcHolders){.executor = 1});
}

static void restart_ice(void *arg) {
  HostSession *session = arg;
  RtcSdpTransport offer;
  peer_restart_ice(session->peer);
  peer_local_transport(session->peer, &offer);
  assert_int_equal(rtc_connection_restart_ice(session->connection, &offer), RTC_OK);
}

/* While an ICE restart is pending the registry finds a session by two ufrags. */
static void pending_restart_is_seen(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_run(host, restart_ice, session);
  View view = look_at(host);
  assert_non_null(view.connections[0].restart_ufrag);
  assert_string_not_equal(view.connections[0].restart_ufrag, view.connections[0].ufrag);
  assert_holders(&view.connections[0].holders, (RtcHolders){.registry = 2, .others = 1});
}

int main(void) {
#define CASE(function)                                                                             \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, NULL)
  const struct CMUnitTest tests[] = {
      CASE(live_objects_tell_their_holders),
      CASE(forgotten_handle_is_seen),
      CASE(objects_in_disposal_are_the_managers),
      CASE(pending_restart_is_seen),
  };
  return cmocka_run_group_tests_name("debug", tests, NULL, NULL);
}
