/* The test peer's SRTP and SRTCP, on libsrtp2 with the keys of the DTLS exporter.
 * Source: RFC 5764 section 4.2, RFC 7714 section 12 */
#include "support/peer_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MASTER_MAX   ((size_t)SRTP_MAX_KEY_LEN) /* key and salt */
#define OVERHEAD_MAX ((size_t)32)               /* tag and SRTCP index, rounded up */
#define LABEL        "EXTRACTOR-dtls_srtp"
#define WINDOW_SIZE  1024 /* [packets] */

static bool make_session(srtp_t *session, srtp_profile_t profile, srtp_ssrc_type_t direction,
                         uint8_t *master) {
  srtp_policy_t policy = {
      .ssrc = {.type = direction}, .key = master, .window_size = WINDOW_SIZE, .allow_repeat_tx = 1};
  return srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile) == srtp_err_status_ok &&
         srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile) ==
             srtp_err_status_ok &&
         srtp_create(session, &policy) == srtp_err_status_ok;
}

/* One session of the process is kept to the end: with the last one libsrtp2's NSS goes too, and
 * takes 2 ms to come back. */
static srtp_t kept;

static void release_kept(void) {
  srtp_dealloc(kept);
}

static void start_libsrtp(void) {
  uint8_t master[MASTER_MAX] = {0};
  /* The library under test may have begun before: then this is refused, and all is there. */
  srtp_init();
  if (make_session(&kept, srtp_profile_aead_aes_128_gcm, ssrc_any_outbound, master))
    atexit(release_kept);
}

int peer_srtp_start(RtcPeer *peer) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_libsrtp);
  const SRTP_PROTECTION_PROFILE *chosen = SSL_get_selected_srtp_profile(peer->ssl);
  if (!chosen)
    return peer_fail(peer, PEER_BAD, "no SRTP profile was agreed on");
  srtp_profile_t profile = (srtp_profile_t)chosen->id;
  size_t key_len = srtp_profile_get_master_key_length(profile);
  size_t salt_len = srtp_profile_get_master_salt_length(profile);
  uint8_t exported[2 * MASTER_MAX], masters[2][MASTER_MAX];
  if (SSL_export_keying_material(peer->ssl, exported, 2 * (key_len + salt_len), LABEL,
                                 sizeof LABEL - 1, NULL, 0, 0) != 1)
    return peer_fail(peer, PEER_FAILED, "the exporter gives nothing");
  /* Client key, server key, client salt, server salt. */
  for (size_t side = 0; side < 2; side++) {
    memcpy(masters[side], exported + side * key_len, key_len);
    memcpy(masters[side] + key_len, exported + 2 * key_len + side * salt_len, salt_len);
  }
  size_t own = peer->role == PEER_ROLE_CLIENT ? 0 : 1;
  if (!make_session(&peer->srtp_out, profile, ssrc_any_outbound, masters[own]) ||
      !make_session(&peer->srtp_in, profile, ssrc_any_inbound, masters[1 - own]))
    return peer_fail(peer, PEER_FAILED, "libsrtp2 takes no keys of %s", chosen->name);
  return PEER_OK;
}

int peer_protect(RtcPeer *peer, bool rtcp, uint8_t *packet, size_t *len, size_t cap) {
  if (!peer->srtp_out || *len + OVERHEAD_MAX > cap)
    return peer_fail(peer, PEER_FAILED, "no keys, or no room to protect in");
  int octets = (int)*len;
  srtp_err_status_t status = rtcp ? srtp_protect_rtcp(peer->srtp_out, packet, &octets)
                                  : srtp_protect(peer->srtp_out, packet, &octets);
  if (status != srtp_err_status_ok)
    return peer_fail(peer, PEER_FAILED, "protect: %d", (int)status);
  *len = (size_t)octets;
  return PEER_OK;
}

static int send_media(RtcPeer *peer, bool rtcp, const uint8_t *packet, size_t len) {
  uint8_t protected[PEER_MEDIA_MAX + OVERHEAD_MAX];
  if (len > PEER_MEDIA_MAX)
    return peer_fail(peer, PEER_FAILED, "a packet of %zu octets", len);
  memcpy(protected, packet, len);
  int result = peer_protect(peer, rtcp, protected, &len, sizeof protected);
  return result == PEER_OK ? peer_send_frame(peer, peer->selected, protected, len) : result;
}

int peer_send_rtp(RtcPeer *peer, const uint8_t *packet, size_t len) {
  return send_media(peer, false, packet, len);
}

int peer_send_rtcp(RtcPeer *peer, const uint8_t *packet, size_t len) {
  return send_media(peer, true, packet, len);
}

static int open_media(RtcPeer *peer, const PeerFrame *frame, PeerMedia *media) {
  if (frame->len < 8 || frame->len > sizeof media->data)
    return peer_fail(peer, PEER_BAD, "a media packet of %zu octets", frame->len);
  if (!peer->srtp_in)
    return peer_fail(peer, PEER_EARLY, "media before the end of the handshake");
  media->conn = frame->conn;
  /* RFC 5761 section 4: RTCP's types are 192 to 223. */
  media->rtcp = frame->data[1] >= 192 && frame->data[1] <= 223;
  memcpy(media->data, frame->data, frame->len);
  int len = (int)frame->len;
  srtp_err_status_t status = media->rtcp ? srtp_unprotect_rtcp(peer->srtp_in, media->data, &len)
                                         : srtp_unprotect(peer->srtp_in, media->data, &len);
  media->len = (size_t)len;
  if (status != srtp_err_status_ok)
    return peer_fail(peer, PEER_BAD, "unprotect: %d", (int)status);
  return PEER_OK;
}

int peer_receive_media(RtcPeer *peer, PeerMedia *media, int timeout_ms) {
  int64_t deadline_ms = peer_clock_ms() + timeout_ms;
  for (;;) {
    PeerFrame frame;
    int result = peer_take(peer, PEER_ANY, PEER_KIND_DTLS | PEER_KIND_MEDIA | PEER_KIND_OTHER,
                           deadline_ms, &frame);
    if (result != PEER_OK)
      return result;
    if (!frame.len || frame.data[0] < 20 || frame.data[0] > 63)
      return open_media(peer, &frame, media);
    result = peer_dtls_feed(peer, &frame);
    if (result != PEER_OK)
      return result;
  }
}

int peer_receive_kind(RtcPeer *peer, PeerMedia *media, bool rtcp, int timeout_ms) {
  int64_t deadline_ms = peer_clock_ms() + timeout_ms;
  for (;;) {
    int64_t left = deadline_ms - peer_clock_ms();
    int result = peer_receive_media(peer, media, left > 0 ? (int)left : 0);
    if (result != PEER_OK || media->rtcp == rtcp)
      return result;
  }
}
