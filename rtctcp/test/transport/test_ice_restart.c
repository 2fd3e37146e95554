/* ICE restarts: which credentials are good when, which TCP conns stay, and that DTLS, SRTP and
 * media go on as if there had been none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"

#include <rtctcp/debug.h>

#include <string.h>
#include <unistd.h>

#define NEW          RTC_CONNECTION_STATE_NEW
#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* -- Restarts -- */

/* One generation of credentials, of both sides. */
typedef struct Generation {
  RtcSdpTransport own, remote; /* the peer's, the library's */
} Generation;

typedef struct Restart {
  HostSession *session;
  const RtcSdpTransport *offer;
  RtcSdpTransport answer;
  RtcError error;
} Restart;

static void restart_connection(void *arg) {
  Restart *restart = arg;
  restart->error = rtc_connection_restart_ice(restart->session->connection, restart->offer);
  rtc_connection_local_transport(restart->session->connection, &restart->answer);
}

static void ask_transport(void *arg) {
  Restart *restart = arg;
  rtc_connection_local_transport(restart->session->connection, &restart->answer);
}

static Generation generation_of(HostSession *session) {
  Generation generation;
  Restart asking = {.session = session};
  peer_local_transport(session->peer, &generation.own);
  host_run(session->host, ask_transport, &asking);
  generation.remote = asking.answer;
  return generation;
}

/* The peer's offer and the library's answer: from here on the peer uses what is new. */
static Generation restart(HostSession *session) {
  Generation generation;
  peer_restart_ice(session->peer);
  peer_local_transport(session->peer, &generation.own);
  Restart asked = {.session = session, .offer = &generation.own};
  host_run(session->host, restart_connection, &asked);
  assert_int_equal(asked.error, RTC_OK);
  assert_int_equal(peer_set_remote(session->peer, &asked.answer), PEER_OK);
  generation.remote = asked.answer;
  return generation;
}

static void use(HostSession *session, const Generation *generation) {
  peer_use_credentials(session->peer, &generation->own, &generation->remote);
}

/* -- What the host sees -- */

typedef struct Registered {
  HostSession *session;
  uint64_t id;
  uint32_t handles; /* of the registry */
  bool restarts;
} Registered;

static void note_registered(const RtcDebugConnection *connection, void *arg) {
  Registered *registered = arg;
  if (connection->id != registered->id)
    return;
  registered->handles = connection->holders.registry;
  registered->restarts = connection->restart_ufrag;
}

static void ask_registered(void *arg) {
  Registered *registered = arg;
  const Host *host = registered->session->host;
  const RtcDebugVisitor visitor = {.on_connection = note_registered, .arg = registered};
  registered->id = rtc_connection_id(registered->session->connection);
  rtc_server_debug(host->server, host->worker, &visitor);
}

/* The session is found by so many ufrags: two while a restart awaits its nomination. */
static void assert_registered(HostSession *session, uint32_t ufrags) {
  Registered registered = {.session = session};
  host_run(session->host, ask_registered, &registered);
  assert_int_equal(registered.handles, ufrags);
  assert_int_equal(registered.restarts, ufrags == 2);
}

/* -- What the peer does -- */

static void connect_conn(HostSession *session, int conn) {
  const Host *host = session->host;
  assert_int_equal(peer_connect_conn(session->peer, conn, host->address, host->port), PEER_OK);
}

static void join(HostSession *session, int conn, unsigned flags) {
  connect_conn(session, conn);
  assert_int_equal(peer_bind(session->peer, conn, flags), PEER_OK);
}

/* A new TCP conn with these credentials finds no session. */
static void assert_unknown(HostSession *session, const Generation *generation) {
  enum { CONN = PEER_CONNS_MAX - 1 };
  Host *host = session->host;
  RtcServerStats stats;
  host_stats(host, &stats);
  use(session, generation);
  connect_conn(session, CONN);
  assert_int_equal(peer_bind(session->peer, CONN, PEER_USE_CANDIDATE), 401);
  assert_int_equal(peer_wait_closed(session->peer, CONN, PEER_TIMEOUT_MS), PEER_EOF);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_NO_SUCH_SESSION],
             stats.tcp_closes[RTC_TCP_CLOSE_NO_SUCH_SESSION] + 1);
  peer_close(session->peer, CONN);
}

