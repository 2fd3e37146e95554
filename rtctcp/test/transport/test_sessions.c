/* Sessions from their first TCP conn to their end, whoever ends them: states in order, what the
 * peer sees, and that nothing stays (the teardown checks that). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"
#include "support/rtp.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEW          RTC_CONNECTION_STATE_NEW
#define CONNECTING   RTC_CONNECTION_STATE_CONNECTING
#define CONNECTED    RTC_CONNECTION_STATE_CONNECTED
#define DISCONNECTED RTC_CONNECTION_STATE_DISCONNECTED
#define CLOSED       RTC_CONNECTION_STATE_CLOSED

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define ALERT_INTERNAL_ERROR 80

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The peer's conn ended with a FIN, after close_notify. */
static void assert_notified_and_closed(HostSession *session, int conn) {
  assert_int_equal(peer_wait_closed(session->peer, conn, PEER_TIMEOUT_MS), PEER_EOF);
  assert_true(peer_close_notify_received(session->peer));
}

/* -- Beginning -- */

/* A session connects, and packets pass both ways as they were sent. */
static void session_connects_and_media_flows(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  RtcConnectionStats stats;
  for (int i = 0; i < 5; i++)
    host_assert_media_flows(session);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
  host_session_stats(session, &stats);
  assert_int_equal(stats.packets_in, 5);
  assert_int_equal(stats.packets_out, 5);
  assert_int_equal(stats.tcp_conns, 1);
  assert_string_equal(stats.srtp_profile, peer_srtp_profile(session->peer));
}

/* Either side may be the DTLS client, every SRTP profile works, flights may come in fragments. */
static void session_connects_with_every_role_and_profile(void **state) {
  Host *host = *state;
  static const PeerConfig configs[] = {
      {.setup = RTC_SETUP_ACTPASS},
      {.setup = RTC_SETUP_ACTIVE, .srtp_profiles = "SRTP_AES128_CM_SHA1_80"},
      {.setup = RTC_SETUP_PASSIVE},
      {.setup = RTC_SETUP_PASSIVE, .srtp_profiles = "SRTP_AEAD_AES_256_GCM"},
      {.setup = RTC_SETUP_ACTPASS, .srtp_profiles = "SRTP_AEAD_AES_128_GCM", .mtu = 256},
      {.setup = RTC_SETUP_PASSIVE, .srtp_profiles = "SRTP_AEAD_AES_128_GCM", .mtu = 256},
  };
  for (size_t i = 0; i < COUNT_OF(configs); i++) {
    HostSession *session = host_open_connected(host, &configs[i]);
    const char *profile = peer_srtp_profile(session->peer);
    if (configs[i].srtp_profiles)
      assert_string_equal(profile, configs[i].srtp_profiles);
    else if (configs[i].setup != RTC_SETUP_PASSIVE) /* the DTLS server chooses */
      assert_memory_equal(profile, "SRTP_AEAD", 9);
    host_assert_media_flows(session);
  }
}

