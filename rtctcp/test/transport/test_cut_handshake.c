/* DTLS handshakes whose TCP conn is cut: after each flight and inside each, in both roles, once and
 * more often. They go on over the next conn, for what may be lost is sent again on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/host.h"

#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define STEP          97 /* octets from one cut to the next: prime, so that it falls anywhere */
#define CUTS_MAX      64
#define RETRANSMIT_MS 300
#define SERVE_MS      5

typedef struct Cut {
  RtcSetup setup;     /* of the peer: PASSIVE makes the library the client */
  size_t mtu;         /* of the peer; 0: the default */
  bool out;           /* of what the peer sends, not of what it receives */
  bool has_timer;     /* the peer sends its flights again by itself */
  unsigned int times; /* in a row */
} Cut;

/* The conn's end, as it shows to the library. */
static void (*const ends[])(RtcPeer *peer, int conn) = {peer_rst, peer_fin, peer_close};

static HostSession *open_bound(Host *host, const Cut *cut) {
  const PeerConfig config = {.setup = cut->setup,
                             .mtu = cut->mtu,
                             .retransmit_ms =
                                 cut->has_timer ? RETRANSMIT_MS : 10 * PEER_TIMEOUT_MS};
  HostSession *session = host_open_conn(host, &config);
  assert_int_equal(peer_bind(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
  return session;
}

/* Runs the handshake until so many octets have passed. false: it has ended before */
static bool run_until_cut(HostSession *session, const Cut *cut, size_t octets) {
  if (cut->out)
    peer_cut_out_after(session->peer, 0, octets);
  else
    peer_cut_in_after(session->peer, 0, octets);
  int result = peer_handshake(session->peer, PEER_TIMEOUT_MS);
  assert_true(result == PEER_OK || result == PEER_CUT);
  return result == PEER_CUT;
}

/* The conn ends for the library too, and another one takes its place. */
static void come_back(HostSession *session, size_t index) {
  ends[index % COUNT_OF(ends)](session->peer, 0);
  host_await_state(session, RTC_CONNECTION_STATE_DISCONNECTED);
  assert_int_equal(peer_reconnect(session->peer, 0, PEER_USE_CANDIDATE), PEER_OK);
}

/* A server that has ended its handshake still answers a client that asks for the end of its own
 * (RFC 6347 section 4.2.4). */
static void answer_until_connected(HostSession *session) {
  PeerMedia media;
  for (int turn = 0; turn < HOST_DEADLINE_MS / SERVE_MS; turn++) {
    if (host_state(session) == RTC_CONNECTION_STATE_CONNECTED)
      return;
    assert_int_equal(peer_receive_media(session->peer, &media, SERVE_MS), PEER_TIMEOUT);
  }
  fail_msg("the handshake of the library does not end");
}

static void assert_goes_on(HostSession *session) {
  assert_int_equal(peer_handshake(session->peer, PEER_TIMEOUT_MS), PEER_OK);
  answer_until_connected(session);
  host_assert_media_flows(session);
  assert_int_equal(peer_handshakes(session->peer), 1);
}

static void forget_all(Host *host) {
  while (host->session_count > 0) {
    HostSession *session = &host->sessions[host->session_count - 1];
    host_close_connection(session);
    host_forget(session);
  }
}

/* Cuts one handshake after STEP octets, the next one after twice that, and so on until one ends
 * before its cut; so the last one is cut behind its end. All at once: they share the timer's time.
 */
static void cut_everywhere(Host *host, const Cut *cut) {
  bool was_cut = true;
  size_t count = 0;
  for (; was_cut; count++) {
    assert_true(count < CUTS_MAX);
    HostSession *session = open_bound(host, cut);
    for (unsigned time = 0; time < cut->times; time++) {
      was_cut = run_until_cut(session, cut, count * STEP);
      come_back(session, count + time);
    }
  }
  assert_true(count > 4);
  for (size_t i = 0; i < count; i++)
    assert_goes_on(&host->sessions[i]);
  forget_all(host);
}

/* What of the library's flights was lost comes again on the next conn, with no timer's help. */
static void flights_of_the_library_are_sent_again(void **state) {
  static const Cut cuts[] = {
      {.setup = RTC_SETUP_ACTPASS, .times = 1},
      {.setup = RTC_SETUP_PASSIVE, .times = 1},
      {.setup = RTC_SETUP_ACTPASS, .mtu = 256, .times = 1},
      {.setup = RTC_SETUP_PASSIVE, .mtu = 256, .times = 1},
  };
  for (size_t i = 0; i < COUNT_OF(cuts); i++)
    cut_everywhere(*state, &cuts[i]);
}

/* What of the peer's flights was lost is taken from its retransmission, half flights before it and
 * half frames notwithstanding. */
static void flights_of_the_peer_are_taken_again(void **state) {
  static const Cut cuts[] = {
      {.setup = RTC_SETUP_ACTPASS, .out = true, .has_timer = true, .times = 1},
      {.setup = RTC_SETUP_PASSIVE, .out = true, .has_timer = true, .times = 1},
      {.setup = RTC_SETUP_ACTPASS, .mtu = 256, .out = true, .has_timer = true, .times = 1},
      {.setup = RTC_SETUP_PASSIVE, .mtu = 256, .out = true, .has_timer = true, .times = 1},
  };
  for (size_t i = 0; i < COUNT_OF(cuts); i++)
    cut_everywhere(*state, &cuts[i]);
}

/* A handshake may be cut again, in what is sent again. */
static void handshake_is_cut_twice(void **state) {
  static const Cut cuts[] = {
      {.setup = RTC_SETUP_ACTPASS, .times = 2},
      {.setup = RTC_SETUP_PASSIVE, .times = 2},
      {.setup = RTC_SETUP_ACTPASS, .out = true, .has_timer = true, .times = 2},
      {.setup = RTC_SETUP_PASSIVE, .out = true, .has_timer = true, .times = 2},
  };
  for (size_t i = 0; i < COUNT_OF(cuts); i++)
    cut_everywhere(*state, &cuts[i]);
}

int main(void) {
  static HostConfig long_grace = {.grace_ms = 60000, .session_timeout_ms = 600000};
#define CASE(function)                                                                             \
  cmocka_unit_test_prestate_setup_teardown(function, host_setup, host_teardown, &long_grace)
  const struct CMUnitTest tests[] = {
      CASE(flights_of_the_library_are_sent_again),
      CASE(flights_of_the_peer_are_taken_again),
      CASE(handshake_is_cut_twice),
  };
  return cmocka_run_group_tests_name("cut handshake", tests, NULL, NULL);
}
