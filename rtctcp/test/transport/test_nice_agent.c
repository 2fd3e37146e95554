/* Sessions with libnice's NiceAgent, a full ICE agent that shares no line with the test peer's ICE:
 * its checks, nominations and frames, and DTLS and SRTP through them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/nice_peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED
#define CLOSED       RTC_CONNECTION_STATE_CLOSED

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Owned: the case's agent, which the teardown destroys if the case has not. */
static NicePeer *agent;

static void destroy_agent(void) {
  nice_peer_destroy(agent);
  agent = NULL;
}

static bool has_ipv6(void) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
  if (fd >= 0)
    close(fd);
  return bound;
}

/* Without IPv6 there is no host, and the case is left out. */
static int setup_ipv6(void **state) {
  static HostConfig config = {.listen = "[::1]:0"};
  *state = NULL;
  if (!has_ipv6())
    return 0;
  *state = &config;
  return host_setup(state);
}

static int teardown(void **state) {
  destroy_agent();
  return *state ? host_teardown(state) : 0;
}

static int start_libraries(void **state) {
  (void)state;
  nice_peer_start_libraries();
  return 0;
}

/* -- Opening -- */

typedef struct Asking {
  HostSession *session;
  RtcSdpTransport answer;
  char peer[RTC_SDP_ADDRESS_MAX + sizeof "[]:65535"]; /* of the selected TCP conn */
} Asking;

static void ask_transport(void *arg) {
  Asking *asking = arg;
  rtc_connection_local_transport(asking->session->connection, &asking->answer);
}

static void ask_peer(void *arg) {
  Asking *asking = arg;
  const RtcTcpConn *tcp = rtc_connection_tcp_conn(asking->session->connection);
  if (tcp)
    snprintf(asking->peer, sizeof asking->peer, "%s", rtc_tcp_conn_peer(tcp));
}

/* What the library read in the agent's own SDP: TCP only, and an active candidate among it. */
static void assert_tcp_candidates(const RtcSdpTransport *offer) {
  size_t active = 0;
  for (size_t i = 0; i < offer->candidate_count; i++) {
    assert_true(offer->candidates[i].tcp);
    active += offer->candidates[i].tcp_type == RTC_TCP_TYPE_ACTIVE;
  }
  assert_int_equal(active, 1);
}

/* A session whose offer has the agent's ICE and the test peer's DTLS; nothing is connected yet. */
static HostSession *open_session(Host *host, const NicePeerConfig *ice, const PeerConfig *dtls) {
  RtcSdpTransport offer, dtls_offer;
  NicePeerConfig config = *ice;
  config.address = host->address;
  agent = nice_peer_new(&config);
  assert_non_null(agent);
  assert_true(nice_peer_local_transport(agent, &offer));
  assert_tcp_candidates(&offer);
  RtcPeer *peer = peer_new(dtls);
  assert_non_null(peer);
  peer_local_transport(peer, &dtls_offer);
  offer.setup = dtls_offer.setup;
  offer.fingerprints[0] = dtls_offer.fingerprints[0];
  offer.fingerprint_count = 1;
  HostSession *session = host_open_as(host, peer, &offer);
  assert_int_equal(peer_adopt(peer, 0, nice_peer_wire(agent)), PEER_OK);
  peer_select(peer, 0);
  return session;
}

static void connect_agent(HostSession *session) {
  Asking asking = {.session = session};
  host_run(session->host, ask_transport, &asking);
  assert_true(nice_peer_connect(agent, &asking.answer));
}

/* The agent's pair is the session's TCP conn, whose address it was told by XOR-MAPPED-ADDRESS. */
static void assert_pair(HostSession *session) {
  Asking asking = {.session = session};
  NicePair pair;
  assert_true(nice_peer_selected_pair(agent, &pair));
  assert_true(pair.tcp);
  host_run(session->host, ask_peer, &asking);
  assert_string_equal(pair.local, asking.peer);
}

static HostSession *open_connected(Host *host, const NicePeerConfig *ice, const PeerConfig *dtls) {
  HostSession *session = open_session(host, ice, dtls);
  connect_agent(session);
  assert_true(nice_peer_await_ready(agent, PEER_TIMEOUT_MS));
  host_await_state(session, CONNECTING);
  assert_pair(session);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_await_state(session, CONNECTED);
  return session;
}

/* One TCP conn, and nothing on it that the library did not understand. */
static void assert_clean(HostSession *session) {
  RtcConnectionStats stats;
  host_session_stats(session, &stats);
  assert_int_equal(stats.tcp_conns, 1);
  assert_int_equal(stats.tcp_conns_total, 1);
  for (size_t i = 0; i < RTC_DROP_COUNT; i++)
    if (stats.drops[i])
      fail_msg("%llu drops of %s", (unsigned long long)stats.drops[i], rtc_drop_name((RtcDrop)i));
}

/* -- Cases -- */