/* Every octet of the beginning may come by itself. */
static void request_octet_by_octet_is_answered(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  uint8_t frame[2 + PEER_STUN_MAX];
  int len = peer_make_request(session->peer, 0, PEER_USE_CANDIDATE, frame + 2);
  assert_true(len > 0);
  rtp_write16(frame, (uint16_t)len);
  for (size_t i = 0; i < 2 + (size_t)len; i++)
    assert_int_equal(peer_send_raw(session->peer, 0, frame + i, 1), PEER_OK);
  assert_int_equal(peer_await_response(session->peer, 0, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  host_assert_media_flows(session);
}

/* IPv6 works as IPv4 does, XOR-MAPPED-ADDRESS included (the peer checks it). */
static void session_connects_over_ipv6(void **state) {
  host_assert_media_flows(host_open_connected(*state, NULL));
}

/* Binding requests keep no handshake alive for ever: a session that is not connected in time ends.
 */
static void handshake_that_never_ends_is_ended(void **state) {
  Host *host = *state;
  HostSession *session = host_open_conn(host, NULL);
  int64_t until_ms = now_ms() + 4 * (int64_t)host->config.session_timeout_ms;
  while (host_state(session) != CLOSED && now_ms() < until_ms) {
    peer_bind(session->peer, 0, PEER_USE_CANDIDATE);
    usleep(50 * 1000);
  }
  assert_int_equal(host_state(session), CLOSED); /* while it was bound, not for silence after */
  host_await_closed(session, RTC_CLOSE_TIMEOUT);
  HOST_ASSERT_STATES(session, CONNECTING, CLOSED);
}

/* A host that keeps no handle loses nothing: the server holds the session. */
static void session_lives_without_the_hosts_handle(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  host_drop_handle(session);
  host_assert_media_in(session);
  assert_int_equal(peer_close_notify(session->peer), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER);
}

/* Nobody comes: the session ends by itself. */
static void session_that_nobody_joins_ends(void **state) {
  HostSession *session = host_open(*state, NULL);
  host_await_closed(session, RTC_CLOSE_NEVER_CONNECTED);
  HOST_ASSERT_STATES(session, CLOSED);
}

/* A certificate that was not signalled ends the session before any key is used. */
static void wrong_fingerprint_closes_before_media(void **state) {
  Host *host = *state;
  static const RtcSetup setups[] = {RTC_SETUP_ACTPASS, RTC_SETUP_PASSIVE};
  for (size_t i = 0; i < COUNT_OF(setups); i++) {
    RtcSdpTransport offer;
    const PeerConfig config = {.setup = setups[i]};
    RtcPeer *peer = peer_new(&config);
    peer_local_transport(peer, &offer);
    offer.fingerprints[0].value[0] ^= 1;
    HostSession *session = host_open_as(host, peer, &offer);
    assert_int_equal(peer_connect(peer, host->address, host->port), PEER_OK);
    assert_int_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_ALERT);
    host_await_closed(session, RTC_CLOSE_FINGERPRINT);
    HOST_ASSERT_STATES(session, CONNECTING, CLOSED);
    assert_int_equal(host_rtp_count(session), 0);
    assert_int_equal(peer_wait_closed(peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  }
}

/* -- The host ends it -- */

/* The peer sees close_notify, then the end of the stream; the state is reported at once. */
static void host_closes_the_connection(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_close_connection(session);
  assert_int_equal(host_state(session), CLOSED);
  host_await_closed(session, RTC_CLOSE_HOST);
  host_close_connection(session); /* twice is fine */
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, CLOSED);
  assert_notified_and_closed(session, 0);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_SESSION], 1);
}

/* A peer that stays, and says nothing, does not keep the TCP conn of a closed session: no timeout
 * is near that could have ended it. */
static void silent_peer_does_not_keep_a_closed_sessions_tcp_conn(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_close_connection(session);
  HOST_AWAIT(host, tcp_conns.live, 0);
  assert_notified_and_closed(session, 0);
}

/* Closing the TCP conn closes the session that it serves, in the same way. */
static void host_closes_the_tcp_conn(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  host_close_tcp_conn(session);
  host_await_closed(session, RTC_CLOSE_HOST);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, CLOSED);
  assert_notified_and_closed(session, 0);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_HOST], 1);
}