static void assert_released(HostSession *session, int conn) {
  assert_int_equal(peer_wait_closed(session->peer, conn, PEER_TIMEOUT_MS), PEER_EOF);
  assert_false(peer_close_notify_received(session->peer));
  peer_close(session->peer, conn);
}

static void assert_media_on(HostSession *session, int conn) {
  host_assert_media_flows(session);
  assert_int_equal(session->last_conn, conn);
}

static void assert_one_handshake(HostSession *session) {
  RtcServerStats stats;
  host_stats(session->host, &stats);
  assert_int_equal(stats.handshakes, 1);
  assert_int_equal(peer_handshakes(session->peer), 1);
}

/* -- Which credentials are good when -- */

/* A restart as it should go: the old conn serves until the new one is nominated, then it is
 * released and its credentials are nobody's; media, SRTP and states know nothing of it. */
static void new_conn_takes_over_when_it_is_nominated(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  Generation before = generation_of(session);
  assert_media_on(session, 0);
  Generation after = restart(session);
  assert_string_not_equal(after.remote.ufrag, before.remote.ufrag);
  assert_string_not_equal(after.remote.pwd, before.remote.pwd);
  assert_registered(session, 2);
  assert_media_on(session, 0);

  join(session, 1, 0);
  assert_media_on(session, 0);
  use(session, &before);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_media_on(session, 0);
  assert_registered(session, 2);

  use(session, &after);
  assert_int_equal(peer_bind(session->peer, 1, PEER_USE_CANDIDATE), PEER_OK);
  assert_registered(session, 1);
  assert_released(session, 0);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], 1);
  assert_media_on(session, 1);
  assert_unknown(session, &before);
  assert_media_on(session, 1);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  assert_one_handshake(session);
}

/* A ufrag goes with its own password, and with the peer's ufrag of the same generation. */
static void generations_do_not_mix(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  Generation before = generation_of(session);
  Generation after = restart(session);
  Generation mixes[] = {before, after, before, after};
  memcpy(mixes[0].remote.pwd, after.remote.pwd, sizeof after.remote.pwd);
  memcpy(mixes[1].remote.pwd, before.remote.pwd, sizeof before.remote.pwd);
  mixes[2].own = after.own;
  mixes[3].own = before.own;
  for (size_t i = 0; i < COUNT_OF(mixes); i++) {
    use(session, &mixes[i]);
    connect_conn(session, 1);
    assert_int_equal(peer_bind(session->peer, 1, PEER_USE_CANDIDATE), 401);
    assert_int_equal(peer_wait_closed(session->peer, 1, PEER_TIMEOUT_MS), PEER_EOF);
    assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), 401);
    assert_registered(session, 2);
  }
  peer_select(session->peer, 0);
  assert_media_on(session, 0);
}

/* The new conn is taken even if the old one outranks it, and without a second nomination. */
static void new_conn_is_taken_whatever_its_priority(void **state) {
  HostSession *session = host_open(*state, NULL);
  peer_set_priority(session->peer, 0, 2000);
  peer_set_priority(session->peer, 1, 1000);
  join(session, 0, PEER_USE_CANDIDATE);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  restart(session);
  join(session, 1, PEER_USE_CANDIDATE);
  assert_released(session, 0);
  host_assert_media_out(session); /* before the peer's media says where it is */
  assert_int_equal(session->last_conn, 1);
}

/* A peer may keep its TCP conn, and prove the new credentials on it: it stays, while a standby that
 * knows the old ones only goes, and one that has proven the new ones stays too. */
