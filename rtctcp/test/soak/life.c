/* The life of one session: it is opened, connected, lives through what was drawn, and ends as its
 * plan says. */
#include "soak/life.h"

#include <string.h>

#define CALL_MS        15000
#define LEFT_OPEN_MS   300 /* a peer that does not read, for the server to see its last word */
#define SMALL_BUFFER   8192
#define SMALL_MTU      256
#define RETRANSMIT_MS  500 /* well within the session's timeout: flights are lost with TCP conns */
#define ALERT_INTERNAL 80

/* -- The beginning -- */

static void draw_peer(SoakLife *life, PeerConfig *config) {
  static const char *const profiles[] = {NULL, NULL, "SRTP_AES128_CM_SHA1_80",
                                         "SRTP_AEAD_AES_256_GCM"};
  config->retransmit_ms = RETRANSMIT_MS;
  if (soak_random_percent(&life->random, 10))
    config->setup = RTC_SETUP_PASSIVE;
  if (soak_random_percent(&life->random, 10))
    config->mtu = SMALL_MTU;
  if (life->plan.fills_queue)
    config->receive_buffer = SMALL_BUFFER;
  config->srtp_profiles = profiles[soak_random_below(&life->random, 4)];
}

static bool open_session(SoakLife *life) {
  PeerConfig config = {0};
  SoakRequest request = {.verb = SOAK_VERB_OPEN, .plan = life->plan};
  SoakAnswer answer;
  draw_peer(life, &config);
  life->peer = peer_new(&config);
  if (!life->peer)
    return soak_life_expect(life, "a peer is made", PEER_FAILED, PEER_OK);
  peer_local_transport(life->peer, &request.remote);
  if (life->plan.ending == SOAK_ENDING_WRONG_FINGERPRINT)
    request.remote.fingerprints[0].value[7] ^= 1;
  if (!soak_control_call(life->channel, &request, &answer, sizeof answer) || answer.error)
    return soak_life_expect(life, "the host opens a session", PEER_FAILED, PEER_OK);
  life->id = answer.id;
  life->port = answer.port;
  int result = peer_set_remote(life->peer, &answer.local);
  return soak_life_expect(life, "the answer is taken", result, PEER_OK);
}

static void tell_host(const SoakLife *life, SoakVerb verb) {
  const SoakRequest request = {.verb = verb, .id = life->id, .plan = life->plan};
  SoakAnswer answer;
  soak_control_call(life->channel, &request, &answer, sizeof answer);
}

static bool bind_first(SoakLife *life) {
  /* Firefox nominates at once, Chrome later or never. */
  unsigned flags = soak_random_percent(&life->random, 70) ? PEER_USE_CANDIDATE : 0;
  int result = peer_bind(life->peer, 0, flags);
  return soak_life_expect(life, "binding response", result, PEER_OK);
}

static bool shake_hands(SoakLife *life) {
  if (soak_random_percent(&life->random, 6)) {
    soak_life_count(life, SOAK_EVENT_COME_BACK_EARLY);
    int result = peer_handshake_step(life->peer, CALL_MS);
    if (!soak_life_expect(life, "a flight", result, PEER_OK) || !soak_life_come_back(life))
      return false;
  }
  return soak_life_expect(life, "handshake", peer_handshake(life->peer, CALL_MS), PEER_OK);
}

static bool live(SoakLife *life) {
  if (soak_random_percent(&life->random, 10) && !soak_life_stranger(life))
    return false;
  if (!bind_first(life) || !shake_hands(life) || !soak_life_media(life))
    return false;
  if (life->plan.fills_queue)
    return true;
  if (soak_random_percent(&life->random, 12)) {
    soak_life_count(life, SOAK_EVENT_COME_BACK);
    if (!soak_life_come_back(life) || !soak_life_media(life))
      return false;
  }
  if (soak_random_percent(&life->random, 10) &&
      (!soak_life_restart(life) || !soak_life_media(life)))
    return false;
  if (soak_random_percent(&life->random, 12)) {
    if (!soak_life_more_conns(life) || !soak_life_media(life) || !soak_life_fall_over(life))
      return false;
  }
  return true;
}

/* -- The end -- */

static void leave_open(SoakLife *life, unsigned ms, int closed) {
  if (life->wait_ms < ms)
    life->wait_ms = ms;
  if (closed >= 0)
    life->wait_closed = closed;
}

/* The server closes the socket; a peer that does not read sees nothing of that. */
static void await_closed(SoakLife *life) {
  if (life->plan.fills_queue) {
    leave_open(life, LEFT_OPEN_MS, -1);
    return;
  }
  int result = peer_wait_closed(life->peer, peer_selected(life->peer), CALL_MS);
  if (result != PEER_EOF && result != PEER_RESET && result != PEER_CUT)
    soak_life_expect(life, "the server closes the TCP conn", result, PEER_EOF);
}