/* A session may be closed at any stage of its beginning. */
static void host_closes_before_the_session_is_connected(void **state) {
  Host *host = *state;
  HostSession *fresh = host_open(host, NULL);
  HostSession *silent = host_open_conn(host, NULL);
  HostSession *bound = host_open_conn(host, NULL);
  HostSession *shaking = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(bound->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_bind(shaking->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake_step(shaking->peer, PEER_TIMEOUT_MS), PEER_OK);
  HostSession *all[] = {fresh, silent, bound, shaking};
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    host_close_connection(all[i]);
    host_await_closed(all[i], RTC_CLOSE_HOST);
  }
  assert_int_equal(peer_wait_closed(bound->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  assert_int_equal(peer_wait_closed(shaking->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
}

/* Three RTCP and three RTP packets in one write: one read of the library takes them all. */
static void send_burst(RtcPeer *peer) {
  uint8_t burst[1024];
  size_t used = 0;
  for (uint16_t i = 0; i < 6; i++) {
    const RtpHeader header = {.payload_type = 111, .sequence = i, .ssrc = 5};
    uint8_t *packet = burst + used + 2;
    bool rtcp = i % 2 == 0;
    size_t len = rtcp ? rtcp_write_rr(packet, 5) : rtp_write_opus(packet, &header, 20);
    assert_int_equal(peer_protect(peer, rtcp, packet, &len, sizeof burst - used - 2), PEER_OK);
    rtp_write16(burst + used, (uint16_t)len);
    used += 2 + len;
  }
  assert_int_equal(peer_send_raw(peer, 0, burst, used), PEER_OK);
}

/* From inside every callback, by either side of the pair, a session may end itself; nothing is
 * called after that. */
static void session_ends_itself_inside_each_callback(void **state) {
  Host *host = *state;
  static const struct {
    HostHook hook;
    size_t states;
  } cases[] = {{HOST_HOOK_CONNECTING, 2}, {HOST_HOOK_CONNECTED, 3},    {HOST_HOOK_RTP, 3},
               {HOST_HOOK_RTCP, 3},       {HOST_HOOK_DISCONNECTED, 4}, {HOST_HOOK_CLOSED, 3}};
  for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
    HostHook hook = cases[i / 2].hook;
    HostSession *session = host_open_conn(host, NULL);
    RtcPeer *peer = session->peer;
    session->hook = hook;
    session->hook_closes_tcp = i % 2;
    assert_int_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    if (hook != HOST_HOOK_CONNECTING)
      assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_OK);
    if (hook == HOST_HOOK_RTP || hook == HOST_HOOK_RTCP) {
      send_burst(peer);
    } else if (hook == HOST_HOOK_DISCONNECTED) {
      peer_fin(peer, 0);
    } else if (hook == HOST_HOOK_CLOSED) {
      host_close_connection(session);
    }
    host_await_closed(session, RTC_CLOSE_HOST);
    assert_int_equal(session->state_count, cases[i / 2].states);
    assert_int_equal(peer_wait_closed(peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
    host_forget(session);
  }
}

/* -- The peer ends it -- */

/* close_notify ends the session at once, and the TCP conn with it. */
static void peer_sends_close_notify(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  assert_int_equal(peer_close_notify(session->peer), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, CLOSED);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
}

/* A fatal alert likewise, with another reason; in the middle of a handshake too. */
static void peer_sends_a_fatal_alert(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  assert_int_equal(peer_fatal_alert(session->peer, ALERT_INTERNAL_ERROR), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER_ALERT);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);

  session = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_handshake_step(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_fatal_alert(session->peer, ALERT_INTERNAL_ERROR), PEER_OK);
  host_await_closed(session, RTC_CLOSE_PEER_ALERT);
  HOST_ASSERT_STATES(session, CONNECTING, CLOSED);
}

/* -- TCP conns come and go -- */

typedef void (*Cut)(RtcPeer *peer, int conn);

static const Cut cuts[] = {peer_fin, peer_close, peer_rst};

/* However the TCP conn went, within the grace another one carries on without a new handshake, and
 * nothing comes on it before its binding response (peer_reconnect would say EARLY). */
static void lost_tcp_conn_is_replaced_within_the_grace(void **state) {
  Host *host = *state;
  RtcServerStats stats;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = host_open_connected(host, NULL);
    host_assert_media_flows(session);
    cuts[i](session->peer, 0);
    host_await_state(session, DISCONNECTED);
    assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
    host_await_state(session, CONNECTED);
    host_assert_media_flows(session);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CONNECTED);
    assert_int_equal(peer_handshakes(session->peer), 1);
    host_stats(host, &stats);
    assert_int_equal(stats.handshakes, i + 1);
  }
}

/* A TCP conn is given back as soon as it is lost, while its session waits. */
static void lost_tcp_conn_is_released_at_once(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  peer_fin(session->peer, 0);
  host_await_state(session, DISCONNECTED);
  assert_int_equal(peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  HOST_AWAIT(host, tcp_conns.live, 0);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_PEER_FIN], 1);
  HOST_AWAIT(host, connections.live, 1);
}

/* What the host sends while there is no TCP conn is dropped and counted. */
static void sending_without_a_tcp_conn_is_counted(void **state) {
  HostSession *session = host_open_connected(*state, NULL);
  host_assert_media_out(session);
  peer_fin(session->peer, 0);
  host_await_state(session, DISCONNECTED);
  host_send_rtp(session);
  host_await_drop(session, RTC_DROP_NOT_CONNECTED, 1);
}