static void conn_that_proves_the_new_credentials_stays(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  Generation before = generation_of(session);
  join(session, 1, 0);
  join(session, 2, 0);
  restart(session);
  assert_int_equal(peer_bind(session->peer, 2, 0), PEER_OK);
  assert_int_equal(peer_bind(session->peer, 0, 0), PEER_OK);
  assert_registered(session, 2);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_registered(session, 1);
  assert_released(session, 1);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], 1);
  HOST_AWAIT(host, tcp_conns.live, 2);
  assert_media_on(session, 0);
  assert_int_equal(peer_bind(session->peer, 2, PEER_USE_CANDIDATE), PEER_OK);
  assert_unknown(session, &before);
}

/* A restart that replaces a pending one: the skipped credentials are nobody's, the first ones are
 * good until the last ones are nominated; a conn that has proven the skipped ones goes then. */
static void second_restart_replaces_the_pending_one(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  Generation before = generation_of(session);
  Generation skipped = restart(session);
  join(session, 1, 0);
  Generation after = restart(session);
  assert_registered(session, 2);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE),
                   PEER_OK); /* with the new ones */
  assert_registered(session, 1);
  assert_released(session, 1);
  assert_unknown(session, &skipped);
  assert_unknown(session, &before);
  use(session, &after);
  assert_media_on(session, 0);

  restart(session);
  skipped = restart(session);
  restart(session);
  assert_unknown(session, &skipped);
  use(session, &after);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_registered(session, 2);
  assert_media_on(session, 0);
}

/* Restarts without number leave nothing behind. */
static void restarting_often_leaves_nothing(void **state) {
  enum { TIMES = 50 };
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  for (int i = 0; i < TIMES; i++) {
    int conn = 1 - i % 2;
    restart(session);
    join(session, conn, PEER_USE_CANDIDATE);
    assert_released(session, 1 - conn);
    assert_media_on(session, conn);
  }
  assert_registered(session, 1);
  HOST_AWAIT(host, tcp_conns.live, 1);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], TIMES);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  assert_one_handshake(session);
}

/* -- In each state -- */

/* Before the first TCP conn: either generation may begin the session; the new one ends the old. */
static void session_restarts_before_it_has_begun(void **state) {
  Host *host = *state;
  for (int begins_with_old = 0; begins_with_old < 2; begins_with_old++) {
    HostSession *session = host_open(host, NULL);
    Generation before = generation_of(session);
    Generation after = restart(session);
    assert_int_equal(host_state(session), NEW);
    if (begins_with_old) {
      use(session, &before);
      join(session, 0, PEER_USE_CANDIDATE);
      assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
      assert_registered(session, 2);
      use(session, &after);
    }
    join(session, 1, PEER_USE_CANDIDATE);
    assert_registered(session, 1);
    assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    assert_unknown(session, &before);
    assert_media_on(session, 1);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  }
}

/* In the middle of a handshake, which goes on over the new conn: lost flights are sent again. */
static void handshake_goes_on_over_the_restart(void **state) {
  static const RtcSetup setups[] = {RTC_SETUP_ACTPASS, RTC_SETUP_PASSIVE};
  for (size_t i = 0; i < COUNT_OF(setups); i++) {
    const PeerConfig config = {.setup = setups[i], .retransmit_ms = 10 * PEER_TIMEOUT_MS};
    HostSession *session = host_open_conn(*state, &config);
    assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    peer_cut_in_after(session->peer, 0, 200); /* of the library's flight */
    assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_CUT);
    restart(session);
    join(session, 1, PEER_USE_CANDIDATE);
    peer_close(session->peer, 0);
    assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
    host_await_state(session, CONNECTED);
    assert_media_on(session, 1);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  }
}

/* The old conn is lost before or after the restart: the session waits, and comes back with the new
 * credentials. */
static void lost_session_comes_back_with_the_new_credentials(void **state) {
  Host *host = *state;
  for (int restarts_first = 0; restarts_first < 2; restarts_first++) {
    HostSession *session = host_open_connected(host, NULL);
    Generation before = generation_of(session);
    host_assert_media_flows(session);
    if (restarts_first)
      restart(session);
    peer_rst(session->peer, 0);
    host_await_state(session, DISCONNECTED);
    if (!restarts_first)
      restart(session);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_registered(session, 1);
    assert_unknown(session, &before);
    assert_media_on(session, 0);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
  }
}

