/* The test peer's life, and what its offer says. */
#include "support/peer_internal.h"

#include <openssl/rand.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int peer_fail(const RtcPeer *peer, int result, const char *format, ...) {
  if (!getenv("RTC_TEST_PEER_DEBUG"))
    return result;
  char text[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  fprintf(stderr, "peer %s: %s (%d)\n", peer ? peer->ufrag : "-", text, result);
  return result;
}

int64_t peer_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ice-char has 64 members (RFC 8839 section 5.4): an octet's low six bits choose one. */
static void make_credential(char *text, size_t len) {
  static const char ice_chars[65] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t octets[64];
  if (RAND_bytes(octets, (int)len) != 1)
    abort();
  for (size_t i = 0; i < len; i++)
    text[i] = ice_chars[octets[i] & 63];
  text[len] = '\0';
}

static void take_credential(char text[PEER_CREDENTIAL_CAP], const char *given, size_t random_len) {
  if (given)
    snprintf(text, PEER_CREDENTIAL_CAP, "%s", given);
  else
    make_credential(text, random_len);
}

RtcPeer *peer_new(const PeerConfig *config) {
  static const PeerConfig defaults = {0};
  if (!config)
    config = &defaults;
  RtcPeer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return NULL;
  for (int i = 0; i < PEER_CONNS_MAX; i++)
    peer->conns[i].fd = -1;
  peer->setup = config->setup == RTC_SETUP_NONE ? RTC_SETUP_ACTPASS : config->setup;
  peer->receive_buffer = config->receive_buffer;
  peer->retransmit_ms = config->retransmit_ms ? config->retransmit_ms : PEER_RETRANSMIT_MS;
  peer->alert_received = -1;
  take_credential(peer->ufrag, config->ufrag, 8);
  take_credential(peer->pwd, config->pwd, 24);
  if (peer_stun_init(peer) != PEER_OK || peer_dtls_init(peer, config) != PEER_OK) {
    peer_destroy(peer);
    return NULL;
  }
  return peer;
}

void peer_destroy(RtcPeer *peer) {
  if (!peer)
    return;
  if (peer->srtp_out)
    srtp_dealloc(peer->srtp_out);
  if (peer->srtp_in)
    srtp_dealloc(peer->srtp_in);
  SSL_free(peer->ssl);
  peer_sockets_finish(peer);
  free(peer->agent);
  free(peer);
}

void peer_local_transport(const RtcPeer *peer, RtcSdpTransport *transport) {
  memset(transport, 0, sizeof *transport);
  memcpy(transport->ufrag, peer->ufrag, sizeof peer->ufrag);
  memcpy(transport->pwd, peer->pwd, sizeof peer->pwd);
  transport->setup = peer->setup;
  transport->fingerprints[0] = *peer_own_fingerprint();
  transport->fingerprint_count = 1;
  /* An active candidate names the discard port (RFC 6544 section 4.5). */
  transport->candidates[0] = (RtcCandidate){.foundation = "1",
                                            .component = 1,
                                            .tcp = true,
                                            .priority = 1518280447,
                                            .address = "127.0.0.1",
                                            .port = 9,
                                            .type = "host",
                                            .tcp_type = RTC_TCP_TYPE_ACTIVE};
  transport->candidate_count = 1;
}

/* RFC 8842 section 5.3: the answer decides, within what was offered. */
static PeerRole role_of(RtcSetup offered, RtcSetup answered) {
  if (answered == RTC_SETUP_PASSIVE && offered != RTC_SETUP_PASSIVE)
    return PEER_ROLE_CLIENT;
  if (answered == RTC_SETUP_ACTIVE && offered != RTC_SETUP_ACTIVE)
    return PEER_ROLE_SERVER;
  return PEER_ROLE_UNKNOWN;
}

int peer_set_remote(RtcPeer *peer, const RtcSdpTransport *transport) {
  if (!transport->ufrag[0] || !transport->pwd[0] || !transport->fingerprint_count)
    return peer_fail(peer, PEER_BAD, "the answer lacks ufrag, pwd or fingerprint");
  PeerRole role = role_of(peer->setup, transport->setup);
  if (role == PEER_ROLE_UNKNOWN)
    return peer_fail(peer, PEER_BAD, "setup %d does not answer %d", transport->setup, peer->setup);
  memcpy(peer->remote_ufrag, transport->ufrag, sizeof peer->remote_ufrag);
  memcpy(peer->remote_pwd, transport->pwd, sizeof peer->remote_pwd);
  memcpy(peer->remote_fingerprints, transport->fingerprints, sizeof peer->remote_fingerprints);
  peer->remote_fingerprint_count = transport->fingerprint_count;
  if (peer->role != PEER_ROLE_UNKNOWN)
    return PEER_OK;
  peer->role = role;
  if (role == PEER_ROLE_CLIENT)
    SSL_set_connect_state(peer->ssl);
  else
    SSL_set_accept_state(peer->ssl);
  return PEER_OK;
}

void peer_restart_ice(RtcPeer *peer) {
  make_credential(peer->ufrag, 8);
  make_credential(peer->pwd, 24);
}

void peer_use_credentials(RtcPeer *peer, const RtcSdpTransport *own,
                          const RtcSdpTransport *remote) {
  memcpy(peer->ufrag, own->ufrag, sizeof peer->ufrag);
  memcpy(peer->pwd, own->pwd, sizeof peer->pwd);
  memcpy(peer->remote_ufrag, remote->ufrag, sizeof peer->remote_ufrag);
  memcpy(peer->remote_pwd, remote->pwd, sizeof peer->remote_pwd);
}

void peer_trust_any(RtcPeer *peer) {
  peer->trust_any = true;
}