/* However the agent nominates, and whichever side is DTLS's client, it gets a session. */
static void agent_connects_and_media_flows(void **state) {
  Host *host = *state;
  static const struct {
    NicePeerConfig ice;
    PeerConfig dtls;
  } cases[] = {
      {{.aggressive = false}, {.setup = RTC_SETUP_ACTPASS}},
      {{.aggressive = false}, {.setup = RTC_SETUP_PASSIVE}},
      {{.aggressive = true}, {.setup = RTC_SETUP_ACTPASS}},
      {{.aggressive = true}, {.setup = RTC_SETUP_PASSIVE}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    HostSession *session = open_connected(host, &cases[i].ice, &cases[i].dtls);
    for (int packets = 0; packets < 5; packets++)
      host_assert_media_flows(session);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
    assert_clean(session);
    host_close_connection(session);
    destroy_agent();
    host_forget(session);
  }
}

/* The same over IPv6: the candidate is read, the mapped address accepted. */
static void agent_connects_over_ipv6(void **state) {
  if (!*state)
    skip();
  static const NicePeerConfig ice = {0};
  HostSession *session = open_connected(*state, &ice, NULL);
  host_assert_media_flows(session);
  assert_clean(session);
}

/* An agent that thinks it is controlled is told of the conflict (487), and changes its role. */
static void agent_in_the_wrong_role_changes_it(void **state) {
  static const NicePeerConfig ice = {.controlled = true};
  HostSession *session = open_connected(*state, &ice, NULL);
  host_assert_media_flows(session);
  assert_clean(session);
}

/* Who does not know the password gets nowhere, and leaves nothing but a count. */
static void wrong_password_never_connects(void **state) {
  Host *host = *state;
  static const NicePeerConfig ice = {0};
  RtcServerStats stats;
  HostSession *session = open_session(host, &ice, NULL);
  Asking asking = {.session = session};
  host_run(host, ask_transport, &asking);
  asking.answer.pwd[0] = asking.answer.pwd[0] == 'a' ? 'b' : 'a';
  assert_true(nice_peer_connect(agent, &asking.answer));
  assert_true(nice_peer_await_failed(agent, PEER_TIMEOUT_MS));
  HOST_AWAIT(host, tcp_conns.live, 0);
  host_stats(host, &stats);
  assert_true(stats.tcp_closes[RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED] > 0);
  assert_int_equal(stats.tcp_closes[RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED],
                   stats.tcp_conns.total);
  assert_int_equal(session->state_count, 0);
}

/* An agent that goes takes its TCP conn along; the session waits for the grace, then ends. */
static void removed_agent_loses_the_session(void **state) {
  Host *host = *state;
  static const NicePeerConfig ice = {0};
  HostSession *session = open_connected(host, &ice, NULL);
  host_assert_media_flows(session);
  destroy_agent();
  host_await_closed(session, RTC_CLOSE_TCP_LOST);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CLOSED);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_PEER_FIN], 1);
}

static void restart_session(void *arg) {
  Asking *asking = arg;
  RtcSdpTransport offer;
  assert_true(nice_peer_local_transport(agent, &offer));
  assert_int_equal(rtc_connection_restart_ice(asking->session->connection, &offer), RTC_OK);
  rtc_connection_local_transport(asking->session->connection, &asking->answer);
}

/* An ICE restart of the agent's own: it connects anew with the new credentials, and the old TCP
 * conn is released, while DTLS and SRTP go on. */
static void agent_restarts_ice(void **state) {
  Host *host = *state;
  static const NicePeerConfig configs[] = {{.aggressive = false}, {.aggressive = true}};
  for (size_t i = 0; i < COUNT_OF(configs); i++) {
    HostSession *session = open_connected(host, &configs[i], NULL);
    Asking asking = {.session = session};
    host_assert_media_flows(session);
    assert_true(nice_peer_restart(agent));
    host_run(host, restart_session, &asking);
    assert_true(nice_peer_connect(agent, &asking.answer));
    assert_true(nice_peer_await_ready(agent, PEER_TIMEOUT_MS));
    HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_ICE_RESTART], i + 1);
    assert_pair(session);
    host_assert_media_flows(session);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
    assert_int_equal(peer_handshakes(session->peer), 1);
    host_close_connection(session);
    destroy_agent();
    host_forget(session);
  }
}

/* The host's end reaches the peer through the agent: close_notify, before the TCP conn goes. */
static void close_notify_reaches_the_agent(void **state) {
  static const NicePeerConfig ice = {0};
  HostSession *session = open_connected(*state, &ice, NULL);
  PeerMedia media;
  host_close_connection(session);
  host_await_closed(session, RTC_CLOSE_HOST);
  assert_int_equal(peer_receive_media(session->peer, &media, PEER_TIMEOUT_MS), PEER_CLOSED);
}

int main(void) {
  static HostConfig short_grace = {.grace_ms = 300};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(agent_connects_and_media_flows, NULL),
      cmocka_unit_test_setup_teardown(agent_connects_over_ipv6, setup_ipv6, teardown),
      CASE(agent_in_the_wrong_role_changes_it, NULL),
      CASE(wrong_password_never_connects, NULL),
      CASE(removed_agent_loses_the_session, &short_grace),
      CASE(agent_restarts_ice, NULL),
      CASE(close_notify_reaches_the_agent, NULL),
  };
  return cmocka_run_group_tests_name("nice_agent", tests, start_libraries, NULL);
}