/* It may as well come back with the old ones first, for they are good until then. */
static void lost_session_comes_back_with_the_old_credentials(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  Generation before = generation_of(session);
  Generation after = restart(session);
  peer_rst(session->peer, 0);
  host_await_state(session, DISCONNECTED);
  use(session, &before);
  assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_registered(session, 2);
  assert_media_on(session, 0);
  use(session, &after);
  join(session, 1, PEER_USE_CANDIDATE);
  assert_released(session, 0);
  assert_media_on(session, 1);
}

/* -- Refusals and ends -- */

/* Without the peer's ufrag or pwd nothing changes, nor after the end. */
static void bad_restarts_change_nothing(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  Generation before = generation_of(session);
  RtcSdpTransport offers[] = {before.own, before.own};
  offers[0].ufrag[0] = '\0';
  offers[1].pwd[0] = '\0';
  for (size_t i = 0; i < COUNT_OF(offers); i++) {
    Restart asked = {.session = session, .offer = &offers[i]};
    host_run(session->host, restart_connection, &asked);
    assert_int_equal(asked.error, RTC_ERROR_INVALID_ARGUMENT);
    assert_string_equal(asked.answer.ufrag, before.remote.ufrag);
    assert_string_equal(asked.answer.pwd, before.remote.pwd);
    assert_registered(session, 1);
  }
  assert_media_on(session, 0);
  host_close_connection(session);
  Restart late = {.session = session, .offer = &before.own};
  host_run(session->host, restart_connection, &late);
  assert_int_equal(late.error, RTC_ERROR_CLOSED);
}

/* A session that ends while a restart is pending is found by neither ufrag any more. */
static void end_takes_a_pending_restart_along(void **state) {
  static const PeerConfig configs[] = {{.setup = RTC_SETUP_ACTPASS}, {.setup = RTC_SETUP_PASSIVE}};
  for (size_t i = 0; i < COUNT_OF(configs); i++) {
    HostSession *session = host_open_connected(*state, &configs[i]);
    Generation before = generation_of(session);
    Generation after = restart(session);
    if (i == 0)
      host_close_connection(session);
    else
      assert_int_equal(peer_close_notify(session->peer), PEER_OK);
    host_await_closed(session, i == 0 ? RTC_CLOSE_HOST : RTC_CLOSE_PEER);
    peer_close(session->peer, 0);
    assert_unknown(session, &before);
    assert_unknown(session, &after);
  }
}

/* Nor one that ends because nobody came back in time. */
static void grace_ends_a_restarting_session(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  Generation before = generation_of(session);
  Generation after = restart(session);
  peer_rst(session->peer, 0);
  host_await_closed(session, RTC_CLOSE_TCP_LOST);
  assert_unknown(session, &before);
  assert_unknown(session, &after);
}

int main(void) {
  static HostConfig long_grace = {.grace_ms = 60000, .session_timeout_ms = 120000};
  static HostConfig short_grace = {.grace_ms = 100};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(new_conn_takes_over_when_it_is_nominated, &long_grace),
      CASE(generations_do_not_mix, &long_grace),
      CASE(new_conn_is_taken_whatever_its_priority, &long_grace),
      CASE(conn_that_proves_the_new_credentials_stays, &long_grace),
      CASE(second_restart_replaces_the_pending_one, &long_grace),
      CASE(restarting_often_leaves_nothing, &long_grace),
      CASE(session_restarts_before_it_has_begun, &long_grace),
      CASE(handshake_goes_on_over_the_restart, &long_grace),
      CASE(lost_session_comes_back_with_the_new_credentials, &long_grace),
      CASE(lost_session_comes_back_with_the_old_credentials, &long_grace),
      CASE(bad_restarts_change_nothing, &long_grace),
      CASE(end_takes_a_pending_restart_along, &long_grace),
      CASE(grace_ends_a_restarting_session, &short_grace),
  };
  return cmocka_run_group_tests_name("ICE restart", tests, NULL, NULL);
}
