/* The active side towards libnice's NiceAgent, a full and controlled agent with a passive
 * candidate: it makes checks of its own, awaits the nomination, and the test peer does DTLS and
 * SRTP through it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/duo.h"
#include "support/nice_peer.h"
#include "support/peer.h"
#include "support/rtp.h"

#include <string.h>
#include <time.h>

/* Owned: the case's, which the teardown destroys. */
static NicePeer *agent;
static RtcPeer *peer;

static int start_libraries(void **state) {
  (void)state;
  nice_peer_start_libraries();
  return 0;
}

static int teardown(void **state) {
  nice_peer_destroy(agent);
  agent = NULL;
  peer_destroy(peer);
  peer = NULL;
  return duo_teardown(state);
}

/* The agent's ICE, and the test peer's DTLS. */
static void make_peer(RtcSdpTransport *answer, RtcSetup setup) {
  const NicePeerConfig ice = {.address = "127.0.0.1", .controlled = true};
  const PeerConfig dtls = {.setup = setup};
  RtcSdpTransport own;
  agent = nice_peer_new(&ice);
  assert_non_null(agent);
  assert_true(nice_peer_local_transport(agent, answer));
  peer = peer_new(&dtls);
  assert_non_null(peer);
  peer_local_transport(peer, &own);
  answer->setup = setup;
  answer->fingerprints[0] = own.fingerprints[0];
  answer->fingerprint_count = 1;
}

static void await_rtp(DuoSide *side) {
  const struct timespec pause = {.tv_nsec = 2000000};
  bool come = false;
  for (int turn = 0; !come && turn < HOST_DEADLINE_MS / 2; turn++) {
    pthread_mutex_lock(&side->duo->lock);
    come = side->rtp_count > 0;
    pthread_mutex_unlock(&side->duo->lock);
    nanosleep(&pause, NULL);
  }
  assert_true(come);
}

static void connect_as(Duo *duo, RtcSetup setup, RtcSetup peer_setup) {
  RtcSdpTransport answer;
  RtcServerStats stats;
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = 111, .sequence = 7, .timestamp = 960, .ssrc = 1};
  duo_open_active(duo, setup);
  make_peer(&answer, peer_setup);
  assert_true(nice_peer_connect(agent, &duo->active.local));
  assert_int_equal(duo_connect(duo, &answer), RTC_OK);
  assert_int_equal(peer_set_remote(peer, &duo->active.local), PEER_OK);
  assert_int_equal(peer_adopt(peer, 0, nice_peer_wire(agent)), PEER_OK);
  peer_select(peer, 0);
  assert_true(nice_peer_await_ready(agent, PEER_TIMEOUT_MS));
  assert_int_equal(peer_handshake(peer, PEER_TIMEOUT_MS), PEER_OK);
  duo_await_state(&duo->active, RTC_CONNECTION_STATE_CONNECTED);
  size_t len = rtp_write_opus(packet, &header, 40);
  assert_int_equal(peer_send_rtp(peer, packet, len), PEER_OK);
  await_rtp(&duo->active);
  duo_stats(&duo->active, &stats);
  assert_int_equal(stats.drops[RTC_DROP_STUN], 0);
  duo_close(&duo->active);
}

static void a_full_agent_is_controlled_as_dtls_server(void **state) {
  connect_as(*state, RTC_SETUP_ACTIVE, RTC_SETUP_PASSIVE);
}

static void a_full_agent_is_controlled_as_dtls_client(void **state) {
  connect_as(*state, RTC_SETUP_PASSIVE, RTC_SETUP_ACTIVE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_full_agent_is_controlled_as_dtls_server, duo_setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_full_agent_is_controlled_as_dtls_client, duo_setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, start_libraries, NULL);
}