/* A handshake that was cut after any flight goes on over the next TCP conn. */
static void cut_handshake_goes_on(void **state) {
  Host *host = *state;
  static const PeerConfig configs[] = {
      {.setup = RTC_SETUP_ACTPASS, .retransmit_ms = 300},
      {.setup = RTC_SETUP_PASSIVE, .retransmit_ms = 300},
  };
  for (size_t role = 0; role < COUNT_OF(configs); role++) {
    for (int flights = 0; flights < 3; flights++) {
      HostSession *session = host_open_conn(host, &configs[role]);
      RtcPeer *peer = session->peer;
      assert_int_equal(peer_bind(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
      for (int i = 0; i < flights && !peer_connected(peer); i++)
        assert_int_equal(peer_handshake_step(peer, PEER_TIMEOUT_MS), PEER_OK);
      peer_rst(peer, 0);
      host_await_state(session, DISCONNECTED);
      assert_int_equal(peer_reconnect(peer, 0, PEER_USE_CANDIDATE), PEER_OK);
      assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_OK);
      host_await_state(session, CONNECTED);
      host_assert_media_flows(session);
      host_close_connection(session);
      host_forget(session);
    }
  }
}

/* The grace is over: the session ends, not before. */
static void session_ends_after_the_grace(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = host_open_connected(host, NULL);
    int64_t begin_ms = now_ms();
    cuts[i](session->peer, 0);
    host_await_closed(session, RTC_CLOSE_TCP_LOST);
    assert_true(now_ms() - begin_ms >= host->config.grace_ms);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, DISCONNECTED, CLOSED);
  }
}

/* Without a grace the session ends with its TCP conn. */
static void session_without_grace_ends_with_its_tcp_conn(void **state) {
  Host *host = *state;
  for (size_t i = 0; i < COUNT_OF(cuts); i++) {
    HostSession *session = host_open_connected(host, NULL);
    cuts[i](session->peer, 0);
    host_await_closed(session, RTC_CLOSE_TCP_LOST);
    HOST_ASSERT_STATES(session, CONNECTING, CONNECTED, CLOSED);
  }
}