static void lose_all(SoakLife *life, void (*lose)(RtcPeer *peer, int conn)) {
  for (int i = 0; i < life->conns; i++)
    if (peer_fd(life->peer, i) >= 0)
      lose(life->peer, i);
}

static void fin_and_close(RtcPeer *peer, int conn) {
  peer_fin(peer, conn);
  peer_close(peer, conn);
}

static void end_host_closes(SoakLife *life) {
  tell_host(life, SOAK_VERB_CLOSE);
  await_closed(life);
}

static void end_host_closes_tcp(SoakLife *life) {
  tell_host(life, SOAK_VERB_CLOSE_TCP);
  await_closed(life);
}

/* Whatever the moment that was drawn: it comes. */
static void end_host_in_callback(SoakLife *life) {
  if (life->plan.moment == SOAK_MOMENT_DISCONNECTED)
    lose_all(life, fin_and_close);
  else
    await_closed(life);
}

static void end_close_notify(SoakLife *life) {
  soak_life_expect(life, "close_notify", peer_close_notify(life->peer), PEER_OK);
  await_closed(life);
}

static void end_fatal_alert(SoakLife *life) {
  soak_life_expect(life, "alert", peer_fatal_alert(life->peer, ALERT_INTERNAL), PEER_OK);
  await_closed(life);
}

static void end_both_close(SoakLife *life) {
  peer_close_notify(life->peer);
  tell_host(life, soak_random_percent(&life->random, 50) ? SOAK_VERB_CLOSE : SOAK_VERB_CLOSE_TCP);
  await_closed(life);
}

static void end_fin(SoakLife *life) {
  lose_all(life, fin_and_close);
}

static void end_half_close(SoakLife *life) {
  lose_all(life, peer_fin);
  await_closed(life);
}

static void end_rst(SoakLife *life) {
  lose_all(life, peer_rst);
}

static void end_silence(SoakLife *life) {
  leave_open(life, life->clients->session_timeout_ms, peer_selected(life->peer));
}

/* -- Endings before there is a session -- */

/* The peer's flights are two; the cut may be before the first frame, or inside one. */
static void end_cut_handshake(SoakLife *life) {
  static const uint8_t half[] = {0x01, 0x00, 0x16, 0xfe, 0xfd};
  unsigned steps = soak_random_below(&life->random, 5);
  if (steps > 0 && !bind_first(life))
    return;
  for (unsigned i = 1; i < steps; i++)
    if (!soak_life_expect(life, "a flight", peer_handshake_step(life->peer, CALL_MS), PEER_OK))
      return;
  if (soak_random_percent(&life->random, 30))
    peer_send_raw(life->peer, 0, half, sizeof half);
  soak_life_lose(life, 0);
}

static void end_wrong_fingerprint(SoakLife *life) {
  if (!bind_first(life))
    return;
  int result = peer_handshake(life->peer, CALL_MS);
  soak_life_expect(life, "the certificate is refused", result, PEER_ALERT);
}

static void (*const endings[SOAK_ENDING_COUNT])(SoakLife *life) = {
    [SOAK_ENDING_HOST_CLOSES] = end_host_closes,
    [SOAK_ENDING_HOST_CLOSES_TCP] = end_host_closes_tcp,
    [SOAK_ENDING_HOST_IN_CALLBACK] = end_host_in_callback,
    [SOAK_ENDING_CLOSE_NOTIFY] = end_close_notify,
    [SOAK_ENDING_FATAL_ALERT] = end_fatal_alert,
    [SOAK_ENDING_BOTH_CLOSE] = end_both_close,
    [SOAK_ENDING_FIN] = end_fin,
    [SOAK_ENDING_HALF_CLOSE] = end_half_close,
    [SOAK_ENDING_RST] = end_rst,
    [SOAK_ENDING_SILENCE] = end_silence,
};

static void run(SoakLife *life) {
  SoakEnding ending = life->plan.ending;
  if (!open_session(life) || ending == SOAK_ENDING_NEVER_CONNECTS || !soak_life_connect(life))
    return;
  if (ending == SOAK_ENDING_CUT_HANDSHAKE)
    end_cut_handshake(life);
  else if (ending == SOAK_ENDING_WRONG_FINGERPRINT)
    end_wrong_fingerprint(life);
  else if (live(life))
    endings[ending](life);
}

void soak_life_run(SoakLife *life, SoakClients *clients, int channel, uint64_t ticket) {
  SoakPlan plan = soak_plan_draw(clients->seed, ticket);
  *life = (SoakLife){.clients = clients,
                     .channel = channel,
                     .plan = plan,
                     .random = {~clients->seed ^ ticket << 20},
                     .doomed = plan.moment != SOAK_MOMENT_NONE,
                     .wait_closed = -1};
  atomic_fetch_add(&clients->endings[plan.ending], 1);
  run(life);
}