/* Silence ends a session, whatever stage it has reached. */
static void silence_ends_the_session(void **state) {
  Host *host = *state;
  HostSession *bound = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(bound->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  HostSession *connected = host_open_connected(host, NULL);
  int64_t begin_ms = now_ms();
  host_await_closed(connected, RTC_CLOSE_TIMEOUT);
  /* The last packet may have come a little before the session was seen to be connected. */
  assert_true(now_ms() - begin_ms >= (int64_t)host->config.session_timeout_ms / 2);
  HOST_ASSERT_STATES(connected, CONNECTING, CONNECTED, CLOSED);
  assert_int_equal(peer_wait_closed(connected->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  host_await_closed(bound, RTC_CLOSE_TIMEOUT);
  assert_int_equal(peer_wait_closed(bound->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  HOST_AWAIT(host, tcp_closes[RTC_TCP_CLOSE_SILENCE], 2);
}

/* Binding requests keep a session without media alive; octets that prove nothing do not. */
static void only_authenticated_packets_keep_the_session_alive(void **state) {
  Host *host = *state;
  HostSession *alive = host_open_connected(host, NULL);
  HostSession *chatty = host_open_connected(host, NULL);
  static const uint8_t noise[20] = {0x80, 111};
  int64_t until_ms = now_ms() + 2 * (int64_t)host->config.session_timeout_ms;
  while (now_ms() < until_ms) {
    assert_int_equal(peer_bind(alive->peer, 0, 0), PEER_OK);
    peer_send_frame(chatty->peer, 0, noise, sizeof noise);
    peer_send_request(chatty->peer, 0, PEER_BAD_INTEGRITY);
    peer_send_request(chatty->peer, 0, PEER_INDICATION);
    usleep(50 * 1000);
  }
  assert_int_equal(host_state(alive), CONNECTED);
  assert_int_equal(host_state(chatty), CLOSED); /* while it talked, not after */
  host_await_closed(chatty, RTC_CLOSE_TIMEOUT);
}

static void stall(void *arg) {
  const Host *host = arg;
  usleep(host->config.session_timeout_ms * 2000);
}

/* A worker that was held up for longer than the timeout reads before it judges: what has come in
 * time is only heard late. */
static void stalled_worker_hears_what_has_come(void **state) {
  Host *host = *state;
  HostSession *session = host_open_connected(host, NULL);
  assert_int_equal(rtc_worker_post(host->worker, stall, host), RTC_OK);
  assert_int_equal(peer_bind(session->peer, 0, 0), PEER_OK);
  host_assert_media_flows(session);
  HOST_ASSERT_STATES(session, CONNECTING, CONNECTED);
}

/* -- All of them end -- */

/* The sessions of every stage that a server's or a worker's end meets. */
static size_t open_all_stages(Host *host, HostSession **sessions) {
  sessions[0] = host_open(host, NULL);
  sessions[1] = host_open_conn(host, NULL);
  sessions[2] = host_open_conn(host, NULL);
  assert_int_equal(peer_bind(sessions[2]->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  sessions[3] = host_open_connected(host, NULL);
  peer_fin(sessions[3]->peer, 0);
  host_await_state(sessions[3], DISCONNECTED);
  sessions[4] = host_open_connected(host, NULL);
  host_assert_media_flows(sessions[4]);
  for (size_t i = 0; i < 5; i++)
    host_drop_handle(sessions[i]);
  return 5;
}

static void assert_all_stopped(HostSession **sessions, size_t count) {
  for (size_t i = 0; i < count; i++)
    host_await_closed(sessions[i], RTC_CLOSE_WORKER_STOP);
  assert_int_equal(peer_wait_closed(sessions[1]->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  assert_int_equal(peer_wait_closed(sessions[2]->peer, 0, PEER_TIMEOUT_MS), PEER_EOF);
  assert_notified_and_closed(sessions[4], 0);
}

/* The worker stops: every session hears it, with close_notify where there are keys. */
static void worker_stops_with_live_sessions(void **state) {
  Host *host = *state;
  HostSession *sessions[5];
  size_t count = open_all_stages(host, sessions);
  host_stop_worker(host);
  assert_all_stopped(sessions, count);
}

/* The server closes: likewise, and its worker goes on. */
static void server_closes_with_live_sessions(void **state) {
  Host *host = *state;
  HostSession *sessions[5];
  size_t count = open_all_stages(host, sessions);
  host_close_server(host);
  assert_all_stopped(sessions, count);
  assert_int_equal(peer_connect_conn(sessions[0]->peer, 0, host->address, host->port), PEER_FAILED);
}

int main(void) {
  static HostConfig ipv6 = {.listen = "[::1]:0"};
  static HostConfig long_timeout = {.session_timeout_ms = 10 * HOST_DEADLINE_MS};
  static HostConfig short_timeout = {.session_timeout_ms = 1500};
  static HostConfig short_grace = {.grace_ms = 300};
  static HostConfig no_grace = {.grace_ms = -1};
  static HostConfig long_grace = {.grace_ms = 60000};
#define CASE(function, config)                                                                     \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, config)
  const struct CMUnitTest tests[] = {
      CASE(session_connects_and_media_flows, NULL),
      CASE(session_connects_with_every_role_and_profile, NULL),
      CASE(request_octet_by_octet_is_answered, NULL),
      CASE(session_connects_over_ipv6, &ipv6),
      CASE(session_lives_without_the_hosts_handle, NULL),
      CASE(session_that_nobody_joins_ends, &short_timeout),
      CASE(wrong_fingerprint_closes_before_media, NULL),
      CASE(host_closes_the_connection, NULL),
      CASE(silent_peer_does_not_keep_a_closed_sessions_tcp_conn, &long_timeout),
      CASE(host_closes_the_tcp_conn, NULL),
      CASE(host_closes_before_the_session_is_connected, NULL),
      CASE(session_ends_itself_inside_each_callback, NULL),
      CASE(peer_sends_close_notify, NULL),
      CASE(peer_sends_a_fatal_alert, NULL),
      CASE(lost_tcp_conn_is_replaced_within_the_grace, &long_grace),
      CASE(lost_tcp_conn_is_released_at_once, &long_grace),
      CASE(sending_without_a_tcp_conn_is_counted, &long_grace),
      CASE(cut_handshake_goes_on, &long_grace),
      CASE(session_ends_after_the_grace, &short_grace),
      CASE(session_without_grace_ends_with_its_tcp_conn, &no_grace),
      CASE(silence_ends_the_session, &short_timeout),
      CASE(only_authenticated_packets_keep_the_session_alive, &short_timeout),
      CASE(stalled_worker_hears_what_has_come, &short_timeout),
      CASE(handshake_that_never_ends_is_ended, &short_timeout),
      CASE(worker_stops_with_live_sessions, &long_grace),
      CASE(server_closes_with_live_sessions, &long_grace),
  };
  return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
